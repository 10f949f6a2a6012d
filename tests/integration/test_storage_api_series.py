"""What is particular to one store of a series: the archive, two processes, partitions, TimescaleDB's SQL."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.servers.postgres import PostgresServer
from tests.unit.storage_api.stored import START_NS, exact, one_of_each, table
from tmt.adapters.postgres.database import Database
from tmt.adapters.series import hypertables
from tmt.adapters.series.days import DAY_NS
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.errors import StoreUnavailable
from tmt.ports.series import NOTHING, RETAINED, SCHEMAS, Mark, Window

HOLDER = """
import sys
from pathlib import Path
from tmt.adapters.series.duckdb import DuckDbSeries

series = DuckDbSeries(Path(sys.argv[1]), Path(sys.argv[1] + ".archive"))
series.prepare()
print("holds", flush=True)
sys.stdin.read()
"""

PREPARER = """
import sys
from tmt.adapters.postgres.database import Database
from tmt.adapters.series.timescale import TimescaleSeries

series = TimescaleSeries(Database(sys.argv[1], "series"))
series.prepare()
series.close()
"""


@pytest.fixture
def on_duckdb(tmp_path: Path) -> Iterator[DuckDbSeries]:
    series = DuckDbSeries(tmp_path / "series.duckdb", tmp_path / "archive")
    series.prepare()
    yield series
    series.close()


@pytest.fixture
def database(pg_dsn: str) -> Iterator[Database]:
    opened = Database(pg_dsn, "series")
    yield opened
    opened.close()


def quotes(*rows: tuple[int, int]) -> dict[str, pa.Table]:
    prices = exact("1.1", "1.1", "1", "2")
    return {"quotes": table("quotes", *(("EURUSD", time_ns, sequence, *prices) for time_ns, sequence in rows))}


def archived(folder: Path, name: str) -> list[dict[str, object]]:
    files = sorted((folder / name).glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_days_taken_out_are_in_the_archive_to_the_last_digit(on_duckdb: DuckDbSeries, tmp_path: Path) -> None:
    stored = one_of_each()
    on_duckdb.append(stored, NOTHING, Mark(1, "a"))
    assert on_duckdb.retain(START_NS + DAY_NS) == len(RETAINED)
    for name in RETAINED:
        assert archived(tmp_path / "archive", name) == stored[name].to_pylist()
    [file] = (tmp_path / "archive" / "quotes").iterdir()
    assert file.name == "2014-05-12-1.parquet"
    assert pq.read_schema(file).equals(SCHEMAS["quotes"])


def test_rows_that_come_late_go_to_a_file_of_their_own(on_duckdb: DuckDbSeries, tmp_path: Path) -> None:
    on_duckdb.append(quotes((START_NS, 1), (START_NS, 2)), NOTHING, Mark(1, "a"))
    on_duckdb.retain(START_NS + DAY_NS)
    on_duckdb.append(quotes((START_NS, 3)), Mark(1, "a"), Mark(2, "b"))
    on_duckdb.retain(START_NS + DAY_NS)
    assert [row["sequence"] for row in archived(tmp_path / "archive", "quotes")] == [1, 2, 3]


def test_a_day_archived_before_a_crash_is_not_archived_twice(on_duckdb: DuckDbSeries, tmp_path: Path) -> None:
    on_duckdb.append(quotes((START_NS, 1), (START_NS, 2)), NOTHING, Mark(1, "a"))
    with on_duckdb._session() as session:
        rows = session.sql("FROM quotes ORDER BY sequence").to_arrow_reader()
        on_duckdb._archive.write("quotes", START_NS // DAY_NS, rows)
    on_duckdb.retain(START_NS + DAY_NS)
    assert [row["sequence"] for row in archived(tmp_path / "archive", "quotes")] == [1, 2]


def test_one_process_has_the_file_and_another_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "series.duckdb"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holds\n"
        with pytest.raises(StoreUnavailable) as caught:
            DuckDbSeries(path, tmp_path / "archive")
        assert caught.value.code == "TMT-Q001"
        holder.send_signal(signal.SIGKILL)
    DuckDbSeries(path, tmp_path / "archive").close()


def test_a_file_that_is_no_series_is_refused(tmp_path: Path) -> None:
    (tmp_path / "series.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnavailable) as caught:
        DuckDbSeries(tmp_path / "series.duckdb", tmp_path / "archive")
    assert caught.value.code == "TMT-Q001"


@pytest.mark.server
def test_partitions_are_made_ahead_and_dropped_when_over(database: Database) -> None:
    series = TimescaleSeries(database)
    series.prepare()
    series.append(quotes((START_NS, 1), (START_NS + 2 * DAY_NS, 2)), NOTHING, Mark(1, "a"))
    assert partitions(database) == ["quotes_20140512", "quotes_20140514", "quotes_20140515"]
    assert series.retain(START_NS + DAY_NS) == 1
    assert partitions(database) == ["quotes_20140514", "quotes_20140515"]
    assert series.describe().endswith("native partitions, without TimescaleDB")


def partitions(database: Database) -> list[str]:
    with database.connection() as connection:
        found = connection.execute("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1")
        return [name for (name,) in found.fetchall()]


@pytest.mark.server
@pytest.mark.parametrize("name", ["quotes", "trades", "equity", "metrics", "bars"])
def test_a_page_is_read_by_an_index(database: Database, name: str) -> None:
    series = TimescaleSeries(database)
    series.prepare()
    series.append(one_of_each(), NOTHING, Mark(1, "a"))
    first = SCHEMAS[name].names[0]
    order = "start_ns" if name == "bars" else "time_ns"
    with database.connection() as connection:
        connection.execute("SET enable_seqscan = off")
        query = f"EXPLAIN (FORMAT JSON) SELECT * FROM {name} WHERE {first} = 'EURUSD' AND {order} >= 1 LIMIT 5"
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    assert "Index" in json.dumps(row[0])


@pytest.mark.server
def test_several_that_prepare_at_once_do_not_disturb_one_another(pg_dsn: str) -> None:
    command = [sys.executable, "-c", PREPARER, pg_dsn]
    preparers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    for preparer in preparers:
        _, said = preparer.communicate(timeout=60)
        assert preparer.returncode == 0, said.decode()


@pytest.mark.server
@pytest.mark.parametrize("statement", list(hypertables.statements("series")))
def test_what_only_timescaledb_understands_is_at_least_sound_sql(pg_dsn: str, statement: str) -> None:
    # PL/pgSQL reads the statements of a block when it is entered, and runs none of those behind RETURN.
    with psycopg.connect(pg_dsn, autocommit=True) as connection:
        block = f"DO $outer$ BEGIN RETURN; {statement}; END $outer$"
        connection.execute(block.encode())
        with pytest.raises(psycopg.errors.SyntaxError):
            connection.execute(f"DO $outer$ BEGIN RETURN; {statement} WITH; END $outer$".encode())


@pytest.mark.server
def test_a_series_survives_a_restart_of_its_server(own_postgres: PostgresServer) -> None:
    series = TimescaleSeries(Database(own_postgres.dsn(), "series"))
    series.prepare()
    series.append(one_of_each(), NOTHING, Mark(1, "a"))
    own_postgres.kill()
    with pytest.raises(StoreUnavailable):
        series.append(one_of_each(), Mark(1, "a"), Mark(2, "b"))
    own_postgres.start()
    assert series.mark() == Mark(1, "a")
    assert series.append(one_of_each(), Mark(1, "a"), Mark(2, "b"))
    assert series.equity("alpha", Window()).rows.num_rows == 2
    series.close()
