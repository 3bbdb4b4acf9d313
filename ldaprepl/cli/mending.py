"""Doing what `verify --repair` asks for: who works with which connection.

Imported only for a repair, because it brings all that writes. python-ldap is needed for whatever does, and only then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence

from ldaprepl.bench import Bench, RepairSettings
from ldaprepl.cli.pairing import Pairing
from ldaprepl.cli.verify_repair import mode_of, settings
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.repair import RepairMode
from ldaprepl.domain.syncrun import Mode
from ldaprepl.domain.verdict import ConsumerReport, Verdict, VerifyReport
from ldaprepl.errors import GuardRefused
from ldaprepl.ports import Directory, Progress
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.repair import Hands, Mender, mend, repair
from ldaprepl.touch import retouch
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.endpoint import Anonymous, Endpoint


class Repairs:
    """One pairing's repair: opens what it needs on `opened`, which must outlive it."""

    def __init__(self, pairing: Pairing, opened: contextlib.ExitStack, bar: Progress) -> None:
        self.pairing, self.given, self.scope = pairing, pairing.given, pairing.scope
        self.opened, self.bar = opened, bar

    def step(self, report: VerifyReport, provider: Directory, consumers: Sequence[Directory]) -> VerifyReport:
        """The report with what was repaired; as it is when nothing was asked for."""
        mode = mode_of(self.given)
        if mode is None:
            return report
        wanted = settings(self.given, mode)
        if report.verdict is Verdict.UNDECIDED:
            return repair(report, wanted, ())
        schema = Schema.EMPTY if self.given["bytewise"] else provider.schema()
        comparer = Comparer(schema, self.scope, decode_entry, decode_values)
        benches = [
            Bench(provider, copy, _below(copy), comparer, time, self.bar, self.given["settle"]) for copy in consumers
        ]
        if mode is RepairMode.TOUCH:
            return repair(report, wanted, self._touchers(benches, wanted))
        return repair(
            report, wanted, [self._mender(*pair, wanted) for pair in zip(benches, self.pairing.consumers, strict=True)]
        )

    def _touchers(self, benches: Sequence[Bench], wanted: RepairSettings) -> list[Mender]:
        from ldaprepl.wire.session import open_session
        from ldaprepl.wire.toucher import Toucher

        held: list[Toucher] = []

        def toucher() -> Toucher:
            if not held:
                held.append(Toucher(self.opened.enter_context(open_session(self.pairing.provider))))
            return held[0]

        def mender(number: int, bench: Bench) -> Mender:
            return lambda report: retouch(report, bench, toucher, wanted, again=number > 0)

        return [mender(*each) for each in enumerate(benches)]

    def _mender(self, bench: Bench, target: Endpoint, wanted: RepairSettings) -> Mender:
        hands = self._paper if wanted.mode is RepairMode.LDIF else self._writer

        def mender(report: ConsumerReport) -> ConsumerReport:
            return mend(report, bench, lambda: hands(target), wanted)

        return mender

    def _wanted(self) -> Mode | None:
        return None if self.given["repair_write"] == "auto" else Mode(self.given["repair_write"])

    def _writer(self, target: Endpoint) -> Hands:
        from ldaprepl.wire.applying import Applier
        from ldaprepl.wire.consumer import Consumer
        from ldaprepl.wire.session import open_session

        if self.pairing.peer:
            raise GuardRefused(
                f"{target.uri} is a provider itself (multi-provider): what is written there goes back to the others",
                "--repair touch has native syncrepl do it.",
            )
        session = self.opened.enter_context(open_session(target))
        try:
            mode = Consumer(session, self.scope).mode(self._wanted())
        except GuardRefused as error:
            raise GuardRefused(error.message, f"{error.cure} --repair touch has native syncrepl do it.") from error
        return Hands(mode, writer=Applier(session, mode, self.bar))

    def _paper(self, target: Endpoint) -> Hands:
        """How the LDIF will have to be applied: asked of the server, where it can be."""
        wanted = self._wanted()
        if wanted is not None:
            return Hands(wanted)
        if isinstance(target.bind, Anonymous):
            return Hands(Mode.RELAX)
        try:
            from ldaprepl.wire.consumer import Consumer
            from ldaprepl.wire.session import open_session
        except ImportError:  # python-ldap: an LDIF can do without
            return Hands(Mode.RELAX)
        session = self.opened.enter_context(open_session(target))
        try:
            return Hands(Consumer(session, self.scope).mode())
        except GuardRefused:
            return Hands(Mode.UPDATEDN, native=True)


def _below(copy: Directory) -> Callable[[str], Iterable[Entry]]:
    """What hangs below an entry; a directory that is a file has no more than was read."""
    return copy.below if isinstance(copy, LdapDirectory) else lambda dn: ()
