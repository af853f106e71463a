/* SPDX-License-Identifier: MIT */
/*
 * A prober on loopback with servers on the same event loop, and a resolver of the test's own in
 * place of the machine's. Included by one test program at a time.
 */
#ifndef TESTS_UNIT_PROBER_RIG_H
#define TESTS_UNIT_PROBER_RIG_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"
#include "probe-node/prober.h"

#define UNUSED __attribute__((unused))
#define RIG_RESULTS 64
#define RIG_PATIENCE (15 * PX_SEC)

/* ---- names ---- */

/* "stuck" blocks in here until the test lets it go. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool released;
    unsigned calls, stuck;
} names = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct addrinfo *made_address(const char *text, struct addrinfo *next)
{
    struct px_addr a;
    struct addrinfo *info = calloc(1, sizeof(*info));
    struct sockaddr_storage *sa = calloc(1, sizeof(*sa));

    (void)px_addr_parse(text, &a);
    info->ai_addrlen = px_addr_to_sockaddr(&a, 0, sa);
    info->ai_family = sa->ss_family;
    info->ai_addr = (struct sockaddr *)sa;
    info->ai_next = next;
    return info;
}

static void wait_for_release(void)
{
    (void)pthread_mutex_lock(&names.mutex);
    names.stuck++;
    while (!names.released)
        (void)pthread_cond_wait(&names.changed, &names.mutex);
    names.stuck--;
    (void)pthread_cond_broadcast(&names.changed);
    (void)pthread_mutex_unlock(&names.mutex);
}

int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
    (void)service;
    (void)hints;
    (void)pthread_mutex_lock(&names.mutex);
    names.calls++;
    (void)pthread_mutex_unlock(&names.mutex);
    *out = NULL;
    if (strcmp(host, "missing.test") == 0)
        return EAI_NONAME;
    if (strcmp(host, "broken.test") == 0)
        return EAI_AGAIN;
    if (strcmp(host, "empty.test") == 0)
        return EAI_NODATA;
    if (strcmp(host, "stuck.test") == 0)
        wait_for_release();
    if (strcmp(host, "many.test") == 0) {
        char text[32];
        for (int i = 20; i > 0; i--) {
            snprintf(text, sizeof(text), "127.0.0.%d", (i + 1) / 2); /* each of them twice */
            *out = made_address(text, *out);
        }
        return 0;
    }
    *out = made_address("127.0.0.1", NULL);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

/* Let the blocked lookups go and wait until they have left. */
UNUSED static void names_release(void)
{
    (void)pthread_mutex_lock(&names.mutex);
    names.released = true;
    (void)pthread_cond_broadcast(&names.changed);
    while (names.stuck > 0)
        (void)pthread_cond_wait(&names.changed, &names.mutex);
    (void)pthread_mutex_unlock(&names.mutex);
}

/* ---- the prober ---- */

struct rig {
    struct event_base *base;
    struct event *limit;
    struct budget *budget;
    struct prober *prober;
    bool submitting;
    unsigned done;
    struct px_observation results[RIG_RESULTS];
};

