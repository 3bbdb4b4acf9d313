"""`init-consumer --seed FILE`: the LDIF that a big consumer starts from, written as it is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ldaprepl import bulkload
from ldaprepl.cli import options
from ldaprepl.cli.init_parts import Job
from ldaprepl.cli.output import progress, written
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.provider import ProviderProfile
from ldaprepl.domain.words import comment
from ldaprepl.errors import unwritten
from ldaprepl.init_consumer import subschema
from ldaprepl.report.values import printable
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.stream import open_stream


def write_seed(job: Job, endpoint: Endpoint, profile: ProviderProfile) -> None:
    """Write it, with mode 0600: it holds every password hash. Raises `LdapreplError`; then there is no file."""
    scope = job.scope if job.scope.filter.startswith("(") else job.whole_filter
    bulkload.check(scope, profile.suffix, base_in_filter=profile.base_in_filter)
    bar = progress(job.given["quiet"])
    file: Path = job.given["seed"]
    try:
        with open_stream(endpoint) as stream:
            probe = Probe(stream)
            entries = bulkload.seed(probe, scope, Schema.parse(*subschema(probe)), profile.suffix or "", bar)
            count = _write(file, _heading(job), entries)
    finally:
        bar.close()
    options.notice(
        f"{counted(count)} {agreeing(count)} in {file}; to be loaded with: slapadd -q -b {scope.base!r} -l {file}"
    )


def _heading(job: Job) -> str:
    base = printable(job.scope.base)
    return comment(
        f"Seed for a consumer of {printable(job.access.uri)}, by ldaprepl init-consumer. For an empty database whose "
        f"suffix is {base}, before slapd is started: slapadd -q (not -w: the contextCSN is in here). "
        "The consumer goes on from there."
    )


def _write(file: Path, heading: str, entries: Iterable[Entry]) -> int:
    """Mode 0600, whole or not there."""
    count = 0
    try:
        with written(file, 0o600) as out:
            out.write(heading + "\n")
            for entry in entries:
                out.write(entry_text(entry))
                count += 1
    except OSError as error:
        raise unwritten(f"{file} cannot be written", error) from None
    return count
