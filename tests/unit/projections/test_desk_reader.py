"""Does a reader of the log see what the desk sees, in whatever portions it reads, and no more than it may keep?"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.simulated import ACCOUNT, make_desk, proposal, take
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk
from tmt.projections import desk_reader, order_index
from tmt.projections.audience import TOPIC_OF, UNKNOWN, account_of
from tmt.projections.desk_reader import DeskReader, Told
from tmt.projections.desk_view import DeskView


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk(tmp_path / "book")
    desk.start()
    take(desk, 40)
    yield desk
    desk.close()


@pytest.fixture
def log(desk: Desk, tmp_path: Path) -> Iterator[SqliteEventLog]:
    log = SqliteEventLog(next((tmp_path / "book").glob("*.sqlite")), read_only=True)
    yield log
    log.close()


def buy(desk: Desk, key: str = "one", **changes: object) -> m.OrderProposed:
    proposed = proposal(desk, key, **changes)
    desk.command(proposed)
    return proposed


def reader_of(desk: Desk, log: SqliteEventLog) -> DeskReader:
    reader = DeskReader(log, desk.runner.agents)
    reader.catch_up()
    return reader


def test_a_reader_sees_what_the_desk_sees(desk: Desk, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    buy(desk)
    take(desk, 45)
    view = DeskView(desk.portfolio, desk.runner.agents)
    for recorded in log.read():
        view.handle(m.decode(recorded.body))
    reader = reader_of(desk, log)
    expected = view.snapshot(desk.runner.counts, reader.snapshot().feed_quality)
    assert reader.snapshot() == expected
    assert reader.portfolio.equity(ACCOUNT) == desk.portfolio.equity(ACCOUNT)
    assert reader.position == log.head()

    monkeypatch.setattr(desk_reader, "BATCH", 7)
    assert reader_of(desk, log).snapshot() == expected


def test_a_reader_that_catches_up_again_and_again_sees_the_same(desk: Desk, log: SqliteEventLog) -> None:
    reader = reader_of(desk, log)
    buy(desk)
    assert reader.orders_of_trail(proposal(desk, "one").message_id) == ()
    reader.catch_up()
    take(desk, 42)
    reader.catch_up()
    assert reader.snapshot() == reader_of(desk, log).snapshot()


def test_an_order_is_followed_from_its_proposal_to_its_fill(desk: Desk, log: SqliteEventLog) -> None:
    reader = reader_of(desk, log)
    proposed = buy(desk, quantity=Decimal(2000))
    reader.catch_up()
    [order] = reader.orders_of_trail(proposed.message_id)
    assert (order.status, order.person, order.account, order.filled) == ("submitted", "a trader", ACCOUNT, Decimal(0))
    take(desk, 45)
    reader.catch_up()
    filled = reader.order(order.client_order_id)
    assert filled is not None
    assert (filled.order_id, filled.status, filled.filled) == (order.order_id, "filled", order.quantity)
    fills = [m.decode(each.body) for each in log.read(types=("OrderFilled",))]
    paid = sum(fill.quantity * fill.price for fill in fills if isinstance(fill, m.OrderFilled))
    assert filled.average_price == paid / filled.filled
    assert filled.position > order.position


def test_a_denied_order_keeps_its_reason_and_its_gate(desk: Desk, log: SqliteEventLog) -> None:
    proposed = buy(desk, quantity=Decimal(1))
    reader = reader_of(desk, log)
    found = reader.orders_of_trail(proposed.message_id)
    denials = [m.decode(each.body) for each in log.read(types=("OrderDenied",))]
    assert [(each.status, each.reason) for each in found] == [
        ("denied", each.reason) for each in denials if isinstance(each, m.OrderDenied)
    ]
    [verdict, *_] = reader.verdicts(lambda each: each.trail_id == proposed.message_id, 1)
    assert (verdict.outcome, verdict.gate, verdict.reason) == ("denied", "aria", found[0].reason)


def test_orders_come_newest_first_in_pages(desk: Desk, log: SqliteEventLog) -> None:
    for key in "abcde":
        buy(desk, key, quantity=Decimal(1))
    reader = reader_of(desk, log)
    first = reader.select_orders(lambda _: True, 2)
    rest = reader.select_orders(lambda _: True, 10, after=first[-1].order_id)
    assert [each.position for each in (*first, *rest)] == sorted(
        (each.position for each in (*first, *rest)), reverse=True
    )
    assert len({each.order_id for each in (*first, *rest)}) == 5


def test_orders_that_are_over_are_forgotten_before_too_many_are_kept(
    desk: Desk, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_index, "ORDERS_MAX", 3)
    working = buy(desk, "working")
    for key in "abcde":
        buy(desk, key, quantity=Decimal(1))
    reader = reader_of(desk, log)
    kept = reader.select_orders(lambda _: True, 100)
    assert len(kept) == 3
    assert reader.orders_of_trail(working.message_id)[0] in kept


def test_a_listener_hears_every_message_once_and_in_order(desk: Desk, log: SqliteEventLog) -> None:
    reader = reader_of(desk, log)
    heard: list[Told] = []
    began = reader.listen(heard.append)
    buy(desk)
    take(desk, 41)
    reader.catch_up()
    assert [each.position for each in heard] == list(range(began + 1, log.head() + 1))
    reader.unlisten(heard.append)
    take(desk, 42)
    reader.catch_up()
    assert heard[-1].position < log.head()


def test_what_was_missed_can_be_read_again_by_topic(desk: Desk, log: SqliteEventLog) -> None:
    reader = reader_of(desk, log)
    began = reader.position
    buy(desk)
    take(desk, 45)
    reader.catch_up()
    missed, reached = reader.told_since(began, reader.position, ("orders", "fills"), 1000)
    assert reached == reader.position
    names = [type(each.message).__name__ for each in missed]
    assert names[:2] == ["OrderProposed", "OrderSubmitted"]
    assert "OrderFilled" in names
    assert "BarClosed" not in names
    assert reader.told_since(began, reader.position, ("orders", "fills"), 1) == (missed[:1], missed[0].position)


def test_a_long_past_is_read_in_pages_that_miss_nothing(
    desk: Desk, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_reader, "SCAN_MAX", 50)
    buy(desk)
    reader = reader_of(desk, log)
    heard: list[Told] = []
    after = pages = 0
    while after < reader.position:
        page, after = reader.told_since(after, reader.position, ("orders", "analysis"), 3)
        heard, pages = heard + page, pages + 1
    wanted = {kind for kind, topic in TOPIC_OF.items() if topic in ("orders", "analysis")}
    assert [each.position for each in heard] == [each.position for each in log.read() if each.type in wanted]
    assert pages >= reader.position // 50


def test_every_message_but_the_passing_of_time_has_a_topic() -> None:
    assert set(TOPIC_OF) == {kind.__name__ for kind in m.ALL} - {"TimeAdvanced"}


def test_every_message_that_names_an_account_is_that_accounts(desk: Desk, log: SqliteEventLog) -> None:
    buy(desk)
    take(desk, 45)
    seen = set()
    reader = reader_of(desk, log)
    for recorded in log.read():
        if f'"account":"{ACCOUNT}"'.encode() in recorded.body:
            message = m.decode(recorded.body)
            assert account_of(message, reader.orders.account_of) == ACCOUNT, recorded.type
            seen.add(recorded.type)
    assert {"OrderProposed", "OrderSized", "OrderReleased", "OrderSubmitted", "OrderFilled"} <= seen


def test_an_order_that_nobody_knows_is_nobodys() -> None:
    cancel = m.CancelOrder.root("person", 1, "x", client_order_id="unheard", person="a trader")
    assert account_of(cancel, lambda _: None) == UNKNOWN
