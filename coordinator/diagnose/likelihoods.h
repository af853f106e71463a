/* SPDX-License-Identifier: MIT */
/*
 * What a vantage can see, and how probable each sight is: the alphabet of outcomes and one table of
 * patterns. Data only; who predicts which pattern is in hypotheses.c.
 */
#ifndef DIAGNOSE_LIKELIHOODS_H
#define DIAGNOSE_LIKELIHOODS_H

#include <stdint.h>

/* Groups of outcomes of which a vantage sees at most one. The first three are the ladder. */
enum layer {
    LAYER_DNS,
    LAYER_TCP,
    LAYER_APP, /* everything above the connection: greeting, keys, login, TLS, HTTP */
    LAYER_KEY, /* the host key beside what the others see */
    LAYER_ECHO,
    LAYER_CONTROL,
    LAYER_TRACE,
    LAYER_REFERENCE,
    LAYER_LOAD,
    LAYER_COUNT
};

enum outcome {
    DNS_FOUND,
    DNS_ABSENT, /* no such name, or no address */
    DNS_FAILED, /* the resolver reports a failure */
    DNS_SILENT,

    TCP_OPEN,
    TCP_SILENT,
    TCP_RESET,
    TCP_REJECT_TARGET, /* ICMP reject sent by the target itself */
    TCP_REJECT_ROUTER, /* ICMP reject sent by anything else on the way */
    TCP_HOST_LATE,     /* a router says host unreachable after its address resolution timed out */
    TCP_HOST_QUICK,    /* a router says host unreachable at once */
    TCP_NET,           /* a router says that it has no route */
    TCP_LOOP,

    APP_OK,
    APP_CLOSED,
    APP_CLOSED_LATE, /* after the 5 s that tcp wrappers sleep */
    APP_RESET,
    APP_TEXT, /* the service says that it refuses */
    APP_MUTE,
    APP_FOREIGN,
    APP_KEX_MISMATCH,
    APP_KEX_BROKEN,
    APP_KEX_STALL,
    APP_KEY_PINNED, /* not the pinned key */
    APP_DENIED,
    APP_NO_SESSION,
    APP_CERTIFICATE,
    APP_TLS_ALERT,
    APP_STALL, /* TLS or HTTP stands still */
    APP_HTTP,

    KEY_SAME,
    KEY_OTHER,

    ECHO_OK,
    ECHO_LOSSY,
    ECHO_SILENT,
    ECHO_TOLD, /* a router says unreachable or prohibited */

    CONTROL_ANSWERS,  /* another port of the host accepts or resets */
    CONTROL_REJECTED, /* another port is rejected by the host itself */
    CONTROL_SILENT,
    CONTROL_TOLD,

    TRACE_REACHED,
    TRACE_EDGE,   /* ends at the last router before the target */
    TRACE_SHARED, /* ends earlier, at a router that working paths use */
    TRACE_MID,    /* ends at a router that no working path uses */
    TRACE_NONE,   /* no hop answers */

    REFERENCE_FINE,
    REFERENCE_PORT_DEAD, /* fails on the target's port only */
    REFERENCE_DEAD,

    LOAD_FINE,
    LOAD_HIGH,

    OUTCOME_COUNT
};
_Static_assert(OUTCOME_COUNT <= 64, "what a vantage saw is a set of bits");

#define OUTCOME_BIT(o) ((uint64_t)1 << (o))

/* First outcome of a layer; one row more, so that layer + 1 is where it ends. */
extern const uint8_t layer_first[LAYER_COUNT + 1];
/* All outcomes of a layer. */
uint64_t layer_outcomes(enum layer l);

/* Kinds of sight. Every pattern belongs to one layer; PATTERN_FLAT is any layer without opinion. */
enum pattern_id {
    PATTERN_FLAT,
#define PATTERN(ID, layer, ...) PATTERN_##ID,
#include "coordinator/diagnose/likelihoods.def"
    PATTERN_COUNT
};

enum layer pattern_layer(enum pattern_id p); /* LAYER_COUNT for PATTERN_FLAT */
const char *pattern_name(enum pattern_id p);
/* Probability that one of `outcomes` (bits, all of layer l) is seen. */
double pattern_probability(enum pattern_id p, enum layer l, uint64_t outcomes);

/* Facts about the target that all vantages share and nobody knows: each is a bit. */
enum nuisance { NUISANCE_ECHO = 1, NUISANCE_PORTS = 2, NUISANCE_ROUTERS = 4, NUISANCE_COUNT = 8 };
/* The pattern that takes the place of p where that nuisance holds; p itself if it does not matter.
 */
enum pattern_id pattern_under(enum pattern_id p, enum nuisance n);
double nuisance_prior(unsigned combination);

/* How looks repeat themselves. */
extern const double repeat_same;     /* a further look shows the row's own prediction again */
extern const double repeat_noise;    /* a further look shows again what the row calls noise */
extern const double repeat_expected; /* from this probability on an outcome is a prediction */
extern const double change_in_run;   /* trouble begins between two looks of the same run */

#endif
