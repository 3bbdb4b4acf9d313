"""Which servers, as whom, for what scope: the one answer that `verify`, `check`, `status` and `sync` share.

It is made from, in this order: the command line, a profile (`--profile`), a stanza (`--stanza`), and, when nothing is
named, the stanzas in the live cn=config of the slapd on this machine. What the command line says wins over the rest.
Whatever a plain check does not need is imported where it is needed.
"""

from __future__ import annotations

import socket
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from ldaprepl.cli import given as options
from ldaprepl.cli.given import said
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope, Scope
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.wire.endpoint import Anonymous, Bind, Endpoint, External, Tls, parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ldaprepl.wire.stanzasource import SourceName, Way

LOCAL, BY_NAME = "ldapi:///", "ldap://localhost"
_WHOLE = {"scope": "sub", "filter": MATCH_ALL, "attrs": (), "exattrs": (), "suffixmassage": ""}
SOCKETS = ("/var/run/ldapi", "/var/run/openldap/ldapi", "/usr/local/var/run/ldapi")  # where others than Debian have it


class Pairing(NamedTuple):
    """Providers, their consumers, and what of them is to be the same.

    `given` are the options in force for it (thresholds, settle, state ...). `peer`: the consumers take writes too.
    `problem` says why the providers of a stanza cannot be followed; `providers` is empty then, and `uris` still has
    their names. `notes` say what was assumed. `told` are the options behind each of `servers`, with their origins.
    """

    name: str
    scope: ReplicationScope
    providers: tuple[Endpoint, ...]
    consumers: tuple[Endpoint, ...]
    given: options.Given
    peer: bool = False
    notes: tuple[str, ...] = ()
    problem: LdapreplError | None = None
    uris: tuple[str, ...] = ()
    told: tuple[options.Given, ...] = ()

    @property
    def servers(self) -> list[tuple[Endpoint, bool]]:
        """All of them, each with whether it takes writes from clients: providers, and peers."""
        providers = [(endpoint, True) for endpoint in self.providers]
        return [*providers, *((endpoint, self.peer) for endpoint in self.consumers)]

    @property
    def provider(self) -> Endpoint:
        """The only one. Raises its `problem`, or `UsageError` where there are several."""
        if self.problem:
            raise self.problem
        if len(self.providers) != 1:
            raise UsageError("there are several providers", f"Choose with --provider: {', '.join(self.uris)}")
        return self.providers[0]


def pairings(given: options.Given) -> list[Pairing]:
    """One pairing for each stanza or replica, or the one that the options name. Raises `LdapreplError`."""
    found = _found(given)
    return [one for pairing in found for one in _apart(pairing)]


def _found(given: options.Given) -> list[Pairing]:
    if given.get("profile") or given.get("all_"):
        from ldaprepl.cli.profiles import from_profiles

        if given.get("stanza") or (given.get("profile") and given.get("all_")):
            raise UsageError("--profile, --all and --stanza are three ways to say the same", "Give one of them.")
        return from_profiles(given)
    if given.get("config"):
        raise UsageError("--config says where replicas are described, but none is named", "Give --profile or --all.")
    if given.get("stanza"):
        return from_stanza(given, given["stanza"])
    if provider_uris(given) or given["consumers"]:
        return [_from_options(given)]
    return _from_this_machine(given)


def _apart(pairing: Pairing) -> list[Pairing]:
    """One pairing for each provider of a replica that has several."""
    if len(pairing.providers) < 2 or not pairing.name:
        return [pairing]
    return [
        pairing._replace(name=f"{pairing.name}, {each.uri}", providers=(each,), uris=(each.uri,))
        for each in pairing.providers
    ]


