/* SPDX-License-Identifier: MIT */
/*
 * Reading a document "parallax.run/1" as a whole: its frame, target, vantages and results, also
 * where a document gives only the short form (no vantages[], tries without attempts[]). Fields are
 * read by report_json_read.c.
 */
#include <stdio.h>
#include <string.h>

#include "common/report_json.h"
#include "common/text.h"

#define SHOWN_MAX 80
#define SHOWN_TEXT (SHOWN_MAX * 4 + 4)
#define MAKE_HINT "expected what plx check -o json prints"

/* What is known while the document is read. */
struct reading {
    struct px_report *r;
    json_t *index; /* vantage name -> number in r->vantages */
    bool listed;   /* the document has vantages[]: results name them, and add none */
    struct px_err *err;
};

static int name_read(struct reading *d, const struct px_json_place *at, const json_t *value,
                     const char **name)
{
    char shown[SHOWN_TEXT];
    if (px_json_read_text(at, value, PX_REPORT_STRING_MAX, name, d->err) != 0)
        return -1;
    if (px_name_valid(*name))
        return 0;
    px_json_fail(at, d->err, "\"%s\" is not a vantage name",
                 px_text_safe(*name, SHOWN_MAX, shown, sizeof(shown)));
    return px_err_hint(d->err, "a-z, 0-9, then also . _ -, at most %d characters", PX_NAME_MAX);
}

static int vantage_find(const struct reading *d, const char *name)
{
    const json_t *number = json_object_get(d->index, name);
    return number == NULL ? -1 : (int)json_integer_value(number);
}

/* Number of the new vantage, or -1 and err. */
static int vantage_add(struct reading *d, const struct px_json_place *at, const char *name)
{
    size_t n = d->r->vantage_count;
    if (n >= PX_REPORT_VANTAGES_MAX)
        return px_json_fail(at, d->err, "more than %u vantages", PX_REPORT_VANTAGES_MAX);
    px_report_add_vantage(d->r, name);
    if (json_object_set_new(d->index, name, json_integer((json_int_t)n)) != 0)
        return px_json_fail(at, d->err, "out of memory");
    return (int)n;
}

static int labels_read(struct reading *d, const struct px_json_place *at, const json_t *value,
                       struct px_vantage *v)
{
    const char *key;
    json_t *item;
    if (px_json_read_kind(at, value, JSON_OBJECT, d->err) != 0)
        return -1;
    if (json_object_size(value) > PX_LABELS_MAX)
        return px_json_fail(at, d->err, "%zu labels, at most %d", json_object_size(value),
                            PX_LABELS_MAX);
    v->label_count = 0;
    /* jansson iterates over non-const objects only, but does not change them */
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        struct px_json_place here = {at, key, 0};
        struct px_label *label = &v->labels[v->label_count];
        const char *text;
        if (strlen(key) > PX_LABEL_MAX)
            return px_json_fail(&here, d->err, "label of %zu bytes, at most %d", strlen(key),
                                PX_LABEL_MAX);
        if (px_json_read_text(&here, item, PX_LABEL_MAX, &text, d->err) != 0)
            return -1;
        px_text_copy(label->key, sizeof(label->key), key);
        px_text_copy(label->value, sizeof(label->value), text);
        v->label_count++;
    }
    return 0;
}

static int presence_read(struct reading *d, const struct px_json_place *at, const json_t *value,
                         struct px_vantage *v)
{
    const char *text;
    char shown[SHOWN_TEXT];
    if (value == NULL)
        return 0;
    if (px_json_read_text(at, value, PX_REPORT_STRING_MAX, &text, d->err) != 0)
        return -1;
    v->presence = strcmp(text, "away") == 0 ? PX_AWAY : PX_PRESENT;
    if (v->presence == PX_AWAY || strcmp(text, "present") == 0)
        return 0;
    return px_json_fail(at, d->err, "no such presence \"%s\"; present or away",
                        px_text_safe(text, SHOWN_MAX, shown, sizeof(shown)));
}

static int vantage_read(struct reading *d, const struct px_json_place *at, const json_t *value)
{
    struct px_json_place named = {at, "name", 0}, labelled = {at, "labels", 0};
    struct px_json_place present = {at, "presence", 0};
    const char *name;
    if (px_json_read_kind(at, value, JSON_OBJECT, d->err) != 0 ||
        name_read(d, &named, json_object_get(value, "name"), &name) != 0)
        return -1;
    if (vantage_find(d, name) >= 0)
        return px_json_fail(&named, d->err, "\"%s\" is there twice", name);
    int number = vantage_add(d, &named, name);
    if (number < 0)
        return -1;
    struct px_vantage *v = &d->r->vantages[number];
    const json_t *labels = json_object_get(value, "labels");
    if (px_json_read_fields(at, &px_json_vantage, value, v, d->err) != 0 ||
        (labels != NULL && labels_read(d, &labelled, labels, v) != 0))
        return -1;
    return presence_read(d, &present, json_object_get(value, "presence"), v);
}

