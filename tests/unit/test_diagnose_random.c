/* SPDX-License-Identifier: MIT */
/*
 * Seeded random worlds, from packets up: vantages behind chains of routers, one target, faults as
 * rules at nodes. Every probe walks its path hop by hop; nothing here knows a likelihood, a prior or
 * a pattern of the judge. PARALLAX_SEED and PARALLAX_WORLDS repeat or enlarge a run.
 */
#include "tests/unit/world.h"

#define VANTAGES_MAX 100
#define NETWORKS_MAX 12
#define NODES_MAX 8
#define START ((px_wall)1750000000 * PX_SEC)

/* ---- chance ---- */

static uint64_t chance_state;

static uint64_t chance_next(void)
{
    uint64_t z = (chance_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(chance_next() % n);
}

static bool chance(double p)
{
    return (double)(chance_next() >> 11) / 9007199254740992.0 < p;
}

/* ---- the world ---- */

enum action { PASS, DROP, REJECT, RESET };
enum what { PORT_ONLY, EVERYTHING };

/* A rule at a node: what it does to packets of some vantages. */
struct rule {
    bool of[VANTAGES_MAX];
    enum what what;
    enum action action;
    uint8_t type, code; /* of a reject, IPv4 numbers */
    double ms;          /* until a reject comes */
};

struct node {
    struct px_addr addr;
    bool silent; /* never sends time exceeded */
    struct rule rule;
};

struct network {
    struct node router[NODES_MAX]; /* from the vantages to the border */
    unsigned routers;
    struct px_addr core; /* the core as this network sees it */
    bool by_lan[VANTAGES_MAX];
};

enum service { GOOD, NO_LISTENER, MUTE, CLOSES, BUSY, FOREIGN, STRANGE_KEX };
enum own { FINE, AWAY, NO_ROUTE, UPLINK_DEAD, PORT_BLOCKED, BAD_RESOLVER };

struct place {
    unsigned network;
    struct px_addr source, seen_as;
    enum own own;
    bool references, reference_same;
};

struct world {
    unsigned networks, vantages, edges;
    bool v6, labels, echo_dead, ports_dead, host_dead, told, named, name_gone;
    double loss, mute_icmp;
    struct network net[NETWORKS_MAX];
    struct place at[VANTAGES_MAX];
    struct node edge[2], target;
    enum service service;
    uint16_t port;
    /* truth */
    enum px_cause cause[2];
    bool affected[2][VANTAGES_MAX];
    unsigned faults;
};

static struct px_addr address(const struct world *w, unsigned net, unsigned lan, unsigned host)
{
    struct px_addr a = {.family = w->v6 ? 6 : 4};
    if (w->v6) {
        a.bytes[0] = 0x2a;
        a.bytes[1] = 0x01;
        a.bytes[2] = (uint8_t)(net + 1);
        a.bytes[3] = (uint8_t)(net * 37 + 11);
        a.bytes[7] = (uint8_t)lan;
        a.bytes[14] = (uint8_t)(host >> 8);
        a.bytes[15] = (uint8_t)host;
    } else {
        a.bytes[0] = (uint8_t)(31 + net * 13);
        a.bytes[1] = (uint8_t)(net * 37 + 11);
        a.bytes[2] = (uint8_t)lan;
        a.bytes[3] = (uint8_t)host;
    }
    return a;
}

static void draw_networks(struct world *w)
{
    for (unsigned n = 0; n < w->networks; n++) {
        struct network *net = &w->net[n];
        net->routers = 1 + below(4);
        net->core = address(w, n, 250, 1);
        for (unsigned r = 0; r < net->routers; r++) {
            net->router[r].addr = address(w, n, 240 + r, 1);
            net->router[r].silent = chance(0.07);
        }
    }
    for (unsigned e = 0; e < 2; e++) {
        w->edge[e].addr = address(w, NETWORKS_MAX + 1, 240 + e, 1);
        w->edge[e].silent = chance(0.05);
    }
    w->target.addr = address(w, NETWORKS_MAX + 1, 7, 10);
}

/* A network has one or two LANs; often at least two vantages share one. */
static void draw_vantages(struct world *w)
{
    for (unsigned v = 0; v < w->vantages; v++) {
        struct place *p = &w->at[v];
        p->network = v < w->networks ? v : below(w->networks);
        p->source = address(w, p->network, 1 + (chance(0.25) ? 1 : 0), 2 + v);
        p->seen_as = p->source;
        p->references = chance(0.7);
        p->reference_same = chance(0.3);
    }
}

static unsigned members(const struct world *w, const bool *of)
{
    unsigned n = 0;
    for (unsigned v = 0; v < w->vantages; v++)
        n += of[v];
    return n;
}

/* ---- faults ---- */

static void all_of(const struct world *w, bool *of)
{
    for (unsigned v = 0; v < w->vantages; v++)
        of[v] = true;
}

static void network_of(const struct world *w, unsigned net, bool *of)
{
    for (unsigned v = 0; v < w->vantages; v++)
        of[v] = w->at[v].network == net;
}

static void put_rule(struct node *at, const bool *of, enum what what, enum action action)
{
    memcpy(at->rule.of, of, sizeof at->rule.of);
    at->rule.what = what;
    at->rule.action = action;
    at->rule.type = 3;
    at->rule.code = chance(0.6) ? 3 : 13;
    at->rule.ms = 5;
}

/* Somewhere on the way of one network, behind its first router. */
static struct node *draw_segment(struct world *w, unsigned net)
{
    return &w->net[net].router[below(w->net[net].routers)];
}

static void fault_service(struct world *w, enum px_cause cause, bool *of)
{
    static const struct {
        enum px_cause cause;
        enum service service;
    } table[] = {{PX_CAUSE_SERVICE_DOWN, NO_LISTENER}, {PX_CAUSE_SERVICE_HUNG, MUTE},
                 {PX_CAUSE_SERVICE_CLOSING, CLOSES},   {PX_CAUSE_CONNECTION_THROTTLED, BUSY},
                 {PX_CAUSE_WRONG_SERVICE, FOREIGN},    {PX_CAUSE_NO_COMMON_ALGORITHMS, STRANGE_KEX}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].cause == cause)
            w->service = table[i].service;
    }
    all_of(w, of);
}

