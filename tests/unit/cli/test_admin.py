"""`tmt admin` and `tmt audit`: people, keys, certificates and the trail, from the command line."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tmt.access import Role
from tmt.access.opening import FIRST_PASSWORD, STORE, open_access
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.postgres import Database
from tmt.cli.main import run
from tmt.sections import load_config

Tell = Callable[..., Any]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMT_STATE", str(tmp_path))
    for name, value in {"MEMORY_KIB": "64", "PASSES": "1", "LANES": "1"}.items():
        monkeypatch.setenv(f"TMT__ACCESS__PASSWORD_COST__{name}", value)
    return tmp_path


@pytest.fixture
def tell(state: Path, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Runs a command and gives what it answers to --json."""

    def told(*words: str, status: int = 0) -> Any:
        capsys.readouterr()
        assert run([*words, "--json"]) == status
        return json.loads(capsys.readouterr().out)

    return told


def log_in(state: Path, name: str, password: str) -> bool:
    overrides = [
        f"access.password_cost.{key}={value}" for key, value in (("memory_kib", 64), ("passes", 1), ("lanes", 1))
    ]
    config = load_config(None, overrides=overrides).sections["access"]
    access, _ = open_access(state, config, SystemClock())
    try:
        return access.log_in(name, password, None, "::1").must_change_password
    finally:
        access.close()


def test_a_person_is_added_with_a_password_of_chance_that_works_once_shown(tell: Tell, state: Path) -> None:
    added = tell("admin", "user", "add", "ann", "--role", "trader", "--account", "main", "--account", "second")
    assert added["user"]["accounts"] == ["main", "second"]
    assert len(added["password"]) >= 20
    assert log_in(state, "ann", added["password"])
    assert "password" not in json.dumps(tell("admin", "user", "list")).replace("must_change_password", "")


def test_the_first_person_is_told_of_and_their_password_is_not_shown(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["admin", "user", "list"]) == 0
    captured = capsys.readouterr()
    password = (state / FIRST_PASSWORD).read_text().strip()
    assert str(state / FIRST_PASSWORD) in captured.err
    assert password not in captured.out + captured.err
    assert "must change password" in captured.out


def test_a_password_comes_from_standard_input_and_is_not_said_again(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("seven purple lanterns\n"))
    assert run(["admin", "user", "add", "ann", "--role", "risk", "--stdin"]) == 0
    captured = capsys.readouterr()
    assert "lanterns" not in captured.out + captured.err
    assert log_in(state, "ann", "seven purple lanterns")


