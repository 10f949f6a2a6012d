"""What outcomes say, and when they are evidence for a change."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.improvement.config import ImprovementConfig
from tmt.agents.improvement.statistics import Outcomes
from tmt.domain.money import ZERO, Exact
from tmt.messages import Message, PositionClosed


class ImprovementState(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes by "setup/instrument"."""

    outcomes: dict[str, Outcomes] = {}


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """What one more round trip teaches.

    Attributes:
        outcomes: with that trip.
        confidence_min: what the Wyckoff agent's should become; None when nothing is proposed.
    """

    outcomes: Outcomes
    confidence_min: Exact | None


def decide(
    state: ImprovementState, trip: PositionClosed, confidence_min: Decimal, config: ImprovementConfig
) -> Learnt | None:
    """Statistics after `trip`, and a proposal when the evidence against its setup has just become sufficient.

    Proposes only to be choosier: evidence in a setup's favour raises no risk. `confidence_min` is the one in force.
    None when the trip had no stop, and so no R.
    """
    before = state.outcomes.get(_key(trip), Outcomes())
    after = before.after(trip)
    if after.trades == before.trades:
        return None
    raised = confidence_min + config.confidence_step
    crosses = _loses(after, config) and not _loses(before, config)
    proposes = crosses and raised <= config.confidence_ceiling
    return Learnt(outcomes=after, confidence_min=raised if proposes else None)


def evolve(state: ImprovementState, message: Message) -> ImprovementState:
    """Add a round trip to its setup's outcomes; any other message changes nothing."""
    match message:
        case PositionClosed():
            key = _key(message)
            after = state.outcomes.get(key, Outcomes()).after(message)
            return ImprovementState(outcomes={**state.outcomes, key: after})
        case _:
            return state


def _loses(outcomes: Outcomes, config: ImprovementConfig) -> bool:
    if outcomes.trades < config.evidence_trades_min:
        return False
    _, _, high = outcomes.expectancy_r()
    return high < ZERO


def _key(trip: PositionClosed) -> str:
    return f"{trip.setup}/{trip.instrument}"
