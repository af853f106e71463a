/* SPDX-License-Identifier: MIT */
/* plx: finds the command, reads its flags, runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "common/text.h"

/* Is the answer on stdout for a program? Looked up before the flags are known to be right, because
 * their errors belong there, too. */
static bool wants_documents(int argc, char **argv)
{
    bool wants = false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value = NULL;
        if (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0)
            value = i + 1 < argc ? argv[i + 1] : NULL;
        else if (strncmp(argv[i], "--output=", 9) == 0)
            value = argv[i] + 9;
        else if (strncmp(argv[i], "-o", 2) == 0)
            value = argv[i] + 2 + (argv[i][2] == '=');
        if (value && (strcmp(value, "json") == 0 || strcmp(value, "ndjson") == 0))
            wants = true;
    }
    return wants;
}

static enum cmd_exit no_such_command(const struct cmd_env *env, const char *word)
{
    const char *names[32];
    size_t n = 0;
    char safe[128];
    for (; cmd_table[n] && n < 32; n++)
        names[n] = cmd_table[n]->name;
    px_text_safe(word, 40, safe, sizeof safe);
    const char *near = px_text_suggest(word, names, n);
    if (near)
        return cmd_misuse(env, "no command \"%s\"; did you mean \"%s\"?", safe, near);
    return cmd_misuse(env, "no command \"%s\"; plx help lists them", safe);
}

static int styles_detect(struct cmd_env *env, struct px_err *err)
{
    static const char *const words[] = {"auto", "always", "never"};
    const char *color = flags_text(&env->flags, "color");
    size_t i = 0;
    while (color && i < 3 && strcmp(color, words[i]) != 0)
        i++;
    if (i == 3)
        return px_err_set(err, "bad-flag", "--color is auto, always or never");
    out_style_detect(&env->out, 1, color);
    out_style_detect(&env->err, 2, color);
    return 0;
}

static enum cmd_exit run(struct cmd_env *env, int argc, char **argv)
{
    struct px_err err;
    px_err_clear(&err);
    int used = flags_parse(&env->flags, NULL, cmd_global_flags, argc - 1, argv + 1, true, &err);
    if (used < 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    int verb = 1 + used;
    if (verb >= argc) {
        cmd_overview_write(stdout);
        return CMD_YES;
    }
    const struct cmd *cmd = cmd_find(argv[verb]);
    if (!cmd)
        return no_such_command(env, argv[verb]);
    if (flags_parse(&env->flags, cmd->flags, cmd_global_flags, argc - verb - 1, argv + verb + 1,
                    false, &err) < 0 ||
        styles_detect(env, &err) != 0)
        return cmd_fail(env, &err, CMD_MISUSE);
    if (flags_has(&env->flags, "help")) {
        cmd_help_write(stdout, cmd);
        return CMD_YES;
    }
    return cmd->run(env);
}

int main(int argc, char **argv)
{
    struct cmd_env env = {0};
    signal(SIGPIPE, SIG_IGN);
    env.documents = wants_documents(argc, argv);
    flags_init(&env.flags);
    out_style_detect(&env.err, 2, NULL);
    enum cmd_exit code = argc == 2 && strcmp(argv[1], "--version") == 0
                             ? cmd_version_entry.run(&env)
                             : run(&env, argc, argv);
    flags_clear(&env.flags);
    fflush(stdout);
    return code;
}
