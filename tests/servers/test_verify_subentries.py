"""Subentries (RFC 3672), which no ordinary search shows. The fear: a policy that never reached the consumer, behind a
verdict of equal.
"""

from __future__ import annotations

from pathlib import Path

import ldap
from replication import until, with_admin
from test_verify_native import caught_up, follower, kinds, master
from test_verify_offline import compare, slapcat
from verifying import SlapdFactory, conf, filled, verify

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, directory, stamped

DN = f"cn=policy,{SUFFIX}"


def subentry(text: bytes = b"{}", number: int = 1) -> Entry:
    return Entry(
        DN,
        {
            "objectClass": (b"subentry", b"extensibleObject"),
            "cn": (b"policy",),
            "subtreeSpecification": (text,),
            "description": (b"of all",),
            "entryUUID": (b"00000000-0000-0000-0000-%012x" % number,),
            "entryCSN": (b"20250101000000.000000Z#000000#000#000000",),
        },
    )


def dated(text: bytes = b"{}", number: int = 1) -> Entry:
    """The same for two loads that may fall into two seconds."""
    stamp = (b"20250101000000Z",)
    plain = subentry(text, number)
    return Entry(plain.dn, {**plain.attributes, "createTimestamp": stamp, "modifyTimestamp": stamp})


def test_they_are_compared(slapd: SlapdFactory) -> None:
    sample = list(stamped(directory(50)))
    provider = filled(slapd(conf()), [*sample, dated()])
    assert with_admin(provider).search_s(SUFFIX, ldap.SCOPE_SUBTREE, f"(entryDN={DN})") == []
    same, other, none = (
        filled(slapd(conf()), [*sample, *more])
        for more in ([dated()], [dated(b'{ base "ou=people" }', 2)], list[Entry]())
    )
    run = verify(provider, [same, other, none])
    assert run.code == 1
    assert [consumer["entries"]["provider"] for consumer in run.report["consumers"]] == [51] * 3
    found = [[(f["kind"], f["dn"]) for f in consumer["findings"]] for consumer in run.report["consumers"]]
    assert found == [[], [("identity", DN)], [("missing", DN)]]
    assert verify(none, provider).findings[0]["kind"] == "extra"
    assert verify(provider, none, "--filter", "(objectClass=inetOrgPerson)").code == 0
    assert verify(provider, none, "-s", "one").findings[0]["dn"] == DN


def test_native_syncrepl_does_not_bring_them_and_verify_says_so(slapd: SlapdFactory, tmp_path: Path) -> None:
    provider = master(slapd, stamped(directory(50)))
    values = [(name, list(held)) for name, held in subentry().attributes.items() if not name.startswith("entry")]
    with_admin(provider).add_s(DN, values)
    consumer = follower(slapd, provider)
    assert kinds(verify(provider, consumer)) == [("missing", DN, "lasting")]
    dumps = slapcat(provider, tmp_path / "p"), slapcat(consumer, tmp_path / "c")
    assert kinds(compare("--ldif", *dumps)) == [("missing", DN, "lasting")]
    with_admin(provider).modify_s(DN, [(ldap.MOD_REPLACE, "description", [b"now it travels"])])
    until(lambda: caught_up(provider, consumer))
    assert verify(provider, consumer).code == 0


def test_a_base_that_is_a_subentry_is_read_once(slapd: SlapdFactory) -> None:
    sample = [*stamped(directory(50)), dated()]
    servers = [filled(slapd(conf()), sample) for _ in range(2)]
    for scope in ("base", "sub"):
        run = verify(*servers, "-s", scope, base=DN)
        assert (run.code, run.consumer["entries"]) == (0, {"provider": 1, "consumer": 1, "equal": 1})
