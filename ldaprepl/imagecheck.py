"""The second look where one side is a still image, a dump: no waiting, no rounds, each suspect is read once.

What differs is judged by the contextCSN of both sides (`domain.timing` has the rules). A live server on the other side
goes on meanwhile: a live consumer is asked how far it is before its entries are read, a live provider after that, so
that neither is credited with what it had not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ldaprepl.domain.compare import Comparer, Divergence
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.dn import ancestors
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.timing import judged
from ldaprepl.domain.verdict import Kind
from ldaprepl.ports import Clock, Directory, Progress, Still
from ldaprepl.recheck import BREATH, HALVES, Outcome, chunks, dns_of, found, names_of, text, torn


class ImageCheck:
    """The second look at one consumer, when it or its provider is a dump."""

    def __init__(self, provider: Directory, consumer: Directory, comparer: Comparer, clock: Clock) -> None:
        self._provider = provider
        self._consumer = consumer
        self._comparer = comparer
        self._clock = clock

    def judge(self, suspects: Suspects, progress: Progress) -> Outcome:
        """Judge all suspects. Raises `LdapreplError` when a side cannot be read any more."""
        scope = self._comparer.scope
        names = names_of(suspects, self._comparer)
        if names:
            progress.phase("second look", len(names))
        if isinstance(self._consumer, Still):
            held = map(text, (*suspects.pairs, *suspects.consumer_only))
            self._consumer.expect([self._comparer.consumer_dn(dn) for dn in held])
        have = self._consumer.context_csn(scope.consumer_base)
        divergences: list[Divergence] = []
        present = 0
        for done, chunk in chunks(names):
            some, there = self._look(chunk)
            divergences += some
            present += there
            progress.advance(done)
        divergences = self._joined(divergences)
        if divergences and not isinstance(self._provider, Still):
            self._clock.sleep(BREATH)  # contextCSN trails what it stands for
        target, guessed = provider_stamps(self._provider, scope.base)
        findings = [judged(divergence, target, have, guessed=guessed) for divergence in divergences]
        findings.sort(key=lambda finding: self._comparer.tree_order(finding.dn))
        equal = present - sum(finding.kind is not Kind.EXTRA for finding in findings)
        return Outcome(tuple(findings), max(0, equal), have, _notes(target, have, guessed) if findings else ())

    def _look(self, dns: Sequence[str]) -> tuple[list[Divergence], int]:
        scope = self._comparer.scope
        theirs = found(self._consumer.fetch([self._comparer.consumer_dn(dn) for dn in dns], scope))
        ours = found(self._provider.fetch(dns, scope))
        return self._marked(self._comparer.classify(ours, theirs)), len(ours)

    def _joined(self, divergences: list[Divergence]) -> list[Divergence]:
        """With both halves of each renamed entry as one."""
        both, pieces = torn(divergences)
        whole = [d for d in divergences if d.finding.kind not in HALVES or d.finding.uuid not in both]
        for piece in pieces:
            whole += self._look(dns_of(piece, self._comparer))[0]
        return whole

    def _marked(self, divergences: list[Divergence]) -> list[Divergence]:
        """With the entryCSNs above them: renaming one of those moves an entry without a new stamp on it."""
        over = [[] if d.finding.kind in (Kind.DIFFERS, Kind.EXTRA) else self._over(d.finding.dn) for d in divergences]
        names = list(dict.fromkeys(name for above in over for name in above))
        held = dict(zip(names, self._provider.stamps(names), strict=True))
        csns = {name: None if entry is None else entry.csn for name, entry in held.items()}
        return [
            replace(divergence, above=tuple(csns[name] for name in above))
            for divergence, above in zip(divergences, over, strict=True)
        ]

    def _over(self, dn: str) -> list[str]:
        """The entries above it, up to the base; up to the top where dumps are compared as they are."""
        return self._comparer.above(dn) if self._comparer.scope.base else list(ancestors(dn))


def provider_stamps(provider: Directory, base: str) -> tuple[CsnSet, bool]:
    """How far the provider is: its contextCSN, and in a dump also the newest entryCSN, because slapd stores a
    provider's contextCSN only at a checkpoint and at its end. True: that is all there is to go by."""
    stamps = provider.context_csn(base)
    if not isinstance(provider, Still):
        return stamps, False
    newest = provider.newest()
    if not stamps:
        return newest, True
    return stamps.merged(CsnSet(newest[sid] for sid in newest if sid in stamps)), False


def known_stamps(provider: Directory, base: str, consumers: Iterable[CsnSet]) -> CsnSet:
    """What the dump of a provider proves that it has had: as `provider_stamps`, and the server IDs which its contextCSN
    does not list yet, where an entry is as new as what the contextCSNs of `consumers` say of them.

    For causes and notes alone: by such an ID nothing is called late, for entries that were loaded keep foreign IDs too.
    """
    stamps, _ = provider_stamps(provider, base)
    if not isinstance(provider, Still):
        return stamps
    said = [held for held in consumers if held]
    newest = provider.newest()
    new = {sid for held in said for sid in held if sid not in stamps and sid in newest}
    return stamps.merged(
        CsnSet(newest[sid] for sid in new if all(newest[sid] >= held[sid] for held in said if sid in held))
    )


def _notes(target: CsnSet, have: CsnSet, guessed: bool) -> tuple[str, ...]:
    if not target or not have:
        which = "neither side has" if not target and not have else "one of the sides lacks"
        return (f"{which} a contextCSN to tell lag from loss by: what differs counts as lasting",)
    if guessed:
        return ("the provider's dump holds no contextCSN, as slapcat of a running slapd: its newest entryCSN serves",)
    return ()
