/* SPDX-License-Identifier: MIT */
/*
 * One node, one coordinator, one session at a time.
 *
 *   DIALLING -> ENROLLING -> DIALLING -> GREETING -> SERVING
 *       \------------\----------\-----------\----------\--> WAITING (back-off) -> DIALLING
 *
 * Sessions come and go; jobs of a lost session finish quietly and their results are dropped.
 */
#include "probe-node/node.h"

#include <event2/event.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"
#include "probe-node/home.h"
#include "proto/link.h"
#include "proto/wire.h"

#define ANSWER_NS (10 * PX_SEC)
#define BACKOFF_BASE_NS (250 * PX_MS)
#define BACKOFF_FIRST_NS (2 * PX_SEC) /* cap in the first minute of an outage */
#define BACKOFF_LATER_NS (10 * PX_SEC)
#define OUTAGE_LONG_NS (60 * PX_SEC)
#define SAVE_NS (200 * PX_MS)
#define GOODBYE_MS 200

enum node_state {
    NODE_ST_DIALLING,  /* the link is being made; its own deadlines apply */
    NODE_ST_ENROLLING, /* our key is unknown: the token is shown */
    NODE_ST_GREETING,  /* hello sent, welcome awaited */
    NODE_ST_SERVING,   /* jobs and pings */
    NODE_ST_WAITING,   /* until the next attempt */
    NODE_ST_CLOSED,
    NODE_ST_COUNT
};

static const char *const state_names[] = {"dialling", "enrolling", "greeting",
                                          "serving",  "waiting",   "closed"};
_Static_assert(sizeof state_names / sizeof *state_names == NODE_ST_COUNT, "a name per state");

/* A job under way, and the session its result belongs to. */
struct errand {
    struct node *node;
    uint64_t session_number;
    LIST_ENTRY(errand) link;
};

struct node {
    enum node_state state;
    struct event_base *base;
    const struct settings *settings;
    struct node_events events;
    bool join_only, joined, ended, was_ready;
    struct key_pair keys;
    struct membership mesh;
    struct link_session *session;
    uint64_t session_number; /* jobs remember it */
    struct event *timer, *ping, *save;
    px_mono outage_began, heard;
    unsigned attempts;
    enum link_end last_end; /* repeated failures are logged once */
    int64_t clock_offset;
    struct budget *budget;
    struct prober *prober;
    LIST_HEAD(, errand) errands;
};

static void node_dial(struct node *n);

/* ---- small things ---- */

static void timer_set(struct event *e, int64_t ns)
{
    struct timeval wait = {.tv_sec = ns / PX_SEC, .tv_usec = ns % PX_SEC / 1000};
    (void)evtimer_add(e, &wait);
}

static void node_enter(struct node *n, enum node_state state, const char *why)
{
    px_log(PX_LOG_DEBUG, "node: %s -> %s, %s", state_names[n->state], state_names[state], why);
    n->state = state;
    evtimer_del(n->timer);
    if (state == NODE_ST_ENROLLING || state == NODE_ST_GREETING)
        timer_set(n->timer, ANSWER_NS);
}

static void node_end(struct node *n, enum node_end end, const struct px_err *err)
{
    if (n->ended)
        return;
    n->ended = true;
    node_enter(n, NODE_ST_CLOSED, "ended");
    n->events.on_end(n->events.arg, end, err);
}

static int node_send(struct node *n, const struct wire_message *m)
{
    size_t size;
    struct px_err err;
    uint8_t *bytes = n->session ? wire_encode(m, &size, &err) : NULL;
    if (!bytes) {
        if (n->session)
            px_log(PX_LOG_ERROR, "cannot send %s: %s", wire_kind_name(m->kind), err.message);
        return -1;
    }
    int result = link_session_send(n->session, bytes, size);
    free(bytes);
    return result;
}

/* ---- outages ---- */

