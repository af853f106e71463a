# SPDX-License-Identifier: MIT
"""The lab itself: worlds as promised, faults that hit exactly whom their truth names, nothing left.

Asked with plain sockets, without any program of Parallax: a scenario can then trust the truth.
"""
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from draw import draw
from faults import FAULTS
from machines import Lab
from scene import Scene, open_scene, world_with_room
from services import can_connect
from truth import Truth, compare, expect

HERE = Path(__file__).resolve().parent
NETWORK_FAULTS = [name for name, fault in FAULTS.items() if not fault.running]


def served(scene: Scene, vantage: str) -> bool:
    host = scene.target.rsplit(":", 1)[0].strip("[]")
    return can_connect(scene.net, vantage, host, scene.net.world.port, 0.8, "SSH-")


def pings(scene: Scene, vantage: str, machine: str) -> bool:
    argv = ["ping", "-n", "-q", "-c", "1", "-W", "2", str(scene.net.address(machine))]
    return scene.net.run(vantage, argv, check=False).returncode == 0


@pytest.mark.parametrize("name", NETWORK_FAULTS)
def test_fault_hits_whom_it_names(name: str, lab: Lab, seed: str) -> None:
    world = world_with_room(seed, hops=FAULTS[name].branch_hops)
    print(world.describe())
    scene = open_scene(lab, world, programs=False)
    truth = FAULTS[name].apply(scene)
    print(truth.words)
    hit = set().union(*(f.affected for f in truth.findings)) if truth.findings else set()
    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(scene.everyone, pool.map(lambda v: served(scene, v), scene.everyone)))
    assert {v for v, ok in answers.items() if not ok} == hit
    assert [v for v in scene.everyone if not pings(scene, v, "coordinator")] == []


@pytest.mark.unprivileged
def test_same_seed_same_world_other_seed_other_world() -> None:
    assert draw("one") == draw("one")
    assert len({str(draw(str(i)).target) for i in range(50)}) == 50


@pytest.mark.unprivileged
@pytest.mark.parametrize("count", [4, 5, 7, 12])
def test_worlds_are_as_promised(count: int) -> None:
    """Several networks, pairs of neighbours, no address twice, all kinds of addressing drawn."""
    kinds = set()
    for index in range(100):
        world = draw(f"world {index}", count)
        kinds.add(world.kind)
        addresses = [v.address for v in world.vantages.values()]
        assert len(set(addresses)) == count and len(world.branches) >= 3
        assert any(world.has_neighbour(v) for v in world.names)
        assert len({b.asn for b in world.branches}) == len(world.branches)
        for branch in world.branches:
            assert 1 <= len(branch.routers) <= 4
            for lan in branch.lans:
                assert all(world.vantages[v].address in lan.prefix for v in lan.vantages)
                assert lan.gateway in lan.prefix and lan.prefix.subnet_of(branch.prefix)
    assert kinds == {"public4", "private4", "public6", "private6"}


def _document(**finding: object) -> dict:
    base = {"scope": "host", "cause": "service-down", "affected": ["a", "b"],
            "certainty": "likely", "scope_certainty": "confirmed", "ambiguous_with": [],
            "alternatives": []}
    return {"verdict": {"status": "unreachable", "findings": [{**base, **finding}]}}


@pytest.mark.unprivileged
@pytest.mark.parametrize("change, complaints", [
    ({}, 0), ({"affected": ["a"]}, 1), ({"certainty": "confirmed"}, 0),
    ({"cause": "host-down"}, 1), ({"cause": "host-down", "certainty": "confirmed"}, 2),
    ({"scope": "path", "cause": "transit-drop"}, 2),
    ({"certainty": "confirmed", "ambiguous_with": ["port-rejected"]}, 1),
    ({"cause": "port-rejected", "ambiguous_with": ["service-down"]}, 0),
    ({"cause": "port-rejected"}, 1),
    ({"cause": "port-rejected", "ambiguous_with": ["service-down"], "certainty": "confirmed"}, 2),
])
def test_comparison_finds_what_is_wrong(change: dict, complaints: int) -> None:
    truth = Truth("", "unreachable",
                  (expect("host", "service-down", "ab", "host/port-rejected"),))
    assert len(compare(_document(**change), truth, 1)) == complaints


@pytest.mark.unprivileged
def test_comparison_finds_missing_and_surplus() -> None:
    truth = Truth("", "reachable")
    assert len(compare(_document(), truth, 0)) == 3  # status, surplus, its scope is confirmed
    healthy = {"verdict": {"status": "partial", "findings": []}}
    assert len(compare(healthy, Truth("", "partial", (expect("host", "host-down", "a"),)), 3)) == 2


KEEPER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import machines
from draw import draw
from internet import Internet
from services import Sshd
machines.end_cleanly_on_signals()
with machines.Lab() as lab:
    print(lab.tag, flush=True)
    Sshd(Internet(lab, draw(sys.argv[2])).build()).start()
    print("running", flush=True)
    time.sleep(60)
"""


def left_over(tag: str) -> list[str]:
    """Namespaces, files and processes that carry this tag."""
    names = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True).stdout
    found = [line for line in names.splitlines() if line.startswith(tag)]
    found += [str(path) for path in Path("/tmp").glob(f"parallax-lab-{tag}*")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if tag in words:
            found.append(words)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("stage", ["early", "random", "running"])
def test_interrupt_leaves_nothing(number: int, stage: str, seed: str, rng: random.Random) -> None:
    keeper = subprocess.Popen([sys.executable, "-B", "-c", KEEPER, str(HERE), seed], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tag = keeper.stdout.readline().strip()
    if stage == "running":
        assert keeper.stdout.readline().strip() == "running", keeper.stderr.read()
        assert left_over(tag)
    elif stage == "random":
        time.sleep(rng.random() * 0.5)  # the moment is what is drawn here, not a wait for something
    keeper.send_signal(number)
    time.sleep(rng.random() * 0.05)
    if keeper.poll() is None:
        os.kill(keeper.pid, number)  # impatience must not cut the cleaning short
    keeper.communicate(timeout=20)
    assert keeper.returncode != 0
    assert left_over(tag) == []
