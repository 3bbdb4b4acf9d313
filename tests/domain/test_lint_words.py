"""LR1xx: for each rule one text that shows the mistake and one, as near as possible, that does not."""

from __future__ import annotations

import pytest
from linting import DATABASE, HEAD, SCHEMA, codes, conf, consumer, findings, ldif, stanza

from ldaprepl.domain.lint import Severity
from ldaprepl.domain.lint_source import Source

END = "updateref ldap://p.example.com\n"


def lines(text: str, **options: object) -> Source:
    """A consumer whose stanza is this text."""
    return conf(HEAD + DATABASE + text + END, **options)


def spoiled(old: str, new: str, **options: object) -> Source:
    """The good stanza with a piece of its text replaced."""
    text = stanza()
    assert old in text
    return lines(text.replace(old, new), **options)


def value(text: str) -> Source:
    """cn=config with this olcSyncrepl line, or lines."""
    return ldif(
        "dn: cn=config\nobjectClass: olcGlobal\n\n"
        "dn: olcDatabase={1}mdb,cn=config\nobjectClass: olcMdbConfig\nolcDatabase: {1}mdb\n"
        "olcSuffix: dc=example,dc=com\nolcRootDN: cn=admin,dc=example,dc=com\nolcDbMaxSize: 1073741824\n"
        f"olcDbIndex: entryUUID,entryCSN eq\n{text}olcUpdateRef: ldap://p.example.com\n"
    )


LDIF = "olcSyncrepl: {0}" + stanza().removeprefix("syncrepl ")
GOOD = lines(stanza())
FLAT = stanza().replace("\n  ", "\n")
REST = stanza().partition("\n")[2]

