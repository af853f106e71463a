# SPDX-License-Identifier: MIT
"""Builds a drawn world from network namespaces: vantages behind access routers, a core, edge
routers, the target, a coordinator's and a reference host. Only cables, addresses, routes and kernel
settings; what runs on the machines is in services.py and mesh.py, what breaks them in faults.py.

        vantages - LAN - as1r1 - .. - as1rN \\
        vantages - LAN - as2r1 - .. - as2rN - core - edge1 (- edge2) - LAN - target
                                              |  |
                                    coordinator  reference
"""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Sequence

from draw import Address, Branch, Lan, Link, World
from machines import Lab, LabError

LOOPBACK_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"
ROUTER = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}


class Internet:
    """A running world. Machines are called by their name: a vantage's, "target", "core", .."""

    def __init__(self, lab: Lab, world: World) -> None:
        self.lab, self.world = lab, world
        self._commands: dict[str, list[str]] = {}
        self._cables: list[str] = []
        self._unproved: list[str] = []
        self.hosts_file = lab.scratch / "hosts"
        self.nsswitch_file = lab.scratch / "nsswitch.conf"

    # -- for those who use it ---------------------------------------------------------------

    @property
    def binds(self) -> list[tuple[Path, str]]:
        """Files that the machines see instead of this computer's own: names are our own too."""
        return [(self.hosts_file, "/etc/hosts"), (self.nsswitch_file, "/etc/nsswitch.conf")]

    def run(self, machine: str, argv: Sequence[str], **more: object) -> CompletedProcess:
        return self.lab.run(machine, argv, **more)

    def ip(self, machine: str, *commands: str) -> None:
        self.lab.batch("".join(command + "\n" for command in commands), machine)

    def nft(self, machine: str, hook: str, *rules: str) -> None:
        """Rules of a chain at this hook (input, forward, output), in a table of the lab's own."""
        ruleset = (f"add table inet lab\n"
                   f"add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}\n")
        ruleset += "".join(f"add rule inet lab {hook} {rule}\n" for rule in rules)
        self.run(machine, ["nft", "-f", "-"], text_in=ruleset)

    def saddr(self, source: object) -> str:
        """nft match of a source address, prefix or list of them."""
        return f"{'ip' if self.world.version == 4 else 'ip6'} saddr {_set(source)}"

    def daddr(self, destination: object) -> str:
        return f"{'ip' if self.world.version == 4 else 'ip6'} daddr {_set(destination)}"

    @property
    def last_edge(self) -> str:
        return self.world.edge_routers[-1]

    def address(self, machine: str) -> Address:
        if machine in self.world.vantages:
            return self.world.vantages[machine].address
        return self.world.target if machine == "target" else self.world.hosts[machine].lower

    # -- building ---------------------------------------------------------------------------

    def build(self) -> "Internet":
        world = self.world
        self.lab.add_machines([*world.vantages, *(r for b in world.branches for r in b.routers),
                               "core", *world.edge_routers, "target", *world.hosts])
        for branch in world.branches:
            self._plan_branch(branch)
        self._plan_edge()
        for host, link in world.hosts.items():
            self._cable("core", host, link)
            self._plan(host, f"route add default via {link.upper}")
        self._lay_out()
        self._write_names()
        self._prove()
        self._quieten_target()
        return self

    def _plan(self, machine: str, *commands: str) -> None:
        self._commands.setdefault(machine, []).extend(commands)

    def _cable(self, upper: str, lower: str, link: Link) -> None:
        """A point-to-point cable; each end is called after the machine at the other."""
        self._cables.append(
            f"link add name to-{lower} netns {self.lab.namespace(upper)} type veth "
            f"peer name to-{upper} netns {self.lab.namespace(lower)}")
        for machine, other, address in ((upper, lower, link.upper), (lower, upper, link.lower)):
            self._plan(machine, f"addr add {address}/{link.prefixlen} dev to-{other}{self._nodad}",
                       f"link set to-{other} up")

    @property
    def _nodad(self) -> str:
        return " nodad" if self.world.version == 6 else ""

    def _plan_branch(self, branch: Branch) -> None:
        access, chain = branch.routers[0], [*branch.routers, "core"]
        for index, lan in enumerate(branch.lans):
            self._plan_lan(access, f"lan{index}", lan)
        for lower, upper, link in zip(chain, chain[1:], branch.links):
            self._cable(upper, lower, link)
            self._plan(lower, f"route add default via {link.upper}")
            prefixes = [branch.prefix] if upper == "core" else [lan.prefix for lan in branch.lans]
            self._plan(upper, *(f"route add {prefix} via {link.lower}" for prefix in prefixes))
        if len(branch.routers) > 1:  # what nobody has in this system ends at its border
            self._plan(branch.routers[-1], f"route add unreachable {branch.prefix}")

    def _plan_lan(self, router: str, switch: str, lan: Lan) -> None:
        self._plan_switch(router, switch, lan.gateway, lan.prefix.prefixlen)
        for name in lan.vantages:
            vantage = self.world.vantages[name]
            self._plug(router, switch, name, vantage.address, vantage.prefixlen, vantage.gateway)

    def _plan_switch(self, router: str, switch: str, gateway: Address, prefixlen: int) -> None:
        self._plan(router, f"link add {switch} type bridge mcast_snooping 0",
                   f"addr add {gateway}/{prefixlen} dev {switch}{self._nodad}",
                   f"link set {switch} up")

    def _plug(self, router: str, switch: str, host: str, address: Address, prefixlen: int,
              gateway: Address) -> None:
        self._cables.append(
            f"link add name to-{host} netns {self.lab.namespace(router)} type veth "
            f"peer name eth0 netns {self.lab.namespace(host)}")
        self._plan(router, f"link set to-{host} master {switch}", f"link set to-{host} up")
        self._plan(host, f"addr add {address}/{prefixlen} dev eth0{self._nodad}",
                   "link set eth0 up", f"route add default via {gateway}")

    def _plan_edge(self) -> None:
        world = self.world
        chain = ["core", *world.edge_routers]
        for upper, lower, link in zip(chain, chain[1:], world.edge_links):
            self._cable(upper, lower, link)
            self._plan(lower, f"route add default via {link.upper}")
            prefix = world.target_prefix if upper == "core" else world.target_lan
            self._plan(upper, f"route add {prefix} via {link.lower}")
        edge, prefixlen = self.last_edge, world.target_lan.prefixlen
        self._plan_switch(edge, "lan0", world.target_gateway, prefixlen)
        # A second machine on the switch: the LAN stays up when the target goes.
        self._plan(edge, "link add spare0 type veth peer name spare1", "link set spare1 up",
                   "link set spare0 master lan0", "link set spare0 up")
        self._plug(edge, "lan0", "target", world.target, prefixlen, world.target_gateway)

    def _lay_out(self) -> None:
        """Kernel settings, then cables, then what is inside every machine."""
        for name in self.lab.namespaces:
            self._set_kernel(name.removeprefix(self.lab.tag + "-"))
        self.lab.batch("".join(cable + "\n" for cable in self._cables))
        for machine, commands in self._commands.items():
            self.ip(machine, "link set lo up", *commands)

    def _set_kernel(self, machine: str) -> None:
        """Only settings that belong to the network namespace of the machine."""
        world = self.world
        settings = {"net.ipv6.conf.default.accept_dad": "0", "net.ipv6.conf.all.accept_dad": "0",
                    "net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.default.rp_filter": "0",
                    "net.ipv4.icmp_ratelimit": str(world.icmp_ratelimit),
                    "net.ipv6.icmp.ratelimit": str(world.icmp_ratelimit)}
        if machine in world.vantages:
            settings["net.ipv4.tcp_syn_linear_timeouts"] = str(world.syn_linear)
            if world.vantages[machine].echo_allowed:
                settings["net.ipv4.ping_group_range"] = "0 2147483647"
        elif machine not in ("target", *world.hosts):
            settings.update(ROUTER)
        script = "".join(f"[ -e /proc/sys/{key.replace('.', '/')} ] && "
                         f"echo {value} > /proc/sys/{key.replace('.', '/')}\n"
                         for key, value in settings.items())
        self.run(machine, ["sh", "-c", script + "true"])

    def _write_names(self) -> None:
        """Names come from this file alone, so that nothing is ever asked outside the lab."""
        name = self.world.target_name
        self.hosts_file.write_text(LOOPBACK_HOSTS + (f"{self.world.target} {name}\n" if name else ""))
        self.nsswitch_file.write_text("passwd: files\ngroup: files\nhosts: files\nservices: files\n")

    def _prove(self) -> None:
        """Everybody reaches everybody before anything is broken; also warms neighbour tables."""
        ends = ["target", *self.world.hosts]
        with ThreadPoolExecutor(8) as pool:
            for vantage in self.world.names:
                for end in ends:
                    pool.submit(self._prove_pair, vantage, end)
        if self._unproved:
            raise LabError("the lab's own network is broken: " + "; ".join(self._unproved))

    def _prove_pair(self, vantage: str, end: str) -> None:
        done = self.run(vantage, ["ping", "-n", "-q", "-c", "1", "-i", "0.2", "-w", "5",
                                  str(self.address(end))], check=False)
        if done.returncode:
            self._unproved.append(f"{vantage} -> {end}: {done.stdout.strip()} {done.stderr}")

    def _quieten_target(self) -> None:
        """Firewalls that have nothing to do with the fault: they must not mislead."""
        echo = f"meta l4proto {'icmp icmp type' if self.world.version == 4 else 'icmpv6 icmpv6 type'} "
        if self.world.target_quiet == "no-echo":
            self.nft("target", "input", f"{echo} echo-request drop")
        elif self.world.target_quiet == "default-drop":
            self.nft("target", "input", f"tcp dport != {self.world.port} tcp flags syn drop")


def _set(addresses: object) -> str:
    """An address or prefix, or several, as nft writes them."""
    if isinstance(addresses, (list, tuple, set, frozenset)):
        return "{ " + ", ".join(sorted(str(a) for a in addresses)) + " }"
    return str(addresses)
