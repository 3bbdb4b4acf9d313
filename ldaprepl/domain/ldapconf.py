"""ldap.conf, .ldaprc and the LDAP… variables as libldap reads them (ldap.conf(5); libldap's init.c, 2.4 to 2.7).

A line is an option's name, blanks, and the rest of the line without the blanks at its end; only a `#` in the first
column begins a comment, quotes stay quotes. Of one option the last that is read counts. Some options are not taken from
system files. Which files there are, and in which order, is for `wire.ldapconf`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

SPACE = " \t\n\v\f\r"
OPTIONS = (
    "URI", "BASE", "BINDDN", "SASL_AUTHZID",
    "TLS_CACERT", "TLS_CACERTDIR", "TLS_REQCERT", "TLS_CERT", "TLS_KEY",
)  # fmt: skip
"""What is honoured here; all other options are passed over."""
USER_ONLY = ("BINDDN", "SASL_AUTHZID", "TLS_CERT", "TLS_KEY")
PREFIX = "LDAP"
UNCHECKED = ("never", "allow")  # values of TLS_REQCERT that let any certificate pass


class Setting(NamedTuple):
    """One value and where it stands: `file:line`, or `$VARIABLE`."""

    value: str
    origin: str


def lines(text: str, name: str, *, user: bool) -> Iterator[tuple[str, Setting]]:
    """The options of one file; `user`: it belongs to a user, so it may set all of them."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            continue
        words = line.strip(SPACE).split(None, 1)
        if len(words) < 2:
            continue
        option = words[0].upper()
        if option in OPTIONS and (user or option not in USER_ONLY):
            yield option, Setting(words[1], f"{name}:{number}")


def variables(environment: Mapping[str, str]) -> Iterator[tuple[str, Setting]]:
    """The options among the variables. An empty one takes back what files say."""
    for option in OPTIONS:
        variable = PREFIX + option
        if variable in environment:
            yield option, Setting(environment[variable], f"${variable}")
