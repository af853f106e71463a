/* SPDX-License-Identifier: MIT */
/* The observation: what one vantage saw, field by field in both directions. */
#include "proto/wire_codec.h"

#define US 1000 /* nanoseconds in a microsecond */

/* A time that is known. */
#define SET_MS(message, field, value)                                                              \
    do {                                                                                           \
        if ((value) >= 0)                                                                          \
            WIRE_SET(message, field, value);                                                       \
    } while (0)

/* ---- encoding ---- */

static Parallax__Icmp *icmp_encode(struct wire_arena *a, const struct px_icmp *icmp)
{
    if (icmp->from.family == 0)
        return NULL;
    Parallax__Icmp *out = WIRE_OUT(a, Parallax__Icmp, PARALLAX__ICMP__INIT);
    WIRE_SET_ADDR(out, from, &icmp->from);
    WIRE_SET(out, type, icmp->type);
    WIRE_SET(out, code, icmp->code);
    WIRE_SET(out, ttl, icmp->ttl);
    WIRE_SET(out, own, icmp->own);
    return out;
}

static size_t attempts_encode(struct wire_arena *a, const struct px_attempt *in, uint32_t n,
                              Parallax__Attempt ***out)
{
    *out = wire_out_alloc(a, n * sizeof(Parallax__Attempt *));
    for (uint32_t i = 0; i < n; i++) {
        Parallax__Attempt *one = WIRE_OUT(a, Parallax__Attempt, PARALLAX__ATTEMPT__INIT);
        WIRE_SET_TEXT(one, code, px_code_name(in[i].code));
        one->icmp = icmp_encode(a, &in[i].icmp);
        SET_MS(one, ms, in[i].ms);
        WIRE_SET(one, port, in[i].port);
        WIRE_SET(one, source_port, in[i].source_port);
        WIRE_SET(one, unacked, in[i].unacked);
        WIRE_SET(one, retransmits, in[i].retransmits);
        SET_MS(one, rtt_ms, in[i].rtt_ms);
        (*out)[i] = one;
    }
    return n;
}

static Parallax__Trace *trace_encode(struct wire_arena *a, const struct px_trace *trace)
{
    if (!trace->ran)
        return NULL;
    Parallax__Trace *out = WIRE_OUT(a, Parallax__Trace, PARALLAX__TRACE__INIT);
    WIRE_SET(out, reached, trace->reached);
    WIRE_SET(out, flow_varied, trace->flow_varied);
    out->n_hops = trace->count;
    out->hops = wire_out_alloc(a, trace->count * sizeof(Parallax__Hop *));
    for (size_t i = 0; i < trace->count; i++) {
        Parallax__Hop *hop = WIRE_OUT(a, Parallax__Hop, PARALLAX__HOP__INIT);
        WIRE_SET(hop, ttl, trace->hops[i].ttl);
        WIRE_SET_ADDR(hop, from, &trace->hops[i].from);
        WIRE_SET(hop, type, trace->hops[i].type);
        WIRE_SET(hop, code, trace->hops[i].code);
        SET_MS(hop, ms, trace->hops[i].ms);
        out->hops[i] = hop;
    }
    return out;
}

static Parallax__Echo *echo_encode(struct wire_arena *a, const struct px_echo *echo)
{
    if (!echo->ran)
        return NULL;
    Parallax__Echo *out = WIRE_OUT(a, Parallax__Echo, PARALLAX__ECHO__INIT);
    WIRE_SET_TEXT(out, code, px_code_name(echo->code));
    WIRE_SET(out, sent, echo->sent);
    WIRE_SET(out, received, echo->received);
    SET_MS(out, ms, echo->ms);
    out->icmp = icmp_encode(a, &echo->icmp);
    return out;
}

static void times_encode(struct wire_arena *a, const struct px_observation *o,
                         Parallax__Observation *out)
{
    out->times = wire_out_alloc(a, PX_STAGE_COUNT * sizeof(Parallax__StageTime *));
    for (int stage = 0; stage < PX_STAGE_COUNT; stage++) {
        if (o->ms[stage] < 0)
            continue;
        Parallax__StageTime *t = WIRE_OUT(a, Parallax__StageTime, PARALLAX__STAGE_TIME__INIT);
        WIRE_SET_TEXT(t, stage, px_stage_name((enum px_stage)stage));
        WIRE_SET(t, ms, o->ms[stage]);
        out->times[out->n_times++] = t;
    }
}

