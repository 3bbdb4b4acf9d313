"""Which attributes hold secrets: by name, because a schema does not tell.

Their values are never shown in a report, and never taken away on the word of a reader who may not see them.
"""

from __future__ import annotations

_SECRET_NAMES = frozenset(
    name.lower()
    for name in (
        "userPassword", "authPassword", "pwdHistory", "passwordHistory", "unicodePwd", "dBCSPwd", "ntPwdHistory",
        "lmPwdHistory", "supplementalCredentials", "sambaNTPassword", "sambaLMPassword", "sambaPasswordHistory",
        "sambaClearTextPassword", "olcRootPW", "olcSyncrepl", "olcDbStartTLS", "olcDbIDAssertBind", "olcDbACLBind",
        "olcTLSCertificateKeyFile", "krbPrincipalKey", "krbMKey", "krbPwdHistory", "krbExtraData", "ipaNTHash",
        "oathSecret", "oathEncPIN", "userPKCS12", "radiusPassword", "nsslapd-rootpw", "nsDS5ReplicaCredentials",
        "nsMultiplexorCredentials", "shadowPassword", "sudoPassword", "webauthnKey", "sshHostKey", "keyCredentialLink",
        "2.5.4.35",
    )
)  # fmt: skip
_SECRET_PARTS = ("password", "passwd", "passphrase", "secret", "credential", "privatekey", "krb5key", "rootpw")
_HARMLESS = frozenset(("pwdpolicysubentry", "passwordexpirationtime", "passwordretrycount", "passwordallowchangetime"))


def is_secret(name: str) -> bool:
    """Whether values of this attribute must never be shown."""
    base = name.partition(";")[0].lower()
    return base in _SECRET_NAMES or (base not in _HARMLESS and any(part in base for part in _SECRET_PARTS))
