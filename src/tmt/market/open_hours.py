"""When a session is open, in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tmt.domain.session import NANOSECONDS_PER_SECOND, SessionHours

MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND
DAY_MINUTES: Final = 1440
DAY_NS: Final = DAY_MINUTES * MINUTE_NS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class OpenHours:
    """The open minutes of one session, remembered day by day. Sessions open and close on whole minutes."""

    def __init__(self, hours: SessionHours) -> None:
        self._hours = hours
        self._zone = ZoneInfo(hours.time_zone)
        self._masks: dict[str, NDArray[np.bool_]] = {}

    def minutes(self, day: int) -> NDArray[np.bool_]:
        """Whether each minute of a UTC day, counted from 1970-01-01, is open."""
        key = self._kind(day)
        mask = self._masks.get(key)
        if mask is None:
            first = day * DAY_MINUTES
            mask = np.array([self._hours.is_open((first + minute) * MINUTE_NS) for minute in range(DAY_MINUTES)])
            self._masks[key] = mask
        return mask

    def stretches(self, from_ns: int, to_ns: int) -> Iterator[tuple[int, int]]:
        """Every longest run of open time inside [from_ns, to_ns), as (start, end) in nanoseconds UTC."""
        start: int | None = None
        for day in range(from_ns // DAY_NS, (to_ns - 1) // DAY_NS + 1):
            mask = self.minutes(day)
            if start is not None and not mask[0]:
                yield start, day * DAY_NS
                start = None
            changes = (np.flatnonzero(mask[1:] != mask[:-1]) + 1).tolist()
            for minute in ([0] if start is None and mask[0] else []) + changes:
                moment = min(max(day * DAY_NS + minute * MINUTE_NS, from_ns), to_ns)
                if mask[minute]:
                    start = moment
                elif start is not None:
                    if moment > start:
                        yield start, moment
                    start = None
        if start is not None and to_ns > start:
            yield start, to_ns

    def _kind(self, day: int) -> str:
        # Days of one weekday on one clock are alike, unless the clock changes in them or a holiday is near.
        begin = _EPOCH + timedelta(days=day)
        offset = begin.astimezone(self._zone).utcoffset()
        unchanged = offset == (begin + timedelta(days=1)).astimezone(self._zone).utcoffset()
        near = {(begin + timedelta(days=days)).date().isoformat() for days in (-1, 0, 1, 2)}
        if unchanged and near.isdisjoint(self._hours.holidays):
            return f"{begin.weekday()} {offset}"
        return begin.date().isoformat()
