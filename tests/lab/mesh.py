# SPDX-License-Identifier: MIT
"""The real programs in a lab: a coordinator, an unprivileged node on every vantage, plx.

Started by nothing but their documented command lines, as any script would. Nodes, coordinator and
plx run as nobody, without capabilities.
"""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Optional

from internet import Internet
from machines import LabError, Process, wait_until

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("parallax-coordinator", "parallax-node", "plx")
SANITIZER = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "UndefinedBehavior")
START_TIMEOUT_S = 30.0


def binaries() -> Path:
    """Where the programs under test are: PARALLAX_BIN, else the debug build."""
    return Path(os.environ.get("PARALLAX_BIN") or ROOT / "build" / "dev")


def programs_missing() -> list[str]:
    return [name for name in PROGRAMS if not (binaries() / name).exists()]


def sanitized() -> bool:
    """Are the programs built with the address sanitizer?"""
    return b"__asan_init" in (binaries() / PROGRAMS[0]).read_bytes()


@dataclass
class Answer:
    """What one call of plx gave."""
    exit: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout; an AssertionError that shows everything if it is not."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"exit {self.exit}, not one JSON document on stdout:\n{self.out}\n"
                                 f"stderr:\n{self.err}") from None


class Mesh:
    """Coordinator and nodes of one internet, and an operator who asks."""

    def __init__(self, net: Internet) -> None:
        self.net, self.lab = net, net.lab
        self.coordinator: Optional[Process] = None
        self.nodes: dict[str, Process] = {}
        self.bin = self._copy_programs()
        self.state = self.lab.directory("coordinator", nobody=True)
        self.operator = self.lab.directory("operator", nobody=True)
        self.env = self._environment()

    def _environment(self) -> dict[str, str]:
        """Ours without what would configure the programs, and a home that nobody may write to.
        Sanitized programs keep little of what was freed, so that growth can be told."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PARALLAX_")}
        return {**inherited, "HOME": str(self.operator),
                "XDG_STATE_HOME": str(self.operator / "state"),
                "XDG_CONFIG_HOME": str(self.operator / "config"),
                "PARALLAX_CONFIG": str(self.operator / "config.yml"), "LC_ALL": "C.UTF-8",
                "ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=1", "UBSAN_OPTIONS": "print_stacktrace=1"}

    def _copy_programs(self) -> Path:
        """Into the scratch space: nobody may not be allowed to reach the build directory."""
        target = self.lab.directory("bin")
        for name in PROGRAMS:
            shutil.copy(binaries() / name, target / name)
            os.chmod(target / name, 0o755)
        return target

    @property
    def listen(self) -> str:
        address = str(self.net.address("coordinator"))
        host = f"[{address}]" if ":" in address else address
        return f"tcp://{host}:{self.net.world.coordinator_port}"

    # -- starting and ending ----------------------------------------------------------------

    def initialise(self) -> None:
        """Keys and an empty store for a coordinator."""
        self._coordinator("init", "--listen", self.listen)

    def start(self) -> "Mesh":
        self.initialise()
        self.start_coordinator()
        for name in self.net.world.names:
            self.start_node(name, self.token("node"))
        self.add_context(self.token("operator"))
        self.wait_up(self.net.world.names)
        return self

    def start_coordinator(self) -> None:
        self.coordinator = self.lab.start(
            "coordinator", f"coordinator-{len(self.lab.processes)}",
            [str(self.bin / "parallax-coordinator"), "run", "--state", str(self.state),
             "--listen", self.listen], nobody=True, binds=self.net.binds, env=self.env)
        self.coordinator.wait_for("ready", START_TIMEOUT_S)

    def _coordinator(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        argv = [str(self.bin / "parallax-coordinator"), words[0], "--state", str(self.state)]
        return self.net.run("coordinator", [*argv, *words[1:]], nobody=True, env=self.env,
                            check=check)

    def token(self, role: str, *more: str) -> str:
        return self._coordinator("token", "--role", role, *more).stdout.strip()

    def start_node(self, name: str, token: str = "", rename: str = "") -> Process:
        """Run the node of a vantage; with a token it joins first, else it goes on as it was."""
        world = self.net.world
        state = self.lab.directory(f"node-{name}", nobody=True)
        argv = [str(self.bin / "parallax-node"), "run", "--state", str(state), "--name",
                rename or name]
        for label in world.vantages[name].labels:
            argv += ["--label", label]
        if world.node_reference:
            host = str(self.net.address("reference"))
            host = f"[{host}]" if ":" in host else host
            argv += ["--reference", f"{host}:{world.reference_port}"]
        argv += ["--join", token] if token else []
        process = self.lab.start(name, f"node-{name}-{len(self.lab.processes)}", argv, nobody=True,
                                 binds=self.net.binds, env=self.env)
        self.nodes[name] = process
        return process

    def kill_nodes(self, names: Iterable[str]) -> None:
        """Without a farewell; the coordinator has noticed when this returns."""
        names = list(names)
        for name in names:
            self.nodes[name].stop(signal.SIGKILL)
        self.wait_state(names, "away")

    def stop(self) -> list[str]:
        """Orderly end of everything; returns complaints: bad exit codes, sanitizer reports."""
        complaints = self.lab.fallen()
        for process in [*self.nodes.values(), *([self.coordinator] if self.coordinator else [])]:
            ended_before = process.expected_end
            status = process.stop()
            if not ended_before and status != 0:
                complaints.append(f"{process.name}: exit {status} after SIGTERM\n{process.tail()}")
        for log in self.lab.scratch.glob("*.log"):
            text = log.read_text(errors="replace")
            if any(word in text for word in SANITIZER):
                complaints.append(f"{log.name}:\n{text[-4000:]}")
        return complaints

    # -- asking -----------------------------------------------------------------------------

    def add_context(self, token: str, name: str = "lab") -> None:
        answer = self.plx("context", "add", name, token)
        if answer.exit:
            raise LabError(f"plx context add: exit {answer.exit}\n{answer.out}{answer.err}")

    def command(self, *words: str, machine: str = "coordinator") -> list[str]:
        """The command line that runs plx as the operator, for those who need a Popen."""
        return self.lab.command(machine, [str(self.bin / "plx"), *words], nobody=True,
                                binds=self.net.binds)

    def plx(self, *words: str, timeout: float = 60, text_in: Optional[str] = None) -> Answer:
        started = time.monotonic()
        done = self.net.run("coordinator", [str(self.bin / "plx"), *words], nobody=True,
                            binds=self.net.binds, env=self.env, check=False, timeout=timeout,
                            text_in=text_in)
        answer = Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - started)
        if any(word in answer.err for word in SANITIZER) or answer.exit < 0 or answer.exit == 99:
            raise AssertionError(f"plx {' '.join(words)}: exit {answer.exit}\n{answer.err}")
        return answer

    def check(self, target: str, *more: str) -> Answer:
        return self.plx("check", target, "--no-here", "-o", "json", *more)

    def states(self) -> dict[str, str]:
        answer = self.plx("nodes", "list", "-o", "json")
        return {n["name"]: n["state"] for n in answer.document.get("nodes", [])}

    def wait_state(self, names: Iterable[str], state: str, timeout: float = 60) -> None:
        names = list(names)
        wait_until(lambda: all(self.states().get(n) == state for n in names), timeout,
                   lambda: f"not all of {names} are {state}: {self.states()}\n{self.logs()}")

    def wait_up(self, names: Iterable[str]) -> None:
        self.wait_state(names, "up")

    @staticmethod
    def rss_kb(process: Process) -> int:
        """Resident memory of a program now."""
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])

    def logs(self) -> str:
        return "\n".join(f"--- {p.name}\n{p.tail(8)}" for p in
                         [self.coordinator, *self.nodes.values()] if p)
