/* SPDX-License-Identifier: MIT */
/*
 * Paths: the traces of all vantages laid over each other. Says which hops are exonerated because
 * working paths use them, where a failing trace stops compared with them, and between which two
 * hops the trouble must sit. Never names a guilty router.
 */
#ifndef DIAGNOSE_PATH_H
#define DIAGNOSE_PATH_H

#include "coordinator/diagnose/evidence.h"

struct hop {
    struct px_addr addr;
    bool exonerated;             /* a trace that reached the target went through it */
    bool edge;                   /* the last hop before the target on such a trace */
    bool shared_end;             /* traces from different networks end here */
    const struct evidence *ends; /* the first whose trace ends here, NULL = none */
};

struct paths {
    const struct scene *scene;
    struct hop *hops; /* hop_count distinct ones */
    uint32_t hop_count;
    uint32_t *table; /* hash of addresses, size table_size (a power of two) */
    uint32_t table_size;
    uint32_t *start; /* answering hops of scene->all[i]: on[start[i]] .. on[start[i + 1] - 1] */
    uint32_t *on;
    bool any_reached;
};

/* Lay the traces of the scene over each other and add their outcomes to what the vantages saw.
 * Free with paths_clear. */
void paths_init(struct paths *p, struct scene *s);
void paths_clear(struct paths *p);

/* Hop where the trace of e ends, NULL if none answered. */
const struct hop *paths_last(const struct paths *p, const struct evidence *e);
/* Deepest hop that all traces of these vantages went through, NULL if there is none. */
const struct hop *paths_common(const struct paths *p, const struct evidence *const *v, size_t n);
/* First hop that all traces that reached the target have in common, NULL if there is none. */
const struct hop *paths_next_good(const struct paths *p);
/* Where these traces end in words: "behind A". Heap; NULL if nothing is known. */
char *paths_end(const struct paths *p, const struct evidence *const *v, size_t n);
/* The interval that is left: "between A and B", "behind A", "before B". Heap; NULL if nothing is
 * known. */
char *paths_interval(const struct paths *p, const struct evidence *const *v, size_t n);
/* Is that address on a trace that reached the target? */
bool paths_exonerate(const struct paths *p, const struct px_addr *a);

#endif
