"""Does `tmt audit verify` find an edited row, in the access trail and in the event log of any book?"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.projections.test_daily_report import Days
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.cli import audit
from tmt.cli.folders import Chosen
from tmt.cli.terminal import Terminal
from tmt.errors import CorruptLog
from tmt.ports.event_log import Entry

HEX_DIGITS = 64


@pytest.fixture
def chosen(tmp_path: Path) -> Chosen:
    """Two books with some events, and an access trail that has begun."""
    days = Days()
    for name, told in (("main", days.told), ("second", days.told[:1])):
        folder = tmp_path / "books" / name
        folder.mkdir(parents=True)
        log = SqliteEventLog(folder / "events.sqlite")
        log.append(
            [
                Entry(each.message_id, each.correlation_id, type(each).__name__, each.occurred_at_ns, m.encode(each))
                for each in told
            ],
            1,
        )
        log.close()
    (tmp_path / "books" / "empty").mkdir()
    return Chosen(state=str(tmp_path))


def verify(chosen: Chosen, capsys: pytest.CaptureFixture[str], head: str | None = None) -> audit.AuditVerified:
    audit.verify(Terminal(json=True, plain=True), chosen, head, shared=False)
    return msgspec.json.decode(capsys.readouterr().out, type=audit.AuditVerified)


def edit(file: Path, sql: str) -> None:
    database = sqlite3.connect(file)
    database.executescript(sql)
    database.commit()
    database.close()


def test_every_book_and_the_trail_are_verified_and_their_heads_told(
    chosen: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = verify(chosen, capsys)
    assert [(each.book, each.events) for each in answer.logs] == [("main", 2), ("second", 1)]
    assert answer.entries > 0
    for head in (answer.head, *(each.head for each in answer.logs)):
        assert len(head.partition(":")[2]) == HEX_DIGITS
    assert verify(chosen, capsys, head=answer.head).entries >= answer.entries


EDITS: dict[str, Callable[[Any], str]] = {
    "a changed body": lambda table: (
        f"UPDATE {table} SET body = CAST(replace(body, '1', '2') AS BLOB) WHERE position = 1"
    ),
    "a changed time": lambda table: f"UPDATE {table} SET occurred_at_ns = occurred_at_ns + 1 WHERE position = 2",
    "a removed row": lambda table: f"DELETE FROM {table} WHERE position = 1",
    "a removed end": lambda table: f"DELETE FROM {table} WHERE position = 2",
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_event_is_found(chosen: Chosen, capsys: pytest.CaptureFixture[str], what: str) -> None:
    edit(chosen.books.path("main") / "events.sqlite", EDITS[what]("events"))
    with pytest.raises(CorruptLog) as caught:
        verify(chosen, capsys)
    assert "main" in caught.value.where
    assert caught.value.exit_code == 5


def test_an_edited_entry_of_the_access_trail_is_found(chosen: Chosen, capsys: pytest.CaptureFixture[str]) -> None:
    verify(chosen, capsys)
    [file] = chosen.state_folder.glob("*.sqlite")
    database = sqlite3.connect(file)
    triggers = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    database.close()
    drops = "".join(f"DROP TRIGGER {name};" for name in triggers)
    edit(file, f"{drops} UPDATE audit SET person = 'nobody' WHERE position = 1")
    with pytest.raises(CorruptLog, match="audit entry 1"):
        verify(chosen, capsys)
