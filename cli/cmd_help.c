/* SPDX-License-Identifier: MIT */
/* plx help [COMMAND]: written from the command table, examples first. */
#include <string.h>

#include "cli/cmd.h"
#include "common/text.h"

static void write_flags(FILE *f, const struct flag_spec *flags)
{
    for (; flags && flags->name; flags++) {
        char left[64], letter[8] = "    ";
        if (flags->letter)
            snprintf(letter, sizeof letter, "-%c, ", flags->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, flags->name, flags->value ? " " : "",
                 flags->value ? flags->value : "");
        fprintf(f, "  %-28s %s\n", left, flags->help);
    }
}

void cmd_help_write(FILE *f, const struct cmd *cmd)
{
    fprintf(f, "%s\n", cmd->examples);
    fprintf(f, "\nplx %s\n%s\n\n", cmd->synopsis, cmd->summary);
    write_flags(f, cmd->flags);
    write_flags(f, cmd_global_flags);
    if (strstr(cmd->synopsis, "-o FORMAT")) {
        fputs("\nformats:\n", f);
        for (const struct out_format *format = out_formats; format->name; format++)
            fprintf(f, "  %-10s %s\n", format->name, format->help);
    }
}

/* The synopsis up to what is optional. */
static const char *brief(const char *synopsis, char out[32])
{
    int length = (int)strcspn(synopsis, "[|");
    snprintf(out, 32, "%.*s", length > 31 ? 31 : length, synopsis);
    return out;
}

void cmd_overview_write(FILE *f)
{
    char word[32];
    fputs("plx asks many vantages whether a target can be reached, and why not\n\n", f);
    for (size_t i = 0; cmd_table[i]; i++)
        fprintf(f, "  plx %-16s %s\n", brief(cmd_table[i]->synopsis, word), cmd_table[i]->summary);
    fputs("\nplx COMMAND --help shows examples and flags;  plx explain WORD explains a word\n", f);
}

static enum cmd_exit cmd_help_run(struct cmd_env *env)
{
    if (env->flags.word_count == 0) {
        cmd_overview_write(stdout);
        return CMD_YES;
    }
    const struct cmd *cmd = cmd_find(env->flags.words[0]);
    if (!cmd) {
        char safe[128];
        px_text_safe(env->flags.words[0], 40, safe, sizeof safe);
        return cmd_misuse(env, "no command \"%s\"; plx help lists them", safe);
    }
    cmd_help_write(stdout, cmd);
    return CMD_YES;
}

const struct cmd cmd_help_entry = {
    .name = "help",
    .synopsis = "help [COMMAND]",
    .summary = "this list, or one command",
    .examples = "  plx help check",
    .flags = NULL,
    .run = cmd_help_run,
};
