/* SPDX-License-Identifier: MIT */
/* Why: evidence for a finding and causes it rules out, each with the sight that says so. */
#include "coordinator/diagnose/advice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define RULED_OUT_MAX 0.01 /* more probable causes are not ruled out */
#define SAME_SECOND PX_SEC

/* ---- lists of vantages ---- */

struct some {
    const struct evidence **v;
    size_t n;
};

static struct some some_new(const struct wording *w)
{
    return (struct some){.v = px_xcalloc(w->fit + 1, sizeof(const struct evidence *))};
}

/* Unaffected vantages that get through. */
static struct some served_of(const struct wording *w)
{
    struct some s = some_new(w);
    for (size_t i = 0; i < w->fit; i++) {
        const struct evidence *e = w->j->partition.unit[i];
        if (!w->d->in[i] && !e->failing)
            s.v[s.n++] = e;
    }
    return s;
}

/* Affected vantages that saw one of these outcomes beside the ladder. */
static struct some seeing(const struct wording *w, uint64_t bits)
{
    struct some s = some_new(w);
    for (size_t i = 0; i < w->hits; i++) {
        if (w->hit[i]->seen & bits)
            s.v[s.n++] = w->hit[i];
    }
    return s;
}

/* Takes over text. */
static void evidence_add(struct px_finding *f, const char *id, const struct some *who, char *text)
{
    struct px_evidence *e = px_finding_add_evidence(f, id);
    wording_list(&e->vantages, who->v, who->n);
    e->text = text;
}

/* ---- those who get through ---- */

static const char *completed_words(enum px_stage stage)
{
    switch ((int)stage) {
    case PX_STAGE_BANNER:
        return "got the greeting";
    case PX_STAGE_KEX:
    case PX_STAGE_HOSTKEY:
        return "completed key exchange";
    case PX_STAGE_AUTH:
    case PX_STAGE_SESSION:
        return "logged in";
    case PX_STAGE_TLS:
        return "completed the TLS handshake";
    case PX_STAGE_HTTP:
        return "got the HTTP response";
    default:
        return "connected";
    }
}

/* The deepest stage that all of them completed. */
static enum px_stage common_stage(const struct some *s)
{
    enum px_stage stage = s->n ? s->v[0]->stage : PX_STAGE_TCP;
    for (size_t i = 0; i < s->n; i++)
        stage = s->v[i]->stage < stage ? s->v[i]->stage : stage;
    return stage;
}

static bool within_a_second(const struct wording *w, const struct some *s)
{
    px_wall low = w->first->first, high = low;
    for (size_t i = 0; i < s->n; i++) {
        low = s->v[i]->first < low ? s->v[i]->first : low;
        high = s->v[i]->first > high ? s->v[i]->first : high;
    }
    return low > 0 && high - low <= SAME_SECOND;
}

static bool same_key(const struct some *s)
{
    size_t keys = 0;
    for (size_t i = 0; i < s->n; i++) {
        keys += s->v[i]->hostkey[0] != '\0';
        if (strcmp(s->v[i]->hostkey, s->v[0]->hostkey) != 0)
            return false;
    }
    return keys > 1;
}

static void why_others_ok(const struct wording *w, struct px_finding *f)
{
    struct some s = served_of(w);
    if (s.n > 0)
        evidence_add(f, "others-ok", &s,
                     px_xasprintf("%zu of %zu vantages %s%s%s", s.n, w->fit,
                                  completed_words(common_stage(&s)),
                                  within_a_second(w, &s) ? " within the same second" : "",
                                  same_key(&s) ? "; same host key everywhere" : ""));
    free(s.v);
}

/* A vantage next door that gets in: the strongest witness against everything but the address. */
static const struct evidence *neighbour_of(const struct wording *w, const struct evidence *e)
{
    struct px_prefix around = px_prefix_of(&e->source, e->source.family == 6 ? 64 : 24);
    for (size_t i = 0; i < w->fit; i++) {
        const struct evidence *other = w->j->partition.unit[i];
        if (!w->d->in[i] && !other->failing && e->source.family &&
            !px_addr_equal(&other->source, &e->source) &&
            px_prefix_contains(&around, &other->source))
            return other;
    }
    return NULL;
}

static void why_neighbour(const struct wording *w, struct px_finding *f)
{
    char text[PX_ADDR_TEXT + 4];
    const struct evidence *neighbour = neighbour_of(w, w->first);
    if (!neighbour)
        return;
    struct px_prefix around =
        px_prefix_of(&w->first->source, w->first->source.family == 6 ? 64 : 24);
    struct some s = {.v = &neighbour, .n = 1};
    evidence_add(f, "neighbour-ok", &s,
                 px_xasprintf("%s is in the same network %s with another address and gets in",
                              neighbour->vantage->name, px_prefix_format(&around, text)));
}

