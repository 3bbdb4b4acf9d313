"""Sync: make the consumer what the provider is, once; cron or `--every` does it again and again.

The whole answer of the provider is received and judged before anything is changed: `_ask` says what came and what is
gone, `carryout` has the locks, the plan and the writing, and the cookie is saved last, with everything it goes with.
The provider's contextCSN is read first and nothing is asked when it stands still: cheap, and some providers abort on
such a question. Because providers lose deletes (after a crash, in a session log's race), a list of all UUIDs is
compared now and then (`audit`), and after every run that was cut off.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from ldaprepl.carryout import CarryOut
from ldaprepl.domain.change import BOX, Translation
from ldaprepl.domain.cookie import SyncCookie
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import key_at
from ldaprepl.domain.plan import LOCAL, is_made
from ldaprepl.domain.plural import counted
from ldaprepl.domain.refresh import Kind, NoSync, Outcome, ProviderWentBack, RefreshRequired
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.domain.syncrun import UNWRITABLE, Listed, Method, Mode, Settings, Stale, SyncReport
from ldaprepl.domain.tree import Memory, Naming, Node, Source, Tree, grow, same_rdn
from ldaprepl.errors import GuardRefused
from ldaprepl.firstfill import first_fill
from ldaprepl.ports import Clock, Progress
from ldaprepl.scan import BY_DN, Scanner
from ldaprepl.syncports import Parties


@dataclass(frozen=True, slots=True)
class World:
    """Time and a spectator. `now` is in seconds since 1970, for what lasts longer than a process."""

    clock: Clock
    progress: Progress
    now: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said. `cookie` None: the one we have stays."""

    received: dict[str, Entry]
    gone: frozenset[str]
    cookie: SyncCookie | None = None
    complete: bool = False


@dataclass(slots=True)
class _Notes:
    lines: list[str] = field(default_factory=list)

    def add(self, *lines: str) -> None:
        for line in lines:
            if line and line not in self.lines:
                self.lines.append(line)


def sync(parties: Parties, scope: ReplicationScope, settings: Settings, world: World) -> SyncReport:
    """One run. Raises `GuardRefused` before any harm, `IncompleteRead` and `ServerUnavailable` when it could not be
    finished; the next run then repairs whatever this one left."""
    try:
        return _Run(parties, scope, settings, world).go()
    except Stale as error:  # the state says "cut off" now, so the second try reads the consumer itself
        again = _Run(parties, scope, settings, world)
        again.notes.add(f"{error.message}; everything was read and compared again")
        return again.go()


