"""Writes the man pages into a folder: ldaprepl(1), one page for each command, ldaprepl.toml(5). From the same
declarations as --help and docs/reference.md, so that none of them can say something else.

    python contrib/man/generate.py FOLDER

SOURCE_DATE_EPOCH sets the date, for builds that must come out the same twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from ldaprepl import __version__
from ldaprepl.cli import helptext
from ldaprepl.cli.commands import COMMANDS, cli
from ldaprepl.cli.surroundings import ENVIRONMENT, FILES
from ldaprepl.domain.profilekeys import REPLICA_KEYS, SERVER_KEYS, Key, Kind
from ldaprepl.errors import MEANINGS

_ABOUT = "set LDAP replication up, replace it where the master is too old for it, and prove that it worked"
_NAGIOS = (
    "check speaks Nagios instead: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; usage errors and crashes are 3 there too."
)


def pages() -> dict[str, str]:
    """File name to text."""
    context = click.Context(cli)
    found = {"ldaprepl.1": "\n".join(_overview()) + "\n"}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found[f"ldaprepl-{name}.1"] = "\n".join(_command(helptext.page_of(command))) + "\n"
    found["ldaprepl.toml.5"] = "\n".join(_configuration()) + "\n"
    return found


def _overview() -> Iterator[str]:
    yield from _title("ldaprepl", 1, _ABOUT)
    yield from (".SH SYNOPSIS", r".B ldaprepl", r".I COMMAND", r"[\fIOPTIONS\fR]")
    yield ".SH COMMANDS"
    for name, summary in COMMANDS.items():
        yield from (".TP", rf"\fBldaprepl\-{_text(name)}\fR(1)", _text(summary))
    yield ".SH OPTIONS"
    yield from (".TP", r"\fB\-h\fR, \fB\-\-help\fR", "Show the commands, or one screen about a command.")
    yield from (".TP", r"\fB\-\-help\-all\fR", "After a command: explain every option.")
    yield from (".TP", r"\fB\-\-version\fR", "Show the version.")
    yield ".SH EXIT STATUS"
    for code, meaning in MEANINGS.items():
        yield from (".TP", rf"\fB{code.value}\fR", _sentence(meaning))
    yield from (".PP", _text(_NAGIOS))
    yield from _named("ENVIRONMENT", ENVIRONMENT)
    yield from _named("FILES", FILES)
    yield ".SH SEE ALSO"
    yield _see_also(f"ldaprepl-{name}" for name in COMMANDS)


def _command(page: helptext.Page) -> Iterator[str]:
    name = f"ldaprepl-{page.name}"
    yield from _title(name, 1, page.summary[0].lower() + page.summary[1:].rstrip("."))
    yield from (
        ".SH SYNOPSIS",
        rf"\fBldaprepl {_text(page.name)}\fR {_text(page.usage.partition(page.name)[2].strip())}",
    )
    yield from (".SH EXAMPLES", ".nf", *map(_text, page.examples), ".fi")
    yield from (".SH DESCRIPTION", _text(page.summary))
    for paragraph in page.paragraphs:
        yield from (".PP", _text(paragraph))
    yield ".SH OPTIONS"
    for title, entries in page.groups:
        yield f".SS {title}"
        for entry in entries:
            yield from (".TP", rf"\fB{_text(entry.names)}\fR", _text(entry.text))
    yield from (".TP", r"\fB\-h\fR, \fB\-\-help\fR, \fB\-\-help\-all\fR", "Show one screen of help, or all of it.")
    if page.exit_codes:
        yield from (".SH EXIT STATUS", _text(page.exit_codes))
    yield from _named("ENVIRONMENT", ENVIRONMENT)
    yield ".SH SEE ALSO"
    yield _see_also(["ldaprepl", *(f"ldaprepl-{other}" for other in COMMANDS if other != page.name)])


def _configuration() -> Iterator[str]:
    yield from _title("ldaprepl.toml", 5, "servers and replicas for ldaprepl")
    yield from (".SH SYNOPSIS", r".I ./ldaprepl.toml", ".br", r".I \(ti/.config/ldaprepl/config.toml", ".br",
                ".I /etc/ldaprepl/config.toml")  # fmt: skip
    yield from (".SH DESCRIPTION", _text(_TOML), ".PP", _text(_WHO_MAY))
    yield from (".SH EXAMPLE", ".nf", *map(_text, _EXAMPLE.splitlines()), ".fi")
    for title, keys in (("[servers.NAME]", SERVER_KEYS), ("[replicas.NAME]", REPLICA_KEYS)):
        yield f".SH {_text(title)}"
        for key in keys:
            yield from (".TP", rf"\fB{_text(key.name)}\fR (\fI{_text(_kind(key))}\fR)")
            yield _text(key.meaning) + (f" Example: {_text(key.example)}" if key.example else "")
    yield from _named("ENVIRONMENT", {name: text for name, text in ENVIRONMENT.items() if "CONFIG" in name})
    yield ".SH SEE ALSO"
    yield _see_also(["ldaprepl", "ldaprepl-config"])


def _kind(key: Key) -> str:
    return " or ".join(key.choices) if key.kind is Kind.CHOICE else key.kind.value


_TOML = (
    "What is said again and again to ldaprepl can stand in a file in TOML: servers under [servers.NAME], and under "
    "[replicas.NAME] which of them are copies of which. A command takes a replica with --profile NAME; verify, check "
    "and status take all with --all. The first file that is there is read, or the one that --config names. What stands "
    "on the command line wins. An unknown key or a wrong type is refused, with file and line."
)
_WHO_MAY = (
    "The file must belong to root or to whoever runs ldaprepl, and nobody else may write it, because it can name a "
    "program to run. A password in it, or in the file that it names, must not be readable by others. A relative path "
    "is beside the file."
)
_EXAMPLE = """\
[servers.a]
uri = "ldaps://a.example.com"
bind_dn = "cn=replica,dc=example,dc=com"
password_file = "/etc/ldaprepl/replica.pw"

[servers.b]
uri = "ldapi:///"
sasl = "EXTERNAL"

[replicas.main]
provider = "a"
consumers = ["b"]
base = "dc=example,dc=com"
"""


def _title(name: str, section: int, about: str) -> Iterator[str]:
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    yield f'.TH {_text(name.upper())} {section} {day} "ldaprepl {__version__}" "LDAP replication"'
    yield from (".SH NAME", rf"{_text(name)} \- {_text(about)}")


def _named(title: str, table: Mapping[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in table.items():
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(text))


def _see_also(names: Iterator[str] | list[str]) -> str:
    return ",\n".join(rf".BR {_text(name)} (1)" for name in sorted(names))


def _sentence(text: str) -> str:
    return _text(text[0].upper() + text[1:] + ".")


def _text(text: str) -> str:
    """Plain text for roff: its own characters escaped, and nothing at the beginning of a line taken for a request."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("~", r"\(ti").replace("^", r"\(ha")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in pages().items():
        (folder / file).write_text(content, encoding="utf-8")
