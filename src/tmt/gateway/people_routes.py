"""People and keys: made, listed, changed and ended by who may administer, keys also by their owners."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, delete, get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody, PathParameter, QueryParameter

from tmt.access import Access, Operation
from tmt.access.passwords import generate
from tmt.access.roles import Principal, Role
from tmt.gateway.session_routes import slowly
from tmt.ports.access_store import ApiKey, User
from tmt.web.keeper import principal, requires
from tmt.web.parameters import ITEMS, Limit, PersonName
from tmt.web.problem import Refused

USERS: Final = "/api/v1/users"
KEYS: Final = "/api/v1/keys"
NAME_TEXT: Final = r"^[a-z0-9][a-z0-9._@-]{0,63}(?!\n)$"
ACCOUNT_TEXT: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?!\n)$"

Name = Annotated[str, msgspec.Meta(pattern=NAME_TEXT)]
Account = Annotated[str, msgspec.Meta(pattern=ACCOUNT_TEXT)]
Accounts = Annotated[tuple[Account, ...], msgspec.Meta(max_length=100)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
KeyId = Annotated[str, PathParameter(pattern=r"^[a-f0-9]{12}(?!\n)$")]
AfterName = Annotated[str | None, QueryParameter(pattern=NAME_TEXT)]

_OF_ADMINS: Final = [requires(Operation.ADMINISTER)]
_AUDITED_THERE: Final = {"audited": False}


class NewPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without a password, one is made; whoever gets one must change it at the first log-in."""

    name: Name
    role: Role
    accounts: Accounts = ()
    password: Password | None = None


class NewRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another role; other accounts when they are given."""

    role: Role
    accounts: Accounts | None = None


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key for a program that acts for its maker, with their role or a lesser one."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    role: Role
    days: Annotated[int, msgspec.Meta(ge=1, le=365)]
    accounts: Accounts = ()


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person; no accounts are all accounts."""

    name: str
    role: str
    accounts: tuple[str, ...]
    disabled: bool
    must_change_password: bool
    one_time_codes: bool
    created_at_ns: int


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A person just made; `password` is shown now and never again, None when it was given."""

    person: Person
    password: str | None


class GivenPassword(msgspec.Struct, frozen=True, kw_only=True):
    """A password just made, shown now and never again."""

    password: str


class People(msgspec.Struct, frozen=True, kw_only=True):
    """People by name; `next` is what `after` asks for the others."""

    items: tuple[Person, ...]
    next: str | None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret."""

    key_id: str
    owner: str
    label: str
    role: str
    accounts: tuple[str, ...]
    created_at_ns: int
    expires_at_ns: int
    revoked_at_ns: int | None


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made; `secret` is what to send as `X-API-Key`, shown now and never again."""

    key: Key
    secret: str


def people_routes(access: Access) -> list[BaseRouteHandler]:
    """`/api/v1/users` and `/api/v1/keys`."""
    return [*_reading(access), *_changing(access), *_ending(access), *_keys(access)]


def _reading(access: Access) -> list[BaseRouteHandler]:
    people = access.people

    @get(USERS, summary="People by name", guards=_OF_ADMINS)
    async def users(limit: Limit = ITEMS, after: AfterName = None) -> People:
        found = await asyncio.to_thread(people.list, after, limit)
        return People(items=tuple(map(_shown, found)), next=found[-1].name if len(found) == limit else None)

    @get(f"{USERS}/{{name:str}}", summary="One person", guards=_OF_ADMINS)
    async def user(name: PersonName) -> Person:
        return _shown(await asyncio.to_thread(people.get, name))

    return [users, user]


def _changing(access: Access) -> list[BaseRouteHandler]:
    people = access.people

    @post(USERS, summary="Add a person", guards=_OF_ADMINS, opt=_AUDITED_THERE)
    async def add(data: JSONBody[NewPerson], request: Request[Any, Any, Any]) -> Made:
        password = data.password or generate().text()
        create = partial(people.create, by=principal(request), accounts=data.accounts)
        made = await slowly(access, partial(create, data.name, data.role, password))
        return Made(person=_shown(made), password=None if data.password else password)

    @put(f"{USERS}/{{name:str}}/role", summary="Give another role", guards=_OF_ADMINS, opt=_AUDITED_THERE)
    async def set_role(name: PersonName, data: JSONBody[NewRole], request: Request[Any, Any, Any]) -> Person:
        await asyncio.to_thread(people.set_role, name, data.role, by=principal(request), accounts=data.accounts)
        return _shown(await asyncio.to_thread(people.get, name))

    @post(f"{USERS}/{{name:str}}/password", summary="Make a new password", guards=_OF_ADMINS, opt=_AUDITED_THERE)
    async def reset_password(name: PersonName, request: Request[Any, Any, Any]) -> GivenPassword:
        who = principal(request)
        if name == who.name:
            raise Refused(409, "TMT-A005", "one's own password is changed at /api/v1/me/password")
        made = generate().text()
        await slowly(access, partial(people.set_password, name, made, by=who))
        return GivenPassword(password=made)

    return [add, set_role, reset_password]


def _ending(access: Access) -> list[BaseRouteHandler]:
    people = access.people

    @delete(f"{USERS}/{{name:str}}", summary="Let a person in no more", guards=_OF_ADMINS, opt=_AUDITED_THERE)
    async def disable(name: PersonName, request: Request[Any, Any, Any]) -> None:
        await asyncio.to_thread(people.disable, name, by=principal(request))

    @put(
        f"{USERS}/{{name:str}}/enabled",
        status_code=204,
        summary="Let a person in again",
        guards=_OF_ADMINS,
        opt=_AUDITED_THERE,
    )
    async def enable(name: PersonName, request: Request[Any, Any, Any]) -> None:
        await asyncio.to_thread(people.enable, name, by=principal(request))

    @delete(
        f"{USERS}/{{name:str}}/sessions",
        summary="End all sessions and keys of a person",
        guards=_OF_ADMINS,
        opt=_AUDITED_THERE,
    )
    async def end_sessions(name: PersonName, request: Request[Any, Any, Any]) -> None:
        await asyncio.to_thread(access.revoke, by=principal(request), user=name)

    @delete(
        f"{USERS}/{{name:str}}/totp",
        summary="Ask a person for one-time codes no more",
        guards=_OF_ADMINS,
        opt=_AUDITED_THERE,
    )
    async def end_codes(name: PersonName, request: Request[Any, Any, Any]) -> None:
        await asyncio.to_thread(people.disable_totp, name, by=principal(request))

    return [disable, enable, end_sessions, end_codes]


def _keys(access: Access) -> list[BaseRouteHandler]:
    @get(KEYS, summary="One's own keys; everybody's for who may administer")
    async def keys(request: Request[Any, Any, Any]) -> tuple[Key, ...]:
        who = principal(request)
        owner = None if who.may(Operation.ADMINISTER) else who.name
        return tuple(map(_key, await asyncio.to_thread(access.keys.list, owner)))

    @post(KEYS, summary="Make a key for oneself", opt=_AUDITED_THERE)
    async def make(data: JSONBody[NewKey], request: Request[Any, Any, Any]) -> MadeKey:
        who = principal(request)
        if not who.method.startswith("password"):
            raise Refused(403, "TMT-A007", "a key is made by a person who has logged in with a password")
        made = await asyncio.to_thread(
            access.keys.create, who.name, data.label, data.role, data.days, by=who, accounts=data.accounts
        )
        return MadeKey(key=_key(made.record), secret=made.secret.text())

    @delete(f"{KEYS}/{{key_id:str}}", summary="End a key", opt=_AUDITED_THERE)
    async def revoke(key_id: KeyId, request: Request[Any, Any, Any]) -> None:
        who = principal(request)
        found = await asyncio.to_thread(access.keys.get, key_id)
        if not _may_end(who, found):
            raise Refused(404, "TMT-A013", "there is no such key")
        await asyncio.to_thread(access.revoke, by=who, key=key_id)

    return [keys, make, revoke]


def _may_end(who: Principal, key: ApiKey) -> bool:
    if who.may(Operation.ADMINISTER):
        return True
    # A key speaks for less than its owner may: it ends itself at most.
    own = key.owner == who.name and who.role is not Role.SERVICE
    return own and (who.method != "api_key" or who.session_id == key.key_id)


def _shown(user: User) -> Person:
    return Person(
        name=user.name,
        role=user.role,
        accounts=user.accounts,
        disabled=user.disabled,
        must_change_password=user.must_change_password,
        one_time_codes=user.totp_confirmed,
        created_at_ns=user.created_at_ns,
    )


def _key(key: ApiKey) -> Key:
    return Key(**{name: getattr(key, name) for name in Key.__struct_fields__})
