"""Market events as a JSON list, in the form that barter-rs writes: trades, and reconnections of the recorder.

An event names its instrument by number; `FeedsConfig.indexed_symbols` says what the numbers stand for. Event time is
the time of reception. Quotes are made up around trades.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl

from tmt.adapters.feed.config import FeedsConfig
from tmt.adapters.feed.recording import Block, Recording, TextTable, half_spread_quanta, raw_rows, spread_note
from tmt.adapters.feed.times import iso_to_utc_ns
from tmt.adapters.feed.unpacked import digest, refuse_larger
from tmt.domain.instrument import Instrument
from tmt.errors import InputError

_SIDES: Final = {"Buy": 1, "Sell": -1}


class _TradeBody(msgspec.Struct):
    id: str
    price: Decimal
    amount: Decimal
    side: str


class _Kind(msgspec.Struct):
    trade: _TradeBody | None = msgspec.field(default=None, name="Trade")


class _Event(msgspec.Struct):
    time_exchange: str
    time_received: str
    instrument: int
    kind: _Kind


class _Result(msgspec.Struct):
    event: _Event | None = msgspec.field(default=None, name="Ok")


class _Entry(msgspec.Struct):
    item: _Result | None = msgspec.field(default=None, name="Item")
    reconnecting: str | None = msgspec.field(default=None, name="Reconnecting")


def event_list_recording(path: Path, instrument: Instrument, config: FeedsConfig) -> Recording:
    """The list as a recording.

    Raises:
        InputError: when the file is no such list, or holds no trade of the instrument.
    """
    refuse_larger(path, path.stat().st_size, config.file_bytes_max)
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[_Entry])
    except msgspec.MsgspecError as error:
        raise InputError(
            "TMT-D008", f"the file is no list of market events: {error}", where=str(path), fix="Fetch it again."
        ) from error
    symbols = dict(enumerate(config.indexed_symbols))
    events = [entry.item.event for entry in entries if entry.item is not None and entry.item.event is not None]
    trades = [event for event in events if symbols.get(event.instrument) == instrument.symbol and event.kind.trade]
    if not trades:
        held = ", ".join(sorted({symbols.get(event.instrument, str(event.instrument)) for event in events}))
        raise InputError(
            "TMT-D006",
            f"the list holds {held or 'no events'}, no trade of {instrument.symbol}",
            where=str(path),
            fix="Ask for another --instrument, or name the list's instruments in indexed_symbols of feeds.yml.",
        )
    counts = Counter(
        disconnects=sum(entry.reconnecting is not None for entry in entries),
        other_instruments=sum(symbols.get(event.instrument) != instrument.symbol for event in events),
        depth_messages=sum(
            symbols.get(event.instrument) == instrument.symbol and event.kind.trade is None for event in events
        ),
    )
    block = _block(trades, path, instrument, config, counts)
    return Recording(
        name=path.name,
        first_ns=int(block.rows.time_ns[0]) if len(block.rows) else 0,
        rows=len(trades),
        source=f"{path.name} sha256:{digest(path)} event list, {len(trades):,} trades, receive time UTC, "
        f"{spread_note(instrument, config.synthetic_spread_ticks)}",
        read=lambda: iter((block,)),
    )


def _block(
    events: list[_Event], path: Path, instrument: Instrument, config: FeedsConfig, counts: Counter[str]
) -> Block:
    bodies = [event.kind.trade for event in events if event.kind.trade is not None]
    frame = pl.DataFrame(
        {
            "time_received": [event.time_received for event in events],
            "price": [f"{body.price:f}" for body in bodies],
            "amount": [f"{body.amount:f}" for body in bodies],
            "side": [body.side for body in bodies],
            "id": [body.id for body in bodies],
        }
    )
    # The list has no lines worth naming: its entries are counted instead.
    table = TextTable(frame, path, range(1, len(frame) + 1), refuse=config.malformed == "refuse")
    time_ns, bad, _ = iso_to_utc_ns(frame["time_received"], ZoneInfo("UTC"))
    table.complain("time_received", bad, "an ISO 8601 time")
    price = table.numbers("price", instrument.price_quantum)
    size = table.numbers("amount", instrument.lot_size)
    trade_id = table.numbers("id", Decimal(1))
    aggressor = np.array([_SIDES.get(body.side, 0) for body in bodies], dtype=np.int64)
    table.complain("side", aggressor == 0, "Buy or Sell")
    seen = np.maximum.accumulate(np.concatenate(([-1], trade_id.units)))[:-1]
    new = trade_id.units > seen
    steps = np.diff(trade_id.units[new])
    counts["duplicates"] += int((~new).sum())
    counts["trade_ids_missing"] += int((steps - 1).sum())
    counts["off_grid_sizes"] += int(size.off.sum())
    counts["malformed"] += int(table.bad.sum())
    half_spread = half_spread_quanta(instrument, config.synthetic_spread_ticks)
    columns = {
        "bid": price.units - half_spread,
        "ask": price.units + half_spread,
        "price": price.units,
        "size": size.units,
        "aggressor": aggressor,
    }
    rows = raw_rows(time_ns, np.ones(len(frame), dtype=bool), columns, off_grid=price.off)
    return Block(rows.pick(new & ~table.bad), counts)
