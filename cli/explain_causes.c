/* SPDX-License-Identifier: MIT */
/* Causes of a verdict, explained. One row per PX_CAUSE of vocab.def; a test finds missing ones. */
#include "cli/explain.h"

const struct explain_cause explain_causes[PX_CAUSE_COUNT] = {
    [PX_CAUSE_NONE] =
        {{.detected = "every vantage that could try completed every layer asked for",
          .confused = "a fault above the layers that were tried: a login can still be refused",
          .todo = "nothing; ask deeper (--depth) if users still complain"},
         {0}},
    [PX_CAUSE_HOST_DOWN] =
        {{.detected = "no vantage gets an answer on any port or to an ICMP echo, and traces end at "
                      "the last router before the host, or that router says host-unreachable after "
                      "about 3 s",
          .confused =
              "port-filtered on a host that also drops echo and all other ports: silence is "
              "silence. An answer from any other port of the host decides, or "
              "host-unreachable from its router",
          .todo = "look at the host itself: power, hypervisor, network cable, cloud console"},
         {"the machine is off, crashed or rebooting",
          "its network interface or switch port is down",
          "the address has moved to another machine"}},
    [PX_CAUSE_SERVICE_DOWN] =
        {{.detected = "every vantage gets a TCP reset from the target's distance, and the host is "
                      "alive: echo or another port answers",
          .confused = "a firewall that rejects with tcp-reset and a service that listens on "
                      "loopback only: both are identical on the wire. A look from on the host "
                      "decides",
          .todo = "on the console: systemctl status ssh; sudo sshd -t; sudo ss -ltnp"},
         {"the service is not running", "it listens on another port",
          "it listens on 127.0.0.1 only"}},
    [PX_CAUSE_LOOPBACK_ONLY] =
        {{.detected = "a vantage on the host reaches the service on 127.0.0.1, everybody gets a "
                      "reset on the outer address",
          .confused = "service-down, without a vantage on the host",
          .todo = "ListenAddress (sshd) or the bind address of the service, then restart it",
          .later = true},
         {"ListenAddress 127.0.0.1 in the configuration"}},
    [PX_CAUSE_PORT_FILTERED] =
        {{.detected =
              "silence on this port for every source, while the host is alive: another port "
              "or ICMP echo answers",
          .confused =
              "host-down if the host drops everything else, too; a full accept queue, which "
              "lets some connects through now and then",
          .todo = "look at the rules in front of the port: nftables, security group, network ACL"},
         {"a firewall rule or security group drops port {port} for everybody",
          "the accept queue of the service is full"}},
    [PX_CAUSE_PORT_REJECTED] =
        {{.detected = "every source gets an ICMP reject (port-unreachable, admin-prohibited) from "
                      "the target itself",
          .confused = "a ban that has caught every vantage; a new source address decides",
          .todo = "on the host: sudo nft list ruleset; sudo iptables -S"},
         {"a firewall rule rejects port {port} for everybody",
          "every vantage is banned (fail2ban and the like)"}},
    [PX_CAUSE_SERVICE_HUNG] =
        {{.detected = "TCP connects from everywhere, then no greeting comes within 8 s",
          .confused = "a content filter on some paths only, a server that waits for the client to "
                      "speak first (wrong-service), tcp wrappers, which close after 5 s",
          .todo = "on the console: is the process stopped or starved? ps, top, dmesg, open files"},
         {"the service is stopped (SIGSTOP), deadlocked or out of file descriptors",
          "the machine is overloaded or its disk hangs"}},
    [PX_CAUSE_SERVICE_CLOSING] =
        {{.detected = "TCP connects, then the connection is closed or reset before the greeting, "
                      "from every source",
          .confused = "path-reset (a reset from nearer than the target); a balancer without a "
                      "working backend; connection-throttled, which hits a share only",
          .todo = "on the console: journalctl -u ssh; sudo sshd -t; is there a proxy in front?"},
         {"sshd starts but cannot serve: host keys unreadable, /run/sshd missing, no memory",
          "a proxy or balancer in front has no working backend"}},
    [PX_CAUSE_CONNECTION_THROTTLED] =
        {{.detected = "the same share of connections is refused at every vantage",
          .confused = "source-refused (one source only), packet-loss, backend-partial",
          .todo = "sudo sshd -T | grep -i -e maxstartups -e persource"},
         {"MaxStartups or per-source limits of sshd", "too many open sessions"}},
    [PX_CAUSE_WRONG_SERVICE] =
        {{.detected = "TCP connects and the port speaks, but not the protocol asked for",
          .confused =
              "interception, if only some vantages see it; service-hung, if the server waits "
              "for the client to speak first",
          .todo = "check the port number; on the host: sudo ss -ltnp"},
         {"another program listens on port {port}", "the port number is wrong",
          "port forwarding or a balancer points to the wrong machine"}},
    [PX_CAUSE_NO_COMMON_ALGORITHMS] =
        {{.detected = "greeting and both lists of algorithms are exchanged, no method is common",
          .confused = "the probe's own missing algorithms: it has no post-quantum key exchange",
          .todo = "compare with  ssh -Q kex  and  sudo sshd -T | grep -i -e kex -e algorithms"},
         {"the server allows only algorithms this client does not have",
          "a very old server offers only retired ones"}},
    [PX_CAUSE_AUTH_REJECTED] =
        {{.detected = "the same credentials are refused from everywhere",
          .confused = "a wrong key in the vantages' configuration",
          .todo = "sshd's log says why; look at AllowUsers, home permissions, expired accounts",
          .later = true},
         {"the key is not in authorized_keys", "the user may not log in (AllowUsers, expired)"}},
    [PX_CAUSE_SESSION_FAILED] =
        {{.detected = "authentication succeeds, then the session is refused or closed",
          .confused = NULL,
          .todo = "on the host: /run/nologin, PAM account, shell, full disk, limits",
          .later = true},
         {"/run/nologin exists or the account has expired", "the disk is full"}},
    [PX_CAUSE_HOST_KEY_CHANGED] =
        {{.detected = "every vantage sees the same host key, and it is not the known one",
          .confused = "interception in front of everyone; only a fingerprint read on the console "
                      "decides",
          .todo = "compare on the console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
          .later = true},
         {"the host was reinstalled", "the name points to another machine"}},
    [PX_CAUSE_SLOW_LOGIN] =
        {{.detected = "greeting and negotiation are fast, authentication takes seconds",
          .confused = "slow-service, where every stage is slow",
          .todo = "on the host: UseDNS, GSSAPIAuthentication, PAM modules, resolvers",
          .later = true},
         {"reverse DNS with a dead resolver (UseDNS yes)", "GSSAPI or LDAP does not answer"}},
    [PX_CAUSE_SLOW_SERVICE] =
        {{.detected = "every stage is slow while the round trip of the network is normal",
          .confused = "packet-loss, which slows single stages at random",
          .todo = "look at load, memory and disk of the host",
          .later = true},
         {"the host is overloaded"}},
    [PX_CAUSE_BACKEND_PARTIAL] =
        {{.detected = "the outcome depends on the connection's source port and repeats for it",
          .confused = "packet-loss and connection-throttled, which do not repeat by port",
          .todo = "look at the health of each member behind the balancer"},
         {"one member of the pool is broken"}},
    [PX_CAUSE_BAD_CERTIFICATE] = {{.detected =
                                       "the TLS handshake completes, the certificate does not hold",
                                   .confused =
                                       "interception on some paths; a wrong clock at the vantage",
                                   .todo = "renew or correct the certificate",
                                   .later = true},
                                  {"the certificate has expired", "it was made for another name"}},
    [PX_CAUSE_BAD_RESPONSE] = {{.detected =
                                    "HTTP answers with another status or body than expected",
                                .confused = "name-differs, if only some vantages see it",
                                .todo = "look at the application's log",
                                .later = true},
                               {"the application is broken behind its web server"}},
    [PX_CAUSE_TRANSIT_DROP] =
        {{.detected =
              "at the failing vantages every port and ICMP echo die alike, their traces end "
              "at the same place before the target's edge, and they share a segment that "
              "the working ones do not use",
          .confused =
              "source-filtered, if a filter for that prefix drops every protocol. A vantage "
              "on the same segment outside of the prefix decides",
          .todo =
              "give the interval between the last answering hop and the next one to the network "
              "team; it is not known which router is guilty"},
         {"a link or router between these two hops drops packets",
          "a route on the way back is missing"}},
    [PX_CAUSE_NO_ROUTE] =
        {{.detected = "a router on the way says that network or host cannot be reached, or the "
                      "packet circles until it expires",
          .confused = "a filter that pretends to be a missing route; host-down, if the last router "
                      "before the host speaks",
          .todo = "give address and router to the network team"},
         {"the route to the target is missing on that router", "a routing loop",
          "the link behind that router is down"}},
    [PX_CAUSE_PATH_FILTERED] =
        {{.detected = "a router, not the target, answers that the packet is administratively "
                      "prohibited",
          .confused = "port-rejected (the target itself speaks) and source-filtered (the rule is "
                      "about the source)",
          .todo = "ask who runs the router named in the evidence"},
         {"an access list on that router"}},
    [PX_CAUSE_PATH_RESET] = {{.detected = "resets come from something nearer than the target",
                              .confused = "service-closing, if the distance cannot be measured",
                              .todo =
                                  "look for a middlebox or intrusion prevention on these paths"},
                             {"a middlebox resets the connection"}},
    [PX_CAUSE_PATH_MTU] =
        {{.detected = "the greeting passes, then full-sized packets are never acknowledged",
          .confused = "algorithm trouble and service-hung",
          .todo = "clamp the MSS on the tunnel, and let ICMP fragmentation-needed pass"},
         {"a tunnel with a smaller MTU and blocked ICMP"}},
    [PX_CAUSE_PACKET_LOSS] =
        {{.detected = "connects to the same port succeed and fail by turns, echoes are lost, too",
          .confused = "connection-throttled and backend-partial, where echo is clean",
          .todo = "measure the path with mtr from an affected vantage"},
         {"a congested or broken link"}},
    [PX_CAUSE_INTERCEPTION] =
        {{.detected = "some paths show another host key, greeting or certificate than the others",
          .confused = "backend-partial (a pool with several keys) and name-differs",
          .todo = "do not log in from the affected vantages; compare fingerprints on the console"},
         {"somebody answers in place of the target on these paths"}},
    [PX_CAUSE_FAMILY_BROKEN] =
        {{.detected = "IPv6 fails while IPv4 works, or the reverse",
          .confused = "a wrong AAAA record; vantages without IPv6",
          .todo = "check the AAAA record, the listener and the firewall of that family"},
         {"the firewall or listener covers only one family", "a wrong AAAA record"}},
    [PX_CAUSE_SOURCE_FILTERED] =
        {{.detected =
              "all vantages of an address range fail while others pass; for the failing ones "
              "another port or echo of the host answers, or the trace reaches its edge",
          .confused = "source-banned by drop (single addresses; a neighbour of the prefix that "
                      "passes decides) and transit-drop (every protocol dies)",
          .todo = "look for an allow or deny rule that covers the range: security group, network "
                  "ACL, nftables"},
         {"a security group or firewall allows port {port} for other ranges only",
          "a deny rule covers {source}"}},
    [PX_CAUSE_SOURCE_BANNED] =
        {{.detected =
              "single addresses are turned away by the target while a neighbour in the same "
              "/24 (/64) passes, often with ICMP port-unreachable",
          .confused = "source-filtered without a neighbour to compare; port-rejected, if every "
                      "vantage is banned",
          .todo = "on the host: sudo fail2ban-client banned ADDRESS; sudo fail2ban-client set sshd "
                  "unbanip ADDRESS. Bans end by themselves, usually after 10 minutes"},
         {"fail2ban holds {source} (its default ban answers exactly like this)",
          "another nftables/iptables rule for this address"}},
    [PX_CAUSE_SOURCE_REFUSED] =
        {{.detected = "the service accepts the connection and closes it before or right after the "
                      "greeting, for some sources only",
          .confused = "connection-throttled, which hits every source",
          .todo = "on the host: /etc/hosts.deny, sshd's PerSourcePenalties"},
         {"hosts.deny (it closes after 5 s)", "sshd penalises {source} (PerSourcePenalties)"}},
    [PX_CAUSE_SOURCE_THROTTLED] =
        {{.detected = "one source is refused only while it has parallel or frequent connections",
          .confused = "a ban or penalty, which does not end when the source slows down",
          .todo = "on the host: ufw limit, hashlimit rules, PerSourceMaxStartups",
          .later = true},
         {"ufw limit or a rate rule of the firewall"}},
    [PX_CAUSE_SOURCE_AUTH_POLICY] =
        {{.detected = "the same key is accepted from some sources and refused from others",
          .confused = "a wrong key on the failing vantages",
          .todo = "sudo sshd -T; AllowUsers user@host, Match Address, from= in authorized_keys",
          .later = true},
         {"AllowUsers or Match Address names other sources"}},
    [PX_CAUSE_VANTAGE_OFFLINE] =
        {{.detected = "the node has no session with the coordinator, or did not answer in the run",
          .confused = "many missing at once may be the coordinator's own network",
          .todo =
              "on that machine: systemctl status parallax-node, and its way to the coordinator"},
         {"the machine or its parallax-node is down",
          "its network does not reach the coordinator"}},
    [PX_CAUSE_VANTAGE_NO_ROUTE] =
        {{.detected = "the vantage's own kernel or gateway has no way out: no route, no address of "
                      "that family, gateway dead",
          .confused = "a broken uplink behind the gateway, which looks like transit-drop for it "
                      "alone",
          .todo = "on the vantage: ip route get ADDRESS; ip neigh"},
         {"the default route is missing", "the gateway does not answer",
          "no address of that family"}},
    [PX_CAUSE_VANTAGE_EGRESS_FILTERED] =
        {{.detected = "this port fails from that vantage towards every target, other ports pass",
          .confused = "source-filtered and transit-drop, until a second target fails, too",
          .todo = "ask who runs the vantage's network to let the port out"},
         {"the network of the vantage blocks outgoing port {port}"}},
    [PX_CAUSE_VANTAGE_DNS] = {{.detected =
                                   "names fail at this vantage only, elsewhere they resolve",
                               .confused = "split DNS (name-differs)",
                               .todo = "on the vantage: resolvectl status, or /etc/resolv.conf"},
                              {"its resolver is down or unreachable"}},
    [PX_CAUSE_VANTAGE_OVERLOADED] =
        {{.detected = "the vantage starts late, its own event loop lags, everything is slow there",
          .confused = "packet-loss and slow-service",
          .todo = "look at the load of the vantage; until then its results are left out"},
         {"the vantage has too little CPU or memory"}},
    [PX_CAUSE_NAME_UNRESOLVABLE] =
        {{.detected = "no vantage gets an address for the name",
          .confused = "vantage-dns, if only some fail",
          .todo = "check the spelling, the zone and its delegation:  dig NAME"},
         {"a typing error", "the record is missing or the zone has expired",
          "a private name that exists only in some networks"}},
    [PX_CAUSE_NAME_DIFFERS] =
        {{.detected =
              "vantages get different addresses, and that splits those who get through from "
              "those who do not",
          .confused = "geographic DNS with one bad site (then that site is down)",
          .todo = "compare  dig NAME  at an affected and a working vantage"},
         {"split DNS: internal and external answers differ", "a stale record in some resolvers"}},
    [PX_CAUSE_UNEXPLAINED] =
        {{.detected = "no known cause predicts what was seen well enough; the evidence is shown as "
                      "it is",
          .confused = NULL,
          .todo = "look at the rows; run it again; keep the document:  plx show RUN -o json"},
         {0}},
};

const char *explain_likely(enum px_cause cause, size_t i)
{
    if (i >= EXPLAIN_LIKELY_MAX || (unsigned)cause >= PX_CAUSE_COUNT)
        return NULL;
    return explain_causes[cause].likely[i];
}
