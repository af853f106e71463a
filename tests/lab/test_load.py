# SPDX-License-Identifier: MIT
"""Many questions to one coordinator: none lost, none stuck, none answered from memory in secret, and
nothing grows. 1,000 in a row, then 100 at once, against 200 addresses of one target.
"""
from __future__ import annotations

import itertools
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any, Callable

import pytest

from machines import Lab
from mesh import Answer, programs_missing, sanitized
from scene import Scene, open_scene, world_with_room
from services import PYTHON, STANDIN

pytestmark = [pytest.mark.alone, pytest.mark.skipif(
    bool(programs_missing()), reason=f"not built: {' '.join(programs_missing())}")]
ADDRESSES, IN_A_ROW, AT_ONCE = 200, 1000, 100
PORTS = range(7020, 7026)  # 200 addresses x 6 ports: enough that politeness never says no
GROWTH_MAX_KB = 6 * 1024  # caches fill; three times that where every block has a red zone


def many_addresses(scene: Scene) -> list[str]:
    """A further prefix that is routed to the target, every address of which is its own; a server on
    all of them; every SYN counted."""
    net, world = scene.net, scene.net.world
    width = 24 if world.version == 4 else 120
    taken = [world.target_lan, *(ip_network(f"{link.upper}/{link.prefixlen}", strict=False)
                                 for link in world.edge_links)]
    prefix = next(p for p in itertools.islice(world.target_prefix.subnets(new_prefix=width), 9, None)
                  if not any(p.overlaps(t) for t in taken))
    for router, link in zip(world.edge_routers, world.edge_links[1:]):
        net.ip(router, f"route add {prefix} via {link.lower}")
    net.ip(net.last_edge, f"route add {prefix} via {world.target}")
    net.ip("target", f"route add local {prefix} dev lo")
    for port in PORTS:
        server = net.lab.start("target", f"many-{port}", [
            PYTHON, "-B", str(STANDIN), "hold", "0.0.0.0" if world.version == 4 else "::", str(port)])
        server.wait_for("listening")
    net.run("target", ["nft", "flush", "ruleset"])  # the world's own firewall is not the question
    net.nft("target", "input", f"{net.daddr(prefix)} tcp flags & (syn | ack) == syn counter")
    hosts = [str(prefix[i + 1]) for i in range(ADDRESSES)]
    return [f"tcp://[{h}]:{port}" if ":" in h else f"tcp://{h}:{port}"
            for port in PORTS for h in hosts]


def syns(scene: Scene) -> int:
    words = scene.net.run("target", ["nft", "list", "chain", "inet", "lab", "input"]).stdout.split()
    return int(words[len(words) - words[::-1].index("packets")])


def judge(scene: Scene, answers: list[Answer]) -> dict[str, int]:
    """Counts over all answers; asserts that each is complete and says which results are reused."""
    counted = {"results": 0, "fresh": 0, "reused": 0}
    for answer in answers:
        document = answer.document
        assert answer.exit == 0, answer.out + answer.err
        assert document["verdict"]["status"] == "reachable" and document["finished"], answer.out
        first: dict[str, Any] = {r["vantage"]: r for r in document["results"]}
        assert sorted(first) == sorted(scene.everyone), answer.out
        counted["results"] += len(first)
        reused = sum(bool(r.get("reused")) for r in first.values())
        counted["reused"] += reused
        counted["fresh"] += len(first) - reused
    return counted


def memory(scene: Scene) -> dict[str, int]:
    mesh = scene.mesh
    processes = {"coordinator": mesh.coordinator, **mesh.nodes}
    return {name: mesh.rss_kb(process) for name, process in processes.items()}


def again(scene: Scene, target: str) -> None:
    """The same question at once: shown again, every result marked, nothing on the wire."""
    assert scene.mesh.check(target).exit == 0
    before = syns(scene)
    answer = scene.mesh.check(target)
    assert judge(scene, [answer])["fresh"] == 0, answer.out
    assert syns(scene) == before


def test_thousand_in_a_row_and_hundred_at_once(
        lab: Lab, seed: str, record_property: Callable[[str, object], None]) -> None:
    scene = open_scene(lab, world_with_room(seed, vantages=4))
    targets = many_addresses(scene)
    warm = [scene.mesh.check(t) for t in targets[:ADDRESSES]]
    before = memory(scene)
    started = time.monotonic()
    answers = warm + [scene.mesh.check(t) for t in targets[ADDRESSES:IN_A_ROW]]
    row_s = time.monotonic() - started
    with ThreadPoolExecutor(AT_ONCE) as pool:
        together = list(pool.map(scene.mesh.check, targets[IN_A_ROW:IN_A_ROW + AT_ONCE]))
    after = memory(scene)
    counted = judge(scene, answers + together)
    record_property("checks a second in a row", round((IN_A_ROW - len(warm)) / row_s, 1))
    record_property("median ms, exec to exit",
                    round(1000 * statistics.median(a.seconds for a in answers)))
    record_property("slowest of 100 at once, ms", round(1000 * max(a.seconds for a in together)))
    record_property("results", counted)
    record_property("RSS kB before", before)
    record_property("RSS kB after", after)
    assert counted["fresh"] >= 0.95 * counted["results"]
    assert syns(scene) >= counted["fresh"]  # what is called fresh was on the wire
    growth_max = GROWTH_MAX_KB * (3 if sanitized() else 1)
    for name, kb in after.items():
        assert kb < before[name] + growth_max, f"{name} grew from {before[name]} to {kb} kB"
    again(scene, targets[IN_A_ROW + AT_ONCE - 1])
    assert scene.mesh.states() == {name: "up" for name in scene.everyone}
    assert scene.mesh.stop() == []
