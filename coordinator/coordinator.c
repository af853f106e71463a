/* SPDX-License-Identifier: MIT */
/*
 * Who may say what. Messages come in with an authenticated user id; one table says which kinds are
 * taken from whom and which function gets them. Sessions that are silent, spent or talk nonsense
 * are dropped here.
 */
#include "coordinator/coordinator.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"
#include "coordinator/diagnose/diagnose.h"
#include "coordinator/dispatch.h"
#include "coordinator/enrol.h"
#include "coordinator/ingest.h"
#include "coordinator/query.h"
#include "coordinator/state.h"

#define TICK_MS 1000

struct coordinator {
    struct event_base *base;
    struct state state;
    int lock;
    char fingerprint[KEY_FINGERPRINT_TEXT];
    struct store *store;
    struct store_writer *writer;
    struct nodes *nodes;
    struct link_server *link;
    struct post post;
    struct dispatch *dispatch;
    struct query query;
    struct event *tick, *parting, *stop;
    void (*stopped)(void *arg);
    void *stopped_arg;
    size_t strangers, strangers_max;
};

/* ---- sessions come and go ---- */

static void node_save(const struct coordinator *c, const struct node *node)
{
    struct store_peer p;
    nodes_format_peer(node, &p);
    store_writer_update_peer(c->writer, &p);
}

/* The session no longer counts, whether its connection is gone yet or not. */
static void session_leave(struct coordinator *c, struct session *s)
{
    struct node *node = s->who;
    if (node && node->peer == s->peer) {
        node->peer = 0;
        node->last_seen = px_wall_now();
        node_save(c, node);
        px_log(PX_LOG_INFO, "node %s is away", node->name);
    }
    dispatch_on_gone(c->dispatch, s->peer);
}

static void session_drop(struct coordinator *c, struct session *s, const char *why)
{
    if (s->dropped)
        return;
    px_log(PX_LOG_DEBUG, "%s dropped: %s", s->who ? s->who->name : "a stranger", why);
    s->dropped = true;
    session_leave(c, s);
    link_server_kick(c->link, s->peer);
}

/* Drop it when it had the time to read what was sent. */
static void session_part(const struct coordinator *c, struct session *s)
{
    struct timeval tv = {.tv_usec = COORDINATOR_PARTING_MS * 1000L};
    if (s->kick_at == 0)
        s->kick_at = px_mono_now() + COORDINATOR_PARTING_MS * PX_MS;
    if (!evtimer_pending(c->parting, NULL))
        event_add(c->parting, &tv);
}

static void refuse(struct coordinator *c, struct session *s, uint64_t request,
                   const struct px_err *err)
{
    post_error(&c->post, s->peer, request, err);
    session_part(c, s);
}

static void coordinator_on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct coordinator *c = arg;
    px_mono now = px_mono_now();
    (void)fd;
    (void)what;
    for (size_t i = 0; i < nodes_session_count(c->nodes); i++) {
        struct session *s = nodes_session_at(c->nodes, i);
        const char *why = nodes_session_overdue(s, now);
        if (why)
            session_drop(c, s, why);
        else if (s->kick_at)
            session_part(c, s);
    }
}

/* ---- enrolment ---- */

static void post_enrolled(const struct coordinator *c, const struct session *s, uint64_t request,
                          const struct node *node)
{
    struct wire_message *m = wire_new(WIRE_ENROLLED);
    m->request = request;
    px_text_copy(m->u.enrolled.name, sizeof m->u.enrolled.name, node->name);
    px_text_copy(m->u.enrolled.role, sizeof m->u.enrolled.role, token_role_name(node->role));
    post_message(&c->post, s->peer, m);
    wire_free(m);
}

