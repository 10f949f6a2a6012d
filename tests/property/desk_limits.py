"""Every limit that an order which opens must keep, on its way to the venue, whatever came before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from tests.property.desk_reference import (
    DAY_NS,
    ROUNDING,
    SECOND_NS,
    ZERO,
    Books,
    breaker_keys,
    crossing,
    price_of,
    side_filled,
)
from tests.property.desk_tail import value_at_risk_breaches
from tmt import messages as m
from tmt.domain.instrument import AssetClass
from tmt.domain.order import Order, Side

MONDAY_NS = 1_699_833_600 * SECOND_NS  # 2023-11-13 00:00 UTC
WEEK_ENDS_NS = 4 * DAY_NS + 22 * 3600 * SECOND_NS  # Friday 17:00 in New York, in winter
WEEK_BEGINS_NS = 6 * DAY_NS + 22 * 3600 * SECOND_NS


def breaches(books: Books, order: Order, sections: Mapping[str, Any]) -> list[str]:
    """What a release of `order` breaks, given all that was said before it."""
    if not books.opens(order):
        return []
    found = [*_permission(books, order), *_conduct(books, order, sections)]
    found += _account_limits(books, order, sections["aria"])
    found += value_at_risk_breaches(books, order, sections["aria"].value_at_risk)
    found += _owner_limits(books, order, sections["anti_correlation"])
    return found + list(_book(books, order, sections))


def _beyond(what: str, measured: Decimal, limit: Decimal) -> Iterator[str]:
    if measured > limit + ROUNDING:
        yield f"{what}: {measured} is more than {limit}"


def _permission(books: Books, order: Order) -> Iterator[str]:
    account = books.accounts[order.account]
    if order.instrument not in account.instruments:
        yield f"{order.account} may not trade {order.instrument}"
    if order.account in books.suspended:
        yield f"{order.account} is suspended"
    for halt in books.halts:
        if halt.scope.covers(
            account=order.account, strategy=order.strategy, instrument=order.instrument, venue=account.venue
        ):
            yield f"stopped by {halt.level} of {halt.scope}"
    for key in breaker_keys(order, account.venue):
        newest = books.breakers.get(key)
        if isinstance(newest, m.BreakerOpened | m.BreakerReduced):
            yield f"breaker {key} is {type(newest).__name__} by {newest.trigger}"


def trials_outstanding(books: Books, order: Order) -> Iterator[tuple[str, int]]:
    """By half-open breaker: this order and the test orders that work and have not filled; venues need but accept."""
    for key in breaker_keys(order, books.accounts[order.account].venue):
        if isinstance(books.breakers.get(key), m.BreakerHalfOpened):
            tested = [books.open_orders[each] for each in books.trials[key] if each in books.open_orders]
            venue = key.startswith("agent/venue:")
            yield key, 1 + sum(not (each.filled or (venue and each.accepted)) for each in tested)


def _conduct(books: Books, order: Order, sections: Mapping[str, Any]) -> Iterator[str]:
    for key, count in trials_outstanding(books, order):
        yield from _beyond(
            f"test orders of {key}", Decimal(count), Decimal(sections["circuit_breaker"].half_open.test_orders_max)
        )
    behaviour = sections["human_behavior"]
    hour = [at for at in books.releases_ns.get(order.account, ()) if at > books.now_ns - 3600 * SECOND_NS]
    yield from _beyond("entries in an hour", Decimal(len(hour) + 1), Decimal(behaviour.entries.per_hour_max))
    age_ns = books.now_ns - books.marks[order.instrument].time_ns
    yield from _beyond(
        "age of the mark", Decimal(age_ns) / SECOND_NS, Decimal(sections["circuit_breaker"].mark_age_seconds_max)
    )
    notional = order.quantity * books.worth(order.account, order.instrument, price_of(order))
    yield from _beyond(
        "echo of the notional", notional, behaviour.fat_finger.notional_ratio_max * books.equity(order.account)
    )
    quote = order.quote.ask if order.side is Side.BUY else order.quote.bid
    for price in (order.limit_price, order.stop_price):
        if price is not None:
            yield from _beyond(
                "price by a fat finger", abs(price - quote), behaviour.fat_finger.price_fraction_max * quote
            )


def _account_limits(books: Books, order: Order, aria: Any) -> Iterator[str]:
    name, symbol, sign = order.account, order.instrument, order.side.sign
    equity = books.equity(name)
    unit = books.worth(name, symbol, price_of(order))
    if order.stop_loss_price is not None:
        risk = books.at_risk(order, order.quantity)
        yield from _beyond("risk at the stop", risk, aria.risk_fraction_max * equity)
        yield from _beyond("heat", books.heat(name, order) + risk, aria.heat_fraction_max * equity)
    held, bought, sold = books.stakes(name, symbol, order)
    here = side_filled(held, bought, -sold, sign) + order.quantity * unit
    yield from _beyond("position", here, aria.position_notional_max)
    yield from _beyond("instrument", here, aria.instrument_exposure_ratio_max * equity)
    others, margin = ZERO, here * _margin_of(books, symbol, aria)
    for other in sorted(set(books.instruments) - {symbol}):
        held, bought, sold = books.stakes(name, other, order)
        worst = max(side_filled(held, bought, -sold, way) for way in (1, -1))
        others += worst
        margin += worst * _margin_of(books, other, aria)
    yield from _beyond("gross", others + here, aria.gross_exposure_ratio_max * equity)
    yield from _beyond("margin", margin * aria.margin.critical_level_min, equity)
    instrument = books.instruments[symbol]
    for currency, way in ((instrument.base_currency, sign), (instrument.quote_currency, -sign)):
        along = _currency(books, order, currency, way) + order.quantity * unit
        yield from _beyond(f"exposure to {currency}", along, aria.currency_exposure_ratio_max * equity)


def _margin_of(books: Books, symbol: str, aria: Any) -> Decimal:
    fraction = getattr(aria.margin.initial_margin_fractions, str(books.instruments[symbol].asset_class))
    assert isinstance(fraction, Decimal)
    return fraction


def _currency(books: Books, order: Order, currency: str, way: int) -> Decimal:
    total = ZERO
    for symbol, instrument in books.instruments.items():
        pair = (instrument.base_currency, instrument.quote_currency)
        if currency not in pair:
            continue
        leg = way * (1 if pair[0] == currency else -1)
        held, bought, sold = books.stakes(order.account, symbol, order)
        total += _credited(held, bought, -sold, leg, judged=symbol == order.instrument)
    return total


def _credited(held: Decimal, bought: Decimal, sold: Decimal, sign: int, *, judged: bool) -> Decimal:
    """The same, but that a position counts as the hedge that it is where no order in its instrument may undo it."""
    filled = bought if sign > 0 else sold
    return side_filled(held, bought, sold, sign) if filled or judged else held * sign


def _owner_limits(books: Books, order: Order, config: Any) -> Iterator[str]:
    account = books.accounts[order.account]
    own = [name for name, each in books.accounts.items() if each.owner == account.owner]
    unit = books.worth(order.account, order.instrument, price_of(order))
    for what, names, ratio in (
        ("gross of the owner", own, config.owner_gross_ratio_max),
        ("gross of the firm", list(books.accounts), config.firm_gross_ratio_max),
    ):
        equity = sum((_equity_in(books, name, account.currency) for name in names), ZERO)
        yield from _gross(books, order, names, unit, what, ratio * equity)
    equity = sum((_equity_in(books, name, account.currency) for name in own), ZERO)
    instrument = books.instruments[order.instrument]
    for currency, way in ((instrument.base_currency, 1), (instrument.quote_currency, -1)):
        net = _net(books, order, own, currency, way * order.side.sign) + order.quantity * unit
        yield from _beyond(f"net {currency} of the owner", net, config.currency_net_ratio_max * equity)


def _equity_in(books: Books, name: str, currency: str) -> Decimal:
    return books.equity(name) * books.rate(books.accounts[name].currency, currency)


def _middle(books: Books, order: Order, symbol: str) -> Decimal:
    mark = books.marks[symbol]
    return books.worth(order.account, symbol, (mark.bid + mark.ask) / 2)


def _gross(books: Books, order: Order, names: list[str], unit: Decimal, what: str, limit: Decimal) -> Iterator[str]:
    rest = ZERO
    for name in names:
        for symbol in books.instruments:
            held, bought, sold = books.line(name, symbol, order)
            if (name, symbol) != (order.account, order.instrument) and (held, bought, sold) != (ZERO, ZERO, ZERO):
                most = max(side_filled(held, bought, sold, way) for way in (1, -1))
                rest += most * _middle(books, order, symbol)
    held, bought, sold = books.line(order.account, order.instrument, order)
    along = side_filled(held, bought, sold, order.side.sign)
    yield from _beyond(what, rest + (along + order.quantity) * unit, limit)


def _net(books: Books, order: Order, names: list[str], currency: str, way: int) -> Decimal:
    total = ZERO
    for symbol, instrument in books.instruments.items():
        pair = (instrument.base_currency, instrument.quote_currency)
        if currency not in pair:
            continue
        leg = way * (1 if pair[0] == currency else -1)
        for name in names:
            is_own = (name, symbol) == (order.account, order.instrument)
            units = _credited(*books.line(name, symbol, order), leg, judged=is_own)
            total += units * _middle(books, order, symbol) if units else ZERO
    return total


def _book(books: Books, order: Order, sections: Mapping[str, Any]) -> Iterator[str]:
    """The rules of the account's book that are in force: all of them, or in lenient mode the hard ones."""
    rules = sections["rule_books"][books.accounts[order.account].rule_book].rules
    strict = sections["compliance"].mode == "strict"
    for rule in rules:
        if not (strict or rule.hard):
            continue
        for breach in (*_rule(books, order, rule), *_hours(books, order, rule, sections["news"].events)):
            yield f"{rule.id}: {breach}"


