/* SPDX-License-Identifier: MIT */
/*
 * A real coordinator in this process, on loopback, with scripted nodes and users over real
 * sessions. Everything runs on one loop; tests wait for messages, never for time.
 */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"
#include "coordinator/coordinator.h"
#include "coordinator/ingest.h"
#include "coordinator/plan.h"
#include "coordinator/recent.h"
#include "coordinator/state.h"
#include "proto/link.h"
#include "proto/wire.h"

#define INBOX_MAX 256
#define WAIT_MS 8000
#define CLIENTS_MAX 16

/* A node or user at the other end of a session. */
struct client {
    struct key_pair keys;
    struct link_session *session;
    bool open, ended;
    bool deaf; /* keeps nothing it is told */
    enum link_end why;
    struct wire_message *inbox[INBOX_MAX];
    size_t count, taken;

    /* a scripted node */
    bool answers;
    bool holds; /* answers plain looks only, and keeps handshakes open */
    struct px_job held[4];
    size_t held_count;
    enum px_stage stage;
    enum px_code code;
    int64_t clock_error; /* its clock runs ahead by this */
    struct px_job last_job;
    unsigned jobs, cancels;
    char name[PX_NAME_MAX + 1];
};

static char folder[64];
static struct state state;
static struct event_base *base;
static struct coordinator *coordinator;
static uint8_t server_key[KEY_BYTES];
static uint16_t port;
static struct client clients[CLIENTS_MAX];
static unsigned judged;

/* A judge that only counts who got through; the real one has tests of its own. */
static void judge(struct px_report *r)
{
    size_t ok = 0, failed = 0;
    judged++;
    px_verdict_clear(&r->verdict);
    for (size_t i = 0; i < r->observation_count; i++) {
        ok += px_code_kind(r->observations[i].code) == PX_KIND_OK;
        failed += px_code_kind(r->observations[i].code) == PX_KIND_FAIL;
    }
    r->verdict.status = ok && failed ? PX_STATUS_PARTIAL
                        : ok         ? PX_STATUS_REACHABLE
                        : failed     ? PX_STATUS_UNREACHABLE
                                     : PX_STATUS_INCONCLUSIVE;
    r->verdict.summary = px_xstrdup("counted");
}

static void open_coordinator(unsigned runs_max, unsigned per_user_max, unsigned strangers_max)
{
    struct px_err err = {0};
    struct px_addr addr;
    struct coordinator_options o = {.folder = folder,
                                    .listen = "tcp://127.0.0.1:0",
                                    .runs_max = runs_max,
                                    .per_user_max = per_user_max,
                                    .strangers_max = strangers_max,
                                    .judge = judge};
    coordinator = coordinator_open(base, &o, &err);
    cr_assert(coordinator, "%s %s", err.message, err.hint);
    cr_assert_eq(state_parse_endpoint(coordinator_endpoint(coordinator), &addr, &port, &err), 0);
}

static void setup(void)
{
    struct state_made made;
    struct key_pair keys;
    struct px_err err = {0};
    px_log_set_level(PX_LOG_ERROR);
    strcpy(folder, "/tmp/parallax-coord-XXXXXX");
    cr_assert(mkdtemp(folder));
    cr_assert_eq(state_init_paths(&state, folder, &err), 0);
    cr_assert_eq(state_create(&state, "tcp://127.0.0.1:0", &made, &err), 0, "%s", err.message);
    cr_assert_eq(state_load_keys(&state, &keys, &err), 0);
    memcpy(server_key, keys.public_key, sizeof server_key);
    base = event_base_new();
    open_coordinator(0, 0, 0);
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(name);
}

static void client_forget(struct client *c)
{
    while (c->taken < c->count)
        wire_free(c->inbox[c->taken++]);
    c->count = c->taken = 0;
}

static void client_close(struct client *c)
{
    client_forget(c);
    link_session_close(c->session, 0);
    struct key_pair keys = c->keys;
    *c = (struct client){.keys = keys};
}

static void teardown(void)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        client_close(&clients[i]);
    coordinator_close(coordinator);
    event_base_free(base);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(coordinator, .init = setup, .fini = teardown, .timeout = 60);

/* ---- clients ---- */

static void client_send(struct client *c, struct wire_message *m)
{
    struct px_err err = {0};
    size_t size;
    uint8_t *bytes = wire_encode(m, &size, &err);
    cr_assert(bytes, "%s", err.message);
    cr_assert_eq(link_session_send(c->session, bytes, size), 0);
    free(bytes);
    wire_free(m);
}

static void client_answer(struct client *c, const struct px_job *job)
{
    struct wire_message *m = wire_new(WIRE_OBSERVATION);
    struct px_observation *o = &m->u.observation;
    memcpy(o->run_id, job->run_id, sizeof o->run_id);
    o->job_id = job->id;
    o->round = job->round;
    o->started = px_wall_now() + c->clock_error;
    o->took_ms = 1;
    o->stage = c->stage;
    o->code = c->code;
    o->depth = job->depth;
    o->address = job->target.literal;
    o->attempt_count = 1;
    o->attempts[0].code = c->code;
    o->attempts[0].ms = 1;
    client_send(c, m);
}

static void client_pong(struct client *c, const struct wire_message *ping)
{
    struct wire_message *m = wire_new(WIRE_PONG);
    m->u.pong.sent = ping->u.ping.sent;
    m->u.pong.now = px_wall_now() + c->clock_error;
    client_send(c, m);
}

static void client_on_open(void *arg, const struct px_addr *remote)
{
    struct client *c = arg;
    (void)remote;
    c->open = true;
}

