/* SPDX-License-Identifier: MIT */
/*
 * The life of one question. Pure: events and the time come in, actions go out.
 *
 *   BEGIN -> ROUND -> PAUSE -> ROUND ... -> CLOSING -> DONE
 *
 * A seat is one vantage in the present round: DUE (a job to send) -> BUSY -> DONE or LOST. Few may
 * shake hands at once; the others make a plain connect first and WAIT for their turn.
 */
#include "coordinator/run.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define SPREAD_MANY 30       /* so many plain looks may start at one moment */
#define SPREAD_STEP_MS 2u    /* between the starts of more of them */
#define MARGIN_MS 10u        /* on top of the second between two looks: clocks are not exact */
#define CLOSE_BEFORE_MS 200u /* a job ends so long before the whole run does */
#define SERIAL_BITS 8

enum run_state { RUN_ST_BEGIN, RUN_ST_ROUND, RUN_ST_PAUSE, RUN_ST_CLOSING, RUN_ST_DONE };
static const char *const state_names[] = {"beginning", "asking", "pausing", "closing", "done"};
_Static_assert(sizeof state_names / sizeof *state_names == RUN_ST_DONE + 1, "a name per state");

enum seat_state {
    SEAT_OUT,   /* nothing to do in this round, or gone */
    SEAT_DUE,   /* its job waits to be sent */
    SEAT_WAITS, /* its job needs a handshake place */
    SEAT_BUSY,  /* its job is under way */
    SEAT_DONE,  /* it answered */
    SEAT_LOST,  /* it did not answer in time */
    SEAT_COUNT
};

struct seat {
    enum seat_state state;
    bool shallow;   /* its next or present job stops at TCP, the ladder follows */
    bool shakes;    /* its present job holds a handshake place */
    uint8_t serial; /* of its last job */
    uint32_t delay_ms;
    uint64_t job_id;
    px_mono start;          /* planned; past = at once */
    px_mono deadline;       /* of the observation, while BUSY */
    struct px_addr address; /* the ladder goes where the plain connect went */
};

struct run {
    enum run_state state;
    struct px_report *report;
    struct plan_wish wish;
    void (*judge)(struct px_report *);
    px_mono began, deadline;
    px_mono pause_until;
    px_mono last_start;  /* latest start of a job in this round */
    px_mono queue_until; /* no handshake starts later, so that a second look stays possible */
    uint32_t round;
    size_t expected;
    bool cancelled, publish;
    unsigned handshakes_max, handshakes;
    uint64_t job_prefix;
    struct seat *seats;
    size_t counts[SEAT_COUNT];
    size_t cursor; /* no seat below it is DUE */
    struct plan_facts facts;
};

static void run_enter(struct run *r, enum run_state state)
{
    r->state = state;
}

static void seat_enter(struct run *r, struct seat *s, enum seat_state state)
{
    size_t index = (size_t)(s - r->seats);
    r->counts[s->state]--;
    r->counts[state]++;
    s->state = state;
    if (s->shakes && state != SEAT_BUSY) {
        s->shakes = false;
        r->handshakes--;
    }
    if (state == SEAT_DUE && index < r->cursor)
        r->cursor = index;
}

static bool seat_present(const struct run *r, size_t i)
{
    return r->report->vantages[i].presence == PX_PRESENT;
}

static bool run_deserted(const struct run *r)
{
    for (size_t i = 0; i < r->report->vantage_count; i++)
        if (seat_present(r, i))
            return false;
    return true;
}

