"""`ldaprepl verify --repair`: its options, and who does what with which connection.

The LDIF is the output where nothing else is asked for (`--repair ldif` alone, `--format ldif`); with `--repair-file` it
goes there, beside a report in any form. python-ldap is needed for whatever writes, and only then.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from ldaprepl.bench import Bench, RepairSettings
from ldaprepl.cli import options
from ldaprepl.cli.output import check_writable, emit
from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.repair import RepairMode
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Mode
from ldaprepl.domain.verdict import ConsumerReport, Verdict, VerifyReport
from ldaprepl.errors import GuardRefused, UsageError
from ldaprepl.ports import Directory, Progress
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.repair import Hands, Mender, mend, repair
from ldaprepl.report import repair as report_repair
from ldaprepl.touch import retouch
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.endpoint import Anonymous, Endpoint

repair_options = options.all_of(
    click.option("--repair", type=click.Choice([each.value for each in RepairMode]),
                 help="Mend what lasts: as LDIF for the consumer, by touching the provider, or on the consumer."),
    click.option("--yes", is_flag=True, help="Do it; else --repair only shows what it would do."),
    click.option("--max-repair", metavar="N|P%", default="10%", show_default=True,
                 help="Refuse to repair more entries than this."),
    click.option("--max-delete", metavar="N|P%", default="1%", show_default=True,
                 help="Refuse to delete more; a percentage lets 5 go, at most half."),
    click.option("--repair-file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
                 help="Write the changes there as LDIF (mode 0600: it may hold secrets)."),
    click.option("--repair-write", type=click.Choice(["auto", *(each.value for each in Mode)]), default="auto",
                 show_default=True, help="How the consumer is written; default: the best that it allows."),
)  # fmt: skip


def mode_of(given: options.Given) -> RepairMode | None:
    """What `--repair` says; `--format ldif` alone means LDIF."""
    if given["repair"]:
        return RepairMode(given["repair"])
    return RepairMode.LDIF if given["format_"] == "ldif" else None


def checked(given: options.Given, consumers: int) -> None:
    """What is wrong with these options, before any server is asked. Raises `UsageError`."""
    mode = mode_of(given)
    if mode is None:
        for name in ("yes", "repair_file"):
            if given[name]:
                raise UsageError(f"--{name.replace('_', '-')} needs --repair", "Say how: ldif, touch or apply.")
        return
    settings(given, mode)
    if mode is not RepairMode.LDIF:
        importlib.import_module("ldaprepl.wire.session")  # python-ldap: better missed now than after a long comparison
    check_writable(given["repair_file"])
    if mode is RepairMode.LDIF and given["yes"]:
        raise UsageError("--repair ldif writes to no server, so there is nothing for --yes", "Leave it out.")
    if is_output(given) and given["repair_file"]:
        raise UsageError("the LDIF would go to --repair-file and be the output too", "Leave --format ldif out.")
    if mode is RepairMode.LDIF and not is_output(given) and not given["repair_file"]:
        raise UsageError(
            "the report is the output, so the LDIF needs a place of its own", "Name it with --repair-file."
        )
    if consumers > 1 and (is_output(given) or given["repair_file"]) and mode is not RepairMode.TOUCH:
        raise UsageError("LDIF for several consumers in one file is a trap", "Run it once for each --consumer.")


def is_output(given: options.Given) -> bool:
    """Whether the output is LDIF, and the report goes to standard error."""
    if given["format_"] == "ldif":
        return True
    return given["repair"] == RepairMode.LDIF and given["format_"] == "text" and not given["repair_file"]


def settings(given: options.Given, mode: RepairMode) -> RepairSettings:
    """What the options say. Raises `UsageError`."""
    brakes = []
    for name in ("max_repair", "max_delete"):
        try:
            brakes.append(MaxDelete.parse(given[name]))
        except ValueError as error:
            raise UsageError(f"--{name.replace('_', '-')}: {error}") from None
    return RepairSettings(mode, given["yes"], *brakes)


def write_ldif(reports: Sequence[VerifyReport], given: options.Given) -> None:
    """The changes, where they are wanted. A file is for its owner only."""
    text = "".join(report_repair.render(report) for report in reports)
    if given["repair_file"]:
        emit(text, given["repair_file"], 0o600)
    elif is_output(given):
        emit(text, given["output"], 0o600)


# -- doing it ----------------------------------------------------------------------------------------------------------


class Repairs:
    """One pairing's repair: opens what it needs on `opened`, which must outlive it."""

    def __init__(
        self, given: options.Given, endpoints: tuple[Endpoint, Sequence[Endpoint]], scope: ReplicationScope,
        opened: contextlib.ExitStack, bar: Progress,
    ) -> None:  # fmt: skip
        self.given, self.scope, self.opened, self.bar = given, scope, opened, bar
        self.source, self.targets = endpoints

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
        return repair(report, wanted, [self._mender(*pair, wanted) for pair in zip(benches, self.targets, strict=True)])

    def _touchers(self, benches: Sequence[Bench], wanted: RepairSettings) -> list[Mender]:
        from ldaprepl.wire.session import open_session
        from ldaprepl.wire.toucher import Toucher

        held: list[Toucher] = []

        def toucher() -> Toucher:
            if not held:
                held.append(Toucher(self.opened.enter_context(open_session(self.source))))
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
