"""Exchange calendars: the days on which an exchange stays closed or closes early, and how far they are known."""

from __future__ import annotations

import msgspec

from tmt.domain.session import SessionHours, check_dates, check_early_closes


class TradingCalendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a session that names this calendar adds to its hours; dates and times as in `SessionHours`.

    Attributes:
        time_zone: IANA name; that of every session that names the calendar.
        first_day, last_day: what it knows, both days included, "YYYY-MM-DD". Outside them nothing trades.
    """

    time_zone: str
    first_day: str
    last_day: str
    holidays: tuple[str, ...]
    early_closes: tuple[str, ...]

    def __post_init__(self) -> None:
        check_dates("first_day and last_day", (self.first_day, self.last_day))
        check_dates("holidays", self.holidays)
        check_early_closes("early_closes", self.early_closes)
        if self.last_day < self.first_day:
            raise ValueError(f"last_day must not be before first_day {self.first_day}, was {self.last_day}")

    def applied(self, hours: SessionHours) -> SessionHours:
        """The session with the calendar's days beside its own; applied again it changes nothing.

        Raises:
            ValueError: when the session is in another time zone.
        """
        if hours.time_zone != self.time_zone:
            raise ValueError(f"calendar {hours.calendar} is in {self.time_zone}, the session in {hours.time_zone}")
        return msgspec.structs.replace(
            hours,
            holidays=tuple(sorted({*hours.holidays, *self.holidays})),
            early_closes=tuple(sorted({*hours.early_closes, *self.early_closes})),
            calendar_first=self.first_day,
            calendar_last=self.last_day,
        )
