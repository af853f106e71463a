/* SPDX-License-Identifier: MIT */
/*
 * A listening side and any number of dialling sides in one process and one loop, counting what
 * arrives. Waiting is for conditions; the time given is only the limit.
 */
#ifndef PX_TESTS_LINK_RIG_H
#define PX_TESTS_LINK_RIG_H

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/limits.h"
#include "proto/link.h"

#define PEERS_MAX 512

struct rig {
    struct event_base *base;
    struct event *heartbeat;
    struct link_server *server;
    struct key_pair server_keys;
    uint16_t port;
    /* what the owner of the server does and sees */
    bool refuse_keys, echo, strangers;
    int stall_ms; /* sleep in every so many-th message */
    unsigned stall_every;
    unsigned keys_asked, messages, gone;
    link_peer last_peer, gone_peers[PEERS_MAX];
    char last_user[128];
    uint8_t last_key[KEY_BYTES];
    struct px_addr last_from;
    uint8_t last_bytes[256];
    size_t last_size, total_bytes;
    bool close_in_message, close_in_key;
};

struct dial {
    struct rig *rig;
    struct link_session *session;
    struct key_pair keys;
    unsigned opens, messages, ends;
    enum link_end why;
    char detail[200];
    struct px_addr remote;
    uint8_t last_bytes[256];
    size_t last_size;
    px_mono opened_at, ended_at;
    bool close_in_open, close_in_message, close_in_end;
};

static inline void rig_stall(struct rig *r)
{
    if (r->stall_every != 0 && r->messages % r->stall_every == 0)
        usleep((useconds_t)r->stall_ms * 1000); /* a fault, not a wait */
}

static inline bool rig_on_key(void *arg, const uint8_t *key, char *user_id, size_t size)
{
    struct rig *r = arg;
    char fingerprint[KEY_FINGERPRINT_TEXT];
    r->keys_asked++;
    if (r->close_in_key) {
        link_server_close(r->server);
        r->server = NULL;
    }
    snprintf(user_id, size, "%c:%s", r->strangers ? 'p' : 'n', key_fingerprint(key, fingerprint));
    return !r->refuse_keys;
}

static inline void rig_on_message(void *arg, link_peer peer, const char *user_id,
                                  const uint8_t *key, const struct px_addr *from,
                                  const uint8_t *bytes, size_t size)
{
    struct rig *r = arg;
    r->messages++;
    r->total_bytes += size;
    r->last_peer = peer;
    snprintf(r->last_user, sizeof(r->last_user), "%s", user_id);
    memcpy(r->last_key, key, KEY_BYTES);
    r->last_from = *from;
    r->last_size = size;
    memcpy(r->last_bytes, bytes, size < sizeof(r->last_bytes) ? size : sizeof(r->last_bytes));
    rig_stall(r);
    if (r->echo)
        link_server_send(r->server, peer, bytes, size);
    if (r->close_in_message) {
        link_server_close(r->server);
        r->server = NULL;
    }
}

static inline void rig_on_gone(void *arg, link_peer peer)
{
    struct rig *r = arg;
    if (r->gone < PEERS_MAX)
        r->gone_peers[r->gone] = peer;
    r->gone++;
}

static inline void dial_close(struct dial *d)
{
    link_session_close(d->session, 0);
    d->session = NULL;
}

static inline void dial_on_open(void *arg, const struct px_addr *remote)
{
    struct dial *d = arg;
    d->opens++;
    d->remote = *remote;
    d->opened_at = px_mono_now();
    if (d->close_in_open)
        dial_close(d);
}

static inline void dial_on_message(void *arg, const uint8_t *bytes, size_t size)
{
    struct dial *d = arg;
    d->messages++;
    d->last_size = size;
    memcpy(d->last_bytes, bytes, size < sizeof(d->last_bytes) ? size : sizeof(d->last_bytes));
    if (d->close_in_message)
        dial_close(d);
}

static inline void dial_on_end(void *arg, enum link_end why, const char *detail)
{
    struct dial *d = arg;
    d->ends++;
    d->why = why;
    d->ended_at = px_mono_now();
    snprintf(d->detail, sizeof(d->detail), "%s", detail);
    if (d->close_in_end)
        dial_close(d);
}

static inline void rig_on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static inline void rig_listen(struct rig *r, const char *endpoint)
{
    static const struct link_server_events events = {rig_on_key, rig_on_message, rig_on_gone};
    struct px_err err = {0};
    r->server = link_server_open(r->base, endpoint, &r->server_keys, &events, r, &err);
    cr_assert_not_null(r->server, "%s", err.message);
    r->port = (uint16_t)atoi(strrchr(link_server_endpoint(r->server), ':') + 1);
    cr_assert_gt(r->port, 0);
}

/* Without a server. */
static inline void rig_init(struct rig *r)
{
    struct rlimit files;
    struct timeval often = {0, 5000};
    memset(r, 0, sizeof(*r));
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &files);
    r->base = event_base_new();
    r->heartbeat = event_new(r->base, -1, EV_PERSIST, rig_on_heartbeat, NULL);
    event_add(r->heartbeat, &often);
    key_generate(&r->server_keys);
}

static inline void rig_clear(struct rig *r)
{
    link_server_close(r->server);
    event_free(r->heartbeat);
    event_base_free(r->base);
}

static inline void dial_to(struct dial *d, struct rig *r, const char *host, uint16_t port,
                           const uint8_t *server_key)
{
    static const struct link_session_events events = {dial_on_open, dial_on_message, dial_on_end};
    struct px_err err = {0};
    struct key_pair keys = d->keys;
    static const struct key_pair none;
    if (memcmp(&keys, &none, sizeof(keys)) == 0)
        key_generate(&keys);
    memset(d, 0, sizeof(*d));
    d->rig = r;
    d->keys = keys;
    d->session = link_session_open(r->base, host, port, server_key, &d->keys, &events, d, &err);
    cr_assert_not_null(d->session, "%s", err.message);
}

static inline void dial_open(struct dial *d, struct rig *r)
{
    dial_to(d, r, "127.0.0.1", r->port, r->server_keys.public_key);
}

/* Run the loop until the condition holds; fails the test after `seconds`. */
#define WAIT_FOR(rig, seconds, condition)                                                          \
    do {                                                                                           \
        px_mono wait_until_ = px_mono_now() + (px_mono)((seconds)*1e9);                            \
        while (!(condition) && px_mono_now() < wait_until_)                                        \
            event_base_loop((rig)->base, EVLOOP_ONCE);                                             \
        cr_assert(condition, "not within %s s: %s", #seconds, #condition);                         \
    } while (0)

/* Let the loop run until nothing new can be expected: `rounds` round trips of the heartbeat. */
static inline void rig_spin(struct rig *r, int rounds)
{
    for (int i = 0; i < rounds; i++)
        event_base_loop(r->base, EVLOOP_ONCE);
}

#endif
