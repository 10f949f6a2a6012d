"""Settings of the bus on Kafka."""

from __future__ import annotations

import msgspec


class BusConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How processes of one desk find one another.

    Attributes:
        bootstrap: brokers, "host:port" and commas.
        prefix: of every topic and consumer group, so that desks may share brokers.
        replication: copies of each partition; at most the number of brokers.
        resend_milliseconds: wait for an answer before a message is sent again, and every instance may answer.
        patience_seconds: wait for an answer before the agent counts as lost.
        lag_seconds_max: longest wait for an answer that is no lag of the bus; beyond it the system's breaker opens.
        urgent_patience_milliseconds: the same while an emergency stop waits.
    """

    bootstrap: str
    prefix: str
    replication: int
    resend_milliseconds: int
    patience_seconds: int
    urgent_patience_milliseconds: int
    lag_seconds_max: int

    def __post_init__(self) -> None:
        if not self.bootstrap:
            raise ValueError("bootstrap must name a broker, such as 127.0.0.1:9093")
        if not self.prefix or not all(part.isalnum() or part in "-_" for part in self.prefix):
            raise ValueError(f"prefix must be letters, digits, '-' and '_', was {self.prefix!r}")
        for name, lowest, highest in (
            ("replication", 1, 9),
            ("resend_milliseconds", 20, 60_000),
            ("patience_seconds", 1, 3_600),
            ("urgent_patience_milliseconds", 1, 10_000),
            ("lag_seconds_max", 1, 3_600),
        ):
            if not lowest <= getattr(self, name) <= highest:
                raise ValueError(f"{name} must be {lowest} to {highest}, was {getattr(self, name)}")
