"""What both openers share (`opening` through ldap3, `plain` by hand): the TLS context, and refusals in words.

OpenSSL checks the chain, the dates and the host name; nothing is left to a library's own comparison. `ssl` is imported
when TLS is wanted: a check over ldapi starts without it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ldaprepl.errors import CertificateExpired, LdapreplError, Refused, ServerUnavailable
from ldaprepl.protocol.results import name_of
from ldaprepl.wire.endpoint import Endpoint

if TYPE_CHECKING:
    import ssl

_INVALID_CREDENTIALS = 49
_HAS_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_NO_SUCH_NAME = ("invalid server address", "Name or service not known")  # ldap3's words, and those of getaddrinfo
_ERRNO = re.compile(r"\[Errno -?\d+\] ([^'\")\]]+)")


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """The standard library's whole verification, unless the endpoint forgoes it. Raises `Refused`."""
    import ssl

    tls = endpoint.tls
    try:
        context = ssl.create_default_context(
            cafile=str(tls.cacert) if tls.cacert else None, capath=str(tls.cacertdir) if tls.cacertdir else None
        )
        if tls.cert:
            context.load_cert_chain(str(tls.cert), str(tls.key) if tls.key else None)
    except OSError as error:
        raise Refused(
            f"{endpoint.uri}: the certificate files cannot be used ({text_of(error)})",
            "Check --cacert, --cert and --key: PEM format, readable, and key and certificate of one pair.",
        ) from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def unreachable(uri: str, error: BaseException) -> LdapreplError:
    """No connection, or nobody at the other end who answers as an LDAP server does."""
    reason = text_of(error)
    if reason in _NO_SUCH_NAME:
        return ServerUnavailable(f"{uri} cannot be reached (no address for this name)", "Check the name, and DNS.")
    return ServerUnavailable(
        f"{uri} cannot be reached ({reason})",
        "Check host and port, that the server runs, and that nothing between here and there blocks the way.",
    )


def starttls_refused(uri: str, reason: str) -> LdapreplError:
    """The server answered StartTLS with something else than success."""
    return Refused(f"{uri} refused StartTLS ({reason})", "Configure TLS on the server, or use ldaps://.")


def tls_failed(uri: str, error: OSError) -> LdapreplError:
    """The handshake, or the certificate in it, failed."""
    import ssl

    if isinstance(error, TimeoutError):
        return unreachable(uri, TimeoutError("timed out"))
    if isinstance(error, ssl.SSLCertVerificationError):
        expired = error.verify_code == _HAS_EXPIRED
        kind, cure = Refused, "Give the CA with --cacert, and the server by a name that stands in its certificate."
        if expired:
            kind, cure = CertificateExpired, "Renew the server's certificate."
        return kind(f"{uri}: its certificate was not accepted ({error.verify_message})", cure)
    reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else text_of(error)
    return Refused(f"{uri}: TLS failed ({reason})", "Check that the port speaks TLS.")


def bind_refused(endpoint: Endpoint, code: int, message: str) -> LdapreplError:
    """The server is there and will not have us."""
    text = f": {message}" if message else ""
    cure = "The DN or the password is wrong; servers do not say which." if code == _INVALID_CREDENTIALS else ""
    return Refused(f"{endpoint.uri} refused to bind {endpoint.bind} ({name_of(code)}{text})", cure)


def text_of(error: BaseException) -> str:
    """The operating system's words, without those that libraries wrap around them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    found = _ERRNO.search(text)  # ldap3 wraps them in its own, sometimes twice
    return found[1] if found else text or type(error).__name__
