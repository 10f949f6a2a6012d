"""What rules know of the past: the marks of the last hour, and how many orders each strategy has sent today."""

from __future__ import annotations

from typing import Final

import msgspec

from tmt.agents.compliance.rules import MINUTE_NS, MINUTES_REMEMBERED
from tmt.domain.order import Quote
from tmt.domain.session import DAY_NS
from tmt.messages import BarClosed, ComplianceApproved, Message
from tmt.projections.portfolio import Portfolio

_REMEMBERED_NS: Final = MINUTES_REMEMBERED * MINUTE_NS


class DayOrders(msgspec.Struct, frozen=True, array_like=True):
    """Orders approved on one day, counted from 1970-01-01 UTC."""

    day: int
    count: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What has been heard.

    Attributes:
        marks: by instrument, one a minute, oldest first: those of the last hour, and the newest one before it.
        orders: by strategy, of its last day with an order.
    """

    marks: dict[str, tuple[Quote, ...]] = {}
    orders: dict[str, DayOrders] = {}

    def orders_on(self, strategy: str, time_ns: int) -> int:
        """Orders of a strategy approved on the UTC day of `time_ns`, in all accounts."""
        counted = self.orders.get(strategy)
        return counted.count if counted is not None and counted.day == time_ns // DAY_NS else 0

    def after(self, message: Message, portfolio: Portfolio) -> History:
        """The history with one more message, which the portfolio has folded."""
        match message:
            case BarClosed():
                return self._marked(message.bar.instrument, portfolio)
            case ComplianceApproved():
                strategy, time_ns = message.order.strategy, message.occurred_at_ns
                counted = DayOrders(time_ns // DAY_NS, self.orders_on(strategy, time_ns) + 1)
                return msgspec.structs.replace(self, orders={**self.orders, strategy: counted})
            case _:
                return self

    def _marked(self, symbol: str, portfolio: Portfolio) -> History:
        mark, known = portfolio.mark(symbol), self.marks.get(symbol, ())
        if mark is None or (known and mark.time_ns < known[-1].time_ns + MINUTE_NS):
            return self
        recent = sum(mark.time_ns - each.time_ns < _REMEMBERED_NS for each in known)
        kept = known[max(0, len(known) - recent - 1) :]
        return msgspec.structs.replace(self, marks={**self.marks, symbol: (*kept, mark)})
