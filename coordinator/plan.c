/* SPDX-License-Identifier: MIT */
/*
 * Which vantage does what in a round. First look: everyone climbs the ladder once. Second look,
 * only if something failed: two more plain connects where it failed and one where it did not, with
 * the side probes that split the likely causes; a second handshake only from one spokesman per
 * signature. Knows politeness and evidence; slots, clocks and sockets belong to run and dispatch.
 */
#include "coordinator/plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define ALL_SIDES (PX_SIDE_ECHO | PX_SIDE_CONTROL | PX_SIDE_TRACE | PX_SIDE_REFERENCE)
#define TRANSFER_MS 500u   /* a job may take this much longer than its stages */
#define LOOK_MS 5000u      /* a plain look: the TCP deadline and the transfer */
#define QUICK_LOOK_MS 400u /* the same where every answer came at once, plus three round trips */
#define AT_ONCE_MS 1000.0
#define SLOW_FAILURE_MS 6000.0 /* waiting through such a handshake again tells nothing new */

/* A port that usually answers, one that usually refuses: both say that the host is there. */
#define CONTROL_USUAL 443
#define CONTROL_OTHER 80
#define CONTROL_HIGH 40125

/* What this version probes by scheme. */
static const struct {
    enum px_stage usual, deepest;
    const char *unchecked; /* what a reader of the scheme would expect and does not get */
} schemes[PX_SCHEME_COUNT] = {
    [PX_SCHEME_SSH] = {PX_STAGE_KEX, PX_STAGE_KEX, NULL},
    [PX_SCHEME_TCP] = {PX_STAGE_TCP, PX_STAGE_TCP, NULL},
    [PX_SCHEME_TLS] = {PX_STAGE_TCP, PX_STAGE_TCP, "TLS is"},
    [PX_SCHEME_HTTP] = {PX_STAGE_TCP, PX_STAGE_TCP, "HTTP is"},
    [PX_SCHEME_HTTPS] = {PX_STAGE_TCP, PX_STAGE_TCP, "TLS and HTTP are"},
    [PX_SCHEME_ICMP] = {PX_STAGE_NONE, PX_STAGE_NONE, NULL},
};

/* Deadline of a stage in ms; a job for a depth gets the sum up to there. */
static const struct {
    enum px_stage stage;
    uint32_t ms;
} deadlines[] = {
    {PX_STAGE_DNS, 4000}, {PX_STAGE_TCP, 4500}, {PX_STAGE_BANNER, 8000}, {PX_STAGE_KEX, 8000}};

/* What kind of further look an observation deserves. */
enum look {
    LOOK_NONE, /* nothing was learned, nothing more would be */
    LOOK_FINE, /* got through */
    LOOK_NAME, /* no address */
    LOOK_TCP,  /* no connection */
    LOOK_DEEP, /* connected, then failed */
    LOOK_SELF  /* the vantage's own network failed: again, it may have been a moment */
};

void plan_wish_default(struct plan_wish *w)
{
    *w = (struct plan_wish){
        .depth = PX_STAGE_NONE, .timeout_ms = PLAN_TIMEOUT_MS, .rounds_max = 2, .fresh = false};
}

static int depth_check(const struct plan_wish *w, const struct px_target *t, struct px_err *err)
{
    enum px_stage deepest = schemes[t->scheme].deepest;
    if (w->depth == PX_STAGE_NONE || w->depth <= deepest)
        return 0;
    if (w->depth == PX_STAGE_HOSTKEY && deepest == PX_STAGE_KEX)
        return 0;
    px_err_set(err, "unsupported-depth", "depth %s is not probed for %s:// targets by this version",
               px_stage_name(w->depth), px_scheme_name(t->scheme));
    if (deepest == PX_STAGE_KEX)
        return px_err_hint(err, "use --depth tcp, banner or kex");
    return px_err_hint(err, "use --depth tcp, or ssh://%s%s%s:%u for an SSH server",
                       t->literal.family == 6 ? "[" : "", t->host,
                       t->literal.family == 6 ? "]" : "", (unsigned)t->port);
}

int plan_wish_check(const struct plan_wish *w, const struct px_target *t, struct px_strs *notes,
                    struct px_err *err)
{
    if (schemes[t->scheme].usual == PX_STAGE_NONE) {
        px_err_set(err, "unsupported-scheme", "%s:// targets are not probed by this version",
                   px_scheme_name(t->scheme));
        return px_err_hint(err, "use ssh://, tcp://, tls://, http:// or https://");
    }
    if (depth_check(w, t, err) != 0)
        return -1;
    if (w->timeout_ms == 0 || w->timeout_ms > PLAN_TIMEOUT_MAX_MS) {
        px_err_set(err, "bad-timeout", "a run of %u ms is not possible", (unsigned)w->timeout_ms);
        return px_err_hint(err, "use a timeout from 1ms to %us", PLAN_TIMEOUT_MAX_MS / 1000);
    }
    if (w->rounds_max == 0 || w->rounds_max > PLAN_ROUNDS_MAX) {
        px_err_set(err, "bad-rounds", "%u rounds are not possible", (unsigned)w->rounds_max);
        return px_err_hint(err, "use 1 to %u rounds", PLAN_ROUNDS_MAX);
    }
    if (notes && schemes[t->scheme].unchecked)
        px_strs_addf(notes, "checked up to the TCP connection; %s not checked yet",
                     schemes[t->scheme].unchecked);
    return 0;
}

