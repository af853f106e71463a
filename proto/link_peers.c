/* SPDX-License-Identifier: MIT */
/* The table of peers. Touches no socket and no clock. */
#include "proto/link_peers.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define SLOTS_STEP 64u

static int compare_rid(const void *a, const void *b)
{
    uint32_t x = ((const struct peer *)a)->rid, y = ((const struct peer *)b)->rid;
    return (x > y) - (x < y);
}

static int compare_id(const void *a, const void *b)
{
    uint64_t x = ((const struct peer *)a)->id, y = ((const struct peer *)b)->id;
    return (x > y) - (x < y);
}

void link_peers_init(struct link_peers *t)
{
    memset(t, 0, sizeof(*t));
    TAILQ_INIT(&t->list);
}

void link_peers_clear(struct link_peers *t)
{
    while (!TAILQ_EMPTY(&t->list))
        link_peers_remove(t, TAILQ_FIRST(&t->list));
    free(t->slots);
    t->slots = NULL;
    t->slot_count = 0;
}

struct peer *link_peers_add(struct link_peers *t, uint32_t rid, int fd)
{
    struct peer *p = px_xcalloc(1, sizeof(*p));
    p->id = ++t->last_id;
    p->rid = rid;
    p->fd = fd;
    link_queue_init(&p->queue);
    if (tsearch(p, &t->by_rid, compare_rid) == NULL || tsearch(p, &t->by_id, compare_id) == NULL)
        abort(); /* out of memory */
    TAILQ_INSERT_TAIL(&t->list, p, entry);
    t->count++;
    return p;
}

static struct peer *found(void *const *node)
{
    return node != NULL ? *node : NULL;
}

struct peer *link_peers_find_rid(const struct link_peers *t, uint32_t rid)
{
    struct peer wanted = {.rid = rid};
    return found(tfind(&wanted, &t->by_rid, compare_rid));
}

struct peer *link_peers_find(const struct link_peers *t, uint64_t id)
{
    struct peer wanted = {.id = id};
    return found(tfind(&wanted, &t->by_id, compare_id));
}

void link_peers_remove(struct link_peers *t, struct peer *p)
{
    tdelete(p, &t->by_rid, compare_rid);
    tdelete(p, &t->by_id, compare_id);
    TAILQ_REMOVE(&t->list, p, entry);
    t->count--;
    if (p->fd >= 0 && (size_t)p->fd < t->slot_count && t->slots[p->fd].peer == p)
        t->slots[p->fd].peer = NULL;
    link_queue_clear(&p->queue);
    free(p);
}

struct peer_slot *link_peers_slot(struct link_peers *t, int fd)
{
    if (fd < 0)
        return NULL;
    if ((size_t)fd >= t->slot_count) {
        size_t n = ((size_t)fd / SLOTS_STEP + 1) * SLOTS_STEP;
        t->slots = px_xrealloc(t->slots, n, sizeof(*t->slots));
        memset(t->slots + t->slot_count, 0, (n - t->slot_count) * sizeof(*t->slots));
        t->slot_count = n;
    }
    return &t->slots[fd];
}
