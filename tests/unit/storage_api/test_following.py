"""Who follows the log: waits for a store that is away, ends at what waiting does not mend, and says so."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from litestar import Litestar

from tests.contract.test_records import everything
from tests.unit.storage_api.desk import traded
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.errors import StoreUnavailable
from tmt.ports.records import Rows
from tmt.projections.records import Projector
from tmt.storage_api import following
from tmt.storage_api.following import BEHIND_MAX, Following


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk") / "book"
    traded(folder).close()
    return folder


@pytest.fixture
def log(book: Path) -> Iterator[SqliteEventLog]:
    with closing(SqliteEventLog(book / "events.sqlite", read_only=True)) as opened:
        yield opened


class Away(SqliteTables):
    """Records whose store is away whenever `away` is set, before it has stored or after."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.away = Event()
        self.times = 0

    def position(self) -> int:
        self._refuse()
        return super().position()

    def take(self, rows: Rows, position: int) -> None:
        if self.times % 2:
            self._refuse()
        super().take(rows, position)
        self._refuse()

    def _refuse(self) -> None:
        if self.away.is_set():
            self.times += 1
            raise StoreUnavailable("TMT-L013", "away")


@contextmanager
def running(followed: Following) -> Iterator[Thread]:
    stop = Event()
    thread = Thread(target=followed.run, args=[stop])
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def test_records_whose_store_was_away_get_everything_once(
    log: SqliteEventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.001)
    tables = Away(tmp_path / "records.sqlite")
    whole = RelationalRecords(SqliteTables(tmp_path / "whole.sqlite"))
    Projector(log, whole).catch_up()
    records = RelationalRecords(tables)
    followed = Following("the records", Projector(log, records, events_per_batch=3))
    with running(followed):
        for enough in (3, 10, 20):
            tables.away.set()
            while tables.times < enough:
                pass
            assert followed.failure is not None
            assert followed.look().ok is False
            assert followed.look().detail == "TMT-L013: tmt explain TMT-L013"
            tables.away.clear()
        while records.position() < log.head() or followed.failure is not None:
            pass
    assert everything(records) == everything(whole)
    assert (followed.behind, followed.failure) == (0, None)
    for each in (records, whole):
        each.close()


def test_records_of_another_log_are_refused_and_left_alone(log: SqliteEventLog, tmp_path: Path) -> None:
    with closing(RelationalRecords(SqliteTables(tmp_path / "records.sqlite"))) as records:
        records.apply(Rows(), log.head() + 1)
        followed = Following("the records", Projector(log, records))
        followed.run(Event())
        assert followed.failure is not None
        assert followed.failure.code == "TMT-Q012"
        assert followed.look().detail == "TMT-Q012: tmt explain TMT-Q012"
        assert records.position() == log.head() + 1


class Counting:
    """A follower that has much to do."""

    def __init__(self) -> None:
        self.behind = BEHIND_MAX + 2
        self.turn = Event()

    def begin(self) -> None:
        raise AssertionError("nothing has failed")

    def step(self) -> bool:
        self.turn.wait(10)
        self.turn.clear()
        self.behind -= 1
        return True


def test_far_behind_is_not_well_and_a_thread_that_has_ended_neither() -> None:
    asyncio.run(_follow_from_far_behind())


async def _follow_from_far_behind() -> None:
    follower = Counting()
    followed = Following("a store", follower)
    assert followed.look().detail == "the writer has ended"
    async with followed.live(Litestar()):
        assert followed.look().ok is False
        for behind in (BEHIND_MAX + 1, BEHIND_MAX):
            follower.turn.set()
            while follower.behind != behind:
                pass
            assert followed.look().ok is (behind <= BEHIND_MAX)
        assert followed.look().detail == f"{BEHIND_MAX} messages behind the log"
        closing_soon = asyncio.get_running_loop().call_later(0.05, follower.turn.set)
    closing_soon.cancel()
    assert followed.look().detail == "the writer has ended"
