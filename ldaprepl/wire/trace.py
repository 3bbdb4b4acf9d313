"""What goes over the wire, told to whoever listens (-v, --debug-dump): steps, with every secret replaced.

Nobody listens as a rule, and then a step costs one look at a variable. Binds are told by their name only, values to be
written not at all, values that come only to a listener who wants entries, those of secret attributes as stars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ldaprepl.domain.secretnames import is_secret

if TYPE_CHECKING:
    from ldaprepl.protocol.frames import Batch

_STARS = "********"


class Step(NamedTuple):
    """One thing that happened between us and a server. `sent`: by us."""

    server: str
    sent: bool
    op: str
    detail: Mapping[str, Any]


class Listener(Protocol):
    """Somebody who wants to know; may be called by several threads. `entries`: also what entries hold."""

    entries: bool

    def __call__(self, step: Step) -> None: ...


listener: Listener | None = None


def tell(server: str, op: str, *, sent: bool = True, **detail: Any) -> None:
    """A step in words."""
    if listener is not None:
        listener(Step(server, sent, op, detail))


def sent(server: str, data: bytes) -> None:
    """Requests as they go out."""
    if listener is None:
        return
    from ldaprepl.protocol.describe import requests_in

    for request in requests_in(data, _shown):
        listener(Step(server, True, request.op, {"message": request.message, **request.detail}))


def received(server: str, batch: Batch) -> None:
    """What came back."""
    if listener is None:
        return
    from ldaprepl.protocol.frames import Op
    from ldaprepl.protocol.messages import decode_entry, decode_result, decode_values
    from ldaprepl.protocol.results import name_of

    if batch.entries and not listener.entries:
        listener(Step(server, False, "entries", {"number": len(batch.entries)}))
    for _, frame in batch.entries if listener.entries else ():
        dn, attributes = decode_entry(frame)
        held = {_text(name): _values(_text(name), decode_values(values)) for name, values in attributes}
        listener(Step(server, False, "entry", {"dn": _text(dn), "attributes": held}))
    for message in batch.messages:
        detail: dict[str, Any] = {"message": message.id, "controls": sorted(message.controls)}
        if message.op in (Op.SEARCH_DONE, Op.MODIFY_RESPONSE, Op.EXTENDED_RESPONSE):
            result = decode_result(message)
            detail |= {"result": name_of(result.code), "text": result.text, "matched": result.matched}
        listener(Step(server, False, _op(message.op), detail))


def called(server: str, name: str, arguments: Sequence[Any]) -> None:
    """A call of libldap, by its name: of the arguments only what names the place, and attributes."""
    if listener is None or name in _UNTOLD:
        return
    detail: dict[str, Any] = {}
    if name in _PLACED and arguments:
        detail["dn"] = str(arguments[0])
    if name == "search_ext":
        detail |= {"scope": arguments[1], "filter": _without_secrets(str(arguments[2])), "attributes": arguments[3]}
    elif name in ("modify_ext", "add_ext"):
        detail["attributes"] = [str(change[-2]) for change in arguments[1]]
    elif name == "rename":
        detail["rdn"] = str(arguments[1])
    listener(Step(server, True, name, detail))


_UNTOLD = ("result4", "get_option", "set_option")
_PLACED = ("search_ext", "modify_ext", "add_ext", "delete_ext", "rename", "simple_bind")


def _without_secrets(condition: str) -> str:
    import re

    def replaced(found: re.Match[str]) -> str:
        return f"({found[1]}{found[2]}{_STARS})" if is_secret(found[1]) and found[3] != "*" else found[0]

    return re.sub(r"\(([\w.;-]+)([~<>]?=)([^()]*)\)", replaced, condition)


def _op(tag: int) -> str:
    from ldaprepl.protocol.frames import Op

    return Op(tag).name.lower().replace("_", " ")


def _values(name: str, values: Sequence[bytes]) -> list[str]:
    return [_shown(name, value) for value in values]


def _shown(name: str, value: bytes) -> str:
    logged = name.lower() in ("reqmod", "reqold")  # of an access log: "userPassword:= ..."
    secret = is_secret(name) or (logged and is_secret(_text(value).partition(":")[0]))
    return _STARS if secret else _text(value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
