"""LR2xx to LR5xx: timing, content, the consumer's database, several providers, identity and transport."""

from __future__ import annotations

import pytest
from linting import (
    DATABASE,
    HEAD,
    LIMITS,
    STANZA,
    SYNCPROV,
    codes,
    conf,
    consumer,
    findings,
    ldif,
    multi,
    provider,
    stanza,
)

from ldaprepl.domain.lint import Severity
from ldaprepl.domain.lint_source import Source

Sources = Source | tuple[Source, ...]
POLL: dict[str, str | None] = {"type": "refreshOnly", "interval": "00:00:10:00", "keepalive": None}
GOOD = consumer()
URLS = "serverID 1 ldap://p.example.com\nserverID 2 ldap://q.example.com\n"
TREE = """\
dn: cn=config
objectClass: olcGlobal

dn: olcDatabase={1}mdb,cn=config
olcDatabase: {1}mdb
olcSuffix: dc=example,dc=com
olcRootDN: cn=admin,dc=example,dc=com
olcDbMaxSize: 1073741824
olcDbIndex: entryUUID,entryCSN eq
olcSyncrepl: {0}""" + stanza().removeprefix("syncrepl ")


def database(text: str, **options: object) -> Source:
    return conf(HEAD + text, **options)


def poll(**changes: str | None) -> Source:
    return consumer({**POLL, **changes})


