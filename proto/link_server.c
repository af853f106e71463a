/* SPDX-License-Identifier: MIT */
/*
 * The listening side: one ROUTER for all peers. A peer exists from its first authenticated message
 * to the end of its connection, which a socket monitor reports by descriptor. Does not know what
 * the messages say, nor how long a peer may be silent.
 */
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/log.h"
#include "common/text.h"
#include "proto/limits.h"
#include "proto/link.h"
#include "proto/link_internal.h"
#include "proto/link_peers.h"

#define ZAP_ENFORCE_DOMAIN 93 /* a draft name, but live in released libraries */
#define MONITORED (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED)

#define MUTE_NS ((LINK_HANDSHAKE_MS + LINK_ENROL_MS) * PX_MS) /* from accept to first message */
#define TOMBSTONE_NS (2 * PX_SEC)
#define BURIAL_MS                                                                                  \
    5 /* the I/O thread reports the end a moment before the last message is visible                \
       */
#define FLUSH_MS 2
#define IO_THREADS 2
#define TICK_MS 250
#define BURIAL_MESSAGES_MAX 4096 /* drained at once before a farewell */

struct link_server {
    struct link_guard guard;
    struct event_base *base;
    struct link_server_events events;
    void *arg;
    void *context, *router, *monitor;
    struct link_pump router_pump, monitor_pump;
    struct link_zap *zap;
    struct event *tick, *burial, *flush;
    struct link_peers peers;
    char endpoint[128];
};

/* ---- connections ---- */

static void timer_in(struct event *timer, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000L};
    if (!evtimer_pending(timer, NULL))
        evtimer_add(timer, &tv);
}

static void remote_read(int fd, struct sockaddr_storage *out)
{
    socklen_t size = sizeof(*out);
    memset(out, 0, sizeof(*out));
    if (getpeername(fd, (struct sockaddr *)out, &size) != 0)
        memset(out, 0, sizeof(*out));
}

/* End the TCP connection of a slot, if the descriptor still is that connection: ZeroMQ owns it and
 * may have closed it meanwhile. Never close it here. */
static void slot_shutdown(const struct peer_slot *slot, int fd)
{
    struct sockaddr_storage now;
    remote_read(fd, &now);
    if (slot->open && now.ss_family != 0 && memcmp(&now, &slot->remote, sizeof(now)) == 0)
        shutdown(fd, SHUT_RDWR);
}

static void peer_enter(struct link_server *s, struct peer *p, enum peer_state state)
{
    if (state <= p->state)
        return;
    p->state = state;
    if (state == PEER_GONE)
        p->gone_at = px_mono_now();
    else
        timer_in(s->burial, BURIAL_MS);
}

static void peer_kick(struct link_server *s, struct peer *p)
{
    struct peer_slot *slot = link_peers_slot(&s->peers, p->fd);
    if (slot != NULL && slot->peer == p)
        slot_shutdown(slot, p->fd);
    link_queue_clear(&p->queue);
    peer_enter(s, p, PEER_KICKED);
}

static void server_on_disconnected(struct link_server *s, int fd)
{
    struct peer_slot *slot = link_peers_slot(&s->peers, fd);
    if (slot == NULL)
        return;
    slot->open = false;
    if (slot->peer != NULL) {
        slot->peer->cut = true;
        peer_enter(s, slot->peer, PEER_ENDING);
        slot->peer = NULL;
    }
}

static void server_on_accepted(struct link_server *s, int fd)
{
    struct peer_slot *slot = link_peers_slot(&s->peers, fd);
    if (slot == NULL)
        return;
    if (slot->peer != NULL)
        server_on_disconnected(s, fd);
    slot->open = true;
    slot->since = px_mono_now();
    remote_read(fd, &slot->remote);
}

