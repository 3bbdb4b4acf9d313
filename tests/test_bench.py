"""What repairs share, without servers: how much one run may do, which findings it repairs, and what it tells after."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from ldaprepl.bench import Bench, RepairSettings, after, brake, doubts, lasting, set_aside
from ldaprepl.cli.output import NoProgress
from ldaprepl.domain.cause import Code
from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.repair import RepairMode, RepairReport
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import Cause, ConsumerReport, Finding, How, Kind, Reach, State
from ldaprepl.recheck import Outcome

FREE = RepairSettings(RepairMode.APPLY, max_repair=MaxDelete(None, 1000), max_delete=MaxDelete(None, 1000))


def found(kind: Kind, count: int, code: str = "") -> list[Finding]:
    cause = Cause(code, "why") if code else None
    return [Finding(kind, f"cn={kind} {number}", uuid=f"{kind}{number}", cause=cause) for number in range(count)]


def consumer(entries: int, how: How = How.EVERYTHING) -> ConsumerReport:
    return ConsumerReport("ldap://c", provider_entries=entries, consumer_entries=entries, reach=Reach(how))


@pytest.mark.parametrize(
    ("kind", "count", "held", "settings", "words"),
    [
        (Kind.EXTRA, 10, 1000, RepairSettings(RepairMode.APPLY), ""),
        (Kind.EXTRA, 11, 1000, RepairSettings(RepairMode.APPLY), "11 of 1,000 entries would be deleted"),
        (Kind.DIFFERS, 100, 1000, RepairSettings(RepairMode.APPLY), ""),
        (Kind.DIFFERS, 101, 1000, RepairSettings(RepairMode.APPLY), "101 of 1,000 entries would be repaired"),
        (Kind.EXTRA, 9, 10, FREE, ""),
        (Kind.EXTRA, 10, 10, FREE, "all 10 entries of the consumer would be deleted, which is never done"),
        (Kind.MISSING, 10, 10, FREE, ""),
    ],
)
def test_the_brake_counts(kind: Kind, count: int, held: int, settings: RepairSettings, words: str) -> None:
    said = brake(settings, found(kind, count), consumer(held))
    assert said.startswith(words) and bool(said) is bool(words)


@pytest.mark.parametrize("how", [How.CHANGES, How.LIST])
def test_what_was_not_counted_is_taken_for_a_small_tree(how: How) -> None:
    """A percentage of entries that a run with a memory never saw would let through as many as it likes."""
    settings = RepairSettings(RepairMode.APPLY)
    assert brake(settings, found(Kind.EXTRA, 5), consumer(100_000, how)) == ""
    assert brake(settings, found(Kind.EXTRA, 6), consumer(100_000, how)).startswith("6 entries would be ")
    assert brake(settings, found(Kind.EXTRA, 6), consumer(100_000)) == ""


def test_only_what_lasts_and_is_not_hidden_is_repaired() -> None:
    (one,) = found(Kind.MISSING, 1)
    behind = replace(one, state=State.BEHIND)
    assert lasting(replace(consumer(9), findings=(behind, one))) == [one]
    never = (Code.HIDDEN, Code.SERVER_LOCAL)
    in_vain = (Code.OUT_OF_SCOPE, Code.SCHEMA_GAP, Code.HELD_UP, Code.CUT_BY_LIMIT, Code.UNFINISHED)
    for mode, refused in ((RepairMode.APPLY, never), (RepairMode.LDIF, never), (RepairMode.TOUCH, never + in_vain)):
        for code in Code:
            good, left = set_aside(found(Kind.EXTRA, 1, code), mode)
            assert (len(good), [each.reason for each in left]) == (
                (0, [f"{code}: why"]) if code in refused else (1, [])
            ), mode
        assert set_aside([one], mode) == ([one], [])


def test_a_provider_that_went_back_is_doubted() -> None:
    (said,) = doubts([*found(Kind.EXTRA, 2, Code.WENT_BACK), *found(Kind.MISSING, 3)])
    assert said.startswith("2 of these")
    assert doubts(found(Kind.EXTRA, 2, Code.LOST_DELETE)) == ()


def test_what_is_left_after_a_repair() -> None:
    """What was not acted on stays; what is still wrong keeps its cause, unless it only travels now; the rest is
    healed."""
    acted = found(Kind.DIFFERS, 3, Code.LOST_UPDATE)
    aside = found(Kind.EXTRA, 1, Code.HIDDEN)
    still, late = (replace(finding, cause=None) for finding in acted[:2])
    late = replace(late, state=State.BEHIND)
    before = replace(consumer(10), equal=6, findings=(*acted, *aside), notes=("told before",))
    outcome = Outcome((still, late), 1, CsnSet(), ("told before", "told now"))
    report = after(before, outcome, acted, RepairReport(RepairMode.APPLY))
    assert report.findings == (*aside, acted[0], late)
    assert (report.equal, report.notes) == (7, ("told before", "told now"))
    assert report.repair is not None and report.repair.healed == 1


class Held:
    """A server that holds these entries, for `fetch` alone."""

    def __init__(self, *names: str) -> None:
        self.held = {f"cn={name},dc=x": Entry(f"cn={name},dc=x", {}) for name in names}

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        yield from (self.held.get(dn) for dn in dns)


def test_what_changed_since_it_was_found_is_left_alone() -> None:
    """An extra entry that the provider has by now would be deleted, and so on."""
    comparer = Comparer(Schema.EMPTY, ReplicationScope("dc=x"), lambda frame: (frame, ()), lambda values: ())
    provider, consumer = Held("both", "ours"), Held("both", "theirs")
    bench = Bench(provider, consumer, lambda dn: (), comparer, time, NoProgress(), 0.0)  # type: ignore[arg-type]
    right = {Kind.EXTRA: ["theirs"], Kind.MISSING: ["ours"], Kind.DIFFERS: ["both"], Kind.RENAMED: ["both"]}
    for kind, names in right.items():
        dns = [f"cn={name},dc=x" for name in ("both", "ours", "theirs", "none")]
        cases, moved = bench.gather([Finding(kind, dn, "" if kind is Kind.MISSING else dn) for dn in dns])
        assert [case.finding.dn for case in cases] == [f"cn={name},dc=x" for name in names]
        assert len(moved) == 3 and {each.reason[:10] for each in moved} == {"it changed"}