/* Full jitter: anything from 0 to the cap, so that thousands of nodes do not come back at once. */
static int64_t backoff(const struct node *n)
{
    bool late = px_mono_now() - n->outage_began > OUTAGE_LONG_NS;
    int64_t cap = late ? BACKOFF_LATER_NS : BACKOFF_FIRST_NS;
    int64_t span = n->attempts < 8 ? BACKOFF_BASE_NS << n->attempts : cap;
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t)px_mono_now();
    if (span > cap)
        span = cap;
    return (int64_t)(random % (uint64_t)span) + PX_MS;
}

static void session_drop(struct node *n, int linger_ms)
{
    evtimer_del(n->ping);
    link_session_close(n->session, linger_ms);
    n->session = NULL;
    n->session_number++;
}

static void node_wait(struct node *n, const char *why)
{
    session_drop(n, 0);
    if (n->attempts == 0)
        n->outage_began = px_mono_now();
    int64_t pause = backoff(n);
    n->attempts++;
    node_enter(n, NODE_ST_WAITING, why);
    timer_set(n->timer, pause);
}

static void node_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct node *n = arg;
    (void)fd;
    (void)what;
    if (n->state == NODE_ST_WAITING)
        node_dial(n);
    else
        node_wait(n, "the coordinator does not answer");
}

/* ---- greeting ---- */

static void hello_add_addresses(struct wire_hello *hello)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) != 0)
        return;
    for (struct ifaddrs *i = list; i && hello->address_count < WIRE_ADDRESSES_MAX;
         i = i->ifa_next) {
        struct px_addr a;
        if (i->ifa_addr && px_addr_from_sockaddr(i->ifa_addr, &a, NULL) && !px_addr_is_loopback(&a))
            hello->addresses[hello->address_count++] = a;
    }
    freeifaddrs(list);
}

static void hello_add_capabilities(struct wire_hello *hello)
{
    char words[PROBER_CAPABILITIES_TEXT], *rest = prober_capabilities(words), *word;
    while ((word = strsep(&rest, ", ")) && hello->can_count < WIRE_CAPABILITIES_MAX)
        if (*word && px_text_copy(hello->can[hello->can_count], WIRE_WORD, word) == 0)
            hello->can_count++;
}

static void send_hello(struct node *n)
{
    struct wire_message *m = wire_new(WIRE_HELLO);
    struct wire_hello *hello = &m->u.hello;
    px_text_copy(hello->name, sizeof hello->name, n->mesh.name);
    px_text_copy(hello->version, sizeof hello->version, PARALLAX_VERSION);
    memcpy(hello->labels, n->settings->labels, sizeof hello->labels);
    hello->label_count = n->settings->label_count;
    hello_add_capabilities(hello);
    hello_add_addresses(hello);
    (void)node_send(n, m);
    wire_free(m);
}

static void send_enrol(struct node *n)
{
    struct wire_message *m = wire_new(WIRE_ENROL);
    struct wire_enrol *enrol = &m->u.enrol;
    memcpy(enrol->secret, n->settings->token.secret, sizeof enrol->secret);
    px_text_copy(enrol->name, sizeof enrol->name, n->mesh.name);
    px_text_copy(enrol->version, sizeof enrol->version, PARALLAX_VERSION);
    memcpy(enrol->labels, n->settings->labels, sizeof enrol->labels);
    enrol->label_count = n->settings->label_count;
    (void)node_send(n, m);
    wire_free(m);
}

static void send_ping(struct node *n)
{
    struct wire_message *m = wire_new(WIRE_PING);
    m->u.ping.sent = px_wall_now();
    m->u.ping.clock_offset = n->clock_offset;
    m->u.ping.busy = prober_busy(n->prober);
    (void)node_send(n, m);
    wire_free(m);
}

static void node_on_ping_time(evutil_socket_t fd, short what, void *arg)
{
    struct node *n = arg;
    (void)fd;
    (void)what;
    if (px_mono_now() - n->heard > LINK_DEAD_MS * PX_MS) {
        px_log(PX_LOG_WARN, "the coordinator has been silent for %d s, dialling again",
               LINK_DEAD_MS / 1000);
        node_wait(n, "silence");
        return;
    }
    send_ping(n);
    timer_set(n->ping, LINK_HEARTBEAT_MS * PX_MS);
}

