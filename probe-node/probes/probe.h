/* SPDX-License-Identifier: MIT */
/*
 * A probe answers one question about one address: started with a request, it writes its part of the
 * observation and calls done exactly once, never from inside start. Probes run as state machines on
 * one event loop, know nothing of each other, of jobs or of the wire.
 */
#ifndef PX_PROBES_PROBE_H
#define PX_PROBES_PROBE_H

#include "common/observation.h"

struct event_base;

/* What a tcp or trace probe leaves to its caller besides the observation. */
struct probe_connected {
    bool wanted;       /* in (tcp): deeper stages follow; keep the socket open */
    int fd;            /* out (tcp): the connected socket, now the caller's; -1 = there is none */
    unsigned answered; /* out: SYNs that the target itself answered */
    unsigned noticed;  /* out: connections whose reset left so late that the service may have
                          seen them */
};

struct probe_request {
    const struct px_target *target;
    struct px_addr address; /* of the target; family 0 only for dns */
    uint16_t port;
    struct px_addr source; /* bind to it; family 0 = let the kernel choose */
    enum px_stage depth;
    int fd;           /* connected socket to continue on (ownership passes to the probe), or -1 */
    px_mono origin;   /* times in the observation count from here */
    px_mono deadline; /* the probe ends no later */
    const struct px_reference *reference; /* reference probe only */
    bool answering; /* trace: the port is known to answer, so use narrow windows */
    uint32_t slot;  /* index into obs->attempts, controls or references; only attempt 0 writes the
                       decisive stage, code, ICMP and source */
    struct probe_connected *connected; /* zeroed; outlives the probe; NULL = not of interest */
};

struct probe;
typedef void probe_done(void *arg, struct probe *p);

struct probe_ops {
    const char *name;
    enum px_stage stage;
    /* NULL if it ended at once (no memory, no file descriptor, no route...): then the code is
     * already in obs and done does not come. */
    struct probe *(*start)(struct event_base *base, const struct probe_request *request,
                           struct px_observation *obs, probe_done *done, void *arg);
    /* End at once without calling done; also frees. */
    void (*cancel)(struct probe *p);
    /* After done: release the state. */
    void (*free)(struct probe *p);
    /* What costs time only once per process, done before times are taken. NULL = nothing. */
    void (*prepare)(void);
};

/* Registry: NULL if there is none of that name ("dns", "tcp", "ssh", "echo", "control",
 * "reference", "trace"). */
const struct probe_ops *probe_find(const char *name);

#endif
