"""Versions are compared as numbers; text order would put 2.4.9 after 2.4.57."""

from __future__ import annotations

import pytest

from ldaprepl.domain.version import BRANCHES, Version


def test_order() -> None:
    texts = ["2.2", "2.3.43", "2.4.9", "2.4.57", "2.4", "2.5.5", "2.5", "2.7.0", "2.7"]
    assert sorted(map(Version.parse, reversed(texts))) == [Version.parse(text) for text in texts]


@pytest.mark.parametrize("text", ["2.4", "2.4.57", "2.7.0"])
def test_text_round_trip(text: str) -> None:
    assert str(Version.parse(text)) == text


def test_branch() -> None:
    assert Version.parse("2.4.x") == Version.parse("2.4") == Version.parse("2.4.57").branch
    assert BRANCHES[0] == Version.OLDEST and BRANCHES[-1] == Version.NEWEST


@pytest.mark.parametrize("text", ["", "2", "2.", "two", "2.4.57+dfsg", "2.4.5.6", "-2.4"])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Version.parse(text)
