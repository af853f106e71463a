/* SPDX-License-Identifier: MIT */
/* Result codes explained: what one vantage saw of one target. One row per PX_CODE of vocab.def. */
#include "cli/explain.h"

const struct explain_text explain_codes[PX_CODE_COUNT] = {
    [PX_CODE_UNKNOWN] = {.detected = "nothing was reported for this cell",
                         .confused = "never counted as a failure",
                         .todo = "run it again, or see why the vantage is silent:  plx nodes"},
    [PX_CODE_OK] = {.detected = "every layer asked for answered as it should: for ssh connect, "
                                "greeting, key exchange and 1,500 bytes acknowledged",
                    .confused = "a login that works: authentication is not tried"},
    [PX_CODE_SLOW] = {.detected = "completed, with times that the measured round trip does not "
                                  "explain",
                      .confused = "a far-away target: distance alone is not slow",
                      .todo = "compare the stages:  plx show RUN -o wide",
                      .later = true},
    [PX_CODE_DNS_NXDOMAIN] = {.detected = "the vantage's resolver says that there is no such name",
                              .confused = "split DNS: the name may exist elsewhere",
                              .todo = "check the spelling; dig NAME at the vantage"},
    [PX_CODE_DNS_SERVFAIL] = {.detected = "the resolver answered that it failed",
                              .confused = "a broken zone or DNSSEC (all vantages) or a broken "
                                          "resolver (one vantage)",
                              .todo = "dig NAME +cd at the vantage"},
    [PX_CODE_DNS_TIMEOUT] = {.detected = "no answer from the resolver within 4 s",
                             .confused = "says nothing about the target; other vantages decide",
                             .todo = "check /etc/resolv.conf of the vantage"},
    [PX_CODE_DNS_EMPTY] = {.detected = "the name exists, but has no IPv4 or IPv6 address",
                           .confused = "a name that has only MX or TXT records is healthy",
                           .todo = "dig A NAME; dig AAAA NAME"},
    [PX_CODE_NO_ANSWER] = {.detected = "SYNs left, nothing came back within 4.5 s",
                           .confused =
                               "host down, filter that drops, lost on the way there or back, "
                               "full accept queue: silence is the same for all. Control "
                               "ports, echo, trace and other vantages tell them apart"},
    [PX_CODE_REFUSED] = {.detected =
                             "a TCP reset answered the SYN (errno alone is not believed: an "
                             "ICMP reject gives the same errno)",
                         .confused = "a firewall that rejects with tcp-reset",
                         .todo = "is the service running?  sudo ss -ltnp  on the host"},
    [PX_CODE_REJECTED] = {.detected = "an ICMP reject came back, and the sender was read from the "
                                      "socket's error queue",
                          .confused = "refused, which has the same errno; unreachable, which comes "
                                      "from a router without a route",
                          .todo =
                              "look who sent it: the target filters you, or a router on the way"},
    [PX_CODE_UNREACHABLE] = {.detected = "a router says that network or host cannot be reached",
                             .confused =
                                 "rejected (a rule speaks). Host-unreachable after 3 s from "
                                 "the last router means that the host does not answer ARP",
                             .todo = "the sender in DETAIL is where to look"},
    [PX_CODE_LOOPED] = {.detected = "a router reported that the packet's hop limit was used up",
                        .confused = "a very long path (more than 60 hops does not happen)",
                        .todo = "give the reporting router to the network team"},
    [PX_CODE_CLOSED_EARLY] = {.detected = "connected, then the server closed before its greeting; "
                                          "nothing was sent before, so a refusing text is not lost",
                              .confused = "tcp wrappers close after 5.0 s; MaxStartups at once and "
                                          "with a text",
                              .todo = "the server's log says why: journalctl -u ssh"},
    [PX_CODE_RESET_EARLY] = {.detected = "connected, then a reset before the greeting",
                             .confused = "a middlebox on the way; a crashing service",
                             .todo = "compare with another vantage, then the server's log"},
    [PX_CODE_REFUSAL_TEXT] = {.detected = "the server sent a line of text in place of its greeting "
                                          "and closed; the text is shown",
                              .confused =
                                  "\"Exceeded MaxStartups\" concerns everyone, \"Not allowed "
                                  "at this time\" this source (or MaxStartups of newer sshd)",
                              .todo = "wait; strikes are paused by themselves"},
    [PX_CODE_SILENT] = {.detected = "connected, no greeting within 8 s, although nothing was sent",
                        .confused = "a server that waits for the client to speak first (HTTP, TLS)",
                        .todo = "is the service stopped or overloaded?"},
    [PX_CODE_NOT_SSH] = {.detected = "the first line does not begin with \"SSH-\"",
                         .confused = "a proxy's error page in front of a dead SSH server",
                         .todo = "check the port number; the text is shown"},
    [PX_CODE_KEX_MISMATCH] = {.detected = "both sides sent their lists of algorithms, one list has "
                                          "nothing in common",
                              .confused = "the probe has no post-quantum key exchange: OpenSSH may "
                                          "succeed where it cannot",
                              .todo = "the lists stand in the text:  plx show RUN -o json"},
    [PX_CODE_KEX_RESET] = {.detected = "greeting seen, then closed or reset during key exchange",
                           .confused = "a filter that resets SSH on the way; a dying sshd",
                           .todo = "compare vantages: everywhere = server, some = path"},
    [PX_CODE_KEX_TIMEOUT] = {.detected = "key exchange stalled for 8 s, or 1,500 bytes were not "
                                         "acknowledged",
                             .confused =
                                 "a hole for large packets (path-mtu) and an overloaded sshd",
                             .todo =
                                 "try a smaller MTU at the vantage; look at tunnels on the way"},
    [PX_CODE_HOSTKEY_DIFFERS] = {.detected = "the host key is not the pinned one",
                                 .confused = "a pool whose members have different keys",
                                 .todo = "compare fingerprints on the console of the host",
                                 .later = true},
    [PX_CODE_AUTH_REFUSED] = {.detected = "the server refused the credentials",
                              .confused = "unknown user, denied user, wrong permissions and wrong "
                                          "key all look the same from outside",
                              .todo = "sshd's log tells the reason: journalctl -u ssh",
                              .later = true},
    [PX_CODE_AUTH_PARTIAL] = {.detected = "the key was accepted, the server wants a further factor",
                              .todo = "AuthenticationMethods asks for more than a key",
                              .later = true},
    [PX_CODE_AUTH_LIMIT] = {.detected = "the server disconnected: too many authentication failures",
                            .confused = "too many keys in an agent",
                            .todo = "MaxAuthTries; IdentitiesOnly at the client",
                            .later = true},
    [PX_CODE_AUTH_NO_METHOD] = {.detected = "the server offers no method to this source",
                                .todo = "Match Address blocks of sshd_config",
                                .later = true},
    [PX_CODE_AUTH_NO_SIGNATURE] = {.detected = "the server takes none of the key's signature "
                                               "algorithms",
                                   .confused = "auth-refused",
                                   .todo = "PubkeyAcceptedAlgorithms; use an ed25519 key",
                                   .later = true},
    [PX_CODE_AUTH_CLOSED] = {.detected = "the connection ended right after a key the server knows",
                             .confused = "auth-refused",
                             .todo = "/run/nologin, an expired account, PAM",
                             .later = true},
    [PX_CODE_SESSION_REFUSED] = {.detected = "authenticated, but no session channel was opened",
                                 .todo = "MaxSessions, ForceCommand, limits",
                                 .later = true},
    [PX_CODE_SESSION_CLOSED] = {.detected = "authenticated, then the session was closed at once",
                                .todo = "login shell, disk, PAM session modules",
                                .later = true},
    [PX_CODE_TLS_ALERT] = {.detected = "the server ended the TLS handshake with an alert",
                           .todo = "protocol versions and ciphers of the server",
                           .later = true},
    [PX_CODE_TLS_NAME] = {.detected = "the certificate does not cover the name asked for",
                          .todo = "add the name to the certificate",
                          .later = true},
    [PX_CODE_TLS_EXPIRED] = {.detected = "the certificate's dates do not include now",
                             .confused = "a wrong clock at the vantage",
                             .todo = "renew the certificate",
                             .later = true},
    [PX_CODE_TLS_UNTRUSTED] = {.detected = "no chain to a trusted root",
                               .confused = "a missing intermediate certificate",
                               .todo = "send the whole chain, or trust the private root",
                               .later = true},
    [PX_CODE_TLS_TIMEOUT] = {.detected = "the TLS handshake stalled for 8 s",
                             .confused = "a port that does not speak TLS",
                             .todo = "try the plain port",
                             .later = true},
    [PX_CODE_HTTP_STATUS] = {.detected = "another HTTP status than expected",
                             .todo = "look at the application's log",
                             .later = true},
    [PX_CODE_HTTP_TIMEOUT] = {.detected = "no HTTP response within 10 s",
                              .confused = "a slow application",
                              .todo = "look at the application's log",
                              .later = true},
    [PX_CODE_NO_OWN_ROUTE] = {.detected =
                                  "the vantage's kernel refused to send, or its own gateway "
                                  "does not answer ARP",
                              .confused = "unreachable, which a router elsewhere says",
                              .todo = "on the vantage: ip route get ADDRESS"},
    [PX_CODE_OWN_FILTER] = {.detected = "the vantage's own firewall rejected the packet",
                            .confused = "rejected, where somebody else speaks",
                            .todo = "on the vantage: sudo nft list ruleset"},
    [PX_CODE_NO_ADDRESS] = {.detected = "the vantage has no address of the target's family",
                            .todo = "give it IPv4 or IPv6, or do not ask it about such targets"},
    [PX_CODE_NO_PERMISSION] = {.detected = "the kernel did not let the vantage open that socket",
                               .todo = "for echo: sysctl net.ipv4.ping_group_range"},
    [PX_CODE_EXHAUSTED] = {.detected =
                               "no memory, file descriptor or port was left at the vantage, "
                               "or too many jobs at once",
                           .todo = "raise its limits, or ask it less"},
    [PX_CODE_POLICY] = {.detected =
                            "the node's own policy file does not allow this target or depth",
                        .todo = "whoever runs the node decides"},
    [PX_CODE_LIMITED] = {.detected = "the vantage has used its handshakes for this target (2 in 11 "
                                     "minutes), so that it gets nobody banned",
                         .confused = "never counted as a failure; it still connects (tcp)",
                         .todo = "wait until the time shown in the strikes line"},
    [PX_CODE_UNABLE] = {.detected = "the vantage does not have that kind of probe",
                        .todo = "upgrade it, or see CAN in  plx nodes"},
    [PX_CODE_AWAY] = {.detected = "the vantage has no session with the coordinator",
                      .confused = "never counted as a failure of the target",
                      .todo = "on that machine: systemctl status parallax-node"},
    [PX_CODE_NOT_RUN] = {.detected = "the probe was planned, but ended before it began",
                         .confused = "never counted as a failure"},
    [PX_CODE_MAINTENANCE] = {.detected = "a maintenance window covers target or vantage",
                             .confused = "never counted as a failure",
                             .later = true},
};
