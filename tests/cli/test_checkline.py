"""A plain check is read without click; both readings must mean the same, or a check in cron is another one by hand."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaprepl.cli import checkline
from ldaprepl.cli.check import command

PAIR = ["--provider", "ldap://a", "--consumer", "ldap://b", "-b", "dc=x"]


def by_click(arguments: list[str]) -> dict[str, Any] | None:
    try:
        context = command.make_context("check", list(arguments))
    except click.ClickException:
        return None
    return dict(context.params)


def test_the_defaults_are_those_of_click() -> None:
    assert by_click([]) == checkline.DEFAULTS


ALL = sorted(
    (flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts) if flag != "--help"),
)
VALUES = ["ldap://a", "60", "5m", "1h30m", "soon", "json", "EXTERNAL", "file", "/", "", "-x", "ahead=ok", "sub", "3"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ALL), st.sampled_from(["", " ", "="]), st.sampled_from(VALUES)), max_size=5))
def test_what_is_read_without_click_is_what_click_reads(words: list[tuple[str, str, str]]) -> None:
    line = []
    for flag, between, value in words:
        line += [flag, value] if between == " " else [flag + between + (value if between else "")]
    mine = checkline.read(line)
    if mine is not None:
        assert mine == by_click(line)


@pytest.mark.parametrize(
    "line",
    [
        ["-w", "1m", "-c", "5m", "--state", "/tmp/state", "--cron"],
        ["-D", "cn=r,dc=x", "-y", "pw", "--cacert=/etc/ca.pem", "--starttls"],
        ["--format", "prometheus", "-o", "file.prom", "-q"],
        ["--stanza", "ldapi:///", "--sasl", "EXTERNAL"],
    ],
)
def test_what_stands_in_crontabs_needs_no_click(line: list[str]) -> None:
    mine = checkline.read(PAIR + line)
    assert mine is not None
    assert mine == by_click(PAIR + line)


@pytest.mark.parametrize("line", ["--help", "-w soon", "-w", "--waring 5", "extra", "--cron=yes", "-y /"])
def test_slips_are_left_to_click(line: str) -> None:
    assert checkline.read(PAIR + line.split()) is None
