"""What is compared, and as whom. The fear: something left out, or looked at, that the user did not mean."""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest
from replication import context, until
from verifying import ADMIN, REPLICA, SECRET, SlapdFactory, conf, filled, replica, verify

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.domain.secret import Secret
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

SALES = f"ou=Sales,ou=people,{SUFFIX}"
PEER = f"gidNumber={os.getegid()}+uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"


def sample(number: int = 120) -> list[Entry]:
    return list(stamped([*directory(number), replica()]))


def changed(entry: Entry) -> Entry:
    """The consumer's side: every person has another description, a lost title, a password and a group of its own."""
    if not entry.dn.startswith("uid="):
        return entry
    more = {"description": (b"other",), "memberOf": (b"cn=x",), "userPassword": (b"other",)}
    return Entry(entry.dn, {**{k: v for k, v in entry.attributes.items() if k != "title"}, **more})


@pytest.fixture(scope="module")
def pair(slapd_module: SlapdFactory) -> tuple[Slapd, Slapd]:
    entries = sample()
    provider = filled(slapd_module(conf()), entries)
    consumer = slapd_module(conf("overlay memberof", modules=("memberof",)))
    return provider, filled(consumer, map(changed, entries))


def differing(pair: tuple[Slapd, Slapd], *options: str, base: str = SUFFIX) -> set[str]:
    """The names of the attributes that are found to differ."""
    run = verify(*pair, *options, base=base)
    names = {attribute["name"] for finding in run.findings for attribute in finding["attributes"]}
    assert run.code == (1 if run.findings else 0)
    return names


def test_all_that_replicates_by_default(pair: tuple[Slapd, Slapd]) -> None:
    assert differing(pair) == {"description", "title", "userPassword"}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["-a", "title"], {"title"}),
        (["-a", "TITLE,cn"], {"title"}),
        (["-a", "2.5.4.12"], {"title"}),
        (["-a", "cn", "-a", "sn"], set()),
        (["-a", "*"], {"description", "title", "userPassword"}),
        (["-a", "+"], set()),
        (["-a", "*", "-a", "+", "-a", "memberOf"], {"description", "title", "userPassword", "memberOf"}),
        (["-a", "memberOf"], {"memberOf"}),
        (["-x", "title"], {"description", "userPassword"}),
        (["-x", "title,description", "-x", "USERPASSWORD"], set()),
        (["-x", "2.5.4.12"], {"description", "userPassword"}),
        (["-a", "title", "-x", "title"], set()),
        (["--filter", "(objectClass=posixAccount)"], {"description", "title", "userPassword"}),
        (["--filter", "(objectClass=posixGroup)"], set()),
        (["--scope", "one"], set()),
        (["--scope", "base"], set()),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else " ".join(value),
)
def test_attributes_filter_and_scope(pair: tuple[Slapd, Slapd], options: list[str], names: set[str]) -> None:
    if any("memberOf" in option for option in options):
        pair = pair[1], pair[0]  # only this one knows the attribute
    assert differing(pair, *options) == names


def test_scope_counts_what_is_below(pair: tuple[Slapd, Slapd]) -> None:
    counts = {}
    for scope in ("base", "one", "sub", "subord"):
        run = verify(*pair, "--scope", scope, base=f"ou=people,{SUFFIX}")
        counts[scope] = run.consumer["entries"]["provider"]
    people = sum(entry.dn.endswith(f",ou=people,{SUFFIX}") for entry in sample())
    assert counts == {"base": 1, "one": 8, "sub": people + 1, "subord": people}
    assert differing(pair, "--scope", "one", base=SALES) == {"description", "title", "userPassword"}


