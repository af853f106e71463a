/* SPDX-License-Identifier: MIT */
/*
 * log P(cause, set | data) = log prior - bits(set) ln 2
 *                          + sum over vantages of log sum over local states of P(seen | ...),
 * shared nuisances summed out. A layer counts only if the layer below succeeded: what was not seen
 * has no factor.
 */
#include "coordinator/diagnose/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define EXPLAINED_MIN 0.015 /* a rarer sight is noise, not an explanation */
#define NEGLIGIBLE 16.0     /* nats below the best: adds nothing to any probability shown */
#define IMPOSSIBLE (-40.0)  /* log: no local state can be told from what was seen */

/* What vantages with the same evidence have in common. */
struct signature {
    uint64_t seen;
    uint64_t ok_bits[LADDER_LAYERS], fail_bits[LADDER_LAYERS];
    uint8_t ok[LADDER_LAYERS], fail[LADDER_LAYERS];
    uint8_t onset[LADDER_LAYERS];
    uint8_t padding[7];
};
_Static_assert(sizeof(struct signature) == 7 * 8 + 16, "compared as bytes: no holes");

/* Probability of a signature's layers under each pattern. */
struct sight {
    const struct signature *of;
    double steady[PATTERN_COUNT]; /* ladder: the outcome stays; other layers */
    double mixed[PATTERN_COUNT];  /* ladder: it comes and goes */
    double flat[LAYER_COUNT];     /* of PATTERN_FLAT */
};

/* ---- signatures ---- */

static void signature_fill(struct signature *g, const struct evidence *e)
{
    bool cut = tally_failing(&e->ladder[LAYER_TCP]); /* what was above is from before */
    memset(g, 0, sizeof *g);
    g->seen = e->seen;
    for (unsigned l = 0; l < LADDER_LAYERS; l++) {
        const struct tally *t = &e->ladder[l];
        if (l == LAYER_APP && cut)
            continue;
        g->ok_bits[l] = t->ok_bits;
        g->fail_bits[l] = t->fail_bits;
        g->ok[l] = t->ok;
        g->fail[l] = t->fail;
        g->onset[l] = t->onset && tally_failing(t);
    }
}

static uint32_t signature_hash(const struct signature *g)
{
    const uint8_t *bytes = (const uint8_t *)g;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof *g; i++)
        h = (h ^ bytes[i]) * 16777619u;
    return h ^ (h >> 15);
}

/* Number the distinct signatures; returns them, heap. */
static struct signature *signatures_number(struct scores *s)
{
    struct signature *all = px_xcalloc(s->n + 1, sizeof *all);
    uint32_t size = 16;
    while (size < 2 * s->n + 2)
        size *= 2;
    uint32_t *table = px_xcalloc(size, sizeof *table); /* signature + 1 */
    for (size_t i = 0; i < s->n; i++) {
        struct signature *g = &all[s->signatures];
        signature_fill(g, s->partition->unit[i]);
        uint32_t at = signature_hash(g) & (size - 1);
        while (table[at] && memcmp(&all[table[at] - 1], g, sizeof *g) != 0)
            at = (at + 1) & (size - 1);
        if (!table[at])
            table[at] = ++s->signatures;
        s->signature[i] = table[at] - 1;
    }
    free(table);
    return all;
}

/* ---- one signature under one pattern ---- */

static double power(double base, unsigned times)
{
    double product = 1;
    while (times-- > 0)
        product *= base;
    return product;
}

static double repeated(double p, unsigned times)
{
    return power(p >= repeat_expected ? repeat_same : repeat_noise, times);
}

/* All looks of a layer if what happens does not change by itself. */
static double tally_steady(double p_ok, double p_fail, unsigned ok, unsigned fail, bool onset)
{
    double odd = 1 - repeat_same;
    if (ok == 0)
        return fail == 0 ? 1 : p_fail * repeated(p_fail, fail - 1);
    if (fail == 0)
        return p_ok * repeated(p_ok, ok - 1);
    double as_ok = p_ok * repeated(p_ok, ok - 1) * power(odd, fail);
    double as_fail = p_fail * repeated(p_fail, fail - 1);
    return as_ok + as_fail * power(odd, ok) + (onset ? as_fail * change_in_run : 0);
}

