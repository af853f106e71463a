/* SPDX-License-Identifier: MIT */
/*
 * A judgement in words: summary sentence, affected lists, alternatives. Sentences are tables; which
 * one applies follows from the finding alone.
 */
#include "coordinator/diagnose/advice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define ALTERNATIVES_MAX 8
#define ALTERNATIVE_MIN 0.005
#define CUMULATIVE 0.9

/* ---- summary ---- */

/* A sentence for a cause; the first row whose conditions hold is taken. */
enum when {
    WHEN_ANY,
    WHEN_CODE,     /* the affected see `code` */
    WHEN_TOLD,     /* a router said something */
    WHEN_ALLOW,    /* an allow-list: group = those who may */
    WHEN_REACHES,  /* the affected reach the host by other ports or echo */
    WHEN_NOTHING,  /* nothing of theirs gets through */
    WHEN_EVERYONE, /* every fit vantage is affected */
    WHEN_OTHERS_OK /* every unaffected vantage gets through */
};

static const struct summary {
    enum px_cause cause;
    enum when when;
    enum px_code code;
    const char *text;
} summaries[] = {
    {PX_CAUSE_HOST_DOWN, WHEN_TOLD, 0, "nobody answers at {target}: {router} says {router_says}"},
    {PX_CAUSE_HOST_DOWN, WHEN_ANY, 0, "nothing at {target} answers, neither ports nor ICMP echo"},
    {PX_CAUSE_SERVICE_DOWN, WHEN_ANY, 0,
     "{target} is up, but nothing accepts connections on port {port}"},
    {PX_CAUSE_PORT_FILTERED, WHEN_REACHES, 0,
     "{target} is up, but port {port} is silently dropped for every source"},
    {PX_CAUSE_PORT_FILTERED, WHEN_ANY, 0,
     "port {port} of {target} is silently dropped for every source"},
    {PX_CAUSE_PORT_REJECTED, WHEN_ANY, 0,
     "a packet filter at {target} rejects port {port} for every source"},
    {PX_CAUSE_SERVICE_HUNG, WHEN_ANY, 0,
     "port {port} of {target} accepts connections, but the service says nothing"},
    {PX_CAUSE_SERVICE_CLOSING, WHEN_ANY, 0,
     "{target} accepts connections on port {port} and closes them before the greeting"},
    {PX_CAUSE_CONNECTION_THROTTLED, WHEN_ANY, 0,
     "{failed} of {attempts} connections were closed before the greeting, whatever the source"},
    {PX_CAUSE_WRONG_SERVICE, WHEN_ANY, 0,
     "something else than {scheme} speaks on port {port} of {target}"},
    {PX_CAUSE_NO_COMMON_ALGORITHMS, WHEN_ANY, 0,
     "{target} offers no algorithm that the probe knows: negotiation is impossible"},
    {PX_CAUSE_AUTH_REJECTED, WHEN_ANY, 0, "{target} refuses the credentials from everywhere"},
    {PX_CAUSE_SESSION_FAILED, WHEN_ANY, 0, "{target} accepts the login and then ends the session"},
    {PX_CAUSE_HOST_KEY_CHANGED, WHEN_ANY, 0,
     "{target} shows another host key than the pinned one, everywhere"},
    {PX_CAUSE_BACKEND_PARTIAL, WHEN_ANY, 0, "two different servers answer for this address"},
    {PX_CAUSE_BAD_CERTIFICATE, WHEN_ANY, 0, "{target}: {what}"},
    {PX_CAUSE_BAD_RESPONSE, WHEN_ANY, 0, "{target}: {what}"},
    {PX_CAUSE_NAME_UNRESOLVABLE, WHEN_CODE, PX_CODE_DNS_NXDOMAIN, "the name does not exist"},
    {PX_CAUSE_NAME_UNRESOLVABLE, WHEN_CODE, PX_CODE_DNS_EMPTY, "the name has no address"},
    {PX_CAUSE_NAME_UNRESOLVABLE, WHEN_ANY, 0, "the name cannot be resolved: {what}"},
    {PX_CAUSE_NAME_DIFFERS, WHEN_CODE, PX_CODE_DNS_NXDOMAIN,
     "resolves at {served_names} ({served_target}), does not exist at {names}"},
    {PX_CAUSE_NAME_DIFFERS, WHEN_CODE, PX_CODE_DNS_EMPTY,
     "resolves at {served_names} ({served_target}), has no address at {names}"},
    {PX_CAUSE_NAME_DIFFERS, WHEN_ANY, 0,
     "vantages get different addresses, and {names} fail{s} with theirs"},
    {PX_CAUSE_TRANSIT_DROP, WHEN_EVERYONE, 0, "traffic from every vantage ends {end}"},
    {PX_CAUSE_TRANSIT_DROP, WHEN_ANY, 0, "traffic from {group} ends {end}"},
    {PX_CAUSE_NO_ROUTE, WHEN_CODE, PX_CODE_LOOPED,
     "packets from {group} circle and never arrive ({router})"},
    {PX_CAUSE_NO_ROUTE, WHEN_TOLD, 0, "{router} has no way to {target} for {group}: {router_says}"},
    {PX_CAUSE_NO_ROUTE, WHEN_ANY, 0, "there is no route to {target} for {group}"},
    {PX_CAUSE_PATH_FILTERED, WHEN_TOLD, 0, "{router} on the way turns away {group}: {router_says}"},
    {PX_CAUSE_PATH_FILTERED, WHEN_ANY, 0, "a filter on the way turns away {group}"},
    {PX_CAUSE_PATH_RESET, WHEN_ANY, 0, "something on the way resets connections of {group}"},
    {PX_CAUSE_PATH_MTU, WHEN_ANY, 0, "large packets between {group} and {target} vanish"},
    {PX_CAUSE_PACKET_LOSS, WHEN_ANY, 0,
     "{failed} of {attempts} connections of {group} got no answer: packets are lost"},
    {PX_CAUSE_INTERCEPTION, WHEN_ANY, 0, "{group} get another host key than the others"},
    {PX_CAUSE_FAMILY_BROKEN, WHEN_ANY, 0, "{group} does not work, the other family does"},
    {PX_CAUSE_SOURCE_FILTERED, WHEN_ALLOW, 0,
     "port {port} of {target} is open to {group} only; {affected} of {fit} vantages are shut out"},
    {PX_CAUSE_SOURCE_FILTERED, WHEN_REACHES, 0,
     "port {port} is filtered for {group} ({share}), other ports pass"},
    {PX_CAUSE_SOURCE_FILTERED, WHEN_NOTHING, 0, "{target} drops everything from {group} ({share})"},
    {PX_CAUSE_SOURCE_FILTERED, WHEN_ANY, 0, "port {port} is filtered for {group} ({share})"},
    {PX_CAUSE_SOURCE_BANNED, WHEN_EVERYONE, 0, "{target} turns away every vantage"},
    {PX_CAUSE_SOURCE_BANNED, WHEN_OTHERS_OK, 0, "{target} turns away {group} and nobody else"},
    {PX_CAUSE_SOURCE_BANNED, WHEN_ANY, 0, "{target} turns away {group}"},
    {PX_CAUSE_SOURCE_REFUSED, WHEN_ANY, 0, "the service on {target} refuses {group}"},
    {PX_CAUSE_SOURCE_AUTH_POLICY, WHEN_ANY, 0, "{target} does not let {group} log in"},
    {PX_CAUSE_UNEXPLAINED, WHEN_ANY, 0, "{names}: {what}; that fits no known cause"},
};

