"""What the desk asks of a venue, and what an in-process venue asks of the market data."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from tmt.domain.order import Side
from tmt.messages import Message


class TouchQuote(NamedTuple):
    """Best prices in force.

    Attributes:
        sequence: number of the row that said so; another number means another row of the instrument.
        time_ns: event time of that row, UTC.
        bid, ask: in price quanta.
        bid_size, ask_size: displayed sizes in lots; 0 is unknown.
    """

    sequence: int
    time_ns: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int


class Touch(Protocol):
    """The last row of market data consumed, instrument by instrument."""

    def quote(self, symbol: str) -> TouchQuote | None:
        """Best prices in force, or None before the instrument's first row."""


class VenueOrder(NamedTuple):
    """One order as the venue has it, in units of the instrument; `filled` counts towards `quantity`."""

    client_order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Decimal
    filled: Decimal


class VenueListing(NamedTuple):
    """The venue's own record.

    Attributes:
        orders: those that work and those on their way to the venue, by client order id.
        positions: net units by (account, instrument), positive when long; flat ones may be left out.
    """

    orders: Mapping[str, VenueOrder]
    positions: Mapping[tuple[str, str], Decimal]


class MatchingVenue(Protocol):
    """What the event-time loop asks of a venue.

    Answers come from `on_time`, when a message has travelled or an order's time is over, and from `on_row`, when market
    data reach a working order. The caller gives rows in event-time order and may leave out every row that lies wholly
    between `bounds`; leaving such rows out changes nothing.
    """

    def next_due_ns(self) -> int | None:
        """Earliest event time at which something happens by itself, or None."""

    def on_time(self, time_ns: int) -> list[Message]:
        """All that is due at the earliest due time, if that is not after `time_ns`; empty when nothing is."""

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
        """What one row of market data does to the working orders; units as in `MarketBatch`."""

    def bounds(self, symbol: str) -> tuple[int, int]:
        """(low, high) in quanta.

        A row concerns nobody unless bid <= low, ask >= high, or a trade's price is <= low or >= high.
        """

    def dirty_symbols(self) -> list[str]:
        """Symbols whose bounds have changed since the last call, sorted."""


class Venue(MatchingVenue, Protocol):
    """A venue that lives in event time: it also hears submissions, of which `handle` only takes note."""

    name: str
    consumes: tuple[type[Message], ...]
    produces: tuple[type[Message], ...]

    def handle(self, message: Message) -> list[Message]:
        """Take a submission; its arrival is scheduled, nothing is answered yet."""

    def listing(self) -> VenueListing:
        """The venue's own record of orders and positions, for whoever reconciles."""

    def snapshot(self) -> bytes:
        """All state."""

    def restore(self, saved: bytes) -> None:
        """Become what `snapshot` saved: the same inputs give the same messages from here."""
