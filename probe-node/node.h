/* SPDX-License-Identifier: MIT */
/*
 * The life of a node: join once, keep a session with the coordinator, run its jobs, send exactly
 * one observation for each on the session it came from.
 */
#ifndef PX_NODE_NODE_H
#define PX_NODE_NODE_H

#include "common/err.h"
#include "probe-node/settings.h"

struct event_base;
struct node;

/* How the node ended by itself; node_on_end of the owner is told once. */
enum node_end { NODE_JOINED, NODE_TURNED_AWAY, NODE_BROKEN };

struct node_events {
    /* join_only: the node has joined. Otherwise only for what waiting cannot mend; err says it. */
    void (*on_end)(void *arg, enum node_end end, const struct px_err *err);
    void *arg;
};

/* Opens the state directory and begins to dial. settings is borrowed. join_only ends after
 * enrolment. NULL and err for local failures (state, key, budget) or if it has neither joined nor
 * a token. */
struct node *node_open(struct event_base *base, const struct settings *settings, bool join_only,
                       const struct node_events *events, struct px_err *err);
/* Orderly: says goodbye, saves the budget. NULL is fine. */
void node_close(struct node *n);

#endif
