/* SPDX-License-Identifier: MIT */
/*
 * The life of a question in virtual time: scripted vantages answer jobs after a while, the driver
 * carries out what run_next says. No clock, no socket.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/run.h"

#define VANTAGES_MAX 1000
#ifdef __SANITIZE_ADDRESS__
#define VANTAGES_MANY 200 /* every growth of a list is a copy there */
#else
#define VANTAGES_MANY VANTAGES_MAX
#endif
#define EVENTS_MAX 8192

/* How a scripted vantage answers. */
struct script {
    enum px_stage stage;
    enum px_code code;
    int64_t after_ms;   /* from the start of the job; < 0 = never */
    int64_t plain_ms;   /* the same for jobs that stop at TCP; 0 = as above */
    enum px_code again; /* in later rounds, UNKNOWN = as above */
    bool twice;         /* answers twice */
};

struct pending {
    px_mono at;
    size_t vantage;
    struct px_job job;
    bool cancelled;
};

static struct {
    struct run *run;
    struct script scripts[VANTAGES_MAX];
    struct pending events[EVENTS_MAX];
    size_t event_count, next_event;
    px_mono now;
    unsigned shaking, shaking_max, sent, cancels, published, judged, taken, ignored;
    px_mono published_at, sent_at[16][3];
    struct px_job jobs[16][3]; /* by vantage and round, the last one */
    bool finished;
} world;

static void judge(struct px_report *r)
{
    bool ok = false, failed = false;
    world.judged++;
    px_verdict_clear(&r->verdict);
    for (size_t i = 0; i < r->observation_count; i++) {
        ok = ok || px_code_kind(r->observations[i].code) == PX_KIND_OK;
        failed = failed || px_code_kind(r->observations[i].code) == PX_KIND_FAIL;
    }
    r->verdict.status = ok && failed ? PX_STATUS_PARTIAL
                        : ok         ? PX_STATUS_REACHABLE
                        : failed     ? PX_STATUS_UNREACHABLE
                                     : PX_STATUS_INCONCLUSIVE;
}

static struct px_report *report_of(const char *target, size_t vantages)
{
    struct px_report *r = px_xcalloc(1, sizeof *r);
    struct px_err err;
    char name[32], source[32];
    px_report_init(r);
    cr_assert_eq(px_target_parse(target, &r->target, &err), 0, "%s", err.message);
    px_id_new(1700000000 * PX_SEC, r->id);
    for (size_t i = 0; i < vantages; i++) {
        snprintf(name, sizeof name, "v%zu", i);
        struct px_vantage *v = px_report_add_vantage(r, name);
        snprintf(source, sizeof source, "10.%zu.0.1", i % 250);
        cr_assert(px_addr_parse(source, &v->seen_as));
    }
    return r;
}

static void world_free(void)
{
    run_free(world.run);
    world.run = NULL;
}

static void world_init(struct px_report *r, uint32_t timeout_ms)
{
    struct plan_wish wish;
    memset(&world, 0, sizeof world);
    plan_wish_default(&wish);
    if (timeout_ms)
        wish.timeout_ms = timeout_ms;
    world.now = 1000 * PX_SEC;
    world.run = run_new(r, &wish, judge, world.now);
}

static void world_script(size_t from, size_t to, struct script s)
{
    for (size_t i = from; i < to; i++)
        world.scripts[i] = s;
}

static void answer_add(size_t vantage, const struct px_job *job, px_mono at)
{
    size_t i = world.event_count;
    cr_assert_lt(i, EVENTS_MAX);
    for (; i > world.next_event && world.events[i - 1].at > at; i--)
        world.events[i] = world.events[i - 1];
    world.events[i] = (struct pending){.at = at, .vantage = vantage, .job = *job};
    world.event_count++;
}

