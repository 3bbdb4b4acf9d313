"""`verify --ldif` between files. The fears: a cut or damaged dump called equal, lag called loss, a loss called lag, and
a file so large or so shuffled that the memory ends.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ldaprepl.cli.main import run
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import SUFFIX, directory, stamped

EQUAL, DIVERGED, USAGE, UNDECIDED, BEHIND = range(5)
Changes = Mapping[str, tuple[bytes, ...]]


def csn(second: int, sid: int = 1) -> bytes:
    return b"202501010000%02d.000000Z#000000#%03x#000000" % (second, sid)


def person(name: str, second: int = 0, number: int | None = None, **values: bytes) -> Entry:
    """An entry below dc=x, written at `second`; the same name is the same entry, unless `number` says otherwise."""
    identity = sum(name.encode()) if number is None else number
    stamps = {"entryUUID": (b"00000000-0000-0000-0000-%012x" % identity,), "entryCSN": (csn(second),)}
    shown = {key: (value,) for key, value in values.items()}
    return Entry(f"cn={name},dc=x", {"objectClass": (b"person",), "cn": (name.encode(),), **shown, **stamps})


def suffix(*context: bytes) -> Entry:
    held: dict[str, tuple[bytes, ...]] = {"objectClass": (b"domain",), "dc": (b"x",), "entryCSN": (csn(0),)}
    return Entry("dc=x", {**held, "contextCSN": context} if context else held)


def dump(path: Path, entries: Iterable[Entry]) -> str:
    path.write_text("".join(map(entry_text, entries)))
    return str(path)


class Dumps:
    """Writes a provider's and a consumer's dump and compares them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def run(self, *words: str) -> tuple[int, str, str]:
        code = run(["verify", *words])
        out = self._capsys.readouterr()
        assert "a bug:" not in out.err
        return code, out.out, out.err

    def report(self, *words: str) -> dict[str, Any]:
        code, out, err = self.run("--format", "json", *words)
        assert out, err
        report: dict[str, Any] = json.loads(out)
        verdicts = {"equal": EQUAL, "diverged": DIVERGED, "undecided": UNDECIDED, "behind": BEHIND}
        assert code == verdicts[report["verdict"]]
        return report

    def compared(self, provider: Iterable[Entry], consumer: Iterable[Entry], *words: str) -> dict[str, Any]:
        ours, theirs = dump(self.folder / "provider.ldif", provider), dump(self.folder / "consumer.ldif", consumer)
        return self.report("--ldif", ours, theirs, *words)

    def found(self, provider: Iterable[Entry], consumer: Iterable[Entry], *words: str) -> set[tuple[str, ...]]:
        (held,) = self.compared(provider, consumer, *words)["consumers"]
        return {(f["kind"], f["dn"].partition(",")[0], f["state"], f["late"] or "-") for f in held["findings"]}


@pytest.fixture
def dumps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Dumps:
    return Dumps(tmp_path, capsys)


# -- what is the same ----------------------------------------------------------------------------------------------