class _Run:
    def __init__(self, parties: Parties, scope: ReplicationScope, settings: Settings, world: World) -> None:
        self.parties, self.scope, self.settings, self.world = parties, scope, settings, world
        self.master, self.state, self.mode = parties.master, parties.state, parties.writer.mode
        schema = parties.replica.schema()
        self.translation = Translation(scope, schema, UNWRITABLE[self.mode])
        self.naming = Naming(schema, scope.consumer_base, scope.scope in (Scope.SUB, Scope.BASE))
        self.scanner = Scanner(self.master, self.naming, self.translation)
        self.notes = _Notes(list(self.state.notes))
        self.cookie = SyncCookie.parse(self.state.fact("cookie"))
        self.audit_due = False
        self.by_dn = False

    def go(self) -> SyncReport:
        started = self.world.clock.monotonic()
        method, why = self._choose()
        live = self.master.context_csn() if method is Method.REFRESH else CsnSet()
        self.audit_due = self._audit_is_due()
        trusted = not self.audit_due and self._trusted()  # an audit looks at both sides
        carry = CarryOut(self.parties, self.translation, self.naming, self.settings, self.world.progress)
        if trusted and self._unchanged(live):
            return self._report(method, why, carry, started, up_to_date=True)
        if method is Method.SCAN:
            base = next(self.master.fetch([self.scope.base]), None)
            self.by_dn = base is not None and base.uuid is None
        source = self.state if trusted else self._read_consumer()
        tree = Tree(source)
        answer = None
        if method is Method.REFRESH:
            try:
                answer = self._with_subentries(self._ask(tree, live, carry))
            except NoSync as error:
                if self.settings.method is Method.REFRESH:
                    raise
                method, why = Method.SCAN, error.message
        if answer is None:
            self.world.progress.phase("listing")
            scan = self.scanner.scan(tree, whole=self.by_dn)
            answer, self.cookie = Answer(scan.received, scan.gone, complete=True), None
            why = f"{why}; {scan.why}" if why else scan.why
        self._retry(answer)
        old = self.cookie.csns if self.cookie else CsnSet()
        new = answer.cookie.csns if answer.cookie else old
        carry.locks(tree, answer.gone, old, new)
        carry.out(tree, answer.received, answer.gone | _boxes(tree, source))
        self.audit_due = self.audit_due or carry.moved
        if self.audit_due and not answer.complete and not self.settings.dry_run:
            self._compare_identities(tree, source, carry, new)
        if not self.settings.dry_run:
            self._save(tree, method, answer, carry, source.nodes if isinstance(source, Memory) else None)
        return self._report(method, why, carry, started, csns=new)

    def _compare_identities(self, tree: Tree, source: Source, carry: CarryOut, new: CsnSet) -> None:
        """The audit; also where a container has another name now. An answer may lack what is below it without a word,
        and what the consumer held below it came along, though on the provider it may be at home in one that we do not
        see. What was refused is tried again: it may have had to wait for just that."""
        scan = self.scanner.scan(tree)
        if scan.received or scan.gone:
            self.notes.add(
                f"the comparison of all identities found {counted(len(scan.received))} that the sync service had"
                f" not sent, and {len(scan.gone)} that it had not called deleted"
            )
        carry.refusals.clear()
        carry.locks(tree, scan.gone, CsnSet(), new)
        carry.out(tree, scan.received, scan.gone | _boxes(tree, source))

    # -- before ------------------------------------------------------------------------------------------------------

    def _choose(self) -> tuple[Method, str]:
        if self.settings.method is not Method.AUTO:
            return self.settings.method, "as asked for"
        if self.cookie is not None and self.state.fact("method") == Method.REFRESH:
            return Method.REFRESH, "the provider answered sync requests before"
        service = self.master.service()
        return (Method.SCAN if service.critical is None else Method.REFRESH), service.why

    def _trusted(self) -> bool:
        """The index is what the consumer holds: the last run ended well, and nobody has touched contextCSN since."""
        written = self.state.fact("written")
        return self.state.clean and bool(written) and "\n".join(self.parties.replica.context_csn()) == written

    def _audit_is_due(self) -> bool:
        if self.settings.audit is None:
            return False
        last = float(self.state.fact("audited") or 0)
        return self.world.now - last >= self.settings.audit

    def _unchanged(self, live: CsnSet) -> bool:
        same = self.cookie is not None and bool(live) and live == self.cookie.csns
        return same and not self.state.refused() and not self.audit_due

    # -- what the consumer holds -------------------------------------------------------------------------------------

    def _read_consumer(self) -> Source:
        """From the consumer itself; says when it is not what the last run left, and then forgets the cookie."""
        self.world.progress.phase("reading the consumer")
        known = self._index()
        by_dn = self._keys_by_dn(known) if self.mode is Mode.PLAIN else {}
        interrupted = self.state.fact("clean") == "no"
        rows: dict[str, tuple[str, str, str]] = {}
        for each in self.parties.replica.listing():
            key = self._consumer_key(each, by_dn, known)
            if key in rows:
                key = f"{LOCAL}{each.dn}"  # two entries with one identity: a half-done move by somebody
            old = known.get(key)
            stamp = each.stamp if self.mode is Mode.UPDATEDN else (old.csn if old else "")
            if interrupted and (old is None or old.csn != stamp):
                stamp = ""  # an interrupted rename stamps entries with the consumer's own clock
            rows[key] = (key, each.dn, stamp)
        memory, orphans = grow(rows.values(), self.naming)
        for dn in orphans[:5]:
            self.notes.add(f"the consumer holds {dn!r} below an entry that it does not show")
        self._compare(known, memory)
        return memory

    def _index(self) -> dict[str, Node]:
        found = ((key, self.state.node(key)) for key in self.state.keys())  # noqa: SIM118
        return {key: node for key, node in found if node is not None}

    def _compare(self, known: Mapping[str, Node], memory: Memory) -> None:
        if not self.state.clean:
            if self.state.fact("clean"):
                self.notes.add("the last run was cut off: the consumer was read and everything compared")
            self.audit_due = True
            if self.mode is Mode.PLAIN:
                self.cookie = None
        elif known.keys() != memory.nodes.keys() or not all(_same(n, memory.nodes[k]) for k, n in known.items()):
            if known:
                self.notes.add("the consumer is not as the last run left it: everything is compared")
            self.cookie = None
        elif any("#" in node.csn and node.csn != memory.nodes[key].csn for key, node in known.items()):
            self.notes.add("somebody changed entries of the consumer: everything is compared")
            self.cookie = None

    def _keys_by_dn(self, known: Mapping[str, Node]) -> dict[bytes, str]:
        tree = Tree(self.state)
        return {self.naming.key(tree.dn(key)): key for key in known}

    def _consumer_key(self, each: Listed, by_dn: Mapping[bytes, str], known: Collection[str]) -> str:
        dn_key = self.naming.key(each.dn)
        if each.glue and each.uuid not in known:  # the provider may be a partial replica, and have some of its own
            return key_at(dn_key)
        if each.dn.lower().startswith(f"cn={BOX}"):
            return each.dn.partition(",")[0][3:]
        if self.by_dn:
            return BY_DN + dn_key.decode("utf-8", "surrogateescape")
        if self.mode is Mode.PLAIN:
            return by_dn.get(dn_key) or f"{LOCAL}{each.uuid or each.dn}"
        return each.uuid or f"{LOCAL}{each.dn}"

    # -- what the provider says --------------------------------------------------------------------------------------

    def _ask(self, tree: Tree, live: CsnSet, carry: CarryOut) -> Answer:
        """A sync session, and whatever it needs to be complete."""
        if self.cookie and live and not live.covers_all(self.cookie.csns):
            self.notes.add(
                f"the provider went back: its contextCSN is {', '.join(live.texts())}, ours"
                f" {', '.join(self.cookie.csns.texts())} (a crash, or an older copy restored)"
            )
            self.audit_due = True
        if self.cookie and live and live == self.cookie.csns:
            return Answer({}, frozenset())
        self.world.progress.phase("refresh")
        try:
            outcome = self._refresh(tree, carry)
        except RefreshRequired as error:
            if isinstance(error, ProviderWentBack):
                self.audit_due = True
            self.notes.add(f"{error.message}: a complete refresh instead")
            outcome = self.master.refresh(None, self.world.progress)
        self.notes.add(*outcome.notes)
        if outcome.kind in (Kind.UNCHANGED, Kind.DELTA):
            return Answer(outcome.received, outcome.deleted, outcome.cookie)
        if outcome.kind is Kind.PRESENT:
            return self._present(tree, outcome)
        listed = list(self.master.listing())  # 2.2 leaves entries out; a provider that crashed hides the newest ones
        keep = outcome.keep | {self.scanner.key(each.dn, each.uuid) for each in listed}
        received = dict(outcome.received)
        if outcome.kind is Kind.FULL:
            received |= self.scanner.fetch_missing(outcome.keep, listed)
        else:
            self.audit_due = True
        gone = frozenset(key for key in tree.keys() if key not in keep)  # noqa: SIM118
        complete = outcome.kind is Kind.FULL
        return self._less_what_is_there(Answer(received, gone, outcome.cookie, complete=complete))

    def _refresh(self, tree: Tree, carry: CarryOut) -> Outcome:
        """The sync session; where nothing can be lost by it, writing begins before it ends."""
        if self.cookie or len(tree) or self.state.refused() or self.settings.dry_run:
            return self.master.refresh(self.cookie, self.world.progress)
        for _ in self.master.listing():  # a limit that would cut the session shows here, before anything is written
            pass
        coming = self.master.refreshing(None)
        first_fill(carry, tree, coming)
        return coming.outcome()

    def _with_subentries(self, answer: Answer) -> Answer:
        """A sync session calls a subentry that was changed deleted, and shows none."""
        found = {entry.uuid: entry for entry in self.master.subentries() if entry.uuid}
        return replace(answer, received=answer.received | found, gone=answer.gone - found.keys()) if found else answer

    def _present(self, tree: Tree, outcome: Outcome) -> Answer:
        """A list of all: what we do not know of it and were not sent is asked for, else it is hidden from us."""
        received = dict(outcome.received)
        unknown = [key for key in outcome.keep if key not in received and key not in tree]
        if unknown:
            received |= {entry.uuid: entry for entry in self._find(unknown) if entry.uuid}
            hidden = [key for key in unknown if key not in received]
            if hidden:
                self.notes.add(
                    f"the provider counts {counted(len(hidden))} that it does not show to this identity,"
                    f" entryUUID {hidden[0]} for one"
                )
        gone = {key for key in tree.keys() if key not in outcome.keep and key not in received}  # noqa: SIM118
        return self._less_what_is_there(Answer(received, frozenset(gone), outcome.cookie))

    def _less_what_is_there(self, answer: Answer) -> Answer:
        """A list without an entry is asked once more before it is believed; what is there may have changed, too."""
        back = self.scanner.back(answer.gone)
        found = {entry.uuid: entry for entry in self._find(sorted(back)) if entry.uuid} if back else {}
        return replace(answer, received=answer.received | found, gone=answer.gone - back)

    def _find(self, keys: list[str]) -> list[Entry]:
        return list(self.master.by_uuid(keys))

    def _retry(self, answer: Answer) -> None:
        """Entries that were refused before come again, until they fit or are gone."""
        again = [each.key for each in self.state.refused() if each.key not in answer.received]
        again = [
            key for key in again if key not in answer.gone and not key.startswith((BY_DN, LOCAL)) and not is_made(key)
        ]
        for entry in self._find(again) if again else ():
            if entry.uuid:
                answer.received[entry.uuid] = entry

    # -- after -------------------------------------------------------------------------------------------------------

    def _save(
        self, tree: Tree, method: Method, answer: Answer, carry: CarryOut, base: Mapping[str, Node] | None
    ) -> None:
        """contextCSN on the consumer, then everything in the state file at once."""
        replica, cookie = self.parties.replica, answer.cookie or self.cookie
        written = self.state.fact("written")
        if self.mode is Mode.UPDATEDN and cookie and not carry.refusals and replica.is_suffix():
            values = tuple(sorted(cookie.csns.normal_texts()))
            if replica.context_csn() != values:
                self.state.begin()
                replica.set_context_csn(cookie.csns)
            written = "\n".join(replica.context_csn())
        facts = {"cookie": cookie.render() if cookie else "", "method": method.value, "written": written}
        facts["clean"] = "yes" if carry.solid else "no"
        if answer.complete or self.audit_due:
            facts["audited"] = str(self.world.now)
        self.state.finish(carry.index_changes(tree), carry.refusals, facts, base)

    def _report(
        self, method: Method, why: str, carry: CarryOut, started: float, *, up_to_date: bool = False,
        csns: CsnSet | None = None,
    ) -> SyncReport:  # fmt: skip
        return SyncReport(
            provider=self.master.uri,
            consumer=self.parties.replica.uri,
            base=self.scope.base,
            method=method,
            mode=self.mode,
            why=why,
            tally=carry.tally,
            refusals=tuple(carry.refusals),
            notes=(*self.notes.lines, *carry.notes),
            contextcsn=csns if csns is not None else (self.cookie.csns if self.cookie else CsnSet()),
            changes=tuple(carry.shown) if self.settings.dry_run else None,
            up_to_date=up_to_date,
            seconds=self.world.clock.monotonic() - started,
            objections=tuple(carry.objections),
        )


def _boxes(tree: Tree, source: Source) -> frozenset[str]:
    """Parking places and useless glue that a run may have left when it was cut off; the index holds none."""
    if not isinstance(source, Memory):
        return frozenset()
    return frozenset(key for key in tree.keys() if is_made(key))  # noqa: SIM118


def _same(one: Node, two: Node) -> bool:
    return (one.parent, one.slot) == (two.parent, two.slot) and same_rdn(one.rdn, two.rdn)


__all__ = ["GuardRefused", "Parties", "World", "sync"]
