"""A series writer killed at any moment leaves a series that the next one completes, as if nothing had happened."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.storage_api.desk import traded, whole
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres.database import Database
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.ports.series import Series
from tmt.storage_api.writer import SeriesWriter

LINES = (*range(1, 37), *range(40, 100, 5))
TRACED = ("append", "_copy", "make_room", "retain", "_days_before", "_move", "write")
WRITER = """
import os
import signal
import sys
from pathlib import Path
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres.database import Database
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.storage_api import writer

events, store, messages_max, last_line, *traced = sys.argv[1:]
writer.MESSAGES_MAX = int(messages_max)
lines = 0


def count(frame, event, _):
    global lines
    lines += event == "line"
    if lines == int(last_line):
        os.kill(os.getpid(), signal.SIGKILL)
    return count


def enter(frame, event, _):
    return count if frame.f_code.co_name in traced and "adapters/series" in frame.f_code.co_filename else None


if store.startswith("postgresql:"):
    series = TimescaleSeries(Database(store, "series"))
else:
    series = DuckDbSeries(Path(store), Path(store).with_suffix(".archive"))
series.prepare()
following = writer.SeriesWriter(SqliteEventLog(Path(events), read_only=True), series, retain_ns=3600 * 10**9)
sys.settrace(enter)
while following.step():
    print(following.mark.position, flush=True)
print("done", flush=True)
"""

Open = Callable[[], Series]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    book = tmp_path_factory.mktemp("desk") / "book"
    traded(book).close()
    return book / "events.sqlite"


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.getfixturevalue("pg_dsn") if request.param == "postgres" else tmp_path / "series.duckdb")


@pytest.fixture
def open_store(store: str) -> Open:
    def opened() -> Series:
        if store.startswith("postgresql:"):
            return TimescaleSeries(Database(store, "series"))
        return DuckDbSeries(Path(store), Path(store).with_suffix(".archive"))

    return opened


@pytest.fixture(scope="module")
def expected(events: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict[str, Any]]]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    log = SqliteEventLog(events, read_only=True)
    series = DuckDbSeries(folder / "series.duckdb", folder / "archive")
    series.prepare()
    writer = SeriesWriter(log, series, retain_ns=3600 * 10**9)
    while writer.step():
        pass
    yield whole(series)
    series.close()
    log.close()


def run_writer(events: Path, store: str, *, messages_max: int, last_line: int) -> tuple[int, list[str]]:
    arguments = [str(events), store, str(messages_max), str(last_line), *TRACED]
    done = subprocess.run([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout.split()


@pytest.mark.slow
def test_killed_before_any_line_that_stores_nothing_is_lost_or_doubled(
    events: Path, store: str, open_store: Open, expected: dict[str, list[dict[str, Any]]]
) -> None:
    acknowledged = 0
    for last_line in LINES:
        code, said = run_writer(events, store, messages_max=20, last_line=last_line)
        assert code == -signal.SIGKILL, "there is more to do than the lines traced"
        acknowledged = max([acknowledged, *map(int, said)])
        series = open_store()
        assert series.mark().position >= acknowledged
        series.close()
    assert acknowledged > 0
    assert run_writer(events, store, messages_max=1000, last_line=0)[1][-1] == "done"
    series = open_store()
    try:
        assert whole(series) == expected
    finally:
        series.close()