/* One address, sometimes two. */
static void fault_ban(struct world *w, bool *of)
{
    of[below(w->vantages)] = true;
    if (w->vantages > 5 && chance(0.15))
        of[below(w->vantages)] = true;
    put_rule(&w->target, of, chance(0.85) ? PORT_ONLY : EVERYTHING, chance(0.7) ? REJECT : DROP);
    w->target.rule.code = 3;
}

/* A LAN or a network is let in alone or shut out, at the host or at its edge. */
static void fault_filter(struct world *w, bool *of)
{
    unsigned who = below(w->vantages);
    for (unsigned v = 0; v < w->vantages; v++)
        of[v] = w->at[v].network == w->at[who].network;
    if (members(w, of) < w->vantages && (members(w, of) < 2 || chance(0.4))) { /* an allow-list */
        for (unsigned v = 0; v < w->vantages; v++)
            of[v] = !of[v];
    }
    put_rule(chance(0.5) ? &w->target : &w->edge[w->edges - 1], of,
             chance(0.6) ? PORT_ONLY : EVERYTHING, DROP);
}

static void fault_path(struct world *w, enum px_cause cause, bool *of)
{
    unsigned net = w->at[below(w->vantages)].network;
    network_of(w, net, of);
    struct node *at = draw_segment(w, net);
    if (cause == PX_CAUSE_TRANSIT_DROP) {
        put_rule(at, of, EVERYTHING, DROP);
        return;
    }
    put_rule(at, of, cause == PX_CAUSE_PATH_FILTERED && chance(0.6) ? PORT_ONLY : EVERYTHING,
             REJECT);
    if (cause == PX_CAUSE_NO_ROUTE)
        at->rule.code = chance(0.5) ? 0 : 1;
    else
        at->rule.code = (uint8_t[]){9, 10, 13}[below(3)];
}

static void fault_make(struct world *w, enum px_cause cause, unsigned which)
{
    bool *of = w->affected[which];
    w->cause[which] = cause;
    switch ((int)cause) {
    case PX_CAUSE_NONE:
        return;
    case PX_CAUSE_HOST_DOWN:
        w->host_dead = true;
        all_of(w, of);
        break;
    case PX_CAUSE_PORT_FILTERED:
    case PX_CAUSE_PORT_REJECTED:
        all_of(w, of);
        put_rule(&w->target, of, PORT_ONLY, cause == PX_CAUSE_PORT_FILTERED ? DROP : REJECT);
        break;
    case PX_CAUSE_NAME_UNRESOLVABLE:
        w->named = w->name_gone = true;
        all_of(w, of);
        break;
    case PX_CAUSE_SOURCE_BANNED:
        fault_ban(w, of);
        break;
    case PX_CAUSE_SOURCE_FILTERED:
        fault_filter(w, of);
        break;
    case PX_CAUSE_TRANSIT_DROP:
    case PX_CAUSE_NO_ROUTE:
    case PX_CAUSE_PATH_FILTERED:
        fault_path(w, cause, of);
        break;
    default:
        fault_service(w, cause, of);
        break;
    }
    w->faults++;
}

static const enum px_cause causes[] = {
    PX_CAUSE_NONE,          PX_CAUSE_HOST_DOWN,       PX_CAUSE_SERVICE_DOWN,
    PX_CAUSE_PORT_FILTERED, PX_CAUSE_PORT_REJECTED,   PX_CAUSE_SERVICE_HUNG,
    PX_CAUSE_SERVICE_CLOSING, PX_CAUSE_CONNECTION_THROTTLED, PX_CAUSE_WRONG_SERVICE,
    PX_CAUSE_NO_COMMON_ALGORITHMS, PX_CAUSE_NAME_UNRESOLVABLE, PX_CAUSE_SOURCE_BANNED,
    PX_CAUSE_SOURCE_BANNED, PX_CAUSE_SOURCE_FILTERED, PX_CAUSE_SOURCE_FILTERED,
    PX_CAUSE_TRANSIT_DROP,  PX_CAUSE_TRANSIT_DROP,    PX_CAUSE_NO_ROUTE,
    PX_CAUSE_PATH_FILTERED,
};
#define CAUSES (sizeof causes / sizeof *causes)

