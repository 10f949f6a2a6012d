"""How market data become bars, and when a feed is stale."""

from __future__ import annotations

import msgspec

from tmt.market.bar import Timeframe


class MarketConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bars and feed supervision.

    Attributes:
        timeframes: bars to build; each a multiple of the finest.
        stale_after_seconds: silence, while the session is open, after which an instrument's feed is stale; for data
            that are bars themselves, three of their periods when that is longer.
    """

    timeframes: tuple[Timeframe, ...]
    stale_after_seconds: int

    def __post_init__(self) -> None:
        if not self.timeframes:
            raise ValueError("timeframes must name at least one")
        if self.stale_after_seconds < 1:
            raise ValueError(f"stale_after_seconds must be at least 1, was {self.stale_after_seconds}")
