/* SPDX-License-Identifier: MIT */
/* A user's session with a coordinator: greeting, enrolment, heartbeats, and sentences for its end.
 */
#ifndef PLX_CLIENT_H
#define PLX_CLIENT_H

#include "cli/context.h"
#include "proto/link.h"
#include "proto/wire.h"

struct client;

struct client_events {
    /* Welcome, or Enrolled; from now on messages may be sent. */
    void (*on_ready)(void *arg, const struct wire_message *m);
    /* Everything else but heartbeats; borrowed. */
    void (*on_message)(void *arg, const struct wire_message *m);
    /* Exactly once, then only client_close is legal. alone_helps: see ask.h. */
    void (*on_end)(void *arg, const struct px_err *err, bool alone_helps);
};

struct client_wish {
    const struct context *context; /* borrowed for the life of the client */
    const struct key_pair *keys;   /* copied */
    const uint8_t *secret;         /* enrol with it; NULL = we are known there */
    const char *name;              /* wished, or for the log */
    const char *can;               /* comma-separated capabilities of "here"; NULL = none */
};

/* NULL and err for local failures only. */
struct client *client_open(struct event_base *base, const struct client_wish *wish,
                           const struct client_events *events, void *arg, struct px_err *err);
/* Encodes and sends; m stays the caller's. 0, or -1 if the session cannot take it now. */
int client_send(struct client *c, const struct wire_message *m);
/* Gives what was sent a moment to leave. NULL is fine. */
void client_close(struct client *c);

/* The key of a context. 0, or -1 and err with what to do. */
int client_load_key(const struct context *c, struct key_pair *keys, struct px_err *err);
/* A valid name for this user on this machine, "ann-laptop"; out: PX_NAME_MAX + 1 bytes. */
char *client_default_name(char *out);

/* The sentence for a session that ended: what, why, what to do. detail may be "". ready: it had
 * been open. Returns whether "here" alone is worth showing. */
bool client_explain_end(enum link_end why, const char *detail, const struct context *c,
                        const uint8_t public_key[KEY_BYTES], struct px_err *err);

#endif
