"""The breakers' states. A status changes only when a breaker message is folded, so the log always knows first."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from tmt import messages as m
from tmt.agents.verdict import shrinks_position
from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Order
from tmt.projections.portfolio import Portfolio

SYSTEM: Final = "system/desk"
RESUMED_BY_PERSON: Final = "resumed_by_person"
COOL_DOWN: Final = "cool_down"
PERSON: Final = "person"
RANKS: Final = {"invariant_broken": 2, "daily_loss": 2, "account_suspended": 3, "drawdown": 4}
"""An open breaker changes its trigger only for one that ranks as high; triggers not named here rank 1."""


class Status(StrEnum):
    """CLOSED trades; REDUCING only shrinks positions; OPEN takes no new risk; HALF_OPEN takes a few test orders."""

    CLOSED = "closed"
    REDUCING = "reducing"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """An order released while its scope was half-open, until it ends unfilled or its position is closed."""

    order_id: str
    account: str
    instrument: str
    filled: bool = False


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One scope's breaker. Everything up to `since_ns` is what its newest message said.

    Attributes:
        losses_in_a_row: since the last win; a trade that made nothing changes nothing.
        trials, successes: of the present half-open state.
        accepted_drawdown_fraction: what a person accepted by resuming; only a deeper drawdown opens again.
    """

    status: Status
    tier: str
    scope: str
    trigger: str
    measured: Exact
    limit: Exact
    unit: str
    resumes_by: str
    since_ns: int
    losses_in_a_row: int = 0
    trials: tuple[Trial, ...] = ()
    successes: int = 0
    accepted_drawdown_fraction: Exact = ZERO


class CircuitBreakerState(msgspec.Struct, frozen=True, kw_only=True):
    """Breakers by "tier/scope", and the instruments whose feed is stale."""

    breakers: dict[str, Breaker] = {}
    stale_feeds: tuple[str, ...] = ()


def account_key(account: str) -> str:
    """Key of an account's breaker."""
    return f"account/{account}"


def strategy_key(strategy: str) -> str:
    """Key of a strategy's breaker."""
    return f"agent/{strategy}"


def feed_key(symbol: str) -> str:
    """Key of an instrument's feed."""
    return f"agent/feed:{symbol}"


def keys_of(order: Order) -> tuple[str, ...]:
    """The breakers an order must pass, widest first."""
    return SYSTEM, account_key(order.account), strategy_key(order.strategy), feed_key(order.instrument)


def profit_of(trade: m.PositionClosed) -> Exact:
    """What a round trip made after fees, in its own currency."""
    return trade.realised - trade.fees


def evolve(state: CircuitBreakerState, message: m.Message, portfolio: Portfolio) -> CircuitBreakerState:
    """Fold one message."""
    match message:
        case m.BreakerTransition():
            key = f"{message.tier}/{message.scope}"
            before = state.breakers.get(key)
            return _changed(state, key, _after(before, message)) if _takes_effect(before, message) else state
        case m.OrderReleased() if not shrinks_position(message.order, portfolio):
            return _tried(state, message.order)
        case m.OrderFilled():
            return _each_trial(state, lambda trial: _filled(trial, message.order_id))
        case m.OrderCancelled() | m.OrderExpired() | m.OrderRejected():
            return _each_trial(state, lambda trial: _ended(trial, message.order_id))
        case m.PositionClosed():
            return _counted(_each_trial(state, lambda trial: _closed(trial, message)), message)
        case m.FeedStale() | m.FeedRecovered():
            others = tuple(symbol for symbol in state.stale_feeds if symbol != message.instrument)
            stale = (*others, message.instrument) if isinstance(message, m.FeedStale) else others
            return msgspec.structs.replace(state, stale_feeds=stale)
        case _:
            return state


def _changed(state: CircuitBreakerState, key: str, breaker: Breaker) -> CircuitBreakerState:
    return msgspec.structs.replace(state, breakers={**state.breakers, key: breaker})


