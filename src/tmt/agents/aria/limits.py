"""The limits, last: what an account may have at stake with the order, each in terms of one more unit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.exposure import Exposure, Unknown, measure
from tmt.agents.aria.intent import Intent
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
        closable: units that only close a position.
        drawdown_band: index of the band in force; the number of bands when halted.
    """

    order: Order
    intent: Intent
    account: Account
    instrument: Instrument
    equity: Decimal
    unit_value: Decimal
    unit_risk: Decimal | None
    closable: Decimal
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
        used: at stake without the order.
        unit_amount: what one unit adds.
        free: units that add nothing.
        per: what `measured` and `limit` are divided by in the check.
    """

    rule: str
    amount_max: Decimal
    used: Decimal
    unit_amount: Decimal
    free: Decimal
    per: Decimal
    unit: str


def apply_limits(waterfall: Waterfall, case: Case, portfolio: Portfolio, config: AriaConfig) -> Deny | None:
    """Cut the quantity to what every limit leaves, or refuse when one leaves less than the smallest order."""
    exposure = measure(portfolio, case.order.account, case.instrument, case.order.side)
    if isinstance(exposure, Unknown):
        return waterfall.denies_missing(exposure.reason, exposure.detail)
    for limit in _limits(case, exposure, config):
        room = case.affordable(limit.amount_max - limit.used, limit.unit_amount)
        quantity_max = max(case.closable, limit.free + room)
        counted = max(ZERO, waterfall.quantity - limit.free)
        # A person may ask for any quantity: its worth can need more digits than exact arithmetic has.
        amount = ROUNDING.add(limit.used, ROUNDING.multiply(counted, limit.unit_amount))
        measured = ROUNDING.divide(amount, limit.per)
        allowed = ROUNDING.divide(limit.amount_max, limit.per)
        if quantity_max < min(waterfall.quantity, case.instrument.quantity_min):
            detail = f"{limit.rule} leaves {quantity_max} of {case.instrument.symbol}, less than its smallest order"
            return waterfall.denies(limit.rule, measured, allowed, limit.unit, detail=detail)
        waterfall.caps(
            limit.rule, measured, allowed, limit.unit,
            quantity_max=quantity_max, lot_size=case.instrument.lot_size,
        )  # fmt: skip
    waterfall.quantity = floor_to(waterfall.quantity, case.instrument.lot_size)
    return None


def _limits(case: Case, exposure: Exposure, config: AriaConfig) -> list[Limit]:
    limits = []
    if case.unit_risk is not None:
        for rule, fraction_max, used in (
            ("risk_per_trade", config.risk_fraction_max, ZERO),
            ("portfolio_heat", config.heat_fraction_max, exposure.heat),
        ):
            amount_max = fraction_max * case.equity
            limits.append(Limit(rule, amount_max, used, case.unit_risk, case.closable, case.equity, "fraction"))
    currency = case.account.currency
    notional_max = config.position_notional_max
    limits.append(Limit("position_notional", notional_max, exposure.instrument, case.unit_value, ZERO, ONE, currency))
    exposures = [("instrument_exposure", config.instrument_exposure_ratio_max, exposure.instrument)]
    if case.instrument.base_currency:
        exposures.append(("base_currency_exposure", config.currency_exposure_ratio_max, exposure.base))
        exposures.append(("quote_currency_exposure", config.currency_exposure_ratio_max, exposure.quote))
    gross = exposure.others + exposure.instrument
    exposures.append(("gross_exposure", config.gross_exposure_ratio_max, gross))
    for rule, ratio_max, used in exposures:
        limits.append(Limit(rule, ratio_max * case.equity, used, case.unit_value, ZERO, case.equity, "ratio"))
    return limits
