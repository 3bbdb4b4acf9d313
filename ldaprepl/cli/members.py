"""The servers of a pairing as `check` and `status` watch them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ldaprepl.check import Member, Tools
from ldaprepl.cli.pairing import Pairing
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import UsageError
from ldaprepl.protocol.filters import encode_filter
from ldaprepl.wire.endpoint import parse_uri
from ldaprepl.wire.replica import LdapReplica, side_by_side


@contextmanager
def members_of(pairing: Pairing) -> Iterator[tuple[list[Member], ReplicationScope]]:
    """Its servers and scope. Raises `LdapreplError`."""
    if pairing.problem:
        raise pairing.problem
    encode_filter(pairing.scope.filter)  # a slip in the filter is a usage error, before any server is asked
    if not pairing.consumers and len(pairing.providers) < 2:
        raise UsageError("there is nothing to compare", "Give --consumer, or several providers.")
    named = pairing.servers
    addresses = [parse_uri(endpoint.uri) for endpoint, _ in named]
    if len(set(addresses)) < len(addresses):
        raise UsageError("a server is named twice", "Name each once, as provider or as consumer.")
    replicas = [LdapReplica(endpoint, now) for endpoint, _ in named]
    try:
        members = [Member(replica, is_provider) for replica, (_, is_provider) in zip(replicas, named, strict=True)]
        yield members, pairing.scope
    finally:
        for replica in replicas:
            replica.close()


def tools() -> Tools:
    """The real world."""
    return Tools(now, time, side_by_side)


def now() -> datetime:
    """UTC."""
    return datetime.now(UTC)
