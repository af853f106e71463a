/* SPDX-License-Identifier: MIT */
/* What a set of vantages is called, and what its neighbourhood looks like. Searches nothing. */
#include "coordinator/diagnose/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

#define WORDS_MAX 3 /* more values are counted, not named */
#define UNION_MAX 8 /* a longer union says less than the list of vantages */
#define VALUES_LISTED 64
#define LAN 1            /* attribute 1 is the /24 or /64 */
#define RANGE_BITS_V4 16 /* a shorter prefix is nobody's network */
#define RANGE_BITS_V6 32
#define COMPANY 3 /* so many sources of one prefix are not shut out one by one */

void group_clear(struct group *g)
{
    free(g->attribute);
    free(g->words);
    px_strs_clear(&g->values);
    *g = (struct group){0};
}

/* ---- values in words ---- */

/* As it stands in the group of a finding; out: PX_LABEL_MAX + PX_ADDR_TEXT bytes. */
#define VALUE_TEXT (PX_LABEL_MAX + PX_ADDR_TEXT)
static void value_text(const struct attribute *a, const struct evidence *e, char *out)
{
    struct px_prefix around;
    const char *label;
    switch (a->kind) {
    case ATTRIBUTE_ADDRESS:
        around = px_prefix_of(&e->source, 128);
        px_prefix_format(&around, out);
        if (!out[0])
            snprintf(out, VALUE_TEXT, "%s", e->vantage->name);
        break;
    case ATTRIBUTE_PREFIX:
        around = px_prefix_of(&e->source, a->prefix_len[e->source.family == 6]);
        px_prefix_format(&around, out);
        break;
    case ATTRIBUTE_LABEL:
        label = px_vantage_label(e->vantage, a->key);
        snprintf(out, VALUE_TEXT, "%s", label && label[0] ? label : a->key);
        break;
    case ATTRIBUTE_FAMILY:
        snprintf(out, VALUE_TEXT, "%s", e->target.family == 6 ? "IPv6" : "IPv4");
        break;
    case ATTRIBUTE_SPEAKER:
        px_addr_format(&e->icmp.from, out);
        break;
    case ATTRIBUTE_ANSWER:
    case ATTRIBUTE_HOP:
    case ATTRIBUTE_KINDS:
        px_addr_format(&e->target, out);
        break;
    }
}

/* As people say it. Heap. */
static char *value_words(const struct attribute *a, const struct evidence *e)
{
    char text[VALUE_TEXT];
    value_text(a, e, text);
    if (a->kind == ATTRIBUTE_ADDRESS) {
        text[strcspn(text, "/")] = '\0';
        return px_xstrdup(text);
    }
    if (a->kind == ATTRIBUTE_ANSWER)
        return px_xasprintf("vantages that are sent to %s", text);
    if (a->kind != ATTRIBUTE_LABEL)
        return px_xstrdup(text);
    const char *label = px_vantage_label(e->vantage, a->key);
    if (!label || !label[0])
        return px_xasprintf("vantages tagged %s", a->key);
    if (strcmp(a->key, "asn") == 0)
        return px_xasprintf("AS%s", strncasecmp(text, "as", 2) == 0 ? text + 2 : text);
    return px_xasprintf("%s %s", a->key, text);
}

static const char *attribute_word(const struct attribute *a, const struct evidence *e)
{
    static const char *const words[] = {
        [ATTRIBUTE_ADDRESS] = "address", [ATTRIBUTE_PREFIX] = "prefix",
        [ATTRIBUTE_FAMILY] = "family",   [ATTRIBUTE_ANSWER] = "answer",
        [ATTRIBUTE_SPEAKER] = "router",  [ATTRIBUTE_HOP] = "hop",
    };
    if (a->kind != ATTRIBUTE_LABEL)
        return words[a->kind];
    const char *label = px_vantage_label(e->vantage, a->key);
    return label && label[0] ? a->key : "tag";
}

/* "a, b and c", or "a, b and 7 more". Takes one more item; heap text grows in *words. */
static void words_join(char **words, const char *item, size_t index, size_t count)
{
    bool last = index + 1 == count || index + 1 == WORDS_MAX;
    char *longer;
    if (index >= WORDS_MAX)
        return;
    if (index == 0)
        longer = px_xstrdup(item);
    else if (index + 1 == WORDS_MAX && count > WORDS_MAX)
        longer = px_xasprintf("%s, %s and %zu more", *words, item, count - WORDS_MAX);
    else
        longer = px_xasprintf("%s%s%s", *words, last ? " and " : ", ", item);
    free(*words);
    *words = longer;
}

/* ---- exact descriptions ---- */

static size_t count_in(const bool *in, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += in[i];
    return count;
}

/* How many values of the attribute make up exactly the vantages for which in == want; 0 if none do.
 * sum: scratch. */
