/* SPDX-License-Identifier: MIT */
/*
 * The wire: every kind of message there and back, every limit exceeded, every kind of bad field
 * refused by name, and hostile bytes by the ten thousand that neither crash nor grow the process.
 */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/link_internal.h"
#include "proto/wire.h"

#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc 12 ships no header for it */
#endif

static size_t heap_in_use(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

/* ---- small deterministic randomness ---- */

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t roll(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % sides;
}

/* ---- samples: one full message of every kind ---- */

static struct px_addr addr(const char *text)
{
    struct px_addr a;
    cr_assert(px_addr_parse(text, &a), "%s", text);
    return a;
}

static uint32_t fill_labels(struct px_label *labels, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        snprintf(labels[i].key, sizeof(labels[i].key), "key%u", i);
        if (i % 2 == 0)
            snprintf(labels[i].value, sizeof(labels[i].value), "Value/%u_x", i);
    }
    return n;
}

static void fill_icmp(struct px_icmp *icmp)
{
    *icmp = (struct px_icmp){.from = addr("192.0.2.1"), .type = 3, .code = 13, .ttl = 61};
    icmp->own = true;
}

static void fill_attempts(struct px_attempt *attempts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        attempts[i].code = i % 2 ? PX_CODE_REFUSED : PX_CODE_OK;
        attempts[i].ms = 1.5 + i;
        attempts[i].port = 22;
        attempts[i].source_port = (uint16_t)(40000 + i);
        attempts[i].unacked = 3;
        attempts[i].retransmits = 2;
        attempts[i].rtt_ms = i % 2 ? -1 : 0.25;
        if (i % 3 == 0)
            fill_icmp(&attempts[i].icmp);
    }
}

static void fill_observation(struct px_observation *o)
{
    px_observation_init(o);
    snprintf(o->run_id, sizeof(o->run_id), "01JD3KQ8M2ZZZZZZZZZZZZZZZZ");
    o->job_id = UINT64_MAX;
    o->round = 2;
    o->started = (px_wall)1763640131120 * PX_MS;
    o->skew_ms = -0.75;
    o->took_ms = 33.25;
    o->lag_ms = 0;
    o->stage = PX_STAGE_KEX;
    o->code = PX_CODE_OK;
    o->depth = PX_STAGE_KEX;
    o->ms[PX_STAGE_DNS] = 0;
    o->ms[PX_STAGE_TCP] = 8;
    o->ms[PX_STAGE_KEX] = 33;
    o->source = addr("2001:db8::7");
    o->address = addr("2001:db8::1");
    for (uint32_t i = 0; i < PX_ADDRS_MAX; i++)
        o->addresses[i] = addr(i % 2 ? "203.0.113.10" : "2001:db8::1");
    o->address_count = PX_ADDRS_MAX;
    fill_icmp(&o->icmp);
    fill_attempts(o->attempts, PX_REPEATS_MAX + 1);
    o->attempt_count = PX_REPEATS_MAX + 1;
    fill_attempts(o->controls, PX_CONTROLS_MAX);
    o->control_count = PX_CONTROLS_MAX;
    for (uint32_t i = 0; i < PX_REFERENCES_MAX; i++) {
        snprintf(o->references[i].name, sizeof(o->references[i].name), "ref%u.example.net:443", i);
        o->references[i].code = PX_CODE_NO_ANSWER;
    }
    o->reference_count = PX_REFERENCES_MAX;
    o->echo = (struct px_echo){.ran = true, .code = PX_CODE_OK, .sent = 3, .received = 2, .ms = 9};
    o->trace.ran = o->trace.reached = o->trace.flow_varied = true;
    o->trace.count = PX_HOPS_MAX;
    for (uint32_t i = 0; i < PX_HOPS_MAX; i++) {
        o->trace.hops[i] = (struct px_hop){.ttl = (uint8_t)(i + 1), .type = 11, .ms = i + 0.5};
        if (i % 4 != 3)
            o->trace.hops[i].from = addr("198.51.100.1");
        else
            o->trace.hops[i].ms = -1;
    }
    memset(o->banner, 'b', PX_TEXT_MAX);
    snprintf(o->text, sizeof(o->text), "\x1b[31mred\xff\x01");
    snprintf(o->hostkey_type, sizeof(o->hostkey_type), "ssh-ed25519");
    snprintf(o->hostkey, sizeof(o->hostkey), "SHA256:h7Qd");
    snprintf(o->kex, sizeof(o->kex), "curve25519-sha256");
    o->limited = true;
    o->strikes_used = 1;
    o->strikes_max = 2;
    o->strikes_next_ms = 420000;
}

