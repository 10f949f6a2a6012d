"""What the analysis calls wide, heavy, near and late.

Names ending in `_atr` are multiples of the average true range, in `_ratio` multiples of the instrument's own slow mean,
in `_share` parts of a whole in [0, 1], in `_bars` whole numbers of bars. They are statistics, hence floats; what
decides on a signal in money's terms is exact.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec

from tmt.domain.money import Exact, fraction, positive
from tmt.market.bar import Timeframe


class WyckoffRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of thresholds, checked by the last word of each name.

    Raises:
        ValueError: when a number is not finite, is negative, is a share above 1, or counts fewer than 1 bar.
    """

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value: Any = getattr(self, name)
            if isinstance(value, float):
                upper = 1.0 if name.endswith("_share") else 1e6
                if not isfinite(value) or not 0 <= value <= upper:
                    raise ValueError(f"{name} must be in [0, {upper:g}], was {value}")
            elif isinstance(value, int) and value < 1:
                raise ValueError(f"{name} must be at least 1, was {value}")


class NormRules(WyckoffRules, frozen=True, kw_only=True):
    """What is normal for a track.

    Attributes:
        window_bars: bars kept, and ranked against.
        warm_up_bars: bars before anything is judged; at most `window_bars`.
        mean_bars: memory of the slow means of spread, effort and close.
        true_range_bars: memory of the average true range.
        hour_days: memory, in days, of the usual effort in each hour of the day.
        hour_days_min: days of an hour that must be known before effort is measured against it.
        effort_variation_min_share: mean deviation over mean, below which effort tells nothing and spread stands in.
    """

    window_bars: int
    warm_up_bars: int
    mean_bars: int
    true_range_bars: int
    hour_days: int
    hour_days_min: int
    effort_variation_min_share: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warm_up_bars > self.window_bars:
            raise ValueError(f"warm_up_bars must be at most {self.window_bars}, was {self.warm_up_bars}")


class ClimaxRules(WyckoffRules, frozen=True, kw_only=True):
    """A bar that may end a trend: SC, BC, and with weaker numbers PS, PSY.

    Raises:
        ValueError: also when `spread_ratio_min` is below 1: a climax is wide.

    Attributes:
        trend_bars: bars over which the trend into it is measured, and within which a preliminary stop belongs to it.
        trend_atr_min: length of that trend.
        spread_ratio_min, effort_ratio_min: against the slow means.
        rank_min_share: share of the window's bars that its spread and its effort must each exceed.
        location_min_share: how far from its extreme it must close.
    """

    trend_bars: int
    trend_atr_min: float
    spread_ratio_min: float
    effort_ratio_min: float
    rank_min_share: float
    location_min_share: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spread_ratio_min < 1:
            raise ValueError(f"spread_ratio_min must be at least 1, was {self.spread_ratio_min}")


class RangeRules(WyckoffRules, frozen=True, kw_only=True):
    """Phases A and B: how a range is fixed, tested, and given up.

    Attributes:
        rally_atr_min: height of the automatic rally.
        rally_turn_atr: how far below its peak a bar must close for the rally to be over.
        rally_bars_max: bars it may take.
        retrace_max_share: part of the trend that it may take back; more is a reversal, not a range.
        test_zone_share: part of the range's height next to the climax in which a secondary test happens.
        test_spread_max_share, test_effort_max_share: of the climax's own.
        test_location_min_share: how far from its extreme a test must close.
        test_spacing_bars: bars between two tests.
        edge_atr: how far past an edge is still at the edge.
        cause_bars_min: bars from climax to a spring or sign of strength.
        break_atr: a close this far past the edge breaks the range at once.
        lifetime_bars_max: bars after which a range is given up.
    """

    rally_atr_min: float
    rally_turn_atr: float
    rally_bars_max: int
    retrace_max_share: float
    test_zone_share: float
    test_spread_max_share: float
    test_effort_max_share: float
    test_location_min_share: float
    test_spacing_bars: int
    edge_atr: float
    cause_bars_min: int
    break_atr: float
    lifetime_bars_max: int


