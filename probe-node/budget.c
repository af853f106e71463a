/* SPDX-License-Identifier: MIT */
/*
 * Sliding windows per target: every decision is a count of remembered times. Knows no clock and no
 * file. Targets stand in hash buckets and in a queue by age of their last event.
 */
#include "probe-node/budget.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/text.h"
#include "probe-node/budget_record.h"

#define BUCKETS 4096U /* a power of two */

struct times {
    px_wall *at; /* ascending */
    unsigned count, room;
};

struct entry {
    LIST_ENTRY(entry) bucket;
    TAILQ_ENTRY(entry) age;
    struct px_addr address;
    uint16_t port;
    struct times strikes, looks;
    px_wall paused_until; /* 0 = not paused */
};

struct table {
    unsigned count;
    TAILQ_HEAD(entry_queue, entry) by_age; /* the one touched longest ago first */
    LIST_HEAD(entry_list, entry) buckets[BUCKETS];
};

struct budget {
    struct budget_limits limits;
    px_wall seen; /* the time of the last call that named one */
    struct table *table;
};

struct budget_limits budget_limits_default(void)
{
    return (struct budget_limits){
        .strikes = 2,
        .strike_window = 660 * PX_SEC,
        .looks = 5,
        .look_window = 30 * PX_SEC,
        .targets_max = 20000,
    };
}

static struct table *new_table(void)
{
    struct table *table = px_xcalloc(1, sizeof(*table));

    TAILQ_INIT(&table->by_age);
    return table;
}

struct budget *budget_new(const struct budget_limits *limits)
{
    struct budget *b = px_xcalloc(1, sizeof(*b));

    b->limits = limits ? *limits : budget_limits_default();
    if (b->limits.targets_max == 0)
        b->limits.targets_max = 1;
    b->table = new_table();
    return b;
}

struct budget *budget_new_like(const struct budget *b)
{
    return budget_new(&b->limits);
}

static void remove_entry(struct budget *b, struct entry *e)
{
    LIST_REMOVE(e, bucket);
    TAILQ_REMOVE(&b->table->by_age, e, age);
    b->table->count--;
    free(e->strikes.at);
    free(e->looks.at);
    free(e);
}

void budget_free(struct budget *b)
{
    struct entry *e;

    if (!b)
        return;
    while ((e = TAILQ_FIRST(&b->table->by_age)) != NULL)
        remove_entry(b, e);
    free(b->table);
    free(b);
}

void budget_take(struct budget *b, struct budget *from)
{
    struct table *old = b->table;

    b->table = from->table;
    b->seen = from->seen;
    from->table = old;
    budget_free(from);
}

/* FNV-1a */
static unsigned bucket_of(const struct px_addr *a, uint16_t port)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < sizeof(a->bytes); i++)
        hash = (hash ^ a->bytes[i]) * 16777619U;
    hash = (hash ^ (port & 0xffU)) * 16777619U;
    hash = (hash ^ (port >> 8)) * 16777619U;
    return (hash ^ hash >> 16) & (BUCKETS - 1);
}

static struct entry *find(const struct budget *b, const struct px_addr *a, uint16_t port)
{
    struct entry *e;

    LIST_FOREACH(e, &b->table->buckets[bucket_of(a, port)], bucket)
    {
        if (e->port == port && px_addr_equal(&e->address, a))
            return e;
    }
    return NULL;
}

static void trim_times(struct times *t, int64_t window, px_wall now)
{
    unsigned old = 0;

    for (unsigned i = 0; i < t->count; i++) {
        if (t->at[i] > now)
            t->at[i] = now;
    }
    while (old < t->count && now - t->at[old] >= window)
        old++;
    if (old > 0) {
        t->count -= old;
        memmove(t->at, t->at + old, t->count * sizeof(*t->at));
    }
}

/* Forget what is over; what a clock that went back has left in the future happens now. */
static void trim(const struct budget *b, struct entry *e, px_wall now)
{
    trim_times(&e->strikes, b->limits.strike_window, now);
    trim_times(&e->looks, b->limits.look_window, now);
    if (e->paused_until - now > BUDGET_PAUSE_MAX)
        e->paused_until = now + BUDGET_PAUSE_MAX;
    if (e->paused_until <= now)
        e->paused_until = 0;
}

static px_wall later(px_wall a, px_wall b)
{
    return a > b ? a : b;
}

/* When nothing of a trimmed entry will matter any more. */
static px_wall idle_at(const struct budget *b, const struct entry *e)
{
    const struct times *s = &e->strikes, *l = &e->looks;
    px_wall at = e->paused_until;

    if (s->count > 0)
        at = later(at, s->at[s->count - 1] + b->limits.strike_window);
    if (l->count > 0)
        at = later(at, l->at[l->count - 1] + b->limits.look_window);
    return at;
}

/* The oldest idle entry, or NULL and when there will be one. */
static struct entry *find_idle(const struct budget *b, px_wall now, px_wall *soonest)
{
    struct entry *e;

    *soonest = INT64_MAX;
    TAILQ_FOREACH(e, &b->table->by_age, age)
    {
        px_wall at;

        trim(b, e, now);
        at = idle_at(b, e);
        if (at <= now)
            return e;
        if (at < *soonest)
            *soonest = at;
    }
    return NULL;
}

/* Is there room for a target that is not remembered yet? */
static bool has_room(const struct budget *b, px_wall now, int64_t *wait_ns)
{
    px_wall soonest;

    if (b->table->count < b->limits.targets_max || find_idle(b, now, &soonest))
        return true;
    *wait_ns = soonest - now;
    return false;
}

