"""Schedules: a large parent order cut into slices over time, to lower its impact on the market."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

import msgspec

from tmt.domain.money import ZERO, Exact, fraction, positive


class Algorithm(StrEnum):
    """TWAP is even in time, VWAP follows the usual volume of the time of day, POV the volume traded meanwhile."""

    TWAP = "twap"
    VWAP = "vwap"
    POV = "pov"


class Slice(msgspec.Struct, frozen=True, array_like=True):
    """`quantity` units at event time `due_ns`; under POV an upper bound."""

    due_ns: int
    quantity: Exact


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When how much of a parent order goes out.

    Attributes:
        slices: at rising times, at least one. Their quantities sum to at least the parent's; a parent that a gate cuts
            loses its last slices.
        participation_fraction: under POV, the share of the traded volume that a slice may have; else None.
        seed: what times and sizes were varied by, so that anyone can derive them again.
    """

    algorithm: Algorithm
    slices: tuple[Slice, ...]
    seed: str
    participation_fraction: Exact | None = None

    def __post_init__(self) -> None:
        if not self.slices:
            raise ValueError("slices must not be empty")
        for before, after in pairwise(self.slices):
            if after.due_ns <= before.due_ns:
                raise ValueError(f"slices must rise in time, were at {before.due_ns} and {after.due_ns}")
        for each in self.slices:
            positive("quantity of a slice", each.quantity)
        if (self.algorithm is Algorithm.POV) != (self.participation_fraction is not None):
            raise ValueError(f"participation_fraction of {self.algorithm} was {self.participation_fraction}")
        if self.participation_fraction is not None:
            fraction("participation_fraction", self.participation_fraction)

    @property
    def quantity(self) -> Decimal:
        """Units of all slices."""
        return sum((each.quantity for each in self.slices), ZERO)
