"""The human behaviour gate over a real portfolio, with limits that are easy to count."""

from decimal import Decimal
from typing import Any

import msgspec

from tests.unit.agents.desk import CONFIG_HASH, Desk, make_order, make_quote
from tmt import messages as m
from tmt.agents.human_behavior import HumanBehaviorAgent, HumanBehaviorConfig
from tmt.agents.human_behavior.config import (
    Chasing,
    CoolDown,
    Disposition,
    EntryRate,
    FatFinger,
    Sessions,
    Slicing,
    Trial,
    UsualVolume,
)
from tmt.domain.order import Order, Side
from tmt.domain.schedule import Algorithm

CONFIG = HumanBehaviorConfig(
    approval_seconds=30,
    cool_down=CoolDown(losses_in_a_row=2, pause_seconds=600, revenge_seconds=60),
    entries=EntryRate(per_hour_max=3, per_day_max=5),
    chasing=Chasing(size_after_loss_ratio_max=Decimal("1.5"), averaging_down_ratio_max=Decimal("1.5")),
    disposition=Disposition(
        trades_remembered=6,
        each_min=2,
        ratio_warn=Decimal(2),
        ratio_reduce=Decimal(3),
        quantity_fraction=Decimal("0.5"),
    ),
    fat_finger=FatFinger(
        orders_remembered=4,
        orders_min=3,
        quantity_ratio_max=Decimal(10),
        price_fraction_max=Decimal("0.05"),
        notional_ratio_max=Decimal(11),
        duplicate_seconds=5,
    ),
    sessions=Sessions(people_open=(), strategies_open=(), active_seconds_max=7200, rest_seconds=1800),
    slicing=Slicing(
        algorithm=Algorithm.TWAP,
        interval_seconds=60,
        participation_fraction_max=Decimal("0.1"),
        slices_max=4,
        time_variation_fraction=Decimal(0),
        size_variation_fraction=Decimal(0),
        volume=UsualVolume(bars_remembered=4, bars_min=2, lots_per_tick=Decimal(0), profile_minutes=30),
        trial=Trial(
            whole_fraction=Decimal(0),
            parents_remembered=3,
            parents_min=2,
            saving_fraction_min=Decimal("0.0001"),
            retry_after_parents=2,
        ),
    ),
)
QUOTE = make_quote("1.0999", "1.1000")


def with_limits(section: str, config: HumanBehaviorConfig = CONFIG, **changes: Any) -> HumanBehaviorConfig:
    """The configuration with some limits of one section changed."""
    return msgspec.structs.replace(config, **{section: msgspec.structs.replace(getattr(config, section), **changes)})


def with_slicing(section: str, **changes: Any) -> HumanBehaviorConfig:
    """The configuration with some values of one part of slicing changed."""
    part = msgspec.structs.replace(getattr(CONFIG.slicing, section), **changes)
    return with_limits("slicing", **{section: part})


class Floor:
    """The agent, and an EURUSD market at 1.0999 / 1.1000."""

    def __init__(self, config: HumanBehaviorConfig = CONFIG, desk: Desk | None = None) -> None:
        self.desk = Desk() if desk is None else desk
        self.agent = HumanBehaviorAgent(config, self.desk.portfolio, CONFIG_HASH)
        self.desk.mark("EURUSD", "1.0999", "1.1000")
        self.orders = 0

    def hear(self, message: m.Message) -> None:
        """Let the agent hear a message that the portfolio has folded."""
        assert self.agent.handle(message) == []

    def judge(self, order: Order) -> m.BehaviourApproved | m.OrderDenied:
        """The verdict, which the portfolio and the agent hear."""
        [answer] = self.agent.handle(self.desk.approve(m.ConcentrationApproved, order))
        self.desk.tell(answer)
        assert isinstance(answer, m.BehaviourApproved | m.OrderDenied)
        if isinstance(answer, m.OrderDenied):
            self.hear(answer)
        return answer

    def order(self, quantity: str = "10000", **fields: Any) -> Order:
        """An order with an id of its own to buy EURUSD, unless `fields` say otherwise."""
        self.orders += 1
        wanted: dict[str, Any] = {
            "side": Side.BUY,
            "stop_loss": "1.0900",
            "order_id": f"order-{self.orders}",
            **fields,
        }
        return make_order("EURUSD", wanted.pop("side"), quantity, QUOTE, **wanted)

    def buy(self, quantity: str = "10000", **fields: Any) -> m.BehaviourApproved | m.OrderDenied:
        """The verdict on an order."""
        return self.judge(self.order(quantity, **fields))

    def release(self, quantity: str = "10000", **fields: Any) -> Order:
        """An order released; where it was judged does not matter."""
        order = self.order(quantity, **fields)
        self.hear(self.desk.approve(m.OrderReleased, order))
        return order

    def close(self, realised: str, *, after_seconds: int = 60, **fields: Any) -> None:
        """A round trip ends; then time passes, unless told otherwise long enough for a new entry."""
        self.hear(self.desk.close_trip(realised=realised, **fields))
        self.desk.pass_seconds(after_seconds)


def reason(answer: m.Message) -> str:
    """Why an order was refused, or "approved"."""
    return answer.reason if isinstance(answer, m.OrderDenied) else "approved"


def check_of(answer: m.BehaviourApproved | m.OrderDenied, rule: str) -> m.Check:
    """The check of one rule."""
    [check] = [each for each in answer.checks if each.rule == f"human_behavior.{rule}"]
    return check


def shown(check: m.Check) -> tuple[str, str, str, str, bool]:
    """Measured, limit, unit, outcome, and whether the limit is a lower bound."""
    measured, limit = (f"{value.normalize():f}" for value in (check.measured, check.limit))
    return measured, limit, check.unit, check.outcome, check.at_least
