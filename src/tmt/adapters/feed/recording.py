"""What every reader gives: recordings, and blocks of raw rows out of them; and text columns with their complaints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from tmt.adapters.feed.grid import Grid, to_grid
from tmt.domain.instrument import Instrument
from tmt.errors import InputError
from tmt.market.quality import Column, Mask, RawRows


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a recording, in the recording's order.

    Attributes:
        counts: findings of the reader, by the names of `InstrumentQuality`.
        notes: what no count says.
        period_ns: length of the bars that the rows were made of; 0 for ticks.
    """

    rows: RawRows
    counts: Counter[str]
    notes: tuple[str, ...] = ()
    period_ns: int = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, or files that only make sense together.

    Attributes:
        first_ns: event time of its first row, or of the start of its day; recordings are read in this order.
        rows: about how many it will give, to show progress.
        source: the line of `Feed.sources`.
        read: reads it from its beginning, a bounded part at a time.
    """

    name: str
    first_ns: int
    rows: int
    source: str
    read: Callable[[], Iterator[Block]]


class TextTable:
    """Columns of text out of a file.

    Attributes:
        bad: rows with a field that cannot be used; only where these are dropped, not refused.
    """

    def __init__(self, frame: pl.DataFrame, path: Path, lines: Sequence[int], *, refuse: bool) -> None:
        """`lines` holds the number of each row's line in the file."""
        self.frame = frame
        self.bad: Mask = np.zeros(len(frame), dtype=bool)
        self._path = path
        self._lines = lines
        self._refuse = refuse

    def __len__(self) -> int:
        return len(self.frame)

    def numbers(self, column: str, unit: Decimal, where: Mask | None = None) -> Grid:
        """A column in multiples of `unit`; `where` names the rows that must have it, the others are 0."""
        grid = to_grid(self.frame[column], unit)
        self.complain(column, grid.bad if where is None else grid.bad & where, "a number of at least 0")
        if where is None:
            return grid
        return Grid(np.where(where, grid.units, 0), grid.off & where, grid.bad & where)

    def complain(self, column: str, bad: Mask, wanted: str) -> None:
        """Refuse the file at the first bad field, or mark the rows.

        Raises:
            InputError: TMT-D008.
        """
        if not bad.any():
            return
        if self._refuse:
            index = int(np.argmax(bad))
            value = self.frame[column][index]
            raise InputError(
                "TMT-D008",
                f"{column} is {'empty' if value is None else repr(value)}, not {wanted}",
                where=f"{self._path}:{self._lines[index]}:{self.frame.get_column_index(column) + 1}",
                fix="Correct or remove the line, or set `malformed: drop` in feeds.yml to drop and count such lines.",
            )
        self.bad |= bad


def raw_rows(
    time_ns: Column,
    is_trade: Mask,
    columns: dict[str, Column],
    *,
    off_grid: Mask,
    suspicious: Mask | None = None,
) -> RawRows:
    """Rows with the named whole-number columns; those not named are 0."""
    zero = np.zeros(len(time_ns), dtype=np.int64)
    return RawRows(
        time_ns=time_ns,
        bid=columns.get("bid", zero),
        ask=columns.get("ask", zero),
        bid_size=columns.get("bid_size", zero),
        ask_size=columns.get("ask_size", zero),
        price=columns.get("price", zero),
        size=columns.get("size", zero),
        aggressor=columns.get("aggressor", zero),
        is_trade=is_trade,
        off_grid=off_grid,
        suspicious=np.zeros(len(time_ns), dtype=bool) if suspicious is None else suspicious,
    )


def half_spread_quanta(instrument: Instrument, spread_ticks: int) -> int:
    """Half of a made-up spread of `spread_ticks`, at least one quantum."""
    tick_quanta = instrument.quanta_of(instrument.tick_size)
    return max(1, spread_ticks * tick_quanta // 2)


def spread_note(instrument: Instrument, spread_ticks: int) -> str:
    """How the made-up quotes of a source read in its line."""
    spread = instrument.price_of(2 * half_spread_quanta(instrument, spread_ticks))
    return f"synthetic spread of {spread.normalize():f} around trades"
