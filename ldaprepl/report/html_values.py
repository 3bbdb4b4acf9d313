"""Names and values in the HTML report: escaped, cut to a length that a page can bear, and marked where they differ.

Everything from a directory passes `safe`: first `printable` (no control character, no mark that turns the writing
direction), then HTML's own escapes. Two long values are cut around the place where they begin to differ, because a
cut at the front would often show twice the same. What was left out is always said.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from ldaprepl.report.values import is_secret, printable, shown

_TEXT_WIDTH = 1000  # characters of a DN or a sentence
_VALUE_WIDTH = 320  # bytes of a value
_BEFORE = 40  # bytes of a long value that are shown before the difference
_VALUES_SHOWN = 6


def safe(text: str, width: int = _TEXT_WIDTH) -> str:
    """Any text as HTML, in element content or in a quoted attribute; what is longer than `width` characters is cut."""
    cut = "" if len(text) <= width else f"… ({len(text):,} characters)"
    return html.escape(printable(text[:width])) + cut


def code(text: str) -> str:
    """A name from a directory; lines break after its commas where they can."""
    return _breaking(safe(text))


def _breaking(escaped: str) -> str:
    """Data that is HTML already; no tag and no escape of ours holds a comma."""
    return f'<code dir="ltr">{escaped.replace(",", ",<wbr>")}</code>'


def marked(left: str, right: str) -> tuple[str, str]:
    """Two texts that are printable already, as HTML, each with a mark on what the other has not.

    No marks where the two have little in common: they would cover all.
    """
    start = _common(left, right)
    rest = min(len(left), len(right)) - start
    end = _common(left[::-1][:rest], right[::-1][:rest])
    if (start + end) * 3 < min(len(left), len(right)):
        return html.escape(left), html.escape(right)
    return _mark(left, start, len(left) - end), _mark(right, start, len(right) - end)


def _mark(text: str, start: int, end: int) -> str:
    middle = f"<mark>{html.escape(text[start:end])}</mark>" if end > start else ""
    return html.escape(text[:start]) + middle + html.escape(text[end:])


def _common(left: str | bytes, right: str | bytes) -> int:
    """Length of the common beginning."""
    shorter = min(len(left), len(right))
    return next((at for at in range(shorter) if left[at] != right[at]), shorter)


def names(left: str, right: str) -> tuple[str, str]:
    """Two DNs, marked where they differ."""
    if max(len(left), len(right)) > _TEXT_WIDTH:
        return code(left), code(right)
    one, other = marked(printable(left), printable(right))
    return _breaking(one), _breaking(other)


def sides(name: str, provider: Sequence[bytes], consumer: Sequence[bytes]) -> tuple[str, str]:
    """The values of one attribute on both sides, as the contents of two cells."""
    if len(provider) == len(consumer) == 1:
        one, other = provider[0], consumer[0]
        short = is_secret(name) or max(len(one), len(other)) <= _VALUE_WIDTH
        start = 0 if short else max(0, _common(one, other) - _BEFORE)
        (left, left_cut), (right, right_cut) = _value(name, one, start), _value(name, other, start)
        left, right = (html.escape(left), html.escape(right)) if is_secret(name) else marked(left, right)
        return _breaking(left) + left_cut, _breaking(right) + right_cut
    return _list(name, provider), _list(name, consumer)


def _list(name: str, values: Sequence[bytes]) -> str:
    if not values:
        return '<span class="none">nothing more</span>'
    items = []
    for value in values[:_VALUES_SHOWN]:
        text, cut = _value(name, value, 0)
        items.append(f"<li>{_breaking(html.escape(text))}{cut}</li>")
    more = len(values) - len(items)
    if more:
        items.append(f'<li class="none">and {more:,} more values</li>')
    return f"<ul>{''.join(items)}</ul>"


def _value(name: str, value: bytes, start: int) -> tuple[str, str]:
    """A value as printable text, from `start` on where it is too long to be shown as a whole; and HTML that says so."""
    if is_secret(name) or (not start and len(value) <= _VALUE_WIDTH):
        return _whole(name, value), ""
    start = _boundary(value, start)
    end = _boundary(value, start + _VALUE_WIDTH)
    text = _whole(name, value[start:end])
    return text, f' <span class="none">(bytes {start + 1:,} to {end:,} of {len(value):,})</span>'


def _boundary(value: bytes, at: int) -> int:
    """The nearest place at or before `at` that is not within a UTF-8 character."""
    for back in range(4):
        if back <= at < len(value) and value[at - back] & 0xC0 != 0x80:
            return at - back
    return min(at, len(value))


def _whole(name: str, value: bytes) -> str:
    text = shown(name, value)
    if text.startswith('"') or is_secret(name):
        return text
    return f"hex {value.hex(' ', 4)}"
