/* SPDX-License-Identifier: MIT */
/*
 * Which vantages belong together: the attributes they share, and the search for the set of vantages
 * that a cause affects. A set is worth what its members gain in log likelihood minus what it takes
 * to describe it. Linear in the number of vantages; subsets are never enumerated.
 *
 *   everyone                     0 bits
 *   one value of an attribute    log2(attributes) + log2(values)
 *   everyone but one value       one bit more
 *   a union of values            log2(attributes) + values       (each value in or out by itself)
 *   any k of n sources           log2 C(n, k) + log2 n
 */
#ifndef DIAGNOSE_PARTITION_H
#define DIAGNOSE_PARTITION_H

#include "coordinator/diagnose/hypotheses.h"
#include "coordinator/diagnose/path.h"

#define NO_VALUE UINT32_MAX
#define LABEL_KEYS_MAX 32

struct attribute {
    enum attribute_kind kind;
    char key[PX_LABEL_MAX + 1]; /* of a label */
    unsigned prefix_len[2];     /* of a prefix, v4 and v6; 0 = none of that family */
    uint32_t *of;               /* value by unit, NO_VALUE = has none */
    uint32_t *members;          /* units by value */
    uint32_t value_count;
    bool partial;  /* some vantages have none: one more value to tell */
    uint32_t twin; /* first attribute that tells the vantages apart in the same way */
    bool divides;  /* tells vantages apart, and has no earlier twin */
};

/* A block of sources: units order[from] .. order[to] share `len` bits of their address. */
struct block {
    uint32_t from, to;
    unsigned len;
};

struct partition {
    const struct scene *scene;
    const struct paths *paths;
    struct evidence **unit; /* the fit vantages, n of them */
    size_t n;
    double *weight;   /* of a vantage as a witness: nodes behind one source share one vote */
    size_t sources;   /* distinct ones */
    bool one_network; /* no two vantages are in different networks */
    struct attribute *attributes; /* attribute 0 is the source address */
    size_t attribute_count;
    double attribute_bits; /* log2 of how many of them divide */
    uint32_t *order;       /* units by source, those without at the end */
    struct block *blocks;
    size_t block_count;
    uint32_t *hop_members; /* units by hop of paths */
    uint32_t hop_values;   /* hops that no working path uses */
    double *sum;           /* scratch, as long as the longest list of values + 1 */
};

/* A set of vantages and what it takes to name it. */
struct description {
    enum shape shape; /* 0 = no set at all */
    enum { BY_ATTRIBUTE, BY_BLOCK, BY_HOP } by;
    uint32_t attribute, value; /* value: of the attribute, block or hop; list: how many */
    double bits;
    double gain; /* of its members */
};

void partition_init(struct partition *p, const struct scene *s, const struct paths *paths);
void partition_clear(struct partition *p);

/* The best set within that reach. gain: by unit, what its being affected adds to the log
 * likelihood, already weighted. shape 0 if the reach allows no set. */
struct description partition_search(struct partition *p, const struct reach *reach,
                                    const double *gain);
/* Worth of a description in nats: gain minus bits. */
double description_score(const struct description *d);
/* Mark its members. gain: as it was searched with. */
void partition_expand(struct partition *p, const struct description *d, const double *gain,
                      bool *in);

double bits_of_list(size_t n, size_t k); /* log2 C(n, k) + log2 n */

/* Name a set for people, in the attributes that suit the cause. */
struct group {
    char *attribute; /* "all", "address", "prefix", a label's key, "tag", "hop", "list"... */
    struct px_strs values;
    char *words;     /* "AS64496", "198.51.100.0/24", "fra1 and hel1" */
    bool allow_list; /* said best by what is left out: `words` then names the others */
};
struct group partition_describe(struct partition *p, enum px_cause cause, const bool *in);
void group_clear(struct group *g);

/* Is the set exactly one prefix or label value of sources? */
bool partition_is_one_range(const struct partition *p, const bool *in);
/* Does every affected source have an unaffected, working one in its /24 or /64? */
bool partition_has_neighbours(const struct partition *p, const bool *in);
/* Do all affected /24 or /64 hold at least three affected sources? */
bool partition_has_company(const struct partition *p, const bool *in);
/* At least two networks among the vantages for which want is set. */
bool partition_spans_networks(const struct partition *p, const bool *want);

#endif
