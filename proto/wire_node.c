/* SPDX-License-Identifier: MIT */
/* What sessions and jobs are made of: hello to goodbye, job and cancel. */
#include "proto/wire_codec.h"

#define US 1000 /* nanoseconds in a microsecond */
#define SIDES_KNOWN (PX_SIDE_ECHO | PX_SIDE_CONTROL | PX_SIDE_TRACE | PX_SIDE_REFERENCE)

void wire_encode_hello(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    const struct wire_hello *h = &m->u.hello;
    e->hello = WIRE_OUT(a, Parallax__Hello, PARALLAX__HELLO__INIT);
    WIRE_SET_TEXT(e->hello, name, h->name);
    WIRE_SET_TEXT(e->hello, version, h->version);
    e->hello->n_labels = wire_out_labels(a, h->labels, h->label_count, &e->hello->labels);
    e->hello->n_capabilities = wire_out_words(a, h->can, h->can_count, &e->hello->capabilities);
    e->hello->n_addresses = wire_out_addrs(a, h->addresses, h->address_count, &e->hello->addresses);
}

int wire_decode_hello(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Hello *in = e->hello;
    struct wire_hello *h = &m->u.hello;
    if (wire_in_text(err, "hello.name", in->name, WIRE_TEXT_NAME, h->name, sizeof(h->name)) != 0 ||
        wire_in_text(err, "hello.version", in->version, WIRE_TEXT_LINE, h->version,
                     sizeof(h->version)) != 0 ||
        wire_in_labels(err, in->n_labels, in->labels, h->labels, &h->label_count) != 0 ||
        wire_in_words(err, in->n_capabilities, in->capabilities, h->can, &h->can_count) != 0 ||
        wire_in_limit(err, "hello.addresses", in->n_addresses, WIRE_ADDRESSES_MAX) != 0)
        return -1;
    for (size_t i = 0; i < in->n_addresses; i++) {
        if (wire_in_addr(err, "hello.addresses", in->addresses[i], &h->addresses[i]) != 0)
            return -1;
    }
    h->address_count = (uint32_t)in->n_addresses;
    return 0;
}

void wire_encode_welcome(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->welcome = WIRE_OUT(a, Parallax__Welcome, PARALLAX__WELCOME__INIT);
    WIRE_SET_TEXT(e->welcome, name, m->u.welcome.name);
    WIRE_SET_TEXT(e->welcome, role, m->u.welcome.role);
    WIRE_SET_TEXT(e->welcome, version, m->u.welcome.version);
}

int wire_decode_welcome(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Welcome *in = e->welcome;
    if (wire_in_text(err, "welcome.name", in->name, WIRE_TEXT_NAME, m->u.welcome.name,
                     sizeof(m->u.welcome.name)) != 0 ||
        wire_in_text(err, "welcome.role", in->role, WIRE_TEXT_WORD, m->u.welcome.role,
                     sizeof(m->u.welcome.role)) != 0)
        return -1;
    return wire_in_text(err, "welcome.version", in->version, WIRE_TEXT_LINE, m->u.welcome.version,
                        sizeof(m->u.welcome.version));
}

void wire_encode_enrol(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    const struct wire_enrol *w = &m->u.enrol;
    e->enrol = WIRE_OUT(a, Parallax__Enrol, PARALLAX__ENROL__INIT);
    ProtobufCBinaryData secret = {sizeof(w->secret), (uint8_t *)(uintptr_t)w->secret};
    WIRE_SET(e->enrol, secret, secret);
    WIRE_SET_TEXT(e->enrol, name, w->name);
    WIRE_SET_TEXT(e->enrol, version, w->version);
    e->enrol->n_labels = wire_out_labels(a, w->labels, w->label_count, &e->enrol->labels);
}

int wire_decode_enrol(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Enrol *in = e->enrol;
    struct wire_enrol *w = &m->u.enrol;
    if (in->secret.len != WIRE_SECRET)
        return px_err_set(err, "bad-message", "enrol.secret: %zu bytes, expected %d",
                          in->secret.len, WIRE_SECRET);
    memcpy(w->secret, in->secret.data, WIRE_SECRET);
    if (wire_in_text(err, "enrol.name", in->name, WIRE_TEXT_NAME, w->name, sizeof(w->name)) != 0 ||
        wire_in_text(err, "enrol.version", in->version, WIRE_TEXT_LINE, w->version,
                     sizeof(w->version)) != 0)
        return -1;
    return wire_in_labels(err, in->n_labels, in->labels, w->labels, &w->label_count);
}

void wire_encode_enrolled(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->enrolled = WIRE_OUT(a, Parallax__Enrolled, PARALLAX__ENROLLED__INIT);
    WIRE_SET_TEXT(e->enrolled, name, m->u.enrolled.name);
    WIRE_SET_TEXT(e->enrolled, role, m->u.enrolled.role);
}

int wire_decode_enrolled(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Enrolled *in = e->enrolled;
    if (wire_in_text(err, "enrolled.name", in->name, WIRE_TEXT_NAME, m->u.enrolled.name,
                     sizeof(m->u.enrolled.name)) != 0)
        return -1;
    return wire_in_text(err, "enrolled.role", in->role, WIRE_TEXT_WORD, m->u.enrolled.role,
                        sizeof(m->u.enrolled.role));
}

void wire_encode_ping(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->ping = WIRE_OUT(a, Parallax__Ping, PARALLAX__PING__INIT);
    WIRE_SET(e->ping, sent_us, m->u.ping.sent / US);
    WIRE_SET(e->ping, clock_offset_us, m->u.ping.clock_offset / US);
    WIRE_SET(e->ping, busy, m->u.ping.busy);
}