/* What a single vantage can say: by what it saw. */
static const struct {
    enum px_code code;
    uint64_t bits; /* of the connect; 0 = any */
    const char *text;
} alone[] = {
    {PX_CODE_REJECTED, OUTCOME_BIT(TCP_REJECT_TARGET),
     "a packet filter at {target} refuses {you}; whether only {you}, {one} cannot tell"},
    {PX_CODE_REJECTED, 0,
     "a packet filter on the way ({router}) refuses {you}; whether only {you}, {one} cannot tell"},
    {PX_CODE_REFUSED, 0,
     "{target} refuses {you} on port {port} with a TCP reset; whether only {you}, {one} "
     "cannot tell"},
    {PX_CODE_NO_ANSWER, 0,
     "{target} does not answer {you} on port {port}; whether it is down, filtered or cut off, "
     "{one} "
     "cannot tell"},
    {PX_CODE_UNREACHABLE, 0,
     "{router} says {router_says}; whether for everybody, {one} cannot tell"},
    {PX_CODE_LOOPED, 0,
     "packets to {target} circle at {router}; whether for everybody, {one} cannot tell"},
    {PX_CODE_UNKNOWN, 0, "{what}; whether only for {you}, {one} cannot tell"},
};

static bool all_hits_see(const struct wording *w, uint64_t bits)
{
    for (size_t i = 0; i < w->hits; i++) {
        if (!(w->hit[i]->seen & bits))
            return false;
    }
    return w->hits > 0;
}

