"""When ARIA leaves a position, wholly or in part, and where it wants its stops; judged at the ends of bars.

R is what the first stop put at risk: |entry - first stop| x quantity. Profits are at the price at which the position
could be closed. A trip that never had a stop has no R, and nothing but a margin stop-out concerns it.

Sources: partials at multiples of R: Van K. Tharp, Trade Your Way to Financial Freedom (1998). The trail behind the best
price: Charles Le Beau's chandelier exit, from best prices at bars' ends instead of highs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.aria.exit_config import ExitRule, ExitsConfig
from tmt.agents.aria.volatility import VolatilityTrack
from tmt.agents.verdict import Waterfall
from tmt.domain.instrument import Instrument
from tmt.domain.money import ROUNDING, ZERO, Exact, divide, floor_to, is_multiple
from tmt.domain.news import NewsCalendar
from tmt.domain.order import Side
from tmt.domain.position import Position
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.market.bar import Bar, Timeframe
from tmt.messages import BarClosed, Check, ExitRaised, Message
from tmt.projections.portfolio import Portfolio
from tmt.projections.portfolio_state import ExitOrder, RoundTrip

GATE: Final = "aria"
_PICO_DIGITS: Final = 12
_MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND


class ExitTrack(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one round trip.

    Attributes:
        order_id, opened_at_ns: which trip.
        bars: ends of bars seen since it opened.
        best_price: the best at which it could have been closed at one of them.
        tightened_until_ns: until then no news tightens the stop again.
    """

    order_id: str
    opened_at_ns: int
    bars: int
    best_price: Exact
    tightened_until_ns: int = 0


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with one position; fields as in `ExitRaised`."""

    rule: ExitRule
    checks: tuple[Check, ...]
    quantity: Exact | None = None
    stop_price: Exact | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One open position at the end of a bar.

    Attributes:
        price: at which it could be closed.
        profit, best_profit, risk: in price units x quantity; `risk` is 1 R, above 0.
        average_range: None while too few bars are known.
        stops: its working stops.
        closing: units that working orders are closing already.
    """

    position: Position
    trip: RoundTrip
    track: ExitTrack
    instrument: Instrument
    price: Decimal
    profit: Decimal
    best_profit: Decimal
    risk: Decimal
    average_range: Decimal | None
    stops: list[ExitOrder]
    closing: Decimal
    bar: Bar

    @property
    def long(self) -> bool:
        """Whether it gains when the price rises."""
        return self.trip.side is Side.BUY

    @property
    def sign(self) -> int:
        """1 when long, -1 when short."""
        return self.trip.side.sign

    @property
    def open_quantity(self) -> Decimal:
        """Units that nothing is closing yet."""
        return abs(self.position.quantity) - self.closing

    @property
    def stop(self) -> Decimal | None:
        """The stop that is furthest from the market."""
        prices = [each.price for each in self.stops]
        return min(prices, key=lambda price: price * self.sign) if prices else None

    def reaches(self, profit: Decimal, multiple: Decimal) -> bool:
        """Whether `profit` is at least `multiple` R; exact."""
        return profit >= multiple * self.risk

    def multiple(self, profit: Decimal) -> Decimal:
        """`profit` in R, for display."""
        return ROUNDING.divide(profit, self.risk)

    def gain(self, price: Decimal, other: Decimal) -> Decimal:
        """By how much `price` is better than `other`: what one unit gains on the way."""
        return (price - other) * self.sign

    def nearer(self, price: Decimal, other: Decimal) -> bool:
        """Whether a stop at `price` is nearer to the market than one at `other`."""
        return self.gain(price, other) > ZERO

    def behind(self, price: Decimal, distance: Decimal) -> Decimal:
        """Where a stop stands so far behind `price`, or up to a tick further."""
        return _on_tick(price - distance * self.sign, self.instrument, up=not self.long)


def follow(
    tracks: dict[str, ExitTrack], message: Message, portfolio: Portfolio, config: ExitsConfig
) -> dict[str, ExitTrack]:
    """Tracks after `message`, by "account/instrument". Call it for bars that are `judged` only."""
    match message:
        case BarClosed(bar=bar):
            kept = {key: track for key, track in tracks.items() if key.partition("/")[2] != bar.instrument}
            return {**kept, **dict(_tracks_of(tracks, bar, portfolio))}
        case ExitRaised():
            key = f"{message.account}/{message.instrument}"
            track = tracks.get(key)
            return tracks if track is None else {**tracks, key: _acted(track, message, config)}
        case _:
            return tracks


def _tracks_of(tracks: dict[str, ExitTrack], bar: Bar, portfolio: Portfolio) -> Iterator[tuple[str, ExitTrack]]:
    for account in portfolio.accounts:
        key = f"{account.account_id}/{bar.instrument}"
        trip = portfolio.trip(account.account_id, bar.instrument)
        if trip is None:
            continue
        price = _closing_price(trip, bar)
        known = tracks.get(key)
        if known is None or (known.order_id, known.opened_at_ns) != (trip.order_id, trip.opened_at_ns):
            yield key, ExitTrack(order_id=trip.order_id, opened_at_ns=trip.opened_at_ns, bars=1, best_price=price)
        else:
            better = max if trip.side is Side.BUY else min
            best = better(known.best_price, price)
            yield key, msgspec.structs.replace(known, bars=known.bars + 1, best_price=best)


