/* SPDX-License-Identifier: MIT */
/* The empty observation: everything unknown. Nothing is interpreted here. */
#include "common/observation.h"

#include <string.h>

#define UNKNOWN_MS (-1.0)

static void attempts_init(struct px_attempt *attempts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        attempts[i].ms = UNKNOWN_MS;
        attempts[i].rtt_ms = UNKNOWN_MS;
    }
}

void px_observation_init(struct px_observation *o)
{
    memset(o, 0, sizeof(*o)); /* PX_CODE_UNKNOWN, PX_STAGE_NONE and address family 0 are zero */
    _Static_assert(PX_CODE_UNKNOWN == 0 && PX_STAGE_NONE == 0, "zero means unknown");
    o->took_ms = UNKNOWN_MS;
    o->lag_ms = UNKNOWN_MS;
    o->echo.ms = UNKNOWN_MS;
    for (size_t i = 0; i < PX_STAGE_COUNT; i++)
        o->ms[i] = UNKNOWN_MS;
    for (size_t i = 0; i < PX_HOPS_MAX; i++)
        o->trace.hops[i].ms = UNKNOWN_MS;
    attempts_init(o->attempts, PX_REPEATS_MAX + 1);
    attempts_init(o->controls, PX_CONTROLS_MAX);
}
