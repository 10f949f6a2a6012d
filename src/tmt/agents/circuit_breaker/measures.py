"""What the breaker measures as it goes: returns of instruments, answers of venues, entries of strategies.

A breaker that opens begins its samples anew, so that what opened it does not open it again after the cool-down.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt import messages as m
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig, InstrumentLimits
from tmt.agents.verdict import shrinks_position
from tmt.domain.money import ONE, ROUNDING, ZERO, Exact, divide, round_half_even
from tmt.domain.order import Order
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.domain.stop import ScopeKind, StopScope
from tmt.market.bar import Bar, Timeframe
from tmt.projections.portfolio import Portfolio
from tmt.projections.reach import venue_of

SENT_MAX: Final = 1_000
"""Submissions that may await the venue's first answer; the oldest are forgotten."""
VARIANCE_DECIMALS: Final = 18
SIGMA_DECIMALS: Final = 6


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of one instrument, in the shortest timeframe seen that is long enough.

    Attributes:
        variance: exponentially weighted mean of squared bar returns (RiskMetrics, 1996), of the bars so far.
        returns: how many it rests on.
        gap_fraction: of the newest bar's open from the close before, over that close.
        sigmas: newest returns over the deviation of those before each; oldest first, once there were enough.
    """

    timeframe: Timeframe
    close: Exact
    variance: Exact = ZERO
    returns: int = 0
    gap_fraction: Exact = ZERO
    sigmas: tuple[Exact, ...] = ()


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A submission that the venue has not answered; `late` once its waiting counts as a sample."""

    venue: str
    since_ns: int
    late: bool = False


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """All samples.

    Attributes:
        series: by instrument.
        sent: by client order id.
        answer_seconds: by venue, event time to its first answers, oldest first.
        rejections: by venue, whether its first answer was a rejection, oldest first.
        entries: by account, strategy, instrument and side, times of releases that opened or added, in nanoseconds.
    """

    series: dict[str, Series] = {}
    sent: dict[str, Sent] = {}
    answer_seconds: dict[str, tuple[Exact, ...]] = {}
    rejections: dict[str, tuple[bool, ...]] = {}
    entries: dict[str, tuple[int, ...]] = {}


def measure(measures: Measures, message: m.Message, portfolio: Portfolio, config: CircuitBreakerConfig) -> Measures:
    """Fold one message; the same object when it moves no sample."""
    match message:
        case m.BarClosed():
            return _late(_barred(measures, message.bar, config.instrument), portfolio.now_ns, config)
        case m.OrderSubmitted():
            sent = Sent(venue=venue_of(portfolio, message.order.account), since_ns=message.occurred_at_ns)
            waiting = {**measures.sent, message.client_order_id: sent}
            return msgspec.structs.replace(measures, sent=dict(list(waiting.items())[-SENT_MAX:]))
        case m.CancelRejected():
            return measures
        case m.VenueEvent() if message.client_order_id in measures.sent:
            return _answered(measures, message, config)
        case m.OrderReleased(order=order) if is_entry(order, portfolio):
            key = entry_key(order)
            recent = (*entries_within(measures, order, message.occurred_at_ns, config), message.occurred_at_ns)
            return msgspec.structs.replace(measures, entries={**measures.entries, key: recent})
        case m.BreakerOpened():
            return _begun_anew(measures, StopScope.of_breaker(message.tier, message.scope))
        case _:
            return measures


def _barred(measures: Measures, bar: Bar, limits: InstrumentLimits) -> Measures:
    known = measures.series.get(bar.instrument)
    if bar.timeframe.nanoseconds < limits.timeframe_min.nanoseconds:
        return measures
    if known is not None and bar.timeframe.nanoseconds > known.timeframe.nanoseconds:
        return measures
    if known is None or known.timeframe is not bar.timeframe:
        series = Series(timeframe=bar.timeframe, close=bar.close)
    else:
        series = _continued(known, bar, limits)
    return msgspec.structs.replace(measures, series={**measures.series, bar.instrument: series})


