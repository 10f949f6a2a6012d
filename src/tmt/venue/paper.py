"""The paper venue: submissions travel, arrive, and work against the market data, all in event time."""

from __future__ import annotations

from decimal import Decimal
from heapq import heappop, heappush
from typing import Final

import msgspec

from tmt.domain.identity import seeded_fraction
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.order import Order, TimeInForce
from tmt.domain.session import day_bounds_ns
from tmt.messages import (
    VENUE_EVENTS,
    CancelSubmitted,
    Message,
    OrderSubmitted,
    ReplaceSubmitted,
)
from tmt.ports.venue import Touch, TouchQuote, VenueListing, VenueOrder
from tmt.venue import reports
from tmt.venue.admission import Listing, has_market, refusal, replace_refusal
from tmt.venue.config import VenueConfig
from tmt.venue.matching import Matcher, Print, Turn
from tmt.venue.orders import (
    EndedOrder,
    Expiry,
    Phase,
    Scheduled,
    VenueState,
    WorkingOrder,
    entry_of,
    reference_price_of,
)

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(VenueState, dec_hook=decode_hook)


class PaperVenue:
    """A venue inside the desk's process; `tmt.ports.venue.Venue` says how it is driven."""

    name = reports.VENUE
    consumes: tuple[type[Message], ...] = (OrderSubmitted, CancelSubmitted, ReplaceSubmitted)
    produces: tuple[type[Message], ...] = VENUE_EVENTS

    def __init__(self, config: VenueConfig, instruments: dict[str, Instrument], touch: Touch, seed: int) -> None:
        self._config = config
        self._touch = touch
        self._seed = str(seed)
        self._listings = {symbol: Listing(instrument, config) for symbol, instrument in instruments.items()}
        self._matcher = Matcher(self._listings, config.ended_orders_max)
        self._told: dict[str, tuple[int, int]] = {}

    # The world's side

    def handle(self, message: Message) -> list[Message]:
        """Schedule a submission's arrival; what was sent about one order arrives in the order sent."""
        match message:
            case OrderSubmitted():
                self._schedule(self._arrival_ns(message, "submit"), message)
            case CancelSubmitted() | ReplaceSubmitted():
                sent = [due for due, _, item in self._state.agenda if _travels(item, message.client_order_id)]
                arrival_ns = self._arrival_ns(message, message.message_id)
                self._schedule(max([arrival_ns, *sent]), message)
            case _:
                raise AssertionError(f"the venue does not take {type(message).__name__}")
        return []

    def next_due_ns(self) -> int | None:
        """Earliest arrival or end of an order's time."""
        state = self._state
        agenda = state.agenda
        while agenda:
            due_ns, _, item = agenda[0]
            if type(item) is not Expiry or item.client_order_id in state.orders:
                return due_ns
            heappop(agenda)
        return None

    def on_time(self, time_ns: int) -> list[Message]:
        """All that is due at the earliest due time."""
        due_ns = self.next_due_ns()
        if due_ns is None or due_ns > time_ns:
            return []
        said: list[Message] = []
        agenda = self._state.agenda
        while agenda and agenda[0][0] == due_ns:
            self._happen(heappop(agenda)[2], due_ns, said)
        return said

    def on_row(
        self,
        symbol: str,
        sequence: int,
        time_ns: int,
        bid: int,
        ask: int,
        bid_size: int,
        ask_size: int,
        price: int,
        size: int,
        aggressor: int,
    ) -> list[Message]:
        """What a row does to the instrument's working orders; a row without two sound prices does nothing."""
        low, high = self.bounds(symbol)
        if low < bid and ask < high and (price == 0 or low < price < high):
            return []
        quote = TouchQuote(sequence, time_ns, bid, ask, bid_size, ask_size)
        said: list[Message] = []
        if has_market(quote):
            self._matcher.on_row(symbol, Turn(time_ns, quote, said), Print(price, size, aggressor))
        return said

    def bounds(self, symbol: str) -> tuple[int, int]:
        """Prices that concern the instrument's working orders."""
        return self._matcher.books[symbol].bounds()

    def dirty_symbols(self) -> list[str]:
        """Symbols whose bounds are not those of the last call."""
        dirty = []
        for symbol in self._matcher.changed:
            bounds = self.bounds(symbol)
            if self._told.get(symbol) != bounds:
                self._told[symbol] = bounds
                dirty.append(symbol)
        self._matcher.changed.clear()
        return sorted(dirty)

    def listing(self) -> VenueListing:
        """The venue's own record of orders and positions."""
        orders = {
            item.client_order_id: _travelling(item) for _, _, item in self._state.agenda if type(item) is OrderSubmitted
        }
        for order in self._state.orders.values():
            quantity_of = self._listings[order.symbol].instrument.quantity_of
            orders[order.client_order_id] = VenueOrder(
                order.client_order_id,
                order.account,
                order.symbol,
                order.side,
                quantity_of(order.quantity_lots),
                quantity_of(order.filled_lots),
            )
        positions = {
            (account, symbol): self._listings[symbol].instrument.quantity_of(lots)
            for account, by_symbol in self._state.positions.items()
            for symbol, lots in by_symbol.items()
        }
        return VenueListing(orders, positions)

    def snapshot(self) -> bytes:
        """All state, as JSON."""
        return _ENCODER.encode(self._state)

    def restore(self, saved: bytes) -> None:
        """Become what `snapshot` saved; every symbol's bounds are told anew."""
        self._matcher.adopt(_DECODER.decode(saved))
        self._told.clear()

    # Inside

    @property
    def _state(self) -> VenueState:
        return self._matcher.state

    def _arrival_ns(self, message: OrderSubmitted | CancelSubmitted | ReplaceSubmitted, key: str) -> int:
        jitter = seeded_fraction(self._seed, message.client_order_id, key) * self._config.latency_jitter_ns >> 32
        return message.occurred_at_ns + self._config.latency_base_ns + jitter

    def _schedule(self, due_ns: int, item: Scheduled) -> None:
        heappush(self._state.agenda, (due_ns, self._state.next_number(), item))

    def _happen(self, item: Scheduled, time_ns: int, said: list[Message]) -> None:
        match item:
            case OrderSubmitted():
                self._admit(item, time_ns, said)
            case CancelSubmitted():
                self._cancel(item, time_ns, said)
            case ReplaceSubmitted():
                self._replace(item, time_ns, said)
            case Expiry():
                order = self._state.orders.get(item.client_order_id)
                if order is not None:
                    self._matcher.expire(order, time_ns, said)

    def _admit(self, submitted: OrderSubmitted, time_ns: int, said: list[Message]) -> None:
        order = submitted.order
        client_order_id = submitted.client_order_id
        if self._knows(submitted):
            said.append(reports.rejected(submitted, time_ns, "duplicate_client_order_id", client_order_id))
            return
        listing = self._listings.get(order.instrument)
        if listing is None:
            said.append(reports.rejected(submitted, time_ns, "unknown_instrument", order.instrument))
            self._matcher.forget(client_order_id, EndedOrder(order.order_id, order.account, order.instrument))
            return
        quote = self._touch.quote(order.instrument)
        closable_lots = self._closable_lots(order) if order.reduce_only else 0
        refused = refusal(order, listing, quote, time_ns, closable_lots)
        if refused is not None:
            said.append(reports.rejected(submitted, time_ns, refused.reason, refused.detail))
            self._matcher.forget(client_order_id, EndedOrder(order.order_id, order.account, order.instrument))
            return
        assert quote is not None
        instrument = listing.instrument
        lots = int(order.quantity // instrument.lot_size)
        if order.reduce_only:
            lots = min(lots, closable_lots)
        working = entry_of(
            submitted, lots, instrument.price_quantum, self._state.next_number(), reference_price_of(order)
        )
        expires_ns = order.expire_at_ns
        if order.time_in_force is TimeInForce.DAY:
            _, expires_ns = day_bounds_ns(instrument.session, time_ns)
        if expires_ns is not None:
            self._schedule(expires_ns, Expiry(client_order_id))
        turn = Turn(time_ns, quote, said)
        self._matcher.accept(working, turn)
        self._matcher.work(working, turn)

    def _knows(self, submitted: OrderSubmitted) -> bool:
        ids = (
            submitted.client_order_id,
            submitted.stop_loss_client_order_id,
            submitted.take_profit_client_order_id,
        )
        orders, ended = self._state.orders, self._state.ended
        return any(id_ in orders or id_ in ended for id_ in ids)

    def _closable_lots(self, order: Order) -> int:
        return max(-self._state.position_lots(order.account, order.instrument) * order.side.sign, 0)

    def _cancel(self, request: CancelSubmitted, time_ns: int, said: list[Message]) -> None:
        order = self._state.orders.get(request.client_order_id)
        if order is None:
            said.append(self._not_working(request, time_ns))
        else:
            self._matcher.cancel(order, request.reason, time_ns, said)

    def _replace(self, request: ReplaceSubmitted, time_ns: int, said: list[Message]) -> None:
        order = self._state.orders.get(request.client_order_id)
        if order is None:
            said.append(self._not_working(request, time_ns))
            return
        listing = self._listings[order.symbol]
        quote = self._touch.quote(order.symbol)
        reason = replace_refusal(request, order, listing, quote, time_ns)
        if reason is not None:
            said.append(reports.cancel_rejected(request, order, time_ns, reason))
            return
        assert quote is not None
        lots = self._replacing_lots(request.quantity, order, listing.instrument)
        keeps_its_place = lots < order.quantity_lots and not _moves(request, order, listing.instrument)
        if not keeps_its_place:
            self._matcher.withdraw(order)
            _move(request, order, listing.instrument)
            order.number = self._state.next_number()
        order.quantity_lots = lots
        said.append(reports.replaced(order, listing, time_ns))
        if order.remaining_lots == 0:
            self._matcher.cancel(order, "replaced", time_ns, said)
        elif not keeps_its_place:
            if order.phase is Phase.RESTING:
                order.phase = Phase.TAKING
            self._matcher.work(order, Turn(time_ns, quote, said))

    def _replacing_lots(self, quantity: Decimal, order: WorkingOrder, instrument: Instrument) -> int:
        lots = instrument.lots_of(quantity)
        if order.reduce_only:
            closable = -self._state.position_lots(order.account, order.symbol) * order.sign
            lots = min(lots, order.filled_lots + closable)
        return lots

    def _not_working(self, request: CancelSubmitted | ReplaceSubmitted, time_ns: int) -> Message:
        ended = self._state.ended.get(request.client_order_id)
        return reports.cancel_rejected(request, ended, time_ns, "unknown_order" if ended is None else "already_done")


def _moves(request: ReplaceSubmitted, order: WorkingOrder, instrument: Instrument) -> bool:
    wanted = ((request.limit_price, order.limit_quanta), (request.stop_price, order.stop_quanta))
    return any(price is not None and instrument.quanta_of(price) != quanta for price, quanta in wanted)


def _move(request: ReplaceSubmitted, order: WorkingOrder, instrument: Instrument) -> None:
    """Give the order its new prices. A trailing stop only comes nearer: if it has passed the price, it stays."""
    if request.limit_price is not None:
        order.limit_quanta = instrument.quanta_of(request.limit_price)
    if request.stop_price is not None and order.stop_quanta is not None:
        stop = instrument.quanta_of(request.stop_price)
        if order.trail_quanta is None or (order.stop_quanta - stop) * order.sign > 0:
            order.stop_quanta = stop


def _travelling(submitted: OrderSubmitted) -> VenueOrder:
    order = submitted.order
    return VenueOrder(submitted.client_order_id, order.account, order.instrument, order.side, order.quantity, ZERO)


def _travels(item: Scheduled, client_order_id: str) -> bool:
    return type(item) is not Expiry and item.client_order_id == client_order_id
