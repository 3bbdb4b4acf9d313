"""The linter's own nouns: a rule, what it hit, a finding, and the loop that brings rules and sources together.

A rule is data (code, severity, what happens, the cure) and one small function that looks at everything that was given
(`lint_source.Estate`) and yields hits. Codes never change and are never given to another rule: LR1xx writing the
stanza, LR2xx timing, LR3xx what is copied, LR4xx the consumer's database, LR5xx identity and transport, LR6xx the
provider, LR7xx delta-syncrepl, LR8xx cn=config.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ldaprepl.domain.lint_source import Database, Estate, Source, Spot
from ldaprepl.domain.secret import STARS
from ldaprepl.domain.verdict import Problem
from ldaprepl.domain.words import Place


class Severity(StrEnum):
    """How bad, from harmless to worst; `--fail-on` counts from one of them upwards."""

    INFO = "info"  # worth knowing
    WARNING = "warning"  # works badly
    ERROR = "error"  # does not start, or never replicates
    SECURITY = "security"
    DATA_LOSS = "data-loss"  # loses data, or lets the copies differ for good

    @property
    def rank(self) -> int:
        """Position in that order."""
        return _ORDER.index(self)


_ORDER: Final = tuple(Severity)
_SECRET: Final = re.compile(
    r'((?:credential|passw|secret|pwd)\w*\s*[=:]\s*)(?!\*{8}|VALUE|"?\.\.\.)\S.*', re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule applies. `said` is one sentence on this very place, without a full stop.

    `cure` is text to paste and `happens` what follows; both default to the rule's own words. No text holds a secret.
    """

    place: Place
    said: str
    cure: str = ""
    happens: str = ""
    severity: Severity | None = None


Check = Callable[[Estate], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `happens` and `cure` are plain sentences; `check` is absent where only a live server can tell."""

    code: str
    severity: Severity
    title: str
    happens: str
    cure: str
    check: Check | None = None

    @property
    def live(self) -> bool:
        """Decided by asking servers (`lint_live`), not from files."""
        return self.check is None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a report shows of one hit."""

    code: str
    severity: Severity
    title: str
    place: Place
    said: str
    happens: str
    cure: str


@dataclass(frozen=True, slots=True)
class LintReport:
    """All that a report shows. `problems` are servers that could not be asked."""

    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def stanzas(self) -> int:
        """How many stanzas were judged."""
        return sum(len(source.spots) for source in self.sources)

    def fails(self, level: Severity | None) -> bool:
        """Whether something is as bad as that, or worse; None: nothing ever is."""
        return level is not None and any(found.severity.rank >= level.rank for found in self.findings)


def finding(rule: Rule, hit: Hit) -> Finding:
    """The hit in full, with the rule's words where it has none of its own.

    Where an open quote or a lost blank made a password part of another value, stars stand in its place.
    """
    return Finding(
        rule.code,
        hit.severity or rule.severity,
        rule.title,
        hit.place,
        _hide(hit.said),
        hit.happens or rule.happens,
        _hide(hit.cure) or rule.cure,
    )


def _hide(text: str) -> str:
    return _SECRET.sub(lambda found: found[1] + STARS, text)


def run(rules: Iterable[Rule], estate: Estate, disabled: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Every finding of every rule that can be decided from what was read, each once, in the order of the files."""
    off = set(disabled)
    found = dict.fromkeys(
        finding(rule, hit) for rule in rules if rule.check and rule.code not in off for hit in rule.check(estate)
    )
    return ordered(found, [source.name for source in estate.sources])


def ordered(findings: Iterable[Finding], names: list[str]) -> tuple[Finding, ...]:
    """In the order of the sources, then by line, then by code."""

    def key(found: Finding) -> tuple[int, str, int, str]:
        inside = [index for index, name in enumerate(names) if found.place.name.startswith(name)]
        return (inside[0] if inside else len(names), found.place.name, found.place.line, found.code)

    return tuple(sorted(findings, key=key))


# --- what a rule looks at


def per_source(look: Callable[[Source], Iterable[Hit]]) -> Check:
    """A rule that looks at each source by itself."""
    return lambda estate: (hit for source in estate.sources for hit in look(source))


def per_database(look: Callable[[Database], Iterable[Hit]]) -> Check:
    """A rule that looks at each database by itself."""
    return lambda estate: (hit for source in estate.sources for database in source.databases for hit in look(database))


def per_stanza(look: Callable[[Spot], Iterable[Hit]]) -> Check:
    """A rule that looks at each stanza, as it was meant, with the database around it."""
    return lambda estate: (hit for spot in estate.spots for hit in look(spot))


def per_consumer(look: Callable[[Spot], Iterable[Hit]]) -> Check:
    """The same without bare stanzas, whose database was not given."""

    def check(estate: Estate) -> Iterator[Hit]:
        for spot in estate.spots:
            if not spot.source.fragment:
                yield from look(spot)

    return check
