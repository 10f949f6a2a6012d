"""Logging in and out, and what one may do with one's own name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Request, delete, get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody, PathParameter

from tmt.access import Access, Operation, Tokens
from tmt.access.roles import PERMISSIONS, Principal, Role
from tmt.web.keeper import address_of, principal
from tmt.web.openapi import refusals
from tmt.web.problem import Refused

SESSIONS: Final = "/api/v1/sessions"
ME: Final = "/api/v1/me"

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}(?!\n)$")]
SessionId = Annotated[str, PathParameter(pattern=r"^[a-f0-9]{32}(?!\n)$")]


T = TypeVar("T")


class LogIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who logs in; `totp` where one-time codes were set up."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: Text
    totp: Code | None = None


class Refresh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A refresh token, good once."""

    refresh_token: Text


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The current password and the next."""

    current: Text
    new: Text


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that the authenticator shows now."""

    code: Code


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Send `access_token` as `Authorization: Bearer`; until `expires_at_ns`, then refresh."""

    access_token: str
    expires_at_ns: int
    refresh_token: str
    session_id: str
    must_change_password: bool


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """The secret of one-time codes, for an authenticator; shown once."""

    secret: str


class Self(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do; no accounts are all accounts."""

    name: str
    role: Role
    accounts: tuple[str, ...]
    method: str
    session_id: str
    must_change_password: bool
    operations: tuple[Operation, ...]


async def slowly(access: Access, work: Callable[[], T]) -> T:
    """What checks or makes a password, in threads of its own: others must not wait for it."""
    return await asyncio.get_running_loop().run_in_executor(access.slow, work)


def session_routes(access: Access) -> list[BaseRouteHandler]:
    """`/api/v1/sessions` and `/api/v1/me`."""
    return [*_sessions(access), *_self(access), *_one_time_codes(access)]


def _sessions(access: Access) -> list[BaseRouteHandler]:
    @post(SESSIONS, summary="Log in", responses=refusals(401, 429), opt={"anonymous": True})
    async def log_in(data: JSONBody[LogIn], request: Request[Any, Any, Any]) -> Session:
        address = address_of(request.scope)
        return _session(await slowly(access, partial(access.log_in, data.name, data.password, data.totp, address)))

    @post(
        f"{SESSIONS}/refresh",
        summary="A new pair of tokens; the old refresh token ends",
        responses=refusals(401),
        opt={"anonymous": True},
    )
    async def refresh(data: JSONBody[Refresh]) -> Session:
        return _session(await asyncio.to_thread(access.refresh, data.refresh_token))

    @delete(f"{SESSIONS}/current", summary="Log out", opt={"of_oneself": True, "audited": False})
    async def log_out(request: Request[Any, Any, Any]) -> None:
        await asyncio.to_thread(access.log_out, principal(request))

    @delete(
        f"{SESSIONS}/{{session_id:str}}",
        summary="End a session: one's own, or anybody's for who may administer",
        opt={"audited": False},
    )
    async def revoke(session_id: SessionId, request: Request[Any, Any, Any]) -> None:
        who = principal(request)
        if session_id != who.session_id and not who.may(Operation.ADMINISTER):
            raise Refused(404, "TMT-A013", "there is no such session")
        await asyncio.to_thread(access.revoke, by=who, session_id=session_id)

    return [log_in, refresh, log_out, revoke]


def _self(access: Access) -> list[BaseRouteHandler]:
    @get(ME, summary="Who am I, and what may I do?", opt={"of_oneself": True})
    async def me(request: Request[Any, Any, Any]) -> Self:
        who = principal(request)
        permitted = () if who.must_change_password else tuple(sorted(PERMISSIONS[who.role]))
        return Self(**msgspec.structs.asdict(who), operations=permitted)

    @put(
        f"{ME}/password",
        status_code=204,
        summary="Change one's password; ends all of one's sessions and keys",
        opt={"of_oneself": True, "audited": False},
    )
    async def change_password(data: JSONBody[NewPassword], request: Request[Any, Any, Any]) -> None:
        who = _person(request)
        change = access.people.set_password
        await slowly(access, partial(change, who.name, data.new, by=who, current=data.current))

    return [me, change_password]


def _one_time_codes(access: Access) -> list[BaseRouteHandler]:
    @post(f"{ME}/totp", summary="Begin with one-time codes", opt={"audited": False})
    async def enrol(request: Request[Any, Any, Any]) -> Enrolment:
        who = _person(request)
        _refuse_without_code(access, who)
        return Enrolment(secret=(await asyncio.to_thread(access.people.enrol_totp, who.name, by=who)).text())

    @post(
        f"{ME}/totp/confirmation",
        status_code=204,
        summary="Ask for one-time codes from now on",
        opt={"audited": False},
    )
    async def confirm(data: JSONBody[Confirmation], request: Request[Any, Any, Any]) -> None:
        who = _person(request)
        await asyncio.to_thread(access.people.confirm_totp, who.name, data.code, by=who)

    @delete(f"{ME}/totp", summary="Ask for one-time codes no more", opt={"audited": False})
    async def end(request: Request[Any, Any, Any]) -> None:
        who = _person(request)
        _refuse_without_code(access, who)
        await asyncio.to_thread(access.people.disable_totp, who.name, by=who)

    return [enrol, confirm, end]


def _person(request: Request[Any, Any, Any]) -> Principal:
    who = principal(request)
    if not who.method.startswith("password"):
        raise Refused(403, "TMT-A007", "this is for a person who has logged in with a password")
    return who


def _refuse_without_code(access: Access, who: Principal) -> None:
    # A session of before the codes, or one that somebody left open, must not undo them.
    if access.people.get(who.name).totp_confirmed and who.method != "password+totp":
        raise Refused(403, "TMT-A007", "log in with a one-time code to change or end one-time codes")


def _session(tokens: Tokens) -> Session:
    return Session(**msgspec.structs.asdict(tokens))
