/* SPDX-License-Identifier: MIT */
/*
 * States: racing (connections under way) -> connected (one left, kept for questions) -> asking ->
 * done. Never more than the addresses given; each end is reported once. ZeroMQ itself is not used
 * here: its connects hide the errno, and abort the process on some of them.
 */
#include "proto/link_scout.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"
#include "proto/limits.h"
#include "proto/link_resolve.h"

#define STAGGER_MS 250
#define GREETING_MS 1500
#define GREETING_BYTES 64
#define SIGNATURE_BYTES 10

struct lane { /* one connection attempt */
    struct link_scout *scout;
    struct px_addr addr;
    int fd;
    struct event *event;
};

struct link_scout {
    struct event_base *base;
    struct lane lanes[LINK_ADDRESSES_MAX];
    size_t count, started, failed;
    uint16_t port;
    px_mono deadline;
    struct event *timer;
    enum link_end why; /* of the failures so far */
    char detail[120];
    int fd; /* the connection that won */
    struct event *reading;
    uint8_t heard_bytes[GREETING_BYTES];
    size_t heard_count;
    link_scout_done *done;
    link_scout_heard *heard;
    void *arg;
};

static void scout_on_timer(evutil_socket_t fd, short what, void *arg);

static void timer_set(struct link_scout *s, int64_t ns)
{
    int64_t wait = ns > 0 ? ns : 0;
    struct timeval tv = {wait / PX_SEC, wait % PX_SEC / 1000};
    evtimer_add(s->timer, &tv);
}

static void lane_close(struct lane *l)
{
    if (l->event != NULL)
        event_free(l->event);
    if (l->fd >= 0)
        close(l->fd);
    l->event = NULL;
    l->fd = -1;
}

static void lanes_close(struct link_scout *s)
{
    for (size_t i = 0; i < s->started; i++)
        lane_close(&s->lanes[i]);
}

/* Refused says more than silence, silence more than "no route". */
static void failure_note(struct link_scout *s, const struct px_addr *addr, int why)
{
    enum link_end end = why == ECONNREFUSED ? LINK_REFUSED
                        : why == ETIMEDOUT  ? LINK_NO_ANSWER
                                            : LINK_UNREACHABLE;
    char text[PX_ADDR_TEXT];
    s->failed++;
    if (s->failed > 1 && end >= s->why)
        return;
    s->why = end;
    (void)snprintf(s->detail, sizeof(s->detail), "%s: %s", px_addr_format(addr, text),
                   strerror(why));
}

static void scout_finish(struct link_scout *s, struct lane *winner)
{
    struct px_addr addr;
    evtimer_del(s->timer);
    if (winner == NULL) {
        lanes_close(s);
        s->done(s->arg, NULL, s->why, s->detail);
        return;
    }
    addr = winner->addr;
    s->fd = winner->fd;
    winner->fd = -1;
    lanes_close(s);
    s->done(s->arg, &addr, LINK_END_COUNT, "");
}

/* Dialling a free local port can end up connected to itself: nobody listens there. */
static bool connected_to_itself(int fd)
{
    struct sockaddr_storage local = {0}, remote = {0};
    socklen_t local_size = sizeof(local), remote_size = sizeof(remote);
    return getsockname(fd, (struct sockaddr *)&local, &local_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&remote, &remote_size) == 0 &&
           local_size == remote_size && memcmp(&local, &remote, local_size) == 0;
}

static void lane_on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct lane *l = arg;
    struct link_scout *s = l->scout;
    int why = 0;
    socklen_t size = sizeof(why);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0)
        why = errno;
    if (why == 0 && connected_to_itself(fd))
        why = ECONNREFUSED;
    if (why == 0) {
        scout_finish(s, l);
        return;
    }
    failure_note(s, &l->addr, why);
    lane_close(l);
    if (s->failed == s->count)
        scout_finish(s, NULL);
    else
        timer_set(s, 0); /* the next one now */
}

/* 0 or an errno. */
static int lane_open(struct lane *l)
{
    struct sockaddr_storage to;
    socklen_t length = px_addr_to_sockaddr(&l->addr, l->scout->port, &to);
    l->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return errno;
    if (connect(l->fd, (struct sockaddr *)&to, length) != 0 && errno != EINPROGRESS)
        return errno;
    l->event = event_new(l->scout->base, l->fd, EV_WRITE, lane_on_writable, l);
    if (l->event == NULL || event_add(l->event, NULL) != 0)
        return ENOMEM;
    return 0;
}

static void greeting_finish(struct link_scout *s);

