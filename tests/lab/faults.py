# SPDX-License-Identifier: MIT
"""Ways to break an internet of the lab. Each fault breaks the scene for real and returns the truth.

A fault draws its place (which vantage, branch, router, kind of refusal) from the scene's own random
numbers and takes the world as it is. To add one: a function and a row of FAULTS.
"""
from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Callable

from scene import Scene
from services import Fail2ban, stand_in
from truth import Expected, Truth, expect

REJECTS = {4: ["port-unreachable", "admin-prohibited", "host-prohibited", "net-prohibited",
               "host-unreachable", "net-unreachable", "prot-unreachable"],
           6: ["port-unreachable", "admin-prohibited", "addr-unreachable", "no-route",
               "policy-fail", "reject-route"]}
BAN_ACTIONS = ["iptables-multiport", "iptables-allports", "nftables-multiport",
               "nftables-allports"]


@dataclass(frozen=True)
class Fault:
    name: str
    sentence: str  # what a demonstration says it is about to do
    apply: Callable[[Scene], Truth]
    running: bool = False  # needs the mesh: it happens to the nodes
    branch_hops: int = 0   # the world must have a branch with so many routers


def _all_fail(scene: Scene, words: str, cause: str, *also: str) -> Truth:
    return Truth(words, "unreachable", (expect("host", cause, scene.everyone, *also),))


def _some_fail(words: str, *findings: Expected) -> Truth:
    return Truth(words, "partial", findings)


# -- nothing, and the host's own troubles ---------------------------------------------------


def nothing(_scene: Scene) -> Truth:
    return Truth("nothing was broken", "reachable")


def service_down(scene: Scene) -> Truth:
    scene.sshd.stop()
    return _all_fail(scene, "sshd was stopped", "service-down")


def other_port(scene: Scene) -> Truth:
    world = scene.net.world
    scene.sshd.stop()
    port = world.port + 1 if world.port != 22 else 2222
    stand_in(scene.net, "hold", port=port)
    return _all_fail(scene, f"the service moved to port {port}", "service-down")


def host_removed(scene: Scene) -> Truth:
    """The cable is out: the last router asks for the address in vain and says so."""
    scene.net.ip("target", "link set eth0 down")
    return _all_fail(scene, "the target was unplugged; its router says so", "host-down")


def host_silent(scene: Scene) -> Truth:
    """Switched off, and the last router goes on believing in it."""
    net, edge = scene.net, scene.net.last_edge
    mac = net.run("target", ["cat", "/sys/class/net/eth0/address"]).stdout.strip()
    net.ip("target", "link set eth0 down")
    net.ip(edge, f"neigh replace {net.world.target} lladdr {mac} dev lan0 nud permanent")
    return _all_fail(scene, "the target was switched off; its router keeps silent", "host-down",
                     "host/port-filtered")


def drop_all(scene: Scene) -> Truth:
    """Port dropped for every source, at the host or at its edge."""
    where = scene.rng.choice(["target", scene.net.last_edge])
    hook = "input" if where == "target" else "forward"
    rule = scene.port_rule() + " drop"
    if where != "target":
        rule = f"{scene.net.daddr(scene.net.world.target)} {rule}"
    scene.net.nft(where, hook, rule)
    return _all_fail(scene, f"{where} drops the port for everybody", "port-filtered")


def drop_everything(scene: Scene) -> Truth:
    scene.net.nft("target", "input", "meta l4proto { tcp, udp, icmp } drop",
                  "meta l4proto icmpv6 icmpv6 type echo-request drop")
    return _all_fail(scene, "the target's firewall drops everything from everybody",
                     "port-filtered", "host/host-down")


def reject_all(scene: Scene) -> Truth:
    kind = scene.rng.choice(REJECTS[scene.net.world.version])
    family = "icmp" if scene.net.world.version == 4 else "icmpv6"
    scene.net.nft("target", "input", f"{scene.port_rule()} reject with {family} type {kind}")
    return _all_fail(scene, f"the target's firewall rejects everybody with {family} {kind}",
                     "port-rejected")


def reset_all(scene: Scene) -> Truth:
    """The same on the wire as nothing listening, and the vocabulary calls both by one name."""
    scene.net.nft("target", "input", f"{scene.port_rule()} reject with tcp reset")
    return _all_fail(scene, "the target's firewall answers everybody with a reset",
                     "service-down")


def service_hung(scene: Scene) -> Truth:
    scene.sshd.process.send(signal.SIGSTOP)
    return _all_fail(scene, "sshd is stopped by SIGSTOP", "service-hung")


def service_closing(scene: Scene) -> Truth:
    scene.sshd.stop()
    mode = scene.rng.choice(["close", "close", "reset"])
    stand_in(scene.net, mode)
    return _all_fail(scene, f"the service accepts, then does {mode}", "service-closing")


