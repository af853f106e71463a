/* SPDX-License-Identifier: MIT */
/*
 * Shared by the link*.c files: the one ZeroMQ context, sockets on a libevent loop without lost
 * edges, socket monitors, bounded queues, and objects that may be closed inside their callbacks.
 */
#ifndef PX_PROTO_LINK_INTERNAL_H
#define PX_PROTO_LINK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/err.h"

struct event;
struct event_base;
struct link_server;

/* ---- the context: one per process, while anybody needs it ---- */
/* NULL: out of memory or descriptors. io_threads counts for the first taker only. */
void *link_context_take(int io_threads);
void link_context_give(void); /* last one: waits for lingering sockets, then ends it */

/* Options by table; -1 and errno at the first that is refused. */
struct link_option {
    int name;
    int value;
};
int link_options_set(void *socket, const struct link_option *options, size_t n);

/* ---- an object whose owner may close it inside one of its callbacks ---- */
struct link_guard {
    int entered;
    bool closed;
    void (*release)(void *object); /* called once: closed, and no callback is running */
    void *object;
};
void link_guard_enter(struct link_guard *g);
void link_guard_leave(struct link_guard *g);
void link_guard_close(struct link_guard *g);

/* ---- a socket on the loop ---- */
/* ZMQ_FD signals edges only, and any call on the socket may swallow one. So: nobody but the owner
 * touches the socket, and after every call outside of `take` the owner wakes the pump. */
struct link_pump {
    void *socket;            /* NULL = stopped */
    bool (*take)(void *arg); /* receive one message without waiting; false = there was none */
    void *arg;
    struct link_guard *guard;
    struct event *readable, *manual;
};
int link_pump_open(struct link_pump *p, struct event_base *base, void *socket,
                   bool (*take)(void *arg), void *arg, struct link_guard *guard);
void link_pump_wake(struct link_pump *p);
void link_pump_close(struct link_pump *p); /* the socket stays open; stopped pumps are fine */

/* ---- socket monitors ---- */
/* A PAIR that receives the events of socket; NULL on failure. */
void *link_monitor_open(void *context, void *socket, int events);
/* One event, without waiting; false if there is none. */
bool link_monitor_take(void *monitor, uint16_t *event, uint32_t *value);
/* Socket and its monitor, in the order that is safe; NULLs are fine. */
void link_monitor_close(void *socket, void *monitor);

/* ---- messages that do not fit into the socket yet ---- */
#define LINK_QUEUE_BYTES_MAX (16u << 20)
#define LINK_QUEUE_COUNT_MAX 4096u

struct link_queued {
    STAILQ_ENTRY(link_queued) entry;
    size_t size;
    uint8_t bytes[];
};
struct link_queue {
    STAILQ_HEAD(, link_queued) list;
    size_t bytes, count;
};
void link_queue_init(struct link_queue *q);
int link_queue_add(struct link_queue *q, const uint8_t *bytes, size_t size); /* -1: full */
struct link_queued *link_queue_first(const struct link_queue *q);            /* NULL = empty */
void link_queue_remove_first(struct link_queue *q);
void link_queue_clear(struct link_queue *q);

/* ---- who may come in: the ZAP handler of a server (link_zap.c) ---- */
#define LINK_USER_ID_MAX 128 /* as the owner knows it */
#define LINK_ZAP_DOMAIN "parallax"
struct link_zap;
/* Must be open before the server binds. on_key as in link_server_events. */
struct link_zap *
link_zap_open(struct event_base *base, void *context, struct link_guard *guard,
              bool (*on_key)(void *arg, const uint8_t *key, char *user_id, size_t size), void *arg);
void link_zap_close(struct link_zap *z);
/* What ZAP told ZeroMQ: key and user id; false for anything else. */
bool link_zap_identity(const char *property, uint8_t *key, char *user_id, size_t size);
/* For tests: take the handler away while the server goes on; nobody may get in any more. */
void link_server_close_zap(struct link_server *s);

#endif
