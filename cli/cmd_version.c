/* SPDX-License-Identifier: MIT */
/* plx version: of the program and of the protocol it speaks. */
#include <string.h>

#include "cli/cmd.h"
#include "proto/limits.h"

static const struct flag_spec version_flags[] = {
    {"output", 'o', "FORMAT", "table or json"},
    {NULL, 0, NULL, NULL},
};

static enum cmd_exit cmd_version_run(struct cmd_env *env)
{
    static const char *const formats[] = {"table", "json", NULL};
    struct px_err err;
    const char *format = out_choose(&env->flags, formats, &err);
    if (!format)
        return cmd_fail(env, &err, CMD_MISUSE);
    if (strcmp(format, "json") == 0)
        printf("{\"schema\":\"parallax.version/1\",\"version\":\"%s\",\"protocol\":%u,"
               "\"protocol_min\":%u}\n",
               PARALLAX_VERSION, WIRE_PROTOCOL, WIRE_PROTOCOL_MIN);
    else
        printf("plx %s   (protocol %u)\n", PARALLAX_VERSION, WIRE_PROTOCOL);
    return CMD_YES;
}

const struct cmd cmd_version_entry = {
    .name = "version",
    .synopsis = "version",
    .summary = "version of plx and of its protocol",
    .examples = "  plx version\n  plx version -o json",
    .flags = version_flags,
    .run = cmd_version_run,
};
