"""The second look at two servers that replicate each other: a change may travel either way.

As `recheck`, but both must have had every chance: after the second server's entries were read, the first has to pass
the contextCSN that the second then shows, and its entries are looked at once more. Whoever has not passed the other's
contextCSN in time is late; an entry that is newer there is on its way here, and neither too much nor missing.
"""

from __future__ import annotations

from dataclasses import replace

from ldaprepl.domain.compare import Divergence
from ldaprepl.domain.verdict import Finding, Kind, Late, State
from ldaprepl.recheck import Gate, Recheck, covers


class MutualCheck(Recheck):
    """The second look at one pair; the "consumer" is a provider, too."""

    def _answered(self, gate: Gate) -> Gate:
        """Wait until the first server has passed what the second shows now."""
        target = self._consumer.context_csn(self._comparer.scope.consumer_base)
        base = self._comparer.scope.base
        have = self._provider.context_csn(base)
        if not target or not have:
            return gate._replace(back=None)
        return gate._replace(back=self._passed(self._provider, base, target, have).covers_all(target))

    def _state(self, divergence: Divergence, gate: Gate) -> State | None:
        if not divergence.stable:
            return None
        if gate.reached is False or gate.back is False:
            has_theirs = divergence.consumer_csn and covers(gate.target, divergence.consumer_csn)
            has_ours = divergence.provider_csn and covers(gate.have, divergence.provider_csn)
            settled = divergence.finding.kind is Kind.DIFFERS and has_theirs and has_ours
            return State.LASTING if settled else State.BEHIND
        return self._lasting(divergence, rounds=2)  # a delete shows a moment before contextCSN moves, on either side

    def _finding(self, divergence: Divergence, state: State, gate: Gate) -> Finding:
        late = Late.CONSUMER
        if state is State.BEHIND:
            news = divergence.consumer_csn and not covers(gate.target, divergence.consumer_csn)
            if (gate.reached is not False and gate.back is False) or (gate.back is False and news):
                late = Late.PROVIDER
        return replace(divergence.finding, state=state, late=late)
