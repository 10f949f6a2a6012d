"""Orders: sides, types, times in force, states and the table of legal transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tmt.domain.money import Exact, positive
from tmt.domain.schedule import Schedule


class Side(StrEnum):
    """Direction of an order or a position."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """How an order meets the market."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order may work; DAY ends with the instrument's trading day."""

    GTC = "gtc"
    GTD = "gtd"
    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


class OrderState(StrEnum):
    """Where an order is in its life. RELEASED is ours alone; from SUBMITTED on the venue knows it."""

    RELEASED = "released"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    TRIGGERED = "triggered"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


_WORKING = frozenset({OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED})

LEGAL_TRANSITIONS: Final[dict[OrderState, frozenset[OrderState]]] = {
    OrderState.RELEASED: frozenset({OrderState.SUBMITTED}),
    OrderState.SUBMITTED: frozenset({OrderState.ACCEPTED, OrderState.REJECTED}),
    OrderState.ACCEPTED: _WORKING | {OrderState.TRIGGERED},
    OrderState.TRIGGERED: _WORKING,
    OrderState.PARTIALLY_FILLED: _WORKING | {OrderState.TRIGGERED},
    OrderState.FILLED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.EXPIRED: frozenset(),
}

TERMINAL_STATES: Final = frozenset(state for state, following in LEGAL_TRANSITIONS.items() if not following)


class Quote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Best bid and ask at `time_ns` (event time, UTC)."""

    bid: Exact
    ask: Exact
    time_ns: int

    def __post_init__(self) -> None:
        positive("bid", self.bid)
        positive("ask", self.ask)
        if self.bid > self.ask:
            raise ValueError(f"bid {self.bid} must not be above ask {self.ask}")


PEOPLES_STRATEGIES: Final = ("manual", "operator")
"""Under these names people trade."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What one account wants to do; carried unchanged but for a shrinking quantity through every gate.

    Attributes:
        order_id: derived from the signal or proposal and the account; constant along the path.
        quantity: in units of the instrument, a multiple of its lot size.
        stop_price: trigger of a stop or stop-limit order.
        stop_loss_price, take_profit_price: the bracket; both exits work at the venue once the entry fills, one
            cancels the other.
        trail_offset: how far, in price, a trailing stop stays behind the best price since it works: of a trailing-stop
            order itself, or of the stop-loss of an entry.
        expire_at_ns: event time at which a GTD order ends.
        reduce_only: may only shrink the account's position.
        quote: best bid and ask when the order was sized; market orders are valued at it.
        strategy, setup: who decided and by which pattern; every order is tagged truthfully.
        person: who answers for it: who asked for it, or the account's owner where a strategy did.
        parent_id: order id of the parent that this order is a slice of; empty when it is none.
        schedule: how execution cuts it into slices; None when it goes out whole.
    """

    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    type: OrderType
    time_in_force: TimeInForce
    quote: Quote
    strategy: str
    setup: str
    limit_price: Exact | None = None
    stop_price: Exact | None = None
    stop_loss_price: Exact | None = None
    take_profit_price: Exact | None = None
    trail_offset: Exact | None = None
    expire_at_ns: int | None = None
    reduce_only: bool = False
    post_only: bool = False
    person: str = ""
    parent_id: str = ""
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        positive("quantity", self.quantity)
        needs_limit = self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        if needs_limit != (self.limit_price is not None):
            raise ValueError(f"limit_price of a {self.type} order was {self.limit_price}")
        needs_stop = self.type in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
        if needs_stop != (self.stop_price is not None):
            raise ValueError(f"stop_price of a {self.type} order was {self.stop_price}")
        if (self.time_in_force is TimeInForce.GTD) != (self.expire_at_ns is not None):
            raise ValueError(f"expire_at_ns of a {self.time_in_force} order was {self.expire_at_ns}")
        if self.type is OrderType.TRAILING_STOP and self.trail_offset is None:
            raise ValueError("a trailing stop needs a trail_offset")
        if self.trail_offset is not None and self.type is not OrderType.TRAILING_STOP and self.stop_loss_price is None:
            raise ValueError("trail_offset needs a trailing stop, or an entry with a stop_loss_price that shall trail")
        for name in ("limit_price", "stop_price", "stop_loss_price", "take_profit_price", "trail_offset"):
            price = getattr(self, name)
            if price is not None:
                positive(name, price)
        if self.post_only and self.type is not OrderType.LIMIT:
            raise ValueError(f"post_only needs a limit order, was {self.type}")

    @property
    def automated(self) -> bool:
        """Whether a strategy decided it, and no person."""
        return self.strategy not in PEOPLES_STRATEGIES

    @property
    def entry_price(self) -> Exact:
        """The price the order is valued at: its limit, its trigger, or the side of the quote it would take."""
        if self.limit_price is not None:
            return self.limit_price
        if self.stop_price is not None:
            return self.stop_price
        return self.quote.ask if self.side is Side.BUY else self.quote.bid