static void enrol_log(const struct coordinator *c, const struct node *node,
                      const struct px_addr *from)
{
    char source[PX_ADDR_TEXT], fingerprint[KEY_FINGERPRINT_TEXT], detail[256];
    (void)snprintf(detail, sizeof detail, "%s %s, key %s, from %s", token_role_name(node->role),
                   node->name, key_fingerprint(node->key, fingerprint),
                   px_addr_format(from, source));
    px_log(PX_LOG_INFO, "enrolled %s", detail);
    store_writer_add_audit(c->writer, px_wall_now(), node->name, "enrol", detail);
}

/* A key that is not known: one message, and only this one. */
static void on_enrol(struct coordinator *c, struct session *s, const uint8_t key[KEY_BYTES],
                     const struct wire_message *m)
{
    struct enrol_offer offer = {.from = s->from, .message = &m->u.enrol};
    struct px_err err = {0};
    char source[PX_ADDR_TEXT];
    memcpy(offer.key, key, KEY_BYTES);
    struct node *node = nodes_find_key(c->nodes, key);
    bool known = node && !node->revoked; /* its first answer was lost: say it again */
    if (!known)
        node = enrol_stranger(c->nodes, c->store, &offer, px_wall_now(), &err);
    if (!node) {
        px_log(PX_LOG_WARN, "enrolment from %s refused: %s", px_addr_format(&s->from, source),
               err.message);
        refuse(c, s, m->request, &err);
        return;
    }
    if (!known)
        enrol_log(c, node, &s->from);
    post_enrolled(c, s, m->request, node);
    if (!s->who)
        session_part(c, s);
}

static void refuse_stranger(struct coordinator *c, struct session *s, const uint8_t key[KEY_BYTES],
                            uint64_t request)
{
    struct px_err err = {0};
    char fingerprint[KEY_FINGERPRINT_TEXT];
    px_err_set(&err, "not-authorised", "the coordinator does not know this key (fingerprint %s)",
               key_fingerprint(key, fingerprint));
    px_err_hint(&err, "join with a token; an admin makes one there:  parallax-coordinator token "
                      "--state DIR --role ROLE");
    refuse(c, s, request, &err);
}

static void stranger_on_message(struct coordinator *c, struct session *s,
                                const uint8_t key[KEY_BYTES], const uint8_t *bytes, size_t size)
{
    struct px_err err = {0};
    if (s->spent || size > WIRE_MESSAGE_PENDING_MAX) {
        session_drop(c, s, "a stranger may send one short message");
        return;
    }
    s->spent = true;
    struct wire_message *m = wire_decode(bytes, size, &err);
    if (!m)
        refuse(c, s, 0, &err);
    else if (m->kind == WIRE_ENROL)
        on_enrol(c, s, key, m);
    else
        refuse_stranger(c, s, key, m->request);
    wire_free(m);
}

/* ---- known peers ---- */

static void post_ping(const struct coordinator *c, struct session *s)
{
    struct wire_message *m = wire_new(WIRE_PING);
    s->ping_at = px_mono_now();
    s->ping_sent = m->u.ping.sent = px_wall_now() / 1000 * 1000; /* travels as microseconds */
    post_message(&c->post, s->peer, m);
    wire_free(m);
}

static void on_hello(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    char source[PX_ADDR_TEXT];
    bool was_up = s->who->peer != 0;
    link_peer older = nodes_on_hello(c->nodes, s, &m->u.hello, px_wall_now());
    struct session *old = older ? nodes_find_session(c->nodes, older) : NULL;
    if (old) {
        post_goodbye(&c->post, older, "a newer session of the same key took over");
        session_drop(c, old, "replaced by a newer session");
    }
    struct wire_message *reply = wire_new(WIRE_WELCOME);
    reply->request = m->request;
    px_text_copy(reply->u.welcome.name, sizeof reply->u.welcome.name, s->who->name);
    px_text_copy(reply->u.welcome.role, sizeof reply->u.welcome.role,
                 token_role_name(s->who->role));
    px_text_copy(reply->u.welcome.version, sizeof reply->u.welcome.version, PARALLAX_VERSION);
    post_message(&c->post, s->peer, reply);
    wire_free(reply);
    node_save(c, s->who);
    if (s->who->role != TOKEN_NODE)
        return;
    px_log(PX_LOG_INFO, "node %s is up%s, from %s, version %s", s->who->name,
           was_up ? " again" : "", px_addr_format(&s->from, source), s->who->version);
    post_ping(c, s);
}