/* The same if each look fails by chance, with a share that may be any: k! (n-k)! / (n+1)!. */
static double tally_mixing(double p_ok, double p_fail, unsigned ok, unsigned fail)
{
    double failures = 1 - p_ok, share = 1.0 / (ok + fail + 1);
    if (ok + fail == 0)
        return 1;
    for (unsigned i = 1; i <= ok; i++)
        share *= (double)i / (fail + i);
    return share * (fail > 0 && failures > 0 ? p_fail / failures : 1);
}

static double sight_ladder(const struct signature *g, enum layer l, enum pattern_id p, bool mixing)
{
    double p_ok = pattern_probability(p, l, g->ok_bits[l]);
    double p_fail = pattern_probability(p, l, g->fail_bits[l]);
    if (mixing && p_ok > repeat_expected && p_ok < 1 - repeat_expected)
        return tally_mixing(p_ok, p_fail, g->ok[l], g->fail[l]);
    return tally_steady(p_ok, p_fail, g->ok[l], g->fail[l], g->onset[l]);
}

static double sight_side(const struct signature *g, enum layer l, enum pattern_id p)
{
    uint64_t bits = g->seen & layer_outcomes(l);
    return bits ? pattern_probability(p, l, bits) : 1;
}

static void sight_fill(struct sight *v, const struct signature *g)
{
    v->of = g;
    for (unsigned l = 0; l < LAYER_COUNT; l++)
        v->flat[l] = l < LADDER_LAYERS ? sight_ladder(g, (enum layer)l, PATTERN_FLAT, false)
                                       : sight_side(g, (enum layer)l, PATTERN_FLAT);
    for (unsigned p = 1; p < PATTERN_COUNT; p++) {
        enum layer l = pattern_layer((enum pattern_id)p);
        if (l < LADDER_LAYERS) {
            v->steady[p] = sight_ladder(g, l, (enum pattern_id)p, false);
            v->mixed[p] = sight_ladder(g, l, (enum pattern_id)p, true);
        } else {
            v->steady[p] = v->mixed[p] = sight_side(g, l, (enum pattern_id)p);
        }
    }
}

static double sight_of(const struct sight *v, enum layer l, enum pattern_id p, bool mixing)
{
    if (p == PATTERN_FLAT)
        return v->flat[l];
    return mixing ? v->mixed[p] : v->steady[p];
}

/* ---- one signature under one row ---- */

static const struct {
    enum layer layer;
    enum nuisance nuisance;
} shared[] = {
    {LAYER_ECHO, NUISANCE_ECHO}, {LAYER_CONTROL, NUISANCE_PORTS}, {LAYER_TRACE, NUISANCE_ROUTERS}};

/* The patterns of a row or a local state, and what shared nuisances make of them. */
struct prediction {
    enum pattern_id by_layer[LAYER_COUNT];
    enum pattern_id under[3];
    bool mixing;
};

static void prediction_shift(struct prediction *p)
{
    for (unsigned i = 0; i < 3; i++)
        p->under[i] = pattern_under(p->by_layer[shared[i].layer], shared[i].nuisance);
}

static void prediction_of_row(struct prediction *p, size_t row)
{
    for (unsigned l = 0; l < LAYER_COUNT; l++)
        p->by_layer[l] = hypothesis_pattern(&hypotheses[row], (enum layer)l);
    p->mixing = hypotheses[row].now_and_then;
    prediction_shift(p);
}

static void prediction_of_state(struct prediction *p, size_t state)
{
    for (unsigned l = 0; l < LAYER_COUNT; l++)
        p->by_layer[l] = local_pattern(&local_states[state], (enum layer)l);
    p->mixing = false;
    prediction_shift(p);
}

/* P(seen | patterns) under each combination of nuisances. */
static void sight_combine(const struct sight *v, const struct prediction *p, double *out)
{
    double fixed = 1, part[3][2];
    for (unsigned l = 0; l < LAYER_COUNT; l++) {
        if (l != LAYER_ECHO && l != LAYER_CONTROL && l != LAYER_TRACE)
            fixed *= sight_of(v, (enum layer)l, p->by_layer[l], p->mixing);
    }
    for (unsigned i = 0; i < 3; i++) {
        part[i][0] = sight_of(v, shared[i].layer, p->by_layer[shared[i].layer], p->mixing);
        part[i][1] = sight_of(v, shared[i].layer, p->under[i], p->mixing);
    }
    for (unsigned c = 0; c < NUISANCE_COUNT; c++)
        out[c] = fixed * part[0][!!(c & NUISANCE_ECHO)] * part[1][!!(c & NUISANCE_PORTS)] *
                 part[2][!!(c & NUISANCE_ROUTERS)];
}

