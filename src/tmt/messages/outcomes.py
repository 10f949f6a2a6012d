"""Outcomes: round trips, statistics, and what they suggest."""

from __future__ import annotations

from tmt.domain.money import Exact
from tmt.domain.order import Side
from tmt.messages.message import Measure, Message


class PositionClosed(Message, frozen=True, kw_only=True):
    """A position went flat: one round trip.

    Attributes:
        order_id: the order that opened it.
        realised: profit before fees, in `currency` (the instrument's quote currency).
        risk_amount: what the bracket's stop put at risk when it opened, in `currency`; 0 when it had no stop.
        closing_role: which exit closed it: "stop_loss", "take_profit", "close" or "entry" (a reversal).
    """

    order_id: str
    account: str
    instrument: str
    setup: str
    strategy: str
    side: Side
    quantity: Exact
    opened_at_ns: int
    realised: Exact
    fees: Exact
    currency: str
    risk_amount: Exact
    closing_role: str


class StatisticsUpdated(Message, frozen=True, kw_only=True):
    """Outcomes so far of one setup on one instrument. Expectancy is in multiples of the risk taken (R)."""

    setup: str
    instrument: str
    trades: int
    win_rate: Exact
    expectancy_r: Exact
    expectancy_r_low: Exact
    expectancy_r_high: Exact
    profit_factor: Exact | None


class ParameterProposed(Message, frozen=True, kw_only=True):
    """A change that the evidence supports; a person decides."""

    agent: str
    parameter: str
    value_before: Exact
    value: Exact
    trades: int
    evidence: tuple[Measure, ...]