static void client_on_message(void *arg, const uint8_t *bytes, size_t size)
{
    struct client *c = arg;
    struct px_err err = {0};
    struct wire_message *m = wire_decode(bytes, size, &err);
    cr_assert(m, "%s", err.message);
    if (m->kind == WIRE_PING) {
        client_pong(c, m);
    } else if (m->kind == WIRE_JOB) {
        c->last_job = m->u.job;
        c->jobs++;
        if (c->holds && plan_job_shakes_hands(&m->u.job))
            c->held[c->held_count++] = m->u.job;
        else if (c->answers)
            client_answer(c, &m->u.job);
    } else if (m->kind == WIRE_CANCEL) {
        c->cancels++;
    } else if (!c->deaf) {
        cr_assert_lt(c->count, INBOX_MAX);
        c->inbox[c->count++] = m;
        return;
    }
    wire_free(m);
}

static void client_on_end(void *arg, enum link_end why, const char *detail)
{
    struct client *c = arg;
    (void)detail;
    c->ended = true;
    c->why = why;
}

static bool loop_until(const bool *flag)
{
    px_mono end = px_mono_now() + WAIT_MS * PX_MS;
    while (!*flag && px_mono_now() < end) {
        struct timeval tv = {.tv_usec = 20000};
        event_base_loopexit(base, &tv);
        event_base_loop(base, EVLOOP_ONCE);
    }
    return *flag;
}

static void client_connect(struct client *c)
{
    static const struct link_session_events events = {client_on_open, client_on_message,
                                                      client_on_end};
    struct px_err err = {0};
    static const struct key_pair none;
    if (memcmp(&c->keys, &none, sizeof none) == 0)
        key_generate(&c->keys);
    c->session = link_session_open(base, "127.0.0.1", port, server_key, &c->keys, &events, c, &err);
    cr_assert(c->session, "%s", err.message);
    cr_assert(loop_until(&c->open), "no session: %s", link_end_name(c->why));
}

/* The next message of that kind; others before it are dropped. */
static struct wire_message *client_wait(struct client *c, enum wire_kind kind)
{
    px_mono end = px_mono_now() + WAIT_MS * PX_MS;
    while (px_mono_now() < end) {
        while (c->taken < c->count) {
            struct wire_message *m = c->inbox[c->taken++];
            if (m->kind == kind)
                return m;
            cr_assert_neq(m->kind, WIRE_ERROR, "error %s: %s", m->u.error.code, m->u.error.message);
            wire_free(m);
        }
        c->count = c->taken = 0;
        struct timeval tv = {.tv_usec = 20000};
        event_base_loopexit(base, &tv);
        event_base_loop(base, EVLOOP_ONCE);
    }
    cr_assert_fail("no %s in time", wire_kind_name(kind));
    return NULL;
}

static void add_token(uint8_t mark, const char *role, uint32_t uses, int64_t ttl)
{
    struct px_err err = {0};
    uint8_t secret[TOKEN_SECRET];
    struct store_token t = {.uses = uses,
                            .uses_left = uses,
                            .created = px_wall_now() - 10 * 3600 * PX_SEC,
                            .expires = px_wall_now() + ttl};
    memset(secret, mark, sizeof secret);
    token_secret_hash(secret, t.hash);
    strcpy(t.role, role);
    struct store *store = store_open(state.store_path, false, &err);
    cr_assert(store, "%s", err.message);
    cr_assert_eq(store_add_token(store, &t, &err), 0);
    store_close(store);
}

static void send_enrol(struct client *c, uint8_t mark, const char *name)
{
    struct wire_message *m = wire_new(WIRE_ENROL);
    m->request = 5;
    memset(m->u.enrol.secret, mark, sizeof m->u.enrol.secret);
    strcpy(m->u.enrol.name, name);
    client_send(c, m);
}

static void send_hello(struct client *c)
{
    struct wire_message *m = wire_new(WIRE_HELLO);
    strcpy(m->u.hello.name, c->name);
    strcpy(m->u.hello.version, "9.9");
    strcpy(m->u.hello.labels[0].key, "eu");
    m->u.hello.label_count = 1;
    client_send(c, m);
}

/* Through the front door: enrol with a fresh token, come back as known, say hello. */
static struct client *join(size_t index, const char *role, const char *name)
{
    struct client *c = &clients[index];
    add_token((uint8_t)(100 + index), role, 1, PX_SEC * 60);
    client_connect(c);
    send_enrol(c, (uint8_t)(100 + index), name);
    struct wire_message *m = client_wait(c, WIRE_ENROLLED);
    cr_assert_str_eq(m->u.enrolled.role, role);
    wire_free(m);
    client_close(c);
    strcpy(c->name, name);
    client_connect(c);
    send_hello(c);
    m = client_wait(c, WIRE_WELCOME);
    cr_assert_str_eq(m->u.welcome.name, name);
    cr_assert_str_eq(m->u.welcome.role, role);
    wire_free(m);
    return c;
}

static struct client *join_node(size_t index, const char *name, enum px_stage stage,
                                enum px_code code)
{
    struct client *c = join(index, "node", name);
    c->answers = true;
    c->stage = stage;
    c->code = code;
    return c;
}

static void send_check(struct client *c, uint64_t request, const char *target, const char *from)
{
    struct wire_message *m = wire_new(WIRE_CHECK);
    m->request = request;
    strcpy(m->u.check.target, target);
    strcpy(m->u.check.from, from);
    client_send(c, m);
}

