"""Where the series lies and how much of it is kept."""

from __future__ import annotations

import msgspec


class StorageConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The storage API.

    Attributes:
        port: that it listens on.
        retain_days: event days of quotes, trades and metrics that are kept; bars and equity are kept for ever.
        memory_max_mb: what DuckDB may use for its buffers.
    """

    port: int
    retain_days: int
    memory_max_mb: int

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be 0 to 65535, was {self.port}")
        if not 1 <= self.retain_days <= 36_500:
            raise ValueError(f"retain_days must be 1 to 36500, was {self.retain_days}")
        if not 64 <= self.memory_max_mb <= 1_000_000:
            raise ValueError(f"memory_max_mb must be 64 to 1000000, was {self.memory_max_mb}")
