"""Dumps of real servers, made by slapcat and ldapsearch in all their forms, with each other and with live servers.

The fears: two ways of dumping one server that differ, a dump that was cut and nobody says so, and changes since a dump
was made that are called a loss.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from replication import context, until, with_admin
from test_verify_native import add_person, add_unit, caught_up, describe, follower, kinds, master
from verifying import ADMIN, SECRET, Run, SlapdFactory, checked, conf, environment, filled

from ldaprepl.domain.awkward import awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdproc import Slapd

COUNT = 700


def compare(*words: str | Path, stdin: bytes = b"") -> Run:
    command = [sys.executable, "-m", "ldaprepl", "verify", "--format", "json", "--settle", "0", "-D", ADMIN]
    done = subprocess.run(
        [*command, *map(str, words)], input=stdin, capture_output=True, env=environment(), check=False, timeout=120
    )
    return checked(done.returncode, done.stdout, done.stderr)


def slapcat(server: Slapd, file: Path) -> Path:
    file.write_text(server.dump())
    return file


def ldapsearch(server: Slapd, file: Path, *options: str, wanted: tuple[str, ...] = ("*", "+")) -> Path:
    words = ["ldapsearch", "-x", "-M", "-H", server.ldap_uri, "-D", ADMIN, "-w", SECRET, "-b", SUFFIX, *options]
    done = subprocess.run([*words, "(objectClass=*)", *wanted], capture_output=True, check=False)
    file.write_bytes(done.stdout)
    return file


@pytest.fixture(scope="module")
def provider(slapd_module: SlapdFactory) -> Iterator[Slapd]:
    """Everything awkward that a directory can hold, and nobody who changes it."""
    yield filled(slapd_module(conf("overlay syncprov", modules=("syncprov",))), stamped(awkward(COUNT)))


@pytest.fixture(scope="module")
def ordinary(slapd_module: SlapdFactory) -> Iterator[Slapd]:
    yield filled(slapd_module(conf("overlay syncprov", modules=("syncprov",))), stamped(directory(300)))


def test_all_ways_of_dumping_one_server_are_equal(provider: Slapd, ordinary: Slapd, tmp_path: Path) -> None:
    ways: list[tuple[str, ...]] = [(), ("-L",), ("-E", "pr=100/noprompt"), ("-LL",), ("-LLL", "-o", "ldif-wrap=no")]
    for server, count, some in ((ordinary, 300, ways), (provider, COUNT, ways[3:])):
        searched = [ldapsearch(server, tmp_path / f"search{number}", *way) for number, way in enumerate(some)]
        run = compare("--ldif", slapcat(server, tmp_path / "slapcat"), *searched)
        assert [(held["verdict"], held["problem"]) for held in run.report["consumers"]] == [("equal", None)] * len(some)
        assert {held["entries"]["equal"] for held in run.report["consumers"]} == {count}


def test_a_dn_that_breaks_out_of_a_comment_of_ldapsearch_is_not_read_as_an_entry(
    slapd: SlapdFactory, tmp_path: Path
) -> None:
    """ldapsearch writes the DN into a comment as it is, line ends too; so an entry could write others (or none)."""
    evil = Entry(
        f"cn=x\\0A\\0Adn: cn=made up\\2C{SUFFIX.replace(',', chr(92) + '2C')}\\0Acn: made up\\0A\\0A#,{SUFFIX}",
        {"objectClass": (b"person",), "sn": (b"x",)},
    )
    cn = evil.dn.partition(",dc=example")[0].removeprefix("cn=").encode()
    cn = cn.replace(b"\\0A", b"\n").replace(b"\\2C", b",")
    evil = Entry(evil.dn, {**evil.attributes, "cn": (cn,)})
    server = filled(slapd(conf()), [*stamped(directory(30)), evil])
    dumped, searched = slapcat(server, tmp_path / "slapcat"), ldapsearch(server, tmp_path / "search")
    assert b"\n\ndn: cn\\3Dmade up" in searched.read_bytes()
    run = compare("--ldif", dumped, searched)
    assert run.code == 3
    assert "ldapsearch counted 31 entries, but 32 are there" in run.consumer["problem"]["text"]
    assert compare("--ldif", dumped, ldapsearch(server, tmp_path / "bare", "-LLL")).code == 0


@pytest.mark.parametrize("way", ["slapcat", "ldapsearch"])
def test_a_dump_and_its_server_are_equal_both_ways(provider: Slapd, tmp_path: Path, way: str) -> None:
    file = tmp_path / "dump"
    dumped = slapcat(provider, file) if way == "slapcat" else ldapsearch(provider, file, "-LLL")
    records = [record for record in dumped.read_text().split("\n\n") if record.strip()]
    shuffled = tmp_path / "shuffled"
    shuffled.write_text("".join(f"{record}\n\n" for record in records[::-1]))
    for run in (
        compare("--provider", provider.ldap_uri, "-b", SUFFIX, "--ldif", dumped),
        compare("--ldif", dumped, "--consumer", provider.ldap_uri, "-b", SUFFIX),
        compare("--provider", provider.ldap_uri, "-b", SUFFIX, "--ldif", shuffled, "--consumer", provider.ldap_uri),
        compare("--provider", provider.ldap_uri, "-b", SUFFIX, "--ldif", "-", stdin=shuffled.read_bytes()),
    ):
        assert run.code == 0, run.out
        assert {held["entries"]["equal"] for held in run.report["consumers"]} == {COUNT}


def test_the_servers_schema_serves_the_dump_too(provider: Slapd, tmp_path: Path) -> None:
    dumped = slapcat(provider, tmp_path / "dump")
    other = tmp_path / "other"
    other.write_text(dumped.read_text().replace("\ntitle: ", "\nTITLE: "))
    for words in (("--schema", provider.ldap_uri), ()):
        run = compare("--ldif", dumped, other, *words)
        assert run.code == 0
        assert any("no schema" in note for note in run.consumer["notes"]) == (not words)


def test_a_search_that_was_cut_is_undecided(provider: Slapd, tmp_path: Path) -> None:
    whole = slapcat(provider, tmp_path / "whole")
    cut = ldapsearch(provider, tmp_path / "cut", "-z", "100")
    run = compare("--ldif", whole, cut)
    assert run.code == 3
    assert "result 4 (Size limit exceeded)" in run.consumer["problem"]["text"]
    assert f"{cut}:" in run.consumer["problem"]["text"]
    assert run.findings == []
    killed = cut.read_bytes().partition(b"# search result")[0]
    cut.write_bytes(killed)
    assert compare("--ldif", whole, cut).code == 3


def test_a_cut_dump_beside_live_servers_spoils_only_its_own_verdict(provider: Slapd, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text(provider.dump()[:-30])
    run = compare("--provider", provider.ldap_uri, "-b", SUFFIX, "--ldif", broken, "--consumer", provider.ldap_uri)
    assert [held["verdict"] for held in run.report["consumers"]] == ["undecided", "equal"]
    run = compare("--ldif", broken, "--consumer", provider.ldap_uri, "-b", SUFFIX)
    assert run.code == 3


def test_a_dead_server_beside_a_dump_is_undecided(provider: Slapd, tmp_path: Path) -> None:
    dumped = slapcat(provider, tmp_path / "dump")
    nobody = "ldap://127.0.0.1:9"
    run = compare("--ldif", dumped, "--consumer", nobody, "--consumer", provider.ldap_uri, "-b", SUFFIX)
    assert [held["verdict"] for held in run.report["consumers"]] == ["undecided", "equal"]
    run = compare("--provider", nobody, "--ldif", dumped, "-b", SUFFIX)
    assert run.code == 3
    assert run.report["provider"]["uri"] == nobody


def test_what_happened_after_the_dump_is_behind_and_what_was_lost_before_it_is_lasting(
    slapd: SlapdFactory, tmp_path: Path
) -> None:
    """A consumer's dump against the live provider that went on."""
    provider = master(slapd, stamped(directory(60)))
    consumer = follower(slapd, provider)
    writer = with_admin(provider)
    for name in ("kept", "gone", "lost", "old"):
        add_unit(writer, name)
    until(lambda: caught_up(provider, consumer))
    dumped = slapcat(consumer, tmp_path / "consumer")
    dumped.write_text(
        "".join(f"{record}\n\n" for record in dumped.read_text().split("\n\n") if record and "ou=lost," not in record)
    )
    words = ["--provider", provider.ldap_uri, "-b", SUFFIX, "--ldif", dumped]
    assert kinds(compare(*words)) == [("missing", f"ou=lost,{SUFFIX}", "lasting")]
    add_person(writer, "new", f"ou=kept,{SUFFIX}")
    describe(writer, f"ou=kept,{SUFFIX}", b"changed")
    writer.delete_s(f"ou=gone,{SUFFIX}")
    writer.rename_s(f"ou=old,{SUFFIX}", "ou=renamed")
    run = compare(*words)
    assert set(kinds(run)) == {
        ("missing", f"ou=lost,{SUFFIX}", "lasting"),
        ("missing", f"cn=new,ou=kept,{SUFFIX}", "behind"),
        ("differs", f"ou=kept,{SUFFIX}", "behind"),
        ("extra", f"ou=gone,{SUFFIX}", "behind"),
        ("renamed", f"ou=renamed,{SUFFIX}", "behind"),
    }
    assert {finding["late"] for finding in run.findings} == {None, "consumer"}


