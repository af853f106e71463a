/* SPDX-License-Identifier: MIT */
/*
 * Greets the coordinator (Hello, Welcome) or enrols with a token, keeps the session alive, and says
 * in words why it ended. What is asked over it belongs to ask_mesh.c and the commands.
 */
#include "cli/client.h"

#include <ctype.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/here.h"
#include "common/clock.h"
#include "common/text.h"

#define CLIENT_GREETING_MS 5000 /* Welcome comes within this after the handshake */
#define CLIENT_LINGER_MS 200

struct client {
    const struct context *context;
    struct client_events events;
    void *arg;
    struct link_session *session;
    struct event *timer; /* greeting deadline, then heartbeats */
    struct key_pair keys;
    struct wire_message *greeting; /* sent when the session opens */
    bool ready, ended;
    px_wall clock_offset; /* coordinator minus us */
};

/* ---- the end, in words ---- */

static const char *detail_or(const char *detail, const char *otherwise)
{
    return detail && *detail ? detail : otherwise;
}

bool client_explain_end(enum link_end why, const char *detail, const struct context *c,
                        const uint8_t public_key[KEY_BYTES], struct px_err *err)
{
    char at[CONTEXT_ADDRESS_TEXT], fingerprint[KEY_FINGERPRINT_TEXT];
    context_address(c, at);
    switch (why) {
    case LINK_REFUSED:
        px_err_set(err, "coordinator-refused",
                   "coordinator %s does not answer (connection refused)", at);
        px_err_hint(err, "is it running?  systemctl status parallax-coordinator  on %s", c->host);
        return true;
    case LINK_NO_ANSWER:
        px_err_set(err, "coordinator-no-answer",
                   "coordinator %s: no answer in %ds; a firewall between you and it?", at,
                   LINK_CONNECT_MS / 1000);
        return true;
    case LINK_UNREACHABLE:
        px_err_set(err, "coordinator-unreachable", "coordinator %s cannot be reached (%s)", at,
                   detail_or(detail, "no route"));
        return true;
    case LINK_NO_NAME:
        px_err_set(err, "coordinator-no-name", "coordinator %s: no such host name", at);
        return true;
    case LINK_NOT_PARALLAX:
        px_err_set(err, "not-a-coordinator",
                   "something listens on %s but is not a Parallax coordinator", at);
        px_err_hint(err, "no handshake in %ds; wrong port? default is 7331",
                    LINK_HANDSHAKE_MS / 1000);
        return false;
    case LINK_WRONG_KEY:
        px_err_set(err, "wrong-server-key", "%s holds another key than context \"%s\" expects", at,
                   c->name);
        px_err_hint(err,
                    "if it was reinstalled, compare:  parallax-coordinator fingerprint  (there)\n"
                    "with  plx context show %s  (here), then  plx context add %s TOKEN\n"
                    "if not, somebody else answers on that address. Nothing was sent.",
                    c->name, c->name);
        return false;
    case LINK_NOT_AUTHORISED:
        px_err_set(err, "key-not-authorised",
                   "the coordinator does not know this key (fingerprint %s)",
                   key_fingerprint(public_key, fingerprint));
        px_err_hint(err, "ask an admin for a user token, then  plx context add %s TOKEN", c->name);
        return false;
    case LINK_LOST:
    case LINK_END_COUNT:
        break;
    }
    px_err_set(err, "coordinator-lost", "the session with coordinator %s ended%s%s", at,
               detail && *detail ? ": " : "", detail ? detail : "");
    return true;
}

static void client_finish(struct client *c, const struct px_err *err, bool alone_helps)
{
    if (c->ended)
        return;
    c->ended = true;
    event_del(c->timer);
    c->events.on_end(c->arg, err, alone_helps);
}

char *client_default_name(char *out)
{
    const char *user = getenv("USER");
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    snprintf(out, PX_NAME_MAX + 1, "%.20s-%.*s", user && *user ? user : "user",
             (int)strcspn(host, "."), host);
    for (char *p = out; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", *p))
            *p = '-';
    }
    if (!px_name_valid(out))
        strcpy(out, "user");
    return out;
}

/* ---- greeting ---- */

static void client_arm(struct client *c, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_add(c->timer, &tv);
}

static void client_on_open(void *arg, const struct px_addr *remote)
{
    struct client *c = arg;
    (void)remote;
    client_arm(c, CLIENT_GREETING_MS);
    client_send(c, c->greeting);
}

static void client_on_session_end(void *arg, enum link_end why, const char *detail)
{
    struct client *c = arg;
    struct px_err err;
    bool helps = client_explain_end(why, detail, c->context, c->keys.public_key, &err);
    client_finish(c, &err, helps);
}

static bool client_protocol_fits(struct client *c, const struct wire_message *m)
{
    struct px_err err;
    if (m->protocol >= WIRE_PROTOCOL_MIN)
        return true;
    px_err_set(&err, "bad-version",
               "coordinator speaks protocol %u, this plx %u to %u; upgrade the coordinator",
               m->protocol, WIRE_PROTOCOL_MIN, WIRE_PROTOCOL);
    client_finish(c, &err, false);
    return false;
}

static void client_ping(struct client *c)
{
    struct wire_message *m = wire_new(WIRE_PING);
    m->u.ping.sent = px_wall_now();
    m->u.ping.clock_offset = c->clock_offset;
    client_send(c, m);
    wire_free(m);
}

