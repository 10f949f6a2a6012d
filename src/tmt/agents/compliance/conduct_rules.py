"""The rules about conduct: stops, sessions, instruments, prices, pace, hedging. Limits are inclusive."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from typing import Final

from tmt.agents.compliance.case import Case, Finding, stop_protects
from tmt.agents.compliance.rules import Rule
from tmt.domain.money import ONE, ZERO, Exact, divide, fraction
from tmt.domain.session import NANOSECONDS_PER_SECOND, SessionHours

MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND
WEEKLY_CLOSE_HOURS: Final = 24


class MandatoryStop(Rule, frozen=True, kw_only=True, tag="mandatory_stop"):
    """The order carries a stop-loss on the losing side of its entry."""

    def check(self, case: Case) -> Finding:
        if stop_protects(case.order):
            return Finding(ONE, ONE, "count")
        return Finding(
            ZERO, ONE, "count", f"its stop-loss price is {case.order.stop_loss_price}, which protects nothing"
        )


class Sessions(Rule, frozen=True, kw_only=True, tag="sessions"):
    """The instrument's session is open, and its weekly close is not near.

    Attributes:
        flat_before_weekly_close_minutes: no new entry this long or less before a close that lasts a day or longer (a
            weekend, a holiday); 0 leaves the week's last minutes open.
    """

    flat_before_weekly_close_minutes: int

    def __post_init__(self) -> None:
        if not 0 <= self.flat_before_weekly_close_minutes <= 60:
            raise ValueError(
                f"flat_before_weekly_close_minutes must be in [0, 60], was {self.flat_before_weekly_close_minutes}"
            )

    def check(self, case: Case) -> Finding:
        session, now_ns = case.instrument.session, case.now_ns
        if not session.is_open(now_ns):
            return Finding(ZERO, ONE, "count", f"{case.instrument.symbol} does not trade now")
        if _closes_for_a_day(session, now_ns + self.flat_before_weekly_close_minutes * MINUTE_NS):
            return Finding(ZERO, ONE, "count", f"{case.instrument.symbol} closes for the week within minutes")
        return Finding(ONE, ONE, "count")


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


def _closes_for_a_day(session: SessionHours, time_ns: int) -> bool:
    hours_ns = (time_ns + hour * 60 * MINUTE_NS for hour in range(WEEKLY_CLOSE_HOURS))
    return not any(session.is_open(hour_ns) for hour_ns in hours_ns)