/* ---- what the affected see ---- */

struct sentence {
    enum px_code code;
    uint64_t bits; /* tcp outcomes to which it applies; 0 = any */
    const char *id, *one, *many;
};

static const struct sentence sentences[] = {
    {PX_CODE_REJECTED, OUTCOME_BIT(TCP_REJECT_TARGET), "icmp-from-target",
     "the refusal is ICMP {router_says} from the target itself, {same} of {tries}: a packet filter "
     "speaks, not a closed port",
     "{hits} vantages get ICMP {router_says} from the target itself: a packet filter speaks, not "
     "a closed port"},
    {PX_CODE_REJECTED, OUTCOME_BIT(TCP_REJECT_ROUTER), "icmp-from-router",
     "{router} answers with ICMP {router_says}, {same} of {tries}",
     "{hits} vantages get ICMP {router_says} from {router}"},
    {PX_CODE_REJECTED, 0, "icmp-reject", "an ICMP reject answers, {same} of {tries}",
     "{hits} vantages get an ICMP reject"},
    {PX_CODE_UNREACHABLE, OUTCOME_BIT(TCP_HOST_LATE), "host-unreachable",
     "{router} says {router_says} after it looked for the host in vain",
     "{hits} vantages are told {router_says} by {router}, after it looked for the host in vain"},
    {PX_CODE_UNREACHABLE, 0, "unreachable", "{router} says {router_says}, {same} of {tries}",
     "{hits} vantages are told {router_says} by {router}"},
    {PX_CODE_LOOPED, 0, "looped", "packets run out of hops: {router} reports it",
     "packets of {hits} vantages run out of hops: {router} reports it"},
    {PX_CODE_REFUSED, 0, "same-reset", "a TCP reset answers, {same} of {tries}",
     "{hits} vantages get the same TCP reset"},
    {PX_CODE_NO_ANSWER, 0, "silence", "no answer to {tries} connects",
     "{hits} vantages get no answer"},
    {PX_CODE_NOT_SSH, 0, "foreign-text", "the port says \"{text}\"",
     "{hits} vantages get \"{text}\""},
    {PX_CODE_REFUSAL_TEXT, 0, "refusal-text", "the service says \"{text}\"",
     "{hits} vantages are told \"{text}\""},
    {PX_CODE_UNKNOWN, 0, "same-failure", "{names}: {what}", "{hits} vantages: {what}"},
};

/* "4 of 4" and the like in the place of {hits}. Heap. */
static char *with_hits(const struct wording *w, const char *pattern)
{
    char count[48];
    const char *at = strstr(pattern, "{hits}");
    if (!at)
        return wording_fill(w, pattern);
    snprintf(count, sizeof count, "%zu of %zu", w->hits, w->fit);
    char *whole = px_xasprintf("%.*s%s%s", (int)(at - pattern), pattern, count, at + 6);
    char *text = wording_fill(w, whole);
    free(whole);
    return text;
}

static void why_refusal(const struct wording *w, struct px_finding *f)
{
    size_t i = 0, last = sizeof sentences / sizeof *sentences - 1;
    uint64_t bits = w->first->ladder[LAYER_TCP].fail_bits;
    if (!w->first->failing)
        return;
    while (i < last && !(sentences[i].code == w->first->code &&
                         (sentences[i].bits == 0 || sentences[i].bits == bits)))
        i++;
    struct some s = {.v = w->hit, .n = w->hits};
    evidence_add(f, sentences[i].id, &s,
                 with_hits(w, w->hits == 1 ? sentences[i].one : sentences[i].many));
}

/* ---- signs of life ---- */

static const struct evidence *first_seeing(const struct wording *w, uint64_t bits)
{
    for (size_t i = 0; i < w->hits; i++) {
        if (w->hit[i]->seen & bits)
            return w->hit[i];
    }
    return NULL;
}

static void why_alive(const struct wording *w, struct px_finding *f)
{
    const uint64_t control = OUTCOME_BIT(CONTROL_ANSWERS);
    const uint64_t echo = OUTCOME_BIT(ECHO_OK) | OUTCOME_BIT(ECHO_LOSSY);
    struct some c = seeing(w, control), e = seeing(w, echo), both = seeing(w, control | echo);
    const struct evidence *one = first_seeing(w, control);
    const char *who = w->affected == w->fit ? "the host is alive" : "other ways in are open";
    char *text = NULL;
    if (c.n && e.n)
        text = px_xasprintf("%s: tcp/%u answers (%zu of %zu) and ICMP echo is answered (%zu of "
                            "%zu)",
                            who, one->control_port, c.n, w->hits, e.n, w->hits);
    else if (c.n)
        text = px_xasprintf("%s: tcp/%u answers, %zu of %zu", who, one->control_port, c.n, w->hits);
    else if (e.n)
        text = px_xasprintf("%s: ICMP echo is answered, %zu of %zu", who, e.n, w->hits);
    if (text)
        evidence_add(f, "host-alive", &both, text);
    free(c.v);
    free(e.v);
    free(both.v);
}

