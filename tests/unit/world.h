/* SPDX-License-Identifier: MIT */
/*
 * Reports for tests of the judge, written as text, one line per vantage:
 *
 *   "fra1 198.51.100.7 asn=64496 silent echo- ctl- trace=192.0.2.1,192.0.2.5"
 *
 * name, source address ("-" = unknown), then labels (key=value, tag:x), what was seen and side
 * probes in any order. Seen (last word wins; a second one after "then" is the second round):
 *   ok tcp silent refused reject prohibit reject@IP prohibit@IP net@IP host@IP quick@IP loop@IP
 *   closed wrapped reset text mute foreign mismatch kexreset stall pinned denied nosession cert
 *   nxdomain empty servfail dnstimeout noroute ownfilter noaddress policy limited unable exhausted
 *   away none
 * Sides: echo+ echo- echo~ ctl+ ctl- ctl! ref+ ref- refport- lag key=K nat=IP to=IP trace=a,b,c
 * (trace=a,b! reached the target) once (no second look) flap (the first connect fails for a moment)
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"
#include "coordinator/diagnose/diagnose.h"

#define WORLD_START ((px_wall)1700000000 * PX_SEC)
#define WORLD_ROUND (2 * PX_SEC)
#define WORLD_HOST_MS 3070.0

struct world_word {
    const char *word;
    enum px_stage stage;
    enum px_code code;
    uint8_t type, icmp; /* of IPv4; the target sends it, or the router after "@" */
    double ms;
};

static const struct world_word world_words[] = {
    {"ok", PX_STAGE_KEX, PX_CODE_OK, 0, 0, 5},
    {"tcp", PX_STAGE_TCP, PX_CODE_OK, 0, 0, 5},
    {"silent", PX_STAGE_TCP, PX_CODE_NO_ANSWER, 0, 0, 4500},
    {"refused", PX_STAGE_TCP, PX_CODE_REFUSED, 0, 0, 5},
    {"reject", PX_STAGE_TCP, PX_CODE_REJECTED, 3, 3, 5},
    {"prohibit", PX_STAGE_TCP, PX_CODE_REJECTED, 3, 13, 5},
    {"net", PX_STAGE_TCP, PX_CODE_UNREACHABLE, 3, 0, 5},
    {"host", PX_STAGE_TCP, PX_CODE_UNREACHABLE, 3, 1, WORLD_HOST_MS},
    {"quick", PX_STAGE_TCP, PX_CODE_UNREACHABLE, 3, 1, 5},
    {"loop", PX_STAGE_TCP, PX_CODE_LOOPED, 11, 0, 5},
    {"closed", PX_STAGE_BANNER, PX_CODE_CLOSED_EARLY, 0, 0, 5},
    {"wrapped", PX_STAGE_BANNER, PX_CODE_CLOSED_EARLY, 0, 0, 5},
    {"reset", PX_STAGE_BANNER, PX_CODE_RESET_EARLY, 0, 0, 5},
    {"text", PX_STAGE_BANNER, PX_CODE_REFUSAL_TEXT, 0, 0, 5},
    {"mute", PX_STAGE_BANNER, PX_CODE_SILENT, 0, 0, 5},
    {"foreign", PX_STAGE_BANNER, PX_CODE_NOT_SSH, 0, 0, 5},
    {"mismatch", PX_STAGE_KEX, PX_CODE_KEX_MISMATCH, 0, 0, 5},
    {"kexreset", PX_STAGE_KEX, PX_CODE_KEX_RESET, 0, 0, 5},
    {"stall", PX_STAGE_KEX, PX_CODE_KEX_TIMEOUT, 0, 0, 5},
    {"pinned", PX_STAGE_HOSTKEY, PX_CODE_HOSTKEY_DIFFERS, 0, 0, 5},
    {"denied", PX_STAGE_AUTH, PX_CODE_AUTH_REFUSED, 0, 0, 5},
    {"nosession", PX_STAGE_SESSION, PX_CODE_SESSION_REFUSED, 0, 0, 5},
    {"cert", PX_STAGE_TLS, PX_CODE_TLS_EXPIRED, 0, 0, 5},
    {"nxdomain", PX_STAGE_DNS, PX_CODE_DNS_NXDOMAIN, 0, 0, 5},
    {"empty", PX_STAGE_DNS, PX_CODE_DNS_EMPTY, 0, 0, 5},
    {"servfail", PX_STAGE_DNS, PX_CODE_DNS_SERVFAIL, 0, 0, 5},
    {"dnstimeout", PX_STAGE_DNS, PX_CODE_DNS_TIMEOUT, 0, 0, 4000},
    {"noroute", PX_STAGE_TCP, PX_CODE_NO_OWN_ROUTE, 0, 0, 0},
    {"ownfilter", PX_STAGE_TCP, PX_CODE_OWN_FILTER, 0, 0, 0},
    {"noaddress", PX_STAGE_TCP, PX_CODE_NO_ADDRESS, 0, 0, 0},
    {"policy", PX_STAGE_NONE, PX_CODE_POLICY, 0, 0, 0},
    {"limited", PX_STAGE_NONE, PX_CODE_LIMITED, 0, 0, 0},
    {"unable", PX_STAGE_NONE, PX_CODE_UNABLE, 0, 0, 0},
    {"exhausted", PX_STAGE_TCP, PX_CODE_EXHAUSTED, 0, 0, 0},
};