static void draw_sick(struct world *w, double share)
{
    for (unsigned v = 0; v < w->vantages; v++) {
        if (!chance(share))
            continue;
        /* without an address nobody gets far enough to meet his own network's filters */
        enum own own = (enum own)(1 + below(w->name_gone ? 2 : w->named ? 5 : 4));
        if ((own == UPLINK_DEAD || own == PORT_BLOCKED) && !w->at[v].references)
            own = NO_ROUTE; /* it could not be told */
        w->at[v].own = own;
        w->at[v].reference_same = w->at[v].reference_same || own == PORT_BLOCKED;
        w->affected[0][v] = w->affected[1][v] = false;
    }
}

/* Can the truth be seen at all: somebody fit is affected, and of a fault that is not everybody's
 * somebody fit is not. */
static bool can_be_seen(const struct world *w)
{
    for (unsigned f = 0; f < 2; f++) {
        if (w->cause[f] == PX_CAUSE_NONE)
            continue;
        enum px_scope scope = px_cause_scope(w->cause[f]);
        bool hit = false, spared = scope == PX_SCOPE_HOST || scope == PX_SCOPE_NAME;
        for (unsigned v = 0; v < w->vantages; v++) {
            hit = hit || (w->at[v].own == FINE && w->affected[f][v]);
            spared = spared || (w->at[v].own == FINE && !w->affected[f][v]);
        }
        if (!hit || !spared)
            return false;
    }
    return true;
}

struct wishes {
    unsigned vantages, networks;
    enum px_cause first, second;
    double sick;
};

static void draw_world(struct world *w, const struct wishes *wish)
{
    do {
        memset(w, 0, sizeof *w);
        w->vantages = wish->vantages;
        w->networks = wish->networks;
        w->edges = 1 + below(2);
        w->v6 = chance(0.3);
        w->labels = chance(0.7);
        w->named = chance(0.5);
        w->echo_dead = chance(0.2);
        w->ports_dead = chance(0.2);
        w->told = chance(0.8);
        w->loss = chance(0.5) ? 0 : 0.01;
        w->mute_icmp = chance(0.5) ? 0 : 0.2;
        w->port = chance(0.5) ? 22 : (uint16_t)(1024 + below(60000));
        draw_networks(w);
        draw_vantages(w);
        fault_make(w, wish->first, 0);
        if (wish->second != PX_CAUSE_NONE)
            fault_make(w, wish->second, 1);
        draw_sick(w, wish->sick);
    } while (!can_be_seen(w));
}

/* ---- packets ---- */

struct answer {
    enum px_code code;
    struct px_icmp icmp;
    double ms;
};

enum packet { TO_PORT, TO_CONTROL, TO_HIGH, TO_ECHO };

static bool rule_hits(const struct rule *r, unsigned v, enum packet p)
{
    return r->action != PASS && r->of[v] && (r->what == EVERYTHING || p == TO_PORT);
}

static struct answer icmp_answer(const struct world *w, enum px_code code, struct px_addr from,
                                 uint8_t type, uint8_t icmp_code, double ms)
{
    struct answer a = {.code = code, .ms = ms};
    a.icmp = (struct px_icmp){.from = from, .type = type, .code = icmp_code, .ttl = 60};
    if (w->v6) {
        static const uint8_t to_v6[14] = {[1] = 3, [3] = 4, [9] = 1, [10] = 1, [13] = 1};
        a.icmp.code = type == 3 ? to_v6[icmp_code] : 0;
        a.icmp.type = type == 3 ? 1 : 3;
    }
    return a;
}

static struct answer silence(void)
{
    return (struct answer){.code = PX_CODE_NO_ANSWER, .ms = 4500};
}

/* What a rule answers; ICMP may be suppressed by a rate limit. */
static struct answer rule_answer(const struct world *w, const struct node *at, bool is_target)
{
    const struct rule *r = &at->rule;
    bool unreachable = !is_target && r->code <= 1;
    if (r->action == RESET)
        return (struct answer){.code = PX_CODE_REFUSED, .ms = r->ms};
    if (r->action == DROP || chance(w->mute_icmp))
        return silence();
    return icmp_answer(w, unreachable ? PX_CODE_UNREACHABLE : PX_CODE_REJECTED, at->addr, r->type,
                       r->code, r->ms);
}

static const struct node *node_at(const struct world *w, unsigned v, unsigned hop,
                                  struct node *core)
{
    const struct network *net = &w->net[w->at[v].network];
    if (hop < net->routers)
        return &net->router[hop];
    if (hop == net->routers) {
        *core = (struct node){.addr = net->core};
        return core;
    }
    hop -= net->routers + 1;
    return hop < w->edges ? &w->edge[hop] : &w->target;
}

static unsigned path_length(const struct world *w, unsigned v)
{
    return w->net[w->at[v].network].routers + 1 + w->edges; /* routers before the target */
}

static struct answer target_answer(const struct world *w, enum packet p)
{
    struct answer open = {.code = PX_CODE_OK, .ms = 5}, closed = {.code = PX_CODE_REFUSED, .ms = 5};
    if (w->host_dead) {
        if (!w->told || chance(w->mute_icmp))
            return silence();
        return icmp_answer(w, PX_CODE_UNREACHABLE, w->edge[w->edges - 1].addr, 3, 1, 3070);
    }
    if (p == TO_ECHO)
        return w->echo_dead ? silence() : open;
    if (p == TO_PORT)
        return w->service == NO_LISTENER ? closed : open;
    return w->ports_dead ? silence() : closed;
}