/* Job ids carry the run, the vantage and a serial number, so that foreign ones are recognised. */
static uint64_t job_prefix_of(const char *run_id)
{
    uint64_t hash = 1469598103934665603u;
    for (const char *p = run_id; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    return hash << 32;
}

static uint64_t job_id_of(const struct run *r, size_t vantage, uint8_t serial)
{
    return r->job_prefix | ((uint64_t)vantage << SERIAL_BITS) | serial;
}

struct run *run_new(struct px_report *report, const struct plan_wish *wish,
                    void (*judge)(struct px_report *), px_mono now)
{
    struct run *r = px_xcalloc(1, sizeof *r);
    r->report = report;
    r->wish = *wish;
    r->judge = judge;
    r->began = now;
    r->deadline = now + wish->timeout_ms * PX_MS;
    r->handshakes_max = PLAN_HANDSHAKES_MAX;
    r->job_prefix = job_prefix_of(report->id);
    r->seats = px_xcalloc(report->vantage_count + 1, sizeof *r->seats);
    r->counts[SEAT_OUT] = report->vantage_count;
    report->depth = plan_depth(wish, &report->target);
    report->finished = false;
    run_enter(r, RUN_ST_BEGIN);
    return r;
}

void run_free(struct run *r)
{
    if (!r)
        return;
    plan_facts_clear(&r->facts);
    px_report_clear(r->report);
    free(r->report);
    free(r->seats);
    free(r);
}

void run_set_delay(struct run *r, size_t vantage, uint32_t one_way_ms)
{
    r->seats[vantage].delay_ms = one_way_ms < RUN_DELAY_MAX_MS ? one_way_ms : RUN_DELAY_MAX_MS;
}

void run_set_handshakes(struct run *r, unsigned max)
{
    r->handshakes_max = max < PLAN_HANDSHAKES_MAX ? max : PLAN_HANDSHAKES_MAX;
}

/* ---- a round begins ---- */

static void round_draw_facts(struct run *r, uint32_t round)
{
    plan_facts_clear(&r->facts);
    plan_facts_init(&r->facts, r->report, round);
}

/* Seat the vantages that have something to do. */
static void round_seat(struct run *r, px_mono now)
{
    uint32_t delay_max = 0;
    struct px_job job;
    r->expected = 0;
    for (size_t i = 0; i < r->report->vantage_count; i++) {
        struct seat *s = &r->seats[i];
        bool due = seat_present(r, i) && plan_job_from(r->report, &r->wish, &r->facts, i, &job);
        bool queued = due && r->round > 1 && plan_job_shakes_hands(&job);
        seat_enter(r, s, queued ? SEAT_WAITS : due ? SEAT_DUE : SEAT_OUT);
        s->shallow = false;
        s->address.family = 0;
        r->expected += due;
        if (due && s->delay_ms > delay_max)
            delay_max = s->delay_ms;
    }
    for (size_t i = 0; i < r->report->vantage_count; i++)
        r->seats[i].start = now + delay_max * PX_MS;
}

static bool network_taken(const struct run *r, size_t i, const size_t *chosen, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (px_vantage_same_network(&r->report->vantages[i], &r->report->vantages[chosen[k]]))
            return true;
    return false;
}

static bool contains(const size_t *chosen, size_t n, size_t i)
{
    for (size_t k = 0; k < n; k++)
        if (chosen[k] == i)
            return true;
    return false;
}

/* Who begins at the common start: one per network, then others in order; returns how many. */
static size_t round_choose(const struct run *r, size_t max, size_t chosen[PLAN_HANDSHAKES_MAX])
{
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < r->report->vantage_count && n < max; i++) {
            bool free_seat = r->seats[i].state == SEAT_DUE && !contains(chosen, n, i);
            if (free_seat && (pass == 1 || !network_taken(r, i, chosen, n)))
                chosen[n++] = i;
        }
    return n;
}

/* Spread the starts of all DUE seats but the chosen ones: a burst makes the fault it looks for. */
static void round_spread(struct run *r, const size_t *chosen, size_t n, uint32_t span_ms)
{
    size_t plain = r->counts[SEAT_DUE] - n, placed = 0;
    if (plain > SPREAD_MANY && span_ms < plain * SPREAD_STEP_MS)
        span_ms = (uint32_t)plain * SPREAD_STEP_MS;
    for (size_t i = 0; i < r->report->vantage_count; i++) {
        struct seat *s = &r->seats[i];
        if (s->state != SEAT_DUE || contains(chosen, n, i))
            continue;
        s->start += (int64_t)(span_ms * placed++ / plain) * PX_MS;
        s->shallow = r->round == 1 && r->report->depth > PX_STAGE_TCP;
    }
}

