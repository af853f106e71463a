# SPDX-License-Identifier: MIT
"""Broken surroundings: the stated error or an honest partial verdict, at once, and recovery without a
restart of the others. One running mesh per test, because each of them breaks it.
"""
from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest

from machines import Lab, wait_until
from mesh import Answer, programs_missing, sanitized
from scene import Scene, open_scene, world_with_room
from services import PYTHON, stand_in

pytestmark = pytest.mark.skipif(bool(programs_missing()),
                                reason=f"not built: {' '.join(programs_missing())}")
AT_ONCE_S = 8.0  # an error may take the 5 s that plx waits for an answer, not a run's whole time
RUN_MAX_S = 25.0


@pytest.fixture
def scene(lab: Lab, seed: str) -> Scene:
    world = world_with_room(seed, vantages=4)
    print(world.describe())
    return open_scene(lab, world)


def assert_error(answer: Answer, exit_code: int, *words: str) -> None:
    text = answer.out + answer.err
    assert answer.exit == exit_code, f"exit {answer.exit}\n{text}"
    for word in words:
        assert word in text, text
    assert answer.seconds < AT_ONCE_S, f"{answer.seconds:.1f} s\n{text}"


def assert_all_well(scene: Scene) -> None:
    """Everybody is back, by himself, and the next question is answered."""
    scene.mesh.wait_up(scene.everyone)
    answer = scene.mesh.check(scene.target)
    assert answer.exit == 0, answer.out + answer.err + scene.mesh.logs()
    assert answer.document["verdict"]["status"] == "reachable"
    assert sorted(answer.document["coverage"]["away"]) == []


def finish(process: subprocess.Popen, started: float) -> Answer:
    out, err = process.communicate(timeout=RUN_MAX_S)
    return Answer(process.returncode, out, err, time.monotonic() - started)


def ask_in_background(scene: Scene, *more: str) -> tuple[subprocess.Popen, float]:
    """A check that lasts (its target is silent), under way in the coordinator when this returns."""
    command = scene.mesh.command("check", scene.target, "--no-here", "-o", "json", *more)
    started = time.monotonic()
    process = subprocess.Popen(command, env=scene.mesh.env, text=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: syns_seen(scene) >= len(scene.everyone), 15, lambda: "no SYN was sent")
    return process, started


def silence_target(scene: Scene) -> None:
    """Everything is dropped and the SYNs for the port are counted."""
    scene.net.nft("target", "input", f"{scene.port_rule()} counter drop")


def syns_seen(scene: Scene) -> int:
    listing = scene.net.run("target", ["nft", "list", "chain", "inet", "lab", "input"]).stdout
    words = listing.split()
    return int(words[words.index("packets") + 1]) if "packets" in words else 0


# -- the coordinator ----------------------------------------------------------------------------


def test_coordinator_down_and_back(scene: Scene) -> None:
    mesh = scene.mesh
    mesh.coordinator.stop()
    answer = mesh.plx("check", scene.target, "--no-here")
    assert_error(answer, 4, "does not answer", "connection refused")
    answer = mesh.check(scene.target)
    assert_error(answer, 4)
    assert answer.document["schema"] == "parallax.error/1"
    assert_error(mesh.plx("nodes", "list"), 4, "does not answer")
    mesh.start_coordinator()
    assert_all_well(scene)
    assert mesh.stop() == []


def test_coordinator_down_shows_only_here(scene: Scene) -> None:
    """Without --no-here plx still tells what it sees itself, and says that this is not the mesh."""
    scene.mesh.coordinator.stop()
    answer = scene.mesh.plx("check", scene.target)
    assert_error(answer, 4, "does not answer", "here")


def test_coordinator_unreachable(scene: Scene) -> None:
    """A firewall that drops: silence instead of a reset."""
    port = scene.net.world.coordinator_port
    scene.net.nft("coordinator", "input", f"tcp dport {port} drop")
    assert_error(scene.mesh.plx("check", scene.target, "--no-here"), 4, "no answer")


