"""When an instrument trades, in its own time zone, daylight saving included."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache, partial
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

NANOSECONDS_PER_SECOND: Final = 1_000_000_000
DAY_NS: Final = 24 * 3600 * NANOSECONDS_PER_SECOND
_DAY_MINUTES: Final = 24 * 60
_WEEK_MINUTES: Final = 7 * _DAY_MINUTES
_WEEK_NS: Final = 7 * DAY_NS
_WEEKS_REMEMBERED: Final = 256
_CLOCK_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Week = tuple[tuple[int, ...], tuple[int, ...]]
"""When a session opens and closes within a week that begins on a Thursday, 00:00 UTC, as 1970 did."""


class SessionHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Weekly opening hours, and the days that differ. Sessions open and close on whole minutes.

    Attributes:
        time_zone: IANA name; all other fields are wall-clock times there.
        open: intervals such as "sun 17:00 - fri 17:00" or "mon-fri 09:30 - 16:00"; empty means always open.
        day_starts_at: wall-clock start of a trading day, "HH:MM"; daily bars and daily limits turn over then.
        holidays: dates, by the day on which the trading day ends, on which nothing trades.
        early_closes: "YYYY-MM-DD HH:MM", the date as for holidays; nothing trades from then to the trading day's end.
        calendar: name of the exchange calendar whose days are meant; see `tmt.domain.trading_calendar`.
        calendar_first, calendar_last: the days that it knows, both included. Outside them nothing trades, and with a
            calendar but no days nothing ever does. The configuration fills them in.
    """

    time_zone: str
    open: tuple[str, ...]
    day_starts_at: str
    holidays: tuple[str, ...] = ()
    early_closes: tuple[str, ...] = ()
    calendar: str = ""
    calendar_first: str = ""
    calendar_last: str = ""

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is not an IANA name") from error
        _clock_time(self.day_starts_at)
        _weekly_intervals(self.open)
        check_dates("holidays", self.holidays)
        check_early_closes("early_closes", self.early_closes)
        check_dates("calendar_first and calendar_last", tuple(filter(None, (self.calendar_first, self.calendar_last))))

    def is_open(self, time_ns: int) -> bool:
        """Whether the instrument trades at event time `time_ns`."""
        opens_ns, closes_ns = self._week(time_ns // _WEEK_NS)
        index = bisect_right(opens_ns, time_ns)
        return index > 0 and time_ns < closes_ns[index - 1]

    def stretches(self, from_ns: int, to_ns: int) -> Iterator[tuple[int, int]]:
        """Every longest run of open time inside [from_ns, to_ns), as (start, end) in nanoseconds UTC."""
        start_ns = end_ns = from_ns
        for week in range(from_ns // _WEEK_NS, (to_ns - 1) // _WEEK_NS + 1):
            for opens_ns, closes_ns in zip(*self._week(week), strict=True):
                if opens_ns > end_ns:
                    if end_ns > start_ns:
                        yield start_ns, end_ns
                    start_ns = min(opens_ns, to_ns)
                end_ns = max(start_ns, min(closes_ns, to_ns))
        if end_ns > start_ns:
            yield start_ns, end_ns

    def knows(self, time_ns: int) -> bool:
        """Whether the calendar, if any, reaches the trading day around `time_ns`."""
        return self._known(trading_day(self, time_ns))

    def _known(self, day: str) -> bool:
        return not self.calendar or self.calendar_first <= day <= self.calendar_last

    @cached_property
    def _week(self) -> Callable[[int], Week]:
        return lru_cache(maxsize=_WEEKS_REMEMBERED)(partial(_open_week, self))

    @cached_property
    def _closes_early(self) -> dict[str, str]:
        return {text[:10]: text[11:] for text in self.early_closes} | dict.fromkeys(self.holidays, "")

    def closed_from_ns(self, day: date) -> int | None:
        """From when on nothing trades in the trading day that ends on the date `day`; None on an ordinary day."""
        name = day.isoformat()
        closes = self._closes_early.get(name)
        if closes == "" or not self._known(name):
            return _day_start_ns(self, day)
        return None if closes is None else _wall_ns(self, day, _minutes(closes))


def long_close_ns(hours: SessionHours, time_ns: int, ahead_ns: int) -> int | None:
    """The first moment, from `time_ns` to `ahead_ns` later, from which on nothing trades for a day; None without."""
    last_ns = time_ns + ahead_ns
    closed_ns = time_ns
    for opens_ns, closes_ns in hours.stretches(time_ns, last_ns + DAY_NS):
        if opens_ns - closed_ns >= DAY_NS:
            return closed_ns
        closed_ns = closes_ns
    return closed_ns if closed_ns <= last_ns else None


def trading_day(hours: SessionHours, time_ns: int) -> str:
    """ISO date of the trading day that `time_ns` belongs to, named by the date on which that day ends."""
    first = _first_date(hours, time_ns)
    return (first if _ends_same_date(hours) else first + timedelta(days=1)).isoformat()


def day_bounds_ns(hours: SessionHours, time_ns: int) -> tuple[int, int]:
    """Start and end (exclusive) of the trading day around `time_ns`; 23 or 25 hours apart at a clock change."""
    first = _first_date(hours, time_ns)
    return _start_ns(hours, first), _start_ns(hours, first + timedelta(days=1))


def _first_date(hours: SessionHours, time_ns: int) -> date:
    # A day may start in an hour that the clock skips or repeats, so its wall-clock time alone would mislead.
    first = _local(hours.time_zone, time_ns).date()
    if time_ns < _start_ns(hours, first):
        return first - timedelta(days=1)
    following = first + timedelta(days=1)
    return following if time_ns >= _start_ns(hours, following) else first


def _start_ns(hours: SessionHours, day: date) -> int:
    return moment_ns(datetime.combine(day, _clock_time(hours.day_starts_at), ZoneInfo(hours.time_zone)))


def _day_start_ns(hours: SessionHours, ends_on: date) -> int:
    return _start_ns(hours, ends_on if _ends_same_date(hours) else ends_on - timedelta(days=1))


def _ends_same_date(hours: SessionHours) -> bool:
    return _clock_time(hours.day_starts_at) == time(0)


def _open_week(hours: SessionHours, week: int) -> Week:
    from_ns, to_ns = week * _WEEK_NS, (week + 1) * _WEEK_NS
    first = _local(hours.time_zone, from_ns).date()
    monday = first - timedelta(days=first.weekday() + 7)
    found = [] if hours.open else [(from_ns, to_ns)]
    for each in (monday, monday + timedelta(days=7), monday + timedelta(days=14)):
        for start, end in _weekly_intervals(hours.open):
            found.append((_wall_ns(hours, each, start), _wall_ns(hours, each, end)))
    # A trading day may begin on the date before the one it is named by, and a zone be a day ahead of UTC.
    for day in (first + timedelta(days=days) for days in range(-1, 11)):
        closed_ns = hours.closed_from_ns(day)
        if closed_ns is not None:
            found = _without(found, closed_ns, _day_start_ns(hours, day + timedelta(days=1)))
    merged: list[tuple[int, int]] = []
    for start_ns, end_ns in sorted((max(start, from_ns), min(end, to_ns)) for start, end in found):
        if merged and start_ns <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_ns))
        elif start_ns < end_ns:
            merged.append((start_ns, end_ns))
    return tuple(start_ns for start_ns, _ in merged), tuple(end_ns for _, end_ns in merged)