/* Collect a document's parts. */
static bool wait_document(struct client *c, struct px_report *r, char id[PX_ID_TEXT])
{
    struct px_err err = {0};
    char *json = NULL;
    size_t size = 0;
    bool last = false, final = false;
    for (uint32_t part = 0; !last; part++) {
        struct wire_message *m = client_wait(c, WIRE_DOCUMENT);
        cr_assert_eq(m->u.document.part, part);
        json = realloc(json, size + m->u.document.json_size + 1);
        memcpy(json + size, m->u.document.json, m->u.document.json_size);
        size += m->u.document.json_size;
        last = m->u.document.last;
        final = m->u.document.final;
        strcpy(id, m->u.document.run_id);
        wire_free(m);
    }
    cr_assert_eq(px_report_decode_json(json, size, r, &err), 0, "%s", err.message);
    free(json);
    return final;
}

static void wait_final(struct client *c, struct px_report *r)
{
    char id[PX_ID_TEXT];
    while (!wait_document(c, r, id))
        px_report_clear(r);
    cr_assert_str_eq(r->id, id);
}

static void expect_error(struct client *c, uint64_t request, const char *code, const char *text)
{
    struct wire_message *m = client_wait(c, WIRE_ERROR);
    cr_expect_eq(m->request, request);
    cr_expect_str_eq(m->u.error.code, code, "%s: %s", m->u.error.code, m->u.error.message);
    cr_expect(strstr(m->u.error.message, text) || strstr(m->u.error.hint, text), "%s | %s",
              m->u.error.message, m->u.error.hint);
    wire_free(m);
}

/* ---- joining ---- */

Test(coordinator, a_node_joins_and_is_listed)
{
    join(0, "node", "fra1");
    struct client *user = join(1, "viewer", "ann");
    client_send(user, wire_new(WIRE_LIST_NODES));
    struct wire_message *m = client_wait(user, WIRE_NODE_LIST);
    cr_assert_eq(m->u.node_list.count, 1);
    cr_expect(m->u.node_list.last);
    const struct wire_node *n = &m->u.node_list.nodes[0];
    cr_expect_str_eq(n->name, "fra1");
    cr_expect_str_eq(n->state, "up");
    cr_expect_str_eq(n->version, "9.9");
    cr_expect_eq(n->label_count, 1);
    char source[PX_ADDR_TEXT];
    cr_expect_str_eq(px_addr_format(&n->source, source), "127.0.0.1");
    wire_free(m);

    client_close(&clients[0]);
    px_mono end = px_mono_now() + WAIT_MS * PX_MS;
    while (px_mono_now() < end) {
        client_send(user, wire_new(WIRE_LIST_NODES));
        m = client_wait(user, WIRE_NODE_LIST);
        bool away = strcmp(m->u.node_list.nodes[0].state, "away") == 0;
        wire_free(m);
        if (away)
            return;
    }
    cr_assert_fail("still up");
}

