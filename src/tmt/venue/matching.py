"""Matching: working orders against the best quotes and trades of the market data.

Our orders meet the market, never one another. A taker trades at the touch, up to the size displayed there, and what it
took of a row is gone until the next row. A resting limit stands behind the size displayed when the market was at its
price; trades there work through that queue first. A trade beyond its price, or a quote on the other side that reaches
its price, means that the whole level traded: it fills whole.
"""

from __future__ import annotations

from typing import NamedTuple

from tmt.domain.order import TimeInForce
from tmt.messages import Message
from tmt.ports.venue import TouchQuote
from tmt.venue import reports
from tmt.venue.admission import Listing
from tmt.venue.orders import FAR, Book, EndedOrder, Exit, Phase, Taken, VenueState, WorkingOrder, exit_of


class Print(NamedTuple):
    """A trade of the market data; a price of 0 is none, a size of 0 is unknown, the aggressor is 1, -1 or 0."""

    price: int
    size: int
    aggressor: int


class Turn(NamedTuple):
    """One moment at the venue: the time, the quote in force, and what the venue says."""

    time_ns: int
    quote: TouchQuote
    said: list[Message]


def queue_ahead(queue_lots: int, sign: int, limit: int, quote: TouchQuote) -> int:
    """Lots ahead of a limit order once `quote` is seen: a queue only shrinks, and is gone when the market leaves it."""
    best, size = (quote.bid, quote.bid_size) if sign > 0 else (quote.ask, quote.ask_size)
    distance = (limit - best) * sign
    if distance > 0:
        return 0
    if distance == 0 and size:
        return min(queue_lots, size)
    return queue_lots


def hit(order: WorkingOrder, quote: TouchQuote, trade: Print, ours_lots: int) -> tuple[int, int]:
    """(lots that fill, lots then ahead) of a resting limit order on one row.

    Args:
        order: resting.
        quote: best prices of the row.
        trade: what traded on the row.
        ours_lots: lots of the trade that our orders before this one have had.
    """
    limit, sign, queue = order.limit_quanta, order.sign, order.queue_lots
    assert limit is not None
    opposite = quote.ask if sign > 0 else quote.bid
    if (limit - opposite) * sign >= 0:
        return order.remaining_lots, queue
    lots = 0
    if trade.price:
        beyond = (limit - trade.price) * sign
        if beyond > 0:
            return order.remaining_lots, queue
        if beyond == 0 and trade.aggressor != sign:
            volume = max(trade.size - ours_lots, 0)
            ahead = min(queue, volume)
            lots = min(order.remaining_lots, volume - ahead)
            queue -= ahead
    return lots, queue_ahead(queue, sign, limit, quote)


