/* SPDX-License-Identifier: MIT */
/*
 * The dialling side: one session is one socket, used once. Answers: is a coordinator there, is it
 * ours, does it know us? When it is over, it says why and is never used again.
 *
 *   resolving -> scouting -> shaking -> open -> draining -> ended
 *                   ^           v
 *                   '------- asking (who listens there?) -> ended
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/limits.h"
#include "proto/link.h"
#include "proto/link_internal.h"
#include "proto/link_resolve.h"
#include "proto/link_scout.h"

#define MONITORED                                                                                  \
    (ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |                   \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                       \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
#define TRIES_MAX 2 /* a handshake that is dropped without a word is tried once more */
#define DRAIN_MS 5  /* the end is reported a moment before the last message is visible */
#define FLUSH_MS 2
#define SPARE_MS 1000 /* our deadlines come after those of ZeroMQ */
#define AUTH_UNKNOWN_KEY 400

enum session_state {
    SESSION_ST_RESOLVING, /* the name is being looked up */
    SESSION_ST_SCOUTING,  /* plain TCP connections race */
    SESSION_ST_SHAKING,   /* ZeroMQ connects and shakes hands */
    SESSION_ST_ASKING,    /* it failed: the scout asks who listens there */
    SESSION_ST_OPEN,
    SESSION_ST_DRAINING, /* the connection is gone, the last messages come out */
    SESSION_ST_ENDED,
    SESSION_STATES
};

static const struct {
    const char *name;
    int deadline_ms; /* 0: the owner's business (open), or none needed (ended) */
} session_states[] = {
    [SESSION_ST_RESOLVING] = {"resolving", LINK_CONNECT_MS},
    [SESSION_ST_SCOUTING] = {"scouting", LINK_CONNECT_MS + SPARE_MS},
    [SESSION_ST_SHAKING] = {"shaking", LINK_HANDSHAKE_MS + SPARE_MS},
    [SESSION_ST_ASKING] = {"asking", LINK_HANDSHAKE_MS},
    [SESSION_ST_OPEN] = {"open", 0},
    [SESSION_ST_DRAINING] = {"draining", DRAIN_MS},
    [SESSION_ST_ENDED] = {"ended", 0},
};
_Static_assert(sizeof(session_states) / sizeof(session_states[0]) == SESSION_STATES, "every state");

static const char *const end_names[] = {
    [LINK_REFUSED] = "refused",
    [LINK_NO_ANSWER] = "no-answer",
    [LINK_UNREACHABLE] = "unreachable",
    [LINK_NO_NAME] = "no-name",
    [LINK_NOT_PARALLAX] = "not-parallax",
    [LINK_WRONG_KEY] = "wrong-key",
    [LINK_NOT_AUTHORISED] = "not-authorised",
    [LINK_LOST] = "lost",
};
_Static_assert(sizeof(end_names) / sizeof(end_names[0]) == LINK_END_COUNT, "every end");

struct link_session {
    struct link_guard guard;
    enum session_state state;
    struct event_base *base;
    struct link_session_events events;
    void *arg;
    char host[256];
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    struct key_pair keys;
    struct event *deadline, *flush;
    struct link_resolve *resolve;
    struct link_scout *scout;
    struct px_addr remote;
    void *context, *dealer, *monitor;
    struct link_pump dealer_pump, monitor_pump;
    struct link_queue queue;
    int tries;
    px_mono shaking_since;
    bool timed_out; /* the handshake was not dropped, it never finished */
    bool finished;
    int linger_ms;
};

const char *link_end_name(enum link_end e)
{
    return (size_t)e < LINK_END_COUNT ? end_names[e] : "?";
}

static void session_enter(struct link_session *s, enum session_state state, const char *why)
{
    int ms = session_states[state].deadline_ms;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000L};
    px_log(PX_LOG_DEBUG, "session %s:%u: %s -> %s, %s", s->host, s->port,
           session_states[s->state].name, session_states[state].name, why);
    s->state = state;
    evtimer_del(s->deadline);
    if (ms > 0)
        evtimer_add(s->deadline, &tv);
}

static void dealer_close(struct link_session *s)
{
    link_pump_close(&s->dealer_pump);
    link_pump_close(&s->monitor_pump);
    link_monitor_close(s->dealer, s->monitor);
    s->dealer = s->monitor = NULL;
}

