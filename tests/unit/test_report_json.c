/* SPDX-License-Identifier: MIT */
/* The document parallax.run/1: there and back, short forms, errors, limits, every kind of damage.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"
#include "common/text.h"
#include "tests/unit/noise.h"

/* The sample of the specification: no vantages[], no attempts[], no controls[]. */
static const char sample[] =
    "{\"schema\":\"parallax.run/1\",\"id\":\"01JD3KQ8M2\",\"started\":\"2026-11-20T14:02:11.120Z\","
    "\"took_ms\":2140,\"rounds\":2,\"depth\":\"kex\",\"target\":{\"url\":"
    "\"ssh://bastion.example.net:22\",\"scheme\":\"ssh\",\"host\":\"bastion.example.net\","
    "\"port\":22},\"coverage\":{\"selected\":3,\"reported\":2,\"away\":[\"sfo1\"],\"abstained\":[]}"
    ",\"verdict\":{\"status\":\"partial\",\"summary\":\"203.0.113.10 turns away 192.0.2.44\","
    "\"findings\":[{\"scope\":\"source\",\"cause\":\"source-banned\",\"certainty\":\"confirmed\","
    "\"scope_certainty\":\"confirmed\",\"ambiguous_with\":[],\"probability\":0.98,"
    "\"scope_probability\":0.99,\"layer\":\"tcp\",\"affected\":[\"here\"],\"unaffected\":[\"vpn1\"]"
    ",\"group\":{\"attribute\":\"address\",\"values\":[\"192.0.2.44/32\"]},\"where\":null,"
    "\"since\":\"2026-11-20T13:41:00Z\",\"summary\":\"203.0.113.10 turns away 192.0.2.44\","
    "\"evidence\":[{\"id\":\"icmp-from-target\",\"vantages\":[\"here\"],\"text\":\"3 of 3\"}],"
    "\"ruled_out\":[{\"cause\":\"host-down\",\"because\":\"one is served\"}],\"alternatives\":"
    "[{\"scope\":\"source\",\"cause\":\"source-filtered\",\"probability\":0.02}],\"next_steps\":"
    "[{\"where\":\"host\",\"run\":\"sudo fail2ban-client set sshd unbanip 192.0.2.44\",\"why\":"
    "\"lifts the ban\"}],\"deciding_probe\":null}]},\"results\":[{\"vantage\":\"here\",\"network\":"
    "\"office\",\"labels\":{},\"source\":\"192.0.2.44\",\"seen_as\":\"192.0.2.44\",\"address\":"
    "\"203.0.113.10\",\"family\":4,\"round\":1,\"code\":\"rejected\",\"stage\":\"tcp\",\"tries\":3,"
    "\"icmp\":{\"type\":3,\"code\":3,\"from\":\"203.0.113.10\"},\"ms\":{\"dns\":1.1},\"echo\":"
    "{\"sent\":2,\"received\":2,\"ms\":8.9},\"control\":{\"port\":443,\"code\":\"ok\"},\"trace\":"
    "[{\"ttl\":1,\"from\":\"192.0.2.1\",\"ms\":0.4}]},{\"vantage\":\"vpn1\",\"network\":\"AS64496\""
    ",\"source\":\"192.0.2.200\",\"code\":\"ok\",\"stage\":\"kex\",\"ms\":{\"dns\":0.9,\"tcp\":8.0,"
    "\"banner\":14.1,\"kex\":33.0},\"ssh\":{\"banner\":\"SSH-2.0-OpenSSH_9.2p1\",\"hostkey\":"
    "\"SHA256:h7Qd\",\"kex\":\"sntrup761x25519-sha512\"}}]}";

static struct px_addr addr(const char *text)
{
    struct px_addr a;
    cr_assert(px_addr_parse(text, &a));
    return a;
}

static void label_add(struct px_vantage *v, const char *key, const char *value)
{
    struct px_label *l = &v->labels[v->label_count++];
    px_text_copy(l->key, sizeof(l->key), key);
    px_text_copy(l->value, sizeof(l->value), value);
}

