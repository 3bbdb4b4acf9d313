"""cn=config in its three shapes (LDIF, slapd.d, entries) must say the same as slapd.conf, and stanzas must survive."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain import ldif, slapdconf
from ldaprepl.domain.cnconfig import attribute, from_entries, read, read_folder
from ldaprepl.domain.config import Configuration, RemarkKind, SectionKind
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.stanza import Stanza, StanzaRefused
from ldaprepl.domain.words import Form, comment

TEXT = st.text(alphabet=st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=12)
AWKWARD = st.text(alphabet=st.sampled_from(" \t\"\\'#={}(),;:<é+ab"), max_size=10)

LDIF = """\
# a backup
dn: cn=config
objectClass: olcGlobal
cn: config
olcServerID: 1 ldap://a

dn: cn=module{0},cn=config
olcModuleLoad: {0}back_mdb
olcModuleLoad: {1}syncprov

include: file:///etc/ldap/schema/core.ldif

dn: olcDatabase={2}mdb,cn=config
olcDatabase: {2}mdb
olcSuffix: dc=second

dn: olcOverlay={0}syncprov,olcDatabase={1}mdb,cn=config
olcOverlay: {0}syncprov
olcSpCheckpoint: 100 10

dn: olcDatabase={1}mdb,cn=config
objectClass: olcMdbConfig
olcDatabase: {1}mdb
olcSuffix: dc=example, dc=com
olcRootDN: "cn=admin,dc=example,dc=com"
olcRootPW: {1}odd
olcDbIndex: entryUUID eq
olcDbMaxSize: 1073741824
olcSyncrepl: {0}rid=001
  provider=ldap://a
  searchbase="dc=example,dc=com" retry="5 12 6
 0 +"