CASES: list[tuple[str, Sources, Sources]] = [
    ("LR201", consumer({"retry": None}), GOOD),
    ("LR202", consumer({"retry": '"5 12 60 10"'}), GOOD),
    ("LR203", consumer({"retry": '""'}), GOOD),
    ("LR203", consumer({"retry": '"0 +"'}), consumer({"retry": '"1 +"'})),
    ("LR204", poll(interval="00:10:00"), poll()),
    ("LR204", consumer({**POLL, "interval": "600"}, openldap="2.2"), poll(interval="10m")),
    ("LR205", poll(), poll(interval="600")),
    ("LR206", poll(interval="00:00:00:00"), poll()),
    ("LR207", consumer({"interval": "00:00:10:00"}), poll()),
    ("LR208", poll(interval=None), poll()),
    ("LR208", poll(interval="00:10:00:00"), GOOD),
    ("LR209", consumer({"keepalive": None}), consumer({"keepalive": None, "tcp-user-timeout": "30000"})),
    ("LR209", consumer({"keepalive": "0:0:0"}), consumer({"keepalive": None, "provider": "ldapi:///"})),
    ("LR210", database("idletimeout 30\n" + DATABASE + LIMITS + SYNCPROV), database("idletimeout 30\n" + DATABASE)),
    ("LR250", poll(), GOOD),
    ("LR301", consumer({"attrs": '"*"'}), consumer({"attrs": '"*,+"'})),
    ("LR302", consumer({"schemachecking": "on", "exattrs": "sn"}), consumer({"exattrs": "sn"})),
    ("LR302", consumer({"schemachecking": "on", "attrs": '"cn,+"'}), consumer({"schemachecking": "on"})),
    ("LR303", consumer({"searchbase": '"ou=x,dc=example,dc=com"'}), GOOD),
    ("LR303", consumer({"scope": "one"}), consumer({"scope": "sub"})),
    ("LR303", consumer({"filter": '"(uid=*)"'}), consumer({"filter": '"(|(uid=*)(objectClass=domain))"'})),
    ("LR303", consumer({"filter": '"(uid=*)"'}), consumer({"filter": '"(|(uid=*)(entryDN=dc=example,dc=com))"'})),
    ("LR306", consumer({"sizelimit": "5000"}), consumer({"sizelimit": "unlimited"})),
    ("LR306", consumer({"timelimit": "3600"}), consumer({"timelimit": "0"})),
    ("LR307", consumer({"exattrs": "userPassword"}), consumer({"exattrs": "jpegPhoto"})),
    ("LR308", consumer({"attrs": '"cn,sn,+"'}), consumer({"attrs": '"cn,sn,userPassword,+"'})),
    ("LR308", consumer({"exattrs": "userPassword"}), consumer({"attrs": '"@person,+"'})),
    ("LR401", database(DATABASE.replace("rootdn", "#rootdn") + stanza()), database(DATABASE + stanza())),
    ("LR401", database(DATABASE.replace("rootdn", "#rootdn") + stanza() + 'rootdn "cn=a"\n'), GOOD),
    ("LR402", database(stanza() + DATABASE), GOOD),
    ("LR403", database(DATABASE + "updateref ldap://p\n" + stanza()), GOOD),
    ("LR404", database(DATABASE + stanza()), GOOD),
    ("LR405", consumer(after="updateref ldap://p/dc=example,dc=com\n"), consumer(after="updateref ldap://p/\n")),
    ("LR405", consumer(after="updateref 10.0.0.1\n"), GOOD),
    ("LR406", consumer(after="updatedn cn=x\n"), database(DATABASE + "updatedn cn=x\n")),
    (
        "LR407",
        provider(LIMITS + SYNCPROV + "replica uri=ldap://x\n"),
        provider("replica uri=ldap://x\n", openldap="2.3"),
    ),
    (
        "LR408",
        database(DATABASE + stanza() + stanza({"rid": "2"}), openldap="2.3"),
        database(DATABASE + stanza() + stanza({"rid": "2"})),
    ),
    ("LR409", multi(openldap="2.4"), multi(openldap="2.5")),
    ("LR409", multi(line="multimaster on\n"), multi(line="mirrormode on\n", openldap="2.4")),
    (
        "LR409",
        ldif(TREE + "olcMultiProvider: TRUE\n", openldap="2.4"),
        ldif(TREE + "olcMirrorMode: TRUE\n", openldap="2.4"),
    ),
    (
        "LR410",
        database("serverID 1\n" + DATABASE + LIMITS + "multiprovider on\n" + stanza() + SYNCPROV, openldap="2.6.10"),
        database("serverID 1\n" + DATABASE + LIMITS + "multiprovider on\n" + stanza() + SYNCPROV, openldap="2.7"),
    ),
    ("LR411", multi(""), multi()),
    ("LR412", (multi(), multi(name="b.conf")), (multi(), multi("serverID 2\n", name="b.conf"))),
    ("LR412", multi(URLS.replace("serverID 2", "serverID 1")), multi(URLS)),
    ("LR413", multi("serverID 0\n"), multi()),
    (
        "LR414",
        multi(URLS, listeners=("ldap://p.example.com/",)),
        multi(URLS, listeners=("ldap://p.example.com", "ldapi:///")),
    ),
    (
        "LR415",
        consumer(listeners=("ldap://p.example.com",)),
        consumer({"searchbase": '"ou=x,dc=example,dc=com"'}, listeners=("ldap://p.example.com",)),
    ),
    ("LR416", multi(URLS.replace("p.example.com", "P.example.com:389/")), multi(URLS)),
    ("LR417", conf(HEAD + "serverID 1\n" + DATABASE + LIMITS + stanza() + "multiprovider on\n"), multi()),
    ("LR419", conf(HEAD + URLS + DATABASE + LIMITS + stanza() + SYNCPROV), consumer(after=SYNCPROV)),
    (
        "LR419",
        (consumer(after=SYNCPROV), consumer({"provider": "ldap://q"}, after=SYNCPROV, name="b.conf")),
        (consumer(after=SYNCPROV), consumer(after=SYNCPROV, name="b.conf")),
    ),
    ("LR420", database(DATABASE.replace("entryUUID", "cn") + stanza()), GOOD),
    (
        "LR420",
        database(DATABASE.replace("index", "#index") + stanza()),
        database(
            DATABASE.replace("index objectClass,entryCSN,entryUUID eq", "index default eq\nindex entryUUID,entryCSN")
            + stanza()
        ),
    ),
    ("LR421", consumer(after="index entryUUID eq,sub\n"), consumer(after="index cn eq,sub\n")),
    ("LR422", database(DATABASE.replace("maxsize", "#maxsize") + stanza()), database(DATABASE.replace("maxsize", "#"))),
    ("LR450", conf(stanza()), GOOD),
    ("LR451", multi("serverID 4096\n"), multi("serverID 0xfff\n")),
    ("LR451", multi("serverID 1\nserverID 2 ldap://q\n"), multi(URLS)),
    ("LR501", consumer({"starttls": None}), consumer({"starttls": None, "provider": "ldap://127.0.0.1"})),
    ("LR501", consumer({"starttls": "no"}), consumer({"starttls": None, "provider": "ldaps://p"})),
    ("LR502", consumer({"starttls": "yes"}), GOOD),
    ("LR503", consumer({"tls_reqcert": "allow"}), consumer({"tls_reqcert": "try"})),
    ("LR504", consumer({"tls_reqcert": "bogus"}), consumer({"tls_reqcert": "hard"})),
    ("LR504", consumer({"tls_protocol_min": "TLSv1.2"}), consumer({"tls_protocol_min": "3.3"})),
    ("LR504", consumer(absent=frozenset({"/no/such/folder/ca.pem"})), GOOD),
    ("LR505", consumer({"tls_protocol_min": "1.2"}), consumer({"tls_protocol_min": "3.4"})),
    ("LR506", consumer({"tls_cacert": None}), consumer({"tls_cacert": None, "tls_cacertdir": "/x"})),
    (
        "LR506",
        consumer({"tls_cacert": None}),
        conf("TLSCACertificateFile /x\n" + HEAD + DATABASE + stanza({"tls_cacert": None})),
    ),
    ("LR507", consumer({"provider": "ldaps://p"}), GOOD),
    ("LR508", consumer({"provider": "ldaps://p:389"}), consumer({"provider": "ldaps://p:636"})),
    ("LR508", consumer({"provider": "ldap://p:636"}), consumer({"provider": "ldap://p:389"})),
    ("LR509", consumer({"provider": "ldap://localhost"}), consumer({"provider": "ldap://localhost", "starttls": None})),
    ("LR511", consumer(openldap="2.3"), consumer({"tls_cacert": None}, openldap="2.3")),
    ("LR512", consumer(open_to={"slapd.conf": "everybody"}), consumer(open_to={"core.schema": "everybody"})),
    ("LR513", consumer({"credentials": "{SSHA}abcdef"}), consumer({"credentials": "{abc"})),
    ("LR514", consumer({"credentials": None}), consumer({"credentials": None, "bindmethod": "none"})),
    ("LR515", consumer({"bindmethod": "none"}), GOOD),
    ("LR515", consumer({"binddn": None}), GOOD),
    ("LR517", consumer({"binddn": '"cn=admin, DC=example,dc=com"'}), GOOD),
    (
        "LR517",
        (consumer(), conf(HEAD + DATABASE.replace("cn=admin", "cn=replica") + LIMITS + SYNCPROV, name="p.conf")),
        (
            consumer({"binddn": '"cn=admin,dc=example,dc=com"'}),
            conf(HEAD + DATABASE.replace("cn=admin", "cn=root") + "sizelimit unlimited\n" + SYNCPROV, name="p.conf"),
        ),
    ),
    ("LR518", consumer({"bindmethod": "sasl"}), consumer({"bindmethod": "sasl", "saslmech": "GSSAPI"})),
    (
        "LR518",
        consumer({"bindmethod": "sasl", "saslmech": "EXTERNAL"}),
        consumer({"bindmethod": "sasl", "saslmech": "EXTERNAL", "tls_cert": "/c", "tls_key": "/k"}),
    ),
    ("LR519", consumer({"bindmethod": "sasl", "saslmech": "X", "authzid": "me"}), consumer({"authzid": "u:me"})),
    ("LR550", consumer({"binddn": '"uid=mary,dc=example,dc=com"'}), consumer({"binddn": '"uid=replicator,dc=x"'})),
    ("LR551", consumer({"saslmech": "GSSAPI"}), consumer({"saslmech": "GSSAPI", "bindmethod": "sasl"})),
]


