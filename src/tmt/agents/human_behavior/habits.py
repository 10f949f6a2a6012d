"""What the gate remembers: of accounts, of people, of markets, and of large orders."""

from __future__ import annotations

from bisect import insort
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from tmt.agents.human_behavior import trial, volume
from tmt.agents.human_behavior.config import Disposition, HumanBehaviorConfig
from tmt.agents.human_behavior.trial import Evidence
from tmt.agents.human_behavior.volume import Volumes
from tmt.domain.identity import derive_id
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.order import Order, OrderType, Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.messages import (
    BarClosed,
    ConcentrationApproved,
    Message,
    OrderDenied,
    OrderProposed,
    OrderReleased,
    OrderSubmitted,
    PositionClosed,
    ScheduleEnded,
)

ORDERS_INTENDED_MAX: Final = 200
"""Released orders, and slices of them, whose full size is remembered until their trade closes."""

PROPOSALS_MAX: Final = 200
"""Newest proposals whose quantity is remembered until they are released or denied."""

REQUESTS_MAX: Final = 200
"""Newest requests of an account that another is compared with."""

_T = TypeVar("_T")


class LosingTrade(msgspec.Struct, frozen=True, kw_only=True):
    """The size that a losing trade was meant to have, however little of it filled.

    `risk_amount` is in `currency`; 0 when the trade had no stop.
    """

    instrument: str
    side: Side
    quantity: Exact
    risk_amount: Exact
    currency: str
    closed_at_ns: int


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What makes two orders the same."""

    instrument: str
    side: Side
    type: OrderType
    quantity: Exact
    prices: tuple[Exact | None, ...]

    @classmethod
    def of(cls, order: Order) -> Wish:
        """What an order asks for."""
        prices = (order.limit_price, order.stop_price, order.stop_loss_price, order.take_profit_price)
        return cls(
            instrument=order.instrument, side=order.side, type=order.type, quantity=order.quantity, prices=prices
        )


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A wish, and when it came here."""

    wish: Wish
    asked_at_ns: int


class Holding(msgspec.Struct, frozen=True, array_like=True):
    """How long one trade was held."""

    lost: bool
    held_ns: int


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one account.

    Attributes:
        losses_in_a_row: since the last win; a trade that made nothing changes nothing.
        first_loss: the trade that began the present run of losses.
        losses: the newest losing trade of each instrument.
        holdings: its newest trades that won or lost, oldest first.
        entries_ns: event times of its newest entries, oldest first.
        quantities: quantities asked for by its newest entries, by instrument, oldest first.
        intended: quantity released of its newest entries, by order id; a slice has its parent's.
        requests: what was asked for lately and not denied, by order id.
    """

    losses_in_a_row: int = 0
    last_loss_ns: int = 0
    first_loss: LosingTrade | None = None
    losses: dict[str, LosingTrade] = {}
    holdings: tuple[Holding, ...] = ()
    entries_ns: tuple[int, ...] = ()
    quantities: dict[str, tuple[Exact, ...]] = {}
    intended: dict[str, Exact] = {}
    requests: dict[str, Request] = {}


class Activity(msgspec.Struct, frozen=True, array_like=True):
    """A person's entries since the last rest: the first and the newest."""

    started_ns: int
    last_ns: int


