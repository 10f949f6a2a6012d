"""The storage API over the wire: pages, formats, who may see what, and a description that is true."""

import csv
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import msgspec
import pyarrow as pa
import pytest

from tests.integration.simulated import ACCOUNT, make_desk, take
from tests.unit.web.rig import Served, people, web_config
from tests.unit.web.schema_check import check_schema
from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres.database import Database
from tmt.sections import load_config
from tmt.storage_api.opening import storage_api

SYMBOL = "EURUSD.SIM"
BATCHES = 300


@dataclass
class Api:
    served: Served
    log: SqliteEventLog

    def get(self, path: str, who: str | None = "viewer", **more: Any) -> httpx.Response:
        return self.served.ask("GET", f"/api/v1{path}", who, **more)

    def sql(self, statement: object, who: str | None = "viewer", path: str = "/api/v1/sql") -> httpx.Response:
        return self.served.ask("POST", path, who, json={"statement": statement})

    def page(self, path: str) -> tuple[list[dict[str, Any]], str | None]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert answer.headers.get("next-cursor") == body["next"]
        return body["rows"], body["next"]


@contextmanager
def api_on(book: Path, folder: Path, store: Path | Database | None = None) -> Iterator[Api]:
    log, followed, projected = (SqliteEventLog(book / "events.sqlite", read_only=True) for _ in range(3))
    config = msgspec.structs.replace(load_config(None).sections["storage"], port=0)
    with (
        closing(log),
        closing(followed),
        closing(projected),
        people(folder) as access,
        storage_api(
            log=log,
            followed=followed,
            projected=projected,
            store=folder / "series" if store is None else store,
            access=access,
            clock=SystemClock(),
            config=config,
            web=web_config(),
        ) as server,
    ):
        api = Api(Served(server, access), log)
        head = log.head()
        while api.get("/series").json()["position"] < head:
            pass
        yield api


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk") / "book"
    desk = make_desk(folder)
    desk.start()
    take(desk, BATCHES)
    desk.close()
    return folder


