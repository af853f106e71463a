# SPDX-License-Identifier: MIT
"""What an internet of the lab looks like, drawn from a seed: addressing, prefixes, hops, names,
labels, ports, kernel settings. Pure: nothing is created here, the same seed gives the same world.

Nothing may be learned by heart by the programs under test, so nothing here is a constant that a
test relies on: a scenario asks the world for its facts.
"""
from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass, field
from typing import Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Prefix = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

CITIES = ("ams arn atl bcn beg bog bom bru bud cdg cph del dfw dub ewr fra gru hel hkg iad icn ist "
          "jnb lax lhr lim lis mad mex mia mil mrs nbo nrt ord osl otp per pra rix sea sfo sin sof "
          "sto syd tll tlv vie waw yul yyz zag zrh").split()
PROVIDERS = "hetzner aws azure gcp ovh linode vultr office colo".split()
REGIONS = "eu us ap sa af".split()
DOMAINS = "example.net example.org corp.test lan.test".split()
PUBLIC_FIRST = [5, 23, 31, 37, 45, 51, 62, 77, 85, 91, 103, 130, 141, 151, 163, 178, 185, 193, 212]
LABEL_SCHEMES = ("asn", "asn+provider", "network", "none")


@dataclass(frozen=True)
class Lan:
    """A switch with vantages behind the access router of an autonomous system."""
    prefix: Prefix
    gateway: Address
    vantages: tuple[str, ...]

    @property
    def neighbourhood(self) -> Prefix:
        """The /24 or /64 in which addresses count as neighbours."""
        width = 24 if self.prefix.version == 4 else 64
        return self.prefix.supernet(new_prefix=width) if self.prefix.prefixlen > width \
            else self.prefix


@dataclass(frozen=True)
class Link:
    """Two ends of a cable between routers: the first is nearer to the core."""
    upper: Address
    lower: Address
    prefixlen: int


@dataclass(frozen=True)
class Branch:
    """An autonomous system: access router (first) up to border router (last), then the core."""
    name: str
    asn: int
    prefix: Prefix
    lans: tuple[Lan, ...]
    routers: tuple[str, ...]
    links: tuple[Link, ...]  # links[i] joins routers[i] to the next one up (the core at last)

    @property
    def vantages(self) -> tuple[str, ...]:
        return tuple(v for lan in self.lans for v in lan.vantages)


@dataclass(frozen=True)
class Vantage:
    name: str
    branch: str
    address: Address
    prefixlen: int
    gateway: Address
    labels: tuple[str, ...]
    echo_allowed: bool   # ping_group_range open: the node may send echo requests


@dataclass(frozen=True)
class World:
    """Everything drawn. Hosts beside the branches: target (behind edge routers), coordinator,
    reference; each has a network of its own."""
    seed: str
    kind: str
    version: int
    branches: tuple[Branch, ...]
    vantages: dict[str, Vantage] = field(hash=False)
    target: Address
    target_lan: Prefix
    target_prefix: Prefix
    target_gateway: Address
    edge_routers: tuple[str, ...]        # from the core to the target's LAN
    edge_links: tuple[Link, ...]         # edge_links[i] joins edge_routers[i] to what is above
    hosts: dict[str, Link] = field(hash=False)  # coordinator, reference: cable to the core
    port: int
    coordinator_port: int
    reference_port: int
    target_name: str                     # "" = the target is asked for by address
    target_quiet: str                    # how the target treats what nobody asked for
    icmp_ratelimit: int
    syn_linear: int
    node_reference: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.vantages))

    def branch_of(self, vantage: str) -> Branch:
        return next(b for b in self.branches if vantage in b.vantages)

    def lan_of(self, vantage: str) -> Lan:
        return next(lan for b in self.branches for lan in b.lans if vantage in lan.vantages)

    def has_neighbour(self, vantage: str) -> bool:
        """Another vantage sits in the same /24 or /64."""
        return len(self.lan_of(vantage).vantages) > 1

    def target_argument(self) -> str:
        """What a person would type for the target."""
        host = self.target_name or str(self.target)
        if ":" in host:
            host = f"[{host}]"
        return f"{host}:{self.port}"

    def describe(self) -> str:
        return (f"seed {self.seed}: {self.kind}, {len(self.vantages)} vantages in "
                f"{len(self.branches)} networks, target {self.target_argument()} ({self.target}), "
                f"quiet={self.target_quiet}, icmp_ratelimit={self.icmp_ratelimit}, "
                f"syn_linear={self.syn_linear}")


