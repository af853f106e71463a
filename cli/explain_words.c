/* SPDX-License-Identifier: MIT */
/* Scopes, certainties, statuses, stages and general subjects, explained. */
#include "cli/explain.h"

const struct explain_text explain_scopes[PX_SCOPE_COUNT] = {
    [PX_SCOPE_NONE] = {.means = "no place is known to be at fault",
                       .detected = "nothing failed, or the evidence fits no known cause"},
    [PX_SCOPE_HOST] = {.means = "host-side: the target machine, its service, or a rule that treats "
                                "every source alike",
                       .detected = "every fit vantage fails in the same way, whatever its network",
                       .confused = "source, if all vantages are banned; a new address decides",
                       .todo = "look at the target"},
    [PX_SCOPE_PATH] = {.means = "path-side: something between some vantages and the target",
                       .detected =
                           "the failing vantages share a piece of the path that the working "
                           "ones do not use, and everything dies there, not only one port",
                       .confused = "source, if a filter drops every protocol of a prefix",
                       .todo = "give the interval to the network team"},
    [PX_SCOPE_SOURCE] = {.means = "source-specific: the target or its edge treats some source "
                                  "addresses differently",
                         .detected =
                             "some addresses are turned away while others are served at the "
                             "same moment over the same path",
                         .confused = "path, if nothing but the failing port was tried",
                         .todo = "look for a ban or an allow-list at the target"},
    [PX_SCOPE_VANTAGE] = {.means = "vantage-side: the vantage itself is broken or confined; this "
                                   "says nothing about the target",
                          .detected = "its own kernel, gateway, resolver or session fails",
                          .confused = "a broken uplink, which looks like path for it alone",
                          .todo = "repair the vantage; it is left out of the verdict meanwhile"},
    [PX_SCOPE_NAME] = {.means = "dns: name resolution",
                       .detected = "the name has no address, or different ones explain who fails",
                       .confused = "vantage, if only one resolver is broken",
                       .todo = "look at the zone, not at the target"},
};

const struct explain_text explain_certainties[PX_CERTAINTY_COUNT] = {
    [PX_CERTAINTY_INCONCLUSIVE] = {.detected = "no cause reaches a probability of 0.70",
                                   .todo = "the candidates are listed, and what would decide"},
    [PX_CERTAINTY_LIKELY] = {.detected = "a probability of at least 0.70, but below 0.99, or seen "
                                         "only once, or from one network, or another cause would "
                                         "look exactly the same",
                             .todo = "act on it, but check it with the first NEXT line"},
    [PX_CERTAINTY_CONFIRMED] = {.detected =
                                    "a probability of at least 0.99, two looks at least 1 s "
                                    "apart, at least two networks on the supporting side, "
                                    "and nothing else that looks the same"},
};

const struct explain_text explain_statuses[PX_STATUS_COUNT] = {
    [PX_STATUS_INCONCLUSIVE] = {.detected = "no vantage reported, or only one could, or those that "
                                            "fail are themselves sick",
                                .confused = "exit code 3, never 1: not knowing is not a failure",
                                .todo = "add a vantage in another network:  plx explain mesh"},
    [PX_STATUS_REACHABLE] = {.detected = "every vantage that could try succeeded (exit code 0)",
                             .confused =
                                 "a login that works: the depth asked for is what was tried"},
    [PX_STATUS_PARTIAL] = {.detected = "some vantages succeed, others fail (exit code 1)",
                           .todo = "the findings say who is affected, and why"},
    [PX_STATUS_UNREACHABLE] = {.detected = "every vantage that could try failed (exit code 1)",
                               .todo = "the findings say why"},
};