def lately_written(slapd: SlapdFactory, name: str) -> tuple[Slapd, Slapd]:
    """A provider whose newest entry is a unit of that name, and its consumer, which has it too."""
    provider = master(slapd, stamped(directory(60)))
    consumer = follower(slapd, provider)
    add_unit(with_admin(provider), name)
    until(lambda: caught_up(provider, consumer))
    return provider, consumer


def test_an_old_dump_of_the_provider_beside_a_live_consumer_is_late_itself(slapd: SlapdFactory, tmp_path: Path) -> None:
    provider, consumer = lately_written(slapd, "gone")
    writer = with_admin(provider)
    dumped = slapcat(consumer, tmp_path / "before")  # it is the same tree, with contextCSN stored
    add_unit(writer, "new")
    writer.delete_s(f"ou=gone,{SUFFIX}")
    until(lambda: caught_up(provider, consumer))
    run = compare("--ldif", dumped, "--consumer", consumer.ldap_uri, "-b", SUFFIX)
    assert run.code == 4
    assert {(f["kind"], f["late"]) for f in run.findings} == {("extra", "provider"), ("missing", "provider")}


def test_a_running_provider_has_not_gone_back(slapd: SlapdFactory, tmp_path: Path) -> None:
    """It stores its contextCSN at a checkpoint only, its consumer at once; its entries show how far it is."""
    _, consumer = lately_written(slapd, "new")
    dumped = slapcat(consumer, tmp_path / "c")
    older, count = re.subn("(?m)^contextCSN: [0-9]{4}", "contextCSN: 2001", dumped.read_text())
    (tmp_path / "p").write_text(older)
    run = compare("--ldif", tmp_path / "p", dumped)
    assert (count, run.code) == (1, 0)
    assert not any("went back" in note for note in run.consumer["notes"])