static void references_encode(struct wire_arena *a, const struct px_observation *o,
                              Parallax__Observation *out)
{
    out->references = wire_out_alloc(a, o->reference_count * sizeof(Parallax__Reference *));
    out->n_references = o->reference_count;
    for (uint32_t i = 0; i < o->reference_count; i++) {
        out->references[i] = WIRE_OUT(a, Parallax__Reference, PARALLAX__REFERENCE__INIT);
        WIRE_SET_TEXT(out->references[i], name, o->references[i].name);
        WIRE_SET_TEXT(out->references[i], code, px_code_name(o->references[i].code));
    }
}

void wire_encode_observation(const struct wire_message *m, Parallax__Envelope *e,
                             struct wire_arena *a)
{
    const struct px_observation *o = &m->u.observation;
    Parallax__Observation *out = WIRE_OUT(a, Parallax__Observation, PARALLAX__OBSERVATION__INIT);
    e->observation = out;
    WIRE_SET(out, job_id, o->job_id);
    WIRE_SET_TEXT(out, run_id, o->run_id);
    WIRE_SET(out, round, o->round);
    WIRE_SET(out, started_us, o->started / US);
    WIRE_SET(out, skew_ms, o->skew_ms);
    SET_MS(out, took_ms, o->took_ms);
    SET_MS(out, lag_ms, o->lag_ms);
    WIRE_SET_TEXT(out, stage, px_stage_name(o->stage));
    WIRE_SET_TEXT(out, code, px_code_name(o->code));
    WIRE_SET_TEXT(out, depth, px_stage_name(o->depth));
    times_encode(a, o, out);
    WIRE_SET_ADDR(out, source, &o->source);
    WIRE_SET_ADDR(out, address, &o->address);
    out->n_addresses = wire_out_addrs(a, o->addresses, o->address_count, &out->addresses);
    out->icmp = icmp_encode(a, &o->icmp);
    out->n_attempts = attempts_encode(a, o->attempts, o->attempt_count, &out->attempts);
    out->n_controls = attempts_encode(a, o->controls, o->control_count, &out->controls);
    references_encode(a, o, out);
    out->echo = echo_encode(a, &o->echo);
    out->trace = trace_encode(a, &o->trace);
    WIRE_SET_TEXT(out, banner, o->banner);
    WIRE_SET_TEXT(out, text, o->text);
    WIRE_SET_TEXT(out, hostkey_type, o->hostkey_type);
    WIRE_SET_TEXT(out, hostkey, o->hostkey);
    WIRE_SET_TEXT(out, kex, o->kex);
    WIRE_SET(out, limited, o->limited);
    WIRE_SET(out, strikes_used, o->strikes_used);
    WIRE_SET(out, strikes_max, o->strikes_max);
    WIRE_SET(out, strikes_next_ms, o->strikes_next_ms);
    WIRE_SET_TEXT(out, version, PARALLAX_VERSION);
}

/* ---- decoding ---- */

static int icmp_decode(const Parallax__Icmp *in, struct px_icmp *out, struct px_err *err)
{
    if (in == NULL)
        return 0;
    if (wire_in_addr(err, "icmp.from", in->from, &out->from) != 0 ||
        wire_in_limit(err, "icmp.type", in->type, UINT8_MAX) != 0 ||
        wire_in_limit(err, "icmp.code", in->code, UINT8_MAX) != 0 ||
        wire_in_limit(err, "icmp.ttl", in->ttl, UINT8_MAX) != 0)
        return -1;
    out->type = (uint8_t)in->type;
    out->code = (uint8_t)in->code;
    out->ttl = (uint8_t)in->ttl;
    out->own = in->own;
    return 0;
}

static int attempt_decode(const Parallax__Attempt *in, struct px_attempt *out, struct px_err *err)
{
    if (wire_in_code(err, "attempt.code", in->code, &out->code) != 0 ||
        icmp_decode(in->icmp, &out->icmp, err) != 0 ||
        wire_in_ms(err, "attempt.ms", in->has_ms, in->ms, &out->ms) != 0 ||
        wire_in_ms(err, "attempt.rtt_ms", in->has_rtt_ms, in->rtt_ms, &out->rtt_ms) != 0 ||
        wire_in_limit(err, "attempt.port", in->port, UINT16_MAX) != 0 ||
        wire_in_limit(err, "attempt.source_port", in->source_port, UINT16_MAX) != 0 ||
        wire_in_limit(err, "attempt.unacked", in->unacked, UINT16_MAX) != 0 ||
        wire_in_limit(err, "attempt.retransmits", in->retransmits, UINT16_MAX) != 0)
        return -1;
    out->port = (uint16_t)in->port;
    out->source_port = (uint16_t)in->source_port;
    out->unacked = (uint16_t)in->unacked;
    out->retransmits = (uint16_t)in->retransmits;
    return 0;
}

