/* SPDX-License-Identifier: MIT */
/*
 * One purse for several processes: what a file remembers is added to what we remember, so that none
 * of them forgets what another has spent while both were at work.
 */
#include <stdlib.h>

#include "common/text.h"
#include "probe-node/budget_record.h"

struct records {
    struct budget_record *v;
    size_t n, room;
};

static void on_record(void *arg, const struct budget_record *record)
{
    struct records *r = arg;

    if (r->n == r->room) {
        r->room = r->room ? r->room * 2 : 64;
        r->v = px_xrealloc(r->v, r->room, sizeof(*r->v));
    }
    r->v[r->n++] = *record;
}

static int compare(const void *x, const void *y)
{
    const struct budget_record *a = x, *b = y;
    int address = px_addr_compare(&a->address, &b->address);

    if (address != 0)
        return address;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->time > b->time) - (a->time < b->time);
}

static struct records records_of(const struct budget *b, px_wall now)
{
    struct records r = {0};

    budget_each(b, now, on_record, &r);
    if (r.n > 0)
        qsort(r.v, r.n, sizeof(*r.v), compare);
    return r;
}

/* Both sorted: what only one has, and once what both have. Equal times of one side stay apart: two
 * SYNs of the same moment are two. */
static void put_union(struct budget *into, const struct records *a, const struct records *b,
                      px_wall now)
{
    size_t i = 0, k = 0;

    while (i < a->n || k < b->n) {
        int order = i == a->n ? 1 : k == b->n ? -1 : compare(&a->v[i], &b->v[k]);
        budget_put(into, order <= 0 ? &a->v[i] : &b->v[k], now);
        i += order <= 0;
        k += order >= 0;
    }
}

int budget_merge(struct budget *b, const char *path, px_wall now, struct px_err *err)
{
    struct budget *kept = budget_new_like(b);

    if (budget_load(kept, path, now, err) != 0) {
        budget_free(kept);
        return -1;
    }
    struct budget *both = budget_new_like(b);
    struct records ours = records_of(b, now), theirs = records_of(kept, now);
    put_union(both, &ours, &theirs, now);
    budget_take(b, both);
    budget_free(kept);
    free(ours.v);
    free(theirs.v);
    return 0;
}
