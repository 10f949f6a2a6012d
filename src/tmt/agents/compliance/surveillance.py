"""Surveillance: a bounded memory of what every owner's orders did, looked through at intervals of event time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from tmt.agents.compliance.detectors import (
    FillTrace,
    OrderTrace,
    Suspicion,
    layering,
    momentum_ignition,
    runaway,
    self_crossing,
    wash,
)
from tmt.agents.compliance.rule_book import RuleBook
from tmt.agents.compliance.surveillance_config import SurveillanceConfig
from tmt.agents.compliance.timing_rules import MinimumHold
from tmt.domain.money import ZERO
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.messages import (
    CopyTradingSeen,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderTriggered,
    PositionClosed,
    VenueEvent,
)
from tmt.projections.portfolio import Portfolio

WITHDRAWN_BY: Final = "person"
"""Reason of a cancel that somebody asked for; the desk's own halts cancel for others."""

WITHOUT_CHOICE: Final = "stop_loss"
"""Role of the exit that ends a round trip without anybody's choice."""

HEARD: Final = (
    OrderSubmitted,
    OrderAccepted,
    OrderTriggered,
    OrderReplaced,
    OrderFilled,
    OrderRejected,
    OrderCancelled,
    OrderExpired,
    PositionClosed,
    CopyTradingSeen,
)
"""What surveillance hears beside what brings it to look."""

_IMMEDIATE: Final = (TimeInForce.IOC, TimeInForce.FOK)
_Trace = TypeVar("_Trace", OrderTrace, FillTrace)


class Surveillance(msgspec.Struct, frozen=True, kw_only=True):
    """What surveillance remembers.

    Attributes:
        orders: by client order id, oldest first.
        fills: oldest first.
        looked_ns: event time of the last look; 0 before the first.
        lasting: keys of what the last look found, sorted: it is not said again until a look finds it no more.
    """

    orders: dict[str, OrderTrace] = {}
    fills: tuple[FillTrace, ...] = ()
    looked_ns: int = 0
    lasting: tuple[str, ...] = ()


def remember(state: Surveillance, message: Message, config: SurveillanceConfig) -> Surveillance:
    """The memory after one more message; the oldest is forgotten when it is full."""
    match message:
        case OrderSubmitted():
            return _with_order(state, message.client_order_id, _submitted(message), config)
        case OrderAccepted(role="take_profit" | "stop_loss"):
            return _with_order(state, message.client_order_id, _exit(message), config)
        case OrderFilled():
            return _filled(state, message, config)
        case VenueEvent():
            known = state.orders.get(message.client_order_id)
            moved = None if known is None else _moved(known, message)
            return state if moved is None else _with_order(state, message.client_order_id, moved, config)
        case _:
            return state


def _submitted(message: OrderSubmitted) -> OrderTrace:
    order = message.order
    sleeps = order.type in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
    return OrderTrace(
        message_id=message.message_id,
        order_id=order.order_id,
        account=order.account,
        instrument=order.instrument,
        strategy=order.strategy,
        side=order.side,
        price=None if sleeps else order.entry_price,
        resting=order.limit_price is not None and order.time_in_force not in _IMMEDIATE,
        opens=not order.reduce_only,
        since_ns=message.occurred_at_ns,
        at_market=order.limit_price is None,
    )


def _exit(message: OrderAccepted) -> OrderTrace:
    resting = message.order_type is OrderType.LIMIT
    return OrderTrace(
        message_id=message.message_id,
        order_id=message.order_id,
        account=message.account,
        instrument=message.instrument,
        strategy="",
        side=message.side,
        price=message.price if resting else None,
        resting=resting,
        opens=False,
        since_ns=message.occurred_at_ns,
        at_market=not resting,
    )


def _moved(known: OrderTrace, event: VenueEvent) -> OrderTrace | None:
    match event:
        case OrderTriggered():
            return msgspec.structs.replace(known, price=event.trigger_price, since_ns=event.occurred_at_ns)
        case OrderReplaced(limit_price=price) if price is not None and known.price is not None:
            return msgspec.structs.replace(known, price=price)
        case OrderCancelled():
            withdrawn = event.reason == WITHDRAWN_BY and known.resting and known.filled == ZERO
            return msgspec.structs.replace(known, ended_ns=event.occurred_at_ns, withdrawn=withdrawn)
        case OrderExpired() | OrderRejected():
            return msgspec.structs.replace(known, ended_ns=event.occurred_at_ns)
        case _:
            return None


