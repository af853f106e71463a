/* SPDX-License-Identifier: MIT */
/* A run's document that arrives in parts. */
#ifndef PLX_COLLECT_H
#define PLX_COLLECT_H

#include "proto/wire.h"

struct collect {
    char *text;
    size_t size;
    uint32_t next; /* part expected */
};

/* 1 = whole, 0 = more parts follow, -1 and err (out of order, too large). A part 0 begins anew. */
int collect_add(struct collect *c, const struct wire_document *part, struct px_err *err);
/* The report of a whole document: heap, caller clears and frees it. NULL and err. */
struct px_report *collect_report(const struct collect *c, struct px_err *err);
void collect_clear(struct collect *c);

#endif
