/* SPDX-License-Identifier: MIT */
/*
 * The facts of one finding, counted once for all sentences about it, and the filling of sentence
 * patterns. Knows no sentence itself.
 */
#ifndef DIAGNOSE_WORDING_H
#define DIAGNOSE_WORDING_H

#include "coordinator/diagnose/judge.h"

struct wording {
    const struct judgement *j;
    const struct draft *d;
    enum px_cause cause;
    struct group group;
    size_t fit;                  /* vantages that bear witness */
    size_t affected;             /* of them */
    size_t failing;              /* affected and failing */
    size_t served;               /* unaffected and not failing */
    size_t networks;             /* 1 or 2 = at least two, among the affected */
    const struct evidence **hit; /* the affected ones that fail, or all affected if none does */
    size_t hits;
    const struct evidence *first; /* hit[0]; never NULL while there is an affected one */
    char target[PX_HOST_MAX + 1]; /* probed address if it is the same for all, else the host */
    bool alone;                   /* the only fit vantage fails */
};

void wording_init(struct wording *w, struct judgement *j, const struct draft *d);
void wording_clear(struct wording *w);

/* Replace the places of a pattern, like {target} or {group} (table in wording.c); unknown ones
 * stay. Heap. */
char *wording_fill(const struct wording *w, const char *pattern);

/* "fra1", "fra1 and hel1", "fra1, hel1 and 3 more". Heap. */
char *wording_names(const struct evidence *const *v, size_t n);
/* "5" as "five" up to twelve. Static or out (24 bytes). */
const char *wording_number(size_t n, char *out);
/* "port-unreachable" for ICMP type 3 code 3. Static. */
const char *wording_icmp(const struct px_icmp *icmp);
/* Add the names of v to a list. */
void wording_list(struct px_strs *list, const struct evidence *const *v, size_t n);

#endif
