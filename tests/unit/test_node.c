/* SPDX-License-Identifier: MIT */
/*
 * The node against a scripted coordinator on loopback: joining, greeting, jobs, losing and finding
 * the coordinator again. Link, wire, prober and files are the real ones.
 */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "probe-node/home.h"
#include "probe-node/node.h"
#include "proto/limits.h"
#include "proto/link.h"
#include "proto/wire.h"

#define WAIT_FOR(seconds, condition)                                                               \
    do {                                                                                           \
        px_mono wait_until_ = px_mono_now() + (px_mono)((seconds)*1e9);                            \
        while (!(condition) && px_mono_now() < wait_until_)                                        \
            event_base_loop(base, EVLOOP_ONCE);                                                    \
        cr_assert(condition, "not within %s s: %s", #seconds, #condition);                         \
    } while (0)

static struct event_base *base;
static struct event *heartbeat;
static char dir[64];
static struct settings settings;
static struct node *node;
static enum node_end ended_how;
static struct px_err ended_why;
static unsigned ended;

/* ---- the scripted coordinator ---- */

static struct {
    struct link_server *server;
    struct key_pair keys;
    uint8_t known[KEY_BYTES]; /* the key that was let in */
    bool has_known, silent, refuse_keys;
    const char *refuse_code; /* answer to enrol; NULL = welcome */
    const char *enrolled_name;
    link_peer peer;
    unsigned enrols, hellos, pings, observations, goodbyes, gone;
    struct wire_enrol enrol;
    struct wire_hello hello;
    struct px_observation observation;
    int64_t clock_offset;
    int64_t clock_wrong; /* what our pongs are off by */
} c;

static void post(link_peer peer, struct wire_message *m)
{
    size_t size;
    struct px_err err = {"", "", ""};
    uint8_t *bytes = wire_encode(m, &size, &err);
    cr_assert_not_null(bytes, "%s", err.message);
    link_server_send(c.server, peer, bytes, size);
    free(bytes);
    wire_free(m);
}

static void answer_enrol(link_peer peer, const uint8_t *key, const struct wire_message *m)
{
    struct wire_message *reply = wire_new(c.refuse_code ? WIRE_ERROR : WIRE_ENROLLED);
    c.enrols++;
    c.enrol = m->u.enrol;
    if (c.refuse_code) {
        px_err_set(&reply->u.error, c.refuse_code, "this token ended 3h ago");
        px_err_hint(&reply->u.error, "make a new one");
    } else {
        snprintf(reply->u.enrolled.name, sizeof(reply->u.enrolled.name), "%s",
                 c.enrolled_name ? c.enrolled_name : m->u.enrol.name);
        memcpy(c.known, key, KEY_BYTES);
        c.has_known = true;
    }
    post(peer, reply);
    link_server_finish(c.server, peer, 300);
}

static void answer_hello(link_peer peer, const struct wire_message *m)
{
    struct wire_message *reply = wire_new(WIRE_WELCOME);
    c.hellos++;
    c.hello = m->u.hello;
    c.peer = peer;
    snprintf(reply->u.welcome.name, sizeof(reply->u.welcome.name), "fra1");
    if (c.silent)
        wire_free(reply);
    else
        post(peer, reply);
}

static void answer_ping(link_peer peer, const struct wire_message *m)
{
    struct wire_message *reply = wire_new(WIRE_PONG);
    c.pings++;
    c.clock_offset = m->u.ping.clock_offset;
    reply->u.pong.sent = m->u.ping.sent;
    reply->u.pong.now = px_wall_now() + c.clock_wrong;
    post(peer, reply);
}

static bool on_key(void *arg, const uint8_t *key, char *user_id, size_t size)
{
    (void)arg;
    bool known = c.has_known && memcmp(key, c.known, KEY_BYTES) == 0;
    snprintf(user_id, size, known ? "n:1" : "p:stranger");
    return !c.refuse_keys;
}

static void on_message(void *arg, link_peer peer, const char *user_id, const uint8_t *key,
                       const struct px_addr *from, const uint8_t *bytes, size_t size)
{
    struct px_err err = {"", "", ""};
    struct wire_message *m = wire_decode(bytes, size, &err);
    (void)arg;
    (void)from;
    cr_assert_not_null(m, "%s", err.message);
    if (m->kind == WIRE_ENROL)
        answer_enrol(peer, key, m);
    else if (m->kind == WIRE_HELLO && user_id[0] == 'n')
        answer_hello(peer, m);
    else if (m->kind == WIRE_PING)
        answer_ping(peer, m);
    else if (m->kind == WIRE_GOODBYE)
        c.goodbyes++;
    else if (m->kind == WIRE_OBSERVATION) {
        c.observations++;
        c.observation = m->u.observation;
    }
    wire_free(m);
}

static void on_gone(void *arg, link_peer peer)
{
    (void)arg;
    (void)peer;
    c.gone++;
}

static void coordinator_listen(const char *endpoint)
{
    static const struct link_server_events events = {on_key, on_message, on_gone};
    struct px_err err = {"", "", ""};
    c.server = link_server_open(base, endpoint, &c.keys, &events, NULL, &err);
    cr_assert_not_null(c.server, "%s", err.message);
}

static void coordinator_stop(void)
{
    link_server_close(c.server);
    c.server = NULL;
}

/* ---- the rig ---- */

static void on_end(void *arg, enum node_end end, const struct px_err *err)
{
    (void)arg;
    ended++;
    ended_how = end;
    if (err)
        ended_why = *err;
}

static void on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static void setup(void)
{
    struct timeval often = {0, 5000};
    snprintf(dir, sizeof(dir), "/tmp/parallax-node-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    px_log_set_level(PX_LOG_ERROR);
    base = event_base_new();
    heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, NULL);
    event_add(heartbeat, &often);
    key_generate(&c.keys);
    coordinator_listen("tcp://127.0.0.1:0");
    settings_init(&settings);
    settings.state = dir;
    snprintf(settings.name, sizeof(settings.name), "fra1");
    cr_assert_eq(settings_add_label(&settings, "asn=64496", NULL), 0);
    settings.has_token = true;
    settings.token = (struct token){.role = TOKEN_NODE, .host = "127.0.0.1"};
    settings.token.port = (uint16_t)atoi(strrchr(link_server_endpoint(c.server), ':') + 1);
    memcpy(settings.token.server_key, c.keys.public_key, KEY_BYTES);
    memset(settings.token.secret, 7, TOKEN_SECRET);
}

static void teardown(void)
{
    char command[128];
    node_close(node);
    coordinator_stop();
    event_free(heartbeat);
    event_base_free(base);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(node, .init = setup, .fini = teardown, .timeout = 60);

static void start(bool join_only)
{
    struct node_events events = {on_end, NULL};
    struct px_err err = {"", "", ""};
    node = node_open(base, &settings, join_only, &events, &err);
    cr_assert_not_null(node, "%s", err.message);
}

static void start_and_serve(void)
{
    start(false);
    WAIT_FOR(10, c.pings > 0);
}

static void post_job(uint64_t id, const char *target, uint32_t timeout_ms)
{
    struct wire_message *m = wire_new(WIRE_JOB);
    struct px_job *j = &m->u.job;
    j->id = id;
    snprintf(j->run_id, sizeof(j->run_id), "RUN1");
    cr_assert_eq(px_target_parse(target, &j->target, NULL), 0);
    j->depth = PX_STAGE_TCP;
    j->round = 1;
    j->timeout_ms = timeout_ms;
    j->ladder = true;
    post(c.peer, m);
}

/* ---- joining ---- */

Test(node, joins_once_then_greets_and_pings)
{
    start_and_serve();
    cr_assert_eq(c.enrols, 1);
    cr_assert_eq(c.hellos, 1);
    cr_assert_eq(c.enrol.secret[0], 7);
    cr_assert_str_eq(c.enrol.name, "fra1");
    cr_assert_str_eq(c.enrol.labels[0].key, "asn");
    cr_assert_str_eq(c.hello.name, "fra1");
    cr_assert_str_eq(c.hello.version, PARALLAX_VERSION);
    cr_assert_str_eq(c.hello.labels[0].value, "64496");
    cr_assert_str_eq(c.hello.can[0], "tcp");
    cr_assert_eq(ended, 0);
    node_close(node);
    settings.has_token = false; /* from now on the state directory is enough */
    start(false);
    WAIT_FOR(10, c.hellos == 2);
    cr_assert_eq(c.enrols, 1);
}

Test(node, join_only_ends_after_it_has_joined)
{
    c.enrolled_name = "fra1-2";
    start(true);
    WAIT_FOR(10, ended == 1);
    cr_assert_eq(ended_how, NODE_JOINED);
    cr_assert_eq(c.hellos, 0);
    struct membership mesh;
    cr_assert_eq(home_load(dir, &mesh, NULL), 1);
    cr_assert_str_eq(mesh.name, "fra1-2", "the coordinator's word counts");
    cr_assert_eq(mesh.port, settings.token.port);
}

Test(node, a_refused_token_ends_it_with_the_words_of_the_coordinator)
{
    c.refuse_code = "token-expired";
    start(false);
    WAIT_FOR(10, ended == 1);
    cr_assert_eq(ended_how, NODE_TURNED_AWAY);
    cr_assert_str_eq(ended_why.code, "token-expired");
    cr_assert_str_eq(ended_why.message, "this token ended 3h ago");
    cr_assert_str_eq(ended_why.hint, "make a new one");
    struct membership mesh;
    cr_assert_eq(home_load(dir, &mesh, NULL), 0, "it has not joined");
}

Test(node, a_join_by_hand_is_told_at_once_that_nobody_is_there)
{
    coordinator_stop();
    start(true);
    WAIT_FOR(5, ended == 1);
    cr_assert_eq(ended_how, NODE_TURNED_AWAY);
    cr_assert_not_null(strstr(ended_why.message, "connection refused"), "%s", ended_why.message);
    coordinator_listen("tcp://127.0.0.1:0");
}

Test(node, a_run_waits_for_a_coordinator_that_is_not_up_yet)
{
    char endpoint[128];
    snprintf(endpoint, sizeof(endpoint), "%s", link_server_endpoint(c.server));
    coordinator_stop();
    start(false);
    for (int i = 0; i < 100; i++)
        event_base_loop(base, EVLOOP_ONCE);
    cr_assert_eq(ended, 0);
    coordinator_listen(endpoint);
    WAIT_FOR(10, c.pings > 0);
}

Test(node, a_wrong_server_key_ends_the_first_join)
{
    settings.token.server_key[3] ^= 1;
    start(false);
    WAIT_FOR(10, ended == 1);
    cr_assert_eq(ended_how, NODE_TURNED_AWAY);
    cr_assert_not_null(strstr(ended_why.message, "holds another key than the token says"), "%s",
                       ended_why.message);
    cr_assert_eq(c.enrols, 0, "the secret was shown to a wrong server");
}

Test(node, without_token_and_membership_it_says_what_to_do)
{
    struct node_events events = {on_end, NULL};
    struct px_err err = {"", "", ""};
    settings.has_token = false;
    cr_assert_null(node_open(base, &settings, false, &events, &err));
    cr_assert_str_eq(err.code, "not-joined");
    cr_assert_not_null(strstr(err.hint, "--join TOKEN"));
}

Test(node, one_state_directory_is_for_one_node)
{
    struct node_events events = {on_end, NULL};
    struct px_err err = {"", "", ""};
    start_and_serve();
    cr_assert_null(node_open(base, &settings, false, &events, &err));
    cr_assert_str_eq(err.code, "state-in-use");
}

Test(node, a_damaged_state_is_told_and_not_overwritten)
{
    struct node_events events = {on_end, NULL};
    struct px_err err = {"", "", ""};
    char file[128];
    start_and_serve();
    node_close(node);
    node = NULL;
    snprintf(file, sizeof(file), "%s/mesh.yml", dir);
    FILE *f = fopen(file, "w");
    fputs("host: x\n", f);
    fclose(f);
    cr_assert_null(node_open(base, &settings, false, &events, &err));
    cr_assert_str_eq(err.code, "bad-state");
    cr_assert_not_null(strstr(err.message, file));
    unlink(file);
    snprintf(file, sizeof(file), "%s/budget", dir);
    f = fopen(file, "w");
    fputs("garbage\n", f);
    fclose(f);
    cr_assert_null(node_open(base, &settings, false, &events, &err));
    cr_assert_not_null(strstr(err.message, "budget"), "%s", err.message);
}

/* ---- jobs ---- */

Test(node, one_job_is_one_observation)
{
    char target[64];
    start_and_serve();
    snprintf(target, sizeof(target), "tcp://127.0.0.1:%u", settings.token.port);
    post_job(5, target, 5000);
    WAIT_FOR(10, c.observations == 1);
    cr_assert_eq(c.observation.job_id, 5);
    cr_assert_str_eq(c.observation.run_id, "RUN1");
    cr_assert_eq(c.observation.code, PX_CODE_OK);
    cr_assert_eq(c.observation.stage, PX_STAGE_TCP);
    for (int i = 0; i < 100; i++)
        event_base_loop(base, EVLOOP_ONCE);
    cr_assert_eq(c.observations, 1);
}

Test(node, what_a_job_has_spent_is_on_disk_at_once)
{
    char target[64], file[128];
    start_and_serve();
    snprintf(file, sizeof(file), "%s/budget", dir);
    cr_assert_neq(access(file, F_OK), 0);
    snprintf(target, sizeof(target), "tcp://127.0.0.1:%u", settings.token.port);
    post_job(5, target, 5000);
    WAIT_FOR(10, c.observations == 1);
    px_mono before = px_mono_now();
    WAIT_FOR(5, access(file, F_OK) == 0);
    cr_assert_lt(px_mono_now() - before, 500 * PX_MS);
}

Test(node, many_jobs_at_once_lose_no_observation)
{
    char target[64];
    start_and_serve();
    settings.budget.looks = 64;
    snprintf(target, sizeof(target), "tcp://127.0.0.1:%u", settings.token.port);
    for (uint64_t id = 1; id <= 300; id++)
        post_job(id, target, 5000);
    WAIT_FOR(20, c.observations == 300);
}

/* Accepts nobody and answers nothing: the accept queue is full. */
static uint16_t silent_port(int fds[16])
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof(sa);
    struct px_addr a;
    uint16_t port;
    cr_assert(px_addr_parse("127.0.0.1", &a));
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = px_addr_to_sockaddr(&a, 0, &sa);
    cr_assert_eq(bind(fds[0], (struct sockaddr *)&sa, length), 0);
    cr_assert_eq(listen(fds[0], 0), 0);
    getsockname(fds[0], (struct sockaddr *)&sa, &size);
    px_addr_from_sockaddr((struct sockaddr *)&sa, &a, &port);
    for (int i = 1; i < 16; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fds[i], (struct sockaddr *)&sa, size) != 0)
            continue;
    }
    return port;
}