static bool any_hit_sees(const struct wording *w, uint64_t bits)
{
    for (size_t i = 0; i < w->hits; i++) {
        if (w->hit[i]->seen & bits)
            return true;
    }
    return false;
}

static bool holds(const struct wording *w, enum when when, enum px_code code)
{
    const uint64_t life = OUTCOME_BIT(CONTROL_ANSWERS) | OUTCOME_BIT(ECHO_OK);
    const uint64_t dead = OUTCOME_BIT(CONTROL_SILENT) | OUTCOME_BIT(CONTROL_TOLD);
    const uint64_t no_echo = OUTCOME_BIT(ECHO_SILENT) | OUTCOME_BIT(ECHO_TOLD);
    switch (when) {
    case WHEN_ANY:
        return true;
    case WHEN_CODE:
        return w->first->code == code;
    case WHEN_TOLD:
        return w->first->icmp.from.family != 0;
    case WHEN_ALLOW:
        return w->group.allow_list;
    case WHEN_REACHES:
        return any_hit_sees(w, life);
    case WHEN_NOTHING:
        return all_hits_see(w, dead) && all_hits_see(w, no_echo);
    case WHEN_EVERYONE:
        return w->affected == w->fit && w->fit > 1;
    case WHEN_OTHERS_OK:
        return w->served + w->affected == w->fit && w->served > 0;
    }
    return false;
}

static char *summary_write(const struct wording *w)
{
    size_t count = sizeof summaries / sizeof *summaries;
    const size_t last = sizeof alone / sizeof *alone - 1;
    if (w->alone && !cause_holds_for_all(w->cause)) {
        size_t i = 0;
        while (i < last &&
               !(alone[i].code == w->first->code &&
                 (!alone[i].bits || alone[i].bits == w->first->ladder[LAYER_TCP].fail_bits)))
            i++;
        return wording_fill(w, alone[i].text);
    }
    for (size_t i = 0; i < count; i++) {
        if (summaries[i].cause == w->cause && holds(w, summaries[i].when, summaries[i].code))
            return wording_fill(w, summaries[i].text);
    }
    return px_xstrdup(px_cause_meaning(w->cause));
}

/* ---- a finding ---- */

/* Other causes by probability: all worth a word, in any case up to nine tenths together. */
static void alternatives_write(const struct wording *w, struct px_finding *f)
{
    bool listed[PX_CAUSE_COUNT] = {false};
    double sum = w->d->by_cause[w->cause];
    listed[w->cause] = listed[PX_CAUSE_NONE] = true;
    while (f->alternative_count < ALTERNATIVES_MAX) {
        unsigned best = PX_CAUSE_NONE;
        for (unsigned c = 0; c < PX_CAUSE_COUNT; c++) {
            if (!listed[c] && (best == PX_CAUSE_NONE || w->d->by_cause[c] > w->d->by_cause[best]))
                best = c;
        }
        double p = best == PX_CAUSE_NONE ? 0 : w->d->by_cause[best];
        if (p <= 0 || (p < ALTERNATIVE_MIN && sum >= CUMULATIVE))
            return;
        listed[best] = true;
        sum += p;
        px_finding_add_alternative(f, (enum px_cause)best, p);
    }
}

static px_wall earliest_onset(const struct wording *w)
{
    px_wall since = 0;
    for (size_t i = 0; i < w->hits; i++) {
        px_wall own = w->hit[i]->since;
        if (own && (since == 0 || own < since))
            since = own;
    }
    return since;
}

static char *where_of(const struct wording *w)
{
    if (px_cause_scope(w->cause) != PX_SCOPE_PATH || !w->first)
        return NULL;
    if (w->first->failing && w->first->icmp.from.family)
        return wording_fill(w, "{router}");
    return paths_interval(&w->j->paths, w->hit, w->hits);
}

