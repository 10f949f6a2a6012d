"""What somebody else's SQL may not do: write, read files, reach out, change settings, or take more than its share."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.unit.storage_api.stored import one_of_each
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.errors import AdapterUnavailable, InputError
from tmt.ports.series import LIMIT_MAX, NOTHING, Mark, Window
from tmt.storage_api import sandbox as running
from tmt.storage_api.sandbox import AT_ONCE_MAX, COPY_SECONDS, STATEMENT_BYTES_MAX, Sandbox

SECRET = "canary-5eb1d3"

WRITES = (
    "CREATE TABLE t (a INT)",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "CREATE OR REPLACE MACRO f() AS 1",
    "CREATE SECRET s (TYPE S3, KEY_ID 'a', SECRET 'b')",
    "INSERT INTO quotes SELECT * FROM quotes",
    "INSERT INTO quotes SELECT * FROM quotes RETURNING *",
    "UPDATE marks SET position = 0",
    "DELETE FROM quotes",
    "DELETE FROM quotes RETURNING *",
    "MERGE INTO marks USING marks AS other ON marks.position = other.position WHEN MATCHED THEN DELETE",
    "TRUNCATE quotes",
    "DROP TABLE quotes",
    "ALTER TABLE quotes ADD COLUMN a INT",
    "WITH gone AS (DELETE FROM quotes RETURNING *) SELECT * FROM gone",
    "COPY quotes TO '/tmp/stolen.csv'",
    "COPY (SELECT 1) TO '/tmp/stolen.parquet' (FORMAT parquet)",
    "COPY quotes FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/stolen'",
    "IMPORT DATABASE '/tmp/stolen'",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
)
SETTINGS = (
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "SET GLOBAL threads = 64",
    "RESET lock_configuration",
    "PRAGMA memory_limit = '100GB'",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SELECT set_config('memory_limit', '100GB', false)",
    "SELECT * FROM enable_logging('QueryLog', storage_path := '/tmp/stolen')",
    "CALL enable_logging()",
    "USE memory",
    "LOAD httpfs",
    "INSTALL httpfs",
    "FORCE INSTALL spatial FROM community",
    "ATTACH '/tmp/other.duckdb'",
    "ATTACH ':memory:' AS other",
    "DETACH series",
)
FILES = (
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd', delim := ':')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_json_objects('/etc/passwd')",
    "SELECT * FROM read_parquet('/tmp/*.parquet')",
    "SELECT * FROM parquet_metadata('/tmp/a.parquet')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/tmp/a.csv'",
    "FROM 'http://127.0.0.1:8000/a.parquet'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_csv('/dev/stdin')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM read_duckdb('/tmp/other.duckdb')",
)
INSIDES = (
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_settings",
    "SELECT path FROM duckdb_databases()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM system.main.duckdb_settings",
    "SELECT * FROM marks",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM arrow_scan(NULL, NULL, NULL)",
    "SELECT * FROM python_arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(NULL)",
    "SELECT * FROM PYTHON_MAP_FUNCTION((SELECT 1), NULL)",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM marks'))",
    "SELECT * FROM create_external_resource('a')",
    "SELECT * FROM force_checkpoint()",
    "SELECT * FROM test_all_types()",
    "SELECT 1 WHERE EXISTS (FROM query('SELECT 1'))",
    "SELECT (SELECT count(*) FROM glob('/*'))",
    "WITH a AS MATERIALIZED (FROM read_text('/etc/passwd')) FROM a",
    "SELECT * FROM quotes UNION ALL SELECT * FROM seq_scan('marks')",
    "SELECT * FROM quotes, LATERAL (SELECT * FROM read_text(instrument))",
    "SELECT list_transform([1], lambda x: (SELECT count(*) FROM marks))",
)
PROGRAMS = (
    "",
    ";",
    "-- nothing",
    "SELECT",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE quotes",
    "SELECT 1; COPY quotes TO '/tmp/stolen.csv'",
    "EXPLAIN ANALYZE DELETE FROM quotes",
    "PREPARE p AS DELETE FROM quotes",
    "EXECUTE p",
    "BEGIN",
    "SELECT getenv('HOME')",
    "SELECT * FROM no_such_table",
    "SELECT \x00",
    "SELECT 'a" + "\ud800" + "'",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT '" + "x" * STATEMENT_BYTES_MAX + "'",
    "SELECT nextval('s')",
    "SELECT * FROM python_map_function()",
    "SELECT * FROM arriving",
    "SELECT * FROM request",
)
GREEDY = (
    "SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE hash(a.range, b.range) = 1",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT string_agg(repeat('x', 1000), '') FROM range(10000000)",
    "SELECT repeat('x', 4000000000)",
    "SELECT repeat(repeat('x', 100000), 100000)",
    "SELECT range FROM range(10000000000) ORDER BY hash(range)",
    "SELECT DISTINCT md5(range::VARCHAR) FROM range(1000000000)",
    "SELECT range(1000000000)",
    "SELECT generate_series(1, 5000000000)",
    "SELECT sum(sin(range)) FROM range(100000000000)",
    "SELECT list_sum(list_transform(range(100000000), lambda x: x * x))",
    "SELECT regexp_matches(repeat('a', 10000000), '(a*)*b') FROM range(100000)",
    "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
    "SELECT factorial(33), bitstring(repeat('1', 2000000000), 2000000000)",
)
LARGE = (
    f"SELECT * FROM range({LIMIT_MAX + 1})",
    "SELECT * FROM range(10000000000)",
    "SELECT repeat('x', 100000) FROM range(10000)",
    "SELECT repeat('x', 17000000)",
)


class StillClock:
    def __init__(self) -> None:
        self.time_ns = 1

    def now_ns(self) -> int:
        return self.time_ns


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def series(folder: Path) -> Iterator[DuckDbSeries]:
    opened = DuckDbSeries(folder / "series.duckdb", folder / "archive")
    opened.prepare()
    opened.append(one_of_each(), NOTHING, Mark(1, "a"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def clock() -> StillClock:
    return StillClock()


@pytest.fixture(scope="module")
def sandbox(series: DuckDbSeries, folder: Path, clock: StillClock) -> Iterator[Sandbox]:
    opened = Sandbox(series, folder / "copies", clock, seconds_max=60)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def strict(series: DuckDbSeries, folder: Path, clock: StillClock) -> Iterator[Sandbox]:
    opened = Sandbox(series, folder / "copies-of-strict", clock)
    yield opened
    opened.close()


def refusal(sandbox: Sandbox, statement: str) -> InputError:
    with pytest.raises(InputError) as caught:
        sandbox.run(statement)
    return caught.value


def children() -> list[str]:
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with suppress(OSError):  # a thread that has ended
            found += (task / "children").read_text().split()
    return found


def environment_of(child: str) -> bytes | None:
    try:
        if b"sql_worker" not in Path(f"/proc/{child}/cmdline").read_bytes():
            return None
        return Path(f"/proc/{child}/environ").read_bytes()
    except OSError:
        return None


def keep_asking(sandbox: Sandbox, others: list[Future[pa.Table]]) -> None:
    while not all(each.done() for each in others):
        sandbox.run("SELECT 1")


def first(table: pa.Table) -> object:
    return next(iter(table.to_pylist()[0].values()))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT count(*) FROM quotes", 2),
        ("FROM quotes SELECT bid ORDER BY sequence LIMIT 1", Decimal("1.1")),
        ("WITH a AS (SELECT max(high) AS h FROM bars) SELECT h FROM a -- with a comment", Decimal("1.3")),
        ("SELECT first(ask ORDER BY time_ns) FROM quotes;", Decimal("1.1")),
        ("VALUES (7)", 7),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT max(n) FROM t", 10),
        ("WITH Quotes AS (SELECT 8 AS n) SELECT n FROM quotes", 8),
        ("SELECT count(*) FROM generate_series(1, 3), unnest([1, 2])", 6),
        ("SELECT column_name FROM (DESCRIBE quotes)", "instrument"),
        ("SELECT quantile_cont(value, 0.5) FROM metrics", Decimal("1.5")),
    ],
)
def test_a_select_is_answered(sandbox: Sandbox, statement: str, expected: object) -> None:
    assert first(sandbox.run(statement)) == expected


def test_an_answer_may_have_as_many_rows_as_the_limit(sandbox: Sandbox) -> None:
    assert sandbox.run(f"SELECT * FROM range({LIMIT_MAX})").num_rows == LIMIT_MAX
    assert sandbox.run("SELECT * FROM quotes WHERE false").num_rows == 0


@pytest.mark.parametrize("statement", [*WRITES, *SETTINGS, *FILES, *INSIDES, *PROGRAMS])
def test_a_hostile_statement_is_refused_and_changes_nothing(
    sandbox: Sandbox, series: DuckDbSeries, folder: Path, statement: str
) -> None:
    before = {path: path.stat().st_size for path in folder.rglob("*")}
    error = refusal(sandbox, statement)
    assert error.code in ("TMT-Q004", "TMT-Q005"), str(error)
    assert "root:" not in str(error)
    assert {path: path.stat().st_size for path in folder.rglob("*") if path in before} == before
    assert not list(Path("/tmp").glob("stolen*"))
    assert series.quotes("EURUSD", Window()).rows.num_rows == 2
    assert series.mark() == Mark(1, "a")


@pytest.mark.slow
@pytest.mark.parametrize("statement", GREEDY)
def test_a_statement_without_end_or_measure_is_ended(strict: Sandbox, statement: str) -> None:
    assert refusal(strict, statement).code in ("TMT-Q004", "TMT-Q006", "TMT-Q007")


@pytest.mark.parametrize("statement", LARGE)
def test_a_long_answer_is_refused_and_not_cut(sandbox: Sandbox, statement: str) -> None:
    assert refusal(sandbox, statement).code == "TMT-Q007"


def test_the_process_that_runs_a_statement_knows_nothing_of_this_one(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMT_SECRET", SECRET)
    with ThreadPoolExecutor() as pool:
        sleeping = pool.submit(sandbox.run, "SELECT sleep_ms(1000) FROM range(1)")
        environments = []
        while not sleeping.done():
            environments += [environment for child in children() if (environment := environment_of(child)) is not None]
    assert environments
    assert set(environments) == {b""}


def test_a_copy_is_made_anew_once_it_is_old(sandbox: Sandbox, series: DuckDbSeries, clock: StillClock) -> None:
    count = "SELECT count(*) FROM equity"
    assert first(sandbox.run(count)) == 1
    series.append({"equity": one_of_each()["equity"]}, Mark(1, "a"), Mark(2, "b"))
    assert first(sandbox.run(count)) == 1
    clock.time_ns += COPY_SECONDS * 1_000_000_000
    assert first(sandbox.run(count)) == 2
    assert len(list(sandbox._folder.iterdir())) == 1


@pytest.mark.slow
def test_no_more_statements_are_run_at_once_than_there_are_places(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "WAIT_SECONDS_MAX", 0.05)
    with ThreadPoolExecutor() as pool:
        slow = [pool.submit(sandbox.run, "SELECT sleep_ms(3000)") for _ in range(AT_ONCE_MAX)]
        with pytest.raises(AdapterUnavailable) as caught:
            keep_asking(sandbox, slow)
        assert caught.value.code == "TMT-Q008"
        assert all(each.result().num_rows == 1 for each in slow)
    assert first(sandbox.run("SELECT 1")) == 1