static size_t values_exact(struct partition *p, const struct attribute *a, const bool *in,
                           bool want)
{
    size_t values = 0;
    memset(p->sum, 0, a->value_count * sizeof *p->sum);
    for (size_t i = 0; i < p->n; i++) {
        if (in[i] != want)
            continue;
        if (a->of[i] == NO_VALUE)
            return 0;
        values += p->sum[a->of[i]] == 0;
        p->sum[a->of[i]]++;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (in[i] != want && a->of[i] != NO_VALUE && p->sum[a->of[i]] > 0)
            return 0;
    }
    return values;
}

/* Name the values of the vantages for which in == want. */
static void group_name(struct group *g, struct partition *p, const struct attribute *a,
                       const bool *in, bool want)
{
    char text[VALUE_TEXT];
    size_t count = values_exact(p, a, in, want), index = 0;
    for (size_t i = 0; i < p->n && index < count; i++) {
        if (in[i] != want || p->sum[a->of[i]] < 0.5)
            continue;
        p->sum[a->of[i]] = 0; /* named */
        value_text(a, p->unit[i], text);
        if (want && index < VALUES_LISTED)
            px_strs_add(&g->values, text);
        char *item = value_words(a, p->unit[i]);
        words_join(&g->words, item, index++, count);
        free(item);
        free(g->attribute);
        g->attribute = px_xstrdup(attribute_word(a, p->unit[i]));
    }
}

/* The block of sources that holds exactly those for which in == want; NULL if there is none. */
static const struct block *block_exact(const struct partition *p, const bool *in, bool want)
{
    size_t count = 0;
    for (size_t i = 0; i < p->n; i++)
        count += in[i] == want;
    for (size_t b = 0; b < p->block_count; b++) {
        const struct block *block = &p->blocks[b];
        bool exact = block->to - block->from + 1 == count;
        for (uint32_t i = block->from; exact && i <= block->to; i++)
            exact = in[p->order[i]] == want;
        if (exact)
            return block;
    }
    return NULL;
}

static void block_text(const struct partition *p, const struct block *b, char *out)
{
    struct px_prefix around = px_prefix_of(&p->unit[p->order[b->from]]->source, b->len);
    px_prefix_format(&around, out);
}

/* ---- order of preference ---- */

#define ORDER_MAX (LABEL_KEYS_MAX + 8)

/* Attributes of a kind, in order; returns how many were added. */
static size_t add_kind(const struct partition *p, enum attribute_kind kind,
                       const struct attribute **order, size_t n)
{
    for (size_t i = 0; i < p->attribute_count && n < ORDER_MAX; i++) {
        if (p->attributes[i].kind == kind && p->attributes[i].value_count > 0)
            order[n++] = &p->attributes[i];
    }
    return n;
}

/* The attributes in which a cause is best told. */
static size_t order_of(const struct partition *p, enum px_cause cause,
                       const struct attribute **order)
{
    static const struct {
        enum px_scope scope;
        enum px_cause cause; /* NONE = any of the scope */
        enum attribute_kind kinds[4];
        size_t n;
    } table[] = {
        {PX_SCOPE_SOURCE, PX_CAUSE_SOURCE_FILTERED, {ATTRIBUTE_PREFIX, ATTRIBUTE_LABEL}, 2},
        {PX_SCOPE_SOURCE, PX_CAUSE_NONE, {ATTRIBUTE_ADDRESS}, 1},
        {PX_SCOPE_PATH, PX_CAUSE_FAMILY_BROKEN, {ATTRIBUTE_FAMILY}, 1},
        {PX_SCOPE_PATH, PX_CAUSE_NONE, {ATTRIBUTE_LABEL, ATTRIBUTE_PREFIX, ATTRIBUTE_SPEAKER}, 3},
        {PX_SCOPE_NAME, PX_CAUSE_NONE, {ATTRIBUTE_ANSWER, ATTRIBUTE_LABEL, ATTRIBUTE_PREFIX}, 3},
        {PX_SCOPE_HOST, PX_CAUSE_NONE, {ATTRIBUTE_LABEL, ATTRIBUTE_PREFIX}, 2},
        {PX_SCOPE_NONE, PX_CAUSE_NONE, {ATTRIBUTE_LABEL, ATTRIBUTE_PREFIX, ATTRIBUTE_SPEAKER}, 3},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].scope != px_cause_scope(cause) ||
            (table[i].cause != PX_CAUSE_NONE && table[i].cause != cause))
            continue;
        for (size_t k = 0; k < table[i].n; k++)
            n = add_kind(p, table[i].kinds[k], order, n);
        break;
    }
    return n;
}

/* The names of the vantages: as words only, or also as what the group is. */
static void group_list(struct group *g, const struct partition *p, const bool *in, bool whole)
{
    size_t count = count_in(in, p->n), index = 0;
    free(g->words);
    g->words = NULL;
    if (whole)
        g->attribute = px_xstrdup("list");
    for (size_t i = 0; i < p->n; i++) {
        if (!in[i])
            continue;
        if (whole && index < VALUES_LISTED)
            px_strs_add(&g->values, p->unit[i]->vantage->name);
        words_join(&g->words, p->unit[i]->vantage->name, index++, count);
    }
}