static inline struct px_addr world_addr(const char *text)
{
    struct px_addr a = {0};
    cr_assert(strcmp(text, "-") == 0 || px_addr_parse(text, &a), "address %s", text);
    return a;
}

static inline void world_init(struct px_report *r, const char *target)
{
    struct px_err err = {0};
    px_report_init(r);
    cr_assert_eq(px_target_parse(target, &r->target, &err), 0, "%s", err.message);
    r->started = WORLD_START;
    r->rounds = 2;
    r->depth = PX_STAGE_KEX;
    r->finished = true;
    strcpy(r->id, "01JD3KQ8M2");
}

/* ICMP of the same meaning in the family of its sender. */
static inline struct px_icmp world_icmp(uint8_t type, uint8_t code, struct px_addr from)
{
    static const uint8_t v6[16] = {[0] = 0, [1] = 3, [3] = 4, [9] = 1, [10] = 1, [13] = 1};
    struct px_icmp icmp = {.from = from, .type = type, .code = code, .ttl = 60};
    if (from.family == 6) {
        icmp.type = type == 11 ? 3 : 1;
        icmp.code = type == 11 ? 0 : v6[code];
    }
    return icmp;
}

static inline void world_attempt(struct px_attempt *a, const struct world_word *w, struct px_addr from)
{
    bool above = w->stage > PX_STAGE_TCP || w->code == PX_CODE_OK;
    memset(a, 0, sizeof *a);
    a->code = above ? PX_CODE_OK : w->code;
    a->ms = above ? 5 : w->ms;
    a->rtt_ms = -1;
    if (w->type && !above)
        a->icmp = world_icmp(w->type, w->icmp, from);
}

static inline const struct world_word *world_find(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof world_words / sizeof *world_words; i++) {
        if (strlen(world_words[i].word) == length &&
            strncmp(world_words[i].word, word, length) == 0)
            return &world_words[i];
    }
    return NULL;
}

/* What a vantage saw in the ladder or the repeats of one round. */
static inline void world_saw(struct px_observation *o, const char *word, uint32_t tries, bool ladder)
{
    const char *at = strchr(word, '@');
    const struct world_word *w = world_find(word, at ? (size_t)(at - word) : strlen(word));
    struct px_addr from = at ? world_addr(at + 1) : o->address;
    cr_assert_not_null(w, "unknown word %s", word);
    bool deep = w->stage > PX_STAGE_TCP && w->stage <= PX_STAGE_HTTP;
    o->stage = deep && !ladder ? PX_STAGE_TCP : w->stage;
    o->code = deep && !ladder ? PX_CODE_OK : w->code;
    o->took_ms = strcmp(w->word, "wrapped") == 0 ? 5015 : w->ms + 5;
    if (o->stage == PX_STAGE_DNS) {
        o->address.family = 0;
        return;
    }
    o->addresses[0] = o->address;
    o->address_count = 1;
    if (w->stage == PX_STAGE_NONE)
        return;
    o->ms[PX_STAGE_TCP] = px_code_kind(o->code) == PX_KIND_OK || deep ? 5 : -1;
    o->attempt_count = tries;
    for (uint32_t i = 0; i < tries; i++)
        world_attempt(&o->attempts[i], w, from);
    o->icmp = o->attempts[0].icmp;
    if (o->code == PX_CODE_OK && o->stage == PX_STAGE_KEX && !o->hostkey[0])
        strcpy(o->hostkey, "SHA256:one");
    strcpy(o->hostkey_type, "ssh-ed25519");
    if (o->code == PX_CODE_NOT_SSH)
        strcpy(o->text, "HTTP/1.1 400 Bad Request");
    if (o->code == PX_CODE_REFUSAL_TEXT)
        strcpy(o->text, "Not allowed at this time");
}