/* text with the first `from` replaced by `to`; heap. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "%s is not in the document", from);
    return px_xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void attempt_fill(struct px_attempt *a, int i)
{
    *a = (struct px_attempt){.code = PX_CODE_REJECTED,
                             .icmp = {.from = addr("203.0.113.10"),
                                      .type = 3,
                                      .code = (uint8_t)i,
                                      .ttl = (uint8_t)(60 + i),
                                      .own = i % 2 == 0},
                             .ms = 1.5 + i,
                             .port = (uint16_t)(22 + i),
                             .source_port = (uint16_t)(40000 + i),
                             .unacked = (uint16_t)i,
                             .retransmits = (uint16_t)(i + 1),
                             .rtt_ms = 0.123456 + i};
}

static void trace_fill(struct px_trace *t)
{
    t->ran = t->reached = t->flow_varied = true;
    t->count = PX_HOPS_MAX;
    for (int i = 0; i < PX_HOPS_MAX; i++)
        t->hops[i] = (struct px_hop){.ttl = (uint8_t)(i + 3),
                                     .from = i == 4 ? (struct px_addr){0} : addr("2001:db8::1"),
                                     .type = 11,
                                     .code = (uint8_t)(i % 2),
                                     .ms = i == 4 ? -1 : i * 0.25};
}

/* Every member set to something that is not its default. */
static void observation_fill(struct px_observation *o)
{
    px_observation_init(o);
    o->vantage = 1;
    strcpy(o->run_id, "01JD3KQ8M2OTHER");
    o->job_id = UINT64_MAX - 7;
    o->round = 3;
    o->started = 1795183331121 * PX_MS;
    o->skew_ms = -0.75;
    o->took_ms = 1234.567891;
    o->lag_ms = 0.5;
    o->stage = PX_STAGE_BANNER;
    o->code = PX_CODE_REFUSAL_TEXT;
    o->depth = PX_STAGE_AUTH;
    for (int i = 0; i < PX_STAGE_COUNT; i++)
        o->ms[i] = i == PX_STAGE_TLS ? -1 : i + 0.000001;
    o->source = addr("192.0.2.44");
    o->address = addr("2001:db8::10");
    o->address_count = PX_ADDRS_MAX;
    for (int i = 0; i < PX_ADDRS_MAX; i++)
        o->addresses[i] = addr(i % 2 ? "203.0.113.10" : "2001:db8::10");
    attempt_fill(&o->attempts[0], 9);
    o->icmp = o->attempts[0].icmp;
    o->attempt_count = PX_REPEATS_MAX + 1;
    for (int i = 0; i <= PX_REPEATS_MAX; i++)
        attempt_fill(&o->attempts[i], i);
    o->control_count = PX_CONTROLS_MAX;
    for (int i = 0; i < PX_CONTROLS_MAX; i++)
        attempt_fill(&o->controls[i], i + 20);
    o->reference_count = PX_REFERENCES_MAX;
    for (int i = 0; i < PX_REFERENCES_MAX; i++) {
        snprintf(o->references[i].name, sizeof(o->references[i].name), "ref%d.example:443", i);
        o->references[i].code = i % 2 ? PX_CODE_OK : PX_CODE_NO_ANSWER;
    }
    o->echo = (struct px_echo){.ran = true,
                               .code = PX_CODE_UNREACHABLE,
                               .sent = 3,
                               .received = 1,
                               .ms = 8.9,
                               .icmp = o->icmp};
    trace_fill(&o->trace);
    strcpy(o->banner, "SSH-2.0-\\x41\xff\xfe \xc3\xa9 \x1b[31m\\");
    memset(o->text, 0xc3, PX_TEXT_MAX); /* each byte alone is not UTF-8: the longest escape */
    strcpy(o->hostkey_type, "ssh-ed25519");
    strcpy(o->hostkey, "SHA256:h7Qd");
    strcpy(o->kex, "sntrup761x25519-sha512");
    o->limited = o->reused = true;
    o->strikes_used = 1;
    o->strikes_max = 2;
    o->strikes_next_ms = INT64_C(420000000000);
}

static void finding_fill(struct px_finding *f)
{
    f->scope = PX_SCOPE_SOURCE;
    f->cause = PX_CAUSE_SOURCE_BANNED;
    f->layer = PX_STAGE_TCP;
    f->certainty = PX_CERTAINTY_LIKELY;
    f->scope_certainty = PX_CERTAINTY_CONFIRMED;
    f->probability = 0.1234567890123;
    f->scope_probability = 1;
    f->ambiguous_count = 6;
    for (int i = 0; i < 6; i++)
        f->ambiguous_with[i] = (enum px_cause)(PX_CAUSE_HOST_DOWN + i);
    px_strs_add(&f->affected, "here");
    px_strs_add(&f->unaffected, "fra1");
    px_strs_add(&f->unaffected, "hel1");
    f->group_attribute = px_xstrdup("prefix");
    px_strs_add(&f->group_values, "192.0.2.0/24");
    f->where = px_xstrdup("behind 198.51.100.254");
    f->since = 1795182060 * PX_SEC;
    f->summary = px_xstrdup("\"quoted\"\nline \\ \xe2\x9c\x93");
    struct px_evidence *e = px_finding_add_evidence(f, "others-ok");
    px_strs_add(&e->vantages, "fra1");
    e->text = px_xstrdup("5 of 6");
    px_finding_add_evidence(f, "without-text");
    px_finding_add_ruled_out(f, PX_CAUSE_HOST_DOWN, "five are served");
    px_finding_add_alternative(f, PX_CAUSE_SOURCE_FILTERED, 0.02);
    px_finding_add_step(f, "host", "sudo nft list ruleset", "shows the rule");
    px_finding_add_step(f, "network team", "", "in words");
    f->deciding.kind = px_xstrdup("control");
    px_strs_add(&f->deciding.from, "fra1");
    f->deciding.needs = px_xstrdup("a vantage in AS64496 outside 198.51.100.0/24");
    f->deciding.split_count = 4;
    for (int i = 0; i < 4; i++)
        f->deciding.splits[i] = (enum px_cause)(PX_CAUSE_TRANSIT_DROP + i);
}