static void fill_job(struct px_job *j)
{
    j->id = 7;
    snprintf(j->run_id, sizeof(j->run_id), "01JD3KQ8M2ZZZZZZZZZZZZZZZZ");
    cr_assert_eq(px_target_parse("ssh://bastion.example.net:2222", &j->target, NULL), 0);
    j->depth = PX_STAGE_KEX;
    j->address = addr("203.0.113.10");
    j->round = 1;
    j->start_in_ms = 250;
    j->timeout_ms = 20000;
    j->ladder = true;
    j->repeats = PX_REPEATS_MAX;
    j->sides = PX_SIDE_ECHO;
    j->sides_if_silent = PX_SIDE_CONTROL | PX_SIDE_TRACE | PX_SIDE_REFERENCE;
    for (uint32_t i = 0; i < PX_CONTROLS_MAX; i++)
        j->control_ports[i] = (uint16_t)(443 + i);
    j->control_count = PX_CONTROLS_MAX;
}

static void fill_node(struct wire_node *n, unsigned i)
{
    snprintf(n->name, sizeof(n->name), "node%u", i);
    snprintf(n->state, sizeof(n->state), "up");
    n->source = addr("198.51.100.7");
    n->label_count = fill_labels(n->labels, i % 4);
    snprintf(n->can[0], sizeof(n->can[0]), "tcp");
    snprintf(n->can[1], sizeof(n->can[1]), "trace");
    n->can_count = 2;
    snprintf(n->version, sizeof(n->version), "0.1.0");
    n->last_seen = 5 * PX_SEC;
    n->joined = 3 * PX_SEC;
}

static const uint8_t json[] = "{\"schema\":\"parallax.run/1\"}";

static void fill_hello(struct wire_hello *h)
{
    snprintf(h->name, sizeof(h->name), "fra1");
    snprintf(h->version, sizeof(h->version), "0.1.0");
    h->label_count = fill_labels(h->labels, PX_LABELS_MAX);
    snprintf(h->can[0], sizeof(h->can[0]), "ssh");
    h->can_count = 1;
    for (uint32_t i = 0; i < WIRE_ADDRESSES_MAX; i++)
        h->addresses[i] = addr(i % 2 ? "10.0.0.1" : "2001:db8::5");
    h->address_count = WIRE_ADDRESSES_MAX;
}

static void fill_enrol(struct wire_enrol *e)
{
    memset(e->secret, 0xa5, sizeof(e->secret));
    snprintf(e->name, sizeof(e->name), "fra1");
    snprintf(e->version, sizeof(e->version), "0.1.0");
    e->label_count = fill_labels(e->labels, 2);
}

static void fill_check(struct wire_check *c)
{
    snprintf(c->target, sizeof(c->target), "bastion.example.net");
    snprintf(c->from, sizeof(c->from), "tag:eu+!fra1");
    c->here = c->fresh = c->watch = true;
    c->depth = PX_STAGE_BANNER;
    c->timeout_ms = 12000;
    c->rounds = 3;
}

static void fill_document(struct wire_document *d)
{
    snprintf(d->run_id, sizeof(d->run_id), "R-1_a");
    d->part = 1;
    d->last = d->final = true;
    d->json = json;
    d->json_size = sizeof(json) - 1;
}

static void fill_session(struct wire_message *m)
{
    switch ((int)m->kind) {
    case WIRE_WELCOME:
        strcpy(m->u.welcome.name, "fra1");
        strcpy(m->u.welcome.role, "node");
        strcpy(m->u.welcome.version, "0.1.0");
        break;
    case WIRE_ENROLLED:
        strcpy(m->u.enrolled.name, "fra1");
        strcpy(m->u.enrolled.role, "operator");
        break;
    case WIRE_PING:
        m->u.ping.sent = 9 * PX_SEC;
        m->u.ping.clock_offset = -1234 * 1000;
        m->u.ping.busy = 3;
        break;
    case WIRE_PONG:
        m->u.pong.sent = 9 * PX_SEC;
        m->u.pong.now = 10 * PX_SEC;
        break;
    case WIRE_GOODBYE:
        strcpy(m->u.goodbye.reason, "a newer session");
        break;
    case WIRE_CANCEL:
        m->u.cancel.id = 9;
        strcpy(m->u.cancel.run_id, "R1");
        break;
    case WIRE_SHOW:
        strcpy(m->u.show.run_id, "R1");
        break;
    case WIRE_PROGRESS:
        strcpy(m->u.progress.run_id, "R1");
        m->u.progress.round = 1;
        m->u.progress.reported = 2;
        m->u.progress.expected = 3;
        break;
    case WIRE_ERROR:
        px_err_set(&m->u.error, "no-such-vantage", "no vantage \"fra-1\"");
        px_err_hint(&m->u.error, "known: fra1\nsecond line");
        break;
    }
}