def _hours(books: Books, order: Order, rule: Any, events: Iterable[Any]) -> Iterator[str]:
    instrument = books.instruments[order.instrument]
    match type(rule).__struct_config__.tag:
        case "news_blackout":
            for event in events:
                counts = event.impact in rule.impacts and event.currency in {
                    instrument.base_currency,
                    instrument.quote_currency,
                }
                ahead_ns = event.time_ns - books.now_ns
                if counts and -rule.minutes_after * 60 * SECOND_NS < ahead_ns < rule.minutes_before * 60 * SECOND_NS:
                    yield f"news of {event.currency} at {event.at}"
        case "sessions" if instrument.asset_class is AssetClass.FX:
            into_week_ns = (books.now_ns - MONDAY_NS) % (7 * DAY_NS)
            flat_ns = rule.flat_before_weekly_close_minutes * 60 * SECOND_NS
            if WEEK_ENDS_NS - flat_ns <= into_week_ns < WEEK_BEGINS_NS:
                yield f"{order.instrument} is closed, or closes for the weekend"
        case _:
            pass


def _rule(books: Books, order: Order, rule: Any) -> Iterator[str]:
    name, equity = order.account, books.equity(order.account)
    notional = order.quantity * books.worth(name, order.instrument, price_of(order))
    match type(rule).__struct_config__.tag:
        case "risk_per_trade":
            yield from _beyond("at risk", books.at_risk(order, order.quantity), rule.equity_fraction_max * equity)
        case "order_quantity_max":
            lots = order.quantity / books.instruments[order.instrument].lot_size
            yield from _beyond("lots", lots, Decimal(rule.lots_max))
        case "order_notional_max":
            yield from _beyond("notional", notional, rule.amount_max)
        case "position_size_max":
            yield from _beyond("in it", _largest(books, order, order.instrument), rule.equity_ratio_max * equity)
        case "leverage":
            gross = sum((_largest(books, order, symbol) for symbol in books.instruments), ZERO)
            yield from _beyond("gross", gross, rule.equity_ratio_max * equity)
        case "positions_max":
            used = {symbol for symbol, _ in books.holdings(name)} | {order.instrument}
            used |= {each.order.instrument for each in books.others(order, name)}
            yield from _beyond("instruments", Decimal(len(used)), Decimal(rule.count_max))
        case "order_rate":
            recent = [at for at in books.approvals_ns.get(name, ()) if at > books.now_ns - 60 * SECOND_NS]
            yield from _beyond("orders in a minute", Decimal(len(recent)), Decimal(rule.per_minute_max))
        case "self_crossing":
            yield from (f"could trade with {other}" for other in crossing(order, books))
        case kind:
            yield from _other_rule(books, order, rule, kind)


