"""slapd must understand in a written stanza what was meant: passwords, DNs and filters that are hard to write.

A provider holds one tree and one replica identity for each case; the tree is readable by that identity only. One
consumer with a stanza for each case, in slapd.conf and in cn=config form, fills itself only where the bind DN, the
password, the base and the filter all arrived as they were meant.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ldap
import pytest
from conftest import SlapdFactory

from ldaprepl.domain import cnconfig, dn, ldapfilter, ldif
from ldaprepl.domain.stanza import Stanza, StanzaRefused
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, comment, quote_conf
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

SUFFIX = "dc=example,dc=com"
V25 = Version(2, 5)


@dataclass(frozen=True)
class Case:
    number: int
    password: str
    name: str  # in the binddn, in the searchbase
    wanted: str  # in the filter

    @property
    def identity(self) -> str:
        return f"cn={dn.escape(self.name.encode())}{self.number},{SUFFIX}"

    @property
    def base(self) -> str:
        return f"ou={dn.escape(self.name.encode())}{self.number},{SUFFIX}"

    def stanza(self, uri: str) -> Stanza:
        value = ldapfilter.escape(self.wanted)
        return Stanza.of(
            {
                "rid": f"{self.number:03}",
                "provider": uri,
                "type": "refreshAndPersist",
                "retry": "1 +",
                "searchbase": self.base,
                "filter": f"(|(objectClass=organizationalUnit)(&(description={value})(!(cn=nobody))))",
                "bindmethod": "simple",
                "binddn": self.identity,
                "credentials": self.password,
                "network-timeout": "5",
            }
        )


PASSWORDS = [
    "plain",
    "two words",
    "  blanks around  ",
    "back\\slash \\\\ and \\",
    "#hash # hash",
    "{SSHA}looks hashed",
    "{0}prefix",
    "pässwörd €",
    "日本語",
    "tab\there",
    "it's `odd` $HOME",
    "a=b,c;d&(e)|!<f>:*+%",
    " ",
    "#",
    "\\",
    'my"x',
    'a b"c',
    'ab"',
    '"quoted"',
    '"',
    '\\"',
    'first" then blank',
    'x" ',
]
NAMES = ["plain", "a, b", 'q"uote', "back\\slash", "#x", "é+ü", "a  b", "x=y;z", " lead", "<>"]
VALUES = ["plain", "a(b)c", "star*", "back\\slash", 'say "hi" now', "é ü", "x  y", "#", "a&b|c!d", "trail "]
CASES = [Case(i + 1, word, NAMES[i % len(NAMES)], VALUES[i % len(VALUES)]) for i, word in enumerate(PASSWORDS)]
ONLY_IN_SLAPD_CONF = 'a " b'


@pytest.fixture(scope="module")
def provider(slapd_module: SlapdFactory) -> Slapd:
    lines = ["overlay syncprov"]
    for case in CASES:
        lines += [
            f"access to dn.subtree={quote_conf(case.base)} by dn.exact={quote_conf(case.identity)} read by * none",
        ]
    lines.append("access to * by * auth")
    server = slapd_module(SlapdConf(Database(SUFFIX, lines=tuple(lines)), modules=("syncprov",)))
    server.load(data(), write_csn=True)
    return server.start()


def data() -> Iterator[str]:
    yield record(SUFFIX, objectClass=["dcObject", "organization"], dc="example", o="x")
    for case in CASES:
        yield record(
            case.identity,
            objectClass=["organizationalRole", "simpleSecurityObject"],
            cn=f"{case.name}{case.number}",
            userPassword=hashed(case.password),
        )
        yield record(case.base, objectClass="organizationalUnit", ou=f"{case.name}{case.number}")
        for cn, value in (("in", case.wanted), ("out", "something else"), ("nobody", case.wanted)):
            yield record(f"cn={cn},{case.base}", objectClass="organizationalRole", cn=cn, description=value)


def hashed(password: str) -> str:
    """Always stored hashed: slapd takes a clear `{SSHA}...` for a hash."""
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + b"salt").digest() + b"salt").decode()


def record(name: str, **values: str | list[str]) -> str:
    lines = [ldif.line("dn", name)]
    for key, value in values.items():
        lines += [ldif.line(key, each) for each in ([value] if isinstance(value, str) else value)]
    return "".join(lines) + "\n"


def slapd_conf(uri: str) -> SlapdConf:
    databases = [
        Database(
            case.base,
            maxsize=1 << 22,
            lines=(
                comment('Why: it\'s a "test"\nwith two lines')
                + case.stanza(uri).render(Form.SLAPD_CONF, V25).text.rstrip("\n"),
                f"updateref {uri}",
            ),
        )
        for case in CASES
    ]
    return SlapdConf(databases[0], others=tuple(databases[1:]))


def config_ldif(server: Slapd, uri: str) -> str:
    where = server.installation
    parts = [
        "dn: cn=config\nobjectClass: olcGlobal\ncn: config\n",
        "dn: cn=module{0},cn=config\nobjectClass: olcModuleList\ncn: module{0}\nolcModuleLoad: {0}back_mdb\n"
        f"olcModulePath: {where.module_dir}\n",
        "dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n",
        *(f"include: file://{where.schema_dir}/{name}.ldif\n" for name in ("core", "cosine")),
        "dn: olcDatabase={-1}frontend,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcFrontendConfig\n"
        "olcDatabase: {-1}frontend\n",
        "dn: olcDatabase={0}config,cn=config\nobjectClass: olcDatabaseConfig\nolcDatabase: {0}config\n",
    ]
    for case in CASES:
        parts.append(
            f"dn: olcDatabase={{{case.number}}}mdb,cn=config\nobjectClass: olcDatabaseConfig\n"
            f"objectClass: olcMdbConfig\nolcDatabase: {{{case.number}}}mdb\n"
            + ldif.line("olcSuffix", case.base)
            + ldif.line("olcRootDN", f"cn=admin,{case.base}")
            + f"olcDbDirectory: {server.folder}/db{case.number}\nolcDbMaxSize: {1 << 22}\n"
            + "olcDbIndex: objectClass,entryUUID,entryCSN eq\n"
            + comment("why: because")
            + cnconfig.attribute("olcSyncrepl", case.stanza(uri).render(Form.CN_CONFIG, V25).words, 0)
            + f"olcUpdateRef: {uri}\n"
        )
    return "\n".join(parts)


@pytest.fixture(scope="module", params=list(Form))
def consumer(request: pytest.FixtureRequest, provider: Slapd, slapd_module: SlapdFactory) -> Slapd:
    server = slapd_module(slapd_conf(provider.ldap_uri), debug="sync")
    if request.param is Form.CN_CONFIG:
        server.configure_ldif(config_ldif(server, provider.ldap_uri))
    return server.start()


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case.password))
def test_the_replica_fills_as_meant(consumer: Slapd, case: Case) -> None:
    """Only with the right DN and password anything comes, only with the right filter exactly this."""
    expected = {"ou", "in"}
    connection = ldap.initialize(consumer.ldapi_uri)
    seen: set[str] = set()

    def there() -> bool:
        nonlocal seen
        try:
            found = connection.search_s(case.base, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["1.1"])
        except ldap.NO_SUCH_OBJECT:
            return False
        seen = {"ou" if name.lower().startswith("ou=") else name.split(",")[0][3:] for name, _ in found}
        return seen == expected

    try:
        assert wait_until(there), f"{seen}\n{consumer.log_tail(40)}"
    finally:
        connection.unbind_s()


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_password_that_cn_config_cannot_express_is_refused_there_and_written_for_slapd_conf() -> None:
    stanza = Case(1, ONLY_IN_SLAPD_CONF, "x", "y").stanza("ldap://127.0.0.1")
    with pytest.raises(StanzaRefused):
        stanza.render(Form.CN_CONFIG)
    stanza.render(Form.SLAPD_CONF)


def test_slaptest_takes_every_keyword(slapd: SlapdFactory) -> None:
    """All keywords that 2.5 knows at once; slaptest only parses, so nothing of it need work."""
    values = {
        "rid": "7",
        "provider": "ldap://127.0.0.1:1",
        "searchbase": SUFFIX,
        "type": "refreshOnly",
        "interval": "00:00:10:00",
        "retry": "5 12 60 +",
        "filter": '(|(cn=a "b" c)(cn=\\28x\\29))',
        "scope": "sub",
        "attrs": "*,+",
        "exattrs": "description,@person",
        "sizelimit": "unlimited",
        "timelimit": "unlimited",
        "schemachecking": "off",
        "manageDSAit": "0",
        "bindmethod": "simple",
        "binddn": f"cn=x,{SUFFIX}",
        "credentials": "x",
        "authcid": "x",
        "authzid": "u:x",
        "saslmech": "EXTERNAL",
        "realm": "R",
        "secprops": "none",
        "starttls": "critical",
        "tls_cert": "/x y/cert.pem",
        "tls_key": "/x y/key.pem",
        "tls_cacert": "/x y/ca.pem",
        "tls_cacertdir": "/x y",
        "tls_cipher_suite": "NORMAL",
        "tls_reqcert": "demand",
        "tls_protocol_min": "3.3",
        "tls_reqsan": "demand",
        "timeout": "5",
        "network-timeout": "5",
        "version": "3",
        "keepalive": "240:10:30",
        "tcp-user-timeout": "30000",
        "logbase": "cn=accesslog",
        "logfilter": "(&(objectClass=auditWriteObject)(reqResult=0))",
        "syncdata": "accesslog",
        "suffixmassage": SUFFIX,
        "strictrefresh": None,
        "lazycommit": None,
    }
    stanza = Stanza.of(values)
    assert not stanza.complaints(V25)
    text = stanza.render(Form.SLAPD_CONF, V25).text.rstrip("\n")
    server = slapd(SlapdConf(Database(SUFFIX, lines=(text,))))
    done = subprocess.run(
        [server.installation.program, "-T", "test", "-u", "-f", server.folder / "slapd.conf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "config file testing succeeded" in done.stderr
