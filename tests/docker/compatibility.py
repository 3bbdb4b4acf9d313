"""Which feature was shown to work on which version: gathered while the tests run, written as a table.

A test says what it shows by `@pytest.mark.shows("feature")`, and on which versions by its parameter `pair` or
`version`. A mark in the table is set by a test that passed in this run, and by nothing else; a feature with a failure
gets a cross, one that was skipped a dash. With $LDAPREPL_COMPATIBILITY the table is written to that file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "LDAPREPL_COMPATIBILITY"
SINGLE = ("2.4", "2.5", "2.6", "389 DS")
_RESULTS: dict[tuple[str, str], str] = {}
_REASONS: dict[tuple[str, str], str] = {}
_SIGNS = {"passed": "✓", "failed": "✗", "skipped": "–"}
_WORST = ("failed", "skipped", "passed")
HEAD = """# Compatibility

Written by `make test-docker`: a ✓ was set by a test that ran and passed, on servers in containers of Debian releases;
nothing here is written by hand. ✗: a test failed. –: it could not be tried there, see below. Empty: no test claims it.

"""


@dataclass(frozen=True)
class Pair:
    """Provider and consumer by version."""

    provider: str
    consumer: str

    def __str__(self) -> str:
        return self.provider if self.provider == self.consumer else f"{self.provider} → {self.consumer}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call" or report.outcome != "passed":
        for mark in item.iter_markers("shows"):
            note(mark.args[0], item, report)
    return report  # type: ignore[return-value]  # the old pluggy type of a wrapper


def note(feature: str, item: pytest.Item, report: pytest.TestReport) -> None:
    values = item.callspec.params if hasattr(item, "callspec") else {}
    column = str(values.get("pair") or values.get("version") or "")
    key = (feature, column)
    _RESULTS[key] = min(_RESULTS.get(key, "passed"), report.outcome, key=_WORST.index)
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        _REASONS[key] = report.longrepr[2].removeprefix("Skipped: ")


def pytest_sessionfinish() -> None:
    if path := os.environ.get(VARIABLE):
        Path(path).write_text(text(), encoding="utf-8")


def text() -> str:
    """The whole document."""
    columns = sorted({column for _, column in _RESULTS}, key=lambda column: (" → " in column, column))
    parts = [HEAD]
    for title, chosen in (
        ("One version", [each for each in columns if each in SINGLE]),
        ("Two versions (provider → consumer)", [each for each in columns if " → " in each]),
        ("Any version", [each for each in columns if not each]),
    ):
        if chosen:
            parts += [f"## {title}\n\n", table(chosen), "\n"]
    notes = sorted({f"- {feature}, {column or 'any'}: {why}\n" for (feature, column), why in _REASONS.items()})
    return "".join([*parts, *(["## Not tried\n\n", *notes] if notes else [])])


def table(columns: list[str]) -> str:
    heads = [column or "shown" for column in columns]
    lines = ["| feature | " + " | ".join(heads) + " |\n", "|---" * (len(columns) + 1) + "|\n"]
    for feature in dict.fromkeys(feature for feature, column in _RESULTS if column in columns):
        cells = [_SIGNS.get(_RESULTS.get((feature, column), ""), "") for column in columns]
        lines.append(f"| {feature} | " + " | ".join(cells) + " |\n")
    return "".join(lines)
