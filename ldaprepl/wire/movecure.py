"""A cure for back-mdb's `DN index add failed`: some renames of an entry with others below it end in code 80.

Seen on 2.4.59, 2.5.13 and 2.6.10, depending on the page layout of the database; the entry then cannot be renamed at all
until its children are elsewhere. So: children into a box, rename, children back. A move stamps the children, and their
own stamps are put back where the consumer lets us.
"""

from __future__ import annotations

from collections.abc import Callable

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import BOX, Add, Change, Delete, Mod, Modify, Rename
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.scope import Scope
from ldaprepl.wire.session import MANAGE_DSA_IT, Result, Session, control

_RESTORED = ("entryCSN", "modifyTimestamp", "modifiersName")


def move_around(session: Session, change: Rename, do: Callable[[Change], Result]) -> Result:
    """Rename by way of a box. Gives the first result that was not success; then everything is left for the next run,
    which finds the box."""
    asked = session.search(
        change.dn, Scope.ONE, attributes=_RESTORED, controls=[control(MANAGE_DSA_IT, critical=False)]
    )
    children, result = session.entries(asked)
    if result.code or not children:
        return result if result.code else Result(80, "rename refused")
    box = f"{BOX}{change.key}-below"
    top = names.parent(change.dn) if not change.superior else change.superior
    rdn = f"cn={names.escape(box.encode('utf-8', 'surrogateescape'))}"
    box_dn = f"{rdn},{top}"
    steps: list[Change] = [
        Add(box, "", box_dn, {"objectClass": (b"organizationalRole", b"top"), "cn": (box.encode(),)})
    ]
    steps += [_move(child.dn, box_dn) for child in children]
    steps.append(change)
    steps += [_move(f"{names.split(child.dn)[0]},{box_dn}", change.new_dn) for child in children]
    steps.append(Delete(box, "", box_dn))
    for step in steps:
        result = do(step)
        if result.code:
            return result
    for child in children:
        mods = tuple(Mod("replace", name, child.values(name)) for name in _RESTORED if child.values(name))
        dn = f"{names.split(child.dn)[0]},{change.new_dn}"
        if mods:
            do(Modify("", "", dn, mods, Entry(dn, {})))  # refused but by updatedn: then there is nothing to restore
    return Result(0)


def _move(dn: str, superior: str) -> Rename:
    return Rename("", "", dn, names.split(dn)[0], superior, delete_old=False)
