"""The options of `verify` for dumps; `verify_ldif`, which compares them, is imported when there are some."""

from __future__ import annotations

import click

from ldaprepl.cli import options

dumps = options.all_of(
    click.option("--ldif", metavar="FILE...", multiple=True,
                 help="Dumps (slapcat, ldapsearch; gzip too, - for standard input) instead of servers: the provider's,"
                 " then its consumers'; with --provider all are consumers."),
    click.option("--schema", metavar="SOURCE", help="Schema for dumps: a *.schema or LDIF file, a folder, or a URI."),
    click.argument("files", nargs=-1, metavar="[FILE]..."),
)  # fmt: skip
