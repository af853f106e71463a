/* SPDX-License-Identifier: MIT */
/* What to do about a finding: exactly what to type and where, and what would decide between
 * candidates. Tables; placeholders are filled by wording.c. */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/diagnose/advice.h"

#define STEPS_PER_SOURCE_MAX 3

/* ---- next steps ---- */

enum step_scheme { ANY_SCHEME, SSH_ONLY, NOT_SSH };

/* In the order in which they are typed; rows with {source} are repeated for each source. */
static const struct advice_step {
    enum px_cause cause;
    enum step_scheme scheme;
    const char *where, *run, *why;
} steps[] = {
    {PX_CAUSE_HOST_DOWN, ANY_SCHEME, "host", "ip -br addr; ip route",
     "is it powered on, and does it still hold {target}?"},
    {PX_CAUSE_HOST_DOWN, ANY_SCHEME, "network team", "ip neigh show {target}",
     "on its last router: FAILED or nothing means that no machine has the address"},

    {PX_CAUSE_SERVICE_DOWN, SSH_ONLY, "host",
     "systemctl status ssh; sudo sshd -t; sudo ss -ltnp | grep -i ssh",
     "is it running, is its configuration valid, where does it listen?"},
    {PX_CAUSE_SERVICE_DOWN, NOT_SSH, "host", "sudo ss -ltnp 'sport = :{port}'",
     "does anything listen, and on which address?"},
    {PX_CAUSE_SERVICE_DOWN, SSH_ONLY, "here", "plx check {host} --port 2222,22022", "moved port?"},

    {PX_CAUSE_PORT_FILTERED, ANY_SCHEME, "host",
     "sudo nft list ruleset | grep -n -e 'dport {port}' -e 'policy drop'",
     "a rule of the host that drops"},
    {PX_CAUSE_PORT_FILTERED, ANY_SCHEME, "host", "sudo ss -ltn 'sport = :{port}'",
     "Recv-Q above Send-Q: the service does not take its connections, the queue is full"},
    {PX_CAUSE_PORT_FILTERED, ANY_SCHEME, "network team", "",
     "the inbound rules of its security group or edge: is tcp/{port} to {target} allowed?"},

    {PX_CAUSE_PORT_REJECTED, ANY_SCHEME, "host", "sudo nft list ruleset | grep -n -i reject",
     "the rule that answers"},
    {PX_CAUSE_PORT_REJECTED, ANY_SCHEME, "host", "sudo iptables -S | grep -n -i reject",
     "the same where iptables is used"},

    {PX_CAUSE_SERVICE_HUNG, SSH_ONLY, "host",
     "systemctl status ssh; ps -o pid,stat,wchan:20,cmd -C sshd",
     "T = stopped, D = waits for a disk"},
    {PX_CAUSE_SERVICE_HUNG, ANY_SCHEME, "host", "sudo ss -ltnp 'sport = :{port}'",
     "who listens, and is its queue full (Recv-Q)?"},

    {PX_CAUSE_SERVICE_CLOSING, SSH_ONLY, "host", "sudo journalctl -u ssh -n 50; sudo sshd -t",
     "it says there why it gives up"},
    {PX_CAUSE_SERVICE_CLOSING, SSH_ONLY, "host",
     "sudo sshd -T | grep -i -e maxstartups -e persource", "limits that close at once"},
    {PX_CAUSE_SERVICE_CLOSING, NOT_SSH, "host", "sudo ss -ltnp 'sport = :{port}'",
     "whose log to read; behind a proxy: is its backend up?"},

    {PX_CAUSE_CONNECTION_THROTTLED, SSH_ONLY, "host",
     "sudo sshd -T | grep -i -e maxstartups -e persource", "the limits"},
    {PX_CAUSE_CONNECTION_THROTTLED, ANY_SCHEME, "host", "ss -Htn 'sport = :{port}' | wc -l",
     "how many connections there are now"},

    {PX_CAUSE_WRONG_SERVICE, ANY_SCHEME, "host", "sudo ss -ltnp 'sport = :{port}'",
     "which process owns the port"},
    {PX_CAUSE_WRONG_SERVICE, SSH_ONLY, "here", "plx check {host} --port 2222,22022",
     "is it on another port?"},

    {PX_CAUSE_NO_COMMON_ALGORITHMS, SSH_ONLY, "host",
     "sudo sshd -T | grep -i -e kexalgorithms -e hostkeyalgorithms -e ciphers -e macs",
     "what it offers; the probe may know less than your ssh does"},
    {PX_CAUSE_HOST_KEY_CHANGED, SSH_ONLY, "host",
     "for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done",
     "compare on the console; has the name or address moved to another machine?"},
    {PX_CAUSE_BACKEND_PARTIAL, SSH_ONLY, "host",
     "for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done",
     "on each machine behind the address: which fingerprint is whose?"},
    {PX_CAUSE_INTERCEPTION, SSH_ONLY, "host",
     "for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done",
     "compare on the console; do not log in from {names} until it is clear"},
    {PX_CAUSE_AUTH_REJECTED, SSH_ONLY, "host", "sudo journalctl -u ssh -n 50",
     "it says there why the key is refused"},
    {PX_CAUSE_SESSION_FAILED, SSH_ONLY, "host", "sudo journalctl -u ssh -n 50; ls /run/nologin",
     "PAM, nologin, shell, limits"},
    {PX_CAUSE_SOURCE_AUTH_POLICY, SSH_ONLY, "host",
     "sudo sshd -T -C user=USER,host={source},addr={source} | grep -i -e allowusers -e denyusers",
     "what applies to that source"},

    {PX_CAUSE_NAME_UNRESOLVABLE, ANY_SCHEME, "here", "getent hosts {host}",
     "typing error? what does this machine's resolver say?"},
    {PX_CAUSE_NAME_DIFFERS, ANY_SCHEME, "vantage {name}", "getent hosts {host}",
     "private name or split DNS? its resolver knows another answer"},

    {PX_CAUSE_TRANSIT_DROP, ANY_SCHEME, "network team", "plx show {run} --path",
     "give this to them: where the paths part"},
    {PX_CAUSE_NO_ROUTE, ANY_SCHEME, "network team", "plx show {run} --path",
     "give this to them: who says that there is no way"},
    {PX_CAUSE_PATH_FILTERED, ANY_SCHEME, "network team", "plx show {run} --path",
     "give this to them: {router} answers instead of {target}"},
    {PX_CAUSE_PATH_RESET, ANY_SCHEME, "network team", "plx show {run} --path",
     "give this to them: something on these paths resets"},
    {PX_CAUSE_PATH_MTU, ANY_SCHEME, "vantage {name}", "tracepath -n {target}",
     "where the packet size shrinks; cure: clamp the MSS or let ICMP frag-needed pass"},
    {PX_CAUSE_PACKET_LOSS, ANY_SCHEME, "vantage {name}", "mtr -n -r -c 50 -T -P {port} {target}",
     "where the loss begins"},
    {PX_CAUSE_FAMILY_BROKEN, ANY_SCHEME, "host", "ip -br addr; sudo ss -ltn 'sport = :{port}'",
     "does it hold and listen on both families? else take the record out of the DNS"},

    {PX_CAUSE_SOURCE_FILTERED, ANY_SCHEME, "host", "sudo nft list ruleset | grep -n -i saddr",
     "rules by source address"},
    {PX_CAUSE_SOURCE_FILTERED, ANY_SCHEME, "network team", "",
     "the inbound rules of its security group or edge: may {prefix} reach tcp/{port}?"},
    {PX_CAUSE_SOURCE_FILTERED, ANY_SCHEME, "here", "plx check @last", "after a change"},

    {PX_CAUSE_SOURCE_BANNED, ANY_SCHEME, "host", "sudo fail2ban-client banned {source}",
     "names the jail that holds it, if one does"},
    {PX_CAUSE_SOURCE_BANNED, ANY_SCHEME, "host", "sudo fail2ban-client set {jail} unbanip {source}",
     "lifts the ban if fail2ban holds it"},
    {PX_CAUSE_SOURCE_BANNED, ANY_SCHEME, "host", "sudo nft list ruleset | grep -n {source}",
     "any other rule for that address"},
    {PX_CAUSE_SOURCE_BANNED, ANY_SCHEME, "here", "plx check @last", "after a change"},

    {PX_CAUSE_SOURCE_REFUSED, SSH_ONLY, "host",
     "sudo journalctl -u ssh -n 200 | grep -e 'refused connect' -e penalty",
     "tcp wrappers and penalties name the source"},
    {PX_CAUSE_SOURCE_REFUSED, ANY_SCHEME, "host", "grep -v '^#' /etc/hosts.deny /etc/hosts.allow",
     "tcp wrappers"},

    {PX_CAUSE_VANTAGE_NO_ROUTE, ANY_SCHEME, "vantage {name}", "ip route get {target}; ip -br addr",
     "has it a route and an address of that family?"},
    {PX_CAUSE_VANTAGE_EGRESS_FILTERED, ANY_SCHEME, "vantage {name}",
     "sudo nft list ruleset | grep -n -e 'dport {port}' -e reject",
     "its own rules, then those of its network, for tcp/{port} outwards"},
    {PX_CAUSE_VANTAGE_DNS, ANY_SCHEME, "vantage {name}",
     "getent hosts {host}; cat /etc/resolv.conf",
     "which resolver does it ask, and does that answer?"},
    {PX_CAUSE_VANTAGE_OVERLOADED, ANY_SCHEME, "vantage {name}", "uptime; free -m",
     "too busy to be a witness"},
    {PX_CAUSE_VANTAGE_OFFLINE, ANY_SCHEME, "vantage {name}", "systemctl status parallax-node",
     "does it run, and does it reach the coordinator?"},
};