def test_equal_in_any_order_and_packing(dumps: Dumps, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = list(stamped(directory(300)))
    report = dumps.compared(entries, entries)
    assert report["consumers"][0]["entries"] == {"provider": 300, "consumer": 300, "equal": 300}
    shuffled = entries[:]
    random.Random(1).shuffle(shuffled)
    assert dumps.compared(entries, shuffled)["verdict"] == "equal"
    text = "".join(map(entry_text, shuffled)).encode()
    packed = dumps.folder / "packed.gz"
    packed.write_bytes(gzip.compress(text[:5000]) + gzip.compress(text[5000:]))
    provider = str(dumps.folder / "provider.ldif")
    assert dumps.report("--ldif", provider, str(packed))["verdict"] == "equal"
    for piped in (text, gzip.compress(text)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
        assert dumps.report("--ldif", provider, "-")["verdict"] == "equal"


def test_what_differs_is_found_again_in_what_came_through_a_pipe(dumps: Dumps, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = dump(dumps.folder / "provider.ldif", [suffix(), person("ada", sn=b"Lovelace")])
    piped = gzip.compress("".join(map(entry_text, [person("ada", sn=b"Byron"), suffix()])).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    (finding,) = dumps.report("--ldif", provider, "-")["consumers"][0]["findings"]
    assert finding["attributes"] == [{"name": "sn", "provider": ["Lovelace"], "consumer": ["Byron"]}]


def test_many_in_another_order_spill_to_the_disk_and_are_equal(dumps: Dumps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldaprepl.domain.join.Join.__init__.__defaults__", (None, 1000, 50))
    entries = list(stamped(directory(400)))
    assert dumps.compared(entries, entries[::-1])["verdict"] == "equal"
    changed = [
        Entry(e.dn, {**e.attributes, "description": (b"!",)}) if n % 100 == 7 else e for n, e in enumerate(entries)
    ]
    assert len(dumps.found(entries, changed[::-1])) == 4


def test_a_dump_by_slapcat_and_one_by_ldapsearch_are_one_directory(dumps: Dumps) -> None:
    """Other order of attributes, and what only a search computes."""
    ours = [person("ada", sn=b"Lovelace", mail=b"a@x"), suffix(csn(1))]
    search = {"entryDN": (b"cn=ada,dc=x",), "hasSubordinates": (b"FALSE",), "subschemaSubentry": (b"cn=Subschema",)}
    theirs = [Entry(e.dn, {**dict(reversed(e.attributes.items())), **search}) for e in ours]
    assert dumps.compared(ours, theirs)["verdict"] == "equal"
    assert dumps.compared(ours, theirs[::-1])["verdict"] == "equal"


def test_spelling_is_no_difference_where_the_rule_is_known(dumps: Dumps, tmp_path: Path) -> None:
    ours = [suffix(), person("ada", sn=b"Lovelace", seeAlso=b"cn=Bob,dc=x", shoeSize=b"Big")]
    theirs = [suffix(), person("ada", SN=b"love  lace".replace(b"  ", b""), seeAlso=b"CN=bob, dc=x", shoeSize=b"Big")]
    theirs[1] = Entry("CN=Ada, DC=x", theirs[1].attributes)
    assert dumps.compared(ours, theirs)["verdict"] == "equal"
    assert "no schema at hand" in dumps.compared(ours, theirs)["consumers"][0]["notes"][0]
    theirs[1] = Entry(theirs[1].dn, {**theirs[1].attributes, "shoeSize": (b"big",)})
    assert dumps.found(ours, theirs) == {("differs", "cn=ada", "lasting", "-")}
    schema = tmp_path / "site.schema"
    schema.write_text("# ours\nattributetype ( 1.3.6.1.4.1.4203.666.99.1\n\tNAME 'shoeSize'\n\tSUP name )\n")
    assert dumps.found(ours, theirs, "--schema", str(schema)) == set()
    schema.rename(tmp_path / "site.ldif")
    (tmp_path / "site.ldif").write_text("dn: cn=schema\nolcAttributeTypes: {0}( 1.2.3 NAME 'shoeSize' SUP name )\n\n")
    assert dumps.found(ours, theirs, "--schema", str(tmp_path / "site.ldif")) == set()
    assert dumps.found(ours, theirs, "--bytewise") != set()


# -- what is not the same ------------------------------------------------------------------------------------------


def test_every_kind_without_stamps_counts_as_lasting(dumps: Dumps) -> None:
    ours = [suffix(), person("ada"), person("bob", sn=b"a"), person("eve"), person("old", number=7)]
    theirs = [suffix(), person("bob", sn=b"b"), person("eve", number=9), person("new", number=7), person("more")]
    assert dumps.found(ours, theirs) == {
        ("missing", "cn=ada", "lasting", "-"),
        ("differs", "cn=bob", "lasting", "-"),
        ("identity", "cn=eve", "lasting", "-"),
        ("renamed", "cn=old", "lasting", "-"),
        ("extra", "cn=more", "lasting", "-"),
    }
    assert dumps.found(ours, theirs[::-1]) == dumps.found(ours, theirs)


def test_what_the_consumer_had_not_received_is_behind(dumps: Dumps) -> None:
    """The provider is at second 9, the consumer at 5."""
    ours = [
        suffix(csn(9)),
        person("ada", 7),
        person("bob", 3),
        person("eve", 8, sn=b"new"),
        person("tim", 4, sn=b"new"),
    ]
    theirs = [suffix(csn(5)), person("eve", 2, sn=b"old"), person("tim", 4, sn=b"old"), person("gone", 2)]
    assert dumps.found(ours, theirs) == {
        ("missing", "cn=ada", "behind", "consumer"),
        ("missing", "cn=bob", "lasting", "-"),  # it says it has second 3
        ("differs", "cn=eve", "behind", "consumer"),
        ("differs", "cn=tim", "lasting", "-"),
        ("extra", "cn=gone", "behind", "consumer"),  # deleted by then, perhaps
    }
    assert dumps.compared(ours[:2], theirs[:1])["verdict"] == "behind"


def test_an_older_dump_of_the_provider_is_no_loss_on_either_side(dumps: Dumps) -> None:
    """The consumer was dumped later: what it has that is newer, and what it has deleted since, are only news."""
    ours = [suffix(csn(5)), person("ada", 3, sn=b"old"), person("gone", 2)]
    theirs = [suffix(csn(9)), person("ada", 8, sn=b"new"), person("more", 7)]
    assert dumps.found(ours, theirs) == {
        ("differs", "cn=ada", "behind", "provider"),
        ("missing", "cn=gone", "behind", "provider"),
        ("extra", "cn=more", "behind", "provider"),
    }


def test_what_was_written_on_the_consumer_itself_is_lasting(dumps: Dumps) -> None:
    foreign = person("own", 7)
    foreign = Entry(foreign.dn, {**foreign.attributes, "entryCSN": (csn(7, sid=2),)})
    ours, theirs = [suffix(csn(5)), person("ada", 3)], [suffix(csn(5), csn(7, sid=2)), person("ada", 3), foreign]
    assert dumps.found(ours, theirs) == {("extra", "cn=own", "lasting", "-")}


def test_a_contextcsn_that_was_not_stored_lately_does_not_make_lag_a_loss(dumps: Dumps) -> None:
    """slapcat of a running provider: contextCSN says 2, the newest entry 9. What the consumer (at 5) has too much may
    have been deleted on the provider after 5."""
    ours, theirs = [suffix(csn(2)), person("ada", 9)], [suffix(csn(5)), person("gone", 2)]
    assert ("extra", "cn=gone", "behind", "consumer") in dumps.found(ours, theirs)


def test_renaming_what_is_above_is_behind_though_the_entry_has_an_old_stamp(dumps: Dumps) -> None:
    def unit(name: str, second: int) -> list[Entry]:
        above, below = person(name, second, number=1), person(f"ada,cn={name}", 2, number=2)
        return [above, Entry(below.dn, {**below.attributes, "cn": (b"ada",)})]

    assert dumps.found([suffix(csn(9)), *unit("new", 8)], [suffix(csn(5)), *unit("old", 2)]) == {
        ("renamed", "cn=new", "behind", "consumer"),
        ("renamed", "cn=ada", "behind", "consumer"),
    }


# -- what is to be compared ----------------------------------------------------------------------------------------


def test_scope_attributes_and_another_suffix(dumps: Dumps) -> None:
    ours = [suffix(), person("ada", sn=b"a"), person("bob", 3, sn=b"b")]
    theirs = [suffix(), person("ada", sn=b"A!"), person("bob", sn=b"b")]
    assert dumps.found(ours, theirs, "-x", "sn,entryCSN") == set()
    assert dumps.found(ours, theirs, "-a", "cn") == set()
    assert dumps.found(ours, theirs, "-a", "*") == {("differs", "cn=ada", "lasting", "-")}
    assert dumps.found(ours, theirs, "-a", "+") == {("differs", "cn=bob", "lasting", "-")}
    schema = dumps.folder / "sup.schema"
    schema.write_text("attributetype ( 2.5.4.4 NAME 'sn' SUP name )\n")
    assert dumps.found(ours, theirs, "-a", "name", "--schema", str(schema)) == {("differs", "cn=ada", "lasting", "-")}
    assert dumps.found(ours, theirs, "-b", "cn=bob,dc=X", "-x", "entryCSN") == set()
    assert dumps.found(ours, theirs, "-b", "dc=x", "-s", "base") == set()
    moved = [Entry(e.dn.replace("dc=x", "o=copy"), e.attributes) for e in ours]
    assert dumps.found(ours, moved, "-b", "dc=x", "--suffixmassage", "o=copy") == set()
    assert len(dumps.found(ours, moved[:2], "-b", "dc=x", "--suffixmassage", "o=copy")) == 1


def test_several_consumers_in_one_pass_and_one_bad_file_leaves_the_others_their_verdict(dumps: Dumps) -> None:
    names = [dump(dumps.folder / name, [suffix(), person("ada")]) for name in ("p", "a", "b", "c")]
    dump(Path(names[2]), [suffix()])
    with Path(names[3]).open("a") as file:
        file.write("dn: cn=cut,dc=x\ncn: c")
    report = dumps.report("--ldif", *names)
    assert [consumer["verdict"] for consumer in report["consumers"]] == ["equal", "diverged", "undecided"]
    assert report["consumers"][2]["findings"] == []
    assert f"{names[3]}:13: " in report["consumers"][2]["problem"]["text"]


# -- files that are no dumps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (b"dn: cn=a,dc=x\ncn: a\n", "not ended by an empty line"),
        (b"dn: cn=a,dc=x\ncn a\n\n", "no attribute name and colon"),
        (b"dn: cn=a,dc=x\ncn:: ~\n\n", "not valid base64"),
        (b"dn: cn=a,dc=x\nchangetype: delete\n\n", "a change record"),
        (b"# search result\nsearch: 2\nresult: 4 Size limit exceeded\n\n", "result 4 (Size limit exceeded)"),
    ],
)
def test_incomplete_is_never_equal(dumps: Dumps, side: int, tail: bytes, words: str) -> None:
    """Neither when one file is damaged, nor when both are, in the same way."""
    whole = "".join(map(entry_text, [suffix(), person("ada")])).encode()
    files = [dumps.folder / "a.ldif", dumps.folder / "b.ldif"]
    for bad in ({side}, {0, 1}):
        for number, file in enumerate(files):
            file.write_bytes(whole + (tail if number in bad else b""))
        report = dumps.report("--ldif", *map(str, files))
        assert report["verdict"] == "undecided"
        assert words in report["consumers"][0]["problem"]["text"]


def test_a_gzip_file_that_was_cut_is_not_equal(dumps: Dumps) -> None:
    entries = list(stamped(directory(200)))
    whole = dump(dumps.folder / "whole", entries)
    packed = gzip.compress(Path(whole).read_bytes())
    for bad in (packed[: len(packed) // 2], packed[:-4], packed[:-8] + b"\0" * 8, packed[:9]):
        (dumps.folder / "cut.gz").write_bytes(bad)
        report = dumps.report("--ldif", whole, str(dumps.folder / "cut.gz"))
        assert report["verdict"] == "undecided"
        assert "gzip" in report["consumers"][0]["problem"]["text"]


def test_one_entry_twice_is_no_dump(dumps: Dumps) -> None:
    ours = [suffix(), person("ada")]
    for twice in ([*ours, ours[1]], [*ours, person("ada", sn=b"other")]):
        report = dumps.compared(ours, twice)
        assert report["verdict"] == "undecided"
        assert "twice" in report["consumers"][0]["problem"]["text"]


def test_an_empty_file_is_not_a_directory_without_entries(dumps: Dumps) -> None:
    assert dumps.compared([], [])["verdict"] == "undecided"
    assert dumps.compared([suffix()], [])["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ldif", "{a}"], "one dump alone"),
        (["--ldif", "{a}", "{a}"], "named twice"),
        (["--ldif", "-", "-"], "one standard input"),
        (["--ldif", "{a}", "/nowhere/b.ldif"], "/nowhere/b.ldif cannot be read"),
        (["--ldif", "{a}", "{folder}"], "cannot be read (Is a directory)"),
        (["--ldif", "{a}", "{xz}"], "xz -dc"),
        (["--ldif", "{a}", "{b}", "--filter", "(sn=a)"], "--filter cannot be applied"),
        (["--ldif", "{a}", "{b}", "-a", "@person"], "@class"),
        (["--ldif", "{a}", "{b}", "--schema", "{a}"], "defines no attribute type"),
        (["--ldif", "{a}", "{b}", "--schema", "/nowhere"], "cannot be read"),
        (["--ldif", "{a}", "{b}", "--stanza", "ldapi:///"], "do not go together"),
        (["--ldif", "{a}", "--provider", "ldap://127.0.0.1:1"], "--base"),
        (["{a}", "{b}"], "--ldif"),
        (["--ldif", "{a}", "{b}", "--mesh"], "do not go together"),
        (["--ldif", "{a}", "{b}", "--state", "{folder}/s"], "do not go together"),
        (["--ldif", "{a}", "{b}", "--repair", "ldif"], "do not go together"),
        (["--ldif", "{a}", "{b}", "--auditor-sasl", "EXTERNAL"], "do not go together"),
    ],
)
def test_wrong_usage_is_said_with_its_cure(dumps: Dumps, words: list[str], said: str) -> None:
    a, b = (dump(dumps.folder / name, [suffix()]) for name in ("a", "b"))
    (dumps.folder / "xz").write_bytes(b"\xfd7zXZ\0....")
    places = {"a": a, "b": b, "xz": str(dumps.folder / "xz"), "folder": str(dumps.folder)}
    code, _, err = dumps.run(*(word.format(**places) for word in words))
    assert code == USAGE
    assert said in err


def test_people_read_which_side_is_late(dumps: Dumps) -> None:
    ours = dump(dumps.folder / "ours", [suffix(csn(5)), person("ada", 3)])
    theirs = dump(dumps.folder / "theirs", [suffix(csn(9)), person("ada", 3), person("more", 7)])
    code, out, _ = dumps.run("--ldif", ours, theirs)
    assert code == BEHIND
    assert "cn=more,dc=x  (behind: the provider)" in out
    assert "the consumer is ahead of the provider here" in out
    code, page, _ = dumps.run("--ldif", ours, theirs, "--format", "html")
    assert "behind (the provider)" in page
    assert "younger than what the provider says it has" in page
    _, out, _ = dumps.run("--ldif", theirs, ours)
    assert "cn=more,dc=x  (behind)" in out and "the consumer has not passed" in out
    assert SUFFIX not in out