static int attempts_decode(const Parallax__Observation *in, struct px_observation *o,
                           struct px_err *err)
{
    if (wire_in_limit(err, "observation.attempts", in->n_attempts, PX_REPEATS_MAX + 1) != 0 ||
        wire_in_limit(err, "observation.controls", in->n_controls, PX_CONTROLS_MAX) != 0)
        return -1;
    for (size_t i = 0; i < in->n_attempts; i++) {
        if (attempt_decode(in->attempts[i], &o->attempts[i], err) != 0)
            return -1;
    }
    for (size_t i = 0; i < in->n_controls; i++) {
        if (attempt_decode(in->controls[i], &o->controls[i], err) != 0)
            return -1;
    }
    o->attempt_count = (uint32_t)in->n_attempts;
    o->control_count = (uint32_t)in->n_controls;
    return 0;
}

static int hop_decode(const Parallax__Hop *in, struct px_hop *out, struct px_err *err)
{
    if (wire_in_limit(err, "hop.ttl", in->ttl, UINT8_MAX) != 0 ||
        wire_in_limit(err, "hop.type", in->type, UINT8_MAX) != 0 ||
        wire_in_limit(err, "hop.code", in->code, UINT8_MAX) != 0 ||
        wire_in_addr(err, "hop.from", in->from, &out->from) != 0)
        return -1;
    out->ttl = (uint8_t)in->ttl;
    out->type = (uint8_t)in->type;
    out->code = (uint8_t)in->code;
    return wire_in_ms(err, "hop.ms", in->has_ms, in->ms, &out->ms);
}

/* Readers index hops by distance: they must ascend without gaps. */
static int trace_decode(const Parallax__Trace *in, struct px_trace *out, struct px_err *err)
{
    if (in == NULL)
        return 0;
    if (wire_in_limit(err, "trace.hops", in->n_hops, PX_HOPS_MAX) != 0)
        return -1;
    for (size_t i = 0; i < in->n_hops; i++) {
        if (hop_decode(in->hops[i], &out->hops[i], err) != 0)
            return -1;
        if (i > 0 && out->hops[i].ttl != out->hops[i - 1].ttl + 1)
            return px_err_set(err, "bad-message", "trace.hops: ttl %u after %u", out->hops[i].ttl,
                              out->hops[i - 1].ttl);
    }
    out->ran = true;
    out->reached = in->reached;
    out->flow_varied = in->flow_varied;
    out->count = (uint8_t)in->n_hops;
    return 0;
}

static int echo_decode(const Parallax__Echo *in, struct px_echo *out, struct px_err *err)
{
    if (in == NULL)
        return 0;
    if (wire_in_limit(err, "echo.sent", in->sent, UINT16_MAX) != 0 ||
        wire_in_limit(err, "echo.received", in->received, UINT16_MAX) != 0 ||
        wire_in_code(err, "echo.code", in->code, &out->code) != 0 ||
        icmp_decode(in->icmp, &out->icmp, err) != 0)
        return -1;
    out->ran = true;
    out->sent = (uint16_t)in->sent;
    out->received = (uint16_t)in->received;
    return wire_in_ms(err, "echo.ms", in->has_ms, in->ms, &out->ms);
}

static int times_decode(const Parallax__Observation *in, struct px_observation *o,
                        struct px_err *err)
{
    if (wire_in_limit(err, "observation.times", in->n_times, WIRE_LIST_MAX) != 0)
        return -1;
    for (size_t i = 0; i < in->n_times; i++) {
        enum px_stage stage;
        double ms;
        if (wire_in_stage(err, "time.stage", in->times[i]->stage, &stage) != 0 ||
            wire_in_ms(err, "time.ms", in->times[i]->has_ms, in->times[i]->ms, &ms) != 0)
            return -1;
        if (stage != PX_STAGE_NONE)
            o->ms[stage] = ms;
    }
    return 0;
}

