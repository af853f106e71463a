/* SPDX-License-Identifier: MIT */
/*
 * The envelope: which body it holds, within which budget it is decoded. The bodies themselves are
 * in wire_node.c, wire_observation.c and wire_query.c.
 */
#include "proto/wire.h"

#include <stdlib.h>

#include "common/text.h"
#include "proto/wire_codec.h"

/* What decoding may allocate: generous for honest messages, far below what a bomb wants. */
#define BUDGET_FACTOR 16u
#define BUDGET_BASE (64u << 10)

struct codec {
    const char *name;
    Parallax__Envelope__BodyCase body;
    Parallax__Query__WhatCase what; /* only for body QUERY */
    wire_encode_body *encode;
    wire_decode_body *decode;
};

#define BODY(word, NAME)                                                                           \
    {                                                                                              \
#word, PARALLAX__ENVELOPE__BODY_##NAME, PARALLAX__QUERY__WHAT__NOT_SET,                    \
            wire_encode_##word, wire_decode_##word                                                 \
    }
#define QUERY(word, NAME, decode)                                                                  \
    {                                                                                              \
#word, PARALLAX__ENVELOPE__BODY_QUERY, PARALLAX__QUERY__WHAT_##NAME, wire_encode_##word,   \
            decode                                                                                 \
    }

static const struct codec codecs[] = {
    [WIRE_NONE] = {"none", PARALLAX__ENVELOPE__BODY__NOT_SET, PARALLAX__QUERY__WHAT__NOT_SET, NULL,
                   wire_decode_nothing},
    [WIRE_HELLO] = BODY(hello, HELLO),
    [WIRE_WELCOME] = BODY(welcome, WELCOME),
    [WIRE_ENROL] = BODY(enrol, ENROL),
    [WIRE_ENROLLED] = BODY(enrolled, ENROLLED),
    [WIRE_PING] = BODY(ping, PING),
    [WIRE_PONG] = BODY(pong, PONG),
    [WIRE_GOODBYE] = BODY(goodbye, GOODBYE),
    [WIRE_JOB] = BODY(job, JOB),
    [WIRE_CANCEL] = BODY(cancel, CANCEL),
    [WIRE_OBSERVATION] = BODY(observation, OBSERVATION),
    [WIRE_CHECK] = QUERY(check, CHECK, wire_decode_check),
    [WIRE_LIST_NODES] = QUERY(list_nodes, LIST_NODES, wire_decode_nothing),
    [WIRE_SHOW] = QUERY(show, SHOW, wire_decode_show),
    [WIRE_STOP] = QUERY(stop, STOP, wire_decode_nothing),
    [WIRE_PROGRESS] = BODY(progress, PROGRESS),
    [WIRE_DOCUMENT] = BODY(document, DOCUMENT),
    [WIRE_NODE_LIST] = BODY(node_list, NODE_LIST),
    [WIRE_ERROR] = BODY(error, ERROR),
};
_Static_assert(sizeof(codecs) / sizeof(codecs[0]) == WIRE_KIND_COUNT, "every kind");

const char *wire_kind_name(enum wire_kind kind)
{
    return (size_t)kind < WIRE_KIND_COUNT ? codecs[kind].name : "?";
}

struct wire_message *wire_new(enum wire_kind kind)
{
    struct wire_message *m = px_xcalloc(1, sizeof(*m));
    m->kind = kind;
    m->protocol = WIRE_PROTOCOL;
    if (kind == WIRE_OBSERVATION)
        px_observation_init(&m->u.observation);
    return m;
}

void wire_free(struct wire_message *m)
{
    if (m == NULL)
        return;
    if (m->owned && m->kind == WIRE_DOCUMENT)
        free((void *)(uintptr_t)m->u.document.json);
    if (m->owned && m->kind == WIRE_NODE_LIST)
        free(m->u.node_list.nodes);
    free(m);
}

uint8_t *wire_encode(const struct wire_message *m, size_t *size, struct px_err *err)
{
    struct wire_arena arena = {0};
    Parallax__Envelope e = PARALLAX__ENVELOPE__INIT;
    uint8_t *bytes = NULL;

    WIRE_SET(&e, protocol, m->protocol);
    WIRE_SET(&e, request, m->request);
    if (codecs[m->kind].encode != NULL)
        codecs[m->kind].encode(m, &e, &arena);
    e.body_case = codecs[m->kind].body;
    *size = parallax__envelope__get_packed_size(&e);
    if (*size <= WIRE_MESSAGE_MAX) {
        bytes = px_xcalloc(1, *size);
        parallax__envelope__pack(&e, bytes);
    } else {
        px_err_set(err, "message-too-large", "%s message of %zu bytes, at most %u",
                   codecs[m->kind].name, *size, WIRE_MESSAGE_MAX);
    }
    wire_arena_clear(&arena);
    return bytes;
}

static enum wire_kind kind_of(const Parallax__Envelope *e)
{
    for (size_t i = 1; i < WIRE_KIND_COUNT; i++) {
        if (codecs[i].body != e->body_case)
            continue;
        if (e->body_case != PARALLAX__ENVELOPE__BODY_QUERY ||
            (e->query != NULL && codecs[i].what == e->query->what_case))
            return (enum wire_kind)i;
    }
    return WIRE_NONE;
}

static void *budget_alloc(void *arena, size_t size)
{
    return wire_arena_alloc(arena, size);
}

static void budget_free(void *arena, void *p)
{
    wire_arena_free(arena, p);
}

struct wire_message *wire_decode(const uint8_t *bytes, size_t size, struct px_err *err)
{
    if (size > WIRE_MESSAGE_MAX) {
        px_err_set(err, "bad-message", "%zu bytes, at most %u", size, WIRE_MESSAGE_MAX);
        return NULL;
    }
    struct wire_arena arena = {.left = size * BUDGET_FACTOR + BUDGET_BASE};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &arena};
    struct wire_message *m = NULL;
    Parallax__Envelope *e = parallax__envelope__unpack(&allocator, size, bytes);
    if (e == NULL) {
        px_err_set(err, "bad-message", "not a message of ours (%zu bytes)", size);
    } else {
        m = wire_new(kind_of(e));
        m->owned = true;
        m->protocol = e->protocol;
        m->request = e->request;
        if (codecs[m->kind].decode(e, m, err) != 0) {
            wire_free(m);
            m = NULL;
        }
    }
    wire_arena_clear(&arena);
    return m;
}
