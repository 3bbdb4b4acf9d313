"""Repair by touching the provider: native syncrepl does the rest (what is written, and why, is in `domain.touch`).

In rounds, because a wrong order makes native syncrepl do harm: touch what nothing stands in the way of, wait until the
consumer has passed that, look at what is left, go on while it gets less. A round that the consumer does not reach in
time ends the run, and the next run goes on from there. Moment's entries that an earlier run left are removed first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from ldaprepl.bench import BRAKE_CURE, Bench, RepairSettings, after, brake, doubts, lasting, set_aside
from ldaprepl.domain.change import Change, Delete
from ldaprepl.domain.mend import Case
from ldaprepl.domain.repair import RepairMode, RepairReport, Unrepaired
from ldaprepl.domain.touch import Moment, Places, Round, Seen, Touch, as_changes, next_round, why_not_healed
from ldaprepl.domain.verdict import ConsumerReport, Finding, Kind, Problem, State
from ldaprepl.errors import LdapreplError

_ROUNDS = 8


class Toucher(Protocol):
    """The provider as it is touched. Raises `LdapreplError` for whatever is not about one entry."""

    def touch(self, touch: Touch) -> str:
        """Why it was refused; empty when it is done, or when somebody wrote the entry meanwhile."""

    def moments(self, moments: Sequence[Moment]) -> list[str]:
        """Add these, parents first, and take them away again, whatever happens; why each was refused, or empty."""

    def leftovers(self, base: str) -> list[str]:
        """DNs of moment's entries that are still there, deepest first."""

    def remove(self, dn: str) -> str:
        """Delete such an entry; why it was refused, or empty."""


def retouch(
    report: ConsumerReport, bench: Bench, toucher: Callable[[], Toucher], settings: RepairSettings, again: bool = False
) -> ConsumerReport:
    """Heal one consumer by touching its provider. `again`: the provider was touched since the findings were made, for
    another consumer's sake, so they are judged once more first."""
    try:
        if again and settings.act and lasting(report):
            report = after(report, bench.judge(report.findings), report.findings, RepairReport(RepairMode.TOUCH))
        return _Touching(bench, toucher(), settings).run(report)
    except LdapreplError as error:
        halted = RepairReport(RepairMode.TOUCH, halted=error.message, cure=error.cure)
        return replace(report, repair=halted)