static void report_fill(struct px_report *r)
{
    static struct px_observation o;
    px_report_init(r);
    strcpy(r->id, "01JD3KQ8M2ABCDEFGHJKMNPQRS");
    r->started = 1795183331120 * PX_MS;
    r->took_ms = 2140.25;
    r->rounds = 2;
    r->depth = PX_STAGE_KEX;
    cr_assert_eq(px_target_parse("https://[2001:db8::10]:8443/x?y", &r->target, NULL), 0);
    struct px_vantage *v = px_report_add_vantage(r, "here");
    v->presence = PX_AWAY;
    v->last_seen = 1795183000500 * PX_MS;
    v = px_report_add_vantage(r, "fra1");
    v->seen_as = addr("198.51.100.7");
    label_add(v, "asn", "64496");
    label_add(v, "eu", "");
    for (int i = 2; i < PX_LABELS_MAX; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%d", i);
        label_add(v, key, "v\xc3\xa9");
    }
    observation_fill(&o);
    px_report_add_observation(r, &o);
    px_observation_init(&o); /* and one of which nothing is known */
    strcpy(o.run_id, r->id);
    px_report_add_observation(r, &o);
    px_strs_add(&r->abstained, "here");
    px_strs_add(&r->notes, "showing results of 4s ago");
    r->verdict.status = PX_STATUS_PARTIAL;
    r->verdict.summary = px_xstrdup("");
    finding_fill(px_verdict_add_finding(&r->verdict));
    px_verdict_add_finding(&r->verdict); /* and one with nothing in it */
}

/* decode, with the error in the message of a failed assertion */
static void decode(const char *text, struct px_report *r)
{
    struct px_err err = {0};
    cr_assert_eq(px_report_decode_json(text, strlen(text), r, &err), 0, "%s", err.message);
}

static void expect_error(const char *text, const char *message)
{
    struct px_report r;
    struct px_err err = {0};
    cr_assert_eq(px_report_decode_json(text, strlen(text), &r, &err), -1, "no error: %s", message);
    cr_assert_str_eq(err.code, "bad-document");
    cr_assert_str_eq(err.message, message);
    px_report_clear(&r);
}

Test(report_json, everything_survives)
{
    for (int pretty = 0; pretty < 2; pretty++) {
        struct px_report r, back;
        report_fill(&r);
        char *text = px_report_encode_json(&r, pretty != 0);
        decode(text, &back);
        char *again = px_report_encode_json(&back, pretty != 0);
        cr_assert_str_eq(text, again);
        cr_assert_eq(strchr(text, '\n') != NULL, pretty != 0);
        cr_assert_eq(back.observation_count, 2);
        cr_assert_eq(memcmp(r.observations, back.observations, sizeof(struct px_observation)), 0);
        cr_assert_eq(memcmp(r.vantages, back.vantages, 2 * sizeof(struct px_vantage)), 0);
        cr_assert_eq(memcmp(&r.target, &back.target, sizeof(r.target)), 0);
        cr_assert_str_eq(back.id, r.id);
        cr_assert_eq(back.started, r.started);
        cr_assert_eq(back.took_ms, r.took_ms);
        cr_assert_eq(back.rounds, 2);
        cr_assert_eq(back.depth, PX_STAGE_KEX);
        cr_assert_not(back.finished);
        cr_assert_str_eq(back.abstained.v[0], "here");
        cr_assert_str_eq(back.notes.v[0], "showing results of 4s ago");
        free(text);
        free(again);
        px_report_clear(&r);
        px_report_clear(&back);
    }
}

Test(report_json, an_unknown_observation_stays_unknown)
{
    struct px_report r, back;
    report_fill(&r);
    char *text = px_report_encode_json(&r, false);
    decode(text, &back);
    /* what an observation is not told, it takes from its report */
    struct px_observation expected;
    px_observation_init(&expected);
    strcpy(expected.run_id, r.id);
    cr_assert_eq(memcmp(&back.observations[1], &expected, sizeof(expected)), 0);
    free(text);
    px_report_clear(&r);
    px_report_clear(&back);
}

