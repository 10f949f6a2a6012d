"""Is this what a trader on tilt would do: too soon, too often, too large after a loss, or by a slip of the hand?"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.human_behavior.config import HumanBehaviorConfig
from tmt.agents.verdict import Approve, Deny, Waterfall, opening_quantity, shrinks_position
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.order import Order, Side
from tmt.domain.session import NANOSECONDS_PER_SECOND, day_bounds_ns
from tmt.messages import ConcentrationApproved, Message, OrderReleased, PositionClosed
from tmt.projections.portfolio import Portfolio

HOUR_NS: Final = 3600 * NANOSECONDS_PER_SECOND


ORDERS_INTENDED_MAX: Final = 50
"""Released orders whose full size is remembered until their trade closes."""


class LosingTrade(msgspec.Struct, frozen=True, kw_only=True):
    """The size that a losing trade was meant to have, however little of it filled.

    `risk_amount` is in `currency`; 0 when the trade had no stop.
    """

    instrument: str
    quantity: Exact
    risk_amount: Exact
    currency: str


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one account.

    Attributes:
        losses_in_a_row: since the last win; a trade that made nothing changes nothing.
        first_loss: the trade that began the present run of losses.
        entries_ns: event times of its newest entries, oldest first.
        quantities: quantities of its newest entries by instrument, oldest first.
        intended: quantity released of its newest entries, by order id.
    """

    losses_in_a_row: int = 0
    last_loss_ns: int = 0
    first_loss: LosingTrade | None = None
    entries_ns: tuple[int, ...] = ()
    quantities: dict[str, tuple[Exact, ...]] = {}
    intended: dict[str, Exact] = {}


class HumanBehaviorState(msgspec.Struct, frozen=True, kw_only=True):
    """Habits by account."""

    accounts: dict[str, Habits] = {}


def decide(
    state: HumanBehaviorState, approval: ConcentrationApproved, portfolio: Portfolio, config: HumanBehaviorConfig
) -> Approve | Deny:
    """Judge one order. Orders that only shrink the position pass."""
    order = approval.order
    waterfall = Waterfall("human_behavior", order.quantity)
    expired = waterfall.denies_expired(approval, portfolio.now_ns)
    if expired is not None:
        return expired
    if shrinks_position(order, portfolio):
        held = abs(portfolio.position(order.account, order.instrument).quantity)
        waterfall.passes("closing", order.quantity, held, "units")
        return waterfall.approves(order)
    account = portfolio.account(order.account)
    if account is None:
        return waterfall.denies_missing("unknown_account", f"account {order.account!r} was never opened")
    instrument = portfolio.instrument(order.instrument)
    if instrument is None:
        return waterfall.denies_missing("unknown_instrument", f"{order.instrument!r} is not an instrument of this desk")
    habits = state.accounts.get(order.account, Habits())
    judged = _Judged(order, account, instrument, habits, portfolio, config, waterfall)
    for rule in (_cool_down, _entry_rate, _fat_finger_price, _fat_finger_quantity, _size_after_loss):
        denial = rule(judged)
        if denial is not None:
            return denial
    return waterfall.denies_too_small(instrument, order.entry_price) or waterfall.approves(order)


def evolve(state: HumanBehaviorState, message: Message, config: HumanBehaviorConfig) -> HumanBehaviorState:
    """Remember entries released and trades closed."""
    match message:
        case OrderReleased() if not message.order.reduce_only:
            return _remember(state, message.order.account, _entered(state, message, config))
        case PositionClosed():
            habits = _closed(state.accounts.get(message.account, Habits()), message)
            return _remember(state, message.account, habits)
        case _:
            return state


@dataclass(frozen=True)
class _Judged:
    order: Order
    account: Account
    instrument: Instrument
    habits: Habits
    portfolio: Portfolio
    config: HumanBehaviorConfig
    waterfall: Waterfall