static bool monitor_on_readable(void *arg)
{
    struct link_server *s = arg;
    uint16_t event;
    uint32_t value;
    if (!link_monitor_take(s->monitor, &event, &value))
        return false;
    if (event == ZMQ_EVENT_ACCEPTED)
        server_on_accepted(s, (int)value);
    else if (event == ZMQ_EVENT_DISCONNECTED)
        server_on_disconnected(s, (int)value);
    return true;
}

/* ---- messages ---- */

/* Two frames: ROUTER's id and the payload. Anything else is consumed and void. */
struct envelope {
    uint32_t rid;
    bool whole;
    zmq_msg_t payload;
};

static bool envelope_take(void *router, struct envelope *e)
{
    zmq_msg_t id;
    zmq_msg_init(&id);
    zmq_msg_init(&e->payload);
    e->whole = false;
    if (zmq_msg_recv(&id, router, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&id);
        zmq_msg_close(&e->payload);
        return false;
    }
    const uint8_t *bytes = zmq_msg_data(&id);
    bool more = zmq_msg_more(&id);
    /* ROUTER's own ids are a zero and four bytes; who chose another one is none of ours */
    if (zmq_msg_size(&id) == 5 && bytes[0] == 0) {
        memcpy(&e->rid, bytes + 1, sizeof(e->rid));
        e->whole = true;
    }
    for (int frames = 0; more; frames++) {
        e->whole = e->whole && frames == 0;
        if (zmq_msg_recv(&e->payload, router, ZMQ_DONTWAIT) < 0)
            e->whole = false;
        more = zmq_msg_more(&e->payload);
    }
    zmq_msg_close(&id);
    return true;
}

/* The peer behind a first message. Everything that happened to its descriptor before has been
 * reported by the monitor already, so read all of that first. */
static struct peer *peer_open(struct link_server *s, struct envelope *e, const uint8_t *key,
                              const char *user_id)
{
    int fd = zmq_msg_get(&e->payload, ZMQ_SRCFD);
    while (monitor_on_readable(s))
        ;
    link_pump_wake(&s->monitor_pump);
    struct peer_slot *slot = link_peers_slot(&s->peers, fd);
    if (slot == NULL)
        return NULL;
    struct peer *p = link_peers_add(&s->peers, e->rid, fd);
    const char *from = zmq_msg_gets(&e->payload, "Peer-Address");
    px_text_copy(p->user_id, sizeof(p->user_id), user_id);
    memcpy(p->key, key, KEY_BYTES);
    if (from != NULL)
        px_addr_parse(from, &p->from);
    if (slot->open && slot->peer == NULL) {
        slot->peer = p;
    } else { /* it came, spoke and left before we looked */
        p->cut = true;
        peer_enter(s, p, PEER_ENDING);
    }
    return p;
}

static void envelope_deliver(struct link_server *s, struct envelope *e)
{
    uint8_t key[KEY_BYTES];
    char user_id[LINK_USER_ID_MAX];
    /* metadata of the payload frame: the id frame may have lost its own */
    if (!link_zap_identity(zmq_msg_gets(&e->payload, "User-Id"), key, user_id, sizeof(user_id)))
        return;
    struct peer *p = link_peers_find_rid(&s->peers, e->rid);
    if (p == NULL)
        p = peer_open(s, e, key, user_id);
    if (p == NULL)
        return;
    if (strcmp(p->user_id, user_id) != 0 || memcmp(p->key, key, KEY_BYTES) != 0)
        peer_kick(s, p); /* one id, two identities */
    if (p->state == PEER_KICKED || p->state == PEER_GONE) {
        struct peer_slot *slot = link_peers_slot(&s->peers, p->fd);
        if (slot != NULL && slot->peer == p)
            slot_shutdown(slot, p->fd);
        return;
    }
    /* p may be kicked in the callback, but lives until a tick */
    s->events.on_message(s->arg, p->id, p->user_id, p->key, &p->from, zmq_msg_data(&e->payload),
                         zmq_msg_size(&e->payload));
}

