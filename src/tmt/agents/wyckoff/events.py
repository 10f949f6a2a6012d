"""The method's events, one function each, in the order in which a range lives through them.

Each looks at one bar against what came before it and answers an `Event` or None. Written for accumulation; a
distribution passes negated prices and gets its own names when the event is told.
"""

from __future__ import annotations

import msgspec

from tmt.agents.wyckoff.config import ClimaxRules, RangeRules, SignRules, SpringRules
from tmt.agents.wyckoff.track import Figures, Reading, Track
from tmt.agents.wyckoff.trading_range import TradingRange
from tmt.domain.order import Side

FAILURE = "failure"
_DISTRIBUTION_NAMES = {
    "PS": "PSY",
    "SC": "BC",
    "spring": "UTAD",
    "shakeout": "UTAD",
    "SOS": "SOW",
    "LPS": "LPSY",
}

_DISTRIBUTION_EVIDENCE = {
    "support": "resistance",
    "resistance": "support",
    "rally": "reaction",
    "spring": "upthrust",
    "spring_low": "upthrust_high",
}


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """One number that an event rests on.

    Levels (unit "price") and distances (unit "distance") are in the track's units, levels of distribution negated.
    """

    name: str
    value: float
    unit: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What was recognised.

    Attributes:
        name: accumulation's name for it.
        level: the price that matters from now on, in the track's units.
        strength: how far it exceeds its rule, in [0, 1]; 0.5 just meets it. None where it does not count as evidence.
    """

    name: str
    rule: str
    level: float
    evidence: tuple[Evidence, ...]
    strength: float | None = None


_CANONICAL_NAMES = {told: name for name, told in reversed(_DISTRIBUTION_NAMES.items())}


def canonical(name: str) -> str:
    """Accumulation's name of an event that was told by either; a UTAD is a "spring"."""
    return _CANONICAL_NAMES.get(name, name)


def evidence_name_for(side: Side, name: str) -> str:
    """What a piece of evidence is called in the market's own terms."""
    return _DISTRIBUTION_EVIDENCE.get(name, name) if side is Side.SELL else name


def name_for(side: Side, name: str) -> str:
    """The event's name in accumulation (buy) or distribution (sell)."""
    return name if side is Side.BUY else _DISTRIBUTION_NAMES.get(name, name)


def beyond(value: float, least: float) -> float:
    """0.5 where `value` is the least that counts, 1 from twice that on."""
    return min(1.0, value / (2 * least)) if least > 0 else 1.0


def within(value: float, most: float) -> float:
    """0.5 where `value` is the most that counts, 1 at 0."""
    return 1 - min(1.0, value / (2 * most)) if most > 0 else 0.5


def climax(track: Track, figures: Figures, reading: Reading, rules: ClimaxRules, name: str) -> Event | None:
    """SC, or PS: after a decline, a wide bar of great effort that makes the low and closes well off it."""
    if reading.spread_ratio < rules.spread_ratio_min or reading.effort_ratio < rules.effort_ratio_min:
        return None
    if reading.location < rules.location_min_share:
        return None
    past = track.window[-rules.trend_bars :]
    if reading.sign > 0:
        top, bottom = max(bar.high for bar in past), min(bar.low for bar in past)
    else:
        top, bottom = -min(bar.low for bar in past), -max(bar.high for bar in past)
    if reading.low >= bottom or reading.atr <= 0:
        return None
    trend_atr = (top - reading.low) / reading.atr
    if trend_atr < rules.trend_atr_min:
        return None
    bars = len(track.window)
    spread_rank = sum(1 for bar in track.window if bar.high - bar.low < reading.spread) / bars
    effort_rank = spread_rank
    if reading.effort_tells:
        effort_rank = sum(1 for bar in track.window if bar.effort < figures.effort) / bars
    if spread_rank < rules.rank_min_share or effort_rank < rules.rank_min_share:
        return None
    strengths = (
        beyond(reading.spread_ratio, rules.spread_ratio_min),
        beyond(reading.effort_ratio, rules.effort_ratio_min),
        beyond(trend_atr, rules.trend_atr_min),
    )
    return Event(
        name=name,
        rule="wide_bar_of_great_effort_ends_the_trend",
        level=reading.low,
        strength=sum(strengths) / 3,
        evidence=(
            Evidence("trend", trend_atr, "atr"),
            Evidence("trend_origin", top, "price"),
            Evidence("average_true_range", reading.atr, "distance"),
            Evidence("spread_rank", spread_rank, "share"),
            Evidence("effort_rank", effort_rank, "share"),
        ),
    )