def _cool_down(judged: _Judged) -> Deny | None:
    habits, limits = judged.habits, judged.config.cool_down
    wait_ns = 0
    if habits.losses_in_a_row >= limits.losses_in_a_row:
        ends_ns = habits.last_loss_ns + limits.pause_seconds * NANOSECONDS_PER_SECOND
        wait_ns = max(0, ends_ns - judged.portfolio.now_ns)
    wait = Decimal(wait_ns).scaleb(-9)
    if wait_ns == 0:
        judged.waterfall.passes("cool_down", wait, ZERO, "seconds")
        return None
    detail = f"{habits.losses_in_a_row} losses in a row: {judged.account.account_id} pauses for another {wait} seconds"
    return judged.waterfall.denies("cool_down", wait, ZERO, "seconds", detail=detail)


def _entry_rate(judged: _Judged) -> Deny | None:
    now_ns, limits = judged.portfolio.now_ns, judged.config.entries
    day_start_ns, _ = day_bounds_ns(judged.account.day(), now_ns)
    entries_ns = judged.habits.entries_ns
    in_hour = 1 + len(entries_ns) - bisect_right(entries_ns, now_ns - HOUR_NS)
    in_day = 1 + len(entries_ns) - bisect_left(entries_ns, day_start_ns)
    rates = (("entries_per_hour", in_hour, limits.per_hour_max), ("entries_per_day", in_day, limits.per_day_max))
    for rule, count, limit in rates:
        if count > limit:
            detail = f"this would be entry {count} of {judged.account.account_id}, {limit} are allowed"
            return judged.waterfall.denies(rule, Decimal(count), Decimal(limit), "count", detail=detail)
        judged.waterfall.passes(rule, Decimal(count), Decimal(limit), "count")
    return None


def _fat_finger_price(judged: _Judged) -> Deny | None:
    order, limit = judged.order, judged.config.fat_finger.price_fraction_max
    mark = judged.portfolio.mark(order.instrument)
    if mark is None:
        return judged.waterfall.denies_missing("no_mark", f"no quote of {order.instrument} is known")
    reference = mark.ask if order.side is Side.BUY else mark.bid
    distance = max(
        (abs(price - reference) for price in (order.limit_price, order.stop_price) if price is not None), default=ZERO
    )
    measured = divide(distance, reference)
    if distance <= limit * reference:
        judged.waterfall.passes("fat_finger_price", measured, limit, "fraction")
        return None
    detail = f"the price is {distance} away from the quote {reference} of {order.instrument}"
    return judged.waterfall.denies("fat_finger_price", measured, limit, "fraction", detail=detail)


def _fat_finger_quantity(judged: _Judged) -> Deny | None:
    order, limits = judged.order, judged.config.fat_finger
    earlier = judged.habits.quantities.get(order.instrument, ())
    if len(earlier) < limits.orders_min:
        judged.waterfall.passes("fat_finger_quantity", ZERO, limits.quantity_ratio_max, "ratio")
        return None
    usual = _median(earlier)
    measured = divide(order.quantity, usual)
    if order.quantity <= limits.quantity_ratio_max * usual:
        judged.waterfall.passes("fat_finger_quantity", measured, limits.quantity_ratio_max, "ratio")
        return None
    detail = f"{order.quantity} {order.instrument} against a usual {usual} of the last {len(earlier)} entries"
    limit = limits.quantity_ratio_max
    return judged.waterfall.denies("fat_finger_quantity", measured, limit, "ratio", detail=detail)


