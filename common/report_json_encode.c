/* SPDX-License-Identifier: MIT */
/* Writing "parallax.run/1": the tables of report_json.c, and by hand what is derived. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report_json.h"
#include "common/text.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: integers up to here are exact in a double */
/* Fifteen digits bring every nanosecond back as it was, and 1.1 stays 1.1. */
#define DIGITS JSON_REAL_PRECISION(15)

static json_t *must(json_t *value)
{
    if (value == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return value;
}

static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, must(value)) != 0)
        must(NULL);
}

static void append(json_t *list, json_t *value)
{
    if (json_array_append_new(list, must(value)) != 0)
        must(NULL);
}

/* Bytes that are not UTF-8 become '?': the length stays, so that fixed buffers hold it again. */
static json_t *text_encode(const char *text)
{
    char *copy = px_xstrdup(text);
    for (size_t i = 0; copy[i] != '\0';) {
        uint32_t c;
        int length = px_text_decode_utf8(copy + i, &c);
        if (length == 0)
            copy[i] = '?';
        i += length == 0 ? 1 : (size_t)length;
    }
    json_t *value = must(json_string(copy));
    free(copy);
    return value;
}

static json_t *raw_encode(const char *raw)
{
    char *escaped = px_xcalloc(strlen(raw) + 1, 4);
    char *p = escaped;
    while (*raw != '\0') {
        uint32_t c;
        int length = px_text_decode_utf8(raw, &c);
        if (length == 0)
            p += sprintf(p, "\\x%02x", (unsigned)(unsigned char)*raw++);
        if (*raw == '\\' && length == 1)
            *p++ = '\\';
        for (; length > 0; length--)
            *p++ = *raw++;
    }
    json_t *value = must(json_string(escaped));
    free(escaped);
    return value;
}

static json_t *number_encode(double v)
{
    if (!isfinite(v))
        v = 0;
    if (v == trunc(v) && fabs(v) < EXACT_MAX)
        return json_integer((json_int_t)v);
    return json_real(v);
}

static json_t *address_encode(const struct px_addr *a)
{
    char text[PX_ADDR_TEXT];
    return json_string(px_addr_format(a, text));
}

static json_t *time_encode(px_wall t)
{
    char text[PX_WALL_TEXT];
    return json_string(px_wall_format(t, text));
}

static json_t *word_encode(enum px_vocab vocab, const void *at)
{
    unsigned value;
    size_t n;
    memcpy(&value, at, sizeof(value));
    const char *const *words = px_vocab_words(vocab, &n);
    return json_string(words[value < n ? value : 0]);
}

static json_t *strings_encode(const struct px_strs *s)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < s->n; i++)
        append(list, text_encode(s->v[i]));
    return list;
}

static json_t *stages_encode(const double *ms)
{
    json_t *object = must(json_object());
    for (size_t i = 0; i < PX_STAGE_COUNT; i++) {
        if (isfinite(ms[i]) && ms[i] >= 0)
            put(object, px_stage_name((enum px_stage)i), number_encode(ms[i]));
    }
    return object;
}

static uint64_t count_read(const void *at, size_t size)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (size) {
    case 1:
        memcpy(&u8, at, 1);
        return u8;
    case 2:
        memcpy(&u16, at, 2);
        return u16;
    case 4:
        memcpy(&u32, at, 4);
        return u32;
    default:
        memcpy(&u64, at, 8);
        return u64;
    }
}

static bool fields_encode(const struct px_json_table *table, const void *record, json_t *object);

static json_t *list_encode(const struct px_json_field *f, const void *record)
{
    const char *at = (const char *)record + f->offset;
    size_t n = count_read((const char *)record + f->count_offset, f->count_size);
    json_t *list = must(json_array());
    if (f->kind == PX_FIELD_HEAP)
        at = *(const char *const *)(const void *)at;
    else if (n > f->max)
        n = f->max;
    for (size_t i = 0; i < n; i++, at += f->size) {
        if (f->kind == PX_FIELD_WORDS) {
            append(list, word_encode(f->vocab, at));
        } else if (f->kind == PX_FIELD_ADDRESSES) {
            append(list, address_encode((const struct px_addr *)at));
        } else {
            json_t *element = must(json_object());
            fields_encode(f->table, at, element);
            append(list, element);
        }
    }
    return list;
}

static json_t *record_encode(const struct px_json_field *f, const void *at)
{
    json_t *object = must(json_object());
    if (fields_encode(f->table, at, object) && json_object_size(object) > 0)
        return object;
    json_decref(object);
    return NULL;
}

