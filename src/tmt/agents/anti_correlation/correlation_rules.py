"""The order against each instrument that the owner holds or works: a doubling is cut or refused, a hedge never is."""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.anti_correlation.bets import alike
from tmt.agents.anti_correlation.case import Case
from tmt.agents.anti_correlation.config import AntiCorrelationConfig, UnknownCorrelation
from tmt.agents.anti_correlation.covariance import correlate
from tmt.agents.anti_correlation.state import AntiCorrelationState
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, divide
from tmt.projections.portfolio import Portfolio


def judge_correlations(
    state: AntiCorrelationState,
    waterfall: Waterfall,
    case: Case,
    portfolio: Portfolio,
    config: AntiCorrelationConfig,
    *,
    hedges: bool,
) -> Deny | None:
    """Judge every pair; first refusal, if any. Of an order that `hedges` the book, a doubling is told and kept."""
    for symbol in sorted(case.bets):
        ways = [way for way in (1, -1) if case.bets[symbol].along(way) > ZERO]
        if symbol == case.order.instrument or not ways:
            continue
        directions = [case.order.side.sign * way for way in ways]
        found = correlate(state.series, case.order.instrument, symbol, config)
        other = portfolio.instrument(symbol)
        if other is None:
            return waterfall.denies_missing("unknown_instrument", f"{symbol} is held and unknown")
        if found.coefficient is None:
            deny = _judge_unknown(waterfall, case, other, directions, found.common, config)
        else:
            correlation = max(found.coefficient * direction for direction in directions)
            deny = _judge_known(waterfall, case, symbol, correlation, config, hedges=hedges)
        if deny is not None:
            return deny
    return None


def _judge_known(
    waterfall: Waterfall, case: Case, symbol: str, correlation: Decimal, config: AntiCorrelationConfig, *, hedges: bool
) -> Deny | None:
    """Above `correlation_reduce` keep (refuse - correlation) / (refuse - reduce) of the order."""
    rule, refuse, reduce = f"correlation.{symbol}", config.correlation_refuse, config.correlation_reduce
    if correlation < config.correlation_inform:
        waterfall.passes(rule, correlation, config.correlation_inform, "ratio")
        return None
    if correlation <= reduce or hedges:
        waterfall.warns(rule, correlation, config.correlation_inform, "ratio")
        return None
    return case.cuts(
        waterfall,
        rule,
        correlation,
        refuse if correlation >= refuse else reduce,
        "ratio",
        quantity_max=case.order.quantity * max(ZERO, divide(refuse - correlation, refuse - reduce)),
        reason="correlation",
        detail=f"with {symbol}, which is held or worked, this would be one bet",
    )


def _judge_unknown(
    waterfall: Waterfall,
    case: Case,
    other: Instrument,
    directions: list[int],
    common: int,
    config: AntiCorrelationConfig,
) -> Deny | None:
    rule, measured, limit = f"unknown_correlation.{other.symbol}", Decimal(common), Decimal(config.returns_min)
    policy = config.unknown_correlation
    like = any(alike(case.instrument, other, direction) for direction in directions)
    if policy is UnknownCorrelation.PASS or not like:
        waterfall.warns(rule, measured, limit, "count", at_least=True)
        return None
    kept = config.unknown_keep_fraction if policy is UnknownCorrelation.REDUCE else ZERO
    return case.cuts(
        waterfall,
        rule,
        measured,
        limit,
        "count",
        quantity_max=case.order.quantity * kept,
        reason="unknown_correlation",
        detail=f"how it moves with {other.symbol}, which looks like the same bet, is not known",
        at_least=True,
    )