def _other_rule(books: Books, order: Order, rule: Any, kind: str) -> Iterator[str]:
    name, equity = order.account, books.equity(order.account)
    mark = books.marks[order.instrument]
    taken = mark.ask if order.side is Side.BUY else mark.bid
    match kind:
        case "mandatory_stop":
            stop = order.stop_loss_price
            if stop is None or (price_of(order) - stop) * order.side.sign <= ZERO:
                yield "no stop protects it"
        case "price_collar":
            for price in (order.limit_price, order.stop_price):
                if price is not None:
                    yield from _beyond("from the quote", abs(price - taken), rule.quote_fraction_max * taken)
        case "daily_loss" | "drawdown":
            lost = books.heat(name, order) + books.at_risk(order, order.quantity)
            reference = books.day_start[name] if kind == "daily_loss" else _reference(books, name, rule)
            allowed = rule.loss_fraction_max * reference
            if kind == "drawdown" and rule.locks_at_deposit:
                allowed = max(allowed, reference - books.accounts[name].deposit)
            yield from _beyond("if every stop were hit", reference - (equity - lost), allowed)
        case _:
            pass


def _reference(books: Books, name: str, rule: Any) -> Decimal:
    return {
        "deposit": books.accounts[name].deposit,
        "peak": books.peak[name],
        "closing_peak": books.closing_peak[name],
    }[str(rule.measured_from)]


def _largest(books: Books, order: Order, symbol: str) -> Decimal:
    """Worth of the largest position that open orders, this one included, can lead to."""
    held, bought, sold = books.line(order.account, symbol, order)
    price = books.marks[symbol].ask
    if symbol == order.instrument:
        bought += order.quantity if order.side is Side.BUY else ZERO
        sold += order.quantity if order.side is Side.SELL else ZERO
        price = max(price, price_of(order))
    largest = max(side_filled(held, bought, sold, way) for way in (1, -1))
    return largest * books.worth(order.account, symbol, price) if largest else ZERO
