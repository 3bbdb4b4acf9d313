"""A hint must name what was meant, and keep silent where it cannot know."""

from __future__ import annotations

import pytest

from ldaprepl.domain.nearby import hint, objection

CONTEXTS = ["dc=example,dc=com", "o=Other"]


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("dc=exmaple,dc=com", "Did you mean 'dc=example,dc=com'? "),
        ("ou=people,dc=example,dc=con", "Did you mean 'ou=people,dc=example,dc=com'? "),
        ("c=DE", "It has: dc=example,dc=com, o=Other. "),
        ("ou=people,dc=example,dc=com", ""),  # there may be no such entry, but it is the right database
        ("DC=Example,DC=com", ""),
    ],
)
def test_hint(base: str, said: str) -> None:
    assert hint(base, CONTEXTS) == said


def test_nothing_known_nothing_said() -> None:
    assert hint("dc=x", []) == hint("dc=x", [""]) == ""


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("example.com", "Did you mean 'dc=example,dc=com'?"),
        ("dc=example,,dc=com", "Write it as dc=example,dc=com."),
        ("example", "Write it as dc=example,dc=com."),
        ("dc=example,com", "Write it as dc=example,dc=com."),
        ("dc=example, dc=com", ""),
        ('o="Foo, Bar",c=US', ""),
        (r"cn=Foo\, Bar,c=US", ""),
        ("cn=a+sn=b,c=US", ""),
        ("2.5.4.3=x", ""),
        ("", ""),
    ],
)
def test_objection(base: str, said: str) -> None:
    assert objection(base) == said