static struct wire_message *sample(enum wire_kind kind)
{
    static struct wire_node nodes[3];
    struct wire_message *m = wire_new(kind);
    m->request = 42;
    fill_session(m);
    if (kind == WIRE_HELLO)
        fill_hello(&m->u.hello);
    else if (kind == WIRE_ENROL)
        fill_enrol(&m->u.enrol);
    else if (kind == WIRE_JOB)
        fill_job(&m->u.job);
    else if (kind == WIRE_OBSERVATION)
        fill_observation(&m->u.observation);
    else if (kind == WIRE_CHECK)
        fill_check(&m->u.check);
    else if (kind == WIRE_DOCUMENT)
        fill_document(&m->u.document);
    if (kind == WIRE_NODE_LIST) {
        memset(nodes, 0, sizeof(nodes));
        for (unsigned i = 0; i < 3; i++)
            fill_node(&nodes[i], i);
        m->u.node_list.nodes = nodes;
        m->u.node_list.count = 3;
        m->u.node_list.last = true;
    }
    return m;
}

static uint8_t *sample_bytes(enum wire_kind kind, size_t *size)
{
    struct wire_message *m = sample(kind);
    uint8_t *bytes = wire_encode(m, size, NULL);
    cr_assert_not_null(bytes, "%s", wire_kind_name(kind));
    wire_free(m);
    return bytes;
}

/* ---- there and back ---- */

static void assert_same_body(const struct wire_message *a, const struct wire_message *b)
{
    switch ((int)a->kind) {
    case WIRE_JOB: {
        struct px_job x = a->u.job, y = b->u.job;
        cr_assert_str_eq(x.target.url, y.target.url);
        memset(&x.target, 0, sizeof(x.target));
        memset(&y.target, 0, sizeof(y.target));
        cr_assert_eq(memcmp(&x, &y, sizeof(x)), 0);
        break;
    }
    case WIRE_DOCUMENT:
        cr_assert_eq(a->u.document.json_size, b->u.document.json_size);
        cr_assert_eq(memcmp(a->u.document.json, b->u.document.json, b->u.document.json_size), 0);
        cr_assert_str_eq(a->u.document.run_id, b->u.document.run_id);
        cr_assert(b->u.document.last && b->u.document.final && b->u.document.part == 1);
        break;
    case WIRE_NODE_LIST:
        cr_assert_eq(a->u.node_list.count, b->u.node_list.count);
        cr_assert_eq(memcmp(a->u.node_list.nodes, b->u.node_list.nodes,
                            a->u.node_list.count * sizeof(struct wire_node)),
                     0);
        cr_assert(b->u.node_list.last);
        break;
    case WIRE_ERROR:
        cr_assert_str_eq(a->u.error.code, b->u.error.code);
        cr_assert_str_eq(a->u.error.message, b->u.error.message);
        cr_assert_str_eq(a->u.error.hint, b->u.error.hint);
        break;
    default:
        cr_assert_eq(memcmp(&a->u, &b->u, sizeof(a->u)), 0, "%s", wire_kind_name(a->kind));
    }
}

Test(wire, every_kind_comes_back_the_same)
{
    for (int kind = 0; kind < WIRE_KIND_COUNT; kind++) {
        struct px_err err = {0};
        size_t size;
        struct wire_message *m = sample((enum wire_kind)kind);
        uint8_t *bytes = wire_encode(m, &size, &err);
        cr_assert_not_null(bytes, "%s: %s", wire_kind_name((enum wire_kind)kind), err.message);
        struct wire_message *back = wire_decode(bytes, size, &err);
        cr_assert_not_null(back, "%s: %s", wire_kind_name((enum wire_kind)kind), err.message);
        cr_assert_eq(back->kind, m->kind);
        cr_assert_eq(back->protocol, WIRE_PROTOCOL);
        cr_assert_eq(back->request, 42);
        assert_same_body(m, back);
        free(bytes);
        wire_free(m);
        wire_free(back);
    }
}