Test(node, a_cancelled_job_ends_at_once_with_its_one_observation)
{
    int fds[16];
    char target[64];
    start_and_serve();
    snprintf(target, sizeof(target), "tcp://127.0.0.1:%u", silent_port(fds));
    post_job(9, target, 30000);
    post_job(9, target, 30000); /* said twice is still one job */
    struct wire_message *m = wire_new(WIRE_CANCEL);
    m->u.cancel.id = 9;
    snprintf(m->u.cancel.run_id, sizeof(m->u.cancel.run_id), "RUN1");
    post(c.peer, m);
    WAIT_FOR(5, c.observations == 1);
    cr_assert_eq(c.observation.code, PX_CODE_NOT_RUN);
    for (int i = 0; i < 50; i++)
        event_base_loop(base, EVLOOP_ONCE);
    cr_assert_eq(c.observations, 1);
    for (int i = 0; i < 16; i++)
        close(fds[i]);
}

Test(node, a_denied_target_gets_the_code_policy)
{
    char target[64];
    cr_assert(policy_rule_parse("127.0.0.0/8", false, &settings.policy.rules[0]));
    settings.policy.count = 1;
    start_and_serve();
    snprintf(target, sizeof(target), "tcp://127.0.0.1:%u", settings.token.port);
    post_job(3, target, 5000);
    WAIT_FOR(10, c.observations == 1);
    cr_assert_eq(c.observation.code, PX_CODE_POLICY);
}

