"""What every access store promises: changes whole or not at all, one at a time, and an audit trail that only grows."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import psycopg
import pytest

from tests.unit.access.desk import PASSWORD, Desk, HandClock
from tmt.access import AccessRefused, Role
from tmt.adapters.access_store.postgres import PostgresAccessStore
from tmt.adapters.access_store.sqlite import SqliteAccessStore
from tmt.adapters.postgres import Database
from tmt.errors import StoreUnavailable
from tmt.ports.access_store import (
    AccessStore,
    ApiKey,
    Attempts,
    AuditEntry,
    KeptAnswer,
    Session,
    User,
)

Open = Callable[[], AccessStore]
BIG = 2**62

ANN = User(
    name="ann",
    role="trader",
    accounts=("main", "ß-konto"),
    password_hash="$argon2id$x",
    must_change_password=True,
    disabled=False,
    generation=3,
    totp_sealed=b"\x00\xff",
    totp_confirmed=True,
    totp_step=BIG,
    created_at_ns=BIG,
)
KEY = ApiKey(
    key_id="0a",
    owner="ann",
    label="load",
    role="viewer",
    accounts=(),
    digest=b"\x01",
    generation=3,
    created_at_ns=1,
    expires_at_ns=2,
    revoked_at_ns=None,
    seen_ns=3,
)
SESSION = Session(
    session_id="s1",
    person="ann",
    method="password",
    address="::1",
    generation=3,
    refreshes=0,
    created_at_ns=1,
    expires_at_ns=100,
    revoked_at_ns=50,
    seen_ns=1,
)
ATTEMPTS = Attempts(subject="x", failures=1, last_at_ns=5, next_at_ns=6)
ANSWER = KeptAnswer(scope="k", digest=b"d", status=None, content_type="", body=b"", begun_at_ns=7, lease_until_ns=8)
ENTRY = AuditEntry(
    position=1,
    time_ns=1,
    person="ann",
    method="password",
    action="log in",
    subject="ann",
    outcome="done",
    detail="{}",
    chain=b"c",
)
RECORDS = (ANN, KEY, SESSION, ATTEMPTS, ANSWER, ENTRY)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "sqlite":
        yield lambda: SqliteAccessStore(tmp_path / "access.sqlite")
        return
    database = Database(str(request.getfixturevalue("pg_dsn")), "desk")
    database.migrate()
    yield lambda: PostgresAccessStore(database)
    database.close()


@pytest.fixture
def store(open_store: Open) -> Iterator[AccessStore]:
    with closing(open_store()) as opened:
        yield opened


def fill(store: AccessStore) -> None:
    with store.changing("all") as records:
        for record in RECORDS:
            records.put(record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was_put(store: AccessStore, record: msgspec.Struct) -> None:
    fill(store)
    key = getattr(record, record.__struct_fields__[0])
    with store.reading() as records:
        assert records.get(type(record), key) == record
        assert records.select(type(record)) == [record]
        assert records.get(type(record), 99 if isinstance(key, int) else "nobody") is None


def test_a_record_replaces_the_one_with_its_key(store: AccessStore) -> None:
    fill(store)
    changed = msgspec.structs.replace(ANN, role="risk", accounts=(), disabled=True, must_change_password=False)
    with store.changing("people") as records:
        records.put(changed)
        assert records.get(User, "ann") == changed
    with store.reading() as records:
        assert records.select(User) == [changed]


def test_pages_follow_the_keys_byte_by_byte(store: AccessStore) -> None:
    names = ["Z", "a", "a-b", "a.c", "ab", "b"]
    with store.changing("people") as records:
        for name in reversed(names):
            records.put(msgspec.structs.replace(ANN, name=name))
    with store.reading() as records:
        assert [user.name for user in records.select(User)] == names
        assert [user.name for user in records.select(User, limit=2)] == names[:2]
        assert [user.name for user in records.select(User, after="a-b", limit=2)] == ["a.c", "ab"]
        assert [user.name for user in records.select(User, newest_first=True, limit=2)] == ["b", "ab"]
        assert [user.name for user in records.select(User, after="a", newest_first=True)] == ["Z"]


def test_an_error_undoes_the_whole_change(store: AccessStore) -> None:
    fill(store)

    def fail_half_way() -> None:
        with store.changing("people") as records:
            records.put(msgspec.structs.replace(ANN, role="risk"))
            records.delete(ApiKey, "0a")
            raise KeyError("half way")

    with pytest.raises(KeyError, match="half way"):
        fail_half_way()
    with store.reading() as records:
        assert records.get(User, "ann") == ANN
        assert records.get(ApiKey, "0a") == KEY
    with store.changing("people") as records:
        records.delete(ApiKey, "0a")
    with store.reading() as records:
        assert records.get(ApiKey, "0a") is None


def test_purging_removes_what_was_last_touched_before(store: AccessStore) -> None:
    fill(store)
    with store.changing("all") as records:
        assert records.purge(Attempts, ATTEMPTS.last_at_ns) == 0
        assert records.purge(Attempts, ATTEMPTS.last_at_ns + 1) == 1
        assert records.purge(KeptAnswer, ANSWER.begun_at_ns) == 0
        assert records.purge(KeptAnswer, ANSWER.begun_at_ns + 1) == 1
        assert records.purge(Session, SESSION.expires_at_ns) == 0
        assert records.purge(Session, SESSION.expires_at_ns + 1) == 1


@pytest.mark.parametrize("change", ["put", "delete"])
def test_the_audit_trail_is_neither_edited_nor_cut(store: AccessStore, change: str) -> None:
    fill(store)

    def tamper() -> None:
        with store.changing("audit") as records:
            if change == "put":
                records.put(msgspec.structs.replace(ENTRY, outcome="refused"))
            else:
                records.delete(AuditEntry, 1)

    with pytest.raises(StoreUnavailable):
        tamper()
    with store.reading() as records:
        assert records.select(AuditEntry) == [ENTRY]


def test_what_is_read_in_a_change_stays_true_until_it_is_written(open_store: Open) -> None:
    with closing(open_store()) as one, closing(open_store()) as two:

        def add_one(store: AccessStore) -> None:
            with store.changing("other", "attempts") as records:
                before = records.get(Attempts, "x")
                failures = 1 if before is None else before.failures + 1
                records.put(msgspec.structs.replace(ATTEMPTS, failures=failures))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add_one, [one, two] * 50))
        with one.reading() as records:
            assert records.get(Attempts, "x") == msgspec.structs.replace(ATTEMPTS, failures=100)


def test_a_reader_sees_no_change_before_it_is_whole(open_store: Open) -> None:
    with closing(open_store()) as one, closing(open_store()) as two:
        fill(one)
        half_way, seen = threading.Event(), threading.Event()

        def change() -> None:
            with one.changing("people") as records:
                records.put(msgspec.structs.replace(ANN, role="risk"))
                half_way.set()
                assert seen.wait(10)

        with ThreadPoolExecutor(1) as threads:
            changing = threads.submit(change)
            assert half_way.wait(10)
            for reader in (one, two):
                with reader.reading() as records:
                    assert records.get(User, "ann") == ANN
            seen.set()
            changing.result(10)
        with two.reading() as records:
            assert records.get(User, "ann") == msgspec.structs.replace(ANN, role="risk")


def test_access_works_on_the_store_and_two_processes_agree(open_store: Open, tmp_path: Path) -> None:
    clock = HandClock()
    one, two = Desk(tmp_path, clock, store=open_store()), Desk(tmp_path, clock, store=open_store())
    one.add("ann", Role.TRADER, "main")
    tokens = one.log_in("ann")
    principal = two.who(tokens.access_token)
    assert (principal.name, principal.role, principal.accounts) == ("ann", Role.TRADER, ("main",))
    key = two.access.keys.create("ann", "load", Role.VIEWER, 3, by=principal)
    assert one.by_key(key.secret).role is Role.VIEWER
    assert one.access.audit.verify() == two.access.audit.verify() == two.access.audit.head()
    refreshed = two.access.refresh(tokens.refresh_token)
    assert one.who(refreshed.access_token).name == "ann"
    one.access.people.set_password("ann", PASSWORD + " changed", by=principal, current=PASSWORD)
    clock.forward(1)
    for desk in (one, two):
        with pytest.raises(AccessRefused, match="was ended"):
            desk.who(refreshed.access_token)
        desk.close()


def test_sqlite_is_durable_private_and_of_a_known_schema(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    store = SqliteAccessStore(path)
    assert (store._writer.pragma("synchronous"), store._writer.pragma("journal_mode")) == (2, "wal")
    fill(store)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    store.close()
    store.close()
    with closing(apsw.Connection(str(path))) as foreign:
        foreign.execute("PRAGMA user_version=9")
    with pytest.raises(StoreUnavailable, match="schema 9") as caught:
        SqliteAccessStore(path)
    assert caught.value.code == "TMT-A016"


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "access.sqlite").write_text("no database" * 100)
    with pytest.raises(StoreUnavailable) as caught:
        SqliteAccessStore(tmp_path / "access.sqlite")
    assert caught.value.code == "TMT-A016"


@pytest.mark.server
def test_a_postgres_that_is_gone_lets_nobody_in_and_its_password_is_in_no_text(pg_dsn: str, tmp_path: Path) -> None:
    dsn = psycopg.conninfo.make_conninfo(pg_dsn, host="127.0.0.1", port="1", password="canary-5130")
    database = Database(dsn, "desk")
    desk = Desk(tmp_path, store=PostgresAccessStore(database))
    with pytest.raises(StoreUnavailable) as caught:
        desk.log_in("ann")
    assert "canary-5130" not in str(caught.value) + repr(caught.value) + str(caught.value.__cause__)
    database.close()


@pytest.mark.server
def test_a_migration_takes_the_tables_back_unless_the_trail_holds_entries(pg_dsn: str) -> None:
    database = Database(pg_dsn, "desk")
    database.migrate()
    database.downgrade("0001")
    database.migrate()
    fill(PostgresAccessStore(database))
    with pytest.raises(StoreUnavailable, match="audit trail holds entries"):
        database.downgrade("0001")
    with PostgresAccessStore(database).reading() as records:
        assert records.select(AuditEntry) == [ENTRY]
    database.close()