/* Send one packet (a connect with its retries) with a given ttl; ttl 0 = far enough. */
static struct answer send_packet(const struct world *w, unsigned v, enum packet p, unsigned ttl)
{
    unsigned length = path_length(w, v);
    enum own own = w->at[v].own;
    struct node core;
    if (own == UPLINK_DEAD || (own == PORT_BLOCKED && p == TO_PORT && ttl != 1))
        return silence();
    if (chance(w->loss))
        return silence();
    for (unsigned hop = 0; hop < length; hop++) {
        const struct node *at = node_at(w, v, hop, &core);
        if (ttl == hop + 1)
            return at->silent || chance(w->mute_icmp / 4)
                       ? silence()
                       : icmp_answer(w, PX_CODE_LOOPED, at->addr, 11, 0, 2);
        if (rule_hits(&at->rule, v, p))
            return rule_answer(w, at, false);
    }
    if (!w->host_dead && rule_hits(&w->target.rule, v, p))
        return rule_answer(w, &w->target, true);
    return target_answer(w, p);
}

/* ---- probes ---- */

static void probe_attempt(const struct world *w, unsigned v, enum packet p, struct px_attempt *a)
{
    struct answer got = send_packet(w, v, p, 0);
    *a = (struct px_attempt){.code = got.code, .icmp = got.icmp, .ms = got.ms, .rtt_ms = -1};
    a->port = p == TO_PORT ? w->port : p == TO_CONTROL ? 443 : 40125;
}

static void probe_echo(const struct world *w, unsigned v, struct px_echo *e)
{
    *e = (struct px_echo){.ran = true, .sent = 2, .ms = -1, .code = PX_CODE_NO_ANSWER};
    for (unsigned i = 0; i < 2; i++) {
        struct answer got = send_packet(w, v, TO_ECHO, 0);
        e->received += got.code == PX_CODE_OK;
        if (got.code != PX_CODE_OK && got.icmp.from.family) {
            e->code = got.code;
            e->icmp = got.icmp;
        }
    }
    if (e->received)
        e->code = PX_CODE_OK;
}

static void probe_trace(const struct world *w, unsigned v, struct px_trace *t)
{
    unsigned length = path_length(w, v), misses = 0;
    *t = (struct px_trace){.ran = true};
    for (unsigned ttl = 1; ttl <= length + 1 && misses < 4; ttl++) {
        struct answer got = silence();
        for (unsigned i = 0; i < 2 && got.code == PX_CODE_NO_ANSWER; i++)
            got = send_packet(w, v, TO_PORT, ttl);
        struct px_hop *hop = &t->hops[t->count++];
        *hop = (struct px_hop){.ttl = (uint8_t)ttl, .ms = -1};
        bool at_target = got.code == PX_CODE_OK || got.code == PX_CODE_REFUSED ||
                         px_addr_equal(&got.icmp.from, &w->target.addr);
        misses = got.code == PX_CODE_NO_ANSWER ? misses + 1 : 0;
        if (at_target || got.icmp.from.family)
            hop->from = at_target ? w->target.addr : got.icmp.from;
        t->reached = at_target;
        if (at_target || got.code == PX_CODE_REJECTED || got.code == PX_CODE_UNREACHABLE)
            return;
    }
}

static void probe_references(const struct world *w, unsigned v, struct px_observation *o)
{
    enum own own = w->at[v].own;
    if (!w->at[v].references)
        return;
    struct px_reference *r = &o->references[o->reference_count++];
    snprintf(r->name, sizeof r->name, "reference:%u", 443);
    r->code = own == UPLINK_DEAD || chance(w->loss) ? PX_CODE_NO_ANSWER : PX_CODE_OK;
    if (!w->at[v].reference_same)
        return;
    r = &o->references[o->reference_count++];
    snprintf(r->name, sizeof r->name, "reference:%u", w->port);
    r->code = own == UPLINK_DEAD || own == PORT_BLOCKED ? PX_CODE_NO_ANSWER : PX_CODE_OK;
}

static void probe_sides(const struct world *w, unsigned v, struct px_observation *o, bool trace)
{
    probe_echo(w, v, &o->echo);
    o->control_count = 2;
    probe_attempt(w, v, TO_CONTROL, &o->controls[0]);
    probe_attempt(w, v, TO_HIGH, &o->controls[1]);
    if (trace)
        probe_trace(w, v, &o->trace);
    probe_references(w, v, o);
}

static void climb(const struct world *w, struct px_observation *o)
{
    enum service s = w->service;
    o->stage = PX_STAGE_BANNER;
    o->code = PX_CODE_OK;
    if (s == BUSY)
        s = chance(0.55) ? BUSY : GOOD;
    if (s == MUTE)
        o->code = PX_CODE_SILENT;
    else if (s == CLOSES)
        o->code = chance(0.7) ? PX_CODE_CLOSED_EARLY : PX_CODE_RESET_EARLY;
    else if (s == BUSY)
        o->code = chance(0.8) ? PX_CODE_REFUSAL_TEXT : PX_CODE_CLOSED_EARLY;
    else if (s == FOREIGN)
        o->code = PX_CODE_NOT_SSH;
    if (o->code != PX_CODE_OK)
        return;
    o->stage = PX_STAGE_KEX;
    o->code = s == STRANGE_KEX ? PX_CODE_KEX_MISMATCH : PX_CODE_OK;
    if (o->code == PX_CODE_OK) {
        strcpy(o->hostkey, "SHA256:abc");
        strcpy(o->hostkey_type, "ssh-ed25519");
    }
}

