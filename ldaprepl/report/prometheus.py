"""The text format of Prometheus, for node_exporter's textfile collector.

Metric names and labels are stable and documented in docs/check.md. Base units, HELP and TYPE for every metric, and a
metric is left out where nothing was measured: a missing value is no zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ldaprepl.domain.health import Health, ServerHealth, Standing

METRICS = {
    "ldaprepl_check_status": "Result for the server: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    "ldaprepl_server_up": "Whether the contextCSN of the server could be read.",
    "ldaprepl_lag_seconds": "Age of the oldest change that the server lacks, 0 when it lacks none.",
    "ldaprepl_lacking_changes": "Entries changed on a provider that the server lacks; deletes are not counted.",
    "ldaprepl_sid_standing": "1 for the standing of the server with one server ID, 0 for the others.",
    "ldaprepl_contextcsn_timestamp_seconds": "Time in the contextCSN of one server ID.",
    "ldaprepl_certificate_expiry_timestamp_seconds": "End of the validity of the certificate that the server showed.",
    "ldaprepl_clock_skew_seconds": "Clock of the server minus the clock of the checking host.",
    "ldaprepl_canary_seconds": "Time that a real change took from the provider to the server.",
    "ldaprepl_finding": "1 for each thing found wrong, by criterion.",
    "ldaprepl_check_timestamp_seconds": "When the check ran.",
    "ldaprepl_check_duration_seconds": "How long the check took.",
}
_Sample = tuple[str, dict[str, str], float]


def render(health: Health) -> str:
    """The whole file."""
    return _written(list(_samples(health)))


def render_several(seen: Sequence[tuple[str, Health]], unseen: Sequence[str]) -> str:
    """The whole file for several replicas, which the label `replica` tells apart; `unseen` could not be looked at."""
    samples = [
        (metric, {"replica": name, **labels}, value)
        for name, health in seen
        for metric, labels, value in _samples(health)
    ]
    return _written(samples + [("ldaprepl_check_status", {"replica": name}, 3.0) for name in unseen])


def _written(samples: Sequence[_Sample]) -> str:
    lines = []
    for name, text in METRICS.items():
        found = [sample for sample in samples if sample[0] == name]
        if found:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_labels(labels)} {_number(value)}" for _, labels, value in found]
    return "\n".join(lines) + "\n"


def _samples(health: Health) -> Iterator[_Sample]:
    base = {"base": health.base}
    for server in health.servers:
        yield from _server(server, base | {"server": server.uri, "role": "provider" if server.provider else "consumer"})
    yield "ldaprepl_check_timestamp_seconds", base, health.at.timestamp()
    yield "ldaprepl_check_duration_seconds", base, health.seconds


def _server(server: ServerHealth, labels: dict[str, str]) -> Iterator[_Sample]:
    yield "ldaprepl_check_status", labels, float(server.status)
    yield "ldaprepl_server_up", labels, float(server.reached)
    for csn in server.csns.values():
        yield "ldaprepl_contextcsn_timestamp_seconds", labels | {"sid": f"{csn.sid:03x}"}, csn.time.timestamp()
    if server.judged and server.lag is not None:
        yield "ldaprepl_lag_seconds", labels, server.lag
    if server.judged and server.changes is not None:
        yield "ldaprepl_lacking_changes", labels, float(server.changes)
    for sid in server.sids:
        for standing in Standing:
            named = labels | {"sid": sid.name, "standing": standing.value}
            yield "ldaprepl_sid_standing", named, float(sid.standing is standing)
    if server.vitals.certificate_end is not None:
        end = server.vitals.certificate_end.timestamp()
        yield "ldaprepl_certificate_expiry_timestamp_seconds", labels, end
    if server.vitals.skew is not None:
        yield "ldaprepl_clock_skew_seconds", labels, server.vitals.skew
    if server.canary is not None:
        yield "ldaprepl_canary_seconds", labels, server.canary
    for criterion in sorted({finding.criterion for finding in server.findings if finding.status}):
        yield "ldaprepl_finding", labels | {"criterion": criterion.value}, 1.0


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    clean = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3f}"