def _filled(state: Surveillance, message: OrderFilled, config: SurveillanceConfig) -> Surveillance:
    fill = FillTrace(
        message_id=message.message_id,
        order_id=message.client_order_id,
        account=message.account,
        instrument=message.instrument,
        side=message.side,
        quantity=message.quantity,
        price=message.price,
        taker=message.liquidity == "taker",
        time_ns=message.occurred_at_ns,
    )
    state = msgspec.structs.replace(state, fills=(*state.fills, fill)[-config.remembered_max :])
    known = state.orders.get(message.client_order_id)
    if known is None:
        return state
    whole = message.remaining == ZERO
    moved = known.after_fill(message.quantity, message.quote, message.occurred_at_ns, whole=whole)
    return _with_order(state, message.client_order_id, moved, config)


def _with_order(
    state: Surveillance, client_order_id: str, trace: OrderTrace, config: SurveillanceConfig
) -> Surveillance:
    orders = {**state.orders, client_order_id: trace}
    if len(orders) > config.remembered_max:
        del orders[next(iter(orders))]
    return msgspec.structs.replace(state, orders=orders)


def look(
    state: Surveillance, now_ns: int, portfolio: Portfolio, config: SurveillanceConfig
) -> tuple[Surveillance, tuple[Suspicion, ...]]:
    """Look through the memory when the interval has passed: what is new, and the memory without what is too old."""
    if now_ns < state.looked_ns + config.interval_seconds * NANOSECONDS_PER_SECOND:
        return state, ()
    found = tuple(_found(state, now_ns, portfolio, config))
    start_ns = now_ns - config.memory_seconds * NANOSECONDS_PER_SECOND
    looked = Surveillance(
        orders={key: each for key, each in state.orders.items() if each.lived_after(start_ns)},
        fills=tuple(each for each in state.fills if each.time_ns > start_ns),
        looked_ns=now_ns,
        lasting=tuple(sorted(each.key for each in found)),
    )
    return looked, tuple(each for each in found if each.key not in state.lasting)


def _found(state: Surveillance, now_ns: int, portfolio: Portfolio, config: SurveillanceConfig) -> Iterator[Suspicion]:
    orders, fills = _by_owner(state.orders.values(), portfolio), _by_owner(state.fills, portfolio)
    for owner in sorted(orders.keys() | fills.keys()):
        theirs, filled = orders.get(owner, []), fills.get(owner, [])
        for symbol in sorted({each.instrument for each in theirs} | {each.instrument for each in filled}):
            market = [each for each in theirs if each.instrument == symbol]
            deals = [each for each in filled if each.instrument == symbol]
            for found in _in_market(market, deals, state.looked_ns, now_ns, config):
                yield _keyed(found, owner, symbol)
        for strategy in sorted({each.strategy for each in theirs if each.opens}):
            ran = runaway(theirs, strategy, config.order_rate, now_ns)
            if ran is not None:
                yield _keyed(ran, owner)


def _in_market(
    orders: list[OrderTrace], fills: list[FillTrace], looked_ns: int, now_ns: int, config: SurveillanceConfig
) -> Iterator[Suspicion]:
    found = [
        self_crossing(orders, config.self_crossing.pairs_max, looked_ns),
        wash(fills, config.wash, now_ns),
        *(layering(orders, fills, side, config.layering, now_ns) for side in Side),
        *(momentum_ignition(fills, side, config.momentum_ignition) for side in Side),
    ]
    yield from (each for each in found if each is not None)


def _by_owner(traces: Iterable[_Trace], portfolio: Portfolio) -> dict[str, list[_Trace]]:
    owned: dict[str, list[_Trace]] = {}
    for trace in traces:
        account = portfolio.account(trace.account)
        owned.setdefault("" if account is None else account.owner, []).append(trace)
    return owned


def _keyed(found: Suspicion, *of: str) -> Suspicion:
    return msgspec.structs.replace(found, key="/".join((found.detector, *of, found.key)))


def held_too_briefly(closed: PositionClosed, portfolio: Portfolio, books: Mapping[str, RuleBook]) -> Suspicion | None:
    """Whether a round trip was ended by choice sooner than the account's book allows, where it has such a rule."""
    account = portfolio.account(closed.account)
    book = None if account is None else books.get(account.rule_book)
    rules = () if book is None else book.rules
    limits = [rule.seconds for rule in rules if isinstance(rule, MinimumHold)]
    held_ns = closed.occurred_at_ns - closed.opened_at_ns
    if closed.closing_role == WITHOUT_CHOICE or not limits or held_ns >= max(limits) * NANOSECONDS_PER_SECOND:
        return None
    held = Decimal(held_ns).scaleb(-9)
    return Suspicion(
        key=closed.message_id,
        detector="minimum_hold",
        accounts=(closed.account,),
        instrument=closed.instrument,
        measured=held,
        limit=Decimal(max(limits)),
        unit="seconds",
        evidence=(closed.message_id,),
        detail=f"a round trip was ended by choice after {held} seconds",
    )
