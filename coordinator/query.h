/* SPDX-License-Identifier: MIT */
/* What users may ask, as a table of message and function. Every question gets an answer or an
 * error. */
#ifndef PX_COORDINATOR_QUERY_H
#define PX_COORDINATOR_QUERY_H

#include "coordinator/dispatch.h"
#include "coordinator/nodes.h"
#include "coordinator/post.h"

/* What questions are answered from; all borrowed. */
struct query {
    struct nodes *nodes;
    struct dispatch *dispatch;
    struct store *store;
    struct store_writer *writer; /* NULL = no audit log */
    const struct post *post;
};

bool query_knows(enum wire_kind kind);
/* A question of a known user (who is set); the answer goes to its session. */
void query_on_message(const struct query *q, struct session *from, const struct wire_message *m);

#endif
