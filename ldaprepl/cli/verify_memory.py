"""The memory of `verify`: options, and the state file around one run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaprepl.cli import options
from ldaprepl.cli.pairing import Pairing
from ldaprepl.domain.verdict import VerifyReport
from ldaprepl.errors import ExitCode, LdapreplError, UsageError
from ldaprepl.ports import Directory
from ldaprepl.report.values import printable
from ldaprepl.verify import Options, Tools, verify

if TYPE_CHECKING:
    from ldaprepl.domain.proof import Proof
    from ldaprepl.wire.endpoint import Endpoint
    from ldaprepl.wire.verifystate import PairKey, VerifyState

_WEEK = "7d"

memory = options.all_of(
    click.option("--state", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
                 help="Remember findings and what was proven; findings are then new, known or resolved."),
    click.option("--cron", is_flag=True, help="Silent but for what is new; needs --state."),
    click.option("--since-last", is_flag=True,
                 help="Compare only what changed since the last run, everything where in doubt; needs --state."),
    click.option("--full-every", metavar="TIME", type=options.Duration(), default=_WEEK, show_default=True,
                 help="With --since-last, compare everything when that is so long ago."),
)  # fmt: skip


class Amnesia:
    """No state file: every run is the first."""

    def verify(
        self, pairing: Pairing, provider: Directory, consumers: Sequence[Directory], tools: Tools, wanted: Options
    ) -> VerifyReport:
        """Just that."""
        return verify(provider, consumers, pairing.scope, tools, wanted)

    def recognised(self, pairing: Pairing, report: VerifyReport) -> VerifyReport:
        """The report as it is."""
        return report

    def news(self) -> bool:
        """Everything is to be said."""
        return True

    def kept(self, verdict: ExitCode) -> ExitCode:
        """Remember this run, when all is said; the exit code."""
        return verdict


class Memory(Amnesia):
    """One run between what the state file held and what it will hold."""

    def __init__(self, state: VerifyState, given: options.Given) -> None:
        self._state = state
        self._given = given
        self._proofs: dict[str, Proof | None] = {}  # of this run, by key
        self._news = False

    def verify(
        self, pairing: Pairing, provider: Directory, consumers: Sequence[Directory], tools: Tools, wanted: Options
    ) -> VerifyReport:
        from ldaprepl.changes import Asking
        from ldaprepl.incremental import Means, Wish, verify_remembering
        from ldaprepl.wire import survey

        asking = Asking(survey.survey, survey.entries, survey.holders)
        keys = _keys(pairing)
        before = [self._state.recall(key) for key in keys]
        wish = Wish(
            before, self._given["since_last"], self._given["full_every"], datetime.fromtimestamp(time.time(), UTC)
        )
        means = Means(tools, wanted, asking)
        report, proofs = verify_remembering(provider, consumers, pairing.scope, means, wish)
        self._proofs.update(zip((key.name for key in keys), proofs, strict=True))
        return report

    def recognised(self, pairing: Pairing, report: VerifyReport) -> VerifyReport:
        """The report with what is new, known and resolved, which will be kept."""
        from ldaprepl.domain.memory import compared, is_news, left

        consumers = []
        for key, consumer in zip(_keys(pairing), report.consumers, strict=True):
            before = self._state.recall(key)
            consumers.append(compared(consumer, before))
            self._news = self._news or is_news(consumers[-1], before)
            self._state.keep(key, left(consumers[-1], before, self._proofs.get(key.name)))
        return replace(report, consumers=tuple(consumers))

    def news(self) -> bool:
        """Whether there is anything to say: always, but for --cron."""
        return self._news or not self._given["cron"]

    def kept(self, verdict: ExitCode) -> ExitCode:
        """The same. What was proven stays the exit code where it cannot be remembered: a divergence must not look like
        trouble with a disk. Without a finding a run that was to remember, and did not, is not done: `LdapreplError`.
        """
        if not self._given["quiet"]:
            for note in self._state.notes:
                options.notice(note)
        try:
            self._state.save()
        except LdapreplError as error:
            said = LdapreplError(f"{error.message}; this run is not remembered", error.cure)
            if verdict is ExitCode.OK:
                raise said from None
            with suppress(OSError):  # standard error takes nothing either
                click.echo(f"ldaprepl: {printable(str(said))}", err=True)
        return verdict


@contextmanager
def memory_of(given: options.Given) -> Iterator[Amnesia]:
    """The memory of this run. Raises `UsageError`, `AlreadyRunning`."""
    path: Path | None = given["state"]
    if path is None:
        for option in ("cron", "since_last"):
            if given[option]:
                raise UsageError(f"--{option.replace('_', '-')} has to remember", "Give a file with --state.")
        yield Amnesia()
        return
    from ldaprepl.wire.lock import locked
    from ldaprepl.wire.verifystate import VerifyState

    with locked(path, "verify"):
        yield Memory(VerifyState(path), given)


def _keys(pairing: Pairing) -> list[PairKey]:
    """What each consumer is remembered by, and what a comparison of it depends on."""
    from ldaprepl.wire.verifystate import PairKey

    scope = pairing.scope
    providers = [_identity(provider) for provider in pairing.providers]
    return [
        PairKey(
            {"provider": pairing.uris[0], "consumer": consumer.uri, "base": scope.base, "to": scope.consumer_base},
            {"scope": repr(scope), "identities": repr([*providers, _identity(consumer)]),
             "bytewise": str(pairing.given["bytewise"])},
        )
        for consumer in pairing.consumers
    ]  # fmt: skip


def _identity(endpoint: Endpoint) -> str:
    return f"{endpoint.bind}, certificate {endpoint.tls.cert}"


__all__ = ["Amnesia", "Memory", "memory", "memory_of"]
