/* SPDX-License-Identifier: MIT */
/*
 * CURVE key pairs in files of mode 0600, fingerprints people can compare, and join tokens that
 * carry address, server key, role and a secret.
 */
#ifndef PX_PROTO_KEYS_H
#define PX_PROTO_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define KEY_BYTES 32
#define KEY_FINGERPRINT_TEXT 24 /* "cedar-4f91-77ab" */
#define TOKEN_TEXT_MAX 768
#define TOKEN_SECRET 32

struct key_pair {
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
};

void key_generate(struct key_pair *k);
/* Read a key file; refuse (code "key-mode") one that group or others can read, with `chmod 600` as
 * hint; other codes "no-key" (no such file), "bad-key" (damaged), "key-file". 0 or -1. */
int key_load(const char *path, struct key_pair *k, struct px_err *err);
/* Create with mode 0600, atomically; fails if it exists (code "key-exists"). */
int key_save(const char *path, const struct key_pair *k, struct px_err *err);
/* Load (code "no-key" if there is no such file, "bad-key" if it is damaged), or generate and save
 * if there is no such file. */
int key_load_or_create(const char *path, struct key_pair *k, struct px_err *err);
char *key_fingerprint(const uint8_t public_key[KEY_BYTES], char *out);
/* Wipe. */
void key_clear(struct key_pair *k);

enum token_role { TOKEN_NODE, TOKEN_OPERATOR, TOKEN_VIEWER };
const char *token_role_name(enum token_role r); /* "node", "operator", "viewer" */
int token_role_parse(const char *word);         /* -1 if none */

struct token {
    enum token_role role;
    char host[256]; /* of the coordinator, name or numeric */
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    uint8_t secret[TOKEN_SECRET];
};
/* "plx1-..." for nodes, "plu1-..." for users; lower-case base32 in groups, with a checksum so that
 * typing errors are told apart from expired tokens. */
char *token_format(const struct token *t, char *out);                   /* out: TOKEN_TEXT_MAX */
int token_parse(const char *text, struct token *t, struct px_err *err); /* code "bad-token" */
void token_secret_hash(const uint8_t secret[TOKEN_SECRET],
                       uint8_t hash[32]); /* what the store keeps */

#endif
