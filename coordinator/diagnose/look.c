/* SPDX-License-Identifier: MIT */
/*
 * One connect, resolution or handshake as an outcome, and all of one layer as a tally. The only
 * place where codes become outcomes.
 */
#include "coordinator/diagnose/look.h"

#include <string.h>

#define LATE_MS 900.0         /* no router's answer takes so long unless it waited for somebody */
#define WRAPPED_MIN_MS 4800.0 /* tcp wrappers close after 5.01 s */
#define WRAPPED_MAX_MS 6500.0

/* ---- one look ---- */

/* Code above the connection -> outcome. */
static const uint8_t app_outcome[PX_CODE_COUNT] = {
    [PX_CODE_CLOSED_EARLY] = APP_CLOSED,
    [PX_CODE_RESET_EARLY] = APP_RESET,
    [PX_CODE_REFUSAL_TEXT] = APP_TEXT,
    [PX_CODE_SILENT] = APP_MUTE,
    [PX_CODE_NOT_SSH] = APP_FOREIGN,
    [PX_CODE_KEX_MISMATCH] = APP_KEX_MISMATCH,
    [PX_CODE_KEX_RESET] = APP_KEX_BROKEN,
    [PX_CODE_KEX_TIMEOUT] = APP_KEX_STALL,
    [PX_CODE_HOSTKEY_DIFFERS] = APP_KEY_PINNED,
    [PX_CODE_AUTH_REFUSED] = APP_DENIED,
    [PX_CODE_AUTH_PARTIAL] = APP_DENIED,
    [PX_CODE_AUTH_LIMIT] = APP_DENIED,
    [PX_CODE_AUTH_NO_METHOD] = APP_DENIED,
    [PX_CODE_AUTH_NO_SIGNATURE] = APP_DENIED,
    [PX_CODE_AUTH_CLOSED] = APP_NO_SESSION,
    [PX_CODE_SESSION_REFUSED] = APP_NO_SESSION,
    [PX_CODE_SESSION_CLOSED] = APP_NO_SESSION,
    [PX_CODE_TLS_ALERT] = APP_TLS_ALERT,
    [PX_CODE_TLS_NAME] = APP_CERTIFICATE,
    [PX_CODE_TLS_EXPIRED] = APP_CERTIFICATE,
    [PX_CODE_TLS_UNTRUSTED] = APP_CERTIFICATE,
    [PX_CODE_TLS_TIMEOUT] = APP_STALL,
    [PX_CODE_HTTP_STATUS] = APP_HTTP,
    [PX_CODE_HTTP_TIMEOUT] = APP_STALL,
};

/* The stage at which an outcome above the connection shows. */
static const uint8_t app_stage[OUTCOME_COUNT] = {
    [APP_CLOSED] = PX_STAGE_BANNER,    [APP_CLOSED_LATE] = PX_STAGE_BANNER,
    [APP_RESET] = PX_STAGE_BANNER,     [APP_TEXT] = PX_STAGE_BANNER,
    [APP_MUTE] = PX_STAGE_BANNER,      [APP_FOREIGN] = PX_STAGE_BANNER,
    [APP_KEX_MISMATCH] = PX_STAGE_KEX, [APP_KEX_BROKEN] = PX_STAGE_KEX,
    [APP_KEX_STALL] = PX_STAGE_KEX,    [APP_KEY_PINNED] = PX_STAGE_HOSTKEY,
    [APP_DENIED] = PX_STAGE_AUTH,      [APP_NO_SESSION] = PX_STAGE_SESSION,
    [APP_CERTIFICATE] = PX_STAGE_TLS,  [APP_TLS_ALERT] = PX_STAGE_TLS,
    [APP_STALL] = PX_STAGE_TLS,        [APP_HTTP] = PX_STAGE_HTTP,
};

enum px_code_kind look_kind(enum px_code code)
{
    return (unsigned)code < PX_CODE_COUNT ? px_code_kind(code) : PX_KIND_NONE;
}

/* A router's "unreachable": from its code and from how long it took. */
static uint64_t unreachable_bits(const struct px_icmp *icmp, double ms)
{
    bool v6 = icmp->from.family == 6;
    if (icmp->from.family == 0)
        return OUTCOME_BIT(TCP_HOST_LATE) | OUTCOME_BIT(TCP_HOST_QUICK) | OUTCOME_BIT(TCP_NET);
    if (icmp->code != (v6 ? 3 : 1))
        return OUTCOME_BIT(TCP_NET);
    if (ms < 0)
        return OUTCOME_BIT(TCP_HOST_LATE) | OUTCOME_BIT(TCP_HOST_QUICK);
    return ms >= LATE_MS ? OUTCOME_BIT(TCP_HOST_LATE) : OUTCOME_BIT(TCP_HOST_QUICK);
}

