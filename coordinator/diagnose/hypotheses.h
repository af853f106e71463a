/* SPDX-License-Identifier: MIT */
/*
 * The causes that are considered, as a table: how probable they are before anything was seen, which
 * sets of vantages they may affect, and which pattern each layer shows at an affected vantage.
 * Data only; adding a cause is adding rows.
 */
#ifndef DIAGNOSE_HYPOTHESES_H
#define DIAGNOSE_HYPOTHESES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/vocab.h"
#include "coordinator/diagnose/likelihoods.h"

/* What makes vantages belong together. */
enum attribute_kind {
    ATTRIBUTE_ADDRESS, /* one source address (/32, /128; nodes behind one egress share it) */
    ATTRIBUTE_PREFIX, /* source prefix: /24 or /64, /16 or /48, /32 of IPv6, any block of sources */
    ATTRIBUTE_LABEL,  /* asn, network, provider, region, site, any other label or tag */
    ATTRIBUTE_FAMILY, /* address family of the probed address */
    ATTRIBUTE_ANSWER, /* which address the name resolved to */
    ATTRIBUTE_SPEAKER, /* which router answered */
    ATTRIBUTE_HOP,     /* a hop of the path that no working path uses */
    ATTRIBUTE_KINDS
};

enum shape {
    SHAPE_EVERYONE = 1,
    SHAPE_VALUE = 2,   /* one value of one attribute */
    SHAPE_BUT_ONE = 4, /* everyone except one value: an allow-list */
    SHAPE_UNION = 8,   /* several values of one attribute */
    SHAPE_LIST = 16    /* any set of sources */
};

/* Which sets a cause may affect. Extra bits are paid on top of the description length. */
struct reach {
    unsigned shapes;     /* enum shape mask */
    unsigned attributes; /* 1 << attribute_kind mask */
    double everyone_bits, list_bits;
    double each_bits; /* for each further source: separate acts, not one rule */
};

struct hypothesis {
    enum px_cause cause;
    const char *variant; /* "" or what tells it from the other rows of its cause */
    enum px_stage stage; /* of the finding */
    double prior;        /* relative to the other rows */
    bool now_and_then;   /* outcomes mix: the same look may fail now and pass then */
    const struct reach *reach;
    enum pattern_id dns, tcp, app, key, echo, control, trace;
};

/* Row 0 is health. */
extern const struct hypothesis hypotheses[];
extern const size_t hypothesis_count;
#define HYPOTHESES_MAX 64

/* What may be wrong with one vantage, whatever the target does: explains its evidence away instead
 * of competing with the causes. */
struct local_state {
    enum px_cause cause;
    double prior;   /* share of vantages */
    bool finding;   /* becomes a finding of its own; the others only keep one odd vantage from
                       deciding for all */
    uint64_t needs; /* a finding only if one of these was seen, and its layer was not fine */
    enum {
        APART,  /* nothing else shows through */
        BESIDE, /* echo and control are what else acts on the vantage makes of them */
        WITHIN  /* so are connect and trace: the state only spoils what works otherwise */
    } manner;
    enum pattern_id dns, tcp, app, echo, control, trace, reference, load;
};
extern const struct local_state local_states[];
extern const size_t local_state_count;
#define LOCAL_STATES_MAX 16

/* Patterns of a row by layer. */
enum pattern_id hypothesis_pattern(const struct hypothesis *h, enum layer l);
enum pattern_id local_pattern(const struct local_state *z, enum layer l);

/* Does the cause treat every source alike, be it one vantage that says so? */
bool cause_holds_for_all(enum px_cause c);

/* Causes that may look the same on the wire. `when` is checked by judge.c. */
enum ambiguity {
    AMBIGUOUS_ALWAYS,
    AMBIGUOUS_UNTOLD,         /* unless a router said that nobody is there */
    AMBIGUOUS_NO_NEIGHBOUR,   /* unless a neighbour address passes, or an onset was seen */
    AMBIGUOUS_LONE_IN_PREFIX, /* unless several sources of each prefix fail alike */
    AMBIGUOUS_ONE_PREFIX,     /* if a prefix or label of sources describes the set as well */
    AMBIGUOUS_ROUTER_SERVES   /* if the router that speaks carries working paths, too */
};
struct lookalike {
    enum px_cause cause, other;
    enum ambiguity when;
};
extern const struct lookalike lookalikes[];
extern const size_t lookalike_count;

/* Whose networks are counted when a finding is to be confirmed. */
enum witness { WITNESS_AFFECTED, WITNESS_UNAFFECTED, WITNESS_EITHER, WITNESS_NONE };
enum witness cause_witness(enum px_cause c);

#endif
