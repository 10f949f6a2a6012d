"""What is said at a bar's close never depends on later bars: on random walks, on schematics, on recorded data."""

import io
import zipfile
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.agents.wyckoff import schematic
from tests.unit.agents.wyckoff.schematic import (
    MIRROR_NAMES,
    Ticks,
    analyse,
    bars_of,
    closed,
    config,
    deliver,
    events,
    instrument,
    mirrored,
    phases,
    signals,
    started,
)
from tmt.agents.wyckoff import WyckoffAgent, WyckoffConfig
from tmt.domain.order import Side
from tmt.market.bar import Bar
from tmt.messages import Message, encode


def eager() -> WyckoffConfig:
    """Rules loose enough for a random walk to show every kind of event."""
    rules = config()
    climax = replace(
        rules.climax,
        trend_bars=15,
        trend_atr_min=1.5,
        spread_ratio_min=1.1,
        effort_ratio_min=0.5,
        rank_min_share=0.4,
    )
    return replace(
        rules,
        norm=replace(rules.norm, warm_up_bars=30, window_bars=60),
        climax=climax,
        preliminary=replace(climax, trend_atr_min=1.0, spread_ratio_min=1.0, effort_ratio_min=0.3, rank_min_share=0.2),
        range=replace(rules.range, cause_bars_min=3, test_effort_max_share=1.0, rally_atr_min=1.0),
        sign=replace(rules.sign, advance_atr_min=0.5, effort_ratio_min=0.5, spread_ratio_min=0.9),
        signal=replace(rules.signal, confidence_min=Decimal("0.5"), reward_to_risk_min=Decimal("0.5"), cool_off_bars=1),
    )


def walk(seed: int, bars: int = 300) -> list[Ticks]:
    """A random walk of trending and ranging stretches, in ticks around half of the mirror's height."""
    source, close, drawn = Random(seed), 10_000, []
    for number in range(bars):
        drift = (-6, 0, 0, 5)[number // 25 % 4]
        path = [close]
        for _ in range(8):
            path.append(min(19_000, max(1_000, path[-1] + drift // 2 + source.randint(-9, 9))))
        close = path[-1]
        effort = source.randint(50, 150) + 3 * (max(path) - min(path))
        drawn.append(Ticks(path[0], max(path), min(path), close, effort))
    return drawn


def said_by_bar(bars: list[Bar], rules: WyckoffConfig) -> list[list[Message]]:
    agent = WyckoffAgent(rules)
    deliver(agent, started(instrument()))
    return [deliver(agent, closed(bar)) for bar in bars]


def assert_prefixes_agree(bars: list[Bar], cuts: list[int], rules: WyckoffConfig) -> None:
    by_bar = said_by_bar(bars, rules)
    for cut in cuts:
        whole = [encode(each) for told in by_bar[:cut] for each in told]
        assert [encode(each) for each in analyse(bars[:cut], rules)] == whole


def named(told: list[Message], side: Side, *, mirror: bool = False) -> list[tuple[int, str]]:
    return [
        (each.bar_end_ns, MIRROR_NAMES[each.event] if mirror else each.event)
        for each in events(told)
        if each.direction is side
    ]


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 300), other=st.integers(0, 2**32))
@example(seed=0, cut=0, other=1)
@example(seed=0, cut=300, other=1)
def test_the_same_past_is_read_the_same_whatever_follows(seed: int, cut: int, other: int) -> None:
    past = walk(seed)[:cut]
    one, two = bars_of([*past, *walk(seed)[cut:]]), bars_of([*past, *walk(other)[cut:]])
    assert said_by_bar(one, eager())[:cut] == said_by_bar(two, eager())[:cut]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 300))
@example(seed=1, cut=0)
@example(seed=1, cut=300)
def test_what_a_prefix_says_is_a_prefix_of_what_is_said(seed: int, cut: int) -> None:
    assert_prefixes_agree(bars_of(walk(seed)), [cut], eager())


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
@example(seed=7)
def test_a_mirrored_walk_is_read_as_its_mirror(seed: int) -> None:
    drawn = walk(seed)
    told, image = analyse(bars_of(drawn), eager()), analyse(bars_of(mirrored(drawn)), eager())
    assert named(told, Side.BUY, mirror=True) == named(image, Side.SELL)
    assert named(told, Side.SELL) == named(image, Side.BUY, mirror=True)
    assert len(phases(told)) == len(phases(image))
    assert sorted(each.confidence for each in signals(told)) == sorted(each.confidence for each in signals(image))


def test_the_walks_show_every_kind_of_event() -> None:
    seen = {each.event for seed in range(12) for each in events(analyse(bars_of(walk(seed)), eager()))}
    assert {"PS", "SC", "AR", "ST", "spring", "test", "SOS", "BU", "failure"} <= seen
    assert {"PSY", "BC", "UTAD", "SOW"} <= seen
    assert any(signals(analyse(bars_of(walk(seed)), eager())) for seed in range(12))


@pytest.mark.parametrize("drawing", ["accumulation_with_spring", "accumulation_without_spring", "failed_spring"])
def test_every_prefix_of_a_schematic_says_a_prefix(drawing: str) -> None:
    bars = bars_of(getattr(schematic, drawing)().bars)
    assert_prefixes_agree(bars, list(range(90, len(bars), 6)), config())


def test_every_prefix_of_recorded_bars_says_a_prefix(test_data: Path) -> None:
    with zipfile.ZipFile(test_data / "equity_bars_hour" / "spy.zip") as archive:
        text = io.TextIOWrapper(archive.open(archive.namelist()[0])).read()
    rows = [line.split(",") for line in text.splitlines()[:2_500]]
    drawn = [Ticks(*(int(float(field)) for field in row[1:6])) for row in rows]
    bars = bars_of(drawn, "0.01")
    assert_prefixes_agree(bars, [100, 700, 1_301, 2_000], config())
    assert len(events(analyse(bars))) > 20
