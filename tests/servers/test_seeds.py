"""The two commands that write a seed are one reader: what holds of one holds of the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SlapdFactory
from synclab import BASE, SYNCPROV, Lab, consumer_conf, provider_conf, seed

from ldaprepl.domain import ldif

WAYS = {"sync": ("--to-ldif", "--consumer", "ldap://127.0.0.1:9"), "init-consumer": ("--seed",)}
SUBENTRY = f"cn=policy,{BASE}"


def run(lab: Lab, way: str, file: Path, *more: str, anonymous: bool = False) -> subprocess.CompletedProcess[str]:
    option, *rest = WAYS[way]
    line = [sys.executable, "-m", "ldaprepl", way, "--provider", lab.provider.ldap_uri, "-b", BASE]
    line += [*([] if anonymous else ["-D", lab.provider.rootdn]), option, str(file), *rest, *more]
    environment = {**os.environ, "LDAPREPL_PASSWORD": lab.provider.rootpw.reveal()}
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)


def made(slapd: SlapdFactory, tmp_path: Path, overlay: tuple[str, ...]) -> Lab:
    lab = Lab(slapd(provider_conf(overlay)).start(), slapd(consumer_conf()), tmp_path)
    seed(lab.admin())
    values = [("objectClass", [b"subentry", b"extensibleObject"]), ("subtreeSpecification", [b"{}"])]
    lab.admin().add_s(SUBENTRY, [*values, ("cn", [b"policy"])])
    return lab


@pytest.mark.parametrize("way", WAYS)
def test_subentries_are_in_it_and_the_contextcsn(slapd: SlapdFactory, tmp_path: Path, way: str) -> None:
    lab = made(slapd, tmp_path, SYNCPROV)
    file = tmp_path / "seed.ldif"
    done = run(lab, way, file)
    assert done.returncode == 0 and "slapadd -q" in done.stderr and "slapadd -q -w" not in done.stderr, done.stderr
    found = {record.dn: dict(record.pairs) for record in ldif.records(file.read_text().splitlines())}
    assert SUBENTRY in found and len(found) == 10
    assert [found[BASE]["contextCSN"]] == lab.contextcsn(lab.provider)
    lab.consumer.load(file)
    lab.consumer.start()
    assert lab.contextcsn(lab.consumer) == lab.contextcsn(lab.provider)


def test_without_contextcsn_it_is_for_sync_only(slapd: SlapdFactory, tmp_path: Path) -> None:
    lab = made(slapd, tmp_path, ())
    file = tmp_path / "seed.ldif"
    done = run(lab, "sync", file)
    assert done.returncode == 0 and "native syncrepl cannot go on" in done.stderr
    assert len(list(ldif.records(file.read_text().splitlines()))) == 10
    done = run(lab, "init-consumer", tmp_path / "none", "--force")
    assert done.returncode == 3 and "shows no contextCSN" in done.stderr and not (tmp_path / "none").exists()


@pytest.mark.parametrize("way", WAYS)
def test_a_cut_answer_is_no_seed(slapd: SlapdFactory, tmp_path: Path, way: str) -> None:
    lab = made(slapd, tmp_path, ("limits anonymous size=3", *SYNCPROV))
    more = ("--force",) if way == "init-consumer" else ()
    done = run(lab, way, tmp_path / "seed", *more, anonymous=True)
    assert done.returncode == 3 and "size limit" in done.stderr.lower().replace("sizelimit", "size limit"), done.stderr
    assert "size=unlimited" in done.stderr and not (tmp_path / "seed").exists()
