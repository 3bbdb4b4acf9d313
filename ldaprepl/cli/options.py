"""Options that several commands share, named once. What they mean is said in `given`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ldaprepl.cli.given import (
    CONSUMER_PASSWORD,
    PASSWORD,
    Given,
    colour_wanted,
    consumer_endpoints,
    consumer_password,
    names_in,
    notice,
    provider_endpoint,
    provider_endpoints,
    read_password,
    replication_scope,
    state_folder,
)
from ldaprepl.domain import duration
from ldaprepl.domain.mechanism import ALL as MECHANISMS
from ldaprepl.domain.mechanism import EXTERNAL, SCRAM
from ldaprepl.domain.scope import MATCH_ALL, Scope

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]
_FILE = click.Path(path_type=Path, dir_okay=False)
if TYPE_CHECKING:
    _FloatType = click.ParamType[float]  # generic for type checkers only, in old releases not even for them
    _ChoiceType = click.Choice[str]
else:
    _FloatType = click.ParamType
    _ChoiceType = click.Choice


def all_of(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several options as one."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


profile = all_of(
    click.option("--profile", metavar="NAME", help="A replica in ldaprepl.toml; options win over it."),
    click.option("--config", metavar="FILE", type=_FILE, help="That file (or LDAPREPL_CONFIG)."),
)
source = all_of(
    click.option("--stanza", metavar="SOURCE[#RID]",
                 help="Providers, scope, identity as in a slapd.conf, slapd.d, LDIF or ldapi:///."),
    profile,
)  # fmt: skip
one_provider = all_of(  # of a command that looks at one, and writes something about it
    click.option("--provider", metavar="URI", help="ldap://, ldaps:// or ldapi:// URL."),
    click.option("-b", "--base", metavar="DN", default="", help="Search base on the provider."),
    profile,
)
every_replica = click.option("--all", "all_", is_flag=True, help="Every replica in ldaprepl.toml.")
_consumers = click.option("--consumer", "consumers", metavar="URI", multiple=True, help="The same; may be repeated.")
_base = click.option("-b", "--base", metavar="DN", default="", help="Search base on the provider.")
members = all_of(  # of commands that look at any number of servers
    click.option("--provider", "providers", metavar="URI", multiple=True,
                 help="ldap://, ldaps:// or ldapi:// URL. Several are also compared with each other."),
    _consumers,
    _base,
    source,
)  # fmt: skip
pair = all_of(  # where the options, a stanza or this machine's own configuration may say it
    click.option("--provider", metavar="URI", help="ldap://, ldaps:// or ldapi:// URL."), _consumers, _base, source
)
one_pair = all_of(  # the same with one consumer
    click.option("--provider", metavar="URI", help="ldap://, ldaps:// or ldapi:// URL."),
    click.option("--consumer", "consumers", metavar="URI", multiple=True, help="The server to write to."),
    _base,
    source,
)


class _Mechanism(_ChoiceType):
    """A SASL mechanism; listed are those that a command can bind with. What only others can passes, because it is
    refused at the bind in better words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = str(value).upper()
        return known if known in MECHANISMS else str(super().convert(value, param, ctx))


def _identity(mechanisms: Sequence[str]) -> Option[Any]:
    return all_of(
        click.option("-D", "--bind-dn", metavar="DN", help="Simple bind as this DN."),
        click.option(
            "-y", "--password-file", metavar="FILE", type=_FILE, help=f"File with the password (or {PASSWORD})."
        ),
        click.option("-W", "--prompt", is_flag=True, help="Ask for the password."),
        click.option(
            "--sasl", type=_Mechanism(mechanisms), help="SASL bind instead; -D holds the name that the mechanism takes."
        ),
        click.option("--authzid", metavar="ID", default="", help="SASL authorization identity."),
    )


def _consumer_identity(mechanisms: Sequence[str]) -> Option[Any]:
    return all_of(
        click.option("--consumer-bind-dn", metavar="DN", help="Another identity at the consumers."),
        click.option(
            "--consumer-password-file", metavar="FILE", type=_FILE, help=f"Its password (or {CONSUMER_PASSWORD})."
        ),
        click.option("--consumer-sasl", type=_Mechanism(mechanisms), help="SASL bind at the consumers."),
    )


_READING = (EXTERNAL, *SCRAM)  # what `wire.plain` does by itself
identity, consumer_identity = _identity(_READING), _consumer_identity(_READING)
any_identity, any_consumer_identity = _identity(MECHANISMS), _consumer_identity(MECHANISMS)  # bound through libldap
tls = all_of(
    click.option("--starttls/--no-starttls", default=None,
                 help="StartTLS; default: where a password crosses a network."),
    click.option("--cacert", metavar="FILE", type=_FILE, help="CA certificates (PEM); default: the system's."),
    click.option("--cert", metavar="FILE", type=_FILE, help="Client certificate (PEM)."),
    click.option("--key", metavar="FILE", type=_FILE, help="Its key (PEM)."),
    click.option("--tls-reqcert", type=click.Choice(["demand", "never"]), default="demand", help="Verify the server."),
    click.option("--allow-cleartext", is_flag=True, help="Send a password without TLS."),
    click.option("--timeout", metavar="SECONDS", type=click.FloatRange(min=0.1), default=60.0, show_default=True,
                 help="How long a server may stay silent."),
)  # fmt: skip
scope = all_of(
    click.option("-s", "--scope", type=click.Choice([s.value for s in Scope]), default="sub", help="Search scope."),
    click.option("--filter", metavar="FILTER", default=MATCH_ALL, help="Only entries that match."),
    click.option("-a", "--attrs", metavar="NAME", multiple=True, help="Only these attributes; default: * and +."),
    click.option("-x", "--exattrs", metavar="NAME", multiple=True, help="Leave this attribute out; may be repeated."),
    click.option("--suffixmassage", metavar="DN", default="", help="The base as the consumer names it."),
)
output = click.option("-o", "--output", metavar="FILE", type=_FILE, help="Write here instead of to standard output.")
quiet = all_of(
    click.option("-q", "--quiet", is_flag=True, help="No progress, no notices."),
    click.option("-v", "--verbose", is_flag=True, help="Say more, each step between us and the servers too."),
    click.option(
        "--debug-dump",
        metavar="FILE",
        type=_FILE,
        help="Write each of those steps to FILE, with entries, without secrets.",
    ),
)


class Duration(_FloatType):
    """`60`, `90s`, `5m`, `1h30m`: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return duration.parse(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


__all__ = [
    "CONSUMER_PASSWORD",
    "PASSWORD",
    "Duration",
    "Given",
    "all_of",
    "any_consumer_identity",
    "any_identity",
    "colour_wanted",
    "consumer_endpoints",
    "consumer_identity",
    "consumer_password",
    "every_replica",
    "identity",
    "members",
    "names_in",
    "notice",
    "one_pair",
    "one_provider",
    "output",
    "pair",
    "profile",
    "provider_endpoint",
    "provider_endpoints",
    "quiet",
    "read_password",
    "replication_scope",
    "scope",
    "state_folder",
    "tls",
]
