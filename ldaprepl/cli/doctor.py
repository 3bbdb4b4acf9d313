"""`ldaprepl doctor`."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.init_consumer import access_of
from ldaprepl.cli.members import now
from ldaprepl.cli.output import NoProgress, emit
from ldaprepl.cli.pairing import grouped, only
from ldaprepl.doctor import Member, Tools, doctor
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.report import doctor as words
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.patient import LdapPatient
from ldaprepl.wire.replica import side_by_side


@click.command("doctor", cls=Command, context_settings={"default_map": {"timeout": 10.0}})
@options.members
@options.identity
@options.consumer_identity
@options.tls
@options.scope
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Look at servers as configured, side by side: what fits, what does not, and the cure.

    \b
    ldaprepl doctor --provider ldap://a --consumer ldap://b -b dc=example,dc=com
    ldaprepl doctor                  # on a consumer, as root: what its stanzas say

    Nothing is changed. Reads every entry once, without attributes: nothing else shows the limits.

    Exit code: 0 nothing is bad, 1 something is, 3 a server could not be asked.
    """
    scope, named = _named(given)
    with ExitStack() as opened:
        members: list[Member] = []
        for endpoint, is_provider in named:
            patient = LdapPatient(endpoint, access_of(endpoint), now)
            opened.callback(patient.close)
            members.append((patient, is_provider))
        diagnosis = doctor(members, scope, Tools(now, side_by_side, NoProgress()))
    if given["format_"] == "json":
        emit(words.render_json(diagnosis), given["output"])
    else:
        width = 80 if given["output"] else shutil.get_terminal_size().columns
        colour = options.colour_wanted() and given["output"] is None
        emit(words.render(diagnosis, width, colour=colour), given["output"])
    return diagnosis.exit_code


def _named(given: options.Given) -> tuple[ReplicationScope, list[tuple[Endpoint, bool]]]:
    """Any server will do, one too: unlike `check`, nothing has to be compared."""
    if given["stanza"] or given["profile"] or not (given["providers"] or given["consumers"]):
        pairing = only(grouped(given))
        return pairing.scope, pairing.servers
    providers, consumers = options.provider_endpoints(given), options.consumer_endpoints(given)
    named = [(endpoint, True) for endpoint in providers] + [(endpoint, False) for endpoint in consumers]
    return options.replication_scope(given), named


__all__ = ["command"]
