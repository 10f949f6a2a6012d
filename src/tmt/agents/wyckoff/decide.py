"""What a closed bar means, and how what was said becomes state."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from tmt.agents.wyckoff import events, phases
from tmt.agents.wyckoff.config import WyckoffConfig
from tmt.agents.wyckoff.events import Event, Evidence
from tmt.agents.wyckoff.phases import Verdict
from tmt.agents.wyckoff.signals import View, agreement_of, form_view
from tmt.agents.wyckoff.track import Figures, Preliminary, Reading, Track, extend, figures_of, places_of, read
from tmt.agents.wyckoff.trading_range import TradingRange, after_event, follow
from tmt.domain.identity import derive_id
from tmt.domain.instrument import Instrument
from tmt.domain.order import Side
from tmt.market.bar import Bar, Timeframe
from tmt.messages import BarClosed, Message, PhaseChanged, SessionStarted, SignalRaised, WyckoffEventSeen

WEEK_NS = 7 * 86_400 * 1_000_000_000


class WyckoffState(msgspec.Struct, frozen=True, kw_only=True):
    """All that the analysis knows.

    Attributes:
        instruments: by symbol; bars of others are not analysed.
        tracks: by "symbol timeframe".
        signal_times_ns: of each instrument's signals in the latest seven days.
    """

    instruments: dict[str, Instrument] = {}
    tracks: dict[str, Track] = {}
    signal_times_ns: dict[str, tuple[int, ...]] = {}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one bar means to one direction of one track, ready to be told."""

    side: Side
    range_id: str
    phase_before: str
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    places: int
    view: View | None = None


def decide(state: WyckoffState, message: BarClosed, config: WyckoffConfig) -> tuple[Finding, ...]:
    """Judge a closed bar against what came before it; nothing when the instrument or timeframe is not analysed."""
    bar = message.bar
    track = state.tracks.get(track_key(bar.instrument, bar.timeframe))
    instrument = state.instruments.get(bar.instrument)
    if track is None or instrument is None or track.bars < config.norm.warm_up_bars:
        return ()
    if track.true_range <= 0 or track.spread <= 0:
        return ()
    figures = figures_of(track, bar, config.norm)
    findings = tuple(
        finding
        for side in Side
        if (finding := _judge(state, track, figures, bar, side, instrument, config)) is not None
    )
    if len(findings) == 2 and all(finding.view for finding in findings):
        # Two opposite views of one bar are no view.
        return tuple(replace(finding, view=None) for finding in findings)
    return findings


def evolve(state: WyckoffState, message: Message, config: WyckoffConfig) -> WyckoffState:
    """The state once `message` is known; the same object when it changes nothing."""
    match message:
        case BarClosed():
            return _with_bar(state, message.bar, config)
        case WyckoffEventSeen():
            key = track_key(message.instrument, message.timeframe)
            return _with_track(state, key, _with_event(state.tracks[key], message))
        case PhaseChanged():
            key = track_key(message.instrument, message.timeframe)
            return _with_track(state, key, _with_phase(state.tracks[key], message))
        case SignalRaised():
            return _with_signal(state, message)
        case SessionStarted():
            return replace(state, instruments={each.symbol: each for each in message.instruments})
        case _:
            return state


def track_key(instrument: str, timeframe: Timeframe) -> str:
    """Name of a track in the state."""
    return f"{instrument} {timeframe}"


def _judge(
    state: WyckoffState,
    track: Track,
    figures: Figures,
    bar: Bar,
    side: Side,
    instrument: Instrument,
    config: WyckoffConfig,
) -> Finding | None:
    held = track.ranges.get(side)
    if held is None and figures.high - figures.low < track.spread:
        # Cheap, and true of most bars: what is not even of mean spread begins nothing.
        return None
    reading = read(track, figures, side, config.norm)
    if held is None:
        known = track.preliminaries.get(side)
        fresh = known is None or reading.number - known.number > config.preliminary.trend_bars
        verdict = phases.begin(track, figures, reading, fresh, config)
        if verdict is None:
            return None
        new_id = derive_id(bar.instrument, bar.timeframe, side, str(bar.start_ns))
        range_id, phase_before = new_id if fresh or known is None else known.range_id, "none"
    else:
        verdict = phases.judge(track, held, figures, reading, config)
        if verdict is None:
            return None
        range_id, phase_before = held.range_id, held.phase
    finding = Finding(
        side=side,
        range_id=range_id,
        phase_before=phase_before,
        verdict=verdict,
        evidence=_common_evidence(reading, verdict.event, bar),
        places=track.places,
    )
    if verdict.setup is None or held is None or not _may_signal(state, track, held, bar, config):
        return finding
    return replace(finding, view=_view(state, track, held, reading, bar, side, verdict, instrument, config))


def _common_evidence(reading: Reading, event: Event | None, bar: Bar) -> tuple[Evidence, ...]:
    unit = "units" if bar.volume else "ticks"
    common = (
        Evidence("effort", float(bar.effort), unit),
        Evidence("effort_ratio", reading.effort_ratio, "ratio"),
        Evidence("spread_ratio", reading.spread_ratio, "ratio"),
        Evidence("close_location", reading.location, "share"),
    )
    if event is None or event.strength is None:
        return common
    return (*common, Evidence("strength", event.strength, "share"))


