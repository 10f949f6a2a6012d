"""CSV and Parquet files with named columns, by the column map of the configuration.

A row with a price is a trade, a row without is a quote. A trade that has no quote of its own gets the last one before
it, or, in a file without quotes, one made up around its price.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tmt.adapters.feed.config import FeedsConfig, TimeUnit
from tmt.adapters.feed.recording import Block, Recording, TextTable, half_spread_quanta, raw_rows, spread_note
from tmt.adapters.feed.times import iso_to_utc_ns, local_to_utc_ns
from tmt.adapters.feed.unpacked import damaged, digest, opened
from tmt.domain.instrument import Instrument
from tmt.errors import InputError
from tmt.market.quality import Column, Mask

_BLOCK_BYTES: Final = 32 * 2**20
_BLOCK_ROWS: Final = 500_000
_UNITS: Final = {
    TimeUnit.NS: Decimal(1),
    TimeUnit.US: Decimal("0.001"),
    TimeUnit.MS: Decimal("0.000001"),
    TimeUnit.S: Decimal("0.000000001"),
}
_SIDES: Final = {"buy": 1, "b": 1, "1": 1, "sell": -1, "s": -1, "-1": -1, "": 0, "0": 0, "none": 0, "unknown": 0}
_UNKNOWN_SIDE: Final = 2

Frames = Iterator[tuple[pl.DataFrame, int]]


def csv_recording(path: Path, instrument: Instrument, config: FeedsConfig) -> Recording:
    """A CSV file, plain or gzip, whose first line names the columns."""
    bytes_max = config.file_bytes_max
    with opened(path, bytes_max) as file:
        rows = sum(block.count(b"\n") for block in _blocks(file)) - 1
    return _recording(path, "CSV", max(rows, 0), lambda: _csv_frames(path, bytes_max), instrument, config)


def parquet_recording(path: Path, instrument: Instrument, config: FeedsConfig) -> Recording:
    """A Parquet file."""
    try:
        rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as error:
        raise damaged(path, f"the file cannot be read: {str(error).splitlines()[0]}") from error
    return _recording(path, "Parquet", rows, lambda: _parquet_frames(path, rows), instrument, config)


def _recording(path: Path, form: str, rows: int, frames: Any, instrument: Instrument, config: FeedsConfig) -> Recording:
    reader = _Reader(path, instrument, config)
    first = next((block for block in reader.blocks(frames()) if len(block.rows)), None)
    zone = f", {config.columns.time_zone}" if config.columns.time_unit is TimeUnit.ISO else ", UTC"
    made_up = "" if config.columns.bid else f", {spread_note(instrument, config.synthetic_spread_ticks)}"
    return Recording(
        name=path.name,
        first_ns=0 if first is None else int(first.rows.time_ns[0]),
        rows=rows,
        source=f"{path.name} sha256:{digest(path)} {form}, {rows:,} rows{zone}{made_up}",
        read=lambda: reader.blocks(frames()),
    )


class _Reader:
    def __init__(self, path: Path, instrument: Instrument, config: FeedsConfig) -> None:
        self._path = path
        self._instrument = instrument
        self._map = config.columns
        self._zone = ZoneInfo(config.columns.time_zone)
        self._refuse = config.malformed == "refuse"
        self._half_spread = half_spread_quanta(instrument, config.synthetic_spread_ticks)

    def blocks(self, frames: Frames) -> Iterator[Block]:
        for frame, first_line in frames:
            self._require_columns(frame.columns)
            yield self._block(frame, first_line)

    def _require_columns(self, columns: list[str]) -> None:
        for role, column in self._map.named().items():
            if column not in columns:
                near = get_close_matches(column, columns, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise InputError(
                    "TMT-D009",
                    f"there is no column {column!r} for {role}; the columns are {', '.join(columns)}.{hint}",
                    where=str(self._path),
                    fix=f"Set columns.{role} in feeds.yml to the column's name.",
                )

    def _block(self, frame: pl.DataFrame, first_line: int) -> Block:
        named = self._map.named()
        text = frame.select(pl.col(column).cast(pl.String) for column in dict.fromkeys(named.values()))
        table = TextTable(text, self._path, range(first_line, first_line + len(frame)), refuse=self._refuse)
        time_ns, switched = self._times(frame, table)
        empty = {role: _empty(text[column]) for role, column in named.items()}
        rows_all = np.ones(len(frame), dtype=bool)
        has_quotes, has_trades = "bid" in named, "price" in named
        is_trade = rows_all & has_trades if not has_quotes else ~empty.get("price", rows_all)
        quoted = np.zeros(len(frame), dtype=bool) if not has_quotes else ~is_trade | ~empty["bid"] | ~empty["ask"]
        units: dict[str, Column] = {}
        off: dict[str, Mask] = {}
        for roles, where, unit in (
            (("bid", "ask"), quoted, self._instrument.price_quantum),
            (("price",), is_trade, self._instrument.price_quantum),
            (("bid_size", "ask_size"), quoted, self._instrument.lot_size),
            (("size",), is_trade, self._instrument.lot_size),
        ):
            for role in roles:
                if role in named:
                    grid = table.numbers(named[role], unit, where)
                    units[role], off[role] = grid.units, grid.off
        if "side" in named:
            units["aggressor"] = self._aggressors(table, named["side"])
        if not has_quotes:
            units["bid"], units["ask"] = units["price"] - self._half_spread, units["price"] + self._half_spread
        none = np.zeros(len(frame), dtype=bool)
        off_grid = off.get("bid", none) | off.get("ask", none) | off.get("price", none)
        off_sizes = off.get("bid_size", none) | off.get("ask_size", none) | off.get("size", none)
        counts = Counter(
            malformed=int(table.bad.sum()),
            clock_switches=int(switched.sum()),
            off_grid_sizes=int(off_sizes.sum()),
        )
        return Block(raw_rows(time_ns, is_trade, units, off_grid=off_grid).pick(~table.bad), counts)

    def _times(self, frame: pl.DataFrame, table: TextTable) -> tuple[Column, Mask]:
        column = frame[self._map.time]
        none = np.zeros(len(frame), dtype=bool)
        if isinstance(column.dtype, pl.Datetime):
            table.complain(self._map.time, column.is_null().to_numpy(), "a time")
            ns = column.cast(pl.Datetime("ns", column.dtype.time_zone)).to_physical().fill_null(0).to_numpy()
            return local_to_utc_ns(ns, self._zone) if column.dtype.time_zone is None else (ns, none)
        if self._map.time_unit is TimeUnit.ISO:
            ns, bad, switched = iso_to_utc_ns(table.frame[self._map.time], self._zone)
            table.complain(self._map.time, bad, "an ISO 8601 time")
            return ns, switched
        return table.numbers(self._map.time, _UNITS[self._map.time_unit]).units, none

    def _aggressors(self, table: TextTable, column: str) -> Column:
        lowered = table.frame[column].fill_null("").str.to_lowercase()
        sides = lowered.replace_strict(_SIDES, default=_UNKNOWN_SIDE, return_dtype=pl.Int64).to_numpy()
        table.complain(column, sides == _UNKNOWN_SIDE, "buy, sell or empty")
        return np.where(sides == _UNKNOWN_SIDE, 0, sides)


def _empty(text: pl.Series) -> Mask:
    return (text.fill_null("") == "").to_numpy()


def _csv_frames(path: Path, bytes_max: int) -> Frames:
    first_line = 2
    with opened(path, bytes_max) as file:
        header = file.readline().removeprefix(b"\xef\xbb\xbf")
        rest = b""
        for block in _blocks(file):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline and whole.strip():
                yield _csv_frame(header + whole.rstrip(), path), first_line
            first_line += whole.count(b"\n") + len(newline)
        if rest.strip():
            yield _csv_frame(header + rest, path), first_line


def _csv_frame(content: bytes, path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(content, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            "TMT-D012",
            f"a row has another number of fields than the header: {str(error).splitlines()[0]}",
            where=str(path),
            fix="Correct or remove the row.",
        ) from error


def _parquet_frames(path: Path, rows: int) -> Frames:
    for start in range(0, rows, _BLOCK_ROWS):
        yield pl.scan_parquet(path).slice(start, _BLOCK_ROWS).collect(), start + 1


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block