def _closing_price(trip: RoundTrip, bar: Bar) -> Decimal:
    return bar.bid if trip.side is Side.BUY else bar.ask


def _acted(track: ExitTrack, raised: ExitRaised, config: ExitsConfig) -> ExitTrack:
    if raised.rule != ExitRule.NEWS:
        return track
    ahead_ns = config.news.minutes_before * _MINUTE_NS + config.timeframe.nanoseconds
    return msgspec.structs.replace(track, tightened_until_ns=raised.occurred_at_ns + ahead_ns)


def judged(bar: Bar, volatility: Mapping[str, VolatilityTrack], config: ExitsConfig) -> bool:
    """Whether positions are looked at when `bar` closes: it is of the timeframe, or of the shortest longer one."""
    wanted, given = config.timeframe.nanoseconds, bar.timeframe.nanoseconds
    between = (each for each in Timeframe if wanted <= each.nanoseconds < given)
    return given >= wanted and not any(f"{bar.instrument}/{each}" in volatility for each in between)


def average_range(volatility: Mapping[str, VolatilityTrack], bar: Bar, atr_bars: int) -> Decimal | None:
    """Average true range of bars like `bar`, in price; None before there are `atr_bars` of them."""
    track = volatility.get(f"{bar.instrument}/{bar.timeframe}")
    return None if track is None or track.bars < atr_bars else Decimal(track.range_pico).scaleb(-_PICO_DIGITS)


def exits_of(case: Case, calendar: NewsCalendar, config: ExitsConfig) -> list[Exit]:
    """What one position calls for now: one close of all that is open, or partial closes and one move of its stop."""
    rules = config.rules
    leaves = [
        *(_time(case, config) if ExitRule.TIME in rules else ()),
        *(_crossed(case, config) if ExitRule.TRAIL in rules else ()),
    ]
    if leaves:
        return leaves[:1]
    moves = [
        *(_break_even(case, config) if ExitRule.BREAK_EVEN in rules else ()),
        *(_trail(case, config) if ExitRule.TRAIL in rules else ()),
        *(_news(case, calendar, config) if ExitRule.NEWS in rules else ()),
    ]
    moves.sort(key=lambda move: _distance(case, move))
    return [*(_partials(case, config) if ExitRule.PARTIAL in rules else ()), *moves[:1]]


def cases_of(
    portfolio: Portfolio,
    bar: Bar,
    tracks: Mapping[str, ExitTrack],
    average_range: Decimal | None,
    config: ExitsConfig,
) -> Iterator[Case]:
    """The positions in the bar's instrument that are managed and have an R, in the order of their accounts."""
    for account in portfolio.accounts:
        track = tracks.get(f"{account.account_id}/{bar.instrument}")
        case = None if track is None else _case(portfolio, account.account_id, bar, track, average_range, config)
        if case is not None:
            yield case


def _case(
    portfolio: Portfolio, account: str, bar: Bar, track: ExitTrack, average_range: Decimal | None, config: ExitsConfig
) -> Case | None:
    trip, instrument = portfolio.trip(account, bar.instrument), portfolio.instrument(bar.instrument)
    if trip is None or instrument is None or trip.initial_stop is None or trip.strategy not in config.strategies:
        return None
    position = portfolio.position(account, bar.instrument)
    held, cost = position.quantity, position.cost
    risk = cost - trip.initial_stop * held
    if risk <= ZERO:
        return None
    price = _closing_price(trip, bar)
    return Case(
        position=position,
        trip=trip,
        track=track,
        instrument=instrument,
        price=price,
        profit=price * held - cost,
        best_profit=track.best_price * held - cost,
        risk=risk,
        average_range=average_range,
        stops=[each for each in portfolio.exits(account, bar.instrument) if each.role == "stop_loss"],
        closing=closing_quantity(portfolio, position),
        bar=bar,
    )


def closing_quantity(portfolio: Portfolio, position: Position) -> Decimal:
    """Units of a position that working reduce-only orders, exits left aside, are about to close."""
    closing = sum(
        (
            each.remaining
            for each in portfolio.working(position.account)
            if each.order.instrument == position.instrument and each.order.reduce_only
        ),
        ZERO,
    )
    return min(closing, abs(position.quantity))


def _time(case: Case, config: ExitsConfig) -> Iterator[Exit]:
    rule = config.time
    if case.track.bars < rule.bars_max or case.reaches(case.best_profit, rule.reach_r):
        return
    told = Waterfall(GATE, case.open_quantity)
    told.passes("exit_time_bars", Decimal(case.track.bars), Decimal(rule.bars_max), "count", at_least=True)
    told.passes("exit_time_reach", case.multiple(case.best_profit), rule.reach_r, "R")
    yield from _leave(case, ExitRule.TIME, told)


