/* SPDX-License-Identifier: MIT */
/*
 * Sessions between one server and many peers: nothing lost, nothing forged, everybody's end
 * noticed, objects closed wherever their owners like.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <zmq.h>

#include "link_rig.h"
#include "proto/link_internal.h"
#include "proto/link_scout.h"

static struct rig rig;

static void setup(void)
{
    rig_init(&rig);
    rig_listen(&rig, "tcp://127.0.0.1:0");
}

static void teardown(void)
{
    rig_clear(&rig);
}

TestSuite(link, .init = setup, .fini = teardown, .timeout = 60);

static int dial_send(struct dial *d, const char *text)
{
    return link_session_send(d->session, (const uint8_t *)text, strlen(text));
}

static int rig_send(link_peer peer, const char *text)
{
    return link_server_send(rig.server, peer, (const uint8_t *)text, strlen(text));
}

/* ---- there and back ---- */

Test(link, a_session_opens_and_carries_messages_with_identity)
{
    struct dial d = {0};
    char expected[128], fingerprint[KEY_FINGERPRINT_TEXT], from[PX_ADDR_TEXT];
    rig.echo = true;
    dial_open(&d, &rig);
    cr_assert_eq(dial_send(&d, "early"), -1, "not open yet");
    cr_assert_eq(d.opens, 0, "never from inside a call");
    WAIT_FOR(&rig, 5, d.opens == 1);
    cr_assert_eq(dial_send(&d, "hello"), 0);
    WAIT_FOR(&rig, 5, d.messages == 1);
    cr_assert_eq(memcmp(d.last_bytes, "hello", 5), 0);
    cr_assert_eq(d.last_size, 5);
    snprintf(expected, sizeof(expected), "n:%s", key_fingerprint(d.keys.public_key, fingerprint));
    cr_assert_str_eq(rig.last_user, expected);
    cr_assert_eq(memcmp(rig.last_key, d.keys.public_key, KEY_BYTES), 0);
    cr_assert_str_eq(px_addr_format(&rig.last_from, from), "127.0.0.1");
    cr_assert_str_eq(px_addr_format(&d.remote, from), "127.0.0.1");
    dial_close(&d);
    WAIT_FOR(&rig, 2, rig.gone == 1);
    cr_assert_eq(rig.gone_peers[0], rig.last_peer);
    cr_assert_eq(rig_send(rig.last_peer, "too late"), -1);
    cr_assert_eq(d.ends, 0, "who closes is not told");
}

Test(link, ipv6_works)
{
    struct dial d = {0};
    char from[PX_ADDR_TEXT];
    link_server_close(rig.server);
    rig_listen(&rig, "tcp://[::1]:0");
    dial_to(&d, &rig, "::1", rig.port, rig.server_keys.public_key);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_send(&d, "six");
    WAIT_FOR(&rig, 5, rig.messages == 1);
    cr_assert_str_eq(px_addr_format(&rig.last_from, from), "::1");
    dial_close(&d);
}

Test(link, names_are_resolved)
{
    struct dial d = {0};
    dial_to(&d, &rig, "localhost", rig.port, rig.server_keys.public_key);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_close(&d);
}

static struct px_addr scouted;
static unsigned scouted_count;

static void on_scouted(void *arg, const struct px_addr *addr, enum link_end why, const char *detail)
{
    (void)arg;
    cr_assert_not_null(addr, "%s %s", link_end_name(why), detail);
    scouted = *addr;
    scouted_count++;
}

Test(link, the_family_that_answers_is_found)
{
    struct px_addr both[2];
    cr_assert(px_addr_parse("::1", &both[0]) && px_addr_parse("127.0.0.1", &both[1]));
    px_mono before = px_mono_now();
    struct link_scout *s = link_scout_start(rig.base, both, 2, rig.port, on_scouted, NULL);
    WAIT_FOR(&rig, 5, scouted_count == 1);
    cr_assert(px_addr_equal(&scouted, &both[1]));
    cr_assert_lt(px_mono_now() - before, 200 * PX_MS, "a refusal was waited for");
    link_scout_close(s);
}