static bool scheme_fits(enum step_scheme s, enum px_scheme scheme)
{
    return s == ANY_SCHEME || (s == SSH_ONLY) == (scheme == PX_SCHEME_SSH);
}

/* The pattern for one vantage only: {source} and {name} are its own. */
static char *fill_for(const struct wording *w, const struct evidence *e, const char *pattern)
{
    struct wording one = *w;
    one.hit = &e;
    one.hits = 1;
    one.first = e;
    return wording_fill(&one, pattern);
}

static void step_add(const struct wording *w, const struct evidence *e, struct px_finding *f,
                     const struct advice_step *step)
{
    char *where = fill_for(w, e, step->where), *run = fill_for(w, e, step->run),
         *why = fill_for(w, e, step->why);
    bool known = false;
    for (size_t i = 0; i < f->step_count; i++)
        known = known || (strcmp(f->steps[i].run, run) == 0 &&
                          strcmp(f->steps[i].where, where) == 0 && run[0] != '\0');
    if (!known)
        px_finding_add_step(f, where, run, why);
    free(where);
    free(run);
    free(why);
}

void steps_write(const struct wording *w, struct px_finding *f)
{
    enum px_scheme scheme = w->j->report->target.scheme;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bool each = strstr(steps[i].run, "{source}") || strstr(steps[i].where, "{name}");
        size_t n = each && w->hits < STEPS_PER_SOURCE_MAX ? w->hits : STEPS_PER_SOURCE_MAX;
        if (steps[i].cause != w->cause || !scheme_fits(steps[i].scheme, scheme))
            continue;
        for (size_t k = 0; k < (each ? n : 1) && k < w->hits; k++)
            step_add(w, w->hit[k], f, &steps[i]);
    }
}

