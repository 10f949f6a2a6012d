"""What losses do to a trader: hurry, revenge, more at stake, and losers that are held because they are losers."""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.human_behavior.case import Case, seconds
from tmt.agents.human_behavior.habits import Holding, LosingTrade
from tmt.agents.human_behavior.stake import at_stake, distance
from tmt.agents.verdict import Deny
from tmt.domain.money import ZERO, divide
from tmt.domain.session import NANOSECONDS_PER_SECOND


def cool_down(case: Case) -> Deny | None:
    """A pause after a run of losses."""
    habits, limits = case.habits, case.config.cool_down
    wait_ns = 0
    if habits.losses_in_a_row >= limits.losses_in_a_row:
        ends_ns = habits.last_loss_ns + limits.pause_seconds * NANOSECONDS_PER_SECOND
        wait_ns = max(0, ends_ns - case.now_ns)
    wait = seconds(wait_ns)
    if wait_ns == 0:
        case.waterfall.passes("cool_down", wait, ZERO, "seconds")
        return None
    detail = f"{habits.losses_in_a_row} losses in a row: {case.account.account_id} pauses for another {wait:f} seconds"
    return case.waterfall.denies("cool_down", wait, ZERO, "seconds", detail=detail)


def revenge(case: Case) -> Deny | None:
    """No hurry back into what has just lost, on the same side or with more."""
    order, limit = case.order, Decimal(case.config.cool_down.revenge_seconds)
    loss = case.habits.losses.get(order.instrument)
    if loss is None or (order.side is not loss.side and order.quantity <= loss.quantity):
        case.waterfall.passes("revenge", ZERO, ZERO, "count")
        return None
    since = seconds(case.now_ns - loss.closed_at_ns)
    if since >= limit:
        case.waterfall.passes("revenge", since, limit, "seconds", at_least=True)
        return None
    detail = f"a {loss.side} of {loss.quantity} {order.instrument} lost {since:f} seconds ago"
    return case.waterfall.denies("revenge", since, limit, "seconds", detail=detail, at_least=True)


def size_after_loss(case: Case) -> Deny | None:
    """No more at risk after a loss, in all, than the loss was meant to cost, but for a ratio."""
    order, instrument, waterfall = case.order, case.instrument, case.waterfall
    limit, loser = case.config.chasing.size_after_loss_ratio_max, case.habits.first_loss
    if loser is None:
        waterfall.passes("size_after_loss", ZERO, limit, "ratio")
        return None
    by_risk = loser.risk_amount > ZERO and order.stop_loss_price is not None
    lost = _amount_lost(case, loser, by_risk)
    if isinstance(lost, Deny):
        return lost
    rate = case.rate()
    if isinstance(rate, Deny):
        return rate
    amount_of_one = distance(order, by_risk) * instrument.point_value * rate
    if amount_of_one == ZERO:
        waterfall.passes("size_after_loss", ZERO, limit, "ratio")
        return None
    staked = at_stake(case, by_risk)
    if isinstance(staked, Deny):
        return staked
    room = max(ZERO, limit * lost - staked)
    allowed = room // (amount_of_one * instrument.lot_size) * instrument.lot_size
    measured = divide(staked + order.quantity * amount_of_one, lost)
    waterfall.caps("size_after_loss", measured, limit, "ratio", quantity_max=allowed, lot_size=instrument.lot_size)
    return None


def _amount_lost(case: Case, loser: LosingTrade, by_risk: bool) -> Decimal | Deny:
    amount = loser.risk_amount
    if not by_risk:
        mark, instrument = case.portfolio.mark(loser.instrument), case.portfolio.instrument(loser.instrument)
        if mark is None or instrument is None:
            return case.waterfall.denies_missing("no_mark", f"no quote of {loser.instrument} is known")
        amount = instrument.notional(loser.quantity, mark.ask)
    rate = case.portfolio.rate(loser.currency, case.account.currency)
    return case.no_rate(loser.currency) if rate is None else amount * rate


def averaging_down(case: Case) -> Deny | None:
    """No averaging down without end: below its mean price a long position grows to a ratio of what opened it."""
    order, portfolio = case.order, case.portfolio
    limit = case.config.chasing.averaging_down_ratio_max
    position, trip = (
        portfolio.position(order.account, order.instrument),
        portfolio.trip(order.account, order.instrument),
    )
    adds = position.quantity * order.side.sign > ZERO
    loses = position.quantity * order.entry_price < position.cost
    if trip is None or not adds or not loses:
        case.waterfall.passes("averaging_down", ZERO, limit, "ratio")
        return None
    held = abs(position.quantity)
    on_its_way = sum(
        (
            each.remaining
            for each in portfolio.working(order.account)
            if each.order.instrument == order.instrument
            and each.order.side is order.side
            and each.order.order_id != order.order_id
        ),
        ZERO,
    )
    opened = case.habits.intended.get(trip.order_id, held)
    measured = divide(held + on_its_way + order.quantity, opened)
    case.waterfall.caps(
        "averaging_down",
        measured,
        limit,
        "ratio",
        quantity_max=limit * opened - held - on_its_way,
        lot_size=case.instrument.lot_size,
    )
    return None


def disposition(case: Case) -> Deny | None:
    """Losers held far longer than winners: the gate warns, then cuts the order.

    The disposition effect (Shefrin and Statman 1985; Odean, "Are investors reluctant to realize their losses?", 1998),
    by holding times, since a desk with few positions at once has too few paper gains for Odean's proportions.
    """
    limits, order = case.config.disposition, case.order
    losers = [each for each in case.habits.holdings if each.lost]
    winners = [each for each in case.habits.holdings if not each.lost]
    if min(len(losers), len(winners)) < limits.each_min:
        case.waterfall.passes("disposition", ZERO, limits.ratio_warn, "ratio")
        return None
    measured = divide(_held_ns(losers) * len(winners), _held_ns(winners) * len(losers))
    if measured > limits.ratio_reduce:
        case.waterfall.caps(
            "disposition",
            measured,
            limits.ratio_reduce,
            "ratio",
            quantity_max=limits.quantity_fraction * order.quantity,
            lot_size=case.instrument.lot_size,
        )
    elif measured > limits.ratio_warn:
        case.waterfall.warns("disposition", measured, limits.ratio_warn, "ratio")
    else:
        case.waterfall.passes("disposition", measured, limits.ratio_warn, "ratio")
    return None


def _held_ns(trades: list[Holding]) -> Decimal:
    # A trade that opened and closed at one instant counts as a nanosecond: a ratio needs a denominator.
    return Decimal(max(1, sum(each.held_ns for each in trades)))
