"""Bars as rows: each bar becomes four points in the order that its shape suggests.

Open at the bar's start; low then high at a third and two thirds when it closes at or above its open, else high then
low; close one nanosecond before its end. A trade bar's volume is the size of its closing row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tmt.adapters.feed.recording import Block, raw_rows
from tmt.market.quality import Column, Mask

POINTS = 4


@dataclass(frozen=True, slots=True)
class Prices:
    """Open, high, low and close in quanta, and whether one of them is off the grid; `size` in lots."""

    open: Column
    high: Column
    low: Column
    close: Column
    size: Column
    off_grid: Mask

    def pick(self, rows: Mask | Column) -> Prices:
        return Prices(
            self.open[rows], self.high[rows], self.low[rows], self.close[rows], self.size[rows], self.off_grid[rows]
        )

    @property
    def consistent(self) -> Mask:
        """Whether open and close lie between low and high."""
        lower = np.minimum(self.open, self.close)
        upper = np.maximum(self.open, self.close)
        return (self.low <= lower) & (upper <= self.high)

    def path(self, low_first: Mask) -> Column:
        """Four prices a bar, one after the other."""
        second = np.where(low_first, self.low, self.high)
        third = np.where(low_first, self.high, self.low)
        return np.column_stack((self.open, second, third, self.close)).ravel()


@dataclass(frozen=True, slots=True)
class TradeBars:
    """Bars of trades, by their start in nanoseconds UTC."""

    start_ns: Column
    trades: Prices


@dataclass(frozen=True, slots=True)
class QuoteBars:
    """Bars of bids and asks, by their start in nanoseconds UTC."""

    start_ns: Column
    bids: Prices
    asks: Prices


def modal_period_ns(start_ns: Column) -> int | None:
    """The most frequent distance of neighbouring bars, the shortest of equals; None for fewer than two bars."""
    distances = np.diff(np.unique(start_ns))
    if len(distances) == 0:
        return None
    values, counts = np.unique(distances, return_counts=True)
    return int(values[np.argmax(counts)])


def trade_block(bars: TradeBars, period_ns: int, half_spread: int) -> Block:
    """Trade bars as rows, with quotes made up half a spread, in quanta, on each side of the price."""
    kept = bars.trades.consistent
    counts = Counter(inconsistent_bars=int((~kept).sum()))
    trades = bars.trades.pick(kept)
    price = trades.path(trades.close >= trades.open)
    rows = raw_rows(
        _times(bars.start_ns[kept], period_ns),
        np.ones(len(price), dtype=bool),
        {"bid": price - half_spread, "ask": price + half_spread, "price": price, "size": _at_close(trades.size)},
        off_grid=np.repeat(trades.off_grid, POINTS),
    )
    return Block(rows, counts, period_ns=period_ns)


def quote_block(bars: QuoteBars, period_ns: int) -> Block:
    """Quote bars as rows of quotes; an ask that the pairing of points puts below its bid is raised to it."""
    kept = bars.bids.consistent & bars.asks.consistent
    counts = Counter(inconsistent_bars=int((~kept).sum()))
    bids, asks = bars.bids.pick(kept), bars.asks.pick(kept)
    low_first = bids.close >= bids.open
    rows = raw_rows(
        _times(bars.start_ns[kept], period_ns),
        np.zeros(POINTS * len(low_first), dtype=bool),
        _quotes(bids, asks, low_first),
        off_grid=np.repeat(bids.off_grid | asks.off_grid, POINTS),
    )
    return Block(rows, counts, period_ns=period_ns)


def joined_block(trade_bars: TradeBars, quote_bars: QuoteBars, period_ns: int, half_spread: int) -> Block:
    """Trade and quote bars of the same times: price and volume of the one, bid and ask of the other.

    A bar without quotes gets made-up ones, a bar without trades gives quotes. The trades' shape orders the points.
    """
    together, of_trade, of_quote = np.intersect1d(trade_bars.start_ns, quote_bars.start_ns, return_indices=True)
    trades, bids, asks = (
        trade_bars.trades.pick(of_trade),
        quote_bars.bids.pick(of_quote),
        quote_bars.asks.pick(of_quote),
    )
    kept = trades.consistent & bids.consistent & asks.consistent
    trades, bids, asks = trades.pick(kept), bids.pick(kept), asks.pick(kept)
    low_first = trades.close >= trades.open
    both = raw_rows(
        _times(together[kept], period_ns),
        np.ones(POINTS * len(low_first), dtype=bool),
        _quotes(bids, asks, low_first) | {"price": trades.path(low_first), "size": _at_close(trades.size)},
        off_grid=np.repeat(trades.off_grid | bids.off_grid | asks.off_grid, POINTS),
    )
    only_trades = ~np.isin(trade_bars.start_ns, together)
    only_quotes = ~np.isin(quote_bars.start_ns, together)
    lone_trades = trade_block(
        TradeBars(trade_bars.start_ns[only_trades], trade_bars.trades.pick(only_trades)), period_ns, half_spread
    )
    lone_quotes = quote_block(
        QuoteBars(
            quote_bars.start_ns[only_quotes], quote_bars.bids.pick(only_quotes), quote_bars.asks.pick(only_quotes)
        ),
        period_ns,
    )
    merged = both.merged_with(lone_trades.rows).merged_with(lone_quotes.rows)
    counts = lone_trades.counts + lone_quotes.counts + Counter(inconsistent_bars=int((~kept).sum()))
    return Block(merged, counts, period_ns=period_ns)


def _times(start_ns: Column, period_ns: int) -> Column:
    if len(start_ns) == 0:
        return start_ns
    end_ns = start_ns + period_ns
    # A bar ends where the next one starts, should that be sooner: at a change of the clock, for one.
    sooner = (start_ns[1:] > start_ns[:-1]) & (start_ns[1:] < end_ns[:-1])
    end_ns[:-1] = np.where(sooner, start_ns[1:], end_ns[:-1])
    length = end_ns - start_ns
    return np.column_stack((start_ns, start_ns + length // 3, start_ns + length * 2 // 3, end_ns - 1)).ravel()


def _at_close(size: Column) -> Column:
    sizes = np.zeros((len(size), POINTS), dtype=np.int64)
    sizes[:, -1] = size
    return sizes.ravel()


def _quotes(bids: Prices, asks: Prices, low_first: Mask) -> dict[str, Column]:
    bid, ask = bids.path(low_first), asks.path(low_first)
    # Bid and ask may not have had their extremes at once: a point that the pairing crossed is mended. A bar that is
    # crossed at its open or close is crossed in the file, which is not ours to mend.
    inner = np.tile([False, True, True, False], len(low_first))
    return {
        "bid": bid,
        "ask": np.where(inner, np.maximum(ask, bid), ask),
        "bid_size": np.repeat(bids.size, POINTS),
        "ask_size": np.repeat(asks.size, POINTS),
    }
