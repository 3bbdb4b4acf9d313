"""`ldaprepl verify --repair`: its options, and where its LDIF goes. `mending` does it.

The LDIF is the output where nothing else is asked for (`--repair ldif` alone, `--format ldif`); with `--repair-file` it
goes there, beside a report in any form.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaprepl.cli import options
from ldaprepl.cli.output import check_writable, emit
from ldaprepl.domain.repair import RepairMode
from ldaprepl.domain.verdict import VerifyReport
from ldaprepl.errors import UsageError

if TYPE_CHECKING:
    from ldaprepl.bench import RepairSettings

repair_options = options.all_of(
    click.option("--repair", type=click.Choice([each.value for each in RepairMode]),
                 help="Mend what lasts: as LDIF for the consumer, by touching the provider, or on the consumer."),
    click.option("--yes", is_flag=True, help="Do it; else --repair only shows what it would do."),
    click.option("--max-repair", metavar="N|P%", default="10%", show_default=True,
                 help="Refuse to repair more entries than this."),
    click.option("--max-delete", metavar="N|P%", default="1%", show_default=True,
                 help="Refuse to delete more; a percentage lets 5 go, at most half."),
    click.option("--repair-file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
                 help="Write the changes there as LDIF (mode 0600: it may hold secrets)."),
    click.option("--repair-write", type=click.Choice(["auto", "updatedn", "relax", "plain"]), default="auto",
                 show_default=True, help="How the consumer is written; default: the best that it allows."),
)  # fmt: skip


def mode_of(given: options.Given) -> RepairMode | None:
    """What `--repair` says; `--format ldif` alone means LDIF."""
    if given["repair"]:
        return RepairMode(given["repair"])
    return RepairMode.LDIF if given["format_"] == "ldif" else None


def checked(given: options.Given, consumers: int) -> None:
    """What is wrong with these options, before any server is asked. Raises `UsageError`."""
    mode = mode_of(given)
    if mode is None:
        for name in ("yes", "repair_file"):
            if given[name]:
                raise UsageError(f"--{name.replace('_', '-')} needs --repair", "Say how: ldif, touch or apply.")
        return
    settings(given, mode)
    if given["mesh"]:
        raise UsageError("--mesh does not say which side is right, so nothing can be repaired", "Look at one pair.")
    if mode is not RepairMode.LDIF:
        importlib.import_module("ldaprepl.wire.session")  # python-ldap: better missed now than after a long comparison
    check_writable(given["repair_file"])
    if mode is RepairMode.LDIF and given["yes"]:
        raise UsageError("--repair ldif writes to no server, so there is nothing for --yes", "Leave it out.")
    if is_output(given) and given["repair_file"]:
        raise UsageError("the LDIF would go to --repair-file and be the output too", "Leave --format ldif out.")
    if mode is RepairMode.LDIF and not is_output(given) and not given["repair_file"]:
        raise UsageError(
            "the report is the output, so the LDIF needs a place of its own", "Name it with --repair-file."
        )
    if consumers > 1 and (is_output(given) or given["repair_file"]) and mode is not RepairMode.TOUCH:
        raise UsageError("LDIF for several consumers in one file is a trap", "Run it once for each --consumer.")


def is_output(given: options.Given) -> bool:
    """Whether the output is LDIF, and the report goes to standard error."""
    if given["format_"] == "ldif":
        return True
    return given["repair"] == RepairMode.LDIF and given["format_"] == "text" and not given["repair_file"]


def settings(given: options.Given, mode: RepairMode) -> RepairSettings:
    """What the options say. Raises `UsageError`."""
    from ldaprepl.bench import RepairSettings
    from ldaprepl.domain.change import MaxDelete

    brakes = []
    for name in ("max_repair", "max_delete"):
        try:
            brakes.append(MaxDelete.parse(given[name]))
        except ValueError as error:
            raise UsageError(f"--{name.replace('_', '-')}: {error}") from None
    return RepairSettings(mode, given["yes"], *brakes)


def write_ldif(reports: Sequence[VerifyReport], given: options.Given) -> None:
    """The changes, where they are wanted. A file is for its owner only."""
    if not (given["repair_file"] or is_output(given)):
        return
    from ldaprepl.report import repair as report_repair

    text = "".join(report_repair.render(report) for report in reports)
    if given["repair_file"]:
        emit(text, given["repair_file"], 0o600)
    elif is_output(given):
        emit(text, given["output"], 0o600)
