"""When an instrument trades, in its own time zone, daylight saving included."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

NANOSECONDS_PER_SECOND: Final = 1_000_000_000
_WEEK_MINUTES: Final = 7 * 24 * 60
_CLOCK_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class SessionHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weekly opening hours.

    Attributes:
        time_zone: IANA name; all other fields are wall-clock times there.
        open: intervals such as "sun 17:00 - fri 17:00" or "mon-fri 09:30 - 16:00"; empty means always open.
        day_starts_at: wall-clock start of a trading day, "HH:MM"; daily bars and daily limits turn over then.
        holidays: dates, by the day on which the trading day ends, on which nothing trades.
    """

    time_zone: str
    open: tuple[str, ...]
    day_starts_at: str
    holidays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is not an IANA name") from error
        _clock_time(self.day_starts_at)
        _weekly_intervals(self.open)
        for day in self.holidays:
            if date.fromisoformat(day).isoformat() != day:
                raise ValueError(f"holidays must read YYYY-MM-DD, was {day!r}")

    def is_open(self, time_ns: int) -> bool:
        """Whether the instrument trades at event time `time_ns`."""
        local = _local(self.time_zone, time_ns)
        if self.holidays and trading_day(self, time_ns) in self.holidays:
            return False
        if not self.open:
            return True
        minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
        return any(_inside(minute, start, end) for start, end in _weekly_intervals(self.open))


def trading_day(hours: SessionHours, time_ns: int) -> str:
    """ISO date of the trading day that `time_ns` belongs to, named by the date on which that day ends."""
    first = _first_date(hours, time_ns)
    ends_same_date = _clock_time(hours.day_starts_at) == time(0)
    return (first if ends_same_date else first + timedelta(days=1)).isoformat()


def day_bounds_ns(hours: SessionHours, time_ns: int) -> tuple[int, int]:
    """Start and end (exclusive) of the trading day around `time_ns`; 23 or 25 hours apart at a clock change."""
    first = _first_date(hours, time_ns)
    return _start_ns(hours, first), _start_ns(hours, first + timedelta(days=1))


def _first_date(hours: SessionHours, time_ns: int) -> date:
    local = _local(hours.time_zone, time_ns)
    first = local.date() if local.time() >= _clock_time(hours.day_starts_at) else local.date() - timedelta(days=1)
    # A day may start in an hour that the clock skips or repeats; then its wall-clock time alone misleads.
    if time_ns < _start_ns(hours, first):
        return first - timedelta(days=1)
    following = first + timedelta(days=1)
    return following if time_ns >= _start_ns(hours, following) else first


def _start_ns(hours: SessionHours, day: date) -> int:
    return _ns(datetime.combine(day, _clock_time(hours.day_starts_at), ZoneInfo(hours.time_zone)))


def _local(time_zone: str, time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NANOSECONDS_PER_SECOND, UTC).astimezone(ZoneInfo(time_zone))


def _ns(moment: datetime) -> int:
    return int((moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


@lru_cache(maxsize=256)
def _clock_time(text: str) -> time:
    if _CLOCK_TIME.fullmatch(text) is None:
        raise ValueError(f"a time of day must read HH:MM, was {text!r}")
    return time.fromisoformat(text)


@lru_cache(maxsize=256)
def _weekly_intervals(texts: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(interval for text in texts for interval in _parse(text))


def _parse(text: str) -> list[tuple[int, int]]:
    try:
        left, right = (side.split() for side in text.split(" - "))
        days, opens = left
        if len(right) == 2:
            start = _DAYS.index(days) * 1440 + _minutes(opens)
            end = _DAYS.index(right[0]) * 1440 + _minutes(right[1])
            return [(start, end if end > start else end + _WEEK_MINUTES)]
        first, dash, last = days.partition("-")
        span = range(_DAYS.index(first), _DAYS.index(last if dash else first) + 1)
        begins, closes = _minutes(opens), _minutes(right[0])
        if not span or begins >= closes:
            raise ValueError("days and times must run forward")
        return [(day * 1440 + begins, day * 1440 + closes) for day in span]
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"session hours {text!r} must read 'sun 17:00 - fri 17:00' or 'mon-fri 09:30 - 16:00'"
        ) from error


def _minutes(text: str) -> int:
    if text == "24:00":
        return 1440
    moment = _clock_time(text)
    return moment.hour * 60 + moment.minute


def _inside(minute: int, start: int, end: int) -> bool:
    return start <= minute < end or start <= minute + _WEEK_MINUTES < end
