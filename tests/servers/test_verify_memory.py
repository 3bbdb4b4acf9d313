"""What a run remembers, as cron and people meet it.

The fears: a mail every hour, no mail at all, a mail that says nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from remembering import COUNT, Memory, describe, follower, found, master, people, settled, twin, unit
from replication import with_admin
from verifying import ADMIN, SECRET, SlapdFactory, verify

from ldaprepl.domain.sample import SUFFIX
from ldaprepl.wire.slapdproc import Slapd


@pytest.fixture
def pair(slapd: SlapdFactory) -> tuple[Slapd, Slapd]:
    provider = master(slapd)
    return provider, twin(slapd, provider)


@pytest.fixture
def memory(pair: tuple[Slapd, Slapd], tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state", *pair)


def test_new_then_known_then_resolved(memory: Memory) -> None:
    connection = with_admin(memory.consumers[0])
    one, other = people(connection, 2)
    connection.delete_s(one)
    extra = unit(connection, "extra")
    describe(connection, other, b"here only")
    first = memory.full()
    assert (first.code, first.consumer["resolved"]) == (1, [])
    assert sorted(found(first)) == sorted([("missing", one, "new"), ("extra", extra, "new"), ("differs", other, "new")])
    connection.delete_s(extra)
    second = memory.full()
    assert sorted(found(second)) == sorted([("missing", one, "known"), ("differs", other, "known")])
    (resolved,) = second.consumer["resolved"]
    assert (resolved["kind"], resolved["dn"]) == ("extra", extra)
    assert memory.full().consumer["resolved"] == []


@pytest.mark.parametrize("stderr", ["heard", "full"])
def test_a_verdict_outlives_a_full_disk(memory: Memory, tmp_path: Path, stderr: str) -> None:
    """A divergence must not look like trouble with the state file; nothing wrong, and not remembered, is not done."""
    begin = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10));"
    script = f"{begin} import sys; from ldaprepl.cli.main import main; main()"
    pair = ["--provider", memory.provider.ldap_uri, "--consumer", memory.consumers[0].ldap_uri, "-b", SUFFIX]
    command = [sys.executable, "-c", script, "verify", *pair, "-D", ADMIN, "--state", str(memory.state)]

    def run() -> tuple[int, str, str]:
        environment = {**os.environ, "LDAPREPL_PASSWORD": SECRET}
        with Path("/dev/full").open("w") as full:
            errors = full if stderr == "full" else subprocess.PIPE
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, check=False
            )
        return done.returncode, done.stdout, done.stderr or "this run is not remembered"

    code, out, said = run()
    assert (code, "EQUAL" in out) == (3, True) and "this run is not remembered" in said
    with_admin(memory.consumers[0]).delete_s(people(with_admin(memory.provider), 1)[0])
    code, out, said = run()
    assert (code, "DIVERGED" in out) == (1, True) and "this run is not remembered" in said
    assert not memory.state.exists()
    assert memory.full().findings[0]["since"] == "new"


def test_without_a_state_nothing_is_new(memory: Memory, tmp_path: Path) -> None:
    with_admin(memory.consumers[0]).delete_s(people(with_admin(memory.provider), 1)[0])
    run = memory.full("--format", "json")
    assert [finding["since"] for finding in run.findings] == ["new"]
    plain = verify(memory.provider, memory.consumers)
    assert [finding["since"] for finding in plain.findings] == [None]
    assert plain.consumer["compared"] == {"what": "everything", "why": None, "proven": None}


def test_a_day_of_cron(memory: Memory) -> None:
    """One mail for each thing that happens, and none in between."""
    provider, (consumer,) = memory.provider, memory.consumers
    cron = ("--cron", "--format", "text", "--since-last")

    def hour(*options: str) -> tuple[int, str]:
        run = memory.full(*cron, *options)
        assert run.err == ""
        return run.code, run.out.split("\n", 1)[0]

    assert hour() == (0, ""), "all is well: the first run says nothing"
    connection = with_admin(consumer)
    one, other = people(connection, 2)
    describe(connection, one, b"here only")
    assert hour() == (1, "LDAP replicas DIVERGED: 1 new differs")
    assert hour() == (1, ""), "told once"
    connection.delete_s(other)
    assert hour() == (1, "LDAP replicas DIVERGED: 1 new missing, 1 known before")
    consumer.stop()
    code, line = hour()
    assert (code, line) == (3, "LDAP replicas UNDECIDED: 1 could not be judged")
    assert hour() == (3, "")
    consumer.start()
    assert hour() == (1, "LDAP replicas DIVERGED: 2 known before")
    mended = memory.consumers[0]
    mended.stop()
    mended.wipe()
    provider.stop()
    mended.load([provider.dump()])
    provider.start()
    mended.start()
    assert hour() == (0, "LDAP replicas EQUAL: 2 resolved")
    assert hour() == (0, "")


def test_lag_is_no_mail(slapd: SlapdFactory, memory: Memory) -> None:
    assert memory.full().code == 0
    unit(with_admin(memory.provider), "on its way")
    run = memory.full("--cron", "--format", "text")
    assert (run.code, run.out) == (4, "")


def test_the_mail_says_what_is_new_first(memory: Memory) -> None:
    connection = with_admin(memory.consumers[0])
    known = people(connection, COUNT)[-30:]
    for dn in known[1:]:
        describe(connection, dn, b"here only")
    assert memory.full().code == 1
    describe(connection, known[0], b"here only")
    run = memory.full("--cron", "--format", "text", "--limit", "1")
    assert f"* {known[0]}  (new)" in run.out
    assert "30 findings (30 differs), 1 of them new" in run.out
    assert known[1] not in run.out


def test_the_page_marks_what_is_new_and_lists_what_is_resolved(memory: Memory) -> None:
    connection = with_admin(memory.consumers[0])
    one, other = people(connection, 2)
    extra = unit(connection, "this & that")
    describe(connection, one, b"here only")
    memory.full()
    connection.delete_s(extra)
    describe(connection, other, b"here only")
    page = memory.full("--format", "html").out
    assert page.count('data-since="new"') == page.count('<span class="pill undecided">new</span>') == 1
    assert page.count('data-since="known"') == 1
    assert '<h2 id="resolved">Resolved</h2>' in page
    assert "this & that" not in page
    assert "this &amp; that" in page.partition('id="resolved"')[2]


def test_the_state_is_one_for_all_consumers(slapd: SlapdFactory, tmp_path: Path) -> None:
    provider = master(slapd)
    consumers = [follower(slapd, provider) for _ in range(2)]
    memory = Memory(tmp_path / "state", provider, *consumers)
    assert memory.full().code == 0
    unit(with_admin(provider), "new")
    for consumer in consumers:
        settled(provider, consumer)
    run = memory.since()
    assert [each["compared"]["what"] for each in run.report["consumers"]] == ["changes", "changes"]
    assert len(json.loads(memory.state.read_text())["pairs"]) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--since-last"], "--since-last has to remember"),
        (["--cron"], "--cron has to remember"),
        (["--state", "{here}/no/such/folder"], "cannot be used"),
        (["--state", "{here}", "--full-every", "soon"], "not a duration"),
    ],
)
def test_wrong_usage(words: list[str], says: str, tmp_path: Path) -> None:
    given = [word.format(here=tmp_path / "state") for word in words]
    run = verify("ldap://127.0.0.1:1", ["ldap://127.0.0.1:1"], *given)
    assert run.code == 2
    assert says in run.err


def test_a_provider_that_is_away_is_told_once(memory: Memory) -> None:
    assert memory.full().code == 0
    memory.provider.stop()
    first = memory.full("--cron", "--format", "text")
    assert (first.code, first.out.split("\n", 1)[0]) == (3, "LDAP replicas UNDECIDED: 1 could not be judged")
    again = memory.full("--cron", "--format", "text")
    assert (again.code, again.out) == (3, "")
    memory.provider.start()
    back = memory.full("--cron", "--format", "text")
    assert (back.code, back.out.split("\n", 1)[0]) == (0, "LDAP replicas EQUAL: all can be judged again")
    assert SUFFIX in back.out