Test(report_json, every_field_of_a_finding_survives)
{
    struct px_report r, back;
    report_fill(&r);
    char *text = px_report_encode_json(&r, false);
    decode(text, &back);
    const struct px_finding *a = &r.verdict.findings[0], *b = &back.verdict.findings[0];
    cr_assert_eq(back.verdict.status, PX_STATUS_PARTIAL);
    cr_assert_str_eq(back.verdict.summary, "");
    cr_assert_eq(back.verdict.finding_count, 2);
    cr_assert(b->scope == a->scope && b->cause == a->cause && b->layer == a->layer);
    cr_assert(b->certainty == a->certainty && b->scope_certainty == a->scope_certainty);
    cr_assert(b->probability == a->probability && b->scope_probability == 1);
    cr_assert_eq(memcmp(b->ambiguous_with, a->ambiguous_with, sizeof(a->ambiguous_with)), 0);
    cr_assert_eq(b->ambiguous_count, 6);
    cr_assert_str_eq(b->affected.v[0], "here");
    cr_assert_str_eq(b->unaffected.v[1], "hel1");
    cr_assert_str_eq(b->group_attribute, "prefix");
    cr_assert_str_eq(b->group_values.v[0], "192.0.2.0/24");
    cr_assert_str_eq(b->where, a->where);
    cr_assert_eq(b->since, a->since);
    cr_assert_str_eq(b->summary, a->summary);
    cr_assert_str_eq(b->evidence[0].id, "others-ok");
    cr_assert_str_eq(b->evidence[0].vantages.v[0], "fra1");
    cr_assert_str_eq(b->evidence[0].text, "5 of 6");
    cr_assert_null(b->evidence[1].text);
    cr_assert_eq(b->ruled_out[0].cause, PX_CAUSE_HOST_DOWN);
    cr_assert_str_eq(b->ruled_out[0].because, "five are served");
    cr_assert_eq(b->alternatives[0].cause, PX_CAUSE_SOURCE_FILTERED);
    cr_assert_eq(b->alternatives[0].scope, PX_SCOPE_SOURCE);
    cr_assert_eq(b->alternatives[0].probability, 0.02);
    cr_assert_str_eq(b->steps[0].where, "host");
    cr_assert_str_eq(b->steps[0].run, "sudo nft list ruleset");
    cr_assert_str_eq(b->steps[1].run, "");
    cr_assert_str_eq(b->steps[1].why, "in words");
    cr_assert_str_eq(b->deciding.kind, "control");
    cr_assert_str_eq(b->deciding.from.v[0], "fra1");
    cr_assert_str_eq(b->deciding.needs, a->deciding.needs);
    cr_assert_eq(b->deciding.split_count, 4);
    cr_assert_eq(b->deciding.splits[3], a->deciding.splits[3]);
    cr_assert_null(back.verdict.findings[1].group_attribute);
    cr_assert_null(back.verdict.findings[1].deciding.kind);
    free(text);
    px_report_clear(&r);
    px_report_clear(&back);
}

Test(report_json, words_and_shape_are_those_of_the_schema)
{
    static const char *const expected[] = {
        "{\"schema\":\"parallax.run/1\",\"id\":\"01JD3KQ8M2ABCDEFGHJKMNPQRS\",\"started\":"
        "\"2026-11-20T14:02:11.120Z\",\"took_ms\":2140.25,\"rounds\":2,\"depth\":\"kex\","
        "\"finished\":false,",
        "\"target\":{\"url\":\"https://[2001:db8::10]:8443/x?y\",\"scheme\":\"https\",\"host\":"
        "\"2001:db8::10\",\"port\":8443,\"path\":\"/x?y\"}",
        "\"coverage\":{\"selected\":2,\"reported\":1,\"away\":[\"here\"],\"abstained\":[\"here\"]}",
        "\"group\":{\"attribute\":\"prefix\",\"values\":[\"192.0.2.0/24\"]},",
        "\"deciding_probe\":{\"kind\":\"control\",\"from\":[\"fra1\"],\"needs\":",
        "\"group\":null,\"where\":null,\"since\":null,",
        "\"vantage\":\"fra1\",\"network\":\"AS64496\",\"labels\":{\"asn\":\"64496\",\"eu\":\"\",",
        "\"seen_as\":\"198.51.100.7\",",
        "\"job\":\"18446744073709551608\",\"round\":3,\"source\":\"192.0.2.44\",",
        "\"icmp\":{\"type\":3,\"code\":9,\"from\":\"203.0.113.10\",\"ttl\":69,\"own\":false}",
        "\"trace_reached\":true,\"trace_flow\":\"varied\"",
        "\"strikes\":{\"used\":1,\"max\":2,\"next_ms\":420000000000}",
        "\"family\":6,\"tries\":9,\"control\":{\"port\":42,",
        "\"limited\":true,\"reused\":true,",
        "\"banner\":\"SSH-2.0-\\\\\\\\x41\\\\xff\\\\xfe \xc3\xa9 \\u001B[31m\\\\\\\\\"",
        "\"last_seen\":\"2026-11-20T13:56:40.500Z\"",
        "\"presence\":\"away\"",
    };
    struct px_report r;
    report_fill(&r);
    char *text = px_report_encode_json(&r, false);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        cr_assert_not_null(strstr(text, expected[i]), "%s\nnot in\n%s", expected[i], text);
    free(text);
    px_report_clear(&r);
}