enum px_stage plan_depth(const struct plan_wish *w, const struct px_target *t)
{
    enum px_stage deepest = schemes[t->scheme].deepest;
    if (w->depth == PX_STAGE_NONE)
        return schemes[t->scheme].usual;
    if (w->depth > deepest)
        return deepest;
    return w->depth < PX_STAGE_TCP ? PX_STAGE_TCP : w->depth;
}

/* ---- facts ---- */

static enum look look_after(const struct px_observation *o)
{
    switch (px_code_kind(o->code)) {
    case PX_KIND_OK:
        return LOOK_FINE;
    case PX_KIND_VANTAGE:
        return o->code == PX_CODE_NO_OWN_ROUTE || o->code == PX_CODE_OWN_FILTER ||
                       o->code == PX_CODE_NO_ADDRESS
                   ? LOOK_SELF
                   : LOOK_NONE;
    case PX_KIND_FAIL:
        if (o->stage <= PX_STAGE_DNS)
            return LOOK_NAME;
        return o->stage == PX_STAGE_TCP ? LOOK_TCP : LOOK_DEEP;
    case PX_KIND_NONE:
        break;
    }
    return LOOK_NONE;
}

/* Did the target itself send the reject? Then the path has done its work and needs no trace. */
static bool rejected_by_target(const struct px_observation *o)
{
    return o->code == PX_CODE_REJECTED && o->icmp.from.family != 0 &&
           px_addr_equal(&o->icmp.from, &o->address);
}

/* Is the way to the target in question, by what this vantage saw? */
static bool path_in_question(const struct px_observation *o)
{
    return o->code == PX_CODE_NO_ANSWER || o->code == PX_CODE_UNREACHABLE ||
           o->code == PX_CODE_LOOPED || (o->code == PX_CODE_REJECTED && !rejected_by_target(o));
}

/* How long the network took to answer a connect; a failed one counts with all it waited. */
static double connect_ms(const struct px_observation *o)
{
    double ms = o->attempt_count > 0 ? o->attempts[0].ms : o->ms[PX_STAGE_TCP];
    if (look_after(o) == LOOK_TCP && o->took_ms > ms)
        ms = o->took_ms;
    return o->code == PX_CODE_NO_ANSWER && ms < AT_ONCE_MS ? AT_ONCE_MS : ms;
}

static void facts_add(struct plan_facts *f, const struct px_observation *o, double *slowest)
{
    enum look look = look_after(o);
    double ms = connect_ms(o);
    if (ms > *slowest)
        *slowest = ms;
    f->any_ok = f->any_ok || look == LOOK_FINE;
    f->wanted = f->wanted || look > LOOK_FINE;
    f->path = f->path || (look == LOOK_TCP && path_in_question(o));
}

/* The first vantage of each signature (stage and code) that failed after the connection stood.
 * Where the service kept us waiting to the end, a second handshake would only double the wait; that
 * it still accepts connections is what the plain look of the others shows. */
static void facts_choose_spokesmen(struct plan_facts *f, const struct px_report *r)
{
    bool seen[PX_STAGE_COUNT][PX_CODE_COUNT] = {{false}};
    for (size_t i = 0; i < f->vantage_count; i++) {
        if (!f->latest[i] || r->vantages[i].presence != PX_PRESENT)
            continue;
        const struct px_observation *o = &r->observations[f->latest[i] - 1];
        if (look_after(o) != LOOK_DEEP || o->took_ms >= SLOW_FAILURE_MS || seen[o->stage][o->code])
            continue;
        seen[o->stage][o->code] = true;
        f->spokesman[i] = true;
    }
}

/* How long a plain look waits: where every connect was answered at once, a side probe that stays
 * silent for many round trips is not worth seconds. */
static uint32_t look_timeout(double slowest)
{
    if (slowest >= AT_ONCE_MS)
        return LOOK_MS;
    uint32_t quick = QUICK_LOOK_MS + (uint32_t)(3 * slowest);
    return quick < LOOK_MS ? quick : LOOK_MS;
}

