/* SPDX-License-Identifier: MIT */
/* What a node says when it does not get through: what, why, what to do. */
#ifndef PX_NODE_WORDS_H
#define PX_NODE_WORDS_H

#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"
#include "probe-node/home.h"
#include "proto/link.h"

/* Fill err for the end of a session. joined: the node belongs to the mesh already. */
void words_for_end(enum link_end why, const char *detail, const struct membership *mesh,
                   bool joined, const uint8_t public_key[KEY_BYTES], struct px_err *err);
/* Can only people mend it? Then waiting is slow, and a first join ends. */
bool words_need_people(enum link_end why);
/* After a join: whom it reached, as what it joined, what it can do. */
void words_print_joined(FILE *f, const struct membership *mesh, int64_t took_ns);
/* Text of the coordinator, made safe to show: each line by itself. */
void words_make_safe(struct px_err *err);

#endif