/* The one exit. Called from the loop with the guard entered. */
static void session_finish(struct link_session *s, enum link_end why, const char *detail)
{
    char kept[160];
    if (s->finished || s->guard.closed)
        return;
    s->finished = true;
    px_text_copy(kept, sizeof(kept), detail);
    session_enter(s, SESSION_ST_ENDED, link_end_name(why));
    link_resolve_cancel(s->resolve);
    s->resolve = NULL;
    link_scout_close(s->scout);
    s->scout = NULL;
    dealer_close(s);
    s->events.on_end(s->arg, why, kept);
}

/* ---- shaking ---- */

static bool dealer_on_readable(void *arg);
static bool monitor_on_readable(void *arg);

static int dealer_options(struct link_session *s)
{
    const struct link_option options[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_RECONNECT_IVL, -1}, /* one socket, one session */
        {ZMQ_IMMEDIATE, 1},
        {ZMQ_CONNECT_TIMEOUT, LINK_CONNECT_MS},
        {ZMQ_HANDSHAKE_IVL, LINK_HANDSHAKE_MS},
        {ZMQ_SNDHWM, LINK_HWM},
        {ZMQ_RCVHWM, LINK_HWM},
        {ZMQ_HEARTBEAT_IVL, 10000},
        {ZMQ_HEARTBEAT_TIMEOUT, 20000},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_MAXRT, 20000},
        {ZMQ_IPV6, s->remote.family == 6},
    };
    int64_t size_max = LINK_FRAME_MAX;
    if (link_options_set(s->dealer, options, sizeof(options) / sizeof(options[0])) != 0 ||
        zmq_setsockopt(s->dealer, ZMQ_MAXMSGSIZE, &size_max, sizeof(size_max)) != 0 ||
        zmq_setsockopt(s->dealer, ZMQ_CURVE_SERVERKEY, s->server_key, KEY_BYTES) != 0 ||
        zmq_setsockopt(s->dealer, ZMQ_CURVE_PUBLICKEY, s->keys.public_key, KEY_BYTES) != 0)
        return -1;
    return zmq_setsockopt(s->dealer, ZMQ_CURVE_SECRETKEY, s->keys.secret_key, KEY_BYTES);
}

static int dealer_open(struct link_session *s)
{
    char endpoint[96], address[PX_ADDR_TEXT];
    px_addr_format(&s->remote, address);
    (void)snprintf(endpoint, sizeof(endpoint),
                   s->remote.family == 6 ? "tcp://[%s]:%u" : "tcp://%s:%u", address, s->port);
    s->dealer = zmq_socket(s->context, ZMQ_DEALER);
    if (s->dealer == NULL || dealer_options(s) != 0)
        return -1;
    s->monitor = link_monitor_open(s->context, s->dealer, MONITORED);
    if (s->monitor == NULL || zmq_connect(s->dealer, endpoint) != 0)
        return -1;
    if (link_pump_open(&s->monitor_pump, s->base, s->monitor, monitor_on_readable, s, &s->guard) !=
        0)
        return -1;
    return link_pump_open(&s->dealer_pump, s->base, s->dealer, dealer_on_readable, s, &s->guard);
}

static void shake(struct link_session *s, const char *why)
{
    s->tries++;
    s->shaking_since = px_mono_now();
    session_enter(s, SESSION_ST_SHAKING, why);
    if (dealer_open(s) != 0)
        session_finish(s, LINK_UNREACHABLE, zmq_strerror(zmq_errno()));
}

/* ---- asking ---- */

static void session_on_scouted(void *arg, const struct px_addr *addr, enum link_end why,
                               const char *detail);

static void scout(struct link_session *s, const struct px_addr *addrs, size_t n, const char *why)
{
    link_scout_close(s->scout);
    session_enter(s, SESSION_ST_SCOUTING, why);
    s->scout = link_scout_start(s->base, addrs, n, s->port, session_on_scouted, s);
}

static void session_on_timed_out(struct link_session *s, enum link_greeting greeting)
{
    bool zeromq = greeting == GREETING_CURVE || greeting == GREETING_ZMTP;
    session_finish(s, zeromq ? LINK_NO_ANSWER : LINK_NOT_PARALLAX,
                   zeromq ? "it accepts connections but finishes no handshake"
                          : "it accepts connections and says nothing");
}

/* The handshake has failed; the greeting tells why. A coordinator that just stops or starts looks
 * like many things, so what was dropped without a word is tried once more. */
