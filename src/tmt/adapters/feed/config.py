"""How recorded market data are read."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tmt.domain.instrument import AssetClass
from tmt.domain.money import Exact, fraction

_MILLIONTH: Final = Decimal("0.000001")
_LOWEST: Final = {
    "gaps_kept_max": 0,
    "jump_rows_to_confirm": 1,
    "file_megabytes_max": 1,
    "synthetic_spread_ticks": 1,
}


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
        jump_fraction_max: by symbol, and under "default"; in (0, 1], whole millionths; a price farther from the last
            good row's mid is dropped, if that row is at most `gap_seconds_max` old.
        jump_rows_to_confirm: at least 1; that many rows in a row near one another are a new level, not an error.
        file_megabytes_max: at least 1; millions of bytes that an archive's content, or a JSON list, may have.
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
    jump_fraction_max: dict[str, Exact]
    jump_rows_to_confirm: int
    file_megabytes_max: int
    synthetic_spread_ticks: int
    lean_time_zones: dict[AssetClass, str]
    lean_price_scales: dict[AssetClass, int]
    indexed_symbols: tuple[str, ...]
    columns: ColumnMap

    def __post_init__(self) -> None:
        fraction("off_grid_fraction_max", self.off_grid_fraction_max)
        for name in ("gap_seconds_max", "jump_fraction_max"):
            if "default" not in getattr(self, name):
                raise ValueError(f"{name} must hold 'default'")
        for symbol, seconds in self.gap_seconds_max.items():
            if seconds < 1:
                raise ValueError(f"gap_seconds_max of {symbol} must be at least 1, was {seconds}")
        for symbol, part in self.jump_fraction_max.items():
            fraction(f"jump_fraction_max of {symbol}", part)
            if part == 0 or part % _MILLIONTH:
                raise ValueError(f"jump_fraction_max of {symbol} must be whole millionths above 0, was {part}")
        for name, lowest in _LOWEST.items():
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be at least {lowest}, was {getattr(self, name)}")
        for asset_class, zone in self.lean_time_zones.items():
            _known_zone(f"lean_time_zones of {asset_class}", zone)

    @property
    def file_bytes_max(self) -> int:
        """`file_megabytes_max` in bytes."""
        return self.file_megabytes_max * 1_000_000


def _known_zone(name: str, zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name} {zone!r} is not an IANA name") from error