static int lists_decode(const Parallax__Observation *in, struct px_observation *o,
                        struct px_err *err)
{
    if (wire_in_limit(err, "observation.addresses", in->n_addresses, PX_ADDRS_MAX) != 0 ||
        wire_in_limit(err, "observation.references", in->n_references, PX_REFERENCES_MAX) != 0)
        return -1;
    for (size_t i = 0; i < in->n_addresses; i++) {
        if (wire_in_addr(err, "observation.addresses", in->addresses[i], &o->addresses[i]) != 0)
            return -1;
    }
    for (size_t i = 0; i < in->n_references; i++) {
        struct px_reference *reference = &o->references[i];
        if (wire_in_text(err, "reference.name", in->references[i]->name, WIRE_TEXT_LINE,
                         reference->name, sizeof(reference->name)) != 0 ||
            wire_in_code(err, "reference.code", in->references[i]->code, &reference->code) != 0)
            return -1;
    }
    o->address_count = (uint32_t)in->n_addresses;
    o->reference_count = (uint32_t)in->n_references;
    return 0;
}

static int texts_decode(const Parallax__Observation *in, struct px_observation *o,
                        struct px_err *err)
{
    const struct {
        const char *field;
        ProtobufCBinaryData in;
        enum wire_text_rule rule;
        char *out;
        size_t size;
    } texts[] = {
        {"observation.run_id", in->run_id, WIRE_TEXT_ID, o->run_id, sizeof(o->run_id)},
        {"observation.banner", in->banner, WIRE_TEXT_RAW, o->banner, sizeof(o->banner)},
        {"observation.text", in->text, WIRE_TEXT_RAW, o->text, sizeof(o->text)},
        {"observation.hostkey_type", in->hostkey_type, WIRE_TEXT_LINE, o->hostkey_type,
         sizeof(o->hostkey_type)},
        {"observation.hostkey", in->hostkey, WIRE_TEXT_LINE, o->hostkey, sizeof(o->hostkey)},
        {"observation.kex", in->kex, WIRE_TEXT_LINE, o->kex, sizeof(o->kex)},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (wire_in_text(err, texts[i].field, texts[i].in, texts[i].rule, texts[i].out,
                         texts[i].size) != 0)
            return -1;
    }
    return 0;
}

static int numbers_decode(const Parallax__Observation *in, struct px_observation *o,
                          struct px_err *err)
{
    if (wire_in_limit(err, "observation.round", in->round, WIRE_ROUNDS_MAX) != 0 ||
        wire_in_time(err, "observation.started", in->started_us, &o->started) != 0 ||
        wire_in_finite(err, "observation.skew_ms", in->skew_ms, &o->skew_ms) != 0 ||
        wire_in_ms(err, "observation.took_ms", in->has_took_ms, in->took_ms, &o->took_ms) != 0 ||
        wire_in_ms(err, "observation.lag_ms", in->has_lag_ms, in->lag_ms, &o->lag_ms) != 0)
        return -1;
    o->job_id = in->job_id;
    o->round = in->round;
    o->limited = in->limited;
    o->strikes_used = in->strikes_used;
    o->strikes_max = in->strikes_max;
    o->strikes_next_ms = in->strikes_next_ms < 0 ? 0 : in->strikes_next_ms;
    return 0;
}

int wire_decode_observation(const Parallax__Envelope *e, struct wire_message *m, struct px_err *err)
{
    const Parallax__Observation *in = e->observation;
    struct px_observation *o = &m->u.observation;
    if (numbers_decode(in, o, err) != 0 || texts_decode(in, o, err) != 0 ||
        wire_in_stage(err, "observation.stage", in->stage, &o->stage) != 0 ||
        wire_in_code(err, "observation.code", in->code, &o->code) != 0 ||
        wire_in_stage(err, "observation.depth", in->depth, &o->depth) != 0 ||
        wire_in_addr(err, "observation.source", in->source, &o->source) != 0 ||
        wire_in_addr(err, "observation.address", in->address, &o->address) != 0)
        return -1;
    if (times_decode(in, o, err) != 0 || lists_decode(in, o, err) != 0 ||
        icmp_decode(in->icmp, &o->icmp, err) != 0 || attempts_decode(in, o, err) != 0)
        return -1;
    return echo_decode(in->echo, &o->echo, err) != 0 ? -1 : trace_decode(in->trace, &o->trace, err);
}
