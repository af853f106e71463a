/* SPDX-License-Identifier: MIT */
/*
 * How long to wait before the coordinator is dialled again, and which failures are news. Pure: time
 * and randomness come in.
 */
#ifndef PX_NODE_OUTAGE_H
#define PX_NODE_OUTAGE_H

#include <stdbool.h>

#include "common/clock.h"

#define OUTAGE_BASE_NS (250 * PX_MS)
#define OUTAGE_FIRST_CAP_NS (2 * PX_SEC) /* in the first minute */
#define OUTAGE_LATER_CAP_NS (10 * PX_SEC)
#define OUTAGE_FIRST_NS (60 * PX_SEC)
#define OUTAGE_SLOW_NS (10 * PX_SEC)    /* when only people can mend it */
#define OUTAGE_REPEAT_NS (300 * PX_SEC) /* the same failure is told again */

struct outage {
    px_mono began; /* 0 = there is none */
    unsigned attempts;
    int reason; /* told last; -1 = none */
    px_mono told;
};

void outage_init(struct outage *o);
/* One more failed attempt: the pause before the next. Full jitter: anything from 0 to the cap, so
 * that thousands of nodes do not come back at once; slow ones wait at least half of theirs. */
int64_t outage_pause(struct outage *o, bool slow, px_mono now, uint64_t random);
/* Is this failure worth a line in the log? The same one again is only after five minutes. */
bool outage_is_news(struct outage *o, int reason, px_mono now);

#endif
