"""docs/check.md must name what is there: criteria with their defaults, metrics, JSON keys, options."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from ldaprepl.cli.check import command
from ldaprepl.cli.status import command as status
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.health import SEVERITY, Criterion, Finding, Health, ServerHealth, SidHealth, Standing, Status
from ldaprepl.report import prometheus
from ldaprepl.report.check import render_json

TEXT = (Path(__file__).parents[2] / "docs/check.md").read_text()


def test_every_criterion_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", TEXT, re.MULTILINE))
    assert set(Criterion) <= set(rows)
    for criterion, severity in SEVERITY.items():
        if criterion is not Criterion.CANARY:
            assert rows[criterion] == severity.name


def test_every_metric() -> None:
    assert set(re.findall(r"`(ldaprepl_\w+)`", TEXT)) == set(prometheus.METRICS)


def test_every_key() -> None:
    csns = CsnSet.parse(["20261122110000.000000Z#000000#001#000000"])
    server = ServerHealth("ldap://c", False, True, csns, (SidHealth(1, Standing.EQUAL),),
                          (Finding(Criterion.LAG, Status.OK, "x"),))  # fmt: skip
    document = json.loads(render_json(Health("dc=x", datetime.now(UTC), (server,))))
    member = document["consumers"][0]
    for part in (document, member, member["sids"][0], member["findings"][0]):
        for key in part.keys() - {"seconds"}:
            assert f"`{key}`" in TEXT, key


def test_every_option_named_exists() -> None:
    known = {name for each in (command, status) for parameter in each.params for name in parameter.opts}
    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", TEXT)) <= known
