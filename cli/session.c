/* SPDX-License-Identifier: MIT */
/* A loop of its own around cli/client for commands that ask once. */
#include "cli/session.h"

#include <event2/event.h>
#include <string.h>

#include "cli/client.h"
#include "cli/cmd.h"

#define SESSION_ANSWER_MS 15000

struct session {
    struct event_base *base;
    struct client *client;
    const struct session_wish *wish;
    session_answer *answer;
    void *arg;
    struct event *deadline;
    struct px_err *err;
    int result;
};

static void session_finish(struct session *s, int result, const struct px_err *err)
{
    s->result = result;
    if (err && s->err)
        *s->err = *err;
    event_base_loopbreak(s->base);
}

static void session_on_message(void *arg, const struct wire_message *m)
{
    struct session *s = arg;
    if (m->kind == WIRE_ERROR)
        session_finish(s, -1, &m->u.error);
    else if (s->answer(s->arg, m))
        session_finish(s, 0, NULL);
}

static void session_on_ready(void *arg, const struct wire_message *m)
{
    struct session *s = arg;
    if (!s->wish->request)
        session_on_message(s, m);
    else if (client_send(s->client, s->wish->request) == 0)
        return;
    else
        session_finish(s, CMD_COORDINATOR, NULL);
}

static void session_on_end(void *arg, const struct px_err *err, bool alone_helps)
{
    (void)alone_helps;
    session_finish(arg, CMD_COORDINATOR, err);
}

static void session_on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct px_err err;
    (void)fd, (void)what;
    px_err_set(&err, "coordinator-silent", "the coordinator does not answer this request");
    session_finish(arg, CMD_COORDINATOR, &err);
}

static int session_open(struct session *s, struct px_err *err)
{
    static const struct client_events events = {session_on_ready, session_on_message,
                                                session_on_end};
    char name[PX_NAME_MAX + 1];
    struct key_pair keys;
    if (s->wish->keys)
        keys = *s->wish->keys;
    else if (client_load_key(s->wish->context, &keys, err) != 0)
        return CMD_MISUSE;
    struct client_wish wish = {s->wish->context, &keys, s->wish->secret,
                               s->wish->name ? s->wish->name : client_default_name(name), NULL};
    s->client = client_open(s->base, &wish, &events, s, err);
    key_clear(&keys);
    return s->client ? 0 : CMD_COORDINATOR;
}

int session_ask(const struct session_wish *wish, session_answer *answer, void *arg,
                struct px_err *err)
{
    struct session s = {.wish = wish, .answer = answer, .arg = arg, .err = err};
    struct timeval tv = {SESSION_ANSWER_MS / 1000, 0};
    s.base = event_base_new();
    if (!s.base) {
        px_err_set(err, "no-memory", "no event loop");
        return CMD_COORDINATOR;
    }
    s.result = session_open(&s, err);
    s.deadline = event_new(s.base, -1, 0, session_on_deadline, &s);
    if (s.result == 0) {
        event_add(s.deadline, &tv);
        event_base_dispatch(s.base);
    }
    client_close(s.client);
    event_free(s.deadline);
    event_base_free(s.base);
    return s.result;
}