class HumanBehaviorState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is remembered.

    Attributes:
        accounts: by account.
        people: by person.
        volumes, evidence: by instrument.
        asked: quantity that a person asked for, by the order id of what is neither released nor denied, oldest first.
        parents: how many slices each large order has that was released and has not ended, by order id.
    """

    accounts: dict[str, Habits] = {}
    people: dict[str, Activity] = {}
    volumes: dict[str, Volumes] = {}
    evidence: dict[str, Evidence] = {}
    parents: dict[str, int] = {}
    asked: dict[str, Exact] = {}


def evolve(state: HumanBehaviorState, message: Message, config: HumanBehaviorConfig) -> HumanBehaviorState:
    """The state after `message`; the same object when nothing changed."""
    match message:
        case BarClosed(bar=bar):
            known = state.volumes.get(bar.instrument)
            volumes = volume.remember_bar(known, bar, config.slicing.volume)
            return state if volumes is known else _put(state, "volumes", bar.instrument, volumes)
        case OrderProposed():
            return _proposed(state, message)
        case ConcentrationApproved() if not message.order.reduce_only:
            return _asked(state, message, config)
        case OrderDenied():
            return _denied(state, message)
        case OrderReleased():
            if not message.order.reduce_only:
                state = _released(state, message, config)
            return _without(state, "asked", message.order.order_id)
        case OrderSubmitted() if message.order.parent_id:
            return _sliced(state, message.order)
        case PositionClosed():
            habits = _closed(state.accounts.get(message.account, Habits()), message, config.disposition)
            return _put(state, "accounts", message.account, habits)
        case ScheduleEnded():
            return _ended(state, message, config)
        case _:
            return state


def _put(state: HumanBehaviorState, field: str, key: str, value: object) -> HumanBehaviorState:
    return msgspec.structs.replace(state, **{field: {**getattr(state, field), key: value}})


def _without(state: HumanBehaviorState, field: str, key: str) -> HumanBehaviorState:
    known = getattr(state, field)
    if key not in known:
        return state
    left = dict(known)
    del left[key]
    return msgspec.structs.replace(state, **{field: left})


def _with_newest(known: dict[str, _T], key: str, value: _T, count_max: int) -> dict[str, _T]:
    newest = {**known, key: value}
    while len(newest) > count_max:
        del newest[next(iter(newest))]
    return newest


def _proposed(state: HumanBehaviorState, proposal: OrderProposed) -> HumanBehaviorState:
    order_id = derive_id(proposal.message_id, proposal.account)
    asked = _with_newest(state.asked, order_id, proposal.quantity, PROPOSALS_MAX)
    return msgspec.structs.replace(state, asked=asked)


def _asked(
    state: HumanBehaviorState, approval: ConcentrationApproved, config: HumanBehaviorConfig
) -> HumanBehaviorState:
    order, now_ns = approval.order, approval.occurred_at_ns
    habits = state.accounts.get(order.account, Habits())
    oldest_ns = now_ns - config.fat_finger.duplicate_seconds * NANOSECONDS_PER_SECOND
    recent = {id_: each for id_, each in habits.requests.items() if each.asked_at_ns > oldest_ns}
    request = Request(wish=Wish.of(order), asked_at_ns=now_ns)
    requests = _with_newest(recent, order.order_id, request, REQUESTS_MAX)
    return _put(state, "accounts", order.account, msgspec.structs.replace(habits, requests=requests))


def _denied(state: HumanBehaviorState, denied: OrderDenied) -> HumanBehaviorState:
    habits = state.accounts.get(denied.account)
    if habits is not None and denied.order_id in habits.requests:
        requests = {id_: each for id_, each in habits.requests.items() if id_ != denied.order_id}
        state = _put(state, "accounts", denied.account, msgspec.structs.replace(habits, requests=requests))
    return _without(_without(state, "parents", denied.order_id), "asked", denied.order_id)


def _released(state: HumanBehaviorState, released: OrderReleased, config: HumanBehaviorConfig) -> HumanBehaviorState:
    order = released.order
    state = _put(state, "accounts", order.account, _entered(state, released, config))
    if order.schedule is not None:
        state = _put(state, "parents", order.order_id, len(order.schedule.slices))
    if order.automated:
        return state
    now_ns = released.occurred_at_ns
    known = state.people.get(order.person)
    rests = known is None or now_ns - known.last_ns >= config.sessions.rest_seconds * NANOSECONDS_PER_SECOND
    started_ns = now_ns if known is None or rests else known.started_ns
    return _put(state, "people", order.person, Activity(started_ns, now_ns))


def _entered(state: HumanBehaviorState, released: OrderReleased, config: HumanBehaviorConfig) -> Habits:
    order = released.order
    habits = state.accounts.get(order.account, Habits())
    # An entry older than the newest per_day_max can no longer decide: they alone fill the day, and so the hour.
    entries_ns = list(habits.entries_ns)
    insort(entries_ns, released.occurred_at_ns)
    earlier = habits.quantities.get(order.instrument, ())
    quantities = (*earlier, state.asked.get(order.order_id, order.quantity))[-config.fat_finger.orders_remembered :]
    return msgspec.structs.replace(
        habits,
        intended=_intend(habits, order.order_id, order.quantity),
        entries_ns=tuple(entries_ns[-config.entries.per_day_max :]),
        quantities={**habits.quantities, order.instrument: quantities},
    )


def _intend(habits: Habits, order_id: str, quantity: Decimal) -> dict[str, Decimal]:
    return _with_newest(habits.intended, order_id, quantity, ORDERS_INTENDED_MAX)


def _sliced(state: HumanBehaviorState, order: Order) -> HumanBehaviorState:
    habits = state.accounts.get(order.account, Habits())
    intended = _intend(habits, order.order_id, habits.intended.get(order.parent_id, order.quantity))
    return _put(state, "accounts", order.account, msgspec.structs.replace(habits, intended=intended))


def _closed(habits: Habits, trade: PositionClosed, config: Disposition) -> Habits:
    profit = trade.realised - trade.fees
    if profit == ZERO:
        return habits
    holding = Holding(profit < ZERO, trade.occurred_at_ns - trade.opened_at_ns)
    holdings = (*habits.holdings, holding)[-config.trades_remembered :]
    if profit > ZERO:
        return msgspec.structs.replace(habits, losses_in_a_row=0, first_loss=None, holdings=holdings)
    # A small partial fill is no measure of what the trader dared; the order was.
    quantity = max(trade.quantity, habits.intended.get(trade.order_id, ZERO))
    loser = LosingTrade(
        instrument=trade.instrument,
        side=trade.side,
        quantity=quantity,
        risk_amount=divide(trade.risk_amount * quantity, trade.quantity),
        currency=trade.currency,
        closed_at_ns=trade.occurred_at_ns,
    )
    return msgspec.structs.replace(
        habits,
        losses_in_a_row=habits.losses_in_a_row + 1,
        last_loss_ns=trade.occurred_at_ns,
        first_loss=loser if habits.first_loss is None else habits.first_loss,
        losses={**habits.losses, trade.instrument: loser},
        holdings=holdings,
    )


def _ended(state: HumanBehaviorState, ended: ScheduleEnded, config: HumanBehaviorConfig) -> HumanBehaviorState:
    slices = state.parents.get(ended.order_id)
    if slices is None:
        return state
    before = state.evidence.get(ended.instrument, Evidence())
    after = trial.remember_end(before, ended, slices, config.slicing.trial)
    return _without(_put(state, "evidence", ended.instrument, after), "parents", ended.order_id)
