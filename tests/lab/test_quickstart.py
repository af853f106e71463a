# SPDX-License-Identifier: MIT
"""deploy/quickstart as a stranger runs it: every fault, interrupted at any moment, twice, as an
ordinary user; nothing of it stays on the machine.
"""
from __future__ import annotations

import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Iterable

import pytest

from faults import FAULTS
from machines import Lab, wait_until
from mesh import PROGRAMS, binaries, programs_missing
from scene import open_scene, world_with_room

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "deploy" / "quickstart"
SOURCES = ("CMakeLists.txt", "common", "proto", "probe-node", "coordinator", "cli", "deploy",
           "tests/lab")
pytestmark = pytest.mark.skipif(bool(programs_missing()),
                                reason=f"not built: {' '.join(programs_missing())}")


class Machine:
    """What a demonstration could leave on this computer. It runs in a network namespace, so that
    nobody else's sockets come and go in the one it sees."""

    def __init__(self, lab: Lab) -> None:
        self.mark = f"LAB_MARK={secrets.token_hex(8)}"
        self.lab = lab
        lab.add_machines(["computer"])

    @property
    def environment(self) -> dict[str, str]:
        """Of the demonstration: what it starts inherits the mark."""
        name, value = self.mark.split("=")
        return {**os.environ, name: value, "PARALLAX_BIN": str(binaries())}

    def command(self, *options: str) -> list[str]:
        return ["ip", "netns", "exec", self.lab.namespace("computer"), str(QUICKSTART), *options]

    def processes(self) -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (path / "environ").read_bytes():
                    found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    def state(self) -> dict[str, object]:
        """Things that are not processes."""
        units = subprocess.run(["systemctl", "list-unit-files", "--state=enabled", "--no-legend"],
                               text=True, capture_output=True).stdout
        sockets = self.lab.run("computer", ["ss", "-ltnuH"]).stdout
        return {"units": units, "netns directory": _names("/etc/netns"), "listening": sockets,
                "policy": _names("/usr/sbin", "policy-rc.d*")}


def _names(folder: str, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in Path(folder).glob(pattern))


@pytest.fixture
def machine(lab: Lab) -> Iterable[Machine]:
    """The test fails if anything is left."""
    found = Machine(lab)
    before = found.state()
    yield found
    wait_until(lambda: found.processes() == [], 10, lambda: f"left: {found.processes()}")
    assert found.state() == before


def demonstrate(machine: Machine, *options: str, timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run(machine.command(*options), env=machine.environment, text=True,
                          capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL,
                          start_new_session=True)


@pytest.mark.parametrize("fault", ["ban", "none", "filter", "down", "transit", "random"])
def test_demonstration(machine: Machine, fault: str, seed: str) -> None:
    done = demonstrate(machine, "--fault", fault, "--seed", seed)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "VERDICT" in done.stdout and "the verdict is true" in done.stdout, text
    assert done.stdout.index("VERDICT") < done.stdout.index("TRUTH"), text
    if fault == "random":
        assert "TRUTH" not in done.stderr and "after the verdict" in done.stderr, text


def test_twice(machine: Machine) -> None:
    for _ in range(2):
        done = demonstrate(machine)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"fail2ban .* has banned", done.stdout), done.stdout


