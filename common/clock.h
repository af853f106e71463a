/* SPDX-License-Identifier: MIT */
/* Time, typed: monotonic for intervals, wall for what people and other machines read. */
#ifndef PX_COMMON_CLOCK_H
#define PX_COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

typedef int64_t px_mono; /* nanoseconds of CLOCK_MONOTONIC */
typedef int64_t px_wall; /* nanoseconds since 1970-01-01T00:00:00Z */

#define PX_MS ((int64_t)1000000)
#define PX_SEC ((int64_t)1000000000)

px_mono px_mono_now(void);
px_wall px_wall_now(void);

/* "2026-11-20T14:02:11.120Z"; out needs PX_WALL_TEXT bytes. Returns out. */
#define PX_WALL_TEXT 32
char *px_wall_format(px_wall t, char *out);
/* Inverse of px_wall_format (fraction optional). 0, or -1 and err (code "bad-time"). */
int px_wall_parse(const char *text, px_wall *out, struct px_err *err);

/* "10s", "1.5s", "250ms", "5m", "24h", "14d" -> nanoseconds, >= 0. A number without a unit is an
 * error that says what to write; `what` (e.g. "--timeout") starts the message. 0, or -1 and err
 * (code "bad-duration"). */
int px_duration_parse(const char *what, const char *text, int64_t *ns, struct px_err *err);
/* Shortest human form with unit: "850ms", "2.1s", "22m", "3h", "12d". Returns out (PX_DURATION_TEXT
 * bytes). */
#define PX_DURATION_TEXT 24
char *px_duration_format(int64_t ns, char *out);

#endif
