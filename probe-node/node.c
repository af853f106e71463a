/* SPDX-License-Identifier: MIT */
/*
 * One node, one coordinator, one session at a time.
 *
 *   DIALLING -> ENROLLING -> DIALLING -> GREETING -> SERVING
 *       \------------\----------\-----------\----------\--> WAITING (back-off) -> DIALLING
 *
 * Sessions come and go; jobs of a lost session are cancelled and their results dropped.
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
#include "probe-node/outage.h"
#include "probe-node/words.h"
#include "proto/link.h"
#include "proto/wire.h"

#define ANSWER_NS (10 * PX_SEC)
#define SETTLED_NS (10 * PX_SEC) /* a session that lasted so long ends an outage */
#define SAVE_NS PX_SEC /* between two savings of the budget; each one waits for the disk */
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
    uint64_t job_id;
    char run_id[PX_ID_TEXT];
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
    px_mono dialled, served, heard, saved;
    struct outage outage;
    int64_t clock_offset, clock_rtt; /* of the best answered ping; rtt < 0 = none yet */
    int home;                        /* lock of the state directory */
    struct budget *budget;
    struct prober *prober;
    LIST_HEAD(, errand) errands;
};

static void node_dial(struct node *n);
static void session_on_end(void *arg, enum link_end why, const char *detail);

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

static uint64_t random_number(void)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t)px_mono_now();
    return random;
}

/* Its jobs have nobody left who waits for them. */
static void session_drop(struct node *n, int linger_ms)
{
    struct errand *errand;
    evtimer_del(n->ping);
    LIST_FOREACH(errand, &n->errands, link)
    {
        prober_cancel(n->prober, errand->run_id, errand->job_id);
    }
    link_session_close(n->session, linger_ms);
    n->session = NULL;
    n->session_number++;
}

static void node_wait(struct node *n, bool slow, const char *why)
{
    px_mono now = px_mono_now();
    if (n->state == NODE_ST_SERVING && now - n->served > SETTLED_NS)
        outage_init(&n->outage);
    session_drop(n, 0);
    int64_t pause = outage_pause(&n->outage, slow, now, random_number());
    node_enter(n, NODE_ST_WAITING, why);
    timer_set(n->timer, pause);
}

/* A failure that is told once, with what to do. */
static void tell(struct node *n, int reason, const struct px_err *err)
{
    char hint[sizeof err->hint];
    px_text_copy(hint, sizeof hint, err->hint);
    for (char *c = hint; (c = strchr(c, '\n')) != NULL;)
        *c = ';';
    if (outage_is_news(&n->outage, reason, px_mono_now()))
        px_log(PX_LOG_WARN, "%s%s%s", err->message, hint[0] ? " -- " : "", hint);
    else
        px_log(PX_LOG_DEBUG, "%s", err->message);
}

static void node_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct node *n = arg;
    (void)fd;
    (void)what;
    if (n->state == NODE_ST_WAITING)
        node_dial(n);
    else
        session_on_end(n, LINK_NO_ANSWER, "it shook hands and then said nothing");
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
        node_wait(n, false, "silence");
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
    n->saved = px_mono_now();
    if (home_path(n->settings->state, "budget", path, &err) != 0 ||
        budget_save(n->budget, path, px_wall_now(), &err) != 0)
        px_log(PX_LOG_ERROR, "the politeness budget is not saved: %s", err.message);
}

/* At once, so that a node that is killed forgets no strike, unless the last time was just now. */
static void save_soon(struct node *n)
{
    int64_t wait = n->saved + SAVE_NS - px_mono_now();
    if (!evtimer_pending(n->save, NULL))
        timer_set(n->save, n->saved != 0 && wait > 0 ? wait : 0);
}

static void node_on_result(void *arg, const struct px_job *job, const struct px_observation *o)
{
    struct errand *errand = arg;
    struct node *n = errand->node;
    if (errand->session_number == n->session_number) {
        struct wire_message *m = wire_new(WIRE_OBSERVATION);
        m->u.observation = *o;
        bool lost = n->session && node_send(n, m) != 0;
        wire_free(m);
        if (lost) { /* better a new session than a coordinator that waits in vain */
            px_log(PX_LOG_WARN, "a result of run %s could not be sent, dialling again",
                   job->run_id);
            node_wait(n, false, "a result could not be sent");
        }
    }
    LIST_REMOVE(errand, link);
    free(errand);
    save_soon(n);
}