void plan_facts_init(struct plan_facts *f, const struct px_report *r, uint32_t round)
{
    double slowest = 0;
    *f = (struct plan_facts){.round = round, .vantage_count = r->vantage_count};
    f->latest = px_xcalloc(r->vantage_count + 1, sizeof *f->latest);
    f->spokesman = px_xcalloc(r->vantage_count + 1, sizeof *f->spokesman);
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (o->round < round && o->vantage < r->vantage_count)
            f->latest[o->vantage] = i + 1;
    }
    for (size_t i = 0; i < r->vantage_count; i++)
        if (f->latest[i])
            facts_add(f, &r->observations[f->latest[i] - 1], &slowest);
    facts_choose_spokesmen(f, r);
    f->timeout_ms = look_timeout(slowest);
}

void plan_facts_clear(struct plan_facts *f)
{
    free(f->latest);
    free(f->spokesman);
    *f = (struct plan_facts){0};
}

/* ---- jobs ---- */

static uint32_t ladder_timeout(enum px_stage depth, bool resolves)
{
    uint32_t sum = TRANSFER_MS;
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++)
        if (deadlines[i].stage <= depth && (resolves || deadlines[i].stage != PX_STAGE_DNS))
            sum += deadlines[i].ms;
    return sum;
}

static void job_add_controls(struct px_job *job)
{
    uint16_t port = job->target.port;
    job->control_ports[0] = port == CONTROL_USUAL ? CONTROL_OTHER : CONTROL_USUAL;
    job->control_ports[1] = port == CONTROL_HIGH ? CONTROL_HIGH + 1 : CONTROL_HIGH;
    job->control_count = 2;
}

static void job_climb(struct px_job *job, enum px_stage depth)
{
    job->ladder = true;
    job->depth = depth;
    job->sides_if_silent = ALL_SIDES;
    job->timeout_ms = ladder_timeout(depth, job->address.family == 0);
}

static void job_look(struct px_job *job, const struct plan_facts *f, uint32_t repeats,
                     uint32_t sides)
{
    job->depth = PX_STAGE_TCP;
    job->repeats = repeats;
    job->sides = sides;
    job->timeout_ms = f->timeout_ms;
}

/* The second look of one vantage by what it saw in the first. */
static bool job_look_again(struct px_job *job, const struct plan_facts *f,
                           const struct px_observation *o, enum px_stage depth, bool spokesman)
{
    uint32_t sides = PX_SIDE_ECHO | PX_SIDE_CONTROL;
    switch (look_after(o)) {
    case LOOK_NONE:
        return false;
    case LOOK_FINE:
        job_look(job, f, 1, sides | (f->path ? PX_SIDE_TRACE : 0));
        return true;
    case LOOK_NAME:
        job->address.family = 0;
        job_climb(job, depth);
        job->sides = PX_SIDE_REFERENCE;
        return true;
    case LOOK_SELF:
        job_look(job, f, 2, sides | PX_SIDE_REFERENCE);
        return true;
    case LOOK_TCP:
        sides |= PX_SIDE_REFERENCE | (path_in_question(o) ? PX_SIDE_TRACE : 0);
        job_look(job, f, 2, sides);
        return true;
    case LOOK_DEEP:
        sides |= PX_SIDE_REFERENCE | (f->any_ok ? PX_SIDE_TRACE : 0);
        job_look(job, f, 1, sides);
        if (spokesman) {
            job_climb(job, depth);
            job->sides &= PX_SIDE_TRACE; /* it connects, so nothing is silent: do not wait for it */
        }
        return true;
    }
    return false;
}

bool plan_job_from(const struct px_report *r, const struct plan_wish *w, const struct plan_facts *f,
                   size_t index, struct px_job *job)
{
    enum px_stage depth = plan_depth(w, &r->target);
    memset(job, 0, sizeof *job);
    job->target = r->target;
    job->round = f->round;
    job->address = r->target.literal;
    job_add_controls(job);
    if (f->round <= 1) {
        job_climb(job, depth);
        return true;
    }
    if (!f->latest[index])
        return false;
    const struct px_observation *o = &r->observations[f->latest[index] - 1];
    if (o->address.family != 0)
        job->address = o->address;
    if (f->round == 2)
        return job_look_again(job, f, o, depth, f->spokesman[index]);
    job_look(job, f, 1, 0);
    if (look_after(o) == LOOK_NAME)
        job_climb(job, PX_STAGE_TCP);
    return look_after(o) != LOOK_NONE;
}

bool plan_job(const struct px_report *r, const struct plan_wish *w, uint32_t round, size_t index,
              struct px_job *job)
{
    struct plan_facts f;
    plan_facts_init(&f, r, round);
    bool due = r->vantages[index].presence == PX_PRESENT && plan_job_from(r, w, &f, index, job);
    plan_facts_clear(&f);
    return due;
}

void plan_job_shorten(struct px_job *job)
{
    job->depth = PX_STAGE_TCP;
    job->timeout_ms = ladder_timeout(PX_STAGE_TCP, job->address.family == 0);
}

bool plan_job_shakes_hands(const struct px_job *job)
{
    return job->ladder && job->depth > PX_STAGE_TCP;
}
