/* SPDX-License-Identifier: MIT */
/*
 * Politeness: how often this vantage may touch one target (address and port). Pure: time comes in,
 * decisions go out. Strikes are moments when sshd noticed us (a handshake, or a connect whose reset
 * came late); looks are SYNs that reached the port. Kept per target as lists of times, not as
 * refilling buckets: two handshakes in any sliding 660 s, five SYNs in any 30 s.
 */
#ifndef PX_NODE_BUDGET_H
#define PX_NODE_BUDGET_H

#include "common/addr.h"
#include "common/clock.h"
#include "common/err.h"

struct budget_limits {
    unsigned strikes;      /* default 2 */
    int64_t strike_window; /* default 660 s */
    unsigned looks;        /* default 5 */
    int64_t look_window;   /* default 30 s */
    unsigned targets_max;  /* default 20,000 remembered; the oldest idle entry goes first */
};

/* Longest list of times kept for a target, unless a limit is higher. */
#define BUDGET_TIMES_MAX 64
/* Longest pause; what a wrong clock has set further ahead is cut to this. */
#define BUDGET_PAUSE_MAX (3600 * PX_SEC)

struct budget;

struct budget_limits budget_limits_default(void);
/* limits NULL = default. Never NULL. */
struct budget *budget_new(const struct budget_limits *limits);
void budget_free(struct budget *b);

/* In all of these `now` may go backwards: what then lies in the future counts as happening now.
 * wait_ns may be NULL and is 0 if there is nothing to wait for. When targets_max targets are all
 * still in their windows, a new one must wait: forgetting one of them would break its limit. */

/* May a handshake start now? If not, *wait_ns says how long until it may. */
bool budget_allows_strike(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now,
                          int64_t *wait_ns);
/* How many more SYNs may go out now (0..looks); *wait_ns until the next one if 0. */
unsigned budget_allows_looks(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now,
                             int64_t *wait_ns);
void budget_add_strike(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now);
void budget_add_look(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now);
/* A refusal text or a suspected ban: no strikes before `until`. Never shortens a pause. */
void budget_pause(struct budget *b, const struct px_addr *a, uint16_t port, px_wall until);
/* Strikes inside the window now; more than the limit if more were added. */
unsigned budget_strikes_used(struct budget *b, const struct px_addr *a, uint16_t port, px_wall now);

/* The limit they are counted against. */
unsigned budget_strikes_max(const struct budget *b);

/* Keep across restarts: text file, replaced atomically, mode 0600. A missing file is an empty
 * budget; an unreadable or damaged one is an error (-1, err naming the line), never an empty
 * budget: b then stays as it was. Loading replaces what b holds. */
int budget_save(const struct budget *b, const char *path, px_wall now, struct px_err *err);
int budget_load(struct budget *b, const char *path, px_wall now, struct px_err *err);
/* The same, but what b holds stays: for processes that share a file. */
int budget_merge(struct budget *b, const char *path, px_wall now, struct px_err *err);

#endif
