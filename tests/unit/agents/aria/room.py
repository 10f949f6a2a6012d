"""A room in which ARIA looks after one position, bar by bar, and what it says of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from tests.unit.agents.desk import CONFIG_HASH, NO_NEWS, Desk, default_config, make_account
from tests.unit.agents.waterfalls import Row, plain
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig
from tmt.agents.aria.exit_config import ExitRule, ExitsConfig
from tmt.domain.news import NewsCalendar
from tmt.domain.order import OrderType, Side
from tmt.market.bar import Timeframe

CONFIG = default_config(AriaConfig, "aria", atr_bars=2)
EXITS = CONFIG.exits


def only(*rules: ExitRule, **changes: Any) -> ExitsConfig:
    return msgspec.structs.replace(EXITS, rules=rules, **changes)


class Room:
    """ARIA over a portfolio with one position: 100,000 EURUSD from 1.10000 with a stop 0.00100, which is 1 R, away."""

    def __init__(
        self,
        exits: ExitsConfig,
        *,
        side: Side = Side.BUY,
        news: NewsCalendar = NO_NEWS,
        stop: str | None = "",
        quantity: str = "100000",
        fee: str = "0",
    ) -> None:
        self.desk = Desk(make_account(), make_account("beta"))
        self.agent = AriaAgent(msgspec.structs.replace(CONFIG, exits=exits), self.desk.portfolio, CONFIG_HASH, news)
        self.sign = side.sign
        initial = self.price(-100) if stop == "" else stop
        self.entry = self.desk.hold("EURUSD", side, quantity, "1.10000", stop=initial)
        if fee != "0":
            trip = self.desk.portfolio.state.trips["alpha/EURUSD"]
            self.desk.portfolio.state.trips["alpha/EURUSD"] = msgspec.structs.replace(trip, fees=Decimal(fee))
        if initial is not None:
            self.accept_stop("sl", initial, quantity)

    def price(self, ticks: int) -> str:
        """The entry price and so many ticks of profit; 100 ticks are 1 R."""
        return str(Decimal("1.10000") + self.sign * Decimal(ticks).scaleb(-5))

    def accept_stop(self, name: str, price: str, quantity: str, *, role: str = "stop_loss") -> None:
        self.desk.say(
            m.OrderAccepted,
            client_order_id=name,
            order_id=self.entry.order_id,
            account="alpha",
            instrument="EURUSD",
            side=self.entry.side.opposite,
            quantity=Decimal(quantity),
            order_type=OrderType.STOP,
            price=Decimal(price),
            reduce_only=True,
            role=role,
        )

    def bar(
        self, ticks: int, *, high: int | None = None, low: int | None = None, timeframe: Timeframe = Timeframe.M5
    ) -> list[m.Message]:
        """A bar that closes at so many ticks of profit; ARIA's answers, each folded and heard."""
        self.desk.pass_seconds(timeframe.nanoseconds // 1_000_000_000)
        reach = sorted([self.price(ticks if high is None else high), self.price(ticks if low is None else low)])
        closed = self.desk.bar("EURUSD", self.price(ticks), high=reach[1], low=reach[0], timeframe=timeframe)
        return self.hear(closed)

    def hear(self, message: m.Message) -> list[m.Message]:
        said = self.agent.handle(message)
        for answer in said:
            self.desk.tell(answer)
            if isinstance(answer, self.agent.consumes):
                assert self.agent.handle(answer) == []
        return said


def raised(said: list[m.Message]) -> list[tuple[str, str | None, str | None]]:
    return [
        (
            each.rule,
            None if each.quantity is None else str(each.quantity),
            None if each.stop_price is None else str(each.stop_price),
        )
        for each in said
        if isinstance(each, m.ExitRaised)
    ]


def sized(said: list[m.Message]) -> list[m.OrderSized]:
    return [each for each in said if isinstance(each, m.OrderSized)]


def rows(raised: m.ExitRaised) -> list[Row]:
    """Every check of an exit, whole; the exit must survive the log's encoding."""
    assert m.decode(m.encode(raised)) == raised
    return [
        (
            check.rule.removeprefix("aria."),
            plain(check.measured),
            plain(check.limit),
            check.unit,
            check.outcome,
            plain(check.quantity_after),
            check.at_least,
        )
        for check in raised.checks
    ]
