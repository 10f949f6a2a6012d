"""Aggregate exposure: by currency, and gross by owner and over the whole desk (SEC rule 15c3-5 (c)(1)(i))."""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.anti_correlation.bets import Bet, gross_exposure, legs, net_exposure, open_lines, total_equity
from tmt.agents.anti_correlation.case import Case
from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.money import ZERO, divide
from tmt.projections.portfolio import Portfolio


def judge_exposure(
    waterfall: Waterfall, case: Case, portfolio: Portfolio, config: AntiCorrelationConfig
) -> Deny | None:
    """Cut or refuse what would break an aggregate limit; first refusal, if any."""
    deny = _net_currencies(waterfall, case, portfolio, config.currency_net_ratio_max)
    if deny is not None:
        return deny
    limit = config.owner_gross_ratio_max
    deny = _bound_gross(waterfall, case, case.lines, case.equity, portfolio, "gross.owner", limit)
    if deny is not None:
        return deny
    equity = total_equity(portfolio, portfolio.accounts, case.currency)
    if equity is None:
        return waterfall.denies_missing("no_equity", "the equity of some account cannot be valued")
    if equity <= ZERO:
        detail = "the accounts of the desk have no equity together"
        return waterfall.denies("no_equity", equity, ZERO, case.currency, detail=detail, at_least=True)
    lines = open_lines(portfolio, portfolio.accounts, case.order.order_id)
    return _bound_gross(waterfall, case, lines, equity, portfolio, "gross.firm", config.firm_gross_ratio_max)


def _net_currencies(waterfall: Waterfall, case: Case, portfolio: Portfolio, limit: Decimal) -> Deny | None:
    order, lot_size = case.order, case.instrument.lot_size
    for leg, way in sorted(legs(case.instrument).items()):
        used = net_exposure(portfolio, case.beside, leg, way * order.side.sign, case.currency)
        if used is None:
            return waterfall.denies_missing("no_mark", f"exposure to {leg} cannot be valued")
        lots = max(ZERO, limit * case.equity - used) // (case.unit_value * lot_size)
        deny = case.cuts(
            waterfall,
            f"currency_net.{leg}",
            divide(used + waterfall.quantity * case.unit_value, case.equity),
            limit,
            "ratio",
            quantity_max=lots * lot_size,
            reason="currency_net",
            detail=f"the owner's accounts together would be exposed to {leg} beyond {limit} x their equity",
        )
        if deny is not None:
            return deny
    return None


def _bound_gross(
    waterfall: Waterfall,
    case: Case,
    lines: dict[tuple[str, str], Bet],
    equity: Decimal,
    portfolio: Portfolio,
    rule: str,
    limit: Decimal,
) -> Deny | None:
    """The order's own line counts at the order's price, every other at its mark."""
    order, lot_size = case.order, case.instrument.lot_size
    own = order.account, order.instrument
    rest = gross_exposure(portfolio, {name: bet for name, bet in lines.items() if name != own}, case.currency)
    if rest is None:
        return waterfall.denies_missing("no_mark", "the gross exposure of some account cannot be valued")
    line = lines.get(own, Bet())
    along, against = max(ZERO, line.along(order.side.sign)), line.along(-order.side.sign)
    room = limit * equity - rest - along * case.unit_value
    lots = max(ZERO, room) // (case.unit_value * lot_size)
    units = max(along + waterfall.quantity, against)
    return case.cuts(
        waterfall,
        rule,
        divide(rest + units * case.unit_value, equity),
        limit,
        "ratio",
        quantity_max=lots * lot_size,
        reason="gross_exposure",
        detail=f"positions and working orders would be worth more than {limit} x the equity behind them",
    )
