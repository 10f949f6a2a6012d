"""How many messages go to the venue: a token bucket in event time, kept as one number.

The bucket holds `messages_burst` tokens and gains `messages_per_second`. It is kept as the time at which it will be
full again (the theoretical arrival time of the generic cell rate algorithm, ITU-T I.371), in whole nanoseconds.

What exceeds it is refused at once and never sent later, when it might no longer be wanted. Three things count and go
all the same: orders that only shrink a position, slices of a parent, and what an emergency stop or a breaker sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from tmt.agents.execution.config import ExecutionConfig
from tmt.agents.execution.tracking import TrackedOrder
from tmt.agents.verdict import Waterfall, denied, shrinks_position
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.messages import (
    CancelRejected,
    CancelSubmitted,
    Message,
    OrderReleased,
    OrderSubmitted,
    ReplaceSubmitted,
)
from tmt.projections.portfolio import Portfolio

RULE: Final = "message_rate"
PERSON: Final = "person"
"""Why a cancel was asked for; all others come from stops, breakers and repairs."""


def tokens_used(full_at_ns: int, now_ns: int, config: ExecutionConfig) -> int:
    """Tokens that the bucket lacks at `now_ns`; a token that is not yet whole lacks."""
    return -(-max(0, full_at_ns - now_ns) // interval_ns(config))


def interval_ns(config: ExecutionConfig) -> int:
    """Time in which the bucket gains a token."""
    return NANOSECONDS_PER_SECOND // config.messages_per_second


def counted(full_at_ns: int, message: Message, config: ExecutionConfig) -> int:
    """When the bucket will be full again once `message` is sent, if it is one that is."""
    if not isinstance(message, OrderSubmitted | ReplaceSubmitted | CancelSubmitted):
        return full_at_ns
    return max(full_at_ns, message.occurred_at_ns) + interval_ns(config)


def paced(
    said: Iterable[Message],
    cause: Message,
    full_at_ns: int,
    orders: Mapping[str, TrackedOrder],
    portfolio: Portfolio,
    config: ExecutionConfig,
    config_hash: str,
) -> list[Message]:
    """What execution says to `cause`, refusals in the place of what would exceed the rate."""
    let: list[Message] = []
    for message in said:
        used = tokens_used(full_at_ns, portfolio.now_ns, config)
        if used + 1 > config.messages_burst and _may_wait(message, cause, portfolio):
            let.append(_refusal(message, cause, used + 1, orders, config, config_hash))
        else:
            full_at_ns = counted(full_at_ns, message, config)
            let.append(message)
    return let


def _may_wait(message: Message, cause: Message, portfolio: Portfolio) -> bool:
    match message:
        case OrderSubmitted():
            return isinstance(cause, OrderReleased) and not shrinks_position(message.order, portfolio)
        case CancelSubmitted():
            return message.reason == PERSON
        case _:
            return isinstance(message, ReplaceSubmitted)


def _refusal(
    message: Message,
    cause: Message,
    used: int,
    orders: Mapping[str, TrackedOrder],
    config: ExecutionConfig,
    config_hash: str,
) -> Message:
    if isinstance(message, OrderSubmitted):
        order = message.order
        detail = (
            f"the venue gets at most {config.messages_burst} messages at once, {config.messages_per_second} a second"
        )
        measured, limit = Decimal(used), Decimal(config.messages_burst)
        deny = Waterfall(message.source, order.quantity).denies(RULE, measured, limit, "messages", detail=detail)
        return denied(cause, message.source, order, deny, config_hash)
    assert isinstance(message, ReplaceSubmitted | CancelSubmitted)
    return refused_change(message, cause, RULE, orders)


def refused_change(
    message: ReplaceSubmitted | CancelSubmitted, cause: Message, reason: str, orders: Mapping[str, TrackedOrder]
) -> CancelRejected:
    """Our own refusal of a cancel or replace, which its source tells from the venue's."""
    known = orders.get(message.client_order_id)
    return CancelRejected.caused_by(
        cause,
        message.source,
        message.client_order_id,
        client_order_id=message.client_order_id,
        order_id="" if known is None else known.order_id,
        account="" if known is None else known.account,
        instrument="" if known is None else known.instrument,
        reason=reason,
    )