static void session_on_greeting(void *arg, enum link_greeting greeting, const char *detail)
{
    struct link_session *s = arg;
    link_guard_enter(&s->guard);
    if (greeting == GREETING_FOREIGN)
        session_finish(s, LINK_NOT_PARALLAX, detail);
    else if (s->timed_out)
        session_on_timed_out(s, greeting);
    else if (s->tries < TRIES_MAX)
        scout(s, &s->remote, 1, "dropped without a word, once more");
    else if (greeting == GREETING_CURVE)
        session_finish(s, LINK_WRONG_KEY, "it drops the handshake: its key is another one");
    else if (greeting == GREETING_ZMTP)
        session_finish(s, LINK_LOST, "it closed during the handshake");
    else
        session_finish(s, LINK_NOT_PARALLAX, "it closes connections without a word");
    link_guard_leave(&s->guard);
}

static void ask(struct link_session *s, const char *why)
{
    s->timed_out = px_mono_now() - s->shaking_since >= (LINK_HANDSHAKE_MS - SPARE_MS) * PX_MS;
    dealer_close(s);
    session_enter(s, SESSION_ST_ASKING, why);
    link_scout_ask(s->scout, session_on_greeting);
}

/* ---- events of the socket ---- */

static void session_on_open(struct link_session *s)
{
    link_scout_close(s->scout);
    s->scout = NULL;
    session_enter(s, SESSION_ST_OPEN, "handshake done");
    s->events.on_open(s->arg, &s->remote);
}

static void session_on_auth_failed(struct link_session *s, uint32_t status)
{
    char detail[64];
    if (status == AUTH_UNKNOWN_KEY) {
        session_finish(s, LINK_NOT_AUTHORISED, "it does not know this key");
        return;
    }
    (void)snprintf(detail, sizeof(detail), "its authentication failed (status %u)", status);
    session_finish(s, LINK_NO_ANSWER, detail);
}

static void session_on_cut(struct link_session *s, const char *why)
{
    if (s->state == SESSION_ST_SHAKING)
        ask(s, why);
    else if (s->state == SESSION_ST_OPEN)
        session_enter(s, SESSION_ST_DRAINING, why);
}

static bool monitor_on_readable(void *arg)
{
    struct link_session *s = arg;
    uint16_t event;
    uint32_t value;
    if (!link_monitor_take(s->monitor, &event, &value))
        return false;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && s->state == SESSION_ST_SHAKING)
        session_on_open(s);
    else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH && s->state == SESSION_ST_SHAKING)
        session_on_auth_failed(s, value);
    else if (event == ZMQ_EVENT_CLOSED && s->state == SESSION_ST_SHAKING)
        session_finish(s, LINK_REFUSED, "it has just stopped listening");
    else if (event == ZMQ_EVENT_DISCONNECTED)
        session_on_cut(s, "disconnected");
    return true;
}

static bool dealer_on_readable(void *arg)
{
    struct link_session *s = arg;
    zmq_msg_t message;
    bool single = true;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, s->dealer, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&message);
        return false;
    }
    while (zmq_msg_more(&message)) { /* ours have one frame */
        single = false;
        if (zmq_msg_recv(&message, s->dealer, ZMQ_DONTWAIT) < 0)
            break;
    }
    if (single && s->state == SESSION_ST_SHAKING)
        session_on_open(s); /* the monitor's news are still under way */
    if (single && !s->guard.closed)
        s->events.on_message(s->arg, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
    return true;
}

static void session_drain(struct link_session *s)
{
    while (!s->guard.closed && s->dealer != NULL && dealer_on_readable(s))
        ;
    session_finish(s, LINK_LOST, "the connection ended");
}

static void session_on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_session *s = arg;
    link_guard_enter(&s->guard);
    switch (s->state) {
    case SESSION_ST_RESOLVING:
        session_finish(s, LINK_NO_NAME, "the name was not resolved in time");
        break;
    case SESSION_ST_SHAKING:
        ask(s, "no handshake in time");
        break;
    case SESSION_ST_DRAINING:
        session_drain(s);
        break;
    default:
        session_finish(s, LINK_NO_ANSWER, "no answer in time");
    }
    link_guard_leave(&s->guard);
}

/* ---- the way there ---- */

static void session_on_scouted(void *arg, const struct px_addr *addr, enum link_end why,
                               const char *detail)
{
    struct link_session *s = arg;
    link_guard_enter(&s->guard);
    if (addr == NULL) {
        session_finish(s, why, detail);
    } else {
        s->remote = *addr;
        shake(s, "connected");
    }
    link_guard_leave(&s->guard);
}

