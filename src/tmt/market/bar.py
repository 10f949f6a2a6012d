"""Bars and timeframes."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from tmt.domain.money import Exact, not_negative, positive
from tmt.domain.session import NANOSECONDS_PER_SECOND


class Timeframe(StrEnum):
    """Length of a bar."""

    S1 = "1s"
    S5 = "5s"
    S15 = "15s"
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def nanoseconds(self) -> int:
        """Nominal length; a day at a clock change is an hour shorter or longer."""
        return _SECONDS[self] * NANOSECONDS_PER_SECOND


_SECONDS: Final = {
    Timeframe.S1: 1,
    Timeframe.S5: 5,
    Timeframe.S15: 15,
    Timeframe.M1: 60,
    Timeframe.M5: 300,
    Timeframe.M15: 900,
    Timeframe.M30: 1800,
    Timeframe.H1: 3600,
    Timeframe.H4: 14400,
    Timeframe.D1: 86400,
}


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Prices over [start_ns, end_ns).

    Attributes:
        open, high, low, close: of trades, or of mid prices where the feed has no trades.
        volume: traded quantity in units; 0 where the feed has none.
        tick_count: rows in the bar; stands in for volume where `volume` is 0.
        bid, ask: best prices at the bar's end.
    """

    instrument: str
    timeframe: Timeframe
    start_ns: int
    end_ns: int
    open: Exact
    high: Exact
    low: Exact
    close: Exact
    volume: Exact
    tick_count: int
    bid: Exact
    ask: Exact

    def __post_init__(self) -> None:
        positive("low", self.low)
        not_negative("volume", self.volume)
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(f"bar of {self.instrument} must have low ≤ open, close ≤ high: {self}")

    @property
    def effort(self) -> Decimal:
        """Volume, or the tick count where there is no volume."""
        return self.volume or Decimal(self.tick_count)
