"""What every store of records promises: the log's orders, fills, positions and postings, exact and once."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec
import psycopg
import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL, make_desk, proposal, take
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres import Database
from tmt.adapters.records.postgres import PostgresTables
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.domain.money import ZERO
from tmt.domain.order import TERMINAL_STATES, OrderState, OrderType, Side
from tmt.errors import InputError
from tmt.ports.records import (
    ROWS_MAX,
    BalanceRow,
    FillRow,
    OrderRow,
    PositionRow,
    PostingRow,
    Records,
    Row,
    Rows,
)
from tmt.projections.portfolio import Portfolio
from tmt.projections.records import Projector

Open = Callable[[], Records]
Numbered = TypeVar("Numbered", OrderRow, FillRow, PostingRow)
PROJECTING = """
import sys
from pathlib import Path
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.projections.records import Projector

class Telling(SqliteTables):
    def take(self, rows, position):
        super().take(rows, position)
        print(position, flush=True)

log = SqliteEventLog(Path(sys.argv[1]), read_only=True)
Projector(log, RelationalRecords(Telling(Path(sys.argv[2]))), events_per_batch=7).catch_up()
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk's book in which a person trades both ways: market and limit orders, brackets, a cancel."""
    folder = tmp_path_factory.mktemp("book") / "book"
    desk = make_desk(folder)
    desk.start()
    take(desk, 100)
    for number in range(24):
        mark = desk.portfolio.mark(SYMBOL)
        assert mark is not None
        side = Side.BUY if number % 3 else Side.SELL
        best = mark.ask if side is Side.BUY else mark.bid
        wanted: dict[str, Any] = {"side": side, "stop_loss_price": best - side.sign * Decimal("0.05")}
        if number % 4 == 3:
            wanted |= {"order_type": OrderType.LIMIT, "limit_price": best - side.sign * Decimal("0.01")}
        if number % 4 == 1:
            wanted |= {"take_profit_price": best + side.sign * Decimal("0.0005")}
        desk.command(proposal(desk, str(number), **wanted))
        take(desk, 15)
    resting = [order.client_order_id for order in desk.portfolio.working(ACCOUNT)]
    now_ns = desk.runner.timeline.now_ns
    desk.command(m.CancelOrder.root("ann", now_ns, resting[0], client_order_id=resting[0], person="ann"))
    take(desk, 15)
    desk.close()
    return folder


@pytest.fixture
def log(book: Path) -> Iterator[SqliteEventLog]:
    opened = SqliteEventLog(book / "events.sqlite", read_only=True)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def open_records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "sqlite":
        yield lambda: RelationalRecords(SqliteTables(tmp_path / "records.sqlite"))
        return
    database = Database(request.getfixturevalue("pg_dsn"), "desk")
    database.migrate()
    yield lambda: RelationalRecords(PostgresTables(database))
    database.close()


@pytest.fixture
def records(open_records: Open) -> Iterator[Records]:
    opened = open_records()
    yield opened
    opened.close()


def everything(records: Records) -> dict[str, list[tuple[str, ...]]]:
    """All rows, every value as text, so that a digit lost or added shows."""
    answers: dict[str, list[Row]] = {
        "orders": [*paged(lambda after: records.orders(after=after, limit=50))],
        "fills": [*paged(lambda after: records.fills(after=after, limit=50))],
        "positions": [*records.positions()],
        "postings": [*paged(lambda after: records.postings(after=after, limit=50))],
        "balances": [*records.balances()],
    }
    return {name: [tuple(map(plain, msgspec.structs.astuple(row))) for row in rows] for name, rows in answers.items()}


