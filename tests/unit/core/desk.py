"""One account's orders on their way through the gates and the venue, heard by a real portfolio and a real watch."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.unit.core import samples
from tmt import messages as m
from tmt.domain.order import Order
from tmt.invariants import Breach
from tmt.projections.portfolio import Portfolio
from tmt.watch import Watch

NOW_NS = samples.START_NS
EXPIRES_NS = NOW_NS + 30


class Desk:
    """A portfolio and a watch that hear the same messages; every breach is kept."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self.watch = Watch(self.portfolio)
        self.breaches: list[Breach] = []
        self.now_ns = NOW_NS
        self.count = 0
        self.say(m.SessionStarted, **{**samples.FIELDS[m.SessionStarted], "instruments": (samples.EURUSD,)})
        self.say(m.AccountOpened, account=samples.make_account())
        for tier, scope in (("system", "desk"), ("account", "alpha")):
            self.breaker(m.BreakerClosed, tier, scope)

    def tell(self, message: m.Message) -> m.Message:
        self.portfolio.evolve(message)
        self.breaches += self.watch.see(message)
        return message

    def say(self, kind: type[m.Message], cause: m.Message | None = None, **fields: Any) -> m.Message:
        self.count += 1
        because = m.TimeAdvanced.root("clock", self.now_ns, str(self.count)) if cause is None else cause
        return self.tell(kind.caused_by(because, "test", str(self.count), occurred_at_ns=self.now_ns, **fields))

    def breaker(self, kind: type[m.Message], tier: str, scope: str, resumes_by: str = "cool_down") -> None:
        self.say(kind, **{**samples.TRANSITION, "tier": tier, "scope": scope, "resumes_by": resumes_by})

    def approve(self, order: Order, kinds: Iterable[type[m.Message]] = m.APPROVALS, **changes: Any) -> m.Message:
        cause: m.Message = m.TimeAdvanced.root("clock", self.now_ns, order.order_id)
        for kind in kinds:
            cause = self.gate(kind, order, cause, **changes)
        return cause

    def gate(self, kind: type[m.Message], order: Order, cause: m.Message, **changes: Any) -> m.Message:
        book = {"rule_book": "default", "rule_book_version": 1} if kind is m.ComplianceApproved else {}
        fields = {"order": order, "checks": (), "expires_at_ns": EXPIRES_NS, "config_hash": "c", **book, **changes}
        return self.say(kind, cause, **fields)

    def submit(self, order: Order, release: m.Message | None, client: str = "client") -> m.Message:
        return self.say(
            m.OrderSubmitted,
            release,
            client_order_id=client,
            order=order,
            stop_loss_client_order_id=f"{client}-SL",
            take_profit_client_order_id=f"{client}-TP",
        )

    def start(self, order: Order, release: m.Message) -> m.Message:
        return self.say(m.ScheduleStarted, release, order=order, arrival_price=Decimal("1.1"))

    def due(self, order: Order, number: int) -> m.Message:
        return self.say(m.SliceDue, order_id=order.order_id, account=order.account, number=number)

    def event(self, kind: type[m.Message], client: str = "client", **fields: Any) -> m.Message:
        return self.say(kind, **{**samples.FIELDS[kind], "client_order_id": client, **fields})

    def accept(self, quantity: int = 1000, client: str = "client") -> m.Message:
        return self.event(m.OrderAccepted, client, quantity=Decimal(quantity))

    def fill(self, quantity: str | int, remaining: str | int, client: str = "client", **changes: Any) -> m.Message:
        fields = {
            "fill_id": f"fill-{self.count}",
            "quantity": Decimal(quantity),
            "remaining": Decimal(remaining),
            "price": Decimal("1.10002"),
            "fee_currency": "USD",
            **changes,
        }
        return self.event(m.OrderFilled, client, **fields)

    def working(self, quantity: int = 1000, order_id: str = "order-1", client: str = "client", **changes: Any) -> Order:
        order = samples.make_order(order_id, quantity=Decimal(quantity), **changes)
        self.submit(order, self.approve(order), client)
        self.accept(quantity, client)
        return order

    def broken(self) -> set[str]:
        return {breach.invariant for breach in [*self.breaches, *self.watch.check_everything()]}
