"""A search base that a server does not have: which of its naming contexts was meant?

A hint for people, never an assumption: nothing is looked at under a name that nobody gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_ALIKE: Final = 0.8  # of difflib's ratio: one letter wrong in a short name
_MOST: Final = 5  # contexts that are named


def hint(base: str, contexts: Sequence[str]) -> str:
    """A sentence with a blank behind it, or nothing: where the base lies in one of the contexts, or none is known."""
    known = [name for name in contexts if name]
    folded = base.lower()
    if not known or any(folded == name.lower() or folded.endswith("," + name.lower()) for name in known):
        return ""
    meant = _meant(base, known)
    if meant:
        return f"Did you mean {meant!r}? "
    more = ", ..." if len(known) > _MOST else ""
    return f"It has: {', '.join(known[:_MOST])}{more}. "


def _meant(base: str, contexts: Sequence[str]) -> str:
    """The base with the end of the context that its own end is most like; empty when it is like none."""
    from difflib import SequenceMatcher

    parts = base.split(",")
    best, found = _ALIKE, ""
    for name in contexts:
        length = name.count(",") + 1
        head, tail = parts[:-length], ",".join(parts[-length:])
        ratio = SequenceMatcher(None, tail.strip().lower(), name.lower()).ratio()
        if ratio >= best:
            best, found = ratio, ",".join([*head, name])
    return found


def objection(base: str) -> str:
    """Why this cannot be a DN, with what was meant; empty when it can be. Looks at the form only, as a person would."""
    if not base or any(char in base for char in '\\";+<'):
        return ""  # quoted, escaped, several at once: the server knows better
    if all("=" in part.strip()[1:] for part in base.split(",")):
        return ""
    labels = base.split(".")
    if "=" not in base and len(labels) > 1 and all(label.replace("-", "").isalnum() for label in labels):
        return f"Did you mean {','.join(f'dc={label}' for label in labels)!r}?"
    return "Write it as dc=example,dc=com."
