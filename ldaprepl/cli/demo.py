"""`ldaprepl demo`."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from ldaprepl.bench import Bench, RepairSettings
from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.output import progress, room
from ldaprepl.demo import cure, tell
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.consumerplan import ConsumerPlan
from ldaprepl.domain.repair import RepairMode
from ldaprepl.domain.sample import SUFFIX
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import STARS, Secret
from ldaprepl.domain.verdict import VerifyReport
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form
from ldaprepl.explain import explain
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.repair import repair
from ldaprepl.report import text
from ldaprepl.report.stanza import render_plan
from ldaprepl.touch import retouch
from ldaprepl.verify import Tools
from ldaprepl.wire.overflow import SqliteOverflow
from ldaprepl.wire.pump import pump
from ldaprepl.wire.stage import REPLICA, Stage
from ldaprepl.wire.witness import LdapWitness

_SETTLE = 30.0  # seconds
_MARGIN = 4  # characters before what other commands would say


@click.command("demo", cls=Command)
@click.option("--entries", type=click.IntRange(min=200, max=200_000), default=3000, show_default=True,
              help="How many the provider holds.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave both servers running afterwards, and say how to reach and stop them.")
@options.quiet
def command(**given: Any) -> int:
    """A private provider and consumer on this machine, through the whole story.

    \b
    ldaprepl demo
    ldaprepl demo --keep

    Needs OpenLDAP's slapd (Debian: the package slapd). Loopback only; nothing of it remains.
    """
    bar = progress(given["quiet"])
    tools = Tools(pump, decode_entry, decode_values, SqliteOverflow, time, bar)
    started = time.monotonic()
    with Stage() as stage:
        teller = _Teller(stage)
        report = tell(stage, SUFFIX, given["entries"], tools, teller)
        if given["keep"]:
            _keep(stage, teller)
            return 0
        cure(report, lambda found: _touched(stage, found, tools), teller)
    seconds = time.monotonic() - started
    click.echo(f"That was it, in {seconds:.0f} s. Both servers are stopped and their files are gone.")
    return 0


class _Teller:
    """The story on standard output."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._chapter = 0
        self._colour = options.colour_wanted()

    def step(self, title: str, text: str) -> None:
        self._chapter += 1
        heading = f"{self._chapter}. {title}"
        click.echo(f"\n{click.style(heading, bold=True) if self._colour else heading}\n{text}\n")

    def stanza(self, plan: ConsumerPlan) -> str:
        starred = replace(plan, stanza=plan.stanza.with_value("credentials", Secret(STARS)))
        click.echo(_indented(render_plan(starred, Form.SLAPD_CONF, Version.NEWEST)), nl=False)
        return render_plan(plan, Form.SLAPD_CONF, Version.NEWEST)

    def explained(self, report: VerifyReport) -> VerifyReport:
        provider, consumer = map(LdapWitness, self._stage.directories())
        return explain(report, provider, [consumer], ReplicationScope(SUFFIX), datetime.now(UTC))

    def report(self, report: VerifyReport) -> None:
        width = room(text.WIDTH + _MARGIN, sys.stdout) - _MARGIN
        click.echo(_indented(text.render_verify(report, colour=self._colour, width=width)))


def _touched(stage: Stage, report: VerifyReport, tools: Tools) -> VerifyReport:
    """What `verify --repair touch --yes` does."""
    from ldaprepl.wire.session import open_session  # with python-ldap, without which --help has to work
    from ldaprepl.wire.toucher import Toucher

    provider, consumer = stage.directories()
    comparer = Comparer(provider.schema(), ReplicationScope(SUFFIX), tools.split, tools.values)
    bench = Bench(provider, consumer, consumer.below, comparer, tools.clock, tools.progress, _SETTLE)
    settings = RepairSettings(RepairMode.TOUCH, act=True)
    with open_session(stage.administrator()) as session:
        return repair(report, settings, [lambda found: retouch(found, bench, lambda: Toucher(session), settings)])


def _keep(stage: Stage, teller: _Teller) -> None:
    """Say how to play on, and let the servers outlive this command."""
    file, provider, consumer = stage.password_file(), stage.provider.ldap_uri, stage.consumer.ldap_uri
    rootdn, rootpw = stage.administrator_file()
    keeper = stage.linger()
    teller.step(
        "Yours now",
        "Both servers go on running. Look at them, break them, verify again, and mend:\n\n"
        f"  ldapsearch -x -H {provider} -D {REPLICA} -y {file} -b {SUFFIX}\n"
        f"  ldaprepl verify --provider {provider} --consumer {consumer} -b {SUFFIX} -D {REPLICA} -y {file}\n"
        f"  ldaprepl verify --provider {provider} --consumer {consumer} -b {SUFFIX} -D {rootdn} -y {rootpw} "
        f"--consumer-bind-dn {REPLICA} --consumer-password-file {file} --repair touch --yes\n\n"
        f"This stops them and removes their files:\n\n  kill {keeper}",
    )


def _indented(text: str) -> str:
    return "".join(f"{' ' * _MARGIN}{line}" if line.strip() else line for line in text.splitlines(keepends=True))
