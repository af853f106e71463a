/* SPDX-License-Identifier: MIT */
/* Text that is safe to show, and allocation that cannot fail quietly. */
#ifndef PX_COMMON_TEXT_H
#define PX_COMMON_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Copy src for a terminal: control, C1 and bidi characters and invalid UTF-8 become \xNN or
 * \u{...}; at most `max` displayed characters, then "...". Always terminated. Returns out. */
char *px_text_safe(const char *src, size_t max, char *out, size_t out_size);
/* Bounded copy; returns 0, or -1 if src did not fit (out then holds the truncated text). */
int px_text_copy(char *out, size_t out_size, const char *src);
/* The character at s: its length in bytes (1 to 4) and its code point; 0 if the bytes there are not
 * valid UTF-8 or s is at its end. */
int px_text_decode_utf8(const char *s, uint32_t *c);
/* Nearest of n words by edit distance (upper and lower case are alike), NULL if none is near enough
 * to suggest. */
const char *px_text_suggest(const char *word, const char *const *words, size_t n);

/* Abort with a message when memory is out: used for small, bounded things only. */
void *px_xcalloc(size_t n, size_t size);
void *px_xrealloc(void *p, size_t n, size_t size);
char *px_xstrdup(const char *s);
char *px_xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
