"""What `init-consumer` writes, put together from what was asked for and what was found: the stanza, a part, or a whole
server. Options become values here; the text is made by `report`.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, replace

from ldaprepl.cli import options
from ldaprepl.domain import ldif, providerplan, serverplan
from ldaprepl.domain.blueprint import Blueprint, Places
from ldaprepl.domain.consumerplan import Manner, plan
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import Record
from ldaprepl.domain.provider import Access
from ldaprepl.domain.providerplan import ProviderNeeds, admin
from ldaprepl.domain.schemaplan import SchemaPlan
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.serverplan import Target
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form
from ldaprepl.errors import UsageError
from ldaprepl.report.blueprint import render
from ldaprepl.report.stanza import ANY_DATABASE, render_plan
from ldaprepl.wire.endpoint import parse_uri

_PORTABLE, _SERVER = Version(2, 4), Version(2, 5)
PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that decides the text but the provider itself."""

    given: options.Given
    access: Access
    scope: ReplicationScope
    manner: Manner
    rid: int = 1
    suffix: str = ""
    sync_present: bool = False
    schema: SchemaPlan | None = None
    fresh: bool = False  # the running consumer has no database for it yet

    @property
    def form(self) -> Form:
        """slapd.conf or LDIF."""
        return Form(self.given["format_"])

    @property
    def version(self) -> Version:
        """The slapd that must take it."""
        return version_of(self.given)

    @property
    def whole_filter(self) -> ReplicationScope:
        """The scope with the outer parentheses that slapd would add to the filter."""
        return self.scope._replace(filter=f"({self.scope.filter})")

    @property
    def target(self) -> Target:
        """The consumer. Raises `UsageError`."""
        target = Target(
            suffix=self.scope.consumer_base,
            version=self.version,
            whole=self.given["full"],
            fresh=self.fresh,
            provides=self.given["cascade"],
            directory=self.given["directory"],
            places=Places(self.given["module_dir"], self.given["schema_dir"]),
            rootpw=_hashed(options.consumer_password(self.given)) if self.given["full"] else None,
        )
        return target if self.schema is None else replace(
            target, schemas=self.schema.schemas, modules=self.schema.modules
        )  # fmt: skip


def check_usage(given: options.Given) -> None:
    """Refuse what does not go together. Raises `UsageError`."""
    python, partial = given["method"] == PYTHON, given["suffixmassage"] or given["filter"] != MATCH_ALL
    clashes = [
        (given["seed"] and (python or given["for_provider"] or given["apply"]),
         "--seed is for a native consumer that is not running yet: load it first, then --apply"),
        (given["mirror"] and partial, "--mirror is for whole databases: no --filter, no --suffixmassage"),
        (given["mirror"] and python, "--mirror needs native syncrepl, not --method python"),
        (given["for_provider"] and python, "--for-provider is for native consumers; ldaprepl sync needs nothing there"),
        (given["mirror"] and parse_uri(given["mirror"] or given["provider"]).scheme == "ldapi",
         "--mirror needs a URI that the other node can reach"),
    ]  # fmt: skip
    for clash, text in clashes:
        if clash:
            raise UsageError(text)


def version_of(given: options.Given) -> Version:
    """The version asked for; unless named, one that fits: a stanza is the same from 2.4 on. Raises `UsageError`."""
    text = given["openldap"]
    if not text:
        return _SERVER if given["full"] or given["mirror"] or given["for_provider"] else _PORTABLE
    try:
        version = Version.parse(text)
    except ValueError:
        raise UsageError(f"--openldap {text!r} is not a version such as 2.4 or 2.5.13") from None
    if not Version.OLDEST <= version.branch <= Version.NEWEST:
        raise UsageError(f"OpenLDAP {text} is not one of 2.2 to 2.7", "Syncrepl came with 2.2.")
    return version


def text_of(job: Job) -> str:
    """What is to be written. Raises `UsageError` for what cannot be said in that form for that version."""
    given = job.given
    simple = not (given["full"] or given["mirror"] or given["cascade"] or given["for_provider"])
    if simple and given["method"] != PYTHON:
        chosen = plan(job.access, job.scope, job.rid, job.manner)
        return render_plan(chosen, job.form, job.version, given["database"])
    whole = bool(given["full"])
    return render(_blueprint(job), job.form, job.version, whole=whole, database=given["database"])


def records_of(job: Job, database: Entry | None) -> tuple[Record, ...]:
    """The part as change records for a running server; a native stanza only where the database is new too, for in one
    that is there it may have to join others. Raises as `text_of` does.
    """
    given, native = job.given, not job.given["for_provider"] and job.given["method"] != PYTHON
    if native and not (job.fresh or given["cascade"]):
        return ()
    part = _blueprint(job)
    if native and not job.fresh:
        (held,) = part.databases
        lines = tuple(line for line in held.lines if line.name != "index")  # these come with the stanza
        part = replace(part, databases=(replace(held, lines=lines, plans=(), after=()),))
    text = render(part, Form.CN_CONFIG, job.version, whole=False, database=database.dn if database else ANY_DATABASE)
    return tuple(ldif.records(text.splitlines()))


def _blueprint(job: Job) -> Blueprint:
    given, access, target = job.given, job.access, job.target
    if given["for_provider"]:
        needs = ProviderNeeds(
            suffix=job.suffix or job.scope.base,
            delta=given["mode"] == "delta",
            present=job.sync_present,
            directory=given["directory"],
            places=target.places,
        )
        if target.whole:
            return providerplan.provider_server(access, replace(needs, present=False), target.schemas)
        return providerplan.provider_part(access, needs)
    if given["method"] == PYTHON:
        return serverplan.written_by_sync(updatedn_of(job), access.uri, access, target)
    first = plan(access, job.scope, job.rid, job.manner)
    if not given["mirror"]:
        return serverplan.consumer(first, access, target)
    other = replace(access, uri=given["mirror"], local=parse_uri(given["mirror"]).on_this_machine)
    plans = (first, plan(other, job.scope, (job.rid % 999) + 1, job.manner))
    return serverplan.mirror(plans, access, target)


def updatedn_of(job: Job) -> str:
    """Whom `ldaprepl sync` writes as: the identity for the consumer, unless it is one of cn=config; else its rootdn."""
    named = job.given["consumer_bind_dn"] or ""
    return admin(job.scope.consumer_base) if not named or named.lower().endswith("cn=config") else named


def _hashed(password: Secret | None) -> Secret | None:
    """{SSHA}, which every slapd has built in: the file need not hold the administrator's password in clear."""
    if password is None:
        return None
    salt = secrets.token_bytes(8)
    digest = hashlib.sha1(password.reveal_bytes() + salt, usedforsecurity=False).digest()
    return Secret("{SSHA}" + base64.b64encode(digest + salt).decode("ascii"))
