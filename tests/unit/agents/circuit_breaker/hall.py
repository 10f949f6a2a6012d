"""A circuit breaker on a desk, fed as the runner feeds it: whatever it says comes back before anything else."""

from decimal import Decimal
from typing import Any

import msgspec

from tests.unit.agents.desk import CONFIG_HASH, Desk, make_order, make_quote
from tmt import messages as m
from tmt.agents.circuit_breaker import CircuitBreakerAgent, CircuitBreakerConfig
from tmt.agents.circuit_breaker.breakers import Breaker, Status
from tmt.agents.circuit_breaker.config import (
    AccountLimits,
    AgentLimits,
    CoolDownSeconds,
    HalfOpen,
    InstrumentLimits,
    RepeatedExecution,
    VenueLimits,
)
from tmt.domain.order import Order, Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.domain.stop import EVERYTHING, StopLevel, StopScope
from tmt.market.bar import Timeframe

CONFIG = CircuitBreakerConfig(
    approval_seconds=30,
    strategies=("wyckoff", "operator"),
    account=AccountLimits(
        daily_loss_fraction_max=Decimal("0.05"),
        drawdown_fraction_max=Decimal("0.08"),
        reduce_at_fraction=Decimal("0.8"),
        consecutive_losses_max=3,
    ),
    agent=AgentLimits(consecutive_losses_max=5),
    instrument=InstrumentLimits(
        timeframe_min=Timeframe.M5,
        sigmas_max=Decimal(3),
        decay_fraction=Decimal("0.9"),
        returns_min=4,
        volatility_confirmations=2,
        volatility_samples=3,
        gap_fraction_max=Decimal("0.05"),
    ),
    venue=VenueLimits(
        answer_seconds_max=Decimal(2),
        answer_confirmations=2,
        answer_samples=3,
        rejection_confirmations=2,
        rejection_samples=3,
    ),
    repeated_execution=RepeatedExecution(entries_max=9, window_seconds=60),
    cool_down_seconds=CoolDownSeconds(agent=30, account=60, system=300),
    half_open=HalfOpen(test_orders_max=2, successes_to_close=3),
    mark_age_seconds_max=600,
    resume_roles=("risk", "admin"),
    loose=False,
    loose_factor=Decimal("1.5"),
)
QUOTE = make_quote("1.0999", "1.1000")


def reason(answer: m.Message) -> str:
    return answer.reason if isinstance(answer, m.OrderDenied) else "released"


class Hall:
    """The breaker, its desk, every breaker message said, and orders with ids of their own."""

    def __init__(self, config: CircuitBreakerConfig = CONFIG, desk: Desk | None = None, *, begin: bool = True) -> None:
        self.desk = Desk() if desk is None else desk
        self.agent = CircuitBreakerAgent(config, self.desk.portfolio, CONFIG_HASH)
        self.said: list[m.BreakerTransition] = []
        self.released: list[Order] = []
        self._count = 0
        if begin:
            for message in (self.desk.started, *self.desk.opened):
                self.hear(message)
        self.desk.mark("EURUSD", "1.0999", "1.1000")

    def hear(self, message: m.Message) -> list[m.Message]:
        """Deliver a folded message and, depth first, all that the breaker answers; the answers, in the log's order."""
        heard: list[m.Message] = []
        for answer in self.agent.handle(message):
            self.desk.tell(answer)
            if isinstance(answer, m.BreakerTransition):
                self.said.append(answer)
            heard += [answer, *self.hear(answer)]
        return heard

    def say(self, kind: type[m.Message], **fields: Any) -> list[m.Message]:
        return self.hear(self.desk.say(kind, **fields))

    def order(self, side: Side = Side.BUY, quantity: str = "1000", symbol: str = "EURUSD", **fields: Any) -> m.Message:
        """The breaker's verdict on an order, given with a fresh quote."""
        self._count += 1
        if self.desk.portfolio.mark("EURUSD") is not None:
            self.desk.mark("EURUSD", "1.0999", "1.1000")
        order = make_order(symbol, side, quantity, QUOTE, order_id=f"order-{self._count}", **fields)
        approval = self.desk.approve(m.ComplianceApproved, order, rule_book="default", rule_book_version=1)
        answer = self.hear(approval)[-1]
        if isinstance(answer, m.OrderReleased):
            self.released.append(answer.order)
        return answer

    def hold(self, side: Side, quantity: str, price: str, symbol: str = "EURUSD") -> list[m.Message]:
        return self.hear(self.desk.hold(symbol, side, quantity, price))

    def mark(self, symbol: str, price: str) -> list[m.Message]:
        return self.hear(self.desk.mark(symbol, price))

    def lose(self, amount: int) -> list[m.Message]:
        """Hold SPY, mark it so that 100,000 are down by `amount` in all."""
        if not self.desk.portfolio.positions("alpha"):
            self.hold(Side.BUY, "1000", "500", "SPY")
        return self.mark("SPY", str(500 - Decimal(amount) / 1000))

    def flatten(self) -> None:
        """Sell SPY at its mark."""
        mark = self.desk.portfolio.mark("SPY")
        assert mark is not None
        self.hold(Side.SELL, "1000", str(mark.bid), "SPY")

    def trade(self, realised: str, *, order_id: str = "elsewhere", **fields: Any) -> list[m.Message]:
        """A round trip ends with `realised` USD."""
        trip = self.desk.close_trip(realised=realised, **fields)
        return self.hear(msgspec.structs.replace(trip, order_id=order_id))

    def end_trial(self, realised: str) -> list[m.Message]:
        """The oldest order released ends its round trip."""
        return self.trade(realised, order_id=self.released.pop(0).order_id)

    def stop(self, level: StopLevel = StopLevel.CANCEL, scope: StopScope = EVERYTHING) -> list[m.Message]:
        return self.say(m.StopTrading, person="ann", reason="odd fills", role="risk", level=level, scope=scope)

    def resume(self, scope: StopScope = EVERYTHING, role: str = "risk") -> list[m.Message]:
        return self.say(m.ResumeTrading, person="ann", role=role, reason="understood", scope=scope)

    def wait(self, seconds: int) -> None:
        self.desk.pass_seconds(seconds)

    def breaker(self, key: str) -> Breaker:
        return self.agent.state.breakers[key]

    def status(self, key: str) -> Status:
        return self.breaker(key).status

    def until_next_day(self) -> None:
        day_ns = 86400 * NANOSECONDS_PER_SECOND
        self.desk.now_ns = (self.desk.now_ns // day_ns + 1) * day_ns
