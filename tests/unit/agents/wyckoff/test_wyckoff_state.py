"""What the agent remembers: folded from messages, kept through a snapshot, bounded."""

from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.agents.wyckoff import schematic
from tests.unit.agents.wyckoff.schematic import SYMBOL, bars_of, closed, config, deliver, instrument, started
from tmt.agents.wyckoff import WyckoffAgent, decide, evolve
from tmt.agents.wyckoff.config import WyckoffConfig
from tmt.agents.wyckoff.decide import WyckoffState
from tmt.agents.wyckoff.track import Figures, Track, UsualEffort, figures_of
from tmt.domain.money import decode_hook
from tmt.domain.stop import StopLevel
from tmt.market.bar import Timeframe
from tmt.messages import StopTrading, decode, encode

DRAWN = schematic.strength(schematic.accumulation_with_spring()).bars
BARS = bars_of(DRAWN)


def ready() -> WyckoffAgent:
    agent = WyckoffAgent(config())
    deliver(agent, started(instrument()))
    return agent


@pytest.mark.parametrize("cut", [40, 100, 101, 120, 143, 144, 150, 160, 180])
def test_a_restored_agent_says_what_the_other_would_have_said(cut: int) -> None:
    whole, first = ready(), ready()
    told = [each for bar in BARS for each in deliver(whole, closed(bar))]
    before = [each for bar in BARS[:cut] for each in deliver(first, closed(bar))]
    second = WyckoffAgent(config())
    second.state = msgspec.json.decode(msgspec.json.encode(first.state), type=WyckoffState, dec_hook=decode_hook)
    assert before + [each for bar in BARS[cut:] for each in deliver(second, closed(bar))] == told
    assert msgspec.json.encode(second.state) == msgspec.json.encode(whole.state)


def test_what_is_said_survives_the_log() -> None:
    agent = ready()
    for bar in BARS:
        for told in deliver(agent, closed(bar)):
            assert decode(encode(told)) == told


def test_judging_changes_nothing() -> None:
    agent = ready()
    for bar in BARS[:143]:
        deliver(agent, closed(bar))
    before = agent.state
    assert decide(agent.state, closed(BARS[143]), agent.config) == decide(before, closed(BARS[143]), agent.config)
    assert agent.state is before


def test_a_message_that_does_not_matter_leaves_the_state_as_it_is() -> None:
    agent = ready()
    stop = StopTrading.root("person", 1, "k", person="p", reason="r", role="risk", level=StopLevel.CANCEL)
    assert evolve(agent.state, stop, agent.config) is agent.state


def test_the_window_is_bounded() -> None:
    agent = ready()
    for bar in bars_of(schematic.Drawing().quiet(500).bars):
        deliver(agent, closed(bar))
    track = agent.state.tracks[f"{SYMBOL} 5m"]
    assert (track.bars, len(track.window)) == (500, config().norm.window_bars)


def test_nothing_is_judged_before_the_warm_up_is_over() -> None:
    rules = config()
    climax_number = next(number for number, each in enumerate(DRAWN, 1) if each.effort == 4_000)
    for warm_up_bars, first in ((climax_number - 1, True), (climax_number, False)):
        norm = replace(rules.norm, warm_up_bars=warm_up_bars)
        told = schematic.analyse(BARS[:climax_number], replace(rules, norm=norm))
        assert bool(told) is first


def test_the_habit_of_the_hour_is_taken_out_of_effort() -> None:
    hours = (UsualEffort(500.0, 1_000), *(UsualEffort(100.0, 1_000),) * 23)
    track = Track(places=3, day=UsualEffort(100.0, 9_000), hours=hours)
    midnight = bars_of([schematic.Ticks(10, 12, 8, 11, 600)])[0]
    assert figures_of(track, midnight, config().norm) == Figures(120.0, 80.0, 110.0, 120.0)


@pytest.mark.parametrize(("days", "effort"), [(3, 120.0), (2, 600.0)])
def test_an_hour_seen_on_too_few_days_has_no_habit(days: int, effort: float) -> None:
    hours = (UsualEffort(500.0, days * 12), *(UsualEffort(),) * 23)
    track = Track(places=3, day=UsualEffort(100.0, 9_000), hours=hours)
    midnight = bars_of([schematic.Ticks(10, 12, 8, 11, 600)])[0]
    assert figures_of(track, midnight, config().norm).effort == effort


def test_every_analysed_timeframe_has_its_own_track() -> None:
    agent = ready()
    for timeframe in (Timeframe.M1, Timeframe.H1):
        deliver(agent, closed(bars_of(DRAWN[:1], timeframe=timeframe)[0]))
    assert sorted(agent.state.tracks) == [f"{SYMBOL} 1h", f"{SYMBOL} 1m"]


def test_the_defaults_are_as_designed() -> None:
    rules = config()
    assert [str(each) for each in rules.timeframes] == ["1m", "5m", "15m", "1h", "4h", "1d"]
    assert (rules.signal.confidence_min, rules.signal.reward_to_risk_min) == (Decimal("0.75"), Decimal(2))


def _changed(group: str, **changes: object) -> WyckoffConfig:
    rules = config()
    return replace(rules, **{group: replace(getattr(rules, group), **changes)})


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("norm", "window_bars", 59),
        ("norm", "true_range_bars", 0),
        ("norm", "effort_variation_min_share", 1.01),
        ("climax", "spread_ratio_min", 0.99),
        ("climax", "trend_bars", 61),
        ("climax", "trend_atr_min", float("nan")),
        ("climax", "trend_atr_min", -0.01),
        ("preliminary", "trend_bars", 61),
        ("sign", "advance_bars", 61),
        ("signal", "confidence_min", Decimal("1.01")),
        ("signal", "reward_to_risk_min", Decimal(0)),
        ("signal", "signals_a_week_max", 0),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(group: str, name: str, value: object) -> None:
    blamed = "warm_up_bars" if name == "window_bars" else name
    with pytest.raises(ValueError, match=blamed):
        _changed(group, **{name: value})


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("norm", "window_bars", 60),
        ("norm", "true_range_bars", 1),
        ("norm", "effort_variation_min_share", 1.0),
        ("climax", "spread_ratio_min", 1.0),
        ("climax", "trend_bars", 60),
        ("climax", "trend_atr_min", 0.0),
        ("signal", "confidence_min", Decimal(1)),
        ("signal", "signals_a_week_max", 1),
    ],
)
def test_a_number_at_the_end_of_its_range_is_taken(group: str, name: str, value: object) -> None:
    assert getattr(getattr(_changed(group, **{name: value}), group), name) == value


@pytest.mark.parametrize("given", [(), (Timeframe.M5, Timeframe.M1), (Timeframe.M1, Timeframe.M1)])
def test_timeframes_come_once_each_in_rising_length(given: tuple[Timeframe, ...]) -> None:
    with pytest.raises(ValueError, match="timeframes"):
        replace(config(), timeframes=given)


def test_an_unknown_key_is_refused() -> None:
    raw = msgspec.to_builtins(config().signal.weights) | {"lukc": 1.0}
    with pytest.raises(msgspec.ValidationError, match="lukc"):
        msgspec.convert(raw, type(config().signal.weights))