/* The first one tells how our clock differs; the coordinator gets to know it at once, so that the
 * times of "here" are right. */
static void client_on_pong(struct client *c, const struct wire_message *m)
{
    px_wall now = px_wall_now(), round_trip = now - m->u.pong.sent;
    if (round_trip < 0 || round_trip >= LINK_DEAD_MS * PX_MS)
        return;
    bool first = c->clock_offset == 0;
    c->clock_offset = m->u.pong.now + round_trip / 2 - now;
    if (first && c->clock_offset != 0)
        client_ping(c);
}

static void client_on_greeted(struct client *c, const struct wire_message *m)
{
    c->ready = true;
    client_arm(c, LINK_HEARTBEAT_MS);
    if (m->kind == WIRE_WELCOME)
        client_ping(c);
    c->events.on_ready(c->arg, m);
}

static void client_on_bytes(void *arg, const uint8_t *bytes, size_t size)
{
    struct client *c = arg;
    struct px_err err;
    if (c->ended)
        return;
    struct wire_message *m = wire_decode(bytes, size, &err);
    if (!m) {
        client_finish(c, &err, true);
        return;
    }
    if (client_protocol_fits(c, m)) {
        if (m->kind == WIRE_WELCOME || m->kind == WIRE_ENROLLED)
            client_on_greeted(c, m);
        else if (m->kind == WIRE_PONG)
            client_on_pong(c, m);
        else if (m->kind == WIRE_ERROR && !c->ready)
            client_finish(c, &m->u.error, false);
        else if (m->kind == WIRE_GOODBYE)
            client_on_session_end(c, LINK_LOST, m->u.goodbye.reason);
        else if (m->kind != WIRE_NONE)
            c->events.on_message(c->arg, m);
    }
    wire_free(m);
}

static void client_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct client *c = arg;
    struct px_err err;
    char at[CONTEXT_ADDRESS_TEXT];
    (void)fd, (void)what;
    if (c->ready) {
        client_ping(c);
        client_arm(c, LINK_HEARTBEAT_MS);
        return;
    }
    px_err_set(&err, "coordinator-silent", "coordinator %s took the connection, but does not greet",
               context_address(c->context, at));
    client_finish(c, &err, true);
}

/* ---- life ---- */

static void hello_fill(struct wire_hello *hello, const struct client_wish *wish)
{
    const struct context *context = wish->context;
    px_text_copy(hello->name, sizeof hello->name, wish->name);
    px_text_copy(hello->version, sizeof hello->version, PARALLAX_VERSION);
    memcpy(hello->labels, context->labels, sizeof hello->labels);
    hello->label_count = context->label_count;
    for (const char *word = wish->can; word && hello->can_count < WIRE_CAPABILITIES_MAX;) {
        size_t length = strcspn(word, ",");
        snprintf(hello->can[hello->can_count++], WIRE_WORD, "%.*s", (int)length, word);
        word = word[length] ? word + length + 1 : NULL;
    }
    if (wish->can)
        hello->address_count = (uint32_t)here_addresses(hello->addresses, WIRE_ADDRESSES_MAX);
}

static struct wire_message *greeting_new(const struct client_wish *wish)
{
    struct wire_message *m = wire_new(wish->secret ? WIRE_ENROL : WIRE_HELLO);
    if (!wish->secret) {
        hello_fill(&m->u.hello, wish);
        return m;
    }
    memcpy(m->u.enrol.secret, wish->secret, WIRE_SECRET);
    px_text_copy(m->u.enrol.name, sizeof m->u.enrol.name, wish->name);
    px_text_copy(m->u.enrol.version, sizeof m->u.enrol.version, PARALLAX_VERSION);
    return m;
}

int client_load_key(const struct context *c, struct key_pair *keys, struct px_err *err)
{
    if (key_load(c->key_file, keys, err) == 0)
        return 0;
    if (err && !*err->hint)
        px_err_hint(err, "plx context add %s TOKEN   makes a new one", c->name);
    return -1;
}

struct client *client_open(struct event_base *base, const struct client_wish *wish,
                           const struct client_events *events, void *arg, struct px_err *err)
{
    static const struct link_session_events session_events = {client_on_open, client_on_bytes,
                                                              client_on_session_end};
    struct client *c = px_xcalloc(1, sizeof *c);
    c->context = wish->context;
    c->events = *events;
    c->arg = arg;
    c->keys = *wish->keys;
    c->greeting = greeting_new(wish);
    c->timer = event_new(base, -1, 0, client_on_timer, c);
    if (c->timer)
        c->session =
            link_session_open(base, wish->context->host, wish->context->port,
                              wish->context->server_key, wish->keys, &session_events, c, err);
    if (!c->session) {
        client_close(c);
        return NULL;
    }
    return c;
}

int client_send(struct client *c, const struct wire_message *m)
{
    size_t size;
    struct px_err err;
    if (c->ended)
        return -1;
    uint8_t *bytes = wire_encode(m, &size, &err);
    int result = bytes ? link_session_send(c->session, bytes, size) : -1;
    free(bytes);
    return result;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    if (c->timer)
        event_free(c->timer);
    link_session_close(c->session, c->ended ? 0 : CLIENT_LINGER_MS);
    wire_free(c->greeting);
    key_clear(&c->keys);
    free(c);
}
