"""The feed of a log that is run again: it tells what the feed was like, and has no rows, which are in the log."""

from __future__ import annotations

from collections.abc import Iterator

from tmt.domain.session import SessionHours
from tmt.market.batch import MarketBatch
from tmt.market.quality import FeedQuality
from tmt.messages import SessionStarted


class LoggedFeed:
    """See `ports.feed.Feed`. Made of what a session said of its feed when it began."""

    def __init__(self, session: SessionStarted) -> None:
        self.symbols = tuple(instrument.symbol for instrument in session.instruments)
        self.simulated = session.simulated
        self.sources = session.inputs
        self.bar_seconds = session.bar_seconds
        self.traded = session.traded
        self.expected: tuple[SessionHours, ...] = session.expected

    def batches(self, from_sequence: int = 0, until_ns: int | None = None) -> Iterator[MarketBatch]:
        """None."""
        yield from ()

    @property
    def quality(self) -> FeedQuality:
        """Of nothing."""
        return FeedQuality()

    def total_rows(self) -> int | None:
        """Not known."""
        return None
