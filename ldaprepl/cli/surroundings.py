"""Variables and files that commands read without being told to, with the words that the manuals have for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENVIRONMENT: Final[Mapping[str, str]] = {
    "LDAPREPL_PASSWORD": "Password of --bind-dn, where no --password-file is given.",
    "LDAPREPL_CONSUMER_PASSWORD": "Password at the consumers, where no --consumer-password-file is given.",
    "LDAPREPL_AUDITOR_PASSWORD": "Password of --auditor-bind-dn, where no --auditor-password-file is given.",
    "LDAPREPL_CONFIG": "The configuration file, where no --config is given.",
    "LDAPREPL_SLAPD": "The slapd program to use for demo and for validating, where it is not in a usual place.",
    "LDAPREPL_DEBUG": "Set to 1: a crash shows where in the program it was.",
    "XDG_STATE_HOME": "Where users other than root keep state; default: ~/.local/state.",
    "XDG_CONFIG_HOME": "Where users keep ldaprepl/config.toml; default: ~/.config.",
    "LDAPCONF, LDAPRC, LDAPNOINIT, LDAP...": "As for OpenLDAP's own tools: ldap.conf(5).",
    "NO_COLOR": "Set to anything: no colours, on a terminal neither.",
}

FILES: Final[Mapping[str, str]] = {
    "/var/lib/ldaprepl": "State, for root: what sync, replay and verify remember between runs.",
    "~/.local/state/ldaprepl": "The same for everybody else.",
    "ldaprepl.toml, ~/.config/ldaprepl/config.toml, /etc/ldaprepl/config.toml": "Servers and replicas by name; the "
    "first that is there.",
    "/etc/ldap/ldap.conf, ~/.ldaprc, ...": "OpenLDAP's own: BASE, BINDDN, TLS_* where nothing else says so.",
    "/var/run/slapd/ldapi": "The socket of the slapd on this machine, which is asked where no server is named.",
}