const struct explain_text explain_stages[PX_STAGE_COUNT] = {
    [PX_STAGE_NONE] = {.means = "no stage was reached",
                       .detected = "the job ended before it began"},
    [PX_STAGE_DNS] = {.means = "the name is resolved at the vantage itself",
                      .detected = "the system's own resolver, 4 s at most"},
    [PX_STAGE_TCP] = {.means = "a TCP connection to the port",
                      .detected = "connect, 4.5 s at most; ICMP errors are read with their sender"},
    [PX_STAGE_BANNER] = {.means = "the server's greeting",
                         .detected = "read without sending anything first, 8 s at most"},
    [PX_STAGE_KEX] = {.means = "SSH key exchange, the host key's signature and 1,500 further bytes",
                      .detected =
                          "on the same connection, 8 s at most; then an orderly disconnect"},
    [PX_STAGE_HOSTKEY] = {.means = "comparison of the host key with a pinned one",
                          .detected = "after key exchange",
                          .later = true},
    [PX_STAGE_AUTH] = {.means = "authentication with a key of yours",
                       .detected = "only when asked for",
                       .later = true},
    [PX_STAGE_SESSION] = {.means = "a session after authentication",
                          .detected = "only when asked for",
                          .later = true},
    [PX_STAGE_TLS] = {.means = "a TLS handshake and its certificate",
                      .detected = "for tls:// and https:// targets",
                      .later = true},
    [PX_STAGE_HTTP] = {.means = "an HTTP request and its response",
                       .detected = "for http:// and https:// targets",
                       .later = true},
    [PX_STAGE_ECHO] = {.means = "side probe: does the host answer an ICMP echo?",
                       .detected = "unprivileged ICMP socket, when something failed",
                       .confused = "silence proves nothing: many hosts drop echo"},
    [PX_STAGE_CONTROL] = {.means = "side probe: does another port of the same host answer, even "
                                   "with a reset?",
                          .detected = "plain connects when something failed; any answer shows that "
                                      "host and path are alive"},
    [PX_STAGE_REFERENCE] = {.means = "side probe: does a place that is known to be good answer?",
                            .detected = "the vantage's own --reference HOST:PORT; tells a sick "
                                        "vantage from a sick target"},
    [PX_STAGE_TRACE] = {.means = "side probe: which routers answer on the way?",
                        .detected = "TCP SYNs with growing hop limit, no privilege needed",
                        .confused = "silent routers are common: only where it ends counts"},
    [PX_STAGE_MTU] = {.means = "side probe: do large packets pass?",
                      .detected = "sized packets that may not be fragmented",
                      .later = true},
    [PX_STAGE_REPEAT] = {.means = "side probe: the same connect again, from other source ports",
                         .detected =
                             "in the second look, closed by reset so that no log line stays"},
};

const struct explain_topic explain_topics[] = {
    {"mesh", "vantages that answer the same question at the same moment",
     "One vantage can tell a reset from a reject from silence. It cannot tell whether only it is\n"
     "affected. What each further vantage adds:\n"
     "  1                       what happens here; not whether it is the host or this address\n"
     "  2, same network         a ban of one address; not a rule for the prefix\n"
     "  2, different networks   host-side or not; if one fails, not yet whether path or rule\n"
     "  3, different networks   the right side even if one vantage is sick\n"
     "  4-5 in 4 networks       nearly every single fault, with the affected set\n"
     "  one beside the target   security group or host firewall, direction of a loss\n"
     "\n"
     "To start one, on a machine that the others can reach:\n"
     "  parallax-coordinator init --state DIR --listen tcp://ADDR:7331\n"
     "  parallax-coordinator run --state DIR\n"
     "  parallax-coordinator token --state DIR --role node                (prints a token)\n"
     "On each vantage:\n"
     "  parallax-node run --state DIR --name NAME --join TOKEN\n"
     "For yourself:\n"
     "  parallax-coordinator token --state DIR --role operator            (there)\n"
     "  plx context add prod TOKEN                                        (here)\n"},
    {"here", "the vantage that plx itself is",
     "`plx check` takes part as vantage \"here\": the same probes as on a node, run by plx, with\n"
     "the same politeness. --no-here leaves it out; so does --from, unless it names here.\n"
     "Without a coordinator it is the only vantage.\n"},
    {"strikes", "how often a vantage may shake hands with one target",
     "Every handshake leaves a line in the server's log and may count towards a ban. A vantage\n"
     "therefore does at most 2 in any 11 minutes for one address and port, and at most 5 plain\n"
     "connects in 30 s. When they are used up it still connects (tcp), marked \"limited\".\n"
     "No flag lifts this. plx keeps its own count in $XDG_STATE_HOME/parallax/budget.\n"},
    {"selector", "which vantages are asked (--from)",
     "  all            every vantage of the mesh (default)\n"
     "  fra1           one by name; here = plx itself\n"
     "  tag:eu         a tag, or a label with that value\n"
     "  asn=64496      a label, exactly\n"
     "  a+b   a,b   !a   and, or, not\n"},
    {"target", "what is asked about",
     "  host               ssh://host:22; the resolved form is always printed\n"
     "  host:2222          another port\n"
     "  ssh://host  tcp://host:443        IPv6 as [2001:db8::1]:22\n"
     "  tls:// http:// https://           connected to, but their protocol is not spoken yet\n"},
    {"exit", "exit codes",
     "  0    everything asked for holds\n"
     "  1    the answer is no: partly or wholly unreachable\n"
     "  2    wrong use: a flag, a file, a name; nothing was probed\n"
     "  3    not enough evidence: vantages away, or only one of them\n"
     "  4    the coordinator cannot be reached, or refused\n"
     "  130  interrupted\n"
     "If several apply, the first of 2, 4, 1, 3 wins.\n"},
    {NULL, NULL, NULL},
};
