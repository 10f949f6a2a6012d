"""Does the answer to "why not" show the bar, the phase and the signals of each timeframe at that time, and no later?"""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.projections.story import BAR_END_NS, BAR_START_NS, OneSignal, make_bar
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.domain.order import Side
from tmt.errors import InputError
from tmt.market.bar import Timeframe
from tmt.projections.why_not import why_not


@pytest.fixture
def story() -> OneSignal:
    return OneSignal()


def change_phase(story: OneSignal, bar: m.BarClosed, phase: str, side: Side = Side.BUY) -> None:
    story.tell(
        m.PhaseChanged.caused_by(
            bar,
            "wyckoff",
            side,
            phase,
            instrument="EURUSD",
            timeframe=bar.bar.timeframe,
            direction=side,
            range_id=f"range {side}",
            phase_before="B",
            phase=phase,
        )
    )


def see(story: OneSignal, bar: m.BarClosed, event: str, rule: str = "some_rule") -> None:
    where: dict[str, Any] = {"instrument": "EURUSD", "timeframe": bar.bar.timeframe, "range_id": "range buy"}
    story.tell(
        m.WyckoffEventSeen.caused_by(
            bar,
            "wyckoff",
            event,
            event=event,
            direction=Side.BUY,
            rule=rule,
            bar_start_ns=bar.bar.start_ns,
            bar_end_ns=bar.bar.end_ns,
            price=bar.bar.close,
            evidence=(),
            **where,
        )
    )


@pytest.mark.parametrize("time_ns", [BAR_START_NS, BAR_END_NS - 1])
def test_a_time_within_a_bar_finds_its_signal_and_what_became_of_it(
    story: OneSignal, tmp_path: Path, time_ns: int
) -> None:
    [then] = why_not(story.write(tmp_path), "EURUSD", time_ns).timeframes
    assert then.bar == story.bar
    assert [signal.signal for signal in then.signals] == [story.signal]
    states = [order.state for order in then.signals[0].orders]
    assert states == ["closed by stop_loss", "denied by compliance (daily_loss)"]
    assert then.missing == ()


def test_the_time_before_a_bar_begins_belongs_to_the_bar_before(story: OneSignal, tmp_path: Path) -> None:
    [then] = why_not(story.write(tmp_path), "EURUSD", BAR_START_NS - 1).timeframes
    assert then.bar == story.earlier_bar
    assert then.signals == ()
    assert then.ranges == ()
    assert then.missing == ("no trading range: it takes a climax (SC or BC) after a trend to begin one",)