static uint64_t rejected_bits(const struct px_icmp *icmp, const struct px_addr *target)
{
    if (icmp->from.family == 0)
        return OUTCOME_BIT(TCP_REJECT_TARGET) | OUTCOME_BIT(TCP_REJECT_ROUTER);
    return px_addr_equal(&icmp->from, target) ? OUTCOME_BIT(TCP_REJECT_TARGET)
                                              : OUTCOME_BIT(TCP_REJECT_ROUTER);
}

/* Outcome bits of a connect; 0 = says nothing about the target. */
uint64_t look_tcp_bits(enum px_code code, const struct px_icmp *icmp, double ms,
                       const struct px_addr *target)
{
    if (icmp->own)
        return 0;
    switch ((int)code) {
    case PX_CODE_OK:
    case PX_CODE_SLOW:
        return OUTCOME_BIT(TCP_OPEN);
    case PX_CODE_NO_ANSWER:
        return OUTCOME_BIT(TCP_SILENT);
    case PX_CODE_REFUSED:
        return OUTCOME_BIT(TCP_RESET);
    case PX_CODE_REJECTED:
        return rejected_bits(icmp, target);
    case PX_CODE_UNREACHABLE:
        return unreachable_bits(icmp, ms);
    case PX_CODE_LOOPED:
        return OUTCOME_BIT(TCP_LOOP);
    default:
        return 0;
    }
}

static uint64_t dns_bits(enum px_code code)
{
    switch ((int)code) {
    case PX_CODE_DNS_NXDOMAIN:
    case PX_CODE_DNS_EMPTY:
        return OUTCOME_BIT(DNS_ABSENT);
    case PX_CODE_DNS_SERVFAIL:
        return OUTCOME_BIT(DNS_FAILED);
    case PX_CODE_DNS_TIMEOUT:
        return OUTCOME_BIT(DNS_SILENT);
    default:
        return 0;
    }
}

/* What completing a stage leaves open: success, and every failure that only shows later. */
static uint64_t app_ok_bits(enum px_stage stage)
{
    uint64_t bits = OUTCOME_BIT(APP_OK);
    for (unsigned o = layer_first[LAYER_APP]; o < layer_first[LAYER_APP + 1]; o++) {
        if (app_stage[o] > (unsigned)stage)
            bits |= OUTCOME_BIT(o);
    }
    return bits;
}

static uint64_t app_fail_bits(const struct px_observation *o)
{
    unsigned outcome = app_outcome[o->code];
    double connected = o->ms[PX_STAGE_TCP];
    double lasted = connected >= 0 && o->took_ms >= connected ? o->took_ms - connected : -1;
    if ((outcome == APP_CLOSED || outcome == APP_RESET) && lasted >= WRAPPED_MIN_MS &&
        lasted <= WRAPPED_MAX_MS)
        return OUTCOME_BIT(APP_CLOSED_LATE);
    return outcome ? OUTCOME_BIT(outcome) : 0;
}

static void looks_append(struct looks *l, const struct look *look)
{
    if (look->bits != 0 && l->n < LOOKS_MAX)
        l->v[l->n++] = *look;
}

static void looks_add_tcp(struct looks *l, const struct px_observation *o, struct look look)
{
    size_t n = o->attempt_count <= PX_REPEATS_MAX + 1 ? o->attempt_count : 0;
    size_t before = l->n;
    look.stage = PX_STAGE_TCP;
    for (size_t i = 0; i < n; i++) {
        const struct px_attempt *a = &o->attempts[i];
        look.code = a->code;
        look.icmp = a->icmp;
        look.ms = a->ms;
        look.bits = look_tcp_bits(a->code, &a->icmp, a->ms, &o->address);
        look.ok = look.bits == OUTCOME_BIT(TCP_OPEN);
        looks_append(l, &look);
    }
    if (l->n > before || n > 0)
        return;
    bool above = (unsigned)o->stage > PX_STAGE_TCP && (unsigned)o->stage <= PX_STAGE_HTTP;
    look.code = above && look_kind(o->code) != PX_KIND_VANTAGE ? PX_CODE_OK : o->code;
    look.icmp = o->icmp;
    look.ms = o->took_ms;
    if (!above && o->stage != PX_STAGE_TCP)
        return;
    look.bits = look_tcp_bits(look.code, &o->icmp, o->took_ms, &o->address);
    look.ok = look.bits == OUTCOME_BIT(TCP_OPEN);
    looks_append(l, &look);
}

