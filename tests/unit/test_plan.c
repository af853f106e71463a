/* SPDX-License-Identifier: MIT */
/* The plan alone: what each vantage is asked after what was seen. */
#include <criterion/criterion.h>
#include <string.h>

#include "coordinator/plan.h"

static struct px_report report;
static struct plan_wish wish;
static struct px_job job;

static void setup(void)
{
    struct px_err err;
    px_report_init(&report);
    plan_wish_default(&wish);
    cr_assert_eq(px_target_parse("ssh://192.0.2.10", &report.target, &err), 0);
}

static void teardown(void)
{
    px_report_clear(&report);
}

/* One more vantage that saw this. */
static struct px_observation *see(const char *name, enum px_stage stage, enum px_code code)
{
    struct px_observation o;
    px_report_add_vantage(&report, name);
    px_observation_init(&o);
    o.vantage = (uint32_t)report.vantage_count - 1;
    o.round = 1;
    o.stage = stage;
    o.code = code;
    o.took_ms = 5;
    o.address = report.target.literal;
    o.attempt_count = 1;
    o.attempts[0].ms = 4;
    return px_report_add_observation(&report, &o);
}

static void use_target(const char *url)
{
    struct px_err err;
    cr_assert_eq(px_target_parse(url, &report.target, &err), 0, "%s", err.message);
}

TestSuite(plan, .init = setup, .fini = teardown);

Test(plan, depth_follows_scheme_and_wish)
{
    static const struct {
        const char *url;
        enum px_stage wished, got;
    } cases[] = {
        {"ssh://h", PX_STAGE_NONE, PX_STAGE_KEX},      {"ssh://h", PX_STAGE_TCP, PX_STAGE_TCP},
        {"ssh://h", PX_STAGE_BANNER, PX_STAGE_BANNER}, {"ssh://h", PX_STAGE_HOSTKEY, PX_STAGE_KEX},
        {"ssh://h", PX_STAGE_DNS, PX_STAGE_TCP},       {"tcp://h:5", PX_STAGE_NONE, PX_STAGE_TCP},
        {"https://h/", PX_STAGE_NONE, PX_STAGE_TCP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        use_target(cases[i].url);
        wish.depth = cases[i].wished;
        cr_expect_eq(plan_depth(&wish, &report.target), cases[i].got, "%s case %zu", cases[i].url,
                     i);
    }
}

Test(plan, what_cannot_be_done_is_said)
{
    struct px_err err = {0};
    struct px_strs notes = {0};
    wish.depth = PX_STAGE_AUTH;
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), -1);
    cr_expect_str_eq(err.code, "unsupported-depth");
    cr_expect(strstr(err.hint, "kex"), "%s", err.hint);

    use_target("tcp://db:5432");
    wish.depth = PX_STAGE_KEX;
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), -1);
    cr_expect_str_eq(err.code, "unsupported-depth");
    cr_expect(strstr(err.hint, "ssh://db:5432"), "%s", err.hint);

    use_target("icmp://db");
    wish.depth = PX_STAGE_NONE;
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), -1);
    cr_expect_str_eq(err.code, "unsupported-scheme");

    use_target("tcp://db:5432");
    wish.timeout_ms = 0;
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), -1);
    cr_expect_str_eq(err.code, "bad-timeout");
    wish.timeout_ms = PLAN_TIMEOUT_MAX_MS + 1;
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), -1);
    cr_expect_str_eq(err.code, "bad-timeout");
    plan_wish_default(&wish);
    wish.rounds_max = PLAN_ROUNDS_MAX + 1;
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), -1);
    cr_expect_str_eq(err.code, "bad-rounds");
    cr_expect_eq(notes.n, 0);
}

Test(plan, tls_and_http_are_honest)
{
    struct px_err err = {0};
    struct px_strs notes = {0};
    use_target("https://www/");
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), 0);
    cr_assert_eq(notes.n, 1);
    cr_expect_str_eq(notes.v[0],
                     "checked up to the TCP connection; TLS and HTTP are not checked yet");
    px_strs_clear(&notes);
    use_target("tcp://www:1");
    cr_expect_eq(plan_wish_check(&wish, &report.target, &notes, &err), 0);
    cr_expect_eq(notes.n, 0);
}

Test(plan, first_look_climbs_with_sides_on_silence)
{
    px_report_add_vantage(&report, "a");
    cr_assert(plan_job(&report, &wish, 1, 0, &job));
    cr_expect(job.ladder);
    cr_expect_eq(job.depth, PX_STAGE_KEX);
    cr_expect_eq(job.repeats, 0);
    cr_expect_eq(job.sides, 0);
    cr_expect_eq(job.sides_if_silent,
                 PX_SIDE_ECHO | PX_SIDE_CONTROL | PX_SIDE_TRACE | PX_SIDE_REFERENCE);
    cr_expect(px_addr_equal(&job.address, &report.target.literal));
    cr_expect_eq(job.timeout_ms, 4500 + 8000 + 8000 + 500);
    cr_expect(plan_job_shakes_hands(&job));
    plan_job_shorten(&job);
    cr_expect_eq(job.depth, PX_STAGE_TCP);
    cr_expect_eq(job.timeout_ms, 5000);
    cr_expect_not(plan_job_shakes_hands(&job));
}

