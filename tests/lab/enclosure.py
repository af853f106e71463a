#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command where nothing can be left behind: enclosure.py COMMAND ARGUMENT...

The command gets mount and process namespaces of its own and a private /run. Named network
namespaces, sockets and scratch files live in that /run, and when the command ends, or this program
is killed even by SIGKILL, the kernel takes all of it away.
"""
from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from types import FrameType
from typing import Callable, Optional

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 1 << 19
PR_SET_PDEATHSIG = 1
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SCRATCH = "/run/lab"

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    _must(_libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags),
                      options.encode()), f"mount {target}")


def _furnish() -> None:
    """The private parts of the file system, seen by nobody outside."""
    _mount("none", "/", "none", MS_REC | MS_SLAVE)
    _mount("proc", "/proc", "proc")
    outer = os.open(SCRATCH, os.O_PATH) if os.path.isdir(SCRATCH) else -1
    _mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    for path in (SCRATCH, "/run/sshd", "/run/lock"):
        os.mkdir(path, 0o755)
    if outer >= 0:  # within another enclosure: what is running may lie there
        _mount(f"/proc/self/fd/{outer}", SCRATCH, "none", MS_BIND)
        os.close(outer)
    os.environ["TMPDIR"] = SCRATCH


def _fork(child: Callable[[], int]) -> int:
    """A child that runs the function and exits with what it returns; returns its id."""
    pid = os.fork()
    if pid == 0:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os._exit(child())
    return pid


def _wait_and_forward(child: int) -> int:
    """Pass signals on to the child; returns its exit status. Takes in orphans on the way."""
    def on_signal(number: int, _frame: Optional[FrameType]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
    for number in FORWARDED:
        signal.signal(number, on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _become(argv: list[str]) -> int:
    for number in FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"enclosure: {argv[0]}: {error.strerror}", file=sys.stderr)
    return 127


def _first_process(argv: list[str]) -> int:
    """Process 1 of the enclosure, for which signals without a handler would get lost. When it ends
    the kernel ends everything else in there."""
    _furnish()
    return _wait_and_forward(_fork(lambda: _become(argv)))


def main(argv: list[str]) -> int:
    if not argv:
        print(__doc__, file=sys.stderr)
        return 2
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    try:
        _must(_libc.unshare(CLONE_NEWNS | CLONE_NEWPID), "unshare")
    except OSError as error:
        print(f"enclosure: {error} (root is needed)", file=sys.stderr)
        return 2
    return _wait_and_forward(_fork(lambda: _first_process(argv)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
