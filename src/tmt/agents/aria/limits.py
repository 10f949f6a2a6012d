"""The limits, last: what an account may have at stake with the order, each in terms of one more unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from tmt.agents.aria.account_risk import worst_outcomes
from tmt.agents.aria.config import AriaConfig, MarginConfig, ValueAtRiskConfig
from tmt.agents.aria.exposure import Commitment, Exposure, Unknown, commitments, measure, without_opposite
from tmt.agents.aria.intent import Intent
from tmt.agents.aria.margin import level_of
from tmt.agents.aria.returns import ReturnSeries, common_returns
from tmt.agents.aria.value_at_risk import OUTCOME_DECIMALS, lots_within_loss, outcomes
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ONE, ROUNDING, ZERO, floor_to
from tmt.domain.order import Order
from tmt.projections.portfolio import Portfolio


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An order to be sized and what its size depends on. Amounts are in the account's currency.

    Attributes:
        order: its quantity is not yet ours.
        unit_value: worth of one unit at the price that the order would take.
        unit_risk: loss of one unit at its stop; None when it has no stop.
        drawdown_band: index of the band in force; the number of bands when halted.
    """

    order: Order
    intent: Intent
    account: Account
    instrument: Instrument
    equity: Decimal
    unit_value: Decimal
    unit_risk: Decimal | None
    drawdown: Decimal
    drawdown_band: int

    def affordable(self, amount: Decimal, unit_amount: Decimal) -> Decimal:
        """The most units, in whole lots, that cost at most `amount`; no limit is passed by rounding."""
        lot_size = self.instrument.lot_size
        return max(ZERO, amount) // ROUNDING.multiply(unit_amount, lot_size) * lot_size


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on what the account has at stake with this order.

    Attributes:
        used: at stake without the order, on its side.
        unit_amount: what one unit adds.
        least: at stake whatever the quantity, such as what is on the other side of the order.
        per: what `measured` and `limit` are divided by in the check.
    """

    rule: str
    amount_max: Decimal
    used: Decimal
    unit_amount: Decimal
    per: Decimal
    unit: str
    least: Decimal = ZERO

    def amount(self, quantity: Decimal) -> Decimal:
        """At stake with `quantity` of the order."""
        # A person may ask for any quantity: its worth can need more digits than exact arithmetic has.
        return max(self.least, ROUNDING.add(self.used, ROUNDING.multiply(quantity, self.unit_amount)))


class Bound(NamedTuple):
    """What one limit leaves of an order; the fields but `quantity_max` are those of a check."""

    rule: str
    measured: Decimal
    limit: Decimal
    unit: str
    quantity_max: Decimal
    at_least: bool = False


def apply_limits(
    waterfall: Waterfall,
    case: Case,
    series: Mapping[str, ReturnSeries],
    portfolio: Portfolio,
    config: AriaConfig,
) -> Deny | None:
    """Cut the quantity to what every limit leaves, or refuse when one leaves less than the smallest order."""
    stakes = commitments(portfolio, case.order.account)
    if isinstance(stakes, Unknown):
        return waterfall.denies_missing(stakes.reason, stakes.detail)
    exposure = measure(stakes, case.instrument, case.order.side, config.margin.initial_margin_fractions)
    for limit in _limits(case, exposure, config):
        room = case.affordable(limit.amount_max - limit.used, limit.unit_amount)
        measured = ROUNDING.divide(limit.amount(waterfall.quantity), limit.per)
        allowed = ROUNDING.divide(limit.amount_max, limit.per)
        deny = _cut(waterfall, case, Bound(limit.rule, measured, allowed, limit.unit, room))
        if deny is not None:
            return deny
    deny = _cut(waterfall, case, _margin_bound(waterfall.quantity, case, exposure, config.margin))
    if deny is None:
        deny = _keep_value_at_risk(waterfall, case, stakes, series, config.value_at_risk)
    if deny is None:
        waterfall.quantity = floor_to(waterfall.quantity, case.instrument.lot_size)
    return deny


def _cut(waterfall: Waterfall, case: Case, bound: Bound) -> Deny | None:
    if bound.quantity_max < min(waterfall.quantity, case.instrument.quantity_min):
        detail = f"{bound.rule} leaves {bound.quantity_max} of {case.instrument.symbol}, less than its smallest order"
        return waterfall.denies(
            bound.rule, bound.measured, bound.limit, bound.unit, detail=detail, at_least=bound.at_least
        )
    waterfall.caps(
        bound.rule, bound.measured, bound.limit, bound.unit,
        quantity_max=bound.quantity_max, lot_size=case.instrument.lot_size, at_least=bound.at_least,
    )  # fmt: skip
    return None


def _margin_bound(quantity: Decimal, case: Case, exposure: Exposure, config: MarginConfig) -> Bound:
    margin = config.initial_margin_fractions.of(case.instrument.asset_class)
    least = config.critical_level_min
    unit_margin = ROUNDING.multiply(case.unit_value, margin)
    used = exposure.others_margin + ROUNDING.multiply(exposure.instrument, margin)
    against = exposure.others_margin + ROUNDING.multiply(exposure.against, margin)
    # The level is equity / used >= least, which the margin keeps where used x least <= equity, without dividing.
    room = case.affordable(case.equity - ROUNDING.multiply(used, least), ROUNDING.multiply(unit_margin, least))
    measured = level_of(case.equity, max(against, ROUNDING.add(used, ROUNDING.multiply(quantity, unit_margin))))
    return Bound("margin_level", measured, least, "ratio", room, at_least=True)


def _keep_value_at_risk(
    waterfall: Waterfall,
    case: Case,
    stakes: list[Commitment],
    series: Mapping[str, ReturnSeries],
    config: ValueAtRiskConfig,
) -> Deny | None:
    symbol, lot_size = case.instrument.symbol, case.instrument.lot_size
    stakes = without_opposite(stakes, symbol, case.order.side)
    returns = common_returns(series, [symbol, *(stake.instrument.symbol for stake in stakes)])
    known = len(returns[symbol])
    if known < config.returns_min:
        waterfall.warns("value_at_risk_returns", Decimal(known), Decimal(config.returns_min), "count", at_least=True)
        return None
    lot = {symbol: ROUNDING.multiply(case.unit_value, lot_size) * case.order.side.sign}
    lots = int(ROUNDING.divide_int(waterfall.quantity, lot_size))
    loss_max = ROUNDING.multiply(config.value_at_risk_fraction_max, case.equity).scaleb(OUTCOME_DECIMALS)
    judged = [
        lots_within_loss(
            gains, outcomes(lot, returns), lots, loss_max, confidence=config.confidence, decay=config.ewma_decay
        )
        for gains in worst_outcomes(stakes, returns, config.ewma_decay)
    ]
    fitting = min(each.lots for each in judged)
    allowed = waterfall.quantity if fitting == lots else fitting * lot_size
    measured = ROUNDING.divide(max(each.loss for each in judged).scaleb(-OUTCOME_DECIMALS), case.equity)
    bound = Bound("value_at_risk", measured, config.value_at_risk_fraction_max, "fraction", allowed)
    return _cut(waterfall, case, bound)


def _limits(case: Case, exposure: Exposure, config: AriaConfig) -> list[Limit]:
    limits = []
    if case.unit_risk is not None:
        for rule, fraction_max, used in (
            ("risk_per_trade", config.risk_fraction_max, ZERO),
            ("portfolio_heat", config.heat_fraction_max, exposure.heat),
        ):
            amount_max = fraction_max * case.equity
            limits.append(Limit(rule, amount_max, used, case.unit_risk, case.equity, "fraction"))
    currency = case.account.currency
    notional_max = config.position_notional_max
    held, against = exposure.instrument, exposure.against
    limits.append(Limit("position_notional", notional_max, held, case.unit_value, ONE, currency, against))
    exposures = [("instrument_exposure", config.instrument_exposure_ratio_max, held, against)]
    if case.instrument.base_currency:
        ratio_max = config.currency_exposure_ratio_max
        exposures.append(("base_currency_exposure", ratio_max, exposure.base, exposure.base))
        exposures.append(("quote_currency_exposure", ratio_max, exposure.quote, exposure.quote))
    others = exposure.others
    exposures.append(("gross_exposure", config.gross_exposure_ratio_max, others + held, others + against))
    for rule, ratio_max, used, least in exposures:
        limits.append(Limit(rule, ratio_max * case.equity, used, case.unit_value, case.equity, "ratio", least))
    return limits
