"""Where a server is, who we are there, and how the way to it is protected: values only, nothing is opened here.

TLS is verified unless the user said otherwise in words, and a password never crosses a network in the clear unless the
user said so: `checked` refuses the combination before any socket exists.
"""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ldaprepl.domain.secret import Secret
from ldaprepl.errors import UsageError

_PORTS = {"ldap": 389, "ldaps": 636}
DEFAULT_LDAPI = "/var/run/slapd/ldapi"


class Anonymous:
    """No bind."""

    __slots__ = ()

    def __str__(self) -> str:
        return "anonymous"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Anonymous)

    def __hash__(self) -> int:
        return hash(Anonymous)


class Simple(NamedTuple):
    """Simple bind (RFC 4513, section 5.1.3)."""

    dn: str
    password: Secret

    def __str__(self) -> str:
        return self.dn


class External(NamedTuple):
    """SASL EXTERNAL (RFC 4422, appendix A): the identity of the TLS certificate or of the ldapi peer."""

    authzid: str = ""

    def __str__(self) -> str:
        return "SASL EXTERNAL" + (f" as {self.authzid}" if self.authzid else "")


class Sasl(NamedTuple):
    """Another SASL bind (RFC 4513, section 5.2): `name` and `password` where the mechanism takes them."""

    mechanism: str
    name: str = ""
    password: Secret | None = None
    authzid: str = ""

    def __str__(self) -> str:
        return f"SASL {self.mechanism}" + "".join(f" as {who}" for who in (self.authzid or self.name,) if who)


Bind = Anonymous | Simple | External | Sasl


class Tls(NamedTuple):
    """How TLS is made. `starttls` None means: for ldap:// to another machine when a password is sent."""

    starttls: bool | None = None
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True
    allow_cleartext: bool = False
    cacertdir: Path | None = None


class Address(NamedTuple):
    """What an LDAP URL names: scheme, and host and port, or the path of a socket."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def on_this_machine(self) -> bool:
        """Nothing sent there crosses a network."""
        if self.scheme == "ldapi" or self.host == "localhost":
            return True
        import ipaddress  # only where somebody asks

        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class Endpoint(NamedTuple):
    """One server as one identity. `timeout` is in seconds: to connect, and how long a server may stay silent."""

    uri: str
    bind: Bind = Anonymous()
    tls: Tls = Tls()
    timeout: float = 60.0

    @property
    def address(self) -> Address:
        """The parsed URL. Raises `UsageError`."""
        return parse_uri(self.uri)

    @property
    def starttls(self) -> bool:
        """Whether StartTLS is to be done."""
        address = self.address
        if address.scheme != "ldap":
            return False
        if self.tls.starttls is not None:
            return self.tls.starttls
        secret = isinstance(self.bind, Simple) or (isinstance(self.bind, Sasl) and self.bind.password is not None)
        return secret and not address.on_this_machine and not self.tls.allow_cleartext

    def checked(self) -> "Endpoint":
        """This endpoint, or `UsageError` when it asks for something unsafe or impossible."""
        address = self.address
        if self.tls.starttls and address.scheme != "ldap":
            raise UsageError(f"{self.uri} cannot be used with --starttls", "StartTLS goes with ldap:// only.")
        encrypted = address.scheme == "ldaps" or self.starttls
        clear = address.scheme == "ldap" and not encrypted and not address.on_this_machine
        if isinstance(self.bind, Simple) and clear and not self.tls.allow_cleartext:
            raise UsageError(
                f"a password would cross the network in the clear to {self.uri}",
                "Use --starttls or ldaps://, or --allow-cleartext where the network itself is protected.",
            )
        if isinstance(self.bind, Simple) and not self.bind.password:
            raise UsageError(
                f"no password for {self.bind.dn} at {self.uri}",
                "Give --password-file, --prompt or LDAPREPL_PASSWORD; a bind without one would be anonymous.",
            )
        if isinstance(self.bind, External) and address.scheme != "ldapi" and not (encrypted and self.tls.cert):
            raise UsageError(
                f"SASL EXTERNAL at {self.uri} has no identity to offer",
                "Use ldapi://, or TLS with --cert and --key.",
            )
        for what, path in (("--cacert", self.tls.cacert), ("--cert", self.tls.cert), ("--key", self.tls.key)):
            if path is not None and not path.is_file():
                raise UsageError(f"{what} {path}: there is no such file")
        return self


def parse_uri(uri: str) -> Address:
    """Take an LDAP URL apart (RFC 4516; ldapi as OpenLDAP writes it). Raises `UsageError`."""
    shown = repr(re.sub(r"(?s):.*@", "://", uri))  # a password may stand there, though no LDAP URL has one
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{shown} is not an LDAP URL: {error}") from None
    scheme = parts.scheme.lower()
    local = scheme == "ldapi"
    named = parts.hostname and parts.hostname.isprintable() and " " not in parts.hostname
    if not (local or (scheme in _PORTS and named)) or not uri.isprintable() or port == 0:
        raise UsageError(
            f"{shown} is not an LDAP URL",
            "Write ldap://host[:port], ldaps://host[:port] or ldapi:///path%2Fof%2Fsocket.",
        )
    if parts.query or parts.fragment or parts.username is not None or (parts.path.strip("/") and not local):
        raise UsageError(f"{shown} holds more than a server", "Give the base with --base and the rest as options.")
    if local:
        return Address("ldapi", path=unquote(parts.netloc) or unquote(parts.path.rstrip("/")) or DEFAULT_LDAPI)
    return Address(scheme, str(parts.hostname), port or _PORTS[scheme])
