"""Which servers, as whom, for what scope: the one answer that `verify`, `check`, `status` and `sync` share.

It is made from, in this order: the command line, a profile (`--profile`), a stanza (`--stanza`), and, when nothing is
named, the stanzas in the live cn=config of the slapd on this machine. What the command line says wins over the rest.
Whatever a plain check does not need is imported where it is needed.
"""

from typing import NamedTuple

from ldaprepl.cli import given as options
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.wire.endpoint import Endpoint

_WHOLE = {"scope": "sub", "filter": MATCH_ALL, "attrs": (), "exattrs": (), "suffixmassage": ""}


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
    if not given.get("stanza") and (provider_uris(given) or given["consumers"]):
        return [_from_options(given)]
    from ldaprepl.cli import stanzas

    if given.get("stanza"):
        return stanzas.from_stanza(given, given["stanza"])
    return stanzas.from_this_machine(given)


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
