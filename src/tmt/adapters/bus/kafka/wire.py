"""What travels: one logged message a record, its place in the log in the headers."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from confluent_kafka import Message as Record

from tmt.errors import CorruptMessage
from tmt.ports.event_log import Recorded

RECORD_BYTES_MAX: Final = 8 * 1024 * 1024
"""Largest record; a day of one instrument's quotes in columns is far below."""

_ID: Final = "message-id"
_CORRELATION: Final = "correlation-id"
_TYPE: Final = "type"
_OCCURRED: Final = "occurred-at-ns"
_RECORDED: Final = "recorded-at-ns"
_POSITION: Final = "position"
_PRIOR: Final = "prior"
_ATTEMPT: Final = "attempt"
_TRACE: Final = "traceparent"
REASON: Final = "reason"


class Heard(NamedTuple):
    """A record, taken apart.

    Attributes:
        prior: position of the message heard by agents before this one.
        attempt: 0 when sent for the first time.
    """

    recorded: Recorded
    prior: int
    attempt: int


def headers_of(recorded: Recorded, prior: int, attempt: int) -> list[tuple[str, bytes]]:
    """Headers of a record whose value is the message's canonical JSON.

    The trace context (W3C) is derived: the trace is the correlation, the span the message.
    """
    texts = {
        _POSITION: str(recorded.position),
        _PRIOR: str(prior),
        _ATTEMPT: str(attempt),
        _ID: recorded.message_id,
        _CORRELATION: recorded.correlation_id,
        _TYPE: recorded.type,
        _OCCURRED: str(recorded.occurred_at_ns),
        _RECORDED: str(recorded.recorded_at_ns),
        _TRACE: f"00-{recorded.correlation_id}-{recorded.message_id[:16]}-01",
    }
    return [(name, text.encode()) for name, text in texts.items()]


def headers_in(record: Record) -> list[tuple[str, bytes]]:
    """The record's headers, those without a value left out."""
    found: Any = record.headers() or ()
    return [(name, value) for name, value in found if isinstance(value, bytes)]


def heard_of(record: Record) -> Heard:
    """Take a record apart.

    Raises:
        CorruptMessage: when a header or the value is missing or is not what it should be.
    """
    headers = dict(headers_in(record))
    body = record.value()
    try:
        texts = {name: value.decode("ascii") for name, value in headers.items()}
        recorded = Recorded(
            position=int(texts[_POSITION]),
            recorded_at_ns=int(texts[_RECORDED]),
            message_id=texts[_ID],
            correlation_id=texts[_CORRELATION],
            type=texts[_TYPE],
            occurred_at_ns=int(texts[_OCCURRED]),
            body=b"" if body is None else bytes(body),
        )
        heard = Heard(recorded, int(texts[_PRIOR]), int(texts[_ATTEMPT]))
    except (KeyError, ValueError) as error:
        raise CorruptMessage("TMT-M002", f"a record's headers are not those of a logged message: {error!r}") from error
    if not 0 <= heard.prior < recorded.position:
        raise CorruptMessage("TMT-M002", f"position {recorded.position} cannot follow {heard.prior}")
    return heard