Test(link, messages_keep_their_order_and_sizes)
{
    struct dial d = {0};
    uint8_t *big = calloc(1, WIRE_MESSAGE_MAX);
    rig.echo = true;
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    for (unsigned i = 0; i < 1000; i++) {
        big[0] = (uint8_t)i;
        cr_assert_eq(link_session_send(d.session, big, 1 + i), 0, "message %u", i);
    }
    WAIT_FOR(&rig, 10, d.messages == 1000);
    cr_assert_eq(d.last_size, 1000);
    cr_assert_eq(d.last_bytes[0], (uint8_t)999);
    cr_assert_eq(link_session_send(d.session, big, WIRE_MESSAGE_MAX), 0);
    WAIT_FOR(&rig, 10, d.messages == 1001);
    cr_assert_eq(d.last_size, WIRE_MESSAGE_MAX);
    cr_assert_eq(link_session_send(d.session, big, WIRE_MESSAGE_MAX + 1), -1);
    cr_assert_eq(link_server_send(rig.server, rig.last_peer, big, WIRE_MESSAGE_MAX + 1), -1);
    free(big);
    dial_close(&d);
}

Test(link, what_was_sent_before_the_end_arrives_before_the_end)
{
    for (int round = 0; round < 20; round++) {
        struct dial d = {0};
        rig.messages = rig.gone = 0;
        dial_open(&d, &rig);
        WAIT_FOR(&rig, 5, d.opens == 1);
        for (int i = 0; i < 30; i++)
            dial_send(&d, "observation");
        link_session_close(d.session, 500);
        WAIT_FOR(&rig, 5, rig.gone == 1);
        cr_assert_eq(rig.messages, 30, "%u of 30 before the farewell", rig.messages);
    }
}

Test(link, the_last_word_of_the_server_arrives)
{
    for (int round = 0; round < 20; round++) {
        struct dial d = {0};
        rig.messages = rig.gone = 0;
        dial_open(&d, &rig);
        WAIT_FOR(&rig, 5, d.opens == 1);
        dial_send(&d, "enrol");
        WAIT_FOR(&rig, 5, rig.messages == 1);
        cr_assert_eq(rig_send(rig.last_peer, "error"), 0);
        link_server_finish(rig.server, rig.last_peer, 300);
        WAIT_FOR(&rig, 5, d.ends == 1 && rig.gone == 1);
        cr_assert_eq(d.why, LINK_LOST);
        cr_assert_eq(d.messages, 1);
        dial_close(&d);
    }
}

/* ---- many, slow, stalled ---- */

Test(link, two_hundred_sessions_live_side_by_side)
{
    static struct dial dials[200];
    rig.echo = true;
    for (int i = 0; i < 200; i++)
        dial_open(&dials[i], &rig);
    unsigned opens = 0;
    WAIT_FOR(&rig, 30, ({
        opens = 0;
        for (int i = 0; i < 200; i++)
            opens += dials[i].opens;
        opens == 200;
    }));
    for (int n = 0; n < 10; n++) {
        for (int i = 0; i < 200; i++)
            cr_assert_eq(dial_send(&dials[i], "x"), 0);
    }
    WAIT_FOR(&rig, 30, rig.messages == 2000);
    for (int i = 0; i < 200; i++) {
        WAIT_FOR(&rig, 10, dials[i].messages == 10);
        cr_assert_eq(dials[i].ends, 0);
    }
    for (int i = 0; i < 200; i++)
        dial_close(&dials[i]);
    WAIT_FOR(&rig, 10, rig.gone == 200);
}

Test(link, a_stalling_loop_loses_nothing)
{
    static struct dial dials[8];
    rig.echo = true;
    rig.stall_ms = 30;
    rig.stall_every = 25;
    for (int i = 0; i < 8; i++)
        dial_open(&dials[i], &rig);
    for (int i = 0; i < 8; i++)
        WAIT_FOR(&rig, 10, dials[i].opens == 1);
    for (int n = 0; n < 100; n++) {
        for (int i = 0; i < 8; i++)
            cr_assert_eq(dial_send(&dials[i], "tick"), 0);
        if (n % 10 == 0)
            rig_spin(&rig, 1);
    }
    for (int i = 0; i < 8; i++)
        WAIT_FOR(&rig, 20, dials[i].messages == 100);
    cr_assert_eq(rig.messages, 800);
    for (int i = 0; i < 8; i++)
        dial_close(&dials[i]);
}

