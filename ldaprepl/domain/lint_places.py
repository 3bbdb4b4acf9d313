"""The lines of an LDIF file where the words of an olcSyncrepl value stand.

The reader of cn=config knows the line where an entry begins. A person wants the line of the word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ldaprepl.domain.stanza import Parameter, Stanza
from ldaprepl.domain.words import Place

_ATTRIBUTE: Final = "olcsyncrepl:"


def located(stanza: Stanza, text: str, number: int) -> Stanza:
    """The same stanza with places to the line. `number` counts the values of its entry from 0.

    A place that is not found (base64, a word folded in the middle) stays that of the value, or of the entry.
    """
    if stanza.place is None:
        return stanza
    lines = _value(text, stanza.place.line, number)
    if not lines:
        return stanza
    name = stanza.place.name
    at = 0
    parameters: list[Parameter] = []
    for parameter in stanza.parameters:
        word = parameter.written or parameter.keyword
        found = [index for index in range(at, len(lines)) if word and word in lines[index][1]]
        at = found[0] if found else at
        parameters.append(replace(parameter, place=Place(name, lines[at][0])))
    return Stanza(tuple(parameters), Place(name, lines[0][0]))


def _value(text: str, start: int, number: int) -> list[tuple[int, str]]:
    """The physical lines of one value, numbered, in the entry that begins at line `start`."""
    lines = text.split("\n")
    seen = -1
    found: list[tuple[int, str]] = []
    for index in range(max(start, 1) - 1, len(lines)):
        line = lines[index]
        if not line.strip("\r") and index >= start:
            break
        if not line.startswith(" "):
            seen += line.lower().startswith(_ATTRIBUTE)
            inside = seen == number and line.lower().startswith(_ATTRIBUTE)
            if found and not inside:
                break
        elif not found:
            continue
        if seen == number and (found or line.lower().startswith(_ATTRIBUTE)):
            found.append((index + 1, line))
    return found
