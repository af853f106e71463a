# SPDX-License-Identifier: MIT
"""Owner of everything the lab creates on this computer: network namespaces, processes, a scratch
directory. Whatever happens (failure, Ctrl-C, SIGTERM) all of it is ended by id and removed.

Nothing outside is touched: every process runs inside a namespace of ours, files are bound into its
private mount namespace (which `ip netns exec` makes), and the kernel kills it should we be killed.
"""
from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterable, Iterator, Optional, Sequence

NOBODY = 65534
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
UNPRIVILEGED = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
# Binds files over others, then becomes the command: $1 = pairs "from onto", one per line.
BINDING = ('printf "%s\\n" "$1" | while read -r from onto; do [ -z "$from" ] || '
           'mount --bind "$from" "$onto" || exit 1; done; shift; exec "$@"')

_open_labs: list["Lab"] = []


class LabError(Exception):
    """A command of the lab itself failed: no statement about the programs under test."""


class Process:
    """A program running inside a namespace, its output in a file."""

    def __init__(self, name: str, popen: subprocess.Popen, log: Path) -> None:
        self.name, self.popen, self.log = name, popen, log
        self.expected_end = False

    @property
    def pid(self) -> int:
        return self.popen.pid

    def alive(self) -> bool:
        return self.popen.poll() is None

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: int) -> None:
        if self.alive():
            self.popen.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 10.0) -> int:
        """Ask it to end, insist after the timeout; returns its exit status (negative: a signal)."""
        self.expected_end = True
        self.send(number)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def wait_for(self, words: str, timeout: float = 15.0) -> None:
        """Until the log holds these words; a LabError with the log's end if it does not happen."""
        def seen() -> bool:
            if words in self.text():
                return True
            if not self.alive():
                raise LabError(f"{self.name} ended with {self.popen.returncode}:\n{self.tail()}")
            return False
        wait_until(seen, timeout, lambda: f"{self.name} did not say {words!r}:\n{self.tail()}")

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.text().splitlines()[-lines:])


