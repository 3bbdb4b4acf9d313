"""What the replication identity may not see. The fears: a replica that is called complete because both sides lack the
same, and an ACL that is reported as damage of the consumer.
"""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path

import ldap
import pytest
from jsonforms import complaints
from replication import with_admin
from verifying import ADMIN, REPLICA, SECRET, Run, SlapdFactory, conf, filled, replica, verify

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdproc import Slapd

OTHER = f"ou=other,{SUFFIX}"
AUDITOR = {"LDAPREPL_AUDITOR_PASSWORD": SECRET}
BLINDERS = (
    f'access to dn.subtree="{OTHER}" by * none',
    f'access to attrs=userPassword by dn.exact="{REPLICA}" auth by * auth',
    "access to attrs=mail val.regex=@secret by * none",
    "access to * by * read",
)


def tree() -> list[Entry]:
    sample = [*stamped(directory(200)), *stamped([replica()])]
    units = [
        Entry(OTHER, {"objectClass": (b"organizationalUnit",), "ou": (b"other",)}),
        *(Entry(f"ou={n},{OTHER}", {"objectClass": (b"organizationalUnit",), "ou": (b"%d" % n,)}) for n in range(14)),
    ]
    return [*sample, *units]


def people(entries: list[Entry]) -> int:
    return sum(bool(entry.values("userPassword")) for entry in entries)


def audited(provider: Slapd, consumer: Slapd, *options: str, bind: str = REPLICA) -> Run:
    run = verify(provider, consumer, "--auditor-bind-dn", ADMIN, *options, bind=bind, env=AUDITOR)
    if run.code in (0, 1, 3, 4) and run.out.startswith("{"):
        assert complaints("verify", json.loads(run.out)) == []
    return run


@pytest.fixture
def pair(slapd: SlapdFactory) -> tuple[Slapd, Slapd]:
    """A provider that hides, and a consumer with just what its replica got."""
    provider = filled(slapd(conf(*BLINDERS)), tree())
    found = with_admin(provider)
    found.simple_bind_s(REPLICA, SECRET)
    dropped = {"entryDN", "subschemaSubentry", "hasSubordinates", "contextCSN"}
    got = [
        Entry(dn, {name: tuple(values) for name, values in attributes.items() if name not in dropped})
        for dn, attributes in found.search_s(SUFFIX, ldap.SCOPE_SUBTREE, attrlist=["*", "+"])
    ]
    secret = replica().values("userPassword")
    got = [Entry(e.dn, {**e.attributes, "userPassword": secret}) if e.dn == REPLICA else e for e in got]
    return provider, filled(slapd(conf("access to attrs=userPassword by * auth", "access to * by * read")), got)


def test_what_is_hidden_is_a_finding_of_its_own_and_no_loss(pair: tuple[Slapd, Slapd]) -> None:
    provider, consumer = pair
    assert verify(provider, consumer, bind=REPLICA).code == 0  # which is just the danger
    run = audited(provider, consumer)
    assert run.code == 1
    assert run.consumer["verdict"] == "equal"
    assert run.findings == []
    found = run.report["provider"]["blindness"]
    assert found["entries"] == 15
    assert len(found["first"]) == 10 and all(dn.endswith(OTHER) for dn in found["first"])
    assert [(a["name"], a["entries"], a["expected"]) for a in found["attributes"]] == [
        ("userpassword", people(tree()), False)
    ]
    assert found["verdict"] == "diverged"
    assert found["identity"] != found["auditor"]


def test_what_may_be_hidden_is_accepted(pair: tuple[Slapd, Slapd], tmp_path: Path) -> None:
    provider, consumer = pair
    beside = f"ou=people,{SUFFIX}"
    run = verify(
        provider, consumer, "--auditor-bind-dn", ADMIN, "--expect-hidden", "UserPassword", bind=REPLICA,
        env=AUDITOR, base=beside,
    )  # fmt: skip
    assert run.code == 0
    assert [a["expected"] for a in run.report["provider"]["blindness"]["attributes"]] == [True]
    run = verify(provider, consumer, "--auditor-bind-dn", ADMIN, "-x", "userPassword", bind=REPLICA, env=AUDITOR,
                 base=beside)  # fmt: skip
    assert (run.code, run.report["provider"]["blindness"]["attributes"]) == (0, [])


