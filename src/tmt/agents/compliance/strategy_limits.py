"""Does the strategy behind an order keep the limits that it was let loose with? Prices are the price collar's."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tmt.agents.compliance.case import Case, Finding
from tmt.agents.compliance.config import StrategyLimits
from tmt.domain.order import Order


def strategy_findings(limits: StrategyLimits, case: Case) -> Iterator[tuple[str, Finding]]:
    """Each limit's rule and what it found, in a fixed order.

    Raises:
        Unknown: when something needed is not known.
    """
    places = _places(case)
    notional, currency = case.notional, case.account.currency
    breach = f"its notional is {notional} {currency}" if notional > limits.order_notional_max else None
    yield "strategy_order_notional", Finding(notional, limits.order_notional_max, currency, breach)
    yield _counted("orders", case.strategy_orders_today + 1, limits.orders_per_day_max, "orders today")
    yield _counted("instruments", len({symbol for _, symbol in places}), limits.instruments_max, "instruments")
    yield _counted("positions", len(places), limits.positions_max, "positions")
    venues = {each.venue for each in case.portfolio.accounts if each.account_id in {name for name, _ in places}}
    yield _counted("venues", len(venues), limits.venues_max, "venues")


def _counted(name: str, count: int, limit: int, what: str) -> tuple[str, Finding]:
    breach = f"the strategy would have {count} {what}" if count > limit else None
    return f"strategy_{name}", Finding(Decimal(count), Decimal(limit), "count", breach)


def _places(case: Case) -> set[tuple[str, str]]:
    portfolio, strategy = case.portfolio, case.order.strategy
    places = {_place(each.order) for each in portfolio.working() if each.order.strategy == strategy}
    for position in portfolio.positions():
        trip = portfolio.trip(position.account, position.instrument)
        if trip is not None and trip.strategy == strategy:
            places.add((position.account, position.instrument))
    return places | {_place(case.order)}


def _place(order: Order) -> tuple[str, str]:
    return order.account, order.instrument
