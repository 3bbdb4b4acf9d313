"""Demo: the whole job on two private servers, told step by step.

A provider with made-up people; a consumer that is configured with the stanza that init-consumer writes; native
syncrepl fills it; verify finds nothing. Then somebody writes on the consumer, once in each way in which a copy can go
wrong, and verify must find exactly that; then the provider is touched, and replication itself mends the consumer. The
story is checked while it is told: `Surprised` if anything is otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import ConsumerReport, Verdict, VerifyReport
from ldaprepl.errors import LdapreplError
from ldaprepl.init_consumer import ConsumerPlan, examine, plan
from ldaprepl.ports import Planted, Theatre
from ldaprepl.verify import Options, Tools, verify

PATIENCE = 120.0  # seconds that the consumer may take to fill up


class Surprised(LdapreplError):
    """The demo did not go as it must: a bug, or a machine in trouble."""


class Teller(Protocol):
    """Who tells the story: words on a terminal."""

    def step(self, title: str, text: str) -> None:
        """A new chapter."""

    def stanza(self, plan: ConsumerPlan) -> str:
        """Show the stanza (without its password) and give the text that slapd gets (with it)."""

    def explained(self, report: VerifyReport) -> VerifyReport:
        """Ask both servers for the causes."""

    def report(self, report: VerifyReport) -> None:
        """Show what verify found."""


Turn = Callable[[VerifyReport], VerifyReport]
"""What follows a verification: its causes found, or its findings mended."""


def tell(theatre: Theatre, base: str, count: int, tools: Tools, teller: Teller) -> VerifyReport:
    """Play the story with about `count` entries, up to what verify finds in the end. Raises `Surprised`, or
    `LdapreplError` from the servers."""
    scope = ReplicationScope(base)
    server = theatre.provide(count)
    teller.step(
        "A provider",
        f"A private slapd runs at {server.uri} (pid {server.pid}) with {count:,} made-up entries below {base}.\n"
        "It has the syncprov overlay, and an entry for the consumer to bind as: cn=replica.",
    )
    profile = examine(theatre.probe(), theatre.access(), scope, tools.progress)
    if not profile.usable:
        raise Surprised("; ".join(finding.text for finding in profile.findings))
    teller.step(
        "The consumer's stanza",
        "init-consumer has looked at the provider as cn=replica: it offers sync, its limits let everything through,\n"
        f"and the passwords can be read. It is {profile.server}. So this is the stanza:",
    )
    stanza = teller.stanza(plan(theatre.access(), scope))
    server = theatre.consume(stanza)
    seconds = theatre.replicated(PATIENCE)
    teller.step(
        "The consumer",
        f"A second slapd runs at {server.uri} (pid {server.pid}), empty, with exactly that stanza.\n"
        f"{seconds:.1f} s later native syncrepl has filled it: the contextCSNs are equal. But is the content?",
    )
    _verified(theatre, scope, tools, teller, _must_be_equal)
    planted = theatre.plant()
    deeds = "\n".join(f"  - {deed.deed}: {deed.dn}" for deed in planted)
    teller.step(
        "A bad night",
        f"Somebody switches replication off on the consumer, and\n{deeds}\nthen switches it on again.",
    )
    theatre.replicated(PATIENCE)
    teller.step(
        "The same question again",
        "Both servers show the same contextCSN, so every check that compares those says OK. Verify reads the entries:",
    )
    return _verified(theatre, scope, tools, teller, lambda report: _must_be_exactly(planted, report))


def cure(report: VerifyReport, mend: Turn, teller: Teller) -> None:
    """The last chapter. Raises as `tell` does."""
    teller.step(
        "The cure",
        "The consumer takes no writes but replication's own. So verify touches the provider (--repair touch --yes):\n"
        "each entry gets a new entryCSN and no other value, syncrepl sends it again, and these entries are verified:",
    )
    mended = mend(report)
    teller.report(mended)
    _must_be_equal(mended.consumers[0])


def _verified(
    theatre: Theatre,
    scope: ReplicationScope,
    tools: Tools,
    teller: Teller,
    check: Callable[[ConsumerReport], None],
) -> VerifyReport:
    provider, consumer = theatre.directories()
    report = teller.explained(verify(provider, [consumer], scope, tools, Options()))
    teller.report(report)
    check(report.consumers[0])
    return report


def _must_be_equal(report: ConsumerReport) -> None:
    if report.verdict is not Verdict.EQUAL:
        raise Surprised(f"the consumer is {report.verdict}, it should be equal")


def _must_be_exactly(planted: list[Planted], report: ConsumerReport) -> None:
    found = sorted((finding.kind, finding.dn) for finding in report.findings)
    wanted = sorted((deed.kind, deed.dn) for deed in planted)
    if report.verdict is not Verdict.DIVERGED or found != wanted:
        raise Surprised(f"verify found {found}, but {wanted} was planted")