class SpringRules(WyckoffRules, frozen=True, kw_only=True):
    """Phase C: spring, shakeout, UTAD, and the test after them.

    Attributes:
        depth_atr_min, depth_atr_max: how far the thrust goes past the edge.
        recovery_bars_max: bars within which a close must be back inside.
        shakeout_effort_ratio_min: effort from which it is a shakeout, which wants a test.
        test_zone_share: part of the range's height next to the spring's extreme in which its test happens.
        test_spread_ratio_max, test_effort_ratio_max: against the slow means.
        test_location_min_share: how far from its extreme the test must close.
        sign_bars_max: bars within which a sign of strength must follow.
    """

    depth_atr_min: float
    depth_atr_max: float
    recovery_bars_max: int
    shakeout_effort_ratio_min: float
    test_zone_share: float
    test_spread_ratio_max: float
    test_effort_ratio_max: float
    test_location_min_share: float
    sign_bars_max: int


class SignRules(WyckoffRules, frozen=True, kw_only=True):
    """Phases D and E: sign of strength or weakness, last points, the move.

    Attributes:
        advance_bars: bars of the swing that leaves the range.
        advance_atr_min: its progress from close to close.
        effort_ratio_min: the swing's mean effort.
        spread_ratio_min: the swing's widest spread.
        location_min_share: how near its far end the last bar must close.
        leave_atr_max: a close this far outside without a sign ends the range: it left unseen.
        reaction_atr_min: depth of a reaction that can be a last point.
        reaction_spread_ratio_max, reaction_effort_ratio_max: at the reaction's end.
        reaction_location_min_share: how far from its extreme the reaction's last bar must close.
        backup_zone_share: part of the range's height next to the crossed edge in which a reaction is a back-up.
        last_points_max: last points told in one range.
        spacing_bars: bars between two of them.
        move_bars_max: bars after which phases D and E are over.
    """

    advance_bars: int
    advance_atr_min: float
    effort_ratio_min: float
    spread_ratio_min: float
    location_min_share: float
    leave_atr_max: float
    reaction_atr_min: float
    reaction_spread_ratio_max: float
    reaction_effort_ratio_max: float
    reaction_location_min_share: float
    backup_zone_share: float
    last_points_max: int
    spacing_bars: int
    move_bars_max: int


class ConfidenceWeights(WyckoffRules, frozen=True, kw_only=True):
    """How much each piece of evidence counts; evidence that a range does not have is left out, not counted as 0."""

    climax: float
    dry_up: float
    spring: float
    sign: float
    higher_timeframe: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.climax <= 0:
            raise ValueError(f"climax must be above 0, was {self.climax}: it is the evidence every range has")


class SignalRules(WyckoffRules, frozen=True, kw_only=True):
    """When an event becomes a view.

    Attributes:
        confidence_min: in [0, 1].
        reward_to_risk_min: distance to target over distance to stop, both from the entry.
        stop_atr: how far beyond the range's or the spring's extreme the stop lies.
        spring_strength_min_share: a spring at least this strong is a signal without waiting for its test; 1 waits.
        box_atr: box of the point-and-figure count, with three-box reversal.
        count_heights_max: bound of the count, in heights of the range.
        cool_off_bars: bars between two signals of one instrument and timeframe.
        signals_a_range_max: signals of one trading range.
        signals_a_week_max: signals of one instrument on all timeframes in any seven days.
        weights: of the pieces of evidence.
    """

    confidence_min: Exact
    reward_to_risk_min: Exact
    stop_atr: float
    spring_strength_min_share: float
    box_atr: float
    count_heights_max: float
    cool_off_bars: int
    signals_a_range_max: int
    signals_a_week_max: int
    weights: ConfidenceWeights

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction("confidence_min", self.confidence_min)
        positive("reward_to_risk_min", self.reward_to_risk_min)


class WyckoffConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the analysis is told. `timeframes` is in rising length; bars of others are ignored."""

    timeframes: tuple[Timeframe, ...]
    norm: NormRules
    climax: ClimaxRules
    preliminary: ClimaxRules
    range: RangeRules
    spring: SpringRules
    sign: SignRules
    signal: SignalRules

    def __post_init__(self) -> None:
        lengths_ns = [timeframe.nanoseconds for timeframe in self.timeframes]
        if not lengths_ns or lengths_ns != sorted(set(lengths_ns)):
            raise ValueError(f"timeframes must be given, each once, in rising length, were {list(self.timeframes)}")
        for rules in (self.climax, self.preliminary):
            if rules.trend_bars > self.norm.warm_up_bars:
                raise ValueError(f"trend_bars must be at most {self.norm.warm_up_bars}, was {rules.trend_bars}")
        if self.sign.advance_bars > self.norm.warm_up_bars:
            raise ValueError(f"advance_bars must be at most {self.norm.warm_up_bars}, was {self.sign.advance_bars}")
