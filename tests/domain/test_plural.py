"""One entry is not "1 entries", anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ldaprepl.domain.plural import agreeing, counted

PACKAGE = Path(__file__).parents[2] / "ldaprepl"
NEVER_ONE = {  # what stands behind the number is more than one by what was asked before
    "cause.py": 1,  # a round number
    "html_findings.py": 1,  # some of many
    "planting.py": 1,  # a demo's
    "shape.py": 1,  # more than a small tree
}


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 entries are"), (1, "1 entry is"), (2, "2 entries are"), (12000, "12,000 entries are")]
)
def test_numbers_with_their_nouns(count: int, said: str) -> None:
    assert f"{counted(count)} {agreeing(count)}" == said
    assert counted(count, "change").split()[1] == ("change" if count == 1 else "changes")
    assert counted(count, "changed entry", "changed entries").endswith("changed entry" if count == 1 else "entries")


def test_no_sentence_sets_a_plural_behind_any_number() -> None:
    plural = re.compile(r"\} (?:entries|changes|findings|attributes|records|stanzas)\b|'s' \* \(")
    found = {path.name: len(plural.findall(path.read_text())) for path in PACKAGE.rglob("*.py")}
    found = {name: count for name, count in found.items() if count and not name.startswith("html_look")}
    assert found.pop("judgement.py", 0) == 1, "server IDs, behind which their names stand"
    assert found == NEVER_ONE