/* ---- jobs ---- */

static void node_on_save_time(evutil_socket_t fd, short what, void *arg)
{
    struct node *n = arg;
    char path[HOME_PATH_MAX];
    struct px_err err;
    (void)fd;
    (void)what;
    if (home_path(n->settings->state, "budget", path, &err) != 0 ||
        budget_save(n->budget, path, px_wall_now(), &err) != 0)
        px_log(PX_LOG_ERROR, "the politeness budget is not saved: %s", err.message);
}

static void node_on_result(void *arg, const struct px_job *job, const struct px_observation *o)
{
    struct errand *errand = arg;
    struct node *n = errand->node;
    if (errand->session_number == n->session_number) {
        struct wire_message *m = wire_new(WIRE_OBSERVATION);
        m->u.observation = *o;
        if (node_send(n, m) != 0)
            px_log(PX_LOG_WARN, "result of run %s could not be sent", job->run_id);
        wire_free(m);
    }
    LIST_REMOVE(errand, link);
    free(errand);
    if (!evtimer_pending(n->save, NULL))
        timer_set(n->save, SAVE_NS);
}

static void node_run_job(struct node *n, const struct px_job *job)
{
    struct errand *errand = px_xcalloc(1, sizeof *errand);
    errand->node = n;
    errand->session_number = n->session_number;
    LIST_INSERT_HEAD(&n->errands, errand, link);
    prober_submit(n->prober, job, node_on_result, errand);
}

static bool node_consents(void *arg, const struct px_addr *a, uint16_t port)
{
    const struct node *n = arg;
    return policy_allows(&n->settings->policy, a, port);
}

/* ---- messages ---- */

static void on_enrolled(struct node *n, const struct wire_message *m)
{
    struct px_err err;
    px_text_copy(n->mesh.name, sizeof n->mesh.name, m->u.enrolled.name);
    if (home_save(n->settings->state, &n->mesh, &err) != 0) {
        node_end(n, NODE_BROKEN, &err);
        return;
    }
    n->joined = true;
    px_log(PX_LOG_INFO, "joined %s:%u as \"%s\"", n->mesh.host, (unsigned)n->mesh.port,
           n->mesh.name);
    session_drop(n, 0);
    if (n->join_only)
        node_end(n, NODE_JOINED, NULL);
    else
        node_dial(n);
}

static void on_welcome(struct node *n, const struct wire_message *m)
{
    if (n->attempts > 0)
        px_log(PX_LOG_INFO, "connected again");
    n->attempts = 0;
    n->last_end = LINK_END_COUNT;
    node_enter(n, NODE_ST_SERVING, "welcome");
    px_log(PX_LOG_INFO, "%s: \"%s\" serves %s:%u", n->was_ready ? "back" : "ready",
           m->u.welcome.name[0] ? m->u.welcome.name : n->mesh.name, n->mesh.host,
           (unsigned)n->mesh.port);
    n->was_ready = true;
    send_ping(n);
    timer_set(n->ping, LINK_HEARTBEAT_MS * PX_MS);
}

/* The coordinator measures the round trip and our clock. */
static void on_ping(struct node *n, const struct wire_message *m)
{
    struct wire_message *pong = wire_new(WIRE_PONG);
    pong->request = m->request;
    pong->u.pong.sent = m->u.ping.sent;
    pong->u.pong.now = px_wall_now();
    (void)node_send(n, pong);
    wire_free(pong);
}

static void on_pong(struct node *n, const struct wire_message *m)
{
    px_wall now = px_wall_now();
    int64_t there = (now - m->u.pong.sent) / 2;
    if (there >= 0)
        n->clock_offset = m->u.pong.now - (m->u.pong.sent + there);
}

