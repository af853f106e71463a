/* SPDX-License-Identifier: MIT */
/*
 * The ZAP handler: asked by ZeroMQ for every handshake, it asks the owner who a key is. Its answer
 * becomes the User-Id of every message of that connection, the only identity there is: the key in
 * hex, a colon, and the owner's name for it. Decides nothing itself.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/text.h"
#include "proto/keys.h"
#include "proto/link_internal.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define KEY_HEX ((size_t)2 * KEY_BYTES)

/* Frames of a request as RFC 27 orders them. */
enum { FRAME_VERSION, FRAME_REQUEST, FRAME_DOMAIN, FRAME_ADDRESS, FRAME_ROUTING_ID };
enum { FRAME_MECHANISM = FRAME_ROUTING_ID + 1, FRAME_KEY, FRAMES };

struct link_zap {
    void *socket;
    struct link_pump pump;
    bool (*on_key)(void *arg, const uint8_t *key, char *user_id, size_t size);
    void *arg;
};

/* All frames of one request; false if there is none. Too few or too many make *count wrong. */
static bool request_take(void *socket, zmq_msg_t *frames, size_t *count)
{
    zmq_msg_t frame;
    *count = 0;
    do {
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return *count > 0;
        }
        int more = zmq_msg_more(&frame);
        if (*count < FRAMES) {
            zmq_msg_init(&frames[*count]);
            zmq_msg_move(&frames[*count], &frame);
        }
        zmq_msg_close(&frame);
        (*count)++;
        if (!more)
            return true;
    } while (true);
}

static bool frame_is(zmq_msg_t *frame, const char *text)
{
    return zmq_msg_size(frame) == strlen(text) &&
           memcmp(zmq_msg_data(frame), text, strlen(text)) == 0;
}

static bool request_allowed(struct link_zap *z, zmq_msg_t *frames, char *identity, size_t size)
{
    char user_id[LINK_USER_ID_MAX] = "";
    if (!frame_is(&frames[FRAME_VERSION], "1.0") ||
        !frame_is(&frames[FRAME_DOMAIN], LINK_ZAP_DOMAIN) ||
        !frame_is(&frames[FRAME_MECHANISM], "CURVE") ||
        zmq_msg_size(&frames[FRAME_KEY]) != KEY_BYTES)
        return false;
    const uint8_t *key = zmq_msg_data(&frames[FRAME_KEY]);
    if (!z->on_key(z->arg, key, user_id, sizeof(user_id)) || user_id[0] == '\0')
        return false;
    size_t used = 0;
    for (size_t i = 0; i < KEY_BYTES; i++)
        used += (size_t)snprintf(identity + used, size - used, "%02x", key[i]);
    (void)snprintf(identity + used, size - used, ":%s", user_id);
    return true;
}

static void reply_send(void *socket, zmq_msg_t *request_id, bool allowed, const char *identity)
{
    const char *status = allowed ? "200" : "400";
    const char *text = allowed ? "OK" : "unknown key";
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, zmq_msg_data(request_id), zmq_msg_size(request_id), ZMQ_SNDMORE);
    zmq_send(socket, status, 3, ZMQ_SNDMORE);
    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(socket, identity, strlen(identity), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static bool zap_on_readable(void *arg)
{
    struct link_zap *z = arg;
    void *socket = z->socket;
    zmq_msg_t frames[FRAMES];
    char identity[KEY_HEX + 1 + LINK_USER_ID_MAX] = "";
    size_t count;
    if (!request_take(socket, frames, &count))
        return false;
    bool allowed = count == FRAMES && request_allowed(z, frames, identity, sizeof(identity));
    /* the owner may have closed the server meanwhile */
    if (count > FRAME_REQUEST && !z->pump.guard->closed)
        reply_send(socket, &frames[FRAME_REQUEST], allowed, identity);
    for (size_t i = 0; i < count && i < FRAMES; i++)
        zmq_msg_close(&frames[i]);
    return true;
}

struct link_zap *
link_zap_open(struct event_base *base, void *context, struct link_guard *guard,
              bool (*on_key)(void *arg, const uint8_t *key, char *user_id, size_t size), void *arg)
{
    static const struct link_option options[] = {{ZMQ_LINGER, 0}, {ZMQ_RCVHWM, 0}, {ZMQ_SNDHWM, 0}};
    struct link_zap *z = px_xcalloc(1, sizeof(*z));
    z->on_key = on_key;
    z->arg = arg;
    z->socket = zmq_socket(context, ZMQ_REP);
    if (z->socket != NULL && link_options_set(z->socket, options, 3) == 0 &&
        zmq_bind(z->socket, ENDPOINT) == 0 &&
        link_pump_open(&z->pump, base, z->socket, zap_on_readable, z, guard) == 0)
        return z;
    link_zap_close(z);
    return NULL;
}

void link_zap_close(struct link_zap *z)
{
    if (z == NULL)
        return;
    link_pump_close(&z->pump);
    if (z->socket != NULL)
        zmq_close(z->socket);
    free(z);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool link_zap_identity(const char *property, uint8_t *key, char *user_id, size_t size)
{
    if (property == NULL || strnlen(property, KEY_HEX + 1) <= KEY_HEX || property[KEY_HEX] != ':')
        return false;
    for (size_t i = 0; i < KEY_BYTES; i++) {
        int high = hex_value(property[2 * i]), low = hex_value(property[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return px_text_copy(user_id, size, property + KEY_HEX + 1) == 0 && user_id[0] != '\0';
}
