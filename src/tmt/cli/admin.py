"""`tmt admin`: people, their keys, and the services' certificates."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from tmt.access import Access, Role
from tmt.access.certificates import ensure_certificates, expires_at
from tmt.access.keys import stands
from tmt.access.opening import open_access
from tmt.access.passwords import LENGTH_MAX, generate
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.postgres import Database
from tmt.cli.folders import Chosen
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal, table
from tmt.cli.times import iso
from tmt.errors import InputError
from tmt.ports.access_store import ApiKey, User

SERVICES: Final = ("gateway", "storage-api", "engine")
_PAGE: Final = 500


class UserEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One person; no accounts means all of them."""

    name: str
    role: str
    accounts: tuple[str, ...]
    disabled: bool
    must_change_password: bool
    one_time_codes: bool


class UserList(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody, by name."""

    users: tuple[UserEntry, ...]


class UserChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A person after a change; `password` is the one of chance, shown now and never again."""

    user: UserEntry
    password: str | None = None


class KeyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One key, without what makes it work. `state` is "in force", "expired" or "revoked"."""

    key_id: str
    owner: str
    label: str
    role: str
    accounts: tuple[str, ...]
    expires: str
    state: str


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """All keys, by id."""

    keys: tuple[KeyEntry, ...]


class KeyCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made; `secret` is all of it, shown now and never again."""

    key: KeyEntry
    secret: str


class KeyRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was ended."""

    key: KeyEntry


class CertificateEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A service's certificate."""

    service: str
    path: str
    expires: str
    renewed: bool


class CertificateList(msgspec.Struct, frozen=True, kw_only=True):
    """The certificates, and whom their holders trust."""

    authority: str
    certificates: tuple[CertificateEntry, ...]


@contextmanager
def opened(terminal: Terminal, chosen: Chosen, shared: bool) -> Iterator[Access]:
    """Access of the state folder, or of the database that several processes share."""
    sections = load_settings(chosen.config_folder, chosen.overrides).sections
    stores = sections["stores"]
    database = Database(stores.dsn(), stores.schema, pool_max=1) if shared else None
    try:
        access, first_password = open_access(chosen.state_folder, sections["access"], SystemClock(), database)
        try:
            if first_password is not None:
                terminal.say(f"the first person is admin; the password, to be changed, is in {first_password}")
            yield access
        finally:
            access.close()
    finally:
        if database is not None:
            database.close()


def add_user(
    terminal: Terminal,
    chosen: Chosen,
    name: str,
    role: str,
    accounts: tuple[str, ...],
    ask: bool,
    stdin: bool,
    shared: bool,
) -> None:
    """`tmt admin user add`."""
    wanted = _role(role)
    password, made = _password(ask=ask, stdin=stdin)
    with opened(terminal, chosen, shared) as access:
        user = access.people.create(name, wanted, password, by=COMMAND_LINE, accounts=accounts)
    _tell(terminal, user, f"{name} may use the desk as {wanted}", made)


def list_users(terminal: Terminal, chosen: Chosen, shared: bool) -> None:
    """`tmt admin user list`."""
    with opened(terminal, chosen, shared) as access:
        found = access.people.list(limit=_PAGE)
        while page := access.people.list(after=found[-1].name, limit=_PAGE):
            found += page
    users = tuple(map(_user_entry, found))
    rows: list[tuple[str, ...]] = [("person", "role", "accounts", "codes", "")]
    rows += [
        (
            user.name,
            user.role,
            " ".join(user.accounts) or "all",
            "yes" if user.one_time_codes else "no",
            "disabled" if user.disabled else "must change password" if user.must_change_password else "",
        )
        for user in users
    ]
    terminal.answer(UserList(users=users), table(rows))


def disable_user(terminal: Terminal, chosen: Chosen, name: str, shared: bool) -> None:
    """`tmt admin user disable`."""
    with opened(terminal, chosen, shared) as access:
        access.people.disable(name, by=COMMAND_LINE)
        user = access.people.get(name)
    _tell(terminal, user, f"{name} is let in no more", None)


def set_password(
    terminal: Terminal, chosen: Chosen, name: str, no_totp: bool, ask: bool, stdin: bool, shared: bool
) -> None:
    """`tmt admin user password`."""
    password, made = _password(ask=ask, stdin=stdin)
    with opened(terminal, chosen, shared) as access:
        access.people.set_password(name, password, by=COMMAND_LINE)
        if no_totp:
            access.people.disable_totp(name, by=COMMAND_LINE)
        user = access.people.get(name)
    _tell(terminal, user, f"the password of {name} was changed", made)


def create_key(
    terminal: Terminal,
    chosen: Chosen,
    owner: str,
    label: str,
    role: str | None,
    days: int,
    accounts: tuple[str, ...],
    shared: bool,
) -> None:
    """`tmt admin key create`."""
    with opened(terminal, chosen, shared) as access:
        wanted = Role(access.people.get(owner).role) if role is None else _role(role)
        made = access.keys.create(owner, label, wanted, days, by=COMMAND_LINE, accounts=accounts)
        person = access.people.get(owner)
    secret = made.secret.text()
    answer = KeyCreated(key=_key_entry(made.record, SystemClock().now_ns(), person), secret=secret)
    terminal.answer(answer, f"{secret}\nkey {made.record.key_id} of {owner}; it is not shown again")


def list_keys(terminal: Terminal, chosen: Chosen, shared: bool) -> None:
    """`tmt admin key list`."""
    now_ns = SystemClock().now_ns()
    with opened(terminal, chosen, shared) as access:
        owners = {each: access.people.get(each) for each in sorted({key.owner for key in access.keys.list()})}
        keys = tuple(_key_entry(key, now_ns, owners.get(key.owner)) for key in access.keys.list())
    rows: list[tuple[str, ...]] = [("key", "owner", "role", "accounts", "expires", "", "label")]
    rows += [
        (key.key_id, key.owner, key.role, " ".join(key.accounts) or "all", key.expires, key.state, key.label)
        for key in keys
    ]
    terminal.answer(KeyList(keys=keys), table(rows) if keys else "no keys")


def revoke_key(terminal: Terminal, chosen: Chosen, id: str, shared: bool) -> None:  # noqa: A002 - as it is typed
    """`tmt admin key revoke`."""
    with opened(terminal, chosen, shared) as access:
        access.keys.revoke(id, by=COMMAND_LINE)
        key = access.keys.get(id)
        person = access.people.get(key.owner)
    entry = _key_entry(key, SystemClock().now_ns(), person)
    terminal.answer(KeyRevoked(key=entry), f"key {id} of {key.owner} is in force no more")


def certificates(terminal: Terminal, chosen: Chosen, services: tuple[str, ...], renew: bool) -> None:
    """`tmt admin certificates`."""
    folder = chosen.state_folder / "tls"
    wanted = services or SERVICES
    before = {name: _content(folder / f"{name}.pem") for name in wanted}
    files = ensure_certificates(folder, wanted, SystemClock(), renew_all=renew)
    entries = tuple(
        CertificateEntry(
            service=name,
            path=str(pair.own),
            expires=f"{expires_at(pair.own):%Y-%m-%dT%H:%M:%SZ}",
            renewed=pair.own.read_bytes() != before[name],
        )
        for name, pair in files.items()
    )
    rows: list[tuple[str, ...]] = [("service", "expires", "", "file")]
    rows += [(each.service, each.expires, "renewed" if each.renewed else "kept", each.path) for each in entries]
    terminal.answer(CertificateList(authority=str(folder / "ca.pem"), certificates=entries), table(rows))


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _role(text: str) -> Role:
    known = [role.value for role in Role if role is not Role.SERVICE]
    if text not in known:
        raise InputError("TMT-A012", f"there is no role {text!r}", fix=f"choose one of {', '.join(known)}")
    return Role(text)


def _password(*, ask: bool, stdin: bool) -> tuple[str, str | None]:
    """The password to set, and the same again if it is one of chance, to be shown."""
    if ask and stdin:
        raise InputError("TMT-X007", "--ask and --stdin do not go together", fix="leave one out")
    if stdin:
        return sys.stdin.readline(LENGTH_MAX + 2).rstrip("\r\n"), None
    if not ask:
        made = generate().text()
        return made, made
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise InputError("TMT-A011", "the two passwords are not the same", fix="type it again")
    return password, None


def _tell(terminal: Terminal, user: User, text: str, password: str | None) -> None:
    if password is not None:
        text += f"; the password, to be changed at the first log-in and not shown again:\n{password}"
    terminal.answer(UserChanged(user=_user_entry(user), password=password), text)


def _user_entry(user: User) -> UserEntry:
    return UserEntry(
        name=user.name,
        role=user.role,
        accounts=user.accounts,
        disabled=user.disabled,
        must_change_password=user.must_change_password,
        one_time_codes=user.totp_confirmed,
    )


def _key_entry(key: ApiKey, now_ns: int, owner: User | None) -> KeyEntry:
    state = "in force" if stands(key, owner) else "ended with its owner's password or role"
    state = "expired" if key.expires_at_ns <= now_ns else state
    return KeyEntry(
        key_id=key.key_id,
        owner=key.owner,
        label=key.label,
        role=key.role,
        accounts=key.accounts,
        expires=iso(key.expires_at_ns),
        state="revoked" if key.revoked_at_ns is not None else state,
    )
