"""What a rule judges by: the order, what its owner has beside it, and what one unit of it is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from tmt.agents.anti_correlation.bets import Bet, by_instrument, open_lines, owned_by, total_equity, without_opposite
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO
from tmt.domain.order import Order
from tmt.projections.portfolio import Portfolio


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One order and its surroundings. Money is in `currency`, the currency of its account.

    Attributes:
        lines: what the accounts of the order's owner hold and work, by account and instrument, without the order.
        beside: the same without a position of the order's account that is against it.
        bets: that by instrument.
        equity: of those accounts; positive.
        unit_value: worth of one unit at the order's price; positive.
    """

    order: Order
    instrument: Instrument
    currency: str
    lines: dict[tuple[str, str], Bet]
    beside: dict[tuple[str, str], Bet]
    bets: dict[str, Bet]
    equity: Decimal
    unit_value: Decimal

    def held_alone(self) -> Case:
        """The same beside positions, as if nothing worked."""
        return replace(self, bets={symbol: Bet(held=bet.held) for symbol, bet in self.bets.items()})

    def cuts(
        self,
        waterfall: Waterfall,
        rule: str,
        measured: Decimal,
        limit: Decimal,
        unit: str,
        *,
        quantity_max: Decimal,
        detail: str,
        reason: str | None = None,
        at_least: bool = False,
    ) -> Deny | None:
        """Cut the order to `quantity_max`, or refuse it when no order of that size can be made."""
        if quantity_max < min(waterfall.quantity, self.instrument.quantity_min):
            return waterfall.denies(rule, measured, limit, unit, detail=detail, reason=reason, at_least=at_least)
        lot_size = self.instrument.lot_size
        waterfall.caps(rule, measured, limit, unit, quantity_max=quantity_max, lot_size=lot_size, at_least=at_least)
        return None


def open_case(waterfall: Waterfall, order: Order, account: Account, portfolio: Portfolio) -> Case | Deny:
    """The case of `order`, or why it cannot be judged."""
    instrument = portfolio.instrument(order.instrument)
    if instrument is None:
        return waterfall.denies_missing("unknown_instrument", f"no instrument is called {order.instrument}")
    accounts = owned_by(portfolio, account.owner)
    equity = total_equity(portfolio, accounts, account.currency)
    if equity is None:
        return waterfall.denies_missing("no_equity", "the equity of some account cannot be valued")
    if equity <= ZERO:
        detail = "the accounts have no equity together"
        return waterfall.denies("no_equity", equity, ZERO, account.currency, detail=detail, at_least=True)
    rate = portfolio.rate(instrument.quote_currency, account.currency)
    if rate is None or rate <= ZERO:
        return waterfall.denies_missing("no_conversion_rate", f"no rate known from {instrument.quote_currency}")
    lines = open_lines(portfolio, accounts, order.order_id)
    beside = without_opposite(lines, order)
    return Case(
        order=order,
        instrument=instrument,
        currency=account.currency,
        lines=lines,
        beside=beside,
        bets=by_instrument(beside),
        equity=equity,
        unit_value=order.entry_price * instrument.point_value * rate,
    )