static void round_begin(struct run *r, px_mono now)
{
    size_t chosen[PLAN_HANDSHAKES_MAX] = {0}, n = 0;
    r->round++;
    r->cursor = 0;
    r->last_start = now;
    r->queue_until = now + (r->deadline - now) / 2;
    round_draw_facts(r, r->round);
    round_seat(r, now);
    if (r->round == 1)
        n = round_choose(
            r, r->report->depth > PX_STAGE_TCP ? r->handshakes_max : PLAN_HANDSHAKES_MAX, chosen);
    round_spread(r, chosen, n, r->round == 1 ? RUN_SPREAD_MS : 0);
    run_enter(r, RUN_ST_ROUND);
}

/* ---- jobs ---- */

/* Fill in what plan leaves to the caller. */
static void job_complete(struct run *r, size_t i, px_mono now, struct px_job *job)
{
    struct seat *s = &r->seats[i];
    px_mono arrival = now + s->delay_ms * PX_MS;
    px_mono start = s->start > arrival ? s->start : arrival;
    int64_t left = (r->deadline - start) / PX_MS - s->delay_ms - CLOSE_BEFORE_MS;
    if (job->timeout_ms > left)
        job->timeout_ms = left > 1 ? (uint32_t)left : 1;
    memcpy(job->run_id, r->report->id, sizeof job->run_id);
    s->serial++;
    s->job_id = job->id = job_id_of(r, i, s->serial);
    job->start_in_ms = (uint32_t)((start - arrival) / PX_MS);
    if (start > r->last_start)
        r->last_start = start;
    s->deadline = start + (job->timeout_ms + s->delay_ms + RUN_GRACE_MS) * PX_MS;
}

static bool seat_send(struct run *r, size_t i, px_mono now, struct run_action *a)
{
    struct seat *s = &r->seats[i];
    a->kind = RUN_SEND;
    a->vantage = i;
    plan_job_from(r->report, &r->wish, &r->facts, i, &a->job);
    if (s->address.family != 0)
        a->job.address = s->address;
    if (s->shallow)
        plan_job_shorten(&a->job);
    job_complete(r, i, now, &a->job);
    seat_enter(r, s, SEAT_BUSY);
    s->shakes = plan_job_shakes_hands(&a->job);
    r->handshakes += s->shakes;
    return true;
}

static bool seat_cancel(struct run *r, size_t i, struct run_action *a)
{
    a->kind = RUN_CANCEL;
    a->vantage = i;
    a->job.id = r->seats[i].job_id;
    memcpy(a->job.run_id, r->report->id, sizeof a->job.run_id);
    seat_enter(r, &r->seats[i], SEAT_LOST);
    return true;
}

static bool round_send_due(struct run *r, px_mono now, struct run_action *a)
{
    for (; r->counts[SEAT_DUE] > 0 && r->cursor < r->report->vantage_count; r->cursor++)
        if (r->seats[r->cursor].state == SEAT_DUE)
            return seat_send(r, r->cursor, now, a);
    return false;
}

static bool round_send_waiting(struct run *r, px_mono now, struct run_action *a)
{
    if (r->counts[SEAT_WAITS] == 0 || r->handshakes >= r->handshakes_max)
        return false;
    for (size_t i = 0; i < r->report->vantage_count; i++)
        if (r->seats[i].state == SEAT_WAITS)
            return seat_send(r, i, now, a);
    return false;
}

static bool round_expire(struct run *r, px_mono now, struct run_action *a)
{
    for (size_t i = 0; i < r->report->vantage_count && r->counts[SEAT_BUSY] > 0; i++)
        if (r->seats[i].state == SEAT_BUSY && r->seats[i].deadline <= now)
            return seat_cancel(r, i, a);
    return false;
}

/* The newest observation of each waiting vantage ends at TCP for politeness, and says so. */
static void round_mark_cut(struct run *r)
{
    for (size_t k = r->report->observation_count; k-- > 0;) {
        struct px_observation *o = &r->report->observations[k];
        if (r->seats[o->vantage].state != SEAT_WAITS)
            continue;
        o->limited = true;
        o->depth = r->report->depth; /* wanted, as in a ladder that the node cuts short */
        seat_enter(r, &r->seats[o->vantage], SEAT_DONE);
    }
}

