"""`ldaprepl config new`: a first ldaprepl.toml, from answers, from options, or from an existing stanza."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.given import read_password
from ldaprepl.cli.output import emit
from ldaprepl.cli.pairing import Pairing, pairings, provider_uris
from ldaprepl.domain import dn, profile
from ldaprepl.domain.scope import EVERY_ATTRIBUTE, MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.errors import ExitCode, UsageError, unwritten
from ldaprepl.report.profile import Draft, Value, render
from ldaprepl.wire import profilefile
from ldaprepl.wire.endpoint import Endpoint, External, Sasl, Simple, parse_uri

_PRIVATE = 0o600
Drafts = tuple[list[Draft], list[Draft]]


def new(given: Mapping[str, Any]) -> int:
    """Write it. Raises `UsageError`."""
    target = given["output"] or given["config"] or _usual()
    if target.exists() and not (given["force"] or given["dry_run"]):
        raise UsageError(f"{target} is there already", "--force replaces it, -o FILE writes another.")
    if given["stanza"] or provider_uris(given) or given["consumers"]:
        servers, replicas = _from_pairings(pairings({**given, "config": None}), given)
    elif sys.stdin.isatty():
        servers, replicas = _asked(given["name"])
    else:
        raise UsageError(
            "there is nobody to ask",
            "Run it on a terminal, or give --stanza SOURCE, or --provider, --consumer, --base.",
        )
    try:
        text = render(servers, replicas)
    except ValueError as error:
        raise UsageError(str(error), "Use a password_file.") from None
    profile.parse(text, str(target))  # what we write we can read
    if given["dry_run"]:
        emit(render(servers, replicas, secrets=False), None)
        return ExitCode.OK
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritten(f"{target.parent} cannot be made", error) from None
    emit(text, target, _PRIVATE)
    if not given["quiet"]:
        named = "" if target == _usual() else f" --config {target}"
        options.notice(f"{target} is written; next: ldaprepl doctor --profile {replicas[0].name}{named}")
    return ExitCode.OK


def _usual() -> Path:
    if os.geteuid() == 0:
        return profilefile.SYSTEM
    return next(path for path in profilefile.candidates(os.environ) if path.is_absolute())


# -- from what is known ------------------------------------------------------------------------------------------------


def _from_pairings(found: Sequence[Pairing], given: Mapping[str, Any]) -> Drafts:
    servers: dict[str, Draft] = {}
    replicas = []
    for pairing in found:
        if pairing.problem:
            options.notice(f"{pairing.name} is left out: {pairing.problem.message}")
    usable = [pairing for pairing in found if not pairing.problem]
    files = _files(given)
    for pairing in usable:
        providers = [_server(endpoint, servers, files) for endpoint in pairing.providers]
        consumers = [_server(endpoint, servers, files) for endpoint in pairing.consumers]
        name = pairing.name.replace(" ", "") or given["name"]
        values: dict[str, Value] = {"provider": providers, "consumers": consumers, **_scope(pairing.scope)}
        if pairing.peer:
            values["peers"] = True
        replicas.append(Draft(name if len(usable) > 1 else given["name"], values))
    if not replicas:
        raise UsageError("nothing is left to write", "The notes say why.")
    return list(servers.values()), replicas


def _files(given: Mapping[str, Any]) -> list[tuple[Secret, str]]:
    """Passwords that have a file of their own already: the new file names it and holds no copy."""
    files = [file for file in (given["password_file"], given["consumer_password_file"]) if file and file.is_file()]
    return [(read_password(file, quiet=True), str(file.absolute())) for file in files]


def _kept(values: dict[str, Value], files: list[tuple[Secret, str]]) -> dict[str, Value]:
    for password, file in files:
        if values.get("password") == password:
            return {**{key: value for key, value in values.items() if key != "password"}, "password_file": file}
    return values


def _scope(scope: ReplicationScope) -> dict[str, Value]:
    values: dict[str, Value] = {"base": scope.base}
    if scope.scope is not Scope.SUB:
        values["scope"] = scope.scope.value
    if scope.filter.lower() != MATCH_ALL.lower():
        values["filter"] = scope.filter
    if scope.attrs != EVERY_ATTRIBUTE:
        values["attrs"] = scope.attrs
    if scope.exattrs:
        values["exattrs"] = scope.exattrs
    if scope.suffixmassage:
        values["suffixmassage"] = scope.suffixmassage
    return values


def _server(endpoint: Endpoint, servers: dict[str, Draft], own: list[tuple[Secret, str]]) -> str:
    """The name of this server's table, which is made where there is none that says the same."""
    values: dict[str, Value] = {"uri": endpoint.uri}
    match endpoint.bind:
        case Simple(who, password):
            values |= {"bind_dn": who, "password": password}
        case External(authzid):
            values |= {"sasl": "EXTERNAL", **({"authzid": authzid} if authzid else {})}
        case Sasl(mechanism, name, password, authzid):
            values |= {
                "sasl": mechanism,
                **({"bind_dn": name} if name else {}),
                **({"authzid": authzid} if authzid else {}),
            }
            if password is not None:
                values["password"] = password
    tls = endpoint.tls
    if endpoint.address.scheme == "ldaps" or endpoint.starttls:
        if endpoint.address.scheme == "ldap":
            values["starttls"] = True
        files = {"cacert": tls.cacert, "cacertdir": tls.cacertdir, "cert": tls.cert, "key": tls.key}
        values |= {key: str(path) for key, path in files.items() if path}
        if not tls.verify:
            values["reqcert"] = "never"
    elif isinstance(endpoint.bind, Simple) and not endpoint.address.on_this_machine:
        values["allow_cleartext"] = True
        options.notice(f"the password goes to {endpoint.uri} in the clear, as before; starttls = true protects it")
    values = _kept(values, own)
    for draft in servers.values():
        if draft.values == values:
            return draft.name
    name = _name(endpoint)
    number = 1
    while name in servers:
        number += 1
        name = f"{_name(endpoint)}-{number}"
    servers[name] = Draft(name, values)
    return name


