"""Market: what event time and market data lead to by themselves."""

from __future__ import annotations

from tmt.market.bar import Bar
from tmt.messages.message import Message


class BarClosed(Message, frozen=True, kw_only=True):
    """A bar is complete and will not change."""

    bar: Bar


class FeedGapFound(Message, frozen=True, kw_only=True):
    """No data for longer than allowed while the instrument's session was open."""

    instrument: str
    from_ns: int
    to_ns: int


class FeedStale(Message, frozen=True, kw_only=True):
    """An open instrument has had no data since `last_ns`; it is stale `stale_after_ns` after its newest."""

    instrument: str
    last_ns: int
    stale_after_ns: int = 0


class FeedRecovered(Message, frozen=True, kw_only=True):
    """Data of a stale instrument flow again."""

    instrument: str


class SliceDue(Message, frozen=True, kw_only=True):
    """Event time has come to slice `number` (from 0) of a scheduled parent order."""

    order_id: str
    account: str
    number: int
