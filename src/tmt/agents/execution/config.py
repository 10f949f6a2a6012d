"""Configuration of the execution agent."""

from __future__ import annotations

import msgspec


class ExecutionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much execution remembers.

    Attributes:
        ended_orders_max: ended orders remembered, so that a late fill still finds its order.
        used_releases_max: releases remembered, so that none is used twice; at least 256.
    """

    ended_orders_max: int
    used_releases_max: int

    def __post_init__(self) -> None:
        if self.ended_orders_max < 1:
            raise ValueError(f"ended_orders_max must be at least 1, was {self.ended_orders_max}")
        if self.used_releases_max < 256:
            raise ValueError(f"used_releases_max must be at least 256, was {self.used_releases_max}")