def automatic_rally(held: TradingRange, reading: Reading, rules: RangeRules) -> Event | None:
    """AR: the rally from the climax was high enough and has turned; its peak is the other edge."""
    rally_atr = (held.peak - held.support) / held.atr
    if rally_atr < rules.rally_atr_min or reading.close > held.peak - rules.rally_turn_atr * reading.atr:
        return None
    evidence = (Evidence("rally", rally_atr, "atr"), Evidence("support", held.support, "price"))
    return Event(name="AR", rule="rally_from_climax_has_turned", level=held.peak, evidence=evidence)


def secondary_test(held: TradingRange, reading: Reading, rules: RangeRules) -> Event | None:
    """ST: a return to the climax's area on less spread and effort that holds."""
    if reading.low > held.support + rules.test_zone_share * held.height or reading.close < held.support:
        return None
    if reading.low < held.support - rules.edge_atr * reading.atr or reading.location < rules.test_location_min_share:
        return None
    if held.tested and reading.number - held.tested < rules.test_spacing_bars:
        return None
    spread_share = reading.spread / held.climax_spread if held.climax_spread > 0 else 1.0
    effort_share = reading.effort_ratio / held.climax_effort_ratio if held.climax_effort_ratio > 0 else 1.0
    if spread_share > rules.test_spread_max_share or effort_share > rules.test_effort_max_share:
        return None
    strengths = within(spread_share, rules.test_spread_max_share), within(effort_share, rules.test_effort_max_share)
    return Event(
        name="ST",
        rule="climax_area_holds_on_less_spread_and_effort",
        level=reading.low,
        strength=sum(strengths) / 2,
        evidence=(
            Evidence("support", held.support, "price"),
            Evidence("resistance", held.resistance, "price"),
            Evidence("spread_to_climax", spread_share, "ratio"),
            Evidence("effort_to_climax", effort_share, "ratio"),
        ),
    )


def spring(held: TradingRange, reading: Reading, rules: SpringRules) -> Event | None:
    """Spring or shakeout: a thrust below support that closes back inside in time."""
    began = held.thrust_number or reading.number
    low = min(held.thrust_low, reading.low) if held.thrust_number else reading.low
    depth_atr = (held.support - low) / reading.atr
    bars = reading.number - began + 1
    if reading.close <= held.support or not rules.depth_atr_min <= depth_atr <= rules.depth_atr_max:
        return None
    if bars > rules.recovery_bars_max:
        return None
    heavy = reading.effort_ratio >= rules.shakeout_effort_ratio_min
    strengths = (
        within(depth_atr, rules.depth_atr_max),
        within(1 - reading.location, 1.0),
        within(reading.effort_ratio, rules.shakeout_effort_ratio_min),
    )
    return Event(
        name="shakeout" if heavy else "spring",
        rule="thrust_past_edge_closed_back_inside",
        level=low,
        strength=sum(strengths) / 3,
        evidence=(
            Evidence("support", held.support, "price"),
            Evidence("depth", depth_atr, "atr"),
            Evidence("recovery", bars, "bars"),
        ),
    )


