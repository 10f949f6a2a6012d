"""When an event becomes a signal: every limit just under it, exactly at it, just over it."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.unit.agents.wyckoff import schematic
from tests.unit.agents.wyckoff.schematic import SYMBOL, bars_of, closed, config, deliver, instrument, signals, started
from tmt.agents.wyckoff import WyckoffAgent, WyckoffConfig
from tmt.agents.wyckoff.events import Evidence, beyond, within
from tmt.agents.wyckoff.signals import agreement_of, count_target, to_grid, weigh
from tmt.agents.wyckoff.track import Figures, Track
from tmt.agents.wyckoff.trading_range import TradingRange
from tmt.domain.order import Side
from tmt.market.bar import Bar
from tmt.messages import Message, SignalRaised

BARS = bars_of(schematic.accumulation_with_spring().bars)
TO_SPRING = BARS[:144]
SPRING_END_NS = TO_SPRING[-1].end_ns
WEEK_NS = 604_800_000_000_000


def ruled(**changes: Decimal | float) -> WyckoffConfig:
    rules = config()
    return replace(rules, signal=replace(rules.signal, **changes))


def raised(rules: WyckoffConfig, bars: list[Bar] = BARS, earlier_ns: tuple[int, ...] = ()) -> list[SignalRaised]:
    agent = WyckoffAgent(rules)
    deliver(agent, started(instrument()))
    agent.state = replace(agent.state, signal_times_ns={SYMBOL: earlier_ns})
    return signals(told for bar in bars for told in deliver(agent, closed(bar)))


def held(**changes: float | str | None) -> TradingRange:
    plain = TradingRange(
        range_id="r",
        phase="C",
        opened=1,
        atr=20.0,
        origin=400.0,
        support=100.0,
        resistance=200.0,
        peak=200.0,
        climax_spread=60.0,
        climax_effort_ratio=3.0,
        climax_strength=0.8,
        line=90.0,
        columns=5,
    )
    return replace(plain, **changes)


STEPS = pytest.mark.parametrize(("step", "count"), [("-0.0001", 1), ("0", 1), ("0.0001", 0)])


@STEPS
def test_confidence_is_compared_with_its_minimum(step: str, count: int) -> None:
    (signal,) = raised(config(), TO_SPRING)
    assert len(raised(ruled(confidence_min=signal.confidence + Decimal(step)), TO_SPRING)) == count


@STEPS
def test_reward_to_risk_is_compared_with_its_minimum(step: str, count: int) -> None:
    (signal,) = raised(config(), TO_SPRING)
    reward, risk = signal.target_price - signal.entry_price, signal.entry_price - signal.stop_price
    assert reward == risk * Decimal("4.8125")
    assert len(raised(ruled(reward_to_risk_min=Decimal("4.8125") + Decimal(step)), TO_SPRING)) == count


@pytest.mark.parametrize(("bars", "setups"), [(5, 2), (6, 2), (7, 1)])
def test_the_next_signal_of_a_track_waits_for_its_cool_off(bars: int, setups: int) -> None:
    assert len(raised(ruled(cool_off_bars=bars, confidence_min=Decimal("0.5")))) == setups


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (3, 2)])
def test_signals_of_one_range_are_limited(most: int, count: int) -> None:
    assert len(raised(ruled(cool_off_bars=1, signals_a_range_max=most))) == count


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (3, 2)])
def test_signals_of_a_week_are_limited(most: int, count: int) -> None:
    assert len(raised(ruled(cool_off_bars=1, signals_a_week_max=most))) == count


@pytest.mark.parametrize(("age_ns", "count"), [(WEEK_NS - 1, 0), (WEEK_NS, 1), (WEEK_NS + 1, 1)])
def test_a_signal_counts_for_seven_days(age_ns: int, count: int) -> None:
    assert len(raised(ruled(signals_a_week_max=1), TO_SPRING, (SPRING_END_NS - age_ns,))) == count


def test_a_spring_as_strong_as_asked_needs_no_test() -> None:
    spring = next(each for each in schematic.events(schematic.analyse(BARS)) if each.event == "spring")
    strength = float(next(each.value for each in spring.evidence if each.name == "strength"))
    assert [each.setup for each in raised(ruled(spring_strength_min_share=strength - 0.0001))] == ["spring"]
    assert [each.setup for each in raised(ruled(spring_strength_min_share=strength + 0.0001))] == ["spring_test"]


@pytest.mark.parametrize(
    ("price", "below", "above"),
    [("1.2299", "1.20", "1.25"), ("1.25", "1.25", "1.25"), ("1.2501", "1.25", "1.30")],
)
def test_prices_go_to_the_tick_grid_on_the_side_asked_for(price: str, below: str, above: str) -> None:
    tick = Decimal("0.05")
    assert to_grid(Decimal(price), tick, upward=False) == Decimal(below)
    assert to_grid(Decimal(price), tick, upward=True) == Decimal(above)


def test_the_count_is_columns_by_three_boxes_from_the_line() -> None:
    assert count_target(held(), config().signal) == 90 + 5 * 3 * 0.5 * 20


def test_the_count_is_bounded_in_heights_of_the_range() -> None:
    assert count_target(held(columns=500), config().signal) == 200 + 3 * 100


def test_evidence_is_weighed_and_missing_evidence_is_left_out() -> None:
    weights = replace(config().signal.weights, climax=1.0, spring=3.0)
    assert weigh((Evidence("climax", 0.5, "share"),), weights) == Decimal("0.5000")
    both = (Evidence("climax", 0.5, "share"), Evidence("spring", 0.9, "share"))
    assert weigh(both, weights) == Decimal("0.8000")


@pytest.mark.parametrize(
    ("ranges", "buys", "sells"),
    [
        ({}, 0.5, 0.5),
        ({"buy": held(phase="B")}, 0.5, 0.5),
        ({"buy": held(phase="C")}, 1.0, 0.0),
        ({"sell": held(phase="D")}, 0.0, 1.0),
        ({"buy": held(phase="D"), "sell": held(phase="E")}, 0.5, 0.5),
    ],
)
def test_a_longer_timeframe_agrees_contradicts_or_is_torn(
    ranges: dict[str, TradingRange], buys: float, sells: float
) -> None:
    longer = Track(places=3, ranges=ranges)
    assert (agreement_of(longer, Side.BUY), agreement_of(longer, Side.SELL)) == (buys, sells)


def test_a_longer_timeframe_that_is_not_known_says_nothing() -> None:
    assert agreement_of(None, Side.BUY) is None


def test_strength_is_a_half_at_the_rule_and_bounded() -> None:
    assert [beyond(value, 2.0) for value in (2.0, 3.0, 4.0, 9.0)] == [0.5, 0.75, 1.0, 1.0]
    assert [within(value, 2.0) for value in (2.0, 1.0, 0.0, 9.0)] == [0.5, 0.75, 1.0, 0.0]


def sprung(side: Side, extreme: float, near: float, far: float) -> TradingRange:
    edges = [side.sign * each for each in (extreme, near, far)]
    return held(
        phase="C",
        phase_number=90,
        support=edges[1],
        resistance=edges[2],
        thrust_low=edges[0],
        line=edges[0],
        spring_strength=0.9,
        atr=100.0,
        columns=20,
        column_extreme=side.sign * 11_070.0,
    )


def told_in_the_middle(ranges: dict[str, TradingRange]) -> list[Message]:
    agent = WyckoffAgent(ruled(confidence_min=Decimal("0.5")))
    deliver(agent, started(instrument()))
    window = (Figures(11_100.0, 11_000.0, 11_050.0, 10.0),) * 100
    track = Track(
        places=3,
        bars=100,
        window=window,
        true_range=100.0,
        spread=100.0,
        effort=10.0,
        effort_deviation=2.0,
        ranges=ranges,
    )
    agent.state = replace(agent.state, tracks={f"{SYMBOL} 5m": track})
    return deliver(agent, closed(bars_of([schematic.Ticks(1_107, 1_110, 1_104, 1_107, 5)])[0]))


LONG = sprung(Side.BUY, 10_950.0, 11_000.0, 11_400.0)
SHORT = sprung(Side.SELL, 11_250.0, 11_200.0, 10_800.0)


@pytest.mark.parametrize(
    ("ranges", "setups"),
    [
        ({"buy": LONG}, ["spring_test"]),
        ({"sell": SHORT}, ["UTAD_test"]),
        ({"buy": LONG, "sell": SHORT}, []),
    ],
)
def test_two_opposite_views_of_one_bar_are_no_view(ranges: dict[str, TradingRange], setups: list[str]) -> None:
    told = told_in_the_middle(ranges)
    assert [each.setup for each in signals(told)] == setups
    assert [each.event for each in schematic.events(told)] == ["test"] * len(ranges)


@pytest.mark.parametrize(("columns", "count"), [(74, 1), (75, 0), (76, 0)])
def test_a_target_at_or_below_zero_is_no_target(columns: int, count: int) -> None:
    told = told_in_the_middle({"sell": replace(SHORT, columns=columns, resistance=-3_000.0)})
    assert [each.event for each in schematic.events(told)] == ["test"]
    assert len(signals(told)) == count


def test_a_distance_is_told_in_the_money_of_the_price() -> None:
    climax = schematic.events(schematic.analyse(BARS))[0]
    (atr,) = (each for each in climax.evidence if each.name == "average_true_range")
    assert (atr.value, atr.unit) == (Decimal("0.2000000"), "price")
