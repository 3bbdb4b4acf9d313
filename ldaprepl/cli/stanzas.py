"""Pairings out of syncrepl stanzas: those of a file, of a running server, or of the slapd on this machine.

The provider is asked as the stanza binds; the identity options are those of the consumer, which is the live server
itself, the one that is named, or the slapd here. What was taken without being said is a note.
"""

from __future__ import annotations

import socket
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from ldaprepl.cli import given as options
from ldaprepl.cli.given import said
from ldaprepl.cli.pairing import Pairing, provider_uris
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.errors import ServerUnavailable, UsageError
from ldaprepl.wire import stanzasource
from ldaprepl.wire.endpoint import Anonymous, Bind, Endpoint, External, Tls, parse_uri
from ldaprepl.wire.stanzasource import SourceName, Way

LOCAL, BY_NAME = "ldapi:///", "ldap://localhost"
SOCKETS = ("/var/run/ldapi", "/var/run/openldap/ldapi", "/usr/local/var/run/ldapi")  # where others than Debian have it


def from_this_machine(given: options.Given) -> list[Pairing]:
    """The stanzas in the live cn=config of the slapd that runs here. Raises `LdapreplError`."""
    cure = "Name servers with --provider, --consumer and --base, or a configuration with --stanza."
    try:
        return from_stanza(given, local_socket())
    except ServerUnavailable as error:
        raise UsageError(f"there is nothing to look at: no servers are named, and {error.message}", cure) from error
    except UsageError as error:
        raise UsageError(f"no servers are named, and {error.message}", f"{error.cure or ''} {cure}".strip()) from error


def from_stanza(given: options.Given, text: str) -> list[Pairing]:
    """The stanzas of a source, in the order of their numbers. Raises `LdapreplError`."""
    source = stanzasource.SourceName.parse(text)
    if source.live:
        server = _reader(given, source.text)
        configuration = stanzasource.read_live(server)
    else:
        server = None
        configuration = stanzasource.read_file(source.text)
    verify = given["tls_reqcert"] == "demand" if said(given, "tls_reqcert") else None
    instead = stanzasource.Instead(
        given["timeout"], given["starttls"], given["cacert"], given["cert"], given["key"], verify
    )
    found = sorted(_chosen(stanzasource.ways(configuration, instead), source, given), key=_order)
    others, left = _others(found, stanzasource.own_uris(configuration, socket.gethostname()), given)
    made = [_pairing(way, number, server, given) for number, way in enumerate(others, 1)]
    return [pairing._replace(notes=pairing.notes + left) for pairing in made]


def _others(ways: list[Way], own: Container[str], given: options.Given) -> tuple[list[Way], tuple[str, ...]]:
    """Those that do not name the consumer itself, and a note on those that do. Whoever asks for one gets it."""
    if given["consumers"] or provider_uris(given) or len(ways) < 2:
        return ways, ()
    itself = [way for way in ways if way.peer and way.uri in own]
    notes = tuple(
        f"the stanza rid {_number(way)} names this server itself ({way.uri}), as slapd sees too" for way in itself
    )
    return [way for way in ways if way not in itself], notes


def _chosen(ways: Iterable[Way], source: SourceName, given: options.Given) -> Sequence[Way]:
    """Those that --stanza ...#RID, --base and --provider leave. Raises `UsageError` when there is none."""
    every = list(ways)
    addresses = [parse_uri(uri) for uri in provider_uris(given)]
    found = [
        way
        for way in every
        if (source.rid is None or way.rid == source.rid)
        and (not given["base"] or way.scope.base.lower() == given["base"].lower())
        and (not addresses or _address(way.uri) in addresses)
    ]
    if found:
        return found
    if not every:
        raise UsageError(f"{source.text} has no syncrepl stanza", "It is no consumer; name one, or give --provider.")
    there = "; ".join(f"rid {_number(way)} from {way.uri}, {way.scope.base!r}" for way in every)
    wanted = [f"rid {source.rid:03}"] if source.rid is not None else []
    wanted += [given["base"]] if given["base"] else []
    wanted += provider_uris(given)
    raise UsageError(f"{source.text} has no syncrepl stanza for {' and '.join(wanted)}", f"There is: {there}.")


def _order(way: Way) -> int:
    """By number: cn=config itself keeps no order that anybody wrote."""
    return 1000 if way.rid is None else way.rid


def _address(uri: str) -> object:
    try:
        return parse_uri(uri)
    except UsageError:
        return None


def _number(way: Way) -> str:
    return "?" if way.rid is None else f"{way.rid:03}"


