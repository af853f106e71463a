/* SPDX-License-Identifier: MIT */
/* Traced paths as a table. */
#ifndef PLX_OUT_PATH_H
#define PLX_OUT_PATH_H

#include "cli/out.h"

/* One row per vantage that traced; returns how many (0 = nothing was written). */
size_t out_path_write(FILE *f, const struct px_report *r, const struct out_style *style);

#endif
