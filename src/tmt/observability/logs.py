"""The log of errors: one line an event, keys and values, secrets left out."""

from __future__ import annotations

import logging
from typing import Any, Final

import structlog
from structlog.typing import EventDict, WrappedLogger

SECRET_KEYS: Final = frozenset(
    {"authorization", "cookie", "password", "secret", "token", "access_token", "refresh_token", "api_key", "totp"}
)
"""Keys whose values are never written."""


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that writes through the standard library's logger of that name, whoever set that up."""
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            without_secrets,
            _on_one_line,
        ],
    )
    return bound


def without_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A structlog processor: values of `SECRET_KEYS` become a mark."""
    for key in event:
        if key.lower() in SECRET_KEYS:
            event[key] = "(secret)"
    return event


def _on_one_line(_: WrappedLogger, __: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    exc_info = event.pop("exc_info", None)
    parts = [str(event.pop("event")), *(f"{key}={value!r}" for key, value in event.items())]
    return (" ".join(parts),), {"exc_info": exc_info}
