/* SPDX-License-Identifier: MIT */
/* The table of causes, local states of a vantage, and lookalikes. Nothing is computed here. */
#include "coordinator/diagnose/hypotheses.h"

#define KIND(x) (1u << ATTRIBUTE_##x)
#define BY_LABEL (KIND(LABEL) | KIND(PREFIX))
#define BY_PATH (BY_LABEL | KIND(SPEAKER) | KIND(HOP))

/* Host and name causes hit every source alike. */
static const struct reach all = {.shapes = SHAPE_EVERYONE};
/* A filter by address range: a range, an allow-list, several ranges. Single addresses are bans. */
static const struct reach ranges = {
    .shapes = SHAPE_VALUE | SHAPE_BUT_ONE | SHAPE_UNION,
    .attributes = BY_LABEL,
    .each_bits = 0.5,
};
/* Bans fall on one address after the other. */
static const struct reach addresses = {
    .shapes = SHAPE_VALUE | SHAPE_LIST, .attributes = KIND(ADDRESS), .each_bits = 1.7};
static const struct reach sources = {
    .shapes = SHAPE_VALUE | SHAPE_BUT_ONE | SHAPE_UNION | SHAPE_LIST,
    .attributes = BY_LABEL | KIND(ADDRESS),
    .list_bits = 1,
    .each_bits = 0.5,
};
/* A segment of the path; if it is everybody's it is likelier the target itself, and two segments
 * are two faults. */
static const struct reach segment = {
    .shapes = SHAPE_EVERYONE | SHAPE_VALUE | SHAPE_UNION | SHAPE_LIST,
    .attributes = BY_PATH,
    .everyone_bits = 4,
    .list_bits = 3,
    .each_bits = 6,
};
/* A router that speaks may as well stand in front of everybody. */
static const struct reach speaker = {
    .shapes = SHAPE_EVERYONE | SHAPE_VALUE | SHAPE_UNION | SHAPE_LIST,
    .attributes = BY_PATH,
    .everyone_bits = 0.5,
    .list_bits = 3,
    .each_bits = 2,
};
static const struct reach answers = {.shapes = SHAPE_VALUE | SHAPE_UNION,
                                     .attributes = KIND(ANSWER)};
static const struct reach resolvers = {.shapes =
                                           SHAPE_VALUE | SHAPE_BUT_ONE | SHAPE_UNION | SHAPE_LIST,
                                       .attributes = BY_LABEL,
                                       .list_bits = 1,
                                       .each_bits = 0.5};
static const struct reach families = {.shapes = SHAPE_VALUE, .attributes = KIND(FAMILY)};
static const struct reach anything = {
    .shapes = SHAPE_EVERYONE | SHAPE_VALUE | SHAPE_BUT_ONE | SHAPE_UNION | SHAPE_LIST,
    .attributes = BY_PATH | KIND(ADDRESS) | KIND(FAMILY) | KIND(ANSWER),
    .everyone_bits = 1,
    .list_bits = 1,
    .each_bits = 0.5,
};
static const struct reach some = {
    .shapes = SHAPE_VALUE | SHAPE_BUT_ONE | SHAPE_UNION | SHAPE_LIST,
    .attributes = BY_PATH | KIND(ADDRESS),
    .list_bits = 1,
    .each_bits = 0.5,
};

#define DNS_OK .dns = PATTERN_DNS_FOUND
#define SEES(tcp_, app_) DNS_OK, .tcp = PATTERN_TCP_##tcp_, .app = PATTERN_APP_##app_
#define SIDES(echo_, control_, trace_)                                                             \
    .key = PATTERN_KEY_SAME, .echo = PATTERN_ECHO_##echo_, .control = PATTERN_CONTROL_##control_,  \
    .trace = PATTERN_TRACE_##trace_
#define HEALTHY_SIDES SIDES(ALIVE, ALIVE, REACHED)

/*
 * Priors: guesses of how often people ask "is it reachable" for each reason, in relation to each
 * other; to be learned from labelled runs. Variants share the prior of their cause. Those of
 * family-broken and "another machine" hold where vantages do probe different families or addresses.
 */