/* No handshake place came free in time. First look: what was seen up to TCP has to do. Later: a
 * plain look instead. */
static void round_cut_queue(struct run *r, px_mono now)
{
    size_t cut = r->counts[SEAT_WAITS];
    if (cut == 0 || now < r->queue_until)
        return;
    if (r->round == 1) {
        round_mark_cut(r);
        px_strs_addf(&r->report->notes,
                     "%zu of %zu vantages looked up to the TCP connection only: a target gets at "
                     "most %d handshakes at once",
                     cut, r->expected, PLAN_HANDSHAKES_MAX);
        return;
    }
    for (size_t i = 0; i < r->report->vantage_count; i++)
        if (r->seats[i].state == SEAT_WAITS) {
            r->seats[i].shallow = true;
            seat_enter(r, &r->seats[i], SEAT_DUE);
        }
}

/* ---- steps: fill the action and return true, or change the state and return false ---- */

static void run_judge(struct run *r, px_mono now)
{
    r->report->took_ms = (double)(now - r->began) / PX_MS;
    r->report->rounds = r->round;
    r->judge(r->report);
}

static bool run_wait(struct run_action *a, px_mono until)
{
    a->kind = RUN_WAIT;
    a->until = until;
    return true;
}

static bool has_doubt(const struct px_verdict *v)
{
    for (size_t i = 0; i < v->finding_count; i++)
        if (v->findings[i].certainty < PX_CERTAINTY_CONFIRMED)
            return true;
    return v->finding_count == 0 && v->status != PX_STATUS_REACHABLE;
}

/* Is another look worth it? Judges what there is, because the verdict has a say. */
static bool run_wants_more(struct run *r, px_mono now)
{
    round_draw_facts(r, r->round + 1);
    if (r->round >= r->wish.rounds_max || !r->facts.wanted || run_deserted(r))
        return false;
    run_judge(r, now);
    return r->round == 1 || has_doubt(&r->report->verdict);
}

/* When the next look starts, or 0 if the time left is too short for it. */
static px_mono run_next_look(struct run *r, px_mono now)
{
    uint32_t gap = r->round == 1 ? PLAN_SECOND_LOOK_MS + MARGIN_MS : PLAN_LATER_LOOK_MS;
    px_mono at = r->last_start + gap * PX_MS;
    char limit[PX_DURATION_TEXT];
    if (at < now)
        at = now;
    if (r->deadline - at >= (r->facts.timeout_ms / 2 + CLOSE_BEFORE_MS) * PX_MS)
        return at;
    px_strs_addf(&r->report->notes, "the limit of %s left no time for look %u",
                 px_duration_format(r->wish.timeout_ms * PX_MS, limit), (unsigned)r->round + 1);
    return 0;
}

static bool run_round_over(struct run *r, px_mono now)
{
    r->pause_until = run_wants_more(r, now) ? run_next_look(r, now) : 0;
    r->publish = r->pause_until != 0;
    run_enter(r, r->publish ? RUN_ST_PAUSE : RUN_ST_CLOSING);
    return false;
}

static bool step_begin(struct run *r, px_mono now, struct run_action *a)
{
    (void)a;
    if (r->cancelled || run_deserted(r))
        run_enter(r, RUN_ST_CLOSING);
    else
        round_begin(r, now);
    return false;
}

static px_mono round_wakes_at(const struct run *r)
{
    px_mono until = r->deadline;
    if (r->counts[SEAT_WAITS] > 0 && r->queue_until < until)
        until = r->queue_until;
    for (size_t i = 0; i < r->report->vantage_count; i++)
        if (r->seats[i].state == SEAT_BUSY && r->seats[i].deadline < until)
            until = r->seats[i].deadline;
    return until;
}

static bool step_round(struct run *r, px_mono now, struct run_action *a)
{
    if (r->cancelled || now >= r->deadline) {
        run_enter(r, RUN_ST_CLOSING);
        return false;
    }
    round_cut_queue(r, now);
    if (round_send_due(r, now, a) || round_send_waiting(r, now, a) || round_expire(r, now, a))
        return true;
    if (r->counts[SEAT_BUSY] + r->counts[SEAT_WAITS] == 0)
        return run_round_over(r, now);
    return run_wait(a, round_wakes_at(r));
}

