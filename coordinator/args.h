/* SPDX-License-Identifier: MIT */
/* Flags of one command, as a table: --name value, --name=value. */
#ifndef PX_COORDINATOR_ARGS_H
#define PX_COORDINATOR_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define ARGS_MAX 8

struct args_flag {
    const char *name;  /* without "--" */
    const char *value; /* what it takes, for the help: "DIR" */
    const char *text;
};

struct args_spec {
    const char *command;
    const struct args_flag *flags; /* ended by name NULL, at most ARGS_MAX */
};

/* Values in the order of the spec's flags, NULL where not given. 0; -1 and err (code "bad-flag").
 */
int args_parse(const struct args_spec *spec, int argc, char **argv, const char *values[ARGS_MAX],
               struct px_err *err);
/* A whole number from min to max. */
int args_parse_number(const char *flag, const char *text, uint32_t min, uint32_t max, uint32_t *out,
                      struct px_err *err);

#endif