def wrong_service(scene: Scene) -> Truth:
    scene.sshd.stop()
    mode = scene.rng.choice(["http", "http", "smtp", "noise"])
    stand_in(scene.net, mode)
    return _all_fail(scene, f"something else is on the port: {mode}", "wrong-service")


# -- rules that depend on the source --------------------------------------------------------


def _allow_list(scene: Scene, what: str, verdict: str, where: str) -> tuple[list[str], str]:
    """Refuse the denied prefixes; returns the vantages shut out, and words."""
    denied = scene.pick_denied()
    prefixes = [lan.neighbourhood if scene.rng.random() < 0.5 else lan.prefix for lan in denied]
    net, hook = scene.net, "input" if where == "target" else "forward"
    toward = "" if where == "target" else net.daddr(net.world.target) + " "
    net.nft(where, hook, f"{toward}{net.saddr(prefixes)} {what} {verdict}")
    shut_out = [v for lan in denied for v in lan.vantages]
    return shut_out, f"{where} admits everybody but {', '.join(map(str, prefixes))}"


def filter_port(scene: Scene) -> Truth:
    where = scene.rng.choice(["target", scene.net.last_edge])
    verdict = "drop"
    if where == "target" and scene.rng.random() < 0.4:
        verdict = "reject with icmpx port-unreachable"
    shut_out, words = _allow_list(scene, scene.port_rule(), verdict, where)
    return _some_fail(f"{words} to the port ({verdict})",
                      expect("source", "source-filtered", shut_out))


def filter_everything(scene: Scene) -> Truth:
    where = scene.rng.choice(["target", scene.net.last_edge])
    shut_out, words = _allow_list(scene, "meta l4proto { tcp, udp, icmp, icmpv6 }", "drop", where)
    one_branch = [b for b in scene.net.world.branches if set(b.vantages) == set(shut_out)]
    also = ["path/transit-drop"] if one_branch else []
    return _some_fail(f"{words}, whatever they send",
                      expect("source", "source-filtered", shut_out, *also))


def _banned(scene: Scene, vantage: str) -> Expected:
    alone = not scene.net.world.has_neighbour(vantage)
    return expect("source", "source-banned", [vantage],
                  *(["source/source-filtered"] if alone else []))


def ban(scene: Scene, action: str = "iptables-multiport", drop: bool = False,
        neighbour: bool = True) -> Truth:
    """A real fail2ban bans one vantage after real failed logins."""
    vantage = scene.pick_vantage(neighbour)
    mode = scene.rng.choice(["normal", "extra", "aggressive"])
    scene.fail2ban = Fail2ban(scene.net, scene.sshd, action, drop, mode).start()
    scene.fail2ban.provoke(vantage)
    kind = "drop" if drop else "reject"
    return _some_fail(f"fail2ban ({action}, {kind}; mode {mode}) has banned {vantage}, "
                      f"{scene.net.address(vantage)}", _banned(scene, vantage))


def ban_other_action(scene: Scene) -> Truth:
    return ban(scene, scene.rng.choice(BAN_ACTIONS), scene.rng.random() < 0.5,
               scene.rng.random() < 0.5)


def ban_lonely(scene: Scene) -> Truth:
    """Nobody in the same prefix could show that only this one address is meant."""
    return ban(scene, neighbour=False)


def ban_by_drop(scene: Scene) -> Truth:
    """One address dropped, its neighbour in the same /24 unharmed."""
    vantage = scene.pick_vantage(neighbour=True)
    what = scene.rng.choice([scene.port_rule(), "meta l4proto { tcp, udp, icmp, icmpv6 }"])
    scene.net.nft("target", "input",
                  f"{scene.net.saddr(scene.net.address(vantage))} {what} drop")
    return _some_fail(f"the target drops {vantage} alone, {scene.net.address(vantage)}",
                      _banned(scene, vantage))


# -- the path ---------------------------------------------------------------------------------


def transit(scene: Scene) -> Truth:
    branch = scene.pick_branch()
    router = scene.rng.choice(branch.routers)
    scene.net.nft(router, "forward", f"{scene.net.daddr(scene.net.world.target_prefix)} drop")
    return _some_fail(f"{router} (AS{branch.asn}) loses everything towards the target",
                      expect("path", "transit-drop", branch.vantages))


def no_route(scene: Scene) -> Truth:
    branch = scene.pick_branch()
    router = scene.rng.choice(branch.routers)
    kind = scene.rng.choice(["unreachable", "throw"])  # host and net unreachable
    scene.net.ip(router, f"route add {kind} {scene.net.world.target_prefix}")
    return _some_fail(f"{router} (AS{branch.asn}) has no route to the target ({kind})",
                      expect("path", "no-route", branch.vantages))