def plain(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def paged(ask: Callable[[int], Sequence[Numbered]]) -> Iterator[Numbered]:
    after = 0
    while page := ask(after):
        yield from page
        after = page[-1].number


def of_type(log: SqliteEventLog, *kinds: type[m.Message]) -> list[m.Message]:
    return [m.decode(recorded.body) for recorded in log.read(types=tuple(kind.__name__ for kind in kinds))]


def test_new_records_are_empty(records: Records) -> None:
    assert records.position() == 0
    assert not any(everything(records).values())
    assert records.order("client") is None


def test_the_records_are_what_the_log_says(records: Records, log: SqliteEventLog) -> None:
    assert Projector(log, records).catch_up() == records.position() == log.head()
    portfolio = Portfolio()
    for recorded in log.read():
        portfolio.evolve(m.decode(recorded.body))
    fills = {fill.fill_id: fill for fill in of_type(log, m.OrderFilled) if isinstance(fill, m.OrderFilled)}
    shown = list(paged(lambda after: records.fills(after=after)))
    assert len(shown) == len(fills) > 10
    for row in shown:
        fill = fills[row.fill_id]
        for name in ("client_order_id", "quantity", "price", "fee", "slippage", "role", "side", "account"):
            assert plain(getattr(row, name)) == plain(getattr(fill, name))
    assert [(row.account, row.instrument, row.quantity, row.cost) for row in records.positions()] == sorted(
        (held.account, held.instrument, held.quantity, held.cost)
        for account in portfolio.accounts
        for held in portfolio.positions(account.account_id)
    )
    assert [(row.account, row.unit, row.amount) for row in records.balances()] == [*portfolio.ledger.balances()]


def test_every_order_of_the_venue_is_there_in_the_state_that_the_venue_left_it(
    records: Records, log: SqliteEventLog
) -> None:
    Projector(log, records).catch_up()
    orders = {row.client_order_id: row for row in paged(lambda after: records.orders(after=after))}
    accepted = {event.client_order_id for event in of_type(log, m.OrderAccepted) if isinstance(event, m.OrderAccepted)}
    submitted = {each.client_order_id for each in of_type(log, m.OrderSubmitted) if isinstance(each, m.OrderSubmitted)}
    assert set(orders) == accepted | submitted
    assert {"entry", "stop_loss", "take_profit"} <= {row.role for row in orders.values()}
    states = {row.state for row in orders.values()}
    assert {OrderState.FILLED, OrderState.CANCELLED, OrderState.ACCEPTED} <= states
    for row in orders.values():
        filled = sum((fill.quantity for fill in records.fills(client_order_id=row.client_order_id)), ZERO)
        assert row.filled == filled
        assert (row.state is OrderState.FILLED) == (filled == row.quantity)
        assert records.order(row.client_order_id) == row
    ended = {
        event.client_order_id
        for event in of_type(log, m.OrderCancelled, m.OrderExpired, m.OrderRejected)
        if isinstance(event, m.VenueEvent)
    }
    assert {id_ for id_, row in orders.items() if row.state in TERMINAL_STATES - {OrderState.FILLED}} == ended


@pytest.mark.parametrize("events_per_batch", [1_000_000, 997, 64])
def test_cut_into_whatever_batches_the_records_are_the_same(
    records: Records, log: SqliteEventLog, tmp_path: Path, events_per_batch: int
) -> None:
    whole = RelationalRecords(SqliteTables(tmp_path / "whole.sqlite"))
    Projector(log, whole).catch_up()
    Projector(log, records, events_per_batch=events_per_batch).catch_up()
    assert everything(records) == everything(whole)
    whole.close()


def test_a_projector_that_is_replaced_after_any_batch_goes_on_exactly(
    open_records: Open, log: SqliteEventLog, tmp_path: Path
) -> None:
    whole = RelationalRecords(SqliteTables(tmp_path / "whole.sqlite"))
    Projector(log, whole).catch_up()
    step = log.head() // 23
    for until in (*range(step, log.head(), step), log.head()):
        records = open_records()
        assert Projector(Until(log, until), records, events_per_batch=step // 3).catch_up() == until
        records.close()
    records = open_records()
    assert everything(records) == everything(whole)
    records.close()
    whole.close()


class Until(SqliteEventLog):
    """The log as it was when it was shorter."""

    def __init__(self, log: SqliteEventLog, until: int) -> None:
        self.__dict__.update(log.__dict__)
        self._until = until

    def head(self) -> int:
        return self._until


def test_a_batch_taken_again_changes_nothing(records: Records, log: SqliteEventLog) -> None:
    Projector(log, records).catch_up()
    before = everything(records)
    wrong = BalanceRow(position=1, account=f"{ACCOUNT}/cash", unit="USD", amount=Decimal(7))
    for position in (records.position(), 1):
        records.apply(Rows(balances=(wrong,)), position)
    assert everything(records) == before
    records.apply(Rows(balances=(wrong,)), records.position() + 1)
    assert everything(records) != before


def test_two_projectors_at_once_do_no_harm(open_records: Open, log: SqliteEventLog, tmp_path: Path) -> None:
    whole = RelationalRecords(SqliteTables(tmp_path / "whole.sqlite"))
    Projector(log, whole).catch_up()
    first, second = open_records(), open_records()
    middle = log.head() // 2
    slow = Projector(Until(log, middle), first, events_per_batch=500)
    Projector(Until(log, middle + 99), second, events_per_batch=700).catch_up()
    slow.catch_up()
    Projector(log, second).catch_up()
    assert everything(first) == everything(second) == everything(whole)
    for each in (first, second, whole):
        each.close()


def test_numbers_come_back_to_the_last_digit(records: Records) -> None:
    numbers = (
        "0",
        "0.000000000000000001",
        "-0.10",
        "1.10",
        "1E-7",
        "0E-12",
        "1E+3",
        "999999999999999999.123456789012345678",
    )
    rows = tuple(
        PostingRow(
            position=1,
            number=number,
            transaction_id="t",
            account="a/cash",
            unit="USD",
            amount=Decimal(text),
            posted_at_ns=2**62,
        )
        for number, text in enumerate(numbers, 1)
    )
    records.apply(Rows(postings=rows), 1)
    shown = records.postings()
    assert [format(row.amount, "f") for row in shown] == [format(Decimal(text), "f") for text in numbers]
    assert shown == list(rows)


def test_answers_may_be_narrowed_and_come_in_pages(records: Records, log: SqliteEventLog) -> None:
    Projector(log, records).catch_up()
    orders = records.orders(limit=ROWS_MAX)
    state = OrderState.FILLED
    assert records.orders(state=state, limit=ROWS_MAX) == [row for row in orders if row.state is state]
    assert records.orders(accounts=[ACCOUNT], instrument=SYMBOL, limit=ROWS_MAX) == [
        row for row in orders if (row.account, row.instrument) == (ACCOUNT, SYMBOL)
    ]
    assert records.orders(accounts=["nobody' OR '1'='1"]) == []
    assert records.orders(after=orders[4].number, limit=2) == orders[5:7]
    assert records.orders(limit=0) == records.orders(limit=-5) == []
    assert (
        records.fills(accounts=[ACCOUNT], limit=3)
        == [row for row in records.fills(limit=ROWS_MAX) if row.account == ACCOUNT][:3]
    )
    assert records.positions(accounts=["nobody"]) == []


def test_postings_of_an_account_are_its_own_and_those_below_it(records: Records) -> None:
    names = ("main", "main/cash", "main/units", "mainly/cash", "main0", "main.x", "venue/cash")
    rows = tuple(
        PostingRow(position=1, number=number, transaction_id="t", account=name, unit="USD", amount=ZERO, posted_at_ns=1)
        for number, name in enumerate(names, 1)
    )
    records.apply(Rows(postings=rows), 1)
    assert [row.account for row in records.postings(accounts=["main"])] == ["main", "main/cash", "main/units"]
    assert [row.account for row in records.postings(accounts=["main/cash"])] == ["main/cash"]
    assert [row.account for row in records.postings(accounts=["main"], after=1, limit=1)] == ["main/cash"]


def test_a_page_is_never_longer_than_the_most(records: Records) -> None:
    rows = tuple(
        PostingRow(position=1, number=number, transaction_id="t", account="a", unit="USD", amount=ZERO, posted_at_ns=1)
        for number in range(1, ROWS_MAX + 3)
    )
    records.apply(Rows(postings=rows), 1)
    assert len(records.postings(limit=10**9)) == ROWS_MAX


def test_a_flat_position_is_not_shown(records: Records) -> None:
    records.apply(Rows(positions=(held("a", "X"),)), 1)
    assert [row.quantity for row in records.positions()] == [5]
    records.apply(Rows(positions=(msgspec.structs.replace(held("a", "X"), lots=0, quantity=ZERO),)), 2)
    assert records.positions() == []


def test_closing_twice_is_allowed(open_records: Open) -> None:
    records = open_records()
    records.close()
    records.close()


def test_some_accounts_have_their_own_rows_and_no_others(records: Records) -> None:
    names = ("a", "b", "c", "c' OR '1'='1")
    positions = tuple(held(name, "X") for name in names)
    balances = tuple(
        BalanceRow(position=1, account=f"{name}/{part}", unit="USD", amount=ZERO)
        for name in names
        for part in ("cash", "fees")
    )
    records.apply(Rows(positions=positions, balances=balances), 1)
    for wanted in ([], ["b"], ["c", "a"], ["nobody"], [names[3]]):
        assert {row.account for row in records.positions(accounts=wanted)} == {*wanted} - {"nobody"}
        parts = {f"{name}/{part}" for name in wanted for part in ("cash", "fees") if name != "nobody"}
        assert {row.account for row in records.balances(accounts=wanted)} == parts
    assert not any((records.orders(accounts=[]), records.fills(accounts=[]), records.postings(accounts=[])))
    assert [row.account for row in records.balances(accounts=["a/cash", "b"])] == ["a/cash", "b/cash", "b/fees"]


def test_pages_by_key_join_up_in_the_order_of_the_bytes(records: Records) -> None:
    keys = [(account, unit) for account in ("A", "a", "ab", "b", "Ä", "\U0001f600") for unit in ("EUR", "USD", "eur")]
    balances = tuple(BalanceRow(position=1, account=one, unit=two, amount=ZERO) for one, two in reversed(keys))
    records.apply(Rows(positions=tuple(held(*key) for key in keys), balances=balances), 1)
    for limit in (1, 4, 100):
        found: list[tuple[str, str]] = []
        while page := records.balances(after=found[-1] if found else ("", ""), limit=limit):
            assert len(page) <= limit
            found += [(row.account, row.unit) for row in page]
        assert found == sorted(keys, key=lambda key: [each.encode() for each in key])
        assert found == [(row.account, row.instrument) for row in records.positions(limit=100)]
    narrowed = records.positions(after=("a", "EUR"), limit=2, instrument="USD")
    assert [(row.account, row.instrument) for row in narrowed] == [("a", "USD"), ("ab", "USD")]


def held(account: str, instrument: str) -> PositionRow:
    return PositionRow(
        position=1,
        account=account,
        instrument=instrument,
        lots=1,
        quantity=Decimal(5),
        cost=ZERO,
        average_price=None,
        changed_at_ns=1,
    )


@pytest.mark.parametrize("how", ["a longer log", "a log with other money", "a log without money"])
def test_the_records_of_another_log_are_refused_and_left_as_they_are(
    records: Records, log: SqliteEventLog, how: str
) -> None:
    Projector(log, records).catch_up()
    other: SqliteEventLog = Until(log, log.head() - 1)
    if how != "a longer log":
        other = Until(log, log.head())
        amount = Decimal("0.01") if how == "a log with other money" else ZERO
        row = records.balances(limit=1)[0]
        added = msgspec.structs.replace(row, amount=row.amount + amount, unit=row.unit if amount else "NEW")
        records.apply(Rows(balances=(added,)), records.position() + 1)
        other = Until(log, records.position())
    before = everything(records)
    with pytest.raises(InputError) as caught:
        Projector(other, records).catch_up()
    assert caught.value.code == "TMT-Q012"
    assert everything(records) == before


def test_a_step_takes_in_no_more_than_a_batch_and_tells_what_is_left(records: Records, log: SqliteEventLog) -> None:
    head = log.head()
    projector = Projector(log, records, events_per_batch=100)
    left = head
    while projector.step():
        left = max(0, left - 100)
        assert projector.behind == left == head - records.position()
    assert projector.behind == 0
    again = Projector(log, records, events_per_batch=100)
    steps = 0
    while again.step():
        steps += 1
    assert (steps, records.position()) == (-(-head // 100), head)


def test_a_projector_begins_anew_when_records_have_lost_what_they_held(
    open_records: Open, log: SqliteEventLog, tmp_path: Path
) -> None:
    whole = RelationalRecords(SqliteTables(tmp_path / "whole.sqlite"))
    Projector(log, whole).catch_up()
    lost = RelationalRecords(SqliteTables(tmp_path / "lost.sqlite"))
    records = Replaced(open_records())
    projector = Projector(log, records, events_per_batch=500)
    projector.step()
    projector.step()
    records.inner.close()
    records.inner = lost
    projector.begin()
    projector.catch_up()
    assert everything(lost) == everything(whole)
    for each in (lost, whole):
        each.close()


class Replaced:
    """Records that may be replaced by others behind the back of those who use them."""

    def __init__(self, inner: Records) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.server
def test_every_unit_sums_to_zero_in_sql(pg_dsn: str, log: SqliteEventLog) -> None:
    database = Database(pg_dsn, "desk")
    database.migrate()
    Projector(log, RelationalRecords(PostgresTables(database))).catch_up()
    with psycopg.connect(pg_dsn, options="-c search_path=desk") as connection:
        sums = connection.execute("SELECT unit, sum(amount), count(*) FROM postings GROUP BY unit").fetchall()
        differing = connection.execute(
            """SELECT account, unit FROM (SELECT account, unit, sum(amount) AS amount FROM postings GROUP BY 1, 2) AS p
            FULL JOIN balances USING (account, unit) WHERE p.amount IS DISTINCT FROM balances.amount"""
        ).fetchall()
        net = connection.execute(
            """SELECT account, instrument, sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END) FROM fills
            GROUP BY 1, 2 EXCEPT SELECT account, instrument, quantity FROM positions"""
        ).fetchall()
    database.close()
    assert {unit for unit, _, _ in sums} >= {"USD", SYMBOL}
    assert all(total == 0 and count > 10 for _, total, count in sums), sums
    assert (differing, net) == ([], [])


def test_records_of_a_killed_process_go_on_where_they_were(book: Path, log: SqliteEventLog, tmp_path: Path) -> None:
    whole = RelationalRecords(SqliteTables(tmp_path / "whole.sqlite"))
    Projector(log, whole).catch_up()
    path = tmp_path / "records.sqlite"
    reached = 0
    for batches in (1, 40, 300):
        child = subprocess.Popen(
            [sys.executable, "-c", PROJECTING, str(book / "events.sqlite"), str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child.stdout as told:
            positions = [int(told.readline()) for _ in range(batches)]
            child.kill()
            positions += [int(line) for line in told if line.endswith("\n")]
        assert child.wait() == -signal.SIGKILL
        records = RelationalRecords(SqliteTables(path))
        assert positions[0] > reached
        reached = records.position()
        assert reached >= positions[-1]
        records.close()
    records = RelationalRecords(SqliteTables(path))
    assert 0 < reached < log.head()
    Projector(log, records).catch_up()
    assert everything(records) == everything(whole)
    records.close()
    whole.close()


def test_tables_of_another_layout_are_folded_anew(tmp_path: Path, log: SqliteEventLog) -> None:
    path = tmp_path / "records.sqlite"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE orders (mine); CREATE TABLE records (position); INSERT INTO records VALUES (99)")
    other.close()
    records = RelationalRecords(SqliteTables(path))
    assert records.position() == 0
    Projector(log, records).catch_up()
    assert len(records.orders()) > 10
    records.close()