/* ---- what would decide ---- */

enum decide { DECIDE_LOOKALIKE, DECIDE_DOUBT, DECIDE_ALONE, DECIDE_ONE_NETWORK };

static const struct {
    enum decide when;
    enum px_cause cause, other; /* NONE = any */
    const char *kind, *needs;
} decisions[] = {
    {DECIDE_ALONE, PX_CAUSE_NONE, PX_CAUSE_NONE, "second-vantage",
     "a second vantage in another network"},
    {DECIDE_ONE_NETWORK, PX_CAUSE_NONE, PX_CAUSE_NONE, "second-vantage",
     "a vantage in another network"},
    {DECIDE_LOOKALIKE, PX_CAUSE_SERVICE_DOWN, PX_CAUSE_LOOPBACK_ONLY, "vantage",
     "a vantage on {target} itself"},
    {DECIDE_LOOKALIKE, PX_CAUSE_HOST_DOWN, PX_CAUSE_PORT_FILTERED, "vantage",
     "a vantage in the subnet of {target}"},
    {DECIDE_LOOKALIKE, PX_CAUSE_PORT_FILTERED, PX_CAUSE_HOST_DOWN, "vantage",
     "a vantage in the subnet of {target}"},
    {DECIDE_LOOKALIKE, PX_CAUSE_PORT_FILTERED, PX_CAUSE_SERVICE_HUNG, "repeat",
     "ten more connects (a full accept queue lets some through)"},
    {DECIDE_LOOKALIKE, PX_CAUSE_SOURCE_BANNED, PX_CAUSE_SOURCE_FILTERED, "vantage",
     "another vantage in {prefix}"},
    {DECIDE_LOOKALIKE, PX_CAUSE_SOURCE_FILTERED, PX_CAUSE_SOURCE_BANNED, "vantage",
     "another vantage in {prefix}"},
    {DECIDE_LOOKALIKE, PX_CAUSE_TRANSIT_DROP, PX_CAUSE_SOURCE_FILTERED, "vantage",
     "a vantage {near} outside {prefix}"},
    {DECIDE_LOOKALIKE, PX_CAUSE_PATH_FILTERED, PX_CAUSE_SOURCE_FILTERED, "vantage",
     "a vantage {near} outside {prefix}"},
    {DECIDE_LOOKALIKE, PX_CAUSE_BACKEND_PARTIAL, PX_CAUSE_NONE, "repeat",
     "sixteen more handshakes from other source ports"},
    {DECIDE_LOOKALIKE, PX_CAUSE_INTERCEPTION, PX_CAUSE_NONE, "repeat",
     "one more handshake from another source port of the same vantage"},
    {DECIDE_LOOKALIKE, PX_CAUSE_SOURCE_REFUSED, PX_CAUSE_NONE, "repeat",
     "another handshake after 60 s of silence"},
    {DECIDE_LOOKALIKE, PX_CAUSE_PATH_RESET, PX_CAUSE_NONE, "control",
     "the same port of another host behind the same path"},
    {DECIDE_DOUBT, PX_CAUSE_SOURCE_FILTERED, PX_CAUSE_TRANSIT_DROP, "trace",
     "a trace from {names} and one from a vantage that gets through"},
    {DECIDE_DOUBT, PX_CAUSE_TRANSIT_DROP, PX_CAUSE_NONE, "trace",
     "a trace from {names} and one from a vantage that gets through"},
    {DECIDE_DOUBT, PX_CAUSE_NONE, PX_CAUSE_NONE, "control",
     "another port of {target} and ICMP echo, asked from {names}"},
};

