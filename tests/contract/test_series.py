"""What every series promises: exact, once, in pages that join up, and the same answers on every store."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tmt.adapters.postgres.database import Database
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.errors import InputError, StoreUnavailable
from tmt.market.bar import Timeframe
from tmt.ports.series import NOTHING, SCHEMAS, Key, Mark, Page, Series, Window

DAY_NS = 86_400 * 1_000_000_000
MINUTE_NS = 60 * 1_000_000_000
MONDAY_NS = 16_202 * DAY_NS  # 2014-05-12
LARGEST = Decimal("999999999999999999.999999999999999999")
SMALLEST = Decimal("0.000000000000000001")

Query = Callable[[Series, Window], Page]


def duckdb_series(folder: Path, _: pytest.FixtureRequest) -> Series:
    return DuckDbSeries(folder / "series.duckdb", folder / "archive")


def postgres_series(_: Path, request: pytest.FixtureRequest) -> Series:
    return TimescaleSeries(Database(request.getfixturevalue("pg_dsn"), "series"))


SERIES: dict[str, Callable[[Path, pytest.FixtureRequest], Series]] = {
    "duckdb": duckdb_series,
    "postgres": postgres_series,
}


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.server)])
def open_series(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Series]:
    return lambda: SERIES[request.param](tmp_path, request)


@pytest.fixture
def series(open_series: Callable[[], Series]) -> Iterator[Series]:
    opened = open_series()
    opened.prepare()
    yield opened
    opened.close()


def table(name: str, *rows: tuple[Any, ...]) -> pa.Table:
    columns = zip(*rows, strict=True)
    schema = SCHEMAS[name]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def quote(sequence: int, time_ns: int, instrument: str = "EURUSD", price: Decimal = Decimal("1.1")) -> tuple[Any, ...]:
    return (instrument, time_ns, sequence, price, price, Decimal(1), Decimal(2))


def trade(sequence: int, time_ns: int) -> tuple[Any, ...]:
    return ("EURUSD", time_ns, sequence, Decimal("1.1"), Decimal(3), -1, Decimal("1.09"), Decimal("1.11"))


def bar(start_ns: int, *prices: str, timeframe: str = "1m", instrument: str = "EURUSD") -> tuple[Any, ...]:
    prices = prices or ("1.1", "1.3", "1.0", "1.2")
    values = (*map(Decimal, prices), Decimal("0.5"), 7, Decimal("1.19"), Decimal("1.21"))
    return (instrument, timeframe, start_ns, start_ns + MINUTE_NS, *values)


def point(sequence: int, time_ns: int, equity: Decimal | None) -> tuple[Any, ...]:
    return ("alpha", time_ns, sequence, equity, Decimal(1), None, Decimal("-0.01"))


def metric(sequence: int, value: str, labels: str = '{"stage":"aria"}', name: str = "seconds") -> tuple[Any, ...]:
    return (name, labels, MONDAY_NS + sequence, sequence, Decimal(value))


def store(series: Series, **tables: pa.Table) -> None:
    after = series.mark()
    assert series.append(tables, after, Mark(after.position + 1, f"m{after.position + 1}"))


def rows(page: Page) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in page.rows.to_pylist()]


ONE_OF_EACH: dict[str, list[tuple[Any, ...]]] = {
    "quotes": [quote(1, 10), quote(2, 10), quote(5, 30)],
    "trades": [trade(3, 10), trade(4, 20), trade(6, 30)],
    "bars": [bar(0), bar(MINUTE_NS), bar(2 * MINUTE_NS)],
    "equity": [point(1, 10, LARGEST), point(2, 10, None), point(3, 30, -LARGEST)],
    "metrics": [metric(1, "1.5"), metric(2, "0"), metric(3, str(SMALLEST))],
}
QUERIES: dict[str, Query] = {
    "quotes": lambda series, window: series.quotes("EURUSD", window),
    "trades": lambda series, window: series.trades("EURUSD", window),
    "bars": lambda series, window: series.candles("EURUSD", Timeframe.M1, window),
    "equity": lambda series, window: series.equity("alpha", window),
    "metrics": lambda series, window: series.metrics("seconds", window),
}


def filled() -> Mapping[str, pa.Table]:
    return {name: table(name, *given) for name, given in ONE_OF_EACH.items()}


def test_a_new_series_is_empty_and_says_what_it_runs_on(series: Series) -> None:
    assert series.mark() == NOTHING
    assert series.describe()
    for query in QUERIES.values():
        assert query(series, Window()).rows.num_rows == 0
    assert series.quantiles("seconds", 0, 10).num_rows == 0
    assert series.retain(10 * DAY_NS) == 0


@pytest.mark.parametrize("name", QUERIES)
def test_what_is_stored_comes_back_to_the_last_digit_with_the_columns_promised(series: Series, name: str) -> None:
    store(series, **filled())
    page = QUERIES[name](series, Window())
    assert rows(page) == ONE_OF_EACH[name]
    assert (page.rows.schema, page.next) == (SCHEMAS[name], None)


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_join_up_without_a_gap_or_a_repetition(series: Series, name: str, newest_first: bool, limit: int) -> None:
    store(series, **filled())
    found: list[tuple[Any, ...]] = []
    after: Key | None = None
    for _ in range(3):
        page = QUERIES[name](series, Window(limit=limit, newest_first=newest_first, after=after))
        assert page.rows.num_rows <= limit
        found += rows(page)
        after = page.next
        if after is None:
            break
    assert after is None
    assert found == (ONE_OF_EACH[name][::-1] if newest_first else ONE_OF_EACH[name])


def test_a_window_includes_its_beginning_and_excludes_its_end(series: Series) -> None:
    store(series, **filled())
    assert [row[2] for row in rows(series.quotes("EURUSD", Window(from_ns=10, to_ns=30)))] == [1, 2]
    assert [row[2] for row in rows(series.quotes("EURUSD", Window(from_ns=11, to_ns=31)))] == [5]
    assert rows(series.quotes("EURUSD", Window(from_ns=30, to_ns=30))) == []


@pytest.mark.parametrize("stranger", ["", "eurusd", "EURUSD' OR '1'='1", "%", "\x01", "é"])
def test_a_name_that_is_not_there_finds_nothing(series: Series, stranger: str) -> None:
    store(series, **filled())
    assert rows(series.quotes(stranger, Window())) == rows(series.trades(stranger, Window())) == []
    assert rows(series.candles(stranger, Timeframe.M5, Window())) == rows(series.equity(stranger, Window())) == []
    assert rows(series.metrics(stranger, Window())) == []


def test_rows_come_once_however_often_they_are_appended(series: Series) -> None:
    first = Mark(3, "c")
    assert series.append(filled(), NOTHING, first)
    assert not series.append(filled(), NOTHING, first)
    assert (series.mark(), rows(series.quotes("EURUSD", Window()))) == (first, ONE_OF_EACH["quotes"])


@pytest.mark.parametrize(
    ("after", "mark"),
    [(Mark(2, "b"), Mark(4, "d")), (Mark(3, "x"), Mark(4, "d")), (NOTHING, Mark(4, "d")), (NOTHING, Mark(3, "x"))],
)
def test_rows_that_do_not_come_next_are_refused_and_nothing_is_stored(series: Series, after: Mark, mark: Mark) -> None:
    series.append({}, NOTHING, Mark(3, "c"))
    with pytest.raises(InputError) as caught:
        series.append(filled(), after, mark)
    assert caught.value.code == "TMT-Q002"
    assert (series.mark(), rows(series.quotes("EURUSD", Window()))) == (Mark(3, "c"), [])


def test_rows_are_stored_all_or_not_at_all(series: Series) -> None:
    unknown = table("metrics", (*metric(1, "1")[:-1], None))
    with pytest.raises(StoreUnavailable) as caught:
        series.append({**filled(), "metrics": unknown}, NOTHING, Mark(1, "a"))
    assert caught.value.code == "TMT-Q001"
    with pytest.raises(ValueError, match="names"):
        series.append({**filled(), "metrics": pa.table({"time_ns": [1]})}, NOTHING, Mark(1, "a"))
    assert (series.mark(), rows(series.quotes("EURUSD", Window()))) == (NOTHING, [])
    store(series, **filled())


def test_what_was_stored_is_there_when_the_series_is_opened_again(
    series: Series, open_series: Callable[[], Series]
) -> None:
    store(series, **filled())
    series.close()
    again = open_series()
    again.prepare()
    try:
        assert again.mark() == Mark(1, "m1")
        assert {name: rows(query(again, Window())) for name, query in QUERIES.items()} == ONE_OF_EACH
    finally:
        again.close()


def test_the_desks_own_bars_go_before_aggregated_ones(series: Series) -> None:
    own = bar(0, "9", "9", "9", "9", timeframe="5m")
    store(series, bars=table("bars", bar(0), own, bar(0, timeframe="1h", instrument="DAX")))
    assert rows(series.candles("EURUSD", Timeframe.M5, Window())) == [own]


def test_longer_bars_are_aggregated_from_bars_of_a_minute(series: Series) -> None:
    start_ns = MONDAY_NS + 5 * MINUTE_NS
    minutes = [
        bar(start_ns + 1 * MINUTE_NS, "2", "5", "1.5", "3"),
        bar(start_ns, "1", "4", "0.5", "2"),
        bar(start_ns + 4 * MINUTE_NS, "3", "3.5", "0.25", "0.75"),
        bar(start_ns + 5 * MINUTE_NS, "7", "8", "6", "7.5"),
        bar(start_ns, instrument="DAX"),
    ]
    store(series, bars=table("bars", *minutes))
    five_minutes = rows(series.candles("EURUSD", Timeframe.M5, Window()))
    prices = [tuple(map(str, (price.normalize() for price in row[4:8]))) for row in five_minutes]
    assert prices == [("1", "5", "0.25", "0.75"), ("7", "8", "6", "7.5")]
    spans = [(row[2], row[3]) for row in five_minutes]
    assert spans == [
        (start_ns, start_ns + 5 * MINUTE_NS),
        (start_ns + 5 * MINUTE_NS, start_ns + 6 * MINUTE_NS),
    ]
    assert [row[8:10] for row in five_minutes] == [(Decimal("1.5"), 21), (Decimal("0.5"), 7)]
    assert [row[1] for row in five_minutes] == ["5m", "5m"]
    assert len(rows(series.candles("EURUSD", Timeframe.D1, Window()))) == 1


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_of_aggregated_bars_are_cut_between_bars(series: Series, newest_first: bool) -> None:
    store(series, bars=table("bars", *(bar(MONDAY_NS + minute * MINUTE_NS) for minute in range(30))))
    whole = rows(series.candles("EURUSD", Timeframe.M5, Window(newest_first=newest_first)))
    assert [row[9] for row in whole] == [35] * 6
    after: Key | None = None
    paged: list[tuple[Any, ...]] = []
    for _ in range(6):
        page = series.candles("EURUSD", Timeframe.M5, Window(limit=1, after=after, newest_first=newest_first))
        paged += rows(page)
        after = page.next
    assert (paged, after) == (whole, None)
    middle = Window(from_ns=MONDAY_NS + 1, to_ns=MONDAY_NS + 10 * MINUTE_NS + 1)
    assert [row[2] for row in rows(series.candles("EURUSD", Timeframe.M5, middle))] == [
        MONDAY_NS + 5 * MINUTE_NS,
        MONDAY_NS + 10 * MINUTE_NS,
    ]


def test_bars_shorter_than_a_minute_are_never_made_up(series: Series) -> None:
    store(series, bars=table("bars", bar(0)))
    assert rows(series.candles("EURUSD", Timeframe.S5, Window())) == []


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (1, 1, 1, 1, 1)), (2, (1, 2, 2, 2, 2)), (20, (10, 18, 19, 20, 20)), (100, (50, 90, 95, 99, 100))],
)
def test_quantiles_are_values_that_were_measured(series: Series, count: int, expected: tuple[int, ...]) -> None:
    measured = [metric(n, str(n)) for n in range(count, 0, -1)]
    others = [metric(n, "7777", name="other") for n in (1, 2)] + [metric(1000 + count, "8888")]
    store(series, metrics=table("metrics", *measured, *others))
    [found] = series.quantiles("seconds", MONDAY_NS + 1, MONDAY_NS + count + 1).to_pylist()
    assert tuple(found.values()) == ('{"stage":"aria"}', count, *map(Decimal, expected))


def test_quantiles_are_told_apart_by_labels(series: Series) -> None:
    store(series, metrics=table("metrics", metric(1, "1", "{}"), metric(2, "5", '{"a":"b"}')))
    found = series.quantiles("seconds", 0, 2**63 - 1).to_pylist()
    assert [(row["labels"], row["p50"]) for row in found] == [('{"a":"b"}', 5), ("{}", 1)]


def test_retention_takes_whole_days_that_are_over_and_no_others(series: Series) -> None:
    times = [MONDAY_NS - 1, MONDAY_NS, MONDAY_NS + DAY_NS - 1, MONDAY_NS + DAY_NS]
    quotes = table("quotes", *(quote(n, time_ns) for n, time_ns in enumerate(times)))
    store(series, quotes=quotes, bars=table("bars", bar(0)), equity=table("equity", point(1, 0, None)))
    assert series.retain(MONDAY_NS - 1) == 0
    assert series.retain(MONDAY_NS + DAY_NS - 1) == 1
    assert [row[2] for row in rows(series.quotes("EURUSD", Window()))] == [1, 2, 3]
    assert series.retain(MONDAY_NS + DAY_NS) == 1
    assert [row[2] for row in rows(series.quotes("EURUSD", Window()))] == [3]
    assert series.retain(MONDAY_NS + DAY_NS) == 0
    assert rows(series.candles("EURUSD", Timeframe.M1, Window())) == [bar(0)]
    assert len(rows(series.equity("alpha", Window()))) == 1


def test_rows_of_a_day_taken_out_may_still_come(series: Series) -> None:
    store(series, quotes=table("quotes", quote(1, MONDAY_NS)))
    series.retain(MONDAY_NS + DAY_NS)
    store(series, quotes=table("quotes", quote(2, MONDAY_NS + 1)))
    assert [row[2] for row in rows(series.quotes("EURUSD", Window()))] == [2]
    assert series.retain(MONDAY_NS + DAY_NS) == 1


def test_closing_twice_is_allowed_and_a_closed_series_says_so(series: Series) -> None:
    series.close()
    series.close()
    with pytest.raises(StoreUnavailable):
        series.mark()
