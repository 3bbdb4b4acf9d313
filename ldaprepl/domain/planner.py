"""From "this is what the provider has" to changes in an order that the consumer accepts, whatever happened meanwhile.

LDAP takes no delete of an entry with others below it, no add without a parent, no name that is taken, no move of an
entry below itself. The provider sends final states only: a swap is two entries that want each other's names, a deleted
and re-created name another identity under the same DN, a renamed subtree one entry. So: do whatever can be done now,
again and again; where nothing can, park an entry that wants to move under a box of its own and go on. DNs are computed
when a change is made, so a container that moved costs nothing. An entry that comes where one that goes still stands
*takes its place over* (a Modify that changes the identity too), so that what is below need not move. Where everything
shall be is found out before (`domain.aim`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ldaprepl.domain import dn as names
from ldaprepl.domain.aim import Aim
from ldaprepl.domain.change import BOX, Add, Delete, Rename
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import is_glue
from ldaprepl.domain.plan import Plan
from ldaprepl.domain.tree import ROOT, Naming, Node, Tree, same_rdn


def plan(
    tree: Tree,
    received: Mapping[str, Entry],
    gone: Collection[str],
    naming: Naming,
    stamps: Mapping[str, str] | None = None,
    *,
    glue: bool = False,
) -> Plan:
    """Plan and apply to `tree`, which holds the consumer as it is and ends as it will be.

    `received` are final states by key, as the consumer shall hold them (DNs too); `gone` are keys that must go;
    `stamps` are the provider's, by key, where the entries do not carry them.
    Both may name what the tree does not have. What is not mentioned stays where its parent is. With `glue` it stands
    for parents that are not there; without, what hangs on them is refused.
    """
    going = frozenset(key for key in gone if key in tree and key not in received and key != ROOT and not is_glue(key))
    aim = Aim(tree, received, going, naming, glue=glue)
    aim.take(stamps or {})
    return _Planner(aim, gone, glue=glue).run()


class _Planner:
    def __init__(self, aim: Aim, gone: Collection[str], *, glue: bool) -> None:
        self.aim, self.tree, self.naming = aim, aim.tree, aim.naming
        self.received, self.target = aim.received, aim.target
        self.plan = Plan(refusals=aim.refusals, glue=aim.glue)
        self.going: dict[str, None] = {}  # an ordered set: deepest first
        self.moves: dict[str, Node] = {}
        self.adds: dict[str, Node] = {}
        self.boxes: list[str] = []
        self.parked: set[str] = set()
        self._with_glue = glue
        self._left = [key for key in gone if is_glue(key)]  # what may have lost its last entry

    def run(self) -> Plan:
        self._sort_out()
        while self.going or self.moves or self.adds:
            if not (self._delete() + self._move() + self._add()) and not self._park() and not self._into_glue():
                self._give_up()
                break
        self._tidy()
        for box in self.boxes:
            if not self.tree.has_children(box):
                self._emit_delete(box)
        return self.plan

    # -- what is to be done ------------------------------------------------------------------------------------------

    def _sort_out(self) -> None:
        """What of it is new, what moves, what takes over."""
        self.going = dict.fromkeys(sorted(self.aim.gone, key=self.tree.depth, reverse=True))
        news = [key for key in self.target if key not in self.tree]
        if len(news) > 1:
            news.sort(key=lambda key: names.depth(self.received[key].dn))
        taken = {key for key in news if self._take_over(key)}
        self.adds = {key: self.target[key] for key in news if key not in taken}
        for key, node in self.target.items():
            held = self.tree.get(key)
            if held is None:
                continue
            self.plan.updates.append(key)
            stays = held.parent == node.parent and (node.parent == ROOT or same_rdn(held.rdn, node.rdn))
            if not stays:
                self.moves[key] = node
            elif held.csn != node.csn:
                self.tree.put(key, replace(held, csn=node.csn))
        for key, node in list(self.moves.items()):
            self._empty_glue(key, node)

    def _empty_glue(self, key: str, node: Node) -> None:
        """Where an entry moves to a place that glue holds, what is below the glue moves below the entry."""
        old = self.tree.at(node.parent, node.slot) if node.parent in self.tree else None
        if old is not None and old != key and is_glue(old):
            self._pour(old, key)

    def _pour(self, old: str, into: str) -> None:
        """Glue itself cannot be renamed (it lacks its naming attribute): what is needed of it is made anew."""
        for child in self.tree.children(old):
            held = self.tree.get(child)
            if held is None or child in self.target or child in self.going:
                continue
            if not is_glue(child):
                self.moves[child] = replace(held, parent=into)
                self.plan.stirred.append(child)
                continue
            if not self._shelters(child):
                self.going[child] = None
                continue
            dn = f"{held.rdn},{self.received[into].dn}"
            dn_key = self.naming.key(dn)
            if dn_key not in self.aim.by_dn:
                made = self.aim.by_dn[dn_key] = self.aim.make_glue(dn)
                self.adds[made] = self.target[made] = Node(into, held.slot, held.rdn)
            self._pour(child, self.aim.by_dn[dn_key])
        self.going[old] = None

    def _shelters(self, glue: str) -> bool:
        """Whether anything that nobody sent stays below this glue."""
        return any(
            self._shelters(child) if is_glue(child) else child not in self.target and child not in self.going
            for child in self.tree.children(glue)
        )

    def _take_over(self, key: str) -> bool:
        """A new entry whose name is held, under the same parent, by one that goes, or by glue. From the top down."""
        node = self.target[key]
        old = self.tree.at(node.parent, node.slot) if node.parent in self.tree else None
        if old is None or not (old in self.going or is_glue(old)):
            return False
        self.tree.rekey(old, key)
        self.plan.taken[old] = key
        self.going.pop(old, None)
        return True

    # -- doing what can be done --------------------------------------------------------------------------------------

    def _delete(self) -> int:
        done = 0
        for key in list(self.going):
            self._sweep(key)
            if not self.tree.has_children(key):
                self._emit_delete(key)
                del self.going[key]
                done += 1
        return done

    def _sweep(self, key: str) -> None:
        """Glue that stands for nothing, left by a run that was cut off, must not hold up a delete."""
        for child in self.tree.children(key):
            if is_glue(child) and child not in self.going:
                self._sweep(child)
                if not self.tree.has_children(child) and not self._awaited(child):
                    self._emit_delete(child)

    def _awaited(self, key: str) -> bool:
        return any(node.parent == key for waiting in (self.adds, self.moves) for node in waiting.values())

    def _emit_delete(self, key: str) -> None:
        node = self.tree.get(key)
        assert node is not None
        self.plan.changes.append(Delete(key, node.parent, self.tree.dn(key)))
        self.tree.remove(key)
        self._left.append(node.parent)

    def _free(self, key: str, node: Node) -> bool:
        return node.parent in self.tree and self.tree.at(node.parent, node.slot) in (None, key)

    def _move(self) -> int:
        done = 0
        for key, node in list(self.moves.items()):
            if self._free(key, node) and not self.tree.is_inside(node.parent, key) and node.parent not in self.going:
                self._rename(key, node)
                del self.moves[key]
                done += 1
        return done

    def _rename(self, key: str, node: Node) -> None:
        held = self.tree.get(key)
        assert held is not None
        superior = "" if held.parent == node.parent else self.tree.dn(node.parent)
        delete_old = not self._keeps_rdn_value(key, held.rdn)
        self.plan.changes.append(Rename(key, node.parent, self.tree.dn(key), node.rdn, superior, delete_old))
        self.tree.put(key, node)
        self._left.append(held.parent)

    def _keeps_rdn_value(self, key: str, rdn: str) -> bool:
        """Whether the old naming values are still among the entry's values."""
        entry = self.received.get(key)
        if entry is None:
            return True
        schema = self.naming.schema
        held = {schema.canonical(name): set(map(schema.normal(name), v)) for name, v in entry.attributes.items()}
        avas = names.parse(rdn)[0]
        return all(schema.normal(name)(value) in held.get(schema.canonical(name), ()) for name, value in avas)

    def _add(self) -> int:
        done = 0
        for key, node in list(self.adds.items()):
            if self._free(key, node) and node.parent not in self.going:
                dn = f"{node.rdn},{self.tree.dn(node.parent)}" if node.parent != ROOT else node.rdn
                self.plan.changes.append(Add(key, node.parent, dn, self.received[key].attributes))
                self.tree.put(key, node)
                del self.adds[key]
                done += 1
        return done

    # -- when nothing can be done ------------------------------------------------------------------------------------

    def _park(self) -> bool:
        """Move one waiting entry out of the way; each at most once. False when there is none left."""
        waiting = [key for key in self.moves if key not in self.parked]
        if not waiting:
            return False
        wanted = {self.tree.at(node.parent, node.slot) for node in (*self.moves.values(), *self.adds.values())}
        key = next((each for each in waiting if each in wanted), waiting[0])
        box = f"{BOX}{key}"
        base = self.naming.base
        held = self.tree.get(key)
        assert held is not None
        rdn = f"cn={names.escape(box.encode('utf-8', 'surrogateescape'))}"
        top = self.tree.at(ROOT, self.naming.base_key) if self.naming.holds_base else ROOT
        if top is None or held.parent == ROOT:
            return False
        dn = f"{rdn},{base}"
        if box not in self.tree:  # an earlier run may have left it
            cn = box.encode("utf-8", "surrogateescape")
            self.plan.changes.append(Add(box, top, dn, {"objectClass": (b"organizationalRole", b"top"), "cn": (cn,)}))
            place = Node(top, self.naming.key(rdn), rdn) if top != ROOT else Node(ROOT, self.naming.key(dn), dn)
            self.tree.put(box, place)
        self.going.pop(box, None)
        self.boxes.append(box)
        self.plan.changes.append(Rename(key, box, self.tree.dn(key), held.rdn, dn, delete_old=False))
        self.tree.put(key, replace(held, parent=box))
        self.parked.add(key)
        self.plan.parked += 1
        return True

    def _into_glue(self) -> bool:
        """What goes while entries below it stay becomes glue: one, the lowest, or none."""
        if not self.going or not self._with_glue:
            return False
        old = next(iter(self.going))
        key = self.aim.make_glue(self.tree.dn(old))
        del self.going[old]
        self.tree.rekey(old, key)
        held = self.tree.get(key)
        assert held is not None
        self.tree.put(key, replace(held, csn=""))
        self.plan.taken[old] = key
        self.plan.updates.append(key)
        return True

    def _tidy(self) -> None:
        """Glue goes with the last entry below it; the base stays, it holds contextCSN."""
        for parent in self._left:
            key = parent
            while is_glue(key) and key in self.tree and not self.tree.has_children(key):
                node = self.tree.get(key)
                if node is None or node.parent == ROOT:
                    break
                self._emit_delete(key)
                key = node.parent

    def _give_up(self) -> None:
        """What is left contradicts itself: say so and leave it."""
        for key in (*self.adds, *self.moves):
            self.aim.refuse(key, self.received[key].dn, "its place is taken by an entry that stays there")
        for key in self.going:
            self.aim.refuse(key, self.tree.dn(key), "it went away on the provider, but entries below it stay")
