/* SPDX-License-Identifier: MIT */
/*
 * One thread that writes what need not be answered for: finished runs, facts about peers, the audit
 * log. Commits can stall for tens of milliseconds on real disks; the loop never waits for them.
 * What cannot be written is counted and said in the log, once per outage.
 */
#ifndef PX_STORE_WRITER_H
#define PX_STORE_WRITER_H

#include "coordinator/store/store.h"

#define STORE_QUEUE_MAX 8192u
#define STORE_QUEUE_BYTES (256u << 20)
#define STORE_KEEP_RUNS (14 * 86400L * PX_SEC)

struct store_writer;

/* Opens its own store on path and starts the thread. NULL and err. */
struct store_writer *store_writer_open(const char *path, struct px_err *err);
/* Writes what is queued, then stops. */
void store_writer_close(struct store_writer *w);

/* All return at once; arguments are copied, but json (heap) is taken over. */
void store_writer_add_run(struct store_writer *w, const struct store_run *r, char *json);
void store_writer_update_peer(struct store_writer *w, const struct store_peer *p);
void store_writer_add_audit(struct store_writer *w, px_wall at, const char *who, const char *what,
                            const char *detail);

/* Entries lost so far: queue full or storage failed. */
unsigned long store_writer_lost(struct store_writer *w);
/* Wait until all that was queued before is written or lost. For tests and orderly ends. */
void store_writer_flush(struct store_writer *w);

#endif