Test(node, results_of_a_lost_session_go_nowhere)
{
    int fds[16];
    char target[64];
    start_and_serve();
    snprintf(target, sizeof(target), "tcp://127.0.0.1:%u", silent_port(fds));
    post_job(4, target, 30000);
    for (int i = 0; i < 10; i++)
        event_base_loop(base, EVLOOP_ONCE);
    link_server_kick(c.server, c.peer);
    WAIT_FOR(10, c.hellos == 2);
    unsigned pings = c.pings;
    WAIT_FOR(10, c.pings > pings);
    cr_assert_eq(c.observations, 0, "a result went to another session");
    for (int i = 0; i < 16; i++)
        close(fds[i]);
}

/* ---- sessions come and go ---- */

Test(node, a_lost_coordinator_is_found_again_without_joining)
{
    char endpoint[128];
    start_and_serve();
    snprintf(endpoint, sizeof(endpoint), "%s", link_server_endpoint(c.server));
    for (unsigned round = 2; round < 5; round++) {
        coordinator_stop();
        for (int i = 0; i < 20; i++)
            event_base_loop(base, EVLOOP_ONCE);
        coordinator_listen(endpoint);
        WAIT_FOR(10, c.hellos == round);
    }
    cr_assert_eq(c.enrols, 1);
    cr_assert_eq(ended, 0);
}

