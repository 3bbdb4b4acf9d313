"""LR6xx to LR8xx: the provider, delta-syncrepl, cn=config; alone and together with the consumer that reads there."""

from __future__ import annotations

import pytest
from linting import (
    ACCESSLOG,
    DATABASE,
    DELTA,
    HEAD,
    LIMITS,
    LOG,
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

from ldaprepl.domain.lint_source import Source

Sources = Source | tuple[Source, ...]
OTHER = LIMITS.replace("cn=replica", "cn=other")
HARD = LIMITS.replace("size=", "size.hard=").replace(" time=unlimited", "")
READ = 'by dn.exact="cn=replica,dc=example,dc=com" read'
USUAL = "access to attrs=userPassword by self write by anonymous auth by * none\naccess to * by * read\n"


def pair(body: str = LIMITS + SYNCPROV) -> tuple[Source, ...]:
    """A consumer and its provider."""
    return consumer(), provider(body)


def delta(changes: dict[str, str | None] | None = None, log: str = LOG, main: str = ACCESSLOG) -> tuple[Source, ...]:
    """The same with delta-syncrepl."""
    return consumer({**DELTA, **(changes or {})}), provider(LIMITS + SYNCPROV + main, log)


def modify(*lines: str) -> Source:
    """LDIF of one change."""
    return ldif("\n".join(["dn: olcDatabase={1}mdb,cn=config", "changetype: modify", *lines, "-", ""]))


TREE = ldif(
    "dn: cn=config\ncn: config\n\ndn: olcDatabase={1}mdb,cn=config\nolcSuffix: dc=x\nolcUpdateRef: ldap://p\n"
    "olcMultiProvider: TRUE\n"
)
DELTA_MULTI = HEAD + "serverID 1\n" + LOG + DATABASE + LIMITS

CASES: list[tuple[str, Sources, Sources]] = [
    ("LR601", pair(LIMITS), pair()),
    ("LR601", pair(LIMITS), (consumer(), provider(LIMITS, openldap="2.2"))),
    ("LR602", conf(HEAD.replace("moduleload syncprov\n", "") + DATABASE + LIMITS + SYNCPROV), provider()),
    ("LR602", conf("moduleload back_mdb\n" + DATABASE + LIMITS + SYNCPROV), conf(DATABASE + LIMITS + SYNCPROV)),
    ("LR603", pair(SYNCPROV), pair("sizelimit unlimited\n" + SYNCPROV)),
    ("LR603", pair("limits users size=1000\n" + SYNCPROV), pair("limits users size.soft=unlimited\n" + SYNCPROV)),
    ("LR603", provider(SYNCPROV), provider("sizelimit size.soft=unlimited\n" + SYNCPROV)),
    ("LR603", pair(SYNCPROV), pair("limits group=cn=replicas size=unlimited\n" + SYNCPROV)),
    ("LR604", provider(HARD + SYNCPROV), provider()),
    ("LR605", pair(OTHER + SYNCPROV), pair(OTHER + LIMITS + SYNCPROV)),
    ("LR605", conf(HEAD + "serverID 1\n" + DATABASE + OTHER + stanza() + "multiprovider on\n" + SYNCPROV), multi()),
    ("LR606", pair(LIMITS + SYNCPROV + USUAL), pair(LIMITS + SYNCPROV + USUAL.replace("by self", f"{READ} by self"))),
    (
        "LR606",
        pair(LIMITS + SYNCPROV + USUAL),
        pair(LIMITS + SYNCPROV + USUAL.replace("by self", "by group=cn=g read by self")),
    ),
    (
        "LR607",
        pair(LIMITS + SYNCPROV + "access to * by self write by * auth\n"),
        pair(LIMITS + SYNCPROV + "access to * by users read\n"),
    ),
    (
        "LR607",
        pair(LIMITS + SYNCPROV + "access to * by dn.base=cn=x read\n"),
        pair(LIMITS + SYNCPROV + f"access to dn.base=cn=x by * none\naccess to dn.subtree=dc=com {READ}\n"),
    ),
    ("LR608", provider(LIMITS + SYNCPROV + "lastmod off\n"), provider(LIMITS + SYNCPROV + "lastmod on\n")),
    ("LR609", provider(LIMITS + SYNCPROV + "overlay syncprov\n"), provider()),
    ("LR610", provider(LIMITS + SYNCPROV + "syncprov-nopresent TRUE\n"), provider(LIMITS + SYNCPROV + ACCESSLOG, LOG)),
    ("LR611", provider(LIMITS + "overlay syncprov\nsyncprov-sessionlog 100\n"), provider()),
    (
        "LR612",
        provider(LIMITS + "overlay syncprov\nsyncprov-checkpoint 1 1\n"),
        provider(LIMITS + "overlay syncprov\nsyncprov-checkpoint 1 1\nsyncprov-sessionlog-source cn=accesslog\n"),
    ),
    ("LR613", provider(LIMITS + SYNCPROV + "sessionlog 1 100\n"), provider("sessionlog 1 100\n", openldap="2.2")),
    ("LR614", conf(HEAD + DATABASE.replace("entryCSN,", "") + LIMITS + SYNCPROV), provider()),
    ("LR650", provider(LIMITS + "overlay syncprov\nsyncprov-checkpoint 100\n"), provider()),
    ("LR650", provider(LIMITS + "overlay syncprov\nsyncprov-checkpoint 0 10\n"), provider()),
    ("LR650", provider(LIMITS + SYNCPROV + "syncprov-sessionlog-source cn=accesslog\n"), provider()),
    ("LR701", delta(log=LOG.replace("nopresent TRUE", "nopresent FALSE")), delta()),
    ("LR702", delta(log=LOG.partition("overlay")[0]), delta()),
    ("LR702", delta(log=LOG.partition("overlay")[0]), pair(LIMITS + SYNCPROV + ACCESSLOG)),
    ("LR703", delta(log=LOG + "access to * by * none\n"), delta(log=LOG + f"access to * {READ} by * none\n")),
    ("LR704", delta({"logbase": "cn=log"}), delta({"logbase": '"CN=accesslog"'})),
    ("LR704", delta(log="", main=""), delta()),
    ("LR705", consumer({**DELTA, "logbase": None}), consumer(DELTA)),
    ("LR706", consumer({"logbase": "cn=accesslog"}), consumer(DELTA)),
    ("LR707", delta(log=LOG.replace(LIMITS, "")), delta()),
    (
        "LR708",
        consumer({**DELTA, "logfilter": '"(objectClass=auditWriteObject)"'}),
        delta({"logfilter": '"(objectClass=auditWriteObject)"'}),
    ),
    (
        "LR710",
        provider(LIMITS + SYNCPROV + ACCESSLOG.replace("logpurge", "#"), LOG),
        provider(LIMITS + SYNCPROV + ACCESSLOG, LOG),
    ),
    ("LR711", consumer({"searchbase": "cn=accesslog"}), consumer(DELTA)),
    (
        "LR712",
        conf(DELTA_MULTI + ACCESSLOG + stanza(DELTA) + "multiprovider on\n" + SYNCPROV),
        conf(DELTA_MULTI + stanza(DELTA) + "multiprovider on\n" + SYNCPROV + ACCESSLOG),
    ),
    (
        "LR801",
        modify("delete: olcSyncrepl", "olcSyncrepl: {0}rid=001 provider=ldap://p searchbase=dc=x"),
        modify("replace: olcSyncrepl", "olcSyncrepl: {0}rid=001 provider=ldap://p searchbase=dc=x"),
    ),
    ("LR802", modify("delete: olcSyncrepl"), modify("delete: olcSyncrepl", "-", "delete: olcUpdateRef")),
    ("LR802", TREE, multi()),
    (
        "LR802",
        conf(HEAD + DATABASE + "updateref ldap://p\n"),
        conf(HEAD + DATABASE + "updatedn cn=x\nupdateref ldap://p\n"),
    ),
    ("LR803", consumer({**DELTA, "strictrefresh": ""}), consumer(DELTA)),
    (
        "LR805",
        modify("delete: olcSyncrepl", "olcSyncrepl: {0}"),
        modify("delete: olcSyncrepl", "olcSyncrepl: {0}rid=1 x=y"),
    ),
]


def both(given: Sources) -> tuple[Source, ...]:
    return given if isinstance(given, tuple) else (given,)


@pytest.mark.parametrize(("code", "bad", "good"), CASES, ids=[f"{code}-{at}" for at, (code, *_) in enumerate(CASES)])
def test_the_mistake_is_seen_and_nothing_else_is_taken_for_it(code: str, bad: Sources, good: Sources) -> None:
    assert code in codes(*both(bad))
    assert code not in codes(*both(good))


@pytest.mark.parametrize("sources", [provider(), pair(), delta(), (multi(), multi("serverID 2\n", name="b.conf"))])
def test_what_is_right_is_left_alone(sources: Sources) -> None:
    assert codes(*both(sources)) == set()


def test_the_line_to_paste_names_the_replica() -> None:
    (found,) = findings(*pair(OTHER + SYNCPROV))
    assert found.cure == LIMITS.strip() and found.place.name == "provider.conf"


def test_an_overlay_to_paste_in_ldif_names_its_database() -> None:
    tree = ldif(
        "dn: cn=config\ncn: config\n\ndn: olcDatabase={2}mdb,cn=config\nolcDatabase: {2}mdb\n"
        "olcSuffix: dc=example,dc=com\nolcRootDN: cn=a\nolcDbMaxSize: 1\nolcDbIndex: entryCSN eq\n"
        "olcLimits: users size=unlimited\n",
        name="provider.ldif",
    )
    (found,) = findings(consumer(), tree)
    assert found.code == "LR601"
    assert found.cure.startswith("dn: olcOverlay=syncprov,olcDatabase={2}mdb,cn=config\n")


def test_a_change_is_not_taken_for_a_whole_database() -> None:
    """What init-consumer writes for a running consumer: no index and no rootdn in it, and no need of them."""
    value = stanza().removeprefix("syncrepl ").rstrip("\n")
    assert codes(
        modify("add: olcSyncrepl", f"olcSyncrepl: {value}", "-", "replace: olcUpdateRef", "olcUpdateRef: x")
    ) == {"LR450"}
    assert "LR420" in codes(ldif(f"dn: olcDatabase={{1}}mdb,cn=config\nchangetype: add\nolcSyncrepl: {value}\n"))


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("access to * by dn.subtree=dc=example,dc=com read\n", ""),
        ("access to attrs=@person by * none\naccess to * by * read\n", ""),
        ("access to filter=(cn=x) by * none\naccess to * by * read\n", ""),
        ("access to dn.children=dc=example,dc=com by * none\n", ""),
        ("access to * by users ssf=128 read by * none\n", ""),
        ("access to * by users none break\naccess to * by * read\n", ""),
        ("access to * by users =rscxd by * none\n", ""),
        ("access to * by users =scxd by * none\n", "LR607"),
        ("access to * by users search\n", "LR607"),
        ("access to attrs=userPassword,shadowLastChange by * auth\naccess to * by * read\n", "LR606"),
        ("access to attrs=userPassword by * auth\n", "LR607"),
    ],
)
def test_only_what_is_certain_is_said_about_access(rules: str, code: str) -> None:
    assert codes(*pair(LIMITS + SYNCPROV + rules)) == ({code} if code else set())
