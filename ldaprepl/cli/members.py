"""Which servers take part in `check` and `status`: named on the command line, or found through a stanza."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ldaprepl.check import Member, Tools
from ldaprepl.cli import given as options
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import UsageError
from ldaprepl.protocol.filters import encode_filter
from ldaprepl.wire.endpoint import Endpoint, parse_uri
from ldaprepl.wire.replica import LdapReplica, side_by_side


@contextmanager
def members_of(given: options.Given) -> Iterator[tuple[list[Member], ReplicationScope]]:
    """The servers and the scope that the options name. Raises `LdapreplError`."""
    scope, named = from_stanza(given) if given["stanza"] else _from_options(given)
    encode_filter(scope.filter)  # a slip in the filter is a usage error, before any server is asked
    addresses = [parse_uri(endpoint.uri) for endpoint, _ in named]
    if len(set(addresses)) < len(addresses):
        raise UsageError("a server is named twice", "Name each once, as provider or as consumer.")
    replicas = [LdapReplica(endpoint, now) for endpoint, _ in named]
    try:
        yield [Member(replica, is_provider) for replica, (_, is_provider) in zip(replicas, named, strict=True)], scope
    finally:
        for replica in replicas:
            replica.close()


Named = list[tuple[Endpoint, bool]]  # and whether it is a provider


def _from_options(given: options.Given) -> tuple[ReplicationScope, Named]:
    if not given["providers"] or not given["base"]:
        raise UsageError("there is nothing to look at", "Give --provider and --base, or --stanza ldapi:///.")
    providers, consumers = options.provider_endpoints(given), options.consumer_endpoints(given)
    if not consumers and len(providers) < 2:
        raise UsageError("there is nothing to compare", "Give --consumer, or several providers.")
    named = [(endpoint, True) for endpoint in providers] + [(endpoint, False) for endpoint in consumers]
    return options.replication_scope(given), named


def from_stanza(given: options.Given) -> tuple[ReplicationScope, Named]:
    from ldaprepl.wire import livestanza  # a reader of configurations, and nobody else's business

    if given["providers"] or given["consumers"]:
        raise UsageError("--stanza names the servers itself", "Leave --provider and --consumer out.")
    consumer = options.provider_endpoint({**given, "provider": given["stanza"]})
    way = livestanza.read(consumer, given["base"])
    named = [(endpoint, True) for endpoint in way.providers]
    return way.scope, [*named, (consumer, way.peer)]


def tools() -> Tools:
    """The real world."""
    return Tools(now, time, side_by_side)


def now() -> datetime:
    """UTC."""
    return datetime.now(UTC)
