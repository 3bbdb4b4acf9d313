"""slapd.conf: a tolerant reader and a strict writer.

The reader follows slapd's own (`fp_getline` in servers/slapd/config.c, 2.3 to 2.7), traps included: white space at the
start continues the line before, a comment too; a backslash at the end joins with nothing; an empty line ends a
directive, a line of blanks does not; `include` takes no continuation. Lines and places are kept, so that every word can
be found again. Reading opens no file: included text comes through a callback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ldaprepl.domain.config import Configuration, Remark, RemarkKind, Section, SectionKind, Setting
from ldaprepl.domain.words import SPACE, Form, Place, quote_conf, split_conf

Include = Callable[[str], str | None]
"""From the name that stands after `include` to the text of the file; None when it cannot be read."""

_DEPTH: Final = 20  # nested includes; more is a circle


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: physical lines joined. `parts` are offset in the text and number (from 1) of each of them."""

    text: str
    parts: tuple[tuple[int, int], ...]
    glued: tuple[int, ...] = ()

    @property
    def number(self) -> int:
        """Number of its first physical line."""
        return self.parts[0][1]

    def number_at(self, offset: int) -> int:
        """Number of the physical line that an offset of the text came from."""
        return max(number for start, number in self.parts if start <= offset)

    @property
    def comment(self) -> bool:
        """Begins with `#` in the first column."""
        return self.text.startswith("#")


def read(text: str, name: str, include: Include | None = None) -> Configuration:
    """Read a whole configuration. `name` is the file's name, as it shall appear in places.

    Never fails: what slapd would refuse stays as it stands, and what the text itself does wrong is a remark. Without
    `include` the include directives stay unread settings.
    """
    sections: list[_Open] = [_Open(SectionKind.GLOBAL, "", Place(name, 1))]
    remarks: list[Remark] = []
    for setting in _settings(text, name, include, (name,), remarks):
        match setting.name:
            case "database" | "backend":
                kind = SectionKind.DATABASE if setting.name == "database" else SectionKind.BACKEND
                sections.append(_Open(kind, setting.words[0].lower() if setting.words else "", setting.place))
            case _:
                sections[-1].settings.append(setting)
    return Configuration(Form.SLAPD_CONF, tuple(section.closed() for section in sections), tuple(remarks))


def logical_lines(text: str) -> Iterator[Line]:
    """Join the physical lines as slapd does; empty lines are left out, comments are not."""
    held: list[str] = []
    parts: list[tuple[int, int]] = []
    glued: list[int] = []
    length = 0

    def take() -> Iterator[Line]:
        whole = "".join(held)
        if whole:
            yield Line(whole, tuple(parts), tuple(glued))

    physical = text.removeprefix("\ufeff").split("\n")
    for number, raw in enumerate(physical, 1):
        line = raw.removesuffix("\r")
        so_far = "".join(held[-2:])
        if number == len(physical) and not line:
            break
        if so_far.endswith("\\") and not so_far.endswith("\\\\") and not _is_include(held):
            held[-1] = held[-1][:-1]
            length -= 1
            glued.append(number)
        elif line[:1] and line[0] in SPACE and not _is_include(held):
            line = " " + line[1:]
        else:
            yield from take()
            held, parts, glued, length = [], [], [], 0
            if line[:1] and line[0] in SPACE:
                line = " " + line[1:]
        parts.append((length, number))
        held.append(line)
        length += len(line)
    yield from take()


def directive(name: str, *values: str) -> str:
    """One directive with its values quoted where needed, and its newline. Raises Unwritable."""
    return " ".join([name, *(quote_conf(value) for value in values)]) + "\n"


@dataclass(slots=True)
class _Open:
    """A section that is being read."""

    kind: SectionKind
    type: str
    place: Place
    settings: list[Setting] = field(default_factory=list)

    def closed(self) -> Section:
        return Section(self.kind, self.type, self.place, tuple(self.settings))


def _settings(
    text: str, name: str, include: Include | None, inside: tuple[str, ...], remarks: list[Remark]
) -> Iterator[Setting]:
    for line in logical_lines(text):
        place = Place(name, line.number)
        if line.comment:
            swallowed = len(line.parts) - 1
            if swallowed:
                said = f"the comment goes on over {swallowed} more indented line{'s' if swallowed > 1 else ''}"
                remarks.append(Remark(RemarkKind.COMMENT_SWALLOWS, place, said))
            continue
        words = list(split_conf(line.text))
        if not words:
            continue
        remarks += [
            Remark(RemarkKind.GLUED, Place(name, number), "joined to the line before, which ends in a backslash")
            for number in line.glued
        ]
        if words[-1].open_quote:
            where = Place(name, line.number_at(words[-1].offset))
            remarks.append(Remark(RemarkKind.OPEN_QUOTE, where, "a double quote is opened and not closed"))
        places = tuple(Place(name, line.number_at(word.offset)) for word in words)
        texts = tuple(word.text for word in words)
        setting = Setting(texts[0].lower(), texts[1:], place, places[1:])
        if setting.name != "include" or include is None:
            yield setting
            continue
        yield from _included(setting, include, inside, remarks)


def _included(setting: Setting, include: Include, inside: tuple[str, ...], remarks: list[Remark]) -> Iterator[Setting]:
    name = setting.words[0] if setting.words else ""
    said = ""
    if name in inside or len(inside) > _DEPTH:
        said = f"include {name} includes itself"
    else:
        text = include(name) if name else None
        if text is not None:
            yield from _settings(text, name, include, (*inside, name), remarks)
            return
        said = f"include {name} cannot be read"
    remarks.append(Remark(RemarkKind.INCLUDE, setting.place, said))
    yield setting


def _is_include(held: list[str]) -> bool:
    return bool(held) and held[0][:7].lower() == "include"
