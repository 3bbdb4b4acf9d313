"""The reports of `check` and `status` for several replicas in one run: those of one, each with its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ldaprepl.domain.health import Health, Policy, Status
from ldaprepl.report import check, nagios, prometheus, status
from ldaprepl.report.health import details, headline
from ldaprepl.report.values import printable


class Unseen(NamedTuple):
    """A replica that could not be looked at, and why."""

    name: str
    text: str
    cure: str = ""


View = tuple[str, Health, Policy] | Unseen


def render_nagios(views: Sequence[View], worst: Status, *, verbose: bool = False) -> str:
    """One line for all; labels of the performance data begin with the replica's name."""
    said, data, more = [], [], []
    for view in views:
        if isinstance(view, Unseen):
            said.append(f"{view.name}: {printable(view.text)}")
            continue
        name, health, policy = view
        said.append(f"{name}: {headline(health)}")
        data.append(nagios.perfdata(health, policy, f"{name}_"))
        more += [f"{name}: {line}" for line in details(health)]
    line = f"LDAPREPL {worst.name} - {nagios.clean('; '.join(said))} | {' '.join(data)}".rstrip(" |") + "\n"
    return line + "".join(f"{nagios.clean(each)}\n" for each in more) if verbose else line


def render_prometheus(views: Sequence[View]) -> str:
    """The samples of all, with the label `replica`."""
    seen = [view for view in views if not isinstance(view, Unseen)]
    unseen = [view.name for view in views if isinstance(view, Unseen)]
    return prometheus.render_several([(name, health) for name, health, _ in seen], unseen)


def render_json(views: Sequence[View], worst: Status, command: str = "check") -> str:
    """One document: each report as it would stand alone, under `reports`, with its name."""
    reports: list[dict[str, Any]] = []
    for view in views:
        if isinstance(view, Unseen):
            problem = {"text": printable(view.text), "cure": printable(view.cure)}
            reports.append({"name": view.name, "status": Status.UNKNOWN.name, "problem": problem})
        else:
            reports.append({"name": view[0], **check.document(view[1], command)})
    whole = {"schema": check.SCHEMA, "command": command, "status": worst.name, "reports": reports}
    return json.dumps(whole, indent=2, ensure_ascii=True) + "\n"


def render_text(views: Sequence[View]) -> str:
    """Each under its name."""
    return _under_names(views, check.render_text)


def render_tables(views: Sequence[View], *, colour: bool = False) -> str:
    """The tables of `status`, each under its name."""
    return _under_names(views, lambda health: status.render(health, colour=colour))


def _under_names(views: Sequence[View], rendered: Callable[[Health], str]) -> str:
    pieces = [_unseen(view) if isinstance(view, Unseen) else rendered(view[1]) for view in views]
    return "\n".join(f"[{printable(view[0])}]\n{piece}" for view, piece in zip(views, pieces, strict=True))


def unseen_mail(view: Unseen) -> str:
    """What cron is told of a replica that could not be looked at."""
    return f"LDAP replication UNKNOWN: {printable(view.name)}: {_unseen(view).removeprefix('UNKNOWN: ')}"


def _unseen(view: Unseen) -> str:
    return f"UNKNOWN: {printable(view.text)}.\n" + (f"  {printable(view.cure)}\n" if view.cure else "")