static void on_ping(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    struct wire_message *reply = wire_new(WIRE_PONG);
    reply->request = m->request;
    reply->u.pong.sent = m->u.ping.sent;
    reply->u.pong.now = px_wall_now();
    post_message(&c->post, s->peer, reply);
    wire_free(reply);
    s->who->last_seen = px_wall_now();
    nodes_on_ping(s, m->u.ping.clock_offset);
    if (s->who->role == TOKEN_NODE && s->who->peer == s->peer)
        post_ping(c, s);
}

static void on_pong(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    bool first = s->rtt < 0;
    (void)c;
    nodes_on_pong(s, m->u.pong.sent, m->u.pong.now, px_mono_now());
    if (first && s->rtt >= 0)
        ingest_warn_clock(s);
}

static void on_goodbye(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    (void)m;
    session_drop(c, s, "said goodbye");
}

static void on_observation(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    struct px_observation o = m->u.observation;
    ingest_on_observation(c->dispatch, s, &o, px_wall_now());
}

static void on_known_enrol(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    post_enrolled(c, s, m->request, s->who); /* again, and for free */
}

static void on_question(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    query_on_message(&c->query, s, m);
}

#define NODE (1u << TOKEN_NODE)
#define USER ((1u << TOKEN_OPERATOR) | (1u << TOKEN_VIEWER))

static const struct {
    enum wire_kind kind;
    unsigned from; /* roles */
    bool first;    /* may come before hello */
    void (*on)(struct coordinator *c, struct session *s, const struct wire_message *m);
} routes[] = {
    {WIRE_HELLO, NODE | USER, true, on_hello},
    {WIRE_ENROL, NODE | USER, true, on_known_enrol},
    {WIRE_PING, NODE | USER, false, on_ping},
    {WIRE_PONG, NODE, false, on_pong},
    {WIRE_GOODBYE, NODE | USER, true, on_goodbye},
    {WIRE_OBSERVATION, NODE | USER, false, on_observation},
    {WIRE_CHECK, USER, false, on_question},
    {WIRE_LIST_NODES, USER, false, on_question},
    {WIRE_SHOW, USER, false, on_question},
    {WIRE_STOP, USER, false, on_question},
};
#define ROUTES (sizeof routes / sizeof *routes)

static void refuse_kind(struct coordinator *c, const struct session *s,
                        const struct wire_message *m, const char *why)
{
    struct px_err err = {0};
    px_err_set(&err, "unexpected-message", "%s message: %s",
               m->kind == WIRE_NONE ? "unknown" : wire_kind_name(m->kind), why);
    post_error(&c->post, s->peer, m->request, &err);
}

/* Too old to be understood? Then say which of the two has to be upgraded. */
static bool protocol_fits(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    struct px_err err = {0};
    if (m->protocol >= WIRE_PROTOCOL_MIN)
        return true;
    px_err_set(&err, "protocol", "the coordinator speaks protocol %u to %u, this %s %u",
               WIRE_PROTOCOL_MIN, WIRE_PROTOCOL,
               s->who->role == TOKEN_NODE ? "parallax-node" : "plx", (unsigned)m->protocol);
    px_err_hint(&err, "upgrade %s", s->who->role == TOKEN_NODE ? "the node" : "plx");
    refuse(c, s, m->request, &err);
    return false;
}

static void known_route(struct coordinator *c, struct session *s, const struct wire_message *m)
{
    for (size_t i = 0; i < ROUTES; i++) {
        if (routes[i].kind != m->kind)
            continue;
        if (!(routes[i].from & (1u << s->who->role)))
            refuse_kind(c, s, m, "not taken from this role");
        else if (!routes[i].first && !s->greeted)
            refuse_kind(c, s, m, "a session begins with hello");
        else
            routes[i].on(c, s, m);
        return;
    }
    refuse_kind(c, s, m, "not understood here");
}