@pytest.fixture(scope="module")
def api(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_on(book, tmp_path_factory.mktemp("api")) as opened:
        yield opened


def test_it_is_ready_and_says_what_it_runs_on(api: Api) -> None:
    assert api.served.ask("GET", "/health").status_code == 200
    ready = api.served.ask("GET", "/ready")
    assert ready.status_code == 200
    assert {each["name"] for each in ready.json()["probes"]} == {"series", "writer", "records"}
    while (state := api.get("/series").json())["behind"]:
        Event().wait(0.05)
    assert state["runs_on"].startswith("DuckDB")
    assert (state["position"], state["behind"]) == (api.log.head(), 0)


def test_all_that_is_needed_is_in_the_configuration() -> None:
    config = load_config(None).sections["storage"]
    assert (config.port, config.retain_days) == (8001, 90)
    for changed in ({"port": 65536}, {"retain_days": 0}, {"memory_max_mb": 1}):
        with pytest.raises(ValueError, match="must be"):
            msgspec.structs.replace(config, **changed)


def test_candles_are_the_bars_of_the_log(api: Api) -> None:
    bars = [each.bar for each in map(m.decode, (r.body for r in api.log.read(types=("BarClosed",))))]  # type: ignore[attr-defined]
    expected = [bar for bar in bars if (bar.instrument, str(bar.timeframe)) == (SYMBOL, "1m")]
    rows, following = api.page(f"/candles?instrument={SYMBOL}&timeframe=1m&limit=10000")
    assert following is None
    assert len(rows) == len(expected) > 10
    for row, bar in zip(rows, expected, strict=True):
        assert (row["start_ns"], row["tick_count"]) == (bar.start_ns, bar.tick_count)
        assert all(Decimal(row[name]) == getattr(bar, name) for name in ("open", "high", "low", "close", "volume"))


def test_pages_join_up_over_the_wire(api: Api) -> None:
    whole, _ = api.page(f"/quotes?instrument={SYMBOL}&limit=1000")
    joined: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(4):
        rows, following = api.page(f"/quotes?instrument={SYMBOL}&limit=250{cursor}")
        joined += rows
        cursor = f"&cursor={following}"
    assert joined == whole
    newest, _ = api.page(f"/quotes?instrument={SYMBOL}&limit=1&order=newest_first")
    assert newest[0]["time_ns"] > whole[-1]["time_ns"]


@pytest.mark.parametrize(
    "path",
    [
        f"/candles?instrument={SYMBOL}&timeframe=5m&limit=20",
        f"/trades?instrument={SYMBOL}&limit=20",
        f"/equity?account={ACCOUNT}",
        "/metrics?name=tmt_circuit_breaker_state",
        "/latency",
        "/decisions?limit=20",
    ],
)
def test_every_format_says_the_same(api: Api, path: str) -> None:
    rows, following = api.page(path)
    separator = "&" if "?" in path else "?"
    as_csv = api.get(f"{path}{separator}format=csv")
    assert as_csv.headers["content-type"].startswith("text/csv")
    found = list(csv.DictReader(io.StringIO(as_csv.text)))
    if "decisions" not in path:
        assert found == [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    as_arrow = api.get(path, headers={"Accept": "application/vnd.apache.arrow.stream, */*;q=0.1"})
    table = pa.ipc.open_stream(as_arrow.content).read_all()
    assert table.num_rows == len(found) == len(rows)
    assert as_csv.headers.get("next-cursor") == as_arrow.headers.get("next-cursor") == following
    assert rows or path == "/latency"


def test_decisions_are_those_of_the_log_in_order(api: Api) -> None:
    kinds = tuple(sorted(kind.__name__ for kind in m.DECISIONS))
    expected = [(each.position, each.message_id) for each in api.log.read(types=kinds)]
    found: list[tuple[int, str]] = []
    cursor = ""
    while True:
        rows, following = api.page(f"/decisions?limit=7{cursor}")
        found += [(row["position"], row["message"]["message_id"]) for row in rows]
        if following is None:
            break
        cursor = f"&cursor={following}"
    assert found == expected


def test_whoever_may_see_one_account_does_not_see_another(api: Api) -> None:
    assert api.get(f"/equity?account={ACCOUNT}", "narrow").status_code == 403
    assert api.get("/equity?account=alpha", "narrow").json() == {"rows": [], "next": None}
    accounts = {row["account"] for row in api.get("/decisions?limit=1000", "narrow").json()["rows"]}
    assert accounts == {None}
    refused = api.sql("SELECT * FROM equity", "narrow")
    assert (refused.status_code, refused.json()["code"]) == (403, "TMT-Q010")
    assert {row["account"] for row in api.page("/decisions?limit=1000")[0]} == {None, ACCOUNT}


@pytest.mark.parametrize(
    "path",
    ["/candles?instrument=A&timeframe=1m", "/quotes?instrument=A", "/equity?account=a", "/decisions", "/series"],
)
def test_nobody_sees_anything_without_saying_who_he_is(api: Api, path: str) -> None:
    assert api.get(path, None).status_code == 401
    assert api.sql("SELECT 1", None).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/candles?instrument=A",
        "/candles?timeframe=1m",
        "/candles?instrument=A&timeframe=2m",
        "/quotes",
        "/quotes?instrument=",
        f"/quotes?instrument={'A' * 101}",
        "/quotes?instrument=A%00",
        "/quotes?instrument=A%0A",
        "/quotes?instrument=A&limit=0",
        "/quotes?instrument=A&limit=10001",
        "/quotes?instrument=A&limit=ten",
        "/quotes?instrument=A&limit=1.5",
        "/quotes?instrument=A&from_ns=-1",
        "/quotes?instrument=A&to_ns=9223372036854775808",
        "/quotes?instrument=A&from_ns=NaN",
        "/quotes?instrument=A&cursor=1",
        "/quotes?instrument=A&cursor=9999999999999999999-1",
        "/quotes?instrument=A&cursor=1-1'--",
        "/quotes?instrument=A&order=sideways",
        "/quotes?instrument=A&format=xml",
        "/decisions?limit=1001",
        "/decisions?cursor=x",
    ],
)
def test_what_cannot_be_asked_for_is_a_problem_that_says_so(api: Api, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"].startswith("TMT-")
    assert answer.json()["detail"]


def test_a_statement_is_answered_in_every_format(api: Api) -> None:
    statement = "SELECT 1 AS a, 2 AS a, 1.50 AS price, NULL, [1, 2] AS list, {'k': 'v'} AS pair, 'x'::BLOB AS blob"
    answer = api.sql(statement)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [row[:6] for row in body["rows"]] == [[1, 2, "1.5", None, [1, 2], {"k": "v"}]]
    assert len(body["columns"]) == 7
    as_csv = api.sql(statement, path="/api/v1/sql?format=csv")
    assert as_csv.status_code == 200, as_csv.text
    assert next(csv.reader(io.StringIO(as_csv.text.splitlines()[1])))[2] == "1.5"
    as_arrow = api.sql(statement, path="/api/v1/sql?format=arrow")
    assert pa.ipc.open_stream(as_arrow.content).read_all().num_rows == 1


def test_every_type_that_a_statement_may_give_can_be_said(api: Api) -> None:
    values = (
        "true, -1::TINYINT, 170141183460469231731687303715884105727::HUGEINT, 1e300, 'nan'::DOUBLE, 'inf'::FLOAT, "
        "DATE '2014-05-12', TIME '01:02:03', TIMESTAMP '2014-05-12 01:02:03', TIMESTAMPTZ '2014-05-12 01:02:03+00', "
        "make_timestamp_ns(1), INTERVAL 3 MONTH, uuid(), '101'::BIT, MAP {1: 2}, 'a'::ENUM('a', 'b'), "
        "union_value(k := 1), 0.000000000000000001, [[1.5, NULL]], {'a': {'b': DATE '2014-05-12'}}, 255::UTINYINT, ''"
    )
    for form in ("json", "csv", "arrow"):
        answer = api.sql(f"SELECT {values}", path=f"/api/v1/sql?format={form}")
        assert answer.status_code == 200, answer.text
    row = api.sql(f"SELECT {values}").json()["rows"][0]
    assert row[2] == "170141183460469231731687303715884105727"
    assert row[17] == "0.000000000000000001"


@pytest.mark.parametrize("value", ["[make_timestamp_ns(1)]", "TIMESTAMP '290000-01-01'", "[TIMESTAMP '290000-01-01']"])
def test_a_value_that_json_cannot_say_is_a_problem_or_text_and_no_failure(api: Api, value: str) -> None:
    for form in ("json", "csv"):
        answer = api.sql(f"SELECT {value}", path=f"/api/v1/sql?format={form}")
        assert answer.status_code == 200 or answer.json()["code"] == "TMT-Q004", answer.text
    assert api.sql(f"SELECT {value}", path="/api/v1/sql?format=arrow").status_code == 200


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DROP TABLE quotes", "TMT-Q005"),
        ("SELECT * FROM read_text('/etc/passwd')", "TMT-Q005"),
        ("SELECT * FROM range(10001)", "TMT-Q007"),
        ("SELECT nothing", "TMT-Q004"),
        ("", "TMT-W400"),
        ("x" * 20_001, "TMT-W400"),
        (7, "TMT-W400"),
        (None, "TMT-W400"),
    ],
)
def test_a_statement_that_is_not_taken_is_a_problem(api: Api, statement: object, code: str) -> None:
    answer = api.sql(statement)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