def _name(endpoint: Endpoint) -> str:
    address = endpoint.address
    if address.scheme == "ldapi":
        return "local"
    first = address.host if re.fullmatch(r"[\d.]+|.*:.*", address.host) else address.host.partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", first)


# -- from answers ------------------------------------------------------------------------------------------------------


def _asked(name: str) -> Drafts:
    """Questions on the terminal, each asked again until its answer can be used."""
    click.echo("Enter takes what stands in [brackets]; Ctrl-C ends without writing anything.", err=True)
    servers: dict[str, Draft] = {}
    provider = _endpoint_asked("Provider (ldap://, ldaps:// or ldapi:// URL)", None)
    base = _ask("Base of what is replicated (DN)", "", _dn)
    names = [_server_asked(provider, servers)]
    consumers: list[str] = []
    while True:
        more = "Consumer (URL)" if not consumers else "Another consumer (URL; Enter: no more)"
        uri = _ask(more, "" if consumers else None, lambda text: text and parse_uri(text) and text)
        if not uri:
            break
        consumers.append(_server_asked(_endpoint_asked("", provider, uri), servers))
    replica = _ask("Name of this replica", name, str.strip)
    return list(servers.values()), [Draft(replica, {"provider": names, "consumers": consumers, "base": base})]


Answers = dict[str, Value]


def _endpoint_asked(question: str, like: Answers | None, uri: str = "") -> Answers:
    uri = uri or _ask(question, None, lambda text: parse_uri(text) and text)
    address = parse_uri(uri)
    values: Answers = {"uri": uri}
    if like is not None and "bind_dn" in like and click.confirm("  as the same identity?", default=True, err=True):
        values |= {key: value for key, value in like.items() if key.startswith(("bind_dn", "password"))}
    elif address.scheme == "ldapi" and click.confirm("  as who we are here (SASL EXTERNAL)?", default=True, err=True):
        values["sasl"] = "EXTERNAL"
    else:
        who = _ask("  Bind as (DN; Enter: anonymous)", "", lambda text: text and _dn(text))
        if who:
            values |= {"bind_dn": who, **_password_asked()}
    if address.scheme == "ldap" and not address.on_this_machine:
        values["starttls"] = click.confirm("  with StartTLS?", default=True, err=True)
        if not values["starttls"] and "bind_dn" in values:
            values["allow_cleartext"] = True
    if address.scheme == "ldaps" or values.get("starttls"):
        default = str((like or {}).get("cacert", ""))
        file = _ask("  CA certificates (file; Enter: those of ldap.conf or the system)", default, _file)
        if file:
            values["cacert"] = file
    return values


def _password_asked() -> Answers:
    file = _ask("  File with the password (Enter: keep the password in this file)", "", _file)
    if file:
        return {"password_file": file}
    return {"password": Secret(click.prompt("  Password", hide_input=True, err=True))}


def _server_asked(values: Answers, servers: dict[str, Draft]) -> str:
    name = _name(Endpoint(str(values["uri"])))
    while name in servers and servers[name].values != values:
        name += "-2"
    servers[name] = Draft(name, values)
    return name


def _ask(question: str, default: str | None, check: Callable[[str], Any]) -> str:
    def value(text: str) -> str:
        try:
            return str(check(text) or "")
        except (ValueError, UsageError) as error:
            raise click.UsageError(str(error)) from None

    shown = bool(default)
    return str(click.prompt(question, default=default, show_default=shown, value_proc=value, err=True))


def _dn(text: str) -> str:
    dn.parse(text)
    return text


def _file(text: str) -> str:
    if text and not Path(text).expanduser().is_file():
        raise ValueError(f"{text}: there is no such file")
    return str(Path(text).expanduser().absolute()) if text else ""
