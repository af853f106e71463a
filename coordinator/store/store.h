/* SPDX-License-Identifier: MIT */
/*
 * What the coordinator remembers: who belongs to the mesh, which tokens are out, what runs found,
 * who did what. The interface knows no engine; store_sqlite.c is the embedded one. One struct store
 * is used by one thread; several may be open on one path, also in several processes.
 *
 * Functions return 0, or -1 and err; codes: "no-store" (not there), "store-damaged", "store-
 * foreign" (some other database), "store-version" (made by a newer version), "store-read-only",
 * "store-full", "store-busy", "store-failed" (anything else, in the engine's words).
 */
#ifndef PX_STORE_H
#define PX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/report.h"

#define STORE_KEY_BYTES 32
#define STORE_HASH_BYTES 32
#define STORE_WORD 16
#define STORE_VERSION_TEXT 32
#define STORE_CAN_TEXT 256 /* capabilities, comma-separated */
#define STORE_SETTING_MAX 512

struct store;

/* A peer that has enrolled: a node or a user. */
struct store_peer {
    uint64_t id; /* given by the store */
    uint8_t key[STORE_KEY_BYTES];
    char role[STORE_WORD]; /* "node", "operator", "viewer" */
    char name[PX_NAME_MAX + 1];
    char state[STORE_WORD]; /* "active", "revoked" */
    px_wall joined, last_seen;
    struct px_addr source;
    char version[STORE_VERSION_TEXT];
    char can[STORE_CAN_TEXT];
    struct px_label labels[PX_LABELS_MAX];
    uint32_t label_count;
};

struct store_token {
    uint8_t hash[STORE_HASH_BYTES]; /* never the secret itself */
    char role[STORE_WORD];
    uint32_t uses, uses_left;
    px_wall created, expires;
};

enum store_enrolled {
    STORE_ENROL_OK,
    STORE_ENROL_NO_TOKEN,
    STORE_ENROL_EXPIRED,
    STORE_ENROL_USED_UP,
    STORE_ENROL_NAME_TAKEN,
    STORE_ENROL_FAILED /* err is set */
};

struct store_run {
    char id[PX_ID_TEXT];
    px_wall started;
    const char *url, *status; /* borrowed */
    const char *json;         /* the document "parallax.run/1" */
};

/* create: make the file (mode 0600) if there is none; else that is "no-store". */
struct store *store_open(const char *path, bool create, struct px_err *err);
void store_close(struct store *s);

/* Settings: short texts by name. find: 1 found, 0 not there, -1 err; out: STORE_SETTING_MAX. */
int store_put_setting(struct store *s, const char *name, const char *value, struct px_err *err);
int store_find_setting(struct store *s, const char *name, char *out, struct px_err *err);

/* All peers in order of id; the peer is valid during the call. */
int store_each_peer(struct store *s, void (*each)(void *arg, const struct store_peer *p), void *arg,
                    struct px_err *err);
/* What changes while a peer lives: last_seen, source, version, can, labels of peer p->id. */
int store_update_peer(struct store *s, const struct store_peer *p, struct px_err *err);

int store_add_token(struct store *s, const struct store_token *t, struct px_err *err);
/* 1 and *t, 0 if there is no such token, -1 err. */
int store_find_token(struct store *s, const uint8_t hash[STORE_HASH_BYTES], struct store_token *t,
                     struct px_err *err);
/* Spend one use of the token and add the peer, both or nothing. p: key and name and what is known
 * of it; id, role, state and joined are filled in. t is filled unless there is no such token. */
enum store_enrolled store_enrol(struct store *s, const uint8_t hash[STORE_HASH_BYTES], px_wall now,
                                struct store_peer *p, struct store_token *t, struct px_err *err);

int store_add_run(struct store *s, const struct store_run *r, struct px_err *err);
/* By id or a unique beginning of one. 1 and *json (heap, caller frees) with the whole id; 0 not
 * there; 2 several begin so; -1 err. */
int store_find_run(struct store *s, const char *prefix, char id[PX_ID_TEXT], char **json,
                   struct px_err *err);
/* Forget runs that started before `when`. */
int store_remove_runs(struct store *s, px_wall when, struct px_err *err);

/* One line of the audit log. */
int store_add_audit(struct store *s, px_wall at, const char *who, const char *what,
                    const char *detail, struct px_err *err);

/* Several changes, one commit. */
int store_begin(struct store *s, struct px_err *err);
int store_commit(struct store *s, struct px_err *err);
void store_rollback(struct store *s);

#endif
