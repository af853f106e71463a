/* SPDX-License-Identifier: MIT */
/* One request to a coordinator and its answer, waited for: what nodes, show and context need. */
#ifndef PLX_SESSION_H
#define PLX_SESSION_H

#include "cli/context.h"
#include "proto/wire.h"

struct session_wish {
    const struct context *context;
    const struct key_pair *keys;        /* NULL = the context's key file */
    const uint8_t *secret;              /* enrol with it; NULL = we are known there */
    const char *name;                   /* wished when enrolling; NULL = a default */
    const struct wire_message *request; /* sent when greeted; NULL = the greeting is the answer */
};

/* Called for the greeting if there is no request, else for each message; true = that was all. */
typedef bool session_answer(void *arg, const struct wire_message *m);

/* 0; 2 and err if it cannot even begin (key file), 4 and err if the coordinator cannot be reached
 * or refuses; an error reply to the request is -1 and err. */
int session_ask(const struct session_wish *wish, session_answer *answer, void *arg,
                struct px_err *err);

#endif
