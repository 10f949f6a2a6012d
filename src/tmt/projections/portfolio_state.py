"""What the portfolio remembers."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Order, Quote, Side
from tmt.domain.position import Position
from tmt.messages import OrderAccepted, OrderFilled, OrderReplaced


class WorkingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that may still fill. `client_order_id` is empty until it is submitted."""

    order: Order
    remaining: Exact
    client_order_id: str

    def with_remaining(self, remaining: Decimal) -> WorkingOrder:
        """The same order with another open quantity."""
        return msgspec.structs.replace(self, remaining=remaining)

    def replaced(self, by: OrderReplaced) -> WorkingOrder:
        """The same order, of another quantity (what has filled counts towards it) and at other prices."""
        filled = self.order.quantity - self.remaining
        if by.quantity <= filled:
            return self.with_remaining(ZERO)
        limit_price = self.order.limit_price if by.limit_price is None else by.limit_price
        held = self.order.stop_price
        stop_price = held if held is None or by.stop_price is None else by.stop_price
        order = msgspec.structs.replace(
            self.order, quantity=by.quantity, limit_price=limit_price, stop_price=stop_price
        )
        return msgspec.structs.replace(self, order=order, remaining=by.quantity - filled)


class ExitOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An exit of a bracket that works at the venue. `price` is its stop or its limit, `order_id` its entry's."""

    client_order_id: str
    order_id: str
    account: str
    instrument: str
    role: str
    side: Side
    quantity: Exact
    price: Exact

    @classmethod
    def accepted(cls, by: OrderAccepted) -> ExitOrder:
        """As the venue accepted it."""
        assert by.price is not None, "an exit has a price"
        return cls(
            client_order_id=by.client_order_id,
            order_id=by.order_id,
            account=by.account,
            instrument=by.instrument,
            role=by.role,
            side=by.side,
            quantity=by.quantity,
            price=by.price,
        )

    def replaced(self, by: OrderReplaced) -> ExitOrder:
        """The same exit as the venue has it now."""
        price = by.limit_price if by.stop_price is None else by.stop_price
        return msgspec.structs.replace(self, quantity=by.quantity, price=self.price if price is None else price)


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """From flat to flat. Money is in `currency`, the instrument's quote currency.

    Attributes:
        initial_stop: the stop price of its first entry that had one; 1R is the distance to it.
    """

    order_id: str
    setup: str
    strategy: str
    side: Side
    quantity: Exact
    opened_at_ns: int
    currency: str
    realised: Exact = ZERO
    fees: Exact = ZERO
    risk_amount: Exact = ZERO
    initial_stop: Exact | None = None
    closing_fill_id: str = ""
    closing_role: str = ""

    @classmethod
    def opened_by(cls, fill: OrderFilled, quantity: Decimal, currency: str, reversal: bool) -> RoundTrip:
        """A trip that begins with `fill`; a reversal's fee counts for the trip that it closed."""
        return cls(
            order_id=fill.order_id,
            setup=fill.setup,
            strategy=fill.strategy,
            side=fill.side,
            quantity=quantity,
            opened_at_ns=fill.occurred_at_ns,
            currency=currency,
            fees=ZERO if reversal else fill.fee,
        )

    def after(self, fill: OrderFilled, realised: Decimal) -> RoundTrip:
        """The trip with one more fill."""
        grown = self.quantity + fill.quantity if fill.side is self.side else self.quantity
        return msgspec.structs.replace(
            self, quantity=grown, realised=self.realised + realised, fees=self.fees + fill.fee
        )

    def closed_by(self, fill: OrderFilled) -> RoundTrip:
        """The finished trip."""
        return msgspec.structs.replace(self, closing_fill_id=fill.fill_id, closing_role=fill.role)

    def with_risk(self, risk_amount: Decimal, stop: Decimal) -> RoundTrip:
        """The trip with another amount at risk, after an entry protected at `stop`."""
        initial = stop if self.initial_stop is None else self.initial_stop
        return msgspec.structs.replace(self, risk_amount=risk_amount, initial_stop=initial)


class AccountState(msgspec.Struct, kw_only=True):
    """Running figures of one account. `realised` and `fees` are by currency, exact.

    Attributes:
        closing_peak_equity: the highest with which a trading day has ended, or the deposit.
    """

    account: Account
    day_start_equity: Exact
    peak_equity: Exact
    closing_peak_equity: Exact
    day_end_ns: int
    realised: dict[str, Exact] = {}
    fees: dict[str, Exact] = {}
    currencies: list[str] = []


class PortfolioState(msgspec.Struct, kw_only=True):
    """All that a portfolio needs beside its ledger. Keys "account/symbol"."""

    now_ns: int = 0
    next_turnover_ns: int = 2**63 - 1
    instruments: dict[str, Instrument] = {}
    accounts: dict[str, AccountState] = {}
    positions: dict[str, Position] = {}
    working: dict[str, WorkingOrder] = {}
    order_by_client_id: dict[str, str] = {}
    protective_stops: dict[str, Exact] = {}
    exits: dict[str, ExitOrder] = {}
    marks: dict[str, Quote] = {}
    trips: dict[str, RoundTrip] = {}
    closed_trips: dict[str, RoundTrip] = {}
