"""Binance WebSocket messages as a recorder received them: a line each, receive time in ns, a space, the JSON.

Book tickers become quotes, trades become trades; depth is counted and not used. Event time is the receive time,
the only clock that the whole tape has and that never runs back; how far the exchange's clock is off goes into a note.
Message fields: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Final

import msgspec
import numpy as np
import polars as pl

from tmt.adapters.feed.config import FeedsConfig
from tmt.adapters.feed.recording import Block, Recording, TextTable, raw_rows
from tmt.adapters.feed.unpacked import digest, opened
from tmt.domain.instrument import Instrument
from tmt.errors import InputError

_BLOCK_LINES: Final = 65_536
_STREAM: Final = re.compile(rb'"stream":"([^"@]+)@(bookTicker|trade)"')
_COLUMNS: Final = ("bid", "bid_size", "ask", "ask_size", "price", "size")


class _Envelope(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _BookTicker(msgspec.Struct):
    update_id: int = msgspec.field(name="u")
    symbol: str = msgspec.field(name="s")
    bid: str = msgspec.field(name="b")
    bid_size: str = msgspec.field(name="B")
    ask: str = msgspec.field(name="a")
    ask_size: str = msgspec.field(name="A")


class _Trade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    size: str = msgspec.field(name="q")
    trade_ms: int = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


_envelope: Final = msgspec.json.Decoder(_Envelope)
_book_ticker: Final = msgspec.json.Decoder(_BookTicker)
_trade: Final = msgspec.json.Decoder(_Trade)


def tape_recording(path: Path, instrument: Instrument, config: FeedsConfig) -> Recording:
    """The tape as a recording.

    Raises:
        InputError: when the file is damaged, or holds other symbols only.
    """
    messages: Counter[bytes] = Counter()
    first_ns = 0
    with opened(path, config.file_bytes_max) as lines:
        for number, line in enumerate(_not_empty(lines)):
            if number == 0:
                first_ns = int(line.partition(b" ")[0])
            stream = _STREAM.search(line)
            if stream is not None:
                messages[stream[1].upper()] += 1
    rows = messages[instrument.symbol.upper().encode()]
    if rows == 0:
        held = b", ".join(sorted(messages)).decode() or "no quotes and no trades"
        raise InputError(
            "TMT-D006",
            f"the tape holds {held}, not {instrument.symbol}",
            where=str(path),
            fix=f"Give a tape of {instrument.symbol}, or ask for another --instrument.",
        )
    return Recording(
        name=path.name,
        first_ns=first_ns,
        rows=rows,
        source=f"{path.name} sha256:{digest(path)} Binance tape, {rows:,} book tickers and trades, "
        "receive time UTC, depth not used",
        read=lambda: _Tape(path, instrument, config).blocks(),
    )


class _Tape:
    def __init__(self, path: Path, instrument: Instrument, config: FeedsConfig) -> None:
        self._path = path
        self._instrument = instrument
        self._bytes_max = config.file_bytes_max
        self._refuse = config.malformed == "refuse"
        self._last_trade_id: int | None = None
        self._last_update_id: int | None = None
        self._skews_ns: list[int] = []
        self._counts: Counter[str] = Counter()

    def blocks(self) -> Iterator[Block]:
        with opened(self._path, self._bytes_max) as file:
            lines = enumerate(_not_empty(file), start=1)
            block = self._block(list(islice(lines, _BLOCK_LINES)))
            while following := list(islice(lines, _BLOCK_LINES)):
                yield block
                block = self._block(following)
            yield Block(block.rows, block.counts, notes=self._notes())

    def _block(self, lines: list[tuple[int, bytes]]) -> Block:
        self._counts = Counter()
        times: list[int] = []
        numbers: list[int] = []
        aggressors: list[int] = []
        fields: list[tuple[str | None, ...]] = []
        for number, line in lines:
            try:
                received, _, message = line.partition(b" ")
                time_ns = int(received)
                row = self._row(time_ns, _envelope.decode(message))
            except (ValueError, msgspec.MsgspecError) as error:
                self._complain(number, error)
                continue
            if row is not None:
                times.append(time_ns)
                numbers.append(number)
                fields.append(row[0])
                aggressors.append(row[1])
        frame = pl.DataFrame(fields, schema=dict.fromkeys(_COLUMNS, pl.String), orient="row")
        table = TextTable(frame, self._path, numbers, refuse=self._refuse)
        is_trade = np.array(aggressors, dtype=np.int64) != 0
        price_unit, lot = self._instrument.price_quantum, self._instrument.lot_size
        bid, ask = (table.numbers(name, price_unit, ~is_trade) for name in ("bid", "ask"))
        bid_size, ask_size = (table.numbers(name, lot, ~is_trade) for name in ("bid_size", "ask_size"))
        price, size = table.numbers("price", price_unit, is_trade), table.numbers("size", lot, is_trade)
        self._counts["off_grid_sizes"] += int((bid_size.off | ask_size.off | size.off).sum())
        self._counts["malformed"] += int(table.bad.sum())
        columns = {
            "bid": bid.units,
            "ask": ask.units,
            "bid_size": bid_size.units,
            "ask_size": ask_size.units,
            "price": price.units,
            "size": size.units,
            "aggressor": np.array(aggressors, dtype=np.int64),
        }
        time_column = np.array(times, dtype=np.int64)
        rows = raw_rows(time_column, is_trade, columns, off_grid=bid.off | ask.off | price.off)
        return Block(rows.pick(~table.bad), self._counts)

    def _row(self, time_ns: int, envelope: _Envelope) -> tuple[tuple[str | None, ...], int] | None:
        kind = envelope.stream.rpartition("@")[2]
        if kind == "bookTicker":
            quote = _book_ticker.decode(envelope.data)
            if not self._is_ours(quote.symbol):
                return None
            if self._last_update_id is not None and quote.update_id <= self._last_update_id:
                self._counts["out_of_order"] += 1
                return None
            self._last_update_id = quote.update_id
            return (quote.bid, quote.bid_size, quote.ask, quote.ask_size, None, None), 0
        if kind == "trade":
            trade = _trade.decode(envelope.data)
            if not self._is_ours(trade.symbol) or not self._is_new(trade.trade_id):
                return None
            self._skews_ns.append(trade.trade_ms * 1_000_000 - time_ns)
            # The maker rested; whoever met the order took.
            return (None, None, None, None, trade.price, trade.size), -1 if trade.buyer_is_maker else 1
        self._counts["depth_messages"] += 1
        return None

    def _is_ours(self, symbol: str) -> bool:
        ours = symbol == self._instrument.symbol
        self._counts["other_instruments"] += not ours
        return ours

    def _is_new(self, trade_id: int) -> bool:
        last = self._last_trade_id
        if last is not None and trade_id <= last:
            self._counts["duplicates"] += 1
            return False
        if last is not None:
            self._counts["trade_ids_missing"] += trade_id - last - 1
        self._last_trade_id = trade_id
        return True

    def _complain(self, number: int, error: Exception) -> None:
        if self._refuse:
            raise InputError(
                "TMT-D008",
                f"the line is no message of a tape: {error}",
                where=f"{self._path}:{number}:1",
                fix="Remove the line, or set `malformed: drop` in feeds.yml to drop and count such lines.",
            ) from error
        self._counts["malformed"] += 1

    def _notes(self) -> tuple[str, ...]:
        if not self._skews_ns:
            return ()
        skews_ms = np.array(self._skews_ns) // 1_000_000
        median_ms = int(np.sort(skews_ms)[len(skews_ms) // 2])
        which = "ahead of" if median_ms > 0 else "behind"
        note = (
            f"{self._path.name}: the exchange's clock, read at trades, is {abs(median_ms)} ms {which} the receiver's "
            f"(median; from {int(skews_ms.min())} to {int(skews_ms.max())} ms); event time is the receiver's"
        )
        return (note,)


def _not_empty(lines: IO[bytes]) -> Iterator[bytes]:
    return (line for line in lines if line.strip())