Test(report_json, the_telling_control_is_chosen)
{
    static const struct {
        enum px_code codes[3];
        unsigned chosen;
    } cases[] = {
        {{PX_CODE_NO_ANSWER, PX_CODE_REFUSED, PX_CODE_OK}, 102},
        {{PX_CODE_NO_ANSWER, PX_CODE_REJECTED, PX_CODE_REFUSED}, 101},
        {{PX_CODE_NO_ANSWER, PX_CODE_UNREACHABLE, PX_CODE_UNKNOWN}, 100},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_report r;
        struct px_observation o;
        char expected[64];
        px_report_init(&r);
        px_report_add_vantage(&r, "here");
        px_observation_init(&o);
        o.control_count = 3;
        for (uint16_t k = 0; k < 3; k++) {
            o.controls[k].port = (uint16_t)(100 + k);
            o.controls[k].code = cases[i].codes[k];
        }
        px_report_add_observation(&r, &o);
        char *text = px_report_encode_json(&r, false);
        snprintf(expected, sizeof(expected), "\"control\":{\"port\":%u,", cases[i].chosen);
        cr_assert_not_null(strstr(text, expected), "%s", text);
        free(text);
        px_report_clear(&r);
    }
}

Test(report_json, no_verdict_is_null)
{
    struct px_report r, back;
    report_fill(&r);
    px_verdict_clear(&r.verdict);
    char *text = px_report_encode_json(&r, false);
    cr_assert_not_null(strstr(text, "\"verdict\":null"));
    decode(text, &back);
    cr_assert_null(back.verdict.summary);
    free(text);
    px_report_clear(&r);
    px_report_clear(&back);
}

Test(report_json, numbers_that_are_none_are_left_out)
{
    struct px_report r, back;
    report_fill(&r);
    r.took_ms = NAN;
    r.observations[0].skew_ms = INFINITY;
    r.observations[0].ms[PX_STAGE_TCP] = NAN;
    r.verdict.findings[0].probability = NAN;
    r.verdict.findings[0].scope_probability = 1.5;
    char *text = px_report_encode_json(&r, false);
    decode(text, &back);
    cr_assert_eq(back.took_ms, 0);
    cr_assert_eq(back.observations[0].skew_ms, 0);
    cr_assert_lt(back.observations[0].ms[PX_STAGE_TCP], 0);
    cr_assert_eq(back.verdict.findings[0].scope_probability, 1);
    free(text);
    px_report_clear(&r);
    px_report_clear(&back);
}

Test(report_json, text_that_is_not_utf8_keeps_its_length)
{
    struct px_report r, back;
    report_fill(&r);
    memset(r.observations[0].kex, 0xff, sizeof(r.observations[0].kex) - 1);
    strcpy(r.vantages[1].labels[1].key, "\xffu");
    char *text = px_report_encode_json(&r, false);
    decode(text, &back);
    cr_assert_eq(strlen(back.observations[0].kex), sizeof(r.observations[0].kex) - 1);
    cr_assert_eq(back.observations[0].kex[0], '?');
    cr_assert_str_eq(back.vantages[1].labels[1].key, "?u");
    free(text);
    px_report_clear(&r);
    px_report_clear(&back);
}