static void on_send(const struct run_action *a)
{
    const struct script *s = &world.scripts[a->vantage];
    bool plain = !plan_job_shakes_hands(&a->job);
    int64_t after = plain && s->plain_ms ? s->plain_ms : s->after_ms;
    px_mono start = world.now + a->job.start_in_ms * PX_MS;
    world.sent++;
    world.shaking += !plain;
    if (world.shaking > world.shaking_max)
        world.shaking_max = world.shaking;
    if (a->vantage < 16 && a->job.round < 3) {
        world.jobs[a->vantage][a->job.round] = a->job;
        world.sent_at[a->vantage][a->job.round] = start;
    }
    if (after < 0)
        return;
    if (after > a->job.timeout_ms)
        after = a->job.timeout_ms;
    answer_add(a->vantage, &a->job, start + after * PX_MS);
    if (s->twice)
        answer_add(a->vantage, &a->job, start + (after + 1) * PX_MS);
}

static void on_cancel(const struct run_action *a)
{
    world.cancels++;
    for (size_t i = world.next_event; i < world.event_count; i++)
        if (world.events[i].job.id == a->job.id && world.events[i].vantage == a->vantage)
            world.events[i].cancelled = true;
}

/* Carry out actions until the run waits; returns when it wants to be called again. */
static px_mono world_pump(void)
{
    struct run_action a;
    for (;;) {
        run_next(world.run, world.now, &a);
        cr_assert_leq(run_handshakes(world.run), PLAN_HANDSHAKES_MAX);
        switch (a.kind) {
        case RUN_SEND:
            on_send(&a);
            break;
        case RUN_CANCEL:
            on_cancel(&a);
            break;
        case RUN_PUBLISH:
            world.published++;
            world.published_at = world.now;
            break;
        case RUN_FINISH:
            world.finished = true;
            return INT64_MAX;
        case RUN_WAIT:
            cr_assert_gt(a.until, world.now, "a wait that is over is no wait");
            return a.until;
        }
    }
}

static struct px_observation answer_of(const struct pending *p)
{
    const struct script *s = &world.scripts[p->vantage];
    const struct px_report *r = run_report(world.run);
    struct px_observation o;
    bool plain = !plan_job_shakes_hands(&p->job);
    px_observation_init(&o);
    memcpy(o.run_id, p->job.run_id, sizeof o.run_id);
    o.job_id = p->job.id;
    o.stage = s->stage;
    o.code = p->job.round > 1 && s->again ? s->again : s->code;
    if (plain && s->stage > PX_STAGE_TCP) {
        o.stage = PX_STAGE_TCP;
        o.code = PX_CODE_OK;
    }
    o.address = r->target.literal;
    o.took_ms = o.attempts[0].ms = (double)s->after_ms;
    o.attempt_count = 1;
    return o;
}

static void world_answer(const struct pending *p)
{
    struct px_observation o = answer_of(p);
    if (run_on_observation(world.run, p->vantage, &o, world.now)) {
        world.taken++;
        world.shaking -= plan_job_shakes_hands(&p->job);
    } else {
        world.ignored++;
    }
}

/* Run until the end, or until `stop`. */
static void world_run_until(px_mono stop)
{
    while (!world.finished) {
        px_mono until = world_pump();
        struct pending *next = NULL;
        while (world.next_event < world.event_count && world.events[world.next_event].cancelled)
            world.next_event++;
        if (world.next_event < world.event_count)
            next = &world.events[world.next_event];
        px_mono at = next && next->at < until ? next->at : until;
        if (world.finished)
            return;
        if (at > stop) {
            world.now = stop;
            return;
        }
        world.now = at;
        if (next && next->at <= at) {
            struct pending p = *next;
            world.next_event++;
            world_answer(&p);
        }
    }
}

static double elapsed_ms(void)
{
    return (double)(world.now - 1000 * PX_SEC) / PX_MS;
}

static const struct script ok = {.stage = PX_STAGE_KEX, .code = PX_CODE_OK, .after_ms = 40};
static const struct script refused = {
    .stage = PX_STAGE_TCP, .code = PX_CODE_REFUSED, .after_ms = 2};
static const struct script silent = {
    .stage = PX_STAGE_TCP, .code = PX_CODE_NO_ANSWER, .after_ms = 4500};
static const struct script mute = {.after_ms = -1};

TestSuite(run, .fini = world_free);

