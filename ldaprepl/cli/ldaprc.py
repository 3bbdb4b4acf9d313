"""What ldap.conf, .ldaprc and the LDAP… variables say where neither an option nor a profile does.

As OpenLDAP's own tools have it: TLS_* where TLS is used, BASE where no base is named, BINDDN where a password is given
without anybody's name, SASL_AUTHZID with SASL. A TLS_REQCERT that lets any certificate pass counts, and is told.
"""

from __future__ import annotations

from pathlib import Path

from ldaprepl.cli.given import Given, notice, said
from ldaprepl.domain.ldapconf import UNCHECKED, Setting
from ldaprepl.errors import UsageError
from ldaprepl.wire import ldapconf
from ldaprepl.wire.endpoint import Tls

_told: set[str] = set()


def setting(option: str) -> Setting | None:
    """The value of one option."""
    conf = ldapconf.ours()
    for path in conf.foreign:
        _tell(f"{path} belongs to somebody else, and is not followed")
    return conf.get(option)


def value(option: str) -> str:
    """Its text, or empty."""
    found = setting(option)
    return found.value if found else ""


def completed(tls: Tls, given: Given) -> Tls:
    """`tls` with what it lacks. Raises `UsageError` for a file that is not there."""
    if not tls.cacert and not tls.cacertdir:
        tls = tls._replace(cacert=_path("TLS_CACERT"), cacertdir=_path("TLS_CACERTDIR"))
    if not tls.cert and not tls.key:
        tls = tls._replace(cert=_path("TLS_CERT"), key=_path("TLS_KEY"))
    wanted = setting("TLS_REQCERT")
    if wanted and wanted.value.lower() in UNCHECKED and tls.verify and not said(given, "tls_reqcert"):
        _tell(
            f"certificates are not verified: {wanted.origin} has TLS_REQCERT {wanted.value}; --tls-reqcert demand "
            "verifies them"
        )
        tls = tls._replace(verify=False)
    return tls


def _path(option: str) -> Path | None:
    found = setting(option)
    if found is None:
        return None
    path = Path(found.value)
    if not path.exists():
        raise UsageError(
            f"{found.origin} has {option} {found.value}, and there is nothing there",
            "Mend it, or name the file with --cacert, --cert and --key.",
        )
    return path


def _tell(text: str) -> None:
    """Once, and even to those who want no notices: it is about whom we trust."""
    if text not in _told:
        _told.add(text)
        notice(text)