/* Texts, counts and times; NULL if unknown. */
static json_t *plain_encode(const struct px_json_field *f, const void *at, bool always)
{
    const double *real = at;
    char digits[24];
    switch (f->kind) {
    case PX_FIELD_TEXT:
        return always || *(const char *)at != '\0' ? text_encode(at) : NULL;
    case PX_FIELD_RAW:
        return always || *(const char *)at != '\0' ? raw_encode(at) : NULL;
    case PX_FIELD_BOOL:
        return always || *(const bool *)at ? json_boolean(*(const bool *)at) : NULL;
    case PX_FIELD_COUNT:
    case PX_FIELD_LONG:
        return always || count_read(at, f->size) != 0
                   ? json_integer((json_int_t)count_read(at, f->size))
                   : NULL;
    case PX_FIELD_ID:
        snprintf(digits, sizeof(digits), "%" PRIu64, count_read(at, f->size));
        return always || count_read(at, f->size) != 0 ? json_string(digits) : NULL;
    case PX_FIELD_NUMBER:
        return always || *real != 0 ? number_encode(*real) : NULL;
    case PX_FIELD_MS:
        return isfinite(*real) && *real >= 0 ? number_encode(*real) : NULL;
    case PX_FIELD_SHARE:
        return number_encode(fmin(fmax(*real, 0), 1));
    default:
        return NULL;
    }
}

/* The value of one member, NULL if unknown. */
static json_t *field_encode(const struct px_json_field *f, const void *record)
{
    const void *at = (const char *)record + f->offset;
    bool always = (f->flags & (PX_FIELD_ALWAYS | PX_FIELD_REQUIRED)) != 0;
    if (f->ran_offset != 0 && !*((const bool *)record + f->ran_offset))
        return NULL;
    switch (f->kind) {
    case PX_FIELD_STRING:
        return *(char *const *)at == NULL ? NULL : text_encode(*(char *const *)at);
    case PX_FIELD_STRINGS:
        return always || ((const struct px_strs *)at)->n > 0 ? strings_encode(at) : NULL;
    case PX_FIELD_TIME:
        return *(const px_wall *)at != 0 ? time_encode(*(const px_wall *)at) : NULL;
    case PX_FIELD_ADDRESS:
        return ((const struct px_addr *)at)->family != 0 ? address_encode(at) : NULL;
    case PX_FIELD_WORD:
        return word_encode(f->vocab, at);
    case PX_FIELD_RECORD:
        return record_encode(f, at);
    case PX_FIELD_STAGES:
        return stages_encode(at);
    case PX_FIELD_WORDS:
    case PX_FIELD_ADDRESSES:
    case PX_FIELD_LIST:
    case PX_FIELD_HEAP:
        if (!always && f->ran_offset == 0 &&
            count_read((const char *)record + f->count_offset, f->count_size) == 0)
            return NULL;
        return list_encode(f, record);
    default:
        return plain_encode(f, at, always);
    }
}

/* False if a required member is unknown: then the whole record is. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables, which are constant */
static bool fields_encode(const struct px_json_table *table, const void *record, json_t *object)
{
    bool complete = true;
    for (size_t i = 0; i < table->n; i++) {
        const struct px_json_field *f = &table->fields[i];
        json_t *value = field_encode(f, record);
        if (value != NULL)
            put(object, f->name, value);
        else if ((f->flags & PX_FIELD_NULL) != 0)
            put(object, f->name, json_null());
        else if ((f->flags & PX_FIELD_REQUIRED) != 0)
            complete = false;
    }
    return complete;
}

static json_t *labels_encode(const struct px_vantage *v)
{
    json_t *object = must(json_object());
    for (uint32_t i = 0; i < v->label_count && i < PX_LABELS_MAX; i++) {
        json_t *key = text_encode(v->labels[i].key);
        put(object, json_string_value(key), text_encode(v->labels[i].value));
        json_decref(key);
    }
    return object;
}

static json_t *vantages_encode(const struct px_report *r)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < r->vantage_count; i++) {
        const struct px_vantage *v = &r->vantages[i];
        json_t *object = must(json_object());
        fields_encode(&px_json_vantage, v, object);
        put(object, "labels", labels_encode(v));
        put(object, "presence", json_string(v->presence == PX_AWAY ? "away" : "present"));
        append(list, object);
    }
    return list;
}

