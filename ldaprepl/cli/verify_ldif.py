"""`verify --ldif`: dumps instead of servers, on one side or on both.

The files stand for the provider and its consumers in this order; where `--provider` names a server, all of them are
consumers. The schema is that of `--schema`, else of a server that takes part, else the standard attributes'.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ldaprepl.cli import options, verify_blindness
from ldaprepl.cli.output import progress
from ldaprepl.domain.ldifstream import decode_lines, split_record
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import MATCH_ALL
from ldaprepl.domain.standardschema import STANDARD
from ldaprepl.domain.verdict import Problem, VerifyReport
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.explain import explain
from ldaprepl.imagecheck import known_stamps
from ldaprepl.ports import Directory
from ldaprepl.protocol.messages import decode_values
from ldaprepl.verify import Options, Tools, undecided, verify
from ldaprepl.wire.directory import LdapDirectory, Unopened
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.ldifdirectory import LdifDirectory
from ldaprepl.wire.ldiffile import LdifFile
from ldaprepl.wire.ldifframes import split_either
from ldaprepl.wire.mixedpump import mixed_pump
from ldaprepl.wire.overflow import SqliteOverflow
from ldaprepl.wire.schemafile import read_schema
from ldaprepl.wire.stream import Stream, open_stream
from ldaprepl.wire.witness import LdapWitness, witnesses

_STANDARD_ONLY = (
    "no schema at hand: standard attributes are compared by their matching rules, all others byte by byte;"
    " --schema names the real one"
)


def compared(given: options.Given) -> VerifyReport:
    """The comparison that `--ldif` asks for. Raises `UsageError`."""
    names = _checked(given)
    provider = options.provider_endpoint(given) if given["provider"] else None
    consumers = options.consumer_endpoints(given)
    scope = options.replication_scope({**given, "base": given["base"] or ""})
    with contextlib.ExitStack() as opened:
        bar = progress(given["quiet"])
        opened.callback(bar.close)
        schemas = _Schemas(given)
        files = [LdifDirectory(LdifFile(name), schemas.get) for name in names]
        for file in files:
            opened.callback(file.close)
        try:
            servers = [_open(opened, endpoint) for endpoint in consumers]
            master: Directory = files.pop(0) if provider is None else LdapDirectory(_stream(opened, provider))
            schemas.servers = [held for held in (master, *servers) if isinstance(held, LdapDirectory)]
            schemas.get()  # while its server is not busy with its entries
            offline = provider is None and not consumers
            split, values = (split_record, decode_lines) if offline else (split_either, decode_values)
            tools = Tools(mixed_pump, split, values, SqliteOverflow, time, bar)
            copies = [*files, *servers]
            report = verify(master, copies, scope, tools, Options(given["settle"], given["bytewise"]))
            asked = LdapWitness(master) if isinstance(master, LdapDirectory) else None
            stored = report.contextcsn
            if asked is None and stored:  # the dump of a running provider proves more than the contextCSN in it
                held = [consumer.contextcsn for consumer in report.consumers]
                report = replace(report, contextcsn=known_stamps(master, scope.base, held))
            report = explain(report, asked, witnesses(copies), scope, datetime.now(UTC))
            report = replace(report, contextcsn=stored)
        except UsageError:
            raise
        except LdapreplError as error:
            uris = [*(names if provider else names[1:]), *(endpoint.uri for endpoint in consumers)]
            problem = Problem(error.message, error.cure)
            return undecided(scope, provider.uri if provider else names[0], uris, problem)
    if schemas.standard:
        said = [replace(held, notes=(_STANDARD_ONLY, *held.notes)) for held in report.consumers]
        report = replace(report, consumers=tuple(said))
    return report


def _checked(given: options.Given) -> list[str]:
    """The files. Raises `UsageError` for what cannot be together."""
    names = [*given["ldif"], *given["files"]]
    if not given["ldif"]:
        raise UsageError(f"it is not said what {names[0]} is", "Put --ldif before the names of dumps.")
    if given["repair"] or given["format_"] == "ldif":
        raise UsageError("--repair and --ldif do not go together", "Repair with both servers running.")
    if given["state"] or given["cron"] or given["since_last"]:
        raise UsageError("--state and --ldif do not go together", "What a dump holds cannot be remembered of a server.")
    if given["mesh"]:
        raise UsageError("--mesh and --ldif do not go together", "Compare two dumps at a time.")
    if verify_blindness.wanted(given):
        raise UsageError("an auditor and --ldif do not go together", "What is hidden shows on a running server only.")
    if given["stanza"]:
        raise UsageError("--ldif and --stanza do not go together", "Name the servers with --provider and --consumer.")
    if not given["provider"] and len(names) + len(given["consumers"]) < 2:
        raise UsageError(
            "one dump alone cannot be compared", "Give a second file, --consumer, or --provider for a consumer's dump."
        )
    if len(set(names)) < len(names):
        raise UsageError("a file is named twice", "Name each dump once; there is only one standard input (-).")
    if not given["base"] and (given["provider"] or given["consumers"]):
        raise UsageError("it is not said what to ask the server for", "Give the search base with --base.")
    if given["filter"] != MATCH_ALL:
        raise UsageError(
            "--filter cannot be applied to dumps", "Make the dumps with it: slapcat -a FILTER, or ldapsearch FILTER."
        )
    if any(name[:1] in "@!" for name in options.replication_scope({**given, "base": ""}).attrs):
        raise UsageError("--attrs @class cannot be applied to dumps", "Name the attributes.")
    return names


class _Schemas:
    """Where the schema of dumps comes from, found when it is first needed."""

    def __init__(self, given: options.Given) -> None:
        self._given = given
        self.servers: Sequence[LdapDirectory] = ()
        self._found: Schema | None = None

    @property
    def standard(self) -> bool:
        """Whether only the standard types were known."""
        return self._found is STANDARD

    def get(self) -> Schema:
        if self._found is None:
            self._found = Schema.EMPTY if self._given["bytewise"] else self._find(self._given["schema"])
        return self._found

    def _find(self, place: str | None) -> Schema:
        if not place:
            return self.servers[0].schema() if self.servers else STANDARD
        if "://" not in place:
            return read_schema(place)
        with open_stream(options.provider_endpoint({**self._given, "provider": place})) as stream:
            return LdapDirectory(stream).schema()


def _open(opened: contextlib.ExitStack, endpoint: Endpoint) -> Directory:
    """One consumer that cannot be opened leaves the others their verdict."""
    try:
        return LdapDirectory(_stream(opened, endpoint))
    except LdapreplError as error:
        return Unopened(endpoint.uri, error)


def _stream(opened: contextlib.ExitStack, endpoint: Endpoint) -> Stream:
    return opened.enter_context(open_stream(endpoint))