const struct hypothesis hypotheses[] = {
    {PX_CAUSE_NONE, "", PX_STAGE_NONE, .500, false, &all, SEES(OPEN, OK), HEALTHY_SIDES},

    /* host: every source sees the same */
    {PX_CAUSE_HOST_DOWN, "told", PX_STAGE_TCP, .040, false, &all, SEES(NOBODY, NEVER),
     SIDES(NOBODY, NOBODY, EDGE)},
    {PX_CAUSE_HOST_DOWN, "silent", PX_STAGE_TCP, .015, false, &all, SEES(SILENT, NEVER),
     SIDES(DEAD, DEAD, EDGE)},
    {PX_CAUSE_SERVICE_DOWN, "", PX_STAGE_TCP, .080, false, &all, SEES(RESET, NEVER), HEALTHY_SIDES},
    {PX_CAUSE_PORT_FILTERED, "", PX_STAGE_TCP, .040, false, &all, SEES(SILENT, NEVER),
     SIDES(ALIVE, ALIVE, EDGE)},
    {PX_CAUSE_PORT_FILTERED, "closed to all", PX_STAGE_TCP, .010, false, &all, SEES(SILENT, NEVER),
     SIDES(DEAD, DEAD, EDGE)},
    {PX_CAUSE_PORT_REJECTED, "", PX_STAGE_TCP, .020, false, &all, SEES(REJECT, NEVER),
     HEALTHY_SIDES},
    {PX_CAUSE_PORT_REJECTED, "all ports", PX_STAGE_TCP, .010, false, &all, SEES(REJECT, NEVER),
     SIDES(ALIVE, REJECTED, REACHED)},
    {PX_CAUSE_SERVICE_HUNG, "", PX_STAGE_BANNER, .020, false, &all, SEES(OPEN, MUTE),
     HEALTHY_SIDES},
    {PX_CAUSE_SERVICE_HUNG, "queue full", PX_STAGE_TCP, .004, true, &all, SEES(LOSSY, MUTE),
     HEALTHY_SIDES},
    {PX_CAUSE_SERVICE_CLOSING, "", PX_STAGE_BANNER, .020, false, &all, SEES(OPEN, CLOSED),
     HEALTHY_SIDES},
    {PX_CAUSE_CONNECTION_THROTTLED, "a share", PX_STAGE_BANNER, .012, true, &all, SEES(OPEN, BUSY),
     HEALTHY_SIDES},
    {PX_CAUSE_CONNECTION_THROTTLED, "full", PX_STAGE_BANNER, .008, false, &all, SEES(OPEN, FULL),
     HEALTHY_SIDES},
    {PX_CAUSE_WRONG_SERVICE, "", PX_STAGE_BANNER, .015, false, &all, SEES(OPEN, FOREIGN),
     HEALTHY_SIDES},
    {PX_CAUSE_NO_COMMON_ALGORITHMS, "", PX_STAGE_KEX, .010, false, &all, SEES(OPEN, MISMATCH),
     HEALTHY_SIDES},
    {PX_CAUSE_HOST_KEY_CHANGED, "", PX_STAGE_HOSTKEY, .006, false, &all, SEES(OPEN, PINNED),
     HEALTHY_SIDES},
    {PX_CAUSE_AUTH_REJECTED, "", PX_STAGE_AUTH, .008, false, &all, SEES(OPEN, DENIED),
     HEALTHY_SIDES},
    {PX_CAUSE_SESSION_FAILED, "", PX_STAGE_SESSION, .005, false, &all, SEES(OPEN, NO_SESSION),
     HEALTHY_SIDES},
    {PX_CAUSE_BAD_CERTIFICATE, "", PX_STAGE_TLS, .010, false, &all, SEES(OPEN, CERTIFICATE),
     HEALTHY_SIDES},
    {PX_CAUSE_BAD_RESPONSE, "", PX_STAGE_HTTP, .010, false, &all, SEES(OPEN, HTTP), HEALTHY_SIDES},

    /* name */
    {PX_CAUSE_NAME_UNRESOLVABLE, "", PX_STAGE_DNS, .030, false, &all, .dns = PATTERN_DNS_ABSENT,
     .tcp = PATTERN_TCP_ANY_FAIL, .app = PATTERN_APP_NEVER, HEALTHY_SIDES},
    {PX_CAUSE_NAME_UNRESOLVABLE, "servers down", PX_STAGE_DNS, .008, false, &all,
     .dns = PATTERN_DNS_DEAD, .tcp = PATTERN_TCP_ANY_FAIL, .app = PATTERN_APP_NEVER, HEALTHY_SIDES},
    {PX_CAUSE_NAME_DIFFERS, "absent for some", PX_STAGE_DNS, .010, false, &resolvers,
     .dns = PATTERN_DNS_SPLIT, .tcp = PATTERN_TCP_ANY_FAIL, .app = PATTERN_APP_NEVER,
     HEALTHY_SIDES},
    {PX_CAUSE_NAME_DIFFERS, "another machine", PX_STAGE_TCP, .100, false, &answers,
     SEES(ANY_FAIL, NEVER), .key = PATTERN_KEY_SAME, .echo = PATTERN_FLAT, .control = PATTERN_FLAT,
     .trace = PATTERN_FLAT},

    /* path */
    {PX_CAUSE_TRANSIT_DROP, "", PX_STAGE_TCP, .040, false, &segment, SEES(SILENT, NEVER),
     SIDES(DEAD, DEAD, MID)},
    {PX_CAUSE_NO_ROUTE, "", PX_STAGE_TCP, .030, false, &speaker, SEES(NO_ROUTE, NEVER),
     SIDES(NOBODY, NO_ROUTE, ANYWHERE)},
    {PX_CAUSE_PATH_FILTERED, "", PX_STAGE_TCP, .020, false, &speaker, SEES(TURNED, NEVER),
     SIDES(TURNED, TURNED, ANYWHERE)},
    {PX_CAUSE_PATH_RESET, "at once", PX_STAGE_TCP, .0025, false, &segment, SEES(RESET, NEVER),
     SIDES(ALIVE, ALIVE, ANYWHERE)},
    {PX_CAUSE_PATH_RESET, "on content", PX_STAGE_BANNER, .001, false, &segment, SEES(OPEN, CUT),
     HEALTHY_SIDES},
    {PX_CAUSE_PATH_MTU, "", PX_STAGE_KEX, .012, false, &speaker, SEES(OPEN, STALL), HEALTHY_SIDES},
    {PX_CAUSE_PACKET_LOSS, "", PX_STAGE_TCP, .010, true, &speaker, SEES(LOSSY, OK),
     SIDES(LOSSY, ALIVE, REACHED)},
    {PX_CAUSE_INTERCEPTION, "", PX_STAGE_HOSTKEY, .002, false, &segment, SEES(OPEN, OK),
     .key = PATTERN_KEY_OTHER, .echo = PATTERN_ECHO_ALIVE, .control = PATTERN_CONTROL_ALIVE,
     .trace = PATTERN_TRACE_REACHED},
    {PX_CAUSE_BACKEND_PARTIAL, "two keys", PX_STAGE_HOSTKEY, .004, false, &some, SEES(OPEN, OK),
     .key = PATTERN_KEY_OTHER, .echo = PATTERN_ECHO_ALIVE, .control = PATTERN_CONTROL_ALIVE,
     .trace = PATTERN_TRACE_REACHED},
    {PX_CAUSE_FAMILY_BROKEN, "", PX_STAGE_TCP, .060, false, &families, SEES(ANY_FAIL, NEVER),
     .key = PATTERN_KEY_SAME, .echo = PATTERN_FLAT, .control = PATTERN_FLAT, .trace = PATTERN_FLAT},

    /* source */
    {PX_CAUSE_SOURCE_FILTERED, "port", PX_STAGE_TCP, .035, false, &ranges, SEES(SILENT, NEVER),
     SIDES(ALIVE, ALIVE, EDGE)},
    {PX_CAUSE_SOURCE_FILTERED, "all ports", PX_STAGE_TCP, .010, false, &ranges, SEES(SILENT, NEVER),
     SIDES(ALIVE, DEAD, EDGE)},
    {PX_CAUSE_SOURCE_FILTERED, "everything", PX_STAGE_TCP, .022, false, &ranges,
     SEES(SILENT, NEVER), SIDES(DEAD, DEAD, EDGE)},
    {PX_CAUSE_SOURCE_FILTERED, "reject", PX_STAGE_TCP, .007, false, &ranges, SEES(REJECT, NEVER),
     HEALTHY_SIDES},
    {PX_CAUSE_SOURCE_FILTERED, "reject all ports", PX_STAGE_TCP, .003, false, &ranges,
     SEES(REJECT, NEVER), SIDES(ALIVE, REJECTED, REACHED)},
    {PX_CAUSE_SOURCE_FILTERED, "reset", PX_STAGE_TCP, .003, false, &ranges, SEES(RESET, NEVER),
     HEALTHY_SIDES},
    {PX_CAUSE_SOURCE_BANNED, "reject", PX_STAGE_TCP, .042, false, &addresses, SEES(REJECT, NEVER),
     HEALTHY_SIDES},
    {PX_CAUSE_SOURCE_BANNED, "reject all ports", PX_STAGE_TCP, .018, false, &addresses,
     SEES(REJECT, NEVER), SIDES(ALIVE, REJECTED, REACHED)},
    {PX_CAUSE_SOURCE_BANNED, "drop", PX_STAGE_TCP, .020, false, &addresses, SEES(SILENT, NEVER),
     SIDES(ALIVE, ALIVE, EDGE)},
    {PX_CAUSE_SOURCE_BANNED, "drop all ports", PX_STAGE_TCP, .005, false, &addresses,
     SEES(SILENT, NEVER), SIDES(ALIVE, DEAD, EDGE)},
    {PX_CAUSE_SOURCE_BANNED, "everything", PX_STAGE_TCP, .008, false, &addresses,
     SEES(SILENT, NEVER), SIDES(DEAD, DEAD, EDGE)},
    {PX_CAUSE_SOURCE_BANNED, "reset", PX_STAGE_TCP, .002, false, &addresses, SEES(RESET, NEVER),
     HEALTHY_SIDES},
    {PX_CAUSE_SOURCE_BANNED, "every vantage", PX_STAGE_TCP, .0001, false, &all, SEES(REJECT, NEVER),
     HEALTHY_SIDES},
    {PX_CAUSE_SOURCE_REFUSED, "", PX_STAGE_BANNER, .015, false, &sources, SEES(OPEN, WRAPPED),
     HEALTHY_SIDES},
    {PX_CAUSE_SOURCE_AUTH_POLICY, "", PX_STAGE_AUTH, .005, false, &sources, SEES(OPEN, DENIED),
     HEALTHY_SIDES},

    /* none of the above */
    {PX_CAUSE_UNEXPLAINED, "content, silent", PX_STAGE_BANNER, .008, false, &some, SEES(OPEN, MUTE),
     HEALTHY_SIDES},
    {PX_CAUSE_UNEXPLAINED, "content, closed", PX_STAGE_BANNER, .006, false, &some, SEES(OPEN, SHUT),
     HEALTHY_SIDES},
    {PX_CAUSE_UNEXPLAINED, "", PX_STAGE_NONE, .0003, false, &anything, .dns = PATTERN_FLAT,
     .tcp = PATTERN_FLAT, .app = PATTERN_FLAT, .key = PATTERN_FLAT, .echo = PATTERN_FLAT,
     .control = PATTERN_FLAT, .trace = PATTERN_FLAT},
};
const size_t hypothesis_count = sizeof hypotheses / sizeof *hypotheses;
_Static_assert(sizeof hypotheses / sizeof *hypotheses <= HYPOTHESES_MAX, "rankings have room");

