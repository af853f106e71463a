/* SPDX-License-Identifier: MIT */
/*
 * Sessions over ZeroMQ with CURVE on one libevent loop; the only user of zmq.h. A session is a
 * socket: it ends for good at the first trouble and the owner dials a new one. Identity is the ZAP
 * User-Id alone. All callbacks come from the event loop, never from inside a call into this module;
 * objects may be freed in them.
 */
#ifndef PX_PROTO_LINK_H
#define PX_PROTO_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"
#include "proto/keys.h"

struct event_base;

/* ---- the listening side (coordinator) ---- */
struct link_server;
typedef uint64_t link_peer; /* one connection of one peer; never reused; 0 = none */

struct link_server_events {
    /* Who is this key? Write the User-Id ("n:7", "u:3", "p:<fingerprint>" for a stranger who may
     * enrol) and return true, or return false to turn it away. Called for each handshake. */
    bool (*on_key)(void *arg, const uint8_t key[KEY_BYTES], char *user_id, size_t size);
    /* A message; user_id is authenticated. key is the peer's CURVE key. */
    void (*on_message)(void *arg, link_peer peer, const char *user_id, const uint8_t key[KEY_BYTES],
                       const struct px_addr *from, const uint8_t *bytes, size_t size);
    /* No more messages to or from this peer. */
    void (*on_gone)(void *arg, link_peer peer);
};

/* endpoint "tcp://ADDR:PORT" (numeric, IPv6 in brackets; port 0 = any free one). NULL and err: code
 * "listen" names the endpoint and the reason. keys is copied. One server per process at a time. */
struct link_server *link_server_open(struct event_base *base, const char *endpoint,
                                     const struct key_pair *keys,
                                     const struct link_server_events *events, void *arg,
                                     struct px_err *err);
void link_server_close(struct link_server *s);
const char *link_server_endpoint(const struct link_server *s); /* as bound */
/* 0; -1 if the peer is gone or its queue (4096 messages, 16 MB) is full (then it is kicked). */
int link_server_send(struct link_server *s, link_peer peer, const uint8_t *bytes, size_t size);
/* Drop the connection at once; on_gone follows from the loop. What was sent just before may be lost
 * with it: after a last message use finish. */
void link_server_kick(struct link_server *s, link_peer peer);
/* The peer is expected to close; if it has not within grace_ms, it is kicked. */
void link_server_finish(struct link_server *s, link_peer peer, int grace_ms);

/* ---- the dialling side (node, plx) ---- */
struct link_session;

enum link_end {
    LINK_REFUSED,        /* nothing listens there */
    LINK_NO_ANSWER,      /* no TCP connection in time */
    LINK_UNREACHABLE,    /* no route, network down */
    LINK_NO_NAME,        /* the host name does not resolve */
    LINK_NOT_PARALLAX,   /* something else listens there: no handshake */
    LINK_WRONG_KEY,      /* a coordinator, but with another server key */
    LINK_NOT_AUTHORISED, /* it does not know our key */
    LINK_LOST,           /* an open session ended, or the coordinator left in the handshake */
    LINK_END_COUNT
};
const char *link_end_name(enum link_end e);

struct link_session_events {
    void (*on_open)(void *arg, const struct px_addr *remote); /* handshake done */
    void (*on_message)(void *arg, const uint8_t *bytes, size_t size);
    void (*on_end)(void *arg, enum link_end why,
                   const char *detail); /* exactly once; then only link_session_close is legal */
};

/* host is resolved outside the loop thread; both families are tried. NULL and err only for local
 * failures. */
struct link_session *link_session_open(struct event_base *base, const char *host, uint16_t port,
                                       const uint8_t server_key[KEY_BYTES],
                                       const struct key_pair *keys,
                                       const struct link_session_events *events, void *arg,
                                       struct px_err *err);
int link_session_send(struct link_session *s, const uint8_t *bytes,
                      size_t size); /* -1: not open or queue full */
/* Give queued messages up to linger_ms to leave, then close. Frees s. NULL is fine. */
void link_session_close(struct link_session *s, int linger_ms);

#endif
