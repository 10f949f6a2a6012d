"""Slips of the hand: an order without a name, the same order twice, a price or a quantity that cannot be meant."""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.human_behavior.case import Case, seconds
from tmt.agents.human_behavior.habits import Wish
from tmt.agents.verdict import Deny
from tmt.domain.money import ONE, ZERO, divide
from tmt.domain.order import Side


def tagged(case: Case) -> Deny | None:
    """Every order says in truth which strategy decided it and which person answers for it."""
    tags = Decimal(sum(1 for tag in (case.order.strategy, case.order.person) if tag))
    if tags == 2:
        case.waterfall.passes("tagged", tags, Decimal(2), "count", at_least=True)
        return None
    detail = f"the order names strategy {case.order.strategy!r} and person {case.order.person!r}: it needs both"
    return case.waterfall.denies("tagged", tags, Decimal(2), "count", detail=detail, reason="untagged", at_least=True)


def duplicate(case: Case) -> Deny | None:
    """The same order under another id, so soon that it was not meant twice (rule 15c3-5(c)(1)(ii))."""
    limit = Decimal(case.config.fat_finger.duplicate_seconds)
    wish = Wish.of(case.order)
    same = [
        (request.asked_at_ns, order_id)
        for order_id, request in case.habits.requests.items()
        if order_id != case.order.order_id and request.wish == wish
    ]
    if not same:
        case.waterfall.passes("duplicate", ZERO, ZERO, "count")
        return None
    asked_at_ns, order_id = max(same)
    since = seconds(case.now_ns - asked_at_ns)
    if since >= limit:
        case.waterfall.passes("duplicate", since, limit, "seconds", at_least=True)
        return None
    detail = f"{case.account.account_id} asked for the same {since:f} seconds ago, as order {order_id}"
    return case.waterfall.denies("duplicate", since, limit, "seconds", detail=detail, at_least=True)


def price(case: Case) -> Deny | None:
    """No limit or trigger far from the quote."""
    order, limit = case.order, case.config.fat_finger.price_fraction_max
    mark = case.portfolio.mark(order.instrument)
    if mark is None:
        return case.waterfall.denies_missing("no_mark", f"no quote of {order.instrument} is known")
    reference = mark.ask if order.side is Side.BUY else mark.bid
    distance = max(
        (abs(each - reference) for each in (order.limit_price, order.stop_price) if each is not None), default=ZERO
    )
    measured = divide(distance, reference)
    if distance <= limit * reference:
        case.waterfall.passes("fat_finger_price", measured, limit, "fraction")
        return None
    detail = f"the price is {distance} away from the quote {reference} of {order.instrument}"
    return case.waterfall.denies("fat_finger_price", measured, limit, "fraction", detail=detail)


def quantity(case: Case) -> Deny | None:
    """No quantity asked for that is many times the usual one."""
    order, limits = case.order, case.config.fat_finger
    earlier = case.habits.quantities.get(order.instrument, ())
    if len(earlier) < limits.orders_min:
        case.waterfall.passes("fat_finger_quantity", ZERO, limits.quantity_ratio_max, "ratio")
        return None
    usual = _median(earlier)
    measured = divide(case.asked, usual)
    limit = limits.quantity_ratio_max
    if case.asked <= limit * usual:
        case.waterfall.passes("fat_finger_quantity", measured, limit, "ratio")
        return None
    detail = f"{case.asked} {order.instrument} against a usual {usual} of the last {len(earlier)} entries"
    return case.waterfall.denies("fat_finger_quantity", measured, limit, "ratio", detail=detail)


def notional(case: Case) -> Deny | None:
    """No notional beyond all proportion to the equity: an amount of money typed as a quantity."""
    order, limit = case.order, case.config.fat_finger.notional_ratio_max
    rate = case.rate()
    if isinstance(rate, Deny):
        return rate
    equity = case.portfolio.equity(order.account)
    if equity is None:
        return case.waterfall.denies_missing("no_equity", f"the equity of {order.account} is not known")
    worth = case.instrument.notional(case.asked, order.entry_price) * rate
    if equity <= ZERO:
        detail = f"{order.account} has no equity, but {equity:f} {case.account.currency}"
        return case.waterfall.denies("notional_echo", equity, ZERO, case.account.currency, detail=detail, at_least=True)
    measured = divide(worth, equity)
    if worth <= limit * equity:
        case.waterfall.passes("notional_echo", measured, limit, "ratio")
        return None
    worth_told = f"{divide(worth, ONE, 2)} {case.account.currency}"
    detail = f"{case.asked} {order.instrument} is worth {worth_told}: was an amount of money meant?"
    return case.waterfall.denies("notional_echo", measured, limit, "ratio", detail=detail)


def _median(values: tuple[Decimal, ...]) -> Decimal:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else divide(ordered[middle - 1] + ordered[middle], Decimal(2))