CASES: list[tuple[str, Source, Source]] = [
    ("LR101", lines(FLAT), GOOD),
    ("LR101", spoiled('  retry="5 12 60 +"', 'retry="5 12 60 +"'), spoiled("  retry", "\t retry")),
    ("LR102", spoiled("  type=", "# how\n  type="), lines("# how\n" + stanza())),
    ("LR103", spoiled("persist".title(), "Persist # at once"), GOOD),
    ("LR103", spoiled("  type=", "  # how\n  type="), spoiled("cn=replica,", "cn=r#eplica,")),
    ("LR104", spoiled("  type=", "\n  type="), spoiled("  type=", "   \t\n  type=")),
    ("LR105", lines("#" + stanza()), lines("#" + stanza().replace("\n  ", "\n#  "))),
    ("LR105", lines("# our provider\n " + stanza()), lines("# our provider\n  with more words\n" + stanza())),
    ("LR106", spoiled("rid=001\n  provider", "rid=001\\\nprovider"), spoiled("rid=001\n", "rid=001 \\\n")),
    ("LR106", spoiled("rid=001\n", "rid=001 \\ \n"), GOOD),
    ("LR107", spoiled("rid=001", "rid=001,"), GOOD),
    ("LR107", spoiled("simple", "simple,"), spoiled("simple\n", 'simple\n  attrs="cn, sn, +, userPassword"\n')),
    ("LR108", spoiled("rid=001", "rid = 001"), GOOD),
    ("LR108", spoiled("rid=001", "rid= 001"), spoiled('binddn="cn=replica,dc=example,dc=com"', 'binddn=""')),
    ("LR108", spoiled("rid=001", "rid =001"), GOOD),
    ("LR109", spoiled("retry", "retyr"), GOOD),
    ("LR109", spoiled("credentials", "credential"), GOOD),
    ("LR110", consumer({"lazycommit": "", "x": None}, openldap="2.4.57"), consumer(openldap="2.4.57")),
    ("LR110", consumer({"tcp-user-timeout": "9000"}, openldap="2.5.4"), consumer({"tcp-user-timeout": "9000"})),
    ("LR111", consumer({"updatedn": '"cn=x"'}), consumer({"updatedn": '"cn=x"'}, openldap="2.2")),
    ("LR111", consumer({"bindprincipal": "x", "bindmethod": "sasl"}), GOOD),
    ("LR112", spoiled('"5 12 60 +"', "60 +"), spoiled('"5 12 60 +"', "60,+")),
    ("LR113", consumer({"retry": '"60"'}), GOOD),
    ("LR113", consumer({"sizelimit": "none"}), consumer({"sizelimit": "unlimited"})),
    ("LR113", consumer({"filter": '"(cn=a"'}), consumer({"filter": '"(cn=a)"'})),
    ("LR113", consumer({"manageDSAit": "on"}), consumer({"manageDSAit": "1"})),
    ("LR113", consumer({"keepalive": "240"}), GOOD),
    ("LR113", consumer({"timeout": "5s"}), consumer({"timeout": "5"})),
    ("LR113", consumer({"binddn": "replica"}), GOOD),
    ("LR114", spoiled('"dc=example,dc=com"', "dc=example, dc=com"), spoiled('"dc=example', '"dc=example ')),
    ("LR114", spoiled('"not to be seen"', "not to be seen"), GOOD),
    ("LR114", spoiled("simple\n", "simple\n  filter=(&(a=b) (c=d))\n"), GOOD),
    ("LR115", spoiled('"dc=example,dc=com"', "\u201cdc=example,dc=com\u201d"), GOOD),
    ("LR115", spoiled("\n  retry", "\n\u00a0\u00a0retry"), spoiled("cn=replica", "cn=r\u00e9plica")),
    ("LR116", value(LDIF.replace("not to", r"not \" to")), value(LDIF.replace("not to", r"not \to"))),
    ("LR116", value(LDIF.replace("not to", r"a\\b")), value(LDIF.replace("dc=example,", r"dc=ex\\2c,"))),
    ("LR117", spoiled("not to", r"not \"to"), value(LDIF)),
    ("LR118", value(LDIF.replace("\n  ", "\n ")), value(LDIF)),
    ("LR118", value(LDIF.replace("\n  retry", "\n retry")), value(LDIF.replace("\n  retry", " \n retry"))),
    ("LR118", value(LDIF.replace("\n  retry", "\n retry")), value(LDIF.replace("bindmethod", "bind\n method"))),
    ("LR119", value(LDIF.replace("{0}", "{0}syncrepl ")), value(LDIF)),
    ("LR120", consumer({"provider": None}), GOOD),
    ("LR120", consumer({"searchbase": None}), consumer({"searchbase": None}, openldap="2.2")),
    ("LR120", consumer({"bindmethod": None}, openldap="2.2"), consumer({"bindmethod": None})),
    ("LR121", consumer({"rid": "1000"}), consumer({"rid": "999"})),
    ("LR121", consumer({"rid": "abc"}), consumer({"rid": "0"})),
    ("LR122", lines(stanza() + stanza({"rid": "1"})), lines(stanza() + stanza({"rid": "2"}))),
    ("LR122", conf(HEAD + (DATABASE + stanza()) * 2), GOOD),
    ("LR123", consumer({"provider": "p.example.com"}), consumer({"provider": "ldaps://p", "starttls": None})),
    ("LR123", consumer({"provider": '"ldap://a ldap://b"'}), GOOD),
    ("LR123", consumer({"provider": "http://a"}), consumer({"provider": "ldapi:///"})),
    ("LR124", consumer({"searchbase": '"dc=other,dc=org"'}), consumer({"searchbase": '"ou=x, DC=Example, dc=com"'})),
    (
        "LR124",
        consumer({"searchbase": '"dc=com"'}),
        consumer({"searchbase": '"dc=com"', "suffixmassage": '"dc=example,dc=com"'}),
    ),
    ("LR125", consumer({"scope": "subord"}, openldap="2.2"), consumer({"scope": "subord"})),
    ("LR125", consumer({"scope": "subord"}, openldap="2.3"), consumer({"scope": "subordinate"}, openldap="2.3")),
    ("LR125", consumer({"scope": "all"}), consumer({"scope": "subtree"})),
    (
        "LR126",
        consumer({"attrs": '"sn,telephone,+,*"'}, schema=SCHEMA),
        consumer({"attrs": '"surname;lang-de,cn,@person,+,*"'}, schema=SCHEMA),
    ),
    ("LR126", consumer({"exattrs": "jpegFoto"}, schema=SCHEMA), consumer({"exattrs": "jpegFoto"})),
    ("LR127", consumer({"attrsonly": "no"}), GOOD),
    ("LR128", consumer({"schemachecking": "no"}), consumer({"schemachecking": "off"})),
    ("LR129", consumer({"starttls": "on"}), consumer({"starttls": "Critical"})),
    ("LR129", consumer({"starttls": "no"}, openldap="2.2"), consumer({"starttls": "no"}, openldap="2.3")),
    ("LR130", consumer({"syncdata": "acceslog"}), consumer({"syncdata": "accesslog"})),
    ("LR131", consumer({"type": "refreshAndPersisted"}), consumer({"type": "REFRESHANDPERSIST"})),
    ("LR131", consumer({"type": "persist"}), GOOD),
    ("LR131", consumer({"type": "dirSync"}, openldap="2.4"), consumer({"type": "dirSync"})),
    ("LR150", spoiled('"not to be seen"', '"not to be seen'), GOOD),
    ("LR151", conf("include other.conf\n"), conf("include /etc/ldap/schema/core.schema\n")),
    ("LR153", consumer({"bindmethod": "gssapi"}), consumer({"bindmethod": "none"})),
]


