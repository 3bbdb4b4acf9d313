"""Repair by changes on the consumer. The fears: an order that a server refuses half-way, a value that comes out
otherwise, a delete too many, a secret in the open, and a repair that says "healed" of what is not.
"""

from __future__ import annotations

from pathlib import Path

import ldap
import pytest
from mendlab import (
    FREE,
    UPDATEDN,
    Native,
    everything,
    ldapmodify,
    pair,
    repair,
    sample,
    stanza,
    still_wrong,
    with_values,
)
from remembering import master, twin
from replication import with_admin
from synclab import Lab, consumer_conf, provider_conf, seed
from verifying import ADMIN, SECRET, SlapdFactory, conf, verify

from ldaprepl.domain.sample import SUFFIX

STAMPS = ("-x", "entryCSN", "-x", "modifyTimestamp", "-x", "modifiersName")


@pytest.mark.parametrize("way", ["apply", "ldif"])
@pytest.mark.parametrize(("lines", "relaxed"), [((UPDATEDN,), False), ((), True)], ids=["updatedn", "relax"])
def test_every_divergence_at_once(
    slapd: SlapdFactory, tmp_path: Path, way: str, lines: tuple[str, ...], relaxed: bool
) -> None:
    provider, consumer = pair(slapd, sample(), everything, *lines)
    left_out = STAMPS if relaxed else ()
    assert len(still_wrong(provider, consumer, *left_out)) > 20
    if way == "apply":
        run = repair(provider, consumer, "apply", "--yes", *FREE, *left_out)
        made = run.consumer["repair"]
        assert (run.code, run.findings, made["refused"]) == (0, [], []), run.out
        assert made["planned"] == made["done"] == made["healed"] > 20
    else:
        file = tmp_path / "repair.ldif"
        run = repair(provider, consumer, "ldif", "--repair-file", str(file), *FREE, *left_out)
        assert run.code == 1
        assert file.stat().st_mode & 0o777 == 0o600
        ldapmodify(consumer, file, tmp_path, "-M", *(["-e", "relax"] if relaxed else []))
    assert still_wrong(provider, consumer, *left_out) == []


@pytest.mark.parametrize("way", ["apply", "ldif"])
def test_a_tree_under_another_suffix(slapd: SlapdFactory, tmp_path: Path, way: str) -> None:
    """DNs, and values that are DNs, become the consumer's own."""
    copy = "dc=example,dc=org"
    provider, _ = pair(slapd, sample(), lambda entries: entries[:1])
    consumer = slapd(conf(f"updatedn cn=admin,{copy}", suffix=copy))
    consumer.load([f"dn: {copy}\nobjectClass: organization\nobjectClass: dcObject\no: x\ndc: example\n\n"])
    consumer.start()
    options = ("--suffixmassage", copy, "--consumer-bind-dn", f"cn=admin,{copy}", "--settle", "0.2")
    env = {"LDAPREPL_CONSUMER_PASSWORD": SECRET}
    if way == "apply":
        run = repair(provider, consumer, "apply", "--yes", *options, "--max-repair", "5000", env=env)
        assert run.code == 0, run.out
        dns = [
            line for line in consumer.dump().splitlines() if line.startswith(("dn:", "manager:", "aliasedObjectName:"))
        ]
        assert len(dns) > 100
        assert not [line for line in dns if line.endswith(SUFFIX)]
        return
    file = tmp_path / "repair.ldif"
    run = repair(provider, consumer, "ldif", "--repair-file", str(file), *options, "--max-repair", "5000", env=env)
    ldapmodify(consumer, file, tmp_path, "-M", bind=f"cn=admin,{copy}")
    assert verify(provider, consumer, *options, env=env).code == 0


def test_a_native_consumer_as_the_comment_says(slapd: SlapdFactory, tmp_path: Path) -> None:
    """syncrepl out, updatedn in, ldapmodify, and back again, all at run time; then replication goes on."""
    lab = Native(slapd, sample(), stanza, live=True)
    lab.harm(everything)
    file = tmp_path / "repair.ldif"
    repair(lab.provider, lab.consumer, "ldif", "--repair-file", str(file), *FREE)
    assert "take syncrepl" in " ".join(file.read_text().split("version:")[0].split())
    lab.consumer.stop()
    lab.consumer.convert()
    lab.consumer.start()
    config = ldap.initialize(lab.consumer.ldapi_uri)
    config.sasl_external_bind_s()
    ((database, held),) = config.search_s("cn=config", ldap.SCOPE_SUBTREE, "(olcSyncrepl=*)", ["olcSyncrepl"])
    config.modify_s(database, [(ldap.MOD_DELETE, "olcSyncrepl", None)])
    config.modify_s(database, [(ldap.MOD_ADD, "olcUpdateDN", [ADMIN.encode()])])
    ldapmodify(lab.consumer, file, tmp_path, "-M")
    config.modify_s(database, [(ldap.MOD_DELETE, "olcUpdateDN", None)])
    config.modify_s(database, [(ldap.MOD_ADD, "olcSyncrepl", held["olcSyncrepl"])])
    assert still_wrong(lab.provider, lab.consumer) == []
    with_admin(lab.provider).modify_s(f"ou=people,{SUFFIX}", [(ldap.MOD_REPLACE, "description", [b"goes on"])])
    lab.in_step()
    assert still_wrong(lab.provider, lab.consumer) == []


