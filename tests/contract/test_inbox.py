"""What every inbox promises: commands in order, once each, across processes and restarts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tmt import messages as m
from tmt.adapters.inbox.postgres import PostgresInbox
from tmt.adapters.inbox.sqlite import SqliteInbox
from tmt.adapters.postgres import Database
from tmt.domain.stop import StopLevel
from tmt.ports.inbox import PENDING_MAX, Inbox

Open = Callable[[], Inbox]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def open_inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "sqlite":
        yield lambda: SqliteInbox(tmp_path / "inbox.sqlite")
        return
    database = Database(request.getfixturevalue("pg_dsn"), "desk")
    database.migrate()
    yield lambda: PostgresInbox(database)
    database.close()


@pytest.fixture
def inbox(open_inbox: Open) -> Iterator[Inbox]:
    opened = open_inbox()
    yield opened
    opened.close()


def stop(number: int) -> m.StopTrading:
    return m.StopTrading.root(
        "ann", 0, "ann", str(number), person="ann", reason=f"reason {number}", role="risk", level=StopLevel.CANCEL
    )


def reasons(inbox: Inbox) -> list[str]:
    return [getattr(m.decode(waiting.body), "reason", "") for waiting in inbox.pending()]


def test_a_new_inbox_is_empty(inbox: Inbox) -> None:
    assert inbox.pending() == []


def test_commands_come_out_in_the_order_put_until_they_are_done(inbox: Inbox) -> None:
    for number in (3, 1, 2):
        inbox.put(stop(number))
    assert reasons(inbox) == ["reason 3", "reason 1", "reason 2"]
    inbox.done(stop(1).message_id)
    assert reasons(inbox) == ["reason 3", "reason 2"]


def test_a_command_is_what_was_put(inbox: Inbox) -> None:
    inbox.put(stop(1))
    (waiting,) = inbox.pending()
    assert (waiting.message_id, waiting.body) == (stop(1).message_id, m.encode(stop(1)))


def test_a_command_is_stored_once_even_after_it_was_done(inbox: Inbox) -> None:
    inbox.put(stop(1))
    inbox.put(stop(1))
    assert reasons(inbox) == ["reason 1"]
    inbox.done(stop(1).message_id)
    inbox.put(stop(1))
    assert reasons(inbox) == []


def test_finishing_what_is_not_there_or_finished_changes_nothing(inbox: Inbox) -> None:
    inbox.put(stop(1))
    inbox.done("0" * 32)
    assert reasons(inbox) == ["reason 1"]
    inbox.done(stop(1).message_id)
    inbox.done(stop(1).message_id)
    assert reasons(inbox) == []


def test_another_reader_sees_it_at_once_and_after_a_restart(open_inbox: Open) -> None:
    writer, reader = open_inbox(), open_inbox()
    writer.put(stop(1))
    assert reasons(reader) == ["reason 1"]
    reader.close()
    writer.close()
    again = open_inbox()
    assert reasons(again) == ["reason 1"]
    again.close()
    again.close()


def test_a_flood_is_shown_a_bounded_part_at_a_time_and_none_of_it_is_lost(inbox: Inbox) -> None:
    for number in range(PENDING_MAX + 3):
        inbox.put(stop(number))
    shown = inbox.pending()
    assert len(shown) == PENDING_MAX
    for waiting in shown[:5]:
        inbox.done(waiting.message_id)
    assert [waiting.message_id for waiting in inbox.pending()[-3:]] == [
        stop(PENDING_MAX + more).message_id for more in range(3)
    ]