def test_the_first_changes_under_a_new_server_id_are_no_stranger(slapd: SlapdFactory, tmp_path: Path) -> None:
    """Data of another server, then a first write: the provider's own server ID is in its entries and not stored yet."""
    provider = slapd(replace(conf("overlay syncprov", modules=("syncprov",)), server_id=7))
    provider.load(map(entry_text, stamped(directory(60))), write_csn=True)
    provider.start()
    add_unit(with_admin(provider), "first")
    consumer = follower(slapd, provider)
    ours, theirs = slapcat(provider, tmp_path / "p"), slapcat(consumer, tmp_path / "c")
    stored = [re.findall("(?m)^contextCSN: .*#(...)#", dump.read_text()) for dump in (ours, theirs)]
    if stored != [["000"], ["000", "007"]]:
        pytest.skip("this slapd stores it at once")
    run = compare("--ldif", ours, theirs)
    assert run.code == 0
    assert not any("007" in note for note in run.consumer["notes"]), run.consumer["notes"]
    ours.write_text(re.sub("(?m)^(entryCSN: .*)#007#", r"\1#000#", ours.read_text()))
    (note,) = (note for note in compare("--ldif", ours, theirs).consumer["notes"] if "007" in note)
    assert "something writes on the consumer, or the dump is older" in note