def loop(scene: Scene) -> Truth:
    """Two routers of a branch send the target's packets to each other."""
    branch = scene.pick_branch(hops=2)
    lower = scene.rng.randrange(len(branch.routers) - 1)
    back = branch.links[lower].lower
    router = branch.routers[lower + 1]
    scene.net.ip(router, f"route add {scene.net.world.target_prefix} via {back}")
    return _some_fail(f"{router} and {branch.routers[lower]} (AS{branch.asn}) send packets for the "
                      "target in a circle", expect("path", "no-route", branch.vantages))


def prohibited(scene: Scene) -> Truth:
    branch = scene.pick_branch()
    router = scene.rng.choice(branch.routers)
    target = scene.net.world.target_prefix
    if scene.rng.random() < 0.5:
        scene.net.ip(router, f"route add prohibit {target}")
    else:
        scene.net.nft(router, "forward",
                      f"{scene.net.daddr(target)} reject with icmpx admin-prohibited")
    return _some_fail(f"{router} (AS{branch.asn}) prohibits traffic to the target",
                      expect("path", "path-filtered", branch.vantages))


def ban_and_transit(scene: Scene) -> Truth:
    """Two faults at once; each vantage has at most one of them."""
    lost = transit(scene)
    shut = ban(scene)
    return _some_fail(f"{lost.words}; and {shut.words}", *lost.findings, *shut.findings)


# -- the vantages and the name ------------------------------------------------------------------


def vantage_no_route(scene: Scene) -> Truth:
    vantage = scene.pick_vantage()
    kind = scene.rng.choice(["unreachable", "throw", "blackhole"])
    scene.net.ip(vantage, f"route add {kind} {scene.net.world.target_prefix}")
    return Truth(f"{vantage} itself has no route to the target ({kind})", "reachable",
                 (expect("vantage", "vantage-no-route", [vantage]),))


def node_offline(scene: Scene) -> Truth:
    vantage = scene.pick_vantage()
    scene.mesh.kill_nodes([vantage])
    return Truth(f"the node {vantage} was killed", "reachable",
                 (expect("vantage", "vantage-offline", [vantage]),))


def all_offline(scene: Scene) -> Truth:
    scene.mesh.kill_nodes(scene.everyone)
    return Truth("all nodes were killed", "inconclusive",
                 optional=(expect("vantage", "vantage-offline", scene.everyone),))


def no_such_name(scene: Scene) -> Truth:
    scene.argument = f"missing{scene.rng.randrange(100)}.example.net:{scene.net.world.port}"
    return Truth("the name does not exist", "unreachable",
                 (expect("name", "name-unresolvable", scene.everyone),))


FAULTS = {fault.name: fault for fault in [
    Fault("none", "breaks nothing", nothing),
    Fault("ban", "has a real fail2ban ban one vantage after failed logins", ban),
    Fault("ban-lonely", "has fail2ban ban a vantage that has no neighbours", ban_lonely),
    Fault("ban-other", "has fail2ban ban one vantage by another action", ban_other_action),
    Fault("ban-drop", "drops one address, not its neighbour in the same prefix", ban_by_drop),
    Fault("filter", "admits only some prefixes to the port", filter_port),
    Fault("filter-all", "admits only some prefixes to the whole host", filter_everything),
    Fault("down", "stops sshd", service_down),
    Fault("other-port", "moves the service to another port", other_port),
    Fault("host-down", "unplugs the target", host_removed),
    Fault("host-silent", "switches the target off, without a word from its router", host_silent),
    Fault("drop", "drops the port for everybody", drop_all),
    Fault("drop-everything", "drops everything for everybody", drop_everything),
    Fault("reject", "rejects the port for everybody", reject_all),
    Fault("reset", "answers everybody with a TCP reset", reset_all),
    Fault("hung", "stops sshd in mid-air (SIGSTOP)", service_hung),
    Fault("closing", "puts a server there that closes every connection", service_closing),
    Fault("wrong-service", "puts another service on the port", wrong_service),
    Fault("transit", "loses packets in the network of some vantages", transit),
    Fault("no-route", "takes the route away in the network of some vantages", no_route),
    Fault("loop", "makes two routers send packets in a circle", loop, branch_hops=2),
    Fault("prohibited", "has a router of some vantages prohibit the traffic", prohibited),
    Fault("ban+transit", "has fail2ban ban one vantage while a network loses packets",
          ban_and_transit),
    Fault("vantage-no-route", "takes one vantage's own route away", vantage_no_route),
    Fault("offline", "kills one node", node_offline, running=True),
    Fault("all-offline", "kills all nodes", all_offline, running=True),
    Fault("no-such-name", "asks for a name that does not exist", no_such_name),
]}
