"""The Wyckoff analysis on the bus."""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.wyckoff.config import WyckoffConfig
from tmt.agents.wyckoff.decide import Finding, WyckoffState, decide, evolve
from tmt.agents.wyckoff.events import Evidence, evidence_name_for, name_for
from tmt.domain.money import round_half_even
from tmt.domain.order import Quote, Side
from tmt.messages import BarClosed, Measure, Message, PhaseChanged, SessionStarted, SignalRaised, WyckoffEventSeen


class WyckoffAgent:
    """Reads every closed bar; says what it sees when the bar closes and never takes it back."""

    name = "wyckoff"
    consumes: tuple[type[Message], ...] = (SessionStarted, BarClosed, WyckoffEventSeen, PhaseChanged, SignalRaised)
    answers: tuple[type[Message], ...] = (BarClosed,)
    produces: tuple[type[Message], ...] = (WyckoffEventSeen, PhaseChanged, SignalRaised)

    def __init__(self, config: WyckoffConfig) -> None:
        self.config = config
        self.state = WyckoffState()

    def handle(self, message: Message) -> list[Message]:
        """Judge a bar; fold everything."""
        told: list[Message] = []
        if isinstance(message, BarClosed):
            for finding in decide(self.state, message, self.config):
                told += self._tell(message, finding)
        self.state = evolve(self.state, message, self.config)
        return told

    def _tell(self, cause: BarClosed, finding: Finding) -> list[Message]:
        bar, event, phase = cause.bar, finding.verdict.event, finding.verdict.phase
        told: list[Message] = []
        if event is not None:
            told.append(
                WyckoffEventSeen.caused_by(
                    cause,
                    self.name,
                    finding.side,
                    event.name,
                    occurred_at_ns=bar.end_ns,
                    instrument=bar.instrument,
                    timeframe=bar.timeframe,
                    event=name_for(finding.side, event.name),
                    direction=finding.side,
                    rule=event.rule,
                    bar_start_ns=bar.start_ns,
                    bar_end_ns=bar.end_ns,
                    price=_level(event.level, finding),
                    evidence=_measures((*event.evidence, *finding.evidence), finding),
                    range_id=finding.range_id,
                )
            )
        if phase is not None:
            told.append(
                PhaseChanged.caused_by(
                    cause,
                    self.name,
                    finding.side,
                    occurred_at_ns=bar.end_ns,
                    instrument=bar.instrument,
                    timeframe=bar.timeframe,
                    direction=finding.side,
                    range_id=finding.range_id,
                    phase_before=finding.phase_before,
                    phase=phase,
                )
            )
        return told if finding.view is None else [*told, self._signal(cause, finding)]

    def _signal(self, cause: BarClosed, finding: Finding) -> SignalRaised:
        bar, view = cause.bar, finding.view
        assert view is not None
        return SignalRaised.caused_by(
            cause,
            self.name,
            finding.side,
            occurred_at_ns=bar.end_ns,
            instrument=bar.instrument,
            timeframe=bar.timeframe,
            side=finding.side,
            setup=view.setup,
            entry_price=view.entry_price,
            stop_price=view.stop_price,
            target_price=view.target_price,
            confidence=view.confidence,
            quote=Quote(bid=bar.bid, ask=bar.ask, time_ns=bar.end_ns),
            evidence=_measures(view.evidence, finding),
            range_id=finding.range_id,
        )


def _level(units: float, finding: Finding) -> Decimal:
    return Decimal(round(units) * finding.side.sign).scaleb(-finding.places)


def _measures(evidence: tuple[Evidence, ...], finding: Finding) -> tuple[Measure, ...]:
    return tuple(
        Measure(
            name=evidence_name_for(finding.side, each.name),
            value=_value(each, finding),
            unit="price" if each.unit == "distance" else each.unit,
        )
        for each in evidence
    )


def _value(evidence: Evidence, finding: Finding) -> Decimal:
    if evidence.unit == "price":
        return _level(evidence.value, finding)
    value = evidence.value
    if evidence.name == "close_location" and finding.side is Side.SELL:
        value = 1 - value
    rounded = round_half_even(Decimal(repr(value)), 4)
    return rounded.scaleb(-finding.places) if evidence.unit == "distance" else rounded