Test(run, all_ok_ends_with_the_last_answer)
{
    world_init(report_of("ssh://192.0.2.1", 4), 0);
    world_script(0, 4, ok);
    world_run_until(INT64_MAX);
    cr_expect_float_eq(elapsed_ms(), 40, 0.001);
    cr_expect_eq(world.sent, 4);
    cr_expect_eq(world.published, 0);
    cr_expect_eq(world.judged, 1);
    cr_expect(run_report(world.run)->finished);
    cr_expect_eq(run_report(world.run)->rounds, 1);
    cr_expect_eq(run_report(world.run)->observation_count, 4);
    cr_expect_float_eq(run_report(world.run)->took_ms, 40, 0.001);
}

Test(run, refused_is_published_at_once_and_confirmed_a_second_later)
{
    world_init(report_of("ssh://192.0.2.1", 5), 0);
    world_script(0, 5, refused);
    world_run_until(INT64_MAX);
    cr_expect_eq(world.published, 1);
    cr_expect_eq(world.published_at - 1000 * PX_SEC, 2 * PX_MS);
    cr_expect_leq(elapsed_ms(), 1200);
    cr_expect_geq(elapsed_ms(), 1000);
    cr_expect_eq(world.sent, 10);
    for (size_t i = 0; i < 5; i++) {
        cr_expect_geq(world.sent_at[i][2] - world.sent_at[i][1], PX_SEC);
        cr_expect_eq(world.jobs[i][2].repeats, 2);
    }
    cr_expect_eq(run_report(world.run)->rounds, 2);
}

Test(run, silence_ends_soon_after_the_second_look)
{
    world_init(report_of("ssh://192.0.2.1", 3), 0);
    world_script(0, 3, silent);
    world_run_until(INT64_MAX);
    cr_expect_eq(world.published, 1);
    cr_expect_leq(elapsed_ms(), 10000);
    cr_expect_eq(world.published_at - 1000 * PX_SEC, 4500 * PX_MS);
    cr_expect_eq(world.sent_at[0][2] - world.published_at, 0, "nothing waits for a timer");
}

Test(run, mixed_second_look_asks_everyone)
{
    world_init(report_of("ssh://192.0.2.1", 4), 0);
    world_script(0, 4, ok);
    world.scripts[2] = silent;
    world_run_until(INT64_MAX);
    cr_expect_eq(world.sent, 8);
    cr_expect_eq(world.jobs[2][2].repeats, 2);
    cr_expect_eq(world.jobs[0][2].repeats, 1);
    cr_expect_not(world.jobs[0][2].ladder);
    cr_expect(world.jobs[0][2].sides & PX_SIDE_TRACE);
}

Test(run, twelve_vantages_five_handshakes)
{
    world_init(report_of("ssh://192.0.2.1", 12), 0);
    world_script(
        0, 12,
        (struct script){.stage = PX_STAGE_KEX, .code = PX_CODE_OK, .after_ms = 40, .plain_ms = 1});
    world_run_until(INT64_MAX);
    cr_expect_eq(world.shaking_max, 5);
    cr_expect_eq(world.sent, 12 + 7, "seven looked first");
    cr_expect_eq(world.cancels, 0);
    cr_expect_eq(run_report(world.run)->rounds, 1);
    cr_expect_leq(elapsed_ms(), 260);
    size_t deep = 0;
    for (size_t i = 0; i < run_report(world.run)->observation_count; i++)
        deep += run_report(world.run)->observations[i].stage == PX_STAGE_KEX;
    cr_expect_eq(deep, 12, "everyone shook hands in the end");
}

Test(run, first_handshakes_go_to_different_networks)
{
    struct px_report *r = report_of("ssh://192.0.2.1", 12);
    for (size_t i = 0; i < 12; i++) { /* v0..v7 share one network */
        char source[32];
        snprintf(source, sizeof source, "10.%zu.%zu.1", i < 8 ? (size_t)7 : 20 + i, i);
        cr_assert(px_addr_parse(source, &r->vantages[i].seen_as));
    }
    world_init(r, 0);
    world_script(0, 12, ok);
    world_pump();
    for (size_t i = 0; i < 12; i++)
        cr_expect_eq(plan_job_shakes_hands(&world.jobs[i][1]), i == 0 || i >= 8, "v%zu", i);
}