class _Touching:
    def __init__(self, bench: Bench, toucher: Toucher, settings: RepairSettings) -> None:
        self.bench, self.toucher, self.settings = bench, toucher, settings
        self.schema = bench.provider.schema()
        comparer = bench.comparer
        self.places = Places(comparer.dn_key, comparer.above, comparer.provider_dn)
        self.refused: dict[str, Unrepaired] = {}
        self.touched: dict[str, Finding] = {}

    def run(self, report: ConsumerReport) -> ConsumerReport:
        left = self.toucher.leftovers(self.bench.comparer.scope.base)
        findings, hopeless = set_aside(lasting(report), RepairMode.TOUCH)
        self.refused |= {each.key: each for each in hopeless}
        round_, _ = self._round(findings)
        plan = self._plan(round_, left, findings)
        too_many = brake(self.settings, findings, report)
        if too_many:
            plan = replace(plan, halted=too_many, cure=BRAKE_CURE)
        if too_many or not self.settings.act or not (findings or left):
            return replace(report, repair=plan)
        return self._act(report, left, findings, replace(plan, acted=True))

    def _plan(self, round_: Round, left: Sequence[str], findings: Sequence[Finding]) -> RepairReport:
        changes: list[Change] = [Delete("", "", dn) for dn in left]
        changes += as_changes(round_)
        notes = [f"{dn} was left on the provider by a repair that was cut off; it goes first" for dn in left]
        if round_.waiting:
            notes.append(f"{len(round_.waiting):,} of these wait for others to be healed first, and are not shown")
        return RepairReport(
            RepairMode.TOUCH,
            planned=sum(finding.key not in self.refused for finding in findings),
            refused=tuple(self.refused.values()),
            changes=tuple(changes),
            relax=any(each.relaxed for each in round_.touches) or bool(round_.moments),
            notes=(*notes, *doubts(findings)),
        )

    # -- one round ---------------------------------------------------------------------------------------------------

    def _round(self, findings: Sequence[Finding]) -> tuple[Round, dict[str, Case]]:
        """What can be touched now, of what has not been touched yet."""
        fresh = [finding for finding in findings if finding.key not in self.refused]
        cases, moved = self.bench.gather(fresh)
        self.refused |= {each.key: each for each in moved}
        for case in [case for case in cases if case.ours is not None and not case.ours.csn]:
            self._refuse(case.finding, "the provider's entry has no entryCSN: there is no syncrepl to wait for")
        for case in [case for case in cases if case.ours is not None and not case.ours.values("objectClass")]:
            self._refuse(case.finding, "the provider does not show its objectClass to this identity")
        cases = [case for case in cases if case.finding.key not in self.refused]
        by_key = {case.finding.key: case for case in cases}
        new = [case for case in cases if case.finding.key not in self.touched]
        return next_round(new, self._seen(cases), self.schema, self.places), by_key

    def _seen(self, cases: Sequence[Case]) -> Seen:
        """What else the consumer holds where these entries are and shall be."""
        key_of, name_of = self.places.key, self.places.from_consumer
        named = [case for case in cases if case.finding.kind is Kind.RENAMED]
        held = {key_of(name_of(entry.dn)): entry.uuid or "" for entry in self.bench.around(named)} if named else {}
        extra = [case.theirs.dn for case in cases if case.finding.kind is Kind.EXTRA and case.theirs]
        keys = {key_of(name_of(dn)) for dn in extra}
        below = [name_of(entry.dn) for dn in extra for entry in self.bench.below(dn)]
        moving = {key_of(name_of(case.finding.consumer_dn)) for case in named}
        return Seen(held, [dn for dn in below if key_of(dn) not in keys and key_of(dn) not in moving])

    def _refuse(self, finding: Finding, reason: str) -> None:
        self.refused[finding.key] = Unrepaired(finding.dn, reason, finding.uuid)

    def _act(
        self, report: ConsumerReport, left: Sequence[str], findings: Sequence[Finding], plan: RepairReport
    ) -> ConsumerReport:
        halted = cure = ""
        late = False
        outcome = None
        open_: Sequence[Finding] = findings
        by_key: dict[str, Case] = {}
        try:
            for dn in left:
                if reason := self.toucher.remove(dn):
                    self.refused[dn] = Unrepaired(dn, reason)
            for _ in range(_ROUNDS):
                round_, by_key = self._round(open_)
                self._do(round_)
                outcome = self.bench.judge(findings)
                open_ = [finding for finding in outcome.findings if finding.state is State.LASTING]
                behind = len(outcome.findings) - len(open_)
                late |= bool(behind)
                if behind or not round_.waiting or not (round_.touches or round_.moments):
                    break
            for finding, reason in self._round(open_)[0].waiting:
                self._refuse(finding, f"{reason}: a touch would harm more than it heals")
        except LdapreplError as error:
            halted, cure = f"the repair was cut off: {error.message}", error.cure or "Run it again."
        for finding in open_:
            case = by_key.get(finding.key)
            if finding.key in self.touched and finding.key not in self.refused and case is not None:
                self._refuse(finding, why_not_healed(self._now(case, finding)))
        if late:
            note = f"the consumer had not passed all of it after {self.bench.settle:g} s (--settle): verify again later"
            plan = replace(plan, notes=(*plan.notes, note))
        plan = replace(plan, done=len(self.touched), refused=tuple(self.refused.values()), halted=halted, cure=cure)
        try:
            outcome = outcome or self.bench.judge(findings)
        except LdapreplError as error:
            return replace(report, problem=Problem(error.message, error.cure), repair=plan)
        return after(report, outcome, findings, plan)

    def _now(self, case: Case, finding: Finding) -> Case:
        cases, _ = self.bench.gather([finding])
        return cases[0] if cases else case

    def _do(self, round_: Round) -> None:
        self.bench.progress.phase("touching", len(round_.touches) + len(round_.moments))
        for number, each in enumerate(round_.touches):
            self._note(each.finding, self.toucher.touch(each))
            self.bench.progress.advance(number)
        for each_moment, reason in zip(round_.moments, self.toucher.moments(round_.moments), strict=True):
            self._note(each_moment.finding, reason)

    def _note(self, finding: Finding, reason: str) -> None:
        if reason:
            self._refuse(finding, reason)
        else:
            self.touched[finding.key] = finding
