"""What the page's server answers: the page, the newest snapshot of the desk, and whether both are well."""

from __future__ import annotations

import hashlib
import logging
import re
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

import msgspec
from litestar import Litestar, MediaType, Request, Response, get
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from tmt import __version__
from tmt.domain.money import Exact
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.ports.clock import Clock
from tmt.projections.desk_view import DeskSnapshot

STALE_SECONDS: Final = 5.0
"""Age from which a snapshot no longer counts as the desk's present."""

_LOOPBACK_HOST: Final = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_MEDIA_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_SECURITY_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE: Final = {"Cache-Control": "no-store"}
_EXACT_TEXT: Final = r"^-?[0-9]+(\.[0-9]+)?(E[-+][0-9]+)?$"
_READING: Final = ("GET", "HEAD")
_PROBLEM: Final = "application/problem+json"
_LOG: Final = logging.getLogger(__name__)


class Sight(msgspec.Struct, frozen=True):
    """A snapshot and when it was handed over, wall-clock UTC."""

    snapshot: DeskSnapshot
    shown_at_ns: int


class DeskWindow:
    """Where the desk's thread leaves its newest snapshot and the server's thread looks at it.

    One reference to something frozen changes hands, so neither thread ever waits for the other.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sight: Sight | None = None

    def show(self, snapshot: DeskSnapshot) -> None:
        """Hand over a snapshot; for the desk's thread."""
        self._sight = Sight(snapshot, self._clock.now_ns())

    def look(self) -> tuple[DeskSnapshot, float] | None:
        """The newest snapshot and its age in seconds of wall time; None before the first."""
        sight = self._sight
        if sight is None:
            return None
        return sight.snapshot, max(0, self._clock.now_ns() - sight.shown_at_ns) / NANOSECONDS_PER_SECOND


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """The server answers."""

    status: str = "live"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is ready, stale (the desk has not reported for long) or starting; `age_seconds` of its last report."""

    status: str
    age_seconds: float | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer, as RFC 9457 has it."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


class _PageFile(msgspec.Struct, frozen=True):
    body: bytes
    media_type: str
    etag: str


class _ExactAsText(OpenAPISchemaPlugin):
    """Exact numbers travel as text."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        return value is Exact

    def to_openapi_schema(self, field_definition: Any, schema_creator: Any) -> Schema:
        return Schema(type=OpenAPIType.STRING, pattern=_EXACT_TEXT, examples=["1.09934"])


def create_app(window: DeskWindow) -> ASGIApp:
    """The application that shows what `window` does, behind the doorkeeper."""
    described = _api(window)
    description = _description(described)

    @get("/api/v1/openapi.json")
    async def openapi() -> Response[bytes]:
        return Response(description, media_type="application/vnd.oai.openapi+json", headers=_NO_STORE)

    return _kept_by_a_doorkeeper(
        Litestar(
            [*described, openapi, *_page()],
            exception_handlers={HTTPException: _refused, Exception: _failed},
            openapi_config=None,
            logging_config=None,
        )
    )


def _api(window: DeskWindow) -> list[HTTPRouteHandler]:
    @get("/health", summary="Does the server answer?")
    async def health() -> Response[Life]:
        return Response(Life(), headers=_NO_STORE)

    @get("/ready", summary="Does the desk report?", responses={503: _spec(Readiness, "The desk does not report.")})
    async def ready() -> Response[Readiness]:
        sight = window.look()
        if sight is None:
            return Response(Readiness(status="starting", age_seconds=None), status_code=503, headers=_NO_STORE)
        stale = sight[1] >= STALE_SECONDS
        answer = Readiness(status="stale" if stale else "ready", age_seconds=round(sight[1], 3))
        return Response(answer, status_code=503 if stale else 200, headers=_NO_STORE)

    @get(
        "/api/v1/desk",
        summary="The desk at its newest snapshot",
        description="Times are nanoseconds since 1970, UTC; exact numbers are text.",
        responses={
            200: _spec(DeskSnapshot, "The snapshot; header Snapshot-Age-Seconds says how old it is."),
            503: _spec(Problem, "The desk has not reported yet.", _PROBLEM),
        },
    )
    async def desk() -> Response[bytes]:
        sight = window.look()
        if sight is None:
            detail = "the desk has not reported yet; ask again in a second"
            return _problem(503, detail, {"Retry-After": "1"})
        age = {"Snapshot-Age-Seconds": f"{sight[1]:.3f}"}
        return Response(msgspec.json.encode(sight[0]), media_type=MediaType.JSON, headers={**_NO_STORE, **age})

    return [health, ready, desk]


def _page() -> list[HTTPRouteHandler]:
    page = _page_files()

    @get("/")
    async def index(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _send(page["index.html"], request)

    @get("/static/{name:str}")
    async def static(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = request.path_params["name"]
        if name not in page:
            raise NotFoundException(f"there is no {name}")
        return _send(page[name], request)

    @get("/favicon.ico", status_code=204)
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


def _description(handlers: list[HTTPRouteHandler]) -> bytes:
    # An application of its own: Litestar serves its description only beside routes that answer in HTML.
    config = OpenAPIConfig(title="TMT desk", version=__version__, path="/description")
    described = Litestar(handlers, plugins=[_ExactAsText()], openapi_config=config, logging_config=None)
    return msgspec.json.encode(described.openapi_schema.to_schema())


def _spec(answer: type[msgspec.Struct], description: str, media_type: str = "application/json") -> ResponseSpec:
    return ResponseSpec(answer, generate_examples=False, description=description, media_type=media_type)


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response[bytes]:
    body = msgspec.json.encode(Problem(title=HTTPStatus(status).phrase, status=status, detail=detail))
    return Response(body, status_code=status, media_type=_PROBLEM, headers={**_NO_STORE, **(headers or {})})


def _refused(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _problem(error.status_code, error.detail)


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _LOG.error("%s failed", request.url.path, exc_info=error)
    return _problem(500, "the server failed; its log says why")


def _kept_by_a_doorkeeper(app: ASGIApp) -> ASGIApp:
    """Lets in only what reads and is addressed to this machine, and puts the security headers on every answer."""

    async def keep(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_SECURITY_HEADERS]
            await send(message)

        refusal = _refusal(scope)
        if refusal is not None:
            await refusal.to_asgi_response(None, Request(scope))(scope, receive, send_secured)
            return
        # A HEAD is a GET whose body the server leaves out.
        reading = scope.copy()
        reading["method"] = HttpMethod.GET
        await app(reading, receive, send_secured)

    return keep


def _refusal(scope: HTTPScope) -> Response[bytes] | None:
    # A site that makes its name point to 127.0.0.1 would otherwise read the desk through its visitor's browser.
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1 or _LOOPBACK_HOST.fullmatch(hosts[0]) is None:
        return _problem(421, "this server answers only to localhost, 127.0.0.1 and [::1]")
    if scope["method"] not in _READING:
        return _problem(405, "this page only shows; it takes GET and HEAD", {"Allow": ", ".join(_READING)})
    return None