static void finding_write(struct judgement *j, const struct draft *d)
{
    struct wording w;
    struct px_finding *f = px_verdict_add_finding(&j->report->verdict);
    wording_init(&w, j, d);
    f->scope = px_cause_scope(w.cause);
    f->cause = w.cause;
    f->layer = hypotheses[d->row].stage == PX_STAGE_NONE && w.first ? w.first->stage
                                                                    : hypotheses[d->row].stage;
    f->certainty = d->certainty;
    f->scope_certainty = d->scope_certainty;
    f->probability = d->cause_p;
    f->scope_probability = d->scope_p;
    f->ambiguous_count = d->ambiguous_count;
    memcpy(f->ambiguous_with, d->ambiguous, sizeof d->ambiguous);
    for (size_t i = 0; i < w.fit; i++) {
        const struct evidence *e = j->partition.unit[i];
        if (d->in[i])
            px_strs_add(&f->affected, e->vantage->name);
        else if (!e->failing)
            px_strs_add(&f->unaffected, e->vantage->name);
    }
    f->group_attribute = px_xstrdup(w.group.attribute ? w.group.attribute : "list");
    for (size_t i = 0; i < w.group.values.n; i++)
        px_strs_add(&f->group_values, w.group.values.v[i]);
    f->where = where_of(&w);
    f->since = earliest_onset(&w);
    f->summary = summary_write(&w);
    reasons_write(&w, f);
    alternatives_write(&w, f);
    steps_write(&w, f);
    deciding_write(&w, f);
    wording_clear(&w);
}

_Static_assert(sizeof(((struct draft *)0)->ambiguous) ==
                   sizeof(((struct px_finding *)0)->ambiguous_with),
               "copied as a whole");

/* ---- findings about vantages ---- */

static const struct {
    enum px_cause cause;
    const char *id, *one, *many; /* {names} */
} own_troubles[] = {
    {PX_CAUSE_VANTAGE_OFFLINE, "away", "{names} does not report", "{names} do not report"},
    {PX_CAUSE_VANTAGE_NO_ROUTE, "no-own-route", "{names} has no way out: {what}",
     "{names} have no way out: {what}"},
    {PX_CAUSE_VANTAGE_EGRESS_FILTERED, "own-filter",
     "the own network of {names} blocks tcp/{port} outwards",
     "the own networks of {names} block tcp/{port} outwards"},
    {PX_CAUSE_VANTAGE_DNS, "own-resolver", "the resolver of {names} is broken: {what}",
     "the resolvers of {names} are broken: {what}"},
    {PX_CAUSE_VANTAGE_OVERLOADED, "own-load", "{names} is too busy to judge",
     "{names} are too busy to judge"},
};

static void sickness_reasons(const struct wording *w, struct px_finding *f, const char *id)
{
    char age[PX_DURATION_TEXT];
    const struct px_vantage *v = w->first->vantage;
    struct px_evidence *e = px_finding_add_evidence(f, id);
    wording_list(&e->vantages, w->hit, w->hits);
    if (w->cause != PX_CAUSE_VANTAGE_OFFLINE)
        e->text = wording_fill(w, "{names}: {what}");
    else if (w->hits == 1 && v->last_seen > 0 && w->j->report->started > v->last_seen)
        e->text = px_xasprintf("last seen %s before this run",
                               px_duration_format(w->j->report->started - v->last_seen, age));
    else
        e->text = px_xstrdup("no result came back");
    if (w->first->seen & layer_outcomes(LAYER_REFERENCE)) {
        e = px_finding_add_evidence(f, "references");
        wording_list(&e->vantages, w->hit, w->hits);
        e->text = px_xstrdup(w->cause == PX_CAUSE_VANTAGE_NO_ROUTE
                                 ? "its references on other ports do not answer either"
                                 : "its references tell the same");
    }
}

static void sickness_write(struct judgement *j, const struct sickness *s)
{
    const struct evidence **hit = px_xcalloc(s->count + 1, sizeof(*hit));
    struct draft d = {0};
    size_t row = 0;
    for (size_t i = 0; i < s->count; i++)
        hit[i] = &j->scene.all[s->vantages[i]];
    struct wording w = {.j = j,
                        .d = &d,
                        .cause = s->cause,
                        .hit = hit,
                        .hits = s->count,
                        .affected = s->count,
                        .failing = s->count,
                        .first = hit[0]};
    px_text_copy(w.target, sizeof w.target, j->report->target.host);
    if (hit[0]->target.family)
        px_addr_format(&hit[0]->target, w.target);
    while (own_troubles[row].cause != s->cause &&
           row + 1 < sizeof own_troubles / sizeof *own_troubles)
        row++;
    struct px_finding *f = px_verdict_add_finding(&j->report->verdict);
    f->scope = PX_SCOPE_VANTAGE;
    f->cause = s->cause;
    f->probability = f->scope_probability = s->probability;
    f->certainty = s->probability >= 0.7 ? PX_CERTAINTY_LIKELY : PX_CERTAINTY_INCONCLUSIVE;
    if (s->probability >= 0.99 && s->twice)
        f->certainty = PX_CERTAINTY_CONFIRMED;
    f->scope_certainty = f->certainty;
    f->layer = s->cause == PX_CAUSE_VANTAGE_DNS ? PX_STAGE_DNS : PX_STAGE_TCP;
    wording_list(&f->affected, hit, s->count);
    f->group_attribute = px_xstrdup("list");
    wording_list(&f->group_values, hit, s->count);
    f->summary = wording_fill(&w, s->count == 1 ? own_troubles[row].one : own_troubles[row].many);
    sickness_reasons(&w, f, own_troubles[row].id);
    steps_write(&w, f);
    free(hit);
}

