/* SPDX-License-Identifier: MIT */
/* Vantage selectors: read part by part, evaluated on a list of candidates. No state. */
#include "coordinator/select.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define FORMS "forms: all, NAME, tag:WORD, KEY=VALUE; a,b is a or b, a+b is a and b, !a is not a"
#define WORDS_MAX 400 /* of one list in a hint */

/* A part of the text, without surrounding blanks. */
struct span {
    const char *text;
    size_t length;
};

static struct span span_trim(const char *text, size_t length)
{
    while (length > 0 && text[0] == ' ')
        text++, length--;
    while (length > 0 && text[length - 1] == ' ')
        length--;
    return (struct span){text, length};
}

/* The part of *rest up to `separator`; *rest moves behind it, to NULL after the last. */
static struct span span_next(const char **rest, const char *end, char separator)
{
    const char *from = *rest;
    const char *cut = memchr(from, separator, (size_t)(end - from));
    *rest = cut ? cut + 1 : NULL;
    return span_trim(from, (size_t)((cut ? cut : end) - from));
}

static bool span_is(struct span s, const char *word)
{
    return strlen(word) == s.length && memcmp(s.text, word, s.length) == 0;
}

static bool span_starts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.length > n && memcmp(s.text, prefix, n) == 0;
}

/* ---- what is known, for hints ---- */

static int compare_words(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int here = (strcmp(y, SELECT_HERE) == 0) - (strcmp(x, SELECT_HERE) == 0); /* comes first */
    return here ? here : strcmp(x, y);
}

/* Sorted, each once, cut where it gets long. */
static void words_join(const char **words, size_t n, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    qsort(words, n, sizeof *words, compare_words);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(words[i], words[i - 1]) == 0)
            continue;
        if (used + strlen(words[i]) + 8 > size) {
            px_text_copy(out + used, size - used, " ...");
            return;
        }
        if (used > 0)
            out[used++] = ' ';
        px_text_copy(out + used, size - used, words[i]);
        used += strlen(words[i]);
    }
}

static void names_join(const struct px_vantage *v, size_t n, char *out, size_t size)
{
    const char **words = px_xcalloc(n + 1, sizeof *words);
    for (size_t i = 0; i < n; i++)
        words[i] = v[i].name;
    words_join(words, n, out, size);
    free(words);
}

static void tags_join(const struct px_vantage *v, size_t n, char *out, size_t size)
{
    const char **words = px_xcalloc(n * PX_LABELS_MAX + 1, sizeof *words);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < v[i].label_count; k++)
            if (v[i].labels[k].value[0] == '\0')
                words[count++] = v[i].labels[k].key;
    words_join(words, count, out, size);
    free(words);
}

static int unknown_name(struct span s, const struct px_vantage *v, size_t n, struct px_err *err)
{
    char name[PX_NAME_MAX + 1] = "", safe[4 * PX_NAME_MAX], names[WORDS_MAX], tags[WORDS_MAX];
    const char **words = px_xcalloc(n + 1, sizeof *words);
    memcpy(name, s.text, s.length < sizeof name ? s.length : sizeof name - 1);
    px_text_safe(name, PX_NAME_MAX, safe, sizeof safe);
    for (size_t i = 0; i < n; i++)
        words[i] = v[i].name;
    const char *near = px_text_suggest(name, words, n);
    if (near)
        px_err_set(err, "no-such-vantage", "no vantage \"%s\"; did you mean \"%s\"?", safe, near);
    else
        px_err_set(err, "no-such-vantage", "no vantage \"%s\"", safe);
    free(words);
    names_join(v, n, names, sizeof names);
    tags_join(v, n, tags, sizeof tags);
    return px_err_hint(err, "known: %s%s%s", names[0] ? names : "none yet",
                       tags[0] ? "; tags: " : "", tags);
}

static int nothing_selected(const char *selector, const struct px_vantage *v, size_t n,
                            struct px_err *err)
{
    char tags[WORDS_MAX], names[WORDS_MAX], safe[256];
    px_text_safe(selector, 80, safe, sizeof safe);
    tags_join(v, n, tags, sizeof tags);
    names_join(v, n, names, sizeof names);
    if (n == 0 || (n == 1 && strcmp(v[0].name, SELECT_HERE) == 0)) {
        px_err_set(err, "empty-selector", "the mesh has no vantage yet");
        return px_err_hint(err,
                           "make a token:  parallax-coordinator token --state DIR --role node\n"
                           "and start one:  parallax-node run --state DIR --name NAME --join "
                           "TOKEN");
    }
    px_err_set(err, "empty-selector", "\"%s\" selects no vantage; tags in use: %s", safe,
               tags[0] ? tags : "none");
    return px_err_hint(err, "known: %s", names);
}

