"""What a message is about, and whose it is: who may hear it, under which topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tmt import messages as m

TOPICS: Final[dict[str, tuple[type[m.Message], ...]]] = {
    "market": (m.MarketDataReceived, m.BarClosed, m.FeedGapFound, m.FeedStale, m.FeedRecovered),
    "analysis": (m.WyckoffEventSeen, m.PhaseChanged),
    "signals": (m.SignalRaised, m.ExitRaised),
    "decisions": m.GATES,
    "orders": (
        m.OrderProposed,
        m.CancelOrder,
        m.ReplaceOrder,
        *m.SUBMISSIONS,
        *m.SCHEDULES,
        m.SliceDue,
        m.OrderAccepted,
        m.OrderTriggered,
        m.OrderReplaced,
        m.OrderRejected,
        m.OrderCancelled,
        m.OrderExpired,
        m.CancelRejected,
        *m.RECONCILED,
    ),
    "risk": m.RISK,
    "fills": (m.OrderFilled, m.PositionClosed),
    "breakers": (*m.SAFETY, m.StopTrading, m.ResumeTrading, m.ReinstateAccount, m.AgentReturned, m.ConditionReported),
    "parameters": (m.StatisticsUpdated, m.ParameterProposed),
    "desk": (m.SessionStarted, m.AccountOpened),
}
"""Topic -> types. A type is in one topic at most; the passing of time is in none."""

TOPIC_OF: Final[dict[str, str]] = {kind.__name__: topic for topic, kinds in TOPICS.items() for kind in kinds}
"""Type's name -> topic."""

UNKNOWN: Final = "\x1funknown"
"""An account that nobody has: for a message about an order whose account cannot be told."""


def account_of(message: m.Message, owner: Callable[[str], str | None]) -> str | None:
    """The account that a message is about, `UNKNOWN` if that cannot be told; None when it is everybody's.

    Args:
        message: any.
        owner: the account of an order by its id at the venue, None when unknown.
    """
    match message:
        case (
            m.OrderProposed()
            | m.OrderDenied()
            | m.VenueEvent()
            | m.PositionClosed()
            | m.AccountSuspended()
            | m.AccountReinstated()
            | m.EntriesBarred()
            | m.ReinstateAccount()
            | m.ExitRaised()
            | m.RiskMeasured()
            | m.MarginLevelChanged()
            | m.SliceDue()
            | m.ScheduleEnded()
        ):
            return message.account
        case m.GateApproval() | m.OrderSubmitted() | m.ScheduleStarted():
            return message.order.account
        case m.CancelOrder() | m.ReplaceOrder() | m.CancelSubmitted() | m.ReplaceSubmitted():
            return owner(message.client_order_id) or UNKNOWN
        case m.BreakerTransition() if message.tier == "account":
            return message.scope
        case m.CopyTradingSeen() | m.ConductFlagged():
            return message.accounts[0] if len(message.accounts) == 1 else UNKNOWN
        case m.AccountOpened():
            return message.account.account_id
        case _:
            return None