Test(link, a_burst_far_above_the_high_water_mark_arrives_whole)
{
    struct dial d = {0};
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_send(&d, "hello");
    WAIT_FOR(&rig, 5, rig.messages == 1);
    for (int i = 0; i < 3000; i++)
        cr_assert_eq(rig_send(rig.last_peer, "job"), 0, "message %d", i);
    WAIT_FOR(&rig, 10, d.messages == 3000);
    for (int i = 0; i < 3000; i++)
        cr_assert_eq(dial_send(&d, "observation"), 0, "message %d", i);
    WAIT_FOR(&rig, 10, rig.messages == 3001);
    dial_close(&d);
}

Test(link, who_does_not_read_is_kicked_and_nobody_else_suffers)
{
    struct dial slow = {0}, good = {0};
    uint8_t *big = calloc(1, WIRE_DOCUMENT_PART);
    struct rig asleep;
    rig_init(&asleep); /* a loop that is never run stands for a peer that hangs */
    dial_open(&slow, &rig);
    WAIT_FOR(&rig, 5, slow.opens == 1);
    link_session_send(slow.session, big, 1);
    WAIT_FOR(&rig, 5, rig.messages == 1);
    link_peer slow_peer = rig.last_peer;
    dial_to(&good, &asleep, "127.0.0.1", rig.port, rig.server_keys.public_key);
    while (good.opens == 0) {
        event_base_loop(asleep.base, EVLOOP_ONCE);
        event_base_loop(rig.base, EVLOOP_ONCE);
    }
    /* now only the server's side runs for the peer of the other loop */
    link_session_send(good.session, big, 1);
    WAIT_FOR(&rig, 5, rig.messages == 2);
    int sent = 0;
    while (sent < 2000 && link_server_send(rig.server, rig.last_peer, big, WIRE_DOCUMENT_PART) == 0)
        sent++;
    cr_assert_lt(sent, 2000, "an endless queue");
    cr_assert_gt(sent, 30);
    WAIT_FOR(&rig, 5, rig.gone == 1);
    cr_assert_eq(rig.gone_peers[0], rig.last_peer);
    cr_assert_eq(rig_send(slow_peer, "still here"), 0);
    WAIT_FOR(&rig, 5, slow.messages == 1);
    WAIT_FOR(&asleep, 5, good.ends == 1);
    cr_assert_eq(good.why, LINK_LOST);
    dial_close(&slow);
    dial_close(&good);
    rig_clear(&asleep);
    free(big);
}

/* ---- endings ---- */

Test(link, a_kicked_peer_is_out_at_once_and_stays_silent)
{
    struct dial d = {0};
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_send(&d, "hello");
    WAIT_FOR(&rig, 5, rig.messages == 1);
    px_mono before = px_mono_now();
    link_server_kick(rig.server, rig.last_peer);
    cr_assert_eq(rig.gone, 0, "never from inside a call");
    cr_assert_eq(rig_send(rig.last_peer, "x"), -1);
    for (int i = 0; i < 50; i++)
        dial_send(&d, "ignored");
    WAIT_FOR(&rig, 2, rig.gone == 1 && d.ends == 1);
    cr_assert_lt(px_mono_now() - before, 500 * PX_MS);
    cr_assert_eq(d.why, LINK_LOST);
    cr_assert_eq(rig.messages, 1, "a kicked peer was still heard");
    link_server_kick(rig.server, rig.last_peer);
    dial_close(&d);
    dial_open(&d, &rig); /* and may come back */
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_send(&d, "again");
    WAIT_FOR(&rig, 5, rig.messages == 2);
    cr_assert_neq(rig.last_peer, rig.gone_peers[0]);
    cr_assert_eq(rig.gone, 1);
    dial_close(&d);
}