static bool router_on_readable(void *arg)
{
    struct link_server *s = arg;
    struct envelope e;
    if (!envelope_take(s->router, &e))
        return false;
    if (e.whole)
        envelope_deliver(s, &e);
    zmq_msg_close(&e.payload);
    return true;
}

/* 0; -1 with errno EAGAIN (full) or another (gone). */
static int router_send(struct link_server *s, const struct peer *p, const uint8_t *bytes,
                       size_t size)
{
    uint8_t id[5] = {0};
    memcpy(id + 1, &p->rid, sizeof(p->rid));
    int result = zmq_send(s->router, id, sizeof(id), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    if (result >= 0)
        result = zmq_send(s->router, bytes, size, ZMQ_DONTWAIT);
    int why = errno;
    link_pump_wake(&s->router_pump);
    errno = why;
    return result < 0 ? -1 : 0;
}

int link_server_send(struct link_server *s, link_peer peer, const uint8_t *bytes, size_t size)
{
    struct peer *p = link_peers_find(&s->peers, peer);
    if (p == NULL || p->state != PEER_LIVE || size > WIRE_MESSAGE_MAX)
        return -1;
    if (p->queue.count == 0) {
        if (router_send(s, p, bytes, size) == 0)
            return 0;
        if (errno != EAGAIN) {
            peer_enter(s, p, PEER_ENDING);
            return -1;
        }
    }
    if (link_queue_add(&p->queue, bytes, size) != 0) {
        peer_kick(s, p); /* it does not read: it may come back with an empty queue */
        return -1;
    }
    timer_in(s->flush, FLUSH_MS);
    return 0;
}

static void peer_flush(struct link_server *s, struct peer *p)
{
    while (p->queue.count > 0) {
        const struct link_queued *m = link_queue_first(&p->queue);
        if (router_send(s, p, m->bytes, m->size) != 0) {
            if (errno == EAGAIN)
                return;
            link_queue_clear(&p->queue);
            peer_enter(s, p, PEER_ENDING);
            return;
        }
        link_queue_remove_first(&p->queue);
    }
}

static void server_on_flush(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_server *s = arg;
    struct peer *p;
    TAILQ_FOREACH(p, &s->peers.list, entry)
    {
        peer_flush(s, p);
        if (p->queue.count > 0)
            timer_in(s->flush, FLUSH_MS);
    }
}

/* ---- endings ---- */

void link_server_kick(struct link_server *s, link_peer peer)
{
    struct peer *p = link_peers_find(&s->peers, peer);
    if (p != NULL)
        peer_kick(s, p);
}

void link_server_finish(struct link_server *s, link_peer peer, int grace_ms)
{
    struct peer *p = link_peers_find(&s->peers, peer);
    if (p != NULL && p->kick_at == 0)
        p->kick_at = px_mono_now() + grace_ms * PX_MS;
}

/* First what the peers had sent, then the news of their end. */
static void server_on_burial(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_server *s = arg;
    struct peer *p;
    link_guard_enter(&s->guard);
    for (int n = 0; n < BURIAL_MESSAGES_MAX && !s->guard.closed; n++) {
        if (!router_on_readable(s))
            break;
    }
    link_pump_wake(&s->router_pump);
    TAILQ_FOREACH(p, &s->peers.list, entry)
    { /* peers are only removed by a tick */
        if (s->guard.closed)
            break;
        if (p->state == PEER_ENDING || p->state == PEER_KICKED) {
            peer_enter(s, p, PEER_GONE);
            s->events.on_gone(s->arg, p->id);
        }
    }
    link_guard_leave(&s->guard);
}

static void peer_tick(struct link_server *s, struct peer *p, px_mono now)
{
    if (p->state == PEER_LIVE && p->kick_at != 0 && now >= p->kick_at)
        peer_kick(s, p);
    if (p->state == PEER_GONE && p->cut && now - p->gone_at > TOMBSTONE_NS)
        link_peers_remove(&s->peers, p);
}

/* Connections that never said anything. ZeroMQ ends those that fail the handshake. */
static void mute_tick(struct link_server *s, px_mono now)
{
    for (size_t fd = 0; fd < s->peers.slot_count; fd++) {
        struct peer_slot *slot = &s->peers.slots[fd];
        if (slot->open && slot->peer == NULL && now - slot->since > MUTE_NS)
            slot_shutdown(slot, (int)fd);
    }
}

static void server_on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_server *s = arg;
    px_mono now = px_mono_now();
    struct peer *p = TAILQ_FIRST(&s->peers.list);
    while (p != NULL) {
        struct peer *next = TAILQ_NEXT(p, entry);
        peer_tick(s, p, now);
        p = next;
    }
    mute_tick(s, now);
    timer_in(s->tick, TICK_MS);
}