def test_secrets_are_shown_as_digests(pair: tuple[Slapd, Slapd]) -> None:
    entries = sample()
    hashed = next(entry for entry in entries if entry.dn.startswith("uid=")).values("userPassword")[0].decode()
    for form in ("json", "text"):
        run = verify(*pair, "--format", form, "--limit", "0")
        assert hashed not in run.out
        assert "digest:" in run.out
        assert "{SSHA}" not in run.out
    values = [a for f in verify(*pair, "-a", "userPassword").findings for a in f["attributes"]]
    assert values
    for value in values:
        (ours,), (theirs,) = value["provider"], value["consumer"]
        assert ours.startswith("digest:")
        assert theirs.startswith("digest:")
        assert ours != theirs
    again = verify(*pair, "-a", "userPassword").findings[0]["attributes"][0]["provider"]
    assert again != values[0]["provider"], "keyed anew, so that nobody can try passwords against a report"


def test_a_partial_replica_is_equal_within_its_scope(slapd: SlapdFactory) -> None:
    """filter, attrs and exattrs mean what they mean in a stanza: syncrepl itself is the judge."""
    provider = filled(slapd(conf("overlay syncprov", modules=("syncprov",))), sample())
    filter_ = "(|(objectClass=posixAccount)(objectClass=organizationalUnit)(objectClass=domain))"
    stanza = (
        f"syncrepl rid=001 provider={provider.ldap_uri} type=refreshAndPersist searchbase={SUFFIX}"
        f' filter="{filter_}" attrs="*,+" exattrs="title,userPassword"'
        f' bindmethod=simple binddn={ADMIN} credentials="{SECRET}"'
    )
    consumer = slapd(conf(stanza)).start()
    until(lambda: context(provider) == context(consumer) != [])
    exact = verify(provider, consumer, "--filter", filter_, "-x", "title,userPassword", "--settle", "20")
    assert (exact.code, exact.findings) == (0, [])
    assert exact.consumer["entries"]["equal"] > 80
    attributes = verify(provider, consumer, "--filter", filter_, "--settle", "20")
    assert {a["name"] for f in attributes.findings for a in f["attributes"]} == {"title", "userPassword"}
    entries = verify(provider, consumer, "-x", "title,userPassword", "--settle", "20")
    assert {finding["kind"] for finding in entries.findings} == {"missing"}
    assert all("groups" in f["dn"] or "replica" in f["dn"] for f in entries.findings)


# -- as whom -----------------------------------------------------------------------------------------------------------


def test_ldapi_with_external(slapd: SlapdFactory) -> None:
    servers = [filled(slapd(conf(f'access to * by dn.exact="{PEER}" read by * none')), sample(20)) for _ in range(2)]
    words = [f"ldapi://{quote(str(server.folder / 'ldapi'), safe='')}" for server in servers]
    run = verify(words[0], words[1], "--sasl", "EXTERNAL", bind=None)
    assert run.code == 0
    assert run.consumer["entries"]["equal"] == 21
    assert verify(words[0], words[1], bind=None).code == 3, "nobody else sees anything"
    mixed = verify(servers[0], words[1], "--consumer-sasl", "EXTERNAL")
    assert mixed.code == 0


def test_two_identities(slapd: SlapdFactory) -> None:
    provider = filled(slapd(conf()), sample(20))
    other = Database(rootdn=f"cn=other,{SUFFIX}", rootpw=Secret("another one"), nosync=True, lines=(_CLOSED,))
    consumer = filled(slapd(SlapdConf(other, lines=conf().lines)), sample(20))
    secret = {"LDAPREPL_CONSUMER_PASSWORD": "another one"}
    run = verify(provider, consumer, "--consumer-bind-dn", consumer.rootdn, env=secret)
    assert run.code == 0
    assert "another one" not in run.out + run.err
    assert verify(provider, consumer).code == 3, "the provider's identity is nobody there"
    file = consumer.folder / "password file"
    file.write_text("another one")
    file.chmod(0o600)
    options = ["--consumer-bind-dn", consumer.rootdn, "--consumer-password-file", str(file)]
    assert verify(provider, consumer, *options).code == 0
    unbound = verify(provider, consumer, "--consumer-bind-dn", consumer.rootdn)
    assert unbound.code == 2
    assert "LDAPREPL_CONSUMER_PASSWORD" in unbound.err


_CLOSED = f'access to * by dn.exact="{REPLICA}" read by * none'