Test(node, goodbye_of_the_coordinator_is_followed)
{
    start_and_serve();
    struct wire_message *m = wire_new(WIRE_GOODBYE);
    snprintf(m->u.goodbye.reason, sizeof(m->u.goodbye.reason), "\x1b[31mbye");
    post(c.peer, m);
    WAIT_FOR(10, c.gone >= 1 && c.hellos == 2);
}

Test(node, a_coordinator_that_does_not_welcome_is_left)
{
    c.silent = true;
    start(false);
    WAIT_FOR(10, c.hellos == 1);
    c.silent = false;
    WAIT_FOR(20, c.hellos == 2);
}

Test(node, a_revoked_node_keeps_trying_slowly)
{
    start_and_serve();
    c.refuse_keys = true;
    link_server_kick(c.server, c.peer);
    WAIT_FOR(5, c.gone >= 1);
    for (int i = 0; i < 300; i++)
        event_base_loop(base, EVLOOP_ONCE);
    cr_assert_eq(ended, 0);
    c.refuse_keys = false; /* allowed again */
    WAIT_FOR(25, c.hellos == 2);
}

Test(node, garbage_from_the_coordinator_is_survived)
{
    char target[64];
    static const uint8_t garbage[] = {0xff, 0xff, 0x01, 0x02};
    start_and_serve();
    for (int i = 0; i < 50; i++)
        link_server_send(c.server, c.peer, garbage, sizeof(garbage));
    for (int kind = 0; kind < WIRE_KIND_COUNT; kind++) {
        if (kind != WIRE_GOODBYE && kind != WIRE_JOB)
            post(c.peer, wire_new((enum wire_kind)kind)); /* out of place, all of them */
    }
    snprintf(target, sizeof(target), "tcp://127.0.0.1:%u", settings.token.port);
    post_job(1, target, 5000);
    WAIT_FOR(10, c.observations == 1);
    cr_assert_eq(ended, 0);
    cr_assert_eq(c.hellos, 1);
}

Test(node, the_clock_of_the_coordinator_is_measured)
{
    c.clock_wrong = 74 * PX_SEC;
    start(false);
    WAIT_FOR(10, c.pings >= 2); /* the second one tells what the first has found */
    cr_assert_gt(c.clock_offset, 74 * PX_SEC - 500 * PX_MS);
    cr_assert_lt(c.clock_offset, 74 * PX_SEC + 500 * PX_MS);
}

Test(node, an_orderly_stop_says_goodbye)
{
    start_and_serve();
    node_close(node);
    node = NULL;
    WAIT_FOR(5, c.goodbyes == 1 && c.gone >= 1);
}
