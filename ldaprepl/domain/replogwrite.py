"""Records written as slapd and slurpd wrote them (OpenLDAP 2.0 to 2.3): what `replog` reads comes back byte for byte.

Rules of that form: DNs raw, userPassword always in base64, lines folded at 78 columns, `-` after every modification, an
empty line after every record.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Final

from ldaprepl.domain.replog import NAME, Add, Modify, Record, Rename, When, replica_key

WIDTH: Final = 78  # columns, slapd's own


def write(record: Record) -> bytes:
    """The record as slapd writes it, or slurpd a rejected one, with its empty line. Raises ValueError for a name that
    is none."""
    parts = [] if record.error is None else [_line("ERROR", record.error.encode("utf-8", "surrogateescape"))]
    parts += [_raw("replica", replica) for replica in record.replicas]
    parts += [f"time: {record.when}\n".encode(), _raw("dn", record.dn), f"changetype: {record.kind}\n".encode()]
    match record.change:
        case Add(pairs):
            parts += [_line(name, value) for name, value in pairs]
        case Modify(mods):
            for mod in mods:
                parts.append(f"{mod.how}: {_checked(mod.name)}\n".encode())
                parts += [_line(mod.name, value) for value in mod.values]
                parts.append(b"-\n")
        case Rename(rdn, delete_old, superior):
            parts += [_raw("newrdn", rdn), f"deleteoldrdn: {int(delete_old)}\n".encode()]
            parts += [] if superior is None else [_raw("newsuperior", superior)]
    return b"".join([*parts, b"\n"])


def rejected(record: Record, reason: str, replica: str = "") -> Record:
    """The record as it stands in a reject file: one replica, a count within the second, one line of reason."""
    when = record.when if record.when.seq is not None else When(record.when.seconds, 0)
    chosen = tuple(held for held in record.replicas if not replica or replica_key(held) == replica)
    return replace(record, error=" ".join(reason.split()), when=when, replicas=chosen)


def _raw(name: str, text: str) -> bytes:
    """Never folded, never base64, but where the line would be torn."""
    octets = text.encode("utf-8", "surrogateescape")
    if b"\n" in octets or octets.endswith(b"\r") or octets.startswith((b" ", b":", b"<")):
        return f"{name}:: {base64.b64encode(octets).decode()}\n".encode()
    return f"{name}: ".encode() + octets + b"\n"


def _line(name: str, value: bytes) -> bytes:
    """One value as slapd's ldif_put writes it; userPassword always in base64."""
    _checked(name)
    if name.lower() == "userpassword" or not _is_safe(value):
        text = f"{name}:: ".encode() + base64.b64encode(value)
    else:
        text = f"{name}: ".encode() + value
    rest = range(WIDTH, len(text), WIDTH - 1)
    return b"\n ".join([text[:WIDTH], *(text[at : at + WIDTH - 1] for at in rest)]) + b"\n"


def _is_safe(value: bytes) -> bool:
    text = value.decode("ascii", "replace")
    return value.isascii() and (not value or (text.isprintable() and text[0] not in " :<" and text[-1] != " "))


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not an attribute description")
    return name