def _continued(series: Series, bar: Bar, limits: InstrumentLimits) -> Series:
    change = divide(bar.close - series.close, series.close)
    square = change * change
    sigmas = series.sigmas
    if series.returns >= limits.returns_min:
        sigmas = (*sigmas, _sigmas(square, series.variance))[-limits.volatility_samples :]
    decay = limits.decay_fraction if series.returns else ZERO
    variance = round_half_even(decay * series.variance + (ONE - decay) * square, VARIANCE_DECIMALS)
    return Series(
        timeframe=series.timeframe,
        close=bar.close,
        variance=variance,
        returns=series.returns + 1,
        gap_fraction=divide(abs(bar.open - series.close), series.close),
        sigmas=sigmas,
    )


def _sigmas(square: Decimal, variance: Decimal) -> Decimal:
    if variance == ZERO:
        return ZERO  # an instrument that has not moved has no deviation to compare with; a gap it still has
    return round_half_even(divide(square, variance).sqrt(ROUNDING), SIGMA_DECIMALS)


def _late(measures: Measures, now_ns: int, config: CircuitBreakerConfig) -> Measures:
    """Count orders that wait for longer than an answer may take, without waiting for the answer."""
    for client_order_id, sent in measures.sent.items():
        waited = _seconds(now_ns - sent.since_ns)
        if not sent.late and waited > config.answer_seconds_max:
            late = msgspec.structs.replace(sent, late=True)
            measures = msgspec.structs.replace(
                _timed(measures, sent.venue, waited, config), sent={**measures.sent, client_order_id: late}
            )
    return measures


def _timed(measures: Measures, venue: str, seconds: Decimal, config: CircuitBreakerConfig) -> Measures:
    samples = (*measures.answer_seconds.get(venue, ()), seconds)[-config.venue.answer_samples :]
    return msgspec.structs.replace(measures, answer_seconds={**measures.answer_seconds, venue: samples})


def _answered(measures: Measures, answer: m.VenueEvent, config: CircuitBreakerConfig) -> Measures:
    sent = measures.sent[answer.client_order_id]
    waiting = {key: value for key, value in measures.sent.items() if key != answer.client_order_id}
    rejected = isinstance(answer, m.OrderRejected)
    rejections = (*measures.rejections.get(sent.venue, ()), rejected)[-config.venue.rejection_samples :]
    if not sent.late:
        measures = _timed(measures, sent.venue, _seconds(answer.occurred_at_ns - sent.since_ns), config)
    return msgspec.structs.replace(measures, sent=waiting, rejections={**measures.rejections, sent.venue: rejections})


def is_entry(order: Order, portfolio: Portfolio) -> bool:
    """Whether a strategy, not a person, takes new risk with the order."""
    return order.automated and not order.reduce_only and not shrinks_position(order, portfolio)


def entry_key(order: Order) -> str:
    """What entries must share to be repetitions of one another."""
    return f"{order.account}/{order.strategy}/{order.instrument}/{order.side}"


def entries_within(measures: Measures, order: Order, now_ns: int, config: CircuitBreakerConfig) -> tuple[int, ...]:
    """Times of entries like `order` within the window that ends at `now_ns`, its first instant excluded."""
    after_ns = now_ns - config.repeated_execution.window_seconds * NANOSECONDS_PER_SECOND
    return tuple(time_ns for time_ns in measures.entries.get(entry_key(order), ()) if time_ns > after_ns)


def _begun_anew(measures: Measures, scope: StopScope) -> Measures:
    match scope.kind:
        case ScopeKind.INSTRUMENT if scope.name in measures.series:
            series = msgspec.structs.replace(measures.series[scope.name], sigmas=())
            return msgspec.structs.replace(measures, series={**measures.series, scope.name: series})
        case ScopeKind.VENUE:
            answers, rejections = dict(measures.answer_seconds), dict(measures.rejections)
            answers.pop(scope.name, None)
            rejections.pop(scope.name, None)
            return msgspec.structs.replace(measures, answer_seconds=answers, rejections=rejections)
        case ScopeKind.STRATEGY:
            others = {key: times for key, times in measures.entries.items() if key.split("/")[1] != scope.name}
            return msgspec.structs.replace(measures, entries=others)
        case _:
            return measures


def _seconds(nanoseconds: int) -> Decimal:
    return Decimal(nanoseconds).scaleb(-9)
