"""The page's files: what a browser needs, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from tmt.web.problem import Refused

_MEDIA_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_OPEN: Final = {"anonymous": True}


class _PageFile(msgspec.Struct, frozen=True):
    body: bytes
    media_type: str
    etag: str


def page_routes() -> list[BaseRouteHandler]:
    """`/`, `/static/{name}` and the icon; for everybody: what they show, they ask for as somebody."""
    page = _page_files()

    @get("/", opt=_OPEN, include_in_schema=False)
    async def index(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _send(page["index.html"], request)

    @get("/static/{name:str}", opt=_OPEN, include_in_schema=False)
    async def static(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        if name not in page:
            raise Refused(404, "", "the page has no such file")
        return _send(page[name], request)

    @get("/favicon.ico", status_code=204, opt=_OPEN, include_in_schema=False)
    async def icon() -> None:
        """None yet; an answer keeps the browser's console clean."""

    return [index, static, icon]


def _page_files() -> dict[str, _PageFile]:
    found = {}
    for entry in files("tmt.gateway").joinpath("page").iterdir():
        media_type = _MEDIA_TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None:
            body = entry.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            found[entry.name] = _PageFile(body, media_type, etag)
    return found


def _send(file: _PageFile, request: Request[Any, Any, Any]) -> Response[bytes]:
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if file.etag in re.findall(r'"[^"]*"', request.headers.get("if-none-match", "")):
        return Response(b"", status_code=304, media_type=file.media_type, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)