Test(run, plain_looks_are_spread_over_200_ms)
{
    world_init(report_of("ssh://192.0.2.1", 12), 0);
    world_script(0, 12, ok);
    world_pump();
    uint32_t last = 0;
    for (size_t i = 0; i < 12; i++) {
        cr_expect_leq(world.jobs[i][1].start_in_ms, 200);
        last = world.jobs[i][1].start_in_ms > last ? world.jobs[i][1].start_in_ms : last;
    }
    cr_expect_geq(last, 100);
    cr_expect_eq(world.jobs[0][1].start_in_ms, 0);
}

Test(run, refused_l1_needs_no_handshake)
{
    world_init(report_of("ssh://192.0.2.1", 12), 0);
    world_script(0, 12, refused);
    world_run_until(INT64_MAX);
    cr_expect_eq(world.sent, 24);
    cr_expect_leq(elapsed_ms(), 1600);
    for (size_t i = 0; i < 12; i++)
        cr_expect_geq(world.sent_at[i][2] - world.sent_at[i][1], PX_SEC, "v%zu", i);
}

Test(run, connect_only_targets_wait_for_no_handshake)
{
    world_init(report_of("tcp://192.0.2.1:5432", 12), 0);
    world_script(0, 12, (struct script){.stage = PX_STAGE_TCP, .code = PX_CODE_OK, .after_ms = 3});
    world_run_until(INT64_MAX);
    cr_expect_eq(world.sent, 12);
    cr_expect_eq(world.shaking_max, 0);
    cr_expect_leq(elapsed_ms(), 203);
}

Test(run, places_taken_by_others_are_respected)
{
    world_init(report_of("ssh://192.0.2.1", 3), 0);
    world_script(0, 3, ok);
    run_set_handshakes(world.run, 0);
    world_run_until(1000 * PX_SEC + 500 * PX_MS);
    cr_expect_eq(world.shaking_max, 0);
    cr_expect_eq(run_handshakes_waiting(world.run), 3);
    cr_expect_str_eq(run_state_name(world.run), "asking");
    run_set_handshakes(world.run, 1);
    world_run_until(INT64_MAX);
    cr_expect_eq(world.shaking_max, 1);
    cr_expect_eq(run_report(world.run)->notes.n, 0);
    cr_expect_float_eq(elapsed_ms(), 500 + 3 * 40, 0.001);
}

Test(run, handshakes_that_never_come_are_said)
{
    world_init(report_of("ssh://192.0.2.1", 3), 4000);
    world_script(0, 3, ok);
    run_set_handshakes(world.run, 0);
    world_run_until(INT64_MAX);
    cr_expect_leq(elapsed_ms(), 2001);
    cr_expect_eq(run_report(world.run)->notes.n, 1);
    for (size_t i = 0; i < 3; i++)
        cr_expect(run_report(world.run)->observations[i].limited &&
                  run_report(world.run)->observations[i].depth == PX_STAGE_KEX);
}

Test(run, common_start_makes_up_for_delay)
{
    world_init(report_of("ssh://192.0.2.1", 3), 0);
    world_script(0, 3, ok);
    run_set_delay(world.run, 1, 80);
    run_set_delay(world.run, 2, 30);
    world_pump();
    cr_expect_eq(world.jobs[0][1].start_in_ms, 80);
    cr_expect_eq(world.jobs[1][1].start_in_ms, 0);
    cr_expect_eq(world.jobs[2][1].start_in_ms, 50);
    world_free();
    world_init(report_of("ssh://192.0.2.1", 2), 0);
    world_script(0, 2, ok);
    run_set_delay(world.run, 1, 60000);
    world_pump();
    cr_expect_eq(world.jobs[0][1].start_in_ms, RUN_DELAY_MAX_MS);
}

