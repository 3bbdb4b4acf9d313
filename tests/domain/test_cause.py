"""The table of causes and its manual: none may be missing, none may say something else there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ldaprepl.domain.cause import TABLE, Code, told

MANUAL = (Path(__file__).parents[2] / "docs" / "causes.md").read_text(encoding="utf-8")


def test_every_code_has_its_row_and_its_section() -> None:
    assert list(TABLE) == list(Code)
    assert re.findall(r"^## (.+)$", MANUAL, re.MULTILINE) == [code.value for code in Code]
    assert re.findall(r"^\| \[`(.+?)`\]\(#(.+?)\)", MANUAL, re.MULTILINE) == [(code.value, code.value) for code in Code]


@pytest.mark.parametrize("code", Code)
def test_the_manual_has_the_very_sentence(code: Code) -> None:
    section = MANUAL.partition(f"\n## {code.value}\n")[2].partition("\n## ")[0]
    assert re.sub(r"\{(\w+)\}", r"‹\1›", f"\n> {TABLE[code].text}\n") in section


@pytest.mark.parametrize("code", Code)
def test_sentences_are_one_sentence_and_cures_are_there(code: Code) -> None:
    row = TABLE[code]
    assert not row.text.endswith(".")
    assert row.cure


def test_what_is_only_likely_is_told_so() -> None:
    facts = {"why": "server ID 002 is unknown", "who": "x"}
    sure, likely = told(Code.WRITTEN, **facts), told(Code.WRITTEN, likely=True, **facts)
    assert "server ID 002" in sure.text
    assert likely.text == f"probably {sure.text}"
    assert (sure.code, sure.cure) == (likely.code, likely.cure)
    assert told(Code.WRITTEN, **facts) is sure, "a million findings share one"
