"""What execution cancels when trading stops, and when everything that an emergency stop asked for has been answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from tmt.agents.execution.tracking import TrackedOrder
from tmt.domain.order import OrderState
from tmt.domain.stop import CLOSING_ATTEMPTS_MAX, EVERYTHING, ScopeKind, StopScope
from tmt.messages import (
    AccountSuspended,
    BreakerOpened,
    EntriesBarred,
    Message,
    OrderProposed,
    ResumeTrading,
    StopCompleted,
    StopTrading,
)
from tmt.projections.portfolio import Portfolio
from tmt.projections.reach import covers, is_closing, positions_in

ENTRIES_BARRED: Final = "entries_barred"
"""Why entries are cancelled and schedules end where compliance bars entries."""


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """An emergency stop whose orders have not all been answered.

    Attributes:
        awaited: client order ids of working entries that are to be cancelled.
        cancelled, filled: how many of them ended, and how.
        held: "account/instrument" of what the scope held when it came; empty when nothing is to be closed.
        proposed: by "account/instrument", orders that the desk has proposed so far to close it.
    """

    stop_id: str
    scope: StopScope
    flattens: bool
    awaited: tuple[str, ...]
    held: tuple[str, ...]
    cancelled: int = 0
    filled: int = 0
    proposed: dict[str, int] = {}


def cancelling(message: Message) -> tuple[StopScope, str] | None:
    """Where working entries are to be cancelled because of `message`, and the reason; None when nowhere.

    A breaker of an agent cancels nothing, for what opens it passes; nor does one that a person opened, whose stop says
    by its level whether anything is cancelled.
    """
    match message:
        case StopTrading() if message.level.cancels:
            return message.scope, "stop_trading"
        case BreakerOpened(trigger="manual_stop" | "manual_lock"):
            return None
        case BreakerOpened(tier="system"):
            return EVERYTHING, "system_breaker"
        case BreakerOpened(tier="account"):
            return StopScope(kind=ScopeKind.ACCOUNT, name=message.scope), "account_breaker"
        case AccountSuspended():
            return StopScope(kind=ScopeKind.ACCOUNT, name=message.account), "account_suspended"
        case _:
            return None


def entries_in(scope: StopScope, orders: Mapping[str, TrackedOrder], portfolio: Portfolio) -> tuple[str, ...]:
    """Client order ids of working orders in the scope that could open or add, oldest first."""
    return tuple(
        client_order_id
        for client_order_id, order in orders.items()
        if not order.reduce_only and covers(scope, portfolio, order.account, order.strategy, order.instrument)
    )


def barred_entries(barred: EntriesBarred, orders: Mapping[str, TrackedOrder]) -> tuple[str, ...]:
    """Client order ids of the account's working entries in the instrument, oldest first."""
    return tuple(
        client_order_id
        for client_order_id, order in orders.items()
        if not order.reduce_only and (order.account, order.instrument) == (barred.account, barred.instrument)
    )


def evolve_halts(
    halts: tuple[Halt, ...],
    message: Message,
    orders: Mapping[str, TrackedOrder],
    ended: Mapping[str, TrackedOrder],
    portfolio: Portfolio,
) -> tuple[Halt, ...]:
    """The stops under way after `message`, which `orders` and `ended` have followed; the same object if none is."""
    match message:
        case StopTrading() if all(halt.stop_id != message.message_id for halt in halts):
            return (*halts, _begun(message, orders, portfolio))
        case ResumeTrading():
            return tuple(halt for halt in halts if not message.scope.contains(halt.scope))
        case OrderProposed() if any(halt.stop_id == message.causation_id for halt in halts):
            return tuple(_proposed(halt, message) for halt in halts)
        case _:
            return tuple(_answered(halt, orders, ended) for halt in halts) if halts else halts


def _begun(stop: StopTrading, orders: Mapping[str, TrackedOrder], portfolio: Portfolio) -> Halt:
    held = positions_in(stop.scope, portfolio) if stop.level.flattens else []
    return Halt(
        stop_id=stop.message_id,
        scope=stop.scope,
        flattens=stop.level.flattens,
        awaited=entries_in(stop.scope, orders, portfolio) if stop.level.cancels else (),
        held=tuple(f"{position.account}/{position.instrument}" for position in held),
    )


def _proposed(halt: Halt, proposal: OrderProposed) -> Halt:
    if halt.stop_id != proposal.causation_id:
        return halt
    key = f"{proposal.account}/{proposal.instrument}"
    return msgspec.structs.replace(halt, proposed={**halt.proposed, key: halt.proposed.get(key, 0) + 1})


def _answered(halt: Halt, orders: Mapping[str, TrackedOrder], ended: Mapping[str, TrackedOrder]) -> Halt:
    gone = [ended.get(client_order_id) for client_order_id in halt.awaited if client_order_id not in orders]
    if not gone:
        return halt
    filled = sum(order is not None and order.state is OrderState.FILLED for order in gone)
    return msgspec.structs.replace(
        halt,
        awaited=tuple(client_order_id for client_order_id in halt.awaited if client_order_id in orders),
        cancelled=halt.cancelled + len(gone) - filled,
        filled=halt.filled + filled,
    )


def is_complete(halt: Halt, portfolio: Portfolio) -> bool:
    """Whether nothing more is to come: every cancel is answered, and what is to be closed is flat or past trying."""
    if halt.awaited:
        return False
    open_still = positions_in(halt.scope, portfolio) if halt.flattens else []
    return all(
        halt.proposed.get(f"{position.account}/{position.instrument}", 0) >= CLOSING_ATTEMPTS_MAX
        and not is_closing(portfolio, position)
        for position in open_still
    )


def completed(halt: Halt, cause: Message, portfolio: Portfolio, source: str) -> StopCompleted:
    """What the stop brought about; `halt` must be complete."""
    open_still = positions_in(halt.scope, portfolio) if halt.flattens else []
    still = tuple(f"{position.account}/{position.instrument}" for position in open_still)
    return StopCompleted.caused_by(
        cause,
        source,
        halt.stop_id,
        stop_id=halt.stop_id,
        cancelled=halt.cancelled,
        filled=halt.filled,
        positions_closed=tuple(key for key in dict.fromkeys((*halt.held, *halt.proposed)) if key not in still),
        positions_open=still,
    )
