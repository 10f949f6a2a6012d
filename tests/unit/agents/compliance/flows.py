"""Order flows of which it is known what they are: what an owner's accounts do, message by message."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from tests.unit.agents.desk import EURUSD, GBPUSD, START_NS, Desk, default_config, make_account, make_quote
from tmt import messages as m
from tmt.agents.compliance import ComplianceConfig
from tmt.agents.compliance.detectors import Suspicion
from tmt.agents.compliance.surveillance import Surveillance, look, remember
from tmt.agents.compliance.surveillance_config import SurveillanceConfig
from tmt.domain.money import ZERO, divide
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.domain.session import NANOSECONDS_PER_SECOND

CONFIG: SurveillanceConfig = default_config(ComplianceConfig, "compliance").surveillance
OWNERS = {"alpha": "ann", "beta": "ann", "gamma": "bob"}
TICK = Decimal("0.00001")
BUY, SELL = Side.BUY, Side.SELL


def changed(**changes: Any) -> SurveillanceConfig:
    """The defaults with some detectors' numbers changed: `wash={"pairs_max": 0}`."""
    fields = {
        name: msgspec.structs.replace(getattr(CONFIG, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return msgspec.structs.replace(CONFIG, **fields)


class Flow:
    """What happens at the venue, at times that the test moves by hand; surveillance remembers all of it."""

    def __init__(self, config: SurveillanceConfig = CONFIG) -> None:
        accounts = [msgspec.structs.replace(make_account(name), owner=owner) for name, owner in OWNERS.items()]
        self.desk = Desk(*accounts, instruments=(EURUSD, GBPUSD))
        self.config = config
        self.memory = Surveillance(looked_ns=START_NS)
        self.now_ns = START_NS
        self._count = 0
        self._orders: dict[str, Order] = {}

    def after(self, seconds: float) -> Flow:
        self.now_ns += int(seconds * NANOSECONDS_PER_SECOND)
        return self

    def say(self, kind: Any, **fields: Any) -> m.Message:
        self._count += 1
        message: m.Message = kind.root("test", self.now_ns, str(self._count), **fields)
        self.memory = remember(self.memory, message, self.config)
        return message

    def place(
        self, side: Side, price: str, quantity: str = "1000", *, account: str = "alpha", symbol: str = "EURUSD",
        strategy: str = "wyckoff", kind: OrderType = OrderType.LIMIT, **fields: Any,
    ) -> str:  # fmt: skip
        """Submit an order and have it accepted; its client order id."""
        self._count += 1
        id_ = f"{account}-{self._count}"
        stops = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
        wanted: dict[str, Any] = {
            "time_in_force": TimeInForce.IOC if kind is OrderType.MARKET else TimeInForce.GTC,
            "limit_price": Decimal(price) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
            "stop_price": Decimal(price) if stops else None,
            "quote": make_quote(price, time_ns=self.now_ns),
            **fields,
        }
        order = Order(
            order_id=f"order-{id_}", account=account, instrument=symbol, side=side, quantity=Decimal(quantity),
            type=kind, strategy=strategy, setup="test", **wanted,
        )  # fmt: skip
        self._orders[id_] = order
        self.say(
            m.OrderSubmitted,
            client_order_id=id_,
            order=order,
            stop_loss_client_order_id=None,
            take_profit_client_order_id=None,
        )
        return id_

    def exit(self, side: Side, price: str, role: str = "take_profit", account: str = "alpha") -> str:
        """An exit of a bracket starts to work."""
        self._count += 1
        id_ = f"exit-{self._count}"
        limit = role == "take_profit"
        self.say(
            m.OrderAccepted,
            client_order_id=id_,
            order_id="entry",
            account=account,
            instrument="EURUSD",
            side=side,
            quantity=Decimal(1000),
            order_type=OrderType.LIMIT if limit else OrderType.STOP,
            price=Decimal(price),
            reduce_only=True,
            role=role,
        )
        return id_

    def _event(self, kind: Any, id_: str, **fields: Any) -> m.Message:
        order = self._orders.get(id_)
        where = ("entry", "alpha", "EURUSD") if order is None else (order.order_id, order.account, order.instrument)
        names = ("order_id", "account", "instrument")
        return self.say(kind, client_order_id=id_, **dict(zip(names, where, strict=True)), **fields)

    def cancel(self, id_: str, reason: str = "person") -> m.Message:
        return self._event(m.OrderCancelled, id_, reason=reason, filled=ZERO)

    def expire(self, id_: str) -> m.Message:
        return self._event(m.OrderExpired, id_, filled=ZERO)

    def trigger(self, id_: str, price: str) -> m.Message:
        return self._event(m.OrderTriggered, id_, trigger_price=Decimal(price))

    def replace(self, id_: str, price: str | None) -> m.Message:
        limit = None if price is None else Decimal(price)
        return self._event(m.OrderReplaced, id_, quantity=Decimal(1000), limit_price=limit)

    def fill(
        self, id_: str, price: str, quantity: str | None = None, *, remaining: str = "0", taker: bool = True,
        quote: Quote | None = None,
    ) -> str:  # fmt: skip
        """Fill an order; the message's id."""
        order = self._orders[id_]
        self._count += 1
        message = self._event(
            m.OrderFilled,
            id_,
            fill_id=f"fill-{self._count}",
            side=order.side,
            quantity=order.quantity if quantity is None else Decimal(quantity),
            price=Decimal(price),
            fee=ZERO,
            fee_currency="USD",
            remaining=Decimal(remaining),
            role="entry",
            liquidity="taker" if taker else "maker",
            slippage=ZERO,
            quote=order.quote if quote is None else quote,
            setup=order.setup,
            strategy=order.strategy,
        )
        return message.message_id

    def trade(self, side: Side, price: str, quantity: str = "1000", **fields: Any) -> str:
        """A market order that fills at once."""
        return self.fill(self.place(side, price, quantity, kind=OrderType.MARKET, **fields), price)

    def look(self) -> list[Suspicion]:
        """What a look now finds."""
        self.memory, found = look(self.memory, self.now_ns, self.desk.portfolio, self.config)
        return list(found)

    def found(self) -> list[str]:
        """Detectors that spoke, one look interval later."""
        return [each.detector for each in self.after(self.config.interval_seconds).look()]


def priced(ticks: int) -> str:
    """A price some ticks from 1.10000."""
    return str(Decimal("1.10000") + ticks * TICK)


# Labelled flows: guilty ones vary within what the pattern's definition allows, and beyond it one in ten, as somebody
# would who knows that he is watched; innocent ones come as near to it as honest trading does.


def self_crossing(flow: Flow, lot: Random, *, guilty: bool) -> None:
    level = lot.randint(-50, 50)
    through = lot.randint(0, 3) if guilty else -lot.randint(1, 5)
    evades = guilty and lot.random() < 0.1  # the two never work at once
    resting = flow.place(SELL, priced(level), account="alpha")
    if evades:
        flow.after(1).cancel(resting)
    flow.after(lot.uniform(0.1, 5)).place(BUY, priced(level + through), account=lot.choice(["alpha", "beta"]))


def wash(flow: Flow, lot: Random, *, guilty: bool) -> None:
    for _ in range(lot.randint(2, 4)):
        level, quantity = lot.randint(-50, 50), str(1000 * lot.randint(1, 9))
        first = lot.choice([BUY, SELL])
        moved = 0 if guilty else lot.choice([-1, 1]) * lot.randint(1, 9)
        if guilty and lot.random() < 0.1:
            moved = 1  # a tick is given away, so that the prices differ
        flow.trade(first, priced(level), quantity)
        flow.after(lot.uniform(0.5, 9)).trade(
            first.opposite, priced(level + moved), quantity, account=lot.choice(["alpha", "beta"])
        )
        flow.after(lot.uniform(11, 40))


def layering(flow: Flow, lot: Random, *, guilty: bool) -> None:
    side = lot.choice([BUY, SELL])
    away = -side.sign * 20
    shown = lot.randint(4, 8)
    orders = [flow.after(lot.uniform(0.1, 3)).place(side, priced(away * (number + 1))) for number in range(shown)]
    if guilty and lot.random() < 0.9:
        flow.trade(side.opposite, priced(0))
    elif guilty:  # one order of many is left to fill a little, and the rest are too few to count
        for order in orders[: shown - 3]:
            flow.fill(order, priced(away), "100", remaining="900", taker=False)
        flow.trade(side.opposite, priced(0))
    elif lot.random() < 0.5:  # honest: quotes are moved, and nothing fills on the other side
        flow.trade(side, priced(0))
    else:  # honest: the quotes stand, and fill
        flow.trade(side.opposite, priced(0))
        for order in orders:
            flow.after(0.5).fill(order, priced(away), taker=False)
        return
    for order in orders:
        flow.after(lot.uniform(0.1, 1)).cancel(order)


def momentum_ignition(flow: Flow, lot: Random, *, guilty: bool) -> None:
    side = lot.choice([BUY, SELL])
    pushes = lot.randint(4, 8)
    slow = guilty and lot.random() < 0.1  # spread out longer than a burst lasts
    for number in range(pushes):
        flow.after(4 if slow else lot.uniform(0.1, 1)).trade(side, priced(number * side.sign))
    if guilty:
        flow.after(lot.uniform(1, 50)).trade(side.opposite, priced(2 * pushes * side.sign), f"{pushes * 1000}")
    elif lot.random() < 0.5:  # honest: a breakout is bought in slices, and held
        flow.after(lot.uniform(1, 50)).trade(side.opposite, priced(2 * pushes * side.sign), "1000")
    else:  # honest: it fails, and is closed at a loss
        flow.after(lot.uniform(1, 50)).trade(side.opposite, priced(-side.sign), f"{pushes * 1000}")


def order_rate(flow: Flow, lot: Random, *, guilty: bool) -> None:
    most = flow.config.order_rate.orders_max
    count = lot.randint(most + 1, 2 * most) if guilty else lot.randint(most // 2, most)
    for number in range(count):
        flow.after(50 / count).place(BUY, priced(-number - 1), account=("alpha", "beta")[number % 2])


FLOWS = {each.__name__: each for each in (self_crossing, wash, layering, momentum_ignition, order_rate)}


def noise(flow: Flow, lot: Random) -> None:
    """What goes on beside: others' orders on the other side, another instrument, ordinary round trips."""
    flow.trade(BUY, "1.25000", symbol="GBPUSD", strategy="other")
    flow.place(SELL, priced(lot.randint(-5, 5)), account="gamma", strategy="other")
    flow.after(lot.uniform(0.1, 2)).trade(SELL, "1.25010", symbol="GBPUSD", account="beta", strategy="other")


def scores(name: str, runs: int, seed: int, config: SurveillanceConfig = CONFIG) -> tuple[Decimal, Decimal]:
    """Recall and precision of one detector over as many guilty as innocent flows, drawn from `seed`."""
    hits = {True: 0, False: 0}
    for number in range(runs):
        for guilty in (True, False):
            flow, lot = Flow(config), Random(f"{name}/{seed}/{number}/{guilty}")
            noise(flow, lot)
            FLOWS[name](flow, lot, guilty=guilty)
            noise(flow, lot)
            hits[guilty] += name in flow.found()
    flagged = hits[True] + hits[False]
    return divide(Decimal(hits[True]), Decimal(runs), 3), divide(Decimal(hits[True]), Decimal(max(1, flagged)), 3)
