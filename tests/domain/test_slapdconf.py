"""Reading slapd.conf as slapd does: the traps of its line rules are where stanzas lose their second half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.config import Configuration, RemarkKind, SectionKind
from ldaprepl.domain.slapdconf import directive, logical_lines, read
from ldaprepl.domain.stanza import Stanza
from ldaprepl.domain.words import Form, comment, split_conf

ANY = st.text(alphabet=st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), max_size=12)
CONSUMER = """\
include core.schema
rootDSE x
database mdb
suffix "dc=example,dc=com"
suffix dc=other
rootdn "cn=admin,dc=example,dc=com"
# two consumers
syncrepl rid=1
  provider=ldap://a
\tsearchbase="dc=example,dc=com"
SyncRepl\trid=2 provider=ldap://b
    searchbase=dc=other
updateref ldap://a
overlay syncprov
syncprov-checkpoint 100 10
database monitor
"""


def lines(text: str) -> list[str]:
    return [line.text for line in logical_lines(text)]


@pytest.mark.parametrize(
    ("text", "logical"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\n b\n\tc\nd", ["a b c", "d"]),
        ("a\r\n b\r\n", ["a b"]),
        ("a \\\nb\n", ["a b"]),
        ("rid=1\\\n  provider=x\n", ["rid=1  provider=x"]),
        ("rid=1\\\nprovider=x\n", ["rid=1provider=x"]),
        ("a\\\\\nb\n", ["a\\\\", "b"]),
        ("a\\ \nb\n", ["a\\ ", "b"]),
        ("# c\n  d\ne\n", ["# c  d", "e"]),
        ("a\n   \n b\n", ["a    b"]),
        ("a\n\n b\n", ["a", " b"]),
        ("include x\n y\n", ["include x", " y"]),
        ("\ufeffa\n", ["a"]),
        ("\n\n", []),
        ("", []),
        ("a\x0bb\x85c\n", ["a\x0bb\x85c"]),
    ],
)
def test_physical_lines_join_as_in_slapd(text: str, logical: list[str]) -> None:
    assert lines(text) == logical


def test_sections_settings_and_stanzas() -> None:
    conf = read(CONSUMER, "slapd.conf")
    assert [(section.kind, section.type) for section in conf.sections] == [
        (SectionKind.GLOBAL, ""),
        (SectionKind.DATABASE, "mdb"),
        (SectionKind.DATABASE, "monitor"),
    ]
    database = conf.databases[0]
    assert database.suffixes == ("dc=example,dc=com", "dc=other") and database.overlays == ("syncprov",)
    assert database.first("updateref") == "ldap://a" and database.first("nothing") == ""
    assert [(stanza.rid, stanza.provider, stanza.searchbase) for stanza in database.stanzas] == [
        (1, "ldap://a", "dc=example,dc=com"),
        (2, "ldap://b", "dc=other"),
    ]
    assert [section.type for section, _ in conf.stanzas] == ["mdb", "mdb"] and not conf.remarks


def test_every_word_has_its_file_and_line() -> None:
    first, second = (stanza for _, stanza in read(CONSUMER, "slapd.conf").stanzas)
    assert [str(each.place) for each in first.parameters] == ["slapd.conf:8", "slapd.conf:9", "slapd.conf:10"]
    assert [str(each.place) for each in second.parameters] == ["slapd.conf:11", "slapd.conf:11", "slapd.conf:12"]


def stanza_of(text: str) -> tuple[Stanza, Configuration]:
    conf = read("database mdb\n" + text, "c")
    return next(stanza for _, stanza in conf.stanzas), conf


def test_a_comment_inside_swallows_the_rest_of_the_stanza() -> None:
    stanza, conf = stanza_of("syncrepl rid=1\n provider=ldap://a\n# why\n type=refreshAndPersist\n retry=x\n")
    assert [each.keyword for each in stanza.parameters] == ["rid", "provider"]
    assert [(remark.kind, str(remark.place)) for remark in conf.remarks] == [(RemarkKind.COMMENT_SWALLOWS, "c:4")]


def test_an_empty_line_ends_the_stanza_and_the_rest_is_a_directive_of_its_own() -> None:
    stanza, conf = stanza_of("syncrepl rid=1\n\n provider=ldap://a\n")
    assert len(stanza.parameters) == 1 and conf.databases[0].settings[-1].name == "provider=ldap://a"


def test_a_backslash_glues_and_is_remarked() -> None:
    stanza, conf = stanza_of("syncrepl rid=001\\\nprovider=ldap://a\n")
    assert [each.text for each in stanza.parameters] == ["001provider=ldap://a"]
    assert [(remark.kind, str(remark.place)) for remark in conf.remarks] == [(RemarkKind.GLUED, "c:3")]


def test_an_open_quote_is_remarked_where_it_begins_without_the_password() -> None:
    stanza, conf = stanza_of('syncrepl rid=1\n credentials="geheim\n provider=ldap://a\n')
    assert [(remark.kind, str(remark.place)) for remark in conf.remarks] == [(RemarkKind.OPEN_QUOTE, "c:3")]
    assert "geheim" not in repr(conf) and len(stanza.parameters) == 2


def test_an_indented_hash_is_a_word() -> None:
    stanza, _ = stanza_of("syncrepl rid=1 # one\n")
    assert [each.keyword for each in stanza.parameters] == ["rid", "", ""]


def test_include_carries_the_database_over_and_knows_its_places() -> None:
    files = {"a.conf": "database mdb\nsuffix dc=a\ninclude b.conf\n", "b.conf": "syncrepl rid=5\n provider=ldap://b\n"}
    conf = read("include a.conf\nupdateref ldap://b\n", "main", files.get)
    database = conf.databases[0]
    assert database.suffixes == ("dc=a",) and database.first("updateref") == "ldap://b"
    assert str(database.stanzas[0].parameters[1].place) == "b.conf:2" and str(database.place) == "a.conf:1"


@pytest.mark.parametrize(
    "files",
    [{}, {"a": "include a\n"}, {"a": "include b\n", "b": "include a\n"}, {"a": "include main\n"}],
)
def test_an_include_that_cannot_be_read_or_that_runs_in_circles_is_remarked(files: dict[str, str]) -> None:
    conf = read("include a\nsuffix x\n", "main", files.get)
    assert [remark.kind for remark in conf.remarks] == [RemarkKind.INCLUDE]
    assert conf.sections[0].settings[-1].name == "suffix"


def test_without_a_callback_includes_stay_settings() -> None:
    conf = read("include core.schema\n", "main")
    assert conf.sections[0].first("include") == "core.schema" and not conf.remarks


@given(st.lists(ANY, min_size=1, max_size=4))
def test_directives_read_back(values: list[str]) -> None:
    conf = read("global x\n" + directive("name", *values) + "other y\n", "c")
    assert [(setting.name, setting.words) for setting in conf.sections[0].settings] == [
        ("global", ("x",)),
        ("name", tuple(values)),
        ("other", ("y",)),
    ]


@given(ANY, st.text(alphabet="ab \n#", max_size=200))
def test_a_stanza_in_a_file_reads_back_with_a_comment_above_it(password: str, why: str) -> None:
    stanza = Stanza.of({"rid": "001", "provider": "ldap://p", "searchbase": "dc=x", "credentials": password})
    text = "database mdb\n" + comment(why) + stanza.render(Form.SLAPD_CONF).text + "updateref ldap://p\n"
    conf = read(text, "c")
    assert conf.databases[0].stanzas == (stanza,) and not conf.remarks
    assert conf.databases[0].first("updateref") == "ldap://p"


def test_comments_never_swallow_what_follows() -> None:
    assert comment("one\n  two") == "# one\n#   two\n"
    assert all(line.startswith("#") and len(line) <= 78 for line in comment("word " * 60).splitlines())


@given(st.text(alphabet='ab \t\n\r\\"#=', max_size=60))
def test_no_text_crashes_it_and_no_word_is_lost(text: str) -> None:
    conf = read(text, "c")
    counted = sum(len(setting.words) + 1 for section in conf.sections for setting in section.settings)
    words = sum(len(list(split_conf(line.text))) for line in logical_lines(text) if not line.comment)
    assert counted == words
