# SPDX-License-Identifier: MIT
"""Real faults, the real programs, and what they must say: scope, cause, exactly who is affected, and
nothing wrong confirmed. One row of SCENARIOS is one scenario; each draws its own world.
"""
from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest

from faults import FAULTS
from machines import Lab
from mesh import Answer, programs_missing
from scene import open_scene, world_with_room
from truth import Truth, compare


@dataclass(frozen=True)
class Scenario:
    fault: str
    vantages: int = 5
    kind: str = ""       # addressing; empty = drawn
    repeat: str = ""     # tells apart rows with the same fault

    @property
    def name(self) -> str:
        return "-".join(filter(None, [self.fault, self.kind, self.repeat]))


SCENARIOS = [
    Scenario("none"),
    Scenario("none", vantages=12, repeat="many"),
    Scenario("down"),
    Scenario("other-port"),
    Scenario("host-down"),
    Scenario("host-silent"),
    Scenario("drop"),
    Scenario("drop-everything"),
    Scenario("reject"),
    Scenario("reset"),
    Scenario("filter"),
    Scenario("filter", vantages=7, repeat="more"),
    Scenario("filter-all"),
    Scenario("ban", kind="public4"),
    Scenario("ban", kind="public6"),
    Scenario("ban-lonely"),
    Scenario("ban-other"),
    Scenario("ban-drop"),
    Scenario("transit"),
    Scenario("transit", vantages=7, repeat="more"),
    Scenario("no-route"),
    Scenario("loop"),
    Scenario("prohibited"),
    Scenario("hung"),
    Scenario("closing"),
    Scenario("wrong-service"),
    Scenario("vantage-no-route"),
    Scenario("offline"),
    Scenario("all-offline"),
    Scenario("ban+transit", vantages=7),
    Scenario("no-such-name"),
]

# Those whose evidence comes at once: the sanitized programs run these every time.
QUICK = {"none", "down", "reject", "reset", "ban", "ban-lonely", "loop", "prohibited", "closing", "offline",
         "all-offline", "vantage-no-route", "no-such-name"}
ROWS = [pytest.param(s, id=s.name, marks=[pytest.mark.quick] if s.fault in QUICK else [])
        for s in SCENARIOS]

pytestmark = pytest.mark.skipif(bool(programs_missing()),
                                reason=f"not built: {' '.join(programs_missing())}")


def keep_case(name: str, answer: Answer, truth: Truth, wrong: list[str]) -> None:
    """PARALLAX_CASES=DIR keeps the documents of wrong verdicts, for whoever works on the judge."""
    folder = os.environ.get("PARALLAX_CASES")
    if folder and wrong:
        path = Path(folder) / f"{name}.json"
        path.write_text(answer.out)
        path.with_suffix(".txt").write_text("\n".join([truth.words, *wrong, "", answer.err]))


def timing(answer: Answer) -> str:
    document = answer.document
    return (f"{answer.seconds * 1000:.0f} ms from exec to exit, took_ms {document['took_ms']:.0f}, "
            f"rounds {document['rounds']}")


@pytest.mark.parametrize("scenario", ROWS)
def test_scenario(scenario: Scenario, lab: Lab, seed: str,
                  record_property: Callable[[str, object], None]) -> None:
    fault = FAULTS[scenario.fault]
    world = world_with_room(seed, scenario.vantages, scenario.kind, fault.branch_hops)
    print(world.describe())
    scene = open_scene(lab, world)
    truth = fault.apply(scene)
    print(truth.words)
    answer = scene.mesh.check(scene.target)
    wrong = compare(answer.document, truth, answer.exit)
    keep_case(f"{scenario.name}-{seed}", answer, truth, wrong)
    record_property("timing", timing(answer))
    print(timing(answer))
    assert wrong == [], f"{truth.words}\n{json.dumps(answer.document['verdict'], indent=1)}"
    if scene.fail2ban:  # looking must not get anybody banned, not even by the strictest filter
        assert len(scene.fail2ban.banned()) == 1
    assert answer.document["schema"] == "parallax.run/1"
    assert scene.mesh.stop() == []
