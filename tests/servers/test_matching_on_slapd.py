"""A live slapd is the judge of what is equal; our rules may be stricter in the few places named here, never more
lenient.

Pairs: one value is stored, the other asked for with a compare operation. Characters: `slapdn -N` prints the normal form
of every letter and of every character with a decomposition, and ours must be the same bytes.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import ldap
import pytest

from ldaprepl.domain.matching import Schema
from ldaprepl.wire.slapdconf import SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.slaptool import run_tool

pytestmark = pytest.mark.servers

SUFFIX = "dc=example,dc=com"
SYNTAX = "1.3.6.1.4.1.1466.115.121.1."
RULES = {
    "xExact": ("caseExactMatch", SYNTAX + "15"),
    "xIgnore": ("caseIgnoreMatch", SYNTAX + "15"),
    "xIA5Exact": ("caseExactIA5Match", SYNTAX + "26"),
    "xIA5Ignore": ("caseIgnoreIA5Match", SYNTAX + "26"),
    "xList": ("caseIgnoreListMatch", SYNTAX + "41"),
    "xNumeric": ("numericStringMatch", SYNTAX + "36"),
    "xPhone": ("telephoneNumberMatch", SYNTAX + "50"),
    "xInteger": ("integerMatch", SYNTAX + "27"),
    "xBoolean": ("booleanMatch", SYNTAX + "7"),
    "xTime": ("generalizedTimeMatch", SYNTAX + "24"),
    "xOctets": ("octetStringMatch", SYNTAX + "40"),
    "xOid": ("objectIdentifierMatch", SYNTAX + "38"),
    "xUuid": ("UUIDMatch", "1.3.6.1.1.16.1"),
    "xCsn": ("CSNMatch", "1.3.6.1.4.1.4203.666.11.2.1"),
    "xBits": ("bitStringMatch", SYNTAX + "6"),
    "xDn": ("distinguishedNameMatch", SYNTAX + "12"),
    "xUid": ("uniqueMemberMatch", SYNTAX + "34"),
}
DEFINITIONS = tuple(
    f"attributetype ( 1.3.6.1.4.1.99999.1.{number} NAME '{name}' EQUALITY {rule} SYNTAX {syntax} )"
    for number, (name, (rule, syntax)) in enumerate(RULES.items())
)

PAIRS = [
    ("xIgnore", "Barbara  Jensen ", "barbara jensen"),
    ("xIgnore", "Straße", "STRASSE"),
    ("xIgnore", "ẞ", "ß"),
    ("xIgnore", "ς", "σ"),
    ("xIgnore", "Σ", "σ"),
    ("xIgnore", "ı", "I"),
    ("xIgnore", "İ", "i"),
    ("xIgnore", "İ", "i\u0307"),
    ("xIgnore", "É", "e\u0301"),
    ("xIgnore", "ＡＢＣ", "abc"),
    ("xIgnore", "ﬁ", "FI"),
    ("xIgnore", "ℕ", "n"),
    ("xIgnore", "ℕ", "N"),
    ("xIgnore", "Ⅷ", "viii"),
    ("xIgnore", "\U0001d678", "i"),
    ("xIgnore", "\uf900", "\u8c48"),
    ("xIgnore", "Ɂ", "ɂ"),
    ("xIgnore", "Ⴀ", "ⴀ"),
    ("xIgnore", "\u0323\u035e", "\u035e\u0323"),
    ("xIgnore", "\u0323\u0307", "\u0307\u0323"),
    ("xIgnore", "a\u00a0b", "a b"),
    ("xIgnore", "a\u3000b", "a b"),
    ("xIgnore", "a\u2028b", "a b"),
    ("xIgnore", "a\tb", "a b"),
    ("xIgnore", "a\nb", "a b"),
    ("xIgnore", "a\u00adb", "ab"),
    ("xIgnore", "a\u200bb", "ab"),
    ("xIgnore", "  ", " "),
    ("xIgnore", "a\0b", "A\0B"),
    ("xExact", "a", "A"),
    ("xExact", " a  b", "a b"),
    ("xExact", "É", "E\u0301"),
    ("xExact", "ｶﾞ", "ガ"),
    ("xIA5Ignore", " A  b", "a b"),
    ("xIA5Ignore", "", "  "),
    ("xIA5Ignore", "a\tb", "a b"),
    ("xIA5Exact", "a", "A"),
    ("xIA5Exact", " a", "a"),
    ("xList", "a$B", "A$ b"),
    ("xList", "a$$b", "a$ $b"),
    ("xList", "a\\24b", "A\\24B"),
    ("xList", "a\\5cb", "A\\5CB"),
    ("xList", "a\\24b", "a$b"),
    ("xNumeric", "1 2  3", "123"),
    ("xNumeric", "12", "21"),
    ("xPhone", "+49 30-12 34", "+49301234"),
    ("xPhone", "1a", "1A"),
    ("xPhone", "(1)", "1"),
    ("xPhone", "-", " "),
    ("xInteger", "7", "8"),
    ("xInteger", "7", "07"),
    ("xInteger", "0", "-0"),
    ("xBoolean", "TRUE", "FALSE"),
    ("xBoolean", "TRUE", "true"),
    ("xTime", "20200101000000Z", "20200101000000.0Z"),
    ("xTime", "20200101000000Z", "202001010000Z"),
    ("xTime", "20200101000000Z", "2020010100Z"),
    ("xTime", "20200101000000Z", "20200101000000+0000"),
    ("xTime", "20200101000000Z", "20200101000000-0000"),
    ("xTime", "20200101000000Z", "202001010100+01"),
    ("xTime", "20200101000000Z", "20191231223000-0130"),
    ("xTime", "20200101000000Z", "20200101000000"),
    ("xTime", "20200101000000.5Z", "20200101000000,500Z"),
    ("xTime", "20200101000060Z", "20200101000100Z"),
    ("xTime", "20200101000000Z", "20200101000001Z"),
    ("xOctets", "a", "A"),
    ("xOctets", "a ", "a"),
    ("xOid", "2.5.4.3", "2.5.4.4"),
    ("xUuid", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    ("xUuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf7"),
    ("xCsn", "20261122101742.000000Z#00000a#000#000000", "2026112210:17:42Z#0x000a#0#0000"),
    ("xCsn", "20261122101742.000000Z#00000a#00f#000000", "20261122101742Z#00000a#0F#000000"),
    ("xCsn", "20261122101742.000000Z#00000a#000#000000", "20261122101742.000000Z#00000A#000#000000"),
    ("xCsn", "20261122101742.000000Z#00000a#000#000000", "20261122101742.000001Z#00000a#000#000000"),
    ("xBits", "'01'B", "'1'B"),
    ("xDn", "cn=a,dc=b", "CN=A , DC=B"),
    ("xDn", "cn=a,dc=b", "2.5.4.3=a;dc=b"),
    ("xDn", "cn=a\\2cb", 'commonName="A,B"'),
    ("xDn", "cn=a+sn=b", "SN=B + CN=A"),
    ("xDn", "cn=a+sn=b", "cn=a,sn=b"),
    ("xDn", "cn=a,dc=b", "cn=a\\,dc\\=b"),
    ("xDn", "telephoneNumber=1 2", "telephoneNumber=1-2"),
    ("xDn", "xExact=a", "xExact=A"),
    ("xDn", "xTime=2020010100Z", "xTime=20200101000000Z"),
    ("xDn", "xDn=cn\\=A\\,dc\\=b", 'xDn="CN=a, DC=B"'),
    ("xDn", "cn=É", "cn=e\\CC\\81"),
    ("xDn", "cn=\\20a", "cn=a"),
    ("xDn", "cn=a\\09", "cn=a"),
    ("xDn", "cn=a", "\tcn = \n a\t"),
    ("xDn", "cn=\\09a", "cn=\ta"),
    ("xDn", "cn=\\09a", 'cn="\ta"'),
    ("xDn", "cn=，", "cn=\\,"),
    ("xDn", "cn=\\#a", "cn=\\23A"),
    ("xDn", "", " "),
    ("xUid", "cn=a#'01'B", "CN=A#'01'B"),
    ("xUid", "cn=a#'01'B", "cn=a#'1'B"),
    ("xUid", "cn=a#'01'B", "cn=a"),
    ("xUid", "cn=a", "cn=a#''B"),
    ("xUid", "cn=a\\#b", "cn=A#B"),
    ("objectClass", "dcObject", "DCOBJECT"),
    ("objectClass", "dcObject", "1.3.6.1.4.1.1466.344"),
    ("objectClass", "dcObject", "person"),
]
# Where slapd says equal and we do not, on purpose: half a minute is not half a second.
STRICTER = [
    ("xTime", "20200101000000.5Z", "202001010000.5Z"),
    ("xTime", "20200101000000.5Z", "2020010100.50Z"),
]


@dataclass(frozen=True)
class Judge:
    """A running slapd with one entry to write to, and the schema as it publishes it."""

    server: Slapd
    connection: ldap.ldapobject.LDAPObject
    schema: Schema

    def says_equal(self, attribute: str, stored: str, asked: str) -> bool | None:
        """None: the server does not take the second value, so the question cannot come up."""
        if attribute != "objectClass":
            self.connection.modify_s(SUFFIX, [(ldap.MOD_REPLACE, attribute, [stored.encode()])])
        try:
            return bool(self.connection.compare_s(SUFFIX, attribute, asked.encode()))
        except ldap.INVALID_SYNTAX:
            return None

    def we_say_equal(self, attribute: str, stored: str, asked: str) -> bool:
        normal = self.schema.normal(attribute)
        return normal(stored.encode()) == normal(asked.encode())

    def normal_forms(self, attribute: str, values: list[str]) -> list[bytes]:
        """What `slapdn -N` makes of each value, as the value of an RDN. The values must be valid."""
        conf = ["-N", "-f", str(self.server.folder / "slapd.conf")]
        dns = [attribute + "=" + "".join(f"\\{byte:02x}" for byte in value.encode()) for value in values]
        done = run_tool(self.server.installation.program, "dn", [*conf, *dns], self.server.folder)
        assert done.returncode == 0, done.stderr
        found = re.split(f"^{attribute}=", done.stdout, flags=re.MULTILINE)[1:]
        return [_unescaped(text.removesuffix("\n")) for text in found]


def _unescaped(text: str) -> bytes:
    return re.sub(rb"\\([0-9A-F]{2})", lambda match: bytes.fromhex(match[1].decode()), text.encode())


@pytest.fixture(scope="module")
def judge(slapd_module: Callable[..., Slapd]) -> Iterator[Judge]:
    server = slapd_module(SlapdConf(lines=DEFINITIONS)).start()
    connection = ldap.initialize(server.ldapi_uri)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    classes = [b"organization", b"dcObject", b"extensibleObject"]
    connection.add_s(SUFFIX, [("objectClass", classes), ("o", [b"example"])])
    [(_, subschema)] = connection.search_s(
        "cn=Subschema", ldap.SCOPE_BASE, attrlist=["attributeTypes", "objectClasses"]
    )
    yield Judge(server, connection, Schema.parse(subschema["attributeTypes"], subschema["objectClasses"]))
    connection.unbind_s()


def test_the_published_schema_has_no_riddles(judge: Judge) -> None:
    assert judge.schema.problems == ()
    for name, (rule, syntax) in RULES.items():
        held = judge.schema.attribute(name)
        assert held is not None
        assert (held.equality, held.syntax) == (rule, syntax)


@pytest.mark.parametrize(("attribute", "stored", "asked"), PAIRS)
def test_we_say_what_slapd_says(judge: Judge, attribute: str, stored: str, asked: str) -> None:
    verdict = judge.says_equal(attribute, stored, asked)
    # What slapd does not take it never holds: there we must keep to the bytes.
    assert judge.we_say_equal(attribute, stored, asked) is bool(verdict)


@pytest.mark.parametrize(("attribute", "stored", "asked"), STRICTER)
def test_where_we_are_stricter(judge: Judge, attribute: str, stored: str, asked: str) -> None:
    assert judge.says_equal(attribute, stored, asked) is True  # else this list is out of date
    assert not judge.we_say_equal(attribute, stored, asked)


def _telling_characters() -> Iterable[str]:
    for code in range(0x20, sys.maxunicode + 1):
        char = chr(code)
        if 0xD7A4 <= code < 0xE000:
            continue  # slapd takes the unassigned end of the Hangul block for syllables; surrogates are no characters
        if char.lower() != char or unicodedata.decomposition(char) or unicodedata.combining(char):
            yield char


@pytest.mark.parametrize("attribute", ["xIgnore", "xExact"])
def test_every_letter_and_every_composed_character_has_slapds_normal_form(judge: Judge, attribute: str) -> None:
    values = [f"x{char}\u0301 \u035e\u0323X" for char in _telling_characters()]
    assert len(values) > 7000
    normal = judge.schema.normal(attribute)
    for start in range(0, len(values), 1500):
        chunk = values[start : start + 1500]
        forms = judge.normal_forms(attribute, chunk)
        assert len(forms) == len(chunk)
        wrong = {ascii(value): form for value, form in zip(chunk, forms, strict=True) if normal(value.encode()) != form}
        assert not wrong


def test_dn_keys_meet_exactly_where_slapds_normal_dns_meet(judge: Judge) -> None:
    values = [
        "a",
        "A",
        " a",
        "a b",
        "a  B",
        "a,b",
        "A, b",
        "a+b",
        "a=b",
        "#a",
        "é",
        "e\u0301",
        "É",
        "ß",
        "ss",
        '"',
        "\\",
        "\\,",
    ]
    dns = [
        f"{first}={_hexed(value)}{between}{last}"
        for value in values
        for first in ("cn", "CommonName", "2.5.4.3", "xExact")
        for between, last in ((",", "dc=a"), (" , ", "DC=A"), ("+", "sn=b"), (" + ", "SN=B"))
    ]
    dns += [f"sn=b+{name}={_hexed(value)}" for value in values for name in ("cn", "xExact")]
    conf = ["-N", "-f", str(judge.server.folder / "slapd.conf")]
    done = run_tool(judge.server.installation.program, "dn", [*conf, *dns], judge.server.folder)
    theirs = done.stdout.splitlines()
    assert len(theirs) == len(dns), done.stderr
    ours = [judge.schema.dn_key(name) for name in dns]
    assert len(set(theirs)) == len(set(ours)) == len(set(zip(theirs, ours, strict=True)))


def _hexed(value: str) -> str:
    return "".join(f"\\{byte:02x}" for byte in value.encode())