/* The entry of a target, made if needed; it becomes the youngest. */
static struct entry *touch(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now)
{
    struct entry *e = find(b, a, port);
    px_wall soonest;

    if (e) {
        TAILQ_REMOVE(&b->table->by_age, e, age);
        TAILQ_INSERT_TAIL(&b->table->by_age, e, age);
        return e;
    }
    if (b->table->count >= b->limits.targets_max) {
        e = find_idle(b, now, &soonest);
        remove_entry(b, e ? e : TAILQ_FIRST(&b->table->by_age));
    }
    e = px_xcalloc(1, sizeof(*e));
    e->address = *a;
    e->port = port;
    LIST_INSERT_HEAD(&b->table->buckets[bucket_of(a, port)], e, bucket);
    TAILQ_INSERT_TAIL(&b->table->by_age, e, age);
    b->table->count++;
    return e;
}

static void add_time(struct times *t, px_wall at, unsigned limit)
{
    unsigned most = limit > BUDGET_TIMES_MAX ? limit : BUDGET_TIMES_MAX;
    unsigned i;

    if (t->count == most) { /* the newest decide */
        t->count--;
        memmove(t->at, t->at + 1, t->count * sizeof(*t->at));
    }
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 2;
        t->at = px_xrealloc(t->at, t->room, sizeof(*t->at));
    }
    for (i = t->count; i > 0 && t->at[i - 1] > at; i--)
        t->at[i] = t->at[i - 1];
    t->at[i] = at;
    t->count++;
}

/* How long until one more fits into the window; 0 = now. */
static int64_t wait_of(const struct times *t, unsigned limit, int64_t window, px_wall now)
{
    if (limit == 0)
        return window;
    return t->count < limit ? 0 : t->at[t->count - limit] + window - now;
}

static struct entry *find_trimmed(struct budget *b, const struct px_addr *a, uint16_t port,
                                  px_wall now)
{
    struct entry *e = find(b, a, port);

    b->seen = now;
    if (e)
        trim(b, e, now);
    return e;
}

bool budget_allows_strike(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now,
                          int64_t *wait_ns)
{
    static const struct times none;
    struct entry *e = find_trimmed(b, a, port, now);
    int64_t wait =
        wait_of(e ? &e->strikes : &none, b->limits.strikes, b->limits.strike_window, now);

    if (e && e->paused_until - now > wait)
        wait = e->paused_until - now;
    if (!e && wait == 0)
        (void)has_room(b, now, &wait);
    if (wait_ns)
        *wait_ns = wait;
    return wait == 0;
}

unsigned budget_allows_looks(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now,
                             int64_t *wait_ns)
{
    static const struct times none;
    struct entry *e = find_trimmed(b, a, port, now);
    const struct times *looks = e ? &e->looks : &none;
    int64_t wait = wait_of(looks, b->limits.looks, b->limits.look_window, now);

    if (!e && wait == 0)
        (void)has_room(b, now, &wait);
    if (wait_ns)
        *wait_ns = wait;
    return wait == 0 ? b->limits.looks - looks->count : 0;
}

void budget_add_strike(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now)
{
    struct budget_record record = {BUDGET_STRIKE, *a, port, now};

    budget_put(b, &record, now);
}

void budget_add_look(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now)
{
    struct budget_record record = {BUDGET_LOOK, *a, port, now};

    budget_put(b, &record, now);
}

void budget_pause(struct budget *b, const struct px_addr *a, uint16_t port, px_wall until)
{
    struct entry *e = touch(b, a, port, b->seen);

    e->paused_until = later(e->paused_until, until);
}

unsigned budget_strikes_used(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now)
{
    struct entry *e = find_trimmed(b, a, port, now);

    return e ? e->strikes.count : 0;
}

unsigned budget_strikes_max(const struct budget *b)
{
    return b->limits.strikes;
}

static bool is_over(const struct budget *b, const struct budget_record *record, px_wall now)
{
    const int64_t keeps[BUDGET_KIND_COUNT] = {
        [BUDGET_STRIKE] = b->limits.strike_window,
        [BUDGET_LOOK] = b->limits.look_window,
        [BUDGET_PAUSE] = 0,
    };
    return record->time <= now && now - record->time >= keeps[record->kind];
}

void budget_put(struct budget *b, const struct budget_record *record, px_wall now)
{
    struct entry *e;

    b->seen = now;
    if (is_over(b, record, now))
        return;
    e = touch(b, &record->address, record->port, now);
    trim(b, e, now); /* before adding: the list stays in order when the clock went back */
    if (record->kind == BUDGET_STRIKE)
        add_time(&e->strikes, record->time, b->limits.strikes);
    else if (record->kind == BUDGET_LOOK)
        add_time(&e->looks, record->time, b->limits.looks);
    else
        e->paused_until = later(e->paused_until, record->time);
    trim(b, e, now); /* and after: it may lie in the future itself */
}

static void visit_times(const struct times *t, struct budget_record *record, budget_visit *visit,
                        void *arg)
{
    for (unsigned i = 0; i < t->count; i++) {
        record->time = t->at[i];
        visit(arg, record);
    }
}

void budget_each(const struct budget *b, px_wall now, budget_visit *visit, void *arg)
{
    struct entry *e;

    TAILQ_FOREACH(e, &b->table->by_age, age)
    {
        struct budget_record record = {BUDGET_STRIKE, e->address, e->port, 0};

        trim(b, e, now);
        visit_times(&e->strikes, &record, visit, arg);
        record.kind = BUDGET_LOOK;
        visit_times(&e->looks, &record, visit, arg);
        record.kind = BUDGET_PAUSE;
        record.time = e->paused_until;
        if (e->paused_until != 0)
            visit(arg, &record);
    }
}