def test_a_time_after_the_last_bar_is_refused(story: OneSignal, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        why_not(story.write(tmp_path), "EURUSD", BAR_END_NS)
    assert caught.value.code == "TMT-T004"


def test_an_instrument_never_traded_is_refused_and_the_others_are_named(story: OneSignal, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        why_not(story.write(tmp_path), "EURUDS", BAR_START_NS)
    assert caught.value.code == "TMT-T003"
    assert caught.value.fix == "name one of EURUSD, GBPUSD"


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="never traded"):
        why_not(SqliteEventLog(tmp_path / "events.sqlite"), "EURUSD", BAR_START_NS)


@pytest.mark.parametrize(
    ("phase", "awaited"),
    [("A", "automatic rally"), ("B", "a spring"), ("C", "a test"), ("D", "last point of support"), ("E", "nothing")],
)
def test_without_a_signal_the_phase_says_what_is_awaited(
    story: OneSignal, tmp_path: Path, phase: str, awaited: str
) -> None:
    bar = story.tell(make_bar(BAR_END_NS))
    change_phase(story, bar, phase)
    [then] = why_not(story.write(tmp_path), "EURUSD", BAR_END_NS).timeframes
    [reason] = then.missing
    assert reason.startswith(f"accumulation range in phase {phase}: waits for")
    assert awaited in reason


@pytest.mark.parametrize("phase", ["abandoned", "completed"])
def test_a_range_that_is_over_is_no_range(story: OneSignal, tmp_path: Path, phase: str) -> None:
    bar = story.tell(make_bar(BAR_END_NS))
    change_phase(story, bar, phase)
    [then] = why_not(story.write(tmp_path), "EURUSD", BAR_END_NS).timeframes
    assert then.ranges == ()


def test_both_directions_are_told(story: OneSignal, tmp_path: Path) -> None:
    bar = story.tell(make_bar(BAR_END_NS))
    change_phase(story, bar, "D", Side.SELL)
    [then] = why_not(story.write(tmp_path), "EURUSD", BAR_END_NS).timeframes
    assert [(each.direction, each.phase) for each in then.ranges] == [(Side.BUY, "C"), (Side.SELL, "D")]
    assert len(then.missing) == 2


def test_an_entry_event_without_a_signal_says_what_the_log_cannot_tell(story: OneSignal, tmp_path: Path) -> None:
    bar = story.tell(make_bar(BAR_END_NS))
    see(story, bar, "LPS")
    [then] = why_not(story.write(tmp_path), "EURUSD", BAR_END_NS).timeframes
    assert [event.event for event in then.at_bar] == ["LPS"]
    assert then.missing[0].startswith("LPS was seen but raised no signal")
    assert "the log does not say which" in then.missing[0]


def test_a_failed_range_is_told(story: OneSignal, tmp_path: Path) -> None:
    bar = story.tell(make_bar(BAR_END_NS))
    see(story, bar, "failure", "spring_did_not_hold")
    [then] = why_not(story.write(tmp_path), "EURUSD", BAR_END_NS).timeframes
    assert "a range failed at this bar: spring_did_not_hold" in then.missing


def test_what_comes_later_is_not_told(story: OneSignal, tmp_path: Path) -> None:
    bar = story.tell(make_bar(BAR_END_NS))
    later = story.tell(make_bar(BAR_END_NS + Timeframe.M5.nanoseconds))
    change_phase(story, later, "D")
    see(story, later, "SOS")
    [then] = why_not(story.write(tmp_path), "EURUSD", BAR_END_NS).timeframes
    assert then.bar == bar
    assert [each.phase for each in then.ranges] == ["C"]
    assert [event.event for event in then.last_events] == ["test"]


def test_each_timeframe_is_told_from_the_shortest_and_one_without_a_bar_says_so(
    story: OneSignal, tmp_path: Path
) -> None:
    hour_ns = Timeframe.H1.nanoseconds
    start_ns = BAR_START_NS - BAR_START_NS % hour_ns
    minute = story.tell(make_bar(BAR_END_NS, Timeframe.M1))
    hour = story.tell(make_bar(start_ns, Timeframe.H1))
    story.tell(make_bar(start_ns + hour_ns, Timeframe.H1))
    answer = why_not(story.write(tmp_path), "EURUSD", BAR_END_NS)
    assert [each.timeframe for each in answer.timeframes] == ["1m", "5m", "1h"]
    assert [each.bar for each in answer.timeframes] == [minute, None, hour]
    assert answer.timeframes[1].missing == ("no bar: no market data in it, or it has not closed yet",)


def test_the_bars_of_another_instrument_do_not_count(story: OneSignal, tmp_path: Path) -> None:
    story.tell(make_bar(BAR_END_NS, symbol="GBPUSD"))
    with pytest.raises(InputError) as caught:
        why_not(story.write(tmp_path), "EURUSD", BAR_END_NS)
    assert caught.value.code == "TMT-T004"


def test_a_bar_is_found_among_many(story: OneSignal, tmp_path: Path) -> None:
    step_ns = Timeframe.M5.nanoseconds
    bars = [story.tell(make_bar(BAR_END_NS + number * step_ns)) for number in range(100)]
    log = story.write(tmp_path)
    for number in (0, 1, 49, 98, 99):
        [then] = why_not(log, "EURUSD", BAR_END_NS + number * step_ns).timeframes
        assert then.bar == bars[number]