Test(wire, the_empty_observation_stays_unknown)
{
    size_t size;
    struct wire_message *m = wire_new(WIRE_OBSERVATION);
    uint8_t *bytes = wire_encode(m, &size, NULL);
    struct wire_message *back = wire_decode(bytes, size, NULL);
    cr_assert_not_null(back);
    cr_assert_eq(memcmp(&m->u.observation, &back->u.observation, sizeof(struct px_observation)), 0);
    free(bytes);
    wire_free(m);
    wire_free(back);
}

Test(wire, names_of_kinds_are_words)
{
    for (int kind = 0; kind < WIRE_KIND_COUNT; kind++)
        cr_assert_str_neq(wire_kind_name((enum wire_kind)kind), "?");
    cr_assert_str_eq(wire_kind_name(WIRE_KIND_COUNT), "?");
    wire_free(NULL);
}

/* ---- hand-made bytes ---- */

struct raw {
    uint8_t bytes[WIRE_MESSAGE_MAX + 4096];
    size_t size;
};

static void put_varint(struct raw *r, uint64_t v)
{
    while (v >= 0x80) {
        r->bytes[r->size++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    r->bytes[r->size++] = (uint8_t)v;
}

static void put_number(struct raw *r, unsigned field, uint64_t v)
{
    put_varint(r, field << 3);
    put_varint(r, v);
}

static void put_bytes(struct raw *r, unsigned field, const void *data, size_t n)
{
    put_varint(r, field << 3 | 2);
    put_varint(r, n);
    if (n > 0)
        memcpy(r->bytes + r->size, data, n);
    r->size += n;
}

static void put_double(struct raw *r, unsigned field, double v)
{
    put_varint(r, field << 3 | 1);
    memcpy(r->bytes + r->size, &v, 8);
    r->size += 8;
}

/* body as field `number` of an envelope; the answer must be an error naming `field`. */
static void assert_refused(unsigned number, const struct raw *body, const char *field)
{
    static struct raw whole;
    struct px_err err = {0};
    whole.size = 0;
    put_bytes(&whole, number, body->bytes, body->size);
    struct wire_message *m = wire_decode(whole.bytes, whole.size, &err);
    cr_assert_null(m, "%s was accepted", field);
    cr_assert_str_eq(err.code, "bad-message");
    cr_assert_not_null(strstr(err.message, field), "\"%s\" does not name %s", err.message, field);
}

static struct raw raw;

Test(wire, texts_are_checked)
{
    static const struct {
        unsigned body, field;
        const char *text;
        size_t n;
        const char *named;
    } rows[] = {
        {10, 1, "a\0b", 3, "hello.name: holds a NUL"},
        {10, 1, "Upper", 5, "hello.name: not a name"},
        {10, 1, "-x", 2, "hello.name"},
        {10, 2, "1\n2", 3, "hello.version: not a line"},
        {10, 2, "\xc0\x80", 2, "hello.version"},
        {10, 2, "\xc2\x9b", 2, "hello.version"},
        {10, 4, "a b", 3, "capability: not a word"},
        {10, 5, "12345", 5, "hello.addresses"},
        {12, 1, "short", 5, "enrol.secret"},
        {16, 1, "x\0", 2, "goodbye.reason"},
        {20, 2, "../etc", 6, "job.run_id: not an id"},
        {20, 3, "ssh//x", 6, "job.target"},
        {22, 23, "ssh\x1b", 4, "observation.hostkey_type"},
        {22, 21, "x\0y", 3, "observation.banner"},
        {31, 1, "a/b", 3, "progress.run_id"},
        {40, 1, "Bad Code", 8, "error.code"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        raw.size = 0;
        if (rows[i].body == 20 && rows[i].field != 3)
            put_bytes(&raw, 3, "ssh://h", 7);
        put_bytes(&raw, rows[i].field, rows[i].text, rows[i].n);
        assert_refused(rows[i].body, &raw, rows[i].named);
    }
}

Test(wire, every_text_has_a_longest_length)
{
    static const struct {
        unsigned body, field;
        size_t max;
        const char *named;
    } rows[] = {
        {10, 1, PX_NAME_MAX, "hello.name"},         {10, 2, WIRE_VERSION_TEXT - 1, "hello.version"},
        {10, 4, WIRE_WORD - 1, "capability"},       {16, 1, 199, "goodbye.reason"},
        {21, 2, PX_ID_TEXT - 1, "cancel.run_id"},   {22, 21, PX_TEXT_MAX, "observation.banner"},
        {22, 22, PX_TEXT_MAX, "observation.text"},  {22, 24, 63, "observation.hostkey"},
        {32, 1, PX_ID_TEXT - 1, "document.run_id"}, {40, 2, 511, "error.message"},
    };
    char text[1024];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        raw.size = 0;
        put_bytes(&raw, rows[i].field, text, rows[i].max + 1);
        assert_refused(rows[i].body, &raw, rows[i].named);

        struct raw *longest = calloc(1, sizeof(*longest));
        raw.size = 0;
        put_bytes(&raw, rows[i].field, text, rows[i].max);
        put_bytes(longest, rows[i].body, raw.bytes, raw.size);
        struct wire_message *m = wire_decode(longest->bytes, longest->size, NULL);
        cr_assert_not_null(m, "%s of the longest length", rows[i].named);
        wire_free(m);
        free(longest);
    }
}

Test(wire, check_target_and_selector_have_a_longest_length)
{
    static struct raw query;
    static char text[WIRE_SELECTOR_MAX + 8];
    memset(text, 'a', sizeof(text));
    static const struct {
        unsigned field;
        size_t n;
        const char *named;
    } rows[] = {{1, PX_TARGET_URL, "check.target"}, {2, WIRE_SELECTOR_MAX + 1, "check.from"}};
    for (size_t i = 0; i < 2; i++) {
        raw.size = query.size = 0;
        put_bytes(&raw, rows[i].field, text, rows[i].n);
        put_bytes(&query, 1, raw.bytes, raw.size);
        assert_refused(30, &query, rows[i].named);
    }
}

Test(wire, every_list_has_a_longest_length)
{
    static const struct {
        unsigned body, field;
        const void *element;
        size_t element_size, max;
        const char *named;
    } rows[] = {
        {10, 3, "\x0a\x01k", 3, PX_LABELS_MAX, "labels"},
        {10, 4, "tcp", 3, WIRE_CAPABILITIES_MAX, "capabilities"},
        {10, 5, "\x0a\x00\x00\x01", 4, WIRE_ADDRESSES_MAX, "hello.addresses"},
        {22, 11, "", 0, WIRE_LIST_MAX, "observation.times"},
        {22, 14, "\x0a\x00\x00\x01", 4, PX_ADDRS_MAX, "observation.addresses"},
        {22, 16, "", 0, PX_REPEATS_MAX + 1, "observation.attempts"},
        {22, 17, "", 0, PX_CONTROLS_MAX, "observation.controls"},
        {22, 18, "", 0, PX_REFERENCES_MAX, "observation.references"},
        {33, 1, "", 0, WIRE_NODES_MAX, "node_list.nodes"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        raw.size = 0;
        for (size_t n = 0; n <= rows[i].max; n++)
            put_bytes(&raw, rows[i].field, rows[i].element, rows[i].element_size);
        assert_refused(rows[i].body, &raw, rows[i].named);
    }
    static struct raw trace;
    trace.size = raw.size = 0;
    for (unsigned ttl = 1; ttl <= PX_HOPS_MAX + 1; ttl++) {
        uint8_t hop[2] = {1 << 3, (uint8_t)ttl};
        put_bytes(&trace, 3, hop, sizeof(hop));
    }
    put_bytes(&raw, 20, trace.bytes, trace.size);
    assert_refused(22, &raw, "trace.hops");
    raw.size = 0;
    put_bytes(&raw, 3, "ssh://h", 7);
    for (unsigned n = 0; n <= PX_CONTROLS_MAX; n++)
        put_number(&raw, 13, 22);
    assert_refused(20, &raw, "job.control_ports");
}

Test(wire, every_number_has_a_range)
{
    static const struct {
        unsigned field;
        uint64_t v;
        const char *named;
    } rows[] = {
        {6, WIRE_ROUNDS_MAX + 1, "job.round"},
        {7, WIRE_TIMEOUT_MAX_MS + 1, "job.start_in_ms"},
        {8, WIRE_TIMEOUT_MAX_MS + 1, "job.timeout_ms"},
        {10, PX_REPEATS_MAX + 1, "job.repeats"},
        {13, 65536, "job.control_ports"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        raw.size = 0;
        put_bytes(&raw, 3, "ssh://h", 7);
        put_number(&raw, rows[i].field, rows[i].v);
        assert_refused(20, &raw, rows[i].named);
    }
    raw.size = 0;
    put_number(&raw, 4, (uint64_t)INT64_MAX);
    assert_refused(22, &raw, "observation.started");
    raw.size = 0;
    put_number(&raw, 1, (uint64_t)INT64_MAX);
    assert_refused(14, &raw, "ping.sent");
}

Test(wire, fractions_are_finite)
{
    const double bad[] = {1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0, 1e300};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        raw.size = 0;
        put_double(&raw, 6, bad[i]);
        assert_refused(22, &raw, "observation.took_ms");
        raw.size = 0;
        put_double(&raw, 5, bad[i]);
        assert_refused(22, &raw, "observation.skew_ms");
    }
}

Test(wire, hops_ascend_without_gaps)
{
    static struct raw trace;
    trace.size = raw.size = 0;
    put_bytes(&trace, 3, "\x08\x01", 2);
    put_bytes(&trace, 3, "\x08\x03", 2);
    put_bytes(&raw, 20, trace.bytes, trace.size);
    assert_refused(22, &raw, "trace.hops: ttl 3 after 1");
}

Test(wire, the_json_of_a_document_has_a_largest_size)
{
    uint8_t *part = calloc(1, WIRE_DOCUMENT_PART + 1);
    raw.size = 0;
    put_bytes(&raw, 5, part, WIRE_DOCUMENT_PART + 1);
    assert_refused(32, &raw, "document.json");

    struct wire_message *m = wire_new(WIRE_DOCUMENT);
    size_t size;
    m->u.document.json = part;
    m->u.document.json_size = WIRE_DOCUMENT_PART;
    uint8_t *bytes = wire_encode(m, &size, NULL);
    struct wire_message *back = wire_decode(bytes, size, NULL);
    cr_assert_not_null(back);
    cr_assert_eq(back->u.document.json_size, WIRE_DOCUMENT_PART);
    free(bytes);
    free(part);
    wire_free(m);
    wire_free(back);
}

Test(wire, too_large_messages_are_neither_made_nor_read)
{
    struct px_err err = {0};
    size_t size;
    struct wire_message *m = wire_new(WIRE_DOCUMENT);
    uint8_t *large = calloc(1, WIRE_MESSAGE_MAX + 1);
    m->u.document.json = large;
    m->u.document.json_size = WIRE_MESSAGE_MAX;
    cr_assert_null(wire_encode(m, &size, &err));
    cr_assert_str_eq(err.code, "message-too-large");
    cr_assert_null(wire_decode(large, WIRE_MESSAGE_MAX + 1, &err));
    cr_assert_str_eq(err.code, "bad-message");
    free(large);
    wire_free(m);
}

/* ---- strangers of tomorrow ---- */

Test(wire, unknown_bodies_fields_and_words_do_no_harm)
{
    raw.size = 0;
    put_bytes(&raw, 99, "future", 6);
    put_number(&raw, 2, 5);
    struct wire_message *m = wire_decode(raw.bytes, raw.size, NULL);
    cr_assert_not_null(m);
    cr_assert(m->kind == WIRE_NONE && m->request == 5);
    wire_free(m);

    static struct raw body;
    raw.size = body.size = 0;
    put_bytes(&body, 8, "quantum", 7);   /* stage */
    put_bytes(&body, 9, "entangled", 9); /* code */
    put_bytes(&body, 77, "new", 3);
    put_bytes(&raw, 22, body.bytes, body.size);
    m = wire_decode(raw.bytes, raw.size, NULL);
    cr_assert_not_null(m);
    cr_assert_eq(m->kind, WIRE_OBSERVATION);
    cr_assert_eq(m->u.observation.stage, PX_STAGE_NONE);
    cr_assert_eq(m->u.observation.code, PX_CODE_UNKNOWN);
    wire_free(m);

    raw.size = 0;
    put_bytes(&raw, 30, "\xfa\x01\x00", 3); /* a query of a kind to come */
    m = wire_decode(raw.bytes, raw.size, NULL);
    cr_assert_not_null(m);
    cr_assert_eq(m->kind, WIRE_NONE);
    wire_free(m);
}

Test(wire, mapped_addresses_become_ipv4)
{
    static struct raw body;
    raw.size = body.size = 0;
    put_bytes(&body, 12, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07", 16);
    put_bytes(&raw, 22, body.bytes, body.size);
    struct wire_message *m = wire_decode(raw.bytes, raw.size, NULL);
    struct px_addr expected = addr("192.0.2.7");
    cr_assert(px_addr_equal(&m->u.observation.source, &expected));
    wire_free(m);
}

Test(wire, labels_hold_what_selectors_can_name)
{
    struct px_label good = {"asn", "AS64496"}, tag = {"eu", ""}, empty = {"", "x"};
    struct px_label plus = {"a", "b+c"}, comma = {"a,b", ""};
    cr_assert(wire_label_valid(&good) && wire_label_valid(&tag));
    cr_assert(!wire_label_valid(&empty) && !wire_label_valid(&plus) && !wire_label_valid(&comma));
    static struct raw body;
    body.size = raw.size = 0;
    put_bytes(&body, 1, "a=b", 3);
    put_bytes(&raw, 3, body.bytes, body.size);
    assert_refused(10, &raw, "label");
}

/* ---- hostile bytes ---- */

static void decode_and_check(const uint8_t *bytes, size_t size)
{
    struct px_err err = {0};
    struct wire_message *m = wire_decode(bytes, size, &err);
    cr_assert((m != NULL) != (err.code[0] != '\0'), "a message or an error");
    if (m == NULL)
        return;
    /* what was accepted can be said again, and is understood again */
    size_t again;
    uint8_t *out = wire_encode(m, &again, &err);
    if (out != NULL) {
        struct wire_message *back = wire_decode(out, again, &err);
        cr_assert_not_null(back, "%s: %s", wire_kind_name(m->kind), err.message);
        cr_assert_eq(back->kind, m->kind);
        wire_free(back);
        free(out);
    } else {
        cr_assert_str_eq(err.code, "message-too-large");
    }
    wire_free(m);
}

static size_t mutate(uint8_t *bytes, size_t size, size_t room)
{
    for (uint32_t n = 1 + roll(6); n > 0; n--) {
        size_t at = size > 0 ? roll((uint32_t)size) : 0;
        switch (roll(5)) {
        case 0:
            bytes[at] = (uint8_t)roll(256);
            break;
        case 1:
            bytes[at] ^= (uint8_t)(1u << roll(8));
            break;
        case 2:
            size = at; /* cut */
            break;
        case 3: { /* repeat a piece */
            size_t piece = roll(64) + 1;
            if (at + piece <= size && size + piece <= room) {
                memmove(bytes + at + piece, bytes + at, size - at);
                size += piece;
            }
            break;
        }
        default:
            memset(bytes + at, (int)roll(256), size - at < 8 ? size - at : 8);
        }
    }
    return size;
}

Test(wire, mutated_bytes_neither_crash_nor_grow, .timeout = 100)
{
    static uint8_t work[64 * 1024];
    uint8_t *bytes[WIRE_KIND_COUNT];
    size_t sizes[WIRE_KIND_COUNT], before = 0;
    for (int kind = 0; kind < WIRE_KIND_COUNT; kind++)
        bytes[kind] = sample_bytes((enum wire_kind)kind, &sizes[kind]);
    for (int round = 0; round < 60000; round++) {
        int kind = (int)roll(WIRE_KIND_COUNT);
        memcpy(work, bytes[kind], sizes[kind]);
        size_t size = mutate(work, sizes[kind], sizeof(work));
        decode_and_check(work, size);
        if (round == 1000)
            before = heap_in_use();
    }
    size_t after = heap_in_use();
    cr_assert_leq(after, before + 64 * 1024, "heap grew from %zu to %zu", before, after);
    for (int kind = 0; kind < WIRE_KIND_COUNT; kind++)
        free(bytes[kind]);
}

Test(wire, random_bytes_neither_crash_nor_grow, .timeout = 100)
{
    uint8_t work[512];
    for (int round = 0; round < 40000; round++) {
        size_t size = roll(sizeof(work));
        for (size_t i = 0; i < size; i++)
            work[i] = (uint8_t)roll(256);
        decode_and_check(work, size);
    }
}

Test(wire, a_bomb_of_empty_messages_is_refused_within_the_budget)
{
    static const unsigned bodies[] = {10 /* labels */, 22 /* attempts */, 33 /* nodes */};
    static const unsigned lists[] = {3, 16, 1};
    for (size_t b = 0; b < 3; b++) {
        static struct raw inner;
        struct px_err err = {0};
        inner.size = raw.size = 0;
        while (inner.size < WIRE_MESSAGE_MAX - 64)
            put_bytes(&inner, lists[b], "", 0);
        put_bytes(&raw, bodies[b], inner.bytes, inner.size);
        cr_assert_leq(raw.size, WIRE_MESSAGE_MAX);
        size_t before = heap_in_use();
        cr_assert_null(wire_decode(raw.bytes, raw.size, &err));
        cr_assert_str_eq(err.code, "bad-message");
        cr_assert_leq(heap_in_use(), before + 4096);
    }
}

Test(wire, a_bomb_of_unknown_fields_is_refused_or_forgotten)
{
    raw.size = 0;
    while (raw.size < WIRE_MESSAGE_MAX - 64)
        put_number(&raw, 1000, 1);
    size_t before = heap_in_use();
    decode_and_check(raw.bytes, raw.size);
    cr_assert_leq(heap_in_use(), before + 4096);
}

Test(wire, the_largest_honest_messages_fit_the_budget)
{
    struct wire_message *m = wire_new(WIRE_NODE_LIST);
    struct px_err err = {0};
    m->u.node_list.count = WIRE_NODES_MAX;
    m->u.node_list.nodes = calloc(WIRE_NODES_MAX, sizeof(struct wire_node));
    for (unsigned i = 0; i < WIRE_NODES_MAX; i++) {
        struct wire_node *n = &m->u.node_list.nodes[i];
        fill_node(n, i);
        for (n->label_count = 0; n->label_count < PX_LABELS_MAX; n->label_count++)
            n->labels[n->label_count].key[0] = (char)('a' + n->label_count);
    }
    size_t size;
    uint8_t *bytes = wire_encode(m, &size, &err);
    cr_assert_not_null(bytes, "%s", err.message);
    struct wire_message *back = wire_decode(bytes, size, &err);
    cr_assert_not_null(back, "%s", err.message);
    free(m->u.node_list.nodes);
    free(bytes);
    wire_free(m);
    wire_free(back);
}

/* ---- the document ---- */

Test(wire, the_limits_of_the_document_are_those_of_the_code)
{
    static const struct {
        const char *name;
        unsigned long value;
    } rows[] = {
#define ROW(constant) {#constant, constant}
        ROW(WIRE_MESSAGE_MAX),
        ROW(LINK_FRAME_MAX),
        ROW(WIRE_MESSAGE_PENDING_MAX),
        ROW(WIRE_DOCUMENT_PART),
        ROW(WIRE_LIST_MAX),
        ROW(WIRE_NODES_MAX),
        ROW(WIRE_SELECTOR_MAX),
        ROW(WIRE_TIMEOUT_MAX_MS),
        ROW(WIRE_ROUNDS_MAX),
        ROW(WIRE_CAPABILITIES_MAX),
        ROW(WIRE_ADDRESSES_MAX),
        ROW(PX_LABELS_MAX),
        ROW(PX_NAME_MAX),
        ROW(PX_ADDRS_MAX),
        ROW(PX_REPEATS_MAX),
        ROW(PX_CONTROLS_MAX),
        ROW(PX_REFERENCES_MAX),
        ROW(PX_HOPS_MAX),
        ROW(PX_TEXT_MAX),
        ROW(LINK_HWM),
        ROW(LINK_QUEUE_COUNT_MAX),
        ROW(LINK_QUEUE_BYTES_MAX),
        ROW(LINK_BACKLOG),
#undef ROW
    };
    static char text[64 * 1024];
    FILE *f = fopen("proto/PROTOCOL.md", "r");
    cr_assert_not_null(f, "run this from the top of the sources");
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[96];
        snprintf(line, sizeof(line), "| `%s` | %lu |", rows[i].name, rows[i].value);
        cr_assert_not_null(strstr(text, line), "PROTOCOL.md lacks: %s", line);
    }
}
