/* SPDX-License-Identifier: MIT */
/*
 * Names become addresses by getaddrinfo, as ssh itself would see them, on a few threads of the
 * process, so that a dead resolver holds up nobody. What dns and reference have in common.
 */
#ifndef PX_PROBES_NET_RESOLVE_H
#define PX_PROBES_NET_RESOLVE_H

#include "common/observation.h"

#define NET_LOOKUP_LIMIT (4 * PX_SEC)
/* Silence shorter than this proves nothing about a resolver. */
#define NET_LOOKUP_FAIR_WAIT PX_SEC
#define NET_LOOKUPS_MAX 4096 /* waiting for a thread; further ones fail at once */
#define NET_LOOKUP_THREADS 4 /* at work; those stuck in a lookup nobody waits for not counted */
#define NET_LOOKUP_THREADS_MAX 16 /* stuck ones included */

struct event_base;

struct net_names {
    enum px_code code; /* OK, a dns code, EXHAUSTED (no thread was free), NOT_RUN (no time) */
    uint32_t count;    /* in the order of getaddrinfo, each address once */
    struct px_addr addresses[PX_ADDRS_MAX];
};

struct net_lookup;
typedef void net_lookup_done(void *arg, const struct net_names *names);

/* done comes exactly once, never from inside, at the latest at the deadline; then free the lookup
 * (also from inside done). NULL: no descriptor, thread or room is left. */
struct net_lookup *net_lookup_start(struct event_base *base, const char *host, px_mono deadline,
                                    net_lookup_done *done, void *arg);
/* Also ends it without done. A thread that is still busy with it keeps what it needs. */
void net_lookup_free(struct net_lookup *l);

/* Join the threads that have ended; those stuck in a lookup are left alone. */
void net_lookup_reap(void);

#endif
