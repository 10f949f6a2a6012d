"""When measured samples open breakers: volatility and gaps of instruments, answers of venues, repeated entries."""

from __future__ import annotations

from decimal import Decimal

from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import PERSON, CircuitBreakerState, Status
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.keys import instrument_key, strategy_key, venue_key
from tmt.agents.circuit_breaker.measures import entries_within, is_entry
from tmt.agents.circuit_breaker.transition import Transition, opening, trials_passed
from tmt.domain.money import ONE, ZERO
from tmt.market.bar import Bar
from tmt.projections.portfolio import Portfolio
from tmt.projections.reach import venue_of


def moved(state: CircuitBreakerState, bar: Bar, config: CircuitBreakerConfig) -> list[Transition]:
    """Open the instrument's breaker for the newest bar: a gap alone is enough, volatility takes confirmation."""
    series = state.measures.series.get(bar.instrument)
    if series is None or series.timeframe is not bar.timeframe:
        return []
    key, limits = instrument_key(bar.instrument), config.instrument
    gap, gap_max = series.gap_fraction, config.gap_fraction_max
    if gap > gap_max:
        detail = f"{bar.instrument} opened a fraction of {gap} from its last close"
        return opening(state, key, "price_gap", gap, gap_max, "fraction", detail)
    beyond = [sigmas for sigmas in series.sigmas if sigmas > config.sigmas_max]
    if len(beyond) < limits.volatility_confirmations:
        return []
    detail = f"{len(beyond)} of the last {len(series.sigmas)} {bar.timeframe} bars of {bar.instrument} moved beyond it"
    return opening(state, key, "volatility", beyond[-1], config.sigmas_max, "sigmas", detail)


def venue_answered(
    state: CircuitBreakerState, answer: m.VenueEvent, portfolio: Portfolio, config: CircuitBreakerConfig
) -> list[Transition]:
    """Judge a venue by an answer of its own: rejections, slowness, and the test orders of a half-open breaker.

    An answer about an order that nobody knows names no account, so it judges no venue.
    """
    venue = venue_of(portfolio, answer.account)
    if not venue:
        return []
    key = venue_key(venue)
    breaker = state.breakers.get(key)
    if breaker is not None and breaker.status is Status.HALF_OPEN and isinstance(answer, m.OrderRejected):
        detail = f"{venue} rejected an order while it was on trial: {answer.reason}"
        return opening(state, key, "trial_rejected", ONE, ZERO, "count", detail)
    failed = [*_rejecting(state, venue, config), *_slow(state, venue, config)][:1]
    if failed or breaker is None:
        return failed
    passed = trials_passed(breaker, config)
    return [] if passed is None else [passed]


def venues_late(state: CircuitBreakerState, config: CircuitBreakerConfig) -> list[Transition]:
    """Open the breakers of venues that have not answered for too long."""
    return [each for venue in sorted(state.measures.answer_seconds) for each in _slow(state, venue, config)]


def _slow(state: CircuitBreakerState, venue: str, config: CircuitBreakerConfig) -> list[Transition]:
    samples, seconds_max = state.measures.answer_seconds.get(venue, ()), config.answer_seconds_max
    late = [seconds for seconds in samples if seconds > seconds_max]
    if len(late) < config.venue.answer_confirmations:
        return []
    detail = f"{len(late)} of the last {len(samples)} answers of {venue} took longer"
    return opening(state, venue_key(venue), "latency", late[-1], seconds_max, "seconds", detail)


def _rejecting(state: CircuitBreakerState, venue: str, config: CircuitBreakerConfig) -> list[Transition]:
    samples, limits = state.measures.rejections.get(venue, ()), config.venue
    rejected = sum(samples)
    if rejected < limits.rejection_confirmations:
        return []
    borne = Decimal(limits.rejection_confirmations - 1)
    detail = f"{venue} rejected {rejected} of the last {len(samples)} orders"
    return opening(state, venue_key(venue), "rejections", Decimal(rejected), borne, "count", detail)


def repeated(
    state: CircuitBreakerState, approval: m.ComplianceApproved, portfolio: Portfolio, config: CircuitBreakerConfig
) -> list[Transition]:
    """Open a strategy's breaker before it enters once more than it may; a person must look (RTS 6, article 15(3))."""
    order, limit = approval.order, config.repeated_execution.entries_max
    breaker = state.breakers.get(strategy_key(order.strategy))
    if not is_entry(order, portfolio) or breaker is None or breaker.status is Status.OPEN:
        return []
    entries = 1 + len(entries_within(state.measures, order, portfolio.now_ns, config))
    if entries <= limit:
        return []
    key, seconds = strategy_key(order.strategy), config.repeated_execution.window_seconds
    detail = f"{order.strategy} would enter {order.side} {order.instrument} {entries} times in {seconds} seconds"
    measured = Decimal(entries)
    return opening(state, key, "repeated_execution", measured, Decimal(limit), "count", detail, resumes_by=PERSON)
