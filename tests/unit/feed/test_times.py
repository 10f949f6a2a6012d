"""Local clocks and ISO text: daylight saving right in both directions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmt.adapters.feed.times import iso_to_utc_ns, local_to_utc_ns, midnight_ns

NEW_YORK = ZoneInfo("America/New_York")
HOUR_NS = 3600 * 10**9


def utc_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


def local_ns(date: str, hours: float) -> int:
    return midnight_ns(date) + int(hours * HOUR_NS)


@pytest.mark.parametrize(
    ("date", "hours", "expected", "switched"),
    [
        ("20140501", 10, "2014-05-01T14:00:00+00:00", False),
        ("20140115", 10, "2014-01-15T15:00:00+00:00", False),
        ("20140309", 1.5, "2014-03-09T06:30:00+00:00", False),
        ("20140309", 2.5, "2014-03-09T07:30:00+00:00", True),  # never shown: one hour on is 03:30
        ("20140309", 3, "2014-03-09T07:00:00+00:00", False),
        ("20140309", 10, "2014-03-09T14:00:00+00:00", False),
        ("20141102", 0.5, "2014-11-02T04:30:00+00:00", False),
        ("20141102", 1.5, "2014-11-02T05:30:00+00:00", True),  # shown twice: the first
        ("20141102", 2, "2014-11-02T07:00:00+00:00", False),
        ("20141102", 10, "2014-11-02T15:00:00+00:00", False),
    ],
)
def test_ten_o_clock_is_ten_hours_after_midnight_even_when_the_clock_changes(
    date: str, hours: float, expected: str, switched: bool
) -> None:
    times, marks = local_to_utc_ns(np.array([local_ns(date, hours)]), NEW_YORK)
    assert times.tolist() == [utc_ns(expected)]
    assert marks.tolist() == [switched]


@given(
    minutes=st.lists(st.integers(0, 60 * 24 * 365 * 60), max_size=20),
    zone=st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
@example(minutes=[23316630, 23316600], zone="America/New_York")
def test_every_local_time_agrees_with_zoneinfo(minutes: list[int], zone: str) -> None:
    local = np.array(minutes, dtype=np.int64) * 60 * 10**9
    times, _ = local_to_utc_ns(local, ZoneInfo(zone))
    for minute, time_ns in zip(minutes, times.tolist(), strict=True):
        wall = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).replace(tzinfo=ZoneInfo(zone))
        assert time_ns == int(wall.timestamp()) * 10**9


def test_iso_text_is_read_to_the_nanosecond() -> None:
    texts = ["2024-12-20T19:05:18.319581890Z", "2024-12-20 14:05:18-05:00", "2024-12-20T14:05:18.5", "2024-12-20 14:05"]
    times, bad, _ = iso_to_utc_ns(pl.Series(texts), NEW_YORK)
    second = utc_ns("2024-12-20T19:05:18+00:00")
    assert times.tolist() == [second + 319581890, second, second + 500_000_000, second - 18 * 10**9]
    assert not bad.any()


@pytest.mark.parametrize("text", [None, "", "2024-02-30T00:00:00Z", "2024-01-01T25:00:00Z", "yesterday", "1723161253"])
def test_text_that_is_no_iso_time_is_bad(text: str | None) -> None:
    _, bad, _ = iso_to_utc_ns(pl.Series([text], dtype=pl.String), NEW_YORK)
    assert bad.tolist() == [True]
