"""What the feed tests start from: the shipped defaults, and files as vendors write them."""

import zipfile
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import yaml

import tmt.defaults
from tmt.adapters.feed.config import FeedsConfig
from tmt.domain.instrument import Instrument
from tmt.domain.money import decode_hook
from tmt.market.batch import COLUMNS
from tmt.market.quality import InstrumentQuality
from tmt.market.simulator import SimulatorConfig
from tmt.ports.feed import Feed
from tmt.sections import load_config

T = TypeVar("T")
DEFAULTS = Path(tmt.defaults.__path__[0])


def shipped(name: str, kind: type[T]) -> T:
    with (DEFAULTS / name).open() as file:
        values = yaml.load(file, Loader=yaml.BaseLoader)
    return msgspec.convert(values, kind, strict=False, dec_hook=decode_hook)


INSTRUMENTS: dict[str, Instrument] = {
    instrument.symbol: instrument for instrument in load_config(None).sections["instruments"].instruments
}
EURUSD, SPY, BTCUSD, BTCUSDT = (INSTRUMENTS[symbol] for symbol in ("EURUSD", "SPY", "BTCUSD", "BTCUSDT"))
FEEDS = shipped("feeds.yml", FeedsConfig)
SIMULATOR = shipped("simulator.yml", SimulatorConfig)


def feeds(**changes: Any) -> FeedsConfig:
    return msgspec.structs.replace(FEEDS, **changes)


def with_columns(**changes: Any) -> FeedsConfig:
    return feeds(columns=msgspec.structs.replace(FEEDS.columns, **changes))


def lean_zip(folder: Path, member: str, *lines: str) -> Path:
    path = folder / f"{member.removesuffix('.csv')}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "\n".join(lines) + "\n")
    return path


def rows_of(feed: Feed, from_sequence: int = 0, until_ns: int | None = None) -> list[tuple[int, ...]]:
    """Every row as (sequence, *columns)."""
    rows: list[tuple[int, ...]] = []
    for batch in feed.batches(from_sequence, until_ns):
        numbers = np.arange(batch.first_sequence, batch.first_sequence + len(batch))
        columns = [numbers, *(getattr(batch, name) for name, _ in COLUMNS)]
        rows.extend(tuple(row) for row in np.column_stack(columns).tolist())
    return rows


def column(feed: Feed, name: str) -> list[int]:
    return [value for batch in feed.batches() for value in getattr(batch, name).tolist()]


def quality(feed: Feed) -> InstrumentQuality:
    return feed.quality.instruments[feed.symbols[0]]
