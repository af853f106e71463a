/* SPDX-License-Identifier: MIT */
/* What users ask and what they are told: queries, progress, documents, nodes, errors. */
#include <stdlib.h>

#include "common/text.h"
#include "proto/wire_codec.h"

#define US 1000 /* nanoseconds in a microsecond */

static Parallax__Query *query_new(Parallax__Envelope *e, struct wire_arena *a,
                                  Parallax__Query__WhatCase what)
{
    e->query = WIRE_OUT(a, Parallax__Query, PARALLAX__QUERY__INIT);
    e->query->what_case = what;
    return e->query;
}

void wire_encode_check(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    const struct wire_check *c = &m->u.check;
    Parallax__Check *out = WIRE_OUT(a, Parallax__Check, PARALLAX__CHECK__INIT);
    query_new(e, a, PARALLAX__QUERY__WHAT_CHECK)->check = out;
    WIRE_SET_TEXT(out, target, c->target);
    WIRE_SET_TEXT(out, from, c->from);
    WIRE_SET(out, here, c->here);
    WIRE_SET_TEXT(out, depth, px_stage_name(c->depth));
    WIRE_SET(out, timeout_ms, c->timeout_ms);
    WIRE_SET(out, rounds, c->rounds);
    WIRE_SET(out, fresh, c->fresh);
    WIRE_SET(out, watch, c->watch);
}

int wire_decode_check(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Check *in = e->query->check;
    struct wire_check *c = &m->u.check;
    if (wire_in_text(err, "check.target", in->target, WIRE_TEXT_RAW, c->target,
                     sizeof(c->target)) != 0 ||
        wire_in_text(err, "check.from", in->from, WIRE_TEXT_RAW, c->from, sizeof(c->from)) != 0 ||
        wire_in_stage(err, "check.depth", in->depth, &c->depth) != 0)
        return -1;
    c->here = in->here;
    c->timeout_ms = in->timeout_ms;
    c->rounds = in->rounds;
    c->fresh = in->fresh;
    c->watch = in->watch;
    return 0;
}

void wire_encode_list_nodes(const struct wire_message *m, Parallax__Envelope *e,
                            struct wire_arena *a)
{
    (void)m;
    Parallax__Query *q = query_new(e, a, PARALLAX__QUERY__WHAT_LIST_NODES);
    q->list_nodes = WIRE_OUT(a, Parallax__ListNodes, PARALLAX__LIST_NODES__INIT);
}

void wire_encode_stop(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    (void)m;
    Parallax__Query *q = query_new(e, a, PARALLAX__QUERY__WHAT_STOP);
    q->stop = WIRE_OUT(a, Parallax__Stop, PARALLAX__STOP__INIT);
}

int wire_decode_nothing(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    (void)e;
    (void)m;
    (void)err;
    return 0;
}

void wire_encode_show(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    Parallax__Query *q = query_new(e, a, PARALLAX__QUERY__WHAT_SHOW);
    q->show = WIRE_OUT(a, Parallax__Show, PARALLAX__SHOW__INIT);
    WIRE_SET_TEXT(q->show, run_id, m->u.show.run_id);
}

int wire_decode_show(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    return wire_in_text(err, "show.run_id", e->query->show->run_id, WIRE_TEXT_ID, m->u.show.run_id,
                        sizeof(m->u.show.run_id));
}

void wire_encode_progress(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->progress = WIRE_OUT(a, Parallax__Progress, PARALLAX__PROGRESS__INIT);
    WIRE_SET_TEXT(e->progress, run_id, m->u.progress.run_id);
    WIRE_SET(e->progress, round, m->u.progress.round);
    WIRE_SET(e->progress, reported, m->u.progress.reported);
    WIRE_SET(e->progress, expected, m->u.progress.expected);
}

int wire_decode_progress(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    m->u.progress.round = e->progress->round;
    m->u.progress.reported = e->progress->reported;
    m->u.progress.expected = e->progress->expected;
    return wire_in_text(err, "progress.run_id", e->progress->run_id, WIRE_TEXT_ID,
                        m->u.progress.run_id, sizeof(m->u.progress.run_id));
}

void wire_encode_document(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    const struct wire_document *d = &m->u.document;
    e->document = WIRE_OUT(a, Parallax__Document, PARALLAX__DOCUMENT__INIT);
    WIRE_SET_TEXT(e->document, run_id, d->run_id);
    WIRE_SET(e->document, part, d->part);
    WIRE_SET(e->document, last, d->last);
    WIRE_SET(e->document, final, d->final);
    ProtobufCBinaryData json = {d->json_size, (uint8_t *)(uintptr_t)d->json};
    WIRE_SET(e->document, json, json);
}