static int bad_selector(const char *selector, const char *why, struct px_err *err)
{
    char safe[256];
    px_text_safe(selector, 80, safe, sizeof safe);
    px_err_set(err, "bad-selector", "\"%s\" is not a selector: %s", safe, why);
    return px_err_hint(err, "%s", FORMS);
}

/* ---- evaluation ---- */

static bool tag_matches(struct span word, const struct px_vantage *v)
{
    for (uint32_t i = 0; i < v->label_count; i++) {
        const struct px_label *label = &v->labels[i];
        if (span_is(word, label->value[0] ? label->value : label->key))
            return true;
    }
    return false;
}

static bool label_matches(struct span pair, size_t key_length, const struct px_vantage *v)
{
    struct span key = {pair.text, key_length};
    struct span value = {pair.text + key_length + 1, pair.length - key_length - 1};
    for (uint32_t i = 0; i < v->label_count; i++)
        if (span_is(key, v->labels[i].key) && span_is(value, v->labels[i].value))
            return true;
    return false;
}

static bool word_matches(struct span word, const struct px_vantage *v)
{
    const char *equals = memchr(word.text, '=', word.length);
    if (span_is(word, SELECT_ALL))
        return strcmp(v->name, SELECT_HERE) != 0;
    if (span_starts(word, "tag:"))
        return tag_matches((struct span){word.text + 4, word.length - 4}, v);
    if (equals)
        return label_matches(word, (size_t)(equals - word.text), v);
    return span_is(word, v->name);
}

/* Names have to exist; tags and labels may match nothing. */
static bool word_is_known(struct span word, const struct px_vantage *v, size_t n)
{
    if (span_is(word, SELECT_ALL) || span_starts(word, "tag:") ||
        memchr(word.text, '=', word.length))
        return true;
    for (size_t i = 0; i < n; i++)
        if (span_is(word, v[i].name))
            return true;
    return false;
}

static bool negation_strip(struct span *s)
{
    if (s->length == 0 || s->text[0] != '!')
        return false;
    *s = span_trim(s->text + 1, s->length - 1);
    return true;
}

/* One part between commas: all its factors hold. A single negated factor takes away. */
static int term_apply(const char *selector, struct span term, bool first,
                      const struct px_vantage *v, size_t n, bool *chosen, struct px_err *err)
{
    const char *rest = term.text, *end = term.text + term.length;
    bool takes_away = term.length > 0 && term.text[0] == '!' && !memchr(rest, '+', term.length);
    bool *match = px_xcalloc(n + 1, sizeof *match);
    memset(match, true, n);
    while (rest) {
        struct span factor = span_next(&rest, end, '+');
        bool negated = negation_strip(&factor);
        if (factor.length == 0 || !word_is_known(factor, v, n)) {
            free(match);
            return factor.length == 0 ? bad_selector(selector, "a part of it is empty", err)
                                      : unknown_name(factor, v, n, err);
        }
        for (size_t i = 0; i < n; i++)
            match[i] = match[i] && word_matches(factor, &v[i]) != (negated && !takes_away);
    }
    for (size_t i = 0; i < n; i++) {
        if (takes_away && first)
            chosen[i] = strcmp(v[i].name, SELECT_HERE) != 0;
        chosen[i] = takes_away ? chosen[i] && !match[i] : chosen[i] || match[i];
    }
    free(match);
    return 0;
}

int select_vantages(const char *selector, const struct px_vantage *candidates, size_t n,
                    bool *chosen, struct px_err *err)
{
    const char *text = selector[0] ? selector : SELECT_ALL;
    const char *rest = text, *end = text + strlen(text);
    int count = 0;
    memset(chosen, false, n);
    for (bool first = true; rest; first = false) {
        struct span term = span_next(&rest, end, ',');
        if (term_apply(text, term, first, candidates, n, chosen, err) != 0)
            return -1;
    }
    for (size_t i = 0; i < n; i++)
        count += chosen[i];
    return count > 0 ? count : nothing_selected(text, candidates, n, err);
}
