"""Continuous improvement's wiring."""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.improvement.config import ImprovementConfig
from tmt.agents.improvement.decide import ImprovementState, decide, evolve
from tmt.agents.improvement.statistics import Outcomes
from tmt.messages import Measure, Message, ParameterProposed, PositionClosed, StatisticsUpdated


class ImprovementAgent:
    """Learns from round trips.

    Args:
        config: when outcomes are evidence.
        confidence_min: the Wyckoff agent's `signal.confidence_min`, as in force.
    """

    name = "improvement"
    consumes = (PositionClosed,)
    answers = (PositionClosed,)
    produces = (StatisticsUpdated, ParameterProposed)

    def __init__(self, config: ImprovementConfig, confidence_min: Decimal) -> None:
        self.config = config
        self.confidence_min = confidence_min
        self.state = ImprovementState()

    def handle(self, message: Message) -> list[Message]:
        """Say the statistics after each round trip, and propose when they have just become evidence."""
        if not isinstance(message, PositionClosed):
            return []
        learnt = decide(self.state, message, self.confidence_min, self.config)
        self.state = evolve(self.state, message)
        if learnt is None:
            return []
        said: list[Message] = [self._statistics(message, learnt.outcomes)]
        if learnt.confidence_min is not None:
            said.append(self._proposal(message, learnt.outcomes, learnt.confidence_min))
        return said

    def _statistics(self, trip: PositionClosed, outcomes: Outcomes) -> StatisticsUpdated:
        mean, low, high = outcomes.expectancy_r()
        return StatisticsUpdated.caused_by(
            trip,
            self.name,
            setup=trip.setup,
            instrument=trip.instrument,
            trades=outcomes.trades,
            win_rate=outcomes.win_rate,
            expectancy_r=mean,
            expectancy_r_low=low,
            expectancy_r_high=high,
            profit_factor=outcomes.profit_factor,
        )

    def _proposal(self, trip: PositionClosed, outcomes: Outcomes, confidence_min: Decimal) -> ParameterProposed:
        mean, low, high = outcomes.expectancy_r()
        subject = f"{trip.setup} on {trip.instrument}"
        return ParameterProposed.caused_by(
            trip,
            self.name,
            agent="wyckoff",
            parameter="signal.confidence_min",
            value_before=self.confidence_min,
            value=confidence_min,
            trades=outcomes.trades,
            evidence=(
                Measure(name=f"expectancy of {subject}", value=mean, unit="R"),
                Measure(name=f"expectancy of {subject}, low end of 95 %", value=low, unit="R"),
                Measure(name=f"expectancy of {subject}, high end of 95 %", value=high, unit="R"),
                Measure(name=f"win rate of {subject}", value=outcomes.win_rate, unit="fraction"),
            ),
        )
