"""A private certificate authority with server and client certificates, made by the `openssl` command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA in a folder. `certificate` is what clients trust."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, name: str = "ldaprepl test CA") -> Authority:
        """Make the CA's key and certificate in `folder`, which must exist."""
        authority = cls(folder)
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-keyout", authority._key, "-out", authority.certificate, "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
        return authority

    @property
    def certificate(self) -> Path:
        """The CA's own certificate (PEM)."""
        return self.folder / "ca.crt"

    @property
    def _key(self) -> Path:
        return self.folder / "ca.key"

    def issue(self, name: str, hosts: str = "DNS:localhost,IP:127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """A certificate and its key (PEM files) for the subject CN=`name`; `hosts` in openssl's subjectAltName form.

        Good for servers and clients. A negative `days` gives one that has expired.
        """
        key, request, certificate, extensions = (
            self.folder / f"{name}.{kind}" for kind in ("key", "csr", "crt", "ext")
        )
        extensions.write_text(f"subjectAltName={hosts}\nextendedKeyUsage=serverAuth,clientAuth\n" if hosts else "")
        _openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"),
            *("-out", certificate, "-days", str(days), "-extfile", extensions),
        )
        return certificate, key

    def slapd_lines(self, name: str = "localhost", hosts: str = "DNS:localhost,IP:127.0.0.1") -> tuple[str, ...]:
        """Issue a server certificate and give the global slapd.conf lines that use it."""
        certificate, key = self.issue(name, hosts)
        return (
            f'TLSCACertificateFile "{self.certificate}"',
            f'TLSCertificateFile "{certificate}"',
            f'TLSCertificateKeyFile "{key}"',
        )


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
