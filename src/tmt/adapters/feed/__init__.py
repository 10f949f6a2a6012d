"""Feeds: recordings of real markets, read from files, and the simulator."""

from tmt.adapters.feed.config import ColumnMap, FeedsConfig, TimeUnit
from tmt.adapters.feed.errors import ERROR_CODES
from tmt.adapters.feed.opening import open_replay, open_simulator

__all__ = ["ERROR_CODES", "ColumnMap", "FeedsConfig", "TimeUnit", "open_replay", "open_simulator"]
