/* SPDX-License-Identifier: MIT */
/*
 * What every ZeroMQ socket here needs: the context, options, a pump that never loses an edge of
 * ZMQ_FD, monitors, and guards against objects that vanish in their own callbacks. Knows nothing of
 * sessions or peers.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/text.h"
#include "proto/link_internal.h"

#define PUMP_BUDGET 64   /* messages per turn, then others get theirs */
#define SOCKETS_MAX 4096 /* local ones: a listener counts once, however many peers it has */

/* ---- context ---- */

static void *the_context;
static unsigned context_users;

void *link_context_take(int io_threads)
{
    if (context_users == 0) {
        the_context = zmq_ctx_new();
        if (the_context == NULL)
            return NULL;
        zmq_ctx_set(the_context, ZMQ_IO_THREADS, io_threads);
        zmq_ctx_set(the_context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    }
    context_users++;
    return the_context;
}

void link_context_give(void)
{
    if (--context_users > 0)
        return;
    while (zmq_ctx_term(the_context) != 0 && errno == EINTR)
        ;
    the_context = NULL;
}

int link_options_set(void *socket, const struct link_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof(int)) != 0)
            return -1;
    }
    return 0;
}

/* ---- guard ---- */

void link_guard_enter(struct link_guard *g)
{
    g->entered++;
}

void link_guard_leave(struct link_guard *g)
{
    if (--g->entered == 0 && g->closed)
        g->release(g->object);
}

void link_guard_close(struct link_guard *g)
{
    g->closed = true;
    if (g->entered == 0)
        g->release(g->object);
}

/* ---- pump ---- */

static bool socket_has_input(void *socket)
{
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

/* Never back to the loop unless ZMQ_EVENTS was seen without POLLIN since the last call on the
 * socket, or the manual event is pending. */
static void pump_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_pump *p = arg;
    struct link_guard *guard = p->guard;
    bool dry = false;
    link_guard_enter(guard);
    for (int n = 0; n < PUMP_BUDGET && !dry && !guard->closed && p->socket != NULL; n++) {
        if (p->take(p->arg) || guard->closed || p->socket == NULL)
            continue;
        dry = !socket_has_input(p->socket);
    }
    if (!dry && !guard->closed)
        link_pump_wake(p);
    link_guard_leave(guard);
}

int link_pump_open(struct link_pump *p, struct event_base *base, void *socket,
                   bool (*take)(void *arg), void *arg, struct link_guard *guard)
{
    int fd = -1;
    size_t size = sizeof(fd);
    *p = (struct link_pump){.socket = socket, .take = take, .arg = arg, .guard = guard};
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0) {
        p->readable = event_new(base, fd, EV_READ | EV_PERSIST, pump_run, p);
        p->manual = evtimer_new(base, pump_run, p);
    }
    if (p->readable == NULL || p->manual == NULL || event_add(p->readable, NULL) != 0) {
        link_pump_close(p);
        return -1;
    }
    link_pump_wake(p);
    return 0;
}

/* A timer of zero, not event_active: other descriptors get their turn in between. */
void link_pump_wake(struct link_pump *p)
{
    static const struct timeval now = {0, 0};
    if (p->socket != NULL && !evtimer_pending(p->manual, NULL))
        evtimer_add(p->manual, &now);
}

void link_pump_close(struct link_pump *p)
{
    if (p->readable != NULL)
        event_free(p->readable);
    if (p->manual != NULL)
        event_free(p->manual);
    p->socket = NULL;
    p->readable = p->manual = NULL;
}

/* ---- monitor ---- */

static unsigned monitor_serial;

void *link_monitor_open(void *context, void *socket, int events)
{
    /* no high-water mark: a full monitor would stop the I/O thread and with it all peers */
    static const struct link_option options[] = {{ZMQ_LINGER, 0}, {ZMQ_RCVHWM, 0}};
    char endpoint[48];
    (void)snprintf(endpoint, sizeof(endpoint), "inproc://link-monitor-%u", monitor_serial++);
    if (zmq_socket_monitor(socket, endpoint, events) != 0)
        return NULL;
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    if (monitor != NULL && link_options_set(monitor, options, 2) == 0 &&
        zmq_connect(monitor, endpoint) == 0)
        return monitor;
    zmq_socket_monitor(socket, NULL, 0);
    if (monitor != NULL)
        zmq_close(monitor);
    return NULL;
}

bool link_monitor_take(void *monitor, uint16_t *event, uint32_t *value)
{
    uint8_t head[6];
    char endpoint[256];
    int n = zmq_recv(monitor, head, sizeof(head), ZMQ_DONTWAIT);
    if (n < 0)
        return false;
    zmq_recv(monitor, endpoint, sizeof(endpoint), ZMQ_DONTWAIT);
    *event = 0;
    *value = 0;
    if (n == (int)sizeof(head)) {
        memcpy(event, head, sizeof(*event));
        memcpy(value, head + 2, sizeof(*value));
    }
    return true;
}

void link_monitor_close(void *socket, void *monitor)
{
    if (socket != NULL) {
        zmq_socket_monitor(socket, NULL, 0);
        zmq_close(socket);
    }
    if (monitor != NULL)
        zmq_close(monitor);
}

/* ---- queue ---- */

void link_queue_init(struct link_queue *q)
{
    STAILQ_INIT(&q->list);
    q->bytes = q->count = 0;
}

int link_queue_add(struct link_queue *q, const uint8_t *bytes, size_t size)
{
    if (q->count >= LINK_QUEUE_COUNT_MAX || q->bytes + size > LINK_QUEUE_BYTES_MAX)
        return -1;
    struct link_queued *m = px_xcalloc(1, sizeof(*m) + size);
    m->size = size;
    memcpy(m->bytes, bytes, size);
    STAILQ_INSERT_TAIL(&q->list, m, entry);
    q->bytes += size;
    q->count++;
    return 0;
}

struct link_queued *link_queue_first(const struct link_queue *q)
{
    return STAILQ_FIRST(&q->list);
}

void link_queue_remove_first(struct link_queue *q)
{
    struct link_queued *m = STAILQ_FIRST(&q->list);
    STAILQ_REMOVE_HEAD(&q->list, entry);
    q->bytes -= m->size;
    q->count--;
    free(m);
}

void link_queue_clear(struct link_queue *q)
{
    while (q->count > 0)
        link_queue_remove_first(q);
}