static void end_at_tcp(struct px_observation *o)
{
    const struct px_attempt *a = &o->attempts[o->attempt_count - 1];
    o->stage = PX_STAGE_TCP;
    o->code = a->code;
    o->icmp = a->icmp;
    o->took_ms = a->ms;
}

static bool resolve(const struct world *w, unsigned v, struct px_observation *o)
{
    if (!w->named)
        return true;
    if (w->name_gone || w->at[v].own == BAD_RESOLVER) {
        o->stage = PX_STAGE_DNS;
        o->code = w->name_gone ? PX_CODE_DNS_NXDOMAIN
                               : (chance(0.5) ? PX_CODE_DNS_TIMEOUT : PX_CODE_DNS_SERVFAIL);
        o->address.family = 0;
        return false;
    }
    o->addresses[0] = w->target.addr;
    o->address_count = 1;
    return true;
}

static void look(const struct world *w, struct px_report *r, unsigned v, uint32_t round,
                 bool failed, bool path)
{
    struct px_observation o;
    px_observation_init(&o);
    o.vantage = v;
    o.round = round;
    o.job_id = round;
    o.started = START + (px_wall)(round - 1) * 6 * PX_SEC + below(50) * PX_MS;
    o.address = w->target.addr;
    o.source = w->at[v].source;
    if (w->at[v].own == NO_ROUTE) {
        o.stage = PX_STAGE_TCP;
        o.code = PX_CODE_NO_OWN_ROUTE;
    } else if (resolve(w, v, &o)) {
        o.attempt_count = round > 1 && failed ? 2 : 1;
        for (uint32_t i = 0; i < o.attempt_count; i++)
            probe_attempt(w, v, TO_PORT, &o.attempts[i]);
        end_at_tcp(&o);
        if (o.code == PX_CODE_OK && round == 1)
            climb(w, &o);
        if (round > 1 || (o.stage == PX_STAGE_TCP && o.code == PX_CODE_NO_ANSWER))
            probe_sides(w, v, &o, path || round == 1);
    }
    px_report_add_observation(r, &o);
}

static void add_vantage(const struct world *w, struct px_report *r, unsigned v)
{
    char name[16];
    snprintf(name, sizeof name, "v%02u", v);
    struct px_vantage *p = px_report_add_vantage(r, name);
    p->seen_as = w->at[v].seen_as;
    if (w->at[v].own == AWAY) {
        p->presence = PX_AWAY;
        p->last_seen = START - 90 * PX_SEC;
    }
    if (w->labels) {
        p->label_count = 1;
        strcpy(p->labels[0].key, "asn");
        snprintf(p->labels[0].value, sizeof p->labels[0].value, "%u",
                 64500 + w->at[v].network);
    }
}

static void observe(const struct world *w, struct px_report *r)
{
    char url[128], text[PX_ADDR_TEXT];
    struct px_err err;
    bool any = false, path = false, failed[VANTAGES_MAX] = {false};
    px_report_init(r);
    px_addr_format(&w->target.addr, text);
    snprintf(url, sizeof url, w->named ? "host.example.net:%s%u" : w->v6 ? "[%s]:%u" : "%s:%u",
             w->named ? "" : text, w->port);
    cr_assert_eq(px_target_parse(url, &r->target, &err), 0, "%s: %s", url, err.message);
    r->started = START;
    r->finished = true;
    r->rounds = 2;
    r->depth = PX_STAGE_KEX;
    for (unsigned v = 0; v < w->vantages; v++)
        add_vantage(w, r, v);
    for (unsigned v = 0; v < w->vantages; v++) {
        if (w->at[v].own == AWAY)
            continue;
        look(w, r, v, 1, false, false);
        const struct px_observation *o = &r->observations[r->observation_count - 1];
        failed[v] = px_code_kind(o->code) != PX_KIND_OK;
        any = any || failed[v];
        path = path || o->code == PX_CODE_NO_ANSWER || o->code == PX_CODE_UNREACHABLE ||
               (o->code == PX_CODE_REJECTED && !px_addr_equal(&o->icmp.from, &w->target.addr));
    }
    for (unsigned v = 0; v < w->vantages && any; v++) {
        if (w->at[v].own != AWAY)
            look(w, r, v, 2, failed[v], path);
    }
}

/* ---- counting ---- */

struct counts {
    unsigned worlds, scope, cause, named, set;
    unsigned confirmed, scope_confirmed, false_confirmed; /* findings */
    unsigned false_host, blamed;                          /* blamed: truth is source or path */
    unsigned alarms, both;
};

static bool is_vantage_finding(const struct px_finding *f)
{
    return f->scope == PX_SCOPE_VANTAGE;
}

static bool is_true(const struct world *w, const struct px_finding *f)
{
    for (unsigned i = 0; i < 2; i++) {
        if (w->cause[i] != PX_CAUSE_NONE && f->cause == w->cause[i])
            return true;
    }
    return false;
}

static bool scope_is_true(const struct world *w, const struct px_finding *f)
{
    for (unsigned i = 0; i < 2; i++) {
        if (w->cause[i] != PX_CAUSE_NONE && f->scope == px_cause_scope(w->cause[i]))
            return true;
    }
    return false;
}