def _size_after_loss(judged: _Judged) -> Deny | None:
    order, instrument, waterfall = judged.order, judged.instrument, judged.waterfall
    limit, loser = judged.config.size_after_loss_ratio_max, judged.habits.first_loss
    opening = opening_quantity(order, judged.portfolio)
    if loser is None or opening == ZERO:
        waterfall.passes("size_after_loss", ZERO, limit, "ratio")
        return None
    by_risk = loser.risk_amount > ZERO and order.stop_loss_price is not None
    lost = _amount_lost(judged, loser, by_risk)
    if isinstance(lost, Deny):
        return lost
    rate = judged.portfolio.rate(instrument.quote_currency, judged.account.currency)
    if rate is None:
        return _no_rate(judged, instrument.quote_currency)
    price = order.entry_price
    distance = abs(price - order.stop_loss_price) if by_risk and order.stop_loss_price is not None else price
    amount_of_one = distance * instrument.point_value * rate
    if amount_of_one == ZERO:
        waterfall.passes("size_after_loss", ZERO, limit, "ratio")
        return None
    allowed = limit * lost // (amount_of_one * instrument.lot_size) * instrument.lot_size
    quantity_max = order.quantity - opening + allowed
    measured = divide(opening * amount_of_one, lost)
    waterfall.caps("size_after_loss", measured, limit, "ratio", quantity_max=quantity_max, lot_size=instrument.lot_size)
    return None


def _amount_lost(judged: _Judged, loser: LosingTrade, by_risk: bool) -> Decimal | Deny:
    amount = loser.risk_amount
    if not by_risk:
        mark, instrument = judged.portfolio.mark(loser.instrument), judged.portfolio.instrument(loser.instrument)
        if mark is None or instrument is None:
            return judged.waterfall.denies_missing("no_mark", f"no quote of {loser.instrument} is known")
        amount = instrument.notional(loser.quantity, mark.ask)
    rate = judged.portfolio.rate(loser.currency, judged.account.currency)
    return _no_rate(judged, loser.currency) if rate is None else amount * rate


def _no_rate(judged: _Judged, currency: str) -> Deny:
    detail = f"no rate from {currency} to {judged.account.currency} is known"
    return judged.waterfall.denies_missing("no_conversion_rate", detail)


def _median(values: tuple[Decimal, ...]) -> Decimal:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else divide(ordered[middle - 1] + ordered[middle], Decimal(2))


def _remember(state: HumanBehaviorState, account: str, habits: Habits) -> HumanBehaviorState:
    return HumanBehaviorState(accounts={**state.accounts, account: habits})


def _entered(state: HumanBehaviorState, released: OrderReleased, config: HumanBehaviorConfig) -> Habits:
    order = released.order
    habits = state.accounts.get(order.account, Habits())
    # An entry older than the newest per_day_max can no longer decide: they alone fill the day, and so the hour.
    entries_ns = list(habits.entries_ns)
    insort(entries_ns, released.occurred_at_ns)
    earlier = habits.quantities.get(order.instrument, ())
    quantities = (*earlier, order.quantity)[-config.fat_finger.orders_remembered :]
    intended = list({**habits.intended, order.order_id: order.quantity}.items())
    return msgspec.structs.replace(
        habits,
        intended=dict(intended[-ORDERS_INTENDED_MAX:]),
        entries_ns=tuple(entries_ns[-config.entries.per_day_max :]),
        quantities={**habits.quantities, order.instrument: quantities},
    )


def _closed(habits: Habits, trade: PositionClosed) -> Habits:
    profit = trade.realised - trade.fees
    if profit == ZERO:
        return habits
    if profit > ZERO:
        return msgspec.structs.replace(habits, losses_in_a_row=0, first_loss=None)
    # A small partial fill is no measure of what the trader dared; the order was.
    quantity = max(trade.quantity, habits.intended.get(trade.order_id, ZERO))
    loser = LosingTrade(
        instrument=trade.instrument,
        quantity=quantity,
        risk_amount=divide(trade.risk_amount * quantity, trade.quantity),
        currency=trade.currency,
    )
    return msgspec.structs.replace(
        habits,
        losses_in_a_row=habits.losses_in_a_row + 1,
        last_loss_ns=trade.occurred_at_ns,
        first_loss=loser if habits.first_loss is None else habits.first_loss,
    )
