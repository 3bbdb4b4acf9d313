"""What a command says of itself, taken from its declaration: one `Page`, shown by --help, --help-all, the man pages and
the reference alike.

The docstring of a command has a fixed shape: a sentence; examples behind a \\b; paragraphs; last the exit codes.
Options fall into groups by their name, so that the ones that all commands share take one line in --help, not thirty.
"""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

OWN: Final = "Options"
SCREEN: Final = 38  # lines of --help
_SERVERS: Final = "Servers"
_GROUPS: Final = {
    _SERVERS: ("provider", "providers", "consumer", "consumers", "base", "stanza", "profile", "all_", "config"),
    "Identity": (
        "bind_dn", "password_file", "prompt", "sasl", "authzid", "consumer_bind_dn", "consumer_password_file",
        "consumer_sasl", "auditor_bind_dn", "auditor_password_file", "auditor_sasl",
    ),
    "TLS": ("starttls", "cacert", "cert", "key", "tls_reqcert", "allow_cleartext"),
    "Scope": ("scope", "filter", "attrs", "exattrs", "suffixmassage"),
    "Output": ("format_", "output", "quiet", "verbose", "debug_dump", "timeout"),
}  # fmt: skip
# Too seldom needed for the one screen.
_RARE: Final = {
    "check": ("certificate_warning", "certificate_critical", "skew", "recheck", "canary_wait"),
    "init-consumer": (
        "interval", "rid", "openldap", "database", "directory", "schema_dir", "module_dir", "yes", "force", "cascade",
    ),
    "replay": ("status", "no_status", "whole", "rejects", "again", "acknowledge", "attrs", "exattrs", "limit"),
    "sync": ("accept_older_provider", "write", "transactions", "audit_every"),
    "verify": ("bytewise",),
}  # fmt: skip
_LEFT: Final = 30  # columns for the names of options


@dataclass(frozen=True, slots=True)
class Entry:
    """One option or argument: its names as typed, with the value's name, and what it does."""

    key: str
    names: str
    text: str
    spellings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A command in parts."""

    name: str
    usage: str
    summary: str
    examples: tuple[str, ...]
    paragraphs: tuple[str, ...]
    exit_codes: str
    groups: tuple[tuple[str, tuple[Entry, ...]], ...]


def page_of(command: click.Command) -> Page:
    """Take a command's declaration apart."""
    context = click.Context(command, info_name=f"ldaprepl {command.name}")
    parts = inspect.cleandoc(command.help or "").split("\n\n")
    examples: list[str] = []
    told: list[str] = []
    exit_codes = ""
    for part in parts:
        if part.startswith("\b"):
            examples += part.strip("\b\n").splitlines()
        elif part.startswith("Exit code"):
            exit_codes = _one_line(part)
        else:
            told.append(_one_line(part))
    usage = " ".join(command.collect_usage_pieces(context))
    return Page(
        name=command.name or "",
        usage=f"ldaprepl {command.name} {usage}",
        summary=told[0] if told else "",
        examples=tuple(examples),
        paragraphs=tuple(told[1:]),
        exit_codes=exit_codes,
        groups=tuple(_grouped(command, context)),
    )


def short(command: click.Command, context: click.Context) -> str:
    """One screen: examples first, then what is asked for most; of the rest the names."""
    page = page_of(command)
    rare = _RARE.get(page.name, ())
    own = [entry for entry in dict(page.groups).get(OWN, ()) if entry.key not in rare]
    while True:
        lines = _screen(page, own, _width())
        if len(lines) <= SCREEN or not own:
            return "\n".join(lines)
        own.pop()


def _screen(page: Page, shown: Sequence[Entry], width: int) -> list[str]:
    lines = list(_top(page, width))
    names: list[tuple[str, str]] = []
    for title, entries in page.groups:
        full = shown if title == OWN else entries if title == _SERVERS else ()
        if full:
            lines += ["", f"{title}:", *_explained(full, width)]
        if hidden := [entry for entry in entries if entry not in full]:
            names.append(("More" if title == OWN else title, _names(hidden)))
    lines.append("")
    for title, text in names:
        lines += _wrapped(f"{title}: {text}", width, "  ")
    lines += ["", f"ldaprepl {page.name} --help-all explains every option."]
    return lines + (_wrapped(page.exit_codes, width, "  ") if page.exit_codes else [])


def whole(command: click.Command, context: click.Context) -> str:
    """Everything."""
    page = page_of(command)
    width = _width()
    lines = list(_top(page, width))
    for paragraph in page.paragraphs:
        lines += ["", *_wrapped(paragraph, width)]
    for title, entries in page.groups:
        lines += ["", f"{title}:", *_explained(entries, width)]
    lines += ["", *_wrapped(page.exit_codes, width, "  ")] if page.exit_codes else []
    return "\n".join(lines)


def _names(entries: Sequence[Entry]) -> str:
    return ", ".join("/".join(entry.spellings) for entry in entries)


def _top(page: Page, width: int) -> Iterator[str]:
    yield from page.examples
    yield ""
    yield from _wrapped(page.summary, width)
    yield f"Usage: {page.usage}"


def _explained(entries: Sequence[Entry], width: int) -> Iterator[str]:
    room = max(20, width - _LEFT)
    for entry in entries:
        names = f"  {entry.names}"
        text = textwrap.wrap(entry.text, room, break_on_hyphens=False)
        if len(names) > _LEFT - 2:
            yield names
            names = ""
        for line in text or [""]:
            yield f"{names.ljust(_LEFT)}{line}".rstrip()
            names = ""


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _width() -> int:
    return max(40, min(100, shutil.get_terminal_size().columns))


def _one_line(text: str) -> str:
    return " ".join(text.split())


# -- options -----------------------------------------------------------------------------------------------------------


def _grouped(command: click.Command, context: click.Context) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    """Groups in the order in which they are shown; options that belong to none are the command's own."""
    title_of = {name: title for title, names in _GROUPS.items() for name in names}
    found: dict[str, list[Entry]] = {title: [] for title in (_SERVERS, OWN, *_GROUPS)}
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            found[title_of.get(str(parameter.name), OWN)].append(_entry(parameter, context))
    for title, entries in found.items():
        if entries:
            yield title, tuple(entries)


def _entry(option: click.Option, context: click.Context) -> Entry:
    """Names as click prints them; the text without its notes on types and ranges."""
    names, _ = option.get_help_record(context) or (", ".join(option.opts), "")
    names = names.replace("INTEGER RANGE", "N").replace("FLOAT RANGE", "X")
    return Entry(str(option.name), names, _text(option), (*sorted(option.opts, key=len), *option.secondary_opts))


def _text(option: click.Option) -> str:
    text = _one_line(option.help or "")
    if option.show_default and option.default not in (None, ""):
        default = f"{option.default:g}" if isinstance(option.default, float) else option.default
        return f"{text} [default: {default}]"
    return f"{text} [required]" if option.required else text