def test_relax_says_what_it_cannot_carry(slapd: SlapdFactory) -> None:
    """entryCSN goes on to differ: the verdict is not "equal" because we would like it."""
    victim = next(entry.dn for entry in sample() if entry.values("mail"))
    provider, consumer = pair(slapd, sample(), with_values(victim, mail=(b"x@example.com",)))
    run = repair(provider, consumer, "apply", "--yes")
    made = run.consumer["repair"]
    assert (run.code, made["written"], made["done"], made["healed"]) == (1, "relax", 1, 0)
    assert "entryCSN" in made["notes"][0]
    assert [a["name"] for f in run.findings for a in f["attributes"]] == ["entryCSN"]
    again = repair(provider, consumer, "apply", "--yes").consumer["repair"]
    assert (again["planned"], again["changes"]) == (0, [])
    assert "only entryCSN differs" in again["refused"][0]["reason"]


def test_another_structural_class(slapd: SlapdFactory, tmp_path: Path) -> None:
    """A glue entry in the place of a real one, with others below."""
    glue = with_values(
        f"ou=Sales,ou=people,{SUFFIX}", objectClass=(b"top", b"glue"), structuralObjectClass=(b"glue",), ou=(),
        entryUUID=(b"99999999-1111-4111-a111-111111111111",),
    )  # fmt: skip
    provider, consumer = pair(slapd, sample(), glue, UPDATEDN)
    file = tmp_path / "repair.ldif"
    assert repair(provider, consumer, "ldif", "--repair-file", str(file)).code == 1
    assert "-e relax" in file.read_text()
    ldapmodify(consumer, file, tmp_path, "-M", "-e", "relax")
    assert still_wrong(provider, consumer) == []


def test_with_a_memory(slapd: SlapdFactory, tmp_path: Path) -> None:
    """A run that looks at changes only has not counted the entries: the brake still knows what is too much."""
    provider = master(slapd)
    consumer = twin(slapd, provider)
    state = ("--state", str(tmp_path / "state"), "--since-last")
    assert verify(provider, consumer, *state).code == 0
    connection = with_admin(consumer)
    victims = [dn for dn, _ in connection.search_s(SUFFIX, ldap.SCOPE_SUBTREE, "(uid=*)", ["1.1"])][:7]
    for dn in victims:
        connection.modify_s(dn, [(ldap.MOD_REPLACE, "sn", [b"wrong"])])
    run = repair(provider, consumer, "apply", "--yes", *state)
    assert run.code == 1
    assert "more than the 5 allowed" in run.consumer["repair"]["halted"]["text"]
    run = repair(provider, consumer, "apply", "--yes", "--max-repair", "7", *state)
    assert (run.code, run.consumer["repair"]["healed"]) == (0, 7), run.out
    assert verify(provider, consumer, *state).code == 0
    assert still_wrong(provider, consumer) == []


def test_sync_goes_on_after_it(slapd: SlapdFactory, tmp_path: Path) -> None:
    """The consumer of `ldaprepl sync`, repaired: to sync it is as if nothing had been."""
    lab = Lab(slapd(provider_conf()).start(), slapd(consumer_conf()).start(), tmp_path / "state")
    seed(lab.admin())
    lab.sync()
    harm = lab.admin(lab.consumer)
    harm.delete_s(f"uid=p0,ou=people,{SUFFIX}")
    harm.modify_s(f"uid=p1,ou=people,{SUFFIX}", [(ldap.MOD_REPLACE, "sn", [b"wrong"])])
    harm.rename_s(f"ou=groups,{SUFFIX}", "ou=gruppen")
    password = lab.provider.rootpw.reveal()
    env = {"LDAPREPL_PASSWORD": password, "LDAPREPL_CONSUMER_PASSWORD": lab.consumer.rootpw.reveal()}
    run = repair(lab.provider, lab.consumer, "apply", "--yes", "--consumer-bind-dn", ADMIN, env=env)
    assert (run.code, run.consumer["repair"]["healed"]) == (0, 3), run.out
    lab.assert_equal()
    lab.admin().modify_s(f"uid=p2,ou=people,{SUFFIX}", [(ldap.MOD_REPLACE, "sn", [b"new"])])
    report = lab.sync()
    assert (report.tally.modified, report.tally.added, report.tally.deleted, report.notes) == (1, 0, 0, ())
    lab.assert_equal()
