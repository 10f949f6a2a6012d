"""Every message, in the order in which an order lives through them.

Inputs      SessionStarted, AccountOpened, MarketDataReceived, TimeAdvanced, OrderProposed, CancelOrder, ReplaceOrder,
            StopTrading, ResumeTrading
Market      BarClosed, FeedGapFound, FeedStale, FeedRecovered
Analysis    WyckoffEventSeen, PhaseChanged, SignalRaised
Gates       OrderSized, ConcentrationApproved, BehaviourApproved, ComplianceApproved, OrderReleased; OrderDenied
Safety      BreakerOpened, BreakerReduced, BreakerHalfOpened, BreakerClosed, AccountSuspended, InvariantBroken
Venue       OrderSubmitted, CancelSubmitted, ReplaceSubmitted; OrderAccepted, OrderTriggered, OrderReplaced,
            OrderFilled, OrderRejected, OrderCancelled, OrderExpired, CancelRejected
Outcomes    PositionClosed, StatisticsUpdated, ParameterProposed

A message's identifiers are derived from its cause, so the same cause gives the same message, byte for byte, however
the market data were cut into batches. When it was written down belongs to the log's envelope, not to the message.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Final, Self

import msgspec

from tmt.domain.account import Account
from tmt.domain.identity import derive_id
from tmt.domain.instrument import Instrument
from tmt.domain.money import Exact, checked, decode_hook, fraction, not_negative, positive
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.domain.session import SessionHours
from tmt.errors import CorruptMessage
from tmt.market.bar import Bar, Timeframe
from tmt.market.batch import MarketBatch, PackedColumn, pack, unpack

SCHEMA_VERSION: Final = 1
"""Raised whenever a field changes its meaning; a message of another version is refused, never reinterpreted."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What every message carries.

    Attributes:
        starts_trail: whether a message of this type is the root of a decision trail: a signal or a proposal.
        message_id: derived from the cause, the type and a key.
        correlation_id: the signal or proposal that it belongs to, else the message at the root.
        causation_id: the message that this one follows from; empty for a root.
        occurred_at_ns: event time, UTC.
        source: the agent, venue or person that says it.
    """

    starts_trail: ClassVar[bool] = False

    message_id: str
    correlation_id: str
    causation_id: str
    occurred_at_ns: int
    source: str
    version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.version != SCHEMA_VERSION:
            raise ValueError(f"version must be {SCHEMA_VERSION}, was {self.version}")

    @classmethod
    def root(cls, source: str, occurred_at_ns: int, *key: str, **fields: Any) -> Self:
        """A message that nothing in the log caused, identified by its type and key."""
        message_id = derive_id(cls.__name__, *key)
        return cls(
            message_id=message_id,
            correlation_id=message_id,
            causation_id="",
            occurred_at_ns=occurred_at_ns,
            source=source,
            **fields,
        )

    @classmethod
    def caused_by(
        cls, cause: Message, source: str, *key: str, occurred_at_ns: int | None = None, **fields: Any
    ) -> Self:
        """A message that follows from `cause`; `key` tells siblings of one type apart."""
        message_id = derive_id(cause.message_id, cls.__name__, *key)
        return cls(
            message_id=message_id,
            correlation_id=message_id if cls.starts_trail else cause.correlation_id,
            causation_id=cause.message_id,
            occurred_at_ns=cause.occurred_at_ns if occurred_at_ns is None else occurred_at_ns,
            source=source,
            **fields,
        )


# Inputs


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
    """A person asks to change a working order: a smaller quantity, another price. It loses its place in the queue."""

    client_order_id: str
    quantity: Exact
    limit_price: Exact | None
    person: str

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("quantity", self.quantity)


class StopTrading(Message, frozen=True, kw_only=True):
    """Emergency stop: no new risk, every working entry cancelled, and positions closed when `flatten`."""

    person: str
    reason: str
    flatten: bool


class ResumeTrading(Message, frozen=True, kw_only=True):
    """A person lifts an emergency stop or another halt that only a person may lift."""

    person: str
    reason: str


# Market


class BarClosed(Message, frozen=True, kw_only=True):
    """A bar is complete and will not change."""

    bar: Bar


class FeedGapFound(Message, frozen=True, kw_only=True):
    """No data for longer than allowed while the instrument's session was open."""

    instrument: str
    from_ns: int
    to_ns: int


