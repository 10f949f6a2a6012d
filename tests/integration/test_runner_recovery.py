"""The desk over its log: what a failure leaves behind, what a start proves, and that a breach halts new risk."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL, hashes, killed, make_desk, proposal, take
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk
from tmt.domain.order import Side
from tmt.errors import ConfigError, CorruptLog, InputError, InvariantBroken
from tmt.invariants import Breach


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk(tmp_path / "book")
    desk.start()
    take(desk, 5)
    yield desk
    desk.close()


def test_a_step_that_raises_leaves_nothing_in_the_log_and_no_snapshot(desk: Desk, tmp_path: Path) -> None:
    head, known = desk.log.head(), hashes(desk)
    broken = desk.runner.agents[3]

    def fail(message: m.Message) -> list[m.Message]:
        raise ZeroDivisionError

    broken.handle = fail  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        desk.command(proposal(desk, "1"))
    desk.close()
    again = make_desk(tmp_path / "book")
    assert again.log.head() == head
    assert again.start().events_compared > 0
    assert hashes(again) == known
    again.close()


def test_recovery_runs_the_tail_again_and_finds_it_equal(desk: Desk, tmp_path: Path) -> None:
    desk.command(proposal(desk, "1"))
    take(desk, 3)
    known = hashes(desk)
    killed(desk)
    again = make_desk(tmp_path / "book")
    recovery = again.start()
    assert recovery.resumed
    assert recovery.events_compared > 10
    assert hashes(again) == known
    again.close()


def test_a_log_that_other_software_wrote_is_refused_and_stays_as_it_is(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.command(proposal(desk, "1"))
    head = desk.log.head()
    killed(desk)
    again = make_desk(tmp_path / "book")
    monkeypatch.setattr(type(again.runner.agents[1]), "name", "another")
    with pytest.raises(CorruptLog, match="TMT-L010"):
        again.start()
    again.close()
    with SqliteReader(tmp_path / "book") as log:
        assert log.head() == head
        assert log.load_snapshot() is None


class SqliteReader:
    def __init__(self, book: Path) -> None:
        self.log = SqliteEventLog(book / "events.sqlite", read_only=True)

    def __enter__(self) -> SqliteEventLog:
        return self.log

    def __exit__(self, *_: object) -> None:
        self.log.close()


def test_another_configuration_is_refused_until_the_book_was_stopped_cleanly(desk: Desk, tmp_path: Path) -> None:
    killed(desk)
    change = ("aria.risk_fraction=0.005",)
    changed = make_desk(tmp_path / "book", overrides=change)
    with pytest.raises(ConfigError, match="TMT-R003"):
        changed.start()
    changed.close()
    same = make_desk(tmp_path / "book")
    same.start()
    same.close()
    changed = make_desk(tmp_path / "book", overrides=change)
    assert changed.start().resumed
    changed.close()


@pytest.mark.parametrize("change", [{"seed": 8}, {"mode": "replay"}])
def test_a_book_of_another_run_is_refused(desk: Desk, tmp_path: Path, change: dict[str, Any]) -> None:
    desk.close()
    other = make_desk(tmp_path / "book", **change)
    with pytest.raises(InputError, match="TMT-R001"):
        other.start()
    other.close()


def test_books_that_do_not_reconcile_stop_the_start(desk: Desk, tmp_path: Path) -> None:
    desk.command(proposal(desk, "1"))
    take(desk, 2)
    desk.portfolio.state.positions.clear()
    desk.close()
    again = make_desk(tmp_path / "book")
    with pytest.raises(InvariantBroken, match="M3"):
        again.start()
    again.close()


def test_a_breach_opens_the_system_breaker_until_a_person_resumes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    see = desk.runner.watch.see

    def breach(message: m.Message) -> list[Breach]:
        found = see(message)
        return [*found, Breach("M5", "made up by a test")] if isinstance(message, m.OrderSubmitted) else found

    monkeypatch.setattr(desk.runner.watch, "see", breach)
    desk.command(proposal(desk, "1"))
    monkeypatch.undo()
    take(desk, 2)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity > 0
    desk.command(proposal(desk, "2"))
    [denied] = [m.decode(recorded.body) for recorded in desk.log.read(types=("OrderDenied",))]
    assert isinstance(denied, m.OrderDenied)
    assert (denied.gate, denied.reason) == ("circuit_breaker", "breaker_open")
    desk.command(proposal(desk, "3", side=Side.SELL, reduce_only=True, stop_loss_price=None))
    take(desk, 5)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == 0


def test_an_edited_log_stops_the_start(desk: Desk, tmp_path: Path) -> None:
    killed(desk)
    connection = apsw.Connection(str(tmp_path / "book" / "events.sqlite"))
    connection.execute("UPDATE events SET body = replace(body, 'paper-usd', 'paper-eur') WHERE type = 'AccountOpened'")
    connection.close()
    again = make_desk(tmp_path / "book")
    with pytest.raises(CorruptLog):
        again.start()
    again.close()


def test_time_advanced_without_effect_is_not_written(desk: Desk) -> None:
    head = desk.log.head()
    desk.advance(desk.runner.timeline.now_ns + 1)
    assert desk.log.head() == head


def test_batches_of_the_simulator_go_on_at_the_row_where_they_stopped(desk: Desk, tmp_path: Path) -> None:
    sequence = desk.runner.next_sequence
    desk.close()
    again = make_desk(tmp_path / "book")
    again.start()
    first = next(iter(again.batches()))
    assert first.first_sequence == sequence
    assert np.all(np.diff(first.time_ns) >= 0)
    again.close()


def test_orders_of_one_instant_that_arrive_at_once_each_have_their_step(tmp_path: Path) -> None:
    at_once = ("venue.latency_base_ns=0", "venue.latency_jitter_ns=0")
    desk = make_desk(tmp_path / "book", overrides=at_once)
    desk.start()
    take(desk, 6)
    for thousands, key in enumerate(("a", "b", "c", "d"), start=2):
        assert desk.command(proposal(desk, key, quantity=Decimal(1000 * thousands)))
    desk.advance(desk.runner.timeline.now_ns)
    assert desk.runner.counts["TimeAdvanced"] >= 4
    expected = hashes(desk)
    killed(desk)
    again = make_desk(tmp_path / "book", overrides=at_once)
    again.start()
    assert hashes(again) == expected
    again.close()
