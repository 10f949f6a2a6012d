"""What every event log promises: all or nothing, dense, once, in order, and nothing changed unnoticed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres import Database
from tmt.errors import CorruptLog, Fenced, StoreUnavailable
from tmt.ports.event_log import Entry, EventLog, Recorded

Open = Callable[[], EventLog]


class Place(Protocol):
    """Where one log is kept, and how it is opened there; a second writer is refused, or it fences the first."""

    fences: bool

    def writer(self) -> EventLog: ...
    def reader(self) -> EventLog: ...
    def close(self) -> None: ...


class Folder:
    fences = False

    def __init__(self, path: Path) -> None:
        self.path = path / "events.db"

    def writer(self) -> EventLog:
        return SqliteEventLog(self.path)

    def reader(self) -> EventLog:
        return SqliteEventLog(self.path, read_only=True)

    def close(self) -> None:
        pass


class Schema:
    fences = True

    def __init__(self, dsn: str) -> None:
        self.database = Database(dsn, "desk")

    def writer(self) -> EventLog:
        self.database.migrate()
        return PostgresEventLog(self.database, writer=True, source="test")

    def reader(self) -> EventLog:
        return PostgresEventLog(self.database, writer=False, source="test")

    def close(self) -> None:
        self.database.close()


PLACES: dict[str, Callable[[pytest.FixtureRequest], Place]] = {
    "sqlite": lambda request: Folder(request.getfixturevalue("tmp_path")),
    "postgres": lambda request: Schema(request.getfixturevalue("pg_dsn")),
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = PLACES[request.param](request)
    yield made
    made.close()


@pytest.fixture
def log(place: Place) -> Iterator[EventLog]:
    opened = place.writer()
    yield opened
    opened.close()


@pytest.fixture
def open_writer(place: Place) -> Open:
    return place.writer


@pytest.fixture
def open_reader(place: Place) -> Open:
    return place.reader


CHAIN_OF_TWENTY = "e8e41de8f4018d223172991b8da69b7b54db38b39af526c5f9a93b8465a0032c"


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


def test_an_entry_is_found_by_its_position(log: EventLog) -> None:
    log.append(entries(1, 3), 100)
    assert log.at(2) == recorded(2, entry(2), 100)
    assert log.at(0) is log.at(4) is log.at(-1) is None


def test_the_proof_of_the_head_changes_with_every_entry_and_covers_what_was_written(
    log: EventLog, open_reader: Open
) -> None:
    proofs = [log.head_proof()]
    assert proofs == [(0, "00" * 32)]
    for number in (1, 2):
        log.append([entry(number)], 100)
        proofs.append(log.head_proof())
    assert [position for position, _ in proofs] == [0, 1, 2]
    assert len({chain for _, chain in proofs}) == 3
    reader = open_reader()
    assert reader.head_proof() == proofs[-1]
    reader.close()


def test_every_store_chains_the_same_entries_alike(log: EventLog) -> None:
    log.append(entries(1, 3), 100)
    log.append(entries(4, 20), 101)
    assert log.head_proof() == (20, CHAIN_OF_TWENTY)


def test_a_long_log_is_read_in_order_to_the_last_byte(log: EventLog) -> None:
    sizes = [1, 3_000_000, 5_000_000, 10, 4_000_000, 1] + [700] * 2500
    said = [entry(number)._replace(body=b"%d." % number * (size // 5 + 1)) for number, size in enumerate(sizes, 1)]
    for first in range(0, len(said), 500):
        log.append(said[first : first + 500], 100)
    assert [event.body for event in log.read()] == [each.body for each in said]
    assert [event.position for event in log.read(after=3, until=2100)] == list(range(4, 2101))
    assert log.verify() == len(said)


def test_what_is_appended_while_the_log_is_read_to_a_bound_stays_out(log: EventLog) -> None:
    log.append(entries(1, 3), 100)
    reading = log.read(until=3)
    assert next(reading).position == 1
    log.append(entries(4, 5), 101)
    assert [event.position for event in reading] == [2, 3]


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


def test_every_owner_has_snapshots_of_its_own(log: EventLog) -> None:
    log.append(entries(1, 9), 100)
    for position in range(1, 10):
        log.save_snapshot(position, b"%d" % position, owner="aria")
    log.save_snapshot(2, b"desk")
    log.save_snapshot(3, b"venue", owner="venue")
    assert log.load_snapshot("aria") == (9, b"9")
    assert log.load_snapshot() == log.load_snapshot("desk") == (2, b"desk")
    assert log.load_snapshot("venue") == (3, b"venue")
    assert log.load_snapshot("nobody") is None


def test_a_snapshot_of_what_is_not_in_the_log_is_passed_over(log: EventLog) -> None:
    log.append(entries(1, 2), 100)
    log.save_snapshot(2, b"two")
    log.save_snapshot(3, b"three")
    assert log.load_snapshot() == (2, b"two")


def test_of_two_writers_one_writes(place: Place, log: EventLog, open_writer: Open) -> None:
    log.append([entry(1)], 100)
    if not place.fences:
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as refused:
                open_writer()
            assert refused.value.code == "TMT-L009"
        assert log.append([entry(2)], 101) == 2
    else:
        other = open_writer()
        for number in (2, 3):
            with pytest.raises(Fenced) as fenced:
                log.append([entry(number)], 101)
            assert fenced.value.code == "TMT-L011"
        assert other.append([entry(2)], 102) == 2
        other.close()
    assert (log.head(), log.verify()) == (2, 2)


def test_a_writer_may_follow_one_that_has_closed(log: EventLog, open_writer: Open) -> None:
    log.append([entry(1)], 100)
    log.close()
    again = open_writer()
    assert again.append([entry(2)], 101) == 2
    again.close()


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
