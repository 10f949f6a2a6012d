"""Returns by instrument, and how they move together."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations
from math import fsum, sqrt

import msgspec

from tmt.domain.money import Exact, round_half_even
from tmt.market.bar import Bar

CORRELATION_DECIMALS = 4


class ReturnSeries(msgspec.Struct, frozen=True, array_like=True):
    """Newest returns of one instrument, oldest first. A return spans exactly one bar, never a gap.

    Attributes:
        last_end_ns, last_close: of the newest bar.
        end_ns: when each return's bar ended; strictly rising.
        returns: close over the close before, minus 1.
    """

    last_end_ns: int
    last_close: float
    end_ns: tuple[int, ...] = ()
    returns: tuple[float, ...] = ()


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """Correlation of two instruments' returns, in [-1, 1]; None when it is not known. `common` counts shared bars."""

    first: str
    second: str
    coefficient: Exact | None
    common: int


class AntiCorrelationState(msgspec.Struct, frozen=True, kw_only=True):
    """Return series by instrument."""

    series: dict[str, ReturnSeries] = {}


def advance(series: ReturnSeries | None, bar: Bar, window_bars: int) -> ReturnSeries:
    """The series with one more bar; None is the series before its first."""
    close = float(bar.close)
    if series is None:
        return ReturnSeries(bar.end_ns, close)
    if bar.end_ns <= series.last_end_ns:
        return series
    if bar.start_ns != series.last_end_ns:
        return ReturnSeries(bar.end_ns, close, series.end_ns, series.returns)
    change = close / series.last_close - 1.0
    return ReturnSeries(
        bar.end_ns,
        close,
        (*series.end_ns, bar.end_ns)[-window_bars:],
        (*series.returns, change)[-window_bars:],
    )


def correlate(state: AntiCorrelationState, first: str, second: str, returns_min: int) -> Correlation:
    """Pearson correlation of the returns of two instruments over the bars that both have."""
    left, right = state.series.get(first), state.series.get(second)
    if left is None or right is None:
        return Correlation(first=first, second=second, coefficient=None, common=0)
    other = dict(zip(right.end_ns, right.returns, strict=True))
    pairs = [(x, other[end]) for end, x in zip(left.end_ns, left.returns, strict=True) if end in other]
    coefficient = _pearson(pairs) if len(pairs) >= returns_min else None
    return Correlation(first=first, second=second, coefficient=coefficient, common=len(pairs))


def correlation_matrix(state: AntiCorrelationState, returns_min: int) -> list[Correlation]:
    """Every pair of instruments once, by name."""
    return [correlate(state, first, second, returns_min) for first, second in combinations(sorted(state.series), 2)]


def _pearson(pairs: list[tuple[float, float]]) -> Decimal | None:
    """None when one of the two never moves. Means are taken off first and sums are rounded once, to keep digits."""
    mean_x = fsum(x for x, _ in pairs) / len(pairs)
    mean_y = fsum(y for _, y in pairs) / len(pairs)
    centred = [(x - mean_x, y - mean_y) for x, y in pairs]
    spread_x = sqrt(fsum(x * x for x, _ in centred))
    spread_y = sqrt(fsum(y * y for _, y in centred))
    if spread_x == 0.0 or spread_y == 0.0:
        return None
    together = fsum(x / spread_x * (y / spread_y) for x, y in centred)
    return round_half_even(Decimal(repr(max(-1.0, min(1.0, together)))), CORRELATION_DECIMALS)
