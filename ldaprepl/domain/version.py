"""OpenLDAP releases as ordered values: which keyword, syntax or trap belongs to which slapd.

Two shapes: a release (`2.4.57`) and a branch (`2.4`: some release of it, which one is not known). A branch sorts after
the releases it contains, so that asking "is this known to 2.4?" gives the answer for a current 2.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import ClassVar, Final

_SHAPE: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+|[xX]))?")


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A slapd version; `patch` None stands for the whole branch."""

    major: int
    minor: int
    patch: int | None = None

    OLDEST: ClassVar[Version]
    NEWEST: ClassVar[Version]

    @classmethod
    def parse(cls, text: str) -> Version:
        """`2.4`, `2.4.57`, `2.4.x`. Raises ValueError."""
        found = _SHAPE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"not an OpenLDAP version: {text!r}")
        patch = found[3]
        return cls(int(found[1]), int(found[2]), int(patch) if patch and patch.isdigit() else None)

    @property
    def branch(self) -> Version:
        """The branch a release belongs to."""
        return Version(self.major, self.minor)

    @property
    def _key(self) -> tuple[int, int, float]:
        return (self.major, self.minor, float("inf") if self.patch is None else self.patch)

    def __lt__(self, other: object) -> bool:
        return self._key < other._key if isinstance(other, Version) else NotImplemented

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + ("" if self.patch is None else f".{self.patch}")


Version.OLDEST = Version(2, 2)
Version.NEWEST = Version(2, 7)
BRANCHES: Final = tuple(Version(2, minor) for minor in range(2, 8))