Test(run, no_vantage_present_ends_at_once)
{
    struct px_report *r = report_of("ssh://192.0.2.1", 2);
    r->vantages[0].presence = r->vantages[1].presence = PX_AWAY;
    world_init(r, 0);
    world_pump();
    cr_expect(world.finished);
    cr_expect_eq(world.sent, 0);
    cr_expect_eq(world.judged, 1);
    cr_expect_eq(run_report(world.run)->verdict.status, PX_STATUS_INCONCLUSIVE);
}

Test(run, away_vantages_are_not_asked)
{
    struct px_report *r = report_of("ssh://192.0.2.1", 3);
    r->vantages[1].presence = PX_AWAY;
    world_init(r, 0);
    world_script(0, 3, ok);
    world_run_until(INT64_MAX);
    cr_expect_eq(world.sent, 2);
    cr_expect_eq(run_expected(world.run), 2);
}

Test(run, duplicates_are_ignored)
{
    world_init(report_of("ssh://192.0.2.1", 3), 0);
    struct script s = refused;
    s.twice = true;
    world_script(0, 3, s);
    world_run_until(INT64_MAX);
    cr_expect_eq(world.taken, 6);
    cr_expect_geq(world.ignored, 3);
    cr_expect_eq(run_report(world.run)->observation_count, 6);
}

