/* SPDX-License-Identifier: MIT */
/*
 * The coordinator as a whole on one event loop: the listening link, who may say what, and the parts
 * that do the work. parallax-coordinator is this and a command line.
 */
#ifndef PX_COORDINATOR_COORDINATOR_H
#define PX_COORDINATOR_COORDINATOR_H

#include "common/report.h"
#include "proto/keys.h"

#define COORDINATOR_STRANGERS_MAX 256u /* connections that have not enrolled, at once */
#define COORDINATOR_BAD_MAX 8u         /* unreadable messages of one connection, then it ends */
#define COORDINATOR_PARTING_MS 300     /* to read the last answer before a connection is dropped */
#define COORDINATOR_LINGER_MS 200      /* the same when the coordinator stops */

struct event_base;
struct coordinator;

struct coordinator_options {
    const char *folder;                             /* state folder, made by state_create */
    const char *listen;                             /* "tcp://ADDR:PORT"; NULL = as remembered */
    unsigned runs_max, per_user_max, strangers_max; /* 0 = default */
    void (*judge)(struct px_report *);              /* NULL = diagnose */
};

/* Opens state and link; NULL and err. */
struct coordinator *coordinator_open(struct event_base *base, const struct coordinator_options *o,
                                     struct px_err *err);
const char *coordinator_endpoint(const struct coordinator *c);    /* as bound */
const char *coordinator_fingerprint(const struct coordinator *c); /* of its key */
/* Say goodbye to everybody; done is called from the loop when it is time for coordinator_close. */
void coordinator_stop(struct coordinator *c, void (*done)(void *arg), void *arg);
void coordinator_close(struct coordinator *c);

#endif
