"""Every version as provider and as consumer: what init-consumer writes works there, and the others tell the truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ldap
import pytest
from compatibility import Pair
from lab import (
    COUNT,
    SUFFIX,
    UPDATEDN,
    ServerFactory,
    admin,
    assert_equal,
    check,
    context,
    converged,
    database,
    ldaprepl,
    on,
    verify,
    write,
)
from openldap import MODULES, OpenLdap
from openldap import SCHEMAS as SCHEMA_DIR

from ldaprepl.domain.awkward import ATTRIBUTE_OPTIONS
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.planting import plant

pytest_plugins = ["lab", "compatibility"]
pytestmark = pytest.mark.docker

SAME = [Pair(version, version) for version in ("2.4", "2.5", "2.6")]
MIXED = [Pair("2.4", "2.5"), Pair("2.4", "2.6"), Pair("2.5", "2.6"), Pair("2.6", "2.4")]
Providers = Callable[[str], OpenLdap]


def pair_of(chosen: list[Pair]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pair", chosen, ids=str)


@pytest.fixture
def source(pair: Pair, provider_of: Providers) -> OpenLdap:
    return provider_of(pair.provider)


@pytest.fixture
def target(pair: Pair, made_in: ServerFactory) -> OpenLdap:
    """An empty consumer, not configured."""
    return made_in(pair.consumer)


def written(source: OpenLdap, target: OpenLdap, *options: str) -> str:
    """A whole consumer for this release in these folders, by init-consumer."""
    done = ldaprepl(
        "init-consumer", *on(source), "--full", "--consumer-version", target.version, "--directory",
        str(target.folder / "db"), "--schema-dir", str(SCHEMA_DIR), "--module-dir", str(MODULES), *options,
    )  # fmt: skip
    assert done.code == 0, done.err
    text = done.out
    if "\ncn: config\n" in text:
        text = text.replace("\ncn: config\n", f"\ncn: config\nolcAttributeOptions: {ATTRIBUTE_OPTIONS}\n", 1)
        return re.sub(r"(\nolcDbMaxSize: .*)", r"\1\nolcDbNoSync: TRUE", text)
    return re.sub(r"(\nmaxsize .*)", r"\1\ndbnosync", f"attributeoptions {ATTRIBUTE_OPTIONS}\n{text}")


@pytest.mark.shows("init-consumer: a whole slapd.conf, taken by slaptest, fills itself with 2,000 awkward entries")
@pytest.mark.shows("verify: equal is called equal")
@pair_of(SAME + MIXED)
def test_a_written_consumer_converges(source: OpenLdap, target: OpenLdap) -> None:
    text = written(source, target)
    taken, words = target.slaptest(text)
    assert taken, words
    target.configure(text)
    target.start()
    converged(source, target)
    write(source)
    converged(source, target)
    assert_equal(source, target)


@pytest.mark.shows("init-consumer: the same as LDIF for cn=config")
@pair_of(SAME)
def test_a_written_cn_config_converges(source: OpenLdap, target: OpenLdap) -> None:
    target.configure_ldif(written(source, target, "--format", "ldif"))
    target.start()
    converged(source, target)
    write(source)
    converged(source, target)
    assert_equal(source, target)


@pytest.mark.shows("sync: first fill and every kind of change, by the sync service")
@pytest.mark.shows("handover: native syncrepl goes on where ldaprepl sync ended, without a reload")
@pair_of(SAME + MIXED)
def test_sync_converges_and_hands_over(source: OpenLdap, target: OpenLdap, tmp_path: Path) -> None:
    target.configure(written(source, target, "--method", "python"))
    target.start()
    first = synced(source, target, tmp_path)
    assert first["method"] == "refresh" and first["added"] >= COUNT
    gone = write(source)
    converging = synced(source, target, tmp_path)
    assert converging["added"] == len(gone)
    assert_equal(source, target)
    target.stop()
    target.configure(written(source, target))
    target.start()
    write(source)
    converged(source, target)
    assert_equal(source, target)
    assert len(re.findall(r"be_add \S.* \(0\)", target.log)) < 100, "everything was sent again"


@pytest.mark.shows("sync: the same by plain searches (scan)")
@pair_of(SAME)
def test_scan_converges(source: OpenLdap, target: OpenLdap, tmp_path: Path) -> None:
    target.configure(database(UPDATEDN))
    target.start()
    for expected in (COUNT, 3, 0):
        report = synced(source, target, tmp_path, "--method", "scan")
        assert report["method"] == "scan" and report["added"] >= expected
        assert_equal(source, target)
        if expected:
            write(source)


@pytest.mark.shows("verify: what is missing, extra, renamed, changed or another entry is found, and nothing else")
@pair_of(SAME + MIXED)
def test_verify_finds_exactly_what_was_planted(source: OpenLdap, target: OpenLdap) -> None:
    """The consumer holds the provider's entries with faults, and the provider's contextCSN: nothing gives them away."""
    entries = [Entry(each.dn, each.attributes) for each in entries_of(source)]
    faulty, planted = plant(entries)
    target.load(map(entry_text, faulty))
    target.start()
    assert context(target) == context(source)
    done = verify(source, target)
    assert done.code == 1, done.out + done.err
    assert done.states == sorted((each.kind.value, each.dn, "lasting") for each in planted)


@pytest.mark.shows("verify: lag is called behind (exit 4), not divergence")
@pytest.mark.shows("check: OK when in sync, WARNING and CRITICAL by the age of what is lacking")
@pair_of(SAME + MIXED)
def test_lag_is_lag(source: OpenLdap, target: OpenLdap) -> None:
    target.configure(written(source, target))
    target.start()
    converged(source, target)
    done = check(source, target)
    assert done.code == 0 and done.out.startswith("LDAPREPL OK"), done.out + done.err
    target.stop()
    text = (target.folder / "slapd.conf").read_text()
    target.configure(text[: text.index("syncrepl ")])
    target.start()
    names = write(source)
    done = verify(source, target, "--settle", "0")
    assert done.code == 4, done.out + done.err
    assert done.states == sorted(("missing", dn, "behind") for dn in names)
    assert check(source, target, "-w", "0", "-c", "1h").code == 1
    assert check(source, target, "-w", "0", "-c", "0").code == 2
    target.stop()
    assert verify(source, target).code == 3


def synced(source: OpenLdap, target: OpenLdap, state: Path, *options: str) -> dict[str, Any]:
    done = ldaprepl("sync", *on(source, target), "--state", str(state), "--format", "json", *options)
    assert done.code == 0, done.out + done.err + (target.log_tail() if done.code == 3 else "")
    assert not done.report["refused"]
    return done.report


def entries_of(server: OpenLdap) -> list[Entry]:
    """All there is, in slapd's own order."""
    connection = admin(server)
    rows = connection.search_ext_s(
        SUFFIX, ldap.SCOPE_SUBTREE, attrlist=["*", "+"], serverctrls=[ldap.controls.simple.ManageDSAITControl(True)]
    )
    local = {"entrydn", "hassubordinates", "subschemasubentry"}
    return [Entry(dn, {name: tuple(values) for name, values in attributes.items() if name.lower() not in local})
            for dn, attributes in rows]  # fmt: skip
