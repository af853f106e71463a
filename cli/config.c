/* SPDX-License-Identifier: MIT */
/* Opens the user's configuration for a command and says what is wrong with it. */
#include "cli/config.h"

#include <string.h>

int config_open(const struct cmd_env *env, struct contexts *c, enum cmd_exit *code)
{
    char path[CONTEXT_PATH_MAX + 1];
    struct px_err err;
    memset(c, 0, sizeof *c);
    if (contexts_path(flags_text(&env->flags, "config"), path, sizeof path, &err) == 0 &&
        contexts_open(c, path, &err) == 0)
        return 0;
    *code = CMD_MISUSE;
    if (!c->errors) {
        cmd_fail(env, &err, CMD_MISUSE);
        return -1;
    }
    fputs(c->errors, stderr);
    if (env->documents)
        out_json_write_error(stdout, &err);
    return -1;
}

int config_choose(const struct cmd_env *env, struct context *out, enum cmd_exit *code)
{
    struct contexts all;
    struct px_err err;
    int found = config_open(env, &all, code);
    memset(out, 0, sizeof *out);
    if (found == 0) {
        found = contexts_choose(&all, flags_text(&env->flags, "context"), out, &err);
        if (found < 0)
            *code = cmd_fail(env, &err, CMD_MISUSE);
        else if (found == 0 && all.n > 0)
            fputs("note: no context is in use; choose one:  plx context use NAME\n", stderr);
    }
    contexts_clear(&all);
    return found;
}

int config_require(const struct cmd_env *env, struct context *out, enum cmd_exit *code)
{
    struct px_err err;
    int found = config_choose(env, out, code);
    if (found != 0)
        return found < 0 ? -1 : 0;
    px_err_set(&err, "no-coordinator", "no coordinator is configured");
    px_err_hint(&err, "plx context add NAME TOKEN   (ask your team for a user token)");
    *code = cmd_fail(env, &err, CMD_MISUSE);
    return -1;
}
