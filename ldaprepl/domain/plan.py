"""What a plan is: changes in order, and what goes with them. `domain.planner` makes it.

An entry of our own making (a parking place, glue) is part of a plan, but nobody's entry: it is not counted and no
provider is asked about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ldaprepl.domain.change import BOX, Change, Delete
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import is_glue

LOCAL = "local:"  # begins the key of an entry of the consumer that has no identity of the provider's


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that could not be brought over, and why."""

    key: str
    dn: str
    reason: str


@dataclass(slots=True)
class Plan:
    """`changes` in order; then `updates`: keys that existed before, whose attributes are to be compared (afterwards,
    because a rename stamps). `taken`: new key by old key, for names that were taken over. `glue`: what has to be there,
    by key; `stirred`: entries that nobody sent and that have to be moved all the same, which stamps them."""

    changes: list[Change] = field(default_factory=list)
    updates: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)
    glue: dict[str, Entry] = field(default_factory=dict)
    stirred: list[str] = field(default_factory=list)
    parked: int = 0

    @property
    def deletes(self) -> int:
        """Entries that go for good."""
        return sum(isinstance(change, Delete) and not is_made(change.key) for change in self.changes)


def is_made(key: str) -> bool:
    """Whether this is an entry of our own making, which no provider has: a parking place or glue."""
    return key.startswith(BOX) or is_glue(key)