Test(plan, names_get_time_to_resolve)
{
    use_target("tcp://db:5432");
    px_report_add_vantage(&report, "a");
    cr_assert(plan_job(&report, &wish, 1, 0, &job));
    cr_expect_eq(job.address.family, 0);
    cr_expect_eq(job.timeout_ms, 4000 + 4500 + 500);
}

Test(plan, control_ports_differ_from_the_target)
{
    px_report_add_vantage(&report, "a");
    cr_assert(plan_job(&report, &wish, 1, 0, &job));
    cr_expect_eq(job.control_count, 2);
    cr_expect_eq(job.control_ports[0], 443);
    use_target("https://www/");
    cr_assert(plan_job(&report, &wish, 1, 0, &job));
    cr_expect_eq(job.control_ports[0], 80);
    uint16_t high = job.control_ports[1];
    report.target.port = high;
    cr_assert(plan_job(&report, &wish, 1, 0, &job));
    cr_expect_neq(job.control_ports[1], high);
}

Test(plan, all_ok_needs_no_second_look)
{
    struct plan_facts f;
    see("a", PX_STAGE_KEX, PX_CODE_OK);
    see("b", PX_STAGE_KEX, PX_CODE_SLOW);
    plan_facts_init(&f, &report, 2);
    cr_expect_not(f.wanted);
    plan_facts_clear(&f);
}

Test(plan, a_vantage_that_may_not_look_is_no_reason_for_a_second_one)
{
    static const enum px_code codes[] = {PX_CODE_LIMITED, PX_CODE_POLICY,        PX_CODE_UNABLE,
                                         PX_CODE_AWAY,    PX_CODE_NO_PERMISSION, PX_CODE_EXHAUSTED};
    struct plan_facts f;
    see("a", PX_STAGE_KEX, PX_CODE_OK);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        see("x", PX_STAGE_TCP, codes[i]);
    plan_facts_init(&f, &report, 2);
    cr_expect_not(f.wanted);
    for (size_t i = 1; i < report.vantage_count; i++)
        cr_expect_not(plan_job_from(&report, &wish, &f, i, &job), "%zu", i);
    plan_facts_clear(&f);
}

Test(plan, refused_looks_twice_more_and_quickly)
{
    see("a", PX_STAGE_TCP, PX_CODE_REFUSED);
    see("b", PX_STAGE_KEX, PX_CODE_OK);
    cr_assert(plan_job(&report, &wish, 2, 0, &job));
    cr_expect_not(job.ladder);
    cr_expect_eq(job.repeats, 2);
    cr_expect_eq(job.sides, PX_SIDE_ECHO | PX_SIDE_CONTROL | PX_SIDE_REFERENCE);
    cr_expect_leq(job.timeout_ms, 500);
    cr_expect(px_addr_equal(&job.address, &report.target.literal));
    cr_assert(plan_job(&report, &wish, 2, 1, &job));
    cr_expect_eq(job.repeats, 1);
    cr_expect_eq(job.sides, PX_SIDE_ECHO | PX_SIDE_CONTROL);
}

Test(plan, silence_wants_traces_everywhere_and_full_time)
{
    see("a", PX_STAGE_TCP, PX_CODE_NO_ANSWER)->attempts[0].ms = 4500;
    see("b", PX_STAGE_KEX, PX_CODE_OK);
    cr_assert(plan_job(&report, &wish, 2, 0, &job));
    cr_expect_eq(job.repeats, 2);
    cr_expect(job.sides & PX_SIDE_TRACE);
    cr_expect_eq(job.timeout_ms, 5000);
    cr_assert(plan_job(&report, &wish, 2, 1, &job));
    cr_expect(job.sides & PX_SIDE_TRACE);
    cr_expect_eq(job.timeout_ms, 5000);
}

Test(plan, reject_by_the_target_needs_no_trace_but_by_a_router_does)
{
    struct px_observation *o = see("a", PX_STAGE_TCP, PX_CODE_REJECTED);
    o->icmp.from = report.target.literal;
    cr_assert(plan_job(&report, &wish, 2, 0, &job));
    cr_expect_not(job.sides & PX_SIDE_TRACE);
    cr_expect_leq(job.timeout_ms, 500);
    cr_assert(px_addr_parse("198.51.100.1", &report.observations[0].icmp.from));
    cr_assert(plan_job(&report, &wish, 2, 0, &job));
    cr_expect(job.sides & PX_SIDE_TRACE);
}

