"""Returns by instrument on one timeframe, in whole billionths, and the common ones of several instruments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from tmt.domain.money import ONE, divide
from tmt.market.bar import Bar

RETURN_DECIMALS: Final = 9


class ReturnSeries(msgspec.Struct, frozen=True, array_like=True):
    """Newest returns of one instrument, oldest first, each from close to close: nights and weekends are risk too.

    Attributes:
        last_end_ns: when the newest bar ended; it has no return when it came after a longer silence.
        last_pico: newest close, in whole numbers of 10**-12.
        end_ns: when each return's bar ended; strictly rising.
        returns_nano: close over the close before, minus 1, in whole numbers of 10**-9.
    """

    last_end_ns: int
    last_pico: int
    end_ns: tuple[int, ...] = ()
    returns_nano: tuple[int, ...] = ()


_NONE: Final = ReturnSeries(0, 0)


def advance(series: ReturnSeries | None, bar: Bar, returns_max: int, gap_ns_max: int) -> ReturnSeries:
    """The series with one more bar, which has no return after more than `gap_ns_max` without one; None: before any."""
    close = int(bar.close.scaleb(12))
    if series is None:
        return ReturnSeries(bar.end_ns, close)
    if bar.start_ns - series.last_end_ns > gap_ns_max:
        return msgspec.structs.replace(series, last_end_ns=bar.end_ns, last_pico=close)
    change = divide(Decimal(close), Decimal(series.last_pico), places=RETURN_DECIMALS) - ONE
    return ReturnSeries(
        bar.end_ns,
        close,
        (*series.end_ns, bar.end_ns)[-returns_max:],
        (*series.returns_nano, int(change.scaleb(RETURN_DECIMALS)))[-returns_max:],
    )


def common_returns(series: Mapping[str, ReturnSeries], symbols: Iterable[str]) -> dict[str, list[int]]:
    """Returns of `symbols` over the bars that all of them have, oldest first; empty lists when one has none."""
    known = {symbol: series.get(symbol, _NONE) for symbol in symbols}
    if len({each.end_ns for each in known.values()}) <= 1:
        return {symbol: list(each.returns_nano) for symbol, each in known.items()}
    by_end = {symbol: dict(zip(each.end_ns, each.returns_nano, strict=True)) for symbol, each in known.items()}
    ends = sorted(set.intersection(*(set(each.end_ns) for each in known.values())))
    return {symbol: [returns[end] for end in ends] for symbol, returns in by_end.items()}
