"""The event log on a real file: whatever is cut off, flipped, edited or killed is noticed, or nothing was lost."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.errors import CorruptLog, StoreUnavailable
from tmt.ports.event_log import Entry, Recorded

COUNT = 120
SWAP = ";".join(
    f"UPDATE events SET position = {after} WHERE position = {before}"
    for before, after in ((50, 999), (51, 50), (999, 51))
)
FILES = ("events.db", "events.db-wal", "events.db.head")
WRITER = """
import sys
from pathlib import Path
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.ports.event_log import Entry

log = SqliteEventLog(Path(sys.argv[1]))
number = log.head()
while True:
    batch = [Entry(f"{number + n:032x}", "root", "Kind", number + n, b"%d" % (number + n) * 9) for n in (1, 2, 3)]
    number = log.append(batch, 5)
    print(number, flush=True)
"""


def entry(number: int) -> Entry:
    return Entry(f"{number:032x}", f"{number // 4:032x}", "Kind", number, b'{"number":"%d"}' % number * 3)


class Content(tuple[list[Recorded], tuple[int, bytes] | None, list[bool], list[Recorded], list[list[Recorded]]]):
    """All that a log answers."""


def content(path: Path, *, read_only: bool = False) -> Content:
    log = SqliteEventLog(path, read_only=read_only)
    try:
        log.verify()
        known = [log.contains(entry(number).message_id) for number in range(1, COUNT + 2)]
        by_root = [log.correlated(entry(number).correlation_id) for number in range(0, COUNT, 4)]
        return Content((list(log.read()), log.load_snapshot(), known, log.find("", limit=COUNT + 1), by_root))
    finally:
        log.close()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log closed cleanly: all of it is in the main file."""
    path = tmp_path_factory.mktemp("closed") / "events.db"
    log = _filled(path)
    log.close()
    return path


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log as a crash leaves it: the newest of it is in the write-ahead file alone."""
    live = tmp_path_factory.mktemp("live") / "events.db"
    log = _filled(live)
    path = copied(live, tmp_path_factory.mktemp("crashed"))
    log.close()
    return path


def _filled(path: Path) -> SqliteEventLog:
    log = SqliteEventLog(path)
    for first in range(1, COUNT, 10):
        log.append([entry(number) for number in range(first, first + 10)], 7)
    log.save_snapshot(60, b"state " * 20)
    log.save_snapshot(COUNT, b"newer " * 20)
    return log


def copied(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
        if (path.parent / name).exists():
            shutil.copy(path.parent / name, folder / name)
    (folder / "events.db-shm").unlink(missing_ok=True)
    return folder / "events.db"


def identical_or_refused(original: Path, damaged: Path) -> None:
    expected = content(copied(original, damaged.parent / "sound"))
    try:
        found = content(damaged)
    except (CorruptLog, StoreUnavailable):
        return
    # A damaged snapshot is passed over for an older one, or for none: the log is folded from further back.
    snapshots = (None, (60, b"state " * 20), (COUNT, b"newer " * 20))
    assert found[1] in snapshots
    assert (found[0], *found[2:]) == (expected[0], *expected[2:])


def refused(path: Path, *codes: str) -> None:
    with pytest.raises((CorruptLog, StoreUnavailable)) as caught:
        content(path)
    assert caught.value.code in codes


def test_the_two_logs_under_test_hold_the_same_in_different_files(closed: Path, crashed: Path, tmp_path: Path) -> None:
    assert not closed.with_name("events.db-wal").exists()
    assert crashed.with_name("events.db-wal").stat().st_size > 4096
    sound = content(copied(closed, tmp_path / "a"))
    assert sound == content(copied(crashed, tmp_path / "b"))
    assert [event.message_id for event in sound[0]] == [entry(number).message_id for number in range(1, COUNT + 1)]


def test_every_commit_is_synced_to_a_write_ahead_log(tmp_path: Path) -> None:
    for _ in range(2):
        log = SqliteEventLog(tmp_path / "events.db")
        assert log._db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        log.close()


@pytest.mark.parametrize(
    ("version", "usable"),
    [("3.7.0", False), ("3.40.1", False), ("3.51.2", False), ("3.51.3", True), ("3.52.0", True), ("4.0.0", True)],
)
def test_a_sqlite_that_may_corrupt_its_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, usable: bool
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    if usable:
        SqliteEventLog(tmp_path / "events.db").close()
        return
    with pytest.raises(StoreUnavailable) as caught:
        SqliteEventLog(tmp_path / "events.db")
    assert caught.value.code == "TMT-L008"
    monkeypatch.undo()
    SqliteEventLog(tmp_path / "events.db").close()


@pytest.mark.parametrize("which", ["closed", "crashed"])
@pytest.mark.parametrize("share", [0, 1, 2, 5, 9, 10, 15, 19])
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_log_cut_short_is_noticed(
    which: str, share: int, off: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    original: Path = request.getfixturevalue(which)
    name = "events.db" if which == "closed" else "events.db-wal"
    path = copied(original, tmp_path)
    cut = path.with_name(name)
    size = cut.stat().st_size
    length = min(size - 1, max(0, size * share // 20 + off))
    with cut.open("r+b") as file:
        file.truncate(length)
    identical_or_refused(original, path)


def test_a_log_whose_newest_write_is_gone_is_refused(crashed: Path, tmp_path: Path) -> None:
    path = copied(crashed, tmp_path)
    path.with_name("events.db-wal").unlink()
    refused(path, "TMT-L003", "TMT-L005")


def test_an_emptied_log_is_refused(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    path.write_bytes(b"")
    refused(path, "TMT-L005")


@pytest.mark.parametrize("which", ["closed", "crashed"])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_byte_is_noticed_or_changes_nothing(
    which: str, request: pytest.FixtureRequest, tmp_path: Path, data: st.DataObject
) -> None:
    original: Path = request.getfixturevalue(which)
    path = copied(original, tmp_path / "flipped")
    files = [path.with_name(name) for name in FILES if path.with_name(name).exists()]
    file = data.draw(st.sampled_from(files))
    raw = bytearray(file.read_bytes())
    start = data.draw(st.sampled_from([0, 0, 4096, len(raw) // 2])) % len(raw)
    position = data.draw(st.integers(start, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    file.write_bytes(raw)
    identical_or_refused(original, path)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET body = CAST('{}' AS BLOB) WHERE position = 50",
        "UPDATE events SET body = CAST(body AS TEXT) WHERE position = 50",
        "UPDATE events SET type = 'Other' WHERE position = 50",
        "UPDATE events SET occurred_at_ns = occurred_at_ns + 1 WHERE position = 50",
        "UPDATE events SET recorded_at_ns = recorded_at_ns + 1 WHERE position = 50",
        "UPDATE events SET correlation_id = 'other' WHERE position = 50",
        "UPDATE events SET message_id = 'other' WHERE position = 50",
        "UPDATE events SET chain = zeroblob(32) WHERE position = 50",
        "UPDATE events SET chain = zeroblob(32) WHERE position = 120",
        "UPDATE events SET position = 1000 WHERE position = 50",
        "UPDATE events SET position = 121 WHERE position = 120",
        "DELETE FROM events WHERE position = 1",
        "DELETE FROM events WHERE position = 50",
        "DELETE FROM events WHERE position = 120",
        "DELETE FROM events WHERE position > 60",
        "DELETE FROM events",
        "INSERT INTO events SELECT 121, 7, 'new', 'new', type, 1, body, chain FROM events WHERE position = 120",
        SWAP,
    ],
)
def test_a_row_edited_deleted_added_or_swapped_behind_the_logs_back_is_found(
    closed: Path, tmp_path: Path, sql: str
) -> None:
    path = copied(closed, tmp_path)
    opened = SqliteEventLog(path)
    meddler = apsw.Connection(str(path))
    meddler.execute(sql)
    meddler.close()
    with pytest.raises(CorruptLog):
        opened.verify()
    opened.close()
    refused(path, "TMT-L005", "TMT-L006")


def test_a_snapshot_moved_to_another_position_is_passed_over(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    meddler = apsw.Connection(str(path))
    meddler.execute("UPDATE snapshots SET position = 119 WHERE position = 120")
    meddler.close()
    log = SqliteEventLog(path)
    assert log.load_snapshot() == (60, b"state " * 20)
    log.close()


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (f"{COUNT + 1} {'0' * 64}\n", "TMT-L005"),
        (f"{10**30} {'0' * 64}\n", "TMT-L005"),
        (f"{COUNT} {'0' * 64}\n", "TMT-L006"),
        (f"60 {'0' * 64}\n", "TMT-L006"),
        (f"{COUNT}", "TMT-L006"),
    ],
)
def test_a_log_that_does_not_hold_what_was_acknowledged_is_refused(
    closed: Path, tmp_path: Path, head: str, code: str
) -> None:
    path = copied(closed, tmp_path)
    path.with_name("events.db.head").write_text(head)
    refused(path, code)
    with pytest.raises(CorruptLog):
        content(path, read_only=True)


def test_an_acknowledgement_that_lags_behind_the_log_is_fine(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    log.append([entry(1)], 7)
    older = (tmp_path / "events.db.head").read_text()
    log.append([entry(2)], 7)
    log.close()
    (tmp_path / "events.db.head").write_text(older)
    log = SqliteEventLog(tmp_path / "events.db")
    assert (log.head(), log.verify()) == (2, 2)
    log.close()


@pytest.mark.parametrize("raw", [b"not a database", b"x" * 5000, b"SQLite format 3\x00", b"\x00" * 4096])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "events.db").write_bytes(raw)
    refused(tmp_path / "events.db", "TMT-L001", "TMT-L003")
    assert (tmp_path / "events.db").read_bytes() == raw


@pytest.mark.parametrize("version", [0, 2])
def test_another_programs_database_and_another_schema_are_refused_and_left_alone(tmp_path: Path, version: int) -> None:
    other = apsw.Connection(str(tmp_path / "events.db"))
    other.execute(f"CREATE TABLE recipes (name); PRAGMA user_version={version}")
    other.close()
    refused(tmp_path / "events.db", "TMT-L003")
    other = apsw.Connection(str(tmp_path / "events.db"))
    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipes",)]
    assert other.execute("PRAGMA user_version").fetchone() == (version,)
    other.close()


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere" / "events.db", "TMT-L002")


def last_acknowledged(path: Path, acknowledgements: int) -> int:
    """Let a child append until it has acknowledged so often, kill it, and return the last position it told."""
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as told:
        positions = [int(told.readline()) for _ in range(acknowledgements)]
        child.kill()
        positions += [int(line) for line in told if line.endswith("\n")]
    assert child.wait() == -signal.SIGKILL
    return positions[-1]


def test_whatever_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    for kill in range(10):
        acknowledged = last_acknowledged(path, 1 + kill * 7)
        log = SqliteEventLog(path)
        assert log.head() >= acknowledged
        assert log.head() % 3 == 0
        assert log.verify() == log.head()
        ids = [event.message_id for event in log.read()]
        assert ids == [f"{number:032x}" for number in range(1, log.head() + 1)]
        log.close()
