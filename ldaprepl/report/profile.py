"""A new ldaprepl.toml: what is known, with a word on each key, and the keys that were not needed as examples.

What is written here `domain.profile` reads back as it was meant; the caller makes sure of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ldaprepl.domain.profilekeys import REPLICA_KEYS, REPLICAS, SERVER_KEYS, SERVERS, Key
from ldaprepl.domain.secret import STARS, Secret

Value = str | bool | float | Secret | Sequence[str]
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEAD = """\
# ldaprepl.toml: servers and replicas by name. `ldaprepl config show --all` tells what is in force.
# The command line wins over this file, this file over ldap.conf. Nobody else may write it, and nobody else may read it
# while a password stands in it.
"""


class Draft(NamedTuple):
    """One table to be written."""

    name: str
    values: Mapping[str, Value]


def render(servers: Sequence[Draft], replicas: Sequence[Draft], *, secrets: bool = True) -> str:
    """The file; without `secrets` passwords are stars. Raises ValueError for what TOML cannot hold."""
    pieces = [_HEAD]
    pieces += ["".join(_table(SERVERS, SERVER_KEYS, server, secrets)) for server in servers]
    pieces += ["".join(_table(REPLICAS, REPLICA_KEYS, replica, secrets)) for replica in replicas]
    return "\n".join(pieces)


def _table(kind: str, keys: Sequence[Key], draft: Draft, secrets: bool) -> Iterator[str]:
    name = draft.name if _BARE.fullmatch(draft.name) else _quoted(draft.name)
    yield f"[{kind}.{name}]\n"
    width = max(len(f"{key.name} = ") for key in keys if key.name in draft.values)
    for key in keys:
        if key.name in draft.values:
            yield f"{key.name:<{width - 3}} = {_value(draft.values[key.name], secrets)}\n"
    left = [key for key in keys if key.name not in draft.values]
    for key in left:
        yield f"# {key.name} = {key.example}    # {key.meaning}\n"


def _value(value: Value, secrets: bool) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float() | int():
            return f"{value:g}"
        case Secret():
            return _quoted(value.reveal() if secrets else STARS)
        case str():
            return _quoted(value)
        case _:
            return "[" + ", ".join(map(_quoted, value)) + "]"


def _quoted(text: str) -> str:
    """A basic string: that of JSON, but for DEL, and without halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a password or a name is not UTF-8, which TOML cannot hold") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
