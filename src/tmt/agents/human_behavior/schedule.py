"""How a large order is cut: how many slices, when each is due, and how much it takes.

Times and sizes vary within bounds, so that the slices do not all meet the same moment of a market's own rhythm: for a
lower impact, and for nothing else (`docs/non-goals.md`). The variation is derived from the order's id, so anyone can
derive it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Final

from tmt.agents.human_behavior.config import Slicing
from tmt.agents.human_behavior.volume import Volumes, time_of_day_volume
from tmt.domain.identity import seeded_fraction
from tmt.domain.instrument import Instrument
from tmt.domain.money import ROUNDING, ZERO, floor_to
from tmt.domain.order import Order, OrderType, TimeInForce
from tmt.domain.schedule import Algorithm, Schedule, Slice
from tmt.domain.session import NANOSECONDS_PER_SECOND

MILLION: Final = 1_000_000
"""Weights are whole numbers, in parts per million."""


def may_be_sliced(order: Order) -> bool:
    """Whether an order takes from the market what it finds, now: a market order, or a limit that does not rest.

    What rests in the book has no impact to spread; what must fill whole or not at all cannot be cut.
    """
    if order.type is OrderType.MARKET:
        return order.time_in_force is not TimeInForce.FOK
    return order.type is OrderType.LIMIT and order.time_in_force is TimeInForce.IOC


def smallest_slice(instrument: Instrument, price: Decimal) -> Decimal:
    """Units, in whole lots, that the venue takes at the least."""
    for_notional = _lots_up(ROUNDING.divide(instrument.notional_min, price * instrument.point_value), instrument)
    return max(instrument.quantity_min, for_notional)


def slices_wanted(quantity: Decimal, usual: Decimal, config: Slicing) -> int:
    """How many slices keep within the participation, at most `slices_max`; 1 is an order that goes out whole."""
    each = config.participation_fraction_max * usual
    if each == ZERO:
        return config.slices_max
    wanted = ROUNDING.divide(quantity, each).to_integral_value(rounding=ROUND_CEILING, context=ROUNDING)
    return min(int(wanted), config.slices_max)


def whole(order: Order, quantity: Decimal, now_ns: int) -> Schedule:
    """The schedule of one slice, at once: immediate execution, measured like the others."""
    return Schedule(algorithm=Algorithm.TWAP, slices=(Slice(now_ns, quantity),), seed=order.order_id)


def sliced(
    order: Order,
    quantity: Decimal,
    slices: int,
    now_ns: int,
    instrument: Instrument,
    volumes: Volumes,
    config: Slicing,
) -> Schedule | None:
    """The schedule of `quantity` in at most `slices` slices, the first at once; None when it makes fewer than two."""
    if config.algorithm is Algorithm.POV:
        return _follow_volume(order, quantity, slices, now_ns, instrument, config)
    due = _times(order.order_id, slices, now_ns, config)
    weights, algorithm = _weights(order.order_id, due, volumes, config)
    cut = _cut(quantity, due, weights, smallest_slice(instrument, order.entry_price), instrument.lot_size)
    return Schedule(algorithm=algorithm, slices=cut, seed=order.order_id) if len(cut) > 1 else None


def _follow_volume(
    order: Order, quantity: Decimal, slices: int, now_ns: int, instrument: Instrument, config: Slicing
) -> Schedule:
    # How much goes out is for the market to say; the bounds only keep a burst from taking everything at once.
    bound = _lots_up(ROUNDING.divide(quantity, Decimal(slices)), instrument)
    bound = max(bound, smallest_slice(instrument, order.entry_price))
    return Schedule(
        algorithm=Algorithm.POV,
        slices=tuple(Slice(due_ns, bound) for due_ns in _times(order.order_id, 2 * slices, now_ns, config)),
        seed=order.order_id,
        participation_fraction=config.participation_fraction_max,
    )


def _times(seed: str, slices: int, now_ns: int, config: Slicing) -> list[int]:
    interval_ns = config.interval_seconds * NANOSECONDS_PER_SECOND
    latest_ns = int(config.time_variation_fraction * interval_ns)
    later = [0, *(seeded_fraction(seed, "time", str(number)) * latest_ns >> 32 for number in range(1, slices))]
    return [now_ns + number * interval_ns + later[number] for number in range(slices)]


def _weights(seed: str, due: Sequence[int], volumes: Volumes, config: Slicing) -> tuple[list[int], Algorithm]:
    bound = int(config.size_variation_fraction * MILLION)
    swings = [(seeded_fraction(seed, "size", str(n)) * 2 * bound >> 32) - bound for n in range(len(due))]
    usual = [time_of_day_volume(volumes, each, config.volume) for each in due]
    known = [each for each in usual if each is not None and each > ZERO]
    if config.algorithm is Algorithm.TWAP or len(known) < len(due):
        return [MILLION + swing for swing in swings], Algorithm.TWAP
    most = max(known)
    parts = [max(1, int(ROUNDING.divide(each * MILLION, most))) for each in known]
    return [part * (MILLION + swing) for part, swing in zip(parts, swings, strict=True)], Algorithm.VWAP


def _cut(
    quantity: Decimal, due: Sequence[int], weights: Sequence[int], smallest: Decimal, lot_size: Decimal
) -> tuple[Slice, ...]:
    # Each slice goes up to its share of the whole, rounded down; what is too small waits for the next.
    cut: list[Slice] = []
    out, weight, total = ZERO, 0, sum(weights)
    for due_ns, each in zip(due, weights, strict=True):
        weight += each
        upto = floor_to(ROUNDING.divide(quantity * weight, Decimal(total)), lot_size)
        if quantity - upto < smallest:
            upto = quantity
        if upto - out >= smallest:
            cut.append(Slice(due_ns, upto - out))
            out = upto
    return tuple(cut)


def _lots_up(units: Decimal, instrument: Instrument) -> Decimal:
    down = floor_to(units, instrument.lot_size)
    return down if down == units else down + instrument.lot_size
