"""Orders as the paper venue holds them, in whole quanta and lots, and the book that sorts them by price and time."""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Order, OrderType, Side, TimeInForce
from tmt.messages import CancelSubmitted, OrderSubmitted, ReplaceSubmitted

FAR: Final = 2**62
"""A bound that no price reaches, and a queue that no trade works through."""


class Phase(StrEnum):
    """What an order waits for: its stop price, size to take, or somebody who takes it."""

    WAITING = "waiting"
    TAKING = "taking"
    RESTING = "resting"


class Exit(msgspec.Struct, frozen=True, array_like=True):
    """One leg of a bracket, before or after it works; `trail_quanta` is None unless it is a stop that trails."""

    client_order_id: str
    price_quanta: int
    trail_quanta: int | None = None


class WorkingOrder(msgspec.Struct, kw_only=True, eq=False):
    """An order at the venue.

    Attributes:
        message_id, correlation_id: of the submission, which causes everything said about the order.
        sign: 1 buys, -1 sells.
        limit_quanta, stop_quanta: None where the type has none.
        trail_quanta: how far a trailing stop stays behind the best price of the side that triggers it, else None.
        reference_price: what slippage is measured from.
        number: place in time; a lower number was first.
        queue_lots: displayed lots of others ahead of a resting order; about `FAR` when not known.
        placed: whether the book holds it.
        reports: messages said about it so far.
        stop_loss, take_profit: the exits of an entry.
        entry_id, sibling_id: of an exit, else empty.
        fee_incurred, fee_charged: see `tmt.venue.fees.fee_due`.
    """

    client_order_id: str
    order_id: str
    message_id: str
    correlation_id: str
    account: str
    symbol: str
    sign: int
    type: OrderType
    time_in_force: TimeInForce
    quantity_lots: int
    limit_quanta: int | None
    stop_quanta: int | None
    reduce_only: bool
    post_only: bool
    role: str
    strategy: str
    setup: str
    reference_price: Exact
    number: int
    phase: Phase
    trail_quanta: int | None = None
    filled_lots: int = 0
    queue_lots: int = FAR
    placed: bool = False
    reports: int = 0
    stop_loss: Exit | None = None
    take_profit: Exit | None = None
    entry_id: str = ""
    sibling_id: str = ""
    fee_incurred: Exact = ZERO
    fee_charged: Exact = ZERO

    @property
    def remaining_lots(self) -> int:
        """What is still to be filled."""
        return self.quantity_lots - self.filled_lots

    @property
    def follows_from_quanta(self) -> int:
        """Best price from which on a trailing stop follows: the bid for a sell, the ask for a buy."""
        assert self.stop_quanta is not None
        assert self.trail_quanta is not None
        return self.stop_quanta - (self.trail_quanta + 1) * self.sign

    @property
    def side(self) -> Side:
        """Direction."""
        return Side.BUY if self.sign > 0 else Side.SELL


def entry_of(
    submitted: OrderSubmitted, lots: int, price_quantum: Decimal, number: int, reference_price: Decimal
) -> WorkingOrder:
    """The order that was submitted, as `lots` to work; its prices must be on the grid."""
    order = submitted.order
    trails = order.type is OrderType.TRAILING_STOP
    return WorkingOrder(
        client_order_id=submitted.client_order_id,
        order_id=order.order_id,
        message_id=submitted.message_id,
        correlation_id=submitted.correlation_id,
        account=order.account,
        symbol=order.instrument,
        sign=order.side.sign,
        type=order.type,
        time_in_force=order.time_in_force,
        quantity_lots=lots,
        limit_quanta=_quanta(order.limit_price, price_quantum),
        stop_quanta=_quanta(order.stop_price, price_quantum),
        reduce_only=order.reduce_only,
        post_only=order.post_only,
        role="close" if order.reduce_only else "entry",
        strategy=order.strategy,
        setup=order.setup,
        reference_price=reference_price,
        number=number,
        phase=Phase.TAKING if order.stop_price is None else Phase.WAITING,
        trail_quanta=_quanta(order.trail_offset, price_quantum) if trails else None,
        stop_loss=_exit(
            submitted.stop_loss_client_order_id,
            order.stop_loss_price,
            price_quantum,
            None if trails else _quanta(order.trail_offset, price_quantum),
        ),
        take_profit=_exit(submitted.take_profit_client_order_id, order.take_profit_price, price_quantum, None),
    )


def exit_of(
    entry: WorkingOrder, leg: Exit, sibling: Exit | None, role: str, lots: int, price: Decimal, number: int
) -> WorkingOrder:
    """The exit `leg` of a filled entry: a stop when `role` is "stop_loss", else a limit."""
    stops = role == "stop_loss"
    stop_type = OrderType.STOP if leg.trail_quanta is None else OrderType.TRAILING_STOP
    return WorkingOrder(
        client_order_id=leg.client_order_id,
        order_id=entry.order_id,
        message_id=entry.message_id,
        correlation_id=entry.correlation_id,
        account=entry.account,
        symbol=entry.symbol,
        sign=-entry.sign,
        type=stop_type if stops else OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity_lots=lots,
        limit_quanta=None if stops else leg.price_quanta,
        stop_quanta=leg.price_quanta if stops else None,
        reduce_only=True,
        post_only=False,
        role=role,
        strategy=entry.strategy,
        setup=entry.setup,
        reference_price=price,
        number=number,
        phase=Phase.WAITING if stops else Phase.TAKING,
        trail_quanta=leg.trail_quanta,
        entry_id=entry.client_order_id,
        sibling_id="" if sibling is None else sibling.client_order_id,
    )


