"""Consumers that are wrong in known ways, for the tests of `verify --repair`: lists of entries, harmed, then loaded."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from replication import context, until
from verifying import ADMIN, PATIENCE, SECRET, Run, SlapdFactory, conf, filled, password_file, verify

from ldaprepl.domain import dn as names
from ldaprepl.domain.awkward import awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entries as read_entries
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.planting import plant
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdconf import SlapdConf
from ldaprepl.wire.slapdproc import Slapd

UPDATEDN = f'updatedn "{ADMIN}"'
SYNCPROV = ("overlay syncprov", "syncprov-sessionlog 1000")
FREE = ("--max-repair", "90%", "--max-delete", "90%")
Harm = Callable[[list[Entry]], list[Entry]]


def sample(count: int = 60) -> list[Entry]:
    """Stamped entries, hostile ones among them."""
    held = {entry.dn.lower(): entry for entry in [*directory(count), *awkward(40)]}
    return list(stamped(held.values()))


def with_values(dn: str, **values: tuple[bytes, ...]) -> Harm:
    """One entry with other values; () takes an attribute away."""

    def harm(entries: list[Entry]) -> list[Entry]:
        assert any(entry.dn == dn for entry in entries), dn
        return [_with(entry, values) if entry.dn == dn else entry for entry in entries]

    return harm


def _with(entry: Entry, values: dict[str, tuple[bytes, ...]]) -> Entry:
    return Entry(entry.dn, {name: held for name, held in {**entry.attributes, **values}.items() if held})


def without(*dns: str) -> Harm:
    """Entries and all below them are gone."""
    return lambda entries: [e for e in entries if not any(e.dn == dn or e.dn.endswith(f",{dn}") for dn in dns)]


def renamed(old: str, new: str) -> Harm:
    """An entry has another DN, and all below it too."""

    def harm(entries: list[Entry]) -> list[Entry]:
        result = []
        for entry in entries:
            if entry.dn == old or entry.dn.endswith(f",{old}"):
                moved = Entry(entry.dn[: len(entry.dn) - len(old)] + new, entry.attributes)
                named = {name: (value,) for name, value in names.parse(names.split(new)[0])[0]}
                result.append(_with(moved, named) if entry.dn == old else moved)
            else:
                result.append(entry)
        return result

    return harm


def extra(dn: str, number: int = 1, **values: tuple[bytes, ...]) -> Harm:
    """An entry that the provider never had: an ou, or a person."""

    def harm(entries: list[Entry]) -> list[Entry]:
        ((name, value),) = names.parse(names.split(dn)[0])[0]
        kind = b"organizationalUnit" if name == "ou" else b"inetOrgPerson"
        held: dict[str, tuple[bytes, ...]] = {"objectClass": (kind, b"top"), name: (value,)}
        held |= {} if name == "ou" else {"cn": (value,), "sn": (value,)}
        stamps = {n: v for n, v in entries[1].attributes.items() if n.endswith("Timestamp") or n in _STAMPS}
        identity = f"{number:08d}-1111-4111-a111-111111111111".encode()
        return [
            *entries,
            Entry(dn, {**held, **stamps, "structuralObjectClass": (kind,), "entryUUID": (identity,), **values}),
        ]

    return harm


_STAMPS = ("entryCSN", "creatorsName", "modifiersName")


def swapped(one: str, other: str) -> Harm:
    """Two entries have each other's names."""
    between = f"uid=between,{SUFFIX}"
    return all_of(renamed(one, between), renamed(other, one), renamed(between, other))


def all_of(*harms: Harm) -> Harm:
    def harm(entries: list[Entry]) -> list[Entry]:
        for each in harms:
            entries = each(entries)
        return entries

    return harm


def everything(entries: list[Entry]) -> list[Entry]:
    """Every kind of divergence, planted and by hand."""
    planted, _ = plant(entries, 3, seed=5)
    known = {entry.dn for entry in planted} & {entry.dn for entry in entries}
    uids = sorted(dn for dn in known if dn.startswith("uid="))
    one, two, three, four, five = uids[:5]
    harms = all_of(
        swapped(one, two),
        renamed(three, f"uid=chain,{SUFFIX}"),
        renamed(four, three),
        extra(f"ou=stray,{SUFFIX}", 1),
        extra(f"ou=below,ou=stray,{SUFFIX}", 2),
        extra(f"uid=deep,ou=below,ou=stray,{SUFFIX}", 3),
        renamed(five, f"uid=lost child,ou=below,ou=stray,{SUFFIX}"),
        renamed(f"ou=groups,{SUFFIX}", f"ou=gruppen,ou=stray,{SUFFIX}"),
    )
    return list(harms(planted))


def pair(make: SlapdFactory, entries: Iterable[Entry], harm: Harm, *lines: str) -> tuple[Slapd, Slapd]:
    """A provider with the entries, and a consumer without replication of its own that holds them harmed."""
    held = list(entries)
    provider = make(conf(*SYNCPROV, modules=("syncprov",)))
    consumer = make(conf(*lines))
    csn = max(entry.csn or "" for entry in held).encode()
    base = with_values(SUFFIX, contextCSN=(csn,))
    return filled(provider, base(held)), filled(consumer, base(harm(held)))


class Native:
    """A provider, and a consumer with native syncrepl, in step; `harm` is done to the consumer's files."""

    def __init__(
        self, make: SlapdFactory, entries: Iterable[Entry], stanza: Callable[[Slapd], str],
        provider: SlapdConf | None = None, live: bool = False, modules: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.provider = make(provider or conf(*SYNCPROV, modules=("syncprov",)))
        filled(self.provider, entries)
        self.consumer = make(replace(conf(stanza(self.provider), modules=modules), live_config=live))
        self.consumer.start()
        self.in_step()

    def in_step(self) -> None:
        until(lambda: bool(context(self.provider)) and context(self.consumer) == context(self.provider))

    def harm(self, harm: Harm) -> None:
        self.consumer.stop()
        held = harm(list(read_entries(self.consumer.dump().splitlines(True))))
        self.consumer.wipe()
        self.consumer.load(map(entry_text, held))
        self.consumer.start()


def stanza(provider: Slapd, kind: str = "refreshAndPersist", *words: str) -> str:
    return (
        f'syncrepl rid=001 provider={provider.ldap_uri} type={kind} retry="1 +" searchbase="{SUFFIX}"'
        f' bindmethod=simple binddn="{ADMIN}" credentials="{SECRET}" {" ".join(words)}'
    )


def repair(provider: Slapd, consumer: Slapd, mode: str, *options: str, env: Mapping[str, str] | None = None) -> Run:
    """One repair, with JSON."""
    return verify(provider, consumer, "--repair", mode, "--settle", "10", *options, env=env)


def still_wrong(provider: Slapd, consumer: Slapd, *options: str) -> list[tuple[str, str, list[str]]]:
    """What a plain verify finds."""
    run = verify(provider, consumer, *options)
    return [(f["kind"], f["dn"], [a["name"] for a in f["attributes"]]) for f in run.findings]


def ldapmodify(server: Slapd, file: Path, folder: Path, *options: str, bind: str = ADMIN) -> None:
    """As the LDIF's comment says it."""
    secret = password_file(folder)
    subprocess.run(
        ["ldapmodify", "-H", server.ldap_uri, "-x", "-D", bind, "-y", str(secret), *options, "-f", str(file)],
        check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
