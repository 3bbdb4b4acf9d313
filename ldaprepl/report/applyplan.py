"""Changes of cn=config as LDIF to look at: what will be sent, with stars for passwords."""

from __future__ import annotations

from collections.abc import Sequence

from ldaprepl.domain import cnconfig, ldif
from ldaprepl.domain.configdiff import ConfigChange
from ldaprepl.domain.stanza import Parameter, Stanza
from ldaprepl.domain.words import Form


def render_changes(changes: Sequence[ConfigChange]) -> str:
    """The change records; passwords in them are stars, so this is for reading and not for ldapmodify."""
    parts = []
    for change in changes:
        parts += [ldif.line("dn", change.dn), f"changetype: {'add' if change.new else 'modify'}\n"]
        if change.new:
            parts += [_value(each.name, value) for each in change.modifications for value in each.values] + ["\n"]
            continue
        for modification in change.modifications:
            parts.append(f"{modification.operation}: {modification.name}\n")
            parts += [_value(modification.name, value) for value in modification.values]
            parts.append("-\n")
        parts.append("\n")
    return "".join(parts)


def _value(name: str, value: str) -> str:
    if name == "olcRootPW":
        return f"{name}: ********\n"
    if name != "olcSyncrepl":
        return ldif.line(name, value)
    prefix, brace, rest = value.partition("}")
    number = prefix[1:] if brace and value.startswith("{") else ""
    stanza = Stanza.parse(rest if number else value, Form.CN_CONFIG)
    return cnconfig.attribute(name, [_word(each) for each in stanza.parameters], int(number) if number else None)


def _word(parameter: Parameter) -> str:
    """A Secret formats as stars; so does a word that is no keyword=value, which may be the rest of a password."""
    if parameter.value is None:
        return parameter.keyword
    value = str(parameter.value)
    return f'{parameter.keyword}="{value}"' if " " in value or not value else f"{parameter.keyword}={value}"
