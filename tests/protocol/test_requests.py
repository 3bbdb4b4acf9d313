"""What we ask must be what was meant: byte for byte libldap's request, and by the ASN.1 of RFC 4511 the same fields."""

from __future__ import annotations

from collections.abc import Callable

import ldap
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ldap.controls import LDAPControl
from ldap.ldapobject import SimpleLDAPObject
from ldap3.protocol import rfc4511
from peers import Libldap
from pyasn1.codec.ber import decoder

from ldaprepl.errors import UsageError
from ldaprepl.protocol.requests import (
    Control,
    SearchRequest,
    abandon,
    bind_external,
    bind_simple,
    extended,
    manage_dsa_it,
    replace_values,
    sync_request,
    unbind,
)

SCOPES = {
    "base": ldap.SCOPE_BASE,
    "one": ldap.SCOPE_ONELEVEL,
    "sub": ldap.SCOPE_SUBTREE,
    "subord": ldap.SCOPE_SUBORDINATE,
}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
ATTRIBUTES = st.lists(st.sampled_from(["*", "+", "1.1", "cn", "entryUUID", "sn;lang-de", "@person"]), max_size=4)
CONTROLS = st.lists(
    st.builds(Control, st.sampled_from(["1.2.3", "2.16.840.1.113730.3.4.2"]), st.booleans(), st.none() | st.binary()),
    max_size=3,
)
SEARCHES = st.builds(
    SearchRequest,
    base=TEXT | st.integers(120, 260).map(lambda size: "cn=" + "x" * size),
    scope=st.sampled_from(list(SCOPES)),
    filter=st.sampled_from(["(objectClass=*)", "(&(cn=a*b)(!(sn>=c)))", "(:dn:2.5.13.2:=x)"]),
    attributes=ATTRIBUTES.map(tuple),
    controls=CONTROLS.map(tuple),
    size_limit=st.sampled_from([0, 1, 127, 128, 500, 2**31 - 1]),
)


@given(SEARCHES)
def test_a_search_is_libldaps_search(asked: SearchRequest) -> None:
    with Libldap() as libldap:
        theirs = libldap.sent(
            lambda client: client.search_ext(
                asked.base,
                SCOPES[asked.scope],
                asked.filter,
                list(asked.attributes) or None,
                serverctrls=[
                    LDAPControl(each.oid, each.critical, encodedControlValue=each.value) for each in asked.controls
                ]
                or None,
                sizelimit=asked.size_limit,
            )
        )
    assert asked.encoded(1) == theirs


@given(
    SEARCHES.filter(lambda asked: "(!" not in asked.filter), st.integers(1, 2**31 - 1)
)  # ldap3's ASN.1 nests no filters
def test_a_search_by_the_asn1_of_the_standard(asked: SearchRequest, number: int) -> None:
    message, rest = decoder.decode(asked.encoded(number), asn1Spec=rfc4511.LDAPMessage())
    assert not rest
    assert int(message["messageID"]) == number
    search = message["protocolOp"].getComponentByName("searchRequest")
    assert bytes(search["baseObject"]) == asked.base.encode()
    assert int(search["scope"]) == list(SCOPES).index(asked.scope)
    assert int(search["derefAliases"]) == 0
    assert (int(search["sizeLimit"]), int(search["timeLimit"]), bool(search["typesOnly"])) == (
        asked.size_limit,
        0,
        False,
    )
    assert [str(each) for each in search["attributes"]] == list(asked.attributes)
    held = [
        Control(
            str(each["controlType"]),
            bool(each["criticality"]),
            bytes(each["controlValue"]) if each["controlValue"].hasValue() else None,
        )
        for each in (message["controls"] if message["controls"].hasValue() else ())
    ]
    assert held == list(asked.controls)


def test_one_encoder_for_many_bases() -> None:
    asked = SearchRequest("", "one", "(cn=a)", ("cn",), (manage_dsa_it(),))
    encode = asked.encoder()
    for number, base in enumerate(["", "cn=a", "cn=" + "x" * 300], 1):
        assert encode(number, base) == SearchRequest(base, "one", "(cn=a)", ("cn",), (manage_dsa_it(),)).encoded(number)


def test_a_base_that_is_no_text() -> None:
    with pytest.raises(UsageError, match="half a character"):
        SearchRequest("cn=\ud800").encoded(1)
    assert b"cn=\xff" in SearchRequest("cn=\udcff").encoded(1)  # as a server sent it


OTHERS: dict[str, tuple[bytes, Callable[[SimpleLDAPObject], object]]] = {
    "simple bind": (bind_simple(1, "cn=ä", b"p\xc3\xa4ss"), lambda client: client.simple_bind("cn=ä", "päss")),
    "StartTLS": (
        extended(1, "1.3.6.1.4.1.1466.20037"),
        lambda client: client.extop(ldap.extop.ExtendedRequest("1.3.6.1.4.1.1466.20037", None)),
    ),
    "modify": (
        replace_values(1, "cn=a", "description", [b"one", b"\xff"]),
        lambda client: client.modify_ext("cn=a", [(ldap.MOD_REPLACE, "description", [b"one", b"\xff"])]),
    ),
    "modify to nothing": (
        replace_values(1, "cn=a", "description", []),
        lambda client: client.modify_ext("cn=a", [(ldap.MOD_REPLACE, "description", None)]),
    ),
}


@pytest.mark.parametrize(("ours", "call"), OTHERS.values(), ids=OTHERS)
def test_other_requests_are_libldaps(ours: bytes, call: Callable[[SimpleLDAPObject], object]) -> None:
    with Libldap() as libldap:
        assert ours == libldap.sent(call)


def test_unbind_and_abandon_are_libldaps() -> None:
    with Libldap() as libldap:
        assert libldap.sent(lambda client: client.search_ext("", ldap.SCOPE_BASE)) == SearchRequest(
            "", attributes=()
        ).encoded(1)
        assert libldap.sent(lambda client: client.abandon(1)) == abandon(2, 1)
        assert libldap.sent(lambda client: client.unbind_ext()) == unbind(3)


@settings(max_examples=30)
@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_abandon(number: int, target: int) -> None:
    message = decoder.decode(abandon(number, target), asn1Spec=rfc4511.LDAPMessage())[0]
    assert int(message["messageID"]) == number
    assert int(message["protocolOp"].getComponentByName("abandonRequest")) == target


@pytest.mark.parametrize("authzid", ["", "dn:cn=a", "u:ä"])
def test_sasl_external(authzid: str) -> None:
    message = decoder.decode(bind_external(2, authzid), asn1Spec=rfc4511.LDAPMessage())[0]
    bind = message["protocolOp"].getComponentByName("bindRequest")
    assert (int(bind["version"]), bytes(bind["name"])) == (3, b"")
    sasl = bind["authentication"].getComponentByName("sasl")
    assert bytes(sasl["mechanism"]) == b"EXTERNAL"
    assert bytes(sasl["credentials"]) == authzid.encode()


@pytest.mark.parametrize("critical", [True, False])
def test_sync_requests(critical: bool) -> None:
    """No cookie leaves the field out: 2.3 refuses an empty one (code 2)."""
    bare = bytes.fromhex("30030a0101")
    assert sync_request(critical=critical) == Control("1.3.6.1.4.1.4203.1.9.1.1", critical, bare)
    assert sync_request(b"", critical=critical).value == bare
    assert sync_request(b"abc", critical=critical).value == bytes.fromhex("30080a01010403616263")