/* ---- the verdict ---- */

static char *reachable_words(const struct judgement *j)
{
    size_t n = j->partition.n, keys = 0;
    const struct evidence *first = n ? j->partition.unit[0] : NULL;
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        keys += j->partition.unit[i]->hostkey[0] != '\0';
        same = same && (!j->partition.unit[i]->hostkey[0] ||
                        j->partition.unit[i]->seen & OUTCOME_BIT(KEY_SAME));
        first =
            j->partition.unit[i]->hostkey[0] && !first->hostkey[0] ? j->partition.unit[i] : first;
    }
    char *who = n == 1   ? px_xasprintf("reachable from %s", first->vantage->name)
                : n == 2 ? px_xstrdup("reachable from both vantages")
                         : px_xasprintf("reachable from all %zu vantages", n);
    if (keys == 0 || !same)
        return who;
    const char *type = strncmp(first->hostkey_type, "ssh-", 4) == 0 ? first->hostkey_type + 4
                                                                    : first->hostkey_type;
    char kind[40];
    size_t i = 0;
    for (; type[i] && i + 1 < sizeof kind; i++)
        kind[i] = (char)(type[i] >= 'a' && type[i] <= 'z' ? type[i] - 'a' + 'A' : type[i]);
    kind[i] = '\0';
    char *text = px_xasprintf("%s; %shost key %s%s%s", who, keys > 1 ? "same " : "", kind,
                              kind[0] ? " " : "", first->hostkey);
    free(who);
    return text;
}

/* Why nothing can be said. */
static char *inconclusive_words(const struct judgement *j)
{
    size_t away = 0;
    for (size_t i = 0; i < j->scene.count; i++)
        away += j->scene.all[i].away;
    if (j->partition.n == 0 && j->scene.count > 0 && away == j->scene.count)
        return px_xstrdup("no selected vantage answered");
    return px_xstrdup(j->sickness_count > away ? "the vantages that answered are themselves unfit"
                                               : "no vantage could look at the target");
}

static char *verdict_words(const struct judgement *j)
{
    const struct px_verdict *v = &j->report->verdict;
    if (j->draft_count == 0) {
        if (j->status == PX_STATUS_REACHABLE)
            return reachable_words(j);
        return inconclusive_words(j);
    }
    if (j->draft_count == 1)
        return px_xstrdup(v->findings[0].summary);
    if (j->draft_count == 2)
        return px_xasprintf("%s; %s", v->findings[0].summary, v->findings[1].summary);
    return px_xasprintf("%s; %s; and %zu more", v->findings[0].summary, v->findings[1].summary,
                        j->draft_count - 2);
}

static void abstained_write(struct judgement *j)
{
    px_strs_clear(&j->report->abstained);
    for (size_t i = 0; i < j->scene.count; i++) {
        const struct evidence *e = &j->scene.all[i];
        bool pending = !e->reported && e->local == PX_CODE_UNKNOWN && !j->report->finished;
        if (!e->away && !pending && (!e->reported || e->left_out))
            px_strs_add(&j->report->abstained, e->vantage->name);
    }
}

void advice_write(struct judgement *j)
{
    px_verdict_clear(&j->report->verdict);
    for (size_t i = 0; i < j->draft_count; i++)
        finding_write(j, &j->drafts[i]);
    for (size_t i = 0; i < j->sickness_count; i++)
        sickness_write(j, &j->sicknesses[i]);
    j->report->verdict.status = j->status;
    j->report->verdict.summary = verdict_words(j);
    abstained_write(j);
}
