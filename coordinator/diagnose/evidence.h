/* SPDX-License-Identifier: MIT */
/*
 * Evidence: the observations of a vantage over all rounds, drawn together into one outcome per
 * layer, how often it was seen, and who answered. No cause is considered here.
 */
#ifndef DIAGNOSE_EVIDENCE_H
#define DIAGNOSE_EVIDENCE_H

#include "coordinator/diagnose/look.h"

struct evidence {
    const struct px_vantage *vantage;
    uint32_t index;        /* of the vantage in the report */
    bool away;             /* does not report */
    bool reported;         /* saw something of the target, be it failure or success */
    bool left_out;         /* the judge found the vantage itself unfit */
    enum px_code local;    /* what kept the vantage from trying, if it never could; else UNKNOWN */
    struct px_addr source; /* as the target sees it, as far as known; family 0 unknown */
    struct px_addr target; /* address that was probed */

    uint64_t seen; /* outcome bits of the layers beside the ladder */
    struct tally ladder[LADDER_LAYERS];
    bool failing;        /* the target does not work from here */
    enum px_stage stage; /* where it fails, or the deepest that was completed */
    enum px_code code;
    struct px_icmp icmp;  /* who spoke; family 0 = nobody */
    unsigned tries, same; /* connects, and how many of them ended like the decisive one */

    px_wall first, last; /* looks that support the outcome */
    px_wall since;       /* first failing look after a good one; 0 = no onset seen */
    bool twice;          /* the outcome was seen in two looks at least a second apart */

    const struct px_trace *trace;       /* NULL = none ran */
    const struct px_observation *told;  /* the observation that decided, NULL = none */
    uint16_t control_port;              /* that answered best; 0 = none ran */
    const char *hostkey, *hostkey_type; /* "" unknown */
};

/* Every vantage of a report, sorted by name, so that nothing depends on the order of arrival. */
struct scene {
    const struct px_report *report;
    struct evidence *all;
    size_t count;
    struct evidence **fit; /* those that may bear witness; fit_count of them */
    size_t fit_count;
};

/* Draw the evidence; fit holds everyone who reported. Free with scene_clear. */
void scene_init(struct scene *s, const struct px_report *r);
void scene_clear(struct scene *s);
/* Take vantages that are left_out out of fit. */
void scene_leave_out(struct scene *s);

#endif
