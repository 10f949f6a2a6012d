"""Secrets show themselves nowhere: in no text, error, log, audit entry, or file but those made for them."""

import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyotp
import pytest

from tests.unit.access.desk import HOME, SECOND_NS, SECRET, Desk, HandClock, quick_config
from tmt.access import Access, AccessRefused, Role, Secret
from tmt.access.opening import SECRET as SECRET_FILE
from tmt.access.opening import open_access
from tmt.access.people import COMMAND_LINE
from tmt.access.secret import ensure_secret, read_secret, write_private
from tmt.errors import ConfigError, TmtError
from tmt.ports.access_store import TABLES, ApiKey

CANARY = "canary-4f1d-password"


def test_a_secret_shows_itself_in_no_text() -> None:
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!s:>40}", f"{[secret]}", f"{ {'a': secret} }"]
    assert all(CANARY not in text for text in shown)
    assert (secret.text(), secret.reveal()) == (CANARY, CANARY.encode())


def test_a_secret_is_not_copied_out_by_accident() -> None:
    secret = Secret(CANARY)
    for write in (pickle.dumps, copy.deepcopy, msgspec.json.encode, msgspec.to_builtins):
        with pytest.raises(TypeError):
            write(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_are_equal_by_what_they_hold_and_differ_by_purpose() -> None:
    assert Secret("a") == Secret(b"a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    derived = {Secret("a").derive("x"), Secret("a").derive("y"), Secret("b").derive("x")}
    assert len(derived) == 3
    assert Secret("a").derive("x") == Secret("a").derive("x")


def test_a_long_secret_counts_whole() -> None:
    assert Secret("s" * 64 + "a").derive("x") != Secret("s" * 64 + "b").derive("x")


class Heard:
    """Everything that was said while canaries were about."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def failing(self, act: Callable[[], object]) -> None:
        try:
            act()
        except TmtError as error:
            self.texts += [str(error), repr(error), error.what, error.where, error.fix]
            self.texts += traceback.format_exception(error)
        else:
            pytest.fail("nothing was refused")


def test_canaries_are_in_no_text_and_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clock, heard = HandClock(), Heard()
    access, first_password = open_access(tmp_path, quick_config(), clock)
    assert first_password is not None
    canaries = [CANARY, first_password.read_text().strip(), (tmp_path / SECRET_FILE).read_text().strip()]
    people, keys = access.people, access.keys
    people.create("ann", Role.RISK, CANARY, by=COMMAND_LINE, must_change=False)
    tokens = access.log_in("ann", CANARY, None, HOME)
    key = keys.create("ann", "load", Role.VIEWER, 1, by=COMMAND_LINE)
    totp = people.enrol_totp("ann", by=COMMAND_LINE)
    people.confirm_totp("ann", pyotp.TOTP(totp.text()).at(clock.time_ns // SECOND_NS), by=COMMAND_LINE)
    service = access.service_token("gateway")
    canaries += [tokens.access_token, tokens.refresh_token, service, key.secret.text(), totp.text()]
    canaries += [canary.rpartition(".")[2] for canary in (tokens.access_token, tokens.refresh_token, service)]
    canaries += [key.secret.text().split("_", 2)[2]]
    heard.texts += [repr(tokens), repr(key), repr(totp), repr(access), repr(people.list()), repr(keys.list())]
    acts: list[Callable[[], object]] = [
        lambda: access.log_in("ann", CANARY + " ", None, HOME),
        lambda: access.log_in(CANARY, CANARY, None, HOME),
        lambda: people.create("bob", Role.RISK, CANARY[:11], by=COMMAND_LINE),
        lambda: people.create(CANARY.upper(), Role.RISK, CANARY, by=COMMAND_LINE),
        lambda: access.authenticate(f"Basic {CANARY}", None, HOME),
        lambda: access.authenticate(f"Bearer {tokens.refresh_token}", None, HOME),
        lambda: access.authenticate(f"Bearer {tokens.access_token}x", None, HOME),
        lambda: access.authenticate(f"Bearer {tokens.access_token}", key.secret.text(), HOME),
        lambda: access.authenticate(None, key.secret.text() + "x", HOME),
        lambda: access.refresh(tokens.access_token),
    ]
    for act in acts:
        heard.failing(act)
    access.refresh(tokens.refresh_token)
    heard.failing(lambda: access.refresh(tokens.refresh_token))
    heard.texts += [line.decode() for line in access.audit.export()]
    heard.texts += [record.getMessage() for record in caplog.records]
    access.close()
    heard.failing(lambda: access.log_in("ann", CANARY, None, HOME))
    assert len(heard.texts) > 60
    for canary in canaries:
        assert len(canary) >= 20
        for text in heard.texts:
            assert canary not in text
        for file in set(tmp_path.iterdir()) - {first_password, tmp_path / SECRET_FILE}:
            assert canary.encode() not in file.read_bytes()


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_records_that_hold_hashes_do_not_show_them(kind: type[msgspec.Struct]) -> None:
    record = kind(**dict.fromkeys(kind.__struct_fields__, CANARY))
    for field in ("password_hash", "totp_sealed", "body", *(["digest"] if kind is ApiKey else [])):
        assert f"{field}=" not in repr(record)


def test_the_desks_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "access.secret"
    made = ensure_secret(path)
    assert made == ensure_secret(path) == read_secret(path)
    assert len(made.reveal()) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert made != ensure_secret(tmp_path / "other.secret")
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".new"] == []


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [(CANARY.encode(), 0o600, "at least 32"), (b"", 0o600, "at least 32"), (b"x" * 64, 0o640, "others may read")],
)
def test_a_secret_that_is_short_or_open_to_others_is_refused(
    tmp_path: Path, content: bytes, mode: int, said: str
) -> None:
    path = tmp_path / "access.secret"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=said) as caught:
        ensure_secret(path)
    assert caught.value.code == "TMT-A017"
    assert CANARY not in str(caught.value)


def test_a_file_that_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    for act in (
        lambda: write_private(tmp_path / "none" / "file", b""),
        lambda: read_secret(tmp_path / "none"),
    ):
        with pytest.raises(ConfigError) as caught:
            act()
        assert caught.value.code == "TMT-A017"


def test_the_desks_secret_may_come_from_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere"
    write_private(path, SECRET.reveal())
    config = msgspec.structs.replace(quick_config(), secret_file=str(path))
    clock = HandClock()
    access, _ = open_access(tmp_path / "state", config, clock)
    access.people.create("ann", Role.VIEWER, CANARY, by=COMMAND_LINE)
    assert not (tmp_path / "state" / SECRET_FILE).exists()
    token = access.log_in("ann", CANARY, None, HOME).access_token
    desk = Desk(tmp_path / "state", clock)
    assert desk.who(token).name == "ann"
    with pytest.raises(AccessRefused):
        Access(desk.store, desk.cache, clock, desk.config, Secret("x" * 32)).authenticate(f"Bearer {token}", None, HOME)
    desk.close()
    access.close()
