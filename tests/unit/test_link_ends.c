/* SPDX-License-Identifier: MIT */
/* Why a session ended: every reason is told from every other, and says what was seen. */
#include <fcntl.h>
#include <sys/socket.h>
#include <zmq.h>

#include "link_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_init(&rig);
}

static void teardown(void)
{
    rig_clear(&rig);
}

TestSuite(link_ends, .init = setup, .fini = teardown, .timeout = 60);

/* ---- services that are no coordinator ---- */

#define FAKE_CONNECTIONS 16

struct fake {
    int listener;
    uint16_t port;
    struct event *accepting;
    const void *say; /* at once */
    size_t say_size;
    bool close_at_once, close_after_hello;
    int fds[FAKE_CONNECTIONS];
    struct event *reading[FAKE_CONNECTIONS];
    unsigned count;
    uint8_t heard[8192];
    size_t heard_size;
};

static void fake_on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct fake *f = arg;
    ssize_t n = recv(fd, f->heard + f->heard_size, sizeof(f->heard) - f->heard_size, MSG_DONTWAIT);
    if (n > 0)
        f->heard_size += (size_t)n;
    bool over = n <= 0 || (f->close_after_hello && f->heard_size > 64);
    for (unsigned i = 0; i < f->count && over; i++) {
        if (f->fds[i] == fd) {
            event_del(f->reading[i]);
            shutdown(fd, SHUT_RDWR);
        }
    }
}

static void fake_on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct fake *f = arg;
    int peer = accept(fd, NULL, NULL);
    if (peer < 0)
        return;
    if (f->say_size > 0)
        cr_assert_eq(send(peer, f->say, f->say_size, MSG_NOSIGNAL), (ssize_t)f->say_size);
    if (f->close_at_once || f->count == FAKE_CONNECTIONS) {
        close(peer);
        return;
    }
    f->fds[f->count] = peer;
    f->reading[f->count] = event_new(rig.base, peer, EV_READ | EV_PERSIST, fake_on_readable, f);
    event_add(f->reading[f->count++], NULL);
}

static void fake_open(struct fake *f)
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof(sa);
    struct px_addr a;
    px_addr_parse("127.0.0.1", &a);
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = px_addr_to_sockaddr(&a, 0, &sa);
    cr_assert_eq(bind(f->listener, (struct sockaddr *)&sa, length), 0);
    cr_assert_eq(listen(f->listener, 8), 0);
    getsockname(f->listener, (struct sockaddr *)&sa, &size);
    px_addr_from_sockaddr((struct sockaddr *)&sa, &a, &f->port);
    f->accepting = event_new(rig.base, f->listener, EV_READ | EV_PERSIST, fake_on_accept, f);
    event_add(f->accepting, NULL);
}

static void fake_close(struct fake *f)
{
    event_free(f->accepting);
    close(f->listener);
    for (unsigned i = 0; i < f->count; i++) {
        event_free(f->reading[i]);
        close(f->fds[i]);
    }
}

/* Dial the fake; the session must end for that reason. */
static void assert_end(struct fake *f, enum link_end why, const char *said)
{
    struct dial d = {0};
    dial_to(&d, &rig, "127.0.0.1", f->port, rig.server_keys.public_key);
    WAIT_FOR(&rig, 15, d.ends == 1);
    cr_assert_str_eq(link_end_name(d.why), link_end_name(why), "%s: %s", link_end_name(d.why),
                     d.detail);
    cr_assert_not_null(strstr(d.detail, said), "\"%s\" lacks \"%s\"", d.detail, said);
    cr_assert_eq(d.opens, 0);
    cr_assert_eq(memmem(f->heard, f->heard_size, d.keys.public_key, KEY_BYTES), NULL,
                 "our identity was given to a stranger");
    rig_spin(&rig, 20);
    cr_assert_eq(d.ends, 1, "ended twice");
    dial_close(&d);
}

Test(link_ends, a_web_server_is_not_parallax)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    struct fake f = {.say = answer, .say_size = sizeof(answer) - 1};
    fake_open(&f);
    assert_end(&f, LINK_NOT_PARALLAX, "it says \"HTTP/1.1 400 Bad Request\"");
    fake_close(&f);
}

Test(link_ends, what_a_stranger_says_is_made_safe)
{
    static const char answer[] =
        "SSH-2.0-\x1b[31mred\x07 and a long tail that nobody wants to read";
    struct fake f = {.say = answer, .say_size = sizeof(answer) - 1, .close_at_once = true};
    fake_open(&f);
    assert_end(&f, LINK_NOT_PARALLAX, "it says \"SSH-2.0-\\x1b[31mred\\x07");
    fake_close(&f);
}

Test(link_ends, a_service_that_closes_at_once_is_not_parallax)
{
    struct fake f = {.close_at_once = true};
    fake_open(&f);
    assert_end(&f, LINK_NOT_PARALLAX, "without a word");
    fake_close(&f);
}

Test(link_ends, a_service_that_says_nothing_is_not_parallax)
{
    struct fake f = {0};
    fake_open(&f);
    assert_end(&f, LINK_NOT_PARALLAX, "says nothing");
    fake_close(&f);
}

Test(link_ends, a_coordinator_that_hangs_does_not_answer)
{
    static const uint8_t signature[10] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f};
    struct fake f = {.say = signature, .say_size = sizeof(signature)};
    fake_open(&f);
    assert_end(&f, LINK_NO_ANSWER, "finishes no handshake");
    fake_close(&f);
}

Test(link_ends, another_key_is_told_and_nothing_of_ours_is_given_away)
{
    static const uint8_t greeting[64] = {[0] = 0xff, [8] = 1, [9] = 0x7f, [10] = 3, [12] = 'C',
                                         'U',        'R',     'V',        'E'};
    struct fake f = {.say = greeting, .say_size = sizeof(greeting), .close_after_hello = true};
    fake_open(&f);
    assert_end(&f, LINK_WRONG_KEY, "its key is another one");
    fake_close(&f);
}