static void session_on_resolved(void *arg, const struct px_addr *addrs, size_t n, const char *why)
{
    struct link_session *s = arg;
    link_guard_enter(&s->guard);
    s->resolve = NULL;
    if (n == 0) {
        session_finish(s, LINK_NO_NAME, why);
    } else {
        scout(s, addrs, n, "resolved");
    }
    link_guard_leave(&s->guard);
}

/* ---- sending ---- */

static int dealer_send(struct link_session *s, const uint8_t *bytes, size_t size, int flags)
{
    int result = zmq_send(s->dealer, bytes, size, flags);
    if (result < 0 && errno == EAGAIN) {
        /* sending looks at news of the connection only now and then; this does it now */
        int events;
        size_t length = sizeof(events);
        zmq_getsockopt(s->dealer, ZMQ_EVENTS, &events, &length);
        result = zmq_send(s->dealer, bytes, size, flags);
    }
    link_pump_wake(&s->dealer_pump);
    return result < 0 ? -1 : 0;
}

static void queue_flush(struct link_session *s, int flags)
{
    while (s->queue.count > 0) {
        const struct link_queued *m = link_queue_first(&s->queue);
        if (dealer_send(s, m->bytes, m->size, flags) != 0)
            break;
        link_queue_remove_first(&s->queue);
    }
}

static void flush_later(struct link_session *s)
{
    static const struct timeval tv = {0, FLUSH_MS * 1000L};
    if (!evtimer_pending(s->flush, NULL))
        evtimer_add(s->flush, &tv);
}

static void session_on_flush(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_session *s = arg;
    if (s->state != SESSION_ST_OPEN)
        return;
    queue_flush(s, ZMQ_DONTWAIT);
    if (s->queue.count > 0)
        flush_later(s);
}

int link_session_send(struct link_session *s, const uint8_t *bytes, size_t size)
{
    if (s->state != SESSION_ST_OPEN || size > WIRE_MESSAGE_MAX)
        return -1;
    if (s->queue.count == 0 && dealer_send(s, bytes, size, ZMQ_DONTWAIT) == 0)
        return 0;
    if (link_queue_add(&s->queue, bytes, size) != 0)
        return -1;
    flush_later(s);
    return 0;
}

/* ---- opening and closing ---- */

/* What is queued leaves within the linger time, or not at all. */
static void session_linger(struct link_session *s)
{
    const struct link_option options[] = {{ZMQ_SNDTIMEO, s->linger_ms}, {ZMQ_LINGER, s->linger_ms}};
    if (s->dealer == NULL || s->state != SESSION_ST_OPEN || s->linger_ms <= 0)
        return;
    link_options_set(s->dealer, options, 2);
    queue_flush(s, 0);
}

static void session_release(void *object)
{
    struct link_session *s = object;
    session_linger(s);
    link_resolve_cancel(s->resolve);
    link_scout_close(s->scout);
    dealer_close(s);
    link_queue_clear(&s->queue);
    if (s->deadline != NULL)
        event_free(s->deadline);
    if (s->flush != NULL)
        event_free(s->flush);
    if (s->context != NULL)
        link_context_give();
    key_clear(&s->keys);
    free(s);
}

struct link_session *link_session_open(struct event_base *base, const char *host, uint16_t port,
                                       const uint8_t server_key[KEY_BYTES],
                                       const struct key_pair *keys,
                                       const struct link_session_events *events, void *arg,
                                       struct px_err *err)
{
    struct link_session *s = px_xcalloc(1, sizeof(*s));
    s->guard = (struct link_guard){.release = session_release, .object = s};
    s->base = base;
    s->events = *events;
    s->arg = arg;
    s->port = port;
    px_text_copy(s->host, sizeof(s->host), host);
    memcpy(s->server_key, server_key, KEY_BYTES);
    s->keys = *keys;
    link_queue_init(&s->queue);
    s->deadline = evtimer_new(base, session_on_deadline, s);
    s->flush = evtimer_new(base, session_on_flush, s);
    s->context = link_context_take(1);
    if (s->deadline == NULL || s->flush == NULL || s->context == NULL)
        px_err_set(err, "no-resources", "cannot open a session: %s", zmq_strerror(zmq_errno()));
    else
        s->resolve = link_resolve_start(base, host, session_on_resolved, s, err);
    if (s->resolve == NULL) {
        session_release(s);
        return NULL;
    }
    session_enter(s, SESSION_ST_RESOLVING, "opened");
    return s;
}

void link_session_close(struct link_session *s, int linger_ms)
{
    if (s == NULL)
        return;
    s->linger_ms = linger_ms;
    link_guard_close(&s->guard);
}
