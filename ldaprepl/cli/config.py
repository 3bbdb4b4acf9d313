"""`ldaprepl config`."""

from __future__ import annotations

import os
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.output import emit
from ldaprepl.errors import ExitCode, UsageError

# What `show` tells of other commands, with their defaults.
_SETTINGS = {"settle": 10.0, "warning": 60.0, "critical": 300.0, "method": "auto", "max_delete": "10%", "state": None}


@click.command("config", cls=Command)
@click.argument("action", type=click.Choice(["show", "new"]))
@options.members
@options.every_replica
@options.any_identity
@options.any_consumer_identity
@options.tls
@options.scope
@click.option("--name", metavar="NAME", default="main", show_default=True, help="new: what the replica is called.")
@click.option("--force", is_flag=True, help="new: replace a file that is there.")
@click.option("--dry-run", is_flag=True, help="new: only show what would be written.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Show what is in force and where each value came from, or write a new ldaprepl.toml.

    \b
    ldaprepl config show --all
    ldaprepl config show --profile main --timeout 5
    ldaprepl config new                       # asks
    ldaprepl config new --stanza ldapi:///    # takes what a syncrepl stanza says

    Passwords are shown as stars. A new file goes to /etc/ldaprepl/config.toml for root, else to ~/.config/ldaprepl, or
    where -o says; nobody else can read it.

    Exit code: 0 done, 2 something is wrong with the files or options.
    """
    if given["action"] == "new":
        from ldaprepl.cli.config_new import new

        return new(given)
    return _show(given)


def _show(given: dict[str, Any]) -> int:
    from ldaprepl.cli.inforce import section
    from ldaprepl.cli.pairing import pairings, provider_uris
    from ldaprepl.report import settings
    from ldaprepl.wire import profilefile

    named = given["stanza"] or given["profile"] or provider_uris(given) or given["consumers"]
    file = ""
    try:
        file, why = map(str, profilefile.find(given["config"], os.environ))
    except UsageError:
        if given["profile"] or given["all_"]:
            raise
    if file and not named:
        given["all_"] = True
    profiled = bool(given["profile"] or given["all_"])
    # Of profiles no password is read: what is shown are stars, and a program might ask for something.
    given = {**_SETTINGS, **given, "no_secrets": profiled, "config": given["config"] if profiled else None}
    sections = [section(pairing) for pairing in pairings(given)]
    shown = f"{file} ({why})" if file else ""
    text = settings.render_json(file, sections) if given["format_"] == "json" else settings.render_text(shown, sections)
    emit(text, given["output"])
    return ExitCode.OK


__all__ = ["command"]
