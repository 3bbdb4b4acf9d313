"""`ldaprepl init-consumer`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.init_apply import Running, apply, check_apply, consumer_findings, fitted, running
from ldaprepl.cli.init_mirror import other_node
from ldaprepl.cli.init_parts import PYTHON, Job, check_usage, text_of
from ldaprepl.cli.init_seed import write_seed
from ldaprepl.cli.output import check_writable, emit, progress
from ldaprepl.cli.pairing import filled
from ldaprepl.domain import syncvalues
from ldaprepl.domain.blueprint import Places
from ldaprepl.domain.consumerplan import INTERVAL, Manner, Mode
from ldaprepl.domain.deltalog import AUTO, choose
from ldaprepl.domain.provider import Access, Finding, Method, Outcome, ProviderProfile, Severity, Sync
from ldaprepl.domain.providerplan import LOG_SUFFIX
from ldaprepl.domain.schemaplan import schema_plan
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.words import Form
from ldaprepl.errors import ExitCode, ServerUnavailable, UsageError
from ldaprepl.init_consumer import examine, subschema, tagging_options
from ldaprepl.report.stanza import ANY_DATABASE, render_profile
from ldaprepl.wire.endpoint import Bind, Endpoint, External, Sasl, Simple
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.stream import open_stream

PRIVATE = 0o600


_kind = options.all_of(
    click.option("--full", is_flag=True, help="A whole new server instead of the stanza alone."),
    click.option("--for-provider", is_flag=True, help="What the provider needs, instead of the consumer's part."),
    click.option("--mirror", metavar="URI", help="A pair that both take writes: --provider and this one."),
    click.option("--cascade", is_flag=True, help="The consumer will be a provider itself."),
    click.option("--method", type=click.Choice(["native", PYTHON]), default="native", show_default=True,
                 help="Who replicates: slapd itself, or ldaprepl sync."),
    click.option("--mode", type=click.Choice([AUTO, *(mode.value for mode in Mode)]), default=AUTO, show_default=True,
                 help="auto: delta where the provider keeps a log that serves, else refreshAndPersist."),
    click.option("--interval", metavar="DD:HH:MM:SS", default=INTERVAL, show_default=True,
                 help="Pause between two polls, for refreshOnly."),
)  # fmt: skip
_place = options.all_of(
    click.option("--format", "format_", type=click.Choice([form.value for form in Form]),
                 default=Form.SLAPD_CONF.value, show_default=True, help="slapd.conf, or LDIF for cn=config."),
    click.option("--rid", type=click.IntRange(0, 999), help="Number of this consumer in its server; default: 1."),
    click.option("--openldap", "--consumer-version", "openldap", metavar="2.x",
                 help="Oldest OpenLDAP that must take it; default: 2.4, for whole servers and pairs 2.5."),
    click.option("--database", metavar="DN", default=ANY_DATABASE, show_default=True,
                 help="The database in cn=config (for --format ldif)."),
    click.option("--directory", metavar="DIR", default="/var/lib/ldap", show_default=True,
                 help="Where a new database keeps its files."),
    click.option("--schema-dir", metavar="DIR", default=Places().schema, show_default=True,
                 help="Where a new server has slapd's schema files."),
    click.option("--module-dir", metavar="DIR", default=Places().modules, show_default=True,
                 help='Where it has slapd\'s modules; "" where all is built in.'),
)  # fmt: skip

_live = options.all_of(
    click.option("--consumer", metavar="URI", help="A running consumer, asked for a free rid and its release."),
    click.option("--apply", metavar="URI", help="Write it into this running server's cn=config."),
    click.option("--yes", is_flag=True, help="Apply without asking."),
    click.option("--dry-run", is_flag=True, help="Only show what --apply would change."),
)


@click.command("init-consumer", cls=Command)
@options.one_provider
@options.identity
@options.consumer_identity
@options.tls
@options.scope
@_kind
@_place
@_live
@click.option("--seed", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the provider's entries too, for slapadd at a big consumer.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write in spite of an error found at the provider.")
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Look at a provider with the consumer's identity, and write the consumer's syncrepl stanza, or all of it.

    \b
    ldaprepl init-consumer --provider ldaps://a -b dc=example,dc=com \\
        -D cn=replica,dc=example,dc=com -y replica.pw -o consumer.conf
    ldaprepl init-consumer --provider ldapi:/// -b dc=example,dc=com --for-provider

    What is found goes to standard error, the configuration to standard output or FILE.

    With --apply ldapi:/// it goes straight into the consumer, after it was shown and agreed to.

    Exit code: 0 written, 1 something found forbids it, 3 a server could not be asked.
    """
    given = dict(filled(given))
    if not given["provider"] or not given["base"]:
        raise UsageError("it is not said what to look at", "Give --provider and --base, or --profile.")
    check_usage(given)
    check_apply(given)
    check_writable(given["output"])
    check_writable(given["seed"])
    endpoint = _way(options.provider_endpoint(given))
    job = _job(given, access_of(endpoint), options.replication_scope(given))
    _check_text(text_of(job))  # what cannot be written is said before anything is asked
    with running(given, job) as consumer:
        if consumer:
            job = fitted(job, consumer)
        found = _found(given, endpoint, job, consumer)
        if found is None:
            options.notice("all that it may need is written.")
        else:
            profile, job = found
            if profile.findings or not given["quiet"]:
                click.echo(render_profile(profile), err=True, nl=False)
            if _forbidden(given, profile) and not given["force"]:
                click.echo("Nothing was written; --force writes it all the same.", err=True)
                return ExitCode.FINDING
        if consumer and given["apply"]:
            return apply(job, consumer)
    if given["seed"] and found:
        write_seed(job, endpoint, found[0])
    text = text_of(job)
    emit(text, given["output"], PRIVATE if job.access.password or given["full"] else None)
    return ExitCode.OK