#define Z_SIDES(echo_, control_, trace_)                                                           \
    .echo = PATTERN_ECHO_##echo_, .control = PATTERN_CONTROL_##control_,                           \
    .trace = PATTERN_TRACE_##trace_
#define Z_FINE .reference = PATTERN_REFERENCE_FINE, .load = PATTERN_LOAD_FINE

#define ANY_DNS_FAILURE                                                                            \
    (OUTCOME_BIT(DNS_ABSENT) | OUTCOME_BIT(DNS_FAILED) | OUTCOME_BIT(DNS_SILENT))
#define Z_BESIDE BESIDE, .echo = PATTERN_FLAT, .control = PATTERN_FLAT
#define Z_WITHIN                                                                                   \
    WITHIN, .tcp = PATTERN_FLAT, .echo = PATTERN_FLAT, .control = PATTERN_FLAT,                    \
            .trace = PATTERN_FLAT

/* 2.4 % of vantages are odd by themselves at any time: a guess; to come from each node's history.
 */
const struct local_state local_states[] = {
    {PX_CAUSE_VANTAGE_NO_ROUTE, .0040, true, OUTCOME_BIT(REFERENCE_DEAD), APART, SEES(CUT, NEVER),
     Z_SIDES(DEAD, DEAD, NEAR), .reference = PATTERN_REFERENCE_CUT, .load = PATTERN_LOAD_FINE},
    {PX_CAUSE_VANTAGE_EGRESS_FILTERED, .0060, true, OUTCOME_BIT(REFERENCE_PORT_DEAD), Z_BESIDE,
     SEES(CONFINED, SHUT), .trace = PATTERN_TRACE_NEAR, .reference = PATTERN_REFERENCE_CONFINED,
     .load = PATTERN_LOAD_FINE},
    {PX_CAUSE_VANTAGE_OVERLOADED, .0020, true, OUTCOME_BIT(LOAD_HIGH), Z_BESIDE,
     SEES(LOADED, LOADED), .trace = PATTERN_TRACE_EDGE, .reference = PATTERN_REFERENCE_FINE,
     .load = PATTERN_LOAD_HIGH},
    {PX_CAUSE_VANTAGE_DNS, .0060, true, ANY_DNS_FAILURE, Z_WITHIN, .dns = PATTERN_DNS_BROKEN,
     .app = PATTERN_APP_OK, Z_FINE},
    {PX_CAUSE_SOURCE_BANNED, .0025, false, 0, Z_BESIDE, SEES(REJECT, NEVER),
     .trace = PATTERN_TRACE_REACHED, Z_FINE},
    {PX_CAUSE_SOURCE_BANNED, .0015, false, 0, Z_BESIDE, SEES(SILENT, NEVER),
     .trace = PATTERN_TRACE_EDGE, Z_FINE},
    {PX_CAUSE_SOURCE_REFUSED, .0010, false, 0, Z_WITHIN, DNS_OK, .app = PATTERN_APP_WRAPPED,
     Z_FINE},
    {PX_CAUSE_SOURCE_AUTH_POLICY, .0010, false, 0, Z_WITHIN, DNS_OK, .app = PATTERN_APP_DENIED,
     Z_FINE},
};
const size_t local_state_count = sizeof local_states / sizeof *local_states;
_Static_assert(sizeof local_states / sizeof *local_states <= LOCAL_STATES_MAX, "shares have room");

