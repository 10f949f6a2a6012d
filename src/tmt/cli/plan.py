"""What a book runs on: kept beside its log, so that `tmt stop` can open the same desk again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tmt.config.source import did_you_mean
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
    """

    mode: str
    paths: tuple[str, ...]
    instrument: str
    seed: int
    start: str
    live_from: str
    config: str
    overrides: tuple[str, ...]

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
        if (self.paths, self.instrument) != (former.paths, former.instrument):
            held = f"recorded {former.instrument}" if former.paths else "the simulator"
            raise InputError(
                "TMT-R007",
                f"this book runs on {held}: {', '.join(former.paths) or former.start}",
                fix="give the same feed, or another book (`tmt book new NAME` or --book NAME)",
            )

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

        instruments = {each.symbol: each for each in loaded.sections["instruments"].instruments}
        if not self.paths:
            simulator = msgspec.structs.replace(loaded.sections["simulator"], seed=self.seed, start=self.start)
            return open_simulator(simulator, instruments)
        if self.instrument not in instruments:
            hint = did_you_mean(self.instrument, instruments)
            what = f"no instrument {self.instrument!r}" if self.instrument else "recorded data need --instrument SYMBOL"
            raise InputError("TMT-R005", what, fix=hint)
        return open_replay([Path(path) for path in self.paths], instruments[self.instrument], loaded.sections["feeds"])

    def open_desk(self, book: Path) -> Desk:
        """The desk over the book in folder `book`."""
        from tmt.adapters.clock.system import SystemClock
        from tmt.bootstrap import open_desk

        loaded = self.load()
        feed = self.open_feed(loaded)
        return open_desk(loaded, feed, book, mode=self.mode, seed=self.seed, clock=SystemClock())