class FeedStale(Message, frozen=True, kw_only=True):
    """An open instrument has had no data since `last_ns`."""

    instrument: str
    last_ns: int


class FeedRecovered(Message, frozen=True, kw_only=True):
    """Data of a stale instrument flow again."""

    instrument: str


# Analysis


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value that a judgement rests on."""

    name: str
    value: Exact
    unit: str

    def __post_init__(self) -> None:
        checked(self.name, self.value)


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


# Gates


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One rule applied to one order.

    Attributes:
        rule: the rule's id.
        measured, limit: both in `unit`.
        outcome: "pass", "reduce", "warn" or "deny".
        quantity_after: the order's quantity once this rule has spoken.
    """

    rule: str
    measured: Exact
    limit: Exact
    unit: str
    outcome: str
    quantity_after: Exact

    def __post_init__(self) -> None:
        checked("measured", self.measured)
        checked("limit", self.limit)
        if self.outcome not in ("pass", "reduce", "warn", "deny"):
            raise ValueError(f"outcome must be pass, reduce, warn or deny, was {self.outcome!r}")


class GateApproval(Message, frozen=True, kw_only=True):
    """What the five approvals share.

    Attributes:
        checks: every rule of the gate, in the order applied.
        expires_at_ns: event time after which the approval may not be used.
        config_hash: the configuration that decided.
    """

    order: Order
    checks: tuple[Check, ...]
    expires_at_ns: int
    config_hash: str


class OrderSized(GateApproval, frozen=True, kw_only=True):
    """ARIA has set the quantity."""


class ConcentrationApproved(GateApproval, frozen=True, kw_only=True):
    """The order does not turn the book into one bet."""


class BehaviourApproved(GateApproval, frozen=True, kw_only=True):
    """The order is not what a trader on tilt would do."""


class ComplianceApproved(GateApproval, frozen=True, kw_only=True):
    """The order keeps every rule of the account's rule book."""

    rule_book: str
    rule_book_version: int


class OrderReleased(GateApproval, frozen=True, kw_only=True):
    """The breaker is closed, or the order shrinks a position: execution may submit it."""


class OrderDenied(Message, frozen=True, kw_only=True):
    """A gate says no; final. `measured` and `limit` are those of the rule that decided."""

    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    gate: str
    reason: str
    measured: Exact
    limit: Exact
    unit: str
    detail: str
    checks: tuple[Check, ...]


# Safety


class BreakerTransition(Message, frozen=True, kw_only=True):
    """What breaker messages share.

    Attributes:
        tier: "agent", "account" or "system".
        scope: the agent's or account's name; "desk" for the system tier.
        trigger: the condition's name.
        resumes_by: "person" when only a person may lift it, else "cool_down".
    """

    tier: str
    scope: str
    trigger: str
    measured: Exact
    limit: Exact
    unit: str
    resumes_by: str
    detail: str


class BreakerOpened(BreakerTransition, frozen=True, kw_only=True):
    """No new risk in the scope."""


class BreakerReduced(BreakerTransition, frozen=True, kw_only=True):
    """Only orders that shrink a position pass in the scope."""


class BreakerHalfOpened(BreakerTransition, frozen=True, kw_only=True):
    """A bounded number of test trades may pass in the scope."""


class BreakerClosed(BreakerTransition, frozen=True, kw_only=True):
    """The scope trades normally."""


class AccountSuspended(Message, frozen=True, kw_only=True):
    """Compliance takes an account out of trading until a person reinstates it."""

    account: str
    rule: str
    measured: Exact
    limit: Exact
    unit: str


class InvariantBroken(Message, frozen=True, kw_only=True):
    """A rule that must always hold does not; the system breaker opens."""

    invariant: str
    detail: str


# Venue


class OrderSubmitted(Message, frozen=True, kw_only=True):
    """Execution sends an order. The bracket's two exits carry ids of their own from the start."""

    client_order_id: str
    order: Order
    stop_loss_client_order_id: str | None
    take_profit_client_order_id: str | None


class CancelSubmitted(Message, frozen=True, kw_only=True):
    """Execution asks the venue to cancel."""

    client_order_id: str
    reason: str


class ReplaceSubmitted(Message, frozen=True, kw_only=True):
    """Execution asks the venue to change quantity or price."""

    client_order_id: str
    quantity: Exact
    limit_price: Exact | None