def test_a_password_is_asked_for_twice(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["seven purple lanterns", "seven purple lantern", "seven purple lanterns", "seven purple lanterns"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert run(["admin", "user", "add", "ann", "--role", "risk", "--ask"]) == 3
    assert run(["admin", "user", "add", "ann", "--role", "risk", "--ask"]) == 0
    assert log_in(state, "ann", "seven purple lanterns")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["admin", "user", "add", "ann", "--role", "king"], "TMT-A012"),
        (["admin", "user", "add", "ann", "--role", "service"], "TMT-A012"),
        (["admin", "user", "add", "ann", "--role", "risk", "--ask", "--stdin"], "TMT-X007"),
        (["admin", "user", "disable", "ann"], "TMT-A013"),
        (["admin", "user", "disable", "admin"], "TMT-A023"),
        (["admin", "key", "create", "ann", "--label", "x"], "TMT-A013"),
        (["admin", "key", "create", "admin", "--label", "x", "--role", "trader"], "TMT-A015"),
        (["admin", "key", "create", "admin", "--label", "x", "--days", "999"], "TMT-A012"),
        (["audit", "list", "--limit", "0"], "TMT-X005"),
        (["audit", "verify", "--head", "7"], "TMT-A012"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_code(words: list[str], code: str, tell: Tell) -> None:
    assert tell(*words, status=3)["code"] == code


def test_a_password_is_changed_and_a_person_disabled(tell: Tell, state: Path) -> None:
    first = tell("admin", "user", "add", "ann", "--role", "trader")["password"]
    second = tell("admin", "user", "password", "ann", "--no-totp")["password"]
    assert first != second
    assert log_in(state, "ann", second)
    assert tell("admin", "user", "disable", "ann")["user"]["disabled"]
    with pytest.raises(Exception, match="is wrong"):
        log_in(state, "ann", second)


def somebody(state: Path, name: str, role: Role) -> None:
    """A person who has chosen a password of their own."""
    opened = open_access(state, load_config(None).sections["access"], SystemClock())
    opened.access.people.create(name, role, "a password of one's own", by=COMMAND_LINE, must_change=False)
    opened.access.close()


def test_a_key_is_made_listed_and_ended(tell: Tell, state: Path) -> None:
    somebody(state, "ann", Role.TRADER)
    made = tell("admin", "key", "create", "ann", "--label", "load", "--role", "viewer", "--days", "3")
    key_id = made["key"]["key_id"]
    assert made["secret"].startswith(f"tmt_{key_id}_")
    listed = tell("admin", "key", "list")
    assert [(key["key_id"], key["role"], key["state"]) for key in listed["keys"]] == [(key_id, "viewer", "in force")]
    assert made["secret"].split("_", 2)[2] not in json.dumps(listed)
    assert tell("admin", "key", "revoke", key_id)["key"]["state"] == "revoked"


def test_without_a_role_a_key_has_its_owners(tell: Tell, state: Path) -> None:
    somebody(state, "ann", Role.RISK)
    assert tell("admin", "key", "create", "ann", "--label", "x")["key"]["role"] == "risk"


def test_certificates_are_made_kept_and_renewed(tell: Tell, state: Path) -> None:
    def renewed(*words: str) -> dict[str, bool]:
        certificates = tell("admin", "certificates", *words)["certificates"]
        return {each["service"]: each["renewed"] for each in certificates}

    assert renewed() == {"gateway": True, "storage-api": True, "engine": True}
    assert renewed("engine", "other") == {"engine": False, "other": True}
    assert renewed("engine", "--renew") == {"engine": True}
    assert (state / "tls" / "engine.pem").stat().st_mode & 0o777 == 0o600


def test_the_trail_is_listed_and_verified_against_a_head(tell: Tell, state: Path) -> None:
    tell("admin", "user", "add", "ann", "--role", "trader")
    entries = tell("audit", "list")["entries"]
    assert [(each["person"], each["action"], each["subject"]) for each in entries] == [
        ("command line", "create person", "admin"),
        ("command line", "create person", "ann"),
    ]
    assert tell("audit", "list", "--limit", "1", "--before", "2")["entries"] == entries[:1]
    head = tell("audit", "verify")["head"]
    tell("admin", "user", "disable", "ann")
    assert tell("audit", "verify", "--head", head)["entries"] == 3
    db = apsw.Connection(str(state / STORE))
    db.execute("DROP TRIGGER audit_is_not_edited; UPDATE audit SET subject = 'bob' WHERE position = 2")
    db.close()
    assert tell("audit", "verify", status=5)["code"] == "TMT-A018"


@pytest.mark.server
def test_shared_people_live_in_the_database(tell: Tell, state: Path, pg_dsn: str) -> None:
    database = Database(pg_dsn, "desk")
    database.migrate()
    database.close()
    parts = conninfo_to_dict(pg_dsn)
    (state / "pg-password").write_text(str(parts.pop("password")))
    (state / "pg-password").chmod(0o600)
    where = ["--shared", "--set", f"stores.database={make_conninfo('', **parts)}", "--set", "stores.schema=desk"]
    where += ["--set", f"stores.password_file={state / 'pg-password'}"]
    tell("admin", "user", "add", "ann", "--role", "trader", *where)
    assert [user["name"] for user in tell("admin", "user", "list", *where)["users"]] == ["admin", "ann"]
    assert tell("audit", "verify", *where)["entries"] == 2
    assert not (state / STORE).exists()