Test(report_json, the_short_form_is_filled_in)
{
    struct px_report r;
    char network[PX_LABEL_MAX + 3];
    decode(sample, &r);
    cr_assert(r.finished);
    cr_assert_eq(r.vantage_count, 3);
    cr_assert_str_eq(r.vantages[0].name, "here");
    cr_assert_str_eq(px_vantage_label(&r.vantages[0], "network"), "office");
    cr_assert_eq(r.vantages[0].seen_as.family, 4);
    cr_assert_str_eq(px_vantage_label(&r.vantages[1], "asn"), "64496");
    cr_assert_str_eq(px_vantage_network(&r.vantages[1], network), "AS64496");
    cr_assert_str_eq(r.vantages[2].name, "sfo1");
    cr_assert_eq(r.vantages[2].presence, PX_AWAY);
    cr_assert_eq(r.vantages[0].presence, PX_PRESENT);
    const struct px_observation *o = &r.observations[0];
    cr_assert_eq(o->attempt_count, 3);
    cr_assert_eq(o->attempts[0].code, PX_CODE_REJECTED);
    cr_assert_eq(o->attempts[0].icmp.code, 3);
    cr_assert_eq(o->attempts[0].port, 22);
    cr_assert_eq(o->attempts[1].code, PX_CODE_UNKNOWN, "the others are not told");
    cr_assert_eq(o->control_count, 1);
    cr_assert_eq(o->controls[0].port, 443);
    cr_assert_eq(o->controls[0].code, PX_CODE_OK);
    cr_assert(o->echo.ran && o->echo.code == PX_CODE_OK);
    cr_assert(o->trace.ran && o->trace.count == 1 && !o->trace.reached);
    cr_assert_eq(o->depth, PX_STAGE_KEX);
    cr_assert_str_eq(o->run_id, "01JD3KQ8M2");
    cr_assert_eq(r.observations[1].vantage, 1);
    cr_assert_eq(r.observations[1].round, 1);
    cr_assert_eq(r.observations[1].attempt_count, 0);
    cr_assert_str_eq(r.observations[1].banner, "SSH-2.0-OpenSSH_9.2p1");
    cr_assert_eq(r.verdict.findings[0].cause, PX_CAUSE_SOURCE_BANNED);
    px_report_clear(&r);
}

Test(report_json, the_smallest_document)
{
    struct px_report r;
    decode("{\"schema\":\"parallax.run/1\",\"target\":{\"url\":\"h\"},\"results\":[],"
           "\"unknown\":{\"x\":[1,{}]}}",
           &r);
    cr_assert_str_eq(r.target.url, "ssh://h:22");
    cr_assert_eq(r.vantage_count + r.observation_count, 0);
    cr_assert_null(r.verdict.summary);
    px_report_clear(&r);
}