static bool step_pause(struct run *r, px_mono now, struct run_action *a)
{
    if (r->cancelled || now >= r->deadline || run_deserted(r)) {
        run_enter(r, RUN_ST_CLOSING);
        return false;
    }
    if (r->publish) {
        r->publish = false;
        a->kind = RUN_PUBLISH;
        return true;
    }
    if (now < r->pause_until)
        return run_wait(a, r->pause_until);
    round_begin(r, now);
    return false;
}

static bool step_closing(struct run *r, px_mono now, struct run_action *a)
{
    for (size_t i = 0; i < r->report->vantage_count && r->counts[SEAT_BUSY] > 0; i++)
        if (r->seats[i].state == SEAT_BUSY)
            return seat_cancel(r, i, a);
    r->report->took_ms = (double)(now - r->began) / PX_MS;
    r->report->finished = !r->cancelled;
    if (!r->cancelled)
        run_judge(r, now);
    run_enter(r, RUN_ST_DONE);
    return false;
}

static bool step_done(struct run *r, px_mono now, struct run_action *a)
{
    (void)r;
    (void)now;
    a->kind = RUN_FINISH;
    return true;
}

static bool (*const steps[])(struct run *, px_mono, struct run_action *) = {
    [RUN_ST_BEGIN] = step_begin,     [RUN_ST_ROUND] = step_round, [RUN_ST_PAUSE] = step_pause,
    [RUN_ST_CLOSING] = step_closing, [RUN_ST_DONE] = step_done,
};

void run_next(struct run *r, px_mono now, struct run_action *action)
{
    memset(action, 0, sizeof *action);
    while (!steps[r->state](r, now, action))
        ;
}

/* ---- events ---- */

bool run_on_observation(struct run *r, size_t vantage, const struct px_observation *o, px_mono now)
{
    struct seat *s = vantage < r->report->vantage_count ? &r->seats[vantage] : NULL;
    (void)now;
    if (!s || s->state != SEAT_BUSY || o->job_id != s->job_id ||
        strcmp(o->run_id, r->report->id) != 0)
        return false;
    struct px_observation *kept = px_report_add_observation(r->report, o);
    kept->vantage = (uint32_t)vantage;
    kept->round = r->round;
    kept->reused = false;
    bool follows = s->shallow && r->round == 1 && px_code_kind(o->code) == PX_KIND_OK;
    s->shallow = false;
    s->address = o->address;
    seat_enter(r, s, follows ? SEAT_WAITS : SEAT_DONE);
    return true;
}

void run_on_vantage_gone(struct run *r, size_t vantage, px_mono now)
{
    (void)now;
    if (vantage >= r->report->vantage_count)
        return;
    struct seat *s = &r->seats[vantage];
    r->report->vantages[vantage].presence = PX_AWAY;
    if (s->state == SEAT_DUE || s->state == SEAT_WAITS || s->state == SEAT_BUSY)
        seat_enter(r, s, SEAT_OUT);
}

void run_on_cancel(struct run *r, px_mono now)
{
    (void)now;
    if (r->state != RUN_ST_DONE)
        r->cancelled = true;
}

/* ---- looking in ---- */

const struct px_report *run_report(const struct run *r)
{
    return r->report;
}

const char *run_state_name(const struct run *r)
{
    return state_names[r->state];
}

uint32_t run_round(const struct run *r)
{
    return r->round;
}

size_t run_reported(const struct run *r)
{
    return r->counts[SEAT_DONE];
}

size_t run_expected(const struct run *r)
{
    return r->expected;
}

unsigned run_handshakes(const struct run *r)
{
    return r->handshakes;
}

unsigned run_handshakes_waiting(const struct run *r)
{
    return (unsigned)r->counts[SEAT_WAITS];
}

bool run_asked(const struct run *r, size_t vantage, uint64_t job_id)
{
    uint8_t serial = job_id & 0xff;
    return vantage < r->report->vantage_count && serial > 0 && serial <= r->seats[vantage].serial &&
           job_id == job_id_of(r, vantage, serial);
}
