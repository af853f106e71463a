/* SPDX-License-Identifier: MIT */
/* Puts next steps under headings that say where to type them. Invents no step of its own but the
 * way to a second vantage. */
#include "cli/out_next.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static bool anybody_works(const struct px_report *r)
{
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (px_code_kind(o->code) == PX_KIND_OK && o->stage >= PX_STAGE_BANNER)
            return true;
    }
    return false;
}

/* The line above the steps for one place. Heap; NULL = none. */
static char *place_words(const char *where, const struct px_report *r)
{
    if (!where || !*where || strcmp(where, "here") == 0)
        return NULL;
    if (strcmp(where, "host") != 0)
        return px_xasprintf(strncmp(where, "vantage", 7) == 0 ? "on %s:" : "for the %s:", where);
    size_t length =
        r->target.literal.family ? strlen(r->target.host) : strcspn(r->target.host, ".");
    if (anybody_works(r))
        return px_xasprintf("on %.*s, from a vantage that works:", (int)length, r->target.host);
    return px_xasprintf("on the console of %.*s (ssh cannot help now):", (int)length,
                        r->target.host);
}

/* The step as it can be typed now: @last and `plx show` only where they mean this run. Heap; NULL =
 * it cannot be done here. */
static char *step_words(const struct px_step *step, const struct px_report *r,
                        const struct out_style *s)
{
    static const char last[] = "plx check @last", show[] = "plx show ";
    const char *run = step->run ? step->run : "";
    if (strcmp(run, last) == 0 && !s->asked_now)
        return px_xasprintf("plx check %s", r->target.url);
    if (strncmp(run, show, strlen(show)) != 0)
        return out_safe(run);
    if (s->id_length == 0)
        return NULL;
    const char *rest = strchr(run + strlen(show), ' ');
    return px_xasprintf("%s%.*s%s", show, s->id_length, r->id, rest ? rest : "");
}

/* One step, below the heading of its place if there is one. */
static void write_step(FILE *f, const struct out_style *s, size_t *lines, const char *heading,
                       const char *run, const char *why)
{
    if (heading)
        out_paragraph(f, s, (*lines)++ ? "" : "NEXT", 0, OUT_PLAIN, heading);
    const char *label = (*lines)++ ? "" : "NEXT";
    if (*run)
        out_command(f, s, label, *label ? 0 : 2, run, why);
    else
        out_paragraph_at(f, s, label, *label ? 0 : 2, OUT_PLAIN, why);
}

void out_next_write_steps(FILE *f, const struct px_report *r, const struct px_finding *finding,
                          const struct out_style *s, size_t *lines)
{
    const char *last = "";
    for (size_t i = 0; i < finding->step_count; i++) {
        const struct px_step *step = &finding->steps[i];
        const char *where = step->where ? step->where : "";
        char *run = step_words(step, r, s), *why = out_safe(step->why);
        char *heading = strcmp(where, last) == 0 ? NULL : place_words(where, r);
        if (run && (*run || *why)) {
            write_step(f, s, lines, heading, run, why);
            last = where;
        }
        free(heading);
        free(run);
        free(why);
    }
}

void out_next_write_alone(FILE *f, const struct px_report *r, const struct out_style *s,
                          size_t *lines)
{
    static const struct {
        enum px_code code;
        const char *mine, *everybody;
    } words[] = {
        {PX_CODE_REJECTED, "my address is banned", "filtered for everybody"},
        {PX_CODE_NO_ANSWER, "only I am cut off", "it is down for everybody"},
        {PX_CODE_REFUSED, "only I am turned away", "the service is down"},
        {PX_CODE_UNREACHABLE, "my way there is broken", "nobody can get there"},
        {PX_CODE_UNKNOWN, "only I am affected", "everybody is"},
    };
    enum px_code code = r->observation_count ? r->observations[0].code : PX_CODE_UNKNOWN;
    size_t i = 0, n = sizeof words / sizeof *words;
    while (i + 1 < n && words[i].code != code)
        i++;
    char *text = px_xasprintf("a second vantage decides between \"%s\" and \"%s\":", words[i].mine,
                              words[i].everybody);
    out_paragraph(f, s, (*lines)++ ? "" : "NEXT", 0, OUT_PLAIN, text);
    free(text);
    out_command(
        f, s, "", 2,
        "plx context add prod TOKEN      if your team has a coordinator (ask for a user token)",
        NULL);
    out_command(f, s, "", 2, "plx explain mesh                how to start one", NULL);
}
