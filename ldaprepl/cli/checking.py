"""What `ldaprepl check` does with its options. Nothing here needs click: monitoring starts a check every minute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ldaprepl.check import Member, Options, Outcome, check
from ldaprepl.cli.given import Given, notice
from ldaprepl.cli.members import members_of, tools
from ldaprepl.cli.output import emit
from ldaprepl.cli.pairing import Pairing, grouped
from ldaprepl.domain.health import Criterion, Finding, Health, Policy, Status, worst
from ldaprepl.domain.judgement import Debt, Key
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import LdapreplError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ldaprepl.canary import Flight


class Looked(NamedTuple):
    """One replica as it was seen, and the mail about it where --cron wants one."""

    name: str
    health: Health
    policy: Policy
    mail: str = ""


def run(given: Given) -> int:
    """Check and report; the Nagios status. Raises `LdapreplError`."""
    found = grouped(given)
    if len(found) == 1:
        if found[0].problem:
            raise found[0].problem
        return look(found[0], _say).health.status
    from ldaprepl.cli.checkseveral import run as run_several

    return run_several(found, given)


def look(pairing: Pairing, say: Callable[[Looked, Given], None]) -> Looked:
    """Check one replica; `say` reports it. Raises `LdapreplError`."""
    given = pairing.given
    policy = policy_of(given)
    state: Path | None = given["state"]
    if given["cron"] and state is None:
        raise UsageError("--cron must remember the state", "Give a file with --state.")
    if state is not None:
        return _remembering(state, policy, pairing, say)
    looked = Looked(pairing.name, _checked(policy, pairing, {}).health, policy)
    say(looked, given)
    return looked


def _checked(policy: Policy, pairing: Pairing, debts: Mapping[Key, Debt]) -> Outcome:
    given = pairing.given
    with members_of(pairing) as (members, scope):
        outcome = check(members, Options(scope, policy, given["recheck"]), debts, tools())
        # Afterwards: an entry arrives a moment before its contextCSN, and our own change would count as lacking.
        flights = _flights(members, scope, policy, given) if given["canary"] else {}
        samples = _samples(members, scope, policy, given) if given["sample"] else {}
    servers = []
    for server in outcome.health.servers:
        flight = flights.get(server.uri)
        extra = [finding for finding in (flight and flight.finding, samples.get(server.uri)) if finding]
        seconds = flight.seconds if flight else None
        servers.append(server._replace(findings=(*server.findings, *extra), canary=seconds))
    return outcome._replace(health=outcome.health._replace(servers=tuple(servers)))


def _flights(members: Sequence[Member], scope: ReplicationScope, policy: Policy, given: Given) -> Mapping[str, Flight]:
    from ldaprepl.canary import Canary, fly

    return fly(members, Canary(given["canary"], patience=given["canary_wait"]), scope, policy, tools())


def _samples(members: Sequence[Member], scope: ReplicationScope, policy: Policy, given: Given) -> Mapping[str, Finding]:
    from ldaprepl.cli.sampling import sample  # brings everything that verify needs

    return sample(members, scope, policy, given["sample"])


def _remembering(state: Path, policy: Policy, pairing: Pairing, say: Callable[[Looked, Given], None]) -> Looked:
    """Check with a memory; in cron mode speak only of what changed."""
    from ldaprepl.domain import alarm  # without a memory neither this nor json is needed
    from ldaprepl.wire import healthstate

    given = pairing.given
    if "state" in given.get("origins", ()):  # a profile names the folder, and nobody else makes it
        state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with healthstate.locked(state):
        memory = healthstate.load(state)
        if memory.damaged and not given["quiet"]:
            notice(f"{state} could not be understood; beginning anew")
        outcome = _checked(policy, pairing, memory.debts)
        now = alarm.state_of(outcome.health)
        mail = ""
        if given["cron"] and alarm.news(memory.alarm, now):
            from ldaprepl.report import cron

            mail = cron.render(outcome.health, memory.alarm)
        looked = Looked(pairing.name, outcome.health, policy, mail)
        lasting = alarm.lasting(memory.alarm, now)
        if given["cron"]:  # a mail that could not be written has not been sent
            say(looked, given)
            healthstate.save(state, outcome.debts, lasting)
            return looked
        try:
            healthstate.save(state, outcome.debts, lasting)
        except LdapreplError as error:
            if worst((outcome.health.status, Status.UNKNOWN)) is Status.UNKNOWN:
                raise
            notice(str(error))  # an alarm outweighs what could not be remembered
        say(looked, given)
        return looked


def _say(looked: Looked, given: Given) -> None:
    if not given["cron"]:
        _report(looked.health, looked.policy, given)
    elif looked.mail:
        emit(looked.mail, given["output"])


def policy_of(given: Given) -> Policy:
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


def _report(health: Health, policy: Policy, given: Given) -> None:
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