static inline void world_trace(struct px_observation *o, const char *hops)
{
    char copy[512], *save = NULL;
    snprintf(copy, sizeof copy, "%s", hops);
    char *mark = strchr(copy, '!');
    o->trace.ran = true;
    o->trace.reached = mark != NULL;
    if (mark)
        *mark = '\0';
    for (char *hop = strtok_r(copy, ",", &save); hop; hop = strtok_r(NULL, ",", &save)) {
        struct px_hop *h = &o->trace.hops[o->trace.count++];
        *h = (struct px_hop){.ttl = o->trace.count, .from = world_addr(hop), .ms = 1};
    }
    if (mark)
        o->trace.hops[o->trace.count++] = (struct px_hop){.from = o->address, .ms = 1};
}

static inline void world_reference(struct px_observation *o, uint16_t port, bool works)
{
    struct px_reference *ref = &o->references[o->reference_count++];
    snprintf(ref->name, sizeof ref->name, "203.0.113.250:%u", port);
    ref->code = works ? PX_CODE_OK : PX_CODE_NO_ANSWER;
}

/* A side word; false if it is none. */
static inline bool world_side(struct px_observation *o, const char *word, uint16_t port)
{
    struct px_attempt *control = &o->controls[0];
    if (strncmp(word, "echo", 4) == 0) {
        o->echo = (struct px_echo){.ran = true, .sent = 4, .ms = 5, .code = PX_CODE_OK};
        o->echo.received = word[4] == '+' ? 4 : word[4] == '~' ? 2 : 0;
        o->echo.code = o->echo.received ? PX_CODE_OK : PX_CODE_NO_ANSWER;
    } else if (strncmp(word, "ctl", 3) == 0) {
        o->control_count = 1;
        *control = (struct px_attempt){.port = 443, .ms = 5, .rtt_ms = -1};
        control->code = word[3] == '+'   ? PX_CODE_REFUSED
                        : word[3] == '!' ? PX_CODE_REJECTED
                                         : PX_CODE_NO_ANSWER;
        if (word[3] == '!')
            control->icmp = world_icmp(3, 3, o->address);
    } else if (strcmp(word, "ref+") == 0) {
        world_reference(o, 443, true);
    } else if (strcmp(word, "ref-") == 0) {
        world_reference(o, 443, false);
    } else if (strcmp(word, "refport-") == 0) {
        world_reference(o, 443, true);
        world_reference(o, port, false);
    } else if (strcmp(word, "lag") == 0) {
        o->lag_ms = 4000;
    } else if (strncmp(word, "trace=", 6) == 0) {
        world_trace(o, word + 6);
    } else if (strncmp(word, "key=", 4) == 0) {
        snprintf(o->hostkey, sizeof o->hostkey, "SHA256:%s", word + 4);
    } else {
        return false;
    }
    return true;
}

/* Words of a line that are about the vantage itself. */
static inline bool world_vantage_word(struct px_vantage *v, const char *word)
{
    struct px_label *label = &v->labels[v->label_count];
    const char *eq = strchr(word, '=');
    if (strncmp(word, "nat=", 4) == 0) {
        v->seen_as = world_addr(word + 4);
    } else if (strcmp(word, "away") == 0) {
        v->presence = PX_AWAY;
        v->last_seen = WORLD_START - 240 * PX_SEC;
    } else if (strncmp(word, "tag:", 4) == 0) {
        snprintf(label->key, sizeof label->key, "%s", word + 4);
        v->label_count++;
    } else if (eq && strncmp(word, "trace=", 6) && strncmp(word, "key=", 4) &&
               strncmp(word, "to=", 3)) {
        snprintf(label->key, sizeof label->key, "%.*s", (int)(eq - word), word);
        snprintf(label->value, sizeof label->value, "%s", eq + 1);
        v->label_count++;
    } else {
        return false;
    }
    return true;
}

struct world_line {
    const char *first, *second, *to; /* outcome by round; where the name led */
    const char *sides[16];
    size_t side_count;
    bool once, flap;
};

static inline void world_round(struct px_report *r, uint32_t vantage, const struct world_line *l,
                        uint32_t round, struct px_addr source)
{
    struct px_observation o;
    px_observation_init(&o);
    o.vantage = vantage;
    o.round = round;
    o.job_id = round;
    o.started = WORLD_START + (round - 1) * WORLD_ROUND + vantage * PX_MS;
    o.source = source;
    o.address = l->to ? world_addr(l->to) : r->target.literal;
    if (o.address.family == 0)
        o.address = world_addr("203.0.113.10");
    o.depth = round == 1 ? PX_STAGE_KEX : PX_STAGE_TCP;
    for (size_t i = 0; i < l->side_count; i++)
        cr_assert(world_side(&o, l->sides[i], r->target.port), "unknown word %s", l->sides[i]);
    world_saw(&o, round == 1 ? l->first : l->second, round == 1 ? 1 : 2, round == 1);
    if (l->flap && round == 1) {
        world_attempt(&o.attempts[0], world_find("silent", 6), o.address);
        o.stage = PX_STAGE_TCP;
        o.code = PX_CODE_NO_ANSWER;
    }
    px_report_add_observation(r, &o);
}