static void rig_on_limit(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

UNUSED static void rig_open(struct rig *rig, const struct prober_options *options,
                            const struct budget_limits *limits)
{
    const struct prober_options usual = {0};
    const struct timeval tick = {.tv_usec = 50000};
    struct px_err err;

    memset(rig, 0, sizeof(*rig));
    rig->base = event_base_new();
    rig->limit = event_new(rig->base, -1, EV_PERSIST, rig_on_limit, NULL);
    (void)event_add(rig->limit, &tick); /* the loop never sleeps for long */
    rig->budget = budget_new(limits);
    rig->prober = prober_new(rig->base, rig->budget, options != NULL ? options : &usual, &err);
    cr_assert_not_null(rig->prober);
}

UNUSED static void rig_close(struct rig *rig)
{
    prober_free(rig->prober);
    budget_free(rig->budget);
    event_free(rig->limit);
    event_base_free(rig->base);
}

static void rig_on_done(void *arg, const struct px_job *job, const struct px_observation *o)
{
    struct rig *rig = arg;

    cr_assert_not(rig->submitting, "done from inside submit");
    cr_assert_lt(rig->done, RIG_RESULTS);
    cr_assert_eq(job->id, o->job_id);
    cr_assert_str_eq(job->run_id, o->run_id);
    rig->results[rig->done++] = *o;
}

UNUSED static void rig_submit(struct rig *rig, const struct px_job *job)
{
    rig->submitting = true;
    prober_submit(rig->prober, job, rig_on_done, rig);
    rig->submitting = false;
}

UNUSED static void rig_turn(struct rig *rig)
{
    (void)event_base_loop(rig->base, EVLOOP_ONCE);
}

/* Run the loop until so many jobs are done. */
UNUSED static void rig_wait(struct rig *rig, unsigned count)
{
    px_mono until = px_mono_now() + RIG_PATIENCE;

    while (rig->done < count && px_mono_now() < until)
        rig_turn(rig);
    cr_assert_eq(rig->done, count, "%u of %u jobs done", rig->done, count);
}

UNUSED static struct px_job job_for(const char *scheme, const char *host, uint16_t port)
{
    struct px_job job = {.id = 1, .round = 1, .ladder = true, .depth = PX_STAGE_TCP};
    struct px_err err;
    char url[PX_TARGET_URL];

    snprintf(url, sizeof(url), "%s://%s:%u", scheme, host, port);
    cr_assert_eq(px_target_parse(url, &job.target, &err), 0, "%s", err.message);
    strcpy(job.run_id, "01HX0000000000000000000000");
    job.timeout_ms = 5000;
    return job;
}

UNUSED static struct px_observation *rig_run(struct rig *rig, const struct px_job *job)
{
    unsigned before = rig->done;

    rig_submit(rig, job);
    rig_wait(rig, before + 1);
    return &rig->results[before];
}

/* ---- servers on the same loop ---- */

#define SERVER_CLIENTS 32

struct server {
    struct event_base *base;
    struct event *event;
    int fd;
    uint16_t port;
    const char *says; /* to every client; NULL = nothing */
    bool closes;      /* ... and closes */
    unsigned accepted, resets, ends;
    struct server_client {
        struct server *server;
        struct event *event;
        int fd;
    } clients[SERVER_CLIENTS];
};

static void server_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct server_client *c = arg;
    char data[512];
    ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

    (void)what;
    if (n > 0)
        return;
    if (n == 0)
        c->server->ends++;
    else
        c->server->resets++;
    (void)event_del(c->event);
}

static void server_on_connection(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    struct server_client *c = &s->clients[s->accepted % SERVER_CLIENTS];
    int client = accept(fd, NULL, NULL);

    (void)what;
    cr_assert_geq(client, 0);
    cr_assert_lt(s->accepted, SERVER_CLIENTS);
    s->accepted++;
    if (s->says != NULL)
        (void)send(client, s->says, strlen(s->says), MSG_NOSIGNAL);
    if (s->closes) {
        (void)close(client);
        return;
    }
    *c = (struct server_client){.server = s, .fd = client};
    c->event = event_new(s->base, client, EV_READ | EV_PERSIST, server_on_readable, c);
    (void)event_add(c->event, NULL);
}

static int server_socket(const char *host, int backlog, uint16_t *port)
{
    struct sockaddr_storage sa;
    struct px_addr a;
    socklen_t len;
    int fd;

    cr_assert(px_addr_parse(host, &a));
    len = px_addr_to_sockaddr(&a, 0, &sa);
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
    if (backlog >= 0)
        cr_assert_eq(listen(fd, backlog), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    cr_assert(px_addr_from_sockaddr((struct sockaddr *)&sa, &a, port));
    return fd;
}

UNUSED static void server_open(struct server *s, struct rig *rig, const char *host)
{
    *s = (struct server){.base = rig->base};
    s->fd = server_socket(host, 64, &s->port);
    s->event = event_new(rig->base, s->fd, EV_READ | EV_PERSIST, server_on_connection, s);
    (void)event_add(s->event, NULL);
}

UNUSED static void server_close(struct server *s)
{
    for (size_t i = 0; i < SERVER_CLIENTS; i++) {
        if (s->clients[i].event == NULL)
            continue;
        event_free(s->clients[i].event);
        (void)close(s->clients[i].fd);
    }
    event_free(s->event);
    (void)close(s->fd);
}

/* A port that is taken but not listened on: it refuses. Close the descriptor afterwards. */
UNUSED static int closed_port(uint16_t *port)
{
    return server_socket("127.0.0.1", -1, port);
}

/* A port whose accept queue is full: it is silent. */
struct silence {
    int fd, fillers[2];
    uint16_t port;
};

UNUSED static void silence_open(struct silence *s)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};

    s->fd = server_socket("127.0.0.1", 0, &s->port);
    sa.sin_port = htons(s->port);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < 2; i++) {
        s->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(s->fillers[i], (struct sockaddr *)&sa, sizeof(sa));
    }
}

UNUSED static void silence_close(struct silence *s)
{
    (void)close(s->fillers[0]);
    (void)close(s->fillers[1]);
    (void)close(s->fd);
}

#endif
