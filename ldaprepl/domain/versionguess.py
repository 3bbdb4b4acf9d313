"""Which server is it, and how sure are we? From what any identity may read: monitor, subschema, root DSE.

slapd says its version only in cn=Monitor, which few may read. But it publishes its own configuration attributes in the
subschema, and each release brought new names, so the branch can be told from there by anybody; the root DSE alone
separates 2.2, 2.3, 2.4 and newer. Sources: release tags 2.2 to 2.7 and one server of each branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.schema import read_attribute_types
from ldaprepl.domain.version import Version


class Certainty(StrEnum):
    """How much a guess is worth."""

    EXACT = "exact"  # the server says so itself
    BRANCH = "branch"  # the branch is certain, the release is not
    GUESS = "guess"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServerGuess:
    """`vendor` in the server's own words, or OpenLDAP; `version` of an OpenLDAP; `evidence`: where it was seen."""

    vendor: str = ""
    version: Version | None = None
    certainty: Certainty = Certainty.UNKNOWN
    evidence: str = ""

    @property
    def openldap(self) -> bool:
        """Whether it is slapd."""
        return self.vendor == OPENLDAP

    def __str__(self) -> str:
        if self.version is None:
            return self.vendor or "an unknown server"
        about = {Certainty.EXACT: "", Certainty.BRANCH: ".x", Certainty.GUESS: " or newer, perhaps"}[self.certainty]
        return f"{self.vendor} {self.version}{about}"


OPENLDAP: Final = "OpenLDAP"
_MONITORED: Final = re.compile(r"OpenLDAP: slapd (\d+\.\d+\.\d+)")
_OLC_23: Final = "1.3.6.1.4.1.4203.666.11.1.3."

# newest first; a name that only releases from that version on publish
_MARKS: Final = (
    ("olcrestrictop", Version(2, 7)),
    ("olclastbindsendassert", Version(2, 7)),
    ("olclogfileonly", Version(2, 6)),
    ("olclastbindprecision", Version(2, 6)),
    ("olcmultiprovider", Version(2, 5)),
    ("olclastbind", Version(2, 5)),
)
_TRANSACTIONS: Final = "1.3.6.1.1.21.1"
_DONT_USE_COPY: Final = "1.3.6.1.1.22"


def guess(root_dse: Entry | None, attribute_types: Iterable[bytes] = (), monitored: str = "") -> ServerGuess:
    """The best guess from what could be read; `monitored` is monitoredInfo of cn=Monitor."""
    if found := _MONITORED.search(monitored):
        return ServerGuess(OPENLDAP, Version.parse(found[1]), Certainty.EXACT, "cn=Monitor")
    if root_dse and (name := _text(root_dse, "vendorName")):
        version = _text(root_dse, "vendorVersion")
        if OPENLDAP.lower() not in name.lower():
            whole = version if name.split()[0].lower() in version.lower() else f"{name} {version}".strip()
            return ServerGuess(whole, None, Certainty.EXACT, "vendorName in the root DSE")
        if found := re.search(r"\d+\.\d+\.\d+", version):
            return ServerGuess(OPENLDAP, Version.parse(found[0]), Certainty.EXACT, "vendorVersion in the root DSE")
    names = _names(attribute_types)
    if "olcaccess" in names:
        return ServerGuess(OPENLDAP, _branch(names), Certainty.BRANCH, "the configuration attributes in its subschema")
    return _from_root_dse(root_dse, names)


def _branch(names: dict[str, str]) -> Version:
    for name, version in _MARKS:
        if name in names:
            return version
    return Version(2, 3) if names["olcaccess"].startswith(_OLC_23) else Version(2, 4)


def _from_root_dse(root_dse: Entry | None, names: dict[str, str]) -> ServerGuess:
    if root_dse is None or b"openldaprootdse" not in {value.lower() for value in root_dse.values("objectClass")}:
        return ServerGuess()
    extensions = {value.decode("ascii", "replace") for value in root_dse.values("supportedExtension")}
    controls = {value.decode("ascii", "replace") for value in root_dse.values("supportedControl")}
    if _TRANSACTIONS in extensions | controls:
        version = Version(2, 5)
    elif _DONT_USE_COPY in controls:
        version = Version(2, 4)
    elif root_dse.values("configContext"):
        version = Version(2, 3)
    elif names and "entryuuid" not in names:
        # the subschema was read, and shows neither configuration attributes nor entryUUID
        return ServerGuess(OPENLDAP, Version(2, 2), Certainty.BRANCH, "what its subschema does not have")
    else:
        return ServerGuess(OPENLDAP)
    return ServerGuess(OPENLDAP, version, Certainty.GUESS, "controls and extensions in its root DSE")


def _names(attribute_types: Iterable[bytes]) -> dict[str, str]:
    """Names in lower case to OIDs."""
    return {name: attribute.oid for name, attribute in read_attribute_types(attribute_types, []).items()}


def _text(entry: Entry, name: str) -> str:
    value = entry.first(name)
    return value.decode("utf-8", "replace").strip() if value else ""
