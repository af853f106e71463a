/* SPDX-License-Identifier: MIT */
/* Building verdicts and string lists, and giving everything back. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/observation.h"
#include "common/verdict.h"

Test(strs, own_copies_in_order)
{
    struct px_strs list = {0};
    char text[] = "fra1";
    px_strs_add(&list, text);
    text[0] = 'X';
    px_strs_addf(&list, "%s-%d", "hel", 1);
    cr_assert_eq(list.n, 2);
    cr_assert_str_eq(list.v[0], "fra1");
    cr_assert_str_eq(list.v[1], "hel-1");
    cr_assert(px_strs_has(&list, "hel-1"));
    cr_assert_not(px_strs_has(&list, "hel"));
    px_strs_clear(&list);
    cr_assert_eq(list.n, 0);
    cr_assert_null(list.v);
    cr_assert_not(px_strs_has(&list, "fra1"));
}

Test(strs, may_be_given_their_own_element)
{
    struct px_strs list = {0};
    px_strs_add(&list, "a");
    for (int i = 0; i < 100; i++)
        px_strs_add(&list, list.v[0]);
    cr_assert_eq(list.n, 101);
    cr_assert_str_eq(list.v[100], "a");
    px_strs_clear(&list);
}

Test(verdict, is_built_piece_by_piece)
{
    struct px_verdict v = {0};
    for (int i = 0; i < 3; i++) {
        struct px_finding *f = px_verdict_add_finding(&v);
        cr_assert_eq(f, &v.findings[i]);
        cr_assert_eq(f->evidence_count, 0);
        cr_assert_null(f->summary);
        struct px_evidence *e = px_finding_add_evidence(f, "others-ok");
        px_strs_add(&e->vantages, "fra1");
        e->text = strdup("5 of 6");
        px_finding_add_evidence(f, "second");
        cr_assert_str_eq(f->evidence[0].id, "others-ok");
        cr_assert_null(f->evidence[1].text);
        px_finding_add_ruled_out(f, PX_CAUSE_HOST_DOWN, "five are served");
        px_finding_add_alternative(f, PX_CAUSE_SOURCE_FILTERED, 0.02);
        px_finding_add_step(f, "host", "sudo nft list ruleset", "shows the rule");
        px_finding_add_step(f, "here", NULL, NULL);
        f->deciding.kind = strdup("control");
        px_strs_add(&f->deciding.from, "fra1");
    }
    cr_assert_eq(v.finding_count, 3);
    const struct px_finding *f = &v.findings[1];
    cr_assert_eq(f->ruled_out[0].cause, PX_CAUSE_HOST_DOWN);
    cr_assert_str_eq(f->ruled_out[0].because, "five are served");
    cr_assert_eq(f->alternatives[0].scope, PX_SCOPE_SOURCE, "the scope comes with the cause");
    cr_assert_float_eq(f->alternatives[0].probability, 0.02, 1e-12);
    cr_assert_eq(f->step_count, 2);
    cr_assert_str_eq(f->steps[0].where, "host");
    cr_assert_null(f->steps[1].run);
    px_verdict_clear(&v);
    cr_assert_eq(v.finding_count, 0);
    cr_assert_null(v.findings);
    px_verdict_clear(&v);
}

Test(observation, starts_unknown)
{
    struct px_observation o;
    memset(&o, 0xa5, sizeof(o));
    px_observation_init(&o);
    cr_assert_eq(o.code, PX_CODE_UNKNOWN);
    cr_assert_eq(o.stage, PX_STAGE_NONE);
    cr_assert_eq(o.source.family, 0);
    cr_assert_lt(o.took_ms, 0);
    cr_assert_lt(o.lag_ms, 0);
    cr_assert_lt(o.echo.ms, 0);
    cr_assert_not(o.echo.ran);
    cr_assert_not(o.trace.ran);
    for (int i = 0; i < PX_STAGE_COUNT; i++)
        cr_assert_lt(o.ms[i], 0);
    for (int i = 0; i <= PX_REPEATS_MAX; i++)
        cr_assert(o.attempts[i].ms < 0 && o.attempts[i].rtt_ms < 0);
    for (int i = 0; i < PX_CONTROLS_MAX; i++)
        cr_assert(o.controls[i].ms < 0 && o.controls[i].code == PX_CODE_UNKNOWN);
    for (int i = 0; i < PX_HOPS_MAX; i++)
        cr_assert_lt(o.trace.hops[i].ms, 0);
    cr_assert_str_eq(o.banner, "");
}
