"""Reading an HTML page in tests as a browser would: elements, attributes, text; and reports worth rendering."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser

from ldaprepl.domain.awkward import awkward
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.verdict import (
    AttributeDifference,
    Cause,
    ConsumerReport,
    Finding,
    Kind,
    Problem,
    VerifyReport,
)

BASE = "dc=example,dc=com"
WRITTEN = datetime(2026, 11, 22, 10, 20, tzinfo=UTC)
RAN = "document.documentElement.dataset.ran=1"  # what an attack does here
ATTACKS = (
    f"<script>{RAN}</script>",
    f'"><img src=x onerror="{RAN}">',
    f"'><svg onload='{RAN}'>",
    f"</title></style></script><script>{RAN}</script>",
    f"<!-- --!><script>{RAN}</script>",
    f"]]><iframe srcdoc='&lt;script&gt;parent.{RAN}&lt;/script&gt;'>",
    f"{{{{constructor.constructor('{RAN}')()}}}}",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "\u202etxt.exe \u2066hidden\u2069 \u200f\u200b\ufeff",
    "\x00\x07\x1b[31m\r\n\x7f\x85\u2028\u2029",
    "\udc80\udcff lone bytes",
)
_VOID = {"meta", "wbr", "br", "input", "img"}


@dataclass(slots=True)
class Element:
    """One element: name, attributes, and the place of its parent in `Page.elements`."""

    name: str
    attributes: dict[str, str]
    parent: int
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, that of the elements in it too."""
        return "".join(self.pieces)


@dataclass
class Page(HTMLParser):
    """Elements in order. Raises AssertionError where an end does not fit its beginning."""

    elements: list[Element] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    @classmethod
    def of(cls, html: str) -> Page:
        page = cls()
        page.feed(html)
        page.close()
        assert not page._open, [page.elements[at].name for at in page._open]
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in <{tag}>"
        parent = self._open[-1] if self._open else -1
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, parent))
        if tag not in _VOID and self.get_starttag_text()[-2:] != "/>":  # type: ignore[index]  # there is one here
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self.elements[self._open[-1]].name == tag, f"</{tag}> at {self.getpos()}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for at in self._open:
            self.elements[at].pieces.append(data)

    def all(self, name: str) -> list[Element]:
        """The elements of this name, in order."""
        return [element for element in self.elements if element.name == name]

    @property
    def text(self) -> str:
        """All text of the body."""
        return self.all("body")[0].text

    def rows(self) -> list[str]:
        """The text of each finding in the table."""
        return [element.text for element in self.elements if "data-kind" in element.attributes]


def one(*findings: Finding, uri: str = "ldap://b", problem: Problem | None = None) -> VerifyReport:
    """A report with these findings on one consumer."""
    consumer = ConsumerReport(uri, CsnSet(), 10, 10, 5, findings=findings, problem=problem)
    return VerifyReport(BASE, "ldap://a", CsnSet(), (consumer,), 1.0)


def differs(name: str, provider: bytes, consumer: bytes) -> Finding:
    """An entry with one attribute that differs."""
    return Finding(Kind.DIFFERS, f"uid=ada,{BASE}", attributes=(AttributeDifference(name, (provider,), (consumer,)),))


def hostile() -> VerifyReport:
    """Attacks in every text that a report can hold, and the sample directory of all that is awkward."""
    findings = [
        Finding(
            kind,
            f"cn={attack},{BASE}",
            f"cn={attack}{attack},{BASE}",
            attack,
            attributes=(AttributeDifference(attack, tuple(map(_bytes, ATTACKS)), (_bytes(attack),)),),
            cause=Cause(attack, attack, attack),
        )
        for kind in Kind
        for attack in ATTACKS
    ]
    for entry in awkward(120):
        pairs = ((name, values[:40]) for name, values in entry.attributes.items())
        attributes = tuple(AttributeDifference(name, values, values[:1]) for name, values in pairs)
        findings.append(Finding(Kind.DIFFERS, entry.dn, entry.dn, entry.uuid or "", attributes=attributes))
    consumers = tuple(
        ConsumerReport(f"ldap://{attack}", findings=found, problem=Problem(attack, attack), notes=(attack,))
        for attack, found in zip(ATTACKS, [tuple(findings), *[()] * len(ATTACKS)], strict=False)
    )
    return VerifyReport(f"o={''.join(ATTACKS)}", f"ldap://{''.join(ATTACKS)}", CsnSet(), consumers)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
