"""The order in the owner's book: what it adds to its risk, to its number of bets, and to its cluster."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tmt.agents.anti_correlation.bets import unit_value
from tmt.agents.anti_correlation.case import Case
from tmt.agents.anti_correlation.clusters import cluster_of
from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.covariance import volatility
from tmt.agents.anti_correlation.order_risk import OrderRisk, largest, risk_of, unit_risk
from tmt.agents.anti_correlation.state import AntiCorrelationState
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.money import ZERO
from tmt.projections.portfolio import Portfolio


def lowers_risk(waterfall: Waterfall, risk: OrderRisk, held_alone: OrderRisk) -> bool:
    """Whether the book is at most as risky after the order as before, beside positions alone too; said when it is.

    What works may be cancelled, and with it what an order would hedge.
    """
    if not (risk.lowers(waterfall.quantity) and held_alone.lowers(waterfall.quantity)):
        return False
    after = risk.deviation(risk.after(waterfall.quantity))
    waterfall.passes("lowers_risk", after, risk.deviation(risk.start), "ratio")
    return True


def judge_book(waterfall: Waterfall, case: Case, risk: OrderRisk, config: AntiCorrelationConfig) -> Deny | None:
    """Contribution and number of bets, once the book has enough instruments; first refusal, if any."""
    if risk.others_count + 1 < config.book_instruments_min:
        return None
    deny = _judge_contribution(waterfall, case, risk, config.risk_contribution_max)
    return _judge_bets(waterfall, case, risk, config.effective_bets_min) if deny is None else deny


def _judge_contribution(waterfall: Waterfall, case: Case, risk: OrderRisk, limit: Decimal) -> Deny | None:
    before = risk.variance(risk.start)

    def holds(after: Decimal) -> bool:
        return after <= ZERO or risk.contribution(after) <= limit or risk.variance(after) <= before

    return case.cuts(
        waterfall,
        "risk_contribution",
        risk.contribution(risk.after(waterfall.quantity)),
        limit,
        "ratio",
        quantity_max=_largest_quantity(waterfall, case, risk, holds),
        detail=f"{case.instrument.symbol} would have more than {limit} of the risk of the owner's book",
    )


def _judge_bets(waterfall: Waterfall, case: Case, risk: OrderRisk, limit: Decimal) -> Deny | None:
    least = min(limit, risk.bets(max(ZERO, risk.start)))

    def holds(after: Decimal) -> bool:
        return after <= ZERO or risk.bets(after) >= least

    return case.cuts(
        waterfall,
        "effective_bets",
        risk.bets(risk.after(waterfall.quantity)),
        limit,
        "count",
        quantity_max=_largest_quantity(waterfall, case, risk, holds),
        detail=f"the owner's book would be fewer than {limit} independent bets",
        at_least=True,
    )


def _largest_quantity(waterfall: Waterfall, case: Case, risk: OrderRisk, holds: Callable[[Decimal], bool]) -> Decimal:
    lot_size = case.instrument.lot_size
    return largest(int(waterfall.quantity // lot_size), lambda lots: holds(risk.after(lots * lot_size))) * lot_size


def judge_cluster(
    state: AntiCorrelationState,
    waterfall: Waterfall,
    case: Case,
    portfolio: Portfolio,
    config: AntiCorrelationConfig,
) -> Deny | None:
    """Risk of the order's cluster over the owner's equity; working orders count where they add."""
    own, sign, limit = case.order.instrument, case.order.side.sign, config.cluster_risk_fraction_max
    cluster = cluster_of(state.series, own, tuple(case.bets), config)
    moves = volatility(state.series.get(own), config)
    unit = ZERO if moves is None else unit_risk(case, moves)
    if len(cluster) < 2 or unit == ZERO:
        return None
    along = ZERO
    for name, symbol in sorted(case.beside):
        if symbol not in cluster:
            continue
        value, each = unit_value(portfolio, symbol, case.currency), volatility(state.series.get(symbol), config)
        if value is None or each is None:
            return waterfall.denies_missing("no_mark", f"the risk of {symbol} cannot be valued")
        along += risk_of(case.beside[name, symbol].along(cluster[symbol] * sign), value, each, case.equity)
    lot_size = case.instrument.lot_size
    lots = max(ZERO, limit - along) // (unit * lot_size)
    return case.cuts(
        waterfall,
        f"cluster.{'+'.join(sorted(cluster))}",
        along + waterfall.quantity * unit,
        limit,
        "ratio",
        quantity_max=lots * lot_size,
        reason="cluster",
        detail=f"what moves with {own} would be too large a bet",
    )