class VenueEvent(Message, frozen=True, kw_only=True):
    """What the venue's answers share."""

    client_order_id: str
    order_id: str
    account: str
    instrument: str


class OrderAccepted(VenueEvent, frozen=True, kw_only=True):
    """The order works at the venue. Exits of a bracket are accepted when their entry fills."""

    side: Side
    quantity: Exact
    order_type: OrderType
    price: Exact | None
    reduce_only: bool


class OrderTriggered(VenueEvent, frozen=True, kw_only=True):
    """A stop was reached."""

    trigger_price: Exact


class OrderReplaced(VenueEvent, frozen=True, kw_only=True):
    """The venue changed the order."""

    quantity: Exact
    limit_price: Exact | None


class OrderFilled(VenueEvent, frozen=True, kw_only=True):
    """One execution of an order or of a part of it.

    Attributes:
        remaining: what is still open of the order after this fill.
        quote: best prices when it filled.
        role: "entry", "stop_loss", "take_profit" or "close".
        liquidity: "maker" or "taker".
        slippage: signed price difference from the order's reference price, against us when positive.
    """

    fill_id: str
    side: Side
    quantity: Exact
    price: Exact
    fee: Exact
    fee_currency: str
    remaining: Exact
    role: str
    liquidity: str
    slippage: Exact
    quote: Quote
    setup: str
    strategy: str

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("quantity", self.quantity)
        positive("price", self.price)
        checked("fee", self.fee)
        not_negative("remaining", self.remaining)


class OrderRejected(VenueEvent, frozen=True, kw_only=True):
    """The venue refuses the order."""

    reason: str
    detail: str


class OrderCancelled(VenueEvent, frozen=True, kw_only=True):
    """The order ends on request, or because its sibling in the bracket filled."""

    reason: str
    filled: Exact


class OrderExpired(VenueEvent, frozen=True, kw_only=True):
    """The order ends by its time in force."""

    filled: Exact


class CancelRejected(VenueEvent, frozen=True, kw_only=True):
    """The venue refuses a cancel or a replace."""

    reason: str


# Outcomes


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


INPUTS: Final = (
    SessionStarted,
    AccountOpened,
    MarketDataReceived,
    TimeAdvanced,
    OrderProposed,
    CancelOrder,
    ReplaceOrder,
    StopTrading,
    ResumeTrading,
)
MARKET: Final = (BarClosed, FeedGapFound, FeedStale, FeedRecovered)
ANALYSIS: Final = (WyckoffEventSeen, PhaseChanged, SignalRaised)
APPROVALS: Final = (OrderSized, ConcentrationApproved, BehaviourApproved, ComplianceApproved, OrderReleased)
GATES: Final = (*APPROVALS, OrderDenied)
BREAKER: Final = (BreakerOpened, BreakerReduced, BreakerHalfOpened, BreakerClosed)
SAFETY: Final = (*BREAKER, AccountSuspended, InvariantBroken)
SUBMISSIONS: Final = (OrderSubmitted, CancelSubmitted, ReplaceSubmitted)
VENUE_EVENTS: Final = (
    OrderAccepted,
    OrderTriggered,
    OrderReplaced,
    OrderFilled,
    OrderRejected,
    OrderCancelled,
    OrderExpired,
    CancelRejected,
)
OUTCOMES: Final = (PositionClosed, StatisticsUpdated, ParameterProposed)
ALL: Final = (*INPUTS, *MARKET, *ANALYSIS, *GATES, *SAFETY, *SUBMISSIONS, *VENUE_EVENTS, *OUTCOMES)
DECISIONS: Final = frozenset((SignalRaised, *GATES, *BREAKER, AccountSuspended, *SUBMISSIONS, *VENUE_EVENTS))
"""What `decision_hash` and the decisions file cover."""

_UNION: Any = ALL[0]
for _kind in ALL[1:]:
    _UNION = _UNION | _kind
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_UNION, dec_hook=decode_hook)


def encode(message: Message) -> bytes:
    """Canonical JSON: fields in the order declared, exact numbers as text."""
    return _ENCODER.encode(message)


def decode(raw: bytes) -> Message:
    """Decode one message.

    Raises:
        CorruptMessage: when `raw` is not one, or breaks its type's rules.
    """
    try:
        message: Message = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptMessage("TMT-M001", f"cannot decode message: {error}") from error
    return message