def _may_signal(state: WyckoffState, track: Track, held: TradingRange, bar: Bar, config: WyckoffConfig) -> bool:
    rules = config.signal
    if held.signals >= rules.signals_a_range_max:
        return False
    if track.signal_number and track.bars + 1 - track.signal_number < rules.cool_off_bars:
        return False
    times_ns = state.signal_times_ns.get(bar.instrument, ())
    return sum(1 for time_ns in times_ns if time_ns > bar.end_ns - WEEK_NS) < rules.signals_a_week_max


def _view(
    state: WyckoffState,
    track: Track,
    held: TradingRange,
    reading: Reading,
    bar: Bar,
    side: Side,
    verdict: Verdict,
    instrument: Instrument,
    config: WyckoffConfig,
) -> View | None:
    event, setup = verdict.event, verdict.setup
    assert event is not None
    assert setup is not None
    now = follow(held, reading.high, reading.low, reading.close, reading.number, config.signal.box_atr * held.atr)
    now = after_event(now, event.name, event.level, event.strength, reading.number)
    longer = (each for each in config.timeframes if each.nanoseconds > bar.timeframe.nanoseconds)
    tracks = (state.tracks.get(track_key(bar.instrument, timeframe)) for timeframe in longer)
    warm = (each for each in tracks if each is not None and each.bars >= config.norm.warm_up_bars)
    agreement = agreement_of(next(warm, None), side)
    return form_view(track, now, reading, bar, side, setup, agreement, instrument, config.signal)


def _with_track(state: WyckoffState, key: str, track: Track) -> WyckoffState:
    return WyckoffState(
        instruments=state.instruments, tracks={**state.tracks, key: track}, signal_times_ns=state.signal_times_ns
    )


def _with_bar(state: WyckoffState, bar: Bar, config: WyckoffConfig) -> WyckoffState:
    instrument = state.instruments.get(bar.instrument)
    if instrument is None or bar.timeframe not in config.timeframes:
        return state
    key = track_key(bar.instrument, bar.timeframe)
    track = state.tracks.get(key)
    if track is None:
        track = Track(places=places_of(instrument))
    figures, number = figures_of(track, bar, config.norm), track.bars + 1
    ranges = track.ranges
    if ranges:
        high, low, close, box_atr = figures.high, figures.low, figures.close, config.signal.box_atr
        ranges = {
            side: follow(held, high, low, close, number, box_atr * held.atr)
            if side == Side.BUY
            else follow(held, -low, -high, -close, number, box_atr * held.atr)
            for side, held in ranges.items()
        }
    return _with_track(state, key, extend(track, figures, bar, ranges, config.norm))


def _with_event(track: Track, seen: WyckoffEventSeen) -> Track:
    side, name, number = seen.direction, events.canonical(seen.event), track.bars
    evidence = {measure.name: measure.value for measure in seen.evidence}
    level = track.units(seen.price) * side.sign
    if name == "PS":
        return replace(track, preliminaries={**track.preliminaries, side: Preliminary(number, seen.range_id)})
    if name == "SC":
        held = _opened(track, seen, level, evidence)
    elif side in track.ranges:
        strength = float(evidence["strength"]) if "strength" in evidence else None
        held = after_event(track.ranges[side], name, level, strength, number)
    else:
        return track
    return replace(track, ranges={**track.ranges, side: held})


def _opened(track: Track, seen: WyckoffEventSeen, level: float, evidence: dict[str, Decimal]) -> TradingRange:
    bar = track.window[-1]
    close = bar.close * seen.direction.sign
    return TradingRange(
        range_id=seen.range_id,
        phase="A",
        opened=track.bars,
        atr=float(evidence["average_true_range"].scaleb(track.places)),
        origin=track.units(evidence["trend_origin"]) * seen.direction.sign,
        support=level,
        resistance=close,
        # Counted from the close: the climax's own spread is not part of the rally.
        peak=close,
        climax_spread=bar.high - bar.low,
        climax_effort_ratio=float(evidence["effort_ratio"]),
        climax_strength=float(evidence["strength"]),
        column_extreme=close,
    )


def _with_phase(track: Track, changed: PhaseChanged) -> Track:
    side = changed.direction
    held = track.ranges.get(side)
    if held is None:
        return track
    if changed.phase in phases.OVER:
        return replace(track, ranges={way: each for way, each in track.ranges.items() if way != side})
    return replace(track, ranges={**track.ranges, side: replace(held, phase=changed.phase, phase_number=track.bars)})


def _with_signal(state: WyckoffState, raised: SignalRaised) -> WyckoffState:
    key = track_key(raised.instrument, raised.timeframe)
    track = state.tracks[key]
    since_ns = raised.occurred_at_ns - WEEK_NS
    times_ns = tuple(each for each in state.signal_times_ns.get(raised.instrument, ()) if each > since_ns)
    ranges = track.ranges
    if raised.side in ranges:
        ranges = {**ranges, raised.side: replace(ranges[raised.side], signals=ranges[raised.side].signals + 1)}
    return replace(
        _with_track(state, key, replace(track, signal_number=track.bars, ranges=ranges)),
        signal_times_ns={**state.signal_times_ns, raised.instrument: (*times_ns, raised.occurred_at_ns)},
    )
