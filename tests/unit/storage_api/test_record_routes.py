"""Orders, fills, positions, postings and balances over the wire: whole, page by page, and to whom they belong."""

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from tests.contract.test_records import everything
from tests.integration.simulated import ACCOUNT, SYMBOL, make_desk, proposal, take
from tests.integration.test_storage_api import Api, api_on
from tests.unit.access.desk import PASSWORD
from tmt.access import Role
from tmt.access.people import COMMAND_LINE
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.ports.records import BalanceRow, FillRow, OrderRow, PositionRow, PostingRow, Records, Row
from tmt.projections.records import Projector
from tmt.storage_api.record_tables import SCHEMAS

KINDS: dict[str, type[Row]] = {
    "orders": OrderRow,
    "fills": FillRow,
    "positions": PositionRow,
    "postings": PostingRow,
    "balances": BalanceRow,
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("desk")
    desk = make_desk(folder / "book")
    desk.start()
    take(desk, 100)
    for number in range(12):
        desk.command(proposal(desk, str(number)))
        take(desk, 10)
    desk.close()
    with api_on(folder / "book", folder) as opened:
        assert opened.served.access is not None
        mine, both = (ACCOUNT,), (ACCOUNT, "alpha")
        for name, accounts in (("mine", mine), ("both", both)):
            opened.served.access.people.create(
                name, Role.VIEWER, PASSWORD, by=COMMAND_LINE, accounts=accounts, must_change=False
            )
        while opened.get("/records").json() != {"position": opened.log.head(), "behind": 0}:
            pass
        yield opened


@pytest.fixture(scope="module")
def records(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    path = tmp_path_factory.mktemp("records") / "records.sqlite"
    with closing(RelationalRecords(SqliteTables(path))) as folded:
        Projector(api.log, folded).catch_up()
        yield folded


def every(api: Api, path: str, who: str = "viewer") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = api.get(f"{path}{cursor}", who)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert answer.headers.get("next-cursor") == body["next"]
        rows += body["rows"]
        if body["next"] is None:
            return rows
        cursor = f"&cursor={body['next']}"


def shown(kind: type[Row], row: dict[str, Any]) -> tuple[str, ...]:
    """The row as `everything` shows it, but for zeros at the end of numbers."""
    values = msgspec.structs.astuple(msgspec.convert(row, kind, dec_hook=lambda _, text: Decimal(text)))
    return tuple(map(plain, values))


def plain(value: object) -> str:
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


@pytest.mark.parametrize("name", KINDS)
def test_pages_join_up_to_what_the_records_hold(api: Api, records: Records, name: str) -> None:
    expected = [tuple(map(plain, row)) for row in everything(records)[name]]
    limit = 2 if len(expected) < 50 else 25
    found = [shown(KINDS[name], row) for row in every(api, f"/{name}?limit={limit}")]
    assert found == expected
    assert len(found) >= 1 if name == "positions" else len(found) > 5


@pytest.mark.parametrize("name", KINDS)
def test_every_format_says_the_same(api: Api, name: str) -> None:
    rows = api.page(f"/{name}?limit=7")[0]
    as_csv = api.get(f"/{name}?limit=7&format=csv")
    assert as_csv.headers["content-type"].startswith("text/csv")
    found = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert found == [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    as_arrow = api.get(f"/{name}?limit=7", headers={"Accept": "application/vnd.apache.arrow.stream"})
    table = pa.ipc.open_stream(as_arrow.content).read_all()
    assert table.schema == SCHEMAS[KINDS[name]]
    assert table.num_rows == len(rows) > 0
    exact = [field.name for field in table.schema if pa.types.is_decimal(field.type)]
    for column in exact:
        values = [None if row[column] is None else Decimal(row[column]) for row in rows]
        assert table[column].to_pylist() == values


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        (f"/orders?account={ACCOUNT}", "account", ACCOUNT),
        (f"/orders?instrument={SYMBOL}", "instrument", SYMBOL),
        ("/orders?state=filled", "state", "filled"),
        (f"/fills?account={ACCOUNT}&instrument={SYMBOL}", "account", ACCOUNT),
        (f"/positions?instrument={SYMBOL}", "instrument", SYMBOL),
        ("/postings?account=venue/cash", "account", "venue/cash"),
        (f"/balances?account={ACCOUNT}/cash", "account", f"{ACCOUNT}/cash"),
    ],
)
def test_answers_may_be_narrowed(api: Api, path: str, field: str, value: str) -> None:
    whole = every(api, f"{path.partition('?')[0]}?limit=1000")
    found = every(api, f"{path}&limit=1000")
    assert found == [row for row in whole if row[field] == value]
    assert found


def test_fills_of_one_order_sum_to_what_it_has_filled(api: Api) -> None:
    [*filled] = (row for row in every(api, "/orders?limit=1000") if row["state"] == "filled")
    for order in filled:
        fills = every(api, f"/fills?client_order_id={order['client_order_id']}&limit=1000")
        assert sum(Decimal(row["quantity"]) for row in fills) == Decimal(order["filled"]) > 0


@pytest.mark.parametrize("name", KINDS)
def test_whoever_may_see_some_accounts_sees_theirs_and_no_others(api: Api, name: str) -> None:
    whole = every(api, f"/{name}?limit=1000")
    own = [row for row in whole if row["account"].partition("/")[0] == ACCOUNT]
    assert own
    assert every(api, f"/{name}?limit=1000", "mine") == own
    assert every(api, f"/{name}?limit=3", "both") == own
    assert every(api, f"/{name}?limit=1000", "narrow") == []
    assert every(api, f"/{name}?limit=1000&account={ACCOUNT}", "mine") == own
    assert api.get(f"/{name}?account={ACCOUNT}", "narrow").status_code == 403
    assert api.get(f"/{name}?account=alpha", "mine").status_code == 403


@pytest.mark.parametrize("account", [f"{ACCOUNT}/cash", "venue", "venue/cash", "alpha0/cash", "/cash"])
@pytest.mark.parametrize("name", ["postings", "balances"])
def test_a_ledger_account_is_its_accounts(api: Api, name: str, account: str) -> None:
    assert api.get(f"/{name}?account={account}", "narrow").status_code == 403
    assert api.get(f"/{name}?account=alpha/cash", "narrow").json() == {"rows": [], "next": None}


@pytest.mark.parametrize("name", [*KINDS, "records"])
def test_nobody_sees_anything_without_saying_who_he_is(api: Api, name: str) -> None:
    assert api.get(f"/{name}", None).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/orders?limit=0",
        "/orders?limit=1001",
        "/orders?limit=ten",
        "/orders?state=lost",
        "/orders?state=",
        "/orders?account=",
        "/orders?account=A%0A",
        f"/orders?instrument={'A' * 101}",
        "/orders?cursor=-1",
        "/orders?cursor=5%0A",
        "/orders?cursor=1234567890123456789",
        "/fills?client_order_id=%00",
        "/fills?client_order_id=a%7F",
        "/postings?cursor=x",
        "/positions?cursor=%F0%9F%98%80",
        f"/positions?cursor={'A' * 1001}",
        "/balances?format=xml",
    ],
)
def test_what_cannot_be_asked_for_is_a_problem(api: Api, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"].startswith("TMT-")


@pytest.mark.parametrize("cursor", ["1", "A", "bnVsbA", "WyJhIl0", "WyJhIiwxXQ", "WyJcdTAwMDAiLCJiIl0", "-_-_"])
@pytest.mark.parametrize("name", ["positions", "balances"])
def test_a_key_that_no_page_gave_is_a_problem(api: Api, name: str, cursor: str) -> None:
    answer = api.get(f"/{name}?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "TMT-Q009")