@pytest.mark.parametrize(("code", "bad", "good"), CASES, ids=[f"{code}-{at}" for at, (code, *_) in enumerate(CASES)])
def test_the_mistake_is_seen_and_nothing_else_is_taken_for_it(code: str, bad: Source, good: Source) -> None:
    assert code in codes(bad)
    assert code not in codes(good)


@pytest.mark.parametrize(
    "text",
    [
        FLAT,
        stanza().replace("  type=", "# how\n  type="),
        stanza().replace("  type=", "\n  type="),
        stanza().replace("rid=001\n  provider", "rid=001\\\nprovider"),
        stanza().replace("=", " = ", 1),
        stanza().replace('"5 12 60 +"', "5 12 60 +"),
        stanza().replace('"dc=example,dc=com"', "dc=example, dc=com"),
        stanza().replace('"dc=example,dc=com"', "\u201cdc=example,dc=com\u201d"),
        stanza().replace('"', "\u201d", 2),
        stanza().replace("\n  ", ",\n  ").replace('"not to be seen",', '"not to be seen"'),
        stanza().replace('"not to be seen"', "not to be seen"),
    ],
)
def test_one_slip_is_one_finding_and_hides_none(text: str) -> None:
    """A slip makes slapd lose half the stanza; the linter must not report that half as missing, nor overlook it."""
    assert len(codes(lines(text))) == 1
    spoiled_twice = codes(lines(text.replace("type=refreshAndPersist", "type=refreshOnly")))
    assert spoiled_twice - {"LR250", "LR208"} == codes(lines(text))
    assert "LR250" in spoiled_twice


def test_a_glued_comment_names_what_is_lost() -> None:
    (found,) = findings(spoiled("  type=", "# how\n  type="))
    assert "type, retry, searchbase" in found.said and found.place.line == HEAD.count("\n") + DATABASE.count("\n") + 3


def test_in_24_a_broken_value_is_worse_than_an_error() -> None:
    (found,) = findings(consumer({"retry": '"60"'}, openldap="2.4.57"))
    assert (found.code, found.severity) == ("LR113", Severity.DATA_LOSS) and "writable" in found.happens
    (found,) = findings(consumer({"retry": '"60"'}, openldap="2.5.13"))
    assert found.severity is Severity.ERROR


def test_a_misspelled_keyword_gets_a_suggestion() -> None:
    (found,) = [found for found in findings(spoiled("retry", "retyr")) if found.code == "LR109"]
    assert "did you mean retry?" in found.said and found.cure == "retry=VALUE"


def test_an_unreadable_file_of_a_folder_is_told() -> None:
    from linting import source

    from ldaprepl.domain import cnconfig

    files = {"cn=config.ldif": "dn: cn=config\n", "cn=config/x.ldif": "no ldif"}
    made = Source("slapd.d", cnconfig.read_folder(files), files, folder="slapd.d")
    (found,) = findings(source(made, ""))
    assert found.code == "LR152" and found.place.name == "slapd.d/cn=config/x.ldif"
