"""The table of rules itself, and that no password ever leaves through a finding."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
import test_lint_consumer
import test_lint_live
import test_lint_provider
import test_lint_words
from hypothesis import given
from hypothesis import strategies as st
from linting import DATABASE, HEAD, STANZA, conf, consumer, findings, ldif, provider, stanza

from ldaprepl.domain.lint import LintReport, Severity
from ldaprepl.domain.lint_table import TABLE, TOPICS
from ldaprepl.report.lint import explain, render_json, render_sarif, render_text

FILES = {
    code
    for module in (test_lint_words, test_lint_consumer, test_lint_provider)
    for code, _, _ in module.CASES
} | {"LR152"}  # fmt: skip
LIVE = {code for code, _ in (*test_lint_live.PROVIDERS, *test_lint_live.CONSUMERS)} | {"LR211", "LR510", "LR516"}


def test_every_rule_has_a_case_that_triggers_it_and_one_that_does_not() -> None:
    assert {code for code, rule in TABLE.items() if not rule.live} == FILES
    assert {code for code, rule in TABLE.items() if rule.live} <= LIVE
    assert len(TABLE) >= 130


def test_codes_are_unique_and_say_their_topic() -> None:
    from ldaprepl.domain import lint_table

    everything = [rule.code for module in lint_table._MODULES for rule in module.RULES]
    assert len(everything) == len(set(everything)) == len(TABLE)
    assert all(re.fullmatch(r"LR[1-8]\d\d", code) and code[:3] in TOPICS for code in TABLE)


@pytest.mark.parametrize("rule", TABLE.values(), ids=TABLE.keys())
def test_every_rule_says_what_happens_and_what_to_do(rule: object) -> None:
    rule = TABLE[rule.code]  # type: ignore[attr-defined]
    assert rule.happens.endswith((".", ")"))
    assert not rule.title.endswith(".") and not rule.cure.endswith(".") and rule.cure
    assert rule.code in explain(rule) and rule.title in explain(rule)


def test_severities_are_ordered() -> None:
    order = [Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.SECURITY, Severity.DATA_LOSS]
    assert sorted(Severity, key=lambda severity: severity.rank) == order


def test_fail_on() -> None:
    report = LintReport((), findings(consumer({"retry": None})))
    assert report.fails(Severity.INFO) and report.fails(Severity.WARNING)
    assert not report.fails(Severity.ERROR) and not report.fails(None)


def test_findings_come_in_the_order_of_the_files() -> None:
    found = findings(provider(""), consumer({"retry": None, "rid": "7x", "keepalive": None}))
    names = [each.place.name for each in found]
    assert names == sorted(names, key=["provider.conf", "slapd.conf"].index) and len(set(names)) == 2
    lines = [each.place.line for each in found if each.place.name == "slapd.conf"]
    assert lines == sorted(lines)


def test_places_in_ldif_are_those_of_the_words() -> None:
    """Two values in one entry, one with a word a line, one folded anywhere."""
    first = stanza({"starttls": "yes"}).removeprefix("syncrepl ")
    second = " ".join(stanza({"rid": "002", "tls_reqcert": "never"}).removeprefix("syncrepl ").split())
    head = "dn: cn=config\n\ndn: olcDatabase={1}mdb,cn=config\nolcSuffix: dc=example,dc=com\nolcRootDN: cn=a\n"
    text = f"{head}olcSyncrepl: {{0}}{first}olcSyncrepl: {{1}}{second[:60]}\n {second[60:]}\nolcDbMaxSize: 1\n"
    lines = {found.code: text.split("\n")[found.place.line - 1] for found in findings(ldif(text))}
    assert lines["LR502"] == "  starttls=yes" and "tls_reqcert=never" in lines["LR503"]


# --- secrets

PIECES = ["Zq1", "wX9", "k7Y"]
SPOILED = [
    'credentials="Zq1 wX9=k7Y"',
    "credentials=Zq1 wX9 k7Y",
    "credentials=Zq1 wX9=k7Y",
    "credentials = Zq1wX9k7Y",
    "credentials= Zq1wX9k7Y",
    "credentials =Zq1wX9k7Y",
    'credentials="Zq1 wX9 k7Y',
    "credentials=Zq1, wX9, k7Y,",
    "credentials=\u201cZq1 wX9 k7Y\u201d",
    "credentials={SSHA}Zq1wX9k7Y",
    r'credentials="Zq1\"wX9 k7Y"',
    "credential=Zq1wX9k7Y",
    "password=Zq1wX9k7Y",
    "credentials=Zq1 #wX9 k7Y",
    "credentials:Zq1wX9k7Y",
    "Zq1wX9k7Y",
    "Zq1wX9=k7Y",
    "binddn=cn=x credentials=Zq1 rid=wX9 k7Y",
]


def everything(*texts: str) -> str:
    """All that could be printed for a configuration: every format, and the repr of all values."""
    shown = ""
    tree = "dn: cn=config\n\ndn: olcDatabase={1}mdb,cn=config\nolcSyncrepl: "
    for text in texts:
        sources = [conf(HEAD + DATABASE + text + "updateref ldap://p\n"), conf(text)]
        with contextlib.suppress(ValueError):  # not every text is LDIF
            sources.append(ldif(tree + text.removeprefix("syncrepl ")))
        for made in sources:
            report = LintReport((made,), findings(made))
            shown += render_text(report) + render_json(report) + repr(report.findings)
            shown += repr(made.spots[0].notes) if made.spots else ""
    return shown


@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("joint", ["\n  ", "\n", "\n\n  ", "\n# x\n  "])
def test_no_piece_of_a_password_is_ever_shown(spoiled: str, joint: str) -> None:
    """However wrong the stanza is: the rest of an unquoted password looks like any other word."""
    with_it = stanza().replace("\n  credentials=" + STANZA["credentials"], joint + spoiled)
    assert spoiled in with_it
    first_line = with_it.replace("\n  ", "\n ")
    shown = everything(with_it, first_line)
    visible = {"rid=wX9"} if "rid=wX9" in spoiled else set()  # that is a rid now, and no longer part of anything
    assert not [piece for piece in PIECES if piece in shown and not visible]


@pytest.mark.parametrize("after", [name for name in STANZA if name != "credentials"])
@pytest.mark.parametrize(
    "spoiled", ["credentials=Zq1 wX9", "credentials Zq1wX9", "Zq1wX9", 'Zq1wX9"', '"credentials=Zq1wX9']
)
@pytest.mark.parametrize("joint", ["\n  ", "\n ", "\n", "\\\n", " ", ""])
def test_wherever_it_stands_nothing_leaks(after: str, spoiled: str, joint: str) -> None:
    if joint in ("", "\\\n", "\n ") and "credentials" not in spoiled:
        return  # glued to another value, with no sign that it is a password
    before = f"{after}={STANZA[after]}"
    shown = everything(stanza({"credentials": None}).replace(before, before + joint + spoiled))
    assert "Zq1" not in shown and "wX9" not in shown


@given(st.text(alphabet=st.sampled_from(" \t\"\\'#={}(),;+-_abcrid=\u201c\u00a0\n"), max_size=20))
def test_whatever_follows_nothing_raises_and_nothing_leaks(noise: str) -> None:
    text = stanza().replace("  retry", f"  credentials=Zq1wX9{noise}\n  retry")
    assert "Zq1wX9" not in everything(text.replace("\nrid", "\n rid"))


DIRECTIVES = [
    "syncrepl",
    "database",
    "suffix",
    "rootdn",
    "index",
    "limits",
    "sizelimit",
    "access",
    "overlay",
    "serverID",
    "logdb",
    "updateref",
    "updatedn",
    "multiprovider",
    "mirrormode",
    "moduleload",
    "include",
    "syncprov-checkpoint",
    "lastmod",
    "syncprov-sessionlog",
    "syncprov-nopresent",
    "maxsize",
    "idletimeout",
    "attributetype",
    "replica",
    "  ",
    "#",
    "# syncrepl",
]
WORDS = st.one_of(
    st.sampled_from(
        [
            "mdb",
            "config",
            "monitor",
            "syncprov",
            "accesslog",
            "dc=x",
            "cn=a,dc=x",
            "to",
            "by",
            "*",
            "read",
            "users",
            "on",
            "TRUE",
            "0",
            "1",
            "\u00b2",
            "eq,sub",
            "entryUUID",
            "size=unlimited",
            "size.hard=1",
            "dn.exact=cn=a",
            "size.soft=",
            "attrs=userPassword",
            "=rw",
            "ldap://a",
            "ldap://[",
            "http://a",
            "NAME",
            "(",
            "\\",
            '"',
            "=",
            ",",
            "rid=1",
            "rid=",
            "provider=ldap://a:x",
            "searchbase=dc=x",
            "binddn=cn=a",
            "credentials=",
            "attrs=",
            "retry=",
            "interval=1:2",
            "syncdata=accesslog",
            "logbase=dc=x",
            "type=",
            "scope=",
            "filter=(",
            "tls_protocol_min=3.9",
            "sizelimit=\u00b2",
        ]
    ),
    st.text(max_size=6),
)
CONFIGURATION = st.lists(st.tuples(st.sampled_from(DIRECTIVES), st.lists(WORDS, max_size=6)), max_size=14)


@given(CONFIGURATION, st.booleans(), st.sampled_from(["", "2.2", "2.3", "2.4", "2.6.10"]))
def test_no_configuration_makes_a_rule_raise(lines: list[tuple[str, list[str]]], twice: bool, version: str) -> None:
    text = "\n".join(" ".join([name, *words]) for name, words in lines)
    tree = "dn: cn=config\n\ndn: olcDatabase={1}mdb,cn=config\n" + "\n".join(
        f"olc{name.replace('-', '')}: {' '.join(words)}" for name, words in lines if name.isalpha()
    )
    sources = [conf(text, openldap=version), *([conf(text, name="other.conf")] if twice else [])]
    with contextlib.suppress(ValueError):
        sources.append(ldif(tree, openldap=version))
    report = LintReport(tuple(sources), findings(*sources))
    render_text(report), render_json(report), render_sarif(report, TABLE, "0")


def test_sarif_is_what_the_standard_asks_for() -> None:
    report = LintReport((consumer(),), findings(consumer({"retry": None, "starttls": None}, name="/etc/ldap/a b.conf")))
    document = json.loads(render_sarif(report, TABLE, "1.0"))
    assert document["version"] == "2.1.0" and len(document["runs"]) == 1
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [r["ruleId"] for r in run["results"]]
    where = run["results"][0]["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "file:///etc/ldap/a%20b.conf" and where["region"]["startLine"] > 1
    assert {result["level"] for result in run["results"]} == {"warning", "error"}
