"""A password must not leave through printing, formatting, pickling or a traceback's repr."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.secret import STARS, Secret


@dataclass(frozen=True, slots=True)
class Holder:
    credentials: Secret


def test_no_form_of_printing_shows_it() -> None:
    secret = Secret("geheim")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        f"{secret:>20}",
        "{} {!r}".format(*[secret, secret]),
        repr(Holder(secret)),
    ]
    assert all("geheim" not in text and STARS in text for text in shown)


def test_it_does_not_pickle() -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(Secret("geheim"))
    assert "geheim" not in str(caught.value)


def test_it_has_no_dict_to_dump_and_cannot_be_changed() -> None:
    secret = Secret("geheim")
    assert not hasattr(secret, "__dict__")
    with pytest.raises(AttributeError):
        secret._text = "other"
    with pytest.raises(AttributeError):
        del secret._text


def test_copies_are_the_same_value() -> None:
    secret = Secret("geheim")
    assert copy.copy(secret) == secret == copy.deepcopy(secret)


def test_equal_only_to_a_secret_with_the_same_text() -> None:
    assert Secret("a") == Secret(b"a") and Secret("a") != Secret("b") and Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert not Secret("") and Secret(" ")


@given(st.binary())
def test_bytes_come_back_unchanged(value: bytes) -> None:
    assert Secret(value).reveal_bytes() == value


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_unchanged(value: str) -> None:
    assert Secret(value).reveal() == value == Secret(value).reveal_bytes().decode()