/* A local state's own part; what it leaves to the row counts as 1 here: v->flat is 1. */
static void sight_state(const struct sight *v, const struct prediction *p, double prior,
                        double *out)
{
    sight_combine(v, p, out);
    for (unsigned c = 0; c < NUISANCE_COUNT; c++)
        out[c] *= prior;
}

static void sight_without_flat(struct sight *v)
{
    for (unsigned l = 0; l < LAYER_COUNT; l++)
        v->flat[l] = 1;
}

/* The row's part beside a local state: echo and control; within one: connect and trace, too. */
static void sight_left(const struct sight *v, const struct prediction *p, double *beside,
                       double *within)
{
    double tcp = sight_of(v, LAYER_TCP, p->by_layer[LAYER_TCP], p->mixing), part[3][2];
    for (unsigned i = 0; i < 3; i++) {
        part[i][0] = sight_of(v, shared[i].layer, p->by_layer[shared[i].layer], false);
        part[i][1] = sight_of(v, shared[i].layer, p->under[i], false);
    }
    for (unsigned c = 0; c < NUISANCE_COUNT; c++) {
        beside[c] = part[0][!!(c & NUISANCE_ECHO)] * part[1][!!(c & NUISANCE_PORTS)];
        within[c] = beside[c] * tcp * part[2][!!(c & NUISANCE_ROUTERS)];
    }
}

/* Can the state be told from what was seen? */
static bool state_admissible(const struct sight *v, const struct local_state *z)
{
    uint64_t dns = layer_outcomes(LAYER_DNS);
    if (!z->finding)
        return false;
    if (z->needs & dns)
        return v->of->ok[LAYER_DNS] == 0 && (v->of->fail_bits[LAYER_DNS] & z->needs);
    for (unsigned l = LADDER_LAYERS; l < LAYER_COUNT; l++) {
        uint64_t of_layer = v->of->seen & layer_outcomes((enum layer)l);
        bool fine = of_layer & OUTCOME_BIT(layer_first[l]);
        if (z->needs & layer_outcomes((enum layer)l))
            return (of_layer & z->needs) && !fine;
    }
    return false;
}

static double *row_at(const struct scores *s, size_t row, unsigned nuisance)
{
    return s->rows + (row * NUISANCE_COUNT + nuisance) * s->signatures;
}

/* What the vantage's own states make of a sight, by manner. */
struct own_states {
    double all[WITHIN + 1][NUISANCE_COUNT];
    double told[WITHIN + 1][NUISANCE_COUNT]; /* of them, those that may become findings */
    double odd;                              /* prior of all together */
};

/* Predictions of the whole table, drawn up once per judgement. */
struct predictions {
    struct prediction rows[HYPOTHESES_MAX], states[LOCAL_STATES_MAX];
};

static struct predictions *predictions_new(void)
{
    struct predictions *p = px_xcalloc(1, sizeof *p);
    for (size_t row = 0; row < hypothesis_count; row++)
        prediction_of_row(&p->rows[row], row);
    for (size_t z = 0; z < local_state_count; z++)
        prediction_of_state(&p->states[z], z);
    return p;
}

static void own_states_fill(struct own_states *s, const struct sight *v,
                            const struct predictions *all)
{
    double p[NUISANCE_COUNT];
    struct sight own = *v;
    memset(s, 0, sizeof *s);
    sight_without_flat(&own);
    for (size_t z = 0; z < local_state_count; z++) {
        bool told = state_admissible(v, &local_states[z]);
        s->odd += local_states[z].prior;
        sight_state(&own, &all->states[z], local_states[z].prior, p);
        for (unsigned c = 0; c < NUISANCE_COUNT; c++) {
            s->all[local_states[z].manner][c] += p[c];
            s->told[local_states[z].manner][c] += told ? p[c] : 0;
        }
    }
}

/* All rows for one signature. */
static void scores_fill(struct scores *s, const struct signature *g, uint32_t at,
                        const struct predictions *all)
{
    struct sight v;
    struct own_states own;
    double p[NUISANCE_COUNT], beside[NUISANCE_COUNT], within[NUISANCE_COUNT];
    sight_fill(&v, g);
    own_states_fill(&own, &v, all);
    for (size_t row = 0; row < hypothesis_count; row++) {
        sight_combine(&v, &all->rows[row], p);
        sight_left(&v, &all->rows[row], beside, within);
        for (unsigned c = 0; c < NUISANCE_COUNT; c++) {
            double odd =
                own.all[APART][c] + own.all[BESIDE][c] * beside[c] + own.all[WITHIN][c] * within[c];
            double told = own.told[APART][c] + own.told[BESIDE][c] * beside[c] +
                          own.told[WITHIN][c] * within[c];
            row_at(s, row, c)[at] = log((1 - own.odd) * p[c] + odd);
            if (row == 0)
                s->local[c * s->signatures + at] = told > 0 ? log(told) : IMPOSSIBLE;
        }
    }
}