Test(link, descriptors_used_again_do_not_confuse_peers)
{
    for (int round = 0; round < 100; round++) {
        struct dial d = {0};
        unsigned messages = rig.messages;
        dial_open(&d, &rig);
        WAIT_FOR(&rig, 5, d.opens == 1);
        dial_send(&d, "hello");
        WAIT_FOR(&rig, 5, rig.messages == messages + 1);
        cr_assert_eq(rig_send(rig.last_peer, "welcome"), 0, "round %d", round);
        WAIT_FOR(&rig, 5, d.messages == 1);
        dial_close(&d); /* the next one comes before the farewell of this one is read */
    }
    WAIT_FOR(&rig, 5, rig.gone == 100);
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned j = 0; j < i; j++)
            cr_assert_neq(rig.gone_peers[i], rig.gone_peers[j]);
    }
}

Test(link, a_server_that_stops_and_comes_back_is_found_again)
{
    struct dial d = {0};
    char endpoint[128];
    snprintf(endpoint, sizeof(endpoint), "%s", link_server_endpoint(rig.server));
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    px_mono before = px_mono_now();
    link_server_close(rig.server);
    rig.server = NULL;
    WAIT_FOR(&rig, 2, d.ends == 1);
    cr_assert_eq(d.why, LINK_LOST);
    cr_assert_lt(d.ended_at - before, 500 * PX_MS);
    dial_close(&d);
    rig_listen(&rig, endpoint);
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_close(&d);
}

Test(link, mute_connections_are_ended)
{
    struct dial d = {0};
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    WAIT_FOR(&rig, 15, d.ends == 1);
    cr_assert_eq(d.why, LINK_LOST);
    cr_assert_geq(d.ended_at - d.opened_at, (LINK_HANDSHAKE_MS + LINK_ENROL_MS - 1000) * PX_MS);
    dial_close(&d);
}

/* ---- owners that close things inside callbacks ---- */

Test(link, a_session_may_be_closed_in_each_of_its_callbacks)
{
    struct dial d = {.close_in_open = false};
    rig.echo = true;
    dial_open(&d, &rig);
    d.close_in_open = true;
    WAIT_FOR(&rig, 5, d.opens == 1 && d.session == NULL);
    dial_open(&d, &rig);
    d.close_in_message = true;
    WAIT_FOR(&rig, 5, d.opens == 1);
    for (int i = 0; i < 20; i++)
        dial_send(&d, "x");
    WAIT_FOR(&rig, 5, d.session == NULL);
    rig_spin(&rig, 5);
    cr_assert_eq(d.messages, 1, "a message after the close");
    dial_to(&d, &rig, "127.0.0.1", 1, rig.server_keys.public_key);
    d.close_in_end = true;
    WAIT_FOR(&rig, 5, d.ends == 1 && d.session == NULL);
    dial_open(&d, &rig);
    link_session_close(d.session, 0); /* before anything happened */
    link_session_close(NULL, 0);
}

Test(link, a_server_may_be_closed_in_its_callbacks)
{
    struct dial d = {0};
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    rig.close_in_message = true;
    for (int i = 0; i < 20; i++)
        dial_send(&d, "x");
    WAIT_FOR(&rig, 5, rig.server == NULL && d.ends == 1);
    cr_assert_eq(rig.messages, 1);
    dial_close(&d);
    rig.close_in_message = false;
    rig_listen(&rig, "tcp://127.0.0.1:0");
    rig.close_in_key = true;
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 20, rig.server == NULL && d.ends == 1);
    cr_assert_eq(d.opens, 0);
    dial_close(&d);
    link_server_close(NULL);
}

/* ---- where to listen ---- */

