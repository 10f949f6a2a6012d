"""The rules about when a position may be opened: around news, and soon after another. Limits are inclusive."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tmt.agents.compliance.case import Case, Finding
from tmt.agents.compliance.rules import MINUTE_NS, Rule
from tmt.domain.instrument import Instrument
from tmt.domain.money import ONE, ZERO
from tmt.domain.news import Impact, NewsCalendar
from tmt.domain.session import NANOSECONDS_PER_SECOND

BLACKOUT_MINUTES_MAX: Final = 1440
HOLD_SECONDS_MAX: Final = 86_400


class NewsBlackout(Rule, frozen=True, kw_only=True, tag="news_blackout"):
    """Nothing is opened around scheduled news of the instrument's base or quote currency.

    Attributes:
        minutes_before, minutes_after: less than this before or after an event is in the blackout.
        impacts: of the events that count.
    """

    minutes_before: int
    minutes_after: int
    impacts: tuple[Impact, ...]

    def __post_init__(self) -> None:
        for name in ("minutes_before", "minutes_after"):
            if not 0 <= getattr(self, name) <= BLACKOUT_MINUTES_MAX:
                raise ValueError(f"{name} must be in [0, {BLACKOUT_MINUTES_MAX}], was {getattr(self, name)}")

    def check(self, case: Case) -> Finding:
        event = case.news.blackout(
            (case.instrument.base_currency, case.instrument.quote_currency),
            case.now_ns,
            self.impacts,
            before_ns=self.minutes_before * MINUTE_NS,
            after_ns=self.minutes_after * MINUTE_NS,
        )
        if event is None:
            return Finding(ZERO, ZERO, "count")
        return Finding(ONE, ZERO, "count", f"{event.title} of {event.currency} is at {event.at}")

    def bars_from_ns(self, instrument: Instrument, news: NewsCalendar, now_ns: int, ahead_ns: int) -> int | None:
        before_ns, after_ns = self.minutes_before * MINUTE_NS, self.minutes_after * MINUTE_NS
        if before_ns + after_ns == 0:
            return None
        # A nanosecond more, for the blackout itself leaves its bounds out.
        event = news.blackout(
            (instrument.base_currency, instrument.quote_currency),
            now_ns,
            self.impacts,
            before_ns=before_ns + ahead_ns + 1,
            after_ns=after_ns,
        )
        return None if event is None else event.time_ns - before_ns


class MinimumHold(Rule, frozen=True, kw_only=True, tag="minimum_hold"):
    """After a round trip has begun in an instrument, no other begins there for a while.

    Closing is always possible, so a trip that ends too soon cannot be refused: surveillance flags it. What is refused
    is what would make a habit of it: to trade against the position without reduce-only, or to come back after it.
    Adding to it is free.

    Attributes:
        seconds: shortest time from one trip's first fill to the next trip's order.
    """

    seconds: int

    def __post_init__(self) -> None:
        if not 1 <= self.seconds <= HOLD_SECONDS_MAX:
            raise ValueError(f"seconds must be in [1, {HOLD_SECONDS_MAX}], was {self.seconds}")

    def check(self, case: Case) -> Finding:
        account, symbol = case.account.account_id, case.order.instrument
        under_way = case.portfolio.trip(account, symbol)
        trip = case.portfolio.closed_trip(account, symbol) if under_way is None else under_way
        if trip is None or (under_way is not None and under_way.side is case.order.side):
            return Finding(ZERO, ZERO, "seconds", at_least=True)
        age_ns = case.now_ns - trip.opened_at_ns
        breach = None
        if age_ns < self.seconds * NANOSECONDS_PER_SECOND:
            seconds = age_ns // NANOSECONDS_PER_SECOND
            breach = f"a trip in {symbol} began {seconds} seconds ago, at least {self.seconds}"
        return Finding(Decimal(age_ns).scaleb(-9), Decimal(self.seconds), "seconds", breach, at_least=True)
