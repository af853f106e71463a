/* SPDX-License-Identifier: MIT */
/*
 * Who belongs to the mesh (nodes and users that have enrolled) and who is connected right now. A
 * table in memory, filled from the store at start; it neither stores nor sends.
 */
#ifndef PX_COORDINATOR_NODES_H
#define PX_COORDINATOR_NODES_H

#include "coordinator/store/store.h"
#include "proto/keys.h"
#include "proto/link.h"
#include "proto/wire.h"

#define NODES_USER_ID_TEXT 32
#define NODES_IDLE_MS 600000 /* a user who asks nothing is disconnected after this */

/* A peer that has enrolled. */
struct node {
    uint64_t id;
    uint8_t key[KEY_BYTES];
    enum token_role role;
    char name[PX_NAME_MAX + 1];
    bool revoked;
    px_wall joined, last_seen;
    struct px_addr source;
    char version[WIRE_VERSION_TEXT];
    char can[WIRE_CAPABILITIES_MAX][WIRE_WORD];
    uint32_t can_count;
    struct px_label labels[PX_LABELS_MAX];
    uint32_t label_count;

    link_peer peer;        /* role node: its present session, 0 = away */
    unsigned long foreign; /* observations nobody asked for */
};

/* One connection. */
struct session {
    link_peer peer;
    struct node *who; /* NULL: a stranger that may enrol */
    bool greeted;     /* has said hello */
    bool spent;       /* a stranger that had its one message */
    bool dropped;     /* being kicked: what still comes is ignored */
    unsigned bad;     /* messages that could not be read */
    px_mono opened, heard;
    px_mono kick_at; /* leave it time to read the last answer; 0 = stays */
    struct px_addr from;
    px_wall ping_sent; /* ours under way; 0 = none */
    px_mono ping_at;
    bool clock_known;     /* below: measured */
    int64_t clock_offset; /* ns to add to its clock to get ours */
    int64_t rtt;          /* ns, best of late; < 0 unknown */
};

struct nodes;

struct nodes *nodes_new(void);
void nodes_free(struct nodes *n);

/* Add a peer as the store knows it; the record stays owned here and does not move. */
struct node *nodes_add(struct nodes *n, const struct store_peer *p);
struct node *nodes_find_key(const struct nodes *n, const uint8_t key[KEY_BYTES]);
struct node *nodes_find_id(const struct nodes *n, uint64_t id);
/* Nodes and users have names of their own each. */
struct node *nodes_find_name(const struct nodes *n, bool is_node, const char *name);
size_t nodes_count(const struct nodes *n);
struct node *nodes_at(const struct nodes *n, size_t index); /* in order of joining */
/* What the store keeps of it. */
void nodes_format_peer(const struct node *node, struct store_peer *p);

/* "n:7" for nodes, "u:3" operators, "v:4" viewers; and back, NULL if there is no such peer. */
char *nodes_user_id(const struct node *node, char out[NODES_USER_ID_TEXT]);
struct node *nodes_find_user_id(const struct nodes *n, const char *user_id);

/* Sessions; pointers stay valid until the session is closed. */
struct session *nodes_open_session(struct nodes *n, link_peer peer, struct node *who,
                                   const struct px_addr *from, px_mono now);
struct session *nodes_find_session(const struct nodes *n, link_peer peer);
/* Forgets it; a node whose present session it was is away. */
void nodes_close_session(struct nodes *n, link_peer peer, px_wall now);
/* Why a session has to go now, NULL if it may stay. */
const char *nodes_session_overdue(const struct session *s, px_mono now);
size_t nodes_session_count(const struct nodes *n);
struct session *nodes_session_at(const struct nodes *n, size_t index);

/* Hello of a known peer: facts are taken over, the session becomes the present one. Returns the
 * older session of the same node that has to go, 0 if none. */
link_peer nodes_on_hello(struct nodes *n, struct session *s, const struct wire_hello *h,
                         px_wall now);
/* Pong to our ping: round trip and clock. */
void nodes_on_pong(struct session *s, px_wall echoed, px_wall theirs, px_mono now);
/* What the peer says of its clock; used until we have measured it. */
void nodes_on_ping(struct session *s, int64_t clock_offset);

/* One row of the node list. */
void nodes_format_wire(const struct node *node, struct wire_node *out);
/* One vantage as a run knows it. */
void nodes_format_vantage(const struct node *node, struct px_vantage *out);

#endif
