"""`ldaprepl lint`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from ldaprepl import __version__
from ldaprepl.cli import options
from ldaprepl.cli.command import Command
from ldaprepl.cli.init_consumer import access_of
from ldaprepl.cli.output import NoProgress, emit, progress, room
from ldaprepl.cli.pairing import filled
from ldaprepl.domain.lint import Finding, Hit, LintReport, Severity, finding
from ldaprepl.domain.lint_multi import address
from ldaprepl.domain.lint_source import Estate, Spot
from ldaprepl.domain.lint_table import TABLE, TOPICS
from ldaprepl.domain.scope import EVERY_ATTRIBUTE, ReplicationScope
from ldaprepl.domain.verdict import Problem
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Place
from ldaprepl.errors import ExitCode, LdapreplError, Refused, UsageError
from ldaprepl.init_consumer import examine
from ldaprepl.lint import LiveLook, lint, lint_live, read
from ldaprepl.report.lint import WIDTH, document, explain, render_json, render_sarif, render_text
from ldaprepl.wire.configsource import ConfigReader
from ldaprepl.wire.endpoint import Anonymous, Bind, Endpoint, External, Simple, Tls
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.stream import open_stream

_NEVER: Final = "never"


@click.command("lint", cls=Command)
@click.argument("sources", metavar="[SOURCE]...", nargs=-1)
@click.option("--provider", metavar="URI", help="Ask this provider too, as the identity of its stanza or of -D.")
@click.option("--consumer", "consumers", metavar="URI", multiple=True, help="Ask this consumer too; may be repeated.")
@click.option("-b", "--base", metavar="DN", help="Search base at --provider; default: that of the stanza.")
@options.profile
@options.identity
@options.consumer_identity
@options.tls
@click.option("--openldap", metavar="VERSION", help="Judge for this version; default: the newest, or what a live server"
              " says.")  # fmt: skip
@click.option("--listen", "listeners", metavar="URI", multiple=True, help="What slapd gets with -h; may be repeated.")
@click.option("--fail-on", type=click.Choice([*(severity.value for severity in Severity), _NEVER]), show_default=True,
              default=Severity.ERROR.value, help="Exit code 1 from this severity upwards.")  # fmt: skip
@click.option("--disable", metavar="CODE", multiple=True, help="Leave this rule out; may be repeated.")
@click.option(
    "--explain", "explained", metavar="CODE", help="Tell what a rule means (all: every rule, as Markdown), and end."
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json", "sarif"]), default="text", help="How to report."
)
@options.output
@options.quiet
def command(**given: Any) -> int:
    """Judge replication configuration: slapd.conf, slapd.d, LDIF of cn=config, or a live server's cn=config.

    \b
    ldaprepl lint /etc/ldap/slapd.conf
    ldaprepl lint /etc/ldap/slapd.d --provider ldap://a.example.com
    ldaprepl lint provider.conf consumer.conf --format sarif -o lint.sarif
    ldaprepl lint ldapi:///
    ldaprepl lint --explain LR201

    Several sources are judged together: provider and consumer, or the nodes of a multi-provider set.

    Exit code: 0 nothing as bad as --fail-on, 1 something is, 2 a file cannot be read, 3 a server cannot be asked.
    """
    if given["explained"]:
        every = given["explained"].lower() == "all"
        text = document(TABLE, TOPICS) if every else "\n".join(explain(TABLE[c]) for c in _codes([given["explained"]]))
        emit(text, given["output"])
        return ExitCode.OK
    given = dict(filled(given))
    if not given["sources"] and not given["provider"]:
        raise UsageError("there is nothing to judge", "Name a slapd.conf, a slapd.d, an LDIF file or ldapi:///.")
    if given["listeners"] and len(given["sources"]) != 1:
        raise UsageError("--listen goes with exactly one source")
    off = _codes(given["disable"])
    estate = read(_reader(given), given["sources"])
    found = list(lint(estate, off))
    live, problems = _live(given, estate, off)
    report = LintReport(estate.sources, (*found, *live), problems)
    emit(_rendered(given, report), given["output"])
    if report.fails(None if given["fail_on"] == _NEVER else Severity(given["fail_on"])):
        return ExitCode.FINDING
    return ExitCode.UNDECIDED if problems else ExitCode.OK


def _rendered(given: options.Given, report: LintReport) -> str:
    match given["format_"]:
        case "json":
            return render_json(report)
        case "sarif":
            return render_sarif(report, TABLE, __version__)
        case _:
            to = None if given["output"] else sys.stdout
            return render_text(report, colour=options.colour_wanted() and to is not None, width=room(WIDTH, to))


def _codes(names: list[str] | tuple[str, ...]) -> list[str]:
    codes = [name.strip().upper() for value in names for name in value.split(",")]
    for code in codes:
        if code not in TABLE:
            raise UsageError(f"there is no rule {code}", "docs/lint.md lists them.")
    return codes


def _reader(given: options.Given) -> ConfigReader:
    version = None
    if given["openldap"]:
        try:
            version = Version.parse(given["openldap"])
        except ValueError:
            raise UsageError(f"--openldap {given['openldap']!r} is not a version such as 2.4 or 2.5.13") from None
        if not Version.OLDEST <= version.branch <= Version.NEWEST:
            raise UsageError(f"OpenLDAP {given['openldap']} is not one of 2.2 to 2.7", "Syncrepl came with 2.2.")

    def endpoint(uri: str) -> Endpoint:
        if uri.lower().startswith("ldapi:") and not given["bind_dn"]:
            return Endpoint(uri, External(given["authzid"]), timeout=given["timeout"]).checked()
        return options.provider_endpoint({**given, "provider": uri})

    return ConfigReader(endpoint, version, tuple(given["listeners"]))


# --- live


@dataclass(frozen=True, slots=True)
class _Target:
    """What to ask a provider for: the scope and log of a stanza, or the given base; and how to come there."""

    endpoint: Endpoint
    scope: ReplicationScope
    logbase: str = ""
    borrowed: bool = False  # the identity is that of the stanza


def _live(given: options.Given, estate: Estate, off: list[str]) -> tuple[tuple[Finding, ...], tuple[Problem, ...]]:
    found: list[Finding] = []
    problems: list[Problem] = []
    if not given["provider"] and not given["consumers"]:
        return (), ()
    for target in _targets(given, estate) if given["provider"] else [None]:
        try:
            found += _asked(given, target, off)
        except UsageError:
            raise
        except LdapreplError as error:
            code = _refusal(error) if target and target.borrowed else ""
            if code and code not in off:
                found.append(finding(TABLE[code], Hit(Place(given["provider"]), error.message)))
            else:
                problems.append(Problem(error.message, error.cure))
    return tuple(dict.fromkeys(found)), tuple(dict.fromkeys(problems))


def _refusal(error: LdapreplError) -> str:
    """The rule behind a refusal of the stanza's own way to its provider."""
    if not isinstance(error, Refused):
        return ""
    return "LR516" if "refused to bind" in error.message else "LR510" if "certificate" in error.message else ""