/* Time for the next lane, or for the end. */
static void scout_on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link_scout *s = arg;
    px_mono now = px_mono_now();
    if (s->heard != NULL) {
        greeting_finish(s);
        return;
    }
    while (now < s->deadline && s->started < s->count) {
        struct lane *l = &s->lanes[s->started++];
        int why = lane_open(l);
        if (why == 0)
            break;
        failure_note(s, &l->addr, why);
        lane_close(l);
    }
    if (now >= s->deadline) {
        for (size_t i = 0; i < s->started; i++) {
            if (s->lanes[i].fd >= 0)
                failure_note(s, &s->lanes[i].addr, ETIMEDOUT);
        }
        scout_finish(s, NULL);
    } else if (s->failed == s->count) {
        scout_finish(s, NULL);
    } else if (s->started < s->count) {
        timer_set(s, STAGGER_MS * PX_MS);
    } else {
        timer_set(s, s->deadline - now);
    }
}

struct link_scout *link_scout_start(struct event_base *base, const struct px_addr *addrs, size_t n,
                                    uint16_t port, link_scout_done *done, void *arg)
{
    struct link_scout *s = px_xcalloc(1, sizeof(*s));
    s->base = base;
    s->count = n;
    s->port = port;
    s->fd = -1;
    s->done = done;
    s->arg = arg;
    s->why = LINK_NO_ANSWER;
    s->deadline = px_mono_now() + LINK_CONNECT_MS * PX_MS;
    for (size_t i = 0; i < n; i++)
        s->lanes[i] = (struct lane){.scout = s, .addr = addrs[i], .fd = -1};
    s->timer = evtimer_new(base, scout_on_timer, s);
    if (s->timer == NULL)
        abort(); /* out of memory */
    timer_set(s, 0);
    return s;
}

void link_scout_close(struct link_scout *s)
{
    if (s == NULL)
        return;
    lanes_close(s);
    if (s->reading != NULL)
        event_free(s->reading);
    if (s->fd >= 0)
        close(s->fd);
    event_free(s->timer);
    free(s);
}

/* ---- who listens there? ---- */

static bool signature_is_zmtp(const uint8_t *b, size_t n)
{
    return n >= SIGNATURE_BYTES && b[0] == 0xff && b[9] == 0x7f;
}

static enum link_greeting greeting_judge(const uint8_t *b, size_t n, char *detail, size_t size)
{
    char text[GREETING_BYTES + 1] = "";
    detail[0] = '\0';
    if (n == 0)
        return GREETING_NONE;
    if (!signature_is_zmtp(b, n)) {
        memcpy(text, b, n);
        size_t used = (size_t)snprintf(detail, size, "it says \"");
        text[strcspn(text, "\r\n")] = '\0';
        px_text_safe(text, 40, detail + used, size - used - 1);
        strcat(detail, "\"");
        return GREETING_FOREIGN;
    }
    if (n < GREETING_BYTES)
        return GREETING_ZMTP;
    memcpy(text, b + 12, 20);
    text[20] = '\0';
    if (b[10] >= 3 && strcmp(text, "CURVE") == 0)
        return GREETING_CURVE;
    size_t used = (size_t)snprintf(detail, size, "a ZeroMQ service with security ");
    px_text_safe(text, 20, detail + used, size - used);
    return GREETING_FOREIGN;
}

static void greeting_finish(struct link_scout *s)
{
    char detail[120];
    link_scout_heard *heard = s->heard;
    enum link_greeting greeting =
        greeting_judge(s->heard_bytes, s->heard_count, detail, sizeof(detail));
    s->heard = NULL;
    evtimer_del(s->timer);
    event_del(s->reading);
    heard(s->arg, greeting, detail);
}

static void scout_on_greeting(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct link_scout *s = arg;
    ssize_t n = recv(fd, s->heard_bytes + s->heard_count, GREETING_BYTES - s->heard_count, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        s->heard_count += (size_t)n;
    bool foreign =
        s->heard_count >= SIGNATURE_BYTES && !signature_is_zmtp(s->heard_bytes, s->heard_count);
    if (n <= 0 || foreign || s->heard_count == GREETING_BYTES)
        greeting_finish(s);
}

void link_scout_ask(struct link_scout *s, link_scout_heard *heard)
{
    /* signature and major version are enough to be told the mechanism; with our own mechanism, a
     * server that wants another one would close without a word */
    static const uint8_t greeting[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3};
    s->heard = heard;
    s->reading = event_new(s->base, s->fd, EV_READ | EV_PERSIST, scout_on_greeting, s);
    if (s->reading == NULL)
        abort(); /* out of memory */
    /* a connection that is closed already shows when it is read */
    if (send(s->fd, greeting, sizeof(greeting), MSG_NOSIGNAL) < 0 && errno == EPIPE)
        s->heard_count = 0;
    event_add(s->reading, NULL);
    timer_set(s, GREETING_MS * PX_MS);
}
