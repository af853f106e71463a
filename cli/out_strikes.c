/* SPDX-License-Identifier: MIT */
/* What a run has spent of the politeness budget, in one line. */
#include <stdlib.h>
#include <string.h>

#include "cli/out_verdict.h"
#include "common/text.h"

#define STRIKES_LISTED 4 /* more vantages with the same count are counted, not named */

struct strikes {
    uint32_t used, max;
    int64_t next_ms;
};

static struct strikes strikes_of(const struct px_report *r, size_t vantage)
{
    struct strikes spent = {0, 0, 0};
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (o->vantage == vantage && o->strikes_max > 0)
            spent = (struct strikes){o->strikes_used, o->strikes_max, o->strikes_next_ms};
    }
    return spent;
}

/* "2 of 2, next in 7m"; "" if nothing was spent. Heap. */
static char *strikes_words(struct strikes spent, const char *each)
{
    char wait[PX_DURATION_TEXT];
    if (spent.used == 0)
        return px_xstrdup("");
    if (spent.used >= spent.max && spent.next_ms > 0)
        return px_xasprintf("%u of %u%s, next in %s", spent.used, spent.max, each,
                            px_duration_format(spent.next_ms * PX_MS, wait));
    return px_xasprintf("%u of %u%s", spent.used, spent.max, each);
}

/* "here", "fra1 and hel1", "6 vantages". Heap. */
static char *names_words(const struct px_strs *names)
{
    if (names->n > STRIKES_LISTED)
        return px_xasprintf("%zu vantages", names->n);
    char *line = px_xstrdup(names->v[0]);
    for (size_t i = 1; i < names->n; i++) {
        char *longer =
            px_xasprintf("%s%s%s", line, i + 1 == names->n ? " and " : ", ", names->v[i]);
        free(line);
        line = longer;
    }
    return line;
}

/* Names of the vantages whose strikes read like `words`; *spent = theirs. */
static void strikes_names(const struct px_report *r, const char *words, struct px_strs *names,
                          struct strikes *spent)
{
    for (size_t v = 0; v < r->vantage_count; v++) {
        struct strikes one = strikes_of(r, v);
        char *text = strikes_words(one, "");
        if (strcmp(text, words) == 0) {
            px_strs_add(names, r->vantages[v].name);
            *spent = one;
        }
        free(text);
    }
}

/* The different ways in which strikes read. */
static void strikes_find(const struct px_report *r, struct px_strs *words)
{
    for (size_t v = 0; v < r->vantage_count; v++) {
        char *one = strikes_words(strikes_of(r, v), "");
        if (*one && !px_strs_has(words, one))
            px_strs_add(words, one);
        free(one);
    }
}

/* Vantages that stand alike share an entry. */
char *out_strikes_words(const struct px_report *r)
{
    struct px_strs words = {0};
    char *line = px_xstrdup("");
    strikes_find(r, &words);
    for (size_t i = 0; i < words.n; i++) {
        struct px_strs names = {0};
        struct strikes spent = {0, 0, 0};
        strikes_names(r, words.v[i], &names, &spent);
        char *who = names_words(&names);
        char *what = strikes_words(spent, names.n > 1 ? " each" : "");
        char *longer = px_xasprintf("%s%s%s %s", line, i ? "; " : "", who, what);
        free(who);
        free(what);
        free(line);
        line = longer;
        px_strs_clear(&names);
    }
    px_strs_clear(&words);
    return line;
}
