"""The door of a desk in another process: the engine's `POST /api/v1/commands`."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

import httpx
import msgspec

from tmt.errors import AdapterUnavailable, InputError, OutcomeUnknown
from tmt.messages import Message, decode, encode
from tmt.ports.door import Taken

PATH: Final = "/api/v1/commands"
CONNECT_SECONDS_MAX: Final = 2.0
CONNECTIONS_MAX: Final = 64
_KEEP_ALIVE_SECONDS: Final = 4.0
_ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    message_id: str
    position: int
    repeated: bool
    answers: tuple[msgspec.Raw, ...]


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    code: str = ""
    detail: str = ""


class HttpDoor:
    """See `ports.door.Door`. Close it with `aclose`.

    Args:
        url: of the engine, such as "https://127.0.0.1:9001".
        token: the service's own, asked for anew with each command.
        tls: whom to trust and which certificate to show; None for an engine on plain HTTP.
        seconds_max: how long an answer is waited for.
    """

    def __init__(self, url: str, token: Callable[[], str], tls: ssl.SSLContext | None, seconds_max: float) -> None:
        self._token = token
        self._client = httpx.AsyncClient(
            base_url=url,
            verify=True if tls is None else tls,
            timeout=httpx.Timeout(seconds_max, connect=min(CONNECT_SECONDS_MAX, seconds_max)),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=_KEEP_ALIVE_SECONDS),
            trust_env=False,
        )

    async def submit(self, command: Message) -> Taken:
        """Run `command` once."""
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
        try:
            async with self._client.stream("POST", PATH, content=encode(command), headers=headers) as answer:
                body = await _bounded(answer)
        except _NOT_SENT as error:
            what = f"the engine cannot be reached: {type(error).__name__}"
            raise AdapterUnavailable("TMT-E009", what, where=str(self._client.base_url)) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _unknown(command, type(error).__name__) from error
        if answer.status_code == 200:
            return _taken(command, body)
        raise _refused(command, answer.status_code, body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _bounded(answer: httpx.Response) -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > _ANSWER_BYTES_MAX:
            raise httpx.DecodingError(f"an answer of more than {_ANSWER_BYTES_MAX} bytes")
    return body


def _taken(command: Message, body: bytes) -> Taken:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unknown(command, "an answer that cannot be read") from error
    return Taken(
        message_id=answer.message_id,
        position=answer.position,
        repeated=answer.repeated,
        answers=tuple(decode(bytes(each)) for each in answer.answers),
    )


def _refused(command: Message, status: int, body: bytes) -> Exception:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        refusal = _Refusal()
    match status:
        case 400:
            return InputError(refusal.code or "TMT-E004", refusal.detail or "the engine does not take the command")
        case 503 if refusal.code:
            return AdapterUnavailable(refusal.code, refusal.detail)
        case 401 | 403 | 404 | 405 | 413 | 415 | 421 | 429:
            what = f"the engine turned the gateway away with {status} {refusal.code}; the command was not taken"
            return AdapterUnavailable("TMT-E009", what)
        case _:
            return _unknown(command, f"status {status}")


def _unknown(command: Message, why: str) -> OutcomeUnknown:
    what = f"the engine was sent command {command.message_id}, and its answer did not come: {why}"
    return OutcomeUnknown("TMT-E003", what, fix="send the same command with the same id again to learn")