def wait_until(condition: Callable[[], bool], timeout: float, failure: Callable[[], str]) -> None:
    """Wait for a condition, not for a time; LabError(failure()) when the timeout is over."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(failure())
        time.sleep(0.01)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Cleaning up is not cut short by a second Ctrl-C: signals wait until it is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Lab:
    """Namespaces and processes of one internet; close() ends and removes them all."""

    def __init__(self) -> None:
        self.tag = "px" + secrets.token_hex(2)
        self.namespaces: list[str] = []
        self.processes: list[Process] = []
        self.scratch = Path(tempfile.gettempdir()) / f"parallax-lab-{self.tag}"
        _open_labs.append(self)
        self.scratch.mkdir(mode=0o755)
        os.chmod(self.scratch, 0o755)

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def namespace(self, machine: str) -> str:
        return f"{self.tag}-{machine}"

    def add_machines(self, machines: Iterable[str]) -> None:
        names = [self.namespace(machine) for machine in machines]
        self.namespaces += names  # before they exist: an interrupt must not lose them
        self.batch("".join(f"netns add {name}\n" for name in names))

    def batch(self, commands: str, machine: Optional[str] = None) -> None:
        """Many `ip` commands in one go, inside a machine or (only for cables) outside."""
        inside = ["-n", self.namespace(machine)] if machine else []
        done = subprocess.run(["ip", *inside, "-batch", "-"], input=commands, text=True,
                              capture_output=True)
        if done.returncode:
            raise LabError(f"ip {' '.join(inside)}: {done.stderr.strip()}\n{commands}")

    def command(self, machine: str, argv: Sequence[str], *, nobody: bool = False,
                binds: Sequence[tuple[Path, str]] = ()) -> list[str]:
        """argv, wrapped to run inside the machine, dying with us."""
        wrapped = [*DIES_WITH_US, *(UNPRIVILEGED if nobody else []), "--", *argv]
        if binds:
            pairs = "\n".join(f"{source} {onto}" for source, onto in binds)
            wrapped = ["sh", "-c", BINDING, "sh", pairs, *wrapped]
        return ["ip", "netns", "exec", self.namespace(machine), *wrapped]

    def run(self, machine: str, argv: Sequence[str], *, check: bool = True, timeout: float = 60,
            text_in: Optional[str] = None, nobody: bool = False,
            binds: Sequence[tuple[Path, str]] = (),
            env: Optional[dict[str, str]] = None) -> subprocess.CompletedProcess:
        done = subprocess.run(self.command(machine, argv, nobody=nobody, binds=binds), text=True,
                              input=text_in, capture_output=True, timeout=timeout, env=env,
                              stdin=subprocess.DEVNULL if text_in is None else None,
                              start_new_session=True)
        if check and done.returncode:
            raise LabError(f"{machine}: {' '.join(argv)}: exit {done.returncode}\n{done.stderr}")
        return done

    def start(self, machine: str, name: str, argv: Sequence[str], *, nobody: bool = False,
              binds: Sequence[tuple[Path, str]] = (),
              env: Optional[dict[str, str]] = None) -> Process:
        log = self.scratch / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(self.command(machine, argv, nobody=nobody, binds=binds),
                                     stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                     env=env, start_new_session=True)
        process = Process(name, popen, log)
        self.processes.append(process)
        return process

    def directory(self, name: str, nobody: bool = False) -> Path:
        """A directory of the scratch space, for nobody's eyes only if asked."""
        path = self.scratch / name
        path.mkdir(mode=0o755, exist_ok=True)
        if nobody:
            os.chown(path, NOBODY, NOBODY)
            os.chmod(path, 0o700)
        return path

    def fallen(self) -> list[str]:
        """Processes that ended by themselves: what they said last."""
        return [f"{p.name} ended with {p.popen.returncode}\n{p.tail()}" for p in self.processes
                if not p.alive() and not p.expected_end]

    def close(self) -> None:
        if self not in _open_labs:
            return
        with uninterrupted():
            for process in self.processes:
                process.send(signal.SIGKILL)
            for process in self.processes:
                process.popen.wait()
            for name in self.namespaces:
                _empty(name)
            commands = "".join(f"netns del {name}\n" for name in self.namespaces if _exists(name))
            subprocess.run(["ip", "-force", "-batch", "-"], input=commands, text=True,
                           capture_output=True)
            shutil.rmtree(self.scratch, ignore_errors=True)
            _open_labs.remove(self)


def _exists(namespace: str) -> bool:
    return Path("/run/netns", namespace).exists()


def pids_in(namespace: str) -> list[int]:
    done = subprocess.run(["ip", "netns", "pids", namespace], text=True, capture_output=True)
    return [int(word) for word in done.stdout.split()]


def _empty(namespace: str) -> None:
    """Kill whatever still runs inside: children of daemons that we never knew."""
    deadline = time.monotonic() + 5
    while _exists(namespace) and time.monotonic() < deadline:
        pids = pids_in(namespace)
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _close_all() -> None:
    for lab in list(_open_labs):
        lab.close()


def _on_ending_signal(number: int, _frame: object) -> None:
    """Unwind once; whoever is impatient meanwhile (a terminal signals twice) cannot cut it short."""
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def end_cleanly_on_signals() -> None:
    """Turn signals that end a program into an orderly unwinding."""
    for number in ENDING:
        signal.signal(number, _on_ending_signal)


atexit.register(_close_all)


def unavailable() -> str:
    """Why the lab cannot run here; empty if it can."""
    if os.geteuid() != 0:
        return "not root: network namespaces need it"
    for program in ("ip", "setpriv", "nft", "iptables", "sshd", "ssh", "fail2ban-server"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"{program} is not installed (deploy/install-packages demo)"
    name = "px" + secrets.token_hex(3)
    done = subprocess.run(["ip", "netns", "add", name], text=True, capture_output=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return f"ip netns add: {done.stderr.strip()}" if done.returncode else ""
