# SPDX-License-Identifier: MIT
"""What is true in a broken world, and whether a verdict (JSON parallax.run/1) says so.

Some truths look the same on the wire from outside (a host that is off, a firewall that drops all).
There the other cause is accepted too, but neither of them may then be called confirmed unless it is
the true one: a wrong `confirmed` is the one thing that must never happen.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

EXITS = {"reachable": 0, "partial": 1, "unreachable": 1, "inconclusive": 3}


@dataclass(frozen=True)
class Expected:
    """One finding that has to be there."""
    scope: str
    cause: str
    affected: frozenset[str]
    also: frozenset[tuple[str, str]] = frozenset()  # (scope, cause) that nobody could tell apart

    def accepts(self, finding: dict[str, Any]) -> bool:
        said = (finding["scope"], finding["cause"])
        return said == (self.scope, self.cause) or said in self.also

    def __str__(self) -> str:
        return f"{self.scope}/{self.cause} at {' '.join(sorted(self.affected))}"


@dataclass(frozen=True)
class Truth:
    words: str                         # for people, printed after the verdict of a demonstration
    status: str
    findings: tuple[Expected, ...] = ()
    optional: tuple[Expected, ...] = ()  # may be said or not

    @property
    def exit(self) -> int:
        return EXITS[self.status]


def expect(scope: str, cause: str, affected: Iterable[str], *also: str) -> Expected:
    """Shorthand; `also` as "scope/cause"."""
    pairs = frozenset(tuple(word.split("/", 1)) for word in also)
    return Expected(scope, cause, frozenset(affected), pairs)


def describe(finding: dict[str, Any]) -> str:
    return (f"{finding['scope']}/{finding['cause']} at {' '.join(finding['affected'])} "
            f"({finding['certainty']}, scope {finding['scope_certainty']})")


def _overclaims(finding: dict[str, Any], expected: Expected | None) -> list[str]:
    """Confirmed, but not so."""
    wrong = []
    if finding["scope_certainty"] == "confirmed" and (
            expected is None or finding["scope"] != expected.scope):
        wrong.append(f"wrong scope is confirmed: {describe(finding)}")
    exact = (expected is not None and finding["scope"] == expected.scope
             and finding["cause"] == expected.cause
             and set(finding["affected"]) == expected.affected)
    if finding["certainty"] == "confirmed" and not exact:
        wrong.append(f"a wrong finding is confirmed: {describe(finding)}")
    if finding["certainty"] == "confirmed" and finding.get("ambiguous_with"):
        wrong.append(f"confirmed although ambiguous: {describe(finding)}")
    return wrong


def _find(finding: dict[str, Any], expected: list[Expected]) -> Expected | None:
    """The expectation that this finding meets best: by cause and set, else by set, else by cause."""
    affected = set(finding["affected"])
    for fits in (lambda e: e.accepts(finding) and affected == e.affected,
                 lambda e: affected == e.affected, lambda e: e.accepts(finding)):
        for candidate in expected:
            if fits(candidate):
                return candidate
    return None


def _compare_finding(finding: dict[str, Any], expected: Expected) -> list[str]:
    wrong = []
    if not expected.accepts(finding):
        wrong.append(f"said {describe(finding)}, true is {expected}")
    if set(finding["affected"]) != expected.affected:
        wrong.append(f"affected {sorted(finding['affected'])}, true is {sorted(expected.affected)}")
    if finding["cause"] != expected.cause and expected.accepts(finding):
        named = {*finding.get("ambiguous_with", ()),
                 *(a["cause"] for a in finding.get("alternatives", ()))}
        if expected.cause not in named:
            wrong.append(f"{describe(finding)} does not even name {expected.cause}")
    return wrong


def compare(document: dict[str, Any], truth: Truth, exit_code: int) -> list[str]:
    """Everything that the verdict gets wrong; empty if nothing."""
    verdict = document["verdict"]
    wrong = []
    if verdict["status"] != truth.status:
        wrong.append(f"status {verdict['status']}, true is {truth.status}")
    if exit_code != truth.exit:
        wrong.append(f"exit code {exit_code}, should be {truth.exit}")
    missing, optional = list(truth.findings), list(truth.optional)
    for finding in verdict["findings"]:
        expected = _find(finding, missing) or _find(finding, optional)
        wrong += _overclaims(finding, expected)
        if expected is None:
            wrong.append(f"surplus finding: {describe(finding)}")
            continue
        wrong += _compare_finding(finding, expected)
        (missing if expected in missing else optional).remove(expected)
    wrong += [f"missing finding: {expected}" for expected in missing]
    return wrong
