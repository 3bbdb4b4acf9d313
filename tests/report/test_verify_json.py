"""The contract of `verify --format json` (docs/architecture.md): other programs rely on these keys and words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.verdict import (
    AttributeDifference,
    Cause,
    ConsumerReport,
    Finding,
    How,
    Kind,
    Problem,
    Reach,
    Since,
    State,
    VerifyReport,
)
from ldaprepl.report.json import render_verify

CSN = "20260102030405.678901Z#000000#001#000000"


def rendered(*consumers: ConsumerReport, base: str = "dc=x", provider: str = "ldap://a") -> dict[str, Any]:
    text = render_verify(VerifyReport(base, provider, CsnSet.parse([CSN]), consumers, 1.23456))
    assert text.isascii()
    assert text.endswith("}\n")
    document: dict[str, Any] = json.loads(text)
    return document


def test_every_key_of_the_contract() -> None:
    differs = Finding(
        Kind.DIFFERS,
        "cn=f,dc=x",
        "cn=F,dc=x",
        "5",
        attributes=(AttributeDifference("mail", (b"f@x",), (b"\xff\x00", "Zoë".encode())),),
        cause=Cause("LR-1", "somebody wrote there", "Ask who"),
        since=Since.NEW,
    )
    behind = Finding(Kind.MISSING, "cn=a,dc=x", state=State.BEHIND)
    consumer = ConsumerReport(
        "ldap://b",
        CsnSet.parse([CSN]),
        10,
        9,
        8,
        settled=3,
        findings=(differs, behind),
        notes=("n",),
        reach=Reach(How.CHANGES, proven="2026-01-02T03:04:05Z"),
    )
    broken = ConsumerReport("ldap://c", problem=Problem("it was cut", "Lift the limit."))
    assert rendered(consumer, broken) == {
        "schema": 1,
        "command": "verify",
        "verdict": "undecided",
        "base": "dc=x",
        "provider": {"uri": "ldap://a", "contextcsn": [CSN]},
        "consumers": [
            {
                "uri": "ldap://b",
                "verdict": "diverged",
                "contextcsn": [CSN],
                "entries": {"provider": 10, "consumer": 9, "equal": 8},
                "settled": 3,
                "findings": [
                    {
                        "kind": "differs",
                        "dn": "cn=f,dc=x",
                        "consumer_dn": "cn=F,dc=x",
                        "uuid": "5",
                        "state": "lasting",
                        "since": "new",
                        "late": None,
                        "attributes": [
                            {
                                "name": "mail",
                                "provider": ["f@x"],
                                "consumer": [{"base64": base64.b64encode(b"\xff\x00").decode()}, "Zoë"],
                            }
                        ],
                        "cause": {"code": "LR-1", "text": "somebody wrote there", "cure": "Ask who"},
                    },
                    {
                        "kind": "missing",
                        "dn": "cn=a,dc=x",
                        "consumer_dn": None,
                        "uuid": None,
                        "state": "behind",
                        "since": None,
                        "late": "consumer",
                        "attributes": [],
                        "cause": None,
                    },
                ],
                "resolved": [],
                "compared": {"what": "changes", "why": None, "proven": "2026-01-02T03:04:05Z"},
                "problem": None,
                "notes": ["n"],
            },
            {
                "uri": "ldap://c",
                "verdict": "undecided",
                "contextcsn": [],
                "entries": {"provider": 0, "consumer": 0, "equal": 0},
                "settled": 0,
                "findings": [],
                "resolved": [],
                "compared": {"what": "everything", "why": None, "proven": None},
                "problem": {"text": "it was cut", "cure": "Lift the limit."},
                "notes": [],
            },
        ],
        "seconds": 1.235,
    }


@pytest.mark.parametrize(
    ("findings", "problem", "verdict"),
    [
        ((), None, "equal"),
        ((Finding(Kind.EXTRA, "cn=a", state=State.BEHIND),), None, "behind"),
        ((Finding(Kind.EXTRA, "cn=a"),), None, "diverged"),
        ((), Problem("x"), "undecided"),
    ],
)
def test_the_words_of_the_verdict(findings: tuple[Finding, ...], problem: Problem | None, verdict: str) -> None:
    document = rendered(ConsumerReport("ldap://b", findings=findings, problem=problem))
    assert document["verdict"] == document["consumers"][0]["verdict"] == verdict


def test_secrets_are_digests() -> None:
    secret = AttributeDifference("userPassword;x-old", (b"s3cr3t",), (b"\xff", b"s3cr3t"))
    document = rendered(ConsumerReport("b", findings=(Finding(Kind.DIFFERS, "cn=a", attributes=(secret,)),)))
    (shown,) = document["consumers"][0]["findings"][0]["attributes"]
    assert "s3cr3t" not in json.dumps(document)
    assert shown["provider"][0] == shown["consumer"][1] != shown["consumer"][0]
    assert all(value.startswith("digest:") for value in shown["provider"] + shown["consumer"])


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_values_and_names_come_back_whole(value: bytes, name: bytes) -> None:
    """A value byte for byte; a name that is no UTF-8 with escapes, for JSON knows only text."""
    dn = name.decode("utf-8", "surrogateescape")
    attribute = AttributeDifference("description", (value,), ())
    consumer = ConsumerReport(dn, findings=(Finding(Kind.DIFFERS, dn, attributes=(attribute,)),), notes=(dn,))
    document = rendered(consumer, base=dn, provider=dn)
    document = json.loads(json.dumps(document, ensure_ascii=False).encode())  # no lone surrogate in it
    (finding,) = document["consumers"][0]["findings"]
    (shown,) = finding["attributes"][0]["provider"]
    assert (base64.b64decode(shown["base64"]) if isinstance(shown, dict) else shown.encode()) == value
    assert finding["dn"] == name.decode("utf-8", "backslashreplace")
