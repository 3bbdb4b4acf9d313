"""Repair: make a consumer that verify found wrong equal again, by LDIF, by writing to it, or by touching the provider.

Only findings that last are repaired, and nothing at all while anything could not be judged. Without `act` the whole way
is gone but for the writing, so that what is shown is what would be done. `apply` writes as `sync` does, by the same
ladder of identities and with the same planner, because an order that is always legal is hard enough once. What was
repaired is judged again at the end, and the verdict is that of what is left. A run that was cut off leaves findings;
the next one repairs those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ldaprepl.bench import BRAKE_CURE, Bench, RepairSettings, after, brake, doubts, lasting, set_aside
from ldaprepl.domain.change import Change, Modify, Translation
from ldaprepl.domain.mend import (
    Remedy,
    changes_class,
    lay_out,
    modification,
    records,
    remedy,
    shown_secrets,
    unrepairable,
    writable,
)
from ldaprepl.domain.plan import Plan, Refusal
from ldaprepl.domain.repair import RepairReport, Unrepaired
from ldaprepl.domain.scope import Scope
from ldaprepl.domain.syncrun import UNWRITABLE, Mode
from ldaprepl.domain.tree import Naming
from ldaprepl.domain.verdict import ConsumerReport, Finding, Problem, Verdict, VerifyReport
from ldaprepl.errors import LdapreplError
from ldaprepl.syncports import Writer

_CHUNK = 500  # entries read and compared at a time


@dataclass(frozen=True, slots=True)
class Hands:
    """How the consumer lets itself be written. `native`: only by a replicator of its own, or by its updatedn. Without
    a `writer` nothing can be written."""

    mode: Mode
    native: bool = False
    writer: Writer | None = None


Mender = Callable[[ConsumerReport], ConsumerReport]


def repair(report: VerifyReport, settings: RepairSettings, menders: Sequence[Mender]) -> VerifyReport:
    """Mend each consumer in turn. The menders must not be called when anything is undecided."""
    if report.verdict is Verdict.UNDECIDED:
        why = "nothing is repaired while one of the servers could not be read"
        halted = RepairReport(settings.mode, halted=why, cure="Cure that first.")
        return replace(report, consumers=tuple(replace(consumer, repair=halted) for consumer in report.consumers))
    mended = [mender(consumer) for mender, consumer in zip(menders, report.consumers, strict=True)]
    return replace(report, consumers=tuple(mended))


def mend(report: ConsumerReport, bench: Bench, hands: Callable[[], Hands], settings: RepairSettings) -> ConsumerReport:
    """One consumer, by changes on the consumer itself. `hands` is asked only when there is something to do."""
    findings = lasting(report)
    if not findings:
        return replace(report, repair=RepairReport(settings.mode))
    try:
        held = hands()
        work = _Work(bench, held, settings)
        return work.run(report, findings)
    except LdapreplError as error:
        halted = RepairReport(settings.mode, halted=error.message, cure=error.cure)
        return replace(report, repair=halted)


class _Work:
    """The repair of one consumer."""

    def __init__(self, bench: Bench, hands: Hands, settings: RepairSettings) -> None:
        self.bench, self.hands, self.settings = bench, hands, settings
        scope = bench.comparer.scope
        self.schema = bench.consumer.schema()
        self.translation = Translation(scope, self.schema, UNWRITABLE[hands.mode])
        self.naming = Naming(self.schema, scope.consumer_base, scope.scope in (Scope.SUB, Scope.BASE))
        self.writes: Callable[[str], bool] = self.translation.writes
        self.halted = ""
        self.cure = ""

    def run(self, report: ConsumerReport, findings: Sequence[Finding]) -> ConsumerReport:
        findings, moved = set_aside(findings, self.settings.mode)
        cases, changed = self.bench.gather(findings)
        moved += changed
        self.writes = writable(self.translation, shown_secrets(case.ours for case in cases if case.ours))
        made = remedy(cases, self.bench.around(cases), self.translation, self.naming, report.consumer_entries)
        laid = lay_out(made, self.naming)
        changes, modifies = records(made, laid, self.schema, self.writes)
        lacking = unrepairable(made, laid, modifies, self.naming)
        refused = [*moved, *made.refused, *lacking.values()]
        for key in lacking:
            del made.cases[key]
        planned = [case.finding for case in made.cases.values()]
        relax = self.hands.mode is Mode.RELAX or changes_class(made, laid, modifies)
        plan = RepairReport(
            self.settings.mode,
            planned=len(planned),
            refused=tuple(refused),
            changes=tuple(changes),
            written=self.hands.mode.value,
            native=self.hands.native,
            relax=relax,
            notes=_notes(self.hands.mode, fed=bool(report.contextcsn)) + doubts(planned),
        )
        too_many = brake(self.settings, planned, report)
        writer = self.hands.writer
        if too_many:
            plan = replace(plan, halted=too_many, cure=BRAKE_CURE)
        if too_many or writer is None or not self.settings.act or not planned:
            return replace(report, repair=plan)
        return self._write(report, made, laid, writer, replace(plan, acted=True))

    # -- doing it ----------------------------------------------------------------------------------------------------

    def _write(
        self, report: ConsumerReport, made: Remedy, laid: Plan, writer: Writer, plan: RepairReport
    ) -> ConsumerReport:
        self.bench.progress.phase("repairing", len(plan.changes))
        refusals: list[Refusal] = []
        try:
            refusals += writer.apply(laid.changes)
            lost = {refusal.key for refusal in refusals}
            keys = [key for key in laid.updates if key not in lost]
            for start in range(0, len(keys), _CHUNK):
                refusals += writer.apply(self._modifies(made, keys[start : start + _CHUNK]))
        except LdapreplError as error:
            plan = replace(plan, halted=f"the repair was cut off: {error.message}", cure=error.cure or "Run it again.")
        lost = {refusal.key for refusal in refusals}
        named = [Unrepaired(refusal.dn, refusal.reason) for refusal in refusals]
        acted = [case.finding for case in made.cases.values()]
        done = 0 if plan.halted else sum(key not in lost for key in made.cases)
        plan = replace(plan, done=done, refused=(*plan.refused, *named))
        try:
            return after(report, self.bench.judge(acted), acted, plan)
        except LdapreplError as error:
            return replace(report, problem=Problem(error.message, error.cure), repair=plan)

    def _modifies(self, made: Remedy, keys: Sequence[str]) -> list[Change]:
        """Compared with what the consumer holds after adds, deletes and renames."""
        found: list[Modify] = []
        dns = [made.tree.dn(key) for key in keys]
        for key, held in zip(keys, self.bench.consumer.fetch(dns, self.bench.whole), strict=True):
            change = modification(made, key, held, self.schema, self.writes) if held is not None else None
            found += [change] if change else []
        return list(found)


def _notes(mode: Mode, fed: bool) -> tuple[str, ...]:
    """What goes with a way of writing. `fed`: the consumer shows a contextCSN, which this way cannot have written."""
    if mode is Mode.UPDATEDN:
        return ()
    lost = "entryCSN" if mode is Mode.RELAX else "entryUUID, entryCSN and the other stamps"
    said = (
        f"written by {mode.value}, which cannot carry {lost}: those stay the consumer's own and go on to differ"
        " (--exattrs leaves them out)"
    )
    if not fed:
        return (said,)
    return (
        said,
        "the consumer shows a contextCSN and takes writes: if it is a multi-provider, what is written there goes back"
        " to the others, and --repair touch is the right way",
    )
