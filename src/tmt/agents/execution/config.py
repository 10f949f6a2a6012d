"""Configuration of the execution agent."""

from __future__ import annotations

import msgspec


class ExecutionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much execution remembers, and how fast it speaks.

    Attributes:
        ended_orders_max: ended orders remembered, so that a late fill still finds its order.
        used_releases_max: releases remembered, so that none is used twice; at least 256.
        messages_per_second: tokens that the bucket of messages to the venue gains, in [1, 1,000,000].
        messages_burst: tokens that it holds: so many messages may go at once.
    """

    ended_orders_max: int
    used_releases_max: int
    messages_per_second: int
    messages_burst: int

    def __post_init__(self) -> None:
        if self.ended_orders_max < 1:
            raise ValueError(f"ended_orders_max must be at least 1, was {self.ended_orders_max}")
        if self.used_releases_max < 256:
            raise ValueError(f"used_releases_max must be at least 256, was {self.used_releases_max}")
        if not 1 <= self.messages_per_second <= 1_000_000:
            raise ValueError(f"messages_per_second must be in [1, 1000000], was {self.messages_per_second}")
        if self.messages_burst < 1:
            raise ValueError(f"messages_burst must be at least 1, was {self.messages_burst}")
