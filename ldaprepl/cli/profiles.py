"""Replicas of ldaprepl.toml as pairings: what the file says, where the command line does not.

A profile's values become option values, each with its origin, so that everything after that goes one way for both. Of a
server that has no identity of its own in the file, and is named by its bare URL, the provider's identity is used, as on
the command line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ldaprepl.cli.given import (
    CONSUMER_PASSWORD,
    Given,
    consumer_endpoints,
    provider_endpoint,
    replication_scope,
    said,
)
from ldaprepl.cli.pairing import Pairing, provider_uris
from ldaprepl.cli.stanzas import from_stanza
from ldaprepl.domain.profile import Profiles, Table
from ldaprepl.domain.profilekeys import REPLICA_KEYS
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.wire import profilefile
from ldaprepl.wire.endpoint import Endpoint

# Keys of a server and the options that mean the same.
_TLS = {
    "starttls": "starttls", "cacert": "cacert", "cacertdir": "cacertdir", "cert": "cert", "key": "key",
    "reqcert": "tls_reqcert", "allow_cleartext": "allow_cleartext", "timeout": "timeout",
}  # fmt: skip
_CONSUMER_IDENTITY = ("consumer_bind_dn", "consumer_password_file", "consumer_sasl")
_NOT_OPTIONS = ("provider", "consumers", "peers", "stanza", "state")


def load(given: Given) -> tuple[Profiles, str]:
    """The file, and why it is that one. Raises `UsageError`."""
    path, why = profilefile.find(given.get("config"), os.environ)
    return profilefile.read(path), why


def from_profiles(given: Given) -> list[Pairing]:
    """The replica that --profile names, or all. With several one that is wrong does not keep the others from theirs:
    its pairing has the problem. Raises `LdapreplError`."""
    profiles, _ = load(given)
    if not given.get("all_"):
        return list(_replica(profiles.replica(given["profile"]), profiles, given))
    if provider_uris(given) or given["consumers"] or given["base"]:
        raise UsageError("--all takes every replica as it is", "Leave --provider, --consumer and --base out.")
    if not profiles.replicas:
        raise UsageError(f"{profiles.source} has no replicas", "Write one as [replicas.NAME].")
    found: list[Pairing] = []
    for replica in profiles.replicas.values():
        try:
            found += _replica(replica, profiles, given)
        except LdapreplError as error:
            found.append(_broken(replica, profiles, given, error))
    return found


def _broken(replica: Table, profiles: Profiles, given: Given, problem: LdapreplError) -> Pairing:
    force = in_force(given, replica, profiles.source)
    uris = tuple(_uri(name, profiles) for name in replica.get("provider") or ()) or (str(replica.get("stanza")),)
    names = [name for name in replica.get("consumers") or () if "://" in name or name in profiles.servers]
    consumers = tuple(Endpoint(_uri(name, profiles)) for name in names)  # for their names only
    return Pairing(replica.name, replication_scope(force), (), consumers, force, problem=problem, uris=uris)


def _replica(replica: Table, profiles: Profiles, given: Given) -> Iterator[Pairing]:
    force = in_force(given, replica, profiles.source)
    if replica.get("stanza"):
        source = str(replica.get("stanza"))
        if "://" not in source and not Path(source).is_absolute():  # beside the file, as every path in it
            source = str(Path(profiles.source).absolute().parent / source)
        found = from_stanza(force, source)
        for pairing in found:
            name = f"{replica.name}, {pairing.name}" if len(found) > 1 else replica.name
            yield pairing._replace(name=name)
        return
    sides = sides_of(replica, profiles, force)
    providers = tuple(_endpoint(options, consumer=False) for _, options in sides[0])
    consumers = tuple(_endpoint(options, consumer=True) for _, options in sides[1])
    uris = tuple(provider.uri for provider in providers)
    yield Pairing(
        replica.name,
        replication_scope(force),
        providers,
        consumers,
        force,
        bool(replica.get("peers")),
        uris=uris,
        told=tuple(options for _, options in (*sides[0], *sides[1])),
    )


def in_force(given: Given, replica: Table, source: str) -> dict[str, Any]:
    """The options of a command with what the replica says instead of their defaults."""
    force = {**given, "origins": dict(given.get("origins", {}))}
    command = _command(given)
    for key in REPLICA_KEYS:
        value = replica.get(key.name) if key.command in ("", command) or command == "config" else None
        if key.name in given and key.name not in _NOT_OPTIONS and value is not None and not said(given, key.name):
            force[key.name] = value
            force["origins"][key.name] = replica.origin(key.name)
    folder = profilefile.beside(replica, "state", source)
    if folder is not None and "state" in given and not said(given, "state"):
        # `check` remembers in a file for each replica, `verify` in one for all, other commands in a folder
        files = {"check": folder / f"check-{replica.name}.json", "verify": folder / "verify.json"}
        force["state"] = files.get(command, folder)
        force["origins"]["state"] = replica.origin("state")
    return force


def _command(given: Given) -> str:
    """Whose options these are."""
    marks = {"check": "canary", "verify": "bytewise", "sync": "audit_every", "config": "action"}
    return next((command for command, option in marks.items() if option in given), "")


Side = list[tuple[str, dict[str, Any]]]  # server by name or URL, and its options


def sides_of(replica: Table, profiles: Profiles, force: Given) -> tuple[Side, Side]:
    """Providers and consumers, each with the options that make its endpoint. Raises `LdapreplError`."""
    providers = list(provider_uris(force)) or list(replica.get("provider") or ())
    consumers = list(force["consumers"]) or list(replica.get("consumers") or ())
    lender = profiles.servers.get(providers[0]) if providers else None
    return (
        [(name, _options(name, profiles, force, None)) for name in providers],
        [(name, _options(name, profiles, force, lender)) for name in consumers],
    )


def _options(name: str, profiles: Profiles, force: Given, lender: Table | None) -> dict[str, Any]:
    """What the options would have to be for this server."""
    table = profiles.servers.get(name)
    options = {**force, "uri": _uri(name, profiles), "origins": dict(force["origins"])}
    if table is not None:
        options["origins"]["uri"] = table.origin("uri")
    for key, option in _TLS.items():
        value = table.get(key) if table else None
        if table is not None and value is not None and not said(force, option):
            options[option] = profilefile.beside(table, key, profiles.source) if _is_path(key) else value
            options["origins"][option] = table.origin(key)
    owner = table or lender
    if owner is not None and not said(force, "bind_dn") and not said(force, "sasl"):
        for key in ("bind_dn", "sasl", "authzid"):
            if owner.get(key):
                options[key] = owner.get(key)
                options["origins"][key] = owner.origin(key)
        if not said(force, "password_file") and not said(force, "prompt"):
            secret = None if force.get("no_secrets") else profilefile.password(owner, profiles.source)
            options["password"] = secret
            for key in ("password", "password_file", "password_command"):
                if owner.get(key):
                    options["origins"]["password"] = owner.origin(key)
    return options


def _is_path(key: str) -> bool:
    return key in ("cacert", "cacertdir", "cert", "key")


def _uri(name: str, profiles: Profiles) -> str:
    if "://" in name:
        return name
    if name not in profiles.servers:
        there = ", ".join(profiles.servers) or "none"
        raise UsageError(f"{profiles.source} has no server {name!r}", f"There is: {there}. Or give a URL.")
    return str(profiles.servers[name].get("uri"))


def _endpoint(options: Given, *, consumer: bool) -> Endpoint:
    uri = options["uri"]
    own = any(said(options, option) for option in _CONSUMER_IDENTITY) or bool(os.environ.get(CONSUMER_PASSWORD))
    if consumer and own:
        return consumer_endpoints({**options, "consumers": (uri,)})[0]
    return provider_endpoint({**options, "provider": uri})
