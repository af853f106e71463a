/* SPDX-License-Identifier: MIT */
/*
 * One TCP connection attempt with all its evidence: who answered, how, when, and what the kernel
 * knows of an unanswered one. What tcp, control, reference and trace have in common.
 */
#ifndef PX_PROBES_NET_CONNECT_H
#define PX_PROBES_NET_CONNECT_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/observation.h"

/* Host-unreachable takes 3.07 s and a round trip. */
#define NET_CONNECT_LIMIT (4500 * PX_MS)
/* Silence shorter than this proves nothing. */
#define NET_FAIR_WAIT (300 * PX_MS)
/* A reset later than this after the handshake may have been noticed by sshd. */
#define NET_UNNOTICED (3 * PX_MS)

struct net_connect_request {
    struct px_addr address, source; /* source.family 0 = the kernel's choice */
    uint16_t port;
    uint8_t hops;     /* TTL; 0 = the usual one */
    bool talk;        /* the connection will be used: no Nagle */
    px_mono deadline; /* ends as NO_ANSWER then, NOT_RUN if that was not a fair wait */
};

struct net_connect;
typedef void net_connect_done(void *arg, struct net_connect *c);

/* Embedded in its owner, zeroed before start. After done: attempt, local and fd may be read. */
struct net_connect {
    struct px_attempt attempt;
    struct px_addr local, address;
    int fd;          /* open while under way and after code OK */
    px_mono sent;    /* when the first SYN left */
    px_mono settled; /* when the answer came, by the kernel's clock if it knows */
    px_mono deadline;
    struct event event;
    net_connect_done *done;
    void *arg;
    bool running;
};

/* 0: under way, done comes exactly once, never from inside. -1: it ended at once, the code is in
 * c->attempt, done will not come. */
int net_connect_start(struct net_connect *c, struct event_base *base,
                      const struct net_connect_request *request, net_connect_done *done, void *arg);
/* After code OK: the connected socket is the caller's from here on; ICMP errors no longer end it.
 */
int net_connect_take(struct net_connect *c);
/* Close by reset whatever is open; also ends an attempt under way, without done. Safe to repeat.
 * True if it was connected for so long that the service may have noticed. */
bool net_connect_close(struct net_connect *c);

#endif
