"""From an answer of the provider to a changed consumer: the locks and the brake, the plan, the writing, the counts.

Before any delete: the answer came to a proven end (`domain.refresh`), the provider did not go back, no entry that goes
is newer than what the provider says it has, the tree has kept its shape, and not too many go at once; never all. Before
attributes are changed: none is about to vanish from most entries, as it does when an ACL hides it. A refused entry is
set aside with what hangs on it. A dry run is shown, with what would be refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ldaprepl.domain.change import BOX, SMALL_TREE, STAMPS, Add, Change, Delete, Modify, Rename, Translation, difference
from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import entry_at, key_at
from ldaprepl.domain.plan import Plan, Refusal, is_made
from ldaprepl.domain.planner import plan
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.shape import Shape, objections, shape
from ldaprepl.domain.syncrun import Settings, Tally
from ldaprepl.domain.tree import ROOT, Naming, Node, Tree
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import GuardRefused
from ldaprepl.ports import Progress
from ldaprepl.syncports import Parties

_CHUNK = 500  # entries that are read from the consumer and compared at a time
_READ_ALL_FROM = 0.2  # part of the entries from which one search for all is cheaper
_STAMPS = frozenset(name.lower() for name in STAMPS)


class CarryOut:
    """Carries answers out on one consumer and keeps count."""

    def __init__(
        self, parties: Parties, translation: Translation, naming: Naming, settings: Settings, progress: Progress
    ) -> None:
        self.parties, self.translation, self.naming = parties, translation, naming
        self.settings, self.progress = settings, progress
        self.tally = Tally()
        self.refusals: list[Refusal] = []
        self.shown: list[Change] = []
        self.notes: list[str] = []
        self.objections: list[Problem] = []  # of a dry run: what a real one would be refused for
        self.solid = True
        self.moved = False  # a container has another name, and what is below it came along
        self._deletes = self._held = 0  # in all of the run, and before it
        self._renamed: set[str] = set()

    # -- locks -------------------------------------------------------------------------------------------------------

    def locks(self, tree: Tree, gone: Collection[str], old: CsnSet, new: CsnSet) -> None:
        """Refuse deletes that a provider which went back in time would have us do. Raises `GuardRefused`."""
        going = [key for key in gone if key in tree and not is_made(key)]
        if not going or self.settings.older_provider:
            return
        if old and not new.covers_all(old):
            self._object(
                f"{counted(len(going))} would be deleted because the provider, which has gone back in time, lacks them"
                f" ({tree.dn(going[0])!r} for one)",
                "If it was restored from an older copy on purpose, run once with --accept-older-provider.",
            )
        newer = [key for key in going if new and self._is_newer(tree.get(key), new)]
        if newer:
            self._object(
                f"{counted(len(newer))} that would be deleted {agreeing(len(newer))} newer than anything the provider"
                " says it has"
                f" ({tree.dn(newer[0])!r} for one)",
                "Its clock or its data went back, or somebody wrote on the consumer. To follow it anyway, run once with"
                " --accept-older-provider.",
            )

    @staticmethod
    def _is_newer(node: Node | None, state: CsnSet) -> bool:
        if node is None or "#" not in node.csn:
            return False
        try:
            return not state.covers(Csn.parse(node.csn))
        except ValueError:
            return False

    def _guard(self, before: Shape, held: int, tree: Tree, made: Plan, wanted: Mapping[str, Entry]) -> None:
        """The brake on deletes and the shape of the tree, in one word, so that one answer can settle it."""
        found: list[str] = []
        options: list[str] = []
        self._deletes += made.deletes
        self._held = held = self._held or held
        allowed = self.settings.max_delete.allowed(held)
        if made.deletes and len(tree) == 0:
            return self._object(
                f"all {counted(held)} of the consumer would be deleted",
                "That is never done. Check base, filter and ACL.",
            )
        if not self.settings.new_shape:
            found = list(objections(before, tree, self.naming, made.taken, wanted))
            options += ["--accept-new-shape"] * bool(found)
        if made.deletes and self._deletes > allowed:
            found.append(f"{self._deletes} of {counted(held)} would be deleted; {allowed} are allowed")
            options.append(f"--max-delete {self._deletes}")
        if found:
            cure = f"None of this was done; --dry-run shows it. If it is right, run once with {' '.join(options)}."
            self._object("; ".join(found), cure)

    def _object(self, text: str, cure: str) -> None:
        """Refuse; a dry run goes on, to show what it is about."""
        if not self.settings.dry_run:
            raise GuardRefused(text, cure)
        self.objections.append(Problem(text, cure))

    def _check_lost(self, mods: Sequence[Modify], wanted: Mapping[str, Entry]) -> None:
        """Refuse to take an attribute away from most of the entries that have it, or from the first ones when the
        provider shows it on none at all: that is what an ACL looks like, and it moves no CSN."""
        if self.settings.new_shape:
            return
        master, replica = self.parties.master, self.parties.replica
        real = [each for each in mods if not is_made(each.key)]
        lost = Counter(mod.name for each in real for mod in each.mods if mod.how == "delete" and not mod.values)
        for name, count in lost.items():
            canonical = self.naming.schema.canonical(name)
            if count > SMALL_TREE:
                holders = replica.holders(name)
                bad = count * 2 > holders
            elif any(self.naming.schema.canonical(each) == canonical for each in _names_in(wanted.values())):
                continue
            else:
                holders = replica.holders(name)
                bad = holders > SMALL_TREE and not master.shows(name)
            if bad:
                self._object(
                    f"{name} would be taken away from {count} of the {counted(holders)} that"
                    f" {agreeing(holders, 'has', 'have')} it, because the provider does not show it any more",
                    "No attribute was changed; --dry-run shows it. If an ACL hides it from this identity, mend that; if"
                    " it is right, run once with --accept-new-shape.",
                )

    # -- doing it ----------------------------------------------------------------------------------------------------

    def out(self, tree: Tree, received: Mapping[str, Entry], gone: Collection[str]) -> None:
        """Bring the consumer from `tree`, which is changed along, to the answer."""
        wanted = {key: self.translation.entry(entry) for key, entry in received.items()}
        stamps = {key: stamp(entry) for key, entry in received.items()}
        held = len(tree)
        going = [key for key in gone if key in tree and key not in wanted]
        contexts = [self.translation.dn(dn) for dn in self.parties.master.contexts()] if going else []
        known = self.parties.state.child(ROOT, self.naming.base_key) or ""
        before = shape(tree, going, self.naming, contexts, known)
        places = {key: tree.dn(key) for key in tree.keys()} if self.settings.dry_run else {}  # noqa: SIM118
        made = plan(tree, wanted, gone, self.naming, stamps, glue=True)
        self._add_glue(made, wanted)
        for entry in self.parties.master.by_uuid(made.stirred) if made.stirred else ():
            if entry.uuid:
                wanted[entry.uuid] = self.translation.entry(entry)
                made.updates.append(entry.uuid)
        self._guard(before, held, tree, made, wanted)
        self.refusals += [refusal for refusal in made.refusals if not refusal.key.startswith(BOX)]
        if self.settings.dry_run:
            self._show(made, wanted, tree, places)
            return
        if not made.changes and not made.updates:
            return
        self.parties.state.begin()
        self.progress.phase("writing", len(made.changes) + len(made.updates))
        refused = self.parties.writer.apply(made.changes)
        self.settle(tree, made, refused)
        self.moved |= any(isinstance(each, Rename) and tree.has_children(each.key) for each in made.changes)
        lost = {refusal.key for refusal in refused}
        updates = [key for key in made.updates if key not in lost]
        mods = list(self._differences(updates, wanted, tree))
        self._check_lost(mods, wanted)
        failed = self.parties.writer.apply(mods)
        self._count_modified(mods, failed)
        self.refusals += failed
        for refusal in failed:
            node = tree.get(refusal.key)
            if node is not None:
                tree.put(refusal.key, Node(node.parent, node.slot, node.rdn))

    def _add_glue(self, made: Plan, wanted: dict[str, Entry]) -> None:
        """Glue for parents that the provider does not send, and for those above the base."""
        for key, entry in made.glue.items():
            wanted[key] = self.translation.glue(entry)
        above: list[Add] = []
        if any(isinstance(change, Add) and change.parent == ROOT for change in made.changes):
            for dn in self.parties.replica.missing_above():
                glue = self.translation.glue(entry_at(dn))
                parent = above[-1].key if above else ROOT
                above.append(Add(key_at(self.naming.key(dn)), parent, dn, glue.attributes))
        for number, change in enumerate(made.changes):
            if isinstance(change, Add):
                parent = above[-1].key if above and change.parent == ROOT else change.parent  # it has to wait for it
                attributes = wanted[change.key].attributes if change.key in made.glue else change.attributes
                made.changes[number] = replace(change, parent=parent, attributes=attributes)
        made.changes[:0] = above
        dns = [add.dn for add in above] + [entry.dn for entry in made.glue.values()]
        if dns:
            self.notes.append(
                f"the provider does not send what is above some of its entries ({dns[0]!r} for one, {len(dns)} in all):"
                " glue, which clients do not see, stands for it, as native syncrepl makes it"
            )

    def _differences(self, keys: list[str], wanted: Mapping[str, Entry], tree: Tree) -> Iterator[Modify]:
        """The Modifies for entries that existed before, from what the consumer holds now."""
        if len(keys) > _CHUNK and len(keys) > len(tree) * _READ_ALL_FROM:
            places = {self.naming.key(tree.dn(key)): key for key in keys}
            for held in self.parties.replica.read_all():
                key = places.get(self.naming.key(held.dn))
                if key is not None:
                    yield from self._modify(key, wanted[key], held, tree)
            return
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            dns = [tree.dn(key) for key in part]
            for key, current in zip(part, self.parties.replica.fetch(dns), strict=True):
                if current is not None:
                    yield from self._modify(key, wanted[key], current, tree)

    def _modify(self, key: str, wanted: Entry, held: Entry, tree: Tree) -> list[Modify]:
        mods = difference(wanted, held, self.naming.schema, self.translation.writes)
        if not mods:
            self.tally.unchanged += key not in self._renamed
            return []
        node = tree.get(key)
        return [Modify(key, node.parent if node else ROOT, held.dn, mods, Entry(held.dn, wanted.attributes))]

    # -- keeping count -----------------------------------------------------------------------------------------------

    def settle(self, tree: Tree, made: Plan, refused: Sequence[Refusal]) -> None:
        """Count what was done, and know again what was not."""
        self._count(made, refused)
        self._forget(tree, made, refused)

    def _count(self, made: Plan, refused: Iterable[Refusal]) -> None:
        failed = {refusal.key for refusal in refused}
        self.refusals += [refusal for refusal in refused if not refusal.key.startswith(BOX)]
        for change in made.changes:
            if change.key in failed or is_made(change.key):
                continue
            match change:
                case Add():
                    self.tally.added += 1
                case Delete():
                    self.tally.deleted += 1
                case Rename() if change.key not in self._renamed:
                    self._renamed.add(change.key)
                    self.tally.renamed += 1

    def _count_modified(self, mods: Iterable[Modify], failed: Iterable[Refusal]) -> None:
        bad = {refusal.key for refusal in failed}
        for change in mods:
            real = any(mod.name.lower() not in _STAMPS for mod in change.mods)
            if change.key not in bad and not is_made(change.key) and (real or change.key not in self._renamed):
                self.tally.modified += 1

    def _forget(self, tree: Tree, made: Plan, refused: Sequence[Refusal]) -> None:
        """A new entry that was refused is not there; after any other refusal the index is not to be trusted."""
        adds = {change.key for change in made.changes if isinstance(change, Add)}
        self.solid = self.solid and all(refusal.key in adds for refusal in refused)
        for refusal in reversed(refused):
            if refusal.key in tree and not tree.has_children(refusal.key):
                tree.remove(refusal.key)

    def index_changes(self, tree: Tree) -> dict[str, Node | None]:
        """What the state file has to learn; boxes are no part of it."""
        return {key: node for key, node in tree.changes.items() if node is None or not key.startswith(BOX)}

    def _show(self, made: Plan, wanted: Mapping[str, Entry], tree: Tree, places: Mapping[str, str]) -> None:
        """The changes of a dry run: attributes are compared under the names that the consumer has now."""
        self._count(made, ())
        self.shown += made.changes
        old_keys = {new: old for old, new in made.taken.items()}
        dns = [places[old_keys.get(key, key)] for key in made.updates]
        modifies: list[Modify] = []
        for key, held in zip(made.updates, self.parties.replica.fetch(dns), strict=True):
            if held is None:
                continue
            mods = self._modify(key, wanted[key], Entry(tree.dn(key), held.attributes), tree)
            self._count_modified(mods, ())
            self.shown += mods
            modifies += mods
        self._check_lost(modifies, wanted)


def _names_in(entries: Iterable[Entry]) -> set[str]:
    return {name for entry in entries for name in entry.attributes}


def stamp(entry: Entry) -> str:
    """entryCSN, or what stands for it where there is none."""
    return entry.csn or (entry.first("modifyTimestamp") or b"").decode("ascii", "replace")
