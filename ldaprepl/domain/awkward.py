"""A directory of what goes wrong: names to be escaped, every syntax, big values, values that attack a report.

For tests that must not be kind. Like `sample`: entries one by one, parents first, the structural class first, the same
for the same arguments everywhere. Each kind of trouble is a recipe, and recipes take turns, so that a few hundred
entries hold all of them. All entries are legal: slapd 2.5 loads them with every check. Needs the schema core, cosine,
inetorgperson, nis, and `CONF_LINES` in the global part of slapd.conf (`ATTRIBUTE_TYPES`, `OBJECT_CLASSES` for
cn=config).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from ldaprepl.domain import dn as names
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, suffix_entry, unit

_ARC = "1.3.6.1.4.1.4203.666.99.7.1"  # OpenLDAP's arc for experiments
_SYNTAX = "1.3.6.1.4.1.1466.115.121.1"
_TYPES = (
    ("sampleFlag", "EQUALITY booleanMatch", f"{_SYNTAX}.7"),
    ("sampleWhen", "EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch", f"{_SYNTAX}.24"),
    ("sampleCount", "EQUALITY integerMatch", f"{_SYNTAX}.27"),
    ("sampleExact", "EQUALITY caseExactMatch SUBSTR caseExactSubstringsMatch", f"{_SYNTAX}.15"),
    ("sampleDigits", "EQUALITY numericStringMatch", f"{_SYNTAX}.36"),
    ("samplePhone", "EQUALITY telephoneNumberMatch", f"{_SYNTAX}.50"),
    ("sampleOctets", "EQUALITY octetStringMatch", f"{_SYNTAX}.40"),
    ("sampleBits", "EQUALITY bitStringMatch", f"{_SYNTAX}.6"),
    ("sampleName", "EQUALITY distinguishedNameMatch", f"{_SYNTAX}.12"),
    ("sampleNameUid", "EQUALITY uniqueMemberMatch", f"{_SYNTAX}.34"),
    ("sampleIa5", "EQUALITY caseIgnoreIA5Match", f"{_SYNTAX}.26"),
    ("sampleUuid", "EQUALITY UUIDMatch", "1.3.6.1.1.16.1"),
    ("sampleOid", "EQUALITY objectIdentifierMatch", f"{_SYNTAX}.38"),
    ("sampleNoRule", "", f"{_SYNTAX}.15"),
)
ATTRIBUTE_TYPES: Final = (
    *(f"( {_ARC}.{n} NAME '{name}' {rule} SYNTAX {syntax} )" for n, (name, rule, syntax) in enumerate(_TYPES, 1)),
    f"( {_ARC}.50 NAME ( 'sampleAlias' 'sampleOtherName' ) SUP name )",
    f"( {_ARC}.51 NAME 'sampleSingle' EQUALITY caseIgnoreMatch SYNTAX {_SYNTAX}.15 SINGLE-VALUE )",
)
OBJECT_CLASSES: Final = (
    f"( {_ARC}.100 NAME 'sampleObject' SUP top AUXILIARY MAY ( "
    + " $ ".join([name for name, _, _ in _TYPES] + ["sampleAlias", "sampleSingle", "description", "labeledURI"])
    + " ) )",
)
ATTRIBUTE_OPTIONS: Final = "lang- x-"
CONF_LINES: Final = (
    f"attributeoptions {ATTRIBUTE_OPTIONS}",
    *(f"attributetype {text}" for text in ATTRIBUTE_TYPES),
    *(f"objectclass {text}" for text in OBJECT_CLASSES),
)

NAMES: Final = (  # %d takes the entry's number, so that each is unique
    "Comma, %d Inc.",
    "Plus + %d",
    "#%d leading hash",
    "semi;colon %d",
    " leading blank %d",
    "trailing blank %d ",
    " two  blanks  %d  ",
    'double "quotes" %d',
    "back\\slash %d\\",
    "<angle %d>",
    "equals = %d",
    'all of ,+"\\<>;=# %d',
    "Иван Петров %d",
    "王小明 %d",
    "عربي %d",
    "שלום %d",
    "combining e\u0301 %d",
    "composed é %d",
    "Straße %d",
    "İstanbul %d",
    "ﬁ ligature %d",
    "Ａ full width %d",
    "🐘 emoji %d",
    "\u202eoverride %d",
    "zero\u200bwidth %d",
    "no\u00a0break %d",
    "\ufeffmark %d",
    "tab\t%d",
    "line\nbreak %d",
    "return\r%d",
    "\x1b[31mred %d\x1b[0m",
    "bell\x07 %d",
    "delete\x7f %d",
    "<script>alert(%d)</script>",
    "&amp; 'html' \"%d\"",
    "$(touch /tmp/%d) `id`",
    "%%s %%n {0} %d",
    "../../%d",
    "dn: cn=smuggled %d",
    "long " + "x" * 150 + " %d",
)
VALUES: Final = (  # for descriptions: whatever a report may meet
    b" leading blank",
    b"trailing blank ",
    b": colon first",
    b"< angle first",
    b"- dash",
    b"#hash",
    b"two\nlines",
    b"two\r\nlines\r\n",
    b"\ndn: cn=smuggled\nchangetype: delete\n",
    b"\x1b]0;title\x07\x1b[2J\x1b[1;31mred\x1b[0m",
    b"\x00 a zero byte",
    b"\x9b31m".decode("latin-1").encode(),
    b"<img src=x onerror=alert(1)>",
    b"</pre><script>alert(1)</script>",
    b"| pipe",
    "\u202eright to left override".encode(),
    "\u2028line separator".encode(),
    b"%s%n{}${HOME}",
    b"a" * 75,
    b"b" * 76,
    b"c" * 77,
    b"=" * 200,
)
GROUP_SIZE: Final = 5000

Attributes = dict[str, tuple[bytes, ...]]
Recipe = Callable[[int, str], Entry]  # entry number, DN of its parent


def awkward(count: int, *, seed: int = 1, suffix: str = SUFFIX) -> Iterator[Entry]:
    """Exactly `count` entries from `suffix` down, parents first: two containers, a group of 5,000, then all recipes."""
    base = f"ou=awkward,{suffix}"
    head = [suffix_entry(suffix), unit("awkward", suffix), _big_group(base)]
    yield from head[:count]
    parent, nested, depth = base, base, 0
    for number in range(seed * 100_000, seed * 100_000 + count - len(head)):
        recipe = RECIPES[number % len(RECIPES)]
        if recipe is _nested:
            entry = recipe(number, nested)
            depth = (depth + 1) % 30
            nested = entry.dn if depth else base
        elif recipe is _child:
            entry = recipe(number, parent)
        else:
            entry = recipe(number, base)
        if recipe is _awkward_name:
            parent = entry.dn
        yield entry


def noise(number: int, size: int) -> bytes:
    """`size` bytes that look random, the same for the same number."""
    return hashlib.shake_128(b"%d" % number).digest(size)


def jpeg(number: int, size: int) -> bytes:
    """Something that passes as a JPEG picture of `size` bytes (JFIF markers around noise)."""
    head = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    return head + noise(number, max(size - len(head) - 2, 0)) + b"\xff\xd9"


def certificate(number: int) -> bytes:
    """Something that passes as an X.509 certificate (DER, right in structure, with a signature that signs nothing)."""
    algorithm = _der(0x30, _der(0x06, bytes.fromhex("2a864886f70d01010b")), _der(0x05))  # sha256WithRSAEncryption
    key = _der(
        0x30,
        _der(0x30, _der(0x06, bytes.fromhex("2a864886f70d010101")), _der(0x05)),
        _der(0x03, b"\0" + noise(number, 64)),
    )
    name = _der(0x30, _der(0x31, _der(0x30, _der(0x06, b"\x55\x04\x03"), _der(0x0C, f"Sample {number}".encode()))))
    validity = _der(0x30, _der(0x17, b"240101000000Z"), _der(0x17, b"440101000000Z"))
    serial = _der(0x02, b"\x01" + number.to_bytes(5, "big"))  # DER: no leading zeros
    body = _der(0x30, _der(0xA0, _der(0x02, b"\x02")), serial, algorithm, name, validity, name, key)
    return _der(0x30, body, algorithm, _der(0x03, b"\0" + noise(-number, 64)))


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def _entry(rdn: str, value: str | bytes, parent: str, attributes: Attributes) -> Entry:
    """An entry named by one value, which is put first among the values of its attribute."""
    octets = value.encode() if isinstance(value, str) else value
    named = {rdn: (octets, *(held for held in attributes.get(rdn, ()) if held != octets))}
    return Entry(f"{rdn}={names.escape(octets)},{parent}", {**attributes, **named})


def _person(number: int, **more: tuple[bytes, ...]) -> Attributes:
    return {"objectClass": (b"inetOrgPerson", b"top"), "sn": (b"Sample %d" % number,), **more}


def _sampled(number: int, **more: tuple[bytes, ...]) -> Attributes:
    attributes = _person(number, **more)
    return {**attributes, "objectClass": (*attributes["objectClass"], b"sampleObject")}


def _awkward_name(number: int, parent: str) -> Entry:
    return _entry("cn", NAMES[number // len(RECIPES) % len(NAMES)] % number, parent, _person(number))


def _child(number: int, parent: str) -> Entry:
    return _entry("cn", f"child {number}", parent, _person(number))


def _two_part_name(number: int, parent: str) -> Entry:
    name = (NAMES[number // len(RECIPES) % len(NAMES)] % number).encode()
    uid = b"u%d" % number
    first, second = ("cn", name), ("uid", uid)
    rdn = (first, second) if number % 2 else (second, first)
    return Entry(f"{names.render([rdn])},{parent}", _person(number, cn=(name, b"other name"), uid=(uid,)))


def _odd_naming(number: int, parent: str) -> Entry:
    """Named by something that is seldom a name."""
    choices: tuple[tuple[str, bytes], ...] = (
        ("sampleWhen", b"%04d0101000000Z" % (number % 10000)),
        ("sampleCount", b"-%d" % (number + 1)),
        ("sampleExact", b"Case Matters %d" % number),
        ("sampleDigits", b"00 %d" % number),
        ("samplePhone", b"+49 (30) %d-0" % number),
        ("sampleName", b"cn=inner\\, %d,dc=example" % number),
        ("sampleOctets", b"zero\x00byte %d" % number),
        ("sampleIa5", b"user+tag%d@example.com" % number),
        ("sampleAlias", b"by alias %d" % number),
    )
    name, value = choices[number // len(RECIPES) % len(choices)]
    return _entry(name, value, parent, _sampled(number, cn=(b"odd %d" % number,)))


def _options(number: int, parent: str) -> Entry:
    more: Attributes = {
        "cn;lang-de": (b"Beispiel %d" % number,),
        "cn;lang-en": (b"example %d" % number,),
        "description;x-foo": (b"one option",),
        "description;lang-de;x-foo": (b"two options",),
        "userCertificate;binary": (certificate(number), certificate(number + 1)),
    }
    return _entry("cn", f"options {number}", parent, _person(number) | more)


def _photo(number: int, parent: str) -> Entry:
    turn = number // len(RECIPES)
    size = 70_000 if turn % 16 == 0 else (300, 3_000, 20_000)[turn % 3]
    return _entry("cn", f"photo {number}", parent, _person(number, jpegPhoto=(jpeg(number, size), jpeg(-number, 100))))


def _hostile_values(number: int, parent: str) -> Entry:
    turn = number // len(RECIPES)
    values = tuple(VALUES[(turn + place) % len(VALUES)] for place in range(4))
    return _entry("cn", f"hostile {number}", parent, _sampled(number, description=values, sampleNoRule=values[:2]))


def _every_syntax(number: int, parent: str) -> Entry:
    phone = b"+49 30 %d" % (1_000_000 + number)
    more: Attributes = {
        "sampleFlag": (b"TRUE", b"FALSE") if number % 2 else (b"TRUE",),
        "sampleWhen": (b"20240101000000Z", b"20240101120000.5Z", b"202401011300+0100"),
        "sampleCount": (b"0", b"-1", b"%d" % number, b"123456789012345678901234567890"),
        "sampleExact": (b"Value", b"value", b"VALUE"),
        "sampleDigits": (b"1 2 3 %d" % number, b"000"),
        "sampleOctets": (b"\x00", b"\xff\xfe", noise(number, 32), b"ascii"),
        "sampleBits": (b"'0101'B", b"''B"),
        "sampleName": (b"cn=Some One,dc=example,dc=com", b"uid=a+cn=b,dc=example", b""),
        "sampleNameUid": (b"cn=Some One,dc=example,dc=com#'0101'B", b"cn=Some One,dc=example,dc=com"),
        "sampleIa5": (b"Mixed.Case@Example.com",),
        "sampleUuid": (b"597ae2f6-16a6-1027-98f4-d28b5365dc14",),
        "sampleOid": (b"2.5.4.3", b"1.2.3.4"),
        "sampleNoRule": (b"Same", b"same"),
        "sampleAlias": (b"Alias Value",),
        "sampleSingle": (b"only one",),
        "telephoneNumber": (phone, b"+1 (555) 0100-%d" % number),
        "mobile": (phone,),
        "postalAddress": (b"1 Main Street$12345 Town$Land", "Stra\u00dfe 1$Stadt".encode()),
        "preferredLanguage": (b"de, en;q=0.5",),
        "displayName": ("Jos\u00e9 \u00c5ngstr\u00f6m".encode(),),
        "x121Address": (b"12 34",),
        "facsimileTelephoneNumber": (b"+49 30 1$fineResolution",),
        "preferredDeliveryMethod": (b"telephone $ physical",),
        "seeAlso": (b"cn=Somebody,dc=example,dc=com",),
        "labeledURI": (b"http://example.com/A b", b"http://example.com/a B"),
        "userPassword": (b"plain", b"{SSHA}not really", b"\x00\xff"),
        "carLicense": (b"ABC 123",),
        "employeeNumber": (b"%d" % number,),
    }
    return _entry("cn", f"syntaxes {number}", parent, _sampled(number) | more)


def _near_twins(number: int, parent: str) -> Entry:
    """Values that differ in case or spacing only, where the rule tells them apart."""
    more: Attributes = {
        "sampleExact": (b"Twin", b"twin", b"TWIN", "Tw\u00edn".encode()),
        "labeledURI": (b"ldap://host/A", b"ldap://host/a"),
        "sampleNoRule": (b"a b", b"a  b", b" a b", b"A B"),
        "sampleOctets": (b"twin", b"Twin", b"twin "),
        "userPassword": (b"secret", b"Secret", b"secret "),
    }
    return _entry("cn", f"twins {number}", parent, _sampled(number) | more)


def _referral(number: int, parent: str) -> Entry:
    more: Attributes = {
        "objectClass": (b"referral", b"extensibleObject", b"top"),
        "ref": (b"ldap://other.example.com/ou=elsewhere,dc=example,dc=com", b"ldaps://other.example.com/"),
    }
    return _entry("ou", f"referral {number}", parent, more)


def _alias(number: int, parent: str) -> Entry:
    more: Attributes = {
        "objectClass": (b"alias", b"extensibleObject", b"top"),
        "aliasedObjectName": (f"ou=awkward,{parent.partition(',')[2]}".encode(),),
    }
    return _entry("cn", f"alias {number}", parent, more)


def _account(number: int, parent: str) -> Entry:
    more: Attributes = {
        "objectClass": (b"account", b"posixAccount", b"shadowAccount", b"top"),
        "cn": (b"Account %d" % number,),
        "uidNumber": (b"%d" % number,),
        "gidNumber": (b"0",),
        "homeDirectory": (b"/home/With Blank/%d" % number,),
        "gecos": (b"Account,,,%d" % number,),
        "shadowMax": (b"-1",),
    }
    return _entry("uid", f"account{number}", parent, more)


def _big_values(number: int, parent: str) -> Entry:
    many = tuple(b"value %d of %d" % (place, number) for place in range(300))
    long = b"long " + noise(number, 10_000).hex().encode()
    return _entry(
        "cn", f"big {number}", parent, _person(number, description=(long, *many), audio=(noise(number, 2_000),))
    )


def _nested(number: int, parent: str) -> Entry:
    return unit(f"level {number}", parent)


def _big_group(parent: str) -> Entry:
    members = tuple(f"uid=member{n},ou=people,{parent}".encode() for n in range(GROUP_SIZE))
    return _entry("cn", "big group", parent, {"objectClass": (b"groupOfNames", b"top"), "member": members})


RECIPES: Final[tuple[Recipe, ...]] = (
    _awkward_name,
    _child,
    _two_part_name,
    _odd_naming,
    _options,
    _photo,
    _hostile_values,
    _every_syntax,
    _near_twins,
    _referral,
    _alias,
    _account,
    _big_values,
    _nested,
    _awkward_name,
    _nested,
)
