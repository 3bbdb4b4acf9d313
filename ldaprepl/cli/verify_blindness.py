"""`verify --auditor-…`: the provider is read once more, as the replication identity and as who sees everything."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import click

from ldaprepl.cli import options
from ldaprepl.cli.pairing import Pairing
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.verdict import Problem, VerifyReport
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.ports import Directory
from ldaprepl.verify import Tools
from ldaprepl.wire.endpoint import Bind, Endpoint, External, Simple

PASSWORD = "LDAPREPL_AUDITOR_PASSWORD"

auditor = options.all_of(
    click.option("--auditor-bind-dn", metavar="DN", help="Who sees everything on the provider: tells what is hidden."),
    click.option("--auditor-password-file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
                 help=f"Its password (or {PASSWORD})."),
    click.option("--auditor-sasl", type=click.Choice(["EXTERNAL"]), help="SASL bind as the auditor."),
    click.option("--expect-hidden", metavar="NAME", multiple=True,
                 help="An attribute that may be hidden from the replication identity; may be repeated."),
)  # fmt: skip


def wanted(given: options.Given) -> bool:
    """Whether there is an auditor. Raises `UsageError` for half of one."""
    there = bool(given["auditor_bind_dn"] or given["auditor_sasl"])
    if not there and (given["auditor_password_file"] or given["expect_hidden"]):
        raise UsageError("there is no auditor", "Say who with --auditor-bind-dn, or --auditor-sasl EXTERNAL.")
    return there


def looked(report: VerifyReport, pairing: Pairing, given: options.Given, tools: Tools) -> VerifyReport:
    """The report with what the replication identity does not see. Raises `UsageError`."""
    if not wanted(given):
        return report
    from ldaprepl.blindness import Identities, blindness
    from ldaprepl.domain.blindness import Blindness

    provider = pairing.provider
    audited = provider._replace(bind=_bind(given)).checked()
    with contextlib.ExitStack() as opened:
        try:
            views = [_view(opened, endpoint) for endpoint in (provider, audited)]
        except UsageError:
            raise
        except LdapreplError as error:
            found = Blindness(str(provider.bind), str(audited.bind), problem=Problem(error.message, error.cure))
        else:
            names = options.names_in(given["expect_hidden"])
            seen = Identities(views[0], views[1], str(provider.bind), str(audited.bind), names)
            found = blindness(seen, pairing.scope, tools)
    return replace(report, blindness=found)


def _view(opened: contextlib.ExitStack, endpoint: Endpoint) -> Directory:
    from ldaprepl.wire.directory import LdapDirectory
    from ldaprepl.wire.stream import open_stream

    return LdapDirectory(opened.enter_context(open_stream(endpoint)))


def _bind(given: options.Given) -> Bind:
    if given["auditor_sasl"]:
        return External("")
    file = given["auditor_password_file"]
    if file is None and not os.environ.get(PASSWORD):
        raise UsageError(
            f"there is no password for {given['auditor_bind_dn']}",
            f"Give one with --auditor-password-file or the variable {PASSWORD}.",
        )
    secret = options.read_password(file, quiet=given["quiet"]) if file else Secret(os.environ[PASSWORD])
    return Simple(given["auditor_bind_dn"], secret)
