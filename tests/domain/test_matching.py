"""Names, values and DNs that mean the same must meet, and nothing else may: the verifier stands on this."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain import dn
from ldaprepl.domain.matching import Schema

DIRECTORY_STRING, DN_SYNTAX, OID_SYNTAX = (f"1.3.6.1.4.1.1466.115.121.1.{number}" for number in (15, 12, 38))
TYPES = [
    f"( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SYNTAX {DIRECTORY_STRING}{{32768}} )",
    "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )",
    "( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )",
    "( 2.5.4.11 NAME ( 'ou' 'organizationalUnitName' ) SUP name )",
    "( 0.9.2342.19200300.100.1.25 NAME ( 'dc' 'domainComponent' ) EQUALITY 1.3.6.1.4.1.1466.109.114.2"
    " SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )",
    f"( 1.1.1 NAME 'exact' EQUALITY caseExactMatch SYNTAX {DIRECTORY_STRING} )",
    f"( 1.1.2 NAME 'norule' SYNTAX {DIRECTORY_STRING} )",
    f"( 1.1.3 NAME 'oddrule' EQUALITY vendorMatch SYNTAX {DIRECTORY_STRING} )",
    f"( 1.1.4 NAME 'anyOid' EQUALITY objectIdentifierMatch SYNTAX {OID_SYNTAX} )",
    f"( 2.5.4.31 NAME 'member' EQUALITY distinguishedNameMatch SYNTAX {DN_SYNTAX} )",
    "( 2.5.4.50 NAME 'uniqueMember' EQUALITY uniqueMemberMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.34 )",
    "( 2.5.4.20 NAME 'telephoneNumber' EQUALITY telephoneNumberMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.50 )",
    "( 2.5.21.5 NAME 'attributeTypes' EQUALITY objectIdentifierFirstComponentMatch SYNTAX 1.2 )",
]
CLASSES = ["( 2.5.6.6 NAME 'person' )", "( 2.5.6.7 NAME ( 'orgPerson' 'organizationalPerson' ) )", "( 1.9 NAME 'sn' )"]
SCHEMA = Schema.parse(TYPES, CLASSES)

# -- names


@pytest.mark.parametrize(
    ("description", "canonical"),
    [
        ("cn", "cn"),
        ("CommonName", "cn"),
        ("2.5.4.3", "cn"),
        ("commonName;Lang-DE", "cn;lang-de"),
        ("cn;b;A;b", "cn;a;b"),
        ("userCertificate;BINARY", "usercertificate;binary"),
        ("Unknown", "unknown"),
        ("9.9.9", "9.9.9"),
        ("cn;", "cn"),
    ],
)
def test_canonical(description: str, canonical: str) -> None:
    assert SCHEMA.canonical(description) == canonical
    assert SCHEMA.canonical(canonical) == canonical


def test_an_option_makes_another_attribute() -> None:
    assert len({SCHEMA.canonical(name) for name in ("cn", "cn;lang-de", "cn;lang-fr", "cn;binary")}) == 4


def test_two_types_that_claim_one_name_stay_two() -> None:
    schema = Schema.parse(["( 1.2 NAME 'a' )", "( 1.3 NAME ( 'a' 'b' ) )", "( 1.4 NAME ( 'a' ) )"])
    assert schema.canonical("a") == schema.canonical("1.2") == "a"
    assert schema.canonical("b") == schema.canonical("1.3") == "1.3"
    assert schema.canonical("1.4") == "1.4"
    assert any("'a' is defined twice" in problem for problem in schema.problems)


def test_attribute_takes_any_spelling() -> None:
    held = SCHEMA.attribute("COMMONNAME;lang-de")
    assert held is not None
    assert (held.name, held.equality) == ("cn", "caseIgnoreMatch")
    assert SCHEMA.attribute("nothing") is None


def test_server_local() -> None:
    schema = Schema.parse(
        ["( 1.2 NAME 'mine' USAGE dSAOperation )", "( 1.3 NAME 'shared' USAGE distributedOperation )"]
    )
    assert [schema.is_server_local(name) for name in ("MINE", "1.2", "shared", "contextCSN", "entryCSN", "x")] == [
        True, True, False, True, False, False,
    ]  # fmt: skip


# -- values


@pytest.mark.parametrize(
    ("description", "one", "other"),
    [
        ("cn", b"A  B", b"a b"),
        ("surname;lang-de", b"A", b"a"),
        ("2.5.4.3", b"A", b"a"),
        ("dc", b"LAB", b"lab"),  # the rule is named by its OID
        ("objectClass", b"PERSON", b"2.5.6.6"),
        ("objectClass", b"organizationalPerson", b"orgperson"),
        ("structuralObjectClass", b"Person", b"person"),
        ("objectClass", b"nobodyKnows", b"NOBODYKNOWS"),
        ("anyOid", b"CN", b"2.5.4.3"),
        ("anyOid", b"commonName", b"cn"),
        ("member", b"CN=A  B , DC=Lab", b"2.5.4.3=a b,dc=lab"),
        ("member", b"cn=a\\2cb", b'CN="A,B"'),
        ("member", b"cn=a+sn=b", b"SN=B + CN=A"),
        ("member", b"telephoneNumber=1 2", b"telephoneNumber=1-2"),
        ("member", b"member=cn\\=A\\,dc\\=b", b'member="CN=a, DC=B"'),
        ("uniqueMember", b"CN=A#'01'B", b"cn=a#'01'B"),
        ("uniqueMember", b"CN=A", b"cn=a"),
        # known without being published: 2.1 and 2.2 hide them
        ("entryUUID", b"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("entryCSN", b"20261122101743Z#00000a#00#000000", b"20261122101743.000000Z#00000a#000#000000"),
        ("contextCSN", b"2026112210:17:43Z#0x000a#0#0000", b"20261122101743.000000Z#00000a#000#000000"),
        ("creatorsName", b"cn=Manager,dc=x", b"cn=manager,dc=x"),  # 2.1 lower-cases it in offline loading
        ("modifyTimestamp", b"20200101000000Z", b"20200101000000.0Z"),
    ],
)
def test_equal(description: str, one: bytes, other: bytes) -> None:
    normal = SCHEMA.normal(description)
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("description", "one", "other"),
    [
        ("exact", b"A", b"a"),
        ("norule", b"A", b"a"),
        ("oddrule", b"A", b"a"),
        ("unknown", b"A", b"a"),
        ("objectClass", b"person", b"orgPerson"),
        ("objectClass", b"cn", b"2.5.4.3"),  # an attribute type is no class
        ("anyOid", b"sn", b"2.5.4.4"),  # a class has that name too: nothing is certain
        ("anyOid", b"sn", b"1.9"),
        ("member", b"exact=A", b"exact=a"),
        ("member", b"cn=a,dc=b", b"cn=a\\,dc\\=b"),
        ("member", b"cn=a+sn=b", b"cn=a,sn=b"),
        ("member", b"cn=a\\+sn\\=b", b"cn=a+sn=b"),
        ("member", b"nothing at all", b"NOTHING AT ALL"),  # no DN: bytes
        ("member", b"", b" "),
        ("member", b"cn=\xff", b"cn=\xfe"),
        ("uniqueMember", b"cn=a#'01'B", b"cn=a#'1'B"),
        ("uniqueMember", b"cn=a#'01'B", b"cn=a"),
        ("uniqueMember", b"exact=a\\23'01'B", b"exact=a#'01'B"),
        ("attributeTypes", b"( 1.2 NAME 'a' )", b"( 1.2 NAME 'b' )"),  # the rule would look at the OID only
    ],
)
def test_different(description: str, one: bytes, other: bytes) -> None:
    normal = SCHEMA.normal(description)
    assert normal(one) != normal(other)


def test_nothing_known_is_bytes() -> None:
    assert Schema.EMPTY.normal("cn")(b" A ") == b" A "
    assert Schema.EMPTY.normal("entryUUID")(b"A") == b"A"
    assert Schema.EMPTY.canonical("CN;B;A") == "cn;a;b"
    assert Schema.EMPTY.attribute("cn") is None
    assert Schema.EMPTY.dn_key("CN=A, DC=X") == Schema.EMPTY.dn_key("cn=A,dc=X")
    assert Schema.EMPTY.dn_key("cn=A") != Schema.EMPTY.dn_key("cn=a")


def test_the_servers_own_definition_goes_before_the_built_in_one() -> None:
    assert Schema.parse(["( 9.9 NAME 'entryUUID' )"]).normal("entryUUID")(b"A") == b"A"


@pytest.mark.parametrize("name", ["cn", "dc", "exact", "anyOid", "member", "uniqueMember", "objectClass", "entryCSN"])
@given(
    value=st.one_of(
        st.binary(max_size=12), st.text(st.sampled_from("cnA=, +\\\"#'01B;é\0"), max_size=12).map(str.encode)
    )
)
def test_no_value_makes_a_normaliser_raise(name: str, value: bytes) -> None:
    assert SCHEMA.normal(name)(value) == SCHEMA.normal(name)(bytes(value))


# -- DNs

NAMING = st.sampled_from(["cn", "CommonName", "2.5.4.3", "exact", "ou", "dc", "telephoneNumber", "unknown", "member"])
VALUES = st.one_of(
    st.text(st.sampled_from(' ,+"\\<>;=#aB1\0\té，'), min_size=1, max_size=8).map(str.encode),
    st.binary(min_size=1, max_size=4),
)
RDNS = st.lists(st.lists(st.tuples(NAMING, VALUES), min_size=1, max_size=2).map(tuple), min_size=1, max_size=4)


def spelled(rdns: list[dn.Rdn], data: st.DataObject) -> str:
    """The same DN in one of its many spellings, all read by slapd alike."""

    def choose(*options: str) -> str:
        return data.draw(st.sampled_from(options))

    def value(plain: bytes) -> str:
        return choose(dn.escape(plain), "".join(f"\\{byte:02X}" for byte in plain))

    def rdn(avas: dn.Rdn) -> str:
        ordered = data.draw(st.permutations(avas))
        return choose("+", " + ").join(
            choose(name, name.upper()) + choose("=", " = ") + value(plain) for name, plain in ordered
        )

    return choose(",", " , ", ";").join(rdn(avas) for avas in rdns)


@given(RDNS, st.data())
def test_every_spelling_of_a_dn_has_one_key(rdns: list[dn.Rdn], data: st.DataObject) -> None:
    plain = dn.render(rdns)
    key = SCHEMA.dn_key(plain)
    assert SCHEMA.dn_key(spelled(rdns, data)) == key
    assert not key.startswith(b"\xff")


@given(RDNS, RDNS)
def test_keys_are_equal_only_if_every_rdn_is(one: list[dn.Rdn], other: list[dn.Rdn]) -> None:
    def plainly(rdns: list[dn.Rdn]) -> list[list[tuple[str, bytes]]]:
        return [sorted((SCHEMA.canonical(name), SCHEMA.normal(name)(value)) for name, value in rdn) for rdn in rdns]

    same = SCHEMA.dn_key(dn.render(one)) == SCHEMA.dn_key(dn.render(other))
    assert same == (plainly(one) == plainly(other))


@given(RDNS, RDNS)
def test_a_key_ends_with_its_parents_key(one: list[dn.Rdn], base: list[dn.Rdn]) -> None:
    above = dn.render(base)
    below = dn.render([*one, *base])
    assert SCHEMA.dn_key(below).endswith(b"," + SCHEMA.dn_key(above))
    assert SCHEMA.dn_key(below).count(b",") == len(one) + len(base) - 1
    assert SCHEMA.is_below(below, above)
    assert SCHEMA.is_below(below, "")
    assert not SCHEMA.is_below(above, below)


@given(st.text(st.sampled_from(' ,+"\\<>;=#cn2f\0\n漢\ud800\udcff'), max_size=16))
def test_any_text_has_a_key(text: str) -> None:
    key = SCHEMA.dn_key(text)
    try:
        dn.parse(text)
    except ValueError:
        assert key.startswith(b"\xff")
    else:
        assert not key.startswith(b"\xff")


@pytest.mark.parametrize(
    "text", ["x", "cn=a,", "cn=a,,dc=x", ",", "=a", " =a,dc=x", "cn=a, ,dc=x", "c n=a", "cn=a;", "é=a"]
)
def test_what_is_no_dn_only_equals_itself(text: str) -> None:
    assert SCHEMA.dn_key(text) == b"\xff" + text.encode()


def test_options_in_a_dn_do_not_count() -> None:
    assert SCHEMA.dn_key("CommonName;lang-de=A") == SCHEMA.dn_key("cn=a")  # seen on slapd 2.5.13


def test_is_below_goes_by_the_schema() -> None:
    assert SCHEMA.is_below("cn=x,DC=Lab", "domainComponent=LAB")
    assert SCHEMA.is_below("dc=lab", "DC=LAB")
    assert not SCHEMA.is_below("dc=lab", "c=lab")
    assert not SCHEMA.is_below("cn=x\\,dc=lab", "dc=lab")
    assert not SCHEMA.is_below("cn=x,exact=A", "exact=a")
    assert not SCHEMA.is_below("dc=lab", "cn=x,dc=lab")


def test_a_dn_nested_without_end_does_no_harm() -> None:
    for text in ("member=" * 20000 + "cn=a", "cn=a," * 20000 + "dc=x", "cn=a" + "+cn=a" * 20000, "cn=" + "\\," * 20000):
        assert SCHEMA.dn_key(text) == SCHEMA.dn_key(text)
