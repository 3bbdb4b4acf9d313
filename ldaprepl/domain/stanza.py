"""The syncrepl stanza: one consumer's orders, as slapd.conf(5) and olcSyncrepl write them.

A stanza keeps its words in order, known or not, so that reading loses nothing and a linter can speak about all of it.
Accessors give typed values with slapd's defaults. Rendering is strict: a keyword the target version does not know, a
value it would refuse or silently misread, or a value the form cannot express is an error that says why; only comfort
(`Keyword.dispensable`) is dropped for an old version, and the rendering says so. What is rendered reads back equal (in
cn=config a filter or DN with quotes may come back with a hexadecimal escape for them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from ldaprepl.domain import syncvalues
from ldaprepl.domain.keywords import KEYWORDS, Keyword, Standing, Syntax, find
from ldaprepl.domain.scope import EVERY_ATTRIBUTE, MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.syncvalues import RetryStep
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, Place, Unwritable, quote, split
from ldaprepl.errors import UsageError

INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Parameter:
    """One word of a stanza.

    `keyword` has the spelling of the manual page when it is known, `written` that of the source. A word that is no
    `name=value` at all has the keyword "" and is held as a Secret: it may be the rest of an unquoted password.
    """

    keyword: str
    value: str | Secret | None = None
    written: str = field(default="", compare=False)
    place: Place | None = field(default=None, compare=False)

    @classmethod
    def of(cls, name: str, value: str | Secret | None, place: Place | None = None) -> Parameter:
        """Canonical name; values of secret keywords, and of unknown ones (`credential=`), become Secrets."""
        known = find(name)
        secret = known is None or known.syntax is Syntax.SECRET
        if secret and isinstance(value, str):
            value = Secret(value)
        return cls(known.name if known else name, value, name, place)

    @classmethod
    def from_word(cls, word: str, place: Place | None = None) -> Parameter:
        """The word as slapd's splitter gives it."""
        name, equals, value = word.partition("=")
        known = find(name)
        if known or (equals and name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
            return cls.of(name, value if equals else None, place)
        return cls("", Secret(word), "", place)

    @property
    def known(self) -> Keyword | None:
        """What the table says about it."""
        return KEYWORDS.get(self.keyword)

    @property
    def text(self) -> str | None:
        """The value in clear, secrets too."""
        return self.value.reveal() if isinstance(self.value, Secret) else self.value


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a stanza, or one parameter of it, is not right for a version. `reason` holds no secret."""

    keyword: str
    reason: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place else self.reason


@dataclass(frozen=True, slots=True)
class Rendering:
    """The quoted words of a stanza in one form, and what was left out because the version does not know it.

    Holds the password in clear.
    """

    form: Form
    words: tuple[str, ...] = field(repr=False)
    dropped: tuple[Complaint, ...] = ()

    @property
    def text(self) -> str:
        """slapd.conf: the directive with its continuation lines; cn=config: the value of olcSyncrepl on one line."""
        if self.form is Form.CN_CONFIG:
            return " ".join(self.words)
        return "syncrepl " + f"\n{INDENT}".join(self.words) + "\n"


class StanzaRefused(UsageError):
    """The stanza cannot be written as asked; `complaints` has every reason."""

    def __init__(self, message: str, complaints: tuple[Complaint, ...]) -> None:
        super().__init__(f"{message}: {'; '.join(complaint.reason for complaint in complaints)}")
        self.complaints = complaints


@dataclass(frozen=True, slots=True)
class Stanza:
    """One syncrepl definition. The last of several equal keywords counts, except attrs and exattrs, which add up.

    Accessors raise ValueError where the value is not what slapd takes; an absent keyword gives slapd's default.
    """

    parameters: tuple[Parameter, ...] = ()
    place: Place | None = field(default=None, compare=False)

    @classmethod
    def of(cls, values: Mapping[str, str | Secret | None]) -> Stanza:
        """From keyword to value; None for a flag such as lazycommit."""
        return cls(tuple(Parameter.of(name, value) for name, value in values.items()))

    @classmethod
    def from_words(cls, words: Iterable[tuple[str, Place | None]], place: Place | None = None) -> Stanza:
        """From words that are split already, without the word `syncrepl`."""
        return cls(tuple(Parameter.from_word(word, where) for word, where in words), place)

    @classmethod
    def parse(cls, text: str, form: Form) -> Stanza:
        """From one logical line of slapd.conf (with or without the word `syncrepl`) or one value without its `{n}`."""
        words = [word.text for word in split(text, form)]
        if words and words[0].lower() == "syncrepl" and form is Form.SLAPD_CONF:
            del words[0]
        return cls.from_words((word, None) for word in words)

    def get(self, name: str) -> str | Secret | None:
        """The value that counts; None when absent (or a flag without value)."""
        found = self.all(name)
        return found[-1].value if found else None

    def all(self, name: str) -> tuple[Parameter, ...]:
        """Every parameter of that keyword, under any of its names."""
        known = find(name)
        wanted = known.name if known else name
        return tuple(parameter for parameter in self.parameters if parameter.keyword == wanted)

    def with_value(self, name: str, value: str | Secret | None) -> Stanza:
        """The same stanza with one keyword set: in its place when it is there, at the end when not."""
        new = Parameter.of(name, value)
        old = [index for index, parameter in enumerate(self.parameters) if parameter.keyword == new.keyword]
        if not old:
            return Stanza((*self.parameters, new), self.place)
        kept = [new if at == old[-1] else each for at, each in enumerate(self.parameters) if at not in old[:-1]]
        return Stanza(tuple(kept), self.place)

    def without(self, name: str) -> Stanza:
        """The same stanza without one keyword."""
        gone = self.all(name)
        return Stanza(tuple(parameter for parameter in self.parameters if parameter not in gone), self.place)

    # --- typed accessors

    @property
    def rid(self) -> int | None:
        """The consumer's number in its server, 0 to 999."""
        text = self._text("rid")
        if text and syncvalues.complaint(KEYWORDS["rid"], text, Version.NEWEST):
            raise ValueError(f"rid {text!r} is not a decimal number from 0 to 999")
        return int(text) if text else None

    @property
    def provider(self) -> str:
        """URI of the provider."""
        return self._text("provider")

    @property
    def type(self) -> str:
        """refreshOnly, refreshAndPersist or dirSync; like slapd, anything that begins so is that."""
        text = self._text("type") or "refreshOnly"
        for word in ("refreshOnly", "refreshAndPersist", "dirSync"):
            if text.lower().startswith(word.lower()):
                return word
        raise ValueError(f"type {text!r} is neither refreshOnly nor refreshAndPersist nor dirSync")

    @property
    def persistent(self) -> bool:
        """Whether the provider sends changes as they happen."""
        return self.type == "refreshAndPersist"

    @property
    def interval(self) -> timedelta:
        """Pause between two polls (type=refreshOnly)."""
        text = self._text("interval")
        return syncvalues.interval(text) if text else timedelta(days=1)

    @property
    def retry(self) -> tuple[RetryStep, ...] | None:
        """The retry list; None when absent: hourly from 2.4 on, never in 2.2 and 2.3."""
        text = self.get("retry")
        return syncvalues.retry(text) if isinstance(text, str) else None

    @property
    def searchbase(self) -> str:
        """DN on the provider."""
        return self._text("searchbase")

    @property
    def scope(self) -> Scope:
        """Scope of the search."""
        text = self._text("scope")
        return syncvalues.scope(text) if text else Scope.SUB

    @property
    def filter(self) -> str:
        """Which entries; slapd adds missing outer parentheses, and so does this."""
        text = self._text("filter") or MATCH_ALL
        return text if text.startswith("(") else f"({text})"

    @property
    def attrs(self) -> tuple[str, ...]:
        """Which attributes."""
        return self._names("attrs") or EVERY_ATTRIBUTE

    @property
    def exattrs(self) -> tuple[str, ...]:
        """Attributes the consumer drops after receipt."""
        return self._names("exattrs")

    @property
    def attrsonly(self) -> bool:
        """Names without values."""
        return bool(self.all("attrsonly"))

    @property
    def suffixmassage(self) -> str:
        """The consumer's name for the searchbase; empty for the same name."""
        return self._text("suffixmassage")

    @property
    def bindmethod(self) -> str:
        """simple, sasl or none."""
        return self._text("bindmethod").lower() or "simple"

    @property
    def binddn(self) -> str:
        """Identity of a simple bind; empty is anonymous."""
        return self._text("binddn")

    @property
    def credentials(self) -> Secret | None:
        """Password of a simple or SASL bind."""
        value = self.get("credentials")
        return value if isinstance(value, Secret) else None

    @property
    def starttls(self) -> str:
        """no, yes or critical."""
        return self._text("starttls").lower() or "no"

    @property
    def delta(self) -> bool:
        """Whether changes come from a log (syncdata=accesslog or changelog)."""
        return self._text("syncdata").lower() not in ("", "default")

    @property
    def replication_scope(self) -> ReplicationScope:
        """What should be on the consumer."""
        return ReplicationScope(
            base=self.searchbase,
            scope=self.scope,
            filter=self.filter,
            attrs=self.attrs,
            exattrs=self.exattrs,
            attrsonly=self.attrsonly,
            suffixmassage=self.suffixmassage,
        )

    # --- strict side

    def complaints(self, version: Version = Version.NEWEST) -> tuple[Complaint, ...]:
        """What this version refuses, ignores, or takes for something else than it says; without the server's schema."""
        found = [
            Complaint(name, f"{name} is missing", self.place)
            for name, keyword in KEYWORDS.items()
            if keyword.required(version) and not self.all(name)
        ]
        found += [complaint for parameter in self.parameters if (complaint := _complain(parameter, version))]
        return tuple(found)

    def render(self, form: Form, version: Version = Version.NEWEST) -> Rendering:
        """Write the stanza for one form and version. Raises StanzaRefused with all reasons."""
        kept, dropped = [], []
        for parameter in self.parameters:
            known = parameter.known
            if known and known.dispensable and known.standing(version) is not Standing.KNOWN:
                dropped.append(Complaint(known.name, _standing(known, version), parameter.place))
            else:
                kept.append(parameter)
        reasons = list(Stanza(tuple(kept), self.place).complaints(version))
        if form is Form.CN_CONFIG and version <= _V22:
            reasons.append(Complaint("", "OpenLDAP 2.2 has no cn=config"))
        words = []
        for parameter in kept:
            try:
                words.append(_quoted(parameter, form))
            except Unwritable as problem:
                reasons.append(Complaint(parameter.keyword, problem.message, parameter.place))
        if reasons:
            raise StanzaRefused(f"The stanza cannot be written for OpenLDAP {version} in {form} form", tuple(reasons))
        return Rendering(form, tuple(words), tuple(dropped))

    def _text(self, name: str) -> str:
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def _names(self, name: str) -> tuple[str, ...]:
        return tuple(each for parameter in self.all(name) for each in syncvalues.names(parameter.text or ""))


_V22: Final = Version(2, 2)


def _complain(parameter: Parameter, version: Version) -> Complaint | None:
    known = parameter.known
    if known is None:
        what = f"{parameter.keyword} is not a syncrepl keyword" if parameter.keyword else "a word is not keyword=value"
        return Complaint(parameter.keyword, what, parameter.place)
    if known.standing(version) is not Standing.KNOWN:
        return Complaint(known.name, _standing(known, version), parameter.place)
    text = parameter.text
    if text and known.syntax is not Syntax.SECRET and "credentials=" in text.lower():
        return Complaint(known.name, f"{known.name} has swallowed the credentials: an open quote?", parameter.place)
    reason = syncvalues.complaint(known, text, version)
    return Complaint(known.name, reason, parameter.place) if reason else None


def _quoted(parameter: Parameter, form: Form) -> str:
    """The word as it stands in the text. Raises Unwritable."""
    text, known = parameter.text, parameter.known
    if text is None:
        return parameter.keyword
    try:
        return quote(text, form, parameter.keyword)
    except Unwritable:
        # the same DN or filter can be spelled without the quote (RFC 4514, section 2.4; RFC 4515, section 3)
        if known and known.syntax is Syntax.FILTER:
            text = text.replace('"', "\\22")
        elif known and known.syntax is Syntax.DN:
            text = text.replace('\\"', "\\22")
        return quote(text, form, parameter.keyword)


def _standing(keyword: Keyword, version: Version) -> str:
    return f"{keyword.name} is {keyword.standing(version)} by OpenLDAP {version}"