def test_list_names_every_fault(machine: Machine) -> None:
    done = demonstrate(machine, "--fault", "list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(FAULTS)


@pytest.mark.parametrize("options, word", [
    (["--fault", "bann"], "no fault"), (["--fault"], "needs a value"), (["--bogus"], "no option"),
    (["a", "b"], "one TARGET"), (["a", "--fault", "ban"], "no TARGET")])
def test_wrong_use(machine: Machine, options: list[str], word: str) -> None:
    done = demonstrate(machine, *options)
    assert done.returncode == 2 and word in done.stderr, done.stderr


def interrupt(machine: Machine, number: int, after_s: float, group: bool) -> int:
    """Start, wait for the drawn moment, signal the program or (like a terminal) its whole group."""
    process = subprocess.Popen(machine.command("--fault", "drop"), env=machine.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(after_s)  # the moment is what is drawn, not a wait for something
    assert process.poll() is None
    (os.killpg if group else os.kill)(process.pid, number)
    return process.wait(20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("attempt", range(3))
def test_interrupted_at_a_random_moment(machine: Machine, number: int, attempt: int,
                                        rng: random.Random) -> None:
    """Even SIGKILL: the kernel takes the namespaces away with the processes."""
    after_s = rng.random() * [0.5, 2.0, 5.0][attempt]
    group = number == signal.SIGINT
    print(f"signal {number} after {after_s:.2f} s")
    assert interrupt(machine, number, after_s, group) != 0


# -- a target of one's own ------------------------------------------------------------------------


def clone_for_nobody(lab: Lab) -> Path:
    """The sources where an ordinary user may read, but not write, them."""
    clone = lab.directory("clone")
    for name in SOURCES:
        source, target = ROOT / name, clone / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    subprocess.run(["chmod", "-R", "a+rX,go-w", str(clone)], check=True)
    return clone


class Solo:
    """A machine with an sshd of its own, on which nobody runs quickstart."""

    def __init__(self, lab: Lab, seed: str) -> None:
        self.lab = lab
        self.scene = open_scene(lab, world_with_room(seed, vantages=4), programs=False)
        self.target = self.scene.net.world.target_argument()
        self.clone = clone_for_nobody(lab)
        self.tmp = lab.directory("tmp", nobody=True)
        self.env = {"PATH": os.environ["PATH"], "TMPDIR": str(self.tmp),
                    "HOME": str(lab.directory("home", nobody=True))}

    @property
    def quickstart(self) -> str:
        return str(self.clone / "deploy" / "quickstart")

    def run(self, target: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess:
        return self.lab.run("target", [self.quickstart, target], nobody=True, check=False,
                            timeout=timeout, binds=self.scene.net.binds, env={**self.env, **env})


def copied_programs(lab: Lab) -> str:
    folder = lab.directory("programs")
    for name in PROGRAMS:
        shutil.copy(binaries() / name, folder / name)
    return str(folder)


def test_own_target_as_ordinary_user(lab: Lab, seed: str) -> None:
    solo, programs = Solo(lab, seed), copied_programs(lab)
    done = solo.run(solo.target, PARALLAX_BIN=programs)
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "VERDICT" in done.stdout and "reachable" in done.stdout, text
    assert list(solo.tmp.iterdir()) == [], "temporary files are left"
    solo.scene.sshd.stop()
    done = solo.run(solo.target, PARALLAX_BIN=programs)
    assert done.returncode == 3 and "inconclusive" in done.stdout, done.stdout + done.stderr
    done = solo.run("ssh//nonsense", PARALLAX_BIN=programs)
    assert done.returncode == 2, done.stdout + done.stderr


def test_own_target_interrupted(lab: Lab, seed: str, rng: random.Random, machine: Machine) -> None:
    """A silent target makes it last; ended at a drawn moment, nothing of it runs on."""
    solo = Solo(lab, seed)
    solo.scene.net.nft("target", "output", f"tcp dport {solo.scene.net.world.port} drop")
    name, value = machine.mark.split("=")
    process = subprocess.Popen(lab.command("target", [solo.quickstart, solo.target], nobody=True,
                                           binds=solo.scene.net.binds),
                               env={**solo.env, "PARALLAX_BIN": copied_programs(lab), name: value},
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(rng.random() * 3)  # the moment is what is drawn
    os.killpg(process.pid, rng.choice([signal.SIGINT, signal.SIGTERM]))
    assert process.wait(20) in (130, 143, -signal.SIGINT, -signal.SIGTERM)
    assert list(solo.tmp.iterdir()) == []


@pytest.mark.alone
def test_from_the_sources(lab: Lab, seed: str, machine: Machine) -> None:
    """No build yet, a tree that the user cannot write to: built in his cache, once."""
    solo = Solo(lab, seed)
    cache = lab.directory("cache", nobody=True)
    done = solo.run(solo.target, timeout=600, XDG_CACHE_HOME=str(cache))
    assert done.returncode == 0, done.stdout + done.stderr
    built = list(cache.glob("parallax-build/*"))
    assert len(built) == 1 and (built[0] / "plx").exists() and not (solo.clone / "build").exists()
    done = solo.run(solo.target, timeout=20, XDG_CACHE_HOME=str(cache))
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([solo.quickstart, "--fault", "none"], text=True, capture_output=True,
                          env={**machine.environment, "PARALLAX_BIN": str(built[0])}, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
