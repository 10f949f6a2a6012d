"""Settings of what the desk tells about itself."""

from __future__ import annotations

import msgspec


class TelemetryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traces; metrics are always there.

    Attributes:
        otlp_endpoint: address of an OTLP collector's traces over HTTP; empty for no traces.
        sampled_of_256: orders traced, of 256.
    """

    otlp_endpoint: str
    sampled_of_256: int

    def __post_init__(self) -> None:
        if not 0 <= self.sampled_of_256 <= 256:
            raise ValueError(f"sampled_of_256 must be 0 to 256, was {self.sampled_of_256}")
        if self.otlp_endpoint and not self.otlp_endpoint.startswith(("http://", "https://")):
            raise ValueError(f"otlp_endpoint must be an http or https address, was {self.otlp_endpoint!r}")
