#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command where nothing can be left behind: enclosure.py COMMAND ARGUMENT...

The command gets mount and process namespaces of its own and a private /run. Named network
namespaces, sockets and scratch files live in that /run, and when the command ends, or this program
is killed even by SIGKILL, the kernel takes all of it away.
"""
from __future__ import annotations

import ctypes
import os
import signal
import sys
from types import FrameType
from typing import NoReturn, Optional

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_REC, MS_SLAVE = 0x4000, 1 << 19
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
    _mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    for path in (SCRATCH, "/run/sshd", "/run/lock"):
        os.mkdir(path, 0o755)
    os.environ["TMPDIR"] = SCRATCH


def _become(argv: list[str]) -> NoReturn:
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"enclosure: {argv[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


def _forward(child: int) -> None:
    """Signals from a terminal reach the whole group anyway; those sent to us alone are passed on."""
    def on_signal(number: int, _frame: Optional[FrameType]) -> None:
        os.kill(child, number)
    for number in FORWARDED:
        signal.signal(number, on_signal)


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
    child = os.fork()
    if child == 0:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _furnish()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        _become(argv)
    _forward(child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
