"""From local clocks and ISO text to nanoseconds UTC.

A local time that the clock shows twice is taken as its first showing; one that it never shows is read with the offset
in force before the change, which moves it forward by the change (PEP 495, fold 0). Both are counted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tmt.domain.session import DAY_NS
from tmt.market.open_hours import MINUTE_NS
from tmt.market.quality import Column, Mask

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - counts local clocks
_ISO: Final = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})[T ](?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
    r"(?:\.(?P<fraction>\d{1,9}))?(?:(?P<zulu>Z)|(?P<sign>[+-])(?P<off_hour>\d{2}):?(?P<off_minute>\d{2}))?$"
)


def local_to_utc_ns(local_ns: Column, zone: ZoneInfo) -> tuple[Column, Mask]:
    """Nanoseconds UTC of nanoseconds since 1970-01-01 00:00 on a local clock, and which ones it skips or repeats."""
    days, day_of = np.unique(local_ns // DAY_NS, return_inverse=True)
    offsets = np.empty(len(local_ns), dtype=np.int64)
    switched = np.zeros(len(local_ns), dtype=bool)
    whole_days = np.zeros(len(days), dtype=np.int64)
    ordinary = np.ones(len(days), dtype=bool)
    for index, day in enumerate(days.tolist()):
        first, last = _offset_ns(day * DAY_NS, zone), _offset_ns((day + 1) * DAY_NS, zone)
        whole_days[index] = first
        if first != last:
            _offsets_of_switch_day(np.flatnonzero(day_of == index), local_ns, zone, offsets, switched)
            ordinary[index] = False
    unswitched = ordinary[day_of]
    offsets[unswitched] = whole_days[day_of][unswitched]
    return local_ns - offsets, switched


def iso_to_utc_ns(text: pl.Series, zone: ZoneInfo) -> tuple[Column, Mask, Mask]:
    """Nanoseconds UTC of ISO 8601 text, which are not ISO 8601, and which the clock of `zone` skips or repeats."""
    parts = text.str.extract_groups(_ISO).struct.unnest()
    date = parts["date"].str.to_date("%Y-%m-%d", strict=False)
    bad = date.is_null().to_numpy()
    ns = date.cast(pl.Int64).fill_null(0).to_numpy() * DAY_NS
    for name, unit_ns in (("hour", 60 * MINUTE_NS), ("minute", MINUTE_NS), ("second", MINUTE_NS // 60)):
        ns = ns + parts[name].cast(pl.Int64).fill_null(0).to_numpy() * unit_ns
    ns = ns + parts["fraction"].fill_null("").str.pad_end(9, "0").cast(pl.Int64).to_numpy()
    off_minutes = parts["off_hour"].cast(pl.Int64) * 60 + parts["off_minute"].cast(pl.Int64)
    west = (parts["sign"] == "-").fill_null(value=False).to_numpy()
    shift = off_minutes.fill_null(0).to_numpy() * np.where(west, -MINUTE_NS, MINUTE_NS)
    is_local = (parts["zulu"].is_null() & parts["sign"].is_null()).to_numpy() & ~bad
    utc_ns = ns - shift
    switched = np.zeros(len(ns), dtype=bool)
    if is_local.any():
        utc_ns[is_local], switched[is_local] = local_to_utc_ns(ns[is_local], zone)
    return utc_ns, bad, switched


def _offsets_of_switch_day(rows: Column, local_ns: Column, zone: ZoneInfo, offsets: Column, switched: Mask) -> None:
    minutes, minute_of = np.unique(local_ns[rows] // MINUTE_NS, return_inverse=True)
    first = [_offset_ns(minute * MINUTE_NS, zone) for minute in minutes.tolist()]
    second = [_offset_ns(minute * MINUTE_NS, zone, fold=1) for minute in minutes.tolist()]
    offsets[rows] = np.array(first)[minute_of]
    switched[rows] = (np.array(first) != np.array(second))[minute_of]


def _offset_ns(local_ns: int, zone: ZoneInfo, fold: int = 0) -> int:
    local = (_EPOCH + timedelta(microseconds=local_ns // 1000)).replace(tzinfo=zone, fold=fold)
    offset = local.utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1) * 1000


def midnight_ns(yyyymmdd: str) -> int:
    """Wall-clock nanoseconds from 1970-01-01 00:00 to 00:00 of a date, both on one local clock.

    Raises:
        ValueError: when the text is no date.
    """
    return int(datetime.strptime(yyyymmdd, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * (MINUTE_NS // 60)