def _asked(given: options.Given, target: _Target | None, off: list[str]) -> tuple[Finding, ...]:
    with contextlib.ExitStack() as opened:
        scope = target.scope if target else ReplicationScope(given["base"] or "")
        look = _look_at(target, opened, quiet=given["quiet"]) if target else None
        consumers = [
            LiveLook(Probe(opened.enter_context(open_stream(endpoint))), scope)
            for endpoint in options.consumer_endpoints(given)
        ]
        return lint_live(look, consumers, lambda: datetime.now(UTC), off)


def _look_at(target: _Target, opened: contextlib.ExitStack, *, quiet: bool) -> LiveLook:
    probe = Probe(opened.enter_context(open_stream(target.endpoint)))
    bar = NoProgress() if quiet else progress(quiet)
    opened.callback(bar.close)
    profile = examine(probe, access_of(target.endpoint), target.scope, bar)
    bind = target.endpoint.bind
    return LiveLook(probe, target.scope, profile, bind.dn if isinstance(bind, Simple) else "", target.logbase)


def _targets(given: options.Given, estate: Estate) -> Iterator[_Target]:
    own = bool(given["bind_dn"] or given["sasl"] or given.get("endpoints"))
    spots = [spot for spot in estate.spots if address(spot.text("provider")) == address(given["provider"])]
    if not spots and not own and not given["base"] and len(estate.spots) == 1:
        raise UsageError(
            f"no stanza names {given['provider']} as its provider, so its password is not sent there",
            f"Give --provider {estate.spots[0].text('provider')}, or an identity with -D and a base with -b.",
        )
    if own or not spots:
        spots = spots or list(estate.spots)
        bases = [given["base"]] if given["base"] else list(dict.fromkeys(spot.text("searchbase") for spot in spots))
        if not bases:
            raise UsageError("there is no base to look at", "Give one with --base.")
        for base in bases:
            logbase = next((spot.text("logbase") for spot in spots if spot.text("searchbase") == base), "")
            yield _Target(options.provider_endpoint(given), ReplicationScope(base), logbase)
        return
    for spot in spots:
        yield _Target(_endpoint_of(given, spot), _scope_of(spot), _logbase(spot), borrowed=True)


def _logbase(spot: Spot) -> str:
    return spot.text("logbase") if spot.text("syncdata").lower() == "accesslog" else ""


def _scope_of(spot: Spot) -> ReplicationScope:
    try:
        return spot.stanza.replication_scope
    except ValueError:
        return ReplicationScope(spot.text("searchbase"), attrs=EVERY_ATTRIBUTE)


def _endpoint_of(given: options.Given, spot: Spot) -> Endpoint:
    """The stanza's own way to its provider, with its identity."""
    secret, method = spot.stanza.credentials, spot.text("bindmethod").lower()
    bind: Bind = Anonymous()
    if method == "sasl" and spot.text("saslmech").upper() == "EXTERNAL":
        bind = External(spot.text("authzid"))
    elif method in ("", "simple") and spot.text("binddn") and secret:
        bind = Simple(spot.text("binddn"), secret)
    starttls = given["starttls"]
    if starttls is None and spot.text("starttls").lower() in ("yes", "critical"):
        starttls = True
    tls = Tls(
        starttls=starttls,
        cacert=given["cacert"] or _path(spot, "tls_cacert"),
        cert=given["cert"] or _path(spot, "tls_cert"),
        key=given["key"] or _path(spot, "tls_key"),
        verify=given["tls_reqcert"] == "demand" and spot.text("tls_reqcert").lower() not in ("never", "allow"),
        allow_cleartext=given["allow_cleartext"],
    )
    return Endpoint(given["provider"], bind, tls, given["timeout"]).checked()


def _path(spot: Spot, name: str) -> Path | None:
    """A TLS file of the stanza, where it is on this machine too; without the CA file the system's CAs count."""
    path = Path(spot.text(name))
    return path if spot.text(name) and path.is_file() else None


__all__ = ["command"]
