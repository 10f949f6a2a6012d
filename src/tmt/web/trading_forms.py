"""What people and programs send to trade, and what they get: the forms of the trading routes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

from tmt.domain.money import ZERO, Exact
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.position import Position
from tmt.domain.stop import EVERYTHING, StopLevel, StopScope
from tmt.projections.order_index import OrderRecord
from tmt.projections.portfolio import Portfolio
from tmt.web.body import Number

CLIENT_ORDER_ID: Final = r"^[A-Za-z0-9._:-]{1,64}(?!\n)$"
TIME_NS_MAX: Final = 2**63 - 1

Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
AccountName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
"""Why a person does it: more than blanks."""


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order that somebody wants; it passes the same gates as the desk's own.

    Attributes:
        client_order_id: the sender's own; the same one twice is the same order, and answered alike.
        quantity: wanted at most; gates may reduce it.
        price: the limit of a limit or stop-limit order.
        stop_price: the trigger of a stop or stop-limit order; where a trailing stop begins.
        trail_offset: how far, in price, a trailing stop stays behind the best price: of a trailing_stop order, or of
            the stop_loss_price of another.
        account: may be left out where only one of the sender's accounts trades the symbol.
        stop_loss_price, take_profit_price: exits that work at the venue once the order fills.
        expire_at_ns: event time at which a gtd order ends.
        reduce_only: it may only shrink a position.
        post_only: it may not take; limit orders only.
    """

    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Number
    client_order_id: Annotated[str, msgspec.Meta(pattern=CLIENT_ORDER_ID)]
    price: Number | None = None
    stop_price: Number | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    account: AccountName | None = None
    stop_loss_price: Number | None = None
    take_profit_price: Number | None = None
    trail_offset: Number | None = None
    expire_at_ns: Annotated[int, msgspec.Meta(ge=0, le=TIME_NS_MAX)] | None = None
    reduce_only: bool = False
    post_only: bool = False

    def __post_init__(self) -> None:
        if re.fullmatch(CLIENT_ORDER_ID, self.client_order_id) is None:
            raise ValueError("client_order_id must be 1 to 64 of the characters A-Z a-z 0-9 . _ : -")
        _positive("quantity", self.quantity)


class Replacement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a working order shall be instead: no larger, and at a price that risks no more.

    Attributes:
        quantity: of the whole order, what has filled included.
        price, stop_price: the new limit and trigger; left out, they stay.
    """

    quantity: Number
    price: Number | None = None
    stop_price: Number | None = None

    def __post_init__(self) -> None:
        _positive("quantity", self.quantity)
        for name in ("price", "stop_price"):
            value = getattr(self, name)
            if value is not None:
                _positive(name, value)


class Stop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The emergency stop: how far it goes, and what it covers."""

    reason: Reason
    level: StopLevel = StopLevel.CANCEL
    scope: StopScope = EVERYTHING