def _without(stretches: list[tuple[int, int]], from_ns: int, to_ns: int) -> list[tuple[int, int]]:
    before = [(start, min(end, from_ns)) for start, end in stretches]
    after = [(max(start, to_ns), end) for start, end in stretches]
    return [(start, end) for start, end in before + after if start < end]


def _wall_ns(hours: SessionHours, day: date, minutes: int) -> int:
    days, minute = divmod(minutes, _DAY_MINUTES)
    clock = time(minute // 60, minute % 60)
    return moment_ns(datetime.combine(day + timedelta(days=days), clock, ZoneInfo(hours.time_zone)))


def check_dates(name: str, days: tuple[str, ...]) -> None:
    """Raise ValueError unless every one of `days` reads YYYY-MM-DD."""
    for day in days:
        if date.fromisoformat(day).isoformat() != day:
            raise ValueError(f"{name} must read YYYY-MM-DD, was {day!r}")


def check_early_closes(name: str, closes: tuple[str, ...]) -> None:
    """Raise ValueError unless every one of `closes` reads YYYY-MM-DD HH:MM."""
    for text in closes:
        day, _, clock = text.partition(" ")
        check_dates(name, (day,))
        _clock_time(clock)


def _local(time_zone: str, time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NANOSECONDS_PER_SECOND, UTC).astimezone(ZoneInfo(time_zone))


def moment_ns(moment: datetime) -> int:
    """Event time of an aware moment, in nanoseconds UTC, exact to its microsecond."""
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


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
            start = _DAYS.index(days) * _DAY_MINUTES + _minutes(opens)
            end = _DAYS.index(right[0]) * _DAY_MINUTES + _minutes(right[1])
            return [(start, end if end > start else end + _WEEK_MINUTES)]
        first, dash, last = days.partition("-")
        span = range(_DAYS.index(first), _DAYS.index(last if dash else first) + 1)
        begins, closes = _minutes(opens), _minutes(right[0])
        if not span or begins >= closes:
            raise ValueError("days and times must run forward")
        return [(day * _DAY_MINUTES + begins, day * _DAY_MINUTES + closes) for day in span]
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"session hours {text!r} must read 'sun 17:00 - fri 17:00' or 'mon-fri 09:30 - 16:00'"
        ) from error


def _minutes(text: str) -> int:
    if text == "24:00":
        return _DAY_MINUTES
    moment = _clock_time(text)
    return moment.hour * 60 + moment.minute
