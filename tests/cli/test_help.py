"""--help must fit a screen, begin with examples that work, and hide nothing; words must mean the same everywhere."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict

import click
import pytest

from ldaprepl.cli import helptext
from ldaprepl.cli.command import _KNOWN_ELSEWHERE
from ldaprepl.cli.commands import COMMANDS, cli
from ldaprepl.cli.main import run


def command_of(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def options_of(name: str) -> list[click.Option]:
    return [p for p in command_of(name).params if isinstance(p, click.Option) and not p.hidden]


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_screen_and_names_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, name, "--help").splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for option in options_of(name):
        assert option.opts[-1] in text, option.name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_two_examples_that_the_command_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, name, "--help")
    head = text.split("\n\n")[0]
    examples = [line for line in head.replace("\\\n", " ").splitlines() if line]
    assert len(examples) >= 2
    for example in examples:
        words = shlex.split(example.partition(" > ")[0], comments=True)
        assert words[:2] == ["ldaprepl", name]
        command_of(name).make_context(name, words[2:])  # raises for what the command would refuse


@pytest.mark.parametrize("name", COMMANDS)
def test_help_all_explains_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(said(capsys, name, "--help-all").split())
    for option in options_of(name):
        assert option.help, option.name
        assert all(spelling in text for spelling in option.opts)
        assert " ".join(option.help.split()) in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_docstring_has_the_shape_that_manuals_are_made_from(name: str) -> None:
    page = helptext.page_of(command_of(name))
    assert page.summary.endswith(".")
    assert page.examples
    assert all(entry.text for _, entries in page.groups for entry in entries)


def test_no_group_names_an_option_that_nobody_has() -> None:
    known = {str(option.name) for name in COMMANDS for option in options_of(name)}
    for _, names in helptext._GROUPS.items():
        assert set(names) <= known
    for name, rare in helptext._RARE.items():
        assert set(rare) <= {str(option.name) for option in options_of(name)}


def test_options_are_spelled_alike_everywhere() -> None:
    """One long name, one short letter; one letter, one long name."""
    short: dict[str, set[str]] = defaultdict(set)
    long: dict[str, set[str]] = defaultdict(set)
    for name in COMMANDS:
        for option in options_of(name):
            letters = [spelling for spelling in option.opts if not spelling.startswith("--")]
            words = [spelling for spelling in option.opts if spelling.startswith("--")]
            for word in words:
                long[word].update(letters or {""})
            for letter in letters:
                short[letter].update(words)
    assert {word: letters for word, letters in long.items() if len(letters) > 1} == {}
    assert {letter: words for letter, words in short.items() if len(words) > 1} == {}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "completion"])
def test_an_option_that_is_nearly_right_is_named(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--quite"]) in (2, 3)
    assert "--quiet" in "".join(capsys.readouterr())


def test_what_ldapsearch_calls_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "-H", "ldap://a"]) == 2
    assert "--provider" in capsys.readouterr().err
    assert run(["verify", "--password", "x"]) == 2
    assert "-y FILE" in capsys.readouterr().err
    known = {spelling for name in COMMANDS for option in options_of(name) for spelling in option.opts}
    for hint in _KNOWN_ELSEWHERE.values():
        assert set(re.findall(r"--[a-z-]+", hint)) <= known


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["completion"], "Choose from: bash, fish, zsh"),
        (["verify", "--settle", "soon"], "'soon' is not a number."),
        (["verify", "--limit", "few"], "'few' is not a whole number."),
    ],
)
def test_wrong_values_are_told_in_plain_words(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert words in capsys.readouterr().err


def test_a_command_that_is_nearly_right_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verfy"]) == 2
    assert "verify" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_only_mechanisms_that_the_command_takes_are_listed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """GSSAPI and DIGEST-MD5 need libsasl, which sync and replay bind through; config writes what those take."""
    text = said(capsys, name, "--help-all")
    if "--sasl" in text:
        assert "SCRAM-SHA-256" in text
        for mechanism in ("GSSAPI", "GSS-SPNEGO", "DIGEST-MD5", "CRAM-MD5"):
            assert (mechanism in text) == (name in ("sync", "replay", "config"))


def test_what_is_no_mechanism_is_refused_with_those_that_the_command_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--sasl", "NONSENSE"]) == 2
    shown = capsys.readouterr().err
    assert "SCRAM-SHA-256" in shown
    assert "GSSAPI" not in shown
