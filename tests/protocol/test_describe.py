"""What is told of a request must be what was asked, and never a value that could be secret."""

from __future__ import annotations

import pytest

from ldaprepl.protocol.describe import requests_in
from ldaprepl.protocol.filters import encode_filter
from ldaprepl.protocol.requests import (
    Change,
    SearchRequest,
    bind_simple,
    extended,
    manage_dsa_it,
    modify,
    unbind,
)


def told(data: bytes):
    return list(requests_in(data, lambda name, value: "***" if name == "userPassword" else value.decode()))


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("(cn=a)", "(cn=a)"),
        ("(&(cn=a)(|(sn>=b)(!(uid=*))))", "(&(cn=a)(|(sn>=b)(!(uid=*))))"),
        ("(userPassword=secret)", "(userPassword=***)"),
        ("(userPassword=sec*et)", "(userPassword=*...*)"),  # pieces are left out, whatever the attribute
        ("(cn:dn:2.5.13.2:=a)", "(...)"),
    ],
)
def test_a_search(condition: str, shown: str) -> None:
    encode_filter(condition)
    request = SearchRequest("dc=x", "sub", condition, ("cn", "+"), (manage_dsa_it(),))
    [found] = told(request.encoded(7))
    assert (found.message, found.op) == (7, "search")
    assert found.detail == {"base": "dc=x", "scope": "sub", "filter": shown, "attributes": ["cn", "+"],
                            "controls": ["2.16.840.1.113730.3.4.2"]}  # fmt: skip


def test_what_proves_who_we_are_and_what_is_written_is_not_told() -> None:
    changes = [Change("replace", "userPassword", (b"s3cret",)), Change("add", "mail", (b"s3cret",))]
    data = bind_simple(1, "cn=a", b"s3cret") + modify(2, "cn=a", changes) + extended(3, "1.2") + unbind(4)
    assert "s3cret" not in repr(told(data))
    assert [(each.op, each.detail) for each in told(data)] == [
        ("bind", {"dn": "cn=a"}),
        ("modify", {"dn": "cn=a", "changes": ["replace userPassword", "add mail"]}),
        ("extended", {"oid": "1.2"}),
        ("unbind", {}),
    ]


def test_rubbish_is_left_out() -> None:
    whole = SearchRequest("dc=x").encoded(1)
    for cut in range(len(whole)):
        told(whole[:cut])  # no exception
    assert told(b"\xff" * 20) == []
