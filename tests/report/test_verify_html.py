"""The HTML report: nothing from a directory becomes markup, nothing secret or large gets in, every figure is right."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page import ATTACKS, BASE, WRITTEN, Page, differs, hostile, one

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.dn import escape
from ldaprepl.domain.verdict import (
    AttributeDifference,
    Cause,
    ConsumerReport,
    Finding,
    Kind,
    Problem,
    State,
    VerifyReport,
)
from ldaprepl.report import json as json_report
from ldaprepl.report.html import render_several, render_verify
from ldaprepl.report.html_chart import subtrees
from ldaprepl.report.html_look import SCRIPT, STYLE
from ldaprepl.report.values import printable

UUID = "5f0a0001-1c2d-103f-9a11-000000000001"


def read(report: VerifyReport) -> Page:
    return Page.of(render_verify(report, WRITTEN))


# Nothing from a directory becomes markup


def test_a_hostile_directory_adds_no_element_that_can_run_or_load() -> None:
    page = read(hostile())
    assert [script.text for script in page.all("script")] == [SCRIPT]
    assert [style.text for style in page.all("style")] == [STYLE]
    names = {element.name for element in page.elements}
    assert not names & {"img", "iframe", "object", "embed", "link", "base", "form", "a", "b:script"}
    for element in page.elements:
        assert not {name for name in element.attributes if name.startswith("on")}
        assert not element.attributes.keys() & {"style", "src", "srcdoc", "href", "action", "formaction"}


def test_a_hostile_directory_is_shown_as_text() -> None:
    page = read(hostile())
    rows = "".join(page.rows())
    for attack in ATTACKS:
        assert printable(attack) in rows
        assert printable(attack) in page.all("title")[0].text + page.all("header")[0].text


def test_no_control_character_and_no_mark_of_direction_is_in_the_page() -> None:
    html = render_verify(hostile(), WRITTEN)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", html
    )
    html.encode()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_data_never_changes_the_structure(text: str, left: bytes, right: bytes) -> None:
    def skeleton(name: str, one_value: bytes, other: bytes) -> list[tuple[str, list[str]]]:
        attributes = (AttributeDifference(name or "x", (one_value,), (other,)),)
        dn = f"cn={escape(name.encode())},{BASE}"  # a bare comma would make another subtree
        found = Finding(Kind.RENAMED, dn, f"cn={name}", name or "x", State.LASTING, attributes)
        report = one(found, differs("cn", one_value, other), uri=f"ldap://{name}", problem=Problem(name, name))
        elements = read(report).elements
        return [(e.name, sorted(e.attributes)) for e in elements if e.name not in ("wbr", "mark")]

    assert skeleton(text, left, right) == skeleton("harmless", b"one", b"other")


def test_the_page_names_nothing_on_a_network_and_runs_only_its_own_script() -> None:
    html = render_verify(one(differs("mail", b"a", b"b")), WRITTEN)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", html.replace("ldap://", ""))
    policies = [e.attributes["content"] for e in Page.of(html).all("meta") if "http-equiv" in e.attributes]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    for rule, text in (("script-src", SCRIPT), ("style-src", STYLE)):
        assert rules[rule] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("name", ["userPassword", "userPassword;x-old", "krbPrincipalKey", "sambaNTPassword"])
def test_a_secret_is_the_same_digest_as_in_json(name: str) -> None:
    report = one(differs(name, b"{SSHA}provider", b"{SSHA}consumer"))
    html = render_verify(report, WRITTEN)
    assert "SSHA" not in html and b"{SSHA}provider".hex() not in html.replace(" ", "")
    attribute = json.loads(json_report.render_verify(report))["consumers"][0]["findings"][0]["attributes"][0]
    row = Page.of(html).rows()[0]
    assert attribute["provider"][0] in row and attribute["consumer"][0] in row


# Every figure is right


def test_distance_of_each_server_id() -> None:
    def stamps(*texts: str) -> CsnSet:
        return CsnSet.parse(f"20261122{time}.000000Z#000000#{sid}#000000" for time, sid in map(str.split, texts))

    ours = stamps("100000 001", "100000 002", "100000 003", "100000 004")
    theirs = stamps("095930 001", "100000 002", "100007 003", "100000 00a")
    consumers = (ConsumerReport("ldap://b", theirs), ConsumerReport("ldap://c"), ConsumerReport("ldap://d", ours))
    page = read(VerifyReport(BASE, "ldap://a", ours, consumers))
    table = next(e for e in page.all("section") if e.attributes["aria-labelledby"] == "stamps")
    at = page.elements.index(table)
    cells = [e.text for e in page.elements[at:] if e.attributes.get("data-l") == "Consumer ldap://b"]
    expected = ["30 s behind", "same", "7.0 s newer", "nothing of this server ID", "not on the provider"]
    assert len(cells) == len(expected)
    assert all(cell.startswith(words) for cell, words in zip(cells, expected, strict=True)), cells
    unread = {e.text for e in page.elements[at:] if e.attributes.get("data-l") == "Consumer ldap://c"}
    assert unread == {"contextCSN not shown"}
    last = [e.text for e in page.elements[at:] if e.attributes.get("data-l") == "Consumer ldap://d"][-1]
    assert last == "no stamp"  # 00a: not on the provider, not here: nothing wrong


def test_what_was_not_read_is_not_nought() -> None:
    page = read(one(problem=Problem("ldap://b stopped after 5 entries: size limit exceeded", "Raise the limit.")))
    cells = {e.attributes["data-l"]: e.text for e in page.all("td") if "data-l" in e.attributes}
    assert {cells[kind.value.capitalize()] for kind in Kind} == {"–"}
    assert "size limit exceeded. Raise the limit." in page.text
    assert page.all("h1")[0].text == "UNDECIDED"


def test_a_consumer_that_is_equal_shows_noughts() -> None:
    page = read(one())
    cells = {e.attributes["data-l"]: e.text for e in page.all("td") if "data-l" in e.attributes}
    assert {cells[kind.value.capitalize()] for kind in Kind} == {"0"}
    assert page.all("h1")[0].text == "EQUAL" and not page.rows()


def test_each_kind_says_who_has_what() -> None:
    dn, other = f"uid=ada,ou=here,{BASE}", f"uid=ada,ou=there,{BASE}"
    page = read(
        one(
            Finding(Kind.MISSING, dn, "", UUID, State.BEHIND, (), Cause("hidden", "An ACL hides it", "Grant read")),
            Finding(Kind.EXTRA, dn, dn, UUID),
            Finding(Kind.RENAMED, dn, other, UUID),
            Finding(Kind.IDENTITY, dn, dn, UUID),
            differs("mail", b"ada@example.com", b"ada.old@example.com"),
        )
    )
    missing, extra, renamed, value, identity = page.rows()
    assert missing.index("there") < missing.index("not there") and "behind" in missing
    assert "hidden: An ACL hides it" in missing and "Grant read" in missing
    assert extra.index("not there") < extra.rindex("there") and "lasting" in extra
    assert dn in renamed and other in renamed
    assert identity.count(UUID) == 2
    assert '"ada@example.com"' in value and '"ada.old@example.com"' in value
    assert ".old" in [mark.text for mark in page.all("mark")]


def test_a_difference_at_the_end_of_long_values_is_in_view() -> None:
    page = read(one(differs("description", b"a" * 5000 + b"left", b"a" * 5000 + b"right and more")))
    assert page.rows()[0].count("bytes 4,961 to ") == 2
    assert any("left" in mark.text for mark in page.all("mark"))


@pytest.mark.parametrize("at", range(280, 330))
def test_a_cut_never_falls_into_a_character(at: int) -> None:
    value = b"a" * at + "ä€🐘".encode() * 60
    row = read(one(differs("description", value, value + b"!"))).rows()[0]
    assert "hex" not in row and "\\x" not in row
    assert "!" in row


def test_two_binary_values_that_begin_alike_do_not_look_alike() -> None:
    page = read(one(differs("jpegPhoto", b"\xff\xd8\x80" * 900 + b"\x01", b"\xff\xd8\x80" * 900 + b"\x02")))
    provider, consumer = (e.text for e in page.all("td") if e.attributes.get("class") == "side")
    assert provider.startswith("hex ") and provider != consumer


def test_subtrees_are_counted_with_all_below_them() -> None:
    dns = [f"uid=u{i},ou=sales,ou=people,{BASE}" for i in range(7)] + [
        f"uid=x,OU=People,{BASE}",
        f"cn=g,ou=groups,{BASE}",
    ]
    bars = {bar.find: bar.counts.total() for bar in subtrees(Finding(Kind.MISSING, dn) for dn in dns)}
    people = f"ou=people,{BASE}"
    assert bars == {BASE: 9, people: 8, f"ou=sales,{people}": 7, f"ou=groups,{BASE}": 1}


def test_the_largest_of_many_subtrees_are_drawn() -> None:
    findings = [Finding(Kind.EXTRA, f"uid=u{j},ou=o{i},{BASE}") for i in range(40) for j in range(i + 1)]
    bars = subtrees(findings)
    assert len(bars) == 14
    assert [bar.find for bar in bars[:3]] == [BASE, f"ou=o39,{BASE}", f"ou=o38,{BASE}"]


@pytest.mark.parametrize("dn", ["", "rubbish", "cn=", 'cn="open', "dc=com", ",,,", "cn=a\\"])
def test_a_name_that_is_none_is_counted_all_the_same(dn: str) -> None:
    assert subtrees([Finding(Kind.EXTRA, dn)])[0].counts.total() == 1


# Very large reports stay usable


def test_many_findings_do_not_hide_the_few_and_the_rest_is_counted() -> None:
    many = tuple(Finding(Kind.MISSING, f"uid=u{i},ou=o{i % 9},{BASE}", "", UUID) for i in range(30_000))
    few = tuple(Finding(Kind.IDENTITY, f"cn=rare{i},{BASE}", f"cn=rare{i},{BASE}", UUID) for i in range(10))
    html = render_verify(one(*many, *few), WRITTEN)
    page = Page.of(html)
    assert len(page.rows()) == 2000
    assert sum("rare" in row for row in page.rows()) == 10
    assert "2,000 of 30,010 findings are shown here, 28,010 more are not" in page.text
    assert "30,000 missing" in page.text  # the figures are of all
    assert len(html) < 3_000_000


def test_a_cause_of_many_is_told_once_and_named_at_each() -> None:
    many, single = Cause("lost-add", "it never came", "Send it."), Cause("clock", "from the future", "Set it.")
    findings = [replace(differs("mail", b"a", b"b"), dn=f"cn={number},{BASE}", cause=many) for number in range(9)]
    page = render_verify(one(*findings, replace(findings[0], dn=BASE, cause=single)), WRITTEN)
    assert (page.count("it never came"), page.count("Send it.")) == (1, 1)
    assert page.count("<strong>lost-add</strong>") == 1 + 9
    assert "<strong>lost-add</strong> 9 findings" in page
    assert page.count("<strong>clock</strong>: from the future") == 1
    assert "Why they differ" not in render_verify(one(replace(findings[0], cause=single)), WRITTEN)


def test_the_largest_differences_do_not_make_a_page_that_no_browser_opens() -> None:
    values = tuple(bytes([65 + n]) * 5000 for n in range(20))
    attributes = tuple(AttributeDifference(f"attr{n}", values, values[::-1]) for n in range(30))
    findings = (
        Finding(Kind.DIFFERS, f"cn={n}{'x' * 3000},{BASE}", "", UUID, attributes=attributes) for n in range(2500)
    )
    html = render_verify(one(*findings), WRITTEN)
    assert len(html) < 10_000_000
    rows = Page.of(html).rows()
    assert "18 more" in rows[0] and "and 14 more values" in rows[0]
    assert "values: --format json" in rows[-1] and "attr0" in rows[-1]


# For everybody


def test_tables_and_headings_say_what_they_are() -> None:
    page = read(hostile())
    assert page.elements[0].name == "html" and page.elements[0].attributes["lang"] == "en"
    levels = [int(e.name[1]) for e in page.elements if re.fullmatch("h[1-6]", e.name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("scope" in head.attributes for head in page.all("th"))
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert all(e.attributes["aria-labelledby"] in ids for e in page.elements if "aria-labelledby" in e.attributes)
    for control in page.all("input") + page.all("select"):
        assert page.elements[control.parent].name == "label"


def test_every_row_of_the_findings_has_five_columns() -> None:
    page = read(hostile())
    groups = [at for at, e in enumerate(page.elements) if "data-kind" in e.attributes]
    for group in groups[:80]:
        rows = [at for at, e in enumerate(page.elements) if e.parent == group]
        for number, row in enumerate(rows):
            cells = [e.attributes for e in page.elements[row + 1 :][:400] if e.parent == row]
            held = [int(cell["rowspan"]) for cell in cells if "rowspan" in cell]
            assert held == ([len(rows)] * 2 if number == 0 else [])
            assert sum(int(cell.get("colspan", 1)) for cell in cells) == (5 if number == 0 else 3)


def _schemes() -> list[dict[str, str]]:
    return [dict(re.findall(r"--(\w+):(#\w{6})", text)) for text in STYLE.split("prefers-color-scheme:dark", 1)]


def _contrast(one_colour: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one_colour), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", _schemes(), ids=["light", "dark"])
def test_colours_are_easy_to_tell_apart(scheme: dict[str, str]) -> None:
    for name in ("ink", "soft", "accent", "equal", "behind", "diverged", "undecided"):
        for ground in ("card", "page"):
            assert _contrast(scheme[name], scheme[ground]) >= 4.5, (name, ground)
    assert _contrast(scheme["mark"], scheme["markink"]) >= 4.5
    for kind in Kind:
        assert _contrast(scheme[kind.value], scheme["card"]) >= 4.5, kind  # the sigil is written in it
        assert _contrast(scheme[kind.value], scheme["sunk"]) >= 3, kind


def test_several_reports_on_one_page() -> None:
    """Each under its name, with ids of its own; the overview leads to each."""
    named = [replace(one(differs("mail", b"a", b"b")), name="rid 001"), replace(hostile(), name='<b id="x">')]
    html = render_several(named, WRITTEN)
    page = Page.of(html)
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert {"findings-1", "findings-2", "report-1", "report-2"} <= set(ids)
    labels = {e.attributes["aria-labelledby"] for e in page.elements if "aria-labelledby" in e.attributes}
    assert labels <= set(ids)
    assert "rid 001: DIVERGED" in page.text
    assert '<b id="x">' not in html
    assert [e.attributes["href"] for e in page.all("a")] == ["#report-1", "#report-2"]
