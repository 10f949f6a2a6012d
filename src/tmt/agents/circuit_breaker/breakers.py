"""The breakers' states. A status changes only when a breaker message is folded, so the log always knows first."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from tmt import messages as m
from tmt.agents.circuit_breaker.conditions import Condition, condition_of
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.keys import SYSTEM, account_key, instrument_key, keys_of, strategy_key
from tmt.agents.circuit_breaker.measures import Measures, measure
from tmt.agents.verdict import shrinks_position
from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Order
from tmt.projections.portfolio import Portfolio

RESUMED_BY_PERSON: Final = "resumed_by_person"
REINSTATED: Final = "reinstated"
MANUAL_STOP: Final = "manual_stop"
MANUAL_LOCK: Final = "manual_lock"
MANUAL: Final = (MANUAL_STOP, MANUAL_LOCK)
COOL_DOWN: Final = "cool_down"
PERSON: Final = "person"
RANKS: Final = {
    "invariant_broken": 2,
    "daily_loss": 2,
    "repeated_execution": 2,
    "account_suspended": 3,
    "drawdown": 4,
    MANUAL_STOP: 5,
    MANUAL_LOCK: 6,
}
"""An open breaker changes its trigger only for one that ranks as high; triggers not named here rank 1."""


class Status(StrEnum):
    """CLOSED trades; REDUCING only shrinks positions; OPEN takes no new risk; HALF_OPEN takes a few test orders."""

    CLOSED = "closed"
    REDUCING = "reducing"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """An order released while its scope was half-open, until it is not sent, ends unfilled or its position is closed.

    Attributes:
        order_id: for a venue, of the slice that stands for an order that goes out in slices.
        filled: whether the next position closed in the instrument ends it; in slices, once the schedule has ended.
        venue: whether the scope is a venue, which is tried out by its answer to the order.
    """

    order_id: str
    account: str
    instrument: str
    filled: bool = False
    venue: bool = False


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One scope's breaker. Everything up to `since_ns` is what its newest message said.

    Attributes:
        losses_in_a_row: since the last win; a trade that made nothing changes nothing.
        trials, successes: of the present half-open state.
        accepted_drawdown_fraction: what a person accepted by resuming; only a deeper drawdown opens again.
        beneath: trigger that keeps the scope from trading freely once a person's stop is lifted; empty when none does.
        calm_since_ns: when the last condition that kept it open ended; its cool-down begins no earlier.
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
    beneath: str = ""
    calm_since_ns: int = 0


class CircuitBreakerState(msgspec.Struct, frozen=True, kw_only=True):
    """Breakers by "tier/scope", the conditions that last, and what is being measured."""

    breakers: dict[str, Breaker] = {}
    conditions: tuple[Condition, ...] = ()
    measures: Measures = Measures()

    def conditions_of(self, key: str) -> tuple[Condition, ...]:
        """What keeps a breaker from closing, oldest first."""
        return tuple(condition for condition in self.conditions if condition.key == key)


def profit_of(trade: m.PositionClosed) -> Exact:
    """What a round trip made after fees, in its own currency."""
    return trade.realised - trade.fees


def evolve(
    state: CircuitBreakerState, message: m.Message, portfolio: Portfolio, config: CircuitBreakerConfig
) -> CircuitBreakerState:
    """Fold one message."""
    measures = measure(state.measures, message, portfolio, config)
    if measures is not state.measures:
        state = msgspec.structs.replace(state, measures=measures)
    match message:
        case m.BreakerTransition():
            key = f"{message.tier}/{message.scope}"
            before = state.breakers.get(key)
            return _changed(state, key, _after(before, message)) if _takes_effect(before, message) else state
        case m.OrderReleased() if not shrinks_position(message.order, portfolio):
            return _tried(state, message.order, portfolio)
        case m.OrderDenied(gate="execution"):
            return _never_sent(state, message.order_id)
        case m.OrderSubmitted(order=order) if order.parent_id:
            return _each_trial(state, lambda trial: _sliced(trial, order))
        case m.ScheduleEnded():
            return _each_trial(state, lambda trial: _worked(trial, message, portfolio))
        case m.OrderAccepted():
            return _answered(state, message)
        case m.OrderFilled():
            return _each_trial(state, lambda trial: _filled(trial, message.order_id))
        case m.OrderCancelled() | m.OrderExpired() | m.OrderRejected():
            return _each_trial(state, lambda trial: _ended(trial, message.order_id))
        case m.PositionClosed():
            return _counted(_each_trial(state, lambda trial: _closed(trial, message)), message)
        case m.InvariantBroken():
            return _kept_beneath(state, "invariant_broken")
        case _:
            return _held_open(state, message)


def _changed(state: CircuitBreakerState, key: str, breaker: Breaker) -> CircuitBreakerState:
    return msgspec.structs.replace(state, breakers={**state.breakers, key: breaker})


def _takes_effect(before: Breaker | None, said: m.BreakerTransition) -> bool:
    """Whether what was said still holds: another answer to the same cause may have opened the breaker since."""
    if before is None or before.status is not Status.OPEN:
        return True
    if isinstance(said, m.BreakerOpened):
        return RANKS.get(said.trigger, 1) >= RANKS.get(before.trigger, 1)
    if said.trigger == REINSTATED:
        return before.trigger == "account_suspended"
    is_later = before.resumes_by == COOL_DOWN and said.occurred_at_ns > before.since_ns
    return said.resumes_by == PERSON or is_later


def _after(before: Breaker | None, said: m.BreakerTransition) -> Breaker:
    losses = 0 if before is None else before.losses_in_a_row
    accepted = ZERO if before is None else before.accepted_drawdown_fraction
    trials: tuple[Trial, ...] = ()
    successes = 0
    beneath = ""
    match said:
        case m.BreakerOpened():
            status, losses, accepted = Status.OPEN, 0, ZERO
            beneath = _beneath(before) if said.trigger in MANUAL else ""
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
        beneath=beneath,
        calm_since_ns=0 if before is None else before.calm_since_ns,
    )


def _beneath(before: Breaker | None) -> str:
    """What a person's stop comes on top of: an open breaker's trigger, or the trials of a half-open one."""
    if before is None or before.trigger in MANUAL:
        return "" if before is None else before.beneath
    return before.trigger if before.status in (Status.OPEN, Status.HALF_OPEN) else ""


def _kept_beneath(state: CircuitBreakerState, trigger: str) -> CircuitBreakerState:
    breaker = state.breakers.get(SYSTEM)
    if breaker is None or breaker.status is not Status.OPEN or breaker.trigger not in MANUAL:
        return state
    return _changed(state, SYSTEM, msgspec.structs.replace(breaker, beneath=trigger))


def _held_open(state: CircuitBreakerState, message: m.Message) -> CircuitBreakerState:
    """The conditions that last, after a message that begins, changes or ends one."""
    told = condition_of(message)
    if told is None:
        return state
    condition, lasts = told
    others = tuple(each for each in state.conditions if not each.is_same(condition))
    if not lasts and len(others) == len(state.conditions):
        return state
    state = msgspec.structs.replace(state, conditions=(*others, condition) if lasts else others)
    breaker = state.breakers.get(condition.key)
    if lasts or breaker is None:
        return state
    calm = msgspec.structs.replace(breaker, calm_since_ns=message.occurred_at_ns)
    return _changed(state, condition.key, calm)


def _tried(state: CircuitBreakerState, order: Order, portfolio: Portfolio) -> CircuitBreakerState:
    trial = Trial(order_id=order.order_id, account=order.account, instrument=order.instrument)
    for key in keys_of(order, portfolio):
        breaker = state.breakers.get(key)
        if breaker is not None and breaker.status is Status.HALF_OPEN:
            trial = msgspec.structs.replace(trial, venue=breaker.scope.startswith("venue:"))
            state = _changed(state, key, msgspec.structs.replace(breaker, trials=(*breaker.trials, trial)))
    return state


def _answered(state: CircuitBreakerState, accepted: m.OrderAccepted) -> CircuitBreakerState:
    """A venue is tried out by its answer, everything else by what the round trip makes."""
    for key, breaker in state.breakers.items():
        left = tuple(trial for trial in breaker.trials if not (trial.venue and trial.order_id == accepted.order_id))
        if len(left) < len(breaker.trials):
            won = msgspec.structs.replace(breaker, trials=left, successes=breaker.successes + 1)
            state = _changed(state, key, won)
    return state


def _never_sent(state: CircuitBreakerState, order_id: str) -> CircuitBreakerState:
    """The order's newest release goes unused; an earlier one may be at the venue, and its trial goes on."""
    for key, breaker in state.breakers.items():
        of_order = (number for number, trial in enumerate(breaker.trials) if trial.order_id == order_id)
        newest = max(of_order, default=None)
        if newest is not None:
            trials = (*breaker.trials[:newest], *breaker.trials[newest + 1 :])
            state = _changed(state, key, msgspec.structs.replace(breaker, trials=trials))
    return state