def reference_price_of(order: Order) -> Decimal:
    """The side of the quote that the order would have taken when it was sized."""
    return order.quote.ask if order.side is Side.BUY else order.quote.bid


def _quanta(price: Decimal | None, price_quantum: Decimal) -> int | None:
    return None if price is None else int(price // price_quantum)


def _exit(
    client_order_id: str | None, price: Decimal | None, price_quantum: Decimal, trail_quanta: int | None
) -> Exit | None:
    if client_order_id is None or price is None:
        return None
    return Exit(client_order_id, int(price // price_quantum), trail_quanta)


class Expiry(msgspec.Struct, frozen=True, tag_field="type", tag=True):
    """The end of the time of a GTD or DAY order."""

    client_order_id: str


class EndedOrder(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of an order that works no more."""

    order_id: str
    account: str
    symbol: str


class Taken(msgspec.Struct, array_like=True):
    """Lots that our takers have had of the row `sequence`; they are gone until another row comes."""

    sequence: int
    bid_lots: int
    ask_lots: int


Scheduled: TypeAlias = OrderSubmitted | CancelSubmitted | ReplaceSubmitted | Expiry


class VenueState(msgspec.Struct, kw_only=True):
    """All that the venue remembers.

    Attributes:
        agenda: a heap of (due time, number, what happens then).
        positions: net lots by account and symbol.
    """

    number: int = 0
    agenda: list[tuple[int, int, Scheduled]] = []
    orders: dict[str, WorkingOrder] = {}
    ended: dict[str, EndedOrder] = {}
    positions: dict[str, dict[str, int]] = {}
    taken: dict[str, Taken] = {}

    def next_number(self) -> int:
        """A number above all before."""
        self.number += 1
        return self.number

    def position_lots(self, account: str, symbol: str) -> int:
        """Net lots, positive when long."""
        return self.positions.get(account, {}).get(symbol, 0)


_Ladder: TypeAlias = list[tuple[int, int, WorkingOrder]]


class Book:
    """Working orders of one instrument.

    Four ladders, each a list sorted so that the orders a moving price reaches first come first: falling prices reach
    resting buys and sell stops, rising prices reach resting sells and buy stops.
    """

    __slots__ = ("_buy_stops", "_buys", "_sell_stops", "_sells", "taking", "trailing")

    def __init__(self) -> None:
        self.taking: list[WorkingOrder] = []
        self.trailing: list[WorkingOrder] = []
        self._buys: _Ladder = []
        self._sells: _Ladder = []
        self._buy_stops: _Ladder = []
        self._sell_stops: _Ladder = []

    def add(self, order: WorkingOrder) -> None:
        """Hold `order` by its phase."""
        order.placed = True
        if order.phase is Phase.TAKING:
            insort(self.taking, order, key=_number)
        else:
            ladder, key = self._rung(order)
            insort(ladder, (key, order.number, order))
            if _trails(order):
                insort(self.trailing, order, key=_number)

    def remove(self, order: WorkingOrder) -> None:
        """Let go of `order`, whose phase, price and number must be those that it was added with."""
        order.placed = False
        if order.phase is Phase.TAKING:
            self.taking.remove(order)
        else:
            ladder, key = self._rung(order)
            del ladder[bisect_left(ladder, (key, order.number))]
            if _trails(order):
                self.trailing.remove(order)

    def bounds(self) -> tuple[int, int]:
        """(low, high): see `tmt.ports.venue.Venue.bounds`.

        The bid that lets a trailing sell stop rise is not below the ask, so its bound is one for asks: it lets through
        every row on which the bid may have reached it. Likewise a trailing buy stop and the bid.
        """
        low = max(-self._buys[0][0] if self._buys else -1, -self._sell_stops[0][0] if self._sell_stops else -1)
        high = min(self._sells[0][0] if self._sells else FAR, self._buy_stops[0][0] if self._buy_stops else FAR)
        for order in self.trailing:
            follows = order.follows_from_quanta
            low, high = (low, min(high, follows)) if order.sign < 0 else (max(low, follows), high)
        return (FAR, high) if self.taking else (low, high)

    def reached(self, lowest: int, highest: int) -> tuple[list[WorkingOrder], list[WorkingOrder], list[WorkingOrder]]:
        """(stops by time, resting buys by price and time, resting sells likewise) that a row's prices reach."""
        stops = _reached(self._sell_stops, -lowest) + _reached(self._buy_stops, highest)
        stops.sort(key=_number)
        return stops, _reached(self._buys, -lowest), _reached(self._sells, highest)

    def _rung(self, order: WorkingOrder) -> tuple[_Ladder, int]:
        if order.phase is Phase.WAITING:
            assert order.stop_quanta is not None
            return (self._buy_stops if order.sign > 0 else self._sell_stops), order.sign * order.stop_quanta
        assert order.limit_quanta is not None
        return (self._buys if order.sign > 0 else self._sells), -order.sign * order.limit_quanta


def _trails(order: WorkingOrder) -> bool:
    return order.trail_quanta is not None and order.phase is Phase.WAITING


def _number(order: WorkingOrder) -> int:
    return order.number


def _reached(ladder: _Ladder, key: int) -> list[WorkingOrder]:
    return [order for _, _, order in ladder[: bisect_left(ladder, (key + 1,))]] if ladder else []
