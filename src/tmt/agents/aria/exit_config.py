"""Configuration of the exits that ARIA manages. R is the distance from the entry to its first stop."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise

import msgspec

from tmt.domain.money import ONE, ZERO, Exact, fraction, not_negative, positive
from tmt.domain.news import Impact
from tmt.market.bar import Timeframe


class ExitRule(StrEnum):
    """Why ARIA leaves a position or moves its stop."""

    BREAK_EVEN = "break_even"
    PARTIAL = "partial"
    TRAIL = "trail"
    TIME = "time"
    NEWS = "news"
    MARGIN = "margin"


class BreakEven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From a profit of `at_r` R on, the stop stands at the entry, and `cost_multiple` times the fees paid beyond it."""

    at_r: Exact
    cost_multiple: Exact

    def __post_init__(self) -> None:
        positive("at_r", self.at_r)
        not_negative("cost_multiple", self.cost_multiple)


class Partial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At a profit of `at_r` R, `fraction` of everything that was bought or sold to open is closed, once."""

    at_r: Exact
    fraction: Exact

    def __post_init__(self) -> None:
        positive("at_r", self.at_r)
        positive("fraction", self.fraction)
        fraction("fraction", self.fraction)


class Trail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once the best profit was `from_r` R, the stop stays `atr_multiple` average true ranges behind the best price.

    It moves by `step_atr_multiple` average true ranges at least, so that not every bar sends a message.
    """

    from_r: Exact
    atr_multiple: Exact
    step_atr_multiple: Exact

    def __post_init__(self) -> None:
        not_negative("from_r", self.from_r)
        positive("atr_multiple", self.atr_multiple)
        not_negative("step_atr_multiple", self.step_atr_multiple)


class TimeExit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """After `bars_max` bars without ever a profit of `reach_r` R, the position is closed."""

    bars_max: int
    reach_r: Exact

    def __post_init__(self) -> None:
        if self.bars_max < 1:
            raise ValueError(f"bars_max must be at least 1, was {self.bars_max}")
        positive("reach_r", self.reach_r)


class NewsTightening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At least `minutes_before` news of these impacts, the stop comes to `atr_multiple` average true ranges."""

    minutes_before: int
    impacts: tuple[Impact, ...]
    atr_multiple: Exact

    def __post_init__(self) -> None:
        if self.minutes_before < 0:
            raise ValueError(f"minutes_before must be at least 0, was {self.minutes_before}")
        positive("atr_multiple", self.atr_multiple)


class ExitsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which exits ARIA manages, and how.

    Attributes:
        timeframe: bars at whose end positions are looked at; where data have longer bars only, the shortest they have.
        strategies: whose positions are managed; a margin stop-out concerns everybody's.
        rules: those in force.
        partials: at rising profits; their fractions sum to at most 1.
    """

    timeframe: Timeframe
    strategies: tuple[str, ...]
    rules: tuple[ExitRule, ...]
    break_even: BreakEven
    partials: tuple[Partial, ...]
    trail: Trail
    time: TimeExit
    news: NewsTightening

    def __post_init__(self) -> None:
        for before, after in pairwise(self.partials):
            if after.at_r <= before.at_r:
                raise ValueError(f"partials must rise, were at {before.at_r} R and {after.at_r} R")
        total = sum((each.fraction for each in self.partials), ZERO)
        if total > ONE:
            raise ValueError(f"fractions of partials must sum to at most 1, was {total}")
