"""What happened, or did not, to one instrument around one time, read back from the event log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from tmt import messages as m
from tmt.domain.order import Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import InputError
from tmt.market.bar import Timeframe
from tmt.ports.event_log import EventLog, Recorded
from tmt.projections.order_trail import OrderTrail, orders_after

LAST_EVENTS: Final = 3
_LONGEST_BAR_NS: Final = 26 * 3600 * NANOSECONDS_PER_SECOND
"""A trading day of 25 hours, and an hour to spare."""

_ANALYSIS: Final = ("WyckoffEventSeen", "PhaseChanged", "SignalRaised")
_OVER: Final = ("abandoned", "completed")
_ENTRY_EVENTS: Final = ("spring", "shakeout", "test", "LPS", "BU", "UTAD", "LPSY")
_WAITS_FOR: Final = {
    ("A", Side.BUY): "an automatic rally (AR) and a secondary test (ST) of the selling climax",
    ("A", Side.SELL): "an automatic reaction (AR) and a secondary test (ST) of the buying climax",
    ("B", Side.BUY): "a spring or a sign of strength (SOS)",
    ("B", Side.SELL): "an upthrust (UTAD) or a sign of weakness (SOW)",
    ("C", Side.BUY): "a test of the spring, or a sign of strength (SOS)",
    ("C", Side.SELL): "a test of the upthrust (UTAD), or a sign of weakness (SOW)",
    ("D", Side.BUY): "a last point of support (LPS) or a back-up (BU)",
    ("D", Side.SELL): "a last point of supply (LPSY) or a back-up (BU)",
    ("E", Side.BUY): "nothing: the move is under way and offers no entry",
    ("E", Side.SELL): "nothing: the move is under way and offers no entry",
}


class RangeThen(msgspec.Struct, frozen=True, kw_only=True):
    """A trading range as it stood when the bar closed; `since_ns` is when it entered its phase."""

    range_id: str
    direction: Side
    phase: str
    since_ns: int


class SignalThen(msgspec.Struct, frozen=True, kw_only=True):
    """A signal raised at the bar's close, and what became of it in each account."""

    signal: m.SignalRaised
    orders: tuple[OrderTrail, ...]


class TimeframeThen(msgspec.Struct, frozen=True, kw_only=True):
    """One timeframe at the time asked for.

    Attributes:
        bar: the bar that contains the time; None when there was no row in it, or it has not closed.
        ranges: those alive when that bar had closed (or at the time itself, without a bar).
        at_bar: events told at that bar's close; `last_events`: the newest up to then, oldest first.
        missing: why there is no signal at this bar, one sentence each; empty when there is one.
    """

    timeframe: Timeframe
    bar: m.BarClosed | None
    ranges: tuple[RangeThen, ...]
    at_bar: tuple[m.WyckoffEventSeen, ...]
    last_events: tuple[m.WyckoffEventSeen, ...]
    signals: tuple[SignalThen, ...]
    missing: tuple[str, ...]