const struct lookalike lookalikes[] = {
    {PX_CAUSE_SERVICE_DOWN, PX_CAUSE_LOOPBACK_ONLY, AMBIGUOUS_ALWAYS},
    {PX_CAUSE_HOST_DOWN, PX_CAUSE_PORT_FILTERED, AMBIGUOUS_UNTOLD},
    {PX_CAUSE_PORT_FILTERED, PX_CAUSE_HOST_DOWN, AMBIGUOUS_UNTOLD},
    {PX_CAUSE_PORT_FILTERED, PX_CAUSE_SERVICE_HUNG, AMBIGUOUS_ALWAYS},
    {PX_CAUSE_SOURCE_BANNED, PX_CAUSE_SOURCE_FILTERED, AMBIGUOUS_NO_NEIGHBOUR},
    {PX_CAUSE_SOURCE_FILTERED, PX_CAUSE_SOURCE_BANNED, AMBIGUOUS_LONE_IN_PREFIX},
    {PX_CAUSE_TRANSIT_DROP, PX_CAUSE_SOURCE_FILTERED, AMBIGUOUS_ONE_PREFIX},
    {PX_CAUSE_PATH_FILTERED, PX_CAUSE_SOURCE_FILTERED, AMBIGUOUS_ROUTER_SERVES},
    {PX_CAUSE_SOURCE_REFUSED, PX_CAUSE_CONNECTION_THROTTLED, AMBIGUOUS_ALWAYS},
    {PX_CAUSE_BACKEND_PARTIAL, PX_CAUSE_INTERCEPTION, AMBIGUOUS_ALWAYS},
    {PX_CAUSE_INTERCEPTION, PX_CAUSE_BACKEND_PARTIAL, AMBIGUOUS_ALWAYS},
    {PX_CAUSE_PATH_MTU, PX_CAUSE_SERVICE_HUNG, AMBIGUOUS_ALWAYS},
    {PX_CAUSE_PATH_RESET, PX_CAUSE_SOURCE_FILTERED, AMBIGUOUS_ALWAYS},
};
const size_t lookalike_count = sizeof lookalikes / sizeof *lookalikes;

