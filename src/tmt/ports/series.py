"""The series: market data and measurements in columns, for people and programs to query.

Times are whole nanoseconds, UTC. Prices, quantities and values are DECIMAL(38, 18), which holds every exact number of
the desk to its last digit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import msgspec
import pyarrow as pa

from tmt.market.bar import Timeframe

LIMIT_MAX: Final = 10_000
"""Rows of the longest page."""

TIME_NS_MAX: Final = 2**63 - 1
EXACT_TYPE: Final = pa.decimal128(38, 18)
STAGE_DURATION: Final = "tmt_stage_duration_seconds"
"""The metric whose quantiles are the desk's latency."""

QUANTILES: Final = MappingProxyType({"p50": "0.50", "p90": "0.90", "p95": "0.95", "p99": "0.99"})

_TEXT: Final = ("instrument", "account", "timeframe", "name", "labels")
_WHOLE: Final = ("time_ns", "start_ns", "end_ns", "sequence", "aggressor", "tick_count", "count")


def _schema(*names: str) -> pa.Schema:
    kinds = {**dict.fromkeys(_TEXT, pa.string()), **dict.fromkeys(_WHOLE, pa.int64())}
    return pa.schema([pa.field(name, kinds.get(name, EXACT_TYPE)) for name in names])


SCHEMAS: Final[Mapping[str, pa.Schema]] = MappingProxyType(
    {
        "quotes": _schema("instrument", "time_ns", "sequence", "bid", "ask", "bid_size", "ask_size"),
        "trades": _schema("instrument", "time_ns", "sequence", "price", "size", "aggressor", "bid", "ask"),
        "bars": _schema(
            *("instrument", "timeframe", "start_ns", "end_ns", "open", "high", "low", "close"),
            *("volume", "tick_count", "bid", "ask"),
        ),
        "equity": _schema("account", "time_ns", "sequence", "equity", "realised", "unrealised", "fees"),
        "metrics": _schema("name", "labels", "time_ns", "sequence", "value"),
    }
)
"""Tables and their columns.

`sequence` tells rows of one time apart: a row of market data is numbered over its whole feed, a measurement by the log
position of the message that it follows from. Sizes and `aggressor` are as in `MarketBatch`, in units of the instrument.
Equity, realised profit, unrealised profit and fees are in the account's currency; null is unknown. `labels` is JSON
with sorted keys; of one name there is at most one value a message.
"""

NULLABLE: Final = ("equity", "realised", "unrealised", "fees")
"""Columns that may be null."""

QUANTILES_SCHEMA: Final = _schema("labels", "count", *QUANTILES, "max")
RETAINED: Final = ("quotes", "trades", "metrics")
"""Tables that `Series.retain` shortens; bars and equity are kept for ever."""


class Mark(NamedTuple):
    """How far the event log is in the series: a position and the id of the message there."""

    position: int
    message_id: str


NOTHING: Final = Mark(0, "")


class Key(NamedTuple):
    """Place of a row in its page's order; bars have sequence 0."""

    time_ns: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.time_ns}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Key:
        """What `str` wrote.

        Raises:
            ValueError: when `text` is anything else.
        """
        found = re.fullmatch(r"([0-9]{1,19})-([0-9]{1,19})", text, re.ASCII)
        if found is None or max(map(int, found.groups())) > TIME_NS_MAX:
            raise ValueError("a cursor is the `next` of an earlier page, such as 1700000000000000000-42")
        return cls(int(found[1]), int(found[2]))


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows a page holds: `from_ns` ≤ time < `to_ns`, the oldest first or the newest first.

    Attributes:
        limit: 1 to `LIMIT_MAX` rows.
        after: the page begins behind this row, in the page's order.
    """

    from_ns: int = 0
    to_ns: int = TIME_NS_MAX
    limit: int = 1000
    after: Key | None = None
    newest_first: bool = False

    def __post_init__(self) -> None:
        for name in ("from_ns", "to_ns"):
            if not 0 <= getattr(self, name) <= TIME_NS_MAX:
                raise ValueError(f"{name} must be 0 to {TIME_NS_MAX}, was {getattr(self, name)}")
        if not 1 <= self.limit <= LIMIT_MAX:
            raise ValueError(f"limit must be 1 to {LIMIT_MAX}, was {self.limit}")


class Page(NamedTuple):
    """Rows with the columns of `SCHEMAS`; `next` is the `after` of the page that follows, None at the end."""

    rows: pa.Table
    next: Key | None


class Series(Protocol):
    """Columns of one event log. One process writes; every method may be called from several threads.

    All raise StoreUnavailable when the store cannot be used.
    """

    def prepare(self) -> None:
        """Make what is missing of the store's tables. Preparing twice is allowed."""

    def describe(self) -> str:
        """What it runs on, in a line."""

    def mark(self) -> Mark:
        """How far the log has been taken in; `NOTHING` at the beginning."""

    def append(self, tables: Mapping[str, pa.Table], after: Mark, mark: Mark) -> bool:
        """Store rows and `mark` together, or nothing.

        Args:
            tables: by name, with the columns of `SCHEMAS`; ValueError when they have others.
            after: `mark()` when the rows were made.
            mark: the newest message that the rows follow from.

        Returns:
            Whether the rows were stored: False when `mark` was reached before.

        Raises:
            InputError: TMT-Q002 when the series is at neither, so that rows would be lost or doubled.
        """
        ...

    def candles(self, instrument: str, timeframe: Timeframe, window: Window) -> Page:
        """Bars by their start: the desk's own, or, of a timeframe that it does not make, aggregated from its 1m bars.

        Aggregated bars are aligned to UTC days, end where their last 1m bar ends, and the last may still grow.
        """
        ...

    def quotes(self, instrument: str, window: Window) -> Page:
        """Rows of market data without a trade."""
        ...

    def trades(self, instrument: str, window: Window) -> Page:
        """Trades, with the best prices then in force."""
        ...

    def equity(self, account: str, window: Window) -> Page:
        """A point wherever the account's equity changed."""
        ...

    def metrics(self, name: str, window: Window) -> Page:
        """Values of one metric, whatever their labels."""
        ...

    def quantiles(self, name: str, from_ns: int, to_ns: int) -> pa.Table:
        """Quantiles of a metric by labels, as `QUANTILES_SCHEMA`: each the least value that its share is at or below.

        At most `LIMIT_MAX` sets of labels, in their order as text.
        """
        ...

    def retain(self, older_than_ns: int) -> int:
        """Take rows of `RETAINED` out whose UTC day was over by then; return how many days were taken out, by table."""
        ...

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
