/* SPDX-License-Identifier: MIT */
/*
 * Attributes of the vantages and the search for affected sets. What a set is called is in group.c;
 * which cause it belongs to is not known here.
 */
#include "coordinator/diagnose/partition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

/* Attributes of the vantage itself, not of what it met. */
#define OF_SOURCE ((1u << ATTRIBUTE_ADDRESS) | (1u << ATTRIBUTE_PREFIX) | (1u << ATTRIBUTE_LABEL))
#define BLOCK_BITS_MIN 8 /* shorter common beginnings of addresses are chance */

/* ---- values ---- */

/* Something a vantage has, as bytes: equal bytes are the same value. */
struct value_bytes {
    size_t length; /* 0 = none */
    uint8_t v[PX_LABEL_MAX + 1];
};

static void value_set(struct value_bytes *out, const void *bytes, size_t length)
{
    out->length = length < sizeof out->v ? length : sizeof out->v;
    memcpy(out->v, bytes, out->length);
}

static void value_set_addr(struct value_bytes *out, const struct px_addr *a)
{
    out->length = 0;
    if (a->family) {
        value_set(out, a->bytes, sizeof a->bytes);
        out->v[out->length++] = a->family;
    }
}

static void value_of(const struct attribute *a, const struct evidence *e, struct value_bytes *out)
{
    const char *label;
    out->length = 0;
    switch (a->kind) {
    case ATTRIBUTE_ADDRESS:
        value_set_addr(out, &e->source);
        if (out->length == 0) /* unknown: nobody else's */
            value_set(out, &e->index, sizeof e->index);
        break;
    case ATTRIBUTE_PREFIX: {
        unsigned len = e->source.family ? a->prefix_len[e->source.family == 6] : 0;
        struct px_prefix around = px_prefix_of(&e->source, len);
        if (len)
            value_set_addr(out, &around.addr);
        break;
    }
    case ATTRIBUTE_LABEL:
        label = px_vantage_label(e->vantage, a->key);
        if (label) {
            value_set(out, label, strlen(label));
            out->v[out->length < sizeof out->v ? out->length++ : out->length - 1] = 'l';
        }
        break;
    case ATTRIBUTE_FAMILY:
        value_set(out, &e->target.family, e->target.family ? 1 : 0);
        break;
    case ATTRIBUTE_ANSWER:
        value_set_addr(out, &e->target);
        break;
    case ATTRIBUTE_SPEAKER:
        if (e->failing && !px_addr_equal(&e->icmp.from, &e->target))
            value_set_addr(out, &e->icmp.from);
        break;
    case ATTRIBUTE_HOP:
    case ATTRIBUTE_KINDS:
        break;
    }
}

static uint32_t value_hash(const struct value_bytes *b)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < b->length; i++)
        h = (h ^ b->v[i]) * 16777619u;
    return h ^ (h >> 15);
}

/* Number the values in order of first appearance; units are sorted by name, so that the numbers do
 * not depend on who answered first. */
static void attribute_number(struct attribute *a, const struct partition *p)
{
    uint32_t size = 16;
    while (size < 2 * p->n + 2)
        size *= 2;
    uint32_t *table = px_xcalloc(size, sizeof *table); /* unit + 1 that first had the value */
    struct value_bytes *bytes = px_xcalloc(p->n + 1, sizeof *bytes);
    a->of = px_xcalloc(p->n + 1, sizeof *a->of);
    a->members = px_xcalloc(p->n + 1, sizeof *a->members);
    for (uint32_t i = 0; i < p->n; i++) {
        value_of(a, p->unit[i], &bytes[i]);
        a->of[i] = NO_VALUE;
        a->partial = a->partial || bytes[i].length == 0;
        if (bytes[i].length == 0)
            continue;
        uint32_t at = value_hash(&bytes[i]) & (size - 1);
        while (table[at] && (bytes[table[at] - 1].length != bytes[i].length ||
                             memcmp(bytes[table[at] - 1].v, bytes[i].v, bytes[i].length) != 0))
            at = (at + 1) & (size - 1);
        if (!table[at]) {
            table[at] = i + 1;
            a->of[i] = a->value_count++;
        } else {
            a->of[i] = a->of[table[at] - 1];
        }
        a->members[a->of[i]]++;
    }
    free(bytes);
    free(table);
}

/* ---- attributes ---- */