Test(report_json, errors_name_the_place)
{
    static const struct {
        const char *from, *to, *message;
    } cases[] = {
        {"parallax.run/1", "parallax.run/2",
         "schema: \"parallax.run/2\", expected \"parallax.run/1\""},
        {"\"schema\":\"parallax.run/1\",", "", "schema: missing"},
        {"\"took_ms\":2140", "\"took_ms\":\"2140\"", "took_ms: expected a number, got text"},
        {"\"took_ms\":2140", "\"took_ms\":1e300",
         "took_ms: 1e+300 is not between -1e+12 and 1e+12"},
        {"\"rounds\":2", "\"rounds\":2.5", "rounds: expected a whole number, got a number"},
        {"\"rounds\":2", "\"rounds\":-1", "rounds: -1 is not between 0 and 4294967295"},
        {"14:02:11.120Z", "14:02", "started: \"2026-11-20T14:02\" is not a time"},
        {"\"depth\":\"kex\"", "\"depth\":\"kx\"",
         "depth: no such stage \"kx\"; did you mean \"kex\"?"},
        {"01JD3KQ8M2", "01JD3KQ8M201JD3KQ8M201JD3KQ8M2XX", "id: 32 bytes, at most 31"},
        {"\"port\":22}", "\"port\":23}", "target.port: 23, but the url says 22"},
        {"\"host\":\"bastion.", "\"host\":\"b.",
         "target.host: \"b.example.net\", but the url says \"bastion.example.net\""},
        {"ssh://bastion", "sh://bastion",
         "target.url: \"sh://bastion.example.net:22\": no scheme \"sh\"; did you mean \"ssh\"?"},
        {"\"target\":", "\"aim\":", "target: missing"},
        {"\"results\":", "\"Results\":", "results: missing"},
        {"\"code\":\"rejected\"", "\"code\":\"rejcted\"",
         "results[0].code: no such code \"rejcted\"; did you mean \"rejected\"?"},
        {"\"code\":\"rejected\"", "\"code\":\"foo\"", "results[0].code: no such code \"foo\""},
        {"\"code\":\"ok\",\"stage\":\"kex\",", "\"stage\":\"kex\",", "results[1].code: missing"},
        {"\"code\":\"ok\",\"stage\":\"kex\",", "\"code\":null,\"stage\":\"kex\",",
         "results[1].code: missing"},
        {"\"vantage\":\"vpn1\",", "", "results[1].vantage: missing"},
        {"\"vantage\":\"vpn1\",", "\"vantage\":\"V\\u001b\",",
         "results[1].vantage: \"V\\x1b\" is not a vantage name"},
        {"\"tries\":3", "\"tries\":10", "results[0].tries: 10 is not between 0 and 9"},
        {"\"type\":3", "\"type\":256", "results[0].icmp.type: 256 is not between 0 and 255"},
        {",\"from\":\"203.0.113.10\"}", "}", "results[0].icmp.from: missing"},
        {"\"from\":\"203.0.113.10\"", "\"from\":\"203.0.113\"",
         "results[0].icmp.from: \"203.0.113\" is not an IP address"},
        {"\"ms\":{\"dns\":1.1}", "\"ms\":{\"dsn\":1.1}",
         "results[0].ms.dsn: no such stage \"dsn\"; did you mean \"dns\"?"},
        {"\"ms\":{\"dns\":1.1}", "\"ms\":{\"dns\":-1}",
         "results[0].ms.dns: -1 is not between 0 and 1e+12"},
        {"\"ms\":{\"dns\":1.1}", "\"ms\":[]", "results[0].ms: expected an object, got a list"},
        {"\"control\":{\"port\":443", "\"control\":{\"port\":65536",
         "results[0].control.port: 65536 is not between 0 and 65535"},
        {"\"ttl\":1", "\"tl\":1", "results[0].trace[0].ttl: missing"},
        {"{\"ttl\":1,", "{\"ttl\":1},{\"ttl\":3,",
         "results[0].trace[1]: ttl 3 after 1: hops are in order, without gaps"},
        {"\"trace\":", "\"trace_flow\":\"x\",\"trace\":",
         "results[0].trace_flow: neither same nor varied"},
        {"\"trace\":", "\"trace_reached\":1,\"trace\":",
         "results[0].trace_reached: expected true or false, got a whole number"},
        {"\"trace\":", "\"job\":\"18446744073709551616\",\"trace\":",
         "results[0].job: not a number of 64 bits as text"},
        {"\"trace\":", "\"job\":\"12x\",\"trace\":",
         "results[0].job: not a number of 64 bits as text"},
        {"\"trace\":", "\"limited\":\"yes\",\"trace\":",
         "results[0].limited: expected true or false, got text"},
        {"\"trace\":", "\"text\":\"a\\\\b\",\"trace\":",
         "results[0].text: a backslash is followed by neither a backslash nor xNN"},
        {"\"trace\":", "\"text\":\"a\\\\x00\",\"trace\":",
         "results[0].text: a backslash is followed by neither a backslash nor xNN"},
        {"\"trace\":", "\"text\":\"a\\\\x4\",\"trace\":",
         "results[0].text: a backslash is followed by neither a backslash nor xNN"},
        {"\"labels\":{}", "\"labels\":{\"asn\":1}",
         "results[0].labels.asn: expected text, got a whole number"},
        {"\"network\":\"office\"", "\"network\":7",
         "results[0].network: expected text, got a whole number"},
        {"\"seen_as\":\"192.0.2.44\"", "\"seen_as\":\"x\"",
         "results[0].seen_as: \"x\" is not an IP address"},
        {"\"away\":[\"sfo1\"]", "\"away\":[7]",
         "coverage.away[0]: expected text, got a whole number"},
        {"\"abstained\":[]", "\"abstained\":{}",
         "coverage.abstained: expected a list, got an object"},
        {"\"status\":\"partial\"", "\"status\":\"broken\"",
         "verdict.status: no such status \"broken\""},
        {"\"cause\":\"source-banned\"", "\"cause\":\"source-baned\"",
         "verdict.findings[0].cause: no such cause \"source-baned\"; did you mean "
         "\"source-banned\"?"},
        {"\"probability\":0.98", "\"probability\":1.01",
         "verdict.findings[0].probability: 1.01 is not between 0 and 1"},
        {"\"ambiguous_with\":[]", "\"ambiguous_with\":[\"x\"]",
         "verdict.findings[0].ambiguous_with[0]: no such cause \"x\""},
        {"\"affected\":[\"here\"]", "\"affected\":[null]",
         "verdict.findings[0].affected[0]: expected text, got null"},
        {"{\"attribute\":\"address\",", "{", "verdict.findings[0].group.attribute: missing"},
        {"\"deciding_probe\":null", "\"deciding_probe\":{\"kind\":\"control\",\"splits\":[1]}",
         "verdict.findings[0].deciding_probe.splits[0]: expected text, got a whole number"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = replaced(sample, cases[i].from, cases[i].to);
        expect_error(text, cases[i].message);
        free(text);
    }
}

Test(report_json, vantages_when_given_are_the_only_ones)
{
    static const char head[] = "{\"schema\":\"parallax.run/1\",\"target\":{\"url\":\"h\"},";
    static const struct {
        const char *rest, *message;
    } cases[] = {
        {"\"vantages\":[{\"name\":\"a\"}],\"results\":[{\"vantage\":\"b\"}]}",
         "results[0].vantage: \"b\" is not in vantages[]"},
        {"\"vantages\":[{\"name\":\"a\"},{\"name\":\"a\"}],\"results\":[]}",
         "vantages[1].name: \"a\" is there twice"},
        {"\"vantages\":[{}],\"results\":[]}", "vantages[0].name: missing"},
        {"\"vantages\":[7],\"results\":[]}", "vantages[0]: expected an object, got a whole number"},
        {"\"vantages\":{},\"results\":[]}", "vantages: expected a list, got an object"},
        {"\"vantages\":[{\"name\":\"a\",\"presence\":\"gone\"}],\"results\":[]}",
         "vantages[0].presence: no such presence \"gone\"; present or away"},
        {"\"vantages\":[{\"name\":\"a\",\"last_seen\":5}],\"results\":[]}",
         "vantages[0].last_seen: expected text, got a whole number"},
        {"\"results\":[7]}", "results[0]: expected an object, got a whole number"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = px_xasprintf("%s%s", head, cases[i].rest);
        expect_error(text, cases[i].message);
        free(text);
    }
}

Test(report_json, what_is_not_json_is_said_to_be_so)
{
    static const char *const wrong[] = {"",
                                        "{",
                                        "null",
                                        "7",
                                        "{} {}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":\"\\u0000\"}",
                                        "{\"a\":1e999}"};
    struct px_report r;
    struct px_err err = {0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(px_report_decode_json(wrong[i], strlen(wrong[i]), &r, &err), -1);
        cr_assert_str_eq(err.code, "bad-document");
        cr_assert_eq(strncmp(err.message, "not JSON: line ", 15), 0, "%s", err.message);
        cr_assert_str_eq(err.hint, "expected what plx check -o json prints");
        px_report_clear(&r);
    }
    expect_error("[]", "a list, expected an object");
    cr_assert_eq(px_report_decode_json("{}\0{}", 5, &r, NULL), -1);
}

/* ---- noise ---- */

/* Object xor error; what was read can be written and read again. */
static int check_any(const char *text, size_t length)
{
    struct px_report r, back;
    struct px_err err = {0};
    int rc = px_report_decode_json(text, length, &r, &err);
    cr_assert((rc == 0) ^ (err.code[0] != '\0'));
    if (rc == 0) {
        char *once = px_report_encode_json(&r, false);
        decode(once, &back);
        char *twice = px_report_encode_json(&back, false);
        cr_assert_str_eq(once, twice);
        free(once);
        free(twice);
        px_report_clear(&back);
    }
    px_report_clear(&r);
    return rc == 0;
}

Test(report_json, damaged_documents_give_a_report_or_an_error)
{
    struct px_report full;
    struct noise noise = {31337};
    int good = 0;
    report_fill(&full);
    char *seeds[] = {px_xstrdup(sample), px_report_encode_json(&full, false)};
    for (int i = 0; i < 3000; i++) {
        const char *seed = seeds[i % 2];
        size_t length = strlen(seed);
        char *text = px_xcalloc(length * 2 + 100, 1);
        memcpy(text, seed, length);
        noise_mutate(&noise, "{}[]\",:0123456789-.eEtruefalsn\\x", text, &length);
        good += check_any(text, length);
        free(text);
    }
    cr_assert_gt(good, 20, "some damage is harmless");
    free(seeds[0]);
    free(seeds[1]);
    px_report_clear(&full);
}

Test(report_json, any_bytes_in_banner_and_text_come_back)
{
    struct noise noise = {8};
    struct px_report r, back;
    px_report_init(&r);
    cr_assert_eq(px_target_parse("h", &r.target, NULL), 0);
    px_report_add_vantage(&r, "here");
    struct px_observation o;
    px_observation_init(&o);
    px_report_add_observation(&r, &o);
    for (int i = 0; i < 2000; i++) {
        noise_text(&noise, i % 2 ? "\\x0aA\xc3\xa9\xff" : NULL, PX_TEXT_MAX,
                   r.observations[0].banner);
        noise_text(&noise, NULL, PX_TEXT_MAX, r.observations[0].text);
        char *text = px_report_encode_json(&r, i % 3 == 0);
        decode(text, &back);
        cr_assert_str_eq(back.observations[0].banner, r.observations[0].banner);
        cr_assert_str_eq(back.observations[0].text, r.observations[0].text);
        px_report_clear(&back);
        free(text);
    }
    px_report_clear(&r);
}

Test(report_json, noise_never_crashes)
{
    struct noise noise = {17};
    char text[200];
    for (int i = 0; i < 20000; i++) {
        noise_text(&noise, i % 2 ? "{}[]\",:01truefalsn\\ " : NULL, sizeof(text) - 1, text);
        check_any(text, strlen(text));
    }
}