def both(given: Sources) -> tuple[Source, ...]:
    return given if isinstance(given, tuple) else (given,)


@pytest.mark.parametrize(("code", "bad", "good"), CASES, ids=[f"{code}-{at}" for at, (code, *_) in enumerate(CASES)])
def test_the_mistake_is_seen_and_nothing_else_is_taken_for_it(code: str, bad: Sources, good: Sources) -> None:
    assert code in codes(*both(bad))
    assert code not in codes(*both(good))


@pytest.mark.parametrize(
    "sources", [consumer(), multi(), (multi(URLS), multi(URLS, name="b.conf")), poll(interval="600")]
)
def test_what_is_right_is_left_alone(sources: Sources) -> None:
    assert codes(*both(sources)) <= {"LR250"}


def test_polling_and_no_retry_depends_on_the_version() -> None:
    severities = {}
    for version in ("2.3", "2.6"):
        (found,) = findings(consumer({"retry": None, "keepalive": None, "tls_cacert": None, "starttls": None,
                                      "provider": "ldap://127.0.0.1"}, openldap=version))[:1]  # fmt: skip
        severities[version] = (found.code, found.severity)
    assert severities == {"2.3": ("LR201", Severity.ERROR), "2.6": ("LR201", Severity.WARNING)}


def test_an_interval_is_spoken() -> None:
    (found,) = [found for found in findings(poll(interval="01:02:03:04")) if found.code == "LR205"]
    assert "every 1 day 2 hours 3 minutes 4 seconds" in found.said


def test_cures_are_in_the_form_of_the_source() -> None:
    text = TREE.replace("olcDbIndex: entryUUID,entryCSN eq\n", "").replace("olcDbMaxSize: 1073741824\n", "")
    cures = {found.code: found.cure for found in findings(ldif(text))}
    assert cures["LR420"] == "olcDbIndex: entryCSN,entryUUID eq" and cures["LR422"] == "olcDbMaxSize: 1073741824"
    assert cures["LR404"] == f"olcUpdateRef: {STANZA['provider']}"