static struct attribute *attribute_add(struct partition *p, enum attribute_kind kind)
{
    p->attributes = px_xrealloc(p->attributes, p->attribute_count + 1, sizeof *p->attributes);
    struct attribute *a = &p->attributes[p->attribute_count++];
    *a = (struct attribute){.kind = kind};
    return a;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of all labels, the well-known ones first, the others in alphabetical order. */
static size_t label_keys(const struct partition *p, const char **keys)
{
    static const char *const known[] = {"asn", "network", "provider", "region", "site"};
    const size_t known_count = sizeof known / sizeof *known;
    size_t n = 0;
    for (size_t i = 0; i < known_count; i++)
        keys[n++] = known[i];
    for (size_t i = 0; i < p->n; i++) {
        const struct px_vantage *v = p->unit[i]->vantage;
        for (uint32_t k = 0; k < v->label_count && k < PX_LABELS_MAX && n < LABEL_KEYS_MAX; k++) {
            bool have = false;
            for (size_t j = 0; j < n; j++)
                have = have || strcmp(keys[j], v->labels[k].key) == 0;
            if (!have)
                keys[n++] = v->labels[k].key;
        }
    }
    qsort(keys + known_count, n - known_count, sizeof *keys, compare_keys);
    return n;
}

/* Answers of different families are told by the family. */
static void attributes_drop_answer(struct partition *p)
{
    struct attribute *family = NULL;
    for (size_t i = 0; i < p->attribute_count; i++) {
        struct attribute *a = &p->attributes[i];
        if (a->kind == ATTRIBUTE_FAMILY)
            family = a;
        if (a->kind != ATTRIBUTE_ANSWER || !family ||
            memcmp(a->of, family->of, p->n * sizeof *a->of) != 0)
            continue;
        memset(a->of, 0xff, p->n * sizeof *a->of);
        a->value_count = 0;
    }
}

static void attributes_init(struct partition *p)
{
    static const unsigned lengths[][2] = {{24, 64}, {16, 48}, {0, 32}};
    const char *keys[LABEL_KEYS_MAX];
    size_t n = label_keys(p, keys);
    attribute_add(p, ATTRIBUTE_ADDRESS);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        memcpy(attribute_add(p, ATTRIBUTE_PREFIX)->prefix_len, lengths[i], sizeof *lengths);
    for (size_t i = 0; i < n; i++)
        px_text_copy(attribute_add(p, ATTRIBUTE_LABEL)->key, PX_LABEL_MAX + 1, keys[i]);
    attribute_add(p, ATTRIBUTE_FAMILY);
    attribute_add(p, ATTRIBUTE_ANSWER);
    attribute_add(p, ATTRIBUTE_SPEAKER);
    for (size_t i = 0; i < p->attribute_count; i++)
        attribute_number(&p->attributes[i], p);
    attributes_drop_answer(p);
}

/* An attribute says something if it tells vantages apart, in a way no earlier one does. */
static void attributes_compare(struct partition *p)
{
    size_t divide = 0;
    for (uint32_t i = 0; i < p->attribute_count; i++) {
        struct attribute *a = &p->attributes[i];
        a->twin = i;
        for (uint32_t k = 0; k < i && a->twin == i; k++) {
            if (memcmp(a->of, p->attributes[k].of, p->n * sizeof *a->of) == 0)
                a->twin = k;
        }
        a->divides = a->twin == i && a->value_count > 0 && a->members[0] < p->n;
        divide += a->divides;
    }
    divide += p->hop_values > 0;
    p->attribute_bits = divide > 1 ? log2((double)divide) : 0;
}

/* Is there anything in the attribute for that reach, that no earlier one has? */
static bool attribute_counts(const struct partition *p, size_t index, const struct reach *reach)
{
    const struct attribute *a = &p->attributes[index], *twin = &p->attributes[a->twin];
    if (!(reach->attributes & (1u << a->kind)) || a->value_count == 0)
        return false;
    return a == twin || !(reach->attributes & (1u << twin->kind));
}

/* ---- blocks of sources ---- */

static int compare_sources(const void *a, const void *b, void *partition)
{
    const struct partition *p = partition;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = px_addr_compare(&p->unit[x]->source, &p->unit[y]->source);
    return order ? order : (x > y) - (x < y);
}

/* How many leading bits two addresses share; 0 for different families or unknown ones. */
static unsigned common_bits(const struct px_addr *a, const struct px_addr *b)
{
    unsigned bytes = a->family == 4 ? 4 : a->family == 6 ? 16 : 0, i = 0, bits = 0;
    if (a->family != b->family)
        return 0;
    while (i < bytes && a->bytes[i] == b->bytes[i])
        i++;
    if (i == bytes)
        return 8 * bytes;
    while (((a->bytes[i] ^ b->bytes[i]) & (0x80u >> bits)) == 0)
        bits++;
    return 8 * i + bits;
}

static void block_add(struct partition *p, uint32_t from, uint32_t to, unsigned len)
{
    bool whole = p->unit[p->order[from]]->source.family == 4 ? len == 32 : len == 128;
    if (len >= BLOCK_BITS_MIN && !whole && (from > 0 || to + 1 < p->n))
        p->blocks[p->block_count++] = (struct block){from, to, len};
}

/* All blocks that sources form: the inner nodes of their binary trie, at most n - 1. */
static void blocks_init(struct partition *p)
{
    struct {
        uint32_t from;
        unsigned len;
    } *open = px_xcalloc(p->n + 1, sizeof *open);
    size_t depth = 0;
    p->order = px_xcalloc(p->n + 1, sizeof *p->order);
    p->blocks = px_xcalloc(p->n + 1, sizeof *p->blocks);
    for (uint32_t i = 0; i < p->n; i++)
        p->order[i] = i;
    qsort_r(p->order, p->n, sizeof *p->order, compare_sources, p);
    for (uint32_t i = 0; i + 1 <= p->n && p->n > 0; i++) {
        unsigned len = 0;
        if (i + 1 < p->n)
            len = common_bits(&p->unit[p->order[i]]->source, &p->unit[p->order[i + 1]]->source);
        uint32_t from = i;
        while (depth > 0 && open[depth - 1].len > len) {
            from = open[--depth].from;
            block_add(p, from, i, open[depth].len);
        }
        if (len > 0 && (depth == 0 || open[depth - 1].len < len)) {
            open[depth].from = from;
            open[depth++].len = len;
        }
    }
    free(open);
}

/* ---- hops ---- */

static void hops_init(struct partition *p)
{
    const struct paths *paths = p->paths;
    p->hop_members = px_xcalloc(paths->hop_count + 1u, sizeof *p->hop_members);
    for (size_t i = 0; i < p->n; i++) {
        size_t at = (size_t)(p->unit[i] - p->scene->all);
        for (uint32_t k = paths->start[at]; k < paths->start[at + 1]; k++)
            p->hop_members[paths->on[k]]++;
    }
    for (uint32_t h = 0; h < paths->hop_count; h++)
        p->hop_values += p->hop_members[h] > 0 && !paths->hops[h].exonerated;
}

/* ---- the whole ---- */

bool partition_spans_networks(const struct partition *p, const bool *want)
{
    const struct evidence *first = NULL;
    for (size_t i = 0; i < p->n; i++) {
        if (!want[i])
            continue;
        if (first && !px_vantage_same_network(first->vantage, p->unit[i]->vantage))
            return true;
        first = first ? first : p->unit[i];
    }
    return false;
}

void partition_init(struct partition *p, const struct scene *s, const struct paths *paths)
{
    *p = (struct partition){.scene = s, .paths = paths, .unit = s->fit, .n = s->fit_count};
    attributes_init(p);
    hops_init(p);
    attributes_compare(p);
    blocks_init(p);
    const struct attribute *address = &p->attributes[0];
    p->sources = address->value_count;
    p->weight = px_xcalloc(p->n + 1, sizeof *p->weight);
    bool *all = px_xcalloc(p->n + 1, sizeof *all);
    /* rule 3 of docs/verdicts.md: one source, one witness */
    for (size_t i = 0; i < p->n; i++) {
        p->weight[i] = 1.0 / address->members[address->of[i]];
        all[i] = true;
    }
    p->one_network = !partition_spans_networks(p, all);
    free(all);
    size_t longest = p->n > paths->hop_count ? p->n : paths->hop_count;
    p->sum = px_xcalloc(longest + 2, sizeof *p->sum);
}

void partition_clear(struct partition *p)
{
    for (size_t i = 0; i < p->attribute_count; i++) {
        free(p->attributes[i].of);
        free(p->attributes[i].members);
    }
    free(p->attributes);
    free(p->weight);
    free(p->order);
    free(p->blocks);
    free(p->hop_members);
    free(p->sum);
    *p = (struct partition){0};
}

/* ---- search ---- */

double bits_of_list(size_t n, size_t k)
{
    double dn = (double)n, dk = (double)k;
    if (n == 0 || k > n)
        return 0;
    return (lgamma(dn + 1) - lgamma(dk + 1) - lgamma(dn - dk + 1)) / M_LN2 + log2(dn);
}

double description_score(const struct description *d)
{
    return d->shape ? d->gain - d->bits * M_LN2 : -HUGE_VAL;
}

static void keep_better(struct description *best, struct description candidate)
{
    if (description_score(&candidate) > description_score(best))
        *best = candidate;
}

static double sum_of(const double *gain, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += gain[i];
    return total;
}

static double bits_of_value(const struct partition *p, size_t values)
{
    return p->attribute_bits + (values > 1 ? log2((double)values) : 0);
}

/* One value, everyone but one value, and the best union: what each value gains is independent of
 * the others, so that the best union is all that gain. */
static void search_attribute(struct partition *p, const struct reach *reach, size_t index,
                             const double *gain, double total, struct description *best)
{
    const struct attribute *a = &p->attributes[index];
    double bits = bits_of_value(p, a->value_count + a->partial), together = 0;
    uint32_t chosen = 0;
    bool of_source = OF_SOURCE & (1u << a->kind); /* of the others some know no value at all */
    memset(p->sum, 0, a->value_count * sizeof *p->sum);
    for (size_t i = 0; i < p->n; i++) {
        if (a->of[i] != NO_VALUE)
            p->sum[a->of[i]] += gain[i];
    }
    struct description d = {.by = BY_ATTRIBUTE, .attribute = (uint32_t)index, .bits = bits};
    for (uint32_t v = 0; v < a->value_count; v++) {
        d.value = v;
        if (a->members[v] == p->n)
            continue; /* that is everyone */
        d.shape = SHAPE_VALUE;
        d.gain = p->sum[v];
        d.bits = bits;
        if (reach->shapes & SHAPE_VALUE)
            keep_better(best, d);
        d.shape = SHAPE_BUT_ONE;
        d.gain = total - p->sum[v];
        d.bits = bits + 1;
        if ((reach->shapes & SHAPE_BUT_ONE) && of_source)
            keep_better(best, d);
        if (p->sum[v] > 0) {
            chosen++;
            together += p->sum[v];
        }
    }
    if (!(reach->shapes & SHAPE_UNION) || chosen < 2 || chosen >= a->value_count)
        return;
    d.shape = SHAPE_UNION;
    d.gain = together;
    d.bits = p->attribute_bits + a->value_count + a->partial + reach->each_bits * (chosen - 1);
    keep_better(best, d);
}

static void search_blocks(struct partition *p, const struct reach *reach, const double *gain,
                          double total, struct description *best)
{
    struct description d = {.by = BY_BLOCK, .bits = bits_of_value(p, p->block_count)};
    double bits = d.bits;
    p->sum[0] = 0;
    for (size_t i = 0; i < p->n; i++)
        p->sum[i + 1] = p->sum[i] + gain[p->order[i]];
    for (uint32_t b = 0; b < p->block_count; b++) {
        double within = p->sum[p->blocks[b].to + 1] - p->sum[p->blocks[b].from];
        d.value = b;
        d.shape = SHAPE_VALUE;
        d.gain = within;
        d.bits = bits;
        if (reach->shapes & SHAPE_VALUE)
            keep_better(best, d);
        d.shape = SHAPE_BUT_ONE;
        d.gain = total - within;
        d.bits = bits + 1;
        if (reach->shapes & SHAPE_BUT_ONE)
            keep_better(best, d);
    }
}

static void search_hops(struct partition *p, const double *gain, struct description *best)
{
    const struct paths *paths = p->paths;
    struct description d = {
        .by = BY_HOP, .shape = SHAPE_VALUE, .bits = bits_of_value(p, p->hop_values)};
    memset(p->sum, 0, paths->hop_count * sizeof *p->sum);
    for (size_t i = 0; i < p->n; i++) {
        size_t at = (size_t)(p->unit[i] - p->scene->all);
        for (uint32_t k = paths->start[at]; k < paths->start[at + 1]; k++)
            p->sum[paths->on[k]] += gain[i];
    }
    for (uint32_t h = 0; h < paths->hop_count; h++) {
        if (p->hop_members[h] == 0 || p->hop_members[h] == p->n || paths->hops[h].exonerated)
            continue;
        d.value = h;
        d.gain = p->sum[h];
        keep_better(best, d);
    }
}

/* Any set of sources: those that gain more than it costs to name one more. */
static void search_list(struct partition *p, const struct reach *reach, const double *gain,
                        struct description *best)
{
    const struct attribute *a = &p->attributes[0];
    double least = 0;
    memset(p->sum, 0, a->value_count * sizeof *p->sum);
    for (size_t i = 0; i < p->n; i++)
        p->sum[a->of[i]] += gain[i];
    for (unsigned round = 0; round < 4; round++) {
        uint32_t k = 0;
        double together = 0;
        for (uint32_t v = 0; v < a->value_count; v++) {
            if (p->sum[v] > least) {
                k++;
                together += p->sum[v];
            }
        }
        if (k == 0)
            return;
        if (k < p->sources)
            keep_better(best, (struct description){.shape = SHAPE_LIST,
                                                   .by = BY_ATTRIBUTE,
                                                   .value = k,
                                                   .gain = together,
                                                   .bits = bits_of_list(p->sources, k) +
                                                           reach->list_bits +
                                                           reach->each_bits * (k - 1)});
        double next = M_LN2 * (bits_of_list(p->sources, k) - bits_of_list(p->sources, k - 1) +
                               reach->each_bits);
        if (next <= least)
            return;
        least = next;
    }
}

struct description partition_search(struct partition *p, const struct reach *reach,
                                    const double *gain)
{
    struct description best = {0};
    double total = sum_of(gain, p->n);
    if (p->n == 0)
        return best;
    if ((reach->shapes & SHAPE_EVERYONE) || (p->one_network && (reach->attributes & OF_SOURCE)))
        keep_better(&best, (struct description){.shape = SHAPE_EVERYONE,
                                                .gain = total,
                                                .bits = p->one_network ? 0 : reach->everyone_bits});
    if (!(reach->shapes & ~(unsigned)SHAPE_EVERYONE) || p->n == 1)
        return best;
    for (size_t i = 0; i < p->attribute_count; i++) {
        if (attribute_counts(p, i, reach))
            search_attribute(p, reach, i, gain, total, &best);
    }
    if (reach->attributes & (1u << ATTRIBUTE_PREFIX))
        search_blocks(p, reach, gain, total, &best);
    if (reach->attributes & (1u << ATTRIBUTE_HOP))
        search_hops(p, gain, &best);
    if (reach->shapes & SHAPE_LIST)
        search_list(p, reach, gain, &best);
    return best;
}

/* ---- members ---- */

/* Values of an attribute that gain more than `least`. p->sum is filled. */
static void expand_gaining(struct partition *p, const struct attribute *a, const double *gain,
                           double least, bool *in)
{
    memset(p->sum, 0, a->value_count * sizeof *p->sum);
    for (size_t i = 0; i < p->n; i++) {
        if (a->of[i] != NO_VALUE)
            p->sum[a->of[i]] += gain[i];
    }
    for (size_t i = 0; i < p->n; i++)
        in[i] = a->of[i] != NO_VALUE && p->sum[a->of[i]] > least;
}

static int compare_descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void expand_list(struct partition *p, uint32_t k, const double *gain, bool *in)
{
    const struct attribute *a = &p->attributes[0];
    expand_gaining(p, a, gain, 0, in);
    double *sorted = px_xcalloc(a->value_count + 1u, sizeof *sorted);
    memcpy(sorted, p->sum, a->value_count * sizeof *sorted);
    qsort(sorted, a->value_count, sizeof *sorted, compare_descending);
    for (size_t i = 0; i < p->n; i++)
        in[i] = in[i] && p->sum[a->of[i]] >= sorted[k - 1];
    free(sorted);
}

static void expand_hop(const struct partition *p, uint32_t hop, bool *in)
{
    const struct paths *paths = p->paths;
    for (size_t i = 0; i < p->n; i++) {
        size_t at = (size_t)(p->unit[i] - p->scene->all);
        in[i] = false;
        for (uint32_t k = paths->start[at]; k < paths->start[at + 1]; k++)
            in[i] = in[i] || paths->on[k] == hop;
    }
}

void partition_expand(struct partition *p, const struct description *d, const double *gain,
                      bool *in)
{
    const struct attribute *a = &p->attributes[d->attribute];
    memset(in, 0, p->n * sizeof *in);
    if (d->shape == SHAPE_LIST) {
        expand_list(p, d->value, gain, in);
        return;
    }
    if (d->shape == SHAPE_UNION) {
        expand_gaining(p, a, gain, 0, in);
        return;
    }
    if (d->shape == SHAPE_EVERYONE) {
        memset(in, 1, p->n * sizeof *in);
    } else if (d->shape && d->by == BY_HOP) {
        expand_hop(p, d->value, in);
    } else if (d->shape && d->by == BY_BLOCK) {
        for (uint32_t i = p->blocks[d->value].from; i <= p->blocks[d->value].to; i++)
            in[p->order[i]] = true;
    } else if (d->shape) {
        for (size_t i = 0; i < p->n; i++)
            in[i] = a->of[i] == d->value;
    }
    for (size_t i = 0; d->shape == SHAPE_BUT_ONE && i < p->n; i++)
        in[i] = !in[i];
}
