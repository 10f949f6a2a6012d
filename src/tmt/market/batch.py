"""A batch of market data in columns: quotes and trades of any number of instruments, in event-time order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = (
    ("time_ns", np.int64),
    ("instrument", np.int64),
    ("bid", np.int64),
    ("ask", np.int64),
    ("bid_size", np.int64),
    ("ask_size", np.int64),
    ("price", np.int64),
    ("size", np.int64),
    ("aggressor", np.int64),
)
_WIDTHS: Final = tuple((2 ** (8 * bytes_ - 1), f"<i{bytes_}") for bytes_ in (1, 2, 4, 8))


@dataclass(frozen=True, slots=True)
class MarketBatch:
    """Rows of market data. All columns have the same length; times never fall.

    Attributes:
        symbols: what the `instrument` column counts into.
        first_sequence: number of the first row, counted over the whole feed; rows are numbered densely.
        time_ns: event time, UTC.
        bid, ask: best prices in force at the row, in price quanta.
        bid_size, ask_size: displayed sizes in lots; 0 is unknown.
        price: price of a trade in quanta, or 0 when the row is a quote.
        size: traded lots; 0 for a quote, and for a trade whose size is unknown.
        aggressor: 1 when a buyer took, -1 when a seller took, 0 unknown.
    """

    symbols: tuple[str, ...]
    first_sequence: int
    time_ns: NDArray[np.int64]
    instrument: NDArray[np.int64]
    bid: NDArray[np.int64]
    ask: NDArray[np.int64]
    bid_size: NDArray[np.int64]
    ask_size: NDArray[np.int64]
    price: NDArray[np.int64]
    size: NDArray[np.int64]
    aggressor: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ns)

    def rows(self, start: int, stop: int) -> MarketBatch:
        """The rows from `start` up to `stop`, as views."""
        columns = {name: getattr(self, name)[start:stop] for name, _ in COLUMNS}
        return MarketBatch(symbols=self.symbols, first_sequence=self.first_sequence + start, **columns)


class PackedColumn(msgspec.Struct, frozen=True, array_like=True):
    """One column: its first value, the width of its differences in bytes (0: constant), the differences."""

    first: int
    width: int
    differences: bytes


def pack(batch: MarketBatch) -> tuple[PackedColumn, ...]:
    """Columns as first value and differences, each in the narrowest whole type that holds them."""
    if len(batch) == 0:
        return (PackedColumn(0, 0, b""),) * len(COLUMNS)
    # All columns at once: a batch may be one row, and then NumPy's calls are the whole cost.
    columns = np.stack([getattr(batch, name) for name, _ in COLUMNS])
    differences = np.diff(columns)
    lows = differences.min(axis=1, initial=0).tolist()
    highs = differences.max(axis=1, initial=0).tolist()
    return tuple(map(_packed, columns[:, 0].tolist(), differences, lows, highs))


def unpack(symbols: tuple[str, ...], first_sequence: int, rows: int, columns: tuple[PackedColumn, ...]) -> MarketBatch:
    """What `pack` packed.

    Raises:
        ValueError: when the columns do not hold `rows` rows each.
    """
    if len(columns) != len(COLUMNS):
        raise ValueError(f"a batch has {len(COLUMNS)} columns, got {len(columns)}")
    named = {name: _unpack(column, rows) for (name, _), column in zip(COLUMNS, columns, strict=True)}
    return MarketBatch(symbols=symbols, first_sequence=first_sequence, **named)


def _packed(first: int, differences: NDArray[np.int64], low: int, high: int) -> PackedColumn:
    if low == high == 0:
        return PackedColumn(first, 0, b"")
    width = next(width for bound, width in _WIDTHS if -bound <= low and high < bound)
    packed = differences.astype(width)
    return PackedColumn(first, packed.itemsize, packed.tobytes())


def _unpack(packed: PackedColumn, rows: int) -> NDArray[np.int64]:
    if packed.width == 0:
        return np.full(rows, packed.first, dtype=np.int64)
    if packed.width not in (1, 2, 4, 8):
        raise ValueError(f"a column's width must be 0, 1, 2, 4 or 8 bytes, was {packed.width}")
    differences = np.frombuffer(packed.differences, dtype=f"<i{packed.width}")
    if len(differences) != rows - 1:
        raise ValueError(f"a column of {rows} rows has {rows - 1} differences, got {len(differences)}")
    column = np.empty(rows, dtype=np.int64)
    column[0] = packed.first
    np.cumsum(differences, dtype=np.int64, out=column[1:])
    column[1:] += packed.first
    return column
