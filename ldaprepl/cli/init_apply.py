"""`init-consumer --consumer URI` and `--apply URI`: a running consumer is asked, and changed if wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import click

from ldaprepl import applyconfig
from ldaprepl.cli import options
from ldaprepl.cli.init_parts import PYTHON, Job, records_of, updatedn_of
from ldaprepl.domain.applyplan import Survey, objections, taken, written_objections
from ldaprepl.domain.configdiff import ConfigChange
from ldaprepl.domain.consumerplan import plan
from ldaprepl.domain.provider import Finding
from ldaprepl.domain.schemagap import Published
from ldaprepl.errors import ExitCode, UsageError
from ldaprepl.init_consumer import server_of, subschema
from ldaprepl.ports import DirectoryReader, LiveConfig
from ldaprepl.report.applyplan import render_changes
from ldaprepl.wire.endpoint import Anonymous, Endpoint, External
from ldaprepl.wire.liveconfig import StreamConfig
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.stream import open_stream


@dataclass(frozen=True, slots=True)
class Running:
    """A running consumer: its configuration, what it has for the suffix, and its schema."""

    config: LiveConfig
    reader: DirectoryReader
    survey: Survey
    schema: Published


def check_apply(given: options.Given) -> None:
    """Refuse what cannot be applied. Raises `UsageError`."""
    if given["apply"] and given["consumer"] and given["apply"] != given["consumer"]:
        raise UsageError("--apply and --consumer name two servers", "--apply alone is enough.")
    if given["apply"] and given["full"]:
        raise UsageError(
            "--full writes a whole new server, --apply changes one that runs",
            "--apply alone makes the database too, where it is missing.",
        )
    if given["apply"] and given["mirror"]:
        raise UsageError(
            "--apply changes one server, --mirror is about two",
            "Write the pair's part with --format ldif, and give it to ldapmodify -c at each of them.",
        )
    if given["apply"] and given["output"]:
        raise UsageError("--apply writes into the server, --output into a file: choose one")
    if (given["yes"] or given["dry_run"]) and not given["apply"]:
        raise UsageError("--yes and --dry-run go with --apply")


@contextmanager
def running(given: options.Given, job: Job) -> Iterator[Running | None]:
    """The consumer that --apply or --consumer names; None when neither does."""
    uri = given["apply"] or given["consumer"]
    if not uri:
        yield None
        return
    with ExitStack() as held:
        stream = held.enter_context(open_stream(_endpoint(given, uri)))
        config, reader = StreamConfig(stream), Probe(stream)
        found = applyconfig.survey(config, job.scope.consumer_base)
        yield Running(config, reader, found, subschema(reader))


def fitted(job: Job, consumer: Running) -> Job:
    """The job with what only the consumer knows: a free rid (or its own), its release, the DN of its database."""
    given = dict(job.given)
    version = server_of(consumer.reader).version
    if not given["openldap"] and version is not None:
        given["openldap"] = str(version)
    if consumer.survey.database is not None:
        given["database"] = consumer.survey.database.dn
    fresh = consumer.survey.database is None and not given["for_provider"]
    rid = job.rid if given["rid"] is not None else consumer.survey.rid_for(job.access.uri, job.scope.base)
    return replace(job, given=given, rid=rid, fresh=fresh)


def consumer_findings(job: Job, consumer: Running, provider: DirectoryReader) -> tuple[Finding, ...]:
    """What stands against this consumer."""
    if job.given["for_provider"]:
        return ()
    scope = job.scope if job.scope.filter.startswith("(") else job.whole_filter
    python = job.given["method"] == PYTHON
    found = [
        applyconfig.missing_schema(provider, scope, subschema(provider), consumer.schema),
        None if python or consumer.survey.stanzas else applyconfig.foreign_data(provider, consumer.reader, scope),
        taken(consumer.survey, job.given["directory"]),
    ]
    if python:
        against = written_objections(consumer.survey, updatedn_of(job))
    else:
        against = objections(consumer.survey, plan(job.access, job.scope, job.rid, job.manner))
    return (*against, *(each for each in found if each))


def apply(job: Job, consumer: Running) -> int:
    """Show, ask, change. Returns the exit code."""
    given = job.given

    def agreed(changes: list[ConfigChange]) -> bool:
        click.echo(render_changes(changes), nl=False)
        if given["dry_run"]:
            return False
        if given["yes"]:
            return True
        if not sys.stdin.isatty():
            raise UsageError("nobody can be asked whether to change this", "Say --yes, or --dry-run to see it only.")
        return click.confirm(f"Change {consumer.config.uri} so?", err=True)

    found, uri = consumer.survey, consumer.config.uri
    if given["for_provider"]:
        found = applyconfig.survey(consumer.config, job.suffix or job.scope.base)
        if found.database is None:
            raise UsageError(f"{uri} has no database for {found.suffix}", "--apply must name the provider itself here.")
    native = not given["for_provider"] and given["method"] != PYTHON
    chosen = plan(job.access, job.scope, job.rid, job.manner) if native else None
    wanted = applyconfig.Wanted(records_of(job, found.database), chosen, job.version)
    match applyconfig.apply(consumer.config, wanted, found, agreed):
        case None:
            click.echo(f"Nothing to change: {uri} has all of it.", err=True)
        case True if native:
            click.echo(f"Done: {uri} replicates {job.scope.base} from {job.access.uri}.", err=True)
        case True:
            click.echo(f"Done: {uri} has all of it now.", err=True)
        case _:
            click.echo("Nothing was changed.", err=True)
    return ExitCode.OK


def _endpoint(given: options.Given, uri: str) -> Endpoint:
    """The consumer; over ldapi the local user, unless somebody else is named for the consumer."""
    named = given["consumer_bind_dn"] or given["consumer_sasl"]
    if uri.startswith("ldapi:") and not named:
        return Endpoint(uri, External(), timeout=given["timeout"]).checked()
    (endpoint,) = options.consumer_endpoints({**given, "consumers": [uri]})
    if isinstance(endpoint.bind, Anonymous):
        raise UsageError(f"nobody may change {uri} anonymously", "Name the rootdn of cn=config: --consumer-bind-dn.")
    return endpoint