static void known_on_message(struct coordinator *c, struct session *s, const uint8_t *bytes,
                             size_t size)
{
    struct px_err err = {0};
    struct wire_message *m = wire_decode(bytes, size, &err);
    if (!m) {
        if (s->bad++ == 0)
            px_log(PX_LOG_WARN, "unreadable message from %s: %s", s->who->name, err.message);
        post_error(&c->post, s->peer, 0, &err);
        if (s->bad >= COORDINATOR_BAD_MAX)
            session_part(c, s);
    } else if (protocol_fits(c, s, m)) {
        known_route(c, s, m);
    }
    wire_free(m);
}

/* ---- the link ---- */

static bool link_on_key(void *arg, const uint8_t key[KEY_BYTES], char *user_id, size_t size)
{
    struct coordinator *c = arg;
    char text[NODES_USER_ID_TEXT], fingerprint[KEY_FINGERPRINT_TEXT];
    const struct node *node = nodes_find_key(c->nodes, key);
    if (node && node->revoked)
        return false;
    if (node) {
        px_text_copy(user_id, size, nodes_user_id(node, text));
        return true;
    }
    (void)snprintf(user_id, size, "p:%s", key_fingerprint(key, fingerprint));
    return c->strangers < c->strangers_max;
}

static void link_on_message(void *arg, link_peer peer, const char *user_id,
                            const uint8_t key[KEY_BYTES], const struct px_addr *from,
                            const uint8_t *bytes, size_t size)
{
    struct coordinator *c = arg;
    struct session *s = nodes_find_session(c->nodes, peer);
    if (!s && c->stop) { /* told to go and came back at once */
        link_server_kick(c->link, peer);
        return;
    }
    if (!s) {
        s = nodes_open_session(c->nodes, peer, nodes_find_user_id(c->nodes, user_id), from,
                               px_mono_now());
        c->strangers += s->who == NULL;
    }
    s->heard = px_mono_now();
    if (s->dropped)
        return;
    if (s->who)
        known_on_message(c, s, bytes, size);
    else
        stranger_on_message(c, s, key, bytes, size);
}

static void link_on_gone(void *arg, link_peer peer)
{
    struct coordinator *c = arg;
    struct session *s = nodes_find_session(c->nodes, peer);
    if (!s)
        return;
    if (!s->dropped)
        session_leave(c, s);
    c->strangers -= s->who == NULL;
    nodes_close_session(c->nodes, peer, px_wall_now());
}

static int send_by_link(void *arg, link_peer peer, const uint8_t *bytes, size_t size)
{
    const struct coordinator *c = arg;
    return link_server_send(c->link, peer, bytes, size);
}

/* ---- opening and closing ---- */

static void add_stored_peer(void *arg, const struct store_peer *p)
{
    nodes_add(arg, p);
}

static int open_state(struct coordinator *c, const char *folder, struct key_pair *keys,
                      struct px_err *err)
{
    if (state_init_paths(&c->state, folder, err) != 0 || state_load_keys(&c->state, keys, err) != 0)
        return -1;
    key_fingerprint(keys->public_key, c->fingerprint);
    c->lock = state_open_lock(&c->state, err);
    if (c->lock < 0)
        return -1;
    c->store = store_open(c->state.store_path, false, err);
    if (!c->store || store_each_peer(c->store, add_stored_peer, c->nodes, err) != 0)
        return -1;
    c->writer = store_writer_open(c->state.store_path, err);
    return c->writer ? 0 : -1;
}