/* A finding about a vantage is true if that vantage was made sick. */
static bool vantages_are_sick(const struct world *w, const struct px_finding *f)
{
    for (size_t i = 0; i < f->affected.n; i++) {
        if (w->at[atoi(f->affected.v[i] + 1)].own == FINE)
            return false;
    }
    return true;
}

static bool set_is_right(const struct world *w, const struct px_finding *f, unsigned which)
{
    for (unsigned v = 0; v < w->vantages; v++) {
        char name[16];
        snprintf(name, sizeof name, "v%02u", v);
        bool want = w->affected[which][v] && w->at[v].own == FINE;
        if (want != (bool)px_strs_has(&f->affected, name))
            return false;
    }
    return true;
}

static void describe(const struct world *w, const struct px_report *r, const char *why)
{
    if (!getenv("SHOW"))
        return;
    fprintf(stderr, "%s: truth %s + %s, %u vantages, %u networks, v6=%d labels=%d echo_dead=%d "
            "ports_dead=%d told=%d named=%d loss=%.2f mute=%.2f edges=%u\n  rule at target: action "
            "%d what %d; edge: action %d what %d\n",
            why, px_cause_name(w->cause[0]), px_cause_name(w->cause[1]), w->vantages, w->networks,
            w->v6, w->labels, w->echo_dead, w->ports_dead, w->told, w->named, w->loss, w->mute_icmp,
            w->edges, w->target.rule.action, w->target.rule.what,
            w->edge[w->edges - 1].rule.action, w->edge[w->edges - 1].rule.what);
    for (unsigned v = 0; v < w->vantages; v++)
        fprintf(stderr, "  v%02u net %u own %d%s%s", v, w->at[v].network, w->at[v].own,
                w->affected[0][v] ? " AFFECTED" : "", w->affected[1][v] ? " SECOND" : "");
    fprintf(stderr, "\n  verdict %s: %s\n", px_status_name(r->verdict.status), r->verdict.summary);
    for (size_t i = 0; i < r->verdict.finding_count; i++) {
        const struct px_finding *f = &r->verdict.findings[i];
        fprintf(stderr, "    %s %s/%s p=%.3f/%.3f:", px_cause_name(f->cause),
                px_certainty_name(f->certainty), px_certainty_name(f->scope_certainty),
                f->probability, f->scope_probability);
        for (size_t k = 0; k < f->affected.n; k++)
            fprintf(stderr, " %s", f->affected.v[k]);
        for (size_t k = 0; k < f->alternative_count; k++)
            fprintf(stderr, " | %s %.3f", px_cause_name(f->alternatives[k].cause),
                    f->alternatives[k].probability);
        fprintf(stderr, "\n");
    }
}

/* Findings that must not be there; counts confirmations. */
static void count_findings(const struct world *w, const struct px_report *r, struct counts *c)
{
    for (size_t i = 0; i < r->verdict.finding_count; i++) {
        const struct px_finding *f = &r->verdict.findings[i];
        bool truth = is_vantage_finding(f) ? vantages_are_sick(w, f) : is_true(w, f);
        bool scope = is_vantage_finding(f) ? truth : scope_is_true(w, f);
        bool sure = f->certainty == PX_CERTAINTY_CONFIRMED,
             sure_scope = f->scope_certainty == PX_CERTAINTY_CONFIRMED;
        c->confirmed += sure;
        c->scope_confirmed += sure_scope && !is_vantage_finding(f);
        if ((sure && !truth) || (sure_scope && !scope)) {
            c->false_confirmed++;
            describe(w, r, "FALSE CONFIRMED");
        }
    }
}

/* The cause itself, or one that the finding says looks the same on the wire. */
static bool names(const struct px_finding *f, enum px_cause c)
{
    for (size_t i = 0; i < f->ambiguous_count; i++) {
        if (f->ambiguous_with[i] == c)
            return true;
    }
    return f->cause == c;
}

static bool found(const struct world *w, const struct px_report *r, unsigned which)
{
    for (size_t i = 0; i < r->verdict.finding_count; i++) {
        const struct px_finding *f = &r->verdict.findings[i];
        if (names(f, w->cause[which]) && set_is_right(w, f, which))
            return true;
    }
    return false;
}

/* Count one judged world; returns whether its first finding is right in cause and set. */
static bool count_world(const struct world *w, const struct px_report *r, struct counts *c)
{
    const struct px_finding *first = NULL;
    size_t about_target = 0;
    for (size_t i = 0; i < r->verdict.finding_count; i++) {
        bool of_target = !is_vantage_finding(&r->verdict.findings[i]);
        about_target += of_target;
        first = !first && of_target ? &r->verdict.findings[i] : first;
    }
    enum px_scope want = px_cause_scope(w->cause[0]);
    bool healthy = w->faults == 0, right_number = about_target == w->faults;
    bool scope = first ? scope_is_true(w, first) : healthy;
    bool cause = (first ? is_true(w, first) : healthy) && right_number;
    bool named = (first ? is_true(w, first) || names(first, w->cause[0]) : healthy) && right_number;
    bool set = healthy ? !first : found(w, r, 0) && right_number;
    c->worlds++;
    c->scope += scope;
    c->cause += cause;
    c->named += named;
    c->set += set;
    c->alarms += healthy && first;
    c->both += w->faults == 2 && found(w, r, 0) && found(w, r, 1) && right_number;
    count_findings(w, r, c);
    if (want == PX_SCOPE_SOURCE || want == PX_SCOPE_PATH) {
        c->blamed++;
        c->false_host += first && first->scope == PX_SCOPE_HOST && w->faults == 1;
    }
    if (!scope || !named || !set)
        describe(w, r, "WRONG");
    return named && set;
}

