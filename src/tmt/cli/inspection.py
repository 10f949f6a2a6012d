"""`tmt data inspect`: what recorded data hold, before anybody trades on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tmt.cli.folders import Chosen
from tmt.cli.results import DataInspected, InstrumentData
from tmt.cli.terminal import Terminal, table
from tmt.cli.times import iso
from tmt.domain.money import round_half_even
from tmt.errors import InputError

if TYPE_CHECKING:
    from tmt.market.quality import InstrumentQuality
    from tmt.ports.feed import Feed

_NANOSECONDS: Final = 1_000_000_000
_TOTALS: Final = ("rows", "quotes", "trades")


def run(terminal: Terminal, chosen: Chosen, paths: Sequence[str], instrument: str | None) -> None:
    """`tmt data inspect`."""
    from tmt.adapters.feed.opening import open_replay
    from tmt.cli.settings import load_settings

    loaded = load_settings(chosen.config_folder, chosen.overrides)
    instruments = {each.symbol: each for each in loaded.sections["instruments"].instruments}
    symbol = instrument or _guess(paths, instruments)
    if symbol not in instruments:
        known = ", ".join(sorted(instruments))
        raise InputError("TMT-R005", f"no instrument {symbol!r}; there are {known}", fix="name one of them")
    feed = open_replay([Path(path) for path in paths], instruments[symbol], loaded.sections["feeds"])
    answer = _inspect(feed)
    terminal.answer(answer, _text(answer))


def _guess(paths: Sequence[str], symbols: Sequence[str] | dict[str, object]) -> str:
    # The longest symbol first: BTCUSDT holds BTCUSD.
    words = "/".join(str(Path(path).resolve()) for path in paths).upper()
    named = [
        symbol for symbol in sorted(symbols, key=len, reverse=True) if re.search(rf"(?<![A-Z]){symbol}(?![A-Z])", words)
    ]
    if not named:
        fix = f"name it with --instrument: {', '.join(sorted(symbols))}"
        raise InputError("TMT-X010", "no symbol in the names of the data", where=", ".join(paths), fix=fix)
    return named[0]


def _inspect(feed: Feed) -> DataInspected:
    first_ns = last_ns = None
    rows = 0
    for batch in feed.batches():
        first_ns = int(batch.time_ns[0]) if first_ns is None else first_ns
        last_ns = int(batch.time_ns[-1])
        rows += len(batch)
    quality = feed.quality
    return DataInspected(
        sources=feed.sources,
        rows=rows,
        dropped=sum(each.dropped for each in quality.instruments.values()),
        first_time=None if first_ns is None else iso(first_ns),
        last_time=None if last_ns is None else iso(last_ns),
        bar_seconds=feed.bar_seconds,
        instruments=tuple(_found(symbol, each) for symbol, each in sorted(quality.instruments.items())),
        notes=quality.notes,
    )


def _found(symbol: str, quality: InstrumentQuality) -> InstrumentData:
    counts = msgspec.structs.asdict(quality)
    longest = quality.longest_gap
    seconds = Decimal(0) if longest is None else Decimal(longest.length_ns) / _NANOSECONDS
    return InstrumentData(
        instrument=symbol,
        rows=quality.rows,
        quotes=quality.quotes,
        trades=quality.trades,
        findings={
            name: count for name, count in counts.items() if isinstance(count, int) and count and name not in _TOTALS
        },
        longest_gap_seconds=round_half_even(seconds, 3),
    )


def _text(answer: DataInspected) -> str:
    lines = [*answer.sources]
    rows: list[tuple[str, ...]] = [("rows", f"{answer.rows:,}"), ("dropped", f"{answer.dropped:,}")]
    rows += [("first", answer.first_time or "-"), ("last", answer.last_time or "-")]
    if answer.bar_seconds:
        rows.append(("bars of", f"{answer.bar_seconds} s"))
    for each in answer.instruments:
        rows.append((each.instrument, f"{each.quotes:,} quotes, {each.trades:,} trades"))
        rows += [(f"  {name.replace('_', ' ')}", f"{count:,}") for name, count in each.findings.items()]
        if each.longest_gap_seconds:
            rows.append(("  longest gap", f"{each.longest_gap_seconds} s"))
    return "\n".join([*lines, table(rows), *answer.notes])
