/* SPDX-License-Identifier: MIT */
/* The frame below the table: VERDICT, WHY, NOT, BUT, LIKELY, NEXT, NOTE, run and strikes. */
#ifndef PLX_OUT_VERDICT_H
#define PLX_OUT_VERDICT_H

#include "cli/out_text.h"

void out_verdict_write(FILE *f, const struct px_report *r, const struct out_style *style);
/* Paths in place of reasons: what goes to whoever runs the network. */
void out_verdict_write_paths(FILE *f, const struct px_report *r, const struct out_style *style);
/* What the run has spent: "here 2 of 2, next in 7m"; "" = nothing. Heap, caller frees. */
char *out_strikes_words(const struct px_report *r);
/* "source-specific: 203.0.113.10 turns away 192.0.2.44 and nobody else   (confirmed)": the headline
 * of a finding, or of the whole verdict if f is NULL. Heap, caller frees. */
char *out_headline(const struct px_report *r, const struct px_finding *f);
/* The finding that the headline is about: the first that says something about the target. NULL =
 * none. */
const struct px_finding *out_main_finding(const struct px_report *r);

#endif
