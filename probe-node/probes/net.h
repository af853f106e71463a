/* SPDX-License-Identifier: MIT */
/*
 * The only place where an errno, an ICMP error or a resolver's error becomes a code of the
 * vocabulary; and the few questions to a socket that the evidence comes from.
 */
#ifndef PX_PROBES_NET_H
#define PX_PROBES_NET_H

#include <sys/time.h>

#include "common/observation.h"

/* Where an errno came up: the same number means different things. */
enum net_step {
    NET_STEP_SOCKET,
    NET_STEP_BIND,
    NET_STEP_CONNECT, /* connect or send failed at once: the vantage itself says no */
    NET_STEP_ANSWER   /* reported later: the network's or the target's answer */
};

struct net_evidence {
    enum net_step step;
    int error;           /* errno; 0 = none */
    struct px_icmp icmp; /* outweighs the errno; from.family 0 = none */
    struct px_addr target;
    bool on_link;     /* is the target a neighbour? Matters only if icmp.own */
    bool has_address; /* has the vantage an address of the target's family? */
};

/* Pure. UNKNOWN = decides nothing (no evidence, or an ICMP message that ends no attempt, like
 * "fragmentation needed"). */
enum px_code net_code_of(const struct net_evidence *e);
/* The same with own, on_link and has_address found out here; e->icmp.own is filled in. `local` is
 * our end of the socket (family 0 = unknown). */
enum px_code net_code_here(struct net_evidence *e, const struct px_addr *local);
/* What getaddrinfo returned, with errno at that moment. Pure. 0 gives OK. */
enum px_code net_code_of_name(int eai, int error);

/* Ask for ICMP errors on this socket; or no longer. Best effort. */
void net_ask_icmp(int fd, uint8_t family, bool on);
/* Read the queue of ICMP errors until it is empty: the last one, with its TTL, into *icmp
 * (untouched if there is none; own is left false). Returns the errno that came with it, 0 = the
 * queue was empty. */
int net_read_icmp(int fd, uint8_t family, struct px_icmp *icmp);

/* Was the answer given by the target itself (not by a router, not by silence)? */
bool net_is_from_target(const struct px_attempt *a, const struct px_addr *target);

/* Send packets with this TTL / hop limit. 0, or -1 and errno. */
int net_set_hops(int fd, uint8_t family, uint8_t hops);
/* Bind to a source address, any port, without spending a port before connect. 0, or -1 and errno.
 */
int net_bind_source(int fd, const struct px_addr *source);
/* Close by reset: sshd's child ends before it knows whom to complain about. */
void net_close_reset(int fd);
/* From now until then for a timer: rounded up so that the time has come when it fires; >= 0. */
struct timeval net_wait(px_mono now, px_mono until);
/* Milliseconds between two moments. */
double net_ms(px_mono from, px_mono to);
/* Can a socket of that kind be opened here? Does TCP report ICMP errors? Found out by trying. */
bool net_can_open(int domain, int type, int protocol);
bool net_can_ask_icmp(void);

#endif
