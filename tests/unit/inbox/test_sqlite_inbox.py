"""The inbox keeps commands in order, once each, across processes and restarts."""

from pathlib import Path

import apsw
import pytest

from tmt import messages as m
from tmt.adapters.inbox.sqlite import SqliteInbox
from tmt.domain.stop import StopLevel
from tmt.errors import StoreUnavailable


def stop(number: int) -> m.StopTrading:
    return m.StopTrading.root(
        "ann", 0, "ann", str(number), person="ann", reason=f"reason {number}", role="risk", level=StopLevel.CANCEL
    )


def reasons(inbox: SqliteInbox) -> list[str]:
    return [getattr(m.decode(waiting.body), "reason", "") for waiting in inbox.pending()]


def test_commands_come_out_in_the_order_put_until_they_are_done(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.sqlite")
    for number in (3, 1, 2):
        inbox.put(stop(number))
    assert reasons(inbox) == ["reason 3", "reason 1", "reason 2"]
    inbox.done(stop(1).message_id)
    assert reasons(inbox) == ["reason 3", "reason 2"]
    inbox.close()


def test_a_command_is_stored_once_even_after_it_was_done(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.sqlite")
    inbox.put(stop(1))
    inbox.put(stop(1))
    assert reasons(inbox) == ["reason 1"]
    inbox.done(stop(1).message_id)
    inbox.put(stop(1))
    assert reasons(inbox) == []
    inbox.close()


def test_another_reader_sees_it_at_once_and_after_a_restart(tmp_path: Path) -> None:
    writer, reader = SqliteInbox(tmp_path / "inbox.sqlite"), SqliteInbox(tmp_path / "inbox.sqlite")
    writer.put(stop(1))
    assert reasons(reader) == ["reason 1"]
    reader.close()
    writer.close()
    again = SqliteInbox(tmp_path / "inbox.sqlite")
    assert reasons(again) == ["reason 1"]
    again.close()
    again.close()


def test_what_is_put_is_on_the_disk_when_put_returns(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.sqlite")
    inbox.put(stop(1))
    assert inbox._db.pragma("synchronous") == 2
    assert inbox._db.pragma("journal_mode") == "wal"
    other = apsw.Connection(str(tmp_path / "inbox.sqlite"))
    assert other.execute("SELECT count(*) FROM commands").fetchone() == (1,)
    other.close()
    inbox.close()


def test_a_file_that_is_no_inbox_is_told(tmp_path: Path) -> None:
    (tmp_path / "inbox.sqlite").write_text("no database" * 100)
    with pytest.raises(StoreUnavailable) as caught:
        SqliteInbox(tmp_path / "inbox.sqlite")
    assert caught.value.code == "TMT-N001"