def _job(given: options.Given, access: Access, scope: ReplicationScope) -> Job:
    log = LOG_SUFFIX if given["mode"] == Mode.DELTA else ""
    mode = Mode.PERSIST if given["mode"] == AUTO else Mode(given["mode"])
    try:
        syncvalues.interval(given["interval"])
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    manner = Manner(mode, given["interval"], log)
    return Job(given, access, scope, manner, 1 if given["rid"] is None else given["rid"])


def _found(
    given: options.Given, endpoint: Endpoint, job: Job, consumer: Running | None
) -> tuple[ProviderProfile, Job] | None:
    """What the provider showed, and the job with it. None for a provider whose own part is wanted, and which cannot
    be asked: the identity may not exist yet.
    """
    bar = progress(given["quiet"])
    try:
        with open_stream(endpoint) as stream:
            probe = Probe(stream)
            profile = examine(probe, job.access, job.scope, bar)
            schema = schema_plan(*subschema(probe), job.version, tagging_options(probe)) if given["full"] else None
            manner, findings = _chosen(given, profile, job)
            job = replace(job, manner=manner)
            if consumer and profile.base is Outcome.SUCCESS:
                findings += consumer_findings(job, consumer, probe)
            if given["mirror"] and profile.base is Outcome.SUCCESS:
                findings += other_node(job, probe, _way(endpoint._replace(uri=given["mirror"])))
    except ServerUnavailable as error:
        if not given["for_provider"]:
            raise
        options.notice(f"the provider could not be looked at ({error.message})")
        return None
    finally:
        bar.close()
    job = replace(
        job,
        schema=schema,
        suffix=profile.suffix or "",
        sync_present=profile.sync is Sync.OFFERED,
    )
    return replace(profile, findings=(*profile.findings, *findings)), job


def _chosen(given: options.Given, profile: ProviderProfile, job: Job) -> tuple[Manner, tuple[Finding, ...]]:
    if given["for_provider"] or given["method"] == PYTHON or profile.base is not Outcome.SUCCESS:
        return job.manner, ()
    return choose(profile, job.scope, given["mode"], given["interval"])


def _forbidden(given: options.Given, profile: ProviderProfile) -> bool:
    """Whether an error was found that what is to be written does not cure, or does not suffer from."""
    if given["for_provider"]:
        return profile.base in (Outcome.REFERRAL,)
    harmless = {"no-sync"} if given["method"] == PYTHON else set()
    return any(f.severity is Severity.ERROR and f.code not in harmless for f in profile.findings)


def access_of(endpoint: Endpoint) -> Access:
    """How a consumer comes to the same server. Paths of TLS files are made absolute."""
    address, tls = endpoint.address, endpoint.tls
    method, dn, password, authzid = _who(endpoint.bind)
    return Access(
        uri=endpoint.uri,
        method=method,
        dn=dn,
        password=password,
        authzid=authzid,
        starttls=endpoint.starttls,
        cacert=_absolute(tls.cacert),
        cert=_absolute(tls.cert),
        key=_absolute(tls.key),
        verify=tls.verify,
        local=address.on_this_machine,
    )


def _way(endpoint: Endpoint) -> Endpoint:
    """Probe the way the consumer will go: StartTLS over every network, whether a password is sent or not."""
    address, tls = endpoint.address, endpoint.tls
    if address.scheme != "ldap" or address.on_this_machine or tls.starttls is not None or tls.allow_cleartext:
        return endpoint
    return endpoint._replace(tls=tls._replace(starttls=True))


def _who(bind: Bind) -> tuple[Method, str, Any, str]:
    match bind:
        case Simple(dn, password):
            return Method.SIMPLE, dn, password, ""
        case External(authzid):
            return Method.EXTERNAL, "", None, authzid
        case Sasl(mechanism):
            raise UsageError(
                f"a stanza with SASL {mechanism} is not written yet", "Probe with -D or EXTERNAL, and edit saslmech."
            )
        case _:
            return Method.ANONYMOUS, "", None, ""


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("the password or a DN is not UTF-8", "Convert it; the stanza is written as UTF-8.") from None


def _absolute(path: Path | None) -> str:
    return str(path.absolute()) if path else ""


__all__ = ["access_of", "command"]
