"""The storage API killed at any moment, while the desk goes on writing its log: series and records go on exactly."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from tests.contract.test_records import everything
from tests.integration.simulated import make_desk, proposal, take
from tests.unit.storage_api.desk import whole
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.bootstrap import Desk
from tmt.projections.records import Projector
from tmt.storage_api.writer import SeriesWriter

KILLS = 7
BATCH = 10
SERVING = """
import sys
from contextlib import ExitStack, closing
from pathlib import Path
import msgspec
from tmt.access.opening import open_access
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.projections.records import Projector
from tmt.sections import load_config
from tmt.storage_api import following, writer
from tmt.storage_api.opening import storage_api

events, store, state, batch = sys.argv[1:]
writer.MESSAGES_MAX = int(batch)
Projector.__init__.__kwdefaults__["events_per_batch"] = int(batch)
following.POLL_SECONDS = 0.001
sections = load_config(None).sections
with ExitStack() as stack:
    clock = SystemClock()
    access = stack.enter_context(closing(open_access(Path(state), sections["access"], clock).access))
    logs = [stack.enter_context(closing(SqliteEventLog(Path(events), read_only=True))) for _ in range(3)]
    stack.enter_context(
        storage_api(
            log=logs[0],
            followed=logs[1],
            projected=logs[2],
            store=Path(store),
            access=access,
            clock=clock,
            config=msgspec.structs.replace(sections["storage"], port=0),
            web=sections["web"],
        )
    )
    print("serving", flush=True)
    sys.stdin.read()
"""


class Trader:
    """A desk that trades on, one order and some market data at a time."""

    def __init__(self, book: Path) -> None:
        self.desk: Desk = make_desk(book)
        self.desk.start()
        self._orders = 0
        take(self.desk, 60)

    def go_on(self) -> None:
        self.desk.command(proposal(self.desk, str(self._orders)))
        self._orders += 1
        take(self.desk, 2)


@contextmanager
def killed_at_the_end(book: Path, store: Path, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", SERVING, str(book / "events.sqlite"), str(store), str(state), str(BATCH)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as serving:
        yield serving
        serving.kill()
        assert serving.wait() == -signal.SIGKILL, "it ended by itself"


def position(store: Path) -> int:
    """Of the records; read without touching them, since they belong to another process."""
    try:
        with closing(apsw.Connection(str(store / "records.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)) as records:
            return int(next(records.execute("SELECT position FROM records"))[0])
    except (apsw.CantOpenError, apsw.SQLError, apsw.BusyError):
        return 0  # not made yet


def finish(book: Path, store: Path) -> tuple[int, int, dict[str, object]]:
    """Where series and records stood, and all that they hold when they have gone on to the log's end."""
    store.mkdir(exist_ok=True)
    with (
        closing(SqliteEventLog(book / "events.sqlite", read_only=True)) as log,
        closing(DuckDbSeries(store / "series.duckdb", store / "archive")) as series,
        closing(RelationalRecords(SqliteTables(store / "records.sqlite"))) as records,
    ):
        series.prepare()
        stood = (series.mark().position, records.position())
        writer = SeriesWriter(log, series)
        while writer.step():
            pass
        assert Projector(log, records).catch_up() == series.mark().position == log.head()
        return *stood, {**whole(series), **everything(records)}


@pytest.mark.slow
def test_killed_at_random_while_the_log_grows_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    seed = 20_141_103
    chance = random.Random(seed)
    book, store, state = (tmp_path / name for name in ("book", "series", "state"))
    trader = Trader(book)
    reached, behind = [0], []
    for _ in range(KILLS):
        target = reached[-1] + chance.randrange(1, 200)
        with killed_at_the_end(book, store, state) as serving:
            while position(store) < target:
                trader.go_on()
                assert serving.poll() is None, "it ended by itself"
        reached.append(position(store))
        behind.append(trader.desk.log.head() - reached[-1])
    head = trader.desk.log.head()
    trader.desk.close()
    assert reached == sorted(set(reached)), f"each one went on where the former was killed; seed {seed}"
    assert any(behind), "none was killed while it was writing"
    in_series, in_records, found = finish(book, store)
    assert in_series <= head  # the first batch may not have been stored when the last kill came
    assert in_records == reached[-1]
    assert found == finish(book, tmp_path / "undisturbed")[2], f"seed {seed}"
