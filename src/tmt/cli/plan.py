"""What a book runs on: kept beside its log, so that `tmt stop` can open the same desk again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tmt.config.source import did_you_mean
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import CorruptLog, InputError

if TYPE_CHECKING:
    from tmt.bootstrap import Desk
    from tmt.config import Loaded
    from tmt.ports.feed import Feed

_FILE = "plan.json"


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a desk is opened with.

    Attributes:
        mode: "up" or "replay".
        paths: recorded data; empty for the simulator.
        instrument: of the recorded data.
        start: the simulator's first minute, ISO 8601; empty for recorded data.
        live_from: event time, ISO 8601, before which rows are taken as fast as they go; empty: from the first on.
        config: folder of configuration files; empty for the defaults alone.
        overrides: as given to --set.
        posted: the market data are what other programs post.
    """

    mode: str
    paths: tuple[str, ...]
    instrument: str
    seed: int
    start: str
    live_from: str
    config: str
    overrides: tuple[str, ...]
    posted: bool = False

    @classmethod
    def of(cls, book: Path) -> Plan | None:
        """The plan that the book in folder `book` was last run with, or None.

        Raises:
            CorruptLog: when the file is there but is no plan.
        """
        file = book / _FILE
        if not file.is_file():
            return None
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            fix = f"remove it, and run the desk again as before; {_FILE} is written anew"
            raise CorruptLog("TMT-S007", f"not a plan: {error}", where=str(file), fix=fix) from error

    def keep(self, book: Path) -> None:
        """Write the plan into the book in folder `book`."""
        pending = book / f"{_FILE}.new"
        pending.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        pending.replace(book / _FILE)

    def refuse_other(self, former: Plan) -> None:
        """Raise InputError unless the feed of `former` is this one's."""
        if (self.paths, self.instrument, self.posted) != (former.paths, former.instrument, former.posted):
            raise InputError(
                "TMT-R007",
                f"this book runs on {former.feed_name}",
                fix="give the same feed, or another book (`tmt book new NAME` or --book NAME)",
            )

    @property
    def feed_name(self) -> str:
        """What the market data are, in a few words."""
        if self.posted:
            return "what is posted"
        if self.paths:
            return f"recorded {self.instrument}: {', '.join(self.paths)}"
        return f"the simulator: {self.start}"

    @property
    def live_from_ns(self) -> int:
        """`live_from` as event time; 0 when there is none."""
        moment = datetime.fromisoformat(self.live_from) if self.live_from else None
        return 0 if moment is None else int(moment.timestamp()) * NANOSECONDS_PER_SECOND

    def load(self) -> Loaded:
        """The configuration."""
        from tmt.cli.settings import load_settings

        return load_settings(self.config, self.overrides)

    def open_feed(self, loaded: Loaded) -> Feed:
        """The market data.

        Raises:
            InputError: when they cannot be used.
        """
        from tmt.adapters.feed.opening import open_replay, open_simulator

        known = loaded.sections["instruments"].instruments
        instruments = {each.symbol: each for each in known}
        if self.posted:
            from tmt.adapters.feed.posted import PostedFeed

            return PostedFeed(known, loaded.sections["engine"].posted_rows_waiting_max)
        if not self.paths:
            simulator = msgspec.structs.replace(loaded.sections["simulator"], seed=self.seed, start=self.start)
            return open_simulator(simulator, instruments)
        if self.instrument not in instruments:
            hint = did_you_mean(self.instrument, instruments)
            what = f"no instrument {self.instrument!r}" if self.instrument else "recorded data need --instrument SYMBOL"
            raise InputError("TMT-R005", what, fix=hint)
        return open_replay([Path(path) for path in self.paths], instruments[self.instrument], loaded.sections["feeds"])

    def open_desk(self, book: Path, loaded: Loaded) -> Desk:
        """The desk over the book in folder `book`."""
        from tmt.adapters.clock.system import SystemClock
        from tmt.bootstrap import open_desk

        clock = SystemClock()
        desk = open_desk(loaded, self.open_feed(loaded), book, mode=self.mode, seed=self.seed, clock=clock)
        if self.posted and desk.log.head() == 0:
            # No row says when a book on posted data begins.
            desk.runner.timeline.advance(clock.now_ns())
        return desk
