/* SPDX-License-Identifier: MIT */
/* Back-off of a node: full jitter within its caps, whatever the randomness. */
#include <criterion/criterion.h>

#include "probe-node/outage.h"

static const px_mono start = 1000 * PX_SEC;

Test(outage, the_first_retry_comes_within_the_base)
{
    const uint64_t randoms[] = {0, 1, UINT64_MAX, UINT64_MAX / 3, 249999999, 250000000};
    for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
        struct outage o;
        outage_init(&o);
        int64_t pause = outage_pause(&o, false, start, randoms[i]);
        cr_assert(pause >= 0 && pause < OUTAGE_BASE_NS);
    }
}

Test(outage, pauses_grow_to_two_seconds_in_the_first_minute_then_to_ten)
{
    struct outage o;
    px_mono now = start;
    int64_t longest = 0;
    outage_init(&o);
    for (int i = 0; now < start + 300 * PX_SEC; i++) {
        int64_t pause = outage_pause(&o, false, now, UINT64_MAX - 1 - (uint64_t)i);
        int64_t cap = now - start < OUTAGE_FIRST_NS ? OUTAGE_FIRST_CAP_NS : OUTAGE_LATER_CAP_NS;
        cr_assert(pause >= 0 && pause < cap, "attempt %d: %lld", i, (long long)pause);
        longest = pause > longest ? pause : longest;
        now += pause + PX_MS;
    }
    cr_assert_gt(longest, OUTAGE_FIRST_CAP_NS, "never slower than in the first minute");
}

Test(outage, jitter_is_full)
{
    int low = 0, high = 0;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 1000; i++) {
        struct outage o;
        outage_init(&o);
        o.attempts = 6;
        o.began = start;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int64_t pause = outage_pause(&o, false, start + PX_SEC, random);
        low += pause < OUTAGE_FIRST_CAP_NS / 4;
        high += pause > OUTAGE_FIRST_CAP_NS * 3 / 4;
    }
    cr_assert(low > 180 && low < 320, "%d of 1000 in the lowest quarter", low);
    cr_assert(high > 180 && high < 320, "%d of 1000 in the highest quarter", high);
}

Test(outage, what_only_people_can_mend_is_tried_slowly)
{
    struct outage o;
    outage_init(&o);
    for (uint64_t i = 0; i < 100; i++) {
        int64_t pause = outage_pause(&o, true, start, i * 1234567891011u);
        cr_assert(pause >= OUTAGE_SLOW_NS / 2 && pause < OUTAGE_SLOW_NS);
    }
}

Test(outage, attempts_without_end_do_not_overflow)
{
    struct outage o;
    outage_init(&o);
    o.attempts = UINT32_MAX - 5;
    o.began = start;
    for (int i = 0; i < 20; i++) {
        int64_t pause = outage_pause(&o, false, start + 3600 * PX_SEC, UINT64_MAX / 2);
        cr_assert(pause >= 0 && pause < OUTAGE_LATER_CAP_NS);
    }
}

Test(outage, the_same_failure_is_news_once_in_five_minutes)
{
    struct outage o;
    outage_init(&o);
    cr_assert(outage_is_news(&o, 0, start));
    cr_assert_not(outage_is_news(&o, 0, start + PX_SEC));
    cr_assert(outage_is_news(&o, 1, start + 2 * PX_SEC), "another reason");
    cr_assert(outage_is_news(&o, 0, start + 3 * PX_SEC));
    cr_assert_not(outage_is_news(&o, 0, start + 4 * PX_SEC));
    cr_assert(outage_is_news(&o, 0, start + 3 * PX_SEC + OUTAGE_REPEAT_NS));
}
