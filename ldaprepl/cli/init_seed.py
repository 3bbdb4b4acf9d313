"""`init-consumer --seed FILE`: the LDIF that a big consumer starts from, and goes on from with native syncrepl."""

from __future__ import annotations

from pathlib import Path

from ldaprepl.cli import options
from ldaprepl.cli.init_parts import Job
from ldaprepl.cli.output import progress
from ldaprepl.cli.seedfile import heading, write_ldif
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.provider import ProviderProfile
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.errors import UsageError
from ldaprepl.init_consumer import subschema
from ldaprepl.seed import SEEDED, seed
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.seedsource import StreamedScope
from ldaprepl.wire.stream import open_stream


def write_seed(job: Job, endpoint: Endpoint, profile: ProviderProfile) -> None:
    """Raises `LdapreplError`; then there is no file."""
    scope = job.scope if job.scope.filter.startswith("(") else job.whole_filter
    _check(scope, profile)
    bar = progress(job.given["quiet"])
    file: Path = job.given["seed"]
    try:
        with open_stream(endpoint) as stream:
            schema = Schema.parse(*subschema(Probe(stream)))
            made = seed(StreamedScope(stream, scope, SEEDED), scope, schema, bar, native=True)
            head = heading(job.access.uri, scope.base, "init-consumer --seed")
            count = write_ldif(file, head, scope.base, made.entries)
    finally:
        bar.close()
    options.notice(
        f"{counted(count)} {agreeing(count)} in {file}; to be loaded with: slapadd -q -b {scope.base!r} -l {file}"
    )


def _check(scope: ReplicationScope, profile: ProviderProfile) -> None:
    """Refuse what cannot be seeded: contextCSN belongs on the suffix entry, as it is. Raises `UsageError`."""
    cure = "Start with an empty consumer: it fills itself."
    if scope.suffixmassage:
        raise UsageError("--seed cannot rename entries (--suffixmassage)", cure)
    if not profile.base_in_filter or scope.scope in (Scope.SUBORD, Scope.ONE):
        raise UsageError("--seed needs the base entry itself in scope: it carries the contextCSN", cure)
    if profile.suffix is None:
        raise UsageError(f"the provider does not show the naming context of {scope.base}, which --seed needs", cure)
