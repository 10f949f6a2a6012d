"""What surveillance recognises in one owner's orders and fills of one instrument. Windows look back from the present.

The patterns are those that Regulation (EU) No 596/2014 (market abuse), Annex I, and its delegated Regulation 2016/522,
Annex II, name: wash trades and self-crossing (A 3, c and d), layering and spoofing (A 3, e and f; 5, e), momentum
ignition (A 5, d). A pattern is a reason to look, not a proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.compliance.surveillance_config import Layering, MomentumIgnition, Runaway, Wash
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.order import Quote, Side
from tmt.domain.session import NANOSECONDS_PER_SECOND

EVIDENCE_MAX: Final = 20
"""Message ids that one finding names; the newest."""


class OrderTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One order at the venue as surveillance remembers it.

    Attributes:
        message_id: of its submission, or of its acceptance when it is an exit of a bracket.
        price: at which it would trade, or at the market the worst at which it has; None while a stop sleeps.
        resting: it waits in the book for others.
        at_market: it has no limit, so that only its fills tell what it takes.
        opens: it may open a position.
        since_ns: when it was submitted, or its stop woke.
        ended_ns: when it ended; None while it works.
        withdrawn: it was cancelled because somebody asked for it, unfilled.
    """

    message_id: str
    order_id: str
    account: str
    instrument: str
    strategy: str
    side: Side
    price: Exact | None
    resting: bool
    opens: bool
    since_ns: int
    ended_ns: int | None = None
    filled: Exact = ZERO
    withdrawn: bool = False
    at_market: bool = False

    def lived_after(self, time_ns: int) -> bool:
        """Whether it worked at some moment after `time_ns`."""
        return self.ended_ns is None or self.ended_ns > time_ns

    def after_fill(self, quantity: Decimal, quote: Quote, time_ns: int, *, whole: bool) -> OrderTrace:
        """The trace once `quantity` has filled at `quote`; `whole` says that nothing is left.

        What was known at the submission may be old: slices go out long after their parent was valued.
        """
        price = self.price
        if self.at_market:
            taken = quote.ask if self.side is Side.BUY else quote.bid
            if price is None or self.filled == ZERO or (taken - price) * self.side.sign > ZERO:
                price = taken
        return msgspec.structs.replace(
            self, price=price, filled=self.filled + quantity, ended_ns=time_ns if whole else None
        )

    def meets(self, other: OrderTrace) -> bool:
        """Whether both worked at some moment."""
        return self.lived_after(other.since_ns) and other.lived_after(self.since_ns)


class FillTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One fill, or several of one order at one price."""

    message_id: str
    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    price: Exact
    taker: bool
    time_ns: int


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """A finding; fields as in `ConductFlagged`. `key` tells it from others, and is the same while it lasts."""

    key: str
    detector: str
    accounts: tuple[str, ...]
    instrument: str
    measured: Exact
    limit: Exact
    unit: str
    evidence: tuple[str, ...]
    detail: str
    suspends: bool = False


def self_crossing(orders: Iterable[OrderTrace], pairs_max: int, since_ns: int) -> Suspicion | None:
    """Pairs of orders, at least one of them resting, that worked at once after `since_ns` and could have met."""
    live = [order for order in orders if order.price is not None and order.lived_after(since_ns)]
    sides = ([each for each in live if each.side is side] for side in (Side.BUY, Side.SELL))
    pairs = list(_crossed(*sides))
    if len(pairs) <= pairs_max:
        return None
    seen = {each.message_id: each for pair in pairs for each in pair}
    return _suspicion("self_crossing", seen.values(), len(pairs), pairs_max, "own orders could have met one another")


def _crossed(buys: list[OrderTrace], sells: list[OrderTrace]) -> Iterator[tuple[OrderTrace, OrderTrace]]:
    for buy in buys:
        for sell in sells:
            assert buy.price is not None
            assert sell.price is not None
            if buy.price >= sell.price and (buy.resting or sell.resting) and buy.meets(sell):
                yield buy, sell


def wash(fills: Iterable[FillTrace], config: Wash, now_ns: int) -> Suspicion | None:
    """Fills that undo one another: equal quantity, equal price, opposite sides, soon after one another."""
    start_ns = now_ns - config.window_seconds * NANOSECONDS_PER_SECOND
    within_ns = config.within_seconds * NANOSECONDS_PER_SECOND
    waiting: list[FillTrace] = []
    seen: list[FillTrace] = []
    for fill in _by_order_and_price(each for each in fills if each.time_ns >= start_ns):
        undone = next(
            (each for each in waiting if _undoes(fill, each) and fill.time_ns - each.time_ns <= within_ns), None
        )
        if undone is None:
            waiting.append(fill)
        else:
            waiting.remove(undone)
            seen += [undone, fill]
    pairs = len(seen) // 2
    if pairs <= config.pairs_max:
        return None
    return _suspicion("wash", seen, pairs, config.pairs_max, "bought and sold alike, with nothing gained but volume")


def _undoes(fill: FillTrace, earlier: FillTrace) -> bool:
    alike = fill.price == earlier.price and fill.quantity == earlier.quantity
    return alike and fill.side is not earlier.side


def layering(
    orders: Iterable[OrderTrace], fills: Sequence[FillTrace], side: Side, config: Layering, now_ns: int
) -> Suspicion | None:
    """Resting orders on `side` that were withdrawn unfilled, while a fill came on the other side."""
    start_ns = now_ns - config.window_seconds * NANOSECONDS_PER_SECOND
    shown = [each for each in orders if each.withdrawn and each.side is side and each.since_ns >= start_ns]
    if len(shown) <= config.cancelled_max:
        return None
    first_ns = min(each.since_ns for each in shown)
    last_ns = max(each.ended_ns or now_ns for each in shown)
    gained = [each for each in fills if each.side is side.opposite and first_ns <= each.time_ns <= last_ns]
    if not gained:
        return None
    detail = f"{len(shown)} {side} orders were withdrawn unfilled while the other side filled"
    return _suspicion("layering", [*shown, *gained], len(shown), config.cancelled_max, detail, str(side))


def momentum_ignition(fills: Iterable[FillTrace], side: Side, config: MomentumIgnition) -> Suspicion | None:
    """A burst that took on `side` and moved the price, half of which or more was turned round at a profit."""
    orders = _by_order_and_price(fills)
    taken = [each for each in orders if each.side is side and each.taker]
    burst_ns = config.burst_seconds * NANOSECONDS_PER_SECOND
    reversal_ns = config.reversal_seconds * NANOSECONDS_PER_SECOND
    for first, begin in enumerate(taken):
        burst = [each for each in taken[first:] if each.time_ns - begin.time_ns <= burst_ns]
        count = len({each.order_id for each in burst})
        last = burst[-1]
        if count <= config.orders_max or (last.price - begin.price) * side.sign <= ZERO:
            continue
        back = [
            each
            for each in orders
            if each.side is side.opposite and last.time_ns < each.time_ns <= last.time_ns + reversal_ns
        ]
        if 2 * _quantity(back) >= _quantity(burst) and (_mean_price(back) - _mean_price(burst)) * side.sign > ZERO:
            detail = f"{count} orders took on the {side} side, and what followed was turned round at a profit"
            return _suspicion("momentum_ignition", [*burst, *back], count, config.orders_max, detail, str(side))
    return None


def runaway(orders: Iterable[OrderTrace], strategy: str, config: Runaway, now_ns: int) -> Suspicion | None:
    """Orders of one strategy that may open a position, of all accounts and instruments."""
    start_ns = now_ns - config.window_seconds * NANOSECONDS_PER_SECOND
    seen = [each for each in orders if each.strategy == strategy and each.opens and each.since_ns > start_ns]
    if len(seen) <= config.orders_max:
        return None
    detail = f"{strategy} submitted {len(seen)} orders within {config.window_seconds} seconds"
    found = _suspicion("order_rate", seen, len(seen), config.orders_max, detail, strategy)
    instruments = {each.instrument for each in seen}
    instrument = instruments.pop() if len(instruments) == 1 else ""
    return msgspec.structs.replace(found, instrument=instrument, suspends=True)


def _by_order_and_price(fills: Iterable[FillTrace]) -> list[FillTrace]:
    """One entry an order and price, of the whole quantity, as late as its last fill; oldest first."""
    merged: dict[tuple[str, Decimal], FillTrace] = {}
    for fill in fills:
        key = (fill.order_id, fill.price)
        earlier = merged.pop(key, None)
        quantity = fill.quantity if earlier is None else earlier.quantity + fill.quantity
        merged[key] = msgspec.structs.replace(fill, quantity=quantity)
    return list(merged.values())


def _quantity(fills: Iterable[FillTrace]) -> Decimal:
    return sum((each.quantity for each in fills), ZERO)


def _mean_price(fills: Sequence[FillTrace]) -> Decimal:
    return divide(sum((each.quantity * each.price for each in fills), ZERO), _quantity(fills))


def _suspicion(
    detector: str, seen: Iterable[OrderTrace | FillTrace], measured: int, limit: int, detail: str, key: str = ""
) -> Suspicion:
    traces = sorted(seen, key=_time_ns)
    return Suspicion(
        key=key,
        detector=detector,
        accounts=tuple(sorted({each.account for each in traces})),
        instrument=traces[0].instrument,
        measured=Decimal(measured),
        limit=Decimal(limit),
        unit="count",
        evidence=tuple(each.message_id for each in traces[-EVIDENCE_MAX:]),
        detail=detail,
    )


def _time_ns(trace: OrderTrace | FillTrace) -> int:
    return trace.since_ns if isinstance(trace, OrderTrace) else trace.time_ns