int wire_decode_ping(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    m->u.ping.busy = e->ping->busy;
    if (wire_in_time(err, "ping.sent", (int64_t)e->ping->sent_us, &m->u.ping.sent) != 0)
        return -1;
    return wire_in_time(err, "ping.clock_offset", e->ping->clock_offset_us,
                        &m->u.ping.clock_offset);
}

void wire_encode_pong(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->pong = WIRE_OUT(a, Parallax__Pong, PARALLAX__PONG__INIT);
    WIRE_SET(e->pong, sent_us, m->u.pong.sent / US);
    WIRE_SET(e->pong, now_us, m->u.pong.now / US);
}

int wire_decode_pong(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    if (wire_in_time(err, "pong.sent", (int64_t)e->pong->sent_us, &m->u.pong.sent) != 0)
        return -1;
    return wire_in_time(err, "pong.now", (int64_t)e->pong->now_us, &m->u.pong.now);
}

void wire_encode_goodbye(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->goodbye = WIRE_OUT(a, Parallax__Goodbye, PARALLAX__GOODBYE__INIT);
    WIRE_SET_TEXT(e->goodbye, reason, m->u.goodbye.reason);
}

int wire_decode_goodbye(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    return wire_in_text(err, "goodbye.reason", e->goodbye->reason, WIRE_TEXT_RAW,
                        m->u.goodbye.reason, sizeof(m->u.goodbye.reason));
}

void wire_encode_job(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    const struct px_job *j = &m->u.job;
    e->job = WIRE_OUT(a, Parallax__Job, PARALLAX__JOB__INIT);
    WIRE_SET(e->job, id, j->id);
    WIRE_SET_TEXT(e->job, run_id, j->run_id);
    WIRE_SET_TEXT(e->job, target, j->target.url);
    WIRE_SET_TEXT(e->job, depth, px_stage_name(j->depth));
    WIRE_SET_ADDR(e->job, address, &j->address);
    WIRE_SET(e->job, round, j->round);
    WIRE_SET(e->job, start_in_ms, j->start_in_ms);
    WIRE_SET(e->job, timeout_ms, j->timeout_ms);
    WIRE_SET(e->job, ladder, j->ladder);
    WIRE_SET(e->job, repeats, j->repeats);
    WIRE_SET(e->job, sides, j->sides);
    WIRE_SET(e->job, sides_if_silent, j->sides_if_silent);
    e->job->control_ports = wire_out_alloc(a, j->control_count * sizeof(uint32_t));
    e->job->n_control_ports = j->control_count;
    for (uint32_t i = 0; i < j->control_count; i++)
        e->job->control_ports[i] = j->control_ports[i];
}

static int job_decode_numbers(const Parallax__Job *in, struct px_job *j, struct px_err *err)
{
    if (wire_in_limit(err, "job.round", in->round, WIRE_ROUNDS_MAX) != 0 ||
        wire_in_limit(err, "job.start_in_ms", in->start_in_ms, WIRE_TIMEOUT_MAX_MS) != 0 ||
        wire_in_limit(err, "job.timeout_ms", in->timeout_ms, WIRE_TIMEOUT_MAX_MS) != 0 ||
        wire_in_limit(err, "job.repeats", in->repeats, PX_REPEATS_MAX) != 0 ||
        wire_in_limit(err, "job.control_ports", in->n_control_ports, PX_CONTROLS_MAX) != 0)
        return -1;
    for (size_t i = 0; i < in->n_control_ports; i++) {
        if (wire_in_limit(err, "job.control_ports", in->control_ports[i], UINT16_MAX) != 0)
            return -1;
        j->control_ports[i] = (uint16_t)in->control_ports[i];
    }
    j->control_count = (uint32_t)in->n_control_ports;
    j->id = in->id;
    j->round = in->round;
    j->start_in_ms = in->start_in_ms;
    j->timeout_ms = in->timeout_ms;
    j->ladder = in->ladder;
    j->repeats = in->repeats;
    j->sides = in->sides & SIDES_KNOWN;
    j->sides_if_silent = in->sides_if_silent & SIDES_KNOWN;
    return 0;
}

int wire_decode_job(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Job *in = e->job;
    struct px_job *j = &m->u.job;
    char url[PX_TARGET_URL];
    struct px_err why;
    if (wire_in_text(err, "job.run_id", in->run_id, WIRE_TEXT_ID, j->run_id, sizeof(j->run_id)) !=
            0 ||
        wire_in_text(err, "job.target", in->target, WIRE_TEXT_RAW, url, sizeof(url)) != 0 ||
        wire_in_stage(err, "job.depth", in->depth, &j->depth) != 0 ||
        wire_in_addr(err, "job.address", in->address, &j->address) != 0)
        return -1;
    if (px_target_parse(url, &j->target, &why) != 0)
        return px_err_set(err, "bad-message", "job.target: %.400s", why.message);
    return job_decode_numbers(in, j, err);
}

void wire_encode_cancel(const struct wire_message *m, Parallax__Envelope *e, struct wire_arena *a)
{
    e->cancel = WIRE_OUT(a, Parallax__Cancel, PARALLAX__CANCEL__INIT);
    WIRE_SET(e->cancel, id, m->u.cancel.id);
    WIRE_SET_TEXT(e->cancel, run_id, m->u.cancel.run_id);
}

int wire_decode_cancel(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    m->u.cancel.id = e->cancel->id;
    return wire_in_text(err, "cancel.run_id", e->cancel->run_id, WIRE_TEXT_ID, m->u.cancel.run_id,
                        sizeof(m->u.cancel.run_id));
}