Test(link, addresses_to_listen_on_are_checked)
{
    static const char *const bad[] = {"",
                                      "tcp://",
                                      "127.0.0.1:1",
                                      "tcp://127.0.0.1",
                                      "tcp://localhost:0",
                                      "tcp://127.0.0.1:99999",
                                      "tcp://127.0.0.1:-1",
                                      "tcp://127.0.0.1:1x",
                                      "tcp://::1:7331",
                                      "tcp://[127.0.0.1]:1",
                                      "ipc:///tmp/x",
                                      "tcp://[::1]"};
    static const struct link_server_events events = {rig_on_key, rig_on_message, rig_on_gone};
    link_server_close(rig.server);
    rig.server = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct px_err err = {0};
        cr_assert_null(link_server_open(rig.base, bad[i], &rig.server_keys, &events, &rig, &err));
        cr_assert_str_eq(err.code, "listen");
        cr_assert_not_null(strstr(err.message, bad[i]), "%s", err.message);
        cr_assert_str_neq(err.hint, "");
    }
}

Test(link, a_taken_port_is_named)
{
    static const struct link_server_events events = {rig_on_key, rig_on_message, rig_on_gone};
    struct px_err err = {0};
    struct sockaddr_storage sa;
    struct px_addr any;
    socklen_t size = sizeof(sa);
    char endpoint[64];
    uint16_t port;
    link_server_close(rig.server);
    rig.server = NULL;
    px_addr_parse("127.0.0.1", &any);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = px_addr_to_sockaddr(&any, 0, &sa);
    cr_assert_eq(bind(fd, (struct sockaddr *)&sa, length), 0);
    cr_assert_eq(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&sa, &size);
    px_addr_from_sockaddr((struct sockaddr *)&sa, &any, &port);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", port);
    cr_assert_null(link_server_open(rig.base, endpoint, &rig.server_keys, &events, &rig, &err));
    cr_assert_not_null(strstr(err.message, "address in use"), "%s", err.message);
    cr_assert_not_null(strstr(err.message, endpoint), "%s", err.message);
    close(fd);
}

/* ---- strangers and forgers ---- */

Test(link, a_stranger_is_let_in_under_the_name_it_was_given)
{
    struct dial d = {0};
    rig.strangers = true;
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_send(&d, "enrol");
    WAIT_FOR(&rig, 5, rig.messages == 1);
    cr_assert_eq(strncmp(rig.last_user, "p:", 2), 0, "%s", rig.last_user);
    cr_assert_eq(memcmp(rig.last_key, d.keys.public_key, KEY_BYTES), 0);
    dial_close(&d);
}

/* A peer written by somebody else. */
struct forger {
    void *context, *dealer;
    struct key_pair keys;
};

static void forger_open(struct forger *f)
{
    char endpoint[64];
    int zero = 0;
    key_generate(&f->keys);
    f->context = zmq_ctx_new();
    f->dealer = zmq_socket(f->context, ZMQ_DEALER);
    zmq_setsockopt(f->dealer, ZMQ_LINGER, &zero, sizeof(zero));
    zmq_setsockopt(f->dealer, ZMQ_CURVE_SERVERKEY, rig.server_keys.public_key, KEY_BYTES);
    zmq_setsockopt(f->dealer, ZMQ_CURVE_PUBLICKEY, f->keys.public_key, KEY_BYTES);
    zmq_setsockopt(f->dealer, ZMQ_CURVE_SECRETKEY, f->keys.secret_key, KEY_BYTES);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", rig.port);
    cr_assert_eq(zmq_connect(f->dealer, endpoint), 0);
}

static void forger_close(struct forger *f)
{
    zmq_close(f->dealer);
    zmq_ctx_term(f->context);
}

static void spin_for_messages(unsigned n)
{
    WAIT_FOR(&rig, 5, rig.messages == n);
}

