"""Why replicas drift: every cause that verify can tell, with its code, its sentence and its cure.

The codes are a contract (`cause.code` in JSON): none is ever renamed, and docs/causes.md has a section for each. A
sentence says what the evidence shows and no more; where the evidence only makes it likely, `told` says so. Sentences
hold nothing of a single entry, so that all findings with one cause make one group. Which evidence leads to which cause
is in `deduction`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from ldaprepl.domain.verdict import Cause


class Code(StrEnum):
    """The stable names."""

    LAG = "lag"
    SCHEMA_GAP = "schema-gap"
    HELD_UP = "held-up"
    CUT_BY_LIMIT = "cut-by-limit"
    UNFINISHED = "unfinished-refresh"
    OUT_OF_SCOPE = "out-of-scope"
    HIDDEN = "hidden-by-acl"
    WITHHELD = "withheld-attribute"
    GLUE = "glue"
    SUBENTRY = "subentry"
    WRITTEN = "written-on-consumer"
    LOST_ADD = "lost-add"
    LOST_UPDATE = "lost-update"
    LOST_DELETE = "lost-delete"
    LOST_RENAME = "lost-rename"
    MOVED_ALONG = "moved-along"
    RECREATED = "re-created"
    SAME_STAMP = "same-stamp"
    STAMPS_ONLY = "stamps-only"
    FOREIGN_STAMP = "foreign-stamp"
    WENT_BACK = "stale-restore"
    FUTURE = "clock"
    SERVER_LOCAL = "server-local"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `text` and `cure` may have places for facts that hold for a whole group."""

    text: str
    cure: str


_TOUCH = "Have the provider send it again: the same command with --repair touch (and --yes)."
_REMOVE = "Have it deleted: the same command with --repair touch, or --repair ldif for a consumer that takes writes."

TABLE: dict[Code, Row] = {
    Code.LAG: Row(
        "{side} has not come to this change yet",
        "Look again later; `ldaprepl check` tells how far behind it is.",
    ),
    Code.SCHEMA_GAP: Row(
        "the consumer's schema does not know {names}, so it cannot hold the entry, and replication stops there",
        "Give the consumer the provider's schema: `ldaprepl init-consumer` writes what it lacks.",
    ),
    Code.HELD_UP: Row(
        "the consumer stops at an entry that its schema cannot hold, and what comes after it waits",
        "Mend the schema (see the findings with schema-gap); the rest follows by itself.",
    ),
    Code.CUT_BY_LIMIT: Row(
        "a size limit on the provider cuts every refresh: the consumer stopped after exactly {entries} entries and has"
        " no contextCSN",
        'On the provider, in the database section: limits dn.exact="<binddn of the stanza>" size=unlimited'
        " time=unlimited",
    ),
    Code.UNFINISHED: Row(
        "the consumer shows no contextCSN: its first refresh has not come to an end, or nothing replicates to it",
        "Its log names what stops it (a limit on the provider, an unknown class, a refused bind).",
    ),
    Code.OUT_OF_SCOPE: Row(
        "the provider has the entry, but outside of the scope and filter: it left them, and the consumer kept it",
        "Have it deleted on the consumer: the same command with --repair ldif.",
    ),
    Code.HIDDEN: Row(
        "{side} has the entry, but does not show it to the identity that verify used there",
        'There, before the other rules: access to * by dn.exact="<that identity>" read by * break',
    ),
    Code.WITHHELD: Row(
        "never sent: the consumer has no value of {names} in any of these entries, though they carry the provider's own"
        " stamps; its identity may not read that (or could not, when the entries came), or its stanza left it out"
        " (attrs, exattrs)",
        "Let the identity of the stanza read it, or mend the stanza; old entries come again only with --repair touch.",
    ),
    Code.GLUE: Row(
        "the consumer holds a glue entry here: it never got the entry itself, only something below it",
        "Mend the filter or access that left the entry out, then send it again with --repair touch.",
    ),
    Code.SUBENTRY: Row(
        "a subentry: native syncrepl gets those only when they change while it listens, never in a refresh",
        "Write it once more while the consumer is connected (refreshAndPersist): the same command with --repair touch.",
    ),
    Code.WRITTEN: Row(
        "written on the consumer, not on the provider: {why} (modifiersName: {who})",
        "Stop what writes there (multi-provider without a way back, offline tools), then --repair ldif or touch.",
    ),
    Code.LOST_ADD: Row(
        "it never came, or was removed there, though the consumer's contextCSN says that it has it: the filter, scope"
        " or access was narrower when it was due, its stamp too old (offline tools, a clock set back), or a container"
        " above it was renamed while the provider sent a long answer",
        _TOUCH,
    ),
    Code.LOST_UPDATE: Row(
        "the consumer's contextCSN says that it has this change, and it holds an older version of the entry",
        _TOUCH,
    ),
    Code.LOST_DELETE: Row(
        "its delete never arrived: the provider does not have the entry, and its contextCSN is past the entry's last"
        " change (or it was written on the consumer under the provider's server ID)",
        _REMOVE,
    ),
    Code.LOST_RENAME: Row(
        "the consumer's contextCSN says that it has this renaming, and it holds the entry under another name",
        _TOUCH,
    ),
    Code.MOVED_ALONG: Row(
        "an entry above it has another name on the consumer, and this one only hangs below",
        "Mend the entry above; this one moves with it.",
    ),
    Code.RECREATED: Row(
        "the entry was made anew on the provider under the same name, and the consumer kept the old one",
        _TOUCH,
    ),
    Code.SAME_STAMP: Row(
        "both sides carry the same entryCSN and are not the same: one was changed without a stamp (a loaded dump that"
        " was edited, offline tools, delta-sync on a wrong base)",
        "Decide which side is right; --repair touch sends the provider's version.",
    ),
    Code.STAMPS_ONLY: Row(
        "the same entry with other stamps: it was filled by a writer that could not set them (a tool with the Relax"
        " control, slapadd without stamps)",
        "Leave the stamps out with `-x entryCSN` and their kin, or fill the consumer anew.",
    ),
    Code.FOREIGN_STAMP: Row(
        "its entryCSN was made on the consumer, though the entry was not (it does not go with its modifyTimestamp): it"
        " was filled by a tool, or sent without entryCSN, which the identity may not read; native syncrepl then takes"
        " later changes and deletes for old ones",
        "Let the identity read entryCSN, or fill the consumer anew; then --repair touch or ldif for these entries.",
    ),
    Code.WENT_BACK: Row(
        "the provider went back in time (restored from an older copy, crashed, its clock set back), or the consumer was"
        " written under the provider's server ID: {sign}",
        "Decide which side is right before anything else; then --repair touch sends the provider's version.",
    ),
    Code.FUTURE: Row(
        "its entryCSN lies in the future: it was written while a clock was wrong, and every later change counts as"
        " older",
        "Set the clocks; then --repair ldif for these entries, or load the consumer anew.",
    ),
    Code.SERVER_LOCAL: Row(
        "{names}: kept by each server for itself, so a difference is no fault of replication",
        "Do not name it with --attrs.",
    ),
}


@lru_cache(maxsize=1024)  # one object for many findings
def told(code: Code, *, likely: bool = False, **facts: str) -> Cause:
    """The cause in words. `likely`: the evidence speaks for it, without proving it."""
    row = TABLE[code]
    text = row.text.format(**facts)
    return Cause(code.value, f"probably {text}" if likely else text, row.cure.format(**facts))