static void on_refusal(struct node *n, const struct wire_message *m)
{
    struct px_err err = m->u.error;
    char safe[sizeof err.message];
    px_text_safe(err.message, sizeof safe / 2, safe, sizeof safe);
    px_text_copy(err.message, sizeof err.message, safe);
    if (n->state == NODE_ST_ENROLLING)
        node_end(n, NODE_TURNED_AWAY, &err);
    else
        px_log(PX_LOG_WARN, "the coordinator says: %s", err.message);
}

static void node_take(struct node *n, const struct wire_message *m)
{
    if (m->kind == WIRE_ERROR)
        on_refusal(n, m);
    else if (m->kind == WIRE_ENROLLED && n->state == NODE_ST_ENROLLING)
        on_enrolled(n, m);
    else if (m->kind == WIRE_WELCOME && n->state == NODE_ST_GREETING)
        on_welcome(n, m);
    else if (m->kind == WIRE_PING)
        on_ping(n, m);
    else if (m->kind == WIRE_PONG)
        on_pong(n, m);
    else if (m->kind == WIRE_JOB && n->state == NODE_ST_SERVING)
        node_run_job(n, &m->u.job);
    else if (m->kind == WIRE_CANCEL)
        prober_cancel(n->prober, m->u.cancel.run_id, m->u.cancel.id);
    else if (m->kind == WIRE_GOODBYE)
        node_wait(n, "the coordinator says goodbye");
    else
        px_log(PX_LOG_WARN, "%s is out of place while %s", wire_kind_name(m->kind),
               state_names[n->state]);
}

static void session_on_message(void *arg, const uint8_t *bytes, size_t size)
{
    struct node *n = arg;
    struct px_err err;
    struct wire_message *m = wire_decode(bytes, size, &err);
    n->heard = px_mono_now();
    if (!m) {
        px_log(PX_LOG_WARN, "unreadable message from the coordinator: %s", err.message);
        return;
    }
    node_take(n, m);
    wire_free(m);
}

static void session_on_open(void *arg, const struct px_addr *remote)
{
    struct node *n = arg;
    (void)remote;
    n->heard = px_mono_now();
    node_enter(n, n->joined ? NODE_ST_GREETING : NODE_ST_ENROLLING, "connected");
    if (n->joined)
        send_hello(n);
    else
        send_enrol(n);
}

static void session_on_end(void *arg, enum link_end why, const char *detail)
{
    struct node *n = arg;
    if (why != n->last_end || n->state == NODE_ST_SERVING)
        px_log(PX_LOG_WARN, "coordinator %s:%u: %s%s%s; trying again", n->mesh.host,
               (unsigned)n->mesh.port, link_end_name(why), detail && *detail ? ": " : "",
               detail ? detail : "");
    n->last_end = why;
    if (!n->joined && why != LINK_LOST) {
        struct px_err err = {"", "", ""};
        px_err_set(&err, "no-coordinator", "coordinator %s:%u: %s%s%s", n->mesh.host,
                   (unsigned)n->mesh.port, link_end_name(why), detail && *detail ? ": " : "",
                   detail ? detail : "");
        node_end(n, NODE_TURNED_AWAY, &err);
        return;
    }
    node_wait(n, link_end_name(why));
}

static void node_dial(struct node *n)
{
    static const struct link_session_events events = {session_on_open, session_on_message,
                                                      session_on_end};
    struct px_err err;
    node_enter(n, NODE_ST_DIALLING, "dialling");
    n->session_number++;
    n->session = link_session_open(n->base, n->mesh.host, n->mesh.port, n->mesh.server_key,
                                   &n->keys, &events, n, &err);
    if (!n->session) {
        px_log(PX_LOG_ERROR, "cannot dial: %s", err.message);
        node_wait(n, "local failure");
    }
}

/* ---- opening and closing ---- */

