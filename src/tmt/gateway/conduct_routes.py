"""What surveillance found."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import BaseRouteHandler

from tmt import messages as m
from tmt.gateway.following import Following
from tmt.gateway.visible import sees
from tmt.projections.sentences import sentence
from tmt.web.keeper import principal
from tmt.web.parameters import ITEMS, Before, Limit, Page


class FindingLine(msgspec.Struct, frozen=True, kw_only=True):
    """One finding, its log position, and what it says in a sentence."""

    position: int
    text: str
    finding: m.ConductFlagged


def conduct_route(following: Following) -> BaseRouteHandler:
    """`GET /api/v1/surveillance`."""

    @get("/api/v1/surveillance", summary="What surveillance found, the newest first")
    async def findings(
        request: Request[Any, Any, Any], limit: Limit = ITEMS, before: Before = None
    ) -> Page[FindingLine]:
        reader = await following.present()
        who = principal(request)
        found = reader.findings(limit, before)
        lines = tuple(
            FindingLine(position=told.position, text=sentence(told.message), finding=told.message)
            for told in found
            if isinstance(told.message, m.ConductFlagged) and sees(who, told.account)
        )
        return Page(items=lines, next=found[-1].position if len(found) == limit else None)

    return findings
