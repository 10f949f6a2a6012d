"""What every event log promises: all or nothing, dense, once, in order, and nothing changed unnoticed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.errors import CorruptLog, StoreUnavailable
from tmt.ports.event_log import Entry, EventLog, Recorded

Open = Callable[[], EventLog]
LOGS: dict[str, tuple[Callable[[Path], EventLog], Callable[[Path], EventLog]]] = {
    "sqlite": (
        lambda folder: SqliteEventLog(folder / "events.db"),
        lambda folder: SqliteEventLog(folder / "events.db", read_only=True),
    ),
}


@pytest.fixture(params=LOGS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def log(kind: str, tmp_path: Path) -> Iterator[EventLog]:
    opened = LOGS[kind][0](tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def open_writer(kind: str, tmp_path: Path) -> Open:
    return lambda: LOGS[kind][0](tmp_path)


@pytest.fixture
def open_reader(kind: str, tmp_path: Path) -> Open:
    return lambda: LOGS[kind][1](tmp_path)


def entry(number: int, type_: str = "TimeAdvanced", root: int | None = None) -> Entry:
    return Entry(
        f"{number:032x}", f"{number if root is None else root:032x}", type_, number * 10, b'{"n":%d}\x00\xff' % number
    )


def entries(first: int, last: int) -> list[Entry]:
    return [entry(number) for number in range(first, last + 1)]


def recorded(position: int, said: Entry, recorded_at_ns: int) -> Recorded:
    return Recorded(position, recorded_at_ns, *said)


def code(action: Callable[[], object]) -> str:
    with pytest.raises(CorruptLog) as caught:
        action()
    return caught.value.code


def test_a_new_log_is_empty(log: EventLog) -> None:
    assert (log.head(), list(log.read()), log.verify(), log.load_snapshot()) == (0, [], 0, None)
    assert not log.contains("0")
    assert log.find("") == log.correlated("") == []


def test_positions_count_from_one_without_gaps(log: EventLog) -> None:
    assert log.append(entries(1, 3), 100) == 3
    assert log.append([], 101) == 3
    assert log.append([entry(4)], 102) == 4
    expected = [recorded(n, entry(n), 100) for n in (1, 2, 3)] + [recorded(4, entry(4), 102)]
    assert list(log.read()) == expected
    assert (log.head(), log.verify()) == (4, 4)


def test_what_was_appended_is_there_when_the_log_is_opened_again(log: EventLog, open_writer: Open) -> None:
    log.append(entries(1, 3), 100)
    before = list(log.read())
    log.close()
    again = open_writer()
    assert list(again.read()) == before
    assert again.append([entry(4)], 101) == 4
    assert again.verify() == 4
    again.close()


def test_a_message_that_is_stored_already_is_refused_and_nothing_is_stored(log: EventLog) -> None:
    log.append(entries(1, 3), 100)
    before = list(log.read())
    assert code(lambda: log.append([entry(4), entry(2), entry(5)], 101)) == "TMT-L007"
    assert list(log.read()) == before
    assert not log.contains(entry(4).message_id)
    assert log.append([entry(4)], 102) == 4
    assert log.verify() == 4


def test_a_message_twice_in_one_batch_is_refused_and_nothing_is_stored(log: EventLog) -> None:
    assert code(lambda: log.append([entry(1), entry(2), entry(1)], 101)) == "TMT-L007"
    assert (log.head(), list(log.read()), log.verify()) == (0, [], 0)
    assert log.append(entries(1, 2), 102) == 2


def test_the_same_id_with_another_body_is_refused(log: EventLog) -> None:
    log.append([entry(1)], 100)
    assert code(lambda: log.append([entry(1)._replace(body=b"{}", type="Other")], 101)) == "TMT-L007"


def test_an_append_whose_entries_fail_half_way_stores_nothing(log: EventLog) -> None:
    def broken() -> Iterator[Entry]:
        yield entry(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        log.append(broken(), 100)
    assert (log.head(), log.append([entry(1)], 101), log.verify()) == (0, 1, 1)


@pytest.mark.parametrize(
    ("after", "until", "positions"),
    [
        (0, None, [1, 2, 3, 4, 5]),
        (0, 5, [1, 2, 3, 4, 5]),
        (0, 4, [1, 2, 3, 4]),
        (0, 1, [1]),
        (0, 0, []),
        (2, 4, [3, 4]),
        (4, None, [5]),
        (5, None, []),
        (9, 12, []),
        (3, 2, []),
    ],
)
def test_reading_excludes_after_and_includes_until(
    log: EventLog, after: int, until: int | None, positions: list[int]
) -> None:
    log.append(entries(1, 5), 100)
    assert [event.position for event in log.read(after, until=until)] == positions


def test_reading_may_be_of_some_types_only(log: EventLog) -> None:
    log.append([entry(n, type_) for n, type_ in enumerate(("A", "B", "A", "C"), 1)], 100)
    assert [event.position for event in log.read(types=("A",))] == [1, 3]
    assert [event.position for event in log.read(after=1, types=("C", "A"))] == [3, 4]
    assert list(log.read(types=("Z", "a", "A' OR 1=1 --"))) == []


def test_two_readings_and_an_append_do_not_disturb_one_another(log: EventLog) -> None:
    log.append(entries(1, 3), 100)
    first, second = log.read(), log.read(after=1)
    assert (next(first).position, next(second).position) == (1, 2)
    log.append([entry(4)], 101)
    assert next(second).position == 3
    assert next(first).position == 2


def test_entries_are_found_by_the_beginning_of_their_id(log: EventLog) -> None:
    ids = ["ab00", "abff", "ac00", "b000"]
    log.append([entry(n)._replace(message_id=id_) for n, id_ in enumerate(ids, 1)], 100)
    assert [event.message_id for event in log.find("ab")] == ["ab00", "abff"]
    assert [event.message_id for event in log.find("", limit=3)] == ids[:3]
    assert [event.message_id for event in log.find("b000")] == ["b000"]
    assert log.find("ab0000") == log.find("%") == log.find("zz") == []
    assert log.contains("ab00")
    assert not log.contains("ab")


def test_entries_are_found_by_their_correlation_in_order(log: EventLog) -> None:
    log.append([entry(1), entry(2, root=1), entry(3), entry(4, root=1)], 100)
    assert [event.position for event in log.correlated(f"{1:032x}")] == [1, 2, 4]
    assert log.correlated("1") == []


def test_verifying_may_begin_anywhere(log: EventLog) -> None:
    log.append(entries(1, 5), 100)
    assert [log.verify(after=after) for after in range(6)] == [5, 4, 3, 2, 1, 0]
    assert code(lambda: log.verify(after=6)) == "TMT-L006"


def test_the_newest_snapshot_comes_back(log: EventLog, open_writer: Open) -> None:
    log.append(entries(1, 5), 100)
    for position, state in ((2, b"two"), (4, b"four\x00"), (3, b"three")):
        log.save_snapshot(position, state)
    assert log.load_snapshot() == (4, b"four\x00")
    log.save_snapshot(4, b"")
    assert log.load_snapshot() == (4, b"")
    log.close()
    again = open_writer()
    assert again.load_snapshot() == (4, b"")
    again.close()


def test_a_snapshot_of_what_is_not_in_the_log_is_passed_over(log: EventLog) -> None:
    log.append(entries(1, 2), 100)
    log.save_snapshot(2, b"two")
    log.save_snapshot(3, b"three")
    assert log.load_snapshot() == (2, b"two")


def test_there_is_one_writer(log: EventLog, open_writer: Open) -> None:
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught:
            open_writer()
        assert caught.value.code == "TMT-L009"
    log.append([entry(1)], 100)
    log.close()
    open_writer().close()


def test_a_reader_beside_the_writer_sees_what_is_appended(log: EventLog, open_reader: Open) -> None:
    log.append([entry(1)], 100)
    reader, another = open_reader(), open_reader()
    log.append(entries(2, 3), 101)
    for each in (reader, another):
        assert [event.position for event in each.read()] == [1, 2, 3]
        assert (each.head(), each.verify()) == (3, 3)
    log.append([entry(4)], 102)
    assert reader.head() == 4
    reader.close()
    another.close()


def test_a_reader_cannot_write(log: EventLog, open_reader: Open) -> None:
    reader = open_reader()
    with pytest.raises(StoreUnavailable):
        reader.append([entry(1)], 100)
    assert log.append([entry(1)], 100) == 1
    reader.close()


def test_a_reader_of_no_log_is_told_so(open_reader: Open) -> None:
    with pytest.raises(StoreUnavailable):
        open_reader()


def test_closing_twice_is_allowed(log: EventLog) -> None:
    log.close()
    log.close()
