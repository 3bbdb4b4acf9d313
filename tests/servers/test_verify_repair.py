"""Repair by changes on the consumer. The fears: an order that a server refuses half-way, a value that comes out
otherwise, a delete too many, a secret in the open, and a repair that says "healed" of what is not.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from mendlab import (
    FREE,
    UPDATEDN,
    all_of,
    extra,
    pair,
    renamed,
    repair,
    sample,
    still_wrong,
    swapped,
)
from verifying import ADMIN, SlapdFactory, password_file

from ldaprepl.domain.planting import plant
from ldaprepl.domain.sample import SUFFIX
from ldaprepl.wire.slapdproc import Slapd

PEOPLE = f"ou=people,{SUFFIX}"
STAMPS = ("-x", "entryCSN", "-x", "modifyTimestamp", "-x", "modifiersName")


def everything(entries: list) -> list:  # type: ignore[type-arg]
    """Every kind of divergence, planted and by hand."""
    planted, _ = plant(entries, 3, seed=5)
    known = {entry.dn for entry in planted} & {entry.dn for entry in entries}
    uids = sorted(dn for dn in known if dn.startswith("uid="))
    one, two, three, four, five = uids[:5]
    harms = all_of(
        swapped(one, two),
        renamed(three, f"uid=chain,{SUFFIX}"),
        renamed(four, three),
        extra(f"ou=stray,{SUFFIX}", 1),
        extra(f"ou=below,ou=stray,{SUFFIX}", 2),
        extra(f"uid=deep,ou=below,ou=stray,{SUFFIX}", 3),
        renamed(five, f"uid=lost child,ou=below,ou=stray,{SUFFIX}"),
        renamed(f"ou=groups,{SUFFIX}", f"ou=gruppen,ou=stray,{SUFFIX}"),
    )
    return list(harms(planted))


def ldapmodify(server: Slapd, file: Path, folder: Path, *options: str) -> None:
    """As the LDIF's comment says it."""
    secret = password_file(folder)
    subprocess.run(
        ["ldapmodify", "-H", server.ldap_uri, "-x", "-D", ADMIN, "-y", str(secret), *options, "-f", str(file)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("way", ["apply", "ldif"])
@pytest.mark.parametrize(("lines", "relaxed"), [((UPDATEDN,), False), ((), True)], ids=["updatedn", "relax"])
def test_every_divergence_at_once(
    slapd: SlapdFactory, tmp_path: Path, way: str, lines: tuple[str, ...], relaxed: bool
) -> None:
    provider, consumer = pair(slapd, sample(), everything, *lines)
    left_out = STAMPS if relaxed else ()
    assert len(still_wrong(provider, consumer, *left_out)) > 20
    if way == "apply":
        run = repair(provider, consumer, "apply", "--yes", *FREE, *left_out)
        made = run.consumer["repair"]
        assert (run.code, run.findings, made["refused"]) == (0, [], []), run.out
        assert made["planned"] == made["done"] == made["healed"] > 20
    else:
        file = tmp_path / "repair.ldif"
        run = repair(provider, consumer, "ldif", "--repair-file", str(file), *FREE, *left_out)
        assert run.code == 1
        assert file.stat().st_mode & 0o777 == 0o600
        ldapmodify(consumer, file, tmp_path, "-M", *(["-e", "relax"] if relaxed else []))
    assert still_wrong(provider, consumer, *left_out) == []