def test_one_value_that_is_hidden_counts(slapd: SlapdFactory) -> None:
    entries = tree()
    first = next(number for number, entry in enumerate(entries) if entry.values("mail"))
    held = entries[first]
    entries[first] = Entry(held.dn, {**held.attributes, "mail": (*held.values("mail"), b"a@secret")})
    blind = filled(slapd(conf(BLINDERS[2], BLINDERS[3])), entries)
    found = audited(blind, blind).report["provider"]["blindness"]
    assert [(a["name"], a["entries"], a["first"]) for a in found["attributes"]] == [("mail", 1, held.dn)]


def test_hidden_stamps_and_access_that_is_refused_aloud(slapd: SlapdFactory) -> None:
    """Without stamps each entry is looked at again; `disclose` answers insufficientAccess instead of noSuchObject."""
    rules = (
        f'access to dn.subtree="{OTHER}" by * disclose',
        "access to attrs=entryCSN,modifyTimestamp by * none",
        "access to * by * read",
    )
    blind = filled(slapd(conf(*rules)), tree())
    run = audited(blind, blind)
    found = run.report["provider"]["blindness"]
    assert (found["entries"], found["problem"]) == (15, None)
    total = len(tree()) - 15
    assert {a["name"]: a["entries"] for a in found["attributes"]} == {"entrycsn": total, "modifytimestamp": total}


def test_who_sees_everything_is_not_blind_also_under_writes(slapd: SlapdFactory) -> None:
    provider = filled(slapd(conf("access to * by * read", f'limits dn.exact="{REPLICA}" size=unlimited')), tree())
    done = threading.Event()

    def write() -> None:
        writer = with_admin(provider)
        for number in itertools.count():
            if done.is_set():
                return
            dn = f"ou={number % 14},{OTHER}"
            writer.modify_s(dn, [(ldap.MOD_REPLACE, "description", [b"%d" % number])] * (number % 2 + 1))
            writer.modify_s(dn, [(ldap.MOD_DELETE, "description", None)])

    storm = threading.Thread(target=write)
    storm.start()
    try:
        for _ in range(3):
            found = audited(provider, provider).report["provider"]["blindness"]
            assert (found["entries"], found["attributes"], found["verdict"]) == (0, [], "equal")
    finally:
        done.set()
        storm.join()


def test_an_auditor_who_sees_less_is_told(pair: tuple[Slapd, Slapd]) -> None:
    provider, consumer = pair
    run = verify(provider, consumer, "--auditor-bind-dn", REPLICA, bind=ADMIN, env=AUDITOR)
    found = run.report["provider"]["blindness"]
    assert (found["entries"], found["unseen"]) == (0, 15)


def test_an_auditor_who_cannot_bind_or_is_cut_leaves_it_undecided(slapd: SlapdFactory) -> None:
    limited = f'limits dn.exact="{REPLICA}" size=5'
    provider = filled(slapd(conf(limited, "access to attrs=userPassword by * auth", "access to * by * read")), tree())
    run = verify(provider, provider, "--auditor-bind-dn", REPLICA, env=AUDITOR)
    assert run.code == 3
    assert run.consumer["verdict"] == "equal"
    assert "size limit" in run.report["provider"]["blindness"]["problem"]["text"]
    run = verify(provider, provider, "--auditor-bind-dn", ADMIN, env={"LDAPREPL_AUDITOR_PASSWORD": "wrong"})
    assert (run.code, run.report["provider"]["blindness"]["verdict"]) == (3, "undecided")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--expect-hidden", "cn"], "no auditor"),
        (["--auditor-bind-dn", "cn=x"], "LDAPREPL_AUDITOR_PASSWORD"),
        (["--auditor-bind-dn", "cn=x", "--auditor-password-file", "/nowhere"], "/nowhere"),
    ],
)
def test_half_an_auditor_is_a_usage_error(slapd: SlapdFactory, words: list[str], said: str) -> None:
    server = filled(slapd(conf()), stamped(directory(20)))
    run = verify(server, server, *words)
    assert (run.code, said in run.err) == (2, True)


def test_people_read_it_in_text_and_on_the_page(pair: tuple[Slapd, Slapd]) -> None:
    run = audited(*pair, "--format", "text")
    assert "BLIND: the replication identity does not see 15 entries and 1 attribute" in run.out
    assert "… and 5 more" in run.out
    assert "hidden attribute userpassword: in" in run.out
    page = audited(*pair, "--format", "html").out
    assert "What the replication identity does not see" in page
    assert "no consumer of it can be complete" in page
