"""Phases A to E: which events a range waits for, and when it is given up."""

from __future__ import annotations

import msgspec

from tmt.agents.wyckoff import events
from tmt.agents.wyckoff.config import WyckoffConfig
from tmt.agents.wyckoff.events import Event
from tmt.agents.wyckoff.signals import count_target
from tmt.agents.wyckoff.track import Figures, Reading, Track
from tmt.agents.wyckoff.trading_range import TradingRange

ABANDONED = "abandoned"
COMPLETED = "completed"
OVER = (ABANDONED, COMPLETED)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one bar means to one direction.

    Attributes:
        event: what was seen.
        phase: the phase entered, if another one.
        setup: the kind of entry that the event offers: "spring", "test", "LPS" or "BU".
    """

    event: Event | None = None
    phase: str | None = None
    setup: str | None = None


def begin(track: Track, figures: Figures, reading: Reading, fresh: bool, config: WyckoffConfig) -> Verdict | None:
    """Whether a range begins here. `fresh` when no preliminary stop is known of this trend."""
    event = events.climax(track, figures, reading, config.climax, "SC")
    if event is not None:
        return Verdict(event=event, phase="A")
    event = events.climax(track, figures, reading, config.preliminary, "PS") if fresh else None
    return None if event is None else Verdict(event=event)


def judge(
    track: Track, held: TradingRange, figures: Figures, reading: Reading, config: WyckoffConfig
) -> Verdict | None:
    """What the bar means to a live range; None when nothing."""
    if reading.number - held.opened > config.range.lifetime_bars_max:
        return Verdict(phase=ABANDONED)
    match held.phase:
        case "A":
            return _stopping(track, held, figures, reading, config)
        case "B" | "C":
            return _testing(track, held, figures, reading, config)
        case "D":
            return _dominance(held, reading, config)
        case _:
            return _move(held, reading, config)


def _stopping(
    track: Track, held: TradingRange, figures: Figures, reading: Reading, config: WyckoffConfig
) -> Verdict | None:
    rules = config.range
    if not held.edges_known and reading.low < held.support:
        again = events.climax(track, figures, reading, config.climax, "SC")
        if again is not None:
            return Verdict(event=again)
    if reading.close < held.support - rules.break_atr * reading.atr:
        return Verdict(event=events.failure("climax_did_not_hold", held.support, reading), phase=ABANDONED)
    if reading.high > held.support + rules.retrace_max_share * (held.origin - held.support):
        return Verdict(phase=ABANDONED)
    if held.edges_known:
        test = events.secondary_test(held, reading, rules)
        return None if test is None else Verdict(event=test, phase="B")
    rally = events.automatic_rally(held, reading, rules)
    if rally is not None:
        return Verdict(event=rally)
    return Verdict(phase=ABANDONED) if reading.number - held.opened > rules.rally_bars_max else None


def _testing(
    track: Track, held: TradingRange, figures: Figures, reading: Reading, config: WyckoffConfig
) -> Verdict | None:
    caused = reading.number - held.opened >= config.range.cause_bars_min
    broken = _broken_in_b(held, reading, config) if held.phase == "B" else _broken_in_c(held, reading, config)
    if broken is not None:
        return broken
    if caused:
        sign = events.sign_of_strength(track, figures, held, reading, config.sign)
        if sign is not None:
            return Verdict(event=sign, phase="D")
    if reading.close > held.resistance + config.sign.leave_atr_max * reading.atr:
        return Verdict(phase=ABANDONED)
    if held.phase == "C":
        test = events.spring_test(held, reading, config.spring)
        spaced = reading.number - held.tested >= config.range.test_spacing_bars
        return Verdict(event=test, setup="test") if test is not None and spaced else None
    thrust = events.spring(held, reading, config.spring) if caused else None
    if thrust is not None:
        assert thrust.strength is not None
        strong = thrust.name == "spring" and thrust.strength >= config.signal.spring_strength_min_share
        return Verdict(event=thrust, phase="C", setup="spring" if strong else None)
    test = events.secondary_test(held, reading, config.range)
    return None if test is None else Verdict(event=test)


def _broken_in_b(held: TradingRange, reading: Reading, config: WyckoffConfig) -> Verdict | None:
    outside = reading.close < held.support
    late = held.thrust_number > 0 and reading.number - held.thrust_number >= config.spring.recovery_bars_max
    deep = reading.low < held.support - config.spring.depth_atr_max * reading.atr
    far = reading.close < held.support - config.range.break_atr * reading.atr
    if far or deep or (outside and late):
        return Verdict(event=events.failure("support_did_not_hold", held.support, reading), phase=ABANDONED)
    return None


def _broken_in_c(held: TradingRange, reading: Reading, config: WyckoffConfig) -> Verdict | None:
    if reading.close < held.thrust_low:
        return Verdict(event=events.failure("spring_did_not_hold", held.thrust_low, reading), phase=ABANDONED)
    late = reading.number - held.phase_number > config.spring.sign_bars_max
    return Verdict(phase=ABANDONED) if late else None


def _dominance(held: TradingRange, reading: Reading, config: WyckoffConfig) -> Verdict | None:
    if reading.close < held.middle:
        return Verdict(event=events.failure("sign_of_strength_did_not_hold", held.middle, reading), phase=ABANDONED)
    if held.last_points and reading.close > held.peak:
        return Verdict(phase="E")
    point = events.last_point(held, reading, config.sign)
    if point is not None:
        return Verdict(event=point, setup=point.name)
    late = reading.number - held.phase_number > config.sign.move_bars_max
    return Verdict(phase=ABANDONED) if late else None


def _move(held: TradingRange, reading: Reading, config: WyckoffConfig) -> Verdict | None:
    if reading.close < held.middle:
        return Verdict(event=events.failure("move_did_not_hold", held.middle, reading), phase=ABANDONED)
    arrived = reading.high >= count_target(held, config.signal)
    late = reading.number - held.phase_number > config.sign.move_bars_max
    return Verdict(phase=COMPLETED) if arrived or late else None
