"""QuantConnect LEAN's zip files: tick quotes, tick trades, quote bars, trade bars.

A name with a date ("20140501_eurusd_tick_quote.csv") holds one day in milliseconds since midnight; a name without
("eurusd.csv") holds bars stamped "YYYYMMDD HH:MM". Both count on a local clock, so 10:00 is 36,000,000 ms also on the
days the clock changes. Trades and quotes of the same day and resolution are read together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tmt.adapters.feed.bar_path import (
    POINTS,
    Prices,
    QuoteBars,
    TradeBars,
    joined_block,
    modal_period_ns,
    quote_block,
    trade_block,
)
from tmt.adapters.feed.config import FeedsConfig
from tmt.adapters.feed.recording import (
    Block,
    Recording,
    TextTable,
    half_spread_quanta,
    raw_rows,
    spread_note,
)
from tmt.adapters.feed.times import local_to_utc_ns, midnight_ns
from tmt.adapters.feed.unpacked import digest, zip_member
from tmt.domain.instrument import Instrument
from tmt.domain.session import DAY_NS
from tmt.errors import InputError
from tmt.market.open_hours import MINUTE_NS
from tmt.market.quality import Column, Mask

_DATED: Final = re.compile(
    r"(?P<date>\d{8})_(?P<symbol>[a-z0-9.]+)_(?:(?P<first>tick|second|minute)_(?P<kind>quote|trade)"
    r"|(?P<other_kind>quote|trade)_(?P<second>tick|second|minute))\.csv",
    re.IGNORECASE,
)
_UNDATED: Final = re.compile(r"(?P<symbol>[a-z0-9.]+)\.csv", re.IGNORECASE)
_MILLISECOND: Final = Decimal("0.000001")
_PERIODS_NS: Final = {"second": MINUTE_NS // 60, "minute": MINUTE_NS}
_BAR: Final = ("open", "high", "low", "close")
_TRADE_BAR: Final = ("time", *_BAR, "size")
_QUOTE_BAR: Final = (
    "time",
    *(f"bid_{name}" for name in (*_BAR, "size")),
    *(f"ask_{name}" for name in (*_BAR, "size")),
)
_LAYOUTS: Final = {
    ("bar", "trade"): (_TRADE_BAR,),
    ("bar", "quote"): (_QUOTE_BAR,),
    ("bar", ""): (_TRADE_BAR, _QUOTE_BAR),
    ("tick", "quote"): (("time", "bid", "ask"), ("time", "bid", "bid_size", "ask", "ask_size")),
    ("tick", "trade"): (("time", "price", "size", "exchange", "condition", "suspicious"), ("time", "price", "size")),
}
"""By shape and kind ("" when the name does not say): the columns, told apart by their number."""


@dataclass(frozen=True, slots=True)
class LeanFile:
    """One zip and what the name and first line of its member say.

    Attributes:
        date: "YYYYMMDD", or empty when each row has its own.
        resolution: "tick", "second", "minute", or empty when the bars' distance tells.
        columns: of the member.
        lines: rows of the member.
    """

    path: Path
    symbol: str
    date: str
    resolution: str
    columns: tuple[str, ...]
    first_stamp: str
    lines: int

    @property
    def is_tick(self) -> bool:
        return self.resolution == "tick"

    @property
    def has_quotes(self) -> bool:
        return "bid" in self.columns or "bid_close" in self.columns


def lean_file(path: Path, bytes_max: int) -> LeanFile | None:
    """What a zip file holds, or None when it is not LEAN's.

    Raises:
        InputError: when the archive is damaged, empty or unpacks to more than `bytes_max` bytes.
    """
    member, content = zip_member(path, bytes_max)
    dated, undated = _DATED.fullmatch(member), _UNDATED.fullmatch(member)
    name = dated or undated
    first = content.split(b"\n", 1)[0].decode(errors="replace").strip().split(",")
    if name is None or not re.fullmatch(r"\d+(\.\d+)?|\d{8} \d{2}:\d{2}", first[0]):
        return None
    resolution = kind = date = ""
    if dated is not None:
        date = dated["date"]
        resolution = (dated["first"] or dated["second"]).lower()
        kind = (dated["kind"] or dated["other_kind"]).lower()
    layouts = _LAYOUTS["tick" if resolution == "tick" else "bar", kind]
    columns = next((layout for layout in layouts if len(layout) == len(first)), None)
    if columns is None:
        return None
    lines = content.rstrip().count(b"\n") + 1
    return LeanFile(path, name["symbol"].upper(), date, resolution, columns, first[0], lines)


def lean_recordings(files: Sequence[LeanFile], instrument: Instrument, config: FeedsConfig) -> list[Recording]:
    """Recordings of LEAN files of one instrument; files of one day and resolution become one."""
    groups: dict[str, list[LeanFile]] = {}
    for file in files:
        if file.symbol != instrument.symbol.upper():
            raise InputError(
                "TMT-D006",
                f"the file holds {file.symbol}, not {instrument.symbol}",
                where=str(file.path),
                fix=f"Give the data of {instrument.symbol}, or ask for --instrument {file.symbol}.",
            )
        day = f"{file.date} {'tick' if file.is_tick else 'bar'} {file.resolution}"
        key = day if file.date and not _doubled(file, groups.get(day, [])) else f"{day} {file.path}"
        groups.setdefault(key, []).append(file)
    return [_Reader(tuple(group), instrument, config).recording() for group in groups.values()]


def _doubled(file: LeanFile, group: Sequence[LeanFile]) -> bool:
    return any(other.has_quotes == file.has_quotes for other in group)


class _Reader:
    def __init__(self, files: tuple[LeanFile, ...], instrument: Instrument, config: FeedsConfig) -> None:
        self._files = files
        self._instrument = instrument
        self._config = config
        self._zone = ZoneInfo(config.lean_time_zones[instrument.asset_class])
        scale = config.lean_price_scales.get(instrument.asset_class, 1)
        self._price_unit = instrument.price_quantum * scale
        self._half_spread = half_spread_quanta(instrument, config.synthetic_spread_ticks)

    def recording(self) -> Recording:
        first = self._files[0]
        first_ns = min(int(self._utc_ns(file, [file.first_stamp])[0]) for file in self._files)
        rows = sum(file.lines for file in self._files) if first.is_tick else POINTS * max(f.lines for f in self._files)
        return Recording(
            name=first.path.name,
            first_ns=first_ns,
            rows=rows,
            source="; ".join(self._line(file) for file in self._files),
            read=self._read,
        )

    def _line(self, file: LeanFile) -> str:
        kind = "quotes" if file.has_quotes else "trades"
        what = f"{file.lines:,} tick {kind}" if file.is_tick else f"{file.lines:,} bars of {kind}, four-point bar path"
        alone = not any(other.has_quotes for other in self._files)
        made_up = f", {spread_note(self._instrument, self._config.synthetic_spread_ticks)}" if alone else ""
        return f"{file.path.name} sha256:{digest(file.path)} LEAN, {what}, {self._zone.key}{made_up}"

    def _read(self) -> Iterator[Block]:
        if self._files[0].is_tick:
            blocks = [self._ticks(file) for file in self._files]
            rows = blocks[0].rows
            counts = blocks[0].counts
            for block in blocks[1:]:
                first, second = (block.rows, rows) if not block.rows.is_trade.any() else (rows, block.rows)
                rows, counts = first.merged_with(second), counts + block.counts
            yield Block(rows, counts)
        else:
            yield self._bars()

    def _ticks(self, file: LeanFile) -> Block:
        table = self._table(file)
        time_ns, counts = self._time_column(file, table)
        instrument = self._instrument
        if file.has_quotes:
            bid, ask = (table.numbers(name, self._price_unit) for name in ("bid", "ask"))
            columns = {"bid": bid.units, "ask": ask.units}
            for name in ("bid_size", "ask_size"):
                if name in file.columns:
                    columns[name] = table.numbers(name, instrument.lot_size).units
            rows = raw_rows(time_ns, np.zeros(len(table), dtype=bool), columns, off_grid=bid.off | ask.off)
        else:
            price = table.numbers("price", self._price_unit)
            size = table.numbers("size", instrument.lot_size)
            counts["off_grid_sizes"] += int(size.off.sum())
            columns = {"price": price.units, "size": size.units}
            if len(self._files) == 1:
                columns |= {"bid": price.units - self._half_spread, "ask": price.units + self._half_spread}
            marked = (table.frame["suspicious"] == "1").to_numpy() if "suspicious" in file.columns else None
            is_trade = np.ones(len(table), dtype=bool)
            rows = raw_rows(time_ns, is_trade, columns, off_grid=price.off, suspicious=marked)
        counts["malformed"] += int(table.bad.sum())
        return Block(rows.pick(~table.bad), counts)

    def _bars(self) -> Block:
        counts: Counter[str] = Counter()
        trade_bars: TradeBars | None = None
        quote_bars: QuoteBars | None = None
        for file in self._files:
            table = self._table(file)
            start_ns, of_time = self._time_column(file, table)
            counts += of_time
            if file.has_quotes:
                bids, asks = self._prices(table, "bid_", counts), self._prices(table, "ask_", counts)
                kept = ~table.bad
                quote_bars = QuoteBars(start_ns[kept], bids.pick(kept), asks.pick(kept))
            else:
                trades = self._prices(table, "", counts)
                kept = ~table.bad
                trade_bars = TradeBars(start_ns[kept], trades.pick(kept))
            counts["malformed"] += int(table.bad.sum())
        block = self._block_of(trade_bars, quote_bars)
        return Block(block.rows, counts + block.counts, period_ns=block.period_ns)

    def _block_of(self, trade_bars: TradeBars | None, quote_bars: QuoteBars | None) -> Block:
        starts = [bars.start_ns for bars in (trade_bars, quote_bars) if bars is not None]
        period_ns = _PERIODS_NS.get(self._files[0].resolution) or modal_period_ns(np.concatenate(starts))
        if period_ns is None:
            raise InputError(
                "TMT-D011",
                "the length of a single bar cannot be told",
                where=str(self._files[0].path),
                fix="Give a file with two bars or more.",
            )
        if trade_bars is None:
            assert quote_bars is not None
            return quote_block(quote_bars, period_ns)
        if quote_bars is None:
            return trade_block(trade_bars, period_ns, self._half_spread)
        return joined_block(trade_bars, quote_bars, period_ns, self._half_spread)

    def _prices(self, table: TextTable, prefix: str, counts: Counter[str]) -> Prices:
        grids = [table.numbers(prefix + name, self._price_unit) for name in _BAR]
        size = table.numbers(f"{prefix}size", self._instrument.lot_size)
        counts["off_grid_sizes"] += int(size.off.sum())
        opened, high, low, closed = (grid.units for grid in grids)
        off_grid = np.logical_or.reduce([grid.off for grid in grids])
        return Prices(open=opened, high=high, low=low, close=closed, size=size.units, off_grid=off_grid)

    def _table(self, file: LeanFile) -> TextTable:
        _, content = zip_member(file.path, self._config.file_bytes_max)
        try:
            frame = pl.read_csv(content.rstrip(), has_header=False, infer_schema=False, new_columns=list(file.columns))
        except pl.exceptions.PolarsError as error:
            raise InputError(
                "TMT-D012",
                f"a row does not have {len(file.columns)} fields: {str(error).splitlines()[0]}",
                where=str(file.path),
                fix="Fetch the file again, or remove the row.",
            ) from error
        return TextTable(frame, file.path, range(1, len(frame) + 1), refuse=self._config.malformed == "refuse")

    def _time_column(self, file: LeanFile, table: TextTable) -> tuple[Column, Counter[str]]:
        if file.date:
            clock = table.numbers("time", _MILLISECOND)
            table.complain("time", clock.units >= DAY_NS, "milliseconds of one day")
            local_ns = clock.units + midnight_ns(file.date)
        else:
            local_ns, bad = _stamps(table.frame["time"])
            table.complain("time", bad, "YYYYMMDD HH:MM")
        time_ns, switched = local_to_utc_ns(local_ns, self._zone)
        return time_ns, Counter(clock_switches=int(switched.sum()))

    def _utc_ns(self, file: LeanFile, stamps: list[str]) -> Column:
        if file.date:
            local_ns = np.array([midnight_ns(file.date)])
        else:
            local_ns, _ = _stamps(pl.Series(stamps))
        return local_to_utc_ns(local_ns, self._zone)[0]


def _stamps(text: pl.Series) -> tuple[Column, Mask]:
    well_formed = text.str.contains(r"^\d{8} ([01]\d|2[0-3]):[0-5]\d$").fill_null(value=False)
    dates = text.str.slice(0, 8).str.to_date("%Y%m%d", strict=False)
    bad = ~(well_formed & dates.is_not_null()).to_numpy()
    days = dates.cast(pl.Int64).fill_null(0).to_numpy()
    clock = (text.str.slice(9, 2), text.str.slice(12, 2))
    hours, minutes = (part.cast(pl.Int64, strict=False).fill_null(0).to_numpy() for part in clock)
    return np.where(bad, 0, days * DAY_NS + (hours * 60 + minutes) * MINUTE_NS), bad
