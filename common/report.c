/* SPDX-License-Identifier: MIT */
/*
 * The record of one run: its vantages, what they saw, what was made of it. JSON is in
 * report_json*.c; nothing is judged here.
 */
#include "common/report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "common/text.h"

/* Without labels, sources count as one network when they share this many bits. */
#define NETWORK_BITS_V4 16
#define NETWORK_BITS_V6 32

void px_report_init(struct px_report *r)
{
    memset(r, 0, sizeof(*r));
}

void px_report_clear(struct px_report *r)
{
    free(r->vantages);
    free(r->observations);
    px_strs_clear(&r->abstained);
    px_strs_clear(&r->notes);
    px_verdict_clear(&r->verdict);
    px_report_init(r);
}

/* Room for one element more than n; doubled, so that long lists are not copied again and again. */
static void *room_extend(void *list, size_t n, size_t size, size_t *room)
{
    if (n < *room)
        return list;
    *room = n < 4 ? 4 : n * 2;
    return px_xrealloc(list, *room, size);
}

struct px_vantage *px_report_add_vantage(struct px_report *r, const char *name)
{
    r->vantages =
        room_extend(r->vantages, r->vantage_count, sizeof(*r->vantages), &r->vantage_room);
    struct px_vantage *v = &r->vantages[r->vantage_count++];
    memset(v, 0, sizeof(*v));
    px_text_copy(v->name, sizeof(v->name), name);
    return v;
}

struct px_observation *px_report_add_observation(struct px_report *r,
                                                 const struct px_observation *o)
{
    struct px_observation copy = *o; /* o may live in the list that is about to move */
    size_t n = r->observation_count;
    r->observations = room_extend(r->observations, n, sizeof(copy), &r->observation_room);
    r->observations[n] = copy;
    r->observation_count++;
    return &r->observations[n];
}

int px_report_find_vantage(const struct px_report *r, const char *name)
{
    for (size_t i = 0; i < r->vantage_count; i++) {
        if (strcmp(r->vantages[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

const char *px_vantage_label(const struct px_vantage *v, const char *key)
{
    for (uint32_t i = 0; i < v->label_count; i++) {
        if (strcmp(v->labels[i].key, key) == 0)
            return v->labels[i].value;
    }
    return NULL;
}

/* The number of "64496", "AS64496" and "as64496" alike; NULL if there is no such label. */
static const char *vantage_asn(const struct px_vantage *v)
{
    const char *asn = px_vantage_label(v, "asn");
    if (asn != NULL && strncasecmp(asn, "as", 2) == 0)
        asn += 2;
    return asn != NULL && asn[0] != '\0' ? asn : NULL;
}

static const char *vantage_network_label(const struct px_vantage *v)
{
    const char *network = px_vantage_label(v, "network");
    return network != NULL && network[0] != '\0' ? network : NULL;
}

char *px_vantage_network(const struct px_vantage *v, char *out)
{
    const char *network = vantage_network_label(v), *asn = vantage_asn(v);
    if (network != NULL)
        snprintf(out, PX_LABEL_MAX + 3, "%s", network);
    else if (asn != NULL)
        snprintf(out, PX_LABEL_MAX + 3, "AS%s", asn);
    else
        snprintf(out, PX_LABEL_MAX + 3, "-");
    return out;
}

bool px_vantage_same_network(const struct px_vantage *a, const struct px_vantage *b)
{
    const char *asn_a = vantage_asn(a), *asn_b = vantage_asn(b);
    const char *net_a = vantage_network_label(a), *net_b = vantage_network_label(b);

    if (a->seen_as.family != 0 && px_addr_equal(&a->seen_as, &b->seen_as))
        return true;
    if (asn_a != NULL && asn_b != NULL)
        return strcmp(asn_a, asn_b) == 0;
    if (net_a != NULL && net_b != NULL)
        return strcmp(net_a, net_b) == 0;
    if (a->seen_as.family == 0 || a->seen_as.family != b->seen_as.family)
        return true;
    unsigned bits = a->seen_as.family == 4 ? NETWORK_BITS_V4 : NETWORK_BITS_V6;
    struct px_prefix around = px_prefix_of(&a->seen_as, bits);
    return px_prefix_contains(&around, &b->seen_as);
}

bool px_name_valid(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char further[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    if (name == NULL || name[0] == '\0' || strchr(first, name[0]) == NULL)
        return false;
    size_t length = strspn(name, further);
    return name[length] == '\0' && length <= PX_NAME_MAX;
}

char *px_id_new(px_wall now, char *out)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t noise[16]; /* one byte for each digit: 5 bits of it are used */
    uint64_t ms = (uint64_t)(now > 0 ? now / PX_MS : 0);

    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise)) {
        fputs("no random numbers\n", stderr);
        abort();
    }
    for (int i = 9; i >= 0; i--, ms >>= 5)
        out[i] = digits[ms & 31];
    for (size_t i = 0; i < sizeof(noise); i++)
        out[10 + i] = digits[noise[i] & 31];
    out[26] = '\0';
    return out;
}
