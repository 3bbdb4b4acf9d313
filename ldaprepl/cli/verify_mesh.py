"""`verify --mesh`: all servers that are named replicate each other."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ldaprepl.cli import options
from ldaprepl.cli.pairing import Pairing
from ldaprepl.domain.verdict import VerifyReport
from ldaprepl.errors import UsageError
from ldaprepl.ports import Directory
from ldaprepl.verify import Options, Tools

mesh = click.option(
    "--mesh", is_flag=True, help="--provider and every --consumer replicate each other: compare each with each."
)
_NOT_TOGETHER = ("ldif", "state", "since_last", "repair", "suffixmassage", "auditor_bind_dn", "auditor_sasl")


def checked(given: options.Given, found: Sequence[Pairing]) -> None:
    """Raises `UsageError` for what --mesh cannot be together with."""
    if not given["mesh"]:
        return
    for name in _NOT_TOGETHER:
        if given[name]:
            raise UsageError(f"--mesh and --{name.replace('_', '-')} do not go together", "Look at one pair for that.")
    for pairing in found:
        if pairing.scope.suffixmassage:
            raise UsageError("--mesh takes servers that have one suffix", "Leave --mesh out.")


def compared(servers: Sequence[Directory], pairing: Pairing, tools: Tools, settings: Options) -> VerifyReport:
    """Each with each. Raises `LdapreplError`."""
    from ldaprepl.mesh import verify_mesh

    return verify_mesh(servers, pairing.scope, tools, settings)
