"""The rules about conduct: stops, sessions, instruments, prices, pace, hedging. Limits are inclusive."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal

from tmt.agents.compliance.case import Case, Finding, Unknown, stop_protects
from tmt.agents.compliance.rules import MINUTE_NS, MINUTES_REMEMBERED, Rule
from tmt.domain.instrument import Instrument
from tmt.domain.money import ONE, ZERO, Exact, divide, fraction
from tmt.domain.news import NewsCalendar
from tmt.domain.session import SessionHours, long_close_ns


class MandatoryStop(Rule, frozen=True, kw_only=True, tag="mandatory_stop"):
    """The order carries a stop-loss on the losing side of its entry."""

    def check(self, case: Case) -> Finding:
        if stop_protects(case.order):
            return Finding(ONE, ONE, "count", at_least=True)
        detail = f"its stop-loss price is {case.order.stop_loss_price}, which protects nothing"
        return Finding(ZERO, ONE, "count", detail, at_least=True)


class Sessions(Rule, frozen=True, kw_only=True, tag="sessions"):
    """The instrument's session is open, and its weekly close is not near.

    Attributes:
        flat_before_weekly_close_minutes: no new entry this long or less before a close that lasts a day or longer (a
            weekend, a holiday); 0 leaves the week's last minutes open.
        flatten: what is still held then is closed.
    """

    flat_before_weekly_close_minutes: int
    flatten: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.flat_before_weekly_close_minutes <= 60:
            raise ValueError(
                f"flat_before_weekly_close_minutes must be in [0, 60], was {self.flat_before_weekly_close_minutes}"
            )

    def check(self, case: Case) -> Finding:
        session, now_ns = case.instrument.session, case.now_ns
        if not session.knows(now_ns):
            detail = (
                f"calendar {session.calendar} does not know this day: it ends on {session.calendar_last or 'no day'}"
            )
            raise Unknown("calendar_ended", detail)
        if not session.is_open(now_ns):
            return Finding(ZERO, ONE, "count", f"{case.instrument.symbol} does not trade now", at_least=True)
        if self.near_weekly_close(session, now_ns):
            detail = f"{case.instrument.symbol} closes for a day or longer within minutes"
            return Finding(ZERO, ONE, "count", detail, at_least=True)
        return Finding(ONE, ONE, "count", at_least=True)

    def near_weekly_close(self, session: SessionHours, now_ns: int) -> bool:
        """Whether nothing new may be opened before the close that lasts a day or longer."""
        return long_close_ns(session, now_ns, self.flat_before_weekly_close_minutes * MINUTE_NS) is not None

    def bars_from_ns(self, instrument: Instrument, news: NewsCalendar, now_ns: int, ahead_ns: int) -> int | None:
        del news
        flat_ns = self.flat_before_weekly_close_minutes * MINUTE_NS
        if flat_ns == 0:
            return None  # What rests may rest on over the weekend.
        close_ns = long_close_ns(instrument.session, now_ns, flat_ns + ahead_ns)
        return None if close_ns is None else close_ns - flat_ns


class RestrictedInstruments(Rule, frozen=True, kw_only=True, tag="restricted_instruments"):
    """Instruments in which nothing may be opened."""

    instruments: tuple[str, ...]

    def check(self, case: Case) -> Finding:
        symbol = case.order.instrument
        if symbol in self.instruments:
            return Finding(ONE, ZERO, "count", f"{symbol} is restricted")
        return Finding(ZERO, ZERO, "count")


class PriceCollar(Rule, frozen=True, kw_only=True, tag="price_collar"):
    """Limit and stop prices stay near the side of the quote that the order would take.

    Attributes:
        quote_fraction_max: furthest distance, as a fraction of that quote.
    """

    quote_fraction_max: Exact

    def __post_init__(self) -> None:
        fraction("quote_fraction_max", self.quote_fraction_max)

    def check(self, case: Case) -> Finding:
        reference = case.reference_price
        prices = (case.order.limit_price, case.order.stop_price)
        distance = max((abs(price - reference) for price in prices if price is not None), default=ZERO)
        breach = None
        if distance > self.quote_fraction_max * reference:
            breach = f"its price is {distance} away from the quote {reference}"
        return Finding(divide(distance, reference), self.quote_fraction_max, "fraction", breach)


class PriceDrift(Rule, frozen=True, kw_only=True, tag="price_drift"):
    """The side of the quote that the order would take is near what it was some minutes ago: a collar over a period.

    Compared with the newest mark at least that old, or with the oldest one known where none is (RTS 6, Article 15).

    Attributes:
        minutes: length of the period.
        fraction_max: furthest move, as a fraction of the older price.
    """

    minutes: int
    fraction_max: Exact

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= MINUTES_REMEMBERED:
            raise ValueError(f"minutes must be in [1, {MINUTES_REMEMBERED}], was {self.minutes}")
        fraction("fraction_max", self.fraction_max)

    def check(self, case: Case) -> Finding:
        now, before = case.reference_price, case.past_price(self.minutes * MINUTE_NS)
        moved = abs(now - before)
        breach = None
        if moved > self.fraction_max * before:
            breach = f"{case.order.instrument} went from {before} to {now} within {self.minutes} minutes"
        return Finding(divide(moved, before), self.fraction_max, "fraction", breach)


class OrderRate(Rule, frozen=True, kw_only=True, tag="order_rate"):
    """Orders of the account within 60 seconds, this one included; one exactly 60 seconds old no longer counts."""

    per_minute_max: int

    def __post_init__(self) -> None:
        if self.per_minute_max < 1:
            raise ValueError(f"per_minute_max must be at least 1, was {self.per_minute_max}")

    def check(self, case: Case) -> Finding:
        count = 1 + len(case.approvals_ns) - bisect_right(case.approvals_ns, case.now_ns - MINUTE_NS)
        breach = f"this would be order {count} within a minute" if count > self.per_minute_max else None
        return Finding(Decimal(count), Decimal(self.per_minute_max), "count", breach)


class NoHedging(Rule, frozen=True, kw_only=True, tag="no_hedging"):
    """Nothing is opened against a position or a working order: a position ends by reduce-only orders alone.

    Accounts are netted and close their oldest lots first, so this is also what a FIFO rule asks.
    """

    def check(self, case: Case) -> Finding:
        opposing = case.opposing()
        breach = f"{opposing} {case.order.instrument} stand against it" if opposing > ZERO else None
        return Finding(opposing, ZERO, "units", breach)


class SelfCrossing(Rule, frozen=True, kw_only=True, tag="self_crossing"):
    """Nothing is sent that could trade with an order of the same owner, in whatever account of the desk.

    Two orders can when they are on opposite sides, at or through one another, and one of them rests. Orders at the
    market count at the quote that they take, and at any price as long as they have slices to send. Stops that have not
    been triggered do not count: what rests before their trigger has filled by then.
    """

    def check(self, case: Case) -> Finding:
        crossed = case.crossed_quantity
        breach = f"{crossed} {case.order.instrument} of {case.account.owner} would cross it" if crossed > ZERO else None
        return Finding(crossed, ZERO, "units", breach)


class PermittedPersons(Rule, frozen=True, kw_only=True, tag="permitted_persons"):
    """Who may answer for orders of the account."""

    persons: tuple[str, ...]

    def check(self, case: Case) -> Finding:
        person = case.order.person
        if person in self.persons:
            return Finding(ONE, ONE, "count", at_least=True)
        return Finding(ZERO, ONE, "count", f"{person!r} may not trade for {case.account.account_id}", at_least=True)
