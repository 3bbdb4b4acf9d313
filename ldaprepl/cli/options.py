"""Options that several commands share, named once, and the values they become.

Commands take their options as one mapping and ask here for endpoints and scopes, so that a word means the same thing
everywhere.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ldaprepl.domain import duration
from ldaprepl.domain.scope import EVERY_ATTRIBUTE, MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.errors import UsageError
from ldaprepl.wire.endpoint import Anonymous, Bind, Endpoint, External, Simple, Tls

Given = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]
PASSWORD, CONSUMER_PASSWORD = "LDAPREPL_PASSWORD", "LDAPREPL_CONSUMER_PASSWORD"
_FILE = click.Path(path_type=Path, dir_okay=False)


def all_of(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several options as one."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


provider = click.option("--provider", metavar="URI", required=True, help="ldap://, ldaps:// or ldapi:// URL.")
consumers = click.option(
    "--consumer", "consumers", metavar="URI", multiple=True, required=True, help="The same; may be repeated."
)
base = click.option("-b", "--base", metavar="DN", required=True, help="Search base on the provider.")

identity = all_of(
    click.option("-D", "--bind-dn", metavar="DN", help="Simple bind as this DN."),
    click.option("-y", "--password-file", metavar="FILE", type=_FILE, help=f"File with the password (or {PASSWORD})."),
    click.option("-W", "--prompt", is_flag=True, help="Ask for the password."),
    click.option("--sasl", type=click.Choice(["EXTERNAL"]), help="SASL bind instead."),
    click.option("--authzid", metavar="ID", default="", help="SASL authorization identity."),
)
consumer_identity = all_of(
    click.option("--consumer-bind-dn", metavar="DN", help="Another identity at the consumers."),
    click.option(
        "--consumer-password-file", metavar="FILE", type=_FILE, help=f"Its password (or {CONSUMER_PASSWORD})."
    ),
    click.option("--consumer-sasl", type=click.Choice(["EXTERNAL"]), help="SASL bind at the consumers."),
)
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
    click.option("-v", "--verbose", is_flag=True, help="Say more."),
)


if TYPE_CHECKING:
    _FloatType = click.ParamType[float]  # generic for type checkers only, in old releases not even for them
else:
    _FloatType = click.ParamType


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


def provider_endpoint(given: Given) -> Endpoint:
    """The provider as the options name it. Raises `UsageError`."""
    return Endpoint(given["provider"], _provider_bind(given), _tls(given), given["timeout"]).checked()


def provider_endpoints(given: Given) -> list[Endpoint]:
    """The same where there may be several. Raises `UsageError`."""
    return [provider_endpoint({**given, "provider": uri}) for uri in given["providers"]]


def consumer_endpoints(given: Given) -> list[Endpoint]:
    """The consumers, each with the provider's identity unless they have their own. Raises `UsageError`."""
    bind = _consumer_bind(given)
    return [Endpoint(uri, bind, _tls(given), given["timeout"]).checked() for uri in given["consumers"]]


def replication_scope(given: Given) -> ReplicationScope:
    """The scope. Names in --attrs may also be separated by commas, as in a stanza. Raises `UsageError`."""
    return ReplicationScope(
        base=given["base"],
        scope=Scope(given["scope"]),
        filter=given["filter"],
        attrs=_names(given["attrs"]) or EVERY_ATTRIBUTE,
        exattrs=_names(given["exattrs"]),
        suffixmassage=given["suffixmassage"],
    )


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for value in values for name in value.replace(",", " ").split())


def _tls(given: Given) -> Tls:
    return Tls(
        starttls=given["starttls"],
        cacert=given["cacert"],
        cert=given["cert"],
        key=given["key"],
        verify=given["tls_reqcert"] == "demand",
        allow_cleartext=given["allow_cleartext"],
    )


def _provider_bind(given: Given) -> Bind:
    if given["sasl"]:
        return External(given["authzid"])
    if not given["bind_dn"]:
        if given["password_file"] or given["prompt"]:
            raise UsageError("a password was given, but nobody to use it", "Say who with --bind-dn.")
        return Anonymous()
    return Simple(given["bind_dn"], _password(given, given["password_file"], PASSWORD, given["bind_dn"]))


def _consumer_bind(given: Given) -> Bind:
    if given["consumer_sasl"]:
        return External(given["authzid"])
    own_file, own_dn = given["consumer_password_file"], given["consumer_bind_dn"]
    dn = own_dn or given["bind_dn"]
    if not own_dn and not own_file and CONSUMER_PASSWORD not in os.environ:
        return _provider_bind(given)
    if not dn:
        raise UsageError(
            "a password for the consumers was given, but nobody to use it", "Say who with --consumer-bind-dn."
        )
    return Simple(dn, _password(given, own_file, CONSUMER_PASSWORD, dn))


def consumer_password(given: Given) -> Secret | None:
    """The consumer's own password where one was given, and not the provider's instead. Raises `UsageError`."""
    file = given["consumer_password_file"]
    if file is None and CONSUMER_PASSWORD not in os.environ:
        return None
    return _password(given, file, CONSUMER_PASSWORD, given["consumer_bind_dn"] or "the consumer's rootdn")


_asked: dict[tuple[str, str], Secret] = {}


def _password(given: Given, file: Path | None, variable: str, dn: str) -> Secret:
    """From the file, the environment, or the terminal, in this order; asked for once."""
    if file is not None:
        return read_password(file, quiet=given["quiet"])
    if os.environ.get(variable):
        return Secret(os.environ[variable])
    if not given["prompt"]:
        raise UsageError(
            f"there is no password for {dn}", f"Give one with --password-file, --prompt or the variable {variable}."
        )
    if (variable, dn) not in _asked:
        _asked[variable, dn] = Secret(click.prompt(f"Password of {dn}", hide_input=True, err=True))
    return _asked[variable, dn]


def read_password(file: Path, *, quiet: bool = False) -> Secret:
    """The whole content of the file, but for one final newline, as most files have one. Raises `UsageError`."""
    try:
        content = file.read_bytes()
        mode = file.stat().st_mode
    except OSError as error:
        raise UsageError(f"the password file {file} cannot be read ({error.strerror})") from None
    if not quiet and stat.S_ISREG(mode) and mode & (stat.S_IRWXO | stat.S_IWGRP):
        notice(f"the password file {file} is open to others; chmod 600 closes it")
    if content.endswith(b"\n"):
        content = content[:-1]
        if not quiet:
            notice(f"one final newline in {file} was not taken as part of the password")
    if not content:
        raise UsageError(f"the password file {file} is empty")
    return Secret(content)


def notice(text: str) -> None:
    """A line for people, on standard error."""
    click.echo(f"note: {text}", err=True)


def colour_wanted() -> bool:
    """Colour only on a terminal, and not against NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
