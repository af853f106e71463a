# SPDX-License-Identifier: MIT
"""Seeds, skips and the parts that every lab test shares."""
from __future__ import annotations

import os
import random
import secrets
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import machines  # noqa: E402

WHY_NOT = machines.unavailable()


def pytest_configure(config: pytest.Config) -> None:
    machines.end_cleanly_on_signals()
    config.addinivalue_line("markers", "unprivileged: needs neither root nor namespaces")
    config.addinivalue_line("markers", "quick: a scenario whose evidence comes at once")
    config.addinivalue_line("markers", "alone: measures, or loads the machine: no other test beside")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root or namespaces the lab is skipped, with the reason, and counted as skipped."""
    for item in items:
        if WHY_NOT and "unprivileged" not in item.keywords:
            item.add_marker(pytest.mark.skip(reason=WHY_NOT))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Figures that tests recorded: printed, not asserted, because machines differ."""
    for report in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", []):
        for key, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {key} {value}")
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped and os.environ.get("PARALLAX_NO_SKIP"):
        terminalreporter.write_line(f"FAILED: {skipped} skipped, but the lab can run here")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where the lab can run, a skip is a failure (PARALLAX_NO_SKIP, set by tests/run)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and os.environ.get("PARALLAX_NO_SKIP"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_report_header() -> str:
    return f"lab: {WHY_NOT or 'namespaces work'}; PARALLAX_SEED={os.environ.get('PARALLAX_SEED')}"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """Drawn anew for every test and every run; printed, so shown with a failure."""
    drawn = os.environ.get("PARALLAX_SEED") or secrets.token_hex(4)
    print(f"\nPARALLAX_SEED={drawn}   (repeats {request.node.name} exactly)")
    return drawn


@pytest.fixture
def rng(seed: str) -> random.Random:
    return random.Random(f"place {seed}")


@pytest.fixture
def lab() -> Iterator[machines.Lab]:
    with machines.Lab() as opened:
        yield opened
