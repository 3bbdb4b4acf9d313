"""The fears: a sample that slapd does not take, or changes; a disguise that slapd would not call the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ldap
import pytest
from ldap.controls.simple import ManageDSAITControl
from ldap.filter import escape_filter_chars

from ldaprepl.domain import dn as names
from ldaprepl.domain.awkward import ATTRIBUTE_OPTIONS, ATTRIBUTE_TYPES, CONF_LINES, OBJECT_CLASSES, awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entries, entry_text
from ldaprepl.domain.planting import disguise, plant, shuffled
from ldaprepl.domain.sample import PASSWORD, directory, stamped
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

SlapdFactory = Callable[..., Slapd]
CONF = SlapdConf(lines=CONF_LINES, database=Database(nosync=True))


def dumped(server: Slapd) -> dict[str, Entry]:
    return {entry.uuid or "": entry for entry in entries(server.dump().splitlines())}


def same_name(one: str, other: str) -> bool:
    """Equal but for the escapes, the order in an RDN (slapd sorts) and a DN within the DN (slapd rewrites it)."""
    return all(
        sorted(left) == sorted(right) or left[0][0] == "sampleName"
        for left, right in zip(names.parse(one), names.parse(other), strict=True)
    )


def connection(server: Slapd) -> ldap.ldapobject.SimpleLDAPObject:
    bound = ldap.initialize(server.ldapi_uri)
    bound.simple_bind_s(server.rootdn, server.rootpw.reveal())
    bound.set_option(ldap.OPT_SERVER_CONTROLS, [ManageDSAITControl()])
    return bound


@pytest.fixture
def loaded(slapd: SlapdFactory) -> Iterator[tuple[Slapd, list[Entry]]]:
    sample = list(stamped(awkward(900)))
    server = slapd(CONF)
    server.load(map(entry_text, sample))
    yield server.start(), sample


def test_five_thousand_awkward_entries_come_back_as_they_went_in(slapd: SlapdFactory) -> None:
    sample = list(stamped(awkward(5000)))
    server = slapd(CONF)
    server.load(map(entry_text, shuffled(sample)), quick=False)
    found = dumped(server)
    assert len(found) == len(sample)
    for entry in sample:
        held = found[entry.uuid or ""]
        assert same_name(entry.dn, held.dn)
        assert held.attributes == entry.attributes


def test_an_ordinary_directory_comes_back_as_it_went_in(slapd: SlapdFactory) -> None:
    sample = list(stamped(directory(3000)))
    server = slapd(CONF)
    server.load(map(entry_text, sample), quick=False)
    assert list(entries(server.dump().splitlines())) == sample


def test_every_awkward_entry_may_also_be_written_over_ldap(slapd: SlapdFactory) -> None:
    server = slapd(CONF).start()
    bound = connection(server)
    for entry in awkward(700):
        bound.add_s(entry.dn, [(name, list(values)) for name, values in entry.attributes.items()])
    bound.unbind_s()
    assert len(dumped(server)) == 700


def test_the_sample_schema_in_cn_config_form(slapd: SlapdFactory) -> None:
    server = slapd(SlapdConf(live_config=True, database=Database(nosync=True))).start()
    bound = ldap.initialize(server.ldapi_uri)
    bound.sasl_non_interactive_bind_s("EXTERNAL")
    # one value for all: slapd 2.5 shows lang- beside an added x-, but takes descriptions with x- only from then on
    bound.modify_s("cn=config", [(ldap.MOD_ADD, "olcAttributeOptions", [ATTRIBUTE_OPTIONS.encode()])])
    schema = [
        ("objectClass", [b"olcSchemaConfig"]),
        ("olcAttributeTypes", [text.encode() for text in ATTRIBUTE_TYPES]),
        ("olcObjectClasses", [text.encode() for text in OBJECT_CLASSES]),
    ]
    bound.add_s("cn=sample,cn=schema,cn=config", schema)
    bound.unbind_s()
    bound = connection(server)
    for entry in awkward(40):
        bound.add_s(entry.dn, [(name, list(values)) for name, values in entry.attributes.items()])
    bound.unbind_s()


def test_people_can_bind(slapd: SlapdFactory) -> None:
    sample = list(directory(30))
    server = slapd()
    server.load(map(entry_text, sample))
    bound = ldap.initialize(server.start().ldapi_uri)
    bound.simple_bind_s(sample[-1].dn, PASSWORD)
    bound.unbind_s()


@pytest.mark.parametrize("sample", [directory, awkward])
def test_slapd_calls_every_disguise_the_same(slapd: SlapdFactory, sample: Callable[[int], Iterator[Entry]]) -> None:
    before = list(stamped(sample(900)))
    after, done = disguise(before)
    by_dn = {old.dn: new for old, new in zip(before, after, strict=True)}
    kinds = {what.name for what in done}
    assert kinds >= {"case", "dn value", "value order", "attribute name", "dn", "telephone", "spacing"}
    assert sample is directory or kinds >= {"digits", "lines", "unicode"}
    server = slapd(CONF)
    server.load(map(entry_text, before))
    bound = connection(server.start())
    for what in done:
        disguised = by_dn[what.dn]
        terms = [f"(entryUUID={disguised.uuid})"]
        for value in disguised.values(what.attribute):
            terms.append(f"({what.attribute}={escape_filter_chars(value.decode())})")
        found = bound.search_s(disguised.dn, ldap.SCOPE_BASE, f"(&{''.join(terms)})", ["1.1"])
        assert len(found) == 1, what
    bound.unbind_s()
    other = slapd(CONF)
    other.load(map(entry_text, after))
    assert dumped(other).keys() == dumped(server).keys()


@pytest.mark.parametrize("sample", [directory, awkward])
def test_a_consumer_with_planted_faults_can_be_loaded(
    slapd: SlapdFactory, sample: Callable[[int], Iterator[Entry]]
) -> None:
    after, planted = plant(list(stamped(sample(900))), 20)
    server = slapd(CONF)
    server.load(map(entry_text, shuffled(after)), quick=False)
    found = dumped(server)
    assert found.keys() == {entry.uuid for entry in after}
    assert len(planted) == 100


def test_differences_in_case_or_spacing_alone_are_kept(loaded: tuple[Slapd, list[Entry]]) -> None:
    server, sample = loaded
    twins = next(entry for entry in sample if entry.values("sampleNoRule") == (b"a b", b"a  b", b" a b", b"A B"))
    bound = connection(server)
    [(_, attributes)] = bound.search_s(twins.dn, ldap.SCOPE_BASE, "(objectClass=*)", ["*"])
    bound.unbind_s()
    for name in ("sampleExact", "sampleNoRule", "sampleOctets", "userPassword", "labeledURI"):
        assert tuple(attributes[name]) == twins.values(name)
