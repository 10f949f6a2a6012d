"""Inputs: what comes from outside and moves the desk."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import Exact, checked, positive
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.session import SessionHours
from tmt.domain.stop import EVERYTHING, StopLevel, StopScope
from tmt.market.batch import MarketBatch, PackedColumn, pack, unpack
from tmt.messages.message import Message


class SessionStarted(Message, frozen=True, kw_only=True):
    """The desk starts, or starts again. Hashes name the exact configuration and rule books in force.

    Attributes:
        bar_seconds, traded, expected: the feed's own; see `ports.feed.Feed`. With them the log alone can be run again.
    """

    mode: str
    software_version: str
    config_hash: str
    seed: int
    inputs: tuple[str, ...]
    simulated: bool
    instruments: tuple[Instrument, ...]
    bar_seconds: int = 0
    traded: tuple[str, ...] = ()
    expected: tuple[SessionHours, ...] = ()


class AccountOpened(Message, frozen=True, kw_only=True):
    """An account exists from now on, with its deposit."""

    account: Account


class MarketDataReceived(Message, frozen=True, kw_only=True, dict=True):
    """A batch of quotes and trades, packed column by column. It occurs when its first row does."""

    symbols: tuple[str, ...]
    first_sequence: int
    rows: int
    columns: tuple[PackedColumn, ...]

    @classmethod
    def of(cls, source: str, batch: MarketBatch) -> MarketDataReceived:
        """The message that carries `batch`, which must not be empty."""
        message = cls.root(
            source,
            int(batch.time_ns[0]),
            source,
            str(batch.first_sequence),
            str(len(batch)),
            symbols=batch.symbols,
            first_sequence=batch.first_sequence,
            rows=len(batch),
            columns=pack(batch),
        )
        message.__dict__["batch"] = batch
        return message

    @cached_property
    def batch(self) -> MarketBatch:
        """The rows."""
        return unpack(self.symbols, self.first_sequence, self.rows, self.columns)


class TimeAdvanced(Message, frozen=True, kw_only=True):
    """Event time has reached `occurred_at_ns` though no market data came."""


class OrderProposed(Message, frozen=True, kw_only=True):
    """A person or a foreign client wants an order; it passes the same gates as a signal."""

    starts_trail: ClassVar[bool] = True

    account: str
    instrument: str
    side: Side
    quantity: Exact
    order_type: OrderType
    time_in_force: TimeInForce
    person: str
    strategy: str
    limit_price: Exact | None = None
    stop_price: Exact | None = None
    stop_loss_price: Exact | None = None
    take_profit_price: Exact | None = None
    trail_offset: Exact | None = None
    expire_at_ns: int | None = None
    reduce_only: bool = False
    post_only: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("quantity", self.quantity)


class CancelOrder(Message, frozen=True, kw_only=True):
    """A person asks to cancel a working order."""

    client_order_id: str
    person: str


class ReplaceOrder(Message, frozen=True, kw_only=True):
    """A person asks to change a working order: a smaller quantity, another price; None leaves a price as it is.

    It keeps its place in the queue only when nothing but its quantity falls.
    """

    client_order_id: str
    quantity: Exact
    limit_price: Exact | None
    person: str
    stop_price: Exact | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("quantity", self.quantity)


class StopTrading(Message, frozen=True, kw_only=True):
    """Emergency stop: no new risk in `scope`, and what its level adds. It lasts until a person lifts it.

    Attributes:
        role: by which the person may do this.
    """

    person: str
    role: str
    reason: str
    level: StopLevel
    scope: StopScope = EVERYTHING


class ResumeTrading(Message, frozen=True, kw_only=True):
    """A person lifts an emergency stop, or another halt that only a person may lift, in `scope`.

    Everything covers every narrower scope. Suspended accounts stay so; see `ReinstateAccount`.
    """

    person: str
    role: str
    reason: str
    scope: StopScope = EVERYTHING


class ReinstateAccount(Message, frozen=True, kw_only=True):
    """A person asks to take a suspended account back into trading."""

    account: str
    person: str
    role: str
    reason: str


class AgentReturned(Message, frozen=True, kw_only=True):
    """An agent that was lost answers again, and is asked again from here on."""

    agent: str


class ConditionReported(Message, frozen=True, kw_only=True):
    """How an operating condition stands, measured outside the path of decisions.

    Attributes:
        condition: "bus_lag", "venue_disconnected", "clock_skew".
        scope: which venue or agent; "desk" for all.
        holds: whether `measured` is within `limit`.
    """

    condition: str
    scope: str
    measured: Exact
    limit: Exact
    unit: str
    holds: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        checked("measured", self.measured)
        checked("limit", self.limit)
