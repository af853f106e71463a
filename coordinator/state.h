/* SPDX-License-Identifier: MIT */
/*
 * The coordinator's folder: key, store, lock, and the address it listens on. Everything else is
 * inside the store.
 */
#ifndef PX_COORDINATOR_STATE_H
#define PX_COORDINATOR_STATE_H

#include "common/addr.h"
#include "coordinator/store/store.h"
#include "proto/keys.h"

#define STATE_LISTEN_DEFAULT "tcp://0.0.0.0:7331"
#define STATE_PATH_MAX 512
#define STATE_ENDPOINT_TEXT 80

struct state {
    char folder[STATE_PATH_MAX];
    char key_path[STATE_PATH_MAX + 32];
    char store_path[STATE_PATH_MAX + 32];
    char lock_path[STATE_PATH_MAX + 32];
};

/* 0; -1 and err (code "bad-path") if the path is too long. */
int state_init_paths(struct state *s, const char *folder, struct px_err *err);

/* What state_create found or made. */
struct state_made {
    bool folder, keys, store; /* made now, not found */
    char fingerprint[KEY_FINGERPRINT_TEXT];
    char listen[STATE_ENDPOINT_TEXT];
};
/* Folder, key and store, each only if it is not there yet; listen (NULL = as it was) is remembered.
 */
int state_create(const struct state *s, const char *listen, struct state_made *made,
                 struct px_err *err);
/* The key that is there; without one the hint says how to make it (code "no-keys"). */
int state_load_keys(const struct state *s, struct key_pair *keys, struct px_err *err);
/* One coordinator per folder: the descriptor to keep open, or -1 (code "state-in-use"). */
int state_open_lock(const struct state *s, struct px_err *err);

/* "tcp://ADDR:PORT", numeric, IPv6 in brackets; 0, or -1 and err (code "bad-endpoint"). */
int state_parse_endpoint(const char *text, struct px_addr *addr, uint16_t *port,
                         struct px_err *err);
/* "HOST:PORT" of a token, IPv6 in brackets; code "bad-address". host: 256 bytes. */
int state_parse_address(const char *text, char *host, uint16_t *port, struct px_err *err);
/* Where others reach this coordinator: the endpoint it was bound to last, else the remembered one;
 * a wildcard becomes this machine's primary address. Code "no-address" asks for --address. */
int state_find_address(struct store *store, char *host, uint16_t *port, struct px_err *err);
/* Remember the endpoint as bound, port included. */
int state_put_bound(struct store *store, const char *endpoint, struct px_err *err);
/* What to listen on if nobody says: remembered, else the default. */
int state_find_listen(struct store *store, char out[STATE_ENDPOINT_TEXT], struct px_err *err);

#endif
