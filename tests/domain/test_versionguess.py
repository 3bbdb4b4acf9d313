"""What slapd shows of itself, branch by branch (values seen on servers of each branch)."""

from __future__ import annotations

import pytest

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.version import Version
from ldaprepl.domain.versionguess import Certainty, ServerGuess, guess

ROOT = Entry("", {"objectClass": (b"top", b"OpenLDAProotDSE")})


def types(*names: str, olc: str = "1.3.6.1.4.1.4203.1.12.2.3.0.1") -> list[bytes]:
    pairs = [("cn", "2.5.4.3"), *((name, olc if name == "olcAccess" else "1.2.3") for name in names)]
    return [f"( {oid} NAME '{name}' SYNTAX 1.3.6 )".encode() for name, oid in pairs]


@pytest.mark.parametrize(
    ("monitored", "version"),
    [
        ("@(#) $OpenLDAP: slapd 2.2.30 (Jan  1 2026) $", "2.2.30"),
        ("OpenLDAP: slapd 2.4.57+dfsg-3+deb11u1 (May 14 2022 18:32:57)", "2.4.57"),
        ("OpenLDAP: slapd 2.7.0 (x)", "2.7.0"),
    ],
)
def test_monitor_is_exact(monitored: str, version: str) -> None:
    found = guess(None, (), monitored)
    assert (found.version, found.certainty, found.openldap) == (Version.parse(version), Certainty.EXACT, True)
    assert str(found) == f"OpenLDAP {version}"


@pytest.mark.parametrize(
    ("names", "version"),
    [
        (["olcAccess"], "2.4"),
        (["olcAccess", "olcMultiProvider"], "2.5"),
        (["olcAccess", "olcMultiProvider", "olcLogFileOnly"], "2.6"),
        (["olcAccess", "olcMultiProvider", "olcLogFileOnly", "olcRestrictOp"], "2.7"),
    ],
)
def test_the_subschema_tells_the_branch(names: list[str], version: str) -> None:
    found = guess(ROOT, types(*names))
    assert (found.version, found.certainty) == (Version.parse(version), Certainty.BRANCH)
    assert str(found) == f"OpenLDAP {version}.x"


def test_2_3_has_its_old_oids_and_2_2_has_no_configuration_attributes() -> None:
    old = guess(ROOT, types("olcAccess", olc="1.3.6.1.4.1.4203.666.11.1.3.0.1"))
    assert old.version == Version(2, 3)
    older = guess(ROOT, types("description"))
    assert (older.version, older.certainty) == (Version(2, 2), Certainty.BRANCH)


@pytest.mark.parametrize(
    ("attributes", "version"),
    [
        ({"supportedExtension": (b"1.3.6.1.1.21.1",), "supportedControl": (b"1.3.6.1.1.22",)}, "2.5"),
        ({"supportedControl": (b"1.3.6.1.1.22",)}, "2.4"),
        ({"configContext": (b"cn=config",)}, "2.3"),
    ],
)
def test_without_a_subschema_the_root_dse_gives_a_guess(attributes: dict[str, tuple[bytes, ...]], version: str) -> None:
    found = guess(Entry("", {**ROOT.attributes, **attributes}))
    assert (found.version, found.certainty) == (Version.parse(version), Certainty.GUESS)


def test_other_vendors_speak_for_themselves() -> None:
    entry = Entry("", {"vendorName": (b"389 Project",), "vendorVersion": (b"389-Directory/2.3.1 B2023",)})
    found = guess(entry, types("olcAccess"))
    assert str(found) == "389-Directory/2.3.1 B2023" and not found.openldap and found.version is None


def test_nothing_known_is_said_so() -> None:
    assert guess(None) == ServerGuess() and str(guess(None)) == "an unknown server"
    assert guess(Entry("", {"objectClass": (b"top",)})).vendor == ""
    assert str(guess(ROOT)) == "OpenLDAP"