Test(plan, one_spokesman_per_signature_shakes_hands_again)
{
    see("a", PX_STAGE_BANNER, PX_CODE_CLOSED_EARLY);
    see("b", PX_STAGE_BANNER, PX_CODE_CLOSED_EARLY);
    see("c", PX_STAGE_KEX, PX_CODE_KEX_RESET);
    see("d", PX_STAGE_BANNER, PX_CODE_CLOSED_EARLY);
    bool ladder[4];
    for (size_t i = 0; i < 4; i++) {
        cr_assert(plan_job(&report, &wish, 2, i, &job));
        ladder[i] = job.ladder;
        cr_expect_eq(job.repeats, 1);
        cr_expect_eq(plan_job_shakes_hands(&job), job.ladder);
    }
    cr_expect(ladder[0] && !ladder[1] && ladder[2] && !ladder[3]);
}

Test(plan, nobody_waits_through_a_slow_failure_twice)
{
    see("a", PX_STAGE_BANNER, PX_CODE_SILENT)->took_ms = 9500;
    see("b", PX_STAGE_BANNER, PX_CODE_SILENT)->took_ms = 9500;
    for (size_t i = 0; i < 2; i++) {
        cr_assert(plan_job(&report, &wish, 2, i, &job));
        cr_expect_not(job.ladder);
        cr_expect_eq(job.repeats, 1);
    }
    see("c", PX_STAGE_BANNER, PX_CODE_CLOSED_EARLY)->took_ms = 5010;
    cr_assert(plan_job(&report, &wish, 2, 2, &job));
    cr_expect(job.ladder, "five seconds to an end are a finding worth a second look");
}

Test(plan, a_spokesman_that_is_gone_is_replaced)
{
    see("a", PX_STAGE_BANNER, PX_CODE_SILENT);
    see("b", PX_STAGE_BANNER, PX_CODE_SILENT);
    report.vantages[0].presence = PX_AWAY;
    cr_expect_not(plan_job(&report, &wish, 2, 0, &job));
    cr_assert(plan_job(&report, &wish, 2, 1, &job));
    cr_expect(job.ladder);
}

Test(plan, no_address_resolves_again)
{
    use_target("ssh://nowhere");
    struct px_observation *o = see("a", PX_STAGE_DNS, PX_CODE_DNS_NXDOMAIN);
    o->address.family = 0;
    cr_assert(plan_job(&report, &wish, 2, 0, &job));
    cr_expect(job.ladder);
    cr_expect_eq(job.address.family, 0);
    cr_expect_eq(job.repeats, 0);
}

Test(plan, second_look_goes_to_the_address_of_the_first)
{
    use_target("ssh://somewhere");
    struct px_observation *o = see("a", PX_STAGE_TCP, PX_CODE_REFUSED);
    cr_assert(px_addr_parse("198.51.100.9", &o->address));
    cr_assert(plan_job(&report, &wish, 2, 0, &job));
    cr_expect(px_addr_equal(&job.address, &report.observations[0].address));
}

Test(plan, nothing_seen_nothing_asked)
{
    px_report_add_vantage(&report, "a");
    cr_expect_not(plan_job(&report, &wish, 2, 0, &job));
}

Test(plan, own_trouble_is_looked_at_again)
{
    struct plan_facts f;
    see("a", PX_STAGE_TCP, PX_CODE_NO_OWN_ROUTE);
    plan_facts_init(&f, &report, 2);
    cr_expect(f.wanted);
    plan_facts_clear(&f);
    cr_assert(plan_job(&report, &wish, 2, 0, &job));
    cr_expect(job.sides & PX_SIDE_REFERENCE);
    cr_expect_not(job.sides & PX_SIDE_TRACE);
}

Test(plan, looks_per_run_stay_polite)
{
    /* connects to the target's port in two rounds, without the trace: at most three */
    static const struct {
        enum px_stage stage;
        enum px_code code;
    } cases[] = {{PX_STAGE_TCP, PX_CODE_REFUSED},     {PX_STAGE_TCP, PX_CODE_NO_ANSWER},
                 {PX_STAGE_BANNER, PX_CODE_SILENT},   {PX_STAGE_KEX, PX_CODE_KEX_TIMEOUT},
                 {PX_STAGE_TCP, PX_CODE_UNREACHABLE}, {PX_STAGE_KEX, PX_CODE_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        see("v", cases[i].stage, cases[i].code);
    for (size_t i = 0; i < report.vantage_count; i++) {
        uint32_t connects = 0;
        for (uint32_t round = 1; round <= 2; round++) {
            cr_assert(plan_job(&report, &wish, round, i, &job));
            connects += job.ladder + job.repeats;
        }
        cr_expect_leq(connects, 3, "case %zu", i);
    }
}
