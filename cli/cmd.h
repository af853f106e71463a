/* SPDX-License-Identifier: MIT */
/* Commands: one file cmd_<name>.c and one row in cmd_table.c each; the help is made from the row.
 */
#ifndef PLX_CMD_H
#define PLX_CMD_H

#include "cli/out.h"
#include "common/flags.h"

enum cmd_exit {
    CMD_YES = 0,         /* everything asked for holds */
    CMD_NO = 1,          /* the answer is no */
    CMD_MISUSE = 2,      /* flag, file, name: nothing was probed */
    CMD_UNKNOWN = 3,     /* not enough evidence */
    CMD_COORDINATOR = 4, /* not reachable, or it refused us */
    CMD_INTERRUPTED = 130
};

/* What a command gets. */
struct cmd_env {
    struct flags flags;        /* global ones and its own */
    struct out_style out, err; /* what stdout and stderr can show */
    bool documents;            /* stdout is for programs: errors go there as a document, too */
};

struct cmd {
    const char *name;
    const char *synopsis; /* after "plx" */
    const char *summary;
    const char *examples;          /* lines, two columns each */
    const struct flag_spec *flags; /* NULL = none of its own */
    enum cmd_exit (*run)(struct cmd_env *env);
};

extern const struct cmd cmd_check_entry, cmd_diagnose_entry, cmd_show_entry, cmd_nodes_entry,
    cmd_context_entry, cmd_explain_entry, cmd_version_entry, cmd_help_entry;
extern const struct cmd *const cmd_table[]; /* ended by NULL */
extern const struct flag_spec cmd_global_flags[];

const struct cmd *cmd_find(const char *name);
/* Say what went wrong, on stderr and, for programs, as a document on stdout. Returns code. */
enum cmd_exit cmd_fail(const struct cmd_env *env, const struct px_err *err, enum cmd_exit code);
/* err unless it was empty; for misuse that needs no px_err of its own. */
enum cmd_exit cmd_misuse(const struct cmd_env *env, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The graver of two: 130, then the first of 2, 4, 1, 3, then 0. */
enum cmd_exit cmd_graver(enum cmd_exit a, enum cmd_exit b);
/* What a verdict means for the exit code. */
enum cmd_exit cmd_exit_of(enum px_status status);
/* Same for an error that the coordinator sent: wrong use (2) or refusal (4), by its code. */
enum cmd_exit cmd_exit_of_error(const struct px_err *err);
/* Help: of one command, or the overview. */
void cmd_help_write(FILE *f, const struct cmd *cmd);
void cmd_overview_write(FILE *f);

#endif