static bool judge_world(const struct world *w, struct counts *c)
{
    struct px_report r;
    observe(w, &r);
    diagnose(&r);
    bool right = count_world(w, &r, c);
    px_report_clear(&r);
    return right;
}

static void report(const char *name, const struct counts *c)
{
    double n = c->worlds ? c->worlds : 1;
    fprintf(stderr,
            "%-26s %5u worlds: scope %.4f cause %.4f (or named as looking the same %.4f) set %.4f; "
            "false host %u of %u; confirmed cause %u, scope %u, falsely %u\n",
            name, c->worlds, c->scope / n, c->cause / n, c->named / n, c->set / n, c->false_host,
            c->blamed, c->confirmed, c->scope_confirmed, c->false_confirmed);
}

static unsigned worlds_wanted(unsigned usual)
{
    const char *text = getenv("PARALLAX_WORLDS");
#ifdef __SANITIZE_ADDRESS__
    usual /= 8; /* there it looks for bad memory, not for rates */
#endif
    return text ? (unsigned)atoi(text) : usual;
}

static void seed(uint64_t usual)
{
    const char *text = getenv("PARALLAX_SEED");
    chance_state = text ? strtoull(text, NULL, 10) : usual;
}

static struct wishes draw_wishes(unsigned least_networks, double sick)
{
    struct wishes wish = {.sick = sick, .second = PX_CAUSE_NONE};
    wish.networks = least_networks + below(3);
    wish.vantages = wish.networks + below(8);
    wish.first = causes[below(CAUSES)];
    return wish;
}

/* Do two faults act on the same vantage, so that one hides the other? */
static bool faults_meet(const struct world *w)
{
    bool all = px_cause_scope(w->cause[0]) == PX_SCOPE_HOST, seen = false;
    for (unsigned v = 0; v < w->vantages; v++) {
        if (w->affected[0][v] && w->affected[1][v] && !all)
            return true;
        seen = seen || (w->affected[0][v] && !w->affected[1][v] && w->at[v].own == FINE);
    }
    return !seen;
}

/* Few vantages may all be affected: then there is nothing to compare with. */
static void draw_few(struct world *w, const struct wishes *wish)
{
    do {
        memset(w, 0, sizeof *w);
        w->vantages = wish->vantages;
        w->networks = wish->networks;
        w->edges = 1 + below(2);
        w->echo_dead = chance(0.2);
        w->ports_dead = chance(0.2);
        w->told = chance(0.8);
        w->named = chance(0.5);
        w->port = 22;
        draw_networks(w);
        draw_vantages(w);
        fault_make(w, wish->first, 0);
    } while (members(w, w->affected[0]) == 0 && wish->first != PX_CAUSE_NONE);
}

static bool is_candidate(const struct px_report *r, enum px_cause c)
{
    if (r->verdict.finding_count == 0)
        return c == PX_CAUSE_NONE;
    for (size_t i = 0; i < r->verdict.finding_count; i++) {
        const struct px_finding *f = &r->verdict.findings[i];
        if (names(f, c))
            return true;
        for (size_t k = 0; k < f->alternative_count; k++) {
            if (f->alternatives[k].cause == c)
                return true;
        }
    }
    return false;
}

static void shuffle(struct px_report *r)
{
    uint32_t *to = calloc(r->vantage_count, sizeof *to);
    for (uint32_t i = 0; i < r->vantage_count; i++)
        to[i] = i;
    for (uint32_t i = (uint32_t)r->vantage_count; i > 1; i--) {
        uint32_t k = below(i), kept = to[i - 1];
        struct px_vantage v = r->vantages[i - 1];
        to[i - 1] = to[k]; /* to[new place] = old place */
        to[k] = kept;
        r->vantages[i - 1] = r->vantages[k];
        r->vantages[k] = v;
    }
    for (size_t i = 0; i < r->observation_count; i++) {
        uint32_t place = 0;
        while (to[place] != r->observations[i].vantage)
            place++;
        r->observations[i].vantage = place;
    }
    for (size_t i = r->observation_count; i > 1; i--) {
        size_t k = below((unsigned)i);
        struct px_observation o = r->observations[i - 1];
        r->observations[i - 1] = r->observations[k];
        r->observations[k] = o;
    }
    free(to);
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    return w;
}

Test(random, one_fault_in_four_networks)
{
    struct counts all = {0};
    struct world *w = world_new();
    unsigned by_cause[PX_CAUSE_COUNT][2] = {{0}};
    seed(1);
    for (unsigned i = 0, n = worlds_wanted(4000); i < n; i++) {
        struct wishes wish = draw_wishes(4, 0.03);
        draw_world(w, &wish);
        by_cause[wish.first][0]++;
        by_cause[wish.first][1] += judge_world(w, &all);
    }
    for (unsigned c = 0; c < PX_CAUSE_COUNT; c++) {
        if (by_cause[c][0])
            fprintf(stderr, "  %-22s %5u worlds, %.4f right with exact set\n",
                    px_cause_name((enum px_cause)c), by_cause[c][0],
                    (double)by_cause[c][1] / by_cause[c][0]);
    }
    report("one fault, >= 4 networks", &all);
    free(w);
    cr_expect_geq(all.scope, 0.98 * all.worlds);
    cr_expect_geq(all.cause, 0.95 * all.worlds);
    cr_expect_geq(all.set, 0.97 * all.worlds);
    cr_expect_eq(all.false_confirmed, 0);
    cr_expect_leq(all.false_host, 0.005 * all.blamed);
    cr_expect_gt(all.scope_confirmed, 0.7 * all.worlds);
}

