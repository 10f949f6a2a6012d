"""Where market data come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tmt.domain.session import SessionHours
from tmt.market.batch import MarketBatch
from tmt.market.quality import FeedQuality


class Feed(Protocol):
    """Rows of market data in event-time order, the same rows on every reading.

    Rows are numbered densely from 0 over the whole feed. Where one batch ends and the next begins has no meaning:
    it may differ between readings, the rows may not.

    Attributes:
        symbols: `MarketBatch.symbols`; fixed for the feed's life.
        simulated: whether the data are made up; shown wherever the feed is named.
        sources: a line each: name, SHA-256, format, rows or bars, time zone, and what was made up on the way.
        bar_seconds: length of the bars that the rows were made of; 0 for quotes and trades as they came.
        traded: symbols whose rows include trades, so that bars can be made of trades.
        expected: when rows are expected, in the order of `symbols`; silence outside is no fault.
    """

    symbols: tuple[str, ...]
    simulated: bool
    sources: tuple[str, ...]

    @property
    def bar_seconds(self) -> int: ...
    @property
    def traded(self) -> tuple[str, ...]: ...
    @property
    def expected(self) -> tuple[SessionHours, ...]: ...

    def batches(self, from_sequence: int = 0, until_ns: int | None = None) -> Iterator[MarketBatch]:
        """Rows from number `from_sequence` on whose event time is below `until_ns`, in batches that are not empty.

        Raises:
            InputError: when a file cannot be used; the message names file, line and column.
        """
        ...

    @property
    def quality(self) -> FeedQuality:
        """What was found in the rows of the last reading so far, those before `from_sequence` included."""
        ...

    def total_rows(self) -> int | None:
        """About how many rows the whole feed has, to show progress; None when it is endless."""
        ...