/* Would the row, acting on a vantage that saw this, show what it saw? */
static bool row_explains(size_t row, const struct evidence *e)
{
    if (hypotheses[row].stage == PX_STAGE_DNS && e->stage != PX_STAGE_DNS)
        return false; /* who got as far as to connect had an address */
    for (unsigned l = 0; l < LADDER_LAYERS; l++) {
        const struct tally *t = &e->ladder[l];
        enum pattern_id p = hypothesis_pattern(&hypotheses[row], (enum layer)l);
        uint64_t seen = tally_failing(t) ? t->fail_bits : t->ok > 0 ? t->ok_bits : 0;
        if (l == LAYER_APP && tally_failing(&e->ladder[LAYER_TCP]))
            continue;
        if (seen && pattern_probability(p, (enum layer)l, seen) < EXPLAINED_MIN)
            return false;
    }
    return true;
}

static void explains_fill(struct scores *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct evidence *e = s->partition->unit[i];
        for (size_t row = 0; e->failing && row < hypothesis_count; row++)
            s->explains[i] |= row_explains(row, e) ? (uint64_t)1 << row : 0;
    }
}

bool scores_explain(const struct scores *s, size_t row, size_t unit)
{
    return s->explains[unit] >> row & 1;
}

void scores_init(struct scores *s, struct partition *p)
{
    *s = (struct scores){.partition = p, .n = p->n};
    s->signature = px_xcalloc(s->n + 1, sizeof *s->signature);
    s->explains = px_xcalloc(s->n + 1, sizeof *s->explains);
    s->gain = px_xcalloc(s->n + 1, sizeof *s->gain);
    struct signature *all = signatures_number(s);
    struct predictions *predictions = predictions_new();
    s->rows = px_xcalloc(hypothesis_count * NUISANCE_COUNT * s->signatures + 1, sizeof *s->rows);
    s->local = px_xcalloc((size_t)NUISANCE_COUNT * s->signatures + 1, sizeof *s->local);
    for (uint32_t i = 0; i < s->signatures; i++)
        scores_fill(s, &all[i], i, predictions);
    explains_fill(s);
    free(predictions);
    free(all);
}

void scores_clear(struct scores *s)
{
    free(s->signature);
    free(s->explains);
    free(s->gain);
    free(s->rows);
    free(s->local);
    *s = (struct scores){0};
}

double scores_row(const struct scores *s, size_t row, unsigned nuisance, size_t unit)
{
    return row_at(s, row, nuisance)[s->signature[unit]];
}

double scores_local(const struct scores *s, unsigned nuisance, size_t unit)
{
    return s->local[nuisance * s->signatures + s->signature[unit]];
}

void scores_local_share(const struct scores *s, size_t row, unsigned nuisance, size_t unit,
                        double *out)
{
    struct signature g;
    struct sight v, own;
    struct prediction of_row, of_state;
    double p[NUISANCE_COUNT], beside[NUISANCE_COUNT], within[NUISANCE_COUNT];
    signature_fill(&g, s->partition->unit[unit]);
    sight_fill(&v, &g);
    own = v;
    sight_without_flat(&own);
    prediction_of_row(&of_row, row);
    sight_left(&v, &of_row, beside, within);
    for (size_t z = 0; z < local_state_count; z++) {
        const double left[] = {
            [APART] = 1, [BESIDE] = beside[nuisance], [WITHIN] = within[nuisance]};
        prediction_of_state(&of_state, z);
        sight_state(&own, &of_state, local_states[z].prior, p);
        out[z] = 0;
        if (state_admissible(&v, &local_states[z]))
            out[z] = p[nuisance] * left[local_states[z].manner] /
                     exp(scores_row(s, row, nuisance, unit));
    }
}

/* ---- ranking ---- */

static double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return isinf(high) || high - low > 40 ? high : high + log1p(exp(low - high));
}

static bool shows_life(const struct evidence *e)
{
    return e->seen & (OUTCOME_BIT(CONTROL_ANSWERS) | OUTCOME_BIT(CONTROL_REJECTED) |
                      OUTCOME_BIT(ECHO_OK) | OUTCOME_BIT(ECHO_LOSSY));
}

