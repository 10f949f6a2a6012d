"""The audit trail, for who may administer."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from litestar import get
from litestar.handlers import BaseRouteHandler

from tmt.access import Access, Operation
from tmt.errors import CorruptLog
from tmt.ports.access_store import AuditEntry
from tmt.web.keeper import requires
from tmt.web.parameters import ITEMS, Before, Limit, Page

AUDIT: Final = "/api/v1/audit"


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; `detail` holds more, `chain` is in hexadecimal."""

    position: int
    time_ns: int
    person: str
    method: str
    action: str
    subject: str
    outcome: str
    detail: dict[str, str | int | bool | None]
    chain: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the whole trail is what was written, and how many entries that are; `detail` says what is not."""

    sound: bool
    entries: int
    detail: str


def audit_routes(access: Access) -> list[BaseRouteHandler]:
    """`/api/v1/audit`."""

    @get(AUDIT, summary="Who did what, the newest first", guards=[requires(Operation.ADMINISTER)])
    async def audit(limit: Limit = ITEMS, before: Before = None) -> Page[AuditLine]:
        found = await asyncio.to_thread(access.audit.newest, before, limit)
        return Page(items=tuple(map(_line, found)), next=found[-1].position if len(found) == limit else None)

    @get(f"{AUDIT}/verify", summary="Is the trail what was written?", guards=[requires(Operation.ADMINISTER)])
    async def verify() -> Verification:
        try:
            head = await asyncio.to_thread(access.audit.verify)
        except CorruptLog as error:
            return Verification(sound=False, entries=0, detail=error.what)
        return Verification(sound=True, entries=head.position, detail="")

    return [audit, verify]


def _line(entry: AuditEntry) -> AuditLine:
    return AuditLine(
        position=entry.position,
        time_ns=entry.time_ns,
        person=entry.person,
        method=entry.method,
        action=entry.action,
        subject=entry.subject,
        outcome=entry.outcome,
        detail=msgspec.json.decode(entry.detail, type=dict[str, str | int | bool | None]),
        chain=entry.chain.hex(),
    )
