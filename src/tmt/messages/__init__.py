"""Every message, in the order in which an order lives through them.

Inputs      SessionStarted, AccountOpened, MarketDataReceived, TimeAdvanced, OrderProposed, CancelOrder, ReplaceOrder,
            StopTrading, ResumeTrading, ReinstateAccount, AgentReturned, ConditionReported
Market      BarClosed, FeedGapFound, FeedStale, FeedRecovered, SliceDue
Analysis    WyckoffEventSeen, PhaseChanged, SignalRaised, ExitRaised
Risk        RiskMeasured, MarginLevelChanged, CorrelationsMeasured, CopyTradingSeen
Gates       OrderSized, ConcentrationApproved, BehaviourApproved, ComplianceApproved, OrderReleased; OrderDenied
Safety      BreakerOpened, BreakerReduced, BreakerHalfOpened, BreakerClosed, AccountSuspended, AccountReinstated,
            EntriesBarred, ConductFlagged, StopCompleted, AgentLost, InvariantBroken
Venue       OrderSubmitted, CancelSubmitted, ReplaceSubmitted, ScheduleStarted, ScheduleEnded; OrderAccepted,
            OrderTriggered, OrderReplaced, OrderFilled, OrderRejected, OrderCancelled, OrderExpired, CancelRejected;
            OrderReconciled
Outcomes    PositionClosed, StatisticsUpdated, ParameterProposed

A message's identifiers are derived from its cause, so the same cause gives the same message, byte for byte, however
the market data were cut into batches. When it was written down belongs to the log's envelope, not to the message.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tmt.domain.money import decode_hook
from tmt.errors import CorruptMessage
from tmt.messages.analysis import ExitRaised, PhaseChanged, SignalRaised, WyckoffEventSeen
from tmt.messages.gates import (
    BehaviourApproved,
    ComplianceApproved,
    ConcentrationApproved,
    GateApproval,
    OrderDenied,
    OrderReleased,
    OrderSized,
)
from tmt.messages.inputs import (
    AccountOpened,
    AgentReturned,
    CancelOrder,
    ConditionReported,
    MarketDataReceived,
    OrderProposed,
    ReinstateAccount,
    ReplaceOrder,
    ResumeTrading,
    SessionStarted,
    StopTrading,
    TimeAdvanced,
)
from tmt.messages.market import BarClosed, FeedGapFound, FeedRecovered, FeedStale, SliceDue
from tmt.messages.message import SCHEMA_VERSION, Check, Measure, Message
from tmt.messages.outcomes import ParameterProposed, PositionClosed, StatisticsUpdated
from tmt.messages.risk import CopyTradingSeen, CorrelationsMeasured, MarginLevelChanged, RiskMeasured
from tmt.messages.safety import (
    AccountReinstated,
    AccountSuspended,
    AgentLost,
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    BreakerReduced,
    BreakerTransition,
    ConductFlagged,
    EntriesBarred,
    InvariantBroken,
    StopCompleted,
)
from tmt.messages.venue import (
    CancelRejected,
    CancelSubmitted,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderReconciled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderTriggered,
    ReplaceSubmitted,
    ScheduleEnded,
    ScheduleStarted,
    VenueEvent,
)

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
    ReinstateAccount,
    AgentReturned,
    ConditionReported,
)
MARKET: Final = (BarClosed, FeedGapFound, FeedStale, FeedRecovered, SliceDue)
ANALYSIS: Final = (WyckoffEventSeen, PhaseChanged, SignalRaised, ExitRaised)
RISK: Final = (RiskMeasured, MarginLevelChanged, CorrelationsMeasured, CopyTradingSeen)
APPROVALS: Final = (OrderSized, ConcentrationApproved, BehaviourApproved, ComplianceApproved, OrderReleased)
GATES: Final = (*APPROVALS, OrderDenied)
BREAKER: Final = (BreakerOpened, BreakerReduced, BreakerHalfOpened, BreakerClosed)
SAFETY: Final = (
    *BREAKER,
    AccountSuspended,
    AccountReinstated,
    EntriesBarred,
    ConductFlagged,
    StopCompleted,
    AgentLost,
    InvariantBroken,
)
SUBMISSIONS: Final = (OrderSubmitted, CancelSubmitted, ReplaceSubmitted)
SCHEDULES: Final = (ScheduleStarted, ScheduleEnded)
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
RECONCILED: Final = (OrderReconciled,)
OUTCOMES: Final = (PositionClosed, StatisticsUpdated, ParameterProposed)
ALL: Final = (
    *INPUTS,
    *MARKET,
    *ANALYSIS,
    *RISK,
    *GATES,
    *SAFETY,
    *SUBMISSIONS,
    *SCHEDULES,
    *VENUE_EVENTS,
    *RECONCILED,
    *OUTCOMES,
)
DECISIONS: Final = frozenset(
    (
        SignalRaised,
        ExitRaised,
        *GATES,
        *BREAKER,
        AccountSuspended,
        AccountReinstated,
        EntriesBarred,
        StopCompleted,
        *SUBMISSIONS,
        *SCHEDULES,
        *VENUE_EVENTS,
        *RECONCILED,
    )
)
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


__all__ = [
    "ALL",
    "ANALYSIS",
    "APPROVALS",
    "BREAKER",
    "DECISIONS",
    "GATES",
    "INPUTS",
    "MARKET",
    "OUTCOMES",
    "RECONCILED",
    "RISK",
    "SAFETY",
    "SCHEDULES",
    "SCHEMA_VERSION",
    "SUBMISSIONS",
    "VENUE_EVENTS",
    "AccountOpened",
    "AccountReinstated",
    "AccountSuspended",
    "AgentLost",
    "AgentReturned",
    "BarClosed",
    "BehaviourApproved",
    "BreakerClosed",
    "BreakerHalfOpened",
    "BreakerOpened",
    "BreakerReduced",
    "BreakerTransition",
    "CancelOrder",
    "CancelRejected",
    "CancelSubmitted",
    "Check",
    "ComplianceApproved",
    "ConcentrationApproved",
    "ConditionReported",
    "ConductFlagged",
    "CopyTradingSeen",
    "CorrelationsMeasured",
    "EntriesBarred",
    "ExitRaised",
    "FeedGapFound",
    "FeedRecovered",
    "FeedStale",
    "GateApproval",
    "InvariantBroken",
    "MarginLevelChanged",
    "MarketDataReceived",
    "Measure",
    "Message",
    "OrderAccepted",
    "OrderCancelled",
    "OrderDenied",
    "OrderExpired",
    "OrderFilled",
    "OrderProposed",
    "OrderReconciled",
    "OrderRejected",
    "OrderReleased",
    "OrderReplaced",
    "OrderSized",
    "OrderSubmitted",
    "OrderTriggered",
    "ParameterProposed",
    "PhaseChanged",
    "PositionClosed",
    "ReinstateAccount",
    "ReplaceOrder",
    "ReplaceSubmitted",
    "ResumeTrading",
    "RiskMeasured",
    "ScheduleEnded",
    "ScheduleStarted",
    "SessionStarted",
    "SignalRaised",
    "SliceDue",
    "StatisticsUpdated",
    "StopCompleted",
    "StopTrading",
    "TimeAdvanced",
    "VenueEvent",
    "WyckoffEventSeen",
    "decode",
    "encode",
]
