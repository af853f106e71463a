/* SPDX-License-Identifier: MIT */
/*
 * A plain TCP connection ahead of ZeroMQ's own: it tells refused from silent from unreachable,
 * races both families, and later asks who listens there if the handshake fails.
 */
#ifndef PX_PROTO_LINK_SCOUT_H
#define PX_PROTO_LINK_SCOUT_H

#include "proto/link.h"

struct link_scout;

/* Connected: addr, and why is LINK_END_COUNT. Else addr is NULL and why and detail say the most
 * telling of the failures. Called once, from the loop. */
typedef void link_scout_done(void *arg, const struct px_addr *addr, enum link_end why,
                             const char *detail);
/* The next address is tried after 250 ms or when one has failed; addrs is copied. */
struct link_scout *link_scout_start(struct event_base *base, const struct px_addr *addrs, size_t n,
                                    uint16_t port, link_scout_done *done, void *arg);

enum link_greeting {
    GREETING_NONE,    /* silence, or closed without a word */
    GREETING_ZMTP,    /* ZeroMQ, then it closed before saying more */
    GREETING_CURVE,   /* ZeroMQ with CURVE */
    GREETING_FOREIGN, /* anything else; detail says what */
    GREETING_COUNT
};
typedef void link_scout_heard(void *arg, enum link_greeting greeting, const char *detail);
/* Exchange greetings on the connection that was found: nothing but the first 11 bytes of
 * ZMTP is sent, which are the same for everybody. heard is called once, from the loop. */
void link_scout_ask(struct link_scout *s, link_scout_heard *heard);
/* Ends everything; no callback follows. NULL is fine. */
void link_scout_close(struct link_scout *s);

#endif
