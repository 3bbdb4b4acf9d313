"""`init-consumer --mirror URI`: a look at the other node of the pair, before both get the same configuration."""

from __future__ import annotations

from ldaprepl import applyconfig
from ldaprepl.cli.init_parts import Job
from ldaprepl.domain.provider import Finding, Severity
from ldaprepl.domain.version import Version
from ldaprepl.errors import ServerUnavailable
from ldaprepl.init_consumer import server_of, subschema
from ldaprepl.ports import DirectoryReader
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.stream import open_stream

_NEW_WORD = Version(2, 5)  # from here on the database says multiprovider, before it said mirrormode


def other_node(job: Job, first: DirectoryReader, endpoint: Endpoint) -> tuple[Finding, ...]:
    """What stands against the node at `endpoint`. One that cannot be asked yet is only a note: it may not exist."""
    try:
        with open_stream(endpoint) as stream:
            return _judged(job, first, Probe(stream))
    except ServerUnavailable as error:
        text = f"the other node could not be looked at ({error.message})"
        return (Finding("mirror-away", Severity.NOTE, text, "Its data must be none, or a copy of this node's."),)


def _judged(job: Job, first: DirectoryReader, other: DirectoryReader) -> tuple[Finding, ...]:
    base = job.scope.base
    found = []
    ours, theirs = (reader.look(base, ("entryUUID",)).entry for reader in (first, other))
    if ours and theirs and ours.uuid and theirs.uuid and ours.uuid != theirs.uuid:
        text = f"{other.uri} holds {base} already, and not this node's: replication would mix two directories"
        cure = "Empty one of them first, or load it with --seed."
        found.append(Finding("mirror-data", Severity.ERROR, text, cure))
    version = server_of(other).version
    if version is not None and (version.branch < _NEW_WORD) != (job.version.branch < _NEW_WORD):
        text = f"{other.uri} runs {version}, and this is written for {job.version}: the database's word for it differs"
        cure = f"Write it once more for that node, with --openldap {version.branch}."
        found.append(Finding("mirror-version", Severity.WARNING, text, cure))
    gap = applyconfig.missing_schema(first, job.scope, subschema(first), subschema(other))
    if gap:
        found.append(Finding("mirror-schema", Severity.ERROR, gap.text.replace("the consumer", other.uri, 1), gap.cure))
    return tuple(found)