static int open_link(struct coordinator *c, const char *listen, const struct key_pair *keys,
                     struct px_err *err)
{
    static const struct link_server_events events = {link_on_key, link_on_message, link_on_gone};
    char remembered[STATE_ENDPOINT_TEXT];
    struct px_addr addr;
    uint16_t port;
    if (!listen) {
        if (state_find_listen(c->store, remembered, err) != 0)
            return -1;
        listen = remembered;
    }
    if (state_parse_endpoint(listen, &addr, &port, err) != 0)
        return -1;
    c->link = link_server_open(c->base, listen, keys, &events, c, err);
    return c->link ? state_put_bound(c->store, link_server_endpoint(c->link), err) : -1;
}

static void open_parts(struct coordinator *c, const struct coordinator_options *o)
{
    struct dispatch_options d = {.runs_max = o->runs_max,
                                 .per_user_max = o->per_user_max,
                                 .judge = o->judge ? o->judge : diagnose};
    struct timeval tick = {.tv_sec = TICK_MS / 1000, .tv_usec = TICK_MS % 1000 * 1000L};
    c->post = (struct post){send_by_link, c};
    c->dispatch = dispatch_new(c->base, &d, c->nodes, &c->post, c->writer);
    c->query = (struct query){c->nodes, c->dispatch, c->store, c->writer, &c->post};
    c->parting = evtimer_new(c->base, coordinator_on_tick, c);
    c->tick = event_new(c->base, -1, EV_PERSIST, coordinator_on_tick, c);
    event_add(c->tick, &tick);
}

struct coordinator *coordinator_open(struct event_base *base, const struct coordinator_options *o,
                                     struct px_err *err)
{
    struct coordinator *c = px_xcalloc(1, sizeof *c);
    struct key_pair keys;
    c->base = base;
    c->lock = -1;
    c->nodes = nodes_new();
    c->strangers_max = o->strangers_max ? o->strangers_max : COORDINATOR_STRANGERS_MAX;
    int failed = open_state(c, o->folder, &keys, err);
    if (!failed)
        failed = open_link(c, o->listen, &keys, err);
    key_clear(&keys);
    if (failed) {
        coordinator_close(c);
        return NULL;
    }
    open_parts(c, o);
    return c;
}

const char *coordinator_endpoint(const struct coordinator *c)
{
    return link_server_endpoint(c->link);
}

const char *coordinator_fingerprint(const struct coordinator *c)
{
    return c->fingerprint;
}

static void coordinator_on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct coordinator *c = arg;
    (void)fd;
    (void)what;
    c->stopped(c->stopped_arg);
}

void coordinator_stop(struct coordinator *c, void (*done)(void *arg), void *arg)
{
    struct px_err why = {0};
    struct timeval linger = {.tv_usec = COORDINATOR_LINGER_MS * 1000L};
    if (c->stop)
        return;
    px_err_set(&why, "stopping", "the coordinator is being stopped; there will be no verdict");
    px_err_hint(&why, "ask again when it is back");
    dispatch_abandon(c->dispatch, &why);
    for (size_t i = 0; i < nodes_session_count(c->nodes); i++)
        post_goodbye(&c->post, nodes_session_at(c->nodes, i)->peer, "the coordinator stops");
    c->stopped = done;
    c->stopped_arg = arg;
    c->stop = evtimer_new(c->base, coordinator_on_stop, c);
    event_add(c->stop, &linger);
}

void coordinator_close(struct coordinator *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->writer && i < nodes_count(c->nodes); i++)
        if (nodes_at(c->nodes, i)->peer) {
            nodes_at(c->nodes, i)->last_seen = px_wall_now();
            node_save(c, nodes_at(c->nodes, i));
        }
    dispatch_free(c->dispatch);
    if (c->link)
        link_server_close(c->link);
    if (c->tick)
        event_free(c->tick);
    if (c->parting)
        event_free(c->parting);
    if (c->stop)
        event_free(c->stop);
    store_writer_close(c->writer);
    store_close(c->store);
    nodes_free(c->nodes);
    if (c->lock >= 0)
        close(c->lock);
    free(c);
}
