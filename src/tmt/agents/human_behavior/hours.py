"""Too often, too long, or at the wrong hour."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from decimal import Decimal
from typing import Final

from tmt.agents.human_behavior.case import Case, seconds
from tmt.agents.verdict import Deny
from tmt.domain.money import ONE, ZERO
from tmt.domain.session import NANOSECONDS_PER_SECOND, SessionHours, day_bounds_ns

HOUR_NS: Final = 3600 * NANOSECONDS_PER_SECOND


def trading_hours(case: Case) -> Deny | None:
    """Within the hours of people or of strategies, on the account's clock."""
    limits, account = case.config.sessions, case.account
    intervals = limits.strategies_open if case.order.automated else limits.people_open
    hours = SessionHours(time_zone=account.time_zone, open=intervals, day_starts_at=account.day_starts_at)
    if hours.is_open(case.now_ns):
        case.waterfall.passes("trading_hours", ONE, ONE, "count", at_least=True)
        return None
    who = f"strategy {case.order.strategy}" if case.order.automated else case.order.person
    detail = f"{who} may open or add {', '.join(intervals)} ({account.time_zone})"
    return case.waterfall.denies("trading_hours", ZERO, ONE, "count", detail=detail, at_least=True)


def fatigue(case: Case) -> Deny | None:
    """A person who has been entering for long rests first. Strategies do not tire."""
    limits = case.config.sessions
    limit = Decimal(limits.active_seconds_max)
    activity = None if case.order.automated else case.state.people.get(case.order.person)
    active_ns = 0
    if activity is not None and case.now_ns - activity.last_ns < limits.rest_seconds * NANOSECONDS_PER_SECOND:
        active_ns = case.now_ns - activity.started_ns
    active = seconds(active_ns)
    if active <= limit:
        case.waterfall.passes("fatigue", active, limit, "seconds")
        return None
    detail = f"{case.order.person} has been trading for {active:f} seconds, and rests for {limits.rest_seconds} first"
    return case.waterfall.denies("fatigue", active, limit, "seconds", detail=detail)


def entry_rate(case: Case) -> Deny | None:
    """No more entries than an hour and a day allow."""
    limits, now_ns = case.config.entries, case.now_ns
    day_start_ns, _ = day_bounds_ns(case.account.day(), now_ns)
    entries_ns = case.habits.entries_ns
    in_hour = 1 + len(entries_ns) - bisect_right(entries_ns, now_ns - HOUR_NS)
    in_day = 1 + len(entries_ns) - bisect_left(entries_ns, day_start_ns)
    rates = (("entries_per_hour", in_hour, limits.per_hour_max), ("entries_per_day", in_day, limits.per_day_max))
    for rule, count, limit in rates:
        if count > limit:
            detail = f"this would be entry {count} of {case.account.account_id}, {limit} are allowed"
            return case.waterfall.denies(rule, Decimal(count), Decimal(limit), "count", detail=detail)
        case.waterfall.passes(rule, Decimal(count), Decimal(limit), "count")
    return None
