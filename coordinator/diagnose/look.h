/* SPDX-License-Identifier: MIT */
/* Looks: single attempts of one vantage at one layer of the ladder, and what they add up to. */
#ifndef DIAGNOSE_LOOK_H
#define DIAGNOSE_LOOK_H

#include "common/report.h"
#include "coordinator/diagnose/likelihoods.h"

/* Looks at one layer of the ladder. At most one kind of failure is kept: the best attested. */
struct tally {
    uint64_t ok_bits, fail_bits; /* outcomes; several bits = cannot be told more exactly */
    uint8_t ok, fail;            /* looks of each kind, at most TALLY_MAX */
    bool onset;                  /* all successes came before all failures, in different looks */
    bool failed_last;
};
#define TALLY_MAX 12

#define LADDER_LAYERS (LAYER_APP + 1)

/* One resolution, connect or handshake. */
struct look {
    px_wall when;
    uint32_t observation; /* in order of time */
    uint64_t bits;        /* its outcome */
    bool ok;
    enum px_code code;
    enum px_stage stage;
    double ms;
    struct px_icmp icmp;
    const struct px_observation *from;
};

#define LOOKS_MAX 64 /* per vantage and layer; later ones are not needed to judge */

struct looks {
    size_t n;
    struct look v[LOOKS_MAX];
};

/* Add the looks of one observation to each layer of the ladder. index: its place in time; named:
 * the target had to be resolved. */
void looks_add(struct looks *ladder, const struct px_observation *o, uint32_t index, bool named);
/* The failure that stands for all, NULL if there is none. */
const struct look *looks_decisive(const struct looks *l);
/* Rank of a failure: what speaks outweighs silence. */
unsigned look_weight(uint64_t bits);
/* Outcome of a connect to target; 0 = says nothing about it. */
uint64_t look_tcp_bits(enum px_code code, const struct px_icmp *icmp, double ms,
                       const struct px_addr *target);
/* Kind of a code; a value out of range says nothing. */
enum px_code_kind look_kind(enum px_code code);

void tally_fill(struct tally *t, const struct looks *l);
/* Does it mean that the layer does not work? */
bool tally_failing(const struct tally *t);
/* Both kinds were seen. */
bool tally_mixed(const struct tally *t);

#endif