/* An allow-list is told by what it lets in; the values are those that are shut out. */
static bool group_allow_list(struct group *g, struct partition *p,
                             const struct attribute *const *order, size_t n, const bool *in)
{
    char text[PX_ADDR_TEXT + 4];
    const struct block *block = block_exact(p, in, false);
    for (size_t i = 0; i < n; i++) {
        if (order[i]->kind != ATTRIBUTE_PREFIX || values_exact(p, order[i], in, false) != 1 ||
            values_exact(p, order[i], in, true) < 2)
            continue;
        group_name(g, p, order[i], in, true);
        free(g->words);
        g->words = NULL;
        group_name(g, p, order[i], in, false);
        g->allow_list = true;
        return true;
    }
    if (!block)
        return false;
    group_list(g, p, in, true);
    free(g->words);
    block_text(p, block, text);
    g->words = px_xstrdup(text);
    g->allow_list = true;
    return true;
}

struct group partition_describe(struct partition *p, enum px_cause cause, const bool *in)
{
    struct group g = {0};
    const struct attribute *order[ORDER_MAX];
    size_t n = order_of(p, cause, order), count = count_in(in, p->n), best = UNION_MAX + 1;
    const struct attribute *by = NULL;
    bool filter = cause == PX_CAUSE_SOURCE_FILTERED;
    const struct block *block = filter ? block_exact(p, in, true) : NULL;
    bool addresses = n == 1 && order[0]->kind == ATTRIBUTE_ADDRESS;
    if (count == p->n && !(addresses && p->one_network)) {
        g.attribute = px_xstrdup("all");
        g.words = px_xstrdup("every vantage");
        return g;
    }
    for (size_t i = 0; i < n; i++) {
        size_t values = values_exact(p, order[i], in, true);
        if (values > 0 && (values < best || addresses)) {
            best = values;
            by = order[i];
        }
    }
    if (block && best > 1) {
        char text[PX_ADDR_TEXT + 4];
        block_text(p, block, text);
        g.attribute = px_xstrdup("prefix");
        g.words = px_xstrdup(text);
        px_strs_add(&g.values, text);
    } else if (!(filter && best > 1 && group_allow_list(&g, p, order, n, in))) {
        if (by)
            group_name(&g, p, by, in, true);
        if (!by || by->kind == ATTRIBUTE_SPEAKER)
            group_list(&g, p, in, !by);
    }
    return g;
}

/* ---- neighbourhood ---- */

bool partition_is_one_range(const struct partition *p, const bool *in)
{
    for (size_t i = 0; i < p->attribute_count; i++) {
        const struct attribute *a = &p->attributes[i];
        uint32_t value = NO_VALUE;
        bool exact = a->kind == ATTRIBUTE_PREFIX;
        for (size_t u = 0; u < p->n && value == NO_VALUE; u++)
            value = in[u] ? a->of[u] : NO_VALUE;
        for (size_t u = 0; u < p->n && exact; u++)
            exact = value != NO_VALUE && in[u] == (a->of[u] == value);
        if (exact)
            return true;
    }
    const struct block *b = block_exact(p, in, true);
    if (!b)
        return false;
    bool v6 = p->unit[p->order[b->from]]->source.family == 6;
    return b->len >= (v6 ? RANGE_BITS_V6 : RANGE_BITS_V4);
}

bool partition_has_neighbours(const struct partition *p, const bool *in)
{
    const struct attribute *lan = &p->attributes[LAN], *address = &p->attributes[0];
    bool *good = px_xcalloc(lan->value_count + 1u, sizeof *good);
    uint32_t *shared = px_xcalloc(address->value_count + 1u, sizeof *shared);
    bool all = count_in(in, p->n) > 0;
    for (size_t i = 0; i < p->n; i++)
        shared[address->of[i]] += in[i];
    for (size_t i = 0; i < p->n; i++) {
        if (!in[i] && !p->unit[i]->failing && lan->of[i] != NO_VALUE && !shared[address->of[i]])
            good[lan->of[i]] = true;
    }
    for (size_t i = 0; i < p->n; i++)
        all = all && (!in[i] || (lan->of[i] != NO_VALUE && good[lan->of[i]]));
    free(shared);
    free(good);
    return all;
}

bool partition_has_company(const struct partition *p, const bool *in)
{
    const struct attribute *lan = &p->attributes[LAN], *address = &p->attributes[0];
    uint32_t *count = px_xcalloc(lan->value_count + 1u, sizeof *count);
    bool *seen = px_xcalloc(address->value_count + 1u, sizeof *seen);
    bool all = count_in(in, p->n) > 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!in[i] || lan->of[i] == NO_VALUE || seen[address->of[i]])
            continue;
        seen[address->of[i]] = true;
        count[lan->of[i]]++;
    }
    for (size_t i = 0; i < p->n; i++)
        all = all && (!in[i] || (lan->of[i] != NO_VALUE && count[lan->of[i]] >= COMPANY));
    free(seen);
    free(count);
    return all;
}