static bool others_have_life(const struct wording *w)
{
    const uint64_t life = OUTCOME_BIT(ECHO_OK) | OUTCOME_BIT(CONTROL_ANSWERS);
    for (size_t i = 0; i < w->fit; i++) {
        if (!w->d->in[i] && (w->j->partition.unit[i]->seen & life))
            return true;
    }
    return false;
}

static void why_nothing_passes(const struct wording *w, struct px_finding *f)
{
    const uint64_t dead_ports = OUTCOME_BIT(CONTROL_SILENT) | OUTCOME_BIT(CONTROL_TOLD);
    const uint64_t dead_echo = OUTCOME_BIT(ECHO_SILENT) | OUTCOME_BIT(ECHO_TOLD);
    struct some ports = seeing(w, dead_ports), echo = seeing(w, dead_echo);
    const struct evidence *one = first_seeing(w, dead_ports);
    if (ports.n == w->hits && echo.n == w->hits && one) {
        char *names = wording_names(w->hit, w->hits);
        evidence_add(f, "nothing-passes", &ports,
                     px_xasprintf("%s lose%s port %u, port %u and ICMP alike%s", names,
                                  w->hits == 1 ? "s" : "", w->j->report->target.port,
                                  one->control_port,
                                  others_have_life(w) ? "; the others do not" : ""));
        free(names);
    }
    free(ports.v);
    free(echo.v);
}

/* ---- paths ---- */

/* All affected traces that ended at the same kind of place. */
static void why_trace(const struct wording *w, struct px_finding *f)
{
    char name[PX_ADDR_TEXT];
    struct some edge = seeing(w, OUTCOME_BIT(TRACE_EDGE)), mid = seeing(w, OUTCOME_BIT(TRACE_MID));
    const struct paths *paths = &w->j->paths;
    struct some *most = edge.n >= mid.n ? &edge : &mid;
    const struct hop *last = most->n ? paths_common(paths, most->v, most->n) : NULL;
    if (last && most == &edge && (last->edge || last->shared_end))
        evidence_add(f, "trace-edge", most,
                     px_xasprintf("traces from %zu vantage%s end at %s, the last router before the "
                                  "target",
                                  most->n, most->n == 1 ? "" : "s",
                                  px_addr_format(&last->addr, name)));
    else if (last && most == &mid && paths->any_reached && !last->exonerated)
        evidence_add(f, "trace-mid", most,
                     px_xasprintf("%s answering hop is %s; working paths do not use it",
                                  most->n == 1 ? "the last" : "their last common",
                                  px_addr_format(&last->addr, name)));
    free(edge.v);
    free(mid.v);
}

static void why_onset(const struct wording *w, struct px_finding *f)
{
    struct some s = some_new(w);
    for (size_t i = 0; i < w->hits; i++) {
        if (w->hit[i]->since)
            s.v[s.n++] = w->hit[i];
    }
    if (s.n > 0) {
        char *names = wording_names(s.v, s.n);
        evidence_add(f, "onset", &s,
                     px_xasprintf("it began during this run: %s had got in before", names));
        free(names);
    }
    free(s.v);
}

static void why_keys(const struct wording *w, struct px_finding *f)
{
    struct some other = seeing(w, OUTCOME_BIT(KEY_OTHER));
    if (other.n > 0 && (w->cause == PX_CAUSE_BACKEND_PARTIAL || w->cause == PX_CAUSE_INTERCEPTION))
        evidence_add(f, "other-key", &other,
                     px_xasprintf("%s %s, %zu of %zu vantages; the others see another key",
                                  other.v[0]->hostkey_type, other.v[0]->hostkey, other.n, w->fit));
    free(other.v);
}

/* ---- what is ruled out ---- */

static bool any_seen(const struct wording *w, uint64_t bits)
{
    return first_seeing(w, bits) != NULL;
}

static bool one_address(const struct wording *w)
{
    return w->j->report->target.literal.family == 0 && w->fit > 1 &&
           strcmp(w->target, w->j->report->target.host) != 0;
}

/* The sight that speaks against a cause; heap, NULL = none. */
static char *because_served(const struct wording *w)
{
    char number[24];
    if (w->served == 0)
        return NULL;
    return px_xasprintf("%s vantage%s served", wording_number(w->served, number),
                        w->served == 1 ? " is" : "s are");
}

