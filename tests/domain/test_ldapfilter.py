"""A broken filter silently ends replication on 2.4; a good one must never be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.ldapfilter import escape, problem

GOOD = [
    "(objectClass=*)",
    "objectClass=*",
    "cn=a b",
    "(&(a=b)(|(c>=1)(d<=2)(e~=x))(!(f=*)))",
    "( & (a=b)\t( ! (c=d)) )",
    "(&)",
    "(|)",
    "(cn=)",
    r"(cn=a\28b\29\2a\5c)",
    r"(cn=a\(b\))",
    '(cn="quoted")',
    "(cn=Müller*x*)",
    "(sn;lang-de=x)",
    "(cn:dn:2.5.13.2:=x)",
    "(cn:DN:2.5.13.2:=x)",
    "cn=trailing blank ",
    "(:caseExactMatch:=x)",
    "(2.5.4.3=x)",
    "(&(objectClass=auditWriteObject)(reqResult=0))",
]
BAD = [
    "",
    "(",
    "()",
    "(cn=a",
    "cn",
    "(cn)",
    "(cn=a))",
    "(cn=a)(b=c)",
    r"(cn=a\2)",
    r"(cn=\zz)",
    "(cn=a(b))",
    "(!)",
    "(=a)",
]
# slapd refuses these too, and would run without replication: blanks, asterisks and names where they may not stand.
BAD += ["(a=b) ", " (a=b)", "(a =b)", "(!(a=b) )", "(&(a=b)\r(c=d))", "(a=b**c)", "(a=**)", "(a>=b*)", "(a:=*)"]
BAD += ["(:dn:=x)", "(;x=b)", "(a:b=c)", "(a_b=c)", "(a=b\0)", "&(a=b)"]
BAD += ["(&(a=b)", "(&a=b)", "(!(a=b)(c=d))", "(c n=a)", "(" * 200, "(!" * 101 + "(a=b)" + ")" * 101]


@pytest.mark.parametrize("text", GOOD)
def test_good(text: str) -> None:
    assert problem(text) == ""


@pytest.mark.parametrize("text", BAD)
def test_bad(text: str) -> None:
    assert problem(text)


@given(st.text())
def test_any_value_can_be_escaped_into_a_filter(value: str) -> None:
    assert problem(f"(&(cn={escape(value)})(objectClass=*))") == ""


@given(st.text(alphabet="()&|!=ab\\* 2"))
def test_no_text_crashes_it(text: str) -> None:
    problem(text)
