"""What repair does not do: the brake, the doubts, the servers that refuse, and the run that is cut off."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import ldap
import pytest
from mendlab import (
    FREE,
    UPDATEDN,
    Harm,
    Native,
    all_of,
    everything,
    extra,
    pair,
    repair,
    sample,
    stanza,
    still_wrong,
    with_values,
    without,
)
from replication import context, until, with_admin
from verifying import ADMIN, PATIENCE, SECRET, Gate, SlapdFactory, command, conf, environment, filled, verify

from ldaprepl.bench import Bench, RepairSettings
from ldaprepl.cli.output import NoProgress
from ldaprepl.domain.change import Change, MaxDelete
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entries as read_entries
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.plan import Refusal
from ldaprepl.domain.repair import RepairMode
from ldaprepl.domain.sample import SUFFIX
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.syncrun import Mode
from ldaprepl.domain.verdict import ConsumerReport
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.repair import Hands, mend
from ldaprepl.syncports import Writer
from ldaprepl.verify import Options, Tools
from ldaprepl.verify import verify as verify_verb
from ldaprepl.wire.applying import Applier
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.overflow import SqliteOverflow
from ldaprepl.wire.pump import pump
from ldaprepl.wire.session import open_session
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import open_stream

PEOPLE = f"ou=people,{SUFFIX}"
FINANCE, SALES = f"ou=Finance,{PEOPLE}", f"ou=Sales,{PEOPLE}"


def people(unit: str = FINANCE) -> list[str]:
    return [entry.dn for entry in sample() if entry.dn.endswith(f",{unit}")]


def contents(server: Slapd) -> str:
    return server.dump()


AWKWARD = without(f"ou=awkward,{SUFFIX}")  # more than a tenth
SIX = all_of(*(extra(f"ou=x{number},{SUFFIX}", number) for number in range(6)))


@pytest.mark.parametrize(
    ("mode", "harm", "brake", "words"),
    [
        ("apply", with_values(SUFFIX, description=(b"x",)), ("--max-repair", "0"), "--max-repair"),
        ("apply", SIX, (), "--max-delete"),
        ("apply", extra(f"ou=x,{SUFFIX}"), ("--max-delete", "0"), "--max-delete"),
        ("ldif", SIX, (), "--max-delete"),
        ("touch", AWKWARD, (), "--max-repair"),
        ("touch", SIX, (), "--max-delete"),
    ],
)
def test_the_brake(
    slapd: SlapdFactory, tmp_path: Path, mode: str, harm: Harm, brake: tuple[str, ...], words: str
) -> None:
    provider, consumer = pair(slapd, sample(), harm, UPDATEDN)
    before = contents(provider), contents(consumer)
    file = tmp_path / "repair.ldif"
    run = repair(provider, consumer, mode, *(["--yes"] if mode != "ldif" else []), "--repair-file", str(file), *brake)
    made = run.consumer["repair"]
    assert (run.code, made["done"]) == (1, 0)
    assert words in made["halted"]["text"]
    assert "dn:" not in file.read_text()
    assert (contents(provider), contents(consumer)) == before


def test_nothing_without_yes(slapd: SlapdFactory) -> None:
    provider, consumer = pair(slapd, sample(), extra(f"ou=x,{SUFFIX}"), UPDATEDN)
    before = contents(provider), contents(consumer)
    for mode in ("apply", "touch"):
        run = repair(provider, consumer, mode)
        made = run.consumer["repair"]
        assert (run.code, made["dry_run"], made["planned"], made["done"]) == (1, True, 1, 0)
        assert made["changes"]
    assert (contents(provider), contents(consumer)) == before


def test_nothing_while_anything_is_undecided(slapd: SlapdFactory) -> None:
    provider, consumer = pair(slapd, sample(), extra(f"ou=x,{SUFFIX}"), UPDATEDN)
    before = contents(consumer)
    run = verify(provider, [consumer, "ldap://127.0.0.1:1"], "--repair", "apply", "--yes")
    assert run.code == 3
    assert all("could not be read" in each["repair"]["halted"]["text"] for each in run.report["consumers"])
    assert contents(consumer) == before


def test_lag_is_not_repaired(slapd: SlapdFactory) -> None:
    provider = filled(slapd(conf("overlay syncprov", modules=("syncprov",))), sample())
    consumer = slapd(conf(stanza(provider))).start()
    until(lambda: not still_wrong(provider, consumer))
    consumer.stop()
    consumer.configure(conf(UPDATEDN))  # nobody brings it anything any more
    consumer.start()
    with_admin(provider).modify_s(people()[0], [(ldap.MOD_REPLACE, "sn", [b"new"])])
    for mode in ("apply", "touch"):
        run = verify(provider, consumer, "--repair", mode, "--yes")
        assert (run.code, run.consumer["repair"]["planned"]) == (4, 0), run.out


def test_a_native_consumer_takes_no_writes(slapd: SlapdFactory) -> None:
    lab = Native(slapd, sample(), stanza)
    lab.harm(with_values(people()[0], sn=(b"wrong",)))
    run = repair(lab.provider, lab.consumer, "apply", "--yes")
    halted = run.consumer["repair"]["halted"]
    assert run.code == 1
    assert "somebody else" in halted["text"]
    assert "--repair touch" in halted["cure"]


def test_values_that_the_provider_only_hides(slapd: SlapdFactory, tmp_path: Path) -> None:
    """The reader may see no userPassword on the provider. To take them away would lock everybody out."""
    entries = sample()
    hidden = [entry for entry in entries if entry.values("userPassword")][:3]
    rules = (
        f'access to attrs=userPassword by dn.exact="{hidden[0].dn}" auth by anonymous auth by * none',
        "access to * by * read",
    )
    login = with_values(hidden[0].dn, userPassword=(SECRET.encode(),))
    provider = filled(slapd(conf("overlay syncprov", *rules, modules=("syncprov",))), login(entries))
    consumer = filled(
        slapd(conf(UPDATEDN, "access to * by * read")), with_values(people()[0], sn=(b"wrong",))(login(entries))
    )
    before = consumer.dump().count("userPassword")
    run = repair(
        provider, consumer, "apply", "--yes", "-D", hidden[0].dn, "--consumer-bind-dn", ADMIN, *FREE,
        "--settle", "0.3", env={"LDAPREPL_CONSUMER_PASSWORD": SECRET},
    )  # fmt: skip
    made = run.consumer["repair"]
    assert run.code == 1
    assert consumer.dump().count("userPassword") == before
    assert "sn: wrong" not in consumer.dump()
    assert any("userPassword" in each["reason"] for each in made["refused"]), run.out


def test_what_is_below_an_entry_and_out_of_scope_keeps_it(slapd: SlapdFactory) -> None:
    """Deleting the container would take along what the filter does not show: no server does that."""
    stray = f"ou=stray,{SUFFIX}"
    harm = all_of(extra(stray, 1), extra(f"uid=kept,{stray}", 2, employeeType=(b"local",)), extra(f"ou=x,{SUFFIX}", 3))
    provider, consumer = pair(slapd, sample(), harm, UPDATEDN)
    run = repair(provider, consumer, "apply", "--yes", "--filter", "(!(employeeType=local))")
    made = run.consumer["repair"]
    assert (run.code, made["done"], made["healed"]) == (1, 1, 1), run.out
    assert [each["dn"] for each in made["refused"]] == [stray]
    assert "entries below it stay" in made["refused"][0]["reason"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


class Mortal:
    """A writer that dies after so many changes."""

    def __init__(self, applier: Applier, left: int) -> None:
        self.applier, self.left, self.mode = applier, left, applier.mode

    def apply(self, changes: Iterable[Change]) -> list[Refusal]:
        refused: list[Refusal] = []
        for change in changes:
            if not self.left:
                raise Killed
            self.left -= 1
            refused += self.applier.apply([change])
        return refused


class Unwilling:
    """A writer that refuses what is to be done to one entry."""

    def __init__(self, applier: Applier, dn: str) -> None:
        self.applier, self.dn, self.mode = applier, dn, applier.mode

    def apply(self, changes: Iterable[Change]) -> list[Refusal]:
        refused: list[Refusal] = []
        for change in changes:
            refusal = [Refusal(change.key, change.dn, "not this one")] if change.dn == self.dn else []
            refused += refusal or self.applier.apply([change])
        return refused


def mended(provider: Slapd, consumer: Slapd, writer: Callable[[Applier], Writer]) -> ConsumerReport:
    """One verify and one repair by such a writer."""
    endpoints = [Endpoint(server.ldap_uri, Simple(ADMIN, Secret(SECRET))) for server in (provider, consumer)]
    with (
        open_stream(endpoints[0]) as ours,
        open_stream(endpoints[1]) as theirs,
        open_session(endpoints[1]) as session,
    ):
        master, copy = LdapDirectory(ours), LdapDirectory(theirs)
        tools = Tools(pump, decode_entry, decode_values, SqliteOverflow, time, NoProgress())
        (report,) = verify_verb(master, [copy], ReplicationScope(SUFFIX), tools, Options(0.0)).consumers
        comparer = Comparer(master.schema(), ReplicationScope(SUFFIX), decode_entry, decode_values)
        bench = Bench(master, copy, copy.below, comparer, time, NoProgress(), 0.0)
        settings = RepairSettings(RepairMode.APPLY, True, MaxDelete(None, 1000), MaxDelete(None, 1000))
        hand = writer(Applier(session, Mode.UPDATEDN, NoProgress()))
        return mend(report, bench, lambda: Hands(Mode.UPDATEDN, writer=hand), settings)


def test_what_the_consumer_refuses_is_neither_done_nor_healed(slapd: SlapdFactory) -> None:
    one, two = [entry.dn for entry in sample() if entry.dn.endswith(f",{FINANCE}")][:2]
    harm = all_of(with_values(one, sn=(b"wrong",)), with_values(two, sn=(b"wrong",)))
    provider, consumer = pair(slapd, sample(), harm, UPDATEDN)
    report = mended(provider, consumer, lambda applier: Unwilling(applier, two))
    made = report.repair
    assert made is not None and (made.planned, made.done, made.healed) == (2, 1, 1)
    assert [(each.dn, each.reason) for each in made.refused] == [(two, "not this one")]
    assert [finding.dn for finding in report.findings] == [two]


def test_a_run_that_is_killed_after_every_few_writes(slapd: SlapdFactory) -> None:
    """Boxes of swapped names, half a branch: the next run finds its way, and nothing of it stays anywhere."""
    provider, consumer = pair(slapd, sample(), everything, UPDATEDN)
    killed = 0
    for left in range(2, 200):
        try:
            report = mended(provider, consumer, lambda applier, left=left: Mortal(applier, left))  # type: ignore[misc]
            break
        except Killed:
            killed += 1
    assert killed > 3
    assert not report.findings
    assert still_wrong(provider, consumer) == []
    assert "ldaprepl-box" not in consumer.dump()


def test_an_interrupted_touch(slapd: SlapdFactory) -> None:
    """Ended as Ctrl-C does it, in the middle: no entry is left on the provider."""
    lab = Native(slapd, sample(), stanza)
    lab.harm(all_of(*(extra(f"ou=x{number},{SUFFIX}", number) for number in range(60))))
    before = [line for line in lab.provider.dump().splitlines() if not line.startswith("contextCSN")]
    untouched = context(lab.provider)
    with Gate(lab.provider, lambda: context(lab.provider) != untouched) as gate:  # it waits for the first answer
        words = [*command(gate.uri, lab.consumer.ldap_uri), "--repair", "touch", "--yes", *FREE]
        running = subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert gate.reached.wait(PATIENCE), "it never came to the touch"
        running.send_signal(signal.SIGINT)
        gate.open()
        assert running.wait(PATIENCE) == 130
    assert [line for line in lab.provider.dump().splitlines() if not line.startswith("contextCSN")] == before
    assert repair(lab.provider, lab.consumer, "touch", "--yes", *FREE).code == 0


def test_several_consumers(slapd: SlapdFactory) -> None:
    """One touch serves all of them."""
    lab = Native(slapd, sample(), stanza)
    second = slapd(conf(stanza(lab.provider))).start()
    until(lambda: not still_wrong(lab.provider, second))
    harm = all_of(with_values(people()[0], sn=(b"wrong",)), extra(f"ou=x,{SUFFIX}"))
    lab.harm(harm)
    other = Native.__new__(Native)
    other.provider, other.consumer = lab.provider, second
    other.harm(harm)
    run = verify(lab.provider, [lab.consumer, second], "--repair", "touch", "--yes", "--settle", "10")
    assert run.code == 0, run.out
    first, last = (each["repair"] for each in run.report["consumers"])
    assert (first["healed"], last["planned"]) == (2, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--yes",), "needs --repair"),
        (("--repair", "ldif", "--yes", "--format", "text"), "writes to no server"),
        (("--repair", "ldif"), "--repair-file"),
        (("--repair", "touch", "--max-repair", "many"), "neither a number"),
        (("--repair", "ldif", "--format", "ldif", "--consumer", "ldap://127.0.0.1:2"), "several consumers"),
        (("--repair", "ldif", "--repair-file", "/nowhere/at/all"), "cannot be written"),
        (("--mesh", "--format", "ldif"), "which side is right"),
    ],
)
def test_slips_on_the_command_line(words: tuple[str, ...], message: str) -> None:
    run = verify("ldap://127.0.0.1:1", "ldap://127.0.0.1:1", *words)
    assert run.code == 2
    assert message in run.err


@pytest.mark.parametrize("mode", ["apply", "touch"])
def test_an_entry_that_the_provider_only_hides(slapd: SlapdFactory, mode: str) -> None:
    """To delete it on the consumer would be the end of it."""
    victim, reader = people()[0], people(SALES)[0]
    login = with_values(reader, userPassword=(SECRET.encode(),))
    rules = (f'access to dn.exact="{victim}" attrs=entry by dn.exact="{reader}" search by * none',
             f'access to dn.exact="{victim}" by * none',
             "access to attrs=userPassword by anonymous auth by * read", "access to * by * write")  # fmt: skip
    provider = filled(slapd(conf("overlay syncprov", *rules, modules=("syncprov",))), login(sample()))
    consumer = filled(slapd(conf(UPDATEDN)), login(sample()))
    run = repair(
        provider, consumer, mode, "--yes", "-D", reader, "--consumer-bind-dn", ADMIN, "--settle", "0.2",
        env={"LDAPREPL_CONSUMER_PASSWORD": SECRET},
    )  # fmt: skip
    made = run.consumer["repair"]
    assert [finding["kind"] for finding in run.findings] == ["extra"], run.out
    assert (run.code, made["planned"], made["done"]) == (1, 0, 0)
    assert made["refused"][0]["reason"].startswith("hidden-by-acl")
    assert victim in consumer.dump()


def test_plain_writes_promise_no_identity(slapd: SlapdFactory) -> None:
    harm = all_of(
        with_values(people()[0], entryUUID=(b"99999999-1111-4111-a111-111111111111",)),
        with_values(people()[1], sn=(b"wrong",)),
    )
    provider, consumer = pair(slapd, sample(), harm)
    run = repair(
        provider, consumer, "apply", "--yes", "--repair-write", "plain", "-x", "entryCSN,modifyTimestamp,modifiersName"
    )
    made = run.consumer["repair"]
    assert (run.code, made["written"], made["done"], made["healed"]) == (1, "plain", 1, 1), run.out
    assert made["refused"][0]["dn"] == people()[0]
    assert "entryUUID" in made["refused"][0]["reason"]


def test_a_touch_under_another_suffix(slapd: SlapdFactory) -> None:
    copy = "dc=example,dc=org"
    provider = filled(slapd(conf("overlay syncprov", modules=("syncprov",))), sample())
    consumer = slapd(conf(stanza(provider, "refreshAndPersist", f'suffixmassage="{copy}"'), suffix=copy)).start()
    options = ("--suffixmassage", copy, "--consumer-bind-dn", f"cn=admin,{copy}", "--settle", "10")
    env = {"LDAPREPL_CONSUMER_PASSWORD": SECRET}
    until(lambda: verify(provider, consumer, *options, env=env).code == 0)
    consumer.stop()
    moved = [Entry(e.dn.replace(copy, SUFFIX), e.attributes) for e in read_entries(consumer.dump().splitlines(True))]
    harm = all_of(with_values(people()[0], sn=(b"wrong",)), extra(f"ou=x,{SUFFIX}"), without(people()[1]))
    consumer.wipe()
    consumer.load(entry_text(Entry(e.dn.replace(SUFFIX, copy), e.attributes)) for e in harm(moved))
    consumer.start()
    run = repair(provider, consumer, "touch", "--yes", *options, env=env)
    assert (run.code, run.consumer["repair"]["healed"]) == (0, 3), run.out


def test_a_provider_that_follows_another(slapd: SlapdFactory) -> None:
    """What is written on a multi-provider goes back under a server ID of its own: said before it is done."""
    provider = filled(slapd(conf("overlay syncprov", modules=("syncprov",))), sample())
    lines = (stanza(provider), "multiprovider on", "overlay syncprov")
    consumer = slapd(replace(conf(*lines, modules=("syncprov",)), server_id=2)).start()
    until(lambda: not still_wrong(provider, consumer))
    with_admin(consumer).modify_s(people()[0], [(ldap.MOD_REPLACE, "sn", [b"written there"])])
    made = repair(provider, consumer, "apply").consumer["repair"]
    assert any("multi-provider" in note for note in made["notes"])
    run = repair(provider, consumer, "touch", "--yes")
    assert (run.code, run.consumer["repair"]["healed"]) == (0, 1), run.out
