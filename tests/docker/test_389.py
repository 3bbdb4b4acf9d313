"""389 Directory Server as the master: `sync` copies it into OpenLDAP and keeps it equal, `verify` says so or not.

Its access rules (aci) stand in the entries; OpenLDAP has no use for them, so they are left out.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import ldap
import pytest
from compatibility import Pair
from ds389 import MANAGER, Ds389
from engine import Engine
from lab import ADMIN, PASSWORD, SUFFIX, UPDATEDN, ServerFactory, database, ldaprepl
from openldap import OpenLdap
from verifying import Run

from ldaprepl.domain.sample import directory

pytest_plugins = ["lab", "compatibility"]
pytestmark = [
    pytest.mark.docker,
    pytest.mark.parametrize("pair", [Pair("389 DS", version) for version in ("2.4", "2.5", "2.6")], ids=str),
]
COUNT = 300


@pytest.fixture(scope="module")
def source(docker_engine: Engine, playground: Path) -> Iterator[Ds389]:
    folder = Path(tempfile.mkdtemp(dir=playground))
    server = Ds389(docker_engine, folder, SUFFIX, PASSWORD)
    try:
        connection = server.connection()
        for entry in islice(directory(COUNT), 1, None):
            connection.add_s(entry.dn, [(name, list(values)) for name, values in entry.attributes.items()])
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def run(command: str, source: Ds389, target: OpenLdap, *options: str) -> Run:
    words = ["--provider", source.ldap_uri, "--consumer", target.ldap_uri, "-b", SUFFIX, "-D", MANAGER]
    return ldaprepl(command, *words, "--consumer-bind-dn", ADMIN, "--allow-cleartext", "-x", "aci", *options)


@pytest.mark.shows("sync: first fill and every kind of change")
@pytest.mark.shows("verify: equal user attributes are called equal, a change on one side is found")
def test_a_389_master_is_copied_and_kept(source: Ds389, pair: Pair, made_in: ServerFactory, tmp_path: Path) -> None:
    target = made_in(pair.consumer, database(UPDATEDN)).start()
    state = ("--state", str(tmp_path))
    done = run("sync", source, target, *state, "--format", "json")
    assert done.code == 0, done.out + done.err
    assert done.report["added"] >= COUNT - 5  # each version deletes one
    master = source.connection()
    people = sorted(dn for dn, _ in master.search_s(SUFFIX, ldap.SCOPE_SUBTREE, "(uid=*)", ["1.1"]))
    master.modify_s(people[0], [(ldap.MOD_REPLACE, "description", [pair.consumer.encode()])])
    master.rename_s(people[1], f"uid=moved {pair.consumer}")
    master.delete_s(people[2])
    users = ("-a", "*", "--format", "json")  # entryCSN and structuralObjectClass are not for 389 DS
    assert run("verify", source, target, *users, "--settle", "0").code == 1
    assert run("sync", source, target, *state).code == 0
    done = run("verify", source, target, *users)
    assert done.code == 0, done.out + done.err
    target_admin = ldap.initialize(target.ldap_uri)
    target_admin.simple_bind_s(ADMIN, PASSWORD)
    target_admin.delete_s(people[3])
    done = run("verify", source, target, *users)
    assert (done.code, done.states) == (1, [("missing", people[3], "lasting")]), done.out