Test(link, metadata_of_the_peer_changes_no_identity)
{
    struct forger f;
    char fingerprint[KEY_FINGERPRINT_TEXT], expected[128];
    key_generate(&f.keys);
    f.context = zmq_ctx_new();
    f.dealer = zmq_socket(f.context, ZMQ_DEALER);
    int zero = 0;
    char endpoint[64];
    zmq_setsockopt(f.dealer, ZMQ_LINGER, &zero, sizeof(zero));
    zmq_setsockopt(f.dealer, ZMQ_CURVE_SERVERKEY, rig.server_keys.public_key, KEY_BYTES);
    zmq_setsockopt(f.dealer, ZMQ_CURVE_PUBLICKEY, f.keys.public_key, KEY_BYTES);
    zmq_setsockopt(f.dealer, ZMQ_CURVE_SECRETKEY, f.keys.secret_key, KEY_BYTES);
    /* option 95 is a draft's ZMQ_METADATA, alive in released libraries */
    zmq_setsockopt(f.dealer, 95, "X-User-Id:admin", 15);
    zmq_setsockopt(f.dealer, 95, "User-Id:admin", 13);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", rig.port);
    cr_assert_eq(zmq_connect(f.dealer, endpoint), 0);
    zmq_send(f.dealer, "x", 1, 0);
    spin_for_messages(1);
    snprintf(expected, sizeof(expected), "n:%s", key_fingerprint(f.keys.public_key, fingerprint));
    cr_assert_str_eq(rig.last_user, expected);
    forger_close(&f);
}

Test(link, a_chosen_routing_id_gets_nobody_heard)
{
    struct forger f;
    struct dial d = {0};
    key_generate(&f.keys);
    f.context = zmq_ctx_new();
    f.dealer = zmq_socket(f.context, ZMQ_DEALER);
    int zero = 0;
    char endpoint[64];
    zmq_setsockopt(f.dealer, ZMQ_LINGER, &zero, sizeof(zero));
    zmq_setsockopt(f.dealer, ZMQ_ROUTING_ID, "admin", 5);
    zmq_setsockopt(f.dealer, ZMQ_CURVE_SERVERKEY, rig.server_keys.public_key, KEY_BYTES);
    zmq_setsockopt(f.dealer, ZMQ_CURVE_PUBLICKEY, f.keys.public_key, KEY_BYTES);
    zmq_setsockopt(f.dealer, ZMQ_CURVE_SECRETKEY, f.keys.secret_key, KEY_BYTES);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", rig.port);
    cr_assert_eq(zmq_connect(f.dealer, endpoint), 0);
    for (int i = 0; i < 10; i++)
        zmq_send(f.dealer, "x", 1, 0);
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_send(&d, "honest");
    spin_for_messages(1);
    cr_assert_eq(memcmp(rig.last_bytes, "honest", 6), 0);
    dial_close(&d);
    forger_close(&f);
}

Test(link, messages_of_several_frames_are_dropped)
{
    struct forger f;
    forger_open(&f);
    zmq_send(f.dealer, "a", 1, ZMQ_SNDMORE);
    zmq_send(f.dealer, "b", 1, 0);
    zmq_send(f.dealer, "whole", 5, 0);
    spin_for_messages(1);
    cr_assert_eq(memcmp(rig.last_bytes, "whole", 5), 0);
    forger_close(&f);
}

Test(link, oversize_messages_end_the_connection_before_they_are_stored)
{
    struct forger f;
    struct dial d = {0};
    size_t size = WIRE_MESSAGE_MAX + 1024;
    char *big = calloc(1, size);
    forger_open(&f);
    zmq_send(f.dealer, "x", 1, 0);
    spin_for_messages(1);
    zmq_send(f.dealer, big, size, 0);
    WAIT_FOR(&rig, 5, rig.gone == 1);
    cr_assert_eq(rig.messages, 1);
    forger_close(&f);
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_send(&d, "fine");
    spin_for_messages(2);
    dial_close(&d);
    free(big);
}

static int raw_connect(void)
{
    struct sockaddr_storage sa;
    struct px_addr loopback;
    px_addr_parse("127.0.0.1", &loopback);
    socklen_t length = px_addr_to_sockaddr(&loopback, rig.port, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&sa, length), 0);
    return fd;
}