class _Numbers:
    """Hands out networks and addresses of one family without overlap."""

    def __init__(self, rng: random.Random, kind: str) -> None:
        self.rng, self.kind = rng, kind
        self.version = 6 if kind.endswith("6") else 4
        self.taken: set[Prefix] = set()

    def system(self) -> Prefix:
        """The prefix of one autonomous system: a /16, or a /32 of IPv6."""
        while True:
            prefix = ipaddress.ip_network(self._system_text())
            if prefix not in self.taken:
                self.taken.add(prefix)
                return prefix

    def _system_text(self) -> str:
        rng = self.rng
        if self.kind == "public4":
            return f"{rng.choice(PUBLIC_FIRST)}.{rng.randrange(256)}.0.0/16"
        if self.kind == "private4":
            return rng.choice([f"10.{rng.randrange(256)}.0.0/16",
                               f"172.{rng.randrange(16, 32)}.0.0/16"])
        if self.kind == "public6":
            return f"2a{rng.randrange(16):02x}:{rng.randrange(1, 0xffff):x}::/32"
        return f"fd{rng.randrange(256):02x}:{rng.randrange(1, 0xffff):x}::/32"

    def part(self, whole: Prefix, length: int) -> Prefix:
        """A piece of `whole` of the given length that nobody has yet."""
        while True:
            base = int(whole.network_address)
            index = self.rng.randrange(1, 1 << min(length - whole.prefixlen, 30))
            piece = type(whole)((base + (index << (whole.max_prefixlen - length)), length))
            if not any(piece.overlaps(t) for t in self.taken if t.prefixlen > whole.prefixlen):
                self.taken.add(piece)
                return piece

    def lan(self, system: Prefix) -> Prefix:
        """A LAN with a /24 (/64) of its own, of which it may use only a part."""
        whole = self.part(system, 24 if self.version == 4 else 64)
        length = self.rng.choice([24, 25, 26, 27, 28] if self.version == 4 else [64, 80, 96, 112])
        return type(whole)((int(whole.network_address), length))

    def link(self, system: Prefix) -> Link:
        length = self.rng.choice([30, 31] if self.version == 4 else [126, 127])
        prefix = self.part(system, length)
        first = 1 if prefix.max_prefixlen - length == 2 else 0
        return Link(prefix[first], prefix[first + 1], length)

    def hosts(self, prefix: Prefix, count: int) -> list[Address]:
        """Distinct host addresses, neither the first nor the last of the prefix."""
        room = min(prefix.num_addresses, 1 << 16) - 2
        return [prefix[1 + i] for i in self.rng.sample(range(room), count)]


def _partition(rng: random.Random, total: int) -> list[int]:
    """How many vantages each network has: at least three networks, one of them with a pair."""
    if total < 4:
        return [1] * total
    sizes = [2, 1, 1]
    for _ in range(total - 4):
        place = rng.randrange(len(sizes) + (len(sizes) < 5))
        if place == len(sizes):
            sizes.append(1)
        else:
            sizes[place] += 1
    rng.shuffle(sizes)
    return sizes


def _split(rng: random.Random, names: list[str]) -> list[list[str]]:
    """One LAN per network, or two when there are three vantages and more."""
    if len(names) >= 3 and rng.random() < 0.5:
        return [names[:2], names[2:]]
    return [names]


