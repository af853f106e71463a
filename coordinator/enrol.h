/* SPDX-License-Identifier: MIT */
/* Joining the mesh: a token's secret and a key become a peer with a name and a role. */
#ifndef PX_COORDINATOR_ENROL_H
#define PX_COORDINATOR_ENROL_H

#include "coordinator/nodes.h"
#include "coordinator/store/store.h"

/* What a stranger offers. */
struct enrol_offer {
    uint8_t key[KEY_BYTES];
    struct px_addr from;
    const struct wire_enrol *message;
};

/* The new peer, or NULL and err: codes "bad-token", "token-expired", "token-used", "bad-name",
 * "name-taken", or one of the store's. A use of the token is spent only by success. Users with a
 * taken name get a number behind it; nodes are told, because their name is what people will read.
 */
struct node *enrol_stranger(struct nodes *nodes, struct store *store,
                            const struct enrol_offer *offer, px_wall now, struct px_err *err);

#endif