def grouped(given: options.Given) -> list[Pairing]:
    """The same, with all providers of one scope in one pairing; replicas stay what they are. Raises the problem of a
    stanza that has one."""
    groups: dict[object, Pairing] = {}
    profiled = given.get("profile") or given.get("all_")
    for pairing in _found(given):
        if profiled:
            groups[len(groups)] = pairing
            continue
        if pairing.problem:
            raise pairing.problem
        scope = pairing.scope
        content = (scope.scope, scope.filter, scope.attrs, scope.exattrs, scope.suffixmassage)
        key = (scope.base.lower(), content, tuple(each.uri for each in pairing.consumers), pairing.peer)
        before = groups.get(key)
        if before is None:
            groups[key] = pairing
            continue
        more = [provider for provider in pairing.providers if provider.uri not in before.uris]
        groups[key] = before._replace(
            name=f"{before.name}, {pairing.name}",
            providers=(*before.providers, *more),
            uris=(*before.uris, *(provider.uri for provider in more)),
        )
    return list(groups.values())


def filled(given: options.Given) -> options.Given:
    """The options of a command that takes one provider, with what --profile says: servers by their URIs, with their
    endpoints made. Raises `LdapreplError`.
    """
    if not given.get("profile"):
        if given.get("config"):
            raise UsageError("--config says where replicas are described, but none is named", "Give --profile.")
        return given
    one = given.get("consumer")
    whole = {**_WHOLE, "consumers": (one,) if one else (), **given}
    pairing = only(pairings(whole))
    provider, scope = pairing.provider, pairing.scope
    uris = tuple(consumer.uri for consumer in pairing.consumers)
    found = {**pairing.given, "provider": provider.uri, "base": scope.base, "consumers": uris}
    if one or (len(uris) == 1 and "explain_" in given):  # `replay` is about a pair, others only about a provider
        found["consumer"] = uris[0]
    if "scope" in given:
        found |= {"scope": scope.scope.value, "filter": scope.filter, "attrs": scope.attrs, "exattrs": scope.exattrs}
        found["suffixmassage"] = scope.suffixmassage
    else:
        found |= {name: given[name] for name in ("attrs", "exattrs") if name in given}
    ready = {("consumer", consumer.uri): consumer for consumer in pairing.consumers}
    return {**found, "endpoints": {("provider", provider.uri): provider, **ready}}


def only(found: list[Pairing]) -> Pairing:
    """The one that there is. Raises `UsageError` where there are several."""
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{pairing.scope.base} ({pairing.name})" for pairing in found)
    raise UsageError("there are stanzas for several bases", f"Choose with --base, or --stanza SOURCE#RID: {there}")


def provider_uris(given: options.Given) -> tuple[str, ...]:
    """The providers on the command line, of commands that take one and of commands that take several."""
    one = given.get("provider")
    return tuple(given.get("providers") or ((one,) if one else ()))


# -- the command line --------------------------------------------------------------------------------------------------


def _from_options(given: options.Given) -> Pairing:
    uris = provider_uris(given)
    if not uris:
        raise UsageError("there is nothing to compare with: no provider is named", "Give --provider, or --stanza.")
    given = {**given, "base": given["base"] or _default_base()}
    if not given["base"]:
        raise UsageError("it is not said what to look at", "Give the search base with --base.")
    providers = tuple(options.provider_endpoint({**given, "provider": uri}) for uri in uris)
    consumers = tuple(options.consumer_endpoints(given))
    return Pairing("", options.replication_scope(given), providers, consumers, given, uris=uris)


def _default_base() -> str:
    from ldaprepl.cli import ldaprc

    return ldaprc.value("BASE")


# -- stanzas -----------------------------------------------------------------------------------------------------------


def _from_this_machine(given: options.Given) -> list[Pairing]:
    from ldaprepl.errors import ServerUnavailable

    cure = "Name servers with --provider, --consumer and --base, or a configuration with --stanza."
    try:
        return from_stanza(given, local_socket())
    except ServerUnavailable as error:
        raise UsageError(f"there is nothing to look at: no servers are named, and {error.message}", cure) from error
    except UsageError as error:
        raise UsageError(f"no servers are named, and {error.message}", f"{error.cure or ''} {cure}".strip()) from error


def from_stanza(given: options.Given, text: str) -> list[Pairing]:
    """The stanzas of a source, in the order of their numbers. Raises `LdapreplError`."""
    from ldaprepl.wire import stanzasource

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
    consumers, notes = _consumers(way, server, given)
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
    return Endpoint(uri, bind, tls, own.timeout).checked()


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
