# SPDX-License-Identifier: MIT
"""A world with everything running in it, ready to be broken and asked about; draws places in it."""
from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Optional

from draw import Branch, Lan, World, draw
from internet import Internet
from machines import Lab, LabError
from mesh import Mesh
from services import Fail2ban, Sshd, stand_in


@dataclass
class Scene:
    """A world with everything running, about to be broken."""
    net: Internet
    sshd: Sshd
    rng: random.Random
    mesh: Optional[Mesh] = None
    fail2ban: Optional[Fail2ban] = None
    argument: str = ""  # what to type for the target if not the usual
    places: list[str] = field(default_factory=list)  # vantages that already have their fault

    @property
    def everyone(self) -> tuple[str, ...]:
        return self.net.world.names

    @property
    def target(self) -> str:
        return self.argument or self.net.world.target_argument()

    def port_rule(self) -> str:
        return f"tcp dport {self.net.world.port}"

    def pick_vantage(self, neighbour: Optional[bool] = None) -> str:
        """A vantage without a fault so far, with or without a neighbour in its /24 (/64)."""
        free = [v for v in self.everyone if v not in self.places]
        fitting = [v for v in free
                   if neighbour is None or self.net.world.has_neighbour(v) == neighbour]
        chosen = self.rng.choice(fitting or free)
        self.places.append(chosen)
        return chosen

    def pick_branch(self, hops: int = 1) -> Branch:
        """A branch without a fault so far, larger ones more often."""
        free = [b for b in self.net.world.branches
                if not set(b.vantages) & set(self.places) and len(b.routers) >= hops]
        branch = self.rng.choices(free, [len(b.vantages) ** 2 for b in free])[0]
        self.places += branch.vantages
        return branch

    def pick_denied(self) -> list[Lan]:
        """Prefixes for an allow-list to leave out: some, with a pair among them, never all."""
        lans = [lan for b in self.net.world.branches for lan in b.lans]
        pairs = [lan for lan in lans if len(lan.vantages) > 1]
        denied = [self.rng.choice(pairs)]
        rest = [lan for lan in lans if lan not in denied]
        return denied + self.rng.sample(rest, self.rng.randint(0, min(len(rest) - 1, 2)))


def world_with_room(seed: str, vantages: int = 5, kind: str = "", hops: int = 0) -> World:
    """The world of this seed, or the first one after it with a branch of so many routers."""
    for attempt in range(1000):
        world = draw(f"{seed}+{attempt}" if attempt else seed, vantages, kind)
        if max(len(b.routers) for b in world.branches) >= hops:
            return world
    raise LabError(f"no world after seed {seed} has a branch of {hops} routers")


def open_scene(lab: Lab, world: World, programs: bool = True) -> Scene:
    """Network, sshd and, unless only the network is wanted, the programs under test."""
    net = Internet(lab, world).build()
    scene = Scene(net, Sshd(net).start(), random.Random(f"place {world.seed}"))
    stand_in(net, "hold", "reference", world.reference_port)
    if programs:
        scene.mesh = Mesh(net).start()
    return scene
