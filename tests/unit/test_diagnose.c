/* SPDX-License-Identifier: MIT */
/* The judge's rules, by number (docs/verdicts.md), and every cause: what is it, what only looks like
 * it, and what cannot be told. Lines are explained in world.h. */
#include "tests/unit/world.h"

struct scenario {
    unsigned rule; /* the numbered rule it shows; 0 = a cause */
    const char *name, *target;
    /* "status; cause certainty/scope-certainty affected,..; .."; * = any, <likely = at most likely */
    const char *expect;
    const char *lines[16];
};

#define T "ssh://203.0.113.10"
#define N "ssh://bastion.example.net"

/* A mesh of five in four networks; fra1 and fra2 share a /24. Their paths meet at .1 of the edge. */
#define HERE "here 192.0.2.44 network=office "
#define VPN1 "vpn1 192.0.2.200 network=office "
#define FRA1 "fra1 198.51.100.7 asn=64496 "
#define FRA2 "fra2 198.51.100.20 asn=64496 "
#define IAD1 "iad1 100.20.3.61 asn=64497 "
#define SFO1 "sfo1 100.30.7.77 asn=64498 "
#define EDGE "203.0.113.1"
#define VIA_OFFICE "trace=192.0.2.1,192.0.2.254,"
#define VIA_FRA "trace=198.51.100.1,198.51.100.254,"
#define VIA_IAD "trace=100.20.3.1,100.20.0.1,"
#define VIA_SFO "trace=100.30.7.1,100.30.0.1,"
#define ALIVE "echo+ ctl+ "
#define DEAD "echo- ctl- "

static const struct scenario scenarios[] = {
#include "tests/unit/scenarios.def"
};

/* ---- comparison ---- */

static bool certainty_fits(const char *want, enum px_certainty got)
{
    if (strcmp(want, "*") == 0)
        return true;
    if (want[0] == '<')
        return (int)got <= px_certainty_parse(want + 1);
    return px_certainty_parse(want) == (int)got;
}

static bool finding_fits(char *want, const struct px_finding *f)
{
    char names[2048], *save = NULL;
    const char *cause = strtok_r(want, " ", &save), *sure = strtok_r(NULL, " ", &save),
               *who = strtok_r(NULL, " ", &save);
    char *scope_sure = strchr(sure, '/');
    if (scope_sure)
        *scope_sure++ = '\0';
    return (strcmp(cause, "*") == 0 || strcmp(cause, px_cause_name(f->cause)) == 0) &&
           certainty_fits(sure, f->certainty) &&
           certainty_fits(scope_sure ? scope_sure : "*", f->scope_certainty) &&
           (strcmp(who, "*") == 0 ||
            strcmp(who, world_join(&f->affected, names, sizeof names)) == 0);
}

static bool verdict_fits(const char *expect, const struct px_verdict *v)
{
    char copy[2048], *save = NULL;
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", expect);
    char *part = strtok_r(copy, ";", &save);
    if (strcmp(part, "*") != 0 && strcmp(part, px_status_name(v->status)) != 0)
        return false;
    while ((part = strtok_r(NULL, ";", &save))) {
        if (n >= v->finding_count || !finding_fits(part, &v->findings[n]))
            return false;
        n++;
    }
    return n == v->finding_count;
}

Test(diagnose, scenarios)
{
    unsigned wrong = 0, with_rule = 0;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        struct px_report r;
        world_make(&r, s->target, s->lines);
        diagnose(&r);
        char *text = world_text(&r);
        if (!verdict_fits(s->expect, &r.verdict)) {
            wrong++;
            cr_log_error("%s: expected %s, got\n%s", s->name, s->expect, text);
        } else if (getenv("SHOW")) {
            fprintf(stderr, "== %s\n%s", s->name, text);
        }
        with_rule += s->rule > 0;
        free(text);
        px_report_clear(&r);
    }
    cr_expect_eq(wrong, 0, "%u of %zu scenarios are judged wrongly", wrong,
                 sizeof scenarios / sizeof *scenarios);
    cr_expect(with_rule >= 19, "every rule is shown at least once");
}
