"""What surveillance looks for, how often, and from where on it speaks. A count equal to its limit is not flagged."""

from __future__ import annotations

from typing import Final

import msgspec

DAY_SECONDS: Final = 86_400


class SelfCrossing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Own orders on both sides, at or through one another, working at once.

    Attributes:
        pairs_max: such pairs between two looks.
    """

    pairs_max: int

    def __post_init__(self) -> None:
        _at_least("self_crossing.pairs_max", self.pairs_max, 0)


class Wash(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Own buys and sells of the same quantity at the same price, which change nothing but the volume.

    Attributes:
        within_seconds: longest time between the two.
        window_seconds: how far back pairs are counted.
        pairs_max: pairs in the window.
    """

    within_seconds: int
    window_seconds: int
    pairs_max: int

    def __post_init__(self) -> None:
        _at_least("wash.within_seconds", self.within_seconds, 1)
        _window("wash.window_seconds", self.window_seconds)
        _at_least("wash.pairs_max", self.pairs_max, 0)
        if self.within_seconds > self.window_seconds:
            raise ValueError(f"wash.within_seconds must be at most {self.window_seconds}, was {self.within_seconds}")


class Layering(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Orders shown on one side and cancelled unfilled, while the other side fills.

    Attributes:
        window_seconds: how far back orders are counted.
        cancelled_max: such orders in the window.
    """

    window_seconds: int
    cancelled_max: int

    def __post_init__(self) -> None:
        _window("layering.window_seconds", self.window_seconds)
        _at_least("layering.cancelled_max", self.cancelled_max, 1)


class MomentumIgnition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A burst of orders that take in one direction and move the price, turned round at a profit.

    Attributes:
        burst_seconds: longest time from the burst's first fill to its last.
        orders_max: orders in a burst.
        reversal_seconds: longest time from the burst's last fill to its reversal.
    """

    burst_seconds: int
    orders_max: int
    reversal_seconds: int

    def __post_init__(self) -> None:
        _window("momentum_ignition.burst_seconds", self.burst_seconds)
        _at_least("momentum_ignition.orders_max", self.orders_max, 1)
        _window("momentum_ignition.reversal_seconds", self.reversal_seconds)


class Runaway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy that submits without end: suspends the accounts it trades on, until a person reinstates them.

    Attributes:
        window_seconds: how far back its orders are counted; one exactly as old no longer counts.
        orders_max: orders that may open a position in the window, all accounts together.
    """

    window_seconds: int
    orders_max: int

    def __post_init__(self) -> None:
        _window("order_rate.window_seconds", self.window_seconds)
        _at_least("order_rate.orders_max", self.orders_max, 1)


class SurveillanceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The detectors.

    Attributes:
        interval_seconds: event time between two looks; the first order, fill or bar after it brings the next.
        remembered_max: orders, and as many fills, that are remembered.
    """

    interval_seconds: int
    remembered_max: int
    self_crossing: SelfCrossing
    wash: Wash
    layering: Layering
    momentum_ignition: MomentumIgnition
    order_rate: Runaway

    def __post_init__(self) -> None:
        _window("interval_seconds", self.interval_seconds)
        if self.remembered_max <= self.order_rate.orders_max:
            least = self.order_rate.orders_max + 1
            raise ValueError(f"remembered_max must be at least {least} to see a runaway, was {self.remembered_max}")

    @property
    def memory_seconds(self) -> int:
        """How far back any detector looks, what happens between two looks included."""
        ignition = self.momentum_ignition.burst_seconds + self.momentum_ignition.reversal_seconds
        windows = (self.wash.window_seconds, self.layering.window_seconds, self.order_rate.window_seconds, ignition)
        return self.interval_seconds + max(windows)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, was {value}")


def _window(name: str, seconds: int) -> None:
    if not 1 <= seconds <= DAY_SECONDS:
        raise ValueError(f"{name} must be in [1, {DAY_SECONDS}], was {seconds}")