Test(link, random_bytes_on_the_port_do_no_harm)
{
    struct dial d = {0};
    unsigned random_state = 4711;
    rig.echo = true;
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    for (int round = 0; round < 300; round++) {
        uint8_t bytes[300];
        int fd = raw_connect();
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)rand_r(&random_state);
        if (round % 3 == 1) { /* an honest greeting first */
            memset(bytes, 0, 64);
            bytes[0] = 0xff;
            bytes[9] = 0x7f;
            bytes[10] = 3;
            memcpy(bytes + 12, round % 2 ? "CURVE" : "NULL\0", 5);
        }
        cr_assert_gt(send(fd, bytes, round % sizeof(bytes) + 1, MSG_NOSIGNAL), 0);
        rig_spin(&rig, 1);
        close(fd);
    }
    cr_assert_eq(rig.messages, 0);
    dial_send(&d, "still fine");
    WAIT_FOR(&rig, 5, d.messages == 1);
    cr_assert_eq(d.ends, 0);
    dial_close(&d);
}

static long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert_eq(fscanf(f, "%ld %ld", &pages, &resident), 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

Test(link, an_endless_frame_before_the_handshake_costs_no_memory)
{
    struct dial d = {0};
    static uint8_t chunk[64 * 1024];
    /* greeting, then a command frame that claims 300 MB */
    uint8_t head[64 + 9] = {[0] = 0xff, [8] = 1, [9] = 0x7f, [10] = 3, [11] = 0,    [12] = 'C',
                            'U',        'R',     'V',        'E',      [64] = 0x06, [69] = 0x12};
    int fd = raw_connect();
    long before = resident_kb();
    cr_assert_eq(send(fd, head, sizeof(head), MSG_NOSIGNAL), (ssize_t)sizeof(head));
    for (int i = 0; i < 200; i++) {
        if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            rig_spin(&rig, 1);
    }
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    cr_assert_lt(resident_kb() - before, 8 * 1024L);
    close(fd);
    dial_close(&d);
}

Test(link, without_the_zap_handler_nobody_gets_in)
{
    struct dial d = {0};
    struct forger f;
    link_server_close_zap(rig.server);
    dial_open(&d, &rig);
    forger_open(&f);
    zmq_send(f.dealer, "let me in", 9, 0);
    WAIT_FOR(&rig, 20, d.ends == 1);
    cr_assert_eq(d.opens, 0);
    cr_assert_eq(rig.messages, 0);
    cr_assert_eq(rig.keys_asked, 0);
    dial_close(&d);
    forger_close(&f);
}

/* ---- a peer in a process of its own ---- */

struct introduction {
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
};

/* ZeroMQ does not survive a fork, so the child is made before anything is opened. */
static pid_t child_fork(int *to_child)
{
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    *to_child = pipes[1];
    if (pid > 0) {
        close(pipes[0]);
        return pid;
    }
    struct introduction hello;
    struct rig own;
    struct dial d = {0};
    if (read(pipes[0], &hello, sizeof(hello)) != (ssize_t)sizeof(hello))
        _exit(1);
    rig_init(&own);
    dial_to(&d, &own, "127.0.0.1", hello.port, hello.server_key);
    for (bool said = false;;) {
        event_base_loop(own.base, EVLOOP_ONCE);
        if (d.opens == 1 && !said)
            said = link_session_send(d.session, (const uint8_t *)"hello", 5) == 0;
    }
}

static void introduce(int fd)
{
    struct introduction hello = {.port = rig.port};
    memcpy(hello.server_key, rig.server_keys.public_key, KEY_BYTES);
    cr_assert_eq(write(fd, &hello, sizeof(hello)), (ssize_t)sizeof(hello));
}

Test(link_children, a_killed_peer_is_noticed_at_once, .timeout = 60)
{
    int to_child;
    pid_t pid = child_fork(&to_child);
    setup();
    introduce(to_child);
    WAIT_FOR(&rig, 10, rig.messages == 1);
    px_mono before = px_mono_now();
    kill(pid, SIGKILL);
    WAIT_FOR(&rig, 2, rig.gone == 1);
    cr_assert_lt(px_mono_now() - before, 300 * PX_MS);
    cr_assert_eq(rig.gone_peers[0], rig.last_peer);
    waitpid(pid, NULL, 0);
    close(to_child);
    teardown();
}
