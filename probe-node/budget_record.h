/* SPDX-License-Identifier: MIT */
/* What a budget remembers, one event at a time: the seam between deciding (budget.c) and keeping
 * (budget_file.c). */
#ifndef PX_NODE_BUDGET_RECORD_H
#define PX_NODE_BUDGET_RECORD_H

#include "probe-node/budget.h"

enum budget_kind { BUDGET_STRIKE, BUDGET_LOOK, BUDGET_PAUSE, BUDGET_KIND_COUNT };

struct budget_record {
    enum budget_kind kind;
    struct px_addr address;
    uint16_t port;
    px_wall time; /* of the event; of a pause, its end */
};

typedef void budget_visit(void *arg, const struct budget_record *record);
/* Everything that still matters at `now`, the target that was touched longest ago first. */
void budget_each(const struct budget *b, px_wall now, budget_visit *visit, void *arg);
/* Remember; what is over at `now` is left out. */
void budget_put(struct budget *b, const struct budget_record *record, px_wall now);
/* A new, empty budget with the limits of b. */
struct budget *budget_new_like(const struct budget *b);
/* b takes over what `from` holds; `from` is freed. */
void budget_take(struct budget *b, struct budget *from);

#endif
