"""The newest quotes, from the desk's thread to whoever subscribed over WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Final, Literal

import msgspec
import numpy as np

from tmt.domain.instrument import Instrument
from tmt.market.batch import MarketBatch
from tmt.ports.clock import Clock
from tmt.web.problem import Refused
from tmt.web.sockets import Peer

SYMBOLS_MAX: Final = 200
"""Symbols in one frame of a client."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client's frame."""

    action: Literal["subscribe", "unsubscribe"]
    symbols: tuple[str, ...]


class QuoteBoard:
    """Holds the newest quote of each instrument, and sends changed ones to subscribers, a frame a batch."""

    def __init__(self, instruments: Sequence[Instrument], clock: Clock) -> None:
        self.symbols: Final = tuple(each.symbol for each in instruments)
        self.instruments: Final = tuple(instruments)
        self._clock = clock
        self._lock = Lock()
        self._newest: dict[str, bytes] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: list[Subscriber] = []

    def see(self, batch: MarketBatch) -> None:
        """Take over the newest quotes of a batch; for the desk's thread."""
        changed = self._quotes(batch)
        self._newest.update(changed)
        with self._lock:
            loop = self._loop if self._readers else None
        if loop is not None:
            with suppress(RuntimeError):  # the service's loop has ended
                loop.call_soon_threadsafe(self._publish, changed)

    def _quotes(self, batch: MarketBatch) -> dict[str, bytes]:
        # The last row of an instrument in the batch is the first from behind.
        indexes, from_behind = np.unique(batch.instrument[::-1], return_index=True)
        rows = len(batch) - 1 - from_behind
        return {
            self.symbols[index]: self._quote(self.instruments[index], batch, row)
            for index, row in zip(indexes.tolist(), rows.tolist(), strict=True)
        }

    @staticmethod
    def _quote(instrument: Instrument, batch: MarketBatch, row: int) -> bytes:
        price = int(batch.price[row])
        return msgspec.json.encode(
            {
                "symbol": instrument.symbol,
                "bid": instrument.price_of(int(batch.bid[row])),
                "ask": instrument.price_of(int(batch.ask[row])),
                "price": instrument.price_of(price) if price else None,
                "volume": instrument.quantity_of(int(batch.size[row])) if price else None,
                "time_ns": int(batch.time_ns[row]),
            }
        )

    def _publish(self, changed: dict[str, bytes]) -> None:
        now_ns = self._clock.now_ns()
        for reader in self._readers:
            reader.tell(changed, now_ns)

    def join(self, peer: Peer) -> Subscriber:
        """A client that has come; in the service's event loop."""
        reader = Subscriber(self, peer)
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._readers = [*self._readers, reader]
        return reader

    def leave(self, reader: Subscriber) -> None:
        """A client that has gone."""
        with self._lock:
            self._readers = [each for each in self._readers if each is not reader]

    def newest(self, symbols: frozenset[str]) -> dict[str, bytes]:
        """What is known of some instruments now."""
        known = self._newest
        return {symbol: known[symbol] for symbol in self.symbols if symbol in symbols and symbol in known}

    def now_ns(self) -> int:
        """The server's time."""
        return self._clock.now_ns()


class Subscriber:
    """One client; see `tmt.web.sockets.Conversation`."""

    def __init__(self, board: QuoteBoard, peer: Peer) -> None:
        self._board = board
        self._peer = peer
        self._wanted: frozenset[str] = frozenset()

    async def hear(self, command: Subscription) -> None:
        """Subscribe or unsubscribe; what is known is sent at once."""
        wanted = frozenset(command.symbols)
        unknown = sorted(wanted - frozenset(self._board.symbols))
        if unknown or not 0 < len(command.symbols) <= SYMBOLS_MAX:
            said = f"there is no {unknown[0][:40]!r}" if unknown else f"name 1 to {SYMBOLS_MAX} symbols"
            raise Refused(400, "", f"{said}; the desk trades {', '.join(self._board.symbols)}")
        subscribes = command.action == "subscribe"
        self._wanted = self._wanted | wanted if subscribes else self._wanted - wanted
        now_ns = self._board.now_ns()
        answer = {"type": f"{command.action}d", "server_time_ns": now_ns, "symbols": sorted(self._wanted)}
        self._peer.offer(msgspec.json.encode(answer))
        if subscribes:
            self.tell(self._board.newest(wanted), now_ns)

    def tell(self, changed: dict[str, bytes], now_ns: int) -> None:
        """Send quotes of those subscribed to, in one frame."""
        quotes = [quote for symbol, quote in changed.items() if symbol in self._wanted]
        if quotes:
            head = b'{"type":"quotes","server_time_ns":%d,"quotes":[' % now_ns
            self._peer.offer(head + b",".join(quotes) + b"]}", may_shed=True)

    def close(self) -> None:
        """The client has gone."""
        self._board.leave(self)
