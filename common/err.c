/* SPDX-License-Identifier: MIT */
/* Filling in local failures. Text that does not fit is cut, never an error of its own. */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int px_err_set(struct px_err *err, const char *code, const char *format, ...)
{
    if (err == NULL)
        return -1;
    /* Through a copy: callers wrap an error by passing err->message as an argument. */
    struct px_err made = {0};
    snprintf(made.code, sizeof(made.code), "%s", code);
    va_list args;
    va_start(args, format);
    vsnprintf(made.message, sizeof(made.message), format, args);
    va_end(args);
    *err = made;
    return -1;
}

int px_err_hint(struct px_err *err, const char *format, ...)
{
    if (err == NULL)
        return -1;
    char hint[sizeof(err->hint)];
    va_list args;
    va_start(args, format);
    vsnprintf(hint, sizeof(hint), format, args);
    va_end(args);
    memcpy(err->hint, hint, sizeof(hint));
    return -1;
}

void px_err_clear(struct px_err *err)
{
    if (err != NULL)
        memset(err, 0, sizeof(*err));
}
