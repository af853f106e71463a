/* SPDX-License-Identifier: MIT */
/* One line per decision, to stderr, UTC time in front. Remote text is escaped by the caller
 * (px_text_safe). */
#ifndef PX_COMMON_LOG_H
#define PX_COMMON_LOG_H

enum px_log_level { PX_LOG_ERROR, PX_LOG_WARN, PX_LOG_INFO, PX_LOG_DEBUG };

/* Process-wide threshold; default PX_LOG_INFO. Also read once from
 * PARALLAX_LOG=error|warn|info|debug. */
void px_log_set_level(enum px_log_level level);
void px_log(enum px_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