Test(run, foreign_observations_are_ignored)
{
    world_init(report_of("ssh://192.0.2.1", 2), 0);
    world_script(0, 2, ok);
    world_pump();
    struct px_observation o = answer_of(&world.events[0]);
    o.job_id ^= 1;
    cr_expect_not(run_on_observation(world.run, 0, &o, world.now), "another job");
    cr_expect_not(run_asked(world.run, 0, o.job_id));
    o = answer_of(&world.events[0]);
    strcpy(o.run_id, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    cr_expect_not(run_on_observation(world.run, 0, &o, world.now), "another run");
    o = answer_of(&world.events[0]);
    cr_expect_not(run_on_observation(world.run, 1, &o, world.now), "another vantage");
    cr_expect_not(run_on_observation(world.run, 7, &o, world.now), "no such vantage");
    cr_expect(run_asked(world.run, 0, o.job_id));
    cr_expect_not(run_asked(world.run, 1, o.job_id));
    cr_expect(run_on_observation(world.run, 0, &o, world.now));
    cr_expect_not(run_on_observation(world.run, 0, &o, world.now), "twice");
}

Test(run, observations_of_an_earlier_round_are_late)
{
    world_init(report_of("ssh://192.0.2.1", 2), 0);
    world_script(0, 2, refused);
    world_pump();
    struct pending first = world.events[0];
    world_run_until(1000 * PX_SEC + 1012 * PX_MS - 1);
    cr_assert_eq(run_round(world.run), 2);
    struct px_observation o = answer_of(&first);
    cr_expect_not(run_on_observation(world.run, first.vantage, &o, world.now));
    cr_expect(run_asked(world.run, first.vantage, o.job_id), "late, not forged");
}

Test(run, gone_vantage_is_away_at_once)
{
    world_init(report_of("ssh://192.0.2.1", 3), 0);
    world_script(0, 3, ok);
    world.scripts[1] = mute;
    world_run_until(1000 * PX_SEC + 100 * PX_MS);
    cr_assert_not(world.finished);
    run_on_vantage_gone(world.run, 1, world.now);
    world_pump();
    cr_expect(world.finished, "nothing else was missing");
    cr_expect_eq(run_report(world.run)->vantages[1].presence, PX_AWAY);
    cr_expect_float_eq(elapsed_ms(), 100, 0.001);
}

Test(run, gone_in_the_pause_leaves_nobody_to_ask)
{
    world_init(report_of("ssh://192.0.2.1", 1), 0);
    world_script(0, 1, refused);
    world_run_until(1000 * PX_SEC + 500 * PX_MS);
    cr_assert_eq(world.published, 1);
    run_on_vantage_gone(world.run, 0, world.now);
    world_pump();
    cr_expect(world.finished);
    cr_expect_eq(run_report(world.run)->rounds, 1);
}

Test(run, handshake_of_a_gone_vantage_is_free_again)
{
    world_init(report_of("ssh://192.0.2.1", 6), 0);
    world_script(0, 5, mute);
    world.scripts[5] = ok;
    world.scripts[5].plain_ms = 1;
    world_run_until(1000 * PX_SEC + 300 * PX_MS);
    cr_assert_eq(run_handshakes_waiting(world.run), 1);
    run_on_vantage_gone(world.run, 3, world.now);
    world_pump();
    cr_expect_eq(run_handshakes_waiting(world.run), 0);
    cr_expect(plan_job_shakes_hands(&world.jobs[5][1]));
}

Test(run, unheard_vantage_is_given_up_after_its_deadline)
{
    world_init(report_of("tcp://192.0.2.1:99", 2), 0);
    world.scripts[0] = (struct script){.stage = PX_STAGE_TCP, .code = PX_CODE_OK, .after_ms = 1};
    world.scripts[1] = mute;
    world_run_until(INT64_MAX);
    cr_expect_eq(world.cancels, 1);
    cr_expect_float_eq(elapsed_ms(), 5000 + RUN_GRACE_MS, 0.001);
    cr_expect_eq(run_report(world.run)->vantages[1].presence, PX_PRESENT);
    cr_expect_eq(run_reported(world.run), 1);
    cr_expect_eq(run_expected(world.run), 2);
}

Test(run, the_whole_run_has_an_end)
{
    world_init(report_of("ssh://192.0.2.1", 2), 2000);
    world.scripts[0] = ok;
    world.scripts[1] = mute;
    world_run_until(INT64_MAX);
    cr_expect_float_eq(elapsed_ms(), 2000, 0.001);
    cr_expect_eq(world.cancels, 1);
    cr_expect(run_report(world.run)->finished);
    cr_expect_eq(world.judged, 1);
}

Test(run, a_short_limit_leaves_out_the_second_look_and_says_so)
{
    world_init(report_of("ssh://192.0.2.1", 2), 5000);
    world_script(0, 2, silent);
    world_run_until(INT64_MAX);
    cr_expect_eq(run_report(world.run)->rounds, 1);
    cr_assert_eq(run_report(world.run)->notes.n, 1);
    cr_expect(strstr(run_report(world.run)->notes.v[0], "5s"), "%s",
              run_report(world.run)->notes.v[0]);
    cr_expect_leq(elapsed_ms(), 5000);
}

Test(run, one_round_if_only_one_is_wished)
{
    struct px_report *r = report_of("ssh://192.0.2.1", 2);
    struct plan_wish wish;
    plan_wish_default(&wish);
    wish.rounds_max = 1;
    memset(&world, 0, sizeof world);
    world.now = 1000 * PX_SEC;
    world.run = run_new(r, &wish, judge, world.now);
    world_script(0, 2, refused);
    world_run_until(INT64_MAX);
    cr_expect_eq(run_report(world.run)->rounds, 1);
    cr_expect_eq(world.published, 0);
}

Test(run, further_rounds_are_plain_and_15_s_apart)
{
    struct px_report *r = report_of("ssh://192.0.2.1", 2);
    struct plan_wish wish;
    plan_wish_default(&wish);
    wish.rounds_max = 3;
    wish.timeout_ms = 30000;
    memset(&world, 0, sizeof world);
    world.now = 1000 * PX_SEC;
    world.run = run_new(r, &wish, judge, world.now);
    world_script(0, 2, refused);
    world_run_until(INT64_MAX);
    cr_expect_eq(run_report(world.run)->rounds, 3);
    cr_expect_eq(world.published, 2);
    cr_expect_geq(elapsed_ms(), 16000);
}

Test(run, cancel_stops_everything_and_finishes)
{
    world_init(report_of("ssh://192.0.2.1", 3), 0);
    world_script(0, 3, mute);
    world.scripts[0] = ok;
    world_run_until(1000 * PX_SEC + 100 * PX_MS);
    run_on_cancel(world.run, world.now);
    world_pump();
    cr_expect(world.finished);
    cr_expect_eq(world.cancels, 2);
    cr_expect_not(run_report(world.run)->finished);
    cr_expect_eq(world.judged, 0, "no verdict on what was interrupted");
    cr_expect_eq(run_report(world.run)->observation_count, 1);
    struct run_action a;
    run_next(world.run, world.now, &a);
    cr_expect_eq(a.kind, RUN_FINISH);
}

Test(run, cancel_before_the_first_step)
{
    world_init(report_of("ssh://192.0.2.1", 3), 0);
    run_on_cancel(world.run, world.now);
    world_pump();
    cr_expect(world.finished);
    cr_expect_eq(world.sent, 0);
}

Test(run, second_look_that_recovers_is_kept)
{
    world_init(report_of("ssh://192.0.2.1", 2), 0);
    struct script s = refused;
    s.again = PX_CODE_OK;
    world_script(0, 2, s);
    world_run_until(INT64_MAX);
    cr_expect_eq(run_report(world.run)->observation_count, 4);
    cr_expect_eq(run_report(world.run)->verdict.status, PX_STATUS_PARTIAL);
}

Test(run, spokesman_waits_for_a_place_or_looks_plainly)
{
    world_init(report_of("ssh://192.0.2.1", 2), 0);
    world_script(
        0, 2,
        (struct script){.stage = PX_STAGE_BANNER, .code = PX_CODE_CLOSED_EARLY, .after_ms = 3});
    world_run_until(1000 * PX_SEC + 500 * PX_MS);
    run_set_handshakes(world.run, 0);
    world_run_until(INT64_MAX);
    cr_expect(world.finished);
    cr_expect_eq(run_report(world.run)->observation_count, 4);
    cr_expect_not(plan_job_shakes_hands(&world.jobs[0][2]));
    cr_expect_eq(run_report(world.run)->notes.n, 0);
}

Test(run, thousand_vantages)
{
    world_init(report_of("ssh://192.0.2.1", VANTAGES_MANY), 0);
    world_script(
        0, VANTAGES_MANY,
        (struct script){.stage = PX_STAGE_KEX, .code = PX_CODE_OK, .after_ms = 30, .plain_ms = 2});
    px_mono before = px_mono_now();
    world_run_until(INT64_MAX);
    cr_expect_lt(px_mono_now() - before, 2 * PX_SEC);
    cr_expect(world.finished);
    cr_expect_eq(world.shaking_max, 5);
    cr_expect_leq(elapsed_ms(), 20000);
    cr_expect_eq(run_reported(world.run), VANTAGES_MANY);
}

/* Every event in every moment: nothing breaks, every run ends, once. */
Test(run, random_worlds_always_end)
{
    uint64_t seed = 88172645463325252u;
    for (int n = 0; n < 300; n++) {
        static const enum px_code codes[] = {PX_CODE_OK,       PX_CODE_REFUSED,
                                             PX_CODE_REJECTED, PX_CODE_NO_ANSWER,
                                             PX_CODE_LIMITED,  PX_CODE_NO_OWN_ROUTE};
        world_init(report_of("ssh://192.0.2.1", 1 + n % 14), 6000);
        for (size_t i = 0; i < 14; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            world.scripts[i] = (struct script){.stage = PX_STAGE_TCP,
                                               .code = codes[seed % 6],
                                               .after_ms = (int64_t)(seed >> 8) % 5000 - 200,
                                               .twice = (seed >> 40) & 1};
            if (world.scripts[i].after_ms == 0)
                world.scripts[i].after_ms = 1;
        }
        while (!world.finished) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            world_run_until(world.now + (px_mono)(seed % 2000) * PX_MS);
            if ((seed >> 20) % 5 == 0)
                run_on_vantage_gone(world.run, (seed >> 30) % 16, world.now);
            if ((seed >> 24) % 40 == 0)
                run_on_cancel(world.run, world.now);
            run_set_handshakes(world.run, (seed >> 50) % 6);
        }
        cr_assert_leq(elapsed_ms(), 6001 + 2000);
        cr_assert_leq(world.judged, 3);
        world_free();
    }
}