def _each_trial(state: CircuitBreakerState, change: Callable[[Trial], Trial | None]) -> CircuitBreakerState:
    for key, breaker in state.breakers.items():
        if breaker.trials:
            changed = (change(trial) for trial in breaker.trials)
            trials = tuple(trial for trial in changed if trial is not None)
            state = _changed(state, key, msgspec.structs.replace(breaker, trials=trials))
    return state


def _sliced(trial: Trial, child: Order) -> Trial:
    """The answer to a slice tries a venue; everything else is tried by the whole schedule."""
    of_parent = trial.venue and trial.order_id == child.parent_id
    return msgspec.structs.replace(trial, order_id=child.order_id) if of_parent else trial


def _worked(trial: Trial, ended: m.ScheduleEnded, portfolio: Portfolio) -> Trial | None:
    # Fills and ends name the slices, so nothing before this has moved the trial, whatever else closed meanwhile.
    if trial.order_id != ended.order_id:
        return trial
    held = portfolio.position(ended.account, ended.instrument).quantity
    return None if ZERO in (ended.filled, held) else msgspec.structs.replace(trial, filled=True)


def _filled(trial: Trial, order_id: str) -> Trial:
    return msgspec.structs.replace(trial, filled=True) if trial.order_id == order_id else trial


def _ended(trial: Trial, order_id: str) -> Trial | None:
    # The exits of a bracket carry their entry's order id, so what ends after the entry filled may be an exit.
    return None if trial.order_id == order_id and not trial.filled else trial


def _closed(trial: Trial, trade: m.PositionClosed) -> Trial | None:
    same_position = trial.filled and (trial.account, trial.instrument) == (trade.account, trade.instrument)
    return None if same_position or trial.order_id == trade.order_id else trial


def tried_by(trade: m.PositionClosed) -> tuple[str, ...]:
    """The breakers for which a round trip counts; a venue does not answer for what a trade makes."""
    account, strategy = account_key(trade.account), strategy_key(trade.strategy)
    return SYSTEM, account, strategy, instrument_key(trade.instrument)


def _counted(state: CircuitBreakerState, trade: m.PositionClosed) -> CircuitBreakerState:
    profit = profit_of(trade)
    for key in tried_by(trade):
        breaker = state.breakers.get(key)
        if breaker is None:
            continue
        losses = breaker.losses_in_a_row
        if profit < ZERO:
            losses += 1
        elif profit > ZERO:
            losses = 0
        won = breaker.status is Status.HALF_OPEN and profit >= ZERO
        successes = breaker.successes + 1 if won else breaker.successes
        counted = msgspec.structs.replace(breaker, losses_in_a_row=losses, successes=successes)
        state = _changed(state, key, counted)
    return state
