"""What the given options mean: endpoints, scopes, passwords. Nothing here needs click, so that a check starts quickly.

Commands take their options as one mapping and ask here, so that a word means the same thing everywhere.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ldaprepl.domain.mechanism import TICKET
from ldaprepl.domain.nearby import objection
from ldaprepl.domain.scope import EVERY_ATTRIBUTE, MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.errors import UsageError
from ldaprepl.wire.endpoint import Anonymous, Bind, Endpoint, External, Sasl, Simple, Tls

Given = Mapping[str, Any]
_DEFAULTS = {"scope": "sub", "filter": MATCH_ALL, "tls_reqcert": "demand", "timeout": 60.0}
PASSWORD, CONSUMER_PASSWORD = "LDAPREPL_PASSWORD", "LDAPREPL_CONSUMER_PASSWORD"
ROOTS_STATE = Path("/var/lib/ldaprepl")


def provider_endpoint(given: Given) -> Endpoint:
    """The provider as the options name it. Raises `UsageError`."""
    ready: Endpoint | None = given.get("endpoints", {}).get(("provider", given["provider"]))
    return ready or _endpoint(given["provider"], _provider_bind(given), given)


def provider_endpoints(given: Given) -> list[Endpoint]:
    """The same where there may be several. Raises `UsageError`."""
    return [provider_endpoint({**given, "provider": uri}) for uri in given["providers"]]


def consumer_endpoints(given: Given) -> list[Endpoint]:
    """The consumers, each with the provider's identity unless they have their own. Raises `UsageError`."""
    ready: Mapping[tuple[str, str], Endpoint] = given.get("endpoints", {})
    if ready and all(("consumer", uri) in ready for uri in given["consumers"]):
        return [ready["consumer", uri] for uri in given["consumers"]]
    bind = _consumer_bind(given)
    return [_endpoint(uri, bind, given) for uri in given["consumers"]]


def said(given: Given, name: str) -> bool:
    """Whether the command line (or a variable, or a profile) has this option, and it is not only its default."""
    if name in given.get("origins", ()):
        return True
    click = sys.modules.get("click")
    context = click.get_current_context(silent=True) if click else None
    if context is None:
        return given.get(name) not in (None, False, "", (), _DEFAULTS.get(name))
    if name not in context.params:
        return False
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def replication_scope(given: Given) -> ReplicationScope:
    """The scope. Names in --attrs may also be separated by commas, as in a stanza. Raises `UsageError`."""
    for option in ("base", "suffixmassage"):
        meant = objection(given[option])
        if meant:
            raise UsageError(f"--{option} {given[option]!r} is not a DN", meant)
    return ReplicationScope(
        base=given["base"],
        scope=Scope(given["scope"]),
        filter=given["filter"],
        attrs=names_in(given["attrs"]) or EVERY_ATTRIBUTE,
        exattrs=names_in(given["exattrs"]),
        suffixmassage=given["suffixmassage"],
    )


def names_in(values: tuple[str, ...]) -> tuple[str, ...]:
    """Names of attributes; several in one value may be separated by commas, as in a stanza."""
    return tuple(name for value in values for name in value.replace(",", " ").split())


def _endpoint(uri: str, bind: Bind, given: Given) -> Endpoint:
    endpoint = Endpoint(uri, bind, _tls(given), given["timeout"])
    if endpoint.address.scheme == "ldaps" or endpoint.starttls:
        from ldaprepl.cli import ldaprc

        endpoint = endpoint._replace(tls=ldaprc.completed(endpoint.tls, given))
    return endpoint.checked()


def _tls(given: Given) -> Tls:
    return Tls(
        starttls=given["starttls"],
        cacert=given["cacert"],
        cert=given["cert"],
        key=given["key"],
        verify=given["tls_reqcert"] == "demand",
        allow_cleartext=given["allow_cleartext"],
        cacertdir=given.get("cacertdir"),
    )