static bool job_is_known(const struct node *n, const struct px_job *job)
{
    const struct errand *errand;
    LIST_FOREACH(errand, &n->errands, link)
    {
        if (errand->job_id == job->id && errand->session_number == n->session_number &&
            strcmp(errand->run_id, job->run_id) == 0)
            return true;
    }
    return false;
}

static void node_run_job(struct node *n, const struct px_job *job)
{
    if (job_is_known(n, job)) {
        px_log(PX_LOG_WARN, "job %llu of run %s came twice", (unsigned long long)job->id,
               job->run_id);
        return;
    }
    struct errand *errand = px_xcalloc(1, sizeof *errand);
    errand->job_id = job->id;
    px_text_copy(errand->run_id, sizeof errand->run_id, job->run_id);
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
    if (m->u.enrolled.name[0])
        px_text_copy(n->mesh.name, sizeof n->mesh.name, m->u.enrolled.name);
    if (home_save(n->settings->state, &n->mesh, &err) != 0) {
        node_end(n, NODE_BROKEN, &err);
        return;
    }
    n->joined = true;
    if (n->join_only)
        words_print_joined(stdout, &n->mesh, px_mono_now() - n->dialled);
    else
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
    n->served = px_mono_now();
    n->outage.reason = -1;
    n->clock_rtt = -1;
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

/* The shortest round trip tells the clock best; the first one is reported at once. */
static void on_pong(struct node *n, const struct wire_message *m)
{
    px_wall now = px_wall_now();
    int64_t rtt = now - m->u.pong.sent;
    bool first = n->clock_rtt < 0;
    if (rtt < 0 || (!first && rtt > n->clock_rtt + n->clock_rtt / 2 + PX_MS))
        return;
    n->clock_rtt = rtt;
    n->clock_offset = m->u.pong.now - (m->u.pong.sent + rtt / 2);
    if (first && n->state == NODE_ST_SERVING)
        send_ping(n);
}

static void on_refusal(struct node *n, const struct wire_message *m)
{
    struct px_err err = m->u.error;
    words_make_safe(&err);
    if (n->state == NODE_ST_ENROLLING) {
        node_end(n, NODE_TURNED_AWAY, &err);
        return;
    }
    tell(n, LINK_END_COUNT, &err);
    if (n->state == NODE_ST_GREETING)
        node_wait(n, true, "turned away");
}

static void on_goodbye(struct node *n, const struct wire_message *m)
{
    char reason[sizeof m->u.goodbye.reason];
    px_log(PX_LOG_INFO, "the coordinator says goodbye: %s",
           px_text_safe(m->u.goodbye.reason, sizeof reason, reason, sizeof reason));
    node_wait(n, false, "goodbye");
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
        on_goodbye(n, m);
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

/* Those who join by hand are told at once; those who run wait for what may mend itself. */
static void session_on_end(void *arg, enum link_end why, const char *detail)
{
    struct node *n = arg;
    struct px_err err;
    words_for_end(why, detail, &n->mesh, n->joined, n->keys.public_key, &err);
    if (!n->joined && (n->join_only || words_need_people(why))) {
        node_end(n, NODE_TURNED_AWAY, &err);
        return;
    }
    tell(n, (int)why, &err);
    node_wait(n, words_need_people(why), link_end_name(why));
}

static void node_dial(struct node *n)
{
    static const struct link_session_events events = {session_on_open, session_on_message,
                                                      session_on_end};
    struct px_err err;
    node_enter(n, NODE_ST_DIALLING, "dialling");
    n->session_number++;
    n->dialled = px_mono_now();
    n->session = link_session_open(n->base, n->mesh.host, n->mesh.port, n->mesh.server_key,
                                   &n->keys, &events, n, &err);
    if (!n->session) {
        px_log(PX_LOG_ERROR, "cannot dial: %s", err.message);
        node_wait(n, true, "local failure");
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
    if (home_open(dir, err) != 0 || (n->home = home_lock(dir, err)) < 0 ||
        home_path(dir, "node.key", path, err) != 0 ||
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
    n->home = -1;
    outage_init(&n->outage);
    if (node_load(n, err) != 0 || node_equip(n, err) != 0) {
        node_close(n);
        return NULL;
    }
    if (n->joined && settings->has_token && !join_only)
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
    if (n->home >= 0)
        close(n->home);
    free(n);
}
