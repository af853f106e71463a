/* SPDX-License-Identifier: MIT */
/* Host names to addresses without stopping the loop: getaddrinfo in a thread of its own. */
#ifndef PX_PROTO_LINK_RESOLVE_H
#define PX_PROTO_LINK_RESOLVE_H

#include <stddef.h>

#include "common/addr.h"
#include "common/err.h"

#define LINK_ADDRESSES_MAX 8

struct event_base;
struct link_resolve;

/* n = 0: why says what is wrong with the name. */
typedef void link_resolve_done(void *arg, const struct px_addr *addrs, size_t n, const char *why);

/* done is called once, from the loop; the object is gone by then. Numeric hosts need no thread.
 * NULL and err: no thread or no memory. */
struct link_resolve *link_resolve_start(struct event_base *base, const char *host,
                                        link_resolve_done *done, void *arg, struct px_err *err);
/* done will not be called; a thread that still waits for an answer ends by itself. NULL is fine. */
void link_resolve_cancel(struct link_resolve *r);

#endif