def _provider_bind(given: Given) -> Bind:
    if (given["sasl"] or "EXTERNAL") != "EXTERNAL":
        return _sasl(given, given["sasl"], given["bind_dn"], given["password_file"], PASSWORD)
    if given["sasl"]:
        return External(given["authzid"] or _default("SASL_AUTHZID"))
    dn = given["bind_dn"]
    if not dn:
        asked = given["password_file"] or given["prompt"]
        dn = _default("BINDDN") if asked or os.environ.get(PASSWORD) else ""
        if asked and not dn:
            raise UsageError("a password was given, but nobody to use it", "Say who with --bind-dn.")
    if not dn:
        return Anonymous()
    return Simple(dn, given.get("password") or _password(given, given["password_file"], PASSWORD, dn))


def _sasl(given: Given, mechanism: str, name: str | None, file: Path | None, variable: str) -> Bind:
    """A mechanism other than EXTERNAL; -D holds the name that it takes. Raises `UsageError`."""
    authzid = given["authzid"] or _default("SASL_AUTHZID")
    if mechanism in TICKET:
        return Sasl(mechanism, authzid=authzid)
    if not name:
        raise UsageError(f"--sasl {mechanism} needs a name", "Give it with --bind-dn: a name, not a DN.")
    return Sasl(mechanism, name, given.get("password") or _password(given, file, variable, name), authzid)


def _default(option: str) -> str:
    """What ldap.conf has. As in libldap, BINDDN counts where a password is given, and only there."""
    from ldaprepl.cli import ldaprc

    return ldaprc.value(option)


def _consumer_bind(given: Given) -> Bind:
    if (given["consumer_sasl"] or "EXTERNAL") != "EXTERNAL":
        who = given["consumer_bind_dn"] or given["bind_dn"]
        file = given["consumer_password_file"] or given["password_file"]
        variable = CONSUMER_PASSWORD if CONSUMER_PASSWORD in os.environ else PASSWORD
        return _sasl(given, given["consumer_sasl"], who, file, variable)
    if given["consumer_sasl"]:
        return External(given["authzid"] or _default("SASL_AUTHZID"))
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
    if given.get("no_secrets"):  # only to be shown, as stars
        return Secret("-")
    if file is not None:
        return read_password(file, quiet=given["quiet"])
    if os.environ.get(variable):
        return Secret(os.environ[variable])
    if not given["prompt"]:
        raise UsageError(
            f"there is no password for {dn}", f"Give one with --password-file, --prompt or the variable {variable}."
        )
    if (variable, dn) not in _asked:
        _asked[variable, dn] = Secret(_typed(f"Password of {dn}", variable))
    return _asked[variable, dn]


def _typed(prompt: str, variable: str) -> str:
    """What is typed at the terminal, unseen. Raises `UsageError` where there is none: it would be read and shown."""
    import getpass
    import warnings

    import click  # which a check does without

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return str(click.prompt(prompt, hide_input=True, err=True))
        except getpass.GetPassWarning:
            raise UsageError(
                "there is no terminal to ask for the password at", f"Give --password-file or the variable {variable}."
            ) from None


_read: dict[Path, Secret] = {}


def read_password(file: Path, *, quiet: bool = False) -> Secret:
    """The whole content of the file, but for one final newline, as most files have one. Raises `UsageError`."""
    try:
        mode = file.stat().st_mode
        if file in _read and not stat.S_ISREG(mode):  # -y <(program): each side asks, and it can be read once
            return _read[file]
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"the password file {file} cannot be read ({error.strerror})") from None
    quiet = quiet or file in _read  # each side reads it, and once is enough to be told
    if not quiet and stat.S_ISREG(mode) and mode & (stat.S_IRWXO | stat.S_IWGRP):
        notice(f"the password file {file} is open to others; chmod 600 closes it")
    if content.endswith(b"\n"):
        content = content[:-1]
        if not quiet:
            notice(f"one final newline in {file} was not taken as part of the password")
    if not content:
        raise UsageError(f"the password file {file} is empty")
    _read[file] = Secret(content)
    return _read[file]


def state_folder() -> Path:
    """Where state is kept when no --state says so."""
    if os.geteuid() == 0:
        return ROOTS_STATE
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "ldaprepl"


def notice(text: str) -> None:
    """A line for people, on standard error."""
    print(f"note: {text}", file=sys.stderr)


def colour_wanted() -> bool:
    """Colour only on a terminal, and not against NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
