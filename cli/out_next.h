/* SPDX-License-Identifier: MIT */
/* The NEXT lines: what to type, and where. */
#ifndef PLX_OUT_NEXT_H
#define PLX_OUT_NEXT_H

#include "cli/out_text.h"

/* The steps of a finding; *lines counts what stands under NEXT already. */
void out_next_write_steps(FILE *f, const struct px_report *r, const struct px_finding *finding,
                          const struct out_style *style, size_t *lines);
/* What a single vantage cannot know, and how to get a second one. */
void out_next_write_alone(FILE *f, const struct px_report *r, const struct out_style *style,
                          size_t *lines);

#endif
