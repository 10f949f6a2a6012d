"""One order before its rule book, with the facts that the rules measure.

Amounts are in the account's currency. A fact that cannot be known raises `Unknown`, which `decide` turns into a denial.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import msgspec

from tmt.agents.compliance.crossing import crossed_quantity
from tmt.agents.verdict import side_filled
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact
from tmt.domain.news import NewsCalendar
from tmt.domain.order import Order, Quote, Side
from tmt.domain.position import Position
from tmt.projections.portfolio import Portfolio


class Unknown(Exception):
    """Something that a rule needs is not known; never leaves this agent."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Finding(msgspec.Struct, frozen=True):
    """What a rule measured. `breach` says in a sentence what is wrong; None when the rule is kept.

    `at_least` says that the limit is a lower bound.
    """

    measured: Exact
    limit: Exact
    unit: str
    breach: str | None = None
    at_least: bool = False


@dataclass(frozen=True)
class Case:
    """Everything a rule may ask about one order.

    Attributes:
        equity: of the account; positive.
        approvals_ns: event times of the account's newest approvals by this gate.
        past_marks: of the order's instrument, oldest first.
        strategy_orders_today: of the order's strategy, approved before in all accounts.
    """

    order: Order
    account: Account
    instrument: Instrument
    equity: Decimal
    portfolio: Portfolio
    approvals_ns: tuple[int, ...]
    past_marks: tuple[Quote, ...]
    strategy_orders_today: int
    news: NewsCalendar

    @property
    def now_ns(self) -> int:
        """Event time of the newest message that the portfolio knows."""
        return self.portfolio.now_ns

    @cached_property
    def reference_price(self) -> Decimal:
        """The side of the newest mark that the order would take."""
        return self._taken(self._mark(self.order.instrument))

    def past_price(self, age_ns: int) -> Decimal:
        """The same side of the newest mark at least `age_ns` old, or of the oldest one known."""
        if not self.past_marks:
            raise Unknown("no_mark", f"no earlier quote of {self.order.instrument} is known")
        later = bisect_right(self.past_marks, self.now_ns - age_ns, key=lambda mark: mark.time_ns)
        return self._taken(self.past_marks[max(0, later - 1)])

    @cached_property
    def notional(self) -> Decimal:
        """Of the whole order, at its entry price."""
        amount = self.instrument.notional(self.order.quantity, self.order.entry_price)
        return self._converted(amount, self.instrument.quote_currency)

    @cached_property
    def risk_amount(self) -> Decimal:
        """Lost if the order filled and its stop were hit; its whole notional without a protective stop."""
        risk = _risk(self.order, self.order.quantity, self.instrument)
        return self._converted(risk, self.instrument.quote_currency)

    @cached_property
    def equity_if_stopped(self) -> Decimal:
        """Equity if every working order filled and every stop were hit, this order's included."""
        account = self.account.account_id
        losses = [self._position_risk(position) for position in self.portfolio.positions(account)]
        for other in self._others:
            instrument = self._instrument(other.instrument)
            losses.append(self._converted(_risk(other, other.quantity, instrument), instrument.quote_currency))
        return self.equity - sum(losses, self.risk_amount)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Instruments that the account holds, works or wants, sorted."""
        held = {position.instrument for position in self.portfolio.positions(self.account.account_id)}
        return tuple(sorted(held | {other.instrument for other in self._others} | {self.order.instrument}))

    @cached_property
    def exposures(self) -> dict[str, Decimal]:
        """By instrument: notional of the largest position that working orders, this one included, can lead to.

        See `side_filled`.
        """
        return {symbol: self._exposure(symbol) for symbol in self.symbols}

    def _exposure(self, symbol: str) -> Decimal:
        quantity = self.portfolio.position(self.account.account_id, symbol).quantity
        pending = {Side.BUY: ZERO, Side.SELL: ZERO}
        for order in (*self._others, *([] if self.order.reduce_only else [self.order])):
            if order.instrument == symbol:
                pending[order.side] += order.quantity
        largest = max(side_filled(quantity, pending[Side.BUY]), side_filled(-quantity, pending[Side.SELL]))
        price = self._mark(symbol).ask
        if symbol == self.order.instrument:
            price = max(price, self.order.entry_price)
        instrument = self._instrument(symbol)
        return self._converted(instrument.notional(largest, price), instrument.quote_currency)

    def opposing(self) -> Decimal:
        """Units held or worked against the order's side."""
        held = self.portfolio.position(self.account.account_id, self.order.instrument).quantity
        against = max(ZERO, -held * self.order.side.sign)
        working = (
            other.quantity
            for other in self._others
            if other.instrument == self.order.instrument and other.side is self.order.side.opposite
        )
        return sum(working, against)

    @cached_property
    def crossed_quantity(self) -> Decimal:
        """Units of orders of the same owner, in all accounts, that the order could trade with."""
        mark = self._mark(self.order.instrument)
        return crossed_quantity(self.order, self.account.owner, mark, self.portfolio)

    @cached_property
    def _others(self) -> tuple[Order, ...]:
        """The account's other working orders that may open a position, with the quantity still open."""
        return tuple(
            msgspec.structs.replace(working.order, quantity=working.remaining)
            for working in self.portfolio.working(self.account.account_id)
            if working.order.order_id != self.order.order_id and not working.order.reduce_only
        )

    def _position_risk(self, position: Position) -> Decimal:
        instrument, mark = self._instrument(position.instrument), self._mark(position.instrument)
        stop = self.portfolio.protective_stop(position.account, position.instrument)
        price = mark.bid if position.quantity > ZERO else mark.ask
        direction = 1 if position.quantity > ZERO else -1
        distance = price if stop is None else max(ZERO, (price - stop) * direction)
        return self._converted(instrument.notional(position.quantity, distance), instrument.quote_currency)

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self.portfolio.instrument(symbol)
        if instrument is None:
            raise Unknown("unknown_instrument", f"{symbol!r} is not an instrument of this desk")
        return instrument

    def _taken(self, quote: Quote) -> Decimal:
        return quote.ask if self.order.side is Side.BUY else quote.bid

    def _mark(self, symbol: str) -> Quote:
        mark = self.portfolio.mark(symbol)
        if mark is None:
            raise Unknown("no_mark", f"no quote of {symbol} is known")
        return mark

    def _converted(self, amount: Decimal, currency: str) -> Decimal:
        converted = self.portfolio.convert(amount, currency, self.account.account_id)
        if converted is None:
            raise Unknown("no_conversion_rate", f"no rate from {currency} to {self.account.currency} is known")
        return converted


def stop_protects(order: Order) -> bool:
    """Whether the order has a stop-loss on the losing side of its entry."""
    return order.stop_loss_price is not None and (order.entry_price - order.stop_loss_price) * order.side.sign > ZERO


def _risk(order: Order, quantity: Decimal, instrument: Instrument) -> Decimal:
    distance = order.entry_price
    if order.stop_loss_price is not None and stop_protects(order):
        distance = abs(order.entry_price - order.stop_loss_price)
    return instrument.notional(quantity, distance)
