/* SPDX-License-Identifier: MIT */
/* Progress on a terminal: drawn on stderr again and again, erased at the end. */
#ifndef PLX_LIVE_H
#define PLX_LIVE_H

#include "cli/out.h"

struct event_base;
struct live;

/* Draws what is known: rows first, one line of progress last; early: it is only worth one line. */
typedef void live_draw(void *arg, FILE *f, bool early);

/* NULL if stderr is no terminal that can be redrawn; all functions take NULL. */
struct live *live_new(struct event_base *base, const struct out_style *style, live_draw *draw,
                      void *arg);
/* Take it off the screen; it comes back with the next drawing. */
void live_erase(struct live *l);
/* Erase and free. */
void live_free(struct live *l);

#endif
