/* SPDX-License-Identifier: MIT */
/* What one vantage is asked to do: data only, no command, no code. */
#ifndef PX_COMMON_JOB_H
#define PX_COMMON_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/target.h"
#include "common/vocab.h"

#define PX_ID_TEXT 32 /* run ids: 26 characters of Crockford base32 (ULID) and NUL */
#define PX_CONTROLS_MAX 4
#define PX_REPEATS_MAX 8

enum px_side { PX_SIDE_ECHO = 1, PX_SIDE_CONTROL = 2, PX_SIDE_TRACE = 4, PX_SIDE_REFERENCE = 8 };

struct px_job {
    uint64_t id; /* unique within the sender's session */
    char run_id[PX_ID_TEXT];
    struct px_target target;
    enum px_stage
        depth; /* deepest ladder stage wanted: TCP, BANNER, KEX, AUTH, SESSION, TLS, HTTP */
    struct px_addr address; /* probe this address; family 0 = resolve target.host */
    uint32_t round;         /* 1 = first look */
    uint32_t start_in_ms;   /* wait so long after receipt: the common start, corrected for delay */
    uint32_t timeout_ms;    /* whole job; the result comes no later */
    bool ladder;            /* climb the ladder to depth; false = only `repeats` plain TCP looks */
    uint32_t repeats; /* further TCP connects (closed by reset), in parallel, other source ports */
    uint32_t sides;   /* enum px_side mask: run at once, beside the rest */
    uint32_t sides_if_silent; /* run when the first SYN is unanswered after 1.2 s */
    uint16_t control_ports[PX_CONTROLS_MAX];
    uint32_t control_count;
};

#endif
