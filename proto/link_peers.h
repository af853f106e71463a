/* SPDX-License-Identifier: MIT */
/*
 * Who is connected to a server: found by ROUTER's id, by our own number, and by the descriptor the
 * connection runs on. A peer that is over stays as a tombstone for a while, so that its late
 * messages do not look like a new peer.
 */
#ifndef PX_PROTO_LINK_PEERS_H
#define PX_PROTO_LINK_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/addr.h"
#include "common/clock.h"
#include "proto/keys.h"
#include "proto/link_internal.h"

enum peer_state {
    PEER_LIVE,
    PEER_ENDING, /* the connection is gone; what it sent before may still be in the socket */
    PEER_KICKED, /* we end it; whatever it still sends is dropped */
    PEER_GONE,   /* the owner was told; a tombstone */
    PEER_STATES
};

struct peer {
    uint64_t id;  /* ours, never reused */
    uint32_t rid; /* ROUTER's */
    int fd;
    enum peer_state state;
    bool cut; /* its connection is closed */
    char user_id[LINK_USER_ID_MAX];
    uint8_t key[KEY_BYTES];
    struct px_addr from;
    px_mono kick_at; /* 0 = never */
    px_mono gone_at;
    struct link_queue queue;
    TAILQ_ENTRY(peer) entry;
};
TAILQ_HEAD(peer_list, peer);

/* A descriptor of an accepted connection. */
struct peer_slot {
    bool open;
    px_mono since;
    struct sockaddr_storage remote; /* tells whether the descriptor is still the same connection */
    struct peer *peer;              /* NULL until its first message */
};

struct link_peers {
    struct peer_list list; /* newest last */
    size_t count;
    uint64_t last_id;
    void *by_rid, *by_id; /* search trees */
    struct peer_slot *slots;
    size_t slot_count;
};

void link_peers_init(struct link_peers *t);
void link_peers_clear(struct link_peers *t);
/* rid must be new. */
struct peer *link_peers_add(struct link_peers *t, uint32_t rid, int fd);
struct peer *link_peers_find_rid(const struct link_peers *t, uint32_t rid);
struct peer *link_peers_find(const struct link_peers *t, uint64_t id);
void link_peers_remove(struct link_peers *t, struct peer *p);

/* The slot of a descriptor, made if it is new; NULL for a negative one. Valid until the next call.
 */
struct peer_slot *link_peers_slot(struct link_peers *t, int fd);

#endif
