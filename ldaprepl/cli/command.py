"""The click command that every command of ours is: help that fits a screen, hints for options that others have.

Kept small, because `check` starts every minute; what help looks like is in `helptext`, imported when somebody asks.
"""

from __future__ import annotations

from typing import Any

import click

# What fingers know from ldapsearch and other tools, and what it is called here.
_KNOWN_ELSEWHERE = {
    "-H": "Servers are --provider and --consumer here.",
    "-h": "Servers are --provider and --consumer here.",
    "-w": "No password stands on a command line here: -y FILE, -W, or LDAPREPL_PASSWORD.",
    "-Z": "It is --starttls here.",
    "-ZZ": "It is --starttls here.",
    "-Y": "It is --sasl here.",
    "-Q": "It is --sasl here, and quiet is -q.",
    "-X": "It is --authzid here.",
    "-M": "Referral objects are always read as entries here.",
    "-E": "Nothing is paged here, and controls are chosen for you.",
    "-L": "Output is chosen with --format.",
    "-f": "Output is chosen with --format; a profile file with --config.",
    "-p": "The port stands in the URI: ldap://host:port.",
    "--host": "Servers are --provider and --consumer here.",
    "--master": "It is --provider here.",
    "--slave": "It is --consumer here.",
    "--replica": "It is --consumer here.",
    "--password": "No password stands on a command line here: -y FILE, -W, or LDAPREPL_PASSWORD.",
    "--json": "It is --format json here.",
    "--tls": "It is --starttls here, or a ldaps:// URI.",
    "--insecure": "It is --tls-reqcert never here.",
}


class Command(click.Command):
    """A command with `--help` (a screen) and `--help-all` (everything)."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), _help_all]

    def get_help(self, ctx: click.Context) -> str:
        from ldaprepl.cli import helptext

        return helptext.short(self, ctx)

    def invoke(self, ctx: click.Context) -> Any:
        if not ctx.params.get("verbose") and not ctx.params.get("debug_dump"):
            return super().invoke(ctx)
        from ldaprepl.cli.tracing import traced

        with traced(ctx.params, str(self.name)):
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            hint = _KNOWN_ELSEWHERE.get(error.option_name)
            if hint:
                raise click.UsageError(f"No such option: {error.option_name}. {hint}", ctx) from None
            raise


def _show_all(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and not ctx.resilient_parsing:
        from ldaprepl.cli import helptext

        click.echo(helptext.whole(ctx.command, ctx))
        ctx.exit()


_help_all = click.Option(
    ["--help-all"], is_flag=True, is_eager=True, expose_value=False, callback=_show_all, help="Explain every option."
)