Test(link_ends, zeromq_without_curve_is_not_parallax)
{
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);
    struct fake f = {0};
    char endpoint[128];
    size_t size = sizeof(endpoint);
    int zero = 0;
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof(zero));
    cr_assert_eq(zmq_bind(router, "tcp://127.0.0.1:*"), 0);
    cr_assert_eq(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    f.port = (uint16_t)atoi(strrchr(endpoint, ':') + 1);
    assert_end(&f, LINK_NOT_PARALLAX, "a ZeroMQ service with security NULL");
    zmq_close(router);
    zmq_ctx_term(context);
}

Test(link_ends, a_refused_connection_is_told_at_once)
{
    struct fake f = {0};
    fake_open(&f);
    fake_close(&f); /* a port where nobody listens */
    f.count = 0;
    px_mono before = px_mono_now();
    assert_end(&f, LINK_REFUSED, "127.0.0.1: Connection refused");
    cr_assert_lt(px_mono_now() - before, 500 * PX_MS);
}

Test(link_ends, silence_is_no_answer)
{
    struct fake f = {0};
    struct sockaddr_storage sa;
    socklen_t size = sizeof(sa);
    int fds[16];
    fake_open(&f);
    event_del(f.accepting);
    cr_assert_eq(listen(f.listener, 0), 0);
    getsockname(f.listener, (struct sockaddr *)&sa, &size);
    for (int i = 0; i < 16; i++) { /* a full queue drops further SYNs */
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fds[i], (struct sockaddr *)&sa, size) != 0)
            cr_assert_eq(errno, EINPROGRESS);
    }
    px_mono before = px_mono_now();
    assert_end(&f, LINK_NO_ANSWER, "timed out");
    cr_assert_geq(px_mono_now() - before, (LINK_CONNECT_MS - 100) * PX_MS);
    cr_assert_lt(px_mono_now() - before, (LINK_CONNECT_MS + 1500) * PX_MS);
    for (int i = 0; i < 16; i++)
        close(fds[i]);
    fake_close(&f);
}

Test(link_ends, no_way_there_is_unreachable)
{
    struct dial d = {0};
    dial_to(&d, &rig, "255.255.255.255", 7331, rig.server_keys.public_key);
    WAIT_FOR(&rig, 5, d.ends == 1);
    cr_assert_eq(d.why, LINK_UNREACHABLE, "%s: %s", link_end_name(d.why), d.detail);
    cr_assert_not_null(strstr(d.detail, "255.255.255.255: "));
    dial_close(&d);
}

Test(link_ends, a_name_that_cannot_be_is_no_name)
{
    struct dial d = {0};
    char name[100];
    memset(name, 'x', sizeof(name)); /* longer than a label may be: no query leaves */
    name[sizeof(name) - 1] = '\0';
    dial_to(&d, &rig, name, 7331, rig.server_keys.public_key);
    WAIT_FOR(&rig, 6, d.ends == 1);
    cr_assert_eq(d.why, LINK_NO_NAME, "%s: %s", link_end_name(d.why), d.detail);
    cr_assert_str_neq(d.detail, "");
    dial_close(&d);
}

/* ---- coordinators ---- */

Test(link_ends, a_wrong_server_key_is_told)
{
    struct dial d = {0};
    struct key_pair other;
    key_generate(&other);
    rig_listen(&rig, "tcp://127.0.0.1:0");
    px_mono before = px_mono_now();
    dial_to(&d, &rig, "127.0.0.1", rig.port, other.public_key);
    WAIT_FOR(&rig, 10, d.ends == 1);
    cr_assert_eq(d.why, LINK_WRONG_KEY, "%s: %s", link_end_name(d.why), d.detail);
    cr_assert_lt(px_mono_now() - before, 1000 * PX_MS);
    cr_assert_eq(rig.keys_asked, 0, "our key was shown to a wrong server");
    dial_close(&d);
}

Test(link_ends, an_unknown_key_is_told)
{
    struct dial d = {0};
    rig.refuse_keys = true;
    rig_listen(&rig, "tcp://127.0.0.1:0");
    px_mono before = px_mono_now();
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 10, d.ends == 1);
    cr_assert_eq(d.why, LINK_NOT_AUTHORISED, "%s: %s", link_end_name(d.why), d.detail);
    cr_assert_lt(px_mono_now() - before, 1000 * PX_MS);
    cr_assert_eq(rig.keys_asked, 1);
    dial_close(&d);
    rig.refuse_keys = false; /* allowed meanwhile */
    dial_open(&d, &rig);
    WAIT_FOR(&rig, 5, d.opens == 1);
    dial_close(&d);
}

Test(link_ends, twenty_unknown_keys_are_all_told)
{
    static struct dial dials[20];
    rig.refuse_keys = true;
    rig_listen(&rig, "tcp://127.0.0.1:0");
    for (int i = 0; i < 20; i++)
        dial_open(&dials[i], &rig);
    for (int i = 0; i < 20; i++) {
        WAIT_FOR(&rig, 10, dials[i].ends == 1);
        cr_assert_eq(dials[i].why, LINK_NOT_AUTHORISED, "%s: %s", link_end_name(dials[i].why),
                     dials[i].detail);
        dial_close(&dials[i]);
    }
}

Test(link_ends, names_of_ends_are_words)
{
    for (int e = 0; e < LINK_END_COUNT; e++)
        cr_assert_str_neq(link_end_name((enum link_end)e), "?");
    cr_assert_str_eq(link_end_name(LINK_END_COUNT), "?");
}
