"""Which names and which values mean the same, by the schema that the provider publishes.

Attribute names are resolved through aliases, OIDs and options (RFC 4512, section 2.5), values by the EQUALITY rule of
their type, DNs RDN by RDN with the rule of each naming attribute. An attribute, a rule or a value that is not
understood compares as bytes: strict, never lenient in silence. slapd 2.0 to 2.2 hide or lack the operational
attributes, so the standard ones are built in and used where the server says nothing about them.

A verifier asks millions of times. So a normaliser is looked up once for each description as written, and the key of a
DN's parent is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from ldaprepl.domain import dn as names
from ldaprepl.domain import rules
from ldaprepl.domain.rules import Normaliser
from ldaprepl.domain.schema import AttributeType, read_attribute_types, read_class_names

# What every OpenLDAP uses, whether its subschema shows it or not (RFC 4512, 4530; the CSN attributes are OpenLDAP's
# own).
_BUILT_IN = (
    "( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
    "( 2.5.21.9 NAME 'structuralObjectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38"
    " SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 2.5.18.1 NAME 'createTimestamp' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24"
    " SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 2.5.18.2 NAME 'modifyTimestamp' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24"
    " SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 2.5.18.3 NAME 'creatorsName' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12"
    " SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 2.5.18.4 NAME 'modifiersName' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12"
    " SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY UUIDMatch SYNTAX 1.3.6.1.1.16.1"
    " SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 1.3.6.1.4.1.4203.666.1.7 NAME 'entryCSN' EQUALITY CSNMatch SYNTAX 1.3.6.1.4.1.4203.666.11.2.1"
    " SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 1.3.6.1.4.1.4203.666.1.25 NAME 'contextCSN' EQUALITY CSNMatch SYNTAX 1.3.6.1.4.1.4203.666.11.2.1"
    " NO-USER-MODIFICATION USAGE dSAOperation )",
)
_CLASS_ATTRIBUTES = ("2.5.4.0", "2.5.21.9")  # objectClass, structuralObjectClass
# The first RDN and its comma, where the text needs no reading of quotes; and an RDN that needs no unescaping either.
_LEAF = re.compile(r'([^\\",;]*(?:\\[^"][^\\",;]*)*),(?= *[^" ][^";]*\Z)', re.DOTALL)
_NEEDS_SCAN = re.compile(r'[\\";]')
_PLAIN_RDN = re.compile(r'[^\\"+;#<>,\0\t\n\r\ud800-\udfff=]+=[^\\"+;#<>,\0\t\n\r\ud800-\udfff]*')
_KEY_SPECIAL = re.compile(rb'[\x00"#+,;<=>\\]')
_UID_PART = re.compile(rb"(.+)(#'[01]*'B)", re.DOTALL)
_TYPE_IN_DN = re.compile(r"(?:[A-Za-z][A-Za-z0-9_-]*(?:;[A-Za-z0-9_-]+)*|\d+(?:\.\d+)*)", re.ASCII)
_PARENTS_REMEMBERED = 4096


class Schema:
    """The attribute types of one server. Made by `Schema.parse`; never changes.

    `problems` lists, in plain sentences, what in the subschema could not be understood.
    """

    EMPTY: Schema

    def __init__(
        self, types: dict[str, AttributeType], class_oids: dict[str, str], problems: Iterable[str] = ()
    ) -> None:
        self._types = types
        self._class_oids = class_oids
        self.problems = tuple(problems)
        self._normalisers: dict[str, Normaliser] = {}
        self._canonical: dict[str, str] = {}
        self._naming: dict[str, tuple[bytes, Normaliser]] = {}
        self._inner: Schema | None = None
        self._parent_key = lru_cache(maxsize=_PARENTS_REMEMBERED)(self._whole_key)

    @classmethod
    def parse(cls, attribute_types: Iterable[str | bytes], object_classes: Iterable[str | bytes] = ()) -> Schema:
        """From the values of attributeTypes and objectClasses of the provider's subschema entry. Never raises; see
        `problems`."""
        problems: list[str] = []
        types = read_attribute_types(attribute_types, problems)
        for key, attribute in read_attribute_types(_BUILT_IN, []).items():
            types.setdefault(key, attribute)
        return cls(types, read_class_names(object_classes, problems), problems)

    def attribute(self, description: str) -> AttributeType | None:
        """The type behind a name, an alias or an OID; options are ignored. None if the server does not publish it."""
        return self._types.get(description.partition(";")[0].strip().lower())

    def canonical(self, description: str) -> str:
        """One spelling for all: the type's first name and the sorted options, in lower case (`CommonName;Lang-DE` ->
        `cn;lang-de`)."""
        found = self._canonical.get(description)
        if found is None:
            name, *options = description.strip().lower().split(";")
            found = ";".join([self._first_name(name), *sorted({option for option in options if option})])
            self._canonical[description] = found
        return found

    def _first_name(self, name: str) -> str:
        attribute = self._types.get(name)
        if attribute is None:
            return name
        first = attribute.name.lower()
        # Where two types claim one name, it belongs to the first; the other one must not be taken for it.
        return first if self._types[first] == attribute else attribute.oid.lower() or name

    def supertypes(self, description: str) -> Iterator[str]:
        """Canonical names of the types that this one is derived from, nearest first (RFC 4512, section 2.5.1)."""
        attribute = self.attribute(description)
        seen: set[str] = set()
        while attribute is not None and attribute.sup and attribute.sup not in seen:
            seen.add(attribute.sup)
            yield self.canonical(attribute.sup)
            attribute = self.attribute(attribute.sup)

    def is_server_local(self, description: str) -> bool:
        """Whether the server keeps the attribute for itself (USAGE dSAOperation, RFC 4512, section 3.4): never
        replicated."""
        attribute = self.attribute(description)
        return attribute is not None and attribute.usage.lower() == "dsaoperation"

    def normal(self, description: str) -> Normaliser:
        """The function that brings a value of this attribute into its normal form; bytes as they are if nothing is
        known. It never raises."""
        found = self._normalisers.get(description)
        if found is None:
            found = self._normalisers[description] = self._rule(self.attribute(description))
        return found

    def dn_key(self, dn: str) -> bytes:
        """The same bytes for every spelling of one DN; never raises. A DN that does not parse is its own key, with a
        mark.

        Keys are RDNs joined by commas, leaf first, all other commas escaped: an entry is below another exactly if its
        key ends with a comma and the other's key.
        """
        try:
            cut = _LEAF.match(dn)
            if cut is None:
                return self._whole_key(dn)
            return self._rdn_key(cut[1]) + b"," + self._parent_key(dn[cut.end() :])
        except ValueError:
            return rules.raw(_bytes(dn))

    def is_below(self, dn: str, base: str) -> bool:
        """Whether `dn` is `base` or below it. A DN that does not parse is only below the root and itself."""
        key, base_key = self.dn_key(dn), self.dn_key(base)
        return not base_key or key == base_key or key.endswith(b"," + base_key)

    def _rule(self, attribute: AttributeType | None) -> Normaliser:
        if attribute is None:
            return rules.same_bytes
        match attribute.equality.lower():
            case "distinguishednamematch" | "2.5.13.1":
                return self._dn_value
            case "uniquemembermatch" | "2.5.13.23":
                return self._name_and_uid
            case "objectidentifiermatch" | "2.5.13.0":
                return self._class_name if attribute.oid in _CLASS_ATTRIBUTES else self._object_identifier
            case rule:
                return rules.BY_NAME.get(rule, rules.same_bytes)

    def _dn_value(self, value: bytes) -> bytes:
        return self.dn_key(value.decode("utf-8", "surrogateescape"))

    def _name_and_uid(self, value: bytes) -> bytes:
        """uniqueMemberMatch: a DN and, after `#`, a bit string that must be the same bit for bit (RFC 4517, section
        4.2.31)."""
        match = _UID_PART.fullmatch(value)
        return self._dn_value(match[1]) + match[2] if match else self._dn_value(value)

    def _class_name(self, value: bytes) -> bytes:
        name = value.decode("utf-8", "surrogateescape").lower()
        return self._class_oids.get(name, name).encode("utf-8", "surrogateescape")

    def _object_identifier(self, value: bytes) -> bytes:
        """objectIdentifierMatch outside of objectClass: a name that is both a class and an attribute type stays a
        name."""
        name = value.decode("utf-8", "surrogateescape").lower()
        attribute = self._types.get(name)
        oids = {oid for oid in (self._class_oids.get(name), attribute and attribute.oid) if oid}
        return (oids.pop() if len(oids) == 1 else name).encode("utf-8", "surrogateescape")

    def _naming_rule(self, name: str) -> tuple[bytes, Normaliser]:
        """What stands before the value in a key, and the value's normaliser, for an attribute type as written in a DN.

        Raises ValueError if it is no attribute type.
        """
        found = self._naming.get(name)
        if found is None:
            if _TYPE_IN_DN.fullmatch(name) is None:
                raise ValueError(f"not an attribute type: {name!r}")
            plain = name.partition(";")[0]  # slapd drops options in a DN
            normaliser = self.normal(plain)
            if normaliser in (self._dn_value, self._name_and_uid):
                normaliser = self._inner_schema().normal(plain)
            found = self._naming[name] = (self.canonical(plain).encode() + b"=", normaliser)
        return found

    def _inner_schema(self) -> Schema:
        """For a DN inside a DN. What is nested deeper compares as bytes, so that no name can make this recurse
        without end."""
        if self._inner is None:
            self._inner = Schema(self._types, self._class_oids)
            self._inner._inner = Schema(
                {key: replace(attribute, equality="") for key, attribute in self._types.items()}, {}
            )
        return self._inner

    def _ava(self, name: str, value: bytes) -> bytes:
        before, normaliser = self._naming_rule(name)
        normal = normaliser(value)
        return before + (_KEY_SPECIAL.sub(_hex, normal) if _KEY_SPECIAL.search(normal) else normal)

    def _rdn_key(self, text: str) -> bytes:
        """Raises ValueError if it is not one RDN."""
        if _PLAIN_RDN.fullmatch(text):
            name, _, value = text.partition("=")
            return self._ava(name.strip(" "), value.strip(" ").encode())
        (rdn,) = names.parse(text)
        return self._join(rdn)

    def _whole_key(self, dn: str) -> bytes:
        """Raises ValueError if it is not a DN, or if it is the empty one after a comma."""
        if dn and _NEEDS_SCAN.search(dn) is None:
            return b",".join([self._rdn_key(text) for text in dn.split(",")])
        return b",".join([self._join(rdn) for rdn in names.parse(dn)])

    def _join(self, rdn: names.Rdn) -> bytes:
        return b"+".join(sorted([self._ava(name, value) for name, value in rdn]))


def _bytes(dn: str) -> bytes:
    try:
        return dn.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return dn.encode("utf-8", "surrogatepass")


def _hex(match: re.Match[bytes]) -> bytes:
    return b"\\%02x" % match[0][0]


Schema.EMPTY = Schema({}, {})