def test_coordinator_killed_in_mid_run(scene: Scene) -> None:
    mesh = scene.mesh
    silence_target(scene)
    process, started = ask_in_background(scene)
    mesh.coordinator.stop(signal.SIGKILL)
    killed = time.monotonic()
    answer = finish(process, started)
    assert answer.exit == 4, answer.out + answer.err
    assert time.monotonic() - killed < AT_ONCE_S
    assert answer.document["schema"] in ("parallax.error/1", "parallax.run/1")
    scene.net.run("target", ["nft", "flush", "ruleset"])
    mesh.start_coordinator()
    mesh.wait_up(scene.everyone)
    answer = mesh.check(scene.target)
    assert answer.document["verdict"]["status"] == "reachable", answer.out + mesh.logs()
    assert mesh.stop() == []


def test_another_coordinator_with_another_key(scene: Scene) -> None:
    """Somebody else answers on the coordinator's address: nothing is told to him."""
    mesh = scene.mesh
    mesh.coordinator.stop()
    own, mesh.state = mesh.state, scene.net.lab.directory("impostor", nobody=True)
    mesh.initialise()
    mesh.start_coordinator()
    answer = mesh.plx("check", scene.target, "--no-here")
    assert_error(answer, 4, "another key")
    mesh.coordinator.stop()
    mesh.state = own
    mesh.start_coordinator()
    assert_all_well(scene)
    assert mesh.stop() == []


@pytest.mark.parametrize("mode", ["hold", "http", "noise", "close"])
def test_foreign_service_on_the_port(scene: Scene, mode: str) -> None:
    mesh = scene.mesh
    mesh.coordinator.stop()
    foreign = stand_in(scene.net, mode, "coordinator", scene.net.world.coordinator_port)
    answer = mesh.plx("check", scene.target, "--no-here")
    assert_error(answer, 4, "not a Parallax")
    foreign.stop(signal.SIGKILL)
    mesh.start_coordinator()
    assert_all_well(scene)


def test_random_bytes_at_the_port(scene: Scene, seed: str,
                                  record_property: Callable[[str, object], None]) -> None:
    """Garbage, half greetings and silence, from many connections: nothing grows, nobody notices."""
    mesh = scene.mesh
    assert_all_well(scene)
    before = mesh.rss_kb(mesh.coordinator)
    address = str(scene.net.address("coordinator"))
    for round_ in range(3):
        done = scene.net.run(scene.everyone[0], [
            PYTHON, "-B", str(Path(__file__).with_name("garbage.py")), address,
            str(scene.net.world.coordinator_port), f"{seed} {round_}"], timeout=60)
        print(done.stdout)
    assert mesh.check(scene.target).exit == 0
    after = mesh.rss_kb(mesh.coordinator)
    record_property("coordinator RSS before and after garbage, kB", (before, after))
    assert after < before + (24 if sanitized() else 8) * 1024
    assert mesh.stop() == []


# -- tokens and names ---------------------------------------------------------------------------


def join(scene: Scene, token: str, name: str) -> tuple[int, str]:
    """A further node on the first vantage's machine; (exit status, what it said) once it ended."""
    state = scene.net.lab.directory(f"extra-{name}-{len(scene.net.lab.processes)}", nobody=True)
    process = scene.net.lab.start(
        scene.everyone[0], f"extra-{len(scene.net.lab.processes)}",
        [str(scene.mesh.bin / "parallax-node"), "run", "--state", str(state), "--name", name,
         "--join", token], nobody=True, binds=scene.net.binds, env=scene.mesh.env)
    wait_until(lambda: not process.alive(), AT_ONCE_S, lambda: f"still runs:\n{process.tail()}")
    return process.stop(), process.text()