/* The control that says most: one that answered, then one that was turned away, else the first. */
static const struct px_attempt *control_choose(const struct px_observation *o)
{
    const struct px_attempt *best = &o->controls[0];
    int best_rank = 0;
    for (uint32_t i = 0; i < o->control_count && i < PX_CONTROLS_MAX; i++) {
        enum px_code code = o->controls[i].code;
        int rank = px_code_kind(code) == PX_KIND_OK                      ? 2
                   : code == PX_CODE_REFUSED || code == PX_CODE_REJECTED ? 1
                                                                         : 0;
        if (rank > best_rank) {
            best = &o->controls[i];
            best_rank = rank;
        }
    }
    return best;
}

/* What repeats other fields, so that one result can be read alone. */
static void result_derive(const struct px_report *r, const struct px_observation *o, json_t *object)
{
    if (strcmp(o->run_id, r->id) == 0)
        json_object_del(object, "run");
    if (o->address.family != 0)
        put(object, "family", json_integer(o->address.family));
    if (o->attempt_count > 0)
        put(object, "tries", json_integer(o->attempt_count));
    if (o->control_count > 0) {
        const json_t *all = json_object_get(object, "controls");
        json_t *chosen = json_array_get(all, (size_t)(control_choose(o) - o->controls));
        put(object, "control", json_deep_copy(chosen));
    }
    if (o->trace.ran) {
        put(object, "trace_reached", json_boolean(o->trace.reached));
        put(object, "trace_flow", json_string(o->trace.flow_varied ? "varied" : "same"));
    }
}

static json_t *result_encode(const struct px_report *r, const struct px_observation *o)
{
    assert(o->vantage < r->vantage_count);
    json_t *object = must(json_object());
    const struct px_vantage *v = &r->vantages[o->vantage];
    char network[PX_LABEL_MAX + 3];
    put(object, "vantage", text_encode(v->name));
    put(object, "network", text_encode(px_vantage_network(v, network)));
    put(object, "labels", labels_encode(v));
    if (v->seen_as.family != 0)
        put(object, "seen_as", address_encode(&v->seen_as));
    fields_encode(&px_json_result, o, object);
    result_derive(r, o, object);
    return object;
}

static json_t *results_encode(const struct px_report *r)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < r->observation_count; i++)
        append(list, result_encode(r, &r->observations[i]));
    return list;
}

/* Vantages that have told something, be it that they could not try. */
static size_t vantages_reported(const struct px_report *r)
{
    bool *reported = px_xcalloc(r->vantage_count, sizeof(bool));
    size_t n = 0;
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (o->vantage >= r->vantage_count || reported[o->vantage] || o->code == PX_CODE_UNKNOWN ||
            o->code == PX_CODE_AWAY)
            continue;
        reported[o->vantage] = true;
        n++;
    }
    free(reported);
    return n;
}

static json_t *coverage_encode(const struct px_report *r)
{
    json_t *object = must(json_object()), *away = must(json_array());
    for (size_t i = 0; i < r->vantage_count; i++) {
        if (r->vantages[i].presence == PX_AWAY)
            append(away, text_encode(r->vantages[i].name));
    }
    put(object, "selected", json_integer((json_int_t)r->vantage_count));
    put(object, "reported", json_integer((json_int_t)vantages_reported(r)));
    put(object, "away", away);
    put(object, "abstained", strings_encode(&r->abstained));
    return object;
}

static json_t *target_encode(const struct px_target *t)
{
    json_t *object = must(json_object());
    put(object, "url", text_encode(t->url));
    put(object, "scheme", json_string(px_scheme_name(t->scheme)));
    put(object, "host", text_encode(t->host));
    if (t->port != 0)
        put(object, "port", json_integer(t->port));
    if (t->path[0] != '\0')
        put(object, "path", text_encode(t->path));
    return object;
}

char *px_report_encode_json(const struct px_report *r, bool pretty)
{
    json_t *root = must(json_object());
    put(root, "schema", json_string(PX_REPORT_SCHEMA));
    fields_encode(&px_json_report, r, root);
    put(root, "target", target_encode(&r->target));
    put(root, "coverage", coverage_encode(r));
    fields_encode(&px_json_verdict, r, root);
    put(root, "vantages", vantages_encode(r));
    put(root, "results", results_encode(r));
    put(root, "notes", strings_encode(&r->notes));
    char *text = json_dumps(root, DIGITS | (pretty ? JSON_INDENT(1) : JSON_COMPACT));
    json_decref(root);
    if (text == NULL)
        must(NULL);
    return text;
}