enum pattern_id hypothesis_pattern(const struct hypothesis *h, enum layer l)
{
    const enum pattern_id by_layer[LAYER_COUNT] = {
        [LAYER_DNS] = h->dns,
        [LAYER_TCP] = h->tcp,
        [LAYER_APP] = h->app,
        [LAYER_KEY] = h->key,
        [LAYER_ECHO] = h->echo,
        [LAYER_CONTROL] = h->control,
        [LAYER_TRACE] = h->trace,
        [LAYER_REFERENCE] = PATTERN_REFERENCE_FINE,
        [LAYER_LOAD] = PATTERN_LOAD_FINE,
    };
    return by_layer[l];
}

enum pattern_id local_pattern(const struct local_state *z, enum layer l)
{
    const enum pattern_id by_layer[LAYER_COUNT] = {
        [LAYER_DNS] = z->dns,     [LAYER_TCP] = z->tcp,
        [LAYER_APP] = z->app,     [LAYER_KEY] = PATTERN_KEY_SAME,
        [LAYER_ECHO] = z->echo,   [LAYER_CONTROL] = z->control,
        [LAYER_TRACE] = z->trace, [LAYER_REFERENCE] = z->reference,
        [LAYER_LOAD] = z->load,
    };
    return by_layer[l];
}

bool cause_holds_for_all(enum px_cause c)
{
    return c == PX_CAUSE_NAME_UNRESOLVABLE || c == PX_CAUSE_WRONG_SERVICE ||
           c == PX_CAUSE_NO_COMMON_ALGORITHMS || c == PX_CAUSE_BAD_CERTIFICATE ||
           c == PX_CAUSE_BAD_RESPONSE;
}

enum witness cause_witness(enum px_cause c)
{
    switch ((int)px_cause_scope(c)) {
    case PX_SCOPE_HOST:
        return c == PX_CAUSE_BACKEND_PARTIAL ? WITNESS_EITHER : WITNESS_AFFECTED;
    case PX_SCOPE_NAME:
        return c == PX_CAUSE_NAME_DIFFERS ? WITNESS_EITHER : WITNESS_AFFECTED;
    case PX_SCOPE_SOURCE:
        return c == PX_CAUSE_SOURCE_FILTERED ? WITNESS_EITHER : WITNESS_UNAFFECTED;
    case PX_SCOPE_PATH:
        return WITNESS_EITHER;
    default:
        return WITNESS_NONE;
    }
}
