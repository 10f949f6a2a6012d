"""Scheduled news: when figures come out that move the markets of a currency."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from datetime import datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tmt.domain.session import moment_ns

_AT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}) (\S+)", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):([0-9]{2})", re.ASCII)


class Impact(StrEnum):
    """How much an event usually moves prices, as its calendar says."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class NewsEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One scheduled release.

    Attributes:
        at: "YYYY-MM-DD HH:MM ZONE"; the zone is an IANA name or an offset such as "-05:00".
        currency: whose markets it moves.
        title: what is released.

    Raises:
        ValueError: when `at` is no moment, or one that the zone's clock skips or shows twice.
    """

    at: str
    currency: str
    impact: Impact
    title: str

    def __post_init__(self) -> None:
        if not self.currency:
            raise ValueError(f"currency of the event {self.title!r} must not be empty")
        _moment(self.at)

    @cached_property
    def time_ns(self) -> int:
        """Event time of the release."""
        return moment_ns(_moment(self.at))


class NewsCalendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Scheduled events, in any order."""

    events: tuple[NewsEvent, ...]

    def next_event(self, currencies: Collection[str], now_ns: int, impacts: Collection[Impact]) -> NewsEvent | None:
        """The first event at or after `now_ns` of one of these currencies and impacts."""
        coming = self._sorted[bisect_left(self._times_ns, now_ns) :]
        return next((event for event in coming if event.currency in currencies and event.impact in impacts), None)

    def blackout(
        self, currencies: Collection[str], now_ns: int, impacts: Collection[Impact], *, before_ns: int, after_ns: int
    ) -> NewsEvent | None:
        """The first event of these that is less than `before_ns` ahead or less than `after_ns` ago.

        Exactly `before_ns` ahead or `after_ns` ago is outside.
        """
        first = bisect_right(self._times_ns, now_ns - after_ns)
        last = bisect_left(self._times_ns, now_ns + before_ns)
        near = self._sorted[first:last]
        return next((event for event in near if event.currency in currencies and event.impact in impacts), None)

    @cached_property
    def _sorted(self) -> tuple[NewsEvent, ...]:
        return tuple(sorted(self.events, key=lambda event: (event.time_ns, event.currency, event.title)))

    @cached_property
    def _times_ns(self) -> tuple[int, ...]:
        return tuple(event.time_ns for event in self._sorted)


def _moment(at: str) -> datetime:
    read = _AT.fullmatch(at)
    if read is None:
        raise ValueError(f"at must read 'YYYY-MM-DD HH:MM ZONE', was {at!r}")
    day, clock, zone = read.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=_zone(zone))
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():
        raise ValueError(f"at is a time that the clock of {zone} skips or shows twice, was {at!r}; give an offset")
    return moment


def _zone(text: str) -> tzinfo:
    offset = _OFFSET.fullmatch(text)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-ahead if sign == "-" else ahead)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"at names the zone {text!r}, which is neither an IANA name nor an offset") from error
