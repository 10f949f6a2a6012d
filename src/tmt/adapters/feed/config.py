"""How recorded market data are read."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tmt.domain.instrument import AssetClass
from tmt.domain.money import Exact, fraction


class TimeUnit(StrEnum):
    """What a time column counts since 1970-01-01 UTC, or that it is ISO 8601 text."""

    NS = "ns"
    US = "us"
    MS = "ms"
    S = "s"
    ISO = "iso"


class ColumnMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which columns of a CSV or Parquet file hold what; empty: the file has none.

    A row with a price is a trade; a row without is a quote.

    Attributes:
        side: who took: buy, b, 1 or sell, s, -1; empty or 0 where unknown.
        time_unit: what `time` counts; Parquet's own timestamps need no unit.
        time_zone: IANA name; applies to ISO times without an offset.
    """

    time: str
    bid: str
    ask: str
    bid_size: str
    ask_size: str
    price: str
    size: str
    side: str
    time_unit: TimeUnit
    time_zone: str

    def __post_init__(self) -> None:
        _known_zone("time_zone", self.time_zone)
        if not self.time:
            raise ValueError("time must name a column")
        if bool(self.bid) != bool(self.ask):
            raise ValueError("bid and ask must both name a column, or neither")
        if not (self.bid or self.price):
            raise ValueError("bid and ask, or price, must name columns")

    def named(self) -> dict[str, str]:
        """Role -> column, for the roles that have one."""
        roles = ("time", "bid", "ask", "bid_size", "ask_size", "price", "size", "side")
        return {role: getattr(self, role) for role in roles if getattr(self, role)}


class FeedsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How recorded market data are read and judged.

    Attributes:
        malformed: what to do with a row that has a field that is empty, negative or no number.
        off_grid_fraction_max: in (0, 1]; above this fraction of off-grid prices a file is refused.
        gap_seconds_max: by symbol, and under "default"; a longer silence in an open session is a gap.
        gap_hours: by symbol; weekly hours, as in a session, in which gaps are looked for; default: the session's.
        gaps_kept_max: gaps that are kept with their times.
        synthetic_spread_ticks: between the quotes made up around trades where a file has no quotes.
        lean_time_zones: by asset class; clock of LEAN's files.
        lean_price_scales: by asset class; what LEAN multiplies prices with; 1 where not named.
        indexed_symbols: what the instrument numbers of a JSON event list stand for.
        columns: of CSV and Parquet files.
    """

    malformed: Literal["refuse", "drop"]
    off_grid_fraction_max: Exact
    gap_seconds_max: dict[str, int]
    gap_hours: dict[str, tuple[str, ...]]
    gaps_kept_max: int
    synthetic_spread_ticks: int
    lean_time_zones: dict[AssetClass, str]
    lean_price_scales: dict[AssetClass, int]
    indexed_symbols: tuple[str, ...]
    columns: ColumnMap

    def __post_init__(self) -> None:
        fraction("off_grid_fraction_max", self.off_grid_fraction_max)
        if "default" not in self.gap_seconds_max:
            raise ValueError("gap_seconds_max must hold 'default'")
        for symbol, seconds in self.gap_seconds_max.items():
            if seconds < 1:
                raise ValueError(f"gap_seconds_max of {symbol} must be at least 1, was {seconds}")
        if self.gaps_kept_max < 0:
            raise ValueError(f"gaps_kept_max must be at least 0, was {self.gaps_kept_max}")
        if self.synthetic_spread_ticks < 1:
            raise ValueError(f"synthetic_spread_ticks must be at least 1, was {self.synthetic_spread_ticks}")
        for asset_class, zone in self.lean_time_zones.items():
            _known_zone(f"lean_time_zones of {asset_class}", zone)


def _known_zone(name: str, zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name} {zone!r} is not an IANA name") from error
