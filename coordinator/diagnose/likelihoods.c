/* SPDX-License-Identifier: MIT */
/*
 * Reading the likelihood table (likelihoods.def): patterns by layer, shared nuisances, repeats.
 * Decides nothing.
 */
#include "coordinator/diagnose/likelihoods.h"

#define LAYER_OUTCOMES_MAX 17

const uint8_t layer_first[LAYER_COUNT + 1] = {
    [LAYER_DNS] = DNS_FOUND,       [LAYER_TCP] = TCP_OPEN,
    [LAYER_APP] = APP_OK,          [LAYER_KEY] = KEY_SAME,
    [LAYER_ECHO] = ECHO_OK,        [LAYER_CONTROL] = CONTROL_ANSWERS,
    [LAYER_TRACE] = TRACE_REACHED, [LAYER_REFERENCE] = REFERENCE_FINE,
    [LAYER_LOAD] = LOAD_FINE,      [LAYER_COUNT] = OUTCOME_COUNT,
};

static const struct pattern {
    const char *name;
    enum layer layer;
    double percent[LAYER_OUTCOMES_MAX];
} patterns[PATTERN_COUNT] = {
    [PATTERN_FLAT] = {.name = "FLAT", .layer = LAYER_COUNT},
#define PATTERN(ID, of_layer, ...)                                                                 \
    [PATTERN_##ID] = {.name = #ID, .layer = LAYER_##of_layer, .percent = {__VA_ARGS__}},
#include "coordinator/diagnose/likelihoods.def"
};

/* How probable each nuisance is (guesses, from how servers are usually firewalled), and which
 * pattern it puts in the place of which. */
static const struct shift {
    enum nuisance nuisance;
    double prior;
    enum pattern_id from, to;
} shifts[] = {
    {NUISANCE_ECHO, 0.20, PATTERN_ECHO_ALIVE, PATTERN_ECHO_FILTERED},
    {NUISANCE_PORTS, 0.30, PATTERN_CONTROL_ALIVE, PATTERN_CONTROL_FILTERED},
    {NUISANCE_ROUTERS, 0.10, PATTERN_TRACE_EDGE, PATTERN_TRACE_BLURRED},
};
#define SHIFTS (sizeof shifts / sizeof *shifts)

const double repeat_same = 0.97;     /* measured: bans, drops, resets repeat every time */
const double repeat_noise = 0.40;    /* guess: what is odd once is often odd again */
const double repeat_expected = 0.10; /* between noise and the rarest variant of a prediction */
const double change_in_run = 0.02;   /* guess: a run is seconds, trouble lasts minutes */

uint64_t layer_outcomes(enum layer l)
{
    uint64_t below = layer_first[l + 1] == 64 ? ~(uint64_t)0 : OUTCOME_BIT(layer_first[l + 1]) - 1;
    return below & ~(OUTCOME_BIT(layer_first[l]) - 1);
}

enum layer pattern_layer(enum pattern_id p)
{
    return patterns[p].layer;
}

const char *pattern_name(enum pattern_id p)
{
    return patterns[p].name;
}

double pattern_probability(enum pattern_id p, enum layer l, uint64_t outcomes)
{
    unsigned first = layer_first[l], n = layer_first[l + 1] - first;
    double sum = 0;
    for (unsigned i = 0; i < n; i++) {
        if (outcomes & OUTCOME_BIT(first + i))
            sum += p == PATTERN_FLAT ? 100.0 / n : patterns[p].percent[i];
    }
    return sum / 100;
}

enum pattern_id pattern_under(enum pattern_id p, enum nuisance n)
{
    for (unsigned i = 0; i < SHIFTS; i++) {
        if (shifts[i].nuisance == n && shifts[i].from == p)
            return shifts[i].to;
    }
    return p;
}

double nuisance_prior(unsigned combination)
{
    double prior = 1;
    unsigned counted = 0;
    for (unsigned i = 0; i < SHIFTS; i++) {
        if (counted & shifts[i].nuisance)
            continue;
        counted |= shifts[i].nuisance;
        prior *= combination & shifts[i].nuisance ? shifts[i].prior : 1 - shifts[i].prior;
    }
    return prior;
}
