"""A seed as an LDIF file, for `init-consumer --seed` and `sync --to-ldif` alike: written as it is read, with mode 0600
(it holds every password hash), whole or not there, parents before their children.

A server sends an entry that was moved below a newer one before that one. What comes before its parent is put aside by
depth, on disk where it is much, and written at the end.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from ldaprepl.cli.output import written
from ldaprepl.domain import dn as names
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.words import comment
from ldaprepl.errors import unwritten
from ldaprepl.report.values import printable

_HELD = 1 << 20  # bytes of one depth before they go to disk


def heading(uri: str, base: str, command: str) -> str:
    """What the file says of itself. `base` is the consumer's."""
    return comment(
        f"Seed for a consumer of {printable(uri)}, by ldaprepl {command}. For an empty database whose suffix is "
        f"{printable(base)}, before slapd is started: slapadd -q (not -w: the contextCSN is in here, if the provider "
        "shows one). The consumer goes on from there."
    )


def write_ldif(file: Path, head: str, base: str, entries: Iterable[Entry]) -> int:
    """How many entries it has; `base` is their topmost DN.

    Raises `LdapreplError`, and what `entries` raise; then the file is as it was.
    """
    try:
        with written(file, 0o600) as out:
            out.write(head + "\n")
            return _write(out, names.depth(base), entries)
    except OSError as error:
        raise unwritten(f"{file} cannot be written", error) from None


def _write(out: TextIO, top: int, entries: Iterable[Entry]) -> int:
    count = 0
    there: set[int] = set()  # hashes of DNs: a set of a million texts would be twice as large
    aside: dict[int, tempfile.SpooledTemporaryFile[str]] = {}
    with ExitStack() as opened:
        for count, entry in enumerate(entries, 1):  # noqa: B007
            depth = names.depth(entry.dn)
            if depth <= top or hash(names.parent(entry.dn).lower()) in there:
                there.add(hash(entry.dn.lower()))
                out.write(entry_text(entry))
                continue
            if depth not in aside:
                aside[depth] = opened.enter_context(
                    tempfile.SpooledTemporaryFile(_HELD, "w+", encoding="utf-8", errors="backslashreplace")
                )
            aside[depth].write(entry_text(entry))
        for depth in sorted(aside):
            aside[depth].seek(0)
            shutil.copyfileobj(aside[depth], out)
    return count