Test(coordinator, bad_tokens_are_told_apart)
{
    add_token(1, "node", 5, -3 * 3600 * PX_SEC);
    add_token(2, "node", 1, 60 * PX_SEC);
    add_token(3, "node", 5, 60 * PX_SEC);
    static const struct {
        uint8_t mark;
        const char *name, *code, *text;
    } cases[] = {
        {9, "a1", "bad-token", "did not make"},
        {1, "a2", "token-expired", "this token ended 3h ago"},
        {2, "fra1", "", ""},
        {2, "a3", "token-used", "1 time,"},
        {3, "fra1", "name-taken", "the mesh has a \"fra1\" with another key, seen "},
        {3, "here", "bad-name", "here"},
        {3, "hel1", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client *c = &clients[i];
        client_connect(c);
        send_enrol(c, cases[i].mark, cases[i].name);
        if (cases[i].code[0])
            expect_error(c, 5, cases[i].code, cases[i].text);
        else
            wire_free(client_wait(c, WIRE_ENROLLED));
        cr_expect(loop_until(&c->ended), "the session of a stranger ends");
    }
}

Test(coordinator, users_with_the_same_name_get_a_number)
{
    join(0, "operator", "ann");
    add_token(1, "operator", 1, 60 * PX_SEC);
    client_connect(&clients[1]);
    send_enrol(&clients[1], 1, "ann");
    struct wire_message *m = client_wait(&clients[1], WIRE_ENROLLED);
    cr_expect_str_eq(m->u.enrolled.name, "ann2");
    wire_free(m);
}

Test(coordinator, a_stranger_may_only_enrol)
{
    struct client *c = &clients[0];
    client_connect(c);
    send_check(c, 3, "ssh://127.0.0.1", "");
    expect_error(c, 3, "not-authorised", "does not know this key (fingerprint ");
    cr_expect(loop_until(&c->ended));
}

Test(coordinator, a_stranger_has_one_message)
{
    struct client *c = &clients[0];
    client_connect(c);
    send_enrol(c, 77, "x");
    send_enrol(c, 78, "x");
    cr_expect(loop_until(&c->ended));
}

Test(coordinator, a_lost_answer_to_enrol_can_be_had_again)
{
    struct client *c = join(0, "node", "fra1");
    send_enrol(c, 200, "other");
    struct wire_message *m = client_wait(c, WIRE_ENROLLED);
    cr_expect_str_eq(m->u.enrolled.name, "fra1");
    wire_free(m);
}

Test(coordinator, newest_session_of_a_node_wins)
{
    struct client *old = join(0, "node", "fra1");
    struct client *young = &clients[1];
    young->keys = old->keys;
    strcpy(young->name, "fra1");
    client_connect(young);
    send_hello(young);
    wire_free(client_wait(young, WIRE_WELCOME));
    cr_expect(loop_until(&old->ended));
    young->answers = true;
    young->stage = PX_STAGE_KEX;
    young->code = PX_CODE_OK;
    struct client *user = join(2, "operator", "ann");
    send_check(user, 1, "ssh://127.0.0.1", "");
    struct px_report r;
    wait_final(user, &r);
    cr_expect_eq(r.observation_count, 1);
    px_report_clear(&r);
}

/* ---- checks ---- */

Test(coordinator, all_ok_is_answered_at_once)
{
    join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    join_node(1, "hel1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(2, "operator", "ann");
    px_mono before = px_mono_now();
    send_check(user, 42, "127.0.0.1:2222", "all");
    struct wire_message *m = client_wait(user, WIRE_PROGRESS);
    cr_expect_eq(m->request, 42);
    wire_free(m);
    struct px_report r;
    wait_final(user, &r);
    cr_expect_lt(px_mono_now() - before, 300 * PX_MS);
    cr_expect_str_eq(r.target.url, "ssh://127.0.0.1:2222");
    cr_expect_eq(r.verdict.status, PX_STATUS_REACHABLE);
    cr_expect_eq(r.vantage_count, 2);
    cr_expect_eq(r.observation_count, 2);
    cr_expect_eq(r.rounds, 1);
    cr_expect_eq(clients[0].last_job.depth, PX_STAGE_KEX);
    px_report_clear(&r);
}

Test(coordinator, refused_is_streamed_and_confirmed)
{
    join_node(0, "fra1", PX_STAGE_TCP, PX_CODE_REFUSED);
    join_node(1, "hel1", PX_STAGE_TCP, PX_CODE_REFUSED);
    struct client *user = join(2, "operator", "ann");
    px_mono before = px_mono_now();
    struct px_report r;
    char id[PX_ID_TEXT];
    send_check(user, 42, "ssh://127.0.0.1", "");
    cr_expect_not(wait_document(user, &r, id), "the first look is not the last word");
    cr_expect_lt(px_mono_now() - before, 300 * PX_MS);
    cr_expect_eq(r.observation_count, 2);
    cr_expect_eq(r.verdict.status, PX_STATUS_UNREACHABLE);
    px_report_clear(&r);
    cr_expect(wait_document(user, &r, id));
    cr_expect_lt(px_mono_now() - before, 1600 * PX_MS);
    cr_expect_eq(r.rounds, 2);
    cr_expect_eq(r.observation_count, 4);
    px_report_clear(&r);
}

Test(coordinator, who_watches_sees_the_run_before_there_is_a_verdict)
{
    struct client *node = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(1, "operator", "ann");
    struct px_report r;
    char id[PX_ID_TEXT];
    node->answers = false;
    struct wire_message *m = wire_new(WIRE_CHECK);
    strcpy(m->u.check.target, "ssh://127.0.0.1");
    m->u.check.watch = true;
    client_send(user, m);
    cr_expect_not(wait_document(user, &r, id));
    cr_expect_eq(r.vantage_count, 1);
    cr_expect_eq(r.observation_count, 0);
    cr_expect_eq(judged, 0, "nothing was judged for it");
    px_report_clear(&r);
    while (node->jobs == 0)
        event_base_loop(base, EVLOOP_ONCE);
    client_answer(node, &node->last_job);
    wait_final(user, &r);
    cr_expect_eq(r.observation_count, 1);
    px_report_clear(&r);
}

Test(coordinator, here_takes_part_on_the_same_session)
{
    join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(1, "operator", "ann");
    user->answers = true;
    user->stage = PX_STAGE_KEX;
    user->code = PX_CODE_OK;
    struct wire_message *m = wire_new(WIRE_CHECK);
    strcpy(m->u.check.target, "ssh://127.0.0.1");
    m->u.check.here = true;
    client_send(user, m);
    struct px_report r;
    wait_final(user, &r);
    cr_assert_eq(r.vantage_count, 2);
    cr_expect_str_eq(r.vantages[0].name, "here");
    cr_expect_str_eq(r.vantages[1].name, "fra1");
    cr_expect_eq(r.observation_count, 2);
    cr_expect_eq(user->jobs, 1);
    px_report_clear(&r);
}

Test(coordinator, here_alone_when_the_mesh_is_empty)
{
    struct client *user = join(1, "operator", "ann");
    user->answers = true;
    user->stage = PX_STAGE_KEX;
    user->code = PX_CODE_OK;
    struct wire_message *m = wire_new(WIRE_CHECK);
    strcpy(m->u.check.target, "ssh://127.0.0.1");
    m->u.check.here = true;
    client_send(user, m);
    struct px_report r;
    wait_final(user, &r);
    cr_expect_eq(r.vantage_count, 1);
    px_report_clear(&r);
}

Test(coordinator, bad_questions_get_exact_answers)
{
    join(0, "node", "fra1");
    struct client *user = join(1, "operator", "ann");
    static const struct {
        const char *target, *from, *code, *text;
        enum px_stage depth;
    } cases[] = {
        {"127.0.0.1", "fra-1", "no-such-vantage", "did you mean \"fra1\"?", 0},
        {"127.0.0.1", "fra-1", "no-such-vantage", "known: fra1; tags: eu", 0},
        {"127.0.0.1", "tag:apq", "empty-selector", "tags in use: eu", 0},
        {"127.0.0.1:99999", "", "bad-port", "99999", 0},
        {"ssh//b", "", "bad-target", "ssh://b", 0},
        {"127.0.0.1", "", "unsupported-depth", "kex", PX_STAGE_AUTH},
        {"icmp://127.0.0.1", "", "unsupported-scheme", "icmp", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire_message *m = wire_new(WIRE_CHECK);
        m->request = i + 10;
        strcpy(m->u.check.target, cases[i].target);
        strcpy(m->u.check.from, cases[i].from);
        m->u.check.depth = cases[i].depth;
        client_send(user, m);
        expect_error(user, i + 10, cases[i].code, cases[i].text);
    }
    cr_expect_eq(clients[0].jobs, 0, "nothing was probed");
}

Test(coordinator, viewers_look_and_nodes_do_not_ask)
{
    struct client *node = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *viewer = join(1, "viewer", "eve");
    send_check(viewer, 1, "ssh://127.0.0.1", "");
    expect_error(viewer, 1, "not-allowed",
                 "your key may read results but not start probes (role viewer)");
    send_check(node, 2, "ssh://127.0.0.1", "");
    expect_error(node, 2, "unexpected-message", "role");
    cr_expect_eq(node->jobs, 0);
}

Test(coordinator, hello_comes_first)
{
    struct client *user = join(0, "operator", "ann");
    client_close(user);
    client_connect(user);
    send_check(user, 1, "ssh://127.0.0.1", "");
    expect_error(user, 1, "unexpected-message", "hello");
}

Test(coordinator, https_is_checked_to_tcp_and_says_so)
{
    join_node(0, "fra1", PX_STAGE_TCP, PX_CODE_OK);
    struct client *user = join(1, "operator", "ann");
    send_check(user, 1, "https://127.0.0.1/", "");
    struct px_report r;
    wait_final(user, &r);
    cr_assert_eq(r.notes.n, 1);
    cr_expect(strstr(r.notes.v[0], "not checked yet"));
    cr_expect_eq(r.depth, PX_STAGE_TCP);
    px_report_clear(&r);
}

Test(coordinator, the_same_question_again_is_marked)
{
    struct client *node = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(1, "operator", "ann");
    struct px_report first, again;
    send_check(user, 1, "ssh://127.0.0.1", "");
    wait_final(user, &first);
    send_check(user, 2, "ssh://127.0.0.1", "fra1");
    wait_final(user, &again);
    cr_expect_eq(node->jobs, 1);
    cr_expect_str_eq(again.id, first.id);
    cr_expect_not(first.observations[0].reused);
    cr_expect(again.observations[0].reused);
    cr_assert_eq(again.notes.n, 1);
    cr_expect(strstr(again.notes.v[0], "; --fresh probes again"), "%s", again.notes.v[0]);
    px_report_clear(&again);

    struct wire_message *m = wire_new(WIRE_CHECK);
    strcpy(m->u.check.target, "ssh://127.0.0.1");
    m->u.check.fresh = true;
    client_send(user, m);
    wait_final(user, &again);
    cr_expect_eq(node->jobs, 2);
    cr_expect_str_neq(again.id, first.id);
    px_report_clear(&again);

    send_check(user, 3, "ssh://127.0.0.1:23", "");
    wait_final(user, &again);
    cr_expect_eq(node->jobs, 3, "another port is another question");
    px_report_clear(&again);
    px_report_clear(&first);
}

Test(coordinator, a_killed_node_is_away_at_once)
{
    struct client *node = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    join_node(1, "hel1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(2, "operator", "ann");
    node->answers = false;
    send_check(user, 1, "ssh://127.0.0.1", "");
    while (node->jobs == 0)
        event_base_loop(base, EVLOOP_ONCE);
    px_mono before = px_mono_now();
    client_close(node);
    struct px_report r;
    wait_final(user, &r);
    cr_expect_lt(px_mono_now() - before, PX_SEC);
    cr_expect_eq(r.vantages[0].presence, PX_AWAY);
    cr_expect_eq(r.vantages[1].presence, PX_PRESENT);
    cr_expect_eq(r.observation_count, 1);
    px_report_clear(&r);
}

Test(coordinator, nobody_there_is_inconclusive_at_once)
{
    struct client *node = join(0, "node", "fra1");
    struct client *user = join(1, "operator", "ann");
    client_close(node);
    struct px_report r;
    send_check(user, 1, "ssh://127.0.0.1", "fra1");
    wait_final(user, &r);
    cr_expect_eq(r.verdict.status, PX_STATUS_INCONCLUSIVE);
    cr_expect_eq(r.vantages[0].presence, PX_AWAY);
    cr_expect_neq(r.vantages[0].last_seen, 0);
    px_report_clear(&r);
}

Test(coordinator, observations_of_others_do_not_count)
{
    struct client *node = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *liar = join_node(1, "hel1", PX_STAGE_TCP, PX_CODE_REFUSED);
    struct client *user = join(2, "operator", "ann");
    node->answers = false;
    send_check(user, 1, "ssh://127.0.0.1", "fra1");
    while (node->jobs == 0)
        event_base_loop(base, EVLOOP_ONCE);
    client_answer(liar, &node->last_job);
    send_enrol(liar, 1, "sync"); /* its answer shows that the lie has been read */
    wire_free(client_wait(liar, WIRE_ENROLLED));
    client_answer(node, &node->last_job);
    struct px_report r;
    wait_final(user, &r);
    cr_assert_eq(r.observation_count, 1);
    cr_expect_eq(r.observations[0].code, PX_CODE_OK);
    px_report_clear(&r);
}

Test(coordinator, a_clock_that_is_off_is_corrected)
{
    struct client *node = &clients[0];
    join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    client_close(node);
    node->clock_error = -74 * PX_SEC;
    strcpy(node->name, "fra1");
    client_connect(node);
    node->answers = true;
    node->stage = PX_STAGE_KEX;
    node->code = PX_CODE_OK;
    send_hello(node);
    wire_free(client_wait(node, WIRE_WELCOME));
    struct client *user = join(1, "operator", "ann");
    px_wall before = px_wall_now();
    send_check(user, 1, "ssh://127.0.0.1", "");
    struct px_report r;
    wait_final(user, &r);
    cr_expect_geq(r.observations[0].started, before - 5 * PX_MS);
    cr_expect_leq(r.observations[0].started, px_wall_now());
    px_report_clear(&r);
}

Test(coordinator, stop_ends_the_run_without_a_verdict)
{
    struct client *node = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    join_node(1, "hel1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(2, "operator", "ann");
    node->answers = false;
    send_check(user, 9, "ssh://127.0.0.1", "");
    while (node->jobs == 0)
        event_base_loop(base, EVLOOP_ONCE);
    struct wire_message *m = wire_new(WIRE_STOP);
    m->request = 9;
    client_send(user, m);
    struct px_report r;
    wait_final(user, &r);
    cr_expect_not(r.finished);
    px_report_clear(&r);
    while (node->cancels == 0)
        event_base_loop(base, EVLOOP_ONCE);
    m = wire_new(WIRE_STOP);
    m->request = 9;
    client_send(user, m);
    expect_error(user, 9, "no-such-run", "not under way");
}

Test(coordinator, an_asker_that_leaves_takes_its_run_along)
{
    struct client *node = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(1, "operator", "ann");
    node->answers = false;
    send_check(user, 9, "ssh://127.0.0.1", "");
    while (node->jobs == 0)
        event_base_loop(base, EVLOOP_ONCE);
    client_close(user);
    px_mono end = px_mono_now() + WAIT_MS * PX_MS;
    while (node->cancels == 0 && px_mono_now() < end)
        event_base_loop(base, EVLOOP_ONCE);
    cr_expect_eq(node->cancels, 1);
}

Test(coordinator, more_runs_than_it_takes_are_refused)
{
    coordinator_close(coordinator);
    open_coordinator(2, 0, 0);
    struct client *node = join(0, "node", "fra1");
    struct client *user = join(1, "operator", "ann");
    send_check(user, 1, "tcp://127.0.0.1:1", "");
    send_check(user, 2, "tcp://127.0.0.1:2", "");
    send_check(user, 3, "tcp://127.0.0.1:3", "");
    expect_error(user, 3, "busy", "2 runs are under way");
    while (node->jobs < 2)
        event_base_loop(base, EVLOOP_ONCE);
}

static size_t handshakes_open(void)
{
    size_t n = 0;
    for (size_t i = 0; i < 4; i++)
        n += clients[i].held_count;
    return n;
}

/* One handshake of any node ends. */
static void handshake_close(void)
{
    for (size_t i = 0; i < 4; i++)
        if (clients[i].held_count > 0) {
            client_answer(&clients[i], &clients[i].held[--clients[i].held_count]);
            return;
        }
}

Test(coordinator, runs_at_one_target_share_its_handshake_places)
{
    static const char *const names[] = {"fra1", "hel1", "iad1", "sfo1"};
    for (size_t i = 0; i < 4; i++)
        join_node(i, names[i], PX_STAGE_KEX, PX_CODE_OK)->holds = true;
    struct client *ann = join(4, "operator", "ann"), *bob = join(5, "operator", "bob");
    send_check(ann, 1, "ssh://127.0.0.1", "");
    send_check(bob, 1, "ssh://127.0.0.1", "");
    while (handshakes_open() < PLAN_HANDSHAKES_MAX)
        event_base_loop(base, EVLOOP_ONCE);
    size_t closed = 0, finals = 0;
    px_mono end = px_mono_now() + WAIT_MS * PX_MS;
    while (finals < 2 && px_mono_now() < end) {
        cr_assert_leq(handshakes_open(), PLAN_HANDSHAKES_MAX);
        if (handshakes_open() == PLAN_HANDSHAKES_MAX || closed > 3) {
            closed += handshakes_open() > 0;
            handshake_close();
        }
        event_base_loop(base, EVLOOP_ONCE);
        finals = 0;
        for (size_t u = 4; u < 6; u++)
            for (size_t i = clients[u].taken; i < clients[u].count; i++)
                finals += clients[u].inbox[i]->kind == WIRE_DOCUMENT &&
                          clients[u].inbox[i]->u.document.final;
    }
    cr_expect_eq(finals, 2, "none waits for ever");
    cr_expect_eq(closed, 8, "everyone shook hands for both: %zu, finals %zu", closed, finals);
}

Test(coordinator, one_key_may_not_take_all_places)
{
    coordinator_close(coordinator);
    open_coordinator(0, 1, 0);
    struct client *node = join(0, "node", "fra1");
    struct client *ann = join(1, "operator", "ann");
    struct client *bob = join(2, "operator", "bob");
    send_check(ann, 1, "tcp://127.0.0.1:1", "");
    send_check(ann, 2, "tcp://127.0.0.1:2", "");
    expect_error(ann, 2, "busy", "1 of your runs");
    send_check(bob, 1, "tcp://127.0.0.1:3", "");
    while (node->jobs < 2)
        event_base_loop(base, EVLOOP_ONCE);
}

Test(coordinator, strangers_beyond_the_limit_stay_outside)
{
    coordinator_close(coordinator);
    open_coordinator(0, 0, 2);
    for (size_t i = 0; i < 2; i++) {
        client_connect(&clients[i]);
        send_enrol(&clients[i], 99, "x");
        expect_error(&clients[i], 5, "bad-token", "");
    }
    static const struct link_session_events events = {client_on_open, client_on_message,
                                                      client_on_end};
    struct px_err err = {0};
    struct client *c = &clients[2];
    key_generate(&c->keys);
    c->session = link_session_open(base, "127.0.0.1", port, server_key, &c->keys, &events, c, &err);
    cr_assert(loop_until(&c->ended));
    cr_expect_not(c->open);
    cr_expect_eq(c->why, LINK_NOT_AUTHORISED);
}

Test(coordinator, a_stranger_is_brief)
{
    static const uint8_t long_story[WIRE_MESSAGE_PENDING_MAX + 1];
    client_connect(&clients[0]);
    cr_assert_eq(link_session_send(clients[0].session, long_story, sizeof long_story), 0);
    cr_expect(loop_until(&clients[0].ended));
    cr_expect_eq(clients[0].count, 0, "no answer to that");
}

Test(coordinator, runs_outlive_the_coordinator)
{
    join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(1, "operator", "ann");
    struct px_report r, again;
    send_check(user, 1, "ssh://127.0.0.1", "");
    wait_final(user, &r);
    for (int life = 0; life < 2; life++) {
        struct wire_message *m = wire_new(WIRE_SHOW);
        snprintf(m->u.show.run_id, sizeof m->u.show.run_id, "%.10s", r.id);
        client_send(user, m);
        wait_final(user, &again);
        cr_expect_str_eq(again.id, r.id);
        cr_expect_eq(again.observation_count, r.observation_count);
        px_report_clear(&again);
        if (life > 0)
            break;
        coordinator_close(coordinator);
        open_coordinator(0, 0, 0);
        cr_assert(loop_until(&user->ended));
        client_close(user);
        client_connect(user);
        send_hello(user);
        wire_free(client_wait(user, WIRE_WELCOME));
    }
    struct wire_message *m = wire_new(WIRE_SHOW);
    m->request = 8;
    strcpy(m->u.show.run_id, "01AAAAAAAAAAAA");
    client_send(user, m);
    expect_error(user, 8, "no-such-run", "01AAAAAAAAAAAA");
    px_report_clear(&r);
}

Test(coordinator, nonsense_is_answered_and_ends)
{
    struct client *user = join(0, "operator", "ann");
    for (unsigned i = 0; i < COORDINATOR_BAD_MAX; i++) {
        cr_assert_eq(link_session_send(user->session, (const uint8_t *)"\xff\xff\xff", 3), 0);
        expect_error(user, 0, "bad-message", "");
    }
    cr_expect(loop_until(&user->ended));
}

/* One message of each kind a peer may send, filled with something. */
static uint8_t *any_message(unsigned n, size_t *size)
{
    static const enum wire_kind kinds[] = {WIRE_HELLO, WIRE_PING,       WIRE_PONG, WIRE_OBSERVATION,
                                           WIRE_CHECK, WIRE_LIST_NODES, WIRE_SHOW, WIRE_STOP,
                                           WIRE_ENROL, WIRE_JOB,        WIRE_ERROR};
    struct px_err err = {0};
    struct wire_message *m = wire_new(kinds[n % (sizeof kinds / sizeof *kinds)]);
    if (m->kind == WIRE_CHECK) {
        strcpy(m->u.check.target, "tcp://127.0.0.1:1");
        strcpy(m->u.check.from, "tag:eu,!fra1");
    } else if (m->kind == WIRE_SHOW) {
        strcpy(m->u.show.run_id, "01JD3KQ8M2");
    } else if (m->kind == WIRE_OBSERVATION) {
        strcpy(m->u.observation.run_id, "01JD3KQ8M2");
        strcpy(m->u.observation.banner, "SSH-2.0-x");
    } else if (m->kind == WIRE_HELLO) {
        strcpy(m->u.hello.labels[0].key, "eu");
        m->u.hello.label_count = 1;
    }
    uint8_t *bytes = wire_encode(m, size, &err);
    cr_assert(bytes, "%s", err.message);
    wire_free(m);
    return bytes;
}

/* Kicked as often as it takes, it comes back and goes on; the coordinator serves others all along.
 */
Test(coordinator, mutated_messages_harm_nobody)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    join_node(0, "fra1", PX_STAGE_TCP, PX_CODE_OK);
    struct client *bad = join(1, "operator", "eve");
    for (unsigned i = 0; i < 1500; i++) {
        size_t size;
        uint8_t *bytes = any_message(i, &size);
        for (unsigned k = 0; size > 0 && k <= i % 4; k++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            bytes[random % size] ^= (uint8_t)(1u << (random >> 32) % 8);
        }
        if (bad->ended || link_session_send(bad->session, bytes, size) != 0) {
            client_close(bad);
            client_connect(bad);
            send_hello(bad);
        }
        free(bytes);
        bad->deaf = true;
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    struct client *user = join(2, "operator", "ann");
    struct px_report r;
    send_check(user, 1, "tcp://127.0.0.1:99", "");
    wait_final(user, &r);
    cr_expect_eq(r.verdict.status, PX_STATUS_REACHABLE);
    px_report_clear(&r);
}

static bool stopped;

static void on_stopped(void *arg)
{
    (void)arg;
    stopped = true;
}

Test(coordinator, an_orderly_stop_is_told)
{
    struct client *node = join(0, "node", "fra1");
    struct client *user = join(1, "operator", "ann");
    send_check(user, 4, "ssh://127.0.0.1", "");
    while (node->jobs == 0)
        event_base_loop(base, EVLOOP_ONCE);
    coordinator_stop(coordinator, on_stopped, NULL);
    expect_error(user, 4, "stopping", "being stopped");
    wire_free(client_wait(node, WIRE_GOODBYE));
    cr_expect(loop_until(&stopped));
}

Test(coordinator, one_per_folder)
{
    struct px_err err = {0};
    struct coordinator_options o = {.folder = folder, .listen = "tcp://127.0.0.1:0"};
    cr_expect_null(coordinator_open(base, &o, &err));
    cr_expect_str_eq(err.code, "state-in-use");
}

Test(coordinator, hundred_questions_at_once)
{
    struct client *a = join_node(0, "fra1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *b = join_node(1, "hel1", PX_STAGE_KEX, PX_CODE_OK);
    struct client *user = join(2, "operator", "ann");
    char target[64];
    bool seen[101] = {false};
    for (int i = 1; i <= 100; i++) {
        snprintf(target, sizeof target, "tcp://127.0.0.1:%d", i);
        send_check(user, (uint64_t)i, target, "");
    }
    for (int done = 0; done < 100;) {
        struct wire_message *m = client_wait(user, WIRE_DOCUMENT);
        if (m->u.document.last && m->u.document.final) {
            cr_assert(m->request >= 1 && m->request <= 100 && !seen[m->request]);
            seen[m->request] = true;
            done++;
        }
        wire_free(m);
    }
    cr_expect_eq(a->jobs, 100);
    cr_expect_eq(b->jobs, 100);
}

/* ---- pure parts ---- */

Test(sessions, end_when_it_is_time)
{
    struct node node = {.role = TOKEN_NODE}, user = {.role = TOKEN_OPERATOR};
    struct session s = {.opened = PX_SEC, .heard = PX_SEC};
    cr_expect_null(nodes_session_overdue(&s, PX_SEC + LINK_ENROL_MS * PX_MS));
    cr_expect(nodes_session_overdue(&s, PX_SEC + LINK_ENROL_MS * PX_MS + 1), "did not enrol");
    s.who = &node;
    cr_expect_null(nodes_session_overdue(&s, PX_SEC + LINK_DEAD_MS * PX_MS));
    cr_expect(nodes_session_overdue(&s, PX_SEC + (LINK_DEAD_MS + 1) * PX_MS), "silent node");
    s.who = &user;
    cr_expect_null(nodes_session_overdue(&s, PX_SEC + NODES_IDLE_MS * PX_MS));
    cr_expect(nodes_session_overdue(&s, PX_SEC + (NODES_IDLE_MS + 1) * PX_MS), "idle user");
    s.kick_at = 2 * PX_SEC;
    cr_expect_null(nodes_session_overdue(&s, 2 * PX_SEC - 1));
    cr_expect(nodes_session_overdue(&s, 2 * PX_SEC), "had its answer");
}

Test(sessions, clocks_are_measured_and_claims_are_second_best)
{
    struct session s = {.rtt = -1};
    nodes_on_ping(&s, 5 * PX_SEC);
    cr_expect(s.clock_known);
    cr_expect_eq(s.clock_offset, 5 * PX_SEC);
    s.ping_sent = 100 * PX_SEC;
    s.ping_at = PX_SEC;
    nodes_on_pong(&s, 99 * PX_SEC, 0, PX_SEC + 10 * PX_MS);
    cr_expect_eq(s.rtt, -1, "not the answer to our ping");
    nodes_on_pong(&s, 100 * PX_SEC, 174 * PX_SEC + 5 * PX_MS, PX_SEC + 10 * PX_MS);
    cr_expect_eq(s.rtt, 10 * PX_MS);
    cr_expect_eq(s.clock_offset, -74 * PX_SEC);
    nodes_on_ping(&s, 5 * PX_SEC);
    cr_expect_eq(s.clock_offset, -74 * PX_SEC, "measured is better than claimed");
    s.ping_sent = 200 * PX_SEC;
    s.ping_at = 2 * PX_SEC;
    nodes_on_pong(&s, 200 * PX_SEC, 0, 3 * PX_SEC);
    cr_expect_eq(s.clock_offset, -74 * PX_SEC, "a slow answer tells little of the clock");
}

Test(recent, keeps_few_and_not_for_long)
{
    char id[PX_ID_TEXT], key[32];
    int64_t age = 0;
    struct recent *r = recent_new(3, 10 * PX_SEC);
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "key%d", i);
        snprintf(id, sizeof id, "01RUN%05d", i);
        recent_add(r, key, id, key, i * PX_SEC);
    }
    cr_expect_null(recent_find_key(r, "key1", 5 * PX_SEC, &age), "the oldest went");
    cr_expect_str_eq(recent_find_key(r, "key2", 5 * PX_SEC, &age), "key2");
    cr_expect_eq(age, 3 * PX_SEC);
    cr_expect_str_eq(recent_find_key(r, "key2", 12 * PX_SEC, &age), "key2");
    cr_expect_null(recent_find_key(r, "key2", 12 * PX_SEC + 1, &age));
    cr_expect_str_eq(recent_find_id(r, "01RUN00003", id), "key3");
    cr_expect_str_eq(id, "01RUN00003");
    cr_expect_null(recent_find_id(r, "01RUN0", id), "several begin so");
    cr_expect_null(recent_find_id(r, "", id));
    recent_add(r, "key4", "01NEW00000", "new", 6 * PX_SEC);
    cr_expect_str_eq(recent_find_key(r, "key4", 7 * PX_SEC, &age), "new");
    recent_free(r);
}

Test(ingest, time_is_ours_and_possible)
{
    struct session node = {.clock_known = true, .clock_offset = -74 * PX_SEC};
    cr_expect_eq(ingest_correct(1074 * PX_SEC, &node, 900 * PX_SEC, 1100 * PX_SEC), 1000 * PX_SEC);
    cr_expect_eq(ingest_correct(900 * PX_SEC, &node, 900 * PX_SEC, 1100 * PX_SEC), 900 * PX_SEC);
    cr_expect_eq(ingest_correct(5000 * PX_SEC, &node, 900 * PX_SEC, 1100 * PX_SEC), 1100 * PX_SEC);
    node.clock_known = false;
    cr_expect_eq(ingest_correct(1000 * PX_SEC, &node, 900 * PX_SEC, 1100 * PX_SEC), 1000 * PX_SEC);
}
