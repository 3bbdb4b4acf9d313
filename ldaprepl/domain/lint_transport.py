"""LR501 to LR551: who the consumer says it is, and how the way to the provider is protected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ldaprepl.domain.keywords import KEYWORDS, Standing
from ldaprepl.domain.lint import Hit, Rule, Severity, per_stanza
from ldaprepl.domain.lint_access import is_root
from ldaprepl.domain.lint_multi import address
from ldaprepl.domain.lint_source import Estate, Spot
from ldaprepl.domain.version import Version

_V23 = Version(2, 3)
_HASH: Final = re.compile(r"\{[A-Za-z0-9./_-]+\}.")
_CHECKED_LATE: Final = ("tls_reqcert", "tls_reqsan", "tls_crlcheck")
_TLS_FILES: Final = ("tls_cacert", "tls_cacertdir", "tls_cert", "tls_key")
_OWN_CA: Final = ("tlscacertificatefile", "tlscacertificatepath", "tlscacertificate")
_SASL_ONLY: Final = ("authcid", "authzid", "saslmech", "realm", "secprops")


def _simple(spot: Spot) -> bool:
    return spot.text("bindmethod").lower() in ("", "simple")


def _scheme(spot: Spot) -> str:
    return spot.text("provider").partition(":")[0].lower()


def _near(spot: Spot) -> bool:
    """The provider is reached without a network."""
    host = address(spot.text("provider"))[1]
    return _scheme(spot) == "ldapi" or host in ("localhost", "::1") or host.startswith("127.")


def _clear(spot: Spot) -> Iterator[Hit]:
    if _scheme(spot) == "ldap" and not spot.tls and not _near(spot) and spot.text("bindmethod").lower() != "sasl":
        what = "the password and all data" if spot.text("binddn") and _simple(spot) else "all data"
        ca = "" if spot.has("tls_cacert") or spot.version <= _V23 else " tls_cacert=/etc/ssl/certs/ca-certificates.crt"
        yield Hit(
            spot.at("provider"),
            f"{what} cross the network in clear to {spot.text('provider')}",
            f"starttls=critical{ca}",
        )


def _half_hearted(spot: Spot) -> Iterator[Hit]:
    if spot.text("starttls").lower() == "yes":
        yield Hit(spot.at("starttls"), "starttls=yes goes on in clear when the provider says it has no TLS")


def _not_verified(spot: Spot) -> Iterator[Hit]:
    word = spot.text("tls_reqcert").lower()
    if word in ("never", "allow"):
        yield Hit(spot.at("tls_reqcert"), f"tls_reqcert={word} accepts every certificate")


def _late(spot: Spot) -> Iterator[Hit]:
    for name in _CHECKED_LATE:
        word, keyword = spot.text(name).lower(), KEYWORDS[name]
        if spot.has(name) and word not in keyword.words and keyword.standing(spot.version) is Standing.KNOWN:
            yield Hit(
                spot.at(name),
                f"{name}={word} is none of {', '.join(keyword.words)}",
                f"{name}={'demand' if name != 'tls_crlcheck' else 'none'}",
            )
    word = spot.text("tls_protocol_min")
    if word and not re.fullmatch(r"\d+(\.\d+)?", word):
        yield Hit(spot.at("tls_protocol_min"), f"tls_protocol_min={word} is no version number", "tls_protocol_min=3.3")
    elif word.startswith("3.") and word not in ("3.0", "3.1", "3.2", "3.3", "3.4"):
        yield Hit(spot.at("tls_protocol_min"), f"tls_protocol_min={word} does not exist", "tls_protocol_min=3.3")
    for name in _TLS_FILES:
        if spot.text(name) in spot.source.absent:
            yield Hit(
                spot.at(name), f"{name}: there is no {spot.text(name)} on this machine", f"{name}=<an existing file>"
            )


def _no_minimum(spot: Spot) -> Iterator[Hit]:
    word = spot.text("tls_protocol_min")
    if re.fullmatch(r"\d+(\.\d+)?", word) and not word.startswith("3"):
        meant = {"1.0": "3.1", "1.1": "3.2", "1.2": "3.3", "1.3": "3.4"}.get(word, "3.3")
        yield Hit(
            spot.at("tls_protocol_min"), f"tls_protocol_min={word} counts as SSL does", f"tls_protocol_min={meant}"
        )


def _no_ca(spot: Spot) -> Iterator[Hit]:
    verified = spot.text("tls_reqcert").lower() not in ("never", "allow")
    own = any(spot.source.top.all(name) for name in _OWN_CA)
    named = spot.has("tls_cacert") or spot.has("tls_cacertdir")
    if spot.tls and verified and not named and not own and spot.version > _V23:
        yield Hit(spot.at("starttls", "provider"), f"{spot.label} uses TLS and names no CA")


def _twice(spot: Spot) -> Iterator[Hit]:
    if _scheme(spot) == "ldaps" and spot.text("starttls").lower() in ("yes", "critical"):
        yield Hit(spot.at("starttls"), "StartTLS on a connection that is TLS already", "remove starttls")


def _port(spot: Spot) -> Iterator[Hit]:
    scheme, host, port = address(spot.text("provider"))
    other = {("ldaps", 389): "ldap", ("ldap", 636): "ldaps"}.get((scheme, port))
    if other:
        starttls = " starttls=critical" if other == "ldap" else ""
        yield Hit(spot.at("provider"), f"{scheme}:// and port {port}", f"provider={other}://{host}{starttls}")


def _localhost(spot: Spot) -> Iterator[Hit]:
    if spot.tls and address(spot.text("provider"))[1] == "localhost":
        yield Hit(spot.at("provider"), "localhost together with TLS")


def _ignored_tls(spot: Spot) -> Iterator[Hit]:
    names = [parameter.keyword for parameter in spot.stanza.parameters if parameter.keyword.startswith("tls_")]
    if names and spot.version.branch == _V23:
        yield Hit(spot.at(names[0]), f"2.3 does not know {', '.join(dict.fromkeys(names))}")


def _readable(spot: Spot) -> Iterator[Hit]:
    where = spot.at("credentials")
    who = spot.source.open_to.get(where.name)
    if who and spot.stanza.credentials:
        yield Hit(where, f"{where.name} holds the password of {spot.label} and can be read by {who}",
                  f"chmod 600 {where.name}")  # fmt: skip


def _hashed(spot: Spot) -> Iterator[Hit]:
    secret = spot.stanza.credentials
    if secret and _HASH.match(secret.reveal()):
        yield Hit(spot.at("credentials"), "the password begins like a hash, {SCHEME}")


def _no_password(spot: Spot) -> Iterator[Hit]:
    if _simple(spot) and spot.text("binddn") and not spot.stanza.credentials:
        yield Hit(spot.at("binddn"), f"{spot.label} has a binddn and no credentials")


def _anonymous(spot: Spot) -> Iterator[Hit]:
    none = spot.text("bindmethod").lower() == "none"
    cure = 'bindmethod=simple binddn="cn=replica,dc=example,dc=com" credentials="..."'
    if not none and _simple(spot) and not spot.text("binddn") and spot.stanza.credentials:
        yield Hit(
            spot.at("credentials"),
            f"{spot.label} has credentials and no binddn",
            cure,
            "The consumer binds with an empty DN and a password; the provider answers 49 (invalid credentials).",
            Severity.ERROR,
        )
    elif none or (_simple(spot) and not spot.text("binddn")):
        why = "bindmethod=none" if none else "no binddn"
        yield Hit(spot.at("bindmethod"), f"{spot.label} has {why}: it reads anonymously", cure)


def _root(estate: Estate) -> Iterator[Hit]:
    for spot in estate.spots:
        name = spot.text("binddn")
        if not name or not _simple(spot):
            continue
        providers = estate.providers(spot)
        if any(is_root(database, name) for database in providers):
            yield Hit(spot.at("binddn"), f"{name!r} is the rootdn of the provider")
        elif not providers and is_root(spot.database, name):
            yield Hit(spot.at("binddn"), f"{name!r} is the rootdn here, and so probably at the provider")


def _sasl(spot: Spot) -> Iterator[Hit]:
    if spot.text("bindmethod").lower() != "sasl":
        return
    mechanism = spot.text("saslmech").upper()
    if not mechanism:
        yield Hit(
            spot.at("bindmethod"), "bindmethod=sasl without saslmech", "saslmech=EXTERNAL (or GSSAPI, SCRAM-SHA-256)"
        )
    elif mechanism == "EXTERNAL" and _scheme(spot) != "ldapi":
        own = spot.source.top.all("tlscertificatefile")
        if not own and not (spot.has("tls_cert") and spot.has("tls_key")):
            yield Hit(
                spot.at("saslmech"),
                "EXTERNAL takes the identity from a certificate, and none is named",
                "tls_cert=/path/to/replica.crt tls_key=/path/to/replica.key",
            )


def _authzid(spot: Spot) -> Iterator[Hit]:
    value = spot.text("authzid")
    if value and spot.version > _V23 and not value.lower().startswith(("dn:", "u:")):
        kind = "dn" if "=" in value else "u"
        yield Hit(spot.at("authzid"), f"authzid {value!r} does not say what it is", f'authzid="{kind}:{value}"')


def _personal(spot: Spot) -> Iterator[Hit]:
    name = spot.text("binddn").lower()
    if name.startswith(("uid=", "mail=")) and not any(
        word in name.partition(",")[0] for word in ("repl", "sync", "svc")
    ):
        yield Hit(spot.at("binddn"), f"{spot.text('binddn')!r} looks like the account of a person")


def _without_effect(spot: Spot) -> Iterator[Hit]:
    if spot.text("bindmethod").lower() == "sasl":
        return
    names = [name for name in _SASL_ONLY if spot.has(name)]
    if names:
        yield Hit(spot.at(names[0]), f"{', '.join(names)} without bindmethod=sasl")


RULES: Final = (
    Rule(
        "LR501",
        Severity.SECURITY,
        "an unprotected connection",
        "Whoever sees the traffic gets the replica's password and every entry, password hashes included.",
        "starttls=critical and tls_cacert, or ldaps://, or IPsec underneath (then disable this rule)",
        per_stanza(_clear),
    ),
    Rule(
        "LR502",
        Severity.SECURITY,
        "starttls=yes",
        "When the provider, or somebody between, answers that StartTLS is not possible, the consumer logs one warning"
        " and sends its password in clear. (A failed handshake does not fall back.)",
        "starttls=critical",
        per_stanza(_half_hearted),
    ),
    Rule(
        "LR503",
        Severity.SECURITY,
        "the provider's certificate is not verified",
        "Any server may pretend to be the provider: never and allow take a wrong CA and a wrong name.",
        "tls_reqcert=demand",
        per_stanza(_not_verified),
    ),
    Rule(
        "LR504",
        Severity.ERROR,
        "a TLS setting that fails at connect time",
        'slaptest says nothing; every connect ends with "TLS context initialization failed (-1)".',
        "correct the value",
        per_stanza(_late),
    ),
    Rule(
        "LR505",
        Severity.SECURITY,
        "tls_protocol_min without effect",
        "The number is that of the protocol inside: 3.1 is TLS 1.0, 3.3 is TLS 1.2. 1.2 is below SSL 3 and so is no"
        " minimum at all; with OpenSSL a number above 3.4 fails at connect time.",
        "tls_protocol_min=3.3",
        per_stanza(_no_minimum),
    ),
    Rule(
        "LR506",
        Severity.WARNING,
        "TLS without a CA",
        "Without tls_cacert the CA of slapd's own TLS settings is taken, never that of ldap.conf. Where it does not"
        " know the provider's CA the handshake fails.",
        "tls_cacert=/etc/ssl/certs/ca-certificates.crt",
        per_stanza(_no_ca),
    ),
    Rule(
        "LR507",
        Severity.ERROR,
        "ldaps:// together with starttls",
        '"ldap_start_tls failed (1)" at every try.',
        "remove starttls, or write ldap://",
        per_stanza(_twice),
    ),
    Rule(
        "LR508",
        Severity.ERROR,
        "scheme and port do not go together",
        "Port 389 begins without TLS and 636 with it: the handshake fails, or both sides wait for each other.",
        "ldap:// goes with 389, ldaps:// with 636",
        per_stanza(_port),
    ),
    Rule(
        "LR509",
        Severity.ERROR,
        "localhost together with TLS",
        "libldap puts the machine's own name in the place of localhost and looks for that in the certificate.",
        "write the name that stands in the certificate, or ldapi:///",
        per_stanza(_localhost),
    ),
    Rule(
        "LR511",
        Severity.SECURITY,
        "TLS settings on 2.3",
        "2.3 ignores them silently: the provider's certificate is judged by slapd's own TLS settings and ldap.conf.",
        "upgrade, or use IPsec",
        per_stanza(_ignored_tls),
    ),
    Rule(
        "LR512",
        Severity.SECURITY,
        "others can read the file with the password",
        "The replica's password reads every hash in the directory.",
        "chmod 600, owned by the user that slapd runs as; backups too",
        per_stanza(_readable),
    ),
    Rule(
        "LR513",
        Severity.ERROR,
        "a hash in credentials",
        "The consumer sends it as it is; the provider hashes it again and answers 49 (invalid credentials).",
        "the password in clear, or bindmethod=sasl saslmech=EXTERNAL with a client certificate",
        per_stanza(_hashed),
    ),
    Rule(
        "LR514",
        Severity.ERROR,
        "a binddn without credentials",
        'The provider answers 53: "unauthenticated bind (DN with no password) disallowed".',
        'credentials="..."',
        per_stanza(_no_password),
    ),
    Rule(
        "LR515",
        Severity.WARNING,
        "anonymous replication",
        "Only what anonymous may read is copied: usually no passwords, or nothing at all (32).",
        "give the consumer an entry of its own at the provider",
        per_stanza(_anonymous),
    ),
    Rule(
        "LR517",
        Severity.SECURITY,
        "the provider's rootdn as replica identity",
        "It works, as neither limits nor access rules hold for it. But a password that leaks from the consumer may then"
        " write everything.",
        "an entry of its own with limits and read access only",
        _root,
    ),
    Rule(
        "LR518",
        Severity.ERROR,
        "SASL without a mechanism or an identity",
        'slaptest says nothing; at run time "ldap_sasl_interactive_bind_s failed".',
        "saslmech=EXTERNAL tls_cert=/path/to/replica.crt tls_key=/path/to/replica.key",
        per_stanza(_sasl),
    ),
    Rule(
        "LR519",
        Severity.ERROR,
        "authzid without dn: or u:",
        "slapd 2.4 to 2.7 refuse it.",
        'authzid="dn:cn=replica,dc=example,dc=com"',
        per_stanza(_authzid),
    ),
    Rule(
        "LR550",
        Severity.INFO,
        "a person's account as replica identity",
        "When the person leaves or changes the password, replication stops; and the password in the file is theirs.",
        "an entry of its own (organizationalRole and simpleSecurityObject), with limits and read access only",
        per_stanza(_personal),
    ),
    Rule(
        "LR551",
        Severity.INFO,
        "SASL settings without SASL",
        "They have no effect with a simple bind.",
        "remove them, or write bindmethod=sasl",
        per_stanza(_without_effect),
    ),
    Rule(
        "LR510",
        Severity.ERROR,
        "the provider's certificate is not accepted",
        "Name, address, CA or dates do not fit; the consumer cannot connect.",
        "use the name that stands in the certificate, and its CA in tls_cacert",
    ),
    Rule(
        "LR516",
        Severity.ERROR,
        "the provider does not take DN and password",
        '"ldap_sasl_bind_s failed (49)": a wrong password and an unknown DN look alike.',
        "correct binddn or credentials, or create the entry at the provider",
    ),
)
