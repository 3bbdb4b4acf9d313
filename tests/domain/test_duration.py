"""Durations: what people write, what they do not mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.duration import parse, words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("0", 0), ("90s", 90), ("5m", 300), ("5min", 300), ("1h30m", 5400), ("2d", 172800), ("1w", 604800),
     ("250ms", 0.25), ("1.5h", 5400), (" 5M ", 300)],
)  # fmt: skip
def test_what_people_write(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5x", "-5", "5 m", "1h30", "30 1h", "1:30", "nan", "inf", "5m!", "٥m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (-3, "0.0 s"), (0.25, "0.2 s"), (9.96, "10 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"),
     (7200, "2 h"), (172799, "47 h"), (172800, "2 days")],
)  # fmt: skip
def test_words(seconds: float, text: str) -> None:
    assert words(seconds) == text


@given(st.integers(0, 400), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_units_follow_one_another(number: int, unit: str) -> None:
    assert parse(f"{number}{unit}3s") == parse(f"{number}{unit}") + 3