class Matcher:
    """Works orders: fills, triggers, rests and ends them, and keeps brackets and reduce-only orders in proportion."""

    def __init__(self, listings: dict[str, Listing], ended_orders_max: int) -> None:
        self._listings = listings
        self._ended_orders_max = ended_orders_max
        self.adopt(VenueState())

    def adopt(self, state: VenueState) -> None:
        """Go on from `state`."""
        self.state = state
        self.books = {symbol: Book() for symbol in self._listings}
        self.changed = dict.fromkeys(self._listings)
        self._reducers: dict[tuple[str, str], dict[str, WorkingOrder]] = {}
        for order in state.orders.values():
            if order.reduce_only:
                self._reducers.setdefault((order.account, order.symbol), {})[order.client_order_id] = order
            if order.placed:
                self.books[order.symbol].add(order)

    # What the venue does to an order

    def accept(self, order: WorkingOrder, turn: Turn) -> None:
        """Know the order and say so; `work` comes next."""
        self.state.orders[order.client_order_id] = order
        if order.reduce_only:
            self._reducers.setdefault((order.account, order.symbol), {})[order.client_order_id] = order
        turn.said.append(reports.accepted(order, self._listings[order.symbol], turn.time_ns))

    def work(self, order: WorkingOrder, turn: Turn) -> None:
        """Let an order that is not in the book meet the quote in force, and put into the book what is left."""
        if order.phase is Phase.WAITING:
            stop = order.stop_quanta
            assert stop is not None
            best = turn.quote.ask if order.sign > 0 else turn.quote.bid
            if (best - stop) * order.sign < 0:
                self._place(order)
                self._follow_touch(order, turn.quote)
            else:
                self._trigger(order, turn)
        else:
            self._take(order, turn, 0)

    def withdraw(self, order: WorkingOrder) -> None:
        """Take an order out of the book; it is still known."""
        if order.placed:
            self.books[order.symbol].remove(order)
            self.changed[order.symbol] = None

    def cancel(self, order: WorkingOrder, reason: str, time_ns: int, said: list[Message]) -> None:
        """End an order on request, or because of another."""
        self._end(order)
        said.append(reports.cancelled(order, self._listings[order.symbol], time_ns, reason))

    def expire(self, order: WorkingOrder, time_ns: int, said: list[Message]) -> None:
        """End an order by its time in force."""
        self._end(order)
        said.append(reports.expired(order, self._listings[order.symbol], time_ns))

    def forget(self, client_order_id: str, ended: EndedOrder) -> None:
        """Remember that an order was, within a bound."""
        remembered = self.state.ended
        remembered[client_order_id] = ended
        if len(remembered) > self._ended_orders_max:
            kept = list(remembered.items())[(len(remembered) + 1) // 2 :]
            self.state.ended = dict(kept)

    # What a row does to the orders

    def on_row(self, symbol: str, turn: Turn, trade: Print) -> None:
        """Takers by time, then stops by time, then resting limits by price and time; then trailing stops follow."""
        book = self.books[symbol]
        lowest = min(turn.quote.bid, trade.price) if trade.price else turn.quote.bid
        stops, buys, sells = book.reached(lowest, max(turn.quote.ask, trade.price))
        for order in list(book.taking):
            if order.placed:
                self.withdraw(order)
                self._take(order, turn, self._listings[symbol].slippage_quanta)
        for order in stops:
            if order.placed and order.phase is Phase.WAITING:
                self.withdraw(order)
                self._trigger(order, turn, trade.price)
        self._hit_resting(buys, turn, trade)
        self._hit_resting(sells, turn, trade)
        for order in list(book.trailing):
            self._follow_touch(order, turn.quote)

    def _follow_touch(self, order: WorkingOrder, quote: TouchQuote) -> None:
        """Ratchet a trailing stop; it never turns back, and says nothing until it triggers."""
        if order.trail_quanta is None:
            return
        best = quote.ask if order.sign > 0 else quote.bid
        if (order.follows_from_quanta - best) * order.sign >= 0:
            self.withdraw(order)
            order.stop_quanta = best + order.trail_quanta * order.sign
            self._place(order)

    def _hit_resting(self, orders: list[WorkingOrder], turn: Turn, trade: Print) -> None:
        ours_lots = 0
        for order in orders:
            if not order.placed or order.phase is not Phase.RESTING:
                continue
            lots, order.queue_lots = hit(order, turn.quote, trade, ours_lots)
            if lots:
                assert order.limit_quanta is not None
                if order.limit_quanta == trade.price:
                    ours_lots += lots
                self._fill(order, lots, order.limit_quanta, True, turn)

    def _trigger(self, order: WorkingOrder, turn: Turn, trade_price: int = 0) -> None:
        order.phase = Phase.TAKING
        turn.said.append(reports.triggered(order, self._listings[order.symbol], turn.time_ns))
        self._take(order, turn, self._slip_to_trade(order, turn.quote, trade_price))

    @staticmethod
    def _slip_to_trade(order: WorkingOrder, quote: TouchQuote, trade_price: int) -> int:
        """Quanta from the touch to a worse trade: a stop that a trade set off does not fill better than that trade."""
        best = quote.ask if order.sign > 0 else quote.bid
        return max(0, (trade_price - best) * order.sign) if trade_price else 0

    def _take(self, order: WorkingOrder, turn: Turn, slippage_quanta: int) -> None:
        quote, sign, limit = turn.quote, order.sign, order.limit_quanta
        price = quote.ask if sign > 0 else quote.bid
        crosses = limit is None or (limit - price) * sign >= 0
        available = self._available(order, quote) if crosses else 0
        if order.time_in_force is TimeInForce.FOK and available < order.remaining_lots:
            self.expire(order, turn.time_ns, turn.said)
            return
        lots = min(order.remaining_lots, available)
        if lots:
            price += slippage_quanta * sign
            if limit is not None and (price - limit) * sign > 0:
                price = limit
            self._count_taken(order, quote, lots)
            self._fill(order, lots, max(price, 1), False, turn)
        if order.client_order_id not in self.state.orders:
            return
        if order.time_in_force is TimeInForce.IOC:
            self.expire(order, turn.time_ns, turn.said)
            return
        if limit is not None and not crosses:
            order.phase = Phase.RESTING
            order.queue_lots = queue_ahead(FAR, sign, limit, quote)
        self._place(order)

    def _available(self, order: WorkingOrder, quote: TouchQuote) -> int:
        size = quote.ask_size if order.sign > 0 else quote.bid_size
        if size == 0:
            return order.remaining_lots
        taken = self.state.taken.get(order.symbol)
        if taken is None or taken.sequence != quote.sequence:
            return size
        return max(size - (taken.ask_lots if order.sign > 0 else taken.bid_lots), 0)

    def _count_taken(self, order: WorkingOrder, quote: TouchQuote, lots: int) -> None:
        taken = self.state.taken.get(order.symbol)
        if taken is None or taken.sequence != quote.sequence:
            taken = self.state.taken[order.symbol] = Taken(quote.sequence, 0, 0)
        if order.sign > 0:
            taken.ask_lots += lots
        else:
            taken.bid_lots += lots

    # What a fill does to the other orders

    def _fill(self, order: WorkingOrder, lots: int, quanta: int, maker: bool, turn: Turn) -> None:
        order.filled_lots += lots
        positions = self.state.positions.setdefault(order.account, {})
        positions[order.symbol] = positions.get(order.symbol, 0) + lots * order.sign
        listing = self._listings[order.symbol]
        turn.said.append(reports.filled(order, listing, turn.time_ns, turn.quote, lots, quanta, maker))
        if order.remaining_lots == 0:
            self._end(order)
        if order.entry_id:
            self._reduce_sibling(order, lots, turn)
        elif order.stop_loss is not None or order.take_profit is not None:
            self._protect(order, turn)
        if self._reducers.get((order.account, order.symbol)):
            self._cap_reducers(order.account, order.symbol, turn)

    def _reduce_sibling(self, order: WorkingOrder, lots: int, turn: Turn) -> None:
        sibling = self.state.orders.get(order.sibling_id)
        if sibling is not None:
            if sibling.remaining_lots <= lots:
                self.cancel(sibling, "bracket", turn.time_ns, turn.said)
            else:
                self._resize(sibling, sibling.quantity_lots - lots, turn)
        self._cancel_entry(order, turn)

    def _cancel_entry(self, order: WorkingOrder, turn: Turn) -> None:
        entry = self.state.orders.get(order.entry_id)
        if entry is not None:
            self.cancel(entry, "bracket", turn.time_ns, turn.said)

    def _protect(self, entry: WorkingOrder, turn: Turn) -> None:
        held = self.state.position_lots(entry.account, entry.symbol) * entry.sign
        lots = min(entry.filled_lots, max(held, 0))
        if lots == 0:
            return
        placed = []
        legs = (
            (entry.stop_loss, entry.take_profit, "stop_loss"),
            (entry.take_profit, entry.stop_loss, "take_profit"),
        )
        for leg, sibling, role in legs:
            if leg is None or leg.client_order_id in self.state.ended:
                continue
            working = self.state.orders.get(leg.client_order_id)
            if working is None:
                placed.append(self._accept_exit(entry, leg, sibling, role, lots, turn))
            elif lots > working.quantity_lots:
                self._resize(working, lots, turn)
        for order in placed:
            if order.client_order_id in self.state.orders:
                self.work(order, turn)

    def _accept_exit(
        self, entry: WorkingOrder, leg: Exit, sibling: Exit | None, role: str, lots: int, turn: Turn
    ) -> WorkingOrder:
        price = self._listings[entry.symbol].instrument.price_of(leg.price_quanta)
        order = exit_of(entry, leg, sibling, role, lots, price, self.state.next_number())
        self.accept(order, turn)
        return order

    def _cap_reducers(self, account: str, symbol: str, turn: Turn) -> None:
        for order in list(self._reducers[account, symbol].values()):
            if order.client_order_id not in self.state.orders:
                continue
            closable = max(-self.state.position_lots(account, symbol) * order.sign, 0)
            if closable == 0:
                self.cancel(order, "position_flat", turn.time_ns, turn.said)
                self._cancel_entry(order, turn)
            elif order.remaining_lots > closable:
                self._resize(order, order.filled_lots + closable, turn)

    def _resize(self, order: WorkingOrder, lots: int, turn: Turn) -> None:
        if lots > order.quantity_lots and order.placed:
            # A venue lets an order that grows join the queue anew.
            self.withdraw(order)
            order.number = self.state.next_number()
            if order.phase is Phase.RESTING and order.limit_quanta is not None:
                order.queue_lots = queue_ahead(FAR, order.sign, order.limit_quanta, turn.quote)
            self._place(order)
        order.quantity_lots = lots
        turn.said.append(reports.replaced(order, self._listings[order.symbol], turn.time_ns))

    def _place(self, order: WorkingOrder) -> None:
        self.books[order.symbol].add(order)
        self.changed[order.symbol] = None

    def _end(self, order: WorkingOrder) -> None:
        self.withdraw(order)
        del self.state.orders[order.client_order_id]
        if order.reduce_only:
            del self._reducers[order.account, order.symbol][order.client_order_id]
        self.forget(order.client_order_id, EndedOrder(order.order_id, order.account, order.symbol))
