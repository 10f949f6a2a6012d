"""The series holds what the log says, once, wherever the log is cut and whenever the writer starts anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.integration.simulated import ACCOUNT
from tests.unit.storage_api.desk import SYMBOLS, traded, whole
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.series.days import DAY_NS
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import InputError, StoreUnavailable
from tmt.ports.series import NOTHING, STAGE_DURATION, Mark
from tmt.projections.portfolio import Portfolio
from tmt.storage_api import following
from tmt.storage_api import writer as writing
from tmt.storage_api.following import Following
from tmt.storage_api.writer import SIGNAL_EXECUTION, SeriesWriter

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk") / "book"
    traded(folder).close()
    return folder


@pytest.fixture
def log(book: Path) -> Iterator[SqliteEventLog]:
    opened = SqliteEventLog(book / "events.sqlite", read_only=True)
    yield opened
    opened.close()


@contextmanager
def series_in(folder: Path) -> Iterator[DuckDbSeries]:
    opened = DuckDbSeries(folder / "series.duckdb", folder / "archive")
    opened.prepare()
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def series(tmp_path: Path) -> Iterator[DuckDbSeries]:
    with series_in(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def expected(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    log = SqliteEventLog(book / "events.sqlite", read_only=True)
    with series_in(tmp_path_factory.mktemp("series")) as series:
        finish(SeriesWriter(log, series))
        tables = whole(series)
    log.close()
    return tables


def finish(writer: SeriesWriter) -> None:
    while writer.step():
        pass


def messages(log: SqliteEventLog, *kinds: type[m.Message]) -> Iterator[tuple[int, int, Any]]:
    for recorded in log.read(types=tuple(kind.__name__ for kind in kinds)):
        yield recorded.position, recorded.recorded_at_ns, m.decode(recorded.body)


def test_every_row_of_market_data_is_there_in_its_table(log: SqliteEventLog, expected: Tables) -> None:
    sequences: dict[bool, set[int]] = {True: set(), False: set()}
    for _, _, message in messages(log, m.MarketDataReceived):
        for row, price in enumerate(message.batch.price.tolist()):
            sequences[price != 0].add(message.first_sequence + row)
    for table, is_trade in (("quotes", False), ("trades", True)):
        found = [row["sequence"] for row in expected[table]]
        assert len(found) == len(set(found))
        assert set(found) == sequences[is_trade]


def test_every_bar_is_there(log: SqliteEventLog, expected: Tables) -> None:
    said = [message.bar for _, _, message in messages(log, m.BarClosed)]
    bars = {(bar.instrument, str(bar.timeframe), bar.start_ns, bar.close) for bar in said}
    found = {(row["instrument"], row["timeframe"], row["start_ns"], row["close"]) for row in expected["bars"]}
    assert found == {bar for bar in bars if bar[0] in SYMBOLS and bar[1] in ("1m", "5m")}
    assert len(found) > 5


def test_a_point_of_equity_is_what_the_whole_log_says_at_its_position(log: SqliteEventLog, expected: Tables) -> None:
    points = {row["sequence"]: row for row in expected["equity"]}
    portfolio = Portfolio()
    before: Decimal | None = None
    for recorded in log.read():
        portfolio.evolve(m.decode(recorded.body))
        equity = portfolio.equity(ACCOUNT)
        point = points.pop(recorded.position, None)
        if point is not None:
            worth = (equity, portfolio.realised(ACCOUNT), portfolio.unrealised(ACCOUNT), portfolio.fees(ACCOUNT))
            assert tuple(point[name] for name in ("equity", "realised", "unrealised", "fees")) == worth
            assert point["time_ns"] == recorded.occurred_at_ns
        assert point is not None or equity == before
        before = equity
    assert not points
    fills = [position for position, _, _ in messages(log, m.OrderFilled)]
    assert len(fills) >= 4
    assert set(fills) <= {row["sequence"] for row in expected["equity"]}


def test_durations_are_between_the_records_of_a_message_and_its_cause(log: SqliteEventLog, expected: Tables) -> None:
    recorded_ns = {recorded.message_id: recorded.recorded_at_ns for recorded in log.read()}
    stages = [row for row in expected["metrics"] if row["name"] == STAGE_DURATION]
    submissions = [row for row in expected["metrics"] if row["name"] == SIGNAL_EXECUTION]
    timed = (m.SignalRaised, *m.GATES, m.OrderSubmitted)
    durations = {
        position: (f'{{"stage":"{message.source}"}}', recorded_at_ns - recorded_ns[message.causation_id])
        for position, recorded_at_ns, message in messages(log, *timed)
    }
    found = {row["sequence"]: (row["labels"], row["value"] * NANOSECONDS_PER_SECOND) for row in stages}
    assert found == durations
    assert len(submissions) == len(list(messages(log, m.OrderSubmitted))) > 0


@pytest.mark.parametrize("messages_max", [1, 3, 50])
def test_where_the_log_is_cut_means_nothing(
    log: SqliteEventLog, series: DuckDbSeries, expected: Tables, messages_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_MAX", messages_max)
    finish(SeriesWriter(log, series))
    assert whole(series) == expected


def test_a_writer_that_starts_anew_after_every_batch_writes_the_same(
    log: SqliteEventLog, series: DuckDbSeries, expected: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_MAX", 9)
    monkeypatch.setattr(writing, "TIMES_KEPT_MAX", 2)
    while SeriesWriter(log, series).step():
        pass
    assert whole(series) == expected
    assert series.mark().position == log.head()


def test_batches_are_bounded_by_rows_too(
    log: SqliteEventLog, series: DuckDbSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ROWS_MAX", 1)
    writer = SeriesWriter(log, series)
    steps = 0
    while writer.step():
        steps += 1
        assert writer.behind == log.head() - writer.mark.position
    assert steps > len(list(messages(log, m.MarketDataReceived)))


def test_the_series_of_another_log_is_refused(series: DuckDbSeries, log: SqliteEventLog, tmp_path: Path) -> None:
    series.append({}, NOTHING, Mark(3, "another message"))
    with pytest.raises(InputError) as caught:
        SeriesWriter(log, series)
    assert caught.value.code == "TMT-Q002"


def test_a_log_shorter_than_the_series_is_refused(series: DuckDbSeries, log: SqliteEventLog) -> None:
    series.append({}, NOTHING, Mark(log.head() + 1, "a later message"))
    with pytest.raises(InputError) as caught:
        SeriesWriter(log, series)
    assert caught.value.code == "TMT-Q002"


def test_market_data_older_than_is_kept_are_taken_out(
    log: SqliteEventLog, series: DuckDbSeries, expected: Tables, tmp_path: Path
) -> None:
    finish(SeriesWriter(log, series, retain_ns=1))
    first_day = min(row["time_ns"] for row in expected["quotes"]) // DAY_NS
    last_day = max(row["end_ns"] for row in expected["bars"]) // DAY_NS
    kept = [row for row in expected["quotes"] if row["time_ns"] // DAY_NS == last_day]
    assert whole(series)["quotes"] == kept
    assert whole(series)["bars"] == expected["bars"]
    assert bool(list(tmp_path.rglob("*.parquet"))) == (first_day < last_day)


class Away:
    """A series whose store is away whenever `away` is set."""

    def __init__(self, series: DuckDbSeries) -> None:
        self.series = series
        self.away = Event()

    def mark(self) -> Mark:
        return self.series.mark()

    def append(self, *what: Any) -> bool:
        stored = self.series.append(*what)
        if self.away.is_set():
            raise StoreUnavailable("TMT-Q001", "away after it was stored")
        return stored


def test_a_store_that_was_away_gets_everything_once(
    log: SqliteEventLog, series: DuckDbSeries, expected: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_MAX", 5)
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.01)
    away: Any = Away(series)
    away.away.set()
    head = log.head()
    run = Following("the series", SeriesWriter(log, away))
    stop = Event()
    thread = Thread(target=run.run, args=[stop])
    thread.start()
    while series.mark().position < 20:
        pass
    assert thread.is_alive()
    away.away.clear()
    while series.mark().position < head:
        pass
    stop.set()
    thread.join(10)
    assert (thread.is_alive(), run.failure) == (False, None)
    assert whole(series) == expected
