"""What the replication identity does not see, for people, for programs and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ldaprepl.domain.blindness import Blindness
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.verdict import Verdict
from ldaprepl.report.html_values import code, safe
from ldaprepl.report.values import printable


def lines(found: Blindness, provider: str) -> list[str]:
    """The part of the text report."""
    who, auditor = printable(found.who), printable(found.auditor)
    if found.problem:
        said = [f"UNDECIDED: what {who} does not see of {printable(provider)}", f"  {printable(found.problem.text)}."]
        return [*said, *([f"  {printable(found.problem.cure)}"] if found.problem.cure else []), ""]
    word = "BLIND" if found.verdict is Verdict.DIVERGED else "SEEN"
    said = [f"{word}: {_sentence(found)} of {printable(provider)}", f"  read as {who}, and as the auditor {auditor}"]
    if found.entries:
        said.append(f"  hidden entries: {found.entries:,}")
        said += [f"    ? {printable(dn)}" for dn in found.first]
        more = found.entries - len(found.first)
        said += [f"    … and {more:,} more"] if more > 0 else []
    for attribute in found.attributes:
        accepted = "" if attribute in found.unexpected else " (expected)"
        said.append(f"  hidden attribute {printable(attribute.name)}: in {counted(attribute.entries)}{accepted}")
        said.append(f"    ? {printable(attribute.first)}")
    if found.verdict is Verdict.DIVERGED:
        said.append("  No consumer can have these. Give the replication identity read access, or --expect-hidden.")
    said += [f"  note: {printable(note)}" for note in notes(found)]
    return [*said, ""]


def notes(found: Blindness) -> list[str]:
    """What else is to be said."""
    blind = f"{counted(found.unseen)} {agreeing(found.unseen)} shown to the replication identity and not to the auditor"
    return [*found.notes, *([blind] if found.unseen else [])]


def document(found: Blindness) -> dict[str, Any]:
    """The part of the JSON report."""
    problem = found.problem and {"text": _text(found.problem.text), "cure": _text(found.problem.cure)}
    return {
        "verdict": found.verdict.value,
        "identity": _text(found.who),
        "auditor": _text(found.auditor),
        "entries": found.entries,
        "first": [_text(dn) for dn in found.first],
        "attributes": [
            {
                "name": _text(attribute.name),
                "entries": attribute.entries,
                "first": _text(attribute.first),
                "expected": attribute not in found.unexpected,
            }
            for attribute in found.attributes
        ],
        "unseen": found.unseen,
        "problem": problem,
        "notes": [_text(note) for note in found.notes],
    }


def section(found: Blindness) -> Iterator[str]:
    """The part of the page."""
    value = found.verdict.value
    yield '<section class="card" aria-labelledby="blind"><h2 id="blind">What the replication identity does not see'
    yield f'</h2>\n<p class="lead"><span class="pill {value}">{value}</span> The provider was read as '
    yield f"{code(found.who)} and as the auditor {code(found.auditor)}. "
    yield "What only the auditor sees no consumer can have.</p>\n"
    if found.problem:
        yield f'<p class="say undecided"><strong>{safe(found.problem.text)}.</strong> {safe(found.problem.cure)}</p>'
    elif found.entries or found.attributes:
        yield '<div class="scroll"><table class="stack"><thead><tr><th scope="col">Hidden</th>'
        yield '<th scope="col" class="n">Entries</th><th scope="col">For instance</th></tr></thead><tbody>\n'
        if found.entries:
            shown = "<br>".join(code(dn) for dn in found.first)
            yield f'<tr><th scope="row">whole entries</th><td class="n" data-l="Entries">{found.entries:,}</td>'
            yield f'<td data-l="For instance">{shown}</td></tr>\n'
        for attribute in found.attributes:
            accepted = "" if attribute in found.unexpected else ' <span class="pill equal">expected</span>'
            yield f'<tr><th scope="row">{code(attribute.name)}{accepted}</th><td class="n" data-l="Entries">'
            yield f'{attribute.entries:,}</td><td data-l="For instance">{code(attribute.first)}</td></tr>\n'
        yield "</tbody></table></div>"
    else:
        yield "<p>Nothing is hidden from it.</p>"
    yield "".join(f'<p class="say soft">{safe(note)}</p>' for note in notes(found))
    yield "</section>\n"


def _sentence(found: Blindness) -> str:
    if not found.entries and not found.attributes:
        return "the replication identity sees everything"
    number = len(found.attributes)
    return f"the replication identity does not see {counted(found.entries)} and {counted(number, 'attribute')}"


def _text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
