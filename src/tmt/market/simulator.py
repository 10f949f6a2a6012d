"""Made-up markets from a seed: correlated returns, regimes, changing volatility, volume and spread by time of day.

Two levels. The minutes of a block are folded from the minutes before: cheap, so that a feed resumes far on within a
moment. The rows of a block are drawn between its minutes' prices and depend on nothing else. Everything comes from the
seed and the block's number; floats stay inside, prices leave in whole ticks. The floats are added, multiplied, divided
and rooted only, in a fixed order, which IEEE 754 makes the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tmt.domain.instrument import Instrument
from tmt.domain.money import Exact, fraction, positive
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.market.open_hours import DAY_MINUTES, MINUTE_NS, open_minutes
from tmt.market.regimes import Course

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

ACTIVITY: Final = (
    0.45, 0.50, 0.50, 0.45, 0.40, 0.45, 0.65, 1.00, 1.25, 1.20, 1.05, 1.00,
    1.30, 1.65, 1.80, 1.70, 1.45, 1.10, 0.90, 0.85, 0.70, 0.45, 0.40, 0.40,
)  # fmt: skip
"""Activity by hour UTC, about 1 on average: quiet after New York, lively in London, most so while both trade."""

_VOLATILITY_RANGE: Final = (0.4, 3.0)
_JUMP_PER_MINUTES: Final = 3000
_ROWS_PER_MINUTE_MIN: Final = 4
_TICKS_MIN: Final = 1000
_NOISE: Final = 0.8
"""Share of a usual move that is noise; the course of the market makes the rest."""


class SimulatedMarket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One made-up market.

    Attributes:
        symbol: of an instrument with `simulated: true`.
        start_price: in quote currency.
        volatility_daily_fraction: usual move of a day, in (0, 0.2].
        correlation: with the force that moves all markets, in [-1, 1].
        trade_fraction: of rows that are trades, in [0, 0.9].
        spread_ticks: usual distance of bid and ask.
        size_lots: usual size of a trade.
    """

    symbol: str
    start_price: Exact
    volatility_daily_fraction: Exact
    correlation: Exact
    trade_fraction: Exact
    spread_ticks: int
    size_lots: int

    def __post_init__(self) -> None:
        positive("start_price", self.start_price)
        positive("volatility_daily_fraction", self.volatility_daily_fraction)
        if self.volatility_daily_fraction * 5 > 1:
            raise ValueError(f"volatility_daily_fraction must be at most 0.2, was {self.volatility_daily_fraction}")
        fraction("correlation without its sign", abs(self.correlation))
        fraction("trade_fraction", self.trade_fraction)
        if self.trade_fraction * 10 > 9:
            raise ValueError(f"trade_fraction must be at most 0.9, was {self.trade_fraction}")
        for name in ("spread_ticks", "size_lots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, was {getattr(self, name)}")


class SimulatorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The simulator's markets.

    Attributes:
        seed: whole number from 0; the same seed and start give the same rows.
        start: event time of the first minute, ISO 8601 with an offset, such as "2026-01-05T00:00:00+00:00".
        rows_per_second: of an open market on average, in [0.2, 1000].
        block_minutes: minutes made at once, in [1, 1440]; another number gives other rows.
        markets: at least one.
    """

    seed: int
    start: str
    rows_per_second: Exact
    block_minutes: int
    markets: tuple[SimulatedMarket, ...]

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, was {self.seed}")
        if datetime.fromisoformat(self.start).tzinfo is None:
            raise ValueError(f"start must have an offset, such as +00:00, was {self.start!r}")
        positive("rows_per_second", self.rows_per_second)
        if not 1 <= self.rows_per_second * 5 <= 5000:
            raise ValueError(f"rows_per_second must be in [0.2, 1000], was {self.rows_per_second}")
        if not 1 <= self.block_minutes <= DAY_MINUTES:
            raise ValueError(f"block_minutes must be in [1, {DAY_MINUTES}], was {self.block_minutes}")
        if not self.markets:
            raise ValueError("markets must name at least one")

    @property
    def start_ns(self) -> int:
        """Event time of the first minute, rounded down to a whole minute."""
        return int(datetime.fromisoformat(self.start).timestamp()) // 60 * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Minutes:
    """One block's minutes: arrays of shape (minutes, markets).

    Attributes:
        number: of the block, from 0.
        opening, closing: levels of price at the ends of the minute.
        deviation: usual move within the minute, in price.
        volume: factor on sizes.
        spread: bid to ask, in ticks.
        rows, trades: in the minute; 0 while the market is closed.
    """

    number: int
    start_ns: int
    opening: _Floats
    closing: _Floats
    deviation: _Floats
    volume: _Floats
    spread: _Ints
    rows: _Ints
    trades: _Ints


class Simulator:
    """Blocks of made-up minutes, and the rows in them."""

    def __init__(self, config: SimulatorConfig, instruments: dict[str, Instrument]) -> None:
        """`instruments` must hold every market of `config`.

        Raises:
            ValueError: when a market has no instrument, or one that is not simulated.
        """
        for market in config.markets:
            if market.symbol not in instruments or not instruments[market.symbol].simulated:
                raise ValueError(f"market {market.symbol} must be an instrument with simulated: true")
        self.symbols = tuple(market.symbol for market in config.markets)
        self._config = config
        self._instruments = [instruments[symbol] for symbol in self.symbols]
        self._ticks = [float(instrument.tick_size) for instrument in self._instruments]
        self._quanta_per_tick = [instrument.quanta_of(instrument.tick_size) for instrument in self._instruments]

    def blocks(self) -> Iterator[Minutes]:
        """The minutes of block 0, 1, 2 and so on without end."""
        fold = _Fold(self._config)
        block_ns = self._config.block_minutes * MINUTE_NS
        number = 0
        while True:
            start_ns = self._config.start_ns + number * block_ns
            yield fold.next_block(number, start_ns, self._open(start_ns))
            number += 1

    def rows(self, minutes: Minutes, first_sequence: int) -> MarketBatch:
        """Every row of a block, in time order."""
        random = _generator(self._config.seed, minutes.number, 1)
        parts = [self._rows_of(index, minutes, random) for index in range(len(self.symbols))]
        columns = {name: np.concatenate([part[name] for part in parts]) for name, _ in COLUMNS}
        order = np.argsort(columns["time_ns"], kind="stable")
        return MarketBatch(
            symbols=self.symbols,
            first_sequence=first_sequence,
            **{name: column[order] for name, column in columns.items()},
        )

    def _open(self, start_ns: int) -> NDArray[np.bool_]:
        first = start_ns // MINUTE_NS
        last = first + self._config.block_minutes - 1
        days = range(first // DAY_MINUTES, last // DAY_MINUTES + 1)
        skip = first - days[0] * DAY_MINUTES
        sessions = [instrument.session for instrument in self._instruments]
        masks = [np.concatenate([open_minutes(session, day) for day in days]) for session in sessions]
        return np.column_stack([mask[skip : skip + self._config.block_minutes] for mask in masks])

    def _rows_of(self, index: int, minutes: Minutes, random: np.random.Generator) -> dict[str, _Ints]:
        market = self._config.markets[index]
        counts = minutes.rows[:, index]
        total = int(counts.sum())
        minute = np.repeat(np.arange(len(counts)), counts)
        ends = np.cumsum(counts)
        step = np.arange(total) - (ends - counts)[minute]
        time_ns = minutes.start_ns + minute * MINUTE_NS + random.integers(0, MINUTE_NS, total)
        time_ns.sort()
        mid_ticks = self._mid_ticks(index, minutes, minute, step, random.standard_normal(total))
        spread = minutes.spread[:, index][minute] + (random.integers(0, 8, total) == 0)
        bid, bid_size, ask_size = mid_ticks - spread // 2, *self._sizes(index, minutes, minute, random, 3)
        # Trades are spread evenly over a minute's rows; they meet the quote before them, and its first row is a quote.
        per_mille = int(market.trade_fraction * 1000)
        is_trade = (step + 1) * per_mille // 1000 > step * per_mille // 1000
        quote = np.maximum.accumulate(np.where(is_trade, 0, np.arange(total)))
        rising = np.sign(np.diff(mid_ticks, prepend=mid_ticks[:1]))
        aggressor = np.where(random.integers(0, 100, total) < 50 + 25 * rising, 1, -1)
        bid, ask = bid[quote], (bid + spread)[quote]
        scale = self._quanta_per_tick[index]
        size = self._sizes(index, minutes, minute, random, 1)[0]
        return {
            "time_ns": time_ns,
            "instrument": np.full(total, index, dtype=np.int64),
            "bid": bid * scale,
            "ask": ask * scale,
            "bid_size": bid_size[quote],
            "ask_size": ask_size[quote],
            "price": np.where(is_trade, np.where(aggressor > 0, ask, bid), 0) * scale,
            "size": np.where(is_trade, size, 0),
            "aggressor": np.where(is_trade, aggressor, 0),
        }

    def _mid_ticks(self, index: int, minutes: Minutes, minute: _Ints, step: _Ints, noise: _Floats) -> _Ints:
        counts = minutes.rows[:, index]
        walk = np.concatenate(([0.0], np.cumsum(noise)))
        ends = np.cumsum(counts)
        before, after = walk[ends - counts][minute], walk[ends][minute]
        done = (step + 1) / counts[minute]
        # A bridge: the walk within the minute, tied to the minute's opening and closing levels.
        bridge = walk[1:] - before - done * (after - before)
        opening, closing = minutes.opening[:, index][minute], minutes.closing[:, index][minute]
        deviation = (minutes.deviation[:, index] / np.sqrt(np.maximum(counts, 1)))[minute]
        level = opening + (closing - opening) * done + deviation * bridge
        mid_ticks: _Ints = np.floor(level / self._ticks[index]).astype(np.int64)
        return np.maximum(mid_ticks, _TICKS_MIN)

    def _sizes(
        self, index: int, minutes: Minutes, minute: _Ints, random: np.random.Generator, factor: int
    ) -> tuple[_Ints, _Ints]:
        usual = 2.2 * factor * self._config.markets[index].size_lots * minutes.volume[:, index][minute]
        first, second = (random.standard_normal(len(minute)) for _ in range(2))
        return 1 + (usual * first * first).astype(np.int64), 1 + (usual * second * second).astype(np.int64)


class _Fold:
    """What the minutes before leave behind: price level, volatility and course of each market."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._levels = [float(market.start_price) for market in config.markets]
        self._volatility = [1.0] * len(config.markets)
        self._minute_move = [float(m.volatility_daily_fraction) / float(np.sqrt(DAY_MINUTES)) for m in config.markets]
        self._courses = [Course(float(m.start_price), float(m.volatility_daily_fraction)) for m in config.markets]
        correlation = np.array([float(market.correlation) for market in config.markets])
        self._common, self._own = correlation, np.sqrt(1.0 - correlation * correlation)

    def next_block(self, number: int, start_ns: int, is_open: NDArray[np.bool_]) -> Minutes:
        minutes, markets = is_open.shape
        random = _generator(self._config.seed, number, 0)

        def draw(low: int, high: int) -> int:
            return int(random.integers(low, high))

        noise = (
            random.standard_normal((minutes, 1)) * self._common + random.standard_normal((minutes, markets)) * self._own
        )
        shock = random.standard_normal((minutes, markets)) * 0.06
        jump = np.where(random.integers(0, _JUMP_PER_MINUTES, (minutes, markets)) == 0, 8.0, 1.0)
        jitter = random.integers(70, 131, (minutes, markets)) / 100
        hour = (start_ns // MINUTE_NS + np.arange(minutes)) // 60 % 24
        activity = np.array(ACTIVITY)[hour]
        pace = np.sqrt(activity)
        shape = (minutes, markets)
        opening, closing, deviation, volume = (np.zeros(shape) for _ in range(4))
        for market in range(markets):
            moves = (noise[:, market] * jump[:, market] * pace).tolist()
            for minute in np.flatnonzero(is_open[:, market]).tolist():
                course = self._courses[market]
                level = opening[minute, market] = self._levels[market]
                course.advance(level, draw)
                self._volatility[market] = _next_volatility(self._volatility[market], float(shock[minute, market]))
                usual = level * self._minute_move[market] * self._volatility[market] * course.phase.volatility
                drift = (course.target - level) / course.minutes_left
                course.minutes_left -= 1
                self._levels[market] = closing[minute, market] = level + drift + _NOISE * usual * moves[minute]
                deviation[minute, market] = _NOISE * usual
                volume[minute, market] = course.phase.volume
        lively = (activity[:, None] + volume) / 2
        mean_rows = float(self._config.rows_per_second) * 60
        rows = np.maximum((mean_rows * lively * jitter).astype(np.int64), _ROWS_PER_MINUTE_MIN) * is_open
        per_mille = np.array([int(market.trade_fraction * 1000) for market in self._config.markets])
        usual_spread = np.array([market.spread_ticks for market in self._config.markets])
        spread = np.maximum(np.rint(usual_spread / (0.4 + 0.6 * pace[:, None])).astype(np.int64), 1)
        return Minutes(
            number=number,
            start_ns=start_ns,
            opening=opening,
            closing=closing,
            deviation=deviation,
            volume=volume * activity[:, None],
            spread=spread,
            rows=rows,
            trades=rows * per_mille // 1000,
        )


def _next_volatility(volatility: float, shock: float) -> float:
    low, high = _VOLATILITY_RANGE
    return min(max(volatility + 0.02 * (1.0 - volatility) + volatility * shock, low), high)


def _generator(seed: int, block: int, level: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64((seed, block, level)))
