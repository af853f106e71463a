/* SPDX-License-Identifier: MIT */
/* The commands that exist, the flags all of them take, and how a command fails. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "common/text.h"

const struct cmd *const cmd_table[] = {
    &cmd_check_entry,   &cmd_diagnose_entry, &cmd_show_entry,
    &cmd_nodes_entry,   &cmd_context_entry,  &cmd_explain_entry,
    &cmd_version_entry, &cmd_help_entry,     NULL,
};

const struct flag_spec cmd_global_flags[] = {
    {"config", 0, "FILE", "contexts are kept there ($PARALLAX_CONFIG)"},
    {"context", 0, "NAME", "use this context ($PARALLAX_CONTEXT)"},
    {"color", 0, "WHEN", "auto, always or never"},
    {"help", 'h', NULL, "examples and flags"},
    {NULL, 0, NULL, NULL},
};

const struct cmd *cmd_find(const char *name)
{
    for (size_t i = 0; cmd_table[i]; i++) {
        if (strcmp(cmd_table[i]->name, name) == 0)
            return cmd_table[i];
    }
    return NULL;
}

/* Message on the first line, hints indented below; what came from elsewhere is made harmless. */
static void complain(const struct out_style *s, const struct px_err *err)
{
    char safe[sizeof err->message * 4];
    fputs("plx: ", stderr);
    px_text_safe(err->message, sizeof err->message, safe, sizeof safe);
    fprintf(stderr, "%s\n", safe);
    (void)s;
    for (const char *line = err->hint; *line;) {
        size_t length = strcspn(line, "\n");
        char *one = px_xasprintf("%.*s", (int)length, line);
        px_text_safe(one, sizeof err->hint, safe, sizeof safe);
        fprintf(stderr, "     %s\n", safe);
        free(one);
        line += length + (line[length] == '\n');
    }
}

enum cmd_exit cmd_fail(const struct cmd_env *env, const struct px_err *err, enum cmd_exit code)
{
    complain(&env->err, err);
    if (env->documents) {
        out_json_write_error(stdout, err);
        fflush(stdout);
    }
    return code;
}

enum cmd_exit cmd_misuse(const struct cmd_env *env, const char *format, ...)
{
    struct px_err err;
    va_list ap;
    px_err_clear(&err);
    px_text_copy(err.code, sizeof err.code, "usage");
    va_start(ap, format);
    vsnprintf(err.message, sizeof err.message, format, ap);
    va_end(ap);
    return cmd_fail(env, &err, CMD_MISUSE);
}

enum cmd_exit cmd_graver(enum cmd_exit a, enum cmd_exit b)
{
    static const enum cmd_exit order[] = {CMD_INTERRUPTED, CMD_MISUSE,  CMD_COORDINATOR,
                                          CMD_NO,          CMD_UNKNOWN, CMD_YES};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (a == order[i] || b == order[i])
            return order[i];
    }
    return a;
}

enum cmd_exit cmd_exit_of(enum px_status status)
{
    switch ((int)status) {
    case PX_STATUS_REACHABLE:
        return CMD_YES;
    case PX_STATUS_PARTIAL:
    case PX_STATUS_UNREACHABLE:
        return CMD_NO;
    default:
        return CMD_UNKNOWN;
    }
}

enum cmd_exit cmd_exit_of_error(const struct px_err *err)
{
    /* codes by which a coordinator says that the question was wrong; the rest are refusals */
    static const char *const misuse[] = {"no-such-vantage", "empty-selector", "no-vantage-selected",
                                         "bad-selector",    "bad-target",     "bad-port",
                                         "bad-timeout",     "bad-rounds",     "unsupported-depth",
                                         "no-such-run",     "ambiguous-run",  "unsupported-scheme"};
    for (size_t i = 0; i < sizeof misuse / sizeof *misuse; i++) {
        if (strcmp(err->code, misuse[i]) == 0)
            return CMD_MISUSE;
    }
    return CMD_COORDINATOR;
}
