/* SPDX-License-Identifier: MIT */
/* Building and freeing verdicts and the string lists in them. Nothing is judged here. */
#include "common/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

void px_strs_add(struct px_strs *list, const char *s)
{
    char *copy = px_xstrdup(s); /* first: s may live in the list itself */
    list->v = px_xrealloc(list->v, list->n + 1, sizeof(*list->v));
    list->v[list->n++] = copy;
}

void px_strs_addf(struct px_strs *list, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    px_strs_add(list, length < 0 ? "" : text);
    if (length >= 0)
        free(text);
}

int px_strs_has(const struct px_strs *list, const char *s)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->v[i], s) == 0)
            return 1;
    }
    return 0;
}

void px_strs_clear(struct px_strs *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i]);
    free(list->v);
    memset(list, 0, sizeof(*list));
}

/* Room for one more zeroed record at the end of a list; returns the new start. */
static void *list_extend(void *start, size_t n, size_t size)
{
    char *grown = px_xrealloc(start, n + 1, size);
    memset(grown + n * size, 0, size);
    return grown;
}

static char *copy(const char *s)
{
    return s == NULL ? NULL : px_xstrdup(s);
}

struct px_finding *px_verdict_add_finding(struct px_verdict *v)
{
    v->findings = list_extend(v->findings, v->finding_count, sizeof(*v->findings));
    return &v->findings[v->finding_count++];
}

struct px_evidence *px_finding_add_evidence(struct px_finding *f, const char *id)
{
    f->evidence = list_extend(f->evidence, f->evidence_count, sizeof(*f->evidence));
    f->evidence[f->evidence_count].id = copy(id);
    return &f->evidence[f->evidence_count++];
}

void px_finding_add_ruled_out(struct px_finding *f, enum px_cause cause, const char *because)
{
    f->ruled_out = list_extend(f->ruled_out, f->ruled_out_count, sizeof(*f->ruled_out));
    f->ruled_out[f->ruled_out_count++] =
        (struct px_ruled_out){.cause = cause, .because = copy(because)};
}

void px_finding_add_alternative(struct px_finding *f, enum px_cause cause, double probability)
{
    f->alternatives = list_extend(f->alternatives, f->alternative_count, sizeof(*f->alternatives));
    f->alternatives[f->alternative_count++] = (struct px_alternative){
        .scope = px_cause_scope(cause), .cause = cause, .probability = probability};
}

void px_finding_add_step(struct px_finding *f, const char *where, const char *run, const char *why)
{
    f->steps = list_extend(f->steps, f->step_count, sizeof(*f->steps));
    f->steps[f->step_count++] =
        (struct px_step){.where = copy(where), .run = copy(run), .why = copy(why)};
}

static void deciding_clear(struct px_deciding *d)
{
    free(d->kind);
    free(d->needs);
    px_strs_clear(&d->from);
}

static void finding_clear(struct px_finding *f)
{
    for (size_t i = 0; i < f->evidence_count; i++) {
        free(f->evidence[i].id);
        free(f->evidence[i].text);
        px_strs_clear(&f->evidence[i].vantages);
    }
    for (size_t i = 0; i < f->ruled_out_count; i++)
        free(f->ruled_out[i].because);
    for (size_t i = 0; i < f->step_count; i++) {
        free(f->steps[i].where);
        free(f->steps[i].run);
        free(f->steps[i].why);
    }
    free(f->evidence);
    free(f->ruled_out);
    free(f->alternatives);
    free(f->steps);
    free(f->group_attribute);
    free(f->where);
    free(f->summary);
    px_strs_clear(&f->affected);
    px_strs_clear(&f->unaffected);
    px_strs_clear(&f->group_values);
    deciding_clear(&f->deciding);
}

void px_verdict_clear(struct px_verdict *v)
{
    for (size_t i = 0; i < v->finding_count; i++)
        finding_clear(&v->findings[i]);
    free(v->findings);
    free(v->summary);
    memset(v, 0, sizeof(*v));
}
