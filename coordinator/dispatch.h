/* SPDX-License-Identifier: MIT */
/*
 * Owns the runs: carries out what each run decides (jobs, cancels, timers), streams progress and
 * documents to the asker, shares handshake places per target among runs, keeps finished runs for a
 * few seconds to answer again, and hands them to the store.
 */
#ifndef PX_COORDINATOR_DISPATCH_H
#define PX_COORDINATOR_DISPATCH_H

#include "coordinator/nodes.h"
#include "coordinator/post.h"
#include "coordinator/run.h"
#include "coordinator/store/store_writer.h"

#define DISPATCH_RUNS_MAX 1000u    /* at once */
#define DISPATCH_PER_USER_MAX 256u /* at once, of one key */
#define DISPATCH_REUSE_MS 10000    /* a finished run answers the same question so long */
#define DISPATCH_WATCH_MS 200      /* between two pictures of a run for one who watches */
#define DISPATCH_WATCH_SMALL 32u   /* up to so many vantages every change is shown */
#define DISPATCH_RECENT_MAX 256u   /* finished runs kept for that */

struct event_base;
struct dispatch;

struct dispatch_options {
    unsigned runs_max, per_user_max; /* 0 = as above */
    void (*judge)(struct px_report *);
};

/* nodes, post and writer are borrowed; writer may be NULL (nothing is kept). */
struct dispatch *dispatch_new(struct event_base *base, const struct dispatch_options *options,
                              struct nodes *nodes, const struct post *post,
                              struct store_writer *writer);
/* Cancels what runs; nobody is told. */
void dispatch_free(struct dispatch *d);

/* A question that has been understood. */
struct dispatch_ask {
    link_peer asker;
    uint64_t request;
    uint64_t user_id; /* of the asker's key */
    struct plan_wish wish;
    bool watch;               /* the asker shows who has reported, before there is a verdict */
    struct px_report *report; /* heap: id, target, vantages, notes; taken over */
    link_peer *peers;         /* heap, by vantage: who gets its jobs; 0 = away; taken over */
};

/* Answer from a run that has just finished, if there is one for the same question and the wish
 * allows it; then report and peers are freed and true is returned. */
bool dispatch_reuse(struct dispatch *d, struct dispatch_ask *ask);
/* Start it; progress, documents and errors go to the asker. -1 and err (code "busy"); then ask is
 * still the caller's. */
int dispatch_start(struct dispatch *d, const struct dispatch_ask *ask, struct px_err *err);
void dispatch_ask_clear(struct dispatch_ask *ask);

enum dispatch_taken {
    DISPATCH_TAKEN,
    DISPATCH_REPEATED, /* late or for the second time: ours once, no use now */
    DISPATCH_UNKNOWN,  /* for a run that is over or never was */
    DISPATCH_FOREIGN   /* nobody asked this vantage for it */
};
/* When that run began; 0 if it is not under way. */
px_wall dispatch_run_started(const struct dispatch *d, const char *run_id);
enum dispatch_taken dispatch_on_observation(struct dispatch *d, link_peer from,
                                            const struct px_observation *o);
/* A session is gone: as vantage it counts as away, its own questions are cancelled. */
void dispatch_on_gone(struct dispatch *d, link_peer peer);
/* The asker says stop; false if that request is not under way. */
bool dispatch_on_stop(struct dispatch *d, link_peer asker, uint64_t request);
/* Tell every asker why there will be no answer, and drop the runs. */
void dispatch_abandon(struct dispatch *d, const struct px_err *why);

/* The document of a run that finished lately, by id or beginning; NULL if none. Borrowed. */
const char *dispatch_find_recent(const struct dispatch *d, const char *prefix, char id[PX_ID_TEXT]);
size_t dispatch_count(const struct dispatch *d);

#endif
