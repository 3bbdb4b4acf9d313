"""A password that cannot be printed by accident.

`repr`, `str` and every form of string formatting show stars; the ways to the text are `reveal()` and `reveal_bytes()`,
easy to find by searching for them. A Secret does not pickle, so it cannot leave through a state file or another
process.
"""

from __future__ import annotations

from typing import Final, NoReturn

STARS: Final = "********"


class Secret:
    """A password or other secret text.

    Bytes are taken as UTF-8 and need not be valid: `reveal_bytes()` gives the very same bytes back, `reveal()` holds
    what is not UTF-8 as surrogate escapes (PEP 383). Equality and hash are those of the text; a Secret never equals a
    plain string.
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, value: str | bytes) -> None:
        text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def reveal_bytes(self) -> bytes:
        """The secret as it goes over the wire (UTF-8)."""
        return self._text.encode("utf-8", "surrogateescape")

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return f"Secret({STARS})"

    def __str__(self) -> str:
        return STARS

    def __format__(self, spec: str) -> str:
        return format(STARS, spec)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled; pass it in memory only")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self