def _crossed(case: Case, config: ExitsConfig) -> Iterator[Exit]:
    target = _trail_target(case, config)
    if target is None or case.nearer(case.price, target):
        return
    told = Waterfall(GATE, case.open_quantity)
    told.passes("exit_trail", case.multiple(case.best_profit), config.trail.from_r, "R", at_least=True)
    told.passes("exit_trail_crossed", case.price, target, "price", at_least=not case.long)
    yield from _leave(case, ExitRule.TRAIL, told)


def _leave(case: Case, rule: ExitRule, told: Waterfall) -> Iterator[Exit]:
    if case.open_quantity > ZERO:
        yield Exit(rule=rule, quantity=case.open_quantity, checks=told.checks)


def _partials(case: Case, config: ExitsConfig) -> Iterator[Exit]:
    """What is closed already counts, by whomever; so a step is taken once, and what it left unfilled is tried again."""
    reached = [partial for partial in config.partials if case.reaches(case.profit, partial.at_r)]
    wanted = case.trip.quantity * sum((partial.fraction for partial in reached), ZERO)
    closed = case.trip.quantity - case.open_quantity
    quantity = floor_to(max(ZERO, wanted - closed), case.instrument.lot_size)
    if quantity == ZERO:
        return
    told = Waterfall(GATE, quantity)
    told.passes("exit_partial", case.multiple(case.profit), reached[-1].at_r, "R", at_least=True)
    yield Exit(rule=ExitRule.PARTIAL, quantity=quantity, checks=told.checks)


def _break_even(case: Case, config: ExitsConfig) -> Iterator[Exit]:
    rule, stop = config.break_even, case.stop
    entry = divide(case.position.cost, case.position.quantity)
    if stop is None or not case.reaches(case.profit, rule.at_r) or not case.nearer(entry, stop):
        return
    traded = case.trip.quantity * case.instrument.point_value
    costs = divide(case.trip.fees * rule.cost_multiple, traded)
    target = _on_tick(entry + max(ZERO, costs) * case.sign, case.instrument, up=case.long)
    told = Waterfall(GATE, ZERO)
    told.passes("exit_break_even", case.multiple(case.profit), rule.at_r, "R", at_least=True)
    yield from _move(case, ExitRule.BREAK_EVEN, target, told)


def _trail(case: Case, config: ExitsConfig) -> Iterator[Exit]:
    target, stop, average_range = _trail_target(case, config), case.stop, case.average_range
    if target is None or stop is None or average_range is None:
        return
    step = config.trail.step_atr_multiple * average_range
    if case.gain(target, stop) < step:
        return
    told = Waterfall(GATE, ZERO)
    told.passes("exit_trail", case.multiple(case.best_profit), config.trail.from_r, "R", at_least=True)
    yield from _move(case, ExitRule.TRAIL, target, told)


def _trail_target(case: Case, config: ExitsConfig) -> Decimal | None:
    if case.average_range is None or not case.reaches(case.best_profit, config.trail.from_r):
        return None
    distance = config.trail.atr_multiple * case.average_range
    return case.behind(case.track.best_price, distance)


def _news(case: Case, calendar: NewsCalendar, config: ExitsConfig) -> Iterator[Exit]:
    rule, now_ns = config.news, case.bar.end_ns
    if case.average_range is None or case.track.tightened_until_ns >= now_ns:
        return
    currencies = {case.instrument.base_currency, case.instrument.quote_currency}
    event = calendar.next_event(currencies, now_ns, rule.impacts)
    # The last bar's end that leaves the minutes asked for: the next would come too late.
    ahead_ns = rule.minutes_before * _MINUTE_NS + case.bar.timeframe.nanoseconds
    if event is None or event.time_ns - now_ns > ahead_ns:
        return
    told = Waterfall(GATE, ZERO)
    told.passes("exit_news", _minutes(event.time_ns - now_ns), _minutes(ahead_ns), "minutes")
    distance = rule.atr_multiple * case.average_range
    yield from _move(case, ExitRule.NEWS, case.behind(case.price, distance), told)


def _move(case: Case, rule: ExitRule, target: Decimal, told: Waterfall) -> Iterator[Exit]:
    stop = case.stop
    if stop is None or not case.nearer(target, stop) or not case.nearer(case.price, target):
        return
    told.passes("exit_stop", target, stop, "price", at_least=case.long)
    yield Exit(rule=rule, stop_price=target, checks=told.checks)


def _distance(case: Case, move: Exit) -> Decimal:
    assert move.stop_price is not None
    return case.gain(case.price, move.stop_price)


def _on_tick(price: Decimal, instrument: Instrument, *, up: bool) -> Decimal:
    below = floor_to(price, instrument.tick_size)
    return below + instrument.tick_size if up and not is_multiple(price, instrument.tick_size) else below


def _minutes(nanoseconds: int) -> Decimal:
    return ROUNDING.divide(Decimal(nanoseconds), Decimal(_MINUTE_NS))
