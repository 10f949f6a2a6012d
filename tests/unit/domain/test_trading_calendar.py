"""Are the shipped calendars those of the exchanges, and do sessions take them over?"""

import importlib.resources

import msgspec
import pytest

from tmt.config import load
from tmt.domain.session import SessionHours
from tmt.domain.trading_calendar import TradingCalendar
from tmt.errors import ConfigError
from tmt.sections import SECTIONS, load_config, with_calendars
from tools.calendars import calendars

CALENDAR = TradingCalendar(
    time_zone="America/New_York",
    first_day="2024-01-01",
    last_day="2024-12-31",
    holidays=("2024-12-25", "2024-07-04"),
    early_closes=("2024-11-29 13:00",),
)
HOURS = SessionHours(
    time_zone="America/New_York", open=("mon-fri 09:30 - 16:00",), day_starts_at="00:00", calendar="XNYS"
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library's own, about pandas
def test_the_shipped_calendars_are_what_the_library_says() -> None:
    folder = importlib.resources.files("tmt") / "defaults" / "calendars"
    shipped = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    assert shipped == calendars(), "stale: run python -m tools.calendars"


def test_new_york_keeps_its_known_days() -> None:
    new_york = load_config(None).sections["calendars"]["XNYS"]
    for day in ("2001-09-11", "2012-10-29", "2021-04-02", "2022-06-20", "2025-01-09", "2027-12-24"):
        assert day in new_york.holidays
    assert "2024-11-29 13:00" in new_york.early_closes
    assert (new_york.first_day, new_york.last_day) == ("1998-01-01", "2027-12-31")
    assert list(new_york.holidays) == sorted(new_york.holidays)


def test_a_session_takes_over_the_days_beside_its_own() -> None:
    own = msgspec.structs.replace(HOURS, holidays=("2024-03-01",), early_closes=("2024-03-04 12:00",))
    applied = CALENDAR.applied(own)
    assert applied.holidays == ("2024-03-01", "2024-07-04", "2024-12-25")
    assert applied.early_closes == ("2024-03-04 12:00", "2024-11-29 13:00")
    assert (applied.calendar_first, applied.calendar_last) == ("2024-01-01", "2024-12-31")
    assert applied.calendar == "XNYS"
    assert CALENDAR.applied(applied) == applied


def test_a_calendar_of_another_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="Europe/London"):
        CALENDAR.applied(msgspec.structs.replace(HOURS, time_zone="Europe/London"))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"first_day": "2025-01-01"}, "last_day"),
        ({"first_day": "now"}, "isoformat"),
        ({"last_day": "20241231"}, "YYYY-MM-DD"),
        ({"holidays": ("20241225",)}, "YYYY-MM-DD"),
        ({"early_closes": ("2024-11-29",)}, "HH:MM"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(changes: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        msgspec.structs.replace(CALENDAR, **changes)


def test_a_calendar_may_know_one_day() -> None:
    assert msgspec.structs.replace(CALENDAR, last_day="2024-01-01").last_day == "2024-01-01"


def with_session(**changes: object) -> dict[str, object]:
    sections = load(SECTIONS, directory=None, environment={}).sections
    spy = next(each for each in sections["instruments"].instruments if each.symbol == "SPY")
    changed = msgspec.structs.replace(spy, session=msgspec.structs.replace(spy.session, **changes))
    instruments = msgspec.structs.replace(sections["instruments"], instruments=(changed,))
    return with_calendars({**sections, "instruments": instruments})


@pytest.mark.parametrize(("changes", "match"), [({"calendar": "XNSY"}, "XNSY"), ({"time_zone": "UTC"}, "UTC")])
def test_a_session_whose_calendar_cannot_be_used_is_refused(changes: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        with_session(**changes)
    assert caught.value.where == "session.calendar of SPY"


def test_a_session_without_a_calendar_stays_as_it_is() -> None:
    instruments = with_session(calendar="")["instruments"]
    assert isinstance(instruments, SECTIONS["instruments"])
    assert instruments.instruments[0].session.holidays == ()