/* ---- opening and closing ---- */

static bool server_on_key(void *arg, const uint8_t *key, char *user_id, size_t size)
{
    struct link_server *s = arg;
    return s->events.on_key(s->arg, key, user_id, size);
}

static const char *listen_reason(int why)
{
    return why == EADDRINUSE      ? "address in use"
           : why == EADDRNOTAVAIL ? "no such address on this machine"
           : why == EACCES        ? "permission denied"
                                  : zmq_strerror(why);
}

/* "tcp://ADDRESS:PORT", numeric; the form ZeroMQ wants, and whether it is IPv6. */
static int endpoint_parse(const char *text, char *out, size_t size, bool *v6)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    struct px_addr a;
    if (strncmp(text, "tcp://", 6) != 0 || colon == NULL || colon < text + 6 ||
        (size_t)(colon - text - 6) >= sizeof(host))
        return -1;
    int length = (int)(colon - text - 6);
    bool bracketed = length > 2 && text[6] == '[' && colon[-1] == ']';
    (void)snprintf(host, sizeof(host), "%.*s", bracketed ? length - 2 : length,
                   text + 6 + bracketed);
    char *end;
    errno = 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (!px_addr_parse(host, &a) || colon[1] < '0' || colon[1] > '9' || *end != '\0' ||
        errno != 0 || port > UINT16_MAX || bracketed != (strchr(host, ':') != NULL))
        return -1;
    *v6 = bracketed;
    (void)snprintf(out, size, port == 0 ? "tcp://%s%s%s:*" : "tcp://%s%s%s:%lu",
                   bracketed ? "[" : "", host, bracketed ? "]" : "", port);
    return 0;
}

static int router_secure(void *router, const struct key_pair *keys)
{
    int enforce = 1, seen = 0;
    size_t size = sizeof(seen);
    static const struct link_option server = {ZMQ_CURVE_SERVER, 1};
    if (link_options_set(router, &server, 1) != 0 ||
        zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, keys->secret_key, KEY_BYTES) != 0 ||
        zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, LINK_ZAP_DOMAIN, strlen(LINK_ZAP_DOMAIN)) != 0 ||
        zmq_setsockopt(router, ZAP_ENFORCE_DOMAIN, &enforce, sizeof(enforce)) != 0 ||
        zmq_getsockopt(router, ZAP_ENFORCE_DOMAIN, &seen, &size) != 0)
        return -1;
    if (seen == 1)
        return 0;
    errno = ENOTSUP; /* without it, a missing handler would let everybody in */
    return -1;
}

