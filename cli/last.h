/* SPDX-License-Identifier: MIT */
/* The last question of this user, for `plx check @last`. */
#ifndef PLX_LAST_H
#define PLX_LAST_H

#include "cli/ask.h"
#include "common/verdict.h"

#define LAST_WORD "@last"

struct last {
    struct px_strs targets;
    char from[WIRE_SELECTOR_MAX + 1];
    char depth[16]; /* "" = default */
    bool here;
};

/* 0, or -1 and err (code "no-last") if there is none or it cannot be read. Clear it in both cases.
 */
int last_load(struct last *l, struct px_err *err);
/* Best effort: a question is not refused because it cannot be remembered. */
void last_save(const struct last *l);
void last_clear(struct last *l);

#endif