static int vantages_read(struct reading *d, const json_t *root)
{
    struct px_json_place at = {NULL, "vantages", 0};
    const json_t *list = json_object_get(root, at.key);
    if (list == NULL)
        return 0;
    d->listed = true;
    if (px_json_read_list(&at, list, PX_REPORT_VANTAGES_MAX, d->err) != 0)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct px_json_place here = {&at, NULL, i};
        if (vantage_read(d, &here, json_array_get(list, i)) != 0)
            return -1;
    }
    return 0;
}

/* "AS64496" or "office" of a result as the label it was made of. */
static int network_read(struct reading *d, const struct px_json_place *at, const json_t *value,
                        struct px_vantage *v)
{
    const char *text;
    if (value == NULL)
        return 0;
    if (px_json_read_text(at, value, PX_LABEL_MAX + 2, &text, d->err) != 0)
        return -1;
    if (strcmp(text, "-") == 0 || text[0] == '\0' || v->label_count >= PX_LABELS_MAX ||
        px_vantage_label(v, "network") != NULL || px_vantage_label(v, "asn") != NULL)
        return 0;
    size_t digits = strncmp(text, "AS", 2) == 0 ? strspn(text + 2, "0123456789") : 0;
    bool asn = digits > 0 && text[2 + digits] == '\0';
    struct px_label *label = &v->labels[v->label_count++];
    px_text_copy(label->key, sizeof(label->key), asn ? "asn" : "network");
    px_text_copy(label->value, sizeof(label->value), asn ? text + 2 : text);
    return 0;
}

/* A result says what its vantage is, in documents without vantages[]. */
static int vantage_rebuild(struct reading *d, const struct px_json_place *at, const json_t *result,
                           struct px_vantage *v)
{
    struct px_json_place labelled = {at, "labels", 0}, networked = {at, "network", 0};
    struct px_json_place seen = {at, "seen_as", 0};
    const json_t *labels = json_object_get(result, "labels");
    const json_t *seen_as = json_object_get(result, "seen_as");
    if (json_is_object(labels) && json_object_size(labels) == 0 && v->label_count > 0)
        labels = NULL; /* an earlier result has told more */
    if (labels != NULL && labels_read(d, &labelled, labels, v) != 0)
        return -1;
    if (seen_as != NULL && !json_is_null(seen_as) &&
        px_json_read_address(&seen, seen_as, &v->seen_as, d->err) != 0)
        return -1;
    return network_read(d, &networked, json_object_get(result, "network"), v);
}

/* Number of the vantage a result belongs to, or -1 and err. */
static int result_vantage(struct reading *d, const struct px_json_place *at, const json_t *result)
{
    struct px_json_place here = {at, "vantage", 0};
    const char *name;
    if (name_read(d, &here, json_object_get(result, here.key), &name) != 0)
        return -1;
    int number = vantage_find(d, name);
    if (d->listed)
        return number >= 0 ? number
                           : px_json_fail(&here, d->err, "\"%s\" is not in vantages[]", name);
    if (number < 0)
        number = vantage_add(d, &here, name);
    if (number < 0 || vantage_rebuild(d, at, result, &d->r->vantages[number]) != 0)
        return -1;
    return number;
}

/* "tries":3 alone: what the connect of the ladder gave is known, of the others only their number.
 */
static int tries_read(struct reading *d, const struct px_json_place *at, const json_t *result,
                      struct px_observation *o)
{
    struct px_json_place here = {at, "tries", 0};
    const json_t *value = json_object_get(result, here.key);
    uint64_t n;
    if (value == NULL || json_object_get(result, "attempts") != NULL)
        return 0;
    if (px_json_read_count(&here, value, PX_REPEATS_MAX + 1, &n, d->err) != 0)
        return -1;
    o->attempt_count = (uint32_t)n;
    if (n > 0) {
        bool beyond = px_stage_is_ladder(o->stage) && o->stage > PX_STAGE_TCP;
        o->attempts[0].code = beyond                     ? PX_CODE_OK
                              : o->stage == PX_STAGE_TCP ? o->code
                                                         : PX_CODE_UNKNOWN;
        o->attempts[0].icmp = o->icmp;
        o->attempts[0].ms = o->ms[PX_STAGE_TCP];
        o->attempts[0].port = d->r->target.port;
    }
    return 0;
}

/* "control" alone, without the list of all. */
static int control_read(struct reading *d, const struct px_json_place *at, const json_t *result,
                        struct px_observation *o)
{
    const json_t *value = json_object_get(result, "control");
    if (value == NULL || json_is_null(value) || json_object_get(result, "controls") != NULL)
        return 0;
    o->control_count = 1;
    return px_json_read_fields(at, &px_json_control, result, o, d->err);
}

