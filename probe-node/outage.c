/* SPDX-License-Identifier: MIT */
/* Back-off and muting of repeats. Knows no session. */
#include "probe-node/outage.h"

#define SHIFT_MAX 8u /* beyond every cap */

void outage_init(struct outage *o)
{
    *o = (struct outage){.reason = -1};
}

int64_t outage_pause(struct outage *o, bool slow, px_mono now, uint64_t random)
{
    if (o->attempts == 0)
        o->began = now;
    unsigned shift = o->attempts < SHIFT_MAX ? o->attempts : SHIFT_MAX;
    int64_t cap = now - o->began < OUTAGE_FIRST_NS ? OUTAGE_FIRST_CAP_NS : OUTAGE_LATER_CAP_NS;
    int64_t span = OUTAGE_BASE_NS << shift;
    o->attempts++;
    if (slow)
        return OUTAGE_SLOW_NS / 2 + (int64_t)(random % (uint64_t)(OUTAGE_SLOW_NS / 2));
    return (int64_t)(random % (uint64_t)(span < cap ? span : cap));
}

bool outage_is_news(struct outage *o, int reason, px_mono now)
{
    if (reason == o->reason && now - o->told < OUTAGE_REPEAT_NS)
        return false;
    o->reason = reason;
    o->told = now;
    return true;
}
