/* SPDX-License-Identifier: MIT */
/* Messages out: encoded and handed to the link. What cannot be sent is said in the log. */
#ifndef PX_COORDINATOR_POST_H
#define PX_COORDINATOR_POST_H

#include "common/err.h"
#include "proto/link.h"
#include "proto/wire.h"

struct post {
    int (*send)(void *arg, link_peer peer, const uint8_t *bytes, size_t size); /* 0 or -1 */
    void *arg;
};

/* 0; -1 if the peer is gone or the message cannot be encoded. m stays the caller's. */
int post_message(const struct post *p, link_peer peer, const struct wire_message *m);
/* An error in reply to `request` (0 = to none). */
int post_error(const struct post *p, link_peer peer, uint64_t request, const struct px_err *err);
int post_goodbye(const struct post *p, link_peer peer, const char *reason);
/* A JSON document in parts. final: no newer document of this run follows. */
int post_document(const struct post *p, link_peer peer, uint64_t request, const char *run_id,
                  const char *json, bool final);

#endif
