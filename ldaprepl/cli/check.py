"""`ldaprepl check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.checking import run
from ldaprepl.cli.command import Command

_DURATION = options.Duration()


@click.command("check", cls=Command, context_settings={"default_map": {"timeout": 10.0}})
@options.members
@options.every_replica
@options.identity
@options.consumer_identity
@options.tls
@options.scope
@click.option("-w", "--warning", type=_DURATION, default="60", show_default=True, help="Lag that is a WARNING.")
@click.option("-c", "--critical", type=_DURATION, default="5m", show_default=True, help="Lag that is CRITICAL.")
@click.option("--certificate-warning", type=_DURATION, default="14d", show_default=True, help="Time a certificate has.")
@click.option("--certificate-critical", type=_DURATION, default="3d", show_default=True, help="The same, CRITICAL.")
@click.option("--skew", type=_DURATION, default="30", show_default=True, help="How far clocks may differ.")
@click.option(
    "--severity",
    metavar="CRITERION=STATUS",
    multiple=True,
    help="How bad a finding is: ahead=warning, extra=ok, unreachable=unknown ...; may be repeated.",
)
@click.option("--recheck", type=_DURATION, default="1", show_default=True, help="Pause before the second look.")
@click.option(
    "--state",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Remember what is lacking: bounds deletes, and entries that always change.",
)
@click.option("--cron", is_flag=True, help="Silent but for changes of state; needs --state.")
@click.option("--sample", metavar="N", type=click.IntRange(min=1), help="Also compare N random entries of each side.")
@click.option("--canary", metavar="DN", help="Also change this entry (its description) and time the arrival.")
@click.option("--canary-wait", type=_DURATION, default="30", show_default=True, help="How long the canary may take.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["nagios", "text", "json", "prometheus"]),
    default="nagios",
    show_default=True,
    help="How to report.",
)
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Say how well replication does, for monitoring.

    \b
    ldaprepl check --provider ldap://a --consumer ldap://b -b dc=example,dc=com
    ldaprepl check --provider ldap://a --provider ldap://b -b dc=example,dc=com \\
        -w 60 -c 5m --state /var/lib/ldaprepl/check.json

    Lag is the age of the oldest change that a consumer lacks. Several providers are compared with each other.

    Exit code, by the Nagios plugin guidelines: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    """
    return run(given)


__all__ = ["command"]
