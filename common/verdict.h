/* SPDX-License-Identifier: MIT */
/* What is wrong, where, how sure, what else it could be, what to do: made by coordinator/diagnose
 * only. */
#ifndef PX_COMMON_VERDICT_H
#define PX_COMMON_VERDICT_H

#include <stddef.h>

#include "common/clock.h"
#include "common/vocab.h"

/* Owned list of owned strings. */
struct px_strs {
    char **v;
    size_t n;
};
/* Append a copy of s. Memory exhaustion aborts (px_xstrdup), as everywhere for such small things.
 */
void px_strs_add(struct px_strs *list, const char *s);
void px_strs_addf(struct px_strs *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int px_strs_has(const struct px_strs *list, const char *s);
void px_strs_clear(struct px_strs *list);

struct px_evidence {
    char *id; /* short stable word: "others-ok", "icmp-from-target" */
    struct px_strs vantages;
    char *text;
};
struct px_ruled_out {
    enum px_cause cause;
    char *because;
};
struct px_alternative {
    enum px_scope scope;
    enum px_cause cause;
    double probability;
};
struct px_step {
    char *where; /* "host", "vantage fra1", "here", "network team" */
    char *run;   /* exactly what to type; "" if it is advice in words */
    char *why;
};
/* The probe that would decide, if one could. */
struct px_deciding {
    char *kind; /* "control", "trace", "vantage", "second-vantage"; NULL = none */
    struct px_strs from;
    char *needs; /* "a vantage in AS64496 outside 198.51.100.0/24" */
    enum px_cause splits[4];
    size_t split_count;
};

struct px_finding {
    enum px_scope scope;
    enum px_cause cause;
    enum px_stage layer;
    enum px_certainty certainty, scope_certainty;
    double probability, scope_probability;
    enum px_cause ambiguous_with[6];
    size_t ambiguous_count;
    struct px_strs affected, unaffected; /* vantage names, sorted */
    char *group_attribute; /* "address", "prefix", "asn", "network", "all", "list"... */
    struct px_strs group_values;
    char *where;   /* path scope: the interval; NULL otherwise */
    px_wall since; /* 0 unknown */
    char *summary; /* one line without scope and certainty */
    struct px_evidence *evidence;
    size_t evidence_count;
    struct px_ruled_out *ruled_out;
    size_t ruled_out_count;
    struct px_alternative *alternatives;
    size_t alternative_count;
    struct px_step *steps;
    size_t step_count;
    struct px_deciding deciding;
};

struct px_verdict {
    enum px_status status;
    char *summary; /* one line; NULL = no verdict yet */
    struct px_finding *findings;
    size_t finding_count;
};

/* Append an empty record and return it; it stays owned by its parent. Pointers to earlier ones may
 * move. */
struct px_finding *px_verdict_add_finding(struct px_verdict *v);
struct px_evidence *px_finding_add_evidence(struct px_finding *f, const char *id);
void px_finding_add_ruled_out(struct px_finding *f, enum px_cause cause, const char *because);
void px_finding_add_alternative(struct px_finding *f, enum px_cause cause, double probability);
void px_finding_add_step(struct px_finding *f, const char *where, const char *run, const char *why);
void px_verdict_clear(struct px_verdict *v); /* back to all zero */

#endif
