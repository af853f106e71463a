/* SPDX-License-Identifier: MIT */
/* coordinator.yml: what can be said there, and all that is wrong with a file in one go. */
#ifndef PX_COORDINATOR_CONFIG_H
#define PX_COORDINATOR_CONFIG_H

#include <stdint.h>

#include "common/err.h"
#include "coordinator/state.h"

struct config {
    char listen[STATE_ENDPOINT_TEXT]; /* listen.nodes; "" = not said */
    unsigned runs_max, per_user_max;  /* limits.runs, limits.runs_per_user; 0 = not said */
};

/* 0; -1 and either err (the file cannot be read) or *errors, a text for people (heap, caller
 * frees). */
int config_read(const char *path, struct config *c, char **errors, struct px_err *err);

#endif