def test_statements_are_in_the_audit_trail(api: Api) -> None:
    api.sql("SELECT 'seen by the auditor'")
    assert api.served.access is not None
    assert "seen by the auditor" in str(api.served.access.audit.read(limit=100))


@pytest.mark.server
def test_on_postgresql_the_same_is_answered_but_statements(book: Path, api: Api, tmp_path: Path, pg_dsn: str) -> None:
    database = Database(pg_dsn, "series")
    database.migrate()
    with api_on(book, tmp_path, database) as other:
        for path in (
            f"/candles?instrument={SYMBOL}&timeframe=30m",
            f"/quotes?instrument={SYMBOL}&limit=500&order=newest_first",
            f"/equity?account={ACCOUNT}",
            "/metrics?name=tmt_circuit_breaker_state",
            "/decisions",
        ):
            assert other.page(path) == api.page(path)
        assert other.get("/quotes?instrument=%EF%BF%BF'%22;--").json()["rows"] == []
        answer = other.sql("SELECT 1")
        assert (answer.status_code, answer.json()["code"]) == (501, "TMT-Q011")
        assert other.served.ask("GET", "/ready").status_code == 200


def test_what_is_appended_to_the_log_is_seen_while_it_is_served(tmp_path: Path) -> None:
    book = tmp_path / "book"
    desk = make_desk(book)
    desk.start()
    with api_on(book, tmp_path) as api:
        take(desk, 50)
        while api.get("/series").json()["position"] < desk.log.head():
            pass
        assert api.page(f"/candles?instrument={SYMBOL}&timeframe=1m")[0]
    desk.close()


@pytest.mark.slow
def test_nothing_that_schemathesis_asks_is_answered_otherwise_than_described(api: Api, tmp_path: Path) -> None:
    check_schema(api.served.server.url, api.served.headers("viewer"), tmp_path)
