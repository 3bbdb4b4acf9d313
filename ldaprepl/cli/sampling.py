"""The spot check of `check --sample`, wired up. A file of its own, because it brings along all that `verify` needs."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from ldaprepl.check import Member
from ldaprepl.cli.output import NoProgress
from ldaprepl.domain.health import Criterion, Finding, Policy
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import LdapreplError
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.spotcheck import Options, Tools, spot_check
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.plain import open_socket
from ldaprepl.wire.pump import pump
from ldaprepl.wire.replica import LdapReplica
from ldaprepl.wire.stream import open_stream


def sample(members: Sequence[Member], scope: ReplicationScope, policy: Policy, count: int) -> Mapping[str, Finding]:
    """Compare every other server with the first provider. A server that cannot be opened has no sample."""
    tools = Tools(pump, decode_entry, decode_values, time, NoProgress(), random.randrange)
    with ExitStack() as opened:
        directories: list[LdapDirectory] = []
        for member in members:
            assert isinstance(member.replica, LdapReplica)
            try:
                stream = opened.enter_context(open_stream(member.replica.endpoint, open_socket))
            except LdapreplError:
                if not directories:
                    return {}  # without the provider there is nothing to compare with; `check` has said why
                continue
            directories.append(LdapDirectory(stream))
        try:
            return spot_check(directories[0], directories[1:], scope, tools, Options(count, policy=policy))
        except LdapreplError as error:
            text = f"no sample: {error.message}"
            unreadable = Finding(Criterion.UNREADABLE, policy.status(Criterion.UNREADABLE), text, error.cure)
            return {directories[0].uri: unreadable}
