/* SPDX-License-Identifier: MIT */
/* What every word of the product means to the one who has the problem: data for `plx explain` and
 * for the LIKELY lines of a verdict. */
#ifndef PLX_EXPLAIN_H
#define PLX_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/vocab.h"

#define EXPLAIN_LIKELY_MAX 3

struct explain_text {
    const char *means;    /* NULL = what vocab.def says */
    const char *detected; /* how it is found */
    const char *confused; /* what looks alike, and what tells it apart; NULL = nothing */
    const char *todo;     /* what to do about it; NULL = nothing */
    bool later;           /* a word of the product that this version does not produce yet */
};

struct explain_cause {
    struct explain_text text;
    const char *likely[EXPLAIN_LIKELY_MAX]; /* usual reasons; {source} and {port} are filled in */
};

extern const struct explain_text explain_scopes[PX_SCOPE_COUNT];
extern const struct explain_text explain_certainties[PX_CERTAINTY_COUNT];
extern const struct explain_text explain_statuses[PX_STATUS_COUNT];
extern const struct explain_text explain_stages[PX_STAGE_COUNT];
extern const struct explain_text explain_codes[PX_CODE_COUNT];
extern const struct explain_cause explain_causes[PX_CAUSE_COUNT];

/* The i-th usual reason behind a cause, NULL after the last. */
const char *explain_likely(enum px_cause cause, size_t i);

/* Subjects that are no word of the vocabulary: "mesh", "here"... */
struct explain_topic {
    const char *word, *title, *text; /* text: lines, printed as they are */
};
extern const struct explain_topic explain_topics[]; /* ended by word NULL */

#endif
