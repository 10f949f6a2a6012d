"""Analysis: views of the market and of open positions."""

from __future__ import annotations

from typing import ClassVar

from tmt.domain.money import Exact, fraction, positive
from tmt.domain.order import Quote, Side
from tmt.market.bar import Timeframe
from tmt.messages.message import Check, Measure, Message


class WyckoffEventSeen(Message, frozen=True, kw_only=True):
    """An event of the Wyckoff method, said at its bar's close and never changed.

    Attributes:
        event: the method's abbreviation, such as "SC", "AR", "ST", "spring", "SOS", "LPS".
        direction: buy for accumulation, sell for distribution.
        rule: name of the rule that fired.
        evidence: the levels and ratios it fired on.
        range_id: the trading range that it belongs to.
    """

    instrument: str
    timeframe: Timeframe
    event: str
    direction: Side
    rule: str
    bar_start_ns: int
    bar_end_ns: int
    price: Exact
    evidence: tuple[Measure, ...]
    range_id: str


class PhaseChanged(Message, frozen=True, kw_only=True):
    """A trading range enters a phase ("A" to "E"), or is "abandoned" or "completed"."""

    instrument: str
    timeframe: Timeframe
    direction: Side
    range_id: str
    phase_before: str
    phase: str


class SignalRaised(Message, frozen=True, kw_only=True):
    """A view: enter at the market on `side`, be wrong at `stop_price`, be right at `target_price`."""

    starts_trail: ClassVar[bool] = True

    instrument: str
    timeframe: Timeframe
    side: Side
    setup: str
    entry_price: Exact
    stop_price: Exact
    target_price: Exact
    confidence: Exact
    quote: Quote
    evidence: tuple[Measure, ...]
    range_id: str

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction("confidence", self.confidence)
        positive("entry_price", self.entry_price)
        below, above = sorted((self.stop_price, self.target_price))
        if not below < self.entry_price < above or (self.side is Side.BUY) != (self.stop_price < self.entry_price):
            raise ValueError(
                f"a {self.side} at {self.entry_price} cannot stop at {self.stop_price} and aim at {self.target_price}"
            )


class ExitRaised(Message, frozen=True, kw_only=True):
    """ARIA or compliance wants to leave a position, wholly or in part, or to move its stop nearer. A trail of its own.

    Attributes:
        order_id: the order that opened the position.
        rule: of ARIA "break_even", "partial", "trail", "time", "news", "margin"; of compliance the rule book's own.
        side: of the order that would close.
        quantity: to be closed at the market, which passes the gates as a reduce-only order; None closes nothing.
        stop_price: where the protective stops are to stand, which never adds risk; None moves nothing.
        checks: what was measured.
    """

    starts_trail: ClassVar[bool] = True

    account: str
    instrument: str
    order_id: str
    rule: str
    side: Side
    quantity: Exact | None
    stop_price: Exact | None
    quote: Quote
    checks: tuple[Check, ...]
    config_hash: str

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("quantity", "stop_price"):
            value = getattr(self, name)
            if value is not None:
                positive(name, value)
        if self.quantity is None and self.stop_price is None:
            raise ValueError("an exit closes something or moves a stop")