def spring_test(held: TradingRange, reading: Reading, rules: SpringRules) -> Event | None:
    """Test: a dip toward the spring's low on little spread and effort, at a higher low."""
    if not held.thrust_low < reading.low <= held.thrust_low + rules.test_zone_share * held.height:
        return None
    if reading.spread_ratio > rules.test_spread_ratio_max or reading.effort_ratio > rules.test_effort_ratio_max:
        return None
    if reading.location < rules.test_location_min_share:
        return None
    strengths = (
        within(reading.spread_ratio, rules.test_spread_ratio_max),
        within(reading.effort_ratio, rules.test_effort_ratio_max),
    )
    return Event(
        name="test",
        rule="higher_low_on_little_spread_and_effort",
        level=reading.low,
        strength=sum(strengths) / 2,
        evidence=(Evidence("spring_low", held.thrust_low, "price"), Evidence("support", held.support, "price")),
    )


def sign_of_strength(
    track: Track, figures: Figures, held: TradingRange, reading: Reading, rules: SignRules
) -> Event | None:
    """SOS: a swing of one to a few bars through resistance, on spread and effort, that closes near its high."""
    if reading.close <= held.resistance or reading.location < rules.location_min_share:
        return None
    before = track.window[-rules.advance_bars].close * reading.sign
    advance_atr = (reading.close - before) / reading.atr
    if advance_atr < rules.advance_atr_min:
        return None
    swing = (*track.window[-rules.advance_bars :][1:], figures)
    spread_ratio = max(bar.high - bar.low for bar in swing) / track.spread
    effort_ratio = (
        sum(bar.effort for bar in swing) / (len(swing) * track.effort) if reading.effort_tells else spread_ratio
    )
    if spread_ratio < rules.spread_ratio_min or effort_ratio < rules.effort_ratio_min:
        return None
    strengths = (
        beyond(advance_atr, rules.advance_atr_min),
        beyond(effort_ratio, rules.effort_ratio_min),
        beyond(spread_ratio, rules.spread_ratio_min),
    )
    return Event(
        name="SOS",
        rule="advance_through_edge_on_spread_and_effort",
        level=reading.close,
        strength=sum(strengths) / 3,
        evidence=(
            Evidence("resistance", held.resistance, "price"),
            Evidence("advance", advance_atr, "atr"),
            Evidence("swing_spread_ratio", spread_ratio, "ratio"),
            Evidence("swing_effort_ratio", effort_ratio, "ratio"),
        ),
    )


def last_point(held: TradingRange, reading: Reading, rules: SignRules) -> Event | None:
    """LPS, or BU at the crossed edge: a reaction that ends on little spread and effort above the range's middle."""
    reaction_atr = (held.peak - reading.low) / reading.atr
    if reaction_atr < rules.reaction_atr_min or reading.low <= held.middle:
        return None
    if held.last_points >= rules.last_points_max or reading.number - held.tested < rules.spacing_bars:
        return None
    if reading.spread_ratio > rules.reaction_spread_ratio_max or reading.location < rules.reaction_location_min_share:
        return None
    if reading.effort_ratio > rules.reaction_effort_ratio_max:
        return None
    at_edge = reading.low >= held.resistance - rules.backup_zone_share * held.height
    strengths = (
        within(reading.spread_ratio, rules.reaction_spread_ratio_max),
        within(reading.effort_ratio, rules.reaction_effort_ratio_max),
    )
    return Event(
        name="BU" if at_edge else "LPS",
        rule="reaction_fades_at_crossed_edge" if at_edge else "reaction_fades_above_middle",
        level=reading.low,
        strength=sum(strengths) / 2,
        evidence=(
            Evidence("resistance", held.resistance, "price"),
            Evidence("middle", held.middle, "price"),
            Evidence("reaction", reaction_atr, "atr"),
        ),
    )


def failure(rule: str, level: float, reading: Reading) -> Event:
    """The range is broken the other way: `level` did not hold."""
    evidence = (Evidence("level", level, "price"), Evidence("beyond", (level - reading.close) / reading.atr, "atr"))
    return Event(name=FAILURE, rule=rule, level=reading.close, evidence=evidence)