static void looks_add_dns(struct looks *l, const struct px_observation *o, struct look look)
{
    look.stage = PX_STAGE_DNS;
    look.code = o->code;
    look.ok = o->address_count > 0 && o->stage != PX_STAGE_DNS;
    look.bits = look.ok ? OUTCOME_BIT(DNS_FOUND) : 0;
    if (o->stage == PX_STAGE_DNS)
        look.bits = dns_bits(o->code);
    looks_append(l, &look);
}

static void looks_add_app(struct looks *l, const struct px_observation *o, struct look look)
{
    enum px_code_kind kind = look_kind(o->code);
    if (o->stage < PX_STAGE_BANNER || o->stage > PX_STAGE_HTTP)
        return;
    look.stage = o->stage;
    look.code = o->code;
    look.ok = kind == PX_KIND_OK;
    look.bits = 0;
    if (kind == PX_KIND_OK)
        look.bits = app_ok_bits(o->stage);
    else if (kind == PX_KIND_FAIL)
        look.bits = app_fail_bits(o);
    looks_append(l, &look);
}

void looks_add(struct looks *ladder, const struct px_observation *o, uint32_t index, bool named)
{
    struct look look = {.when = o->started, .observation = index, .from = o};
    if (named)
        looks_add_dns(&ladder[LAYER_DNS], o, look);
    looks_add_tcp(&ladder[LAYER_TCP], o, look);
    looks_add_app(&ladder[LAYER_APP], o, look);
}

/* ---- looks to tally ---- */

/* Rank of a kind of failure: what speaks outweighs silence, waiting for somebody outweighs haste.
 */
unsigned look_weight(uint64_t bits)
{
    if (bits & OUTCOME_BIT(TCP_SILENT))
        return 1;
    return bits & OUTCOME_BIT(TCP_HOST_LATE) && !(bits & OUTCOME_BIT(TCP_HOST_QUICK)) ? 3 : 2;
}

/* The failure that stands for all: highest rank, then most frequent, then lowest bits. */
const struct look *looks_decisive(const struct looks *l)
{
    const struct look *best = NULL;
    unsigned best_count = 0;
    for (size_t i = 0; i < l->n; i++) {
        unsigned count = 0;
        if (l->v[i].ok)
            continue;
        for (size_t k = 0; k < l->n; k++)
            count += l->v[k].bits == l->v[i].bits;
        unsigned rank = look_weight(l->v[i].bits), best_rank = best ? look_weight(best->bits) : 0;
        bool better = rank > best_rank || (rank == best_rank && count > best_count) ||
                      (rank == best_rank && count == best_count && l->v[i].bits < best->bits);
        if (!best || better) {
            best = &l->v[i];
            best_count = count;
        }
    }
    return best;
}

/* Successes first, failures afterwards, never within the same observation. */
static bool begins_late(const struct looks *l)
{
    uint32_t last_ok = 0, first_fail = UINT32_MAX;
    bool any_ok = false;
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].ok) {
            any_ok = true;
            last_ok = l->v[i].observation > last_ok ? l->v[i].observation : last_ok;
        } else if (l->v[i].observation < first_fail) {
            first_fail = l->v[i].observation;
        }
    }
    return any_ok && first_fail != UINT32_MAX && first_fail > last_ok;
}

void tally_fill(struct tally *t, const struct looks *l)
{
    const struct look *fail = looks_decisive(l);
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < l->n; i++) {
        const struct look *look = &l->v[i];
        uint8_t *count = look->ok ? &t->ok : &t->fail;
        if (*count < TALLY_MAX)
            (*count)++;
        if (look->ok && (t->ok_bits == 0 || (look->bits & ~t->ok_bits) == 0))
            t->ok_bits = look->bits; /* the deepest success leaves the fewest bits */
        t->failed_last = !look->ok;
    }
    if (fail)
        t->fail_bits = fail->bits;
    t->onset = begins_late(l);
}

/* Silence beside success says little: packets get lost. It is a failure only if it began in the
 * middle and was seen twice. Whoever speaks is believed at once. */
bool tally_failing(const struct tally *t)
{
    const uint64_t quiet = OUTCOME_BIT(TCP_SILENT) | OUTCOME_BIT(DNS_SILENT) |
                           OUTCOME_BIT(DNS_FAILED) | OUTCOME_BIT(APP_MUTE) |
                           OUTCOME_BIT(APP_KEX_STALL) | OUTCOME_BIT(APP_STALL);
    if (t->fail == 0 || t->ok == 0)
        return t->fail > 0;
    if (t->fail_bits & quiet)
        return t->onset && t->fail > 1;
    return t->fail > t->ok || t->onset || (t->fail == t->ok && t->failed_last);
}

bool tally_mixed(const struct tally *t)
{
    return t->ok > 0 && t->fail > 0;
}
