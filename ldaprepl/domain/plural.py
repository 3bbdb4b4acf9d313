"""Numbers with their nouns, for every report and message: `1 entry`, `12,000 entries`."""

from __future__ import annotations


def counted(count: int, one: str = "entry", many: str = "") -> str:
    """So many of them; `many` where the plural of `one` takes more than an s (that of `entry` is known)."""
    if count == 1:
        return f"1 {one}"
    return f"{count:,} {many or ('entries' if one == 'entry' else one + 's')}"


def agreeing(count: int, one: str = "is", many: str = "are") -> str:
    """The verb to go with the number."""
    return one if count == 1 else many
