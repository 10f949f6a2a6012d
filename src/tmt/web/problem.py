"""How a service says no: problem details (RFC 9457), the same form for every refusal and failure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException

from tmt.errors import AdapterUnavailable, CorruptMessage, InputError, OutcomeUnknown, TmtError
from tmt.observability.logs import logger

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1
"""When to come back to a service that is busy."""

_LOG: Final = logger(__name__)
_MISSING: Final = re.compile(r"Missing required (?P<source>\w+) parameter '(?P<key>[^']+)'")
"""What Litestar says of a parameter that a request lacks; it says it nowhere else."""
_STATUS: Final = {
    "TMT-A005": 403,
    "TMT-A013": 404,
    "TMT-A014": 409,
    "TMT-A023": 409,
    "TMT-T001": 404,
    "TMT-T002": 409,
    "TMT-T003": 404,
    "TMT-T004": 404,
}
"""Of errors in what was asked for, those that are not 400."""

_DETAILS: Final = {
    404: "there is nothing at this address",
    405: "this address does not take this method",
    500: "the service failed; its log says why",
}


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one part of a request; `where` is its path, such as "$.quantity" or "query: limit"."""

    where: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why there is no answer. `code` is one that `tmt explain` knows. Some problems carry more members."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[FieldProblem, ...] = ()


class Refused(Exception):
    """A handler's no.

    Args:
        status: of the answer, 400 to 599.
        code: one that `tmt explain` knows; empty for "TMT-W" and the status.
        detail: what is wrong and what to do, in a sentence.
        headers: of the answer.
        errors: fields that are wrong.
        more: further members of the problem, such as a gate's measured value and limit.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        errors: tuple[FieldProblem, ...] = (),
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        self.problem = Problem(
            type="about:blank",
            title=_title(status),
            status=status,
            detail=detail,
            code=code or f"TMT-W{status}",
            errors=errors,
        )

    def body(self) -> bytes:
        """The problem in JSON, without a line break."""
        return msgspec.json.encode({**msgspec.to_builtins(self.problem), **self.more})

    def response(self) -> Response[bytes]:
        """The problem as an answer."""
        return Response(self.body(), status_code=self.problem.status, media_type=MEDIA_TYPE, headers=self.headers)


def refused_by(error: Exception) -> Refused:
    """What a service answers when `error` was raised. An unexpected one is logged, and nothing of it is told."""
    match error:
        case Refused():
            return error
        case TmtError():
            return _refused_by_tmt(error)
        case HTTPException():
            return _refused_by_litestar(error)
        case RecursionError():
            return Refused(400, "", "the request is nested too deeply")
        case _:
            _LOG.error("a request failed", exc_info=error)
            return Refused(500, "", _DETAILS[500])


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of every service."""
    return refused_by(error).response()


def _refused_by_tmt(error: TmtError) -> Refused:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return _refused_by_access(error, status)
    said = f"{error.what}: {error.fix}" if error.fix else error.what
    match error:
        case InputError() | CorruptMessage():
            return Refused(_STATUS.get(error.code, 400), error.code, said)
        case OutcomeUnknown():
            return Refused(504, error.code, said)
        case AdapterUnavailable():
            _LOG.warning("something the service needs is away", error=str(error))
            detail = "something that the service needs is busy or away; nothing was done: try again"
            return Refused(503, error.code, detail, {"Retry-After": str(RETRY_SECONDS)})
        case _:
            _LOG.error("a request failed", exc_info=error)
            return Refused(500, error.code, _DETAILS[500])


def _refused_by_access(error: TmtError, status: int) -> Refused:
    headers = {}
    retry_after_seconds = getattr(error, "retry_after_seconds", None)
    if retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_seconds)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Refused(status, error.code, f"{error.what}: {error.fix}" if error.fix else error.what, headers)


def _refused_by_litestar(error: HTTPException) -> Refused:
    status = error.status_code
    if isinstance(error, ValidationException):
        found = error.extra if isinstance(error.extra, list) else []
        errors = tuple(FieldProblem(where=_place(each), detail=each["message"]) for each in found)
        if (missing := _MISSING.match(error.detail)) is not None:
            errors = (*errors, FieldProblem(where=f"{missing['source']}: {missing['key']}", detail="is missing"))
        return Refused(400, "", "the request is not one that this address takes", errors=errors)
    if status >= 500:
        _LOG.error("a request failed", exc_info=error)
        return Refused(500, "", _DETAILS[500])
    headers = {}
    if isinstance(error, MethodNotAllowedException):
        headers["Allow"] = allowed_methods(str((error.headers or {}).get("allow", "")).split(", "))
    return Refused(status, "", _DETAILS.get(status, "the request is not one that this address takes"), headers)


def _place(found: Mapping[str, Any]) -> str:
    source = found.get("source", "request")
    return f"{getattr(source, 'value', source)}: {found.get('key', '')}"


def allowed_methods(methods: list[str]) -> str:
    """The value of `Allow`, from the methods that handlers are declared with."""
    named = {*methods, "HEAD"} if "GET" in methods else set(methods)
    return ", ".join(sorted(named - {"OPTIONS", ""}))


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
