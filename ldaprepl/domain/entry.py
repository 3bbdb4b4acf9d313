"""An entry as a server sent it: the DN as text, the values as bytes.

Nothing is normalised here, so that a report can show exactly what was read; which names and values are the same is
for `matching` to say. Look-up by name ignores case, as attribute names do (RFC 4512, section 1.4), and takes the
description whole: `cn` does not find `cn;lang-de`.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """One entry. `attributes` maps names as received to their values in the order received; it is not copied and must
    not be changed."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    def values(self, name: str) -> tuple[bytes, ...]:
        """All values of the attribute; empty if the entry has none, or if only names were asked for."""
        exact = self.attributes.get(name)
        if exact is not None:
            return exact
        wanted = name.lower()
        for held, values in self.attributes.items():
            if held.lower() == wanted:
                return values
        return ()

    def first(self, name: str) -> bytes | None:
        """The first value, or None."""
        values = self.values(name)
        return values[0] if values else None

    def texts(self, name: str) -> tuple[str, ...]:
        """All values as text; bytes that are no UTF-8 are surrogate escapes (PEP 383)."""
        return tuple(value.decode("utf-8", "surrogateescape") for value in self.values(name))

    @property
    def uuid(self) -> str | None:
        """entryUUID (RFC 4530) in lower case, or None."""
        value = self.first("entryUUID")
        return None if value is None else value.decode("utf-8", "replace").lower()

    @property
    def csn(self) -> str | None:
        """entryCSN as written by the server, or None."""
        value = self.first("entryCSN")
        return None if value is None else value.decode("utf-8", "replace")
