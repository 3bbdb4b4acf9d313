"""Durations as people write them (`60`, `5m`, `1h30m`, `250ms`) and read them (`25 min`).

Seconds are floats everywhere else; this is the one place that knows units.
"""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|min|[smhdw])?", re.ASCII)
_SCALE: Final = ((172800.0, 86400.0, "days"), (7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))


def parse(text: str) -> float:
    """Seconds. A bare number is seconds; units may follow one another. Raises ValueError."""
    rest = text.strip().lower()
    seconds, at = 0.0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        bare_in_company = part is not None and not part[2] and (at > 0 or part.end() < len(rest))
        if part is None or bare_in_company:
            break
        seconds += float(part[1]) * _UNITS[part[2] or ""]
        at = part.end()
    if not rest or at < len(rest):
        raise ValueError(f"{text!r} is not a duration; write 60, 90s, 5m, 1h30m or 2d")
    return seconds


def words(seconds: float) -> str:
    """Short and rounded: `0.2 s`, `25 min`, `3 days`. Never negative."""
    seconds = max(0.0, seconds)
    least, unit, name = next(scale for scale in _SCALE if seconds >= scale[0])
    if least == 0.0:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{int(seconds / unit)} {name}"