class WhyNot(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; `timeframes` from the shortest."""

    instrument: str
    time_ns: int
    timeframes: tuple[TimeframeThen, ...]


def why_not(log: EventLog, instrument: str, time_ns: int) -> WhyNot:
    """What the log can say of `instrument` around event time `time_ns` (UTC).

    Raises:
        InputError: TMT-T003 when the log never traded the instrument, TMT-T004 when it has no bar of it near the time.
    """
    _refuse_unknown(log, instrument)
    bars = _bars_around(log, instrument, time_ns)
    analysis = list(_analysis(log, instrument, time_ns + _LONGEST_BAR_NS))
    lengths = {*bars, *(each.timeframe for each in analysis)}
    if not any(bars.values()):
        raise InputError(
            "TMT-T004",
            f"the log holds no bar of {instrument} that contains this time",
            fix="give a time at which the market was open and that the replay has passed",
        )
    return WhyNot(
        instrument=instrument,
        time_ns=time_ns,
        timeframes=tuple(
            _timeframe(log, length, bars.get(length), [each for each in analysis if each.timeframe is length], time_ns)
            for length in sorted(lengths, key=lambda length: length.nanoseconds)
        ),
    )


def _refuse_unknown(log: EventLog, instrument: str) -> None:
    known: list[str] = []
    for recorded in log.read(types=("SessionStarted",)):
        started = m.decode(recorded.body)
        assert isinstance(started, m.SessionStarted)
        known += [each.symbol for each in started.instruments if each.symbol not in known]
    if instrument not in known:
        raise InputError(
            "TMT-T003",
            f"the desk never traded {instrument!r}",
            fix=f"name one of {', '.join(sorted(known))}" if known else "start the desk first: the log is empty",
        )


def _bars_around(log: EventLog, instrument: str, time_ns: int) -> dict[Timeframe, m.BarClosed | None]:
    """The bar that contains the time, by timeframe; None for timeframes of which only later bars were found."""
    wanted = instrument.encode()
    bars: dict[Timeframe, m.BarClosed | None] = {}
    for recorded in log.read(after=_last_bar_until(log, time_ns), types=("BarClosed",)):
        if recorded.occurred_at_ns > time_ns + _LONGEST_BAR_NS:
            break
        if wanted not in recorded.body:
            continue
        closed = m.decode(recorded.body)
        if isinstance(closed, m.BarClosed) and closed.bar.instrument == instrument:
            held = closed.bar.start_ns <= time_ns < closed.bar.end_ns
            if bars.get(closed.bar.timeframe) is None:
                bars[closed.bar.timeframe] = closed if held else None
    return bars


def _last_bar_until(log: EventLog, time_ns: int) -> int:
    """Position of the newest bar that had closed by `time_ns`; 0 when none had. Bars close in event-time order."""
    low, high = 0, log.head()
    while low < high:
        middle = (low + high) // 2
        following: Recorded | None = next(log.read(after=middle, types=("BarClosed",), until=high), None)
        if following is None or following.occurred_at_ns > time_ns:
            high = middle
        else:
            low = following.position
    return low


def _analysis(
    log: EventLog, instrument: str, until_ns: int
) -> Iterator[m.WyckoffEventSeen | m.PhaseChanged | m.SignalRaised]:
    wanted = instrument.encode()
    for recorded in log.read(types=_ANALYSIS):
        if recorded.occurred_at_ns > until_ns:
            return
        if wanted in recorded.body:
            message = m.decode(recorded.body)
            assert isinstance(message, m.WyckoffEventSeen | m.PhaseChanged | m.SignalRaised)
            if message.instrument == instrument:
                yield message


def _timeframe(
    log: EventLog,
    timeframe: Timeframe,
    bar: m.BarClosed | None,
    analysis: list[m.WyckoffEventSeen | m.PhaseChanged | m.SignalRaised],
    time_ns: int,
) -> TimeframeThen:
    until_ns = time_ns if bar is None else bar.bar.end_ns
    told = [each for each in analysis if each.occurred_at_ns <= until_ns]
    seen = [each for each in told if isinstance(each, m.WyckoffEventSeen)]
    ranges = _ranges(told)
    at_bar = tuple(each for each in seen if bar is not None and each.causation_id == bar.message_id)
    signals = tuple(
        SignalThen(signal=each, orders=orders_after(log, each))
        for each in told
        if isinstance(each, m.SignalRaised) and bar is not None and each.causation_id == bar.message_id
    )
    return TimeframeThen(
        timeframe=timeframe,
        bar=bar,
        ranges=ranges,
        at_bar=at_bar,
        last_events=tuple(seen[-LAST_EVENTS:]),
        signals=signals,
        missing=() if signals else tuple(_missing(bar, ranges, at_bar)),
    )


def _ranges(told: list[m.WyckoffEventSeen | m.PhaseChanged | m.SignalRaised]) -> tuple[RangeThen, ...]:
    """One a direction at most: the newest that is not over."""
    ranges: dict[Side, RangeThen] = {}
    for message in told:
        match message:
            case m.PhaseChanged(phase=phase, direction=direction) if phase in _OVER:
                ranges.pop(direction, None)
            case m.PhaseChanged(phase=phase, direction=direction):
                ranges[direction] = RangeThen(
                    range_id=message.range_id, direction=direction, phase=phase, since_ns=message.occurred_at_ns
                )
            case _:
                pass
    return tuple(ranges[side] for side in Side if side in ranges)


def _missing(
    bar: m.BarClosed | None, ranges: tuple[RangeThen, ...], at_bar: tuple[m.WyckoffEventSeen, ...]
) -> Iterator[str]:
    if bar is None:
        yield "no bar: no market data in it, or it has not closed yet"
        return
    for event in at_bar:
        if event.event in _ENTRY_EVENTS:
            yield (
                f"{event.event} was seen but raised no signal: its view missed the least confidence or reward to risk, "
                "the cool-off or the week's limit forbade it, or both directions spoke; the log does not say which"
            )
        elif event.event == "failure":
            yield f"a range failed at this bar: {event.rule}"
    for each in ranges:
        kind = "accumulation" if each.direction is Side.BUY else "distribution"
        awaited = _WAITS_FOR.get((each.phase, each.direction), "the next phase")
        yield f"{kind} range in phase {each.phase}: waits for {awaited}"
    if not ranges:
        yield "no trading range: it takes a climax (SC or BC) after a trend to begin one"
