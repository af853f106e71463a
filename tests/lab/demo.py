#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The demonstration of deploy/quickstart: an internet in this computer, a real fault, the verdict.

Everything runs inside namespaces that end with this program. Exit: 0 the verdict was true, 1 it was
not, 2 wrong use, 130 interrupted.
"""
from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import machines
from draw import World
from faults import FAULTS, Fault
from mesh import Mesh
from scene import Scene, open_scene, world_with_room
from truth import Truth, compare

DEFAULT_FAULT = "ban"
VANTAGES = 6
STARTED = time.monotonic()


def say(text: str) -> None:
    """A progress line: stderr, so that stdout holds the answer alone."""
    print(f"  {time.monotonic() - STARTED:5.1f}s  {text}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="quickstart", description=__doc__)
    parser.add_argument("--fault", default=DEFAULT_FAULT, help="name, random or list")
    parser.add_argument("--seed", default="", help="repeat an earlier demonstration")
    return parser.parse_args()


def choose(name: str, seed: str) -> Fault:
    if name == "random":
        return random.Random(f"fault {seed}").choice(list(FAULTS.values()))
    if name in FAULTS:
        return FAULTS[name]
    print(f'quickstart: no fault "{name}"\n            known: random {" ".join(FAULTS)}',
          file=sys.stderr)
    sys.exit(2)


def picture(world: World) -> Iterator[str]:
    for branch in world.branches:
        vantages = ", ".join(f"{v} {world.vantages[v].address}" for v in branch.vantages)
        routers = "-".join("o" * len(branch.routers))
        yield f"AS{branch.asn} {branch.prefix}: {vantages} --{routers}-- core"
    edges = "-".join("o" * len(world.edge_routers))
    yield f"core --{edges}-- target {world.target_argument()} ({world.target}), a real sshd"


def prepare(lab: machines.Lab, world: World) -> Scene:
    say(f"an internet of {len(world.vantages)} vantages in {len(world.branches)} networks "
        f"(seed {world.seed})")
    for line in picture(world):
        say("    " + line)
    scene = open_scene(lab, world, programs=False)
    say(f"{len(lab.namespaces)} machines are up (network namespaces), everybody reaches everybody")
    scene.mesh = Mesh(scene.net).start()
    say(f"a coordinator and {len(world.vantages)} nodes run, without any privileges")
    return scene


def ask(scene: Scene) -> tuple[int, Path]:
    """plx as a person would call it, its answer straight to our stdout."""
    mesh = scene.mesh
    document = mesh.operator / "answer.json"
    command = mesh.command("check", scene.target, "--no-here", "-o", "table", "-o",
                           f"json={document}")
    print(f"\n$ plx check {scene.target}", flush=True)
    environment = {**mesh.env, **{k: os.environ[k] for k in ("TERM", "NO_COLOR", "LANG", "COLUMNS")
                                  if k in os.environ}}
    return subprocess.call(command, env=environment), document


def conclude(truth: Truth, document: Path, status: int) -> int:
    wrong = compare(json.loads(document.read_text()), truth, status)
    print(f"\nTRUTH     {truth.words}")
    if not wrong:
        print("          the verdict is true")
        return 0
    print("          the verdict is WRONG:\n" + "\n".join(f"          {line}" for line in wrong))
    return 1


def demonstrate(fault: Fault, secret: bool, seed: str) -> int:
    with machines.Lab() as lab:
        scene = prepare(lab, world_with_room(seed, VANTAGES, hops=fault.branch_hops))
        say("now a fault that you will learn after the verdict" if secret
            else f"now fault \"{fault.name}\": {fault.sentence}")
        truth = fault.apply(scene)
        say("done; asking")
        status, document = ask(scene)
        if status in (2, 4) or not document.exists():
            print(f"quickstart: plx ended with {status}\n{scene.mesh.logs()}", file=sys.stderr)
            return 1
        result = conclude(truth, document, status)
        scene.mesh.stop()
    say("everything is removed again")
    return result


def main() -> int:
    options = arguments()
    if options.fault == "list":
        for fault in FAULTS.values():
            print(f"{fault.name:18} {fault.sentence}")
        return 0
    seed = options.seed or secrets.token_hex(3)
    fault = choose(options.fault, seed)
    machines.end_cleanly_on_signals()
    problem = machines.unavailable()
    if problem:
        print(f"quickstart: the demonstration cannot run: {problem}", file=sys.stderr)
        return 2
    try:
        return demonstrate(fault, options.fault == "random", seed)
    except KeyboardInterrupt:
        say("interrupted; everything is removed again")
        return 130
    except machines.LabError as error:
        print(f"quickstart: the demonstration itself failed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