static char *because_alive(const struct wording *w)
{
    if (w->served > 0)
        return because_served(w);
    if (any_seen(w, OUTCOME_BIT(CONTROL_ANSWERS) | OUTCOME_BIT(ECHO_OK)))
        return px_xstrdup("the host answers on other ports or to ICMP echo");
    if (w->first->code == PX_CODE_REFUSED || w->first->stage > PX_STAGE_TCP)
        return px_xstrdup("the host itself answers");
    return NULL;
}

static char *because_not_closed(const struct wording *w)
{
    if (w->served > 0)
        return because_served(w);
    if (w->first->code == PX_CODE_REJECTED)
        return px_xstrdup("a closed port would have sent a TCP reset");
    return w->first->code == PX_CODE_NO_ANSWER ? px_xstrdup("a closed port would not be silent")
                                               : NULL;
}

static char *because_reaches(const struct wording *w)
{
    const struct evidence *neighbour = neighbour_of(w, w->first);
    if (any_seen(w, OUTCOME_BIT(CONTROL_ANSWERS) | OUTCOME_BIT(ECHO_OK)))
        return px_xstrdup("the same vantages reach the host by other ports or ICMP echo");
    if (w->first->code == PX_CODE_REJECTED && w->first->icmp.from.family &&
        px_addr_equal(&w->first->icmp.from, &w->first->target))
        return px_xstrdup("the answer comes from the target itself");
    if (neighbour && w->first->stage <= PX_STAGE_TCP)
        return px_xasprintf("%s gets in from the same network", neighbour->vantage->name);
    return NULL;
}

static char *because_everywhere(const struct wording *w)
{
    if (w->affected < w->fit || w->networks < 2)
        return NULL;
    return px_xstrdup("sources in different networks see the same");
}

static char *because_one_name(const struct wording *w)
{
    return one_address(w) ? px_xstrdup("one address for all") : NULL;
}

static char *because_told(const struct wording *w)
{
    bool told = w->first->code == PX_CODE_UNREACHABLE;
    return told ? px_xstrdup("a filter would not make a router say that nobody is there") : NULL;
}

static char *because_references(const struct wording *w)
{
    for (size_t i = 0; i < w->hits; i++) {
        uint64_t r = w->hit[i]->seen & layer_outcomes(LAYER_REFERENCE);
        if (r == 0 || !(r & OUTCOME_BIT(REFERENCE_FINE)))
            return NULL;
    }
    return px_xstrdup(w->hits == 1 ? "it reaches its own references"
                                   : "they reach their own references");
}

static char *because_connects(const struct wording *w)
{
    if (w->first->stage <= PX_STAGE_TCP || w->first->stage > PX_STAGE_HTTP)
        return NULL;
    return px_xstrdup("TCP connects");
}

static const struct {
    enum px_cause cause;
    char *(*because)(const struct wording *);
} against[] = {
    {PX_CAUSE_HOST_DOWN, because_alive},          {PX_CAUSE_SERVICE_DOWN, because_not_closed},
    {PX_CAUSE_PORT_FILTERED, because_served},     {PX_CAUSE_PORT_FILTERED, because_told},
    {PX_CAUSE_PORT_FILTERED, because_connects},   {PX_CAUSE_PORT_REJECTED, because_served},
    {PX_CAUSE_SERVICE_HUNG, because_served},      {PX_CAUSE_TRANSIT_DROP, because_reaches},
    {PX_CAUSE_NO_ROUTE, because_reaches},         {PX_CAUSE_TRANSIT_DROP, because_connects},
    {PX_CAUSE_SOURCE_BANNED, because_everywhere}, {PX_CAUSE_SOURCE_FILTERED, because_everywhere},
    {PX_CAUSE_NAME_DIFFERS, because_one_name},    {PX_CAUSE_VANTAGE_NO_ROUTE, because_references},
};

static void why_not(const struct wording *w, struct px_finding *f)
{
    for (size_t i = 0; i < sizeof against / sizeof *against; i++) {
        enum px_cause cause = against[i].cause;
        bool listed = cause == w->cause || w->d->by_cause[cause] >= RULED_OUT_MAX;
        for (size_t k = 0; k < w->d->ambiguous_count; k++)
            listed = listed || w->d->ambiguous[k] == cause;
        for (size_t k = 0; k < f->ruled_out_count; k++)
            listed = listed || f->ruled_out[k].cause == cause;
        char *because = listed ? NULL : against[i].because(w);
        if (because)
            px_finding_add_ruled_out(f, cause, because);
        free(because);
    }
}

void reasons_write(const struct wording *w, struct px_finding *f)
{
    if (!w->first)
        return;
    why_others_ok(w, f);
    why_neighbour(w, f);
    why_refusal(w, f);
    why_alive(w, f);
    why_nothing_passes(w, f);
    why_trace(w, f);
    why_keys(w, f);
    why_onset(w, f);
    why_not(w, f);
}