olcSyncrepl:: BASE64
olcUpdateRef: ldap://a
olcMultiProvider: TRUE
""".replace("BASE64", base64.b64encode('{1}rid=002 provider=ldap://b credentials="p\u00e4ss"'.encode()).decode())


def check(conf: Configuration) -> None:
    assert [(section.kind, section.type) for section in conf.sections] == [
        (SectionKind.GLOBAL, ""),
        (SectionKind.DATABASE, "mdb"),
        (SectionKind.DATABASE, "mdb"),
    ]
    first, second = conf.databases
    assert first.suffixes == ("dc=example, dc=com",) and second.suffixes == ("dc=second",)
    assert first.first("rootdn") == "cn=admin,dc=example,dc=com" and first.first("rootpw") == "{1}odd"
    assert first.first("updateref") == "ldap://a" and first.first("multiprovider") == "TRUE"
    assert first.first("maxsize") == "1073741824" and first.all("index")[0].words == ("entryUUID", "eq")
    assert first.overlays == ("syncprov",) and first.settings[-1].words == ("100", "10")
    assert conf.sections[0].all("serverid")[0].words == ("1", "ldap://a")
    assert [setting.value for setting in conf.sections[0].all("moduleload")] == ["back_mdb", "syncprov"]
    one, two = first.stanzas
    assert (one.rid, one.provider, one.searchbase) == (1, "ldap://a", "dc=example,dc=com")
    assert one.get("retry") == "5 12 60 +" and two.credentials == Secret("p\u00e4ss")


def test_ldif() -> None:
    conf = read(LDIF, "backup.ldif")
    check(conf)
    assert [(remark.kind, str(remark.place)) for remark in conf.remarks] == [(RemarkKind.INCLUDE, "backup.ldif:11")]
    assert str(conf.databases[0].stanzas[0].place) == "backup.ldif:21"


def test_slapd_d_folder() -> None:
    files = {"cn=config.ldif": "", "cn=config/readme.txt": "\x00 not ldif"}
    for record in ldif.records(LDIF.replace("include:", "#").splitlines()):
        parts = record.dn.split(",")
        path = "/".join(reversed(parts)) + ".ldif"
        lines = ldif.line("dn", parts[0]) + "".join(ldif.line(name, value) for name, value in record.pairs)
        files[path] = "# AUTO-GENERATED FILE - DO NOT EDIT!! Use ldapmodify.\n# CRC32 d3b8a1c0\n" + lines
    conf = read_folder(files)
    check(conf)
    assert str(conf.databases[0].stanzas[0].place) == "cn=config/olcDatabase={1}mdb.ldif:3" and not conf.remarks


def test_entries_read_over_ldap() -> None:
    entries = []
    for record in ldif.records(LDIF.replace("include:", "#").splitlines()):
        values: dict[str, list[bytes]] = {}
        for name, value in record.pairs:
            values.setdefault(name, []).append(value)
        entries.append((record.dn, values))
    conf = from_entries(entries, "ldapi:///")
    check(conf)
    assert str(conf.databases[0].stanzas[0].place) == "ldapi:/// olcDatabase={1}mdb,cn=config"


def test_one_unreadable_file_does_not_hide_the_others() -> None:
    conf = read_folder({"cn=config.ldif": "no ldif", "cn=config/olcDatabase={1}mdb.ldif": "dn: olcDatabase={1}mdb\n"})
    assert [remark.kind for remark in conf.remarks] == [RemarkKind.UNREADABLE] and len(conf.databases) == 1


def test_text_that_is_no_ldif_is_an_error_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"backup\.ldif: line 2"):
        read("dn: cn=config\nrubbish\n", "backup.ldif")


def test_passwords_are_not_in_its_repr() -> None:
    assert "odd" not in repr(read(LDIF, "x")) and "p\u00e4ss" not in repr(list(read(LDIF, "x").stanzas))


def test_words_go_one_a_line_and_two_blanks_keep_them_apart() -> None:
    assert attribute("olcSyncrepl", ["rid=001", "provider=ldap://a", 'credentials="a b"'], 0) == (
        'olcSyncrepl: {0}rid=001\n  provider=ldap://a\n  credentials="a b"\n'
    )


@pytest.mark.parametrize("password", ["p\u00e4ss", "tab\there", "\x7f"])
def test_what_is_not_printable_ascii_is_base64(password: str) -> None:
    words = Stanza.of({"rid": "1", "provider": "ldap://a", "searchbase": "", "credentials": password})
    assert attribute("olcSyncrepl", words.render(Form.CN_CONFIG).words).startswith("olcSyncrepl:: ")


@given(st.one_of(TEXT, AWKWARD), TEXT, st.one_of(st.none(), st.integers(0, 9)))
def test_a_stanza_in_ldif_reads_back(password: str, realm: str, index: int | None) -> None:
    stanza = Stanza.of(
        {"rid": "7", "provider": "ldap://p", "searchbase": "dc=x", "realm": realm, "credentials": password}
    )
    try:
        words = stanza.render(Form.CN_CONFIG).words
    except StanzaRefused:
        assert '"' in password or '"' in realm
        return
    text = "dn: olcDatabase={1}mdb,cn=config\n" + comment("why") + attribute("olcSyncrepl", words, index)
    conf = read(text + "olcUpdateRef: ldap://p\n", "x")
    assert conf.databases[0].stanzas == (stanza,) and conf.databases[0].first("updateref") == "ldap://p"


def test_both_forms_give_the_same_settings() -> None:
    conf = slapdconf.read(
        'database mdb\nsuffix dc=x\nrootdn cn=a,dc=x\nsyncrepl rid=1 provider=ldap://p\n searchbase="dc=x"\n'
        "updateref ldap://p\noverlay syncprov\nsyncprov-checkpoint 100 10\n",
        "slapd.conf",
    )
    other = read(
        "dn: olcDatabase={1}mdb,cn=config\nolcSuffix: dc=x\nolcRootDN: cn=a,dc=x\n"
        'olcSyncrepl: {0}rid=1 provider=ldap://p searchbase="dc=x"\nolcUpdateRef: ldap://p\n\n'
        "dn: olcOverlay={0}syncprov,olcDatabase={1}mdb,cn=config\nolcSpCheckpoint: 100 10\n",
        "config.ldif",
    )
    pairs = [[(s.name, s.words) for s in each.databases[0].settings] for each in (conf, other)]
    assert pairs[0] == pairs[1]


def test_included_files_are_read_once_and_what_cannot_be_read_is_said() -> None:
    parts = {
        "/etc/a.ldif": "include: file:///etc/b.ldif\ninclude: file:///etc/a.ldif\n\n"
        "dn: olcDatabase={1}mdb,cn=config\nolcDatabase: {1}mdb\nolcSuffix: dc=x\nolcSyncrepl: {0}rid=1 provider=ldap://p\n",
        "/etc/b.ldif": "include: file:///etc/gone.ldif\n",
    }
    asked = []

    def include(name: str) -> str | None:
        asked.append(name)
        return parts.get(name)

    conf = read("dn: cn=config\ncn: config\n\ninclude: file:///etc/a.ldif\n", "whole.ldif", include)
    ((_, stanza),) = conf.stanzas
    assert stanza.provider == "ldap://p" and stanza.place is not None and stanza.place.name == "/etc/a.ldif"
    assert asked == ["/etc/a.ldif", "/etc/b.ldif", "/etc/gone.ldif"]
    (remark,) = conf.remarks
    assert str(remark.place) == "/etc/b.ldif:1" and "/etc/gone.ldif" in remark.text
