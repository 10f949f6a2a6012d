"""Returns by instrument, of one bar each."""

from __future__ import annotations

import msgspec

from tmt.market.bar import Bar


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