/* Add one vantage as described. */
static inline void world_add(struct px_report *r, const char *line)
{
    char copy[1024], *save = NULL, *word;
    struct world_line l = {.first = "none"};
    snprintf(copy, sizeof copy, "%s", line);
    struct px_vantage *v = px_report_add_vantage(r, strtok_r(copy, " ", &save));
    uint32_t index = (uint32_t)(r->vantage_count - 1);
    struct px_addr source = world_addr(strtok_r(NULL, " ", &save));
    v->seen_as = source;
    while ((word = strtok_r(NULL, " ", &save))) {
        const char *at = strchr(word, '@');
        if (strcmp(word, "once") == 0)
            l.once = true;
        else if (strcmp(word, "flap") == 0)
            l.flap = true;
        else if (strncmp(word, "to=", 3) == 0)
            l.to = word + 3;
        else if (strcmp(word, "then") == 0)
            l.second = strtok_r(NULL, " ", &save);
        else if (world_find(word, at ? (size_t)(at - word) : strlen(word)))
            l.first = word;
        else if (!world_vantage_word(v, word) && strcmp(word, "none") != 0)
            l.sides[l.side_count++] = word;
    }
    l.second = l.second ? l.second : l.first;
    if (strcmp(l.first, "none") == 0)
        return;
    world_round(r, index, &l, 1, source);
    if (!l.once)
        world_round(r, index, &l, 2, source);
}

/* The whole report; lines end with NULL. */
static inline void world_make(struct px_report *r, const char *target, const char *const *lines)
{
    world_init(r, target);
    for (size_t i = 0; lines[i]; i++)
        world_add(r, lines[i]);
}

/* Names of a list, joined by commas. out: size bytes. */
static inline const char *world_join(const struct px_strs *list, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < list->n; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? "," : "", list->v[i]);
    return out;
}

/* The first finding of that cause, or NULL. */
static inline const struct px_finding *world_finding(const struct px_report *r, enum px_cause c)
{
    for (size_t i = 0; i < r->verdict.finding_count; i++) {
        if (r->verdict.findings[i].cause == c)
            return &r->verdict.findings[i];
    }
    return NULL;
}

/* Everything of a verdict in lines, for messages and for comparing two. Heap. */
static inline char *world_text(const struct px_report *r)
{
    char *text = NULL, names[4096];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    fprintf(f, "%s: %s\n", px_status_name(r->verdict.status), r->verdict.summary);
    for (size_t i = 0; i < r->verdict.finding_count; i++) {
        const struct px_finding *d = &r->verdict.findings[i];
        fprintf(f, "  %s %s %s/%s p=%.3f/%.3f layer=%s group=%s", px_scope_name(d->scope),
                px_cause_name(d->cause), px_certainty_name(d->certainty),
                px_certainty_name(d->scope_certainty), d->probability, d->scope_probability,
                px_stage_name(d->layer), d->group_attribute);
        fprintf(f, "(%s)", world_join(&d->group_values, names, sizeof names));
        fprintf(f, " affected=%s", world_join(&d->affected, names, sizeof names));
        fprintf(f, " unaffected=%s\n", world_join(&d->unaffected, names, sizeof names));
        fprintf(f, "    %s%s%s\n", d->summary, d->where ? "   where: " : "",
                d->where ? d->where : "");
        for (size_t k = 0; k < d->evidence_count; k++)
            fprintf(f, "    + [%s] %s\n", d->evidence[k].id, d->evidence[k].text);
        for (size_t k = 0; k < d->ruled_out_count; k++)
            fprintf(f, "    - %s: %s\n", px_cause_name(d->ruled_out[k].cause),
                    d->ruled_out[k].because);
        for (size_t k = 0; k < d->ambiguous_count; k++)
            fprintf(f, "    = %s\n", px_cause_name(d->ambiguous_with[k]));
        for (size_t k = 0; k < d->alternative_count; k++)
            fprintf(f, "    ? %s %.3f\n", px_cause_name(d->alternatives[k].cause),
                    d->alternatives[k].probability);
        for (size_t k = 0; k < d->step_count; k++)
            fprintf(f, "    > %s: %s   (%s)\n", d->steps[k].where, d->steps[k].run,
                    d->steps[k].why);
        if (d->deciding.kind)
            fprintf(f, "    ! %s: %s\n", d->deciding.kind, d->deciding.needs);
    }
    fprintf(f, "  abstained=%s\n", world_join(&r->abstained, names, sizeof names));
    fclose(f);
    return text;
}

#endif
