"""A replog is read after crashes, while it grows, and cut: what comes out must be a change that the master made."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaprepl.domain import replog, replogwrite
from ldaprepl.domain.replog import Add, Delete, Item, Mod, Modify, Reader, Record, Rename, When

SAMPLES = Path(__file__).parent / "replogs"  # captured from 2.0.27, 2.1.30 and 2.2.30
FILES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".status")
COUNTS = {
    "2.0.rej": 4, "2.0.replog": 7, "2.1.rej": 2, "2.1.replog": 3, "2.2-four-replicas.replog": 10, "2.2.rej": 4,
    "2.2.replog": 16,
}  # fmt: skip


def read(data: bytes) -> list[Item]:
    return list(Reader().feed(data))


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def one(text: str) -> Record:
    (item,) = read(text.encode() + b"\n\n")
    assert item.record is not None, item.problem
    return item.record


# -- the captured samples ----------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_samples_are_read_whole_and_written_back_byte_for_byte(name: str) -> None:
    data = sample(name)
    items = read(data)
    assert len(items) == COUNTS[name]
    for item in items:
        assert item.record is not None, item.problem
        assert replogwrite.write(item.record) == item.raw + b"\n"
    assert items[-1].end == len(data)


def test_every_line_number_leads_to_its_record() -> None:
    lines = sample("2.2-four-replicas.replog").split(b"\n")
    for item in read(sample("2.2-four-replicas.replog")):
        assert lines[item.line - 1] == item.raw.split(b"\n")[0]
        assert lines[item.line - 2] == b"" or item.line == 1


def test_what_the_samples_say() -> None:
    records = [item.record for item in read(sample("2.2.replog")) if item.record]
    kinds = [record.kind for record in records]
    assert kinds.count("add") == 1
    assert kinds.count("modrdn") == 4
    assert kinds.count("delete") == 2
    add = records[0].change
    assert isinstance(add, Add)
    assert add.attributes["cn"] == (b"New Guy", "新人".encode())
    assert add.attributes["description"][:3] == (b" leading space", b"trailing space ", b"two\nlines")
    assert add.attributes["description"][3].startswith(b"long long") and add.attributes["description"][3].endswith(
        b"end"
    )
    assert add.attributes["userPassword"] == (b"plainpw",)
    moved = records[6]
    assert moved.new_dn == "uid=moved,ou=Sandbox,dc=kumicho,dc=net"
    utf8 = records[8]
    assert (utf8.dn, utf8.new_dn) == (
        "cn=山田 太郎,ou=People,dc=kumicho,dc=net", "cn=山田 次郎,ou=People,dc=kumicho,dc=net",
    )  # fmt: skip
    assert records[3].change == Modify(
        (
            Mod("replace", "title"),
            Mod("replace", "entryCSN", (b"20261122102619Z#000004#00#000000",)),
            Mod("replace", "modifiersName", (b"cn=Manager,dc=kumicho,dc=net",)),
            Mod("replace", "modifyTimestamp", (b"20261122102619Z",)),
        )
    )


def test_rejects_carry_reason_and_count() -> None:
    records = [item.record for item in read(sample("2.0.rej")) if item.record]
    assert [record.error for record in records] == [
        "No such object", "Already exists", "No such object", "No such object",
    ]  # fmt: skip
    assert [str(record.when) for record in records] == [f"1795343286.{n}" for n in range(4)]
    assert [item.record.error for item in read(sample("2.1.rej")) if item.record] == ["", ""]


def test_records_are_chosen_by_replica() -> None:
    records = [item.record for item in read(sample("2.2-four-replicas.replog")) if item.record]
    assert [sum(record.is_for(f"127.0.0.1:{port}") for record in records) for port in (22122, 1, 2, 3)] == [5, 3, 4, 5]
    assert not any(record.is_for("127.0.0.1:389") for record in records)
    assert one("time: 1\ndn: cn=a\nchangetype: delete").is_for("anybody:389")


# -- growing, cut, torn ----------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_pieces_of_any_size_make_the_same_items(name: str, size: int) -> None:
    data = sample(name)
    reader = Reader()
    items = [item for at in range(0, len(data), size) for item in reader.feed(data[at : at + size])]
    assert items == read(data)
    assert (reader.end, reader.unfinished) == (len(data), None)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_gives_the_records_before_the_cut_and_nothing_else(name: str) -> None:
    data = sample(name)
    whole = read(data)
    for cut in range(len(data)):
        reader = Reader()
        items = list(reader.feed(data[:cut]))
        assert items == whole[: len(items)]
        assert all(item.end > cut for item in whole[len(items) :])
        # and the reader goes on where it was
        rest = Reader(reader.end, reader.next_line)
        assert [(i.end, i.line) for i in rest.feed(data[reader.end :])] == [
            (i.end, i.line) for i in whole[len(items) :]
        ]


@pytest.mark.parametrize("name", FILES)
def test_a_record_torn_by_a_crash_never_gives_a_change_that_was_not_made(name: str) -> None:
    """The master died while writing, was started again, and wrote the next record right behind the stump."""
    data = sample(name)
    whole = read(data)
    true = {(item.record.dn, item.record.change) for item in whole if item.record}
    true_replicas = {replica for item in whole if item.record for replica in item.record.replicas}
    for torn, following in itertools.pairwise(whole):
        for cut in range(1, len(torn.raw)):
            glued = torn.raw[:cut] + following.raw + b"\n"
            for item in read(glued):
                if item.record is not None:
                    assert (item.record.dn, item.record.change) in true, glued
                    assert set(item.record.replicas) <= true_replicas


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_a_damaged_file_neither_crashes_the_reader_nor_spoils_the_records_elsewhere(
    name: str, data: st.DataObject
) -> None:
    content = sample(name)
    whole = read(content)
    victim = data.draw(st.sampled_from(whole))
    begin = victim.end - len(victim.raw) - 1
    at = data.draw(st.integers(begin, victim.end - 2))
    noise = data.draw(st.binary(min_size=1, max_size=20))
    damaged = content[:at] + noise + content[at + len(noise) :] if at + len(noise) < victim.end - 1 else content
    found = [item.raw for item in read(damaged)]
    for item in whole:
        assert item is victim or item.raw in found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_noise_never_crashes_the_reader(noise: bytes) -> None:
    reader = Reader()
    items = list(reader.feed(noise))
    assert reader.end <= len(noise)
    last = reader.finish()
    assert reader.end <= len(noise)
    for item in [*items, last] if last else items:
        assert item.record is None or replog.parse(replogwrite.write(item.record).rstrip(b"\n") + b"\n") == item.record


def test_an_unfinished_record_waits_and_counts_only_when_the_file_is_said_to_be_whole() -> None:
    reader = Reader()
    assert list(reader.feed(b"\nreplica: h\ntime: 1\ndn: cn=a\nchangetype: delete\n")) == []
    assert reader.unfinished == 2
    assert reader.end == 1
    item = reader.finish()
    assert item is not None and item.record is not None
    assert (item.record.dn, reader.unfinished) == ("cn=a", None)


def test_a_file_that_ends_within_a_line_is_never_whole() -> None:
    reader = Reader()
    assert list(reader.feed(b"time: 1\ndn: cn=a\nchangetype: modify\nreplace: sn\nsn: Smi\n-")) == []
    item = reader.finish()
    assert item is not None and item.record is None
    assert "middle of a line" in item.problem


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("dn: cn=a\nchangetype: delete", "no time:"),
        ("time: 1\nchangetype: delete", "stands where"),
        ("time: soon\ndn: cn=a\nchangetype: delete", "not a number of seconds"),
        ("time: 1\ndn: cn=a", "no changetype"),
        ("time: 1\ndn: cn=a\nchangetype: erase", "none of add"),
        ("time: 1\ndn: cn=a\nchangetype: delete\ncn: a", "lines follow"),
        ("time: 1\ndn: cn=a\nchangetype: add", "without attributes"),
        ("time: 1\ndn: cn=a\nchangetype: add\ncn: a\n-", "- line in an add"),
        ("time: 1\ndn: cn=a\nchangetype: add\ncn:: a", "not valid base64"),
        ("time: 1\ndn: cn=a\nchangetype: add\ncn:< file:///etc/passwd", "not read"),
        ("time: 1\ndn: cn=a\nchangetype: add\nrubbish", "no attribute name"),
        ("time: 1\ndn: cn=a\nchangetype: add\ncn: a\nreplica: h\ntime: 2\ndn: cn=b\nchangetype: delete", "cut off"),
        ("time: 1\ndn: cn=a\nchangetype: modify", "changes nothing"),
        ("time: 1\ndn: cn=a\nchangetype: modify\nreplace: cn\ncn: b", "cut off"),
        ("time: 1\ndn: cn=a\nchangetype: modify\nreplace: cn\nsn: b\n-", "stands among"),
        ("time: 1\ndn: cn=a\nchangetype: modify\nadd: cn\n-", "without a value"),
        ("time: 1\ndn: cn=a\nchangetype: modify\nmerge: cn\ncn: b\n-", "none of"),
        ("time: 1\ndn: cn=a\nchangetype: modrdn\nnewrdn: cn=b", "without newrdn: and deleteoldrdn:"),
        ("time: 1\ndn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: maybe", "deleteoldrdn:"),
        ("replica: two words\ntime: 1\ndn: cn=a\nchangetype: delete", "not host:port"),
    ],
)
def test_a_broken_record_says_what_is_wrong_and_the_next_is_read(body: str, words: str) -> None:
    good = "replica: h\ntime: 2\ndn: cn=z\nchangetype: delete\n\n"
    broken, following = read(f"{body}\n\n{good}".encode())
    assert broken.record is None
    assert words in broken.problem
    assert following.record is not None and following.record.dn == "cn=z"
    assert following.line == body.count("\n") + 3


def test_no_problem_and_no_repr_holds_a_password() -> None:
    (item,) = read(b"time: 1\ndn: cn=a\nchangetype: add\nuserPassword:: c2VjcmV0!\nuserPassword: secret\n\n")
    assert item.problem and "secret" not in item.problem and "c2VjcmV0" not in item.problem
    assert "secret" not in repr(item)


def test_line_ends_comments_and_every_word_of_ldif_are_taken() -> None:
    crlf = "replica: h:1\r\n# note\r\n  folded\r\ntime: 5.2\r\ndn: cn=a\r\nchangetype: moddn\r\nnewrdn: cn=b\r\n"
    (item,) = read(f"{crlf}deleteoldrdn: 0\r\nnewsuperior: o=x\r\n\r\n".encode())
    assert item.record == Record("cn=a", Rename("cn=b", False, "o=x", "moddn"), When(5, 2), ("h:1",))
    record = one("time: 1\ndn: cn=a\nchangetype: modify\nincrement: uidNumber\nuidNumber: 2\n-")
    assert record.change == Modify((Mod("increment", "uidNumber", (b"2",)),))
    assert read(b"# only a remark\n\n")[0].record is None


# -- writing ----------------------------------------

_NAMES = st.sampled_from(["cn", "userPassword", "jpegPhoto", "userCertificate;binary", "description;lang-de"])
_VALUES = st.one_of(st.binary(max_size=200), st.text(max_size=90).map(lambda text: text.encode("utf-8", "replace")))
_TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=40).filter(lambda t: t.strip(" "))
_MODS = st.builds(
    lambda how, name, values: Mod(how, name, tuple(values) if how in ("delete", "replace") or values else (b"x",)),
    st.sampled_from(["add", "delete", "replace", "increment"]), _NAMES, st.lists(_VALUES, max_size=3),
)  # fmt: skip
_CHANGES = st.one_of(
    st.builds(Add, st.lists(st.tuples(_NAMES, _VALUES), min_size=1, max_size=4).map(tuple)),
    st.builds(Delete),
    st.builds(Modify, st.lists(_MODS, min_size=1, max_size=3).map(tuple)),
    st.builds(Rename, _TEXTS, st.booleans(), st.none() | _TEXTS, st.sampled_from(["modrdn", "moddn"])),
)
_RECORDS = st.builds(
    Record, _TEXTS, _CHANGES, st.builds(When, st.integers(0, 2**40), st.none() | st.integers(0, 9999)),
    st.lists(st.sampled_from(["a.example.com:389", "b", "[::1]:1389"]), max_size=2).map(tuple),
    st.none() | st.sampled_from(["", "Already exists", "No such object: väldigt långt " * 4]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_RECORDS, max_size=4))
def test_what_is_written_is_read_again(records: list[Record]) -> None:
    items = read(b"".join(map(replogwrite.write, records)))
    assert [item.record or item.problem for item in items] == records


def test_a_reject_of_ours_has_slurpds_form() -> None:
    record = one("replica: a:389\nreplica: b\ntime: 7\ndn: cn=a\nchangetype: delete")
    rejected = replogwrite.rejected(record, "Already exists:\n twice", "b:389")
    assert replogwrite.write(rejected) == (
        b"ERROR: Already exists: twice\nreplica: b\ntime: 7.0\ndn: cn=a\nchangetype: delete\n\n"
    )


def test_a_name_that_would_smuggle_lines_in_is_not_written() -> None:
    with pytest.raises(ValueError, match="attribute description"):
        replogwrite.write(Record("cn=a", Add((("cn: x\ndn", b"y"),)), When(1)))


# -- replicas and status ----------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Host", "host:389"), ("host:0", "host:389"), ("host:389", "host:389"), ("host:1389", "host:1389"),
        ("[::1]", "[::1]:389"), ("[::1]:1389", "[::1]:1389"), ("ldap://Host/", "host:389"), ("ldaps://h", "h:636"),
        ("ldap://h:1389", "h:1389"),
    ],
)  # fmt: skip
def test_replicas_are_the_same_however_they_are_spelled(text: str, key: str) -> None:
    assert replog.replica_key(text) == key


def test_the_status_file_tells_what_slurpd_was_through_with() -> None:
    status = replog.parse_status((SAMPLES / "2.2.status").read_text() + "other:0:5:6\n")
    assert status == {"127.0.0.1:22122": When(1795343188, 4), "other:389": When(5, 6)}
    rejects = [item.record for item in read(sample("2.2.rej")) if item.record]
    assert all(replog.is_done(record, status["127.0.0.1:22122"]) for record in rejects)
    assert not replog.is_done(rejects[3], When(1795343188, 2))
    slapds_own = one("time: 5\ndn: cn=a\nchangetype: delete")
    assert not replog.is_done(slapds_own, When(1795343188, 4))
    with pytest.raises(ValueError, match="line 1"):
        replog.parse_status("rubbish")