def test_a_delete_just_before_the_dump_of_a_running_provider(slapd: SlapdFactory, tmp_path: Path) -> None:
    """No entry shows it, and the contextCSN that would is not stored yet; the consumer has stored it."""
    provider, consumer = lately_written(slapd, "gone")
    writer = with_admin(provider)
    writer.delete_s(f"ou=gone,{SUFFIX}")
    until(lambda: caught_up(provider, consumer))
    dumped = slapcat(consumer, tmp_path / "c")
    older, count = re.subn("(?m)^contextCSN: [0-9]{4}", "contextCSN: 2001", dumped.read_text())
    assert count == 1
    (tmp_path / "p").write_text(older)
    run = compare("--ldif", tmp_path / "p", dumped)
    assert run.code == 0
    assert not any("went back" in note for note in run.consumer["notes"]), run.consumer["notes"]


def test_two_dumps_of_a_replicating_pair_taken_while_it_works(slapd: SlapdFactory, tmp_path: Path) -> None:
    """Dumped one after the other under writes, in both orders: never a loss."""
    provider = master(slapd, stamped(directory(60)))
    consumer = follower(slapd, provider)
    writer = with_admin(provider)
    for turn in range(3):
        names = [f"{turn}-{number}" for number in range(20)]
        dumps = []
        for server in (provider, consumer) if turn % 2 else (consumer, provider):
            for name in names[:10]:
                add_unit(writer, name)
            dumps.append(slapcat(server, tmp_path / f"{turn}-{'c' if server is consumer else 'p'}"))
            names = names[10:]
            for name in names:
                describe(writer, f"ou={turn}-0,{SUFFIX}", name.encode())
        run = compare("--ldif", tmp_path / f"{turn}-p", tmp_path / f"{turn}-c")
        assert run.code in (0, 4), run.out


def test_the_dump_of_a_stopped_pair_is_equal_to_the_last_stamp(slapd: SlapdFactory, tmp_path: Path) -> None:
    provider = master(slapd, stamped(directory(60)))
    consumer = follower(slapd, provider)
    add_unit(with_admin(provider), "more")
    until(lambda: caught_up(provider, consumer))
    held = [csn.decode() for csn in context(provider)]
    provider.stop()
    consumer.stop()
    run = compare("--ldif", slapcat(provider, tmp_path / "p"), slapcat(consumer, tmp_path / "c"))
    assert run.code == 0
    assert run.report["provider"]["contextcsn"] == run.consumer["contextcsn"] == held


def test_as_a_person_would(provider: Slapd, tmp_path: Path) -> None:
    file = tmp_path / "small.ldif"
    file.write_text("".join(entry_text(entry) for entry in stamped(directory(30))))
    words = [sys.executable, "-m", "ldaprepl", "verify", "--ldif", file, "-"]
    done = subprocess.run(words, input=file.read_bytes() + b"dn: dc=y\n", capture_output=True, check=False)
    assert done.returncode == 3
    assert b"standard input:" in done.stdout and b"may have been cut" in done.stdout
    assert json.loads(compare("--ldif", file, "-", stdin=file.read_bytes()).out)["verdict"] == "equal"