def _branch(rng: random.Random, numbers: _Numbers, index: int, asn: int,
            names: list[str]) -> Branch:
    system = numbers.system()
    lans = []
    for group in _split(rng, names):
        prefix = numbers.lan(system)
        gateway = numbers.hosts(prefix, 1)[0]
        lans.append(Lan(prefix, gateway, tuple(sorted(group))))
    hops = rng.randint(1, 4)
    name = f"as{index}"
    routers = tuple(f"{name}r{hop}" for hop in range(1, hops + 1))
    return Branch(name, asn, system, tuple(lans), routers,
                  tuple(numbers.link(system) for _ in routers))


def _labels(rng: random.Random, scheme: str, branch: Branch, provider: str) -> tuple[str, ...]:
    if scheme == "none":
        return ()
    if scheme == "network":
        return (f"network=net-{branch.name}",)
    labels = [f"asn={branch.asn}"]
    if scheme == "asn+provider":
        labels += [f"provider={provider}", f"region={rng.choice(REGIONS)}"]
        if rng.random() < 0.4:
            labels.append("app")
    return tuple(labels)


def _vantages(rng: random.Random, numbers: _Numbers,
              branches: tuple[Branch, ...]) -> dict[str, Vantage]:
    scheme = rng.choice(LABEL_SCHEMES)
    vantages = {}
    for branch in branches:
        provider = rng.choice(PROVIDERS)
        for lan in branch.lans:
            free = [a for a in numbers.hosts(lan.prefix, len(lan.vantages) + 1) if a != lan.gateway]
            for name, address in zip(lan.vantages, free):
                vantages[name] = Vantage(name, branch.name, address, lan.prefix.prefixlen,
                                         lan.gateway, _labels(rng, scheme, branch, provider),
                                         rng.random() < 0.85)
    return vantages


def _name(rng: random.Random) -> str:
    """The target's host name; empty means that it is asked for by address."""
    if rng.random() < 0.5:
        return ""
    return f"{rng.choice(['bastion', 'git', 'jump', 'db', 'gw'])}{rng.randrange(20)}." \
        + rng.choice(DOMAINS)


def draw(seed: str, vantages: int = 5, kind: str = "") -> World:
    """The world of this seed. kind: public4, private4, public6, private6; empty = drawn."""
    rng = random.Random(f"world {seed}")
    drawn = rng.choice(["public4", "private4", "public6", "private6"])
    numbers = _Numbers(rng, kind or drawn)
    names = [f"{city}{rng.randint(1, 9)}" for city in rng.sample(CITIES, vantages)]
    branches = []
    sizes = _partition(rng, vantages)
    asns = rng.sample(range(64496, 64512), len(sizes))
    for index, (size, asn) in enumerate(zip(sizes, asns), 1):
        branches.append(_branch(rng, numbers, index, asn, names[:size]))
        names = names[size:]
    target_prefix = numbers.system()
    target_lan = numbers.lan(target_prefix)
    target, gateway = numbers.hosts(target_lan, 2)
    edges = tuple(f"edge{i}" for i in range(1, rng.randint(1, 2) + 1))
    return World(
        seed=seed, kind=numbers.kind, version=numbers.version, branches=tuple(branches),
        vantages=_vantages(rng, numbers, tuple(branches)),
        target=target, target_lan=target_lan, target_prefix=target_prefix,
        target_gateway=gateway, edge_routers=edges,
        edge_links=tuple(numbers.link(target_prefix) for _ in edges),
        hosts={host: numbers.link(numbers.system()) for host in ("coordinator", "reference")},
        port=22 if rng.random() < 0.5 else rng.randint(1024, 60999),
        coordinator_port=rng.randint(1024, 60999), reference_port=rng.randint(1024, 60999),
        target_name=_name(rng),
        target_quiet=rng.choices(["open", "no-echo", "default-drop"], [6, 2, 2])[0],
        icmp_ratelimit=rng.choice([1000, 0]), syn_linear=rng.choice([0, 4]),
        node_reference=rng.random() < 0.7)
