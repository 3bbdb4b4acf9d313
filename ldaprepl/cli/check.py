"""`ldaprepl check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldaprepl.check import Member, Options, Outcome, check
from ldaprepl.cli import options
from ldaprepl.cli.members import members_of, server_options, tools
from ldaprepl.cli.output import emit
from ldaprepl.domain.health import Criterion, Finding, Health, Policy, Status
from ldaprepl.domain.judgement import Debt, Key
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import UsageError

if TYPE_CHECKING:
    from ldaprepl.canary import Flight

_DURATION = options.Duration()


@click.command("check", context_settings={"default_map": {"timeout": 10.0}})
@server_options
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
    ldaprepl check --provider ldap://a --consumer ldap://b -b dc=example,dc=com -w 60 -c 5m
    ldaprepl check --provider ldap://a --provider ldap://b -b dc=example,dc=com --state /var/lib/ldaprepl/check.json

    Lag is the age of the oldest change that a consumer lacks. Several providers are compared with each other.

    Exit code, by the Nagios plugin guidelines: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    """
    policy = policy_of(given)
    state: Path | None = given["state"]
    if given["cron"] and state is None:
        raise UsageError("--cron must remember the state", "Give a file with --state.")
    if state is None:
        health = _checked(policy, given, {}).health
        _report(health, policy, given)
        return health.status
    return _remembering(state, policy, given)


def _checked(policy: Policy, given: options.Given, debts: Mapping[Key, Debt]) -> Outcome:
    with members_of(given) as (members, scope):
        flights = _flights(members, scope, policy, given) if given["canary"] else {}
        outcome = check(members, Options(scope, policy, given["recheck"]), debts, tools())
        samples = _samples(members, scope, policy, given) if given["sample"] else {}
    servers = []
    for server in outcome.health.servers:
        flight = flights.get(server.uri)
        extra = [finding for finding in (flight and flight.finding, samples.get(server.uri)) if finding]
        seconds = flight.seconds if flight else None
        servers.append(replace(server, findings=(*server.findings, *extra), canary=seconds))
    return replace(outcome, health=replace(outcome.health, servers=tuple(servers)))


def _flights(
    members: Sequence[Member], scope: ReplicationScope, policy: Policy, given: options.Given
) -> Mapping[str, Flight]:
    from ldaprepl.canary import Canary, fly

    return fly(members, Canary(given["canary"], patience=given["canary_wait"]), scope, policy, tools())


def _samples(
    members: Sequence[Member], scope: ReplicationScope, policy: Policy, given: options.Given
) -> Mapping[str, Finding]:
    from ldaprepl.cli.sampling import sample  # brings everything that verify needs

    return sample(members, scope, policy, given["sample"])


def _remembering(state: Path, policy: Policy, given: options.Given) -> int:
    """Check with a memory; in cron mode speak only of what changed."""
    from ldaprepl.domain import alarm  # without a memory neither this nor json is needed
    from ldaprepl.wire import healthstate

    with healthstate.locked(state):
        memory = healthstate.load(state)
        if memory.damaged and not given["quiet"]:
            options.notice(f"{state} could not be understood; beginning anew")
        outcome = _checked(policy, given, memory.debts)
        now = alarm.state_of(outcome.health)
        if not given["cron"]:
            _report(outcome.health, policy, given)
        elif alarm.news(memory.alarm, now):
            from ldaprepl.report import cron

            emit(cron.render(outcome.health, memory.alarm), given["output"])
        healthstate.save(state, outcome.debts, alarm.lasting(memory.alarm, now))
        return outcome.health.status


def policy_of(given: options.Given) -> Policy:
    """Thresholds and severities. Raises `UsageError`."""
    if given["warning"] > given["critical"]:
        raise UsageError("--warning is above --critical", "A warning comes first.")
    severity = {}
    for text in given["severity"]:
        name, _, status = text.partition("=")
        try:
            severity[Criterion(name.strip().lower())] = Status[status.strip().upper()]
        except (ValueError, KeyError):
            names = ", ".join(Criterion)
            raise UsageError(
                f"--severity {text!r} is not CRITERION=STATUS",
                f"Criteria: {names}; states: ok, warning, critical, unknown.",
            ) from None
    return Policy(
        given["warning"],
        given["critical"],
        given["certificate_warning"],
        given["certificate_critical"],
        given["skew"],
        severity,
    )


def _report(health: Health, policy: Policy, given: options.Given) -> None:
    match given["format_"]:
        case "nagios":
            from ldaprepl.report import nagios

            text = nagios.render(health, policy, verbose=given["verbose"])
        case "prometheus":
            from ldaprepl.report import prometheus

            text = prometheus.render(health)
        case form:
            from ldaprepl.report import check as words

            text = words.render_json(health) if form == "json" else words.render_text(health)
    emit(text, given["output"])


__all__ = ["command"]