class Resume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lifts an emergency stop, and other halts that only a person may lift, in the scope; everything covers all."""

    reason: Reason
    scope: StopScope = EVERYTHING


class OrderPlaced(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a new order in the gates.

    Attributes:
        quantity: after the gates.
        quantity_wanted: as sent.
        status: "submitted" to the venue, or "in_gates".
        repeated: the same client_order_id came before; nothing was done again.
        position: in the event log.
    """

    order_id: str
    client_order_id: str
    account: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Exact
    quantity_wanted: Exact
    status: str
    repeated: bool
    position: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The venue has been asked, and answers later; `GET /api/v1/orders/{order_id}` shows what came of it."""

    order_id: str
    asked: Literal["cancel", "replace"]
    repeated: bool
    position: int


class Commanded(msgspec.Struct, frozen=True, kw_only=True):
    """A stop or resume is in the event log at `position`, and in force.

    Attributes:
        breakers: those that it turned.
        refused: why a breaker was not lifted, by the role that asked.
        cancelling: working orders that the venue has been asked to cancel.
    """

    message_id: str
    position: int
    repeated: bool
    breakers: tuple[str, ...]
    refused: tuple[str, ...]
    cancelling: int


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """One order, without the exits of its bracket.

    Attributes:
        price: the limit; null for orders without.
        average_price: of what has filled; null before the first fill.
        status: "in_gates", "denied", "released", "submitted", "accepted", "triggered", "partially_filled", "filled",
            "cancelled", "rejected" or "expired".
        reason: why it was denied, rejected or cancelled.
        person: who wanted it; empty for the desk's own.
        trail_id: of the signal or proposal; asks for its decisions.
        venue_order_id: what the venue and its fills call it; empty before it is submitted.
        position: in the event log, of its newest change.
    """

    order_id: str
    venue_order_id: str
    trail_id: str
    account: str
    symbol: str
    side: Side
    type: OrderType | None
    time_in_force: TimeInForce | None
    quantity: Exact
    filled: Exact
    average_price: Exact | None
    price: Exact | None
    stop_price: Exact | None
    stop_loss_price: Exact | None
    take_profit_price: Exact | None
    trail_offset: Exact | None
    reduce_only: bool
    post_only: bool
    strategy: str
    setup: str
    person: str
    status: str
    reason: str
    created_at_ns: int
    updated_at_ns: int
    position: int

    @classmethod
    def of(cls, record: OrderRecord) -> OrderView:
        """The order as it is shown."""
        fields = msgspec.structs.asdict(record)
        fields["symbol"] = fields.pop("instrument")
        fields["venue_order_id"] = fields.pop("client_order_id")
        fields["price"] = fields.pop("limit_price")
        return cls(**fields)


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Orders, the newest first; `next` is the `after` of the next page, null on the last."""

    orders: tuple[OrderView, ...]
    next: str | None


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """One open position; quantity is negative when short, money is in `currency`, null without a price."""

    account: str
    symbol: str
    quantity: Exact
    average_price: Exact | None
    stop_price: Exact | None
    market_value: Exact | None
    unrealised: Exact | None
    currency: str

    @classmethod
    def of(cls, position: Position, portfolio: Portfolio) -> PositionView:
        """The position as it is shown."""
        instrument = portfolio.instrument(position.instrument)
        assert instrument is not None
        worth = portfolio.market_value(position)
        return cls(
            account=position.account,
            symbol=position.instrument,
            quantity=position.quantity,
            average_price=position.average_price,
            stop_price=portfolio.protective_stop(position.account, position.instrument),
            market_value=worth,
            unrealised=None if worth is None else worth - position.cost * instrument.point_value,
            currency=instrument.quote_currency,
        )


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """One account; money is in `currency`, null where a price or rate is missing."""

    account: str
    currency: str
    symbols: tuple[str, ...]
    deposit: Exact
    equity: Exact | None
    realised: Exact | None
    unrealised: Exact | None
    fees: Exact | None
    day_start_equity: Exact | None
    peak_equity: Exact | None
    drawdown_fraction: Exact | None
    daily_loss_fraction: Exact | None

    @classmethod
    def of(cls, name: str, portfolio: Portfolio) -> AccountView:
        """The account as it is shown; it must exist."""
        account = portfolio.account(name)
        assert account is not None
        return cls(
            account=name,
            currency=account.currency,
            symbols=account.instruments,
            deposit=account.deposit,
            equity=portfolio.equity(name),
            realised=portfolio.realised(name),
            unrealised=portfolio.unrealised(name),
            fees=portfolio.fees(name),
            day_start_equity=portfolio.day_start_equity(name),
            peak_equity=portfolio.peak_equity(name),
            drawdown_fraction=portfolio.drawdown_fraction(name),
            daily_loss_fraction=portfolio.daily_loss_fraction(name),
        )


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    """Open positions at event time `time_ns`."""

    time_ns: int
    positions: tuple[PositionView, ...]


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts at event time `time_ns`."""

    time_ns: int
    accounts: tuple[AccountView, ...]


def _positive(name: str, value: Decimal) -> None:
    if value <= ZERO:
        raise ValueError(f"{name} must be above 0")
