/* SPDX-License-Identifier: MIT */
/*
 * Local failures: what went wrong, where, what to do. What the network did is never an error;
 * it is a code in an observation. Bugs are asserts.
 */
#ifndef PX_COMMON_ERR_H
#define PX_COMMON_ERR_H

struct px_err {
    char code[40];     /* stable id, e.g. "no-such-vantage"; "" = no error */
    char message[512]; /* what and where, one line */
    char hint[512];    /* what to do, may hold several lines separated by \n; "" = none */
};

/* Fill err (NULL is allowed and ignored); always returns -1 so that callers can `return
 * px_err_set(...)`. */
int px_err_set(struct px_err *err, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Replace the hint. Returns -1 likewise. */
int px_err_hint(struct px_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void px_err_clear(struct px_err *err);

#endif
