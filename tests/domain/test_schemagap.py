"""What a consumer's schema lacks. The fears: something in use is overlooked, or asked for in a broken filter."""

from __future__ import annotations

from ldaprepl.domain.schemagap import Definition, Published, lacking, user_filter
from ldaprepl.protocol.filters import encode_filter

HELD: Published = ((b"( 2.5.4.3 NAME 'cn' )",), (b"( 2.5.6.0 NAME 'top' )",))


def of(*types: str, classes: tuple[str, ...] = ()) -> list[Definition]:
    return lacking(([text.encode() for text in types], [text.encode() for text in classes]), HELD)


def test_the_oid_counts_and_not_the_name() -> None:
    assert of("( 2.5.4.3 NAME 'commonName' )", classes=("( 2.5.6.0 NAME 'other' )",)) == []
    assert of("( 1.2.3 NAME ( 'cn' 'cn2' ) )", classes=("( 1.2.4 NAME 'top' )",)) == [
        Definition("top", True), Definition("cn", False)
    ]  # fmt: skip


def test_only_what_entries_of_a_directory_may_have() -> None:
    disk, said = "( 1.1 NAME 'disk' DESC 'disk USAGE' )", "( 1.2 NAME 'said' USAGE userApplications )"
    assert of(disk, said, "( 1.3 NAME 'o' USAGE dSAOperation )", "( 1.4 NAME 'olcX' )", "( 1.5 )") == [
        Definition("disk", False), Definition("said", False)
    ]  # fmt: skip


def test_nothing_is_lacking_where_nothing_could_be_read() -> None:
    assert lacking(((b"( 1.2.3 NAME 'a' )",), ()), ((), ())) == []


def test_a_name_that_is_none_breaks_no_filter() -> None:
    found = of("( 1.2.3 NAME 'a)(b=*' )", "( 1.2.4 NAME 'c' )", classes=("( 1.2.5 NAME '*)(' )",))
    encode_filter(user_filter(found))
    assert found == [Definition("c", False)]