def _pairing(way: Way, number: int, server: Endpoint | None, given: options.Given) -> Pairing:
    name = f"rid {way.rid:03}" if way.rid is not None else f"stanza {number}"
    try:
        consumers, notes = _consumers(way, server, given)
    except _NotLent as error:
        consumers, notes = tuple(Endpoint(uri) for uri in given["consumers"] or (local_uri(),)), ()
        way = replace(way, provider=None, problem=way.problem or error)
    if way.provider and not way.provider.tls.verify and not said(given, "tls_reqcert"):
        notes += ("the provider's certificate is not verified, as the stanza has it (tls_reqcert)",)
    if way.scope.attrsonly:
        notes += ("the stanza asks for the names of attributes only (attrsonly); values are compared all the same",)
    providers = (way.provider,) if way.provider else ()
    peer = way.peer and not given["consumers"]
    problem = way.problem
    if problem is not None and way.place is not None and not server:
        problem = type(problem)(f"{way.place}: {problem.message}", problem.cure)
    scope = _scope(way.scope, given)
    origins = {**given.get("origins", {}), **{key: at for key, at in way.origins.items() if not said(given, key)}}
    told = ({**given, "origins": origins}, *({**given} for _ in consumers))
    return Pairing(
        name, scope, providers, consumers, given, peer, notes, problem, (way.uri,), told[1 - len(providers) :]
    )


def _consumers(way: Way, server: Endpoint | None, given: options.Given) -> tuple[tuple[Endpoint, ...], tuple[str, ...]]:
    """Those of the command line, else the server whose stanza it is, else the slapd on this machine."""
    uris: tuple[str, ...] = tuple(given["consumers"])
    notes: tuple[str, ...] = ()
    if not uris and server:
        uris = (server.uri,)
    elif not uris:
        uris = (local_uri(),)
        notes = (f"the consumer was not named, and was taken to be {uris[0]}",)
    found = tuple(_consumer(uri, way, server, given) for uri in uris)
    if server and not _own_identity(given) and any(isinstance(each.bind, External) for each in found) and not way.open:
        notes += ("root over ldapi may not be shown all (userPassword, say); --consumer-bind-dn names one who is",)
    return found, notes


def _own_identity(given: options.Given) -> bool:
    names = ("bind_dn", "sasl", "consumer_bind_dn", "consumer_sasl", "prompt", "password_file")
    return any(given.get(name) for name in names)


def _consumer(uri: str, way: Way, server: Endpoint | None, given: options.Given) -> Endpoint:
    own = options.consumer_endpoints({**given, "consumers": (uri,)})[0]
    if not isinstance(own.bind, Anonymous):
        return own
    if own.address.scheme == "ldapi":
        return Endpoint(uri, External(given["authzid"]), own.tls, own.timeout).checked()
    if server or way.provider is None:
        return own
    bind: Bind = way.provider.bind
    theirs = way.provider.tls
    tls = Tls(
        own.tls.starttls,
        own.tls.cacert or theirs.cacert,
        own.tls.cert or theirs.cert,
        own.tls.key or theirs.key,
        own.tls.verify,
        own.tls.allow_cleartext,
        own.tls.cacertdir or theirs.cacertdir,
    )
    try:
        return Endpoint(uri, bind, tls, own.timeout).checked()
    except UsageError as error:
        raise _NotLent(error.message, "Name who binds at the consumer, with --consumer-bind-dn.") from None


class _NotLent(UsageError):
    """The stanza's identity is of no use at the consumer: a client certificate where there is no TLS, say."""


def _reader(given: options.Given, uri: str) -> Endpoint:
    """The live server as the one who may read its cn=config: over ldapi that is root, by SASL EXTERNAL."""
    endpoint = options.provider_endpoint({**given, "provider": uri})
    if not isinstance(endpoint.bind, Anonymous):
        return endpoint
    if endpoint.address.scheme == "ldapi":
        return Endpoint(uri, External(given["authzid"]), endpoint.tls, endpoint.timeout).checked()
    return options.consumer_endpoints({**given, "consumers": (uri,)})[0]


def _scope(scope: ReplicationScope, given: options.Given) -> ReplicationScope:
    """The stanza's scope with what the command line says instead."""
    own = options.replication_scope(given)
    return ReplicationScope(
        base=scope.base,
        scope=Scope(own.scope) if said(given, "scope") else scope.scope,
        filter=own.filter if said(given, "filter") else scope.filter,
        attrs=own.attrs if given["attrs"] else scope.attrs,
        exattrs=own.exattrs if given["exattrs"] else scope.exattrs,
        attrsonly=scope.attrsonly,
        suffixmassage=own.suffixmassage or scope.suffixmassage,
    )


def local_uri() -> str:
    """The slapd on this machine: its socket where there is one, else by name."""
    uri = local_socket()
    return uri if Path(parse_uri(uri).path).exists() else BY_NAME


def local_socket() -> str:
    """The ldapi URI that ldap.conf names, or the usual place where there is a socket."""
    from ldaprepl.cli import ldaprc

    named = next((uri for uri in ldaprc.value("URI").split() if uri.lower().startswith("ldapi:")), "")
    if named or Path(parse_uri(LOCAL).path).exists():
        return named or LOCAL
    return next((f"ldapi://{quote(path, safe='')}" for path in SOCKETS if Path(path).exists()), LOCAL)
