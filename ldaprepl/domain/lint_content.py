"""LR301 to LR309: what is copied, and what is left behind without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ldaprepl.domain.lint import Hit, Rule, Severity, per_stanza
from ldaprepl.domain.lint_source import Spot, dn_key

# An assertion that the entry of a suffix usually meets, not negated.
_TAKES_SUFFIX: Final = re.compile(
    r"(?<!!)\(\s*objectclass\s*=\s*(\*|top|dcobject|domain|organization|organizationalunit|country|locality)\s*\)",
    re.IGNORECASE,
)
_EVERYTHING: Final = re.compile(r"\(?\s*objectclass\s*=\s*\*\s*\)?", re.IGNORECASE)
_SECRETS: Final = (
    "userpassword",
    "pwdhistory",
    "krb",
    "sambantpassword",
    "sambalmpassword",
    "authpassword",
    "ipanthash",
)


def _names(spot: Spot, keyword: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in getattr(spot.stanza, keyword))


def _no_operational(spot: Spot) -> Iterator[Hit]:
    names = _names(spot, "attrs")
    if spot.has("attrs") and "+" not in names:
        what = 'attrs="*"' if names == ("*",) else "the list of attributes"
        cure = "remove attrs" if names == ("*",) else f'attrs="{",".join((*spot.stanza.attrs, "+"))}"'
        # a list is usually meant as it is; the star is usually meant as everything
        severity = None if "*" in names else Severity.INFO
        yield Hit(spot.at("attrs"), f"{what} leaves out the operational attributes", cure, severity=severity)


def _strict(spot: Spot) -> Iterator[Hit]:
    if spot.text("schemachecking").lower() in ("", "off"):
        return
    partly = [name for name in ("attrs", "exattrs") if spot.has(name)]
    if partly and not (partly == ["attrs"] and "*" in _names(spot, "attrs")):
        yield Hit(spot.at("schemachecking"), f"{' and '.join(partly)} together with schemachecking on")


def _no_suffix_entry(spot: Spot) -> Iterator[Hit]:
    suffix, base = spot.database.suffix, spot.text("suffixmassage") or spot.text("searchbase")
    scope = spot.text("scope").lower()
    if suffix and base and not spot.source.fragment and dn_key(suffix) != dn_key(base):
        yield Hit(
            spot.at("searchbase"), f"the copy begins below the suffix entry {suffix!r}, which so stays a glue entry"
        )
    elif scope in ("one", "onelevel", "children", "subord", "subordinate"):
        yield Hit(spot.at("scope"), f"scope={scope} leaves out the base entry itself")
    elif base and _misses(spot.text("filter"), base):
        wanted = spot.stanza.filter
        yield Hit(
            spot.at("filter"),
            "the filter does not seem to match the base entry",
            f'filter="(|{wanted}(entryDN={spot.text("searchbase")}))"',
            severity=Severity.INFO,
        )


def _misses(wanted: str, base: str) -> bool:
    """Whether nothing in the filter looks as if it let the base entry through."""
    if not wanted or _EVERYTHING.fullmatch(wanted):
        return False
    text = wanted if wanted.startswith("(") else f"({wanted})"
    return not _TAKES_SUFFIX.search(text) and base.partition(",")[0].lower() not in text.lower()


def _limited(spot: Spot) -> Iterator[Hit]:
    for name in ("sizelimit", "timelimit"):
        value = spot.text(name).lower()
        if value.isdecimal() and int(value):
            yield Hit(spot.at(name), f"{name}={value} cuts the refresh", f"remove {name}")


def _not_secret(spot: Spot) -> Iterator[Hit]:
    hidden = [name for name in _names(spot, "exattrs") if name.startswith(_SECRETS)]
    if hidden:
        yield Hit(
            spot.at("exattrs"),
            f"exattrs drops {', '.join(hidden)} at the consumer, after it has crossed the network",
        )


def _no_passwords(spot: Spot) -> Iterator[Hit]:
    attrs = _names(spot, "attrs")
    if "userpassword" in _names(spot, "exattrs"):
        yield Hit(spot.at("exattrs"), "userPassword is excluded", "remove userPassword from exattrs")
    elif not {"*", "userpassword"} & set(attrs) and not any(name.startswith("@") for name in attrs):
        yield Hit(
            spot.at("attrs"),
            "userPassword is not among the attributes",
            f'attrs="{",".join((*spot.stanza.attrs, "userPassword"))}"',
        )


RULES: Final = (
    Rule(
        "LR301",
        Severity.WARNING,
        "attrs without +",
        "The default copies user and operational attributes. Without + creatorsName and modifiersName become the"
        " consumer's rootdn, and what overlays keep (password policy state, memberOf) is missing.",
        'remove attrs, or write attrs="*,+"',
        per_stanza(_no_operational),
    ),
    Rule(
        "LR302",
        Severity.ERROR,
        "an attribute list with schemachecking=on",
        "The first entry that lacks a required attribute is refused (65), and the refresh begins again at each retry:"
        " it never gets past that entry.",
        "schemachecking=off",
        per_stanza(_strict),
    ),
    Rule(
        "LR303",
        Severity.WARNING,
        "the suffix entry is not copied",
        "slapd puts a hidden glue entry in its place: a base search of the suffix finds nothing, and its contextCSN"
        " shows only with the ManageDsaIT control.",
        "copy the suffix entry too, or live with it",
        per_stanza(_no_suffix_entry),
    ),
    Rule(
        "LR306",
        Severity.ERROR,
        "sizelimit or timelimit in the stanza",
        "They limit this consumer's own search. A refresh that is cut stores no cookie and starts from zero, each time,"
        " for ever. They do not lift a limit of the provider.",
        "remove the limit",
        per_stanza(_limited),
    ),
    Rule(
        "LR307",
        Severity.SECURITY,
        "exattrs used to protect secrets",
        "The provider sends the attribute, the consumer throws it away: whoever reads the connection or has the"
        " replica's password gets it.",
        "deny read on it to the replica's DN in the provider's access rules",
        per_stanza(_not_secret),
    ),
    Rule(
        "LR308",
        Severity.WARNING,
        "passwords are not copied",
        "Nobody can bind at the consumer: it answers 49 (invalid credentials).",
        "include userPassword",
        per_stanza(_no_passwords),
    ),
    Rule(
        "LR304",
        Severity.ERROR,
        "a filter that matches nothing",
        "The provider answers 32 again and again: there is not even a suffix entry to store the cookie in.",
        "correct the filter",
    ),
    Rule(
        "LR305",
        Severity.ERROR,
        "a searchbase that the provider does not have",
        'The consumer tries for ever and logs "(32) No such object".',
        "correct searchbase; capital letters do not matter, everything else does",
    ),
    Rule(
        "LR309",
        Severity.ERROR,
        "the consumer lacks schema",
        'Replication stops at the first entry that needs it ("invalid per syntax", 21). schemachecking=off does not'
        " help: types and classes must be known.",
        "load the provider's schema into the consumer, consumers first",
    ),
)
