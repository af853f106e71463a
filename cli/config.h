/* SPDX-License-Identifier: MIT */
/* The configuration as commands want it: read, complained about, and the context chosen. */
#ifndef PLX_CONFIG_H
#define PLX_CONFIG_H

#include "cli/cmd.h"
#include "cli/context.h"

/* Read the file of --config. 0, or -1 with everything wrong printed and *code set; clear c in both
 * cases. */
int config_open(const struct cmd_env *env, struct contexts *c, enum cmd_exit *code);
/* The context that --context and the environment name: 1 and *out, 0 if none is configured, -1 with
 * the trouble printed and *code set. */
int config_choose(const struct cmd_env *env, struct context *out, enum cmd_exit *code);
/* The same for commands that cannot do without: -1 also if there is none. */
int config_require(const struct cmd_env *env, struct context *out, enum cmd_exit *code);

#endif
