"""From an event to a view: count, stop, target, confidence."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.wyckoff.config import ConfidenceWeights, SignalRules
from tmt.agents.wyckoff.events import Evidence
from tmt.agents.wyckoff.track import Reading, Track
from tmt.agents.wyckoff.trading_range import REVERSAL_BOXES, TradingRange
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, divide, floor_to, is_multiple, round_half_even
from tmt.domain.order import Side
from tmt.market.bar import Bar

_SETUPS = {
    Side.BUY: {"spring": "spring", "test": "spring_test", "LPS": "LPS", "BU": "SOS_back_up"},
    Side.SELL: {"spring": "UTAD", "test": "UTAD_test", "LPS": "LPSY", "BU": "SOW_back_up"},
}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a signal will say; prices on the instrument's tick grid."""

    setup: str
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal
    confidence: Decimal
    evidence: tuple[Evidence, ...]


def count_target(held: TradingRange, rules: SignalRules) -> float:
    """Cause and effect: columns x box x three, added to the count line, at most a number of heights past the range.

    A point-and-figure count along the whole range with three-box reversals; the line is the level of the spring or of
    the last point of support.
    """
    count = held.columns * REVERSAL_BOXES * rules.box_atr * held.atr
    return min(held.line + count, held.resistance + rules.count_heights_max * held.height)


def confidence_evidence(held: TradingRange, agreement: float | None) -> tuple[Evidence, ...]:
    """The pieces of evidence that this range has, each in [0, 1] and named as its weight is."""
    pieces = (
        ("climax", held.climax_strength),
        ("dry_up", held.dry_up_strength),
        ("spring", held.spring_strength),
        ("sign", held.sign_strength),
        ("higher_timeframe", agreement),
    )
    return tuple(Evidence(name, value, "share") for name, value in pieces if value is not None)


def weigh(pieces: tuple[Evidence, ...], weights: ConfidenceWeights) -> Decimal:
    """Weighted mean of the pieces, at 4 decimals."""
    weighed = [(piece.value, float(getattr(weights, piece.name))) for piece in pieces]
    mean = sum(value * weight for value, weight in weighed) / sum(weight for _, weight in weighed)
    return round_half_even(Decimal(repr(mean)), 4)


def agreement_of(higher: Track | None, side: Side) -> float | None:
    """What the next higher timeframe says to `side`: 1 agrees, 0 contradicts, 0.5 is torn, None when not known."""
    if higher is None:
        return None
    with_it, against_it = _resolves(higher, side), _resolves(higher, side.opposite)
    if with_it == against_it:
        return 0.5
    return 1.0 if with_it else 0.0


def form_view(
    track: Track,
    held: TradingRange,
    reading: Reading,
    bar: Bar,
    side: Side,
    setup: str,
    agreement: float | None,
    instrument: Instrument,
    rules: SignalRules,
) -> View | None:
    """The view that `setup` offers, or None when it is too weak, too dear, or off the price axis."""
    tick = instrument.tick_size
    stop_units = reading.sign * (held.extreme - rules.stop_atr * reading.atr)
    target_units = reading.sign * count_target(held, rules)
    up = side is Side.BUY
    entry = to_grid(bar.ask if up else bar.bid, tick, upward=up)
    stop = to_grid(track.price(stop_units), tick, upward=not up)
    target = to_grid(track.price(target_units), tick, upward=not up)
    risk, reward = (entry - stop) * side.sign, (target - entry) * side.sign
    if min(stop, target) <= ZERO or risk <= ZERO or reward < risk * rules.reward_to_risk_min:
        return None
    pieces = confidence_evidence(held, agreement)
    confidence = weigh(pieces, rules.weights)
    if confidence < rules.confidence_min:
        return None
    return View(
        setup=_SETUPS[side][setup],
        entry_price=entry,
        stop_price=stop,
        target_price=target,
        confidence=confidence,
        evidence=(
            *pieces,
            Evidence("count_columns", float(held.columns), "columns"),
            Evidence("count_box", rules.box_atr * held.atr, "distance"),
            Evidence("count_line", held.line, "price"),
            Evidence("count_target", count_target(held, rules), "price"),
            Evidence("reward_to_risk", float(divide(reward, risk, 4)), "ratio"),
        ),
    )


def to_grid(price: Decimal, tick: Decimal, *, upward: bool) -> Decimal:
    """The nearest multiple of `tick` at or above (`upward`) or at or below `price`, which is not negative."""
    below = floor_to(price, tick)
    return below + tick if upward and not is_multiple(price, tick) else below


def _resolves(track: Track, side: Side) -> bool:
    held = track.ranges.get(side)
    return held is not None and held.phase in ("C", "D", "E")