/* Gains by vantage of being affected by the row; returns what the positive ones add up to. */
static double gains_fill(struct scores *s, const struct belief *b, size_t row, unsigned nuisance)
{
    const double *of_row = row_at(s, row, nuisance), *other = b->other + nuisance * s->n;
    bool dead = pattern_probability(hypotheses[row].control, LAYER_CONTROL,
                                    OUTCOME_BIT(CONTROL_ANSWERS)) < repeat_expected;
    bool behind = hypotheses[row].reach->shapes == SHAPE_EVERYONE;
    double hope = 0;
    for (size_t i = 0; i < s->n; i++) {
        double gain = (of_row[s->signature[i]] - other[i]) * s->partition->weight[i];
        if (gain < 0 && behind && b->hidden[i] && !(dead && shows_life(s->partition->unit[i])))
            gain = 0; /* what is wrong behind another fault is not seen, and costs nothing */
        s->gain[i] = gain;
        hope += gain > 0 ? gain : 0;
    }
    return hope;
}

static double weighted_sum(const struct scores *s, const double *of)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += of[i] * s->partition->weight[i];
    return sum;
}

/* One row under one combination of nuisances. */
static void ranking_try(struct ranking *r, struct scores *s, const struct belief *b, size_t row,
                        unsigned nuisance, double base)
{
    double prior = log(hypotheses[row].prior) + base - b->row_bits * M_LN2;
    double hope = gains_fill(s, b, row, nuisance);
    if (prior + hope < r->log_total - NEGLIGIBLE)
        return;
    struct description d = partition_search(s->partition, hypotheses[row].reach, s->gain);
    double score = prior + description_score(&d);
    if (d.shape == 0)
        return;
    if (score > r->log_best[row]) {
        r->log_best[row] = score;
        r->set[row] = d;
        r->nuisance[row] = nuisance;
    }
    r->log_row[row] = log_add(r->log_row[row], score);
    r->log_total = log_add(r->log_total, score);
}

void ranking_fill(struct ranking *r, struct scores *s, const struct belief *b)
{
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < HYPOTHESES_MAX; i++)
        r->log_row[i] = r->log_best[i] = -HUGE_VAL;
    for (unsigned c = 0; c < NUISANCE_COUNT; c++) {
        double score =
            log(b->none_prior) + log(nuisance_prior(c)) + weighted_sum(s, b->nobody + c * s->n);
        if (score > r->log_best[0]) {
            r->log_best[0] = score;
            r->nuisance[0] = c;
        }
        r->log_row[0] = log_add(r->log_row[0], score);
    }
    r->log_total = r->log_row[0];
    for (unsigned c = 0; c < NUISANCE_COUNT; c++) {
        double base = log(nuisance_prior(c)) + weighted_sum(s, b->other + c * s->n);
        for (size_t row = 1; row < hypothesis_count; row++) {
            if (b->useful[row])
                ranking_try(r, s, b, row, c, base);
        }
    }
}

const double *ranking_gain(const struct ranking *r, struct scores *s, const struct belief *b,
                           size_t row)
{
    gains_fill(s, b, row, r->nuisance[row]);
    return s->gain;
}

double ranking_probability(const struct ranking *r, size_t row)
{
    return exp(r->log_row[row] - r->log_total);
}

double ranking_cause(const struct ranking *r, enum px_cause c)
{
    double sum = 0;
    for (size_t row = 0; row < hypothesis_count; row++)
        sum += hypotheses[row].cause == c ? ranking_probability(r, row) : 0;
    return sum;
}

double ranking_scope(const struct ranking *r, enum px_scope scope)
{
    double sum = 0;
    for (size_t row = 1; row < hypothesis_count; row++)
        sum += px_cause_scope(hypotheses[row].cause) == scope ? ranking_probability(r, row) : 0;
    return sum;
}

size_t ranking_best(const struct ranking *r)
{
    size_t best = 0;
    double best_cause = ranking_probability(r, 0);
    for (size_t row = 1; row < hypothesis_count; row++) {
        double cause = ranking_cause(r, hypotheses[row].cause);
        bool better =
            cause > best_cause || (best > 0 && hypotheses[row].cause == hypotheses[best].cause &&
                                   r->log_row[row] > r->log_row[best]);
        if (better) {
            best = row;
            best_cause = cause;
        }
    }
    return best;
}