Test(random, two_faults)
{
    static const enum px_cause first[] = {PX_CAUSE_SOURCE_BANNED, PX_CAUSE_SERVICE_DOWN,
                                          PX_CAUSE_SERVICE_HUNG, PX_CAUSE_PORT_REJECTED};
    static const enum px_cause second[] = {PX_CAUSE_TRANSIT_DROP, PX_CAUSE_NO_ROUTE,
                                           PX_CAUSE_PATH_FILTERED};
    struct counts all = {0};
    struct world *w = world_new();
    seed(2);
    for (unsigned i = 0, n = worlds_wanted(1500); i < n; i++) {
        struct wishes wish = draw_wishes(5, 0.02);
        wish.first = first[below(4)];
        wish.second = second[below(3)];
        do {
            draw_world(w, &wish);
        } while (faults_meet(w));
        judge_world(w, &all);
    }
    report("two faults, >= 5 networks", &all);
    fprintf(stderr, "  both found with their sets: %.4f\n", (double)all.both / all.worlds);
    free(w);
    cr_expect_geq(all.scope, 0.98 * all.worlds);
    cr_expect_geq(all.both, 0.90 * all.worlds);
    cr_expect_leq(all.false_confirmed, 0.002 * (all.confirmed + all.scope_confirmed));
}

Test(random, healthy_worlds_raise_no_alarm)
{
    struct counts all = {0};
    struct world *w = world_new();
    seed(3);
    for (unsigned i = 0, n = worlds_wanted(4000); i < n; i++) {
        struct wishes wish = draw_wishes(3, 0.03);
        wish.first = PX_CAUSE_NONE;
        draw_world(w, &wish);
        w->loss = 0.02;
        judge_world(w, &all);
    }
    report("healthy, 2 % loss", &all);
    free(w);
    cr_expect_leq(all.alarms, 0.001 * all.worlds, "%u alarms", all.alarms);
}

Test(random, hundred_vantages)
{
    struct counts all = {0};
    struct world *w = world_new();
    seed(4);
    for (unsigned i = 0, n = worlds_wanted(300); i < n; i++) {
        struct wishes wish = {.vantages = VANTAGES_MAX, .networks = NETWORKS_MAX, .sick = 0.03,
                              .first = causes[below(CAUSES)]};
        draw_world(w, &wish);
        judge_world(w, &all);
    }
    report("one fault, 100 vantages", &all);
    free(w);
    cr_expect_geq(all.scope, 0.98 * all.worlds);
    cr_expect_geq(all.named, 0.95 * all.worlds);
    cr_expect_eq(all.false_confirmed, 0);
}

/* With few vantages: never too sure, and the truth is among what is printed. */
Test(random, few_vantages)
{
    struct world *w = world_new();
    seed(5);
    for (unsigned vantages = 1; vantages <= 3; vantages++) {
        struct counts all = {0};
        unsigned among = 0;
        for (unsigned i = 0, n = worlds_wanted(1500); i < n; i++) {
            struct px_report r;
            struct wishes wish = {.vantages = vantages, .networks = vantages};
            do {
                wish.first = causes[below(CAUSES)];
            } while (vantages == 1 && px_cause_scope(wish.first) == PX_SCOPE_PATH);
            draw_few(w, &wish);
            observe(w, &r);
            diagnose(&r);
            count_world(w, &r, &all);
            among += is_candidate(&r, w->cause[0]);
            if (vantages == 1 && w->faults && wish.first != PX_CAUSE_CONNECTION_THROTTLED)
                cr_expect_neq(r.verdict.status, PX_STATUS_REACHABLE);
            for (size_t k = 0; k < r.verdict.finding_count && vantages == 1; k++)
                cr_expect_neq(r.verdict.findings[k].certainty, PX_CERTAINTY_CONFIRMED);
            px_report_clear(&r);
        }
        char name[40];
        snprintf(name, sizeof name, "%u vantage%s", vantages, vantages == 1 ? "" : "s");
        report(name, &all);
        fprintf(stderr, "  truth among the candidates: %.4f\n", (double)among / all.worlds);
        cr_expect_geq(among, 0.95 * all.worlds);
        cr_expect_eq(all.false_confirmed, 0);
    }
    free(w);
}

/* Neither the order of arrival nor that of the vantages matters. */
Test(random, order_does_not_matter)
{
    struct world *w = world_new();
    seed(6);
    for (unsigned i = 0, n = worlds_wanted(400); i < n; i++) {
        struct px_report r;
        struct wishes wish = draw_wishes(3, 0.05);
        wish.second = chance(0.3) ? PX_CAUSE_TRANSIT_DROP : PX_CAUSE_NONE;
        draw_world(w, &wish);
        observe(w, &r);
        diagnose(&r);
        char *before = world_text(&r);
        shuffle(&r);
        diagnose(&r);
        char *after = world_text(&r);
        cr_expect_str_eq(before, after);
        free(before);
        free(after);
        px_report_clear(&r);
    }
    free(w);
}