def test_expired_token(scene: Scene) -> None:
    token = scene.mesh.token("node", "--ttl", "1s")
    time.sleep(1.2)  # the one thing that only time can do to a token
    status, text = join(scene, token, "late")
    assert status == 4 and "token ended" in text, text
    operator = scene.mesh.token("operator", "--ttl", "1s")
    time.sleep(1.2)
    assert_error(scene.mesh.plx("context", "add", "late", operator), 4, "token ended")


def test_used_token(scene: Scene) -> None:
    token = scene.mesh.token("operator", "--uses", "1")
    assert scene.mesh.plx("context", "add", "first", token).exit == 0
    assert_error(scene.mesh.plx("--config", str(scene.mesh.operator / "other.yml"), "context", "add",
                                "second", token), 4, "token")


def test_token_of_the_wrong_kind(scene: Scene) -> None:
    """A node token starts no probes: it cannot become an operator."""
    answer = scene.mesh.plx("context", "add", "sly", scene.mesh.token("node"))
    assert answer.exit in (2, 4) and "token" in answer.err, answer.err


def test_damaged_token(scene: Scene, rng: random.Random) -> None:
    token = scene.mesh.token("operator")
    place = rng.randrange(5, len(token))
    damaged = token[:place] + ("a" if token[place] != "a" else "b") + token[place + 1:]
    for bad in (damaged, token[:-5], "plu1-", "nonsense"):
        answer = scene.mesh.plx("context", "add", "bad", bad)
        assert answer.exit in (2, 4) and answer.err, f"{bad}: {answer}"


def test_name_taken(scene: Scene) -> None:
    taken = scene.everyone[1]
    status, text = join(scene, scene.mesh.token("node"), taken)
    assert status == 2 and taken in text and "another key" in text, text
    assert_all_well(scene)


# -- nodes ------------------------------------------------------------------------------------


def test_node_killed_in_mid_run(scene: Scene) -> None:
    """Its absence is told, the others' evidence counts, nobody waits for it."""
    silence_target(scene)
    process, started = ask_in_background(scene)
    victim = scene.everyone[0]
    scene.mesh.nodes[victim].stop(signal.SIGKILL)
    answer = finish(process, started)
    document = answer.document
    assert document["coverage"]["away"] == [victim], document["coverage"]
    assert document["coverage"]["reported"] == len(scene.everyone) - 1
    causes = {f["cause"] for f in document["verdict"]["findings"]}
    assert "port-filtered" in causes and answer.exit == 1, answer.out
    assert not any(victim in f["affected"] for f in document["verdict"]["findings"]
                   if f["scope"] != "vantage")
    scene.mesh.start_node(victim)
    scene.mesh.wait_up(scene.everyone)
    assert scene.mesh.stop() == []


def test_interrupted_check(scene: Scene) -> None:
    """Ctrl-C: no verdict, exit 130, and the coordinator goes on."""
    silence_target(scene)
    process, started = ask_in_background(scene)
    process.send_signal(signal.SIGINT)
    interrupted = time.monotonic()
    answer = finish(process, started)
    assert answer.exit == 130, answer.out + answer.err
    assert time.monotonic() - interrupted < 2
    scene.net.run("target", ["nft", "flush", "ruleset"])
    answer = scene.mesh.check(scene.target)
    assert answer.document["verdict"]["status"] == "reachable", answer.out
    assert scene.mesh.stop() == []


def test_node_restarts_where_it_was(scene: Scene) -> None:
    """A node that is started again needs no token, and its strikes are not forgotten."""
    victim = scene.everyone[0]
    first = scene.mesh.check(scene.target, "--fresh").document
    used = {r["vantage"]: r["strikes"]["used"] for r in first["results"] if "strikes" in r}
    scene.mesh.kill_nodes([victim])
    scene.mesh.start_node(victim)
    scene.mesh.wait_up(scene.everyone)
    second = scene.mesh.check(scene.target, "--fresh").document
    again = {r["vantage"]: r["strikes"]["used"] for r in second["results"] if "strikes" in r}
    assert used[victim] == 1 and again[victim] == 2
