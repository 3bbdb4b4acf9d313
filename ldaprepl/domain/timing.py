"""Whose turn is it? What two still images of two servers say of a difference between them.

Nobody can wait for a dump to catch up, so its contextCSN decides, one stamp for each server ID.
A difference is lasting when both sides had every change that could have made it, and were made late enough to show it.
Else the side that had not is late: the consumer, or the provider whose image is the older one. What a consumer wrote
under a server ID that the provider has never heard of does not travel at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ldaprepl.domain.compare import Divergence
from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.verdict import Finding, Kind, Late, State


def judged(divergence: Divergence, provider: CsnSet, consumer: CsnSet, *, guessed: bool = False) -> Finding:
    """The finding with its state, by the contextCSN of both images. Without stamps on one side it is lasting.

    `guessed`: the provider's image has no contextCSN, and the newest entryCSN of each server ID stands in for it.
    """
    finding = divergence.finding
    late = _Images(provider, consumer, guessed).late(divergence) if provider and consumer else None
    if late is None:
        return replace(finding, state=State.LASTING)
    return replace(finding, state=State.BEHIND, late=late)


@dataclass(frozen=True, slots=True)
class _Images:
    provider: CsnSet
    consumer: CsnSet
    guessed: bool

    def late(self, divergence: Divergence) -> Late | None:
        ours, theirs = _stamp(divergence.provider_csn), _stamp(divergence.consumer_csn)
        kind = divergence.finding.kind
        if theirs is not None and self._is_news(theirs):
            return Late.PROVIDER
        if kind is Kind.EXTRA:
            if theirs is not None and theirs.sid not in self.provider:
                return None
            # That it was deleted leaves no stamp but the provider's contextCSN.
            return None if all(map(self._has, self.provider.values())) else Late.CONSUMER
        above = [stamp for text in divergence.above if (stamp := _stamp(text)) is not None]
        if any(not self._has(stamp) for stamp in (ours, *above) if stamp is not None):
            return Late.CONSUMER
        # That the consumer deleted it, or moved it, rests on a change which an older image of the provider lacks.
        return Late.PROVIDER if kind is not Kind.DIFFERS and any(map(self._is_news, self.consumer.values())) else None

    def _has(self, stamp: Csn) -> bool:
        """Whether the consumer has had this change of the provider."""
        if stamp.sid in self.consumer:
            return self.consumer.covers(stamp)
        if self.guessed:  # entries that were loaded keep server IDs which no contextCSN mentions
            return stamp.time <= max(held.time for held in self.consumer.values())
        return stamp.sid not in self.provider

    def _is_news(self, stamp: Csn) -> bool:
        """Whether the provider knows the server ID of this change, and has not got so far."""
        return stamp.sid in self.provider and not self.provider.covers(stamp)


def _stamp(text: str | None) -> Csn | None:
    try:
        return Csn.parse(text or "")
    except ValueError:
        return None