/* "echo" without a code: an answer is an answer, and silence is silence. */
static void echo_derive(const json_t *result, struct px_observation *o)
{
    const json_t *echo = json_object_get(result, "echo");
    if (!o->echo.ran || json_object_get(echo, "code") != NULL)
        return;
    if (o->echo.received > 0)
        o->echo.code = PX_CODE_OK;
    else if (o->echo.sent > 0 && o->echo.icmp.from.family == 0)
        o->echo.code = PX_CODE_NO_ANSWER;
}

static int trace_read(struct reading *d, const struct px_json_place *at, const json_t *result,
                      struct px_observation *o)
{
    struct px_json_place reached = {at, "trace_reached", 0}, flow = {at, "trace_flow", 0};
    struct px_json_place hops = {at, "trace", 0};
    const json_t *value = json_object_get(result, reached.key);
    const char *text;
    for (size_t i = 1; i < o->trace.count; i++) {
        struct px_json_place here = {&hops, NULL, i};
        if (o->trace.hops[i].ttl != o->trace.hops[i - 1].ttl + 1)
            return px_json_fail(&here, d->err, "ttl %u after %u: hops are in order, without gaps",
                                o->trace.hops[i].ttl, o->trace.hops[i - 1].ttl);
    }
    if (value != NULL && !json_is_boolean(value))
        return px_json_read_kind(&reached, value, JSON_TRUE, d->err);
    o->trace.reached = json_is_true(value);
    if ((value = json_object_get(result, flow.key)) == NULL)
        return 0;
    if (px_json_read_text(&flow, value, PX_REPORT_STRING_MAX, &text, d->err) != 0)
        return -1;
    o->trace.flow_varied = strcmp(text, "varied") == 0;
    if (o->trace.flow_varied || strcmp(text, "same") == 0)
        return 0;
    return px_json_fail(&flow, d->err, "neither same nor varied");
}

static int result_read(struct reading *d, const struct px_json_place *at, const json_t *value)
{
    struct px_observation o;
    px_observation_init(&o);
    o.depth = d->r->depth;
    o.round = 1;
    px_text_copy(o.run_id, sizeof(o.run_id), d->r->id);
    if (px_json_read_kind(at, value, JSON_OBJECT, d->err) != 0)
        return -1;
    int vantage = result_vantage(d, at, value);
    if (vantage < 0 || px_json_read_fields(at, &px_json_result, value, &o, d->err) != 0 ||
        tries_read(d, at, value, &o) != 0 || control_read(d, at, value, &o) != 0 ||
        trace_read(d, at, value, &o) != 0)
        return -1;
    echo_derive(value, &o);
    o.vantage = (uint32_t)vantage;
    px_report_add_observation(d->r, &o);
    return 0;
}

static int results_read(struct reading *d, const json_t *root)
{
    struct px_json_place at = {NULL, "results", 0};
    const json_t *list = json_object_get(root, at.key);
    if (px_json_read_list(&at, list, PX_REPORT_RESULTS_MAX, d->err) != 0)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct px_json_place here = {&at, NULL, i};
        if (result_read(d, &here, json_array_get(list, i)) != 0)
            return -1;
    }
    return 0;
}

/* Without vantages[] the names of those away are all that is known of them. */
static int away_read(struct reading *d, const struct px_json_place *at, const json_t *list)
{
    struct px_json_place place = {at, "away", 0};
    if (px_json_read_list(&place, list, PX_REPORT_VANTAGES_MAX, d->err) != 0)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct px_json_place here = {&place, NULL, i};
        const char *name;
        if (name_read(d, &here, json_array_get(list, i), &name) != 0)
            return -1;
        int number = vantage_find(d, name);
        if (number < 0)
            number = vantage_add(d, &here, name);
        if (number < 0)
            return -1;
        d->r->vantages[number].presence = PX_AWAY;
    }
    return 0;
}

static int coverage_read(struct reading *d, const json_t *root)
{
    struct px_json_place at = {NULL, "coverage", 0}, abstained = {&at, "abstained", 0};
    const json_t *coverage = json_object_get(root, at.key), *list;
    if (coverage == NULL)
        return 0;
    if (px_json_read_kind(&at, coverage, JSON_OBJECT, d->err) != 0)
        return -1;
    list = json_object_get(coverage, "away");
    if (!d->listed && list != NULL && away_read(d, &at, list) != 0)
        return -1;
    list = json_object_get(coverage, abstained.key);
    return list == NULL ? 0 : px_json_read_strings(&abstained, list, &d->r->abstained, d->err);
}

