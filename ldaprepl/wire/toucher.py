"""The provider, touched: writes that change nothing, and entries that are there for a moment (`domain.touch`).

Every touch asserts the entryCSN that was read (RFC 4528), so that nobody's newer values are written over. Only entries
with our mark are ever deleted. Relax is tried first where it is needed, and gone without where it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ldaprepl.wire import libldap  # noqa: F401  # first: it says what libldap may read

# isort: split
import ldap
from ldap.controls.libldap import AssertionControl

from ldaprepl.domain.change import Mod
from ldaprepl.domain.ldapfilter import escape
from ldaprepl.domain.scope import Scope
from ldaprepl.domain.touch import MARK, MARKED, Moment, Touch, moment_attributes
from ldaprepl.errors import GuardRefused
from ldaprepl.protocol.results import NO_SUCH_OBJECT
from ldaprepl.wire.consumer import RELAX
from ldaprepl.wire.session import MANAGE_DSA_IT, Result, Session, control

_ASSERTION_FAILED, _ALREADY_EXISTS, _NO_ACCESS = 122, 68, 50
_ANOTHERS = frozenset((10, 53))  # a referral, or "shadow context"
_NOBODY = frozenset((8, 48, 49))  # no bind worth anything
_RELAX_REFUSED = frozenset((12, 17, 19, 50))
_VALUE_REFUSED = frozenset((16, 17, 18, 19, 20, 21))  # some value is not what the server would take today


class Toucher:
    """A session with the provider as somebody who may write there."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def touch(self, touch: Touch) -> str:
        """Why it was refused; empty when done."""
        result = self._touch(touch, touch.absent)
        if touch.absent and result.code == _ASSERTION_FAILED:
            result = self._touch(touch, ())
        if result.code == NO_SUCH_OBJECT:
            return "it went away on the provider meanwhile"
        return "" if result.code == _ASSERTION_FAILED else self._judged(result, touch.dn)

    def _touch(self, touch: Touch, absent: Sequence[str]) -> Result:
        """As much of it as the server takes."""
        nothing = [Mod("replace", name) for name in absent]
        result = self._modify(touch, [*touch.mods, *nothing, *touch.relaxed], absent)
        if touch.relaxed and result.code in _RELAX_REFUSED:
            result = self._modify(touch, [*touch.mods, *nothing], absent)
        if result.code in _VALUE_REFUSED and len(touch.mods) > 1:
            result = self._modify(touch, touch.mods[:1])
        return result

    def moments(self, moments: Sequence[Moment]) -> list[str]:
        """Add, parents first, and delete again, children first."""
        reasons = [""] * len(moments)
        added: list[int] = []
        try:
            for number, each in enumerate(moments):
                added.append(number)  # before it is there: Ctrl-C may come while the answer does
                reasons[number] = self._add(each)
                if reasons[number]:
                    added.pop()
        finally:
            for number in reversed(added):
                reasons[number] = self.remove(moments[number].dn)
        return reasons

    def _add(self, each: Moment) -> str:
        result = self._add_as(each, identity=bool(each.uuid))
        if each.uuid and result.code in _RELAX_REFUSED:
            result = self._add_as(each, identity=False)
        if result.code == _ALREADY_EXISTS:
            return "the provider has another entry of this name"
        if result.code == NO_SUCH_OBJECT:
            return "the provider has no entry above it"
        return self._judged(result, each.dn)

    def _add_as(self, each: Moment, identity: bool) -> Result:
        attributes = [(name, list(values)) for name, values in moment_attributes(each, identity).items()]
        controls = [control(RELAX)] if identity else []
        return self._try(lambda: self.session.connection.add_ext_s(each.dn, attributes, serverctrls=controls))

    def leftovers(self, base: str) -> list[str]:
        """DNs of marked entries, deepest first."""
        asked = self.session.search(base, Scope.SUB, MARKED, ("1.1",), [control(MANAGE_DSA_IT, critical=False)])
        found, _ = self.session.entries(asked)
        return sorted((entry.dn for entry in found), key=lambda dn: (-dn.count(","), dn))

    def remove(self, dn: str) -> str:
        """Delete an entry if it carries our mark."""
        ours = AssertionControl(True, f"(cn={escape(MARK)})")
        result = self._try(lambda: self.session.connection.delete_ext_s(dn, serverctrls=[ours]))
        if result.code in (0, NO_SUCH_OBJECT):
            return ""
        return f"it was added for a moment and could not be deleted ({result}): delete it on the provider"

    # -- one request -------------------------------------------------------------------------------------------------

    def _modify(self, touch: Touch, mods: Sequence[Mod], absent: Sequence[str] = ()) -> Result:
        none = "".join(f"(!({name}=*))" for name in absent)
        sure = AssertionControl(True, f"(&(entryCSN={escape(touch.csn)}){none})")
        controls = [sure, control(MANAGE_DSA_IT, critical=False)]
        if any(mod in touch.relaxed for mod in mods):
            controls.append(control(RELAX))
        changes = [(ldap.MOD_REPLACE, mod.name, list(mod.values) or None) for mod in mods]
        return self._try(lambda: self.session.connection.modify_ext_s(touch.dn, changes, serverctrls=controls))

    def _try(self, send: Any) -> Result:
        try:
            send()
        except ldap.LDAPError as error:
            return self.session.result_of(error)
        return Result(0)

    def _judged(self, result: Result, dn: str) -> str:
        """Empty, or the reason for one entry. Raises `GuardRefused` for what holds for all of them."""
        if result.code == 0:
            return ""
        who = self.session.endpoint.bind
        if result.code in _ANOTHERS:
            raise GuardRefused(
                f"{self.session.uri} does not take changes itself ({result})", "Verify against its own provider."
            )
        if result.code in _NOBODY:
            raise GuardRefused(
                f"{self.session.uri} lets {who} write nothing ({result})",
                "A touch needs an identity that may write there: --bind-dn.",
            )
        if result.code == _NO_ACCESS:
            return f"{self.session.uri} does not let {who} write it ({result}); a touch needs write access there"
        return f"refused by {self.session.uri}: {result}"