static int mesh_from_token(struct node *n, struct px_err *err)
{
    const struct settings *s = n->settings;
    if (!s->has_token) {
        px_err_set(err, "not-joined", "%s has not joined a mesh yet", s->state);
        return px_err_hint(
            err, "give a node token once:  parallax-node run --state %s --join TOKEN", s->state);
    }
    px_text_copy(n->mesh.host, sizeof n->mesh.host, s->token.host);
    n->mesh.port = s->token.port;
    memcpy(n->mesh.server_key, s->token.server_key, sizeof n->mesh.server_key);
    px_text_copy(n->mesh.name, sizeof n->mesh.name, s->name);
    return 0;
}

static int node_load(struct node *n, struct px_err *err)
{
    const char *dir = n->settings->state;
    char path[HOME_PATH_MAX];
    if (home_open(dir, err) != 0 || home_path(dir, "node.key", path, err) != 0 ||
        key_load_or_create(path, &n->keys, err) != 0)
        return -1;
    int joined = home_load(dir, &n->mesh, err);
    if (joined < 0 || (joined == 0 && mesh_from_token(n, err) != 0))
        return -1;
    n->joined = joined == 1;
    if (n->joined && n->settings->name[0] && strcmp(n->settings->name, n->mesh.name) != 0)
        px_log(PX_LOG_WARN, "this node joined as \"%s\" and stays so; --name %s is ignored",
               n->mesh.name, n->settings->name);
    n->budget = budget_new(&n->settings->budget);
    if (home_path(dir, "budget", path, err) != 0)
        return -1;
    return budget_load(n->budget, path, px_wall_now(), err);
}

static int node_equip(struct node *n, struct px_err *err)
{
    struct prober_options options = n->settings->prober;
    options.consents = node_consents;
    options.consent_arg = n;
    n->timer = evtimer_new(n->base, node_on_timer, n);
    n->ping = evtimer_new(n->base, node_on_ping_time, n);
    n->save = evtimer_new(n->base, node_on_save_time, n);
    if (!n->timer || !n->ping || !n->save)
        return px_err_set(err, "memory", "no memory for timers");
    n->prober = prober_new(n->base, n->budget, &options, err);
    return n->prober ? 0 : -1;
}

struct node *node_open(struct event_base *base, const struct settings *settings, bool join_only,
                       const struct node_events *events, struct px_err *err)
{
    struct node *n = px_xcalloc(1, sizeof *n);
    n->base = base;
    n->settings = settings;
    n->events = *events;
    n->join_only = join_only;
    n->last_end = LINK_END_COUNT;
    if (node_load(n, err) != 0 || node_equip(n, err) != 0) {
        node_close(n);
        return NULL;
    }
    if (n->joined && settings->has_token)
        px_log(PX_LOG_INFO, "already joined as \"%s\"; the token is not used", n->mesh.name);
    if (n->joined && join_only) {
        px_err_set(err, "already-joined", "%s has joined %s:%u as \"%s\"", settings->state,
                   n->mesh.host, (unsigned)n->mesh.port, n->mesh.name);
        px_err_hint(err, "start it:  parallax-node run --state %s", settings->state);
        node_close(n);
        return NULL;
    }
    node_dial(n);
    return n;
}

static void say_goodbye(struct node *n)
{
    struct wire_message *m = wire_new(WIRE_GOODBYE);
    px_text_copy(m->u.goodbye.reason, sizeof m->u.goodbye.reason, "stopped by its operator");
    (void)node_send(n, m);
    wire_free(m);
}

void node_close(struct node *n)
{
    if (!n)
        return;
    if (n->state == NODE_ST_SERVING && n->session)
        say_goodbye(n);
    link_session_close(n->session, n->state == NODE_ST_SERVING ? GOODBYE_MS : 0);
    prober_free(n->prober);
    while (!LIST_EMPTY(&n->errands)) {
        struct errand *errand = LIST_FIRST(&n->errands);
        LIST_REMOVE(errand, link);
        free(errand);
    }
    if (n->save && n->joined)
        node_on_save_time(-1, 0, n);
    for (struct event **e = (struct event *[]){n->timer, n->ping, n->save, NULL}; *e; e++)
        event_free(*e);
    budget_free(n->budget);
    key_clear(&n->keys);
    free(n);
}