/* A part of the target that is given beside the url says the same. */
static int target_part(struct reading *d, const json_t *target, const char *key,
                       const char *expected)
{
    struct px_json_place at = {NULL, "target", 0}, here = {&at, key, 0};
    const json_t *value = json_object_get(target, key);
    char shown[SHOWN_TEXT];
    const char *text;
    if (value == NULL)
        return 0;
    if (px_json_read_text(&here, value, PX_REPORT_STRING_MAX, &text, d->err) != 0)
        return -1;
    if (strcmp(text, expected) == 0)
        return 0;
    return px_json_fail(&here, d->err, "\"%s\", but the url says \"%s\"",
                        px_text_safe(text, SHOWN_MAX, shown, sizeof(shown)), expected);
}

static int target_port(struct reading *d, const json_t *target)
{
    struct px_json_place at = {NULL, "target", 0}, here = {&at, "port", 0};
    const json_t *value = json_object_get(target, here.key);
    uint64_t port;
    if (value == NULL)
        return 0;
    if (px_json_read_count(&here, value, UINT16_MAX, &port, d->err) != 0)
        return -1;
    if (port == d->r->target.port)
        return 0;
    return px_json_fail(&here, d->err, "%u, but the url says %u", (unsigned)port,
                        d->r->target.port);
}

static int target_read(struct reading *d, const json_t *root)
{
    struct px_json_place at = {NULL, "target", 0}, url = {&at, "url", 0};
    const json_t *target = json_object_get(root, at.key);
    struct px_target *t = &d->r->target;
    struct px_err why = {0};
    const char *text;
    if (px_json_read_kind(&at, target, JSON_OBJECT, d->err) != 0 ||
        px_json_read_text(&url, json_object_get(target, "url"), PX_TARGET_URL, &text, d->err) != 0)
        return -1;
    if (px_target_parse(text, t, &why) != 0) {
        px_json_fail(&url, d->err, "%s", why.message);
        return px_err_hint(d->err, "%s", why.hint);
    }
    if (target_part(d, target, "scheme", px_scheme_name(t->scheme)) != 0 ||
        target_part(d, target, "host", t->host) != 0 ||
        target_part(d, target, "path", t->path) != 0)
        return -1;
    return target_port(d, target);
}

static int schema_read(struct reading *d, const json_t *root)
{
    struct px_json_place at = {NULL, "schema", 0};
    const char *text;
    char shown[SHOWN_TEXT];
    if (px_json_read_text(&at, json_object_get(root, at.key), PX_REPORT_STRING_MAX, &text,
                          d->err) != 0)
        return px_err_hint(d->err, MAKE_HINT);
    if (strcmp(text, PX_REPORT_SCHEMA) == 0)
        return 0;
    px_json_fail(&at, d->err, "\"%s\", expected \"%s\"",
                 px_text_safe(text, SHOWN_MAX, shown, sizeof(shown)), PX_REPORT_SCHEMA);
    return px_err_hint(d->err, MAKE_HINT);
}

static int notes_read(struct reading *d, const json_t *root)
{
    struct px_json_place at = {NULL, "notes", 0};
    const json_t *list = json_object_get(root, at.key);
    return list == NULL ? 0 : px_json_read_strings(&at, list, &d->r->notes, d->err);
}

static int document_read(struct reading *d, const json_t *root)
{
    if (schema_read(d, root) != 0)
        return -1;
    d->r->finished = true; /* what is kept is done, unless it says otherwise */
    if (px_json_read_fields(NULL, &px_json_report, root, d->r, d->err) != 0 ||
        target_read(d, root) != 0 || vantages_read(d, root) != 0 || results_read(d, root) != 0 ||
        coverage_read(d, root) != 0 ||
        px_json_read_fields(NULL, &px_json_verdict, root, d->r, d->err) != 0)
        return -1;
    return notes_read(d, root);
}

int px_report_decode_json(const char *text, size_t length, struct px_report *r, struct px_err *err)
{
    json_error_t fault;
    char shown[SHOWN_TEXT];
    px_report_init(r);
    if (length > PX_REPORT_JSON_MAX) {
        px_err_set(err, "bad-document", "the document has %zu bytes, at most %u", length,
                   PX_REPORT_JSON_MAX);
        return px_err_hint(err, MAKE_HINT);
    }
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (root == NULL || !json_is_object(root)) {
        if (root == NULL)
            px_err_set(err, "bad-document", "not JSON: line %d, column %d: %s", fault.line,
                       fault.column, px_text_safe(fault.text, SHOWN_MAX, shown, sizeof(shown)));
        else
            px_err_set(err, "bad-document", "a list, expected an object");
        json_decref(root);
        return px_err_hint(err, MAKE_HINT);
    }
    struct reading d = {.r = r, .index = json_object(), .err = err};
    int rc =
        d.index == NULL ? px_err_set(err, "no-memory", "out of memory") : document_read(&d, root);
    json_decref(d.index);
    json_decref(root);
    return rc;
}
