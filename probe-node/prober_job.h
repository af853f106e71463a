/* SPDX-License-Identifier: MIT */
/*
 * One job under way, inside the prober. A job is a ladder (dns, tcp, ssh or echo), repeats of the
 * tcp look and side probes; all of them are parts: one probe each, which may be running or not.
 */
#ifndef PX_NODE_PROBER_JOB_H
#define PX_NODE_PROBER_JOB_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "probe-node/prober.h"
#include "probe-node/probes/probe.h"

/* A SYN unanswered for so long is silence: side probes begin. */
#define PROBER_SILENCE (1200 * PX_MS)

enum prober_state {
    PROBER_ST_WAIT, /* for the common start */
    PROBER_ST_DNS,  /* resolve the name */
    PROBER_ST_SLOT, /* for a free handshake */
    PROBER_ST_TCP,  /* connect */
    PROBER_ST_SSH,  /* greeting and handshake on the same connection */
    PROBER_ST_ECHO, /* icmp targets: ping is the question */
    PROBER_ST_REST, /* the ladder is over; repeats and sides still run */
    PROBER_ST_DONE,
    PROBER_ST_COUNT
};

enum prober_part_kind { PART_LADDER, PART_REPEAT, PART_ECHO, PART_TRACE, PART_CONTROL };

struct prober_part {
    struct prober_job *job;
    const struct probe_ops *ops;
    struct probe *probe; /* NULL = not running */
    struct probe_connected connected;
    enum prober_part_kind kind;
    bool if_silent; /* only of use while the target is silent */
};

struct prober_job {
    TAILQ_ENTRY(prober_job) link;
    TAILQ_ENTRY(prober_job) waiting; /* for a handshake */
    struct prober *prober;
    prober_done *done;
    void *arg;
    enum prober_state state;
    struct event timer;
    px_mono start_at, deadline;
    px_mono origin;            /* actual start; 0 = not yet */
    px_mono looked_at;         /* when the first look began */
    px_mono silent_at;         /* when it counts as silent; 0 = never or already */
    enum px_code ended;        /* cancelled or turned away: finish with this; UNKNOWN = no */
    bool deep;                 /* ssh is wanted on the connection */
    bool cut;                  /* ... and the budget does not allow it */
    bool slot;                 /* holds a handshake */
    bool trace_due;            /* wanted, as soon as it is known how the port answers */
    uint64_t ticks;            /* of the prober when it started */
    uint32_t references_due;   /* bits of the prober's references whose result is awaited */
    bool references_if_silent; /* ... only while the target is silent */
    struct px_observation obs;
    struct px_job job;
    uint32_t part_count;
    struct prober_part parts[]; /* the ladder's first, then by kind */
};

TAILQ_HEAD(prober_jobs, prober_job);

/* One known-good target of the vantage: its result is shared by all jobs for a while. */
struct prober_reference {
    struct prober *prober;
    struct probe *probe; /* NULL = not running */
    px_mono known_at;    /* 0 = never */
};

#define PROBER_LAGS 1024

struct prober {
    struct event_base *base;
    struct budget *budget;
    struct prober_options options;
    struct prober_jobs jobs, waiting;
    unsigned busy;       /* in jobs */
    unsigned handshakes; /* slots held */
    struct prober_reference references[PX_REFERENCES_MAX];
    struct px_observation known; /* of which only the references are used */
    struct event *tick;          /* while jobs run */
    px_mono tick_due;            /* 0 = not ticking */
    uint64_t ticks;              /* so far */
    float lags[PROBER_LAGS];     /* ms by tick, the newest ones */
};

/* ---- prober.c ---- */
/* A handshake may start now; each one taken is returned once. */
bool prober_handshake_take(struct prober *p);
void prober_handshake_return(struct prober *p);
/* Let the next job try that waits for a handshake. */
void prober_handshake_offer(struct prober *p);
/* The node's own policy lets it send there. */
bool prober_consents(const struct prober *p, const struct px_addr *a, uint16_t port);
/* Worst delay of the event loop, in ms, since that many ticks. */
double prober_lag(const struct prober *p, uint64_t since, px_mono now);

/* ---- prober_job.c ---- */
/* The job begins at the next turn of the loop or at its common start. */
void prober_job_start(struct prober *p, const struct px_job *job, prober_done *done, void *arg);
/* Stop its probes; finish with that code at the next turn of the loop. */
void prober_job_end(struct prober_job *j, enum px_code code);
/* Stop everything; no done. */
void prober_job_free(struct prober_job *j);
/* Last step of every event: finish the job if nothing is left to wait for. May free j. */
void prober_job_settle(struct prober_job *j);
/* The n-th part of that kind; the job was made with as many as it may need. */
struct prober_part *prober_job_part(struct prober_job *j, enum prober_part_kind kind, uint32_t n);
/* What all requests of the job have in common. */
struct probe_request prober_job_request(const struct prober_job *j);
/* sshd has seen us (nothing to book for other targets). */
void prober_job_add_strike(struct prober_job *j);
/* Start a part's probe; false if it has ended already. */
bool prober_part_start(struct prober_part *part, const char *probe,
                       const struct probe_request *request);
/* NULL probe is fine. */
void prober_part_cancel(struct prober_part *part);

/* ---- prober_sides.c ---- */
/* The job begins: sides that need no address. */
void prober_sides_begin(struct prober_job *j);
/* The address is known: sides that were asked for at once. */
void prober_sides_start(struct prober_job *j);
/* The first look is unanswered for PROBER_SILENCE. */
void prober_sides_on_silence(struct prober_job *j);
/* A look has ended, or there will be none: trace may start. */
void prober_sides_on_answer(struct prober_job *j);
/* Sides that silence had called for and an answer has made pointless. */
void prober_sides_drop(struct prober_job *j);
/* Book what a part has cost. */
void prober_part_book(struct prober_part *part);
/* The prober goes. */
void prober_references_cancel(struct prober *p);

#endif
