"""The gate's decision: is this order the same bet as what the owner's accounts already hold or work?"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tmt.agents.anti_correlation.case import Case, open_case
from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.correlation_rules import judge_correlations
from tmt.agents.anti_correlation.exposure_rules import judge_exposure
from tmt.agents.anti_correlation.order_risk import measure_order
from tmt.agents.anti_correlation.risk_rules import judge_book, judge_cluster, lowers_risk
from tmt.agents.anti_correlation.state import AntiCorrelationState
from tmt.agents.verdict import Approve, Deny, Waterfall, shrinks_position
from tmt.domain.money import ZERO
from tmt.messages import OrderSized
from tmt.projections.portfolio import Portfolio

GATE: Final = "anti_correlation"


def decide(
    state: AntiCorrelationState, sized: OrderSized, portfolio: Portfolio, config: AntiCorrelationConfig
) -> Approve | Deny:
    """Approve the order, at most at its size, or refuse it."""
    order = sized.order
    waterfall = Waterfall(GATE, order.quantity)
    deny = waterfall.denies_expired(sized, portfolio.now_ns)
    if deny is not None:
        return deny
    account = portfolio.account(order.account)
    if account is None:
        return waterfall.denies_missing("unknown_account", f"no account is called {order.account}")
    if shrinks_position(order, portfolio):
        held = abs(portfolio.position(order.account, order.instrument).quantity)
        waterfall.passes("shrinks_position", order.quantity, held, "units")
        return waterfall.approves(order)
    case = open_case(waterfall, order, account, portfolio)
    if isinstance(case, Deny):
        return case
    # What is counted comes before what is estimated.
    deny = judge_exposure(waterfall, case, portfolio, config)
    if deny is None:
        deny = _judge_risk(state, waterfall, case, portfolio, config)
    if deny is None:
        deny = waterfall.denies_too_small(case.instrument, order.entry_price)
    return waterfall.approves(order) if deny is None else deny


def _judge_risk(
    state: AntiCorrelationState,
    waterfall: Waterfall,
    case: Case,
    portfolio: Portfolio,
    config: AntiCorrelationConfig,
) -> Deny | None:
    """An order that lowers the risk of the book is not cut for what it resembles."""
    risk = measure_order(state, case, portfolio, config)
    held_alone = measure_order(state, case.held_alone(), portfolio, config)
    hedges = risk is not None and held_alone is not None and lowers_risk(waterfall, risk, held_alone)
    deny = judge_correlations(state, waterfall, case, portfolio, config, hedges=hedges)
    if deny is not None or hedges:
        return deny
    if risk is not None:
        deny = judge_book(waterfall, case, risk, config)
    elif any(bet.net != ZERO for bet in case.bets.values()):
        series = state.series.get(case.order.instrument)
        known = Decimal(0 if series is None else len(series.returns))
        waterfall.warns("risk_unknown", known, Decimal(config.returns_min), "count", at_least=True)
    return judge_cluster(state, waterfall, case, portfolio, config) if deny is None else deny
