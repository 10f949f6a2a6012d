"""What a database is told: what cannot be used is refused before anything is connected, and no secret is repeated."""

import pytest
from alembic.script import ScriptDirectory

from tmt.adapters.clock.patience import Patience
from tmt.adapters.postgres import Database, migration
from tmt.adapters.postgres.database import newest_revision
from tmt.errors import ConfigError, StoreUnavailable

SECRET = "hush-hush-9f2"
NOWHERE = f"postgresql://ann:{SECRET}@127.0.0.1:1/desk"


@pytest.mark.parametrize("schema", ["", "Desk", "a b", "1st", "a;drop", 'a"b', "pg-1", "x" * 64, "ä", "desk\n"])
def test_a_schema_of_another_name_than_a_plain_one_is_refused(schema: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database(NOWHERE, schema)
    assert caught.value.code == "TMT-P001"


@pytest.mark.parametrize(("pool_max", "usable"), [(0, False), (1, True), (200, True), (201, False)])
def test_connections_are_bounded(pool_max: int, usable: bool) -> None:
    if usable:
        Database(NOWHERE, "desk", pool_max=pool_max).close()
        return
    with pytest.raises(ConfigError) as caught:
        Database(NOWHERE, "desk", pool_max=pool_max)
    assert caught.value.code == "TMT-P001"


@pytest.mark.parametrize(
    "dsn",
    [f"postgres//ann:{SECRET}@host/desk", f"postgresql://ann:{SECRET}@[::1/desk", f"password={SECRET} nonsense"],
)
def test_an_address_that_cannot_be_read_is_refused_without_repeating_it(dsn: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database(dsn, "desk")
    error = caught.value
    assert error.code == "TMT-P001"
    told = f"{error} {error!r} {error.fix} {error.where} {error.__cause__} {error.__suppress_context__}"
    assert SECRET not in told
    assert error.__suppress_context__


def test_the_password_is_in_no_text_about_the_database(caplog: pytest.LogCaptureFixture) -> None:
    database = Database(NOWHERE, "desk", wait_seconds=0.2)
    told = [repr(database), str(database), database.where]
    with pytest.raises(StoreUnavailable) as caught:
        database.check_settings()
    error = caught.value
    assert error.code == "TMT-P002"
    with pytest.raises(StoreUnavailable), database.connection():
        pass
    told += [str(error), repr(error), error.fix, error.where, repr(error.__cause__), caplog.text]
    assert SECRET not in "".join(told)
    assert "127.0.0.1:1/desk" in database.where
    database.close()


def test_closing_twice_is_allowed_and_a_closed_database_is_told() -> None:
    database = Database(NOWHERE, "desk")
    database.close()
    database.close()
    with pytest.raises(StoreUnavailable), database.connection():
        pass


def test_the_newest_revision_is_the_head_of_one_line_of_revisions() -> None:
    script = ScriptDirectory(str(migration.FOLDER))
    assert script.get_heads() == [newest_revision()]
    for revision in script.walk_revisions():
        assert revision.path.rsplit("/", 1)[1].startswith(f"{revision.revision}_")


def test_the_sql_of_the_migrations_is_written_without_a_server() -> None:
    up, down = migration.script("desk_1"), migration.script("desk_1", "downgrade", "base")
    assert "CREATE TABLE events" in up
    assert 'SET LOCAL search_path TO "desk_1"' in up
    assert "DROP TABLE" in down


def test_patience_ends() -> None:
    assert not Patience(0).wait()
    patience = Patience(0.05)
    tries = 0
    while patience.wait():
        tries += 1
    assert tries >= 2
    assert patience.left_seconds() == 0
