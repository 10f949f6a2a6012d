"""What bounds a service, and who may reach it."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of one service; reaching one is answered with a problem, never with waiting.

    Attributes:
        body_bytes_max: of a request.
        header_bytes_max: names and values of a request's headers together.
        handler_seconds_max: from a request's first byte of body to the last of its answer.
        graceful_seconds_max: what answers under way get to end in when the service stops.
        requests_at_once_max: answered at a time; what is urgent, such as the emergency stop, has places of its own.
        connections_max: held open at a time.
        frame_bytes_max: of one WebSocket frame from a client.
        ping_seconds: between pings of a WebSocket; one unanswered for as long ends it.
        queue_frames_max: frames that may wait for one slow WebSocket client.
        authenticate_seconds_max: what a WebSocket gets to say who it is.
    """

    body_bytes_max: int
    header_bytes_max: int
    handler_seconds_max: int
    graceful_seconds_max: int
    requests_at_once_max: int
    connections_max: int
    frame_bytes_max: int
    ping_seconds: int
    queue_frames_max: int
    authenticate_seconds_max: int

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, was {getattr(self, name)}")


class WebConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the services are reached.

    Attributes:
        allowed_hosts: names in the `Host` header that are answered, beside those of this machine.
        allowed_origins: origins of other pages that a browser may let read answers, such as "https://desk.example".
        metrics_open_on_loopback: whether `/metrics` asks programs on this machine for no credentials.
        plain_http_beyond_loopback: whether a service may listen for other machines without TLS.
    """

    limits: Limits
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    metrics_open_on_loopback: bool
    plain_http_beyond_loopback: bool