/* The most probable other cause; NONE if there is no doubt. */
static enum px_cause rival_of(const struct px_finding *f)
{
    return f->alternative_count > 0 ? f->alternatives[0].cause : PX_CAUSE_NONE;
}

static void decide_with(const struct wording *w, struct px_finding *f, size_t row,
                        enum px_cause other)
{
    struct px_deciding *d = &f->deciding;
    char *pattern = px_xstrdup(decisions[row].needs);
    char *near = strstr(pattern, "{near}");
    if (near) { /* the network it must be in: an AS is named, otherwise the path it must share */
        char *group = w->group.words && strncmp(w->group.words, "AS", 2) == 0
                          ? px_xasprintf("in %s", w->group.words)
                          : px_xstrdup("on the same path");
        char *whole = px_xasprintf("%.*s%s%s", (int)(near - pattern), pattern, group, near + 6);
        free(group);
        free(pattern);
        pattern = whole;
    }
    d->kind = px_xstrdup(decisions[row].kind);
    d->needs = wording_fill(w, pattern);
    free(pattern);
    if (strcmp(d->kind, "vantage") != 0 && strcmp(d->kind, "second-vantage") != 0)
        wording_list(&d->from, w->hit, w->hits < 1 ? 0 : 1);
    d->splits[d->split_count++] = w->cause;
    if (other != PX_CAUSE_NONE)
        d->splits[d->split_count++] = other;
}

void deciding_write(const struct wording *w, struct px_finding *f)
{
    enum px_cause rival = rival_of(f),
                  lookalike = w->d->ambiguous_count ? w->d->ambiguous[0] : PX_CAUSE_NONE;
    bool doubt = f->certainty == PX_CERTAINTY_INCONCLUSIVE;
    bool one_network = w->j->partition.one_network && w->affected == w->fit &&
                       f->scope_certainty != PX_CERTAINTY_CONFIRMED;
    if (w->cause == PX_CAUSE_NAME_UNRESOLVABLE && !doubt)
        return;
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++) {
        const bool holds_now[] = {[DECIDE_LOOKALIKE] = lookalike != PX_CAUSE_NONE,
                                  [DECIDE_DOUBT] = doubt,
                                  [DECIDE_ALONE] = w->alone,
                                  [DECIDE_ONE_NETWORK] = one_network};
        enum px_cause other = decisions[i].when == DECIDE_LOOKALIKE ? lookalike : rival;
        bool fits = (decisions[i].cause == PX_CAUSE_NONE || decisions[i].cause == w->cause) &&
                    (decisions[i].other == PX_CAUSE_NONE || decisions[i].other == other);
        if (holds_now[decisions[i].when] && fits) {
            decide_with(w, f, i, other);
            return;
        }
    }
}
