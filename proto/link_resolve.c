/* SPDX-License-Identifier: MIT */
/*
 * The loop and the thread share one job; whoever lets go last frees it, because getaddrinfo cannot
 * be stopped. The thread touches nothing else.
 */
#include "proto/link_resolve.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/text.h"

struct link_resolve {
    atomic_int holders; /* loop and thread */
    int ready;          /* eventfd: the answer is there */
    char host[256];
    struct px_addr addrs[LINK_ADDRESSES_MAX];
    size_t n;
    const char *why; /* static text of gai_strerror */
    struct event *event;
    link_resolve_done *done;
    void *arg;
};

static void release(struct link_resolve *r)
{
    if (atomic_fetch_sub(&r->holders, 1) > 1)
        return;
    close(r->ready);
    free(r);
}

static void add_address(struct link_resolve *r, const struct sockaddr *sa)
{
    struct px_addr a;
    if (r->n == LINK_ADDRESSES_MAX || !px_addr_from_sockaddr(sa, &a, NULL))
        return;
    for (size_t i = 0; i < r->n; i++) {
        if (px_addr_equal(&r->addrs[i], &a))
            return;
    }
    r->addrs[r->n++] = a;
}

static void *resolve_in_thread(void *arg)
{
    struct link_resolve *r = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int why = getaddrinfo(r->host, NULL, &hints, &found);
    if (why == 0) {
        for (struct addrinfo *i = found; i != NULL; i = i->ai_next)
            add_address(r, i->ai_addr);
        freeaddrinfo(found);
    }
    r->why = why != 0 ? gai_strerror(why) : "no usable address";
    uint64_t one = 1;
    if (write(r->ready, &one, sizeof(one)) < 0)
        r->n = 0; /* cannot happen: the counter is zero */
    release(r);
    return NULL;
}

static void resolve_on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_resolve *r = arg;
    struct px_addr addrs[LINK_ADDRESSES_MAX];
    size_t n = r->n;
    const char *why = r->why;
    link_resolve_done *done = r->done;
    void *done_arg = r->arg;
    memcpy(addrs, r->addrs, sizeof(addrs));
    link_resolve_cancel(r);
    done(done_arg, addrs, n, why);
}

static int thread_start(struct link_resolve *r)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the loop */
    int result = pthread_create(&thread, NULL, resolve_in_thread, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        pthread_detach(thread);
    return result;
}

struct link_resolve *link_resolve_start(struct event_base *base, const char *host,
                                        link_resolve_done *done, void *arg, struct px_err *err)
{
    struct link_resolve *r = px_xcalloc(1, sizeof(*r));
    atomic_init(&r->holders, 1);
    r->done = done;
    r->arg = arg;
    r->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->ready >= 0)
        r->event = event_new(base, r->ready, EV_READ, resolve_on_ready, r);
    if (r->event == NULL || px_text_copy(r->host, sizeof(r->host), host) != 0 ||
        event_add(r->event, NULL) != 0) {
        px_err_set(err, "no-resources", "cannot look up %.200s: %s", host, strerror(errno));
        link_resolve_cancel(r);
        return NULL;
    }
    struct px_addr literal;
    if (px_addr_parse(host, &literal)) {
        r->addrs[r->n++] = literal;
        event_active(r->event, EV_READ, 0);
        return r;
    }
    atomic_store(&r->holders, 2);
    int why = thread_start(r);
    if (why == 0)
        return r;
    px_err_set(err, "no-resources", "cannot look up %.200s: %s", host, strerror(why));
    atomic_store(&r->holders, 1);
    link_resolve_cancel(r);
    return NULL;
}

void link_resolve_cancel(struct link_resolve *r)
{
    if (r == NULL)
        return;
    if (r->event != NULL)
        event_free(r->event);
    r->event = NULL;
    release(r);
}
