"""UTC days, counted from 1970-01-01: what archives, partitions and chunks are cut by."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from tmt.domain.session import NANOSECONDS_PER_SECOND

DAY_NS: Final = 86_400 * NANOSECONDS_PER_SECOND
_FIRST: Final = date(1970, 1, 1)


def date_of(day: int) -> date:
    """The date of a day."""
    return _FIRST + timedelta(days=day)


def day_of(text: str) -> int:
    """The day of a date such as "2014-05-12" or "20140512"."""
    return (date.fromisoformat(text) - _FIRST).days
