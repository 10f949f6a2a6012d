"""The audit trail: every change of it is found, and what it says can be read page by page."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import apsw
import msgspec
import pytest

from tests.unit.access.desk import SECOND_NS, Desk
from tmt.access import Access, Secret
from tmt.access import audit as audit_module
from tmt.access.audit import DETAIL_BYTES_MAX, Audit, Head
from tmt.errors import CorruptLog, StoreUnavailable
from tmt.ports.access_store import AuditEntry

ENTRIES = 20


def write(desk: Desk, count: int = ENTRIES) -> None:
    for number in range(count):
        desk.access.audit.append("ann", "password", "place order", f"order-{number}", "done", {"number": number})
        desk.clock.forward(1)


def raw(tmp_path: Path) -> apsw.Connection:
    """The store as somebody has it who can write the file: no triggers."""
    db = apsw.Connection(str(tmp_path / "access.sqlite"))
    db.execute("DROP TRIGGER audit_is_not_edited; DROP TRIGGER audit_is_not_cut")
    return db


def test_entries_are_kept_as_they_were_told_in_their_order(desk: Desk) -> None:
    write(desk, 3)
    entries = desk.access.audit.read()
    assert [entry.position for entry in entries] == [1, 2, 3]
    first = entries[0]
    assert (first.person, first.method, first.action) == ("ann", "password", "place order")
    assert (first.subject, first.outcome, first.detail) == ("order-0", "done", '{"number":0}')
    assert entries[1].time_ns - first.time_ns == SECOND_NS


def test_pages_go_both_ways(desk: Desk) -> None:
    write(desk)
    audit = desk.access.audit
    assert [entry.position for entry in audit.read(after=5, limit=3)] == [6, 7, 8]
    assert [entry.position for entry in audit.newest(limit=2)] == [20, 19]
    assert [entry.position for entry in audit.newest(before=3, limit=9)] == [2, 1]
    assert len(audit.read(limit=10**9)) == ENTRIES
    assert len(audit.read(limit=-1)) == 1


def test_time_in_the_trail_never_falls(desk: Desk) -> None:
    write(desk, 2)
    desk.clock.forward(-3600)
    write(desk, 2)
    times = [entry.time_ns for entry in desk.access.audit.read()]
    assert times == sorted(times)
    assert desk.access.audit.verify().position == 4


def test_a_whole_trail_verifies_up_to_its_head_also_beyond_a_page(desk: Desk) -> None:
    assert desk.access.audit.verify() == desk.access.audit.head() == Head(0, bytes(32))
    with desk.store.changing("audit") as records:
        for _ in range(1203):
            desk.access.audit.append_to(records, "ann", "password", "a", "b", "done")
    assert desk.access.audit.verify() == desk.access.audit.head()
    assert desk.access.audit.head().position == 1203


EDITS = {
    "outcome": "UPDATE audit SET outcome = 'refused' WHERE position = 7",
    "person": "UPDATE audit SET person = 'bob' WHERE position = 7",
    "time": "UPDATE audit SET time_ns = time_ns + 1 WHERE position = 7",
    "detail": "UPDATE audit SET detail = '{}' WHERE position = 7",
    "last": "UPDATE audit SET subject = 'x' WHERE position = 20",
    "chain": "UPDATE audit SET chain = zeroblob(32) WHERE position = 7",
    "moved from field to field": "UPDATE audit SET action = action || subject, subject = '' WHERE position = 7",
    "removed": "DELETE FROM audit WHERE position = 7",
    "removed and closed up": "DELETE FROM audit WHERE position = 7; "
    "UPDATE audit SET position = -position WHERE position > 7; "
    "UPDATE audit SET position = -position - 1 WHERE position < 0",
    "first removed": "DELETE FROM audit WHERE position = 1",
    "swapped": "UPDATE audit SET position = -1 WHERE position = 7; UPDATE audit SET position = 7 WHERE position = 8; "
    "UPDATE audit SET position = 8 WHERE position = -1",
    "spliced": "UPDATE audit SET position = -position WHERE position > 7; "
    "UPDATE audit SET position = 1 - position WHERE position < 0; "
    "INSERT INTO audit SELECT 8, time_ns, person, method, action, subject, outcome, detail, chain FROM audit "
    "WHERE position = 7",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_is_found(desk: Desk, tmp_path: Path, edit: str) -> None:
    write(desk)
    db = raw(tmp_path)
    db.execute(edit)
    db.close()
    with pytest.raises(CorruptLog) as caught:
        desk.access.audit.verify()
    assert caught.value.code == "TMT-A018"


def test_a_chain_made_anew_without_the_desks_secret_is_found(desk: Desk, tmp_path: Path) -> None:
    write(desk)
    forger = Audit(desk.store, desk.clock, Secret("a secret that somebody else has made"))
    db = raw(tmp_path)
    chain = bytes(32)
    for entry in desk.access.audit.read():
        chain = forger._link(chain, msgspec.structs.replace(entry, outcome="forged"))
        db.execute("UPDATE audit SET outcome = 'forged', chain = ? WHERE position = ?", (chain, entry.position))
    db.close()
    assert forger.verify().position == ENTRIES
    with pytest.raises(CorruptLog, match="entry 1 "):
        desk.access.audit.verify()


CUTS: dict[str, Callable[[apsw.Connection], object]] = {
    "cut": lambda db: db.execute("DELETE FROM audit WHERE position > 15"),
    "emptied": lambda db: db.execute("DELETE FROM audit"),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_missing_end_is_found_by_a_head_that_was_written_down(
    desk: Desk, tmp_path: Path, cut: Callable[[apsw.Connection], object]
) -> None:
    write(desk)
    known = desk.access.audit.head()
    desk.access.audit.verify(known)
    db = raw(tmp_path)
    cut(db)
    db.close()
    desk.access.audit.verify()
    with pytest.raises(CorruptLog, match="20 was written down"):
        desk.access.audit.verify(known)
    write(desk)
    with pytest.raises(CorruptLog, match=r"entry 20 is not the one|ends at"):
        desk.access.audit.verify(known)


def test_an_older_head_is_still_in_a_trail_that_grew(desk: Desk) -> None:
    write(desk, 5)
    known = desk.access.audit.head()
    write(desk, 5)
    assert desk.access.audit.verify(known).position == 10


def test_two_processes_write_one_chain(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path, desk.clock)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: write(each, 5), [desk, other] * 8))
    assert desk.access.audit.verify().position == other.access.audit.verify().position == 80
    other.close()


def test_each_of_many_threads_is_told_the_place_of_its_own_entry(desk: Desk) -> None:
    def append(number: int) -> tuple[int, str]:
        return desk.access.audit.append("ann", "password", "act", f"thing-{number}", "done"), f"thing-{number}"

    with ThreadPoolExecutor(16) as threads:
        told = dict(threads.map(append, range(300)))
    assert {entry.position: entry.subject for entry in desk.access.audit.read(limit=500)} == told
    assert desk.access.audit.verify().position == 300


def test_what_waits_is_stored_in_bounded_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "_BATCH_MAX", 3)
    audit = desk.access.audit
    with ThreadPoolExecutor(11) as threads:
        with audit._turn:
            appends = [threads.submit(audit.append, "ann", "password", "act", "thing", "done") for _ in range(11)]
            while len(audit._waiting) < 11:
                wait(appends, timeout=0.01)
        assert sorted(append.result(10) for append in appends) == list(range(1, 12))
    assert audit.verify().position == 11


def test_every_thread_is_told_when_nothing_can_be_stored_and_later_ones_are_stored(desk: Desk, tmp_path: Path) -> None:
    def append(_: int) -> str:
        try:
            desk.access.audit.append("ann", "password", "act", "thing", "done")
        except StoreUnavailable as error:
            return error.code
        return "stored"

    blocker = raw(tmp_path)
    blocker.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'disk full'); END")
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(append, range(40))) == {"TMT-A016"}
    blocker.execute("DROP TRIGGER full")
    blocker.close()
    assert append(0) == "stored"
    assert desk.access.audit.verify().position == 1


def test_detail_is_bounded_and_texts_are_cut(desk: Desk) -> None:
    with pytest.raises(ValueError, match="must have at most"):
        desk.access.audit.append("ann", "m", "a", "s", "done", {"text": "x" * DETAIL_BYTES_MAX})
    desk.access.audit.append("a" * 1000, "m", "a", "s" * 1000, "done")
    [entry] = desk.access.audit.read()
    assert (len(entry.person), len(entry.subject)) == (200, 200)
    assert desk.access.audit.verify().position == 1


def test_the_export_is_json_a_line_an_entry(desk: Desk) -> None:
    write(desk, 3)
    lines = [json.loads(line) for line in desk.access.audit.export(after=1)]
    assert [(line["position"], line["detail"]) for line in lines] == [(2, {"number": 1}), (3, {"number": 2})]
    assert lines[-1]["chain"] == desk.access.audit.head().chain.hex()
    assert set(lines[0]) == set(AuditEntry.__struct_fields__)


def test_access_of_another_desk_finds_a_trail_that_is_not_its_own(desk: Desk) -> None:
    write(desk, 1)
    other = Access(desk.store, desk.cache, desk.clock, desk.config, Secret("another secret of 32 characters!"))
    with pytest.raises(CorruptLog):
        other.audit.verify()