int wire_decode_document(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Document *in = e->document;
    struct wire_document *d = &m->u.document;
    if (wire_in_text(err, "document.run_id", in->run_id, WIRE_TEXT_ID, d->run_id,
                     sizeof(d->run_id)) != 0 ||
        wire_in_limit(err, "document.json", in->json.len, WIRE_DOCUMENT_PART) != 0)
        return -1;
    d->part = in->part;
    d->last = in->last;
    d->final = in->final;
    d->json_size = in->json.len;
    uint8_t *copy = px_xcalloc(1, in->json.len);
    if (in->json.len > 0)
        memcpy(copy, in->json.data, in->json.len);
    d->json = copy;
    return 0;
}

static Parallax__Node *node_encode(struct wire_arena *a, const struct wire_node *n)
{
    Parallax__Node *out = WIRE_OUT(a, Parallax__Node, PARALLAX__NODE__INIT);
    WIRE_SET_TEXT(out, name, n->name);
    WIRE_SET_TEXT(out, state, n->state);
    WIRE_SET_ADDR(out, source, &n->source);
    out->n_labels = wire_out_labels(a, n->labels, n->label_count, &out->labels);
    out->n_can = wire_out_words(a, n->can, n->can_count, &out->can);
    WIRE_SET_TEXT(out, version, n->version);
    WIRE_SET(out, last_seen_us, n->last_seen / US);
    WIRE_SET(out, joined_us, n->joined / US);
    return out;
}

void wire_encode_node_list(const struct wire_message *m, Parallax__Envelope *e,
                           struct wire_arena *a)
{
    size_t n = m->u.node_list.count;
    e->node_list = WIRE_OUT(a, Parallax__NodeList, PARALLAX__NODE_LIST__INIT);
    WIRE_SET(e->node_list, last, m->u.node_list.last);
    e->node_list->nodes = wire_out_alloc(a, n * sizeof(Parallax__Node *));
    e->node_list->n_nodes = n;
    for (size_t i = 0; i < n; i++)
        e->node_list->nodes[i] = node_encode(a, &m->u.node_list.nodes[i]);
}

static int node_decode(const Parallax__Node *in, struct wire_node *n, struct px_err *err)
{
    if (wire_in_text(err, "node.name", in->name, WIRE_TEXT_NAME, n->name, sizeof(n->name)) != 0 ||
        wire_in_text(err, "node.state", in->state, WIRE_TEXT_WORD, n->state, sizeof(n->state)) !=
            0 ||
        wire_in_text(err, "node.version", in->version, WIRE_TEXT_LINE, n->version,
                     sizeof(n->version)) != 0 ||
        wire_in_addr(err, "node.source", in->source, &n->source) != 0)
        return -1;
    if (wire_in_labels(err, in->n_labels, in->labels, n->labels, &n->label_count) != 0 ||
        wire_in_words(err, in->n_can, in->can, n->can, &n->can_count) != 0 ||
        wire_in_time(err, "node.last_seen", in->last_seen_us, &n->last_seen) != 0)
        return -1;
    return wire_in_time(err, "node.joined", in->joined_us, &n->joined);
}

int wire_decode_node_list(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__NodeList *in = e->node_list;
    if (wire_in_limit(err, "node_list.nodes", in->n_nodes, WIRE_NODES_MAX) != 0)
        return -1;
    m->u.node_list.nodes = px_xcalloc(in->n_nodes, sizeof(struct wire_node));
    m->u.node_list.count = in->n_nodes;
    m->u.node_list.last = in->last;
    for (size_t i = 0; i < in->n_nodes; i++) {
        if (node_decode(in->nodes[i], &m->u.node_list.nodes[i], err) != 0)
            return -1;
    }
    return 0;
}

void wire_encode_error(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->error = WIRE_OUT(a, Parallax__Error, PARALLAX__ERROR__INIT);
    WIRE_SET_TEXT(e->error, code, m->u.error.code);
    WIRE_SET_TEXT(e->error, message, m->u.error.message);
    WIRE_SET_TEXT(e->error, hint, m->u.error.hint);
}

int wire_decode_error(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Error *in = e->error;
    struct px_err *out = &m->u.error;
    if (wire_in_text(err, "error.code", in->code, WIRE_TEXT_WORD, out->code, sizeof(out->code)) !=
            0 ||
        wire_in_text(err, "error.message", in->message, WIRE_TEXT_RAW, out->message,
                     sizeof(out->message)) != 0)
        return -1;
    return wire_in_text(err, "error.hint", in->hint, WIRE_TEXT_RAW, out->hint, sizeof(out->hint));
}