def _takes_effect(before: Breaker | None, said: m.BreakerTransition) -> bool:
    """Whether what was said still holds: another answer to the same cause may have opened the breaker since."""
    if before is None or before.status is not Status.OPEN:
        return True
    if isinstance(said, m.BreakerOpened):
        return RANKS.get(said.trigger, 1) >= RANKS.get(before.trigger, 1)
    is_later = before.resumes_by == COOL_DOWN and said.occurred_at_ns > before.since_ns
    return said.resumes_by == PERSON or is_later


def _after(before: Breaker | None, said: m.BreakerTransition) -> Breaker:
    losses = 0 if before is None else before.losses_in_a_row
    accepted = ZERO if before is None else before.accepted_drawdown_fraction
    trials: tuple[Trial, ...] = ()
    successes = 0
    match said:
        case m.BreakerOpened():
            status, losses, accepted = Status.OPEN, 0, ZERO
        case m.BreakerReduced():
            status = Status.REDUCING
        case m.BreakerHalfOpened():
            status = Status.HALF_OPEN
            accepted = said.measured if said.trigger == RESUMED_BY_PERSON and said.unit == "fraction" else accepted
            if before is not None and before.status is Status.HALF_OPEN:
                trials, successes = before.trials, before.successes
        case _:
            status = Status.CLOSED
            accepted = ZERO if said.trigger == "drawdown_recovered" else accepted
    return Breaker(
        status=status,
        tier=said.tier,
        scope=said.scope,
        trigger=said.trigger,
        measured=said.measured,
        limit=said.limit,
        unit=said.unit,
        resumes_by=said.resumes_by,
        since_ns=said.occurred_at_ns,
        losses_in_a_row=losses,
        trials=trials,
        successes=successes,
        accepted_drawdown_fraction=accepted,
    )


def _tried(state: CircuitBreakerState, order: Order) -> CircuitBreakerState:
    trial = Trial(order_id=order.order_id, account=order.account, instrument=order.instrument)
    for key in keys_of(order):
        breaker = state.breakers.get(key)
        if breaker is not None and breaker.status is Status.HALF_OPEN:
            state = _changed(state, key, msgspec.structs.replace(breaker, trials=(*breaker.trials, trial)))
    return state


def _each_trial(state: CircuitBreakerState, change: Callable[[Trial], Trial | None]) -> CircuitBreakerState:
    for key, breaker in state.breakers.items():
        if breaker.trials:
            changed = (change(trial) for trial in breaker.trials)
            trials = tuple(trial for trial in changed if trial is not None)
            state = _changed(state, key, msgspec.structs.replace(breaker, trials=trials))
    return state


def _filled(trial: Trial, order_id: str) -> Trial:
    return msgspec.structs.replace(trial, filled=True) if trial.order_id == order_id else trial


def _ended(trial: Trial, order_id: str) -> Trial | None:
    # The exits of a bracket carry their entry's order id, so what ends after the entry filled may be an exit.
    return None if trial.order_id == order_id and not trial.filled else trial


def _closed(trial: Trial, trade: m.PositionClosed) -> Trial | None:
    same_position = trial.filled and (trial.account, trial.instrument) == (trade.account, trade.instrument)
    return None if same_position or trial.order_id == trade.order_id else trial


def _counted(state: CircuitBreakerState, trade: m.PositionClosed) -> CircuitBreakerState:
    profit = profit_of(trade)
    for key in (SYSTEM, account_key(trade.account), strategy_key(trade.strategy)):
        breaker = state.breakers.get(key)
        if breaker is None:
            continue
        losses = breaker.losses_in_a_row
        if profit != ZERO:
            losses = losses + 1 if profit < ZERO else 0
        won = breaker.status is Status.HALF_OPEN and profit >= ZERO
        successes = breaker.successes + 1 if won else breaker.successes
        counted = msgspec.structs.replace(breaker, losses_in_a_row=losses, successes=successes)
        state = _changed(state, key, counted)
    return state
