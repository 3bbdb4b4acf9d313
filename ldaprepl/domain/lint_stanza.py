"""LR113 and LR120 to LR131: the words of a stanza are read right, but say something wrong.

What slapd refuses, what 2.4 accepts and then does not run, and what every version takes for something else than it
says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ldaprepl.domain import syncvalues
from ldaprepl.domain.config import RemarkKind
from ldaprepl.domain.keywords import KEYWORDS, Standing, Syntax
from ldaprepl.domain.lint import Hit, Rule, Severity, per_consumer, per_stanza
from ldaprepl.domain.lint_source import Estate, Source, Spot, below
from ldaprepl.domain.schema import read_description
from ldaprepl.domain.version import Version

_V22, _V23, _V24 = Version(2, 2), Version(2, 3), Version(2, 4)
_OWN_RULE: Final = frozenset(
    ("rid", "provider", "attrsonly", "schemachecking", "starttls", "syncdata", "type", "interval", "scope", "authzid",
     "tls_reqcert", "tls_reqsan", "tls_crlcheck", "tls_protocol_min", "bindmethod"),
)  # fmt: skip
_DEAD_IN_24: Final = frozenset(("retry", "sizelimit", "timelimit", "manageDSAit", "filter", "logfilter"))
# Without any schema file slapd 2.5 knows these, and what overlays bring begins like the second lot.
_BUILT_IN: Final = frozenset(
    ("objectclass", "structuralobjectclass", "createtimestamp", "modifytimestamp", "creatorsname",
     "modifiersname", "hassubordinates", "subschemasubentry", "entrydn", "entryuuid", "entrycsn", "contextcsn",
     "aliasedobjectname", "aliasedentryname", "ref", "entryttl", "dynamicsubtrees", "distinguishedname", "name",
     "cn", "commonname", "uid", "userid", "uidnumber", "gidnumber", "userpassword", "labeleduri", "description",
     "seealso", "pkcs8privatekey", "pwdlastsuccess", "entry", "children", "numsubordinates")
)  # fmt: skip
_OF_OVERLAYS: Final = ("olc", "pwd", "req", "monitor", "memberof", "audit", "dds", "numsub", "syncrepl", "vlv", "nss")


def _bad_value(spot: Spot) -> Iterator[Hit]:
    for name, keyword in KEYWORDS.items():
        if name in _OWN_RULE or keyword.standing(spot.version) is not Standing.KNOWN:
            continue
        for parameter in spot.stanza.all(name):
            text = parameter.text
            if keyword.syntax is Syntax.RETRY and _has_rule_of_its_own(text):
                continue
            reason = syncvalues.complaint(keyword, text, spot.version)
            if not reason or keyword.syntax is Syntax.FLAG:
                continue
            if '"' in (text or ""):  # a quote in an odd place may have taken in the next word, a password even
                reason = f"{name} has a double quote in an odd place (the value is not shown)"
            dead = name in _DEAD_IN_24 and spot.version.branch in (_V23, _V24)
            yield Hit(
                spot.source.at(parameter.place),
                reason,
                _cure_of_value(name, text or ""),
                _DEAD if dead else "",
                Severity.DATA_LOSS if dead and spot.version.branch == _V24 else None,
            )


_DEAD: Final = (
    "slaptest and slapd print an error, return 0 and run without replication. In 2.4 the database is then writable:"
    " clients write into a copy that never syncs."
)


def _has_rule_of_its_own(text: str | None) -> bool:
    try:
        steps = syncvalues.retry(text or "")
    except ValueError:
        return False
    return not steps or any(step.seconds == 0 for step in steps)


def _cure_of_value(name: str, value: str) -> str:
    keyword = KEYWORDS[name]
    match keyword.syntax:
        case Syntax.RETRY:
            return 'retry="5 12 60 +"'
        case Syntax.LIMIT:
            return f"remove {name}: the default is no limit"
        case Syntax.KEEPALIVE:
            return "keepalive=240:10:30"
        case Syntax.FILTER if value.count("(") != value.count(")"):
            return "balance the parentheses; a parenthesis inside a value is written \\28 or \\29"
        case Syntax.WORD:
            return f"{name}={keyword.default or keyword.words[0]}"
        case _:
            return ""


def _missing(spot: Spot) -> Iterator[Hit]:
    examples = {
        "rid": "rid=001",
        "provider": "provider=ldap://provider.example.com",
        "searchbase": f'searchbase="{spot.database.suffix or "dc=example,dc=com"}"',
        "bindmethod": "bindmethod=simple",
    }
    for name, keyword in KEYWORDS.items():
        if keyword.required(spot.version) and not spot.has(name):
            yield Hit(spot.place, f"{spot.label} has no {name}", examples.get(name, ""))


def _rid(spot: Spot) -> Iterator[Hit]:
    text = spot.text("rid")
    if spot.has("rid") and not (text.isascii() and text.isdigit() and int(text) <= 999):
        yield Hit(spot.at("rid"), f"rid {text!r} is not a decimal number from 0 to 999")


def _twice(estate: Estate) -> Iterator[Hit]:
    for source in estate.sources:
        seen: dict[int, Spot] = {}
        for spot in source.spots:
            text = spot.text("rid")
            if not (text.isascii() and text.isdigit()):
                continue
            number = int(text)
            if number in seen:
                free = next(n for n in range(1, 1000) if n not in {*seen, number})
                where = "in this database" if seen[number].database == spot.database else "in another database"
                yield Hit(
                    spot.at("rid"),
                    f"rid={number:03} is used already {where} ({seen[number].at('rid')})",
                    f"rid={free:03}",
                )
            seen.setdefault(number, spot)


def _provider(spot: Spot) -> Iterator[Hit]:
    uri = spot.text("provider")
    if not spot.has("provider"):
        return
    reason = syncvalues.complaint(KEYWORDS["provider"], uri, spot.version)
    if reason:
        bare = uri and "://" not in uri and not any(char in " ,\t" for char in uri)
        yield Hit(spot.at("provider"), reason, f"provider=ldap://{uri}" if bare else "")


def _outside(spot: Spot) -> Iterator[Hit]:
    database, base = spot.database, spot.text("searchbase")
    target = spot.text("suffixmassage")
    local = target or base
    if not spot.has("searchbase") or not database.section.suffixes or database.special or database.holds(local):
        return
    which = "suffixmassage" if target else "searchbase"
    cure = f'suffixmassage="{database.suffix}"'
    if not target and any(below(suffix, base) for suffix in database.section.suffixes):
        cure = f'searchbase="{database.suffix}"'
    yield Hit(spot.at(which), f"{which} {local!r} is not at or below the database suffix {database.suffix!r}", cure)


def _old_scope(spot: Spot) -> Iterator[Hit]:
    word = spot.text("scope").lower()
    if not spot.has("scope"):
        return
    if spot.version <= _V22 and word.startswith("sub") and word not in ("sub", "subtree"):
        yield Hit(spot.at("scope"), f"2.2 reads scope={word} as sub: the base entry is copied too", "scope=sub")
    elif spot.version.branch == _V23 and word == "subord":
        yield Hit(spot.at("scope"), "2.3 refuses scope=subord", "scope=subordinate", severity=Severity.ERROR)
    else:
        reason = syncvalues.complaint(KEYWORDS["scope"], spot.text("scope"), spot.version)
        if reason:
            yield Hit(spot.at("scope"), reason, "scope=sub", "slapd refuses the stanza.", Severity.ERROR)


def _schema(source: Source) -> frozenset[str]:
    """Lower-case names of all attribute types of a source; empty when its schema was not read whole."""
    if any(remark.kind in (RemarkKind.INCLUDE, RemarkKind.UNREADABLE) for remark in source.configuration.remarks):
        return frozenset()
    texts = [setting.value for name in ("attributetype", "attributetypes") for setting in source.top.all(name)]
    return frozenset(name.lower() for text in texts for name in read_description(text, []).get("NAME", ()))


def _attribute_names(spot: Spot) -> Iterator[Hit]:
    known = _schema(spot.source)
    if not known:
        return
    for keyword in ("attrs", "exattrs"):
        for parameter in spot.stanza.all(keyword):
            for name in syncvalues.names(parameter.text or ""):
                plain = name.partition(";")[0].lower()
                if plain in ("*", "+", "1.1") or plain[:1] in "@!:" or plain[:1].isdigit():
                    continue
                if plain not in known and plain not in _BUILT_IN and not plain.startswith(_OF_OVERLAYS):
                    place = spot.source.at(parameter.place)
                    yield Hit(place, f"{keyword} names {name!r}, which is not in this server's schema")


def _attrsonly(spot: Spot) -> Iterator[Hit]:
    if spot.has("attrsonly"):
        yield Hit(spot.at("attrsonly"), f"{spot.label} has attrsonly")


def _schemachecking(spot: Spot) -> Iterator[Hit]:
    word = spot.text("schemachecking").lower()
    if spot.has("schemachecking") and word not in ("on", "off"):
        yield Hit(spot.at("schemachecking"), f"schemachecking={word} means on")


def _starttls(spot: Spot) -> Iterator[Hit]:
    word = spot.text("starttls").lower()
    if not spot.has("starttls") or word in ("yes", "critical"):
        return
    if spot.version <= _V22:
        yield Hit(
            spot.at("starttls"),
            f"2.2 turns StartTLS on for starttls={word}, as for every word",
            "remove starttls" if word in ("no", "off") else "starttls=critical",
            "StartTLS is on, and only starttls=critical insists on it.",
            Severity.WARNING,
        )
    elif word != "no":
        yield Hit(spot.at("starttls"), f"starttls={word} is none of no, yes, critical", "starttls=critical")


def _syncdata(spot: Spot) -> Iterator[Hit]:
    word = spot.text("syncdata").lower()
    if spot.has("syncdata") and word not in ("default", "accesslog", "changelog"):
        yield Hit(spot.at("syncdata"), f"syncdata={word} is none of default, accesslog, changelog")


def _type(spot: Spot) -> Iterator[Hit]:
    word = spot.text("type").lower()
    if not spot.has("type"):
        return
    words = KEYWORDS["type"].words
    starts = [exact for exact in words if word.startswith(exact.lower())]
    if not starts:
        near = "refreshAndPersist" if "persist" in word else "refreshOnly"
        yield Hit(
            spot.at("type"),
            f"type={spot.text('type')} is none of {', '.join(words)}",
            f"type={near}",
            "slapd refuses the stanza.",
            Severity.ERROR,
        )
    elif starts[0].lower() != word:
        yield Hit(spot.at("type"), f"type={spot.text('type')} is taken for {starts[0]}", f"type={starts[0]}")
    elif starts[0] == "dirSync" and spot.version <= _V24:
        yield Hit(spot.at("type"), "dirSync came with 2.5", "", "slapd refuses the stanza.", Severity.ERROR)


def _bindmethod(spot: Spot) -> Iterator[Hit]:
    word = spot.text("bindmethod").lower()
    if spot.has("bindmethod") and word not in ("simple", "sasl", "none"):
        sasl = word.upper() in ("GSSAPI", "EXTERNAL", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN")
        cure = f"bindmethod=sasl saslmech={word.upper()}" if sasl else "bindmethod=simple"
        yield Hit(spot.at("bindmethod"), f"bindmethod={word} is none of simple, sasl, none", cure)


RULES: Final = (
    Rule(
        "LR113",
        Severity.ERROR,
        "a value that slapd does not take",
        "2.5 to 2.7 refuse the stanza and do not start. 2.4 refuses only some values: for retry, sizelimit, timelimit,"
        " manageDSAit and filter it prints an error, returns 0 and runs without replication, with a writable database.",
        "correct the value; on 2.3 and 2.4 read what slaptest prints, its exit status is 0",
        per_stanza(_bad_value),
    ),
    Rule(
        "LR120",
        Severity.ERROR,
        "a required keyword is missing",
        "slapd refuses the stanza (2.2 takes one without searchbase, and wants bindmethod).",
        "add the keyword",
        per_stanza(_missing),
    ),
    Rule(
        "LR121",
        Severity.ERROR,
        "rid is not a number from 0 to 999",
        "slapd refuses the stanza; 2.2 takes letters for 0.",
        "rid=001",
        per_stanza(_rid),
    ),
    Rule(
        "LR122",
        Severity.WARNING,
        "the same rid twice in one server",
        "2.4 to 2.7 accept it and run both, but their log lines, cookies and cn=Monitor entries cannot be told apart,"
        " and slapd -c rid=NNN means both.",
        "give every stanza of the server its own rid, over all databases",
        _twice,
    ),
    Rule(
        "LR123",
        Severity.ERROR,
        "provider is not one LDAP URI",
        "2.4 to 2.7 refuse it; 2.2 and 2.3 find out when they connect.",
        "provider=ldap://provider.example.com, and one stanza for each provider",
        per_stanza(_provider),
    ),
    Rule(
        "LR124",
        Severity.ERROR,
        "the searchbase is outside of the database",
        "slapd refuses the stanza; 2.2 accepts it and cannot add a single entry.",
        "copy into a database with that suffix, or map the names with suffixmassage",
        per_consumer(_outside),
    ),
    Rule(
        "LR125",
        Severity.WARNING,
        "a scope that this version reads otherwise",
        "2.2 takes every word that begins with sub for sub; 2.3 refuses subord.",
        "scope=sub",
        per_stanza(_old_scope),
    ),
    Rule(
        "LR126",
        Severity.ERROR,
        "an attribute that the consumer's schema does not know",
        'slapd refuses the stanza with the bare words "failed to add syncinfo".',
        "load the schema that defines the attribute, or correct its name",
        per_consumer(_attribute_names),
    ),
    Rule(
        "LR127",
        Severity.ERROR,
        "attrsonly",
        "The consumer of 2.4 to 2.7 crashes at the first entry, and again after every restart.",
        "remove attrsonly",
        per_stanza(_attrsonly),
    ),
    Rule(
        "LR128",
        Severity.WARNING,
        "schemachecking with another word than on or off",
        "Every other word means on: no, false and 0 switch the checks on, and entries that break the schema stop"
        " replication.",
        "schemachecking=off",
        per_stanza(_schemachecking),
    ),
    Rule(
        "LR129",
        Severity.ERROR,
        "starttls with a word that slapd does not know",
        "2.3 to 2.7 refuse the stanza.",
        "starttls=critical",
        per_stanza(_starttls),
    ),
    Rule(
        "LR130",
        Severity.ERROR,
        "syncdata is misspelled",
        "slapd accepts it and behaves as for changelog: one full refresh, then error 53 again and again.",
        "syncdata=accesslog",
        per_stanza(_syncdata),
    ),
    Rule(
        "LR131",
        Severity.INFO,
        "type is misspelled",
        "slapd looks at the beginning of the word only, so a wrong end is accepted.",
        "type=refreshAndPersist",
        per_stanza(_type),
    ),
    Rule(
        "LR153",
        Severity.ERROR,
        "a bindmethod that slapd does not know",
        "slapd refuses the stanza. A SASL mechanism is named by saslmech.",
        "bindmethod=simple",
        per_stanza(_bindmethod),
    ),
)