static int router_open(struct link_server *s, const char *endpoint, bool v6,
                       const struct key_pair *keys)
{
    const struct link_option options[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_ROUTER_MANDATORY, 1},
        {ZMQ_ROUTER_HANDOVER, 0},
        {ZMQ_HANDSHAKE_IVL, LINK_HANDSHAKE_MS},
        {ZMQ_SNDHWM, LINK_HWM},
        {ZMQ_RCVHWM, LINK_HWM},
        {ZMQ_BACKLOG, LINK_BACKLOG},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 30},
        {ZMQ_TCP_KEEPALIVE_INTVL, 10},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
        {ZMQ_TCP_MAXRT, 20000},
        {ZMQ_HEARTBEAT_IVL, 0},
        {ZMQ_IPV6, v6},
    };
    int64_t size_max = LINK_FRAME_MAX;
    s->router = zmq_socket(s->context, ZMQ_ROUTER);
    if (s->router == NULL)
        return -1;
    if (link_options_set(s->router, options, sizeof(options) / sizeof(options[0])) != 0 ||
        zmq_setsockopt(s->router, ZMQ_MAXMSGSIZE, &size_max, sizeof(size_max)) != 0)
        return -1;
    if (router_secure(s->router, keys) != 0)
        return -1;
    s->monitor = link_monitor_open(s->context, s->router, MONITORED);
    if (s->monitor == NULL || zmq_bind(s->router, endpoint) != 0)
        return -1;
    size_t length = sizeof(s->endpoint);
    return zmq_getsockopt(s->router, ZMQ_LAST_ENDPOINT, s->endpoint, &length);
}

static int timers_open(struct link_server *s)
{
    s->tick = evtimer_new(s->base, server_on_tick, s);
    s->burial = evtimer_new(s->base, server_on_burial, s);
    s->flush = evtimer_new(s->base, server_on_flush, s);
    if (s->tick == NULL || s->burial == NULL || s->flush == NULL)
        return -1;
    timer_in(s->tick, TICK_MS);
    return 0;
}

static void event_clear(struct event *e)
{
    if (e != NULL)
        event_free(e);
}

static void server_release(void *object)
{
    struct link_server *s = object;
    link_pump_close(&s->router_pump);
    link_pump_close(&s->monitor_pump);
    event_clear(s->tick);
    event_clear(s->burial);
    event_clear(s->flush);
    link_monitor_close(s->router, s->monitor);
    link_zap_close(s->zap);
    link_peers_clear(&s->peers);
    if (s->context != NULL)
        link_context_give();
    free(s);
}

struct link_server *link_server_open(struct event_base *base, const char *endpoint,
                                     const struct key_pair *keys,
                                     const struct link_server_events *events, void *arg,
                                     struct px_err *err)
{
    char bind_to[128];
    bool v6 = false;
    if (endpoint_parse(endpoint, bind_to, sizeof(bind_to), &v6) != 0) {
        px_err_set(err, "listen", "cannot listen on %.200s: not of the form tcp://ADDRESS:PORT",
                   endpoint);
        px_err_hint(err, "ADDRESS is numeric: tcp://0.0.0.0:7331 for all of IPv4, tcp://[::]:7331 "
                         "for IPv6, too");
        return NULL;
    }
    struct link_server *s = px_xcalloc(1, sizeof(*s));
    s->guard = (struct link_guard){.release = server_release, .object = s};
    s->base = base;
    s->events = *events;
    s->arg = arg;
    link_peers_init(&s->peers);
    s->context = link_context_take(IO_THREADS);
    /* the handler first: from the bind on, somebody may knock */
    if (s->context != NULL)
        s->zap = link_zap_open(base, s->context, &s->guard, server_on_key, s);
    if (s->zap != NULL && router_open(s, bind_to, v6, keys) == 0 &&
        link_pump_open(&s->monitor_pump, base, s->monitor, monitor_on_readable, s, &s->guard) ==
            0 &&
        link_pump_open(&s->router_pump, base, s->router, router_on_readable, s, &s->guard) == 0 &&
        timers_open(s) == 0)
        return s;
    px_err_set(err, "listen", "cannot listen on %.200s: %s", endpoint, listen_reason(zmq_errno()));
    if (zmq_errno() == EADDRINUSE)
        px_err_hint(err, "is another one running? choose another port with --listen");
    server_release(s);
    return NULL;
}

void link_server_close(struct link_server *s)
{
    if (s != NULL)
        link_guard_close(&s->guard);
}

const char *link_server_endpoint(const struct link_server *s)
{
    return s->endpoint;
}

void link_server_close_zap(struct link_server *s)
{
    link_zap_close(s->zap);
    s->zap = NULL;
}
