"""Hand-made schematics: which events, phases and signals the agent reads in them, and in their mirror images."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.unit.agents.wyckoff import schematic
from tests.unit.agents.wyckoff.schematic import (
    MIRROR_EVIDENCE,
    MIRROR_NAMES,
    MIRROR_SETUPS,
    MIRROR_TICKS,
    Drawing,
    Ticks,
    analyse,
    bars_of,
    config,
    events,
    instrument,
    mirrored,
    phases,
    signals,
)
from tmt.agents.wyckoff import WyckoffConfig
from tmt.domain.money import is_multiple
from tmt.domain.order import Side
from tmt.market.bar import Timeframe
from tmt.messages import Message

TICK = Decimal("0.01")


def patient() -> WyckoffConfig:
    rules = config()
    return replace(rules, signal=replace(rules.signal, spring_strength_min_share=1.0))


def easily_paid() -> WyckoffConfig:
    rules = config()
    return replace(rules, signal=replace(rules.signal, reward_to_risk_min=Decimal("0.1"), cool_off_bars=1))


def names(told: list[Message]) -> list[str]:
    return [each.event for each in events(told)]


DRAWINGS = {
    "spring": schematic.strength(schematic.accumulation_with_spring()),
    "no spring": schematic.accumulation_without_spring(),
    "failed spring": schematic.failed_spring(),
}


def test_schematic_one_is_read_event_by_event() -> None:
    told = analyse(bars_of(DRAWINGS["spring"].bars))
    assert names(told) == ["SC", "AR", "ST", "ST", "spring", "test", "SOS", "BU"]
    assert phases(told) == ["A", "B", "C", "D", "E", "completed"]
    assert {each.direction for each in events(told)} == {Side.BUY}
    assert len({each.range_id for each in events(told)}) == 1


def test_levels_are_the_climax_low_the_rally_peak_and_the_thrust() -> None:
    level = {each.event: each.price for each in events(analyse(bars_of(DRAWINGS["spring"].bars)))}
    assert (level["SC"], level["AR"], level["spring"]) == (Decimal("96.90"), Decimal("98.16"), Decimal("96.75"))


def test_a_strong_spring_is_a_signal_with_its_stop_beyond_the_spring() -> None:
    (signal,) = signals(analyse(bars_of(DRAWINGS["spring"].bars)))
    assert (signal.setup, signal.side) == ("spring", Side.BUY)
    assert signal.entry_price == signal.quote.ask == Decimal("97.01")
    assert signal.stop_price < Decimal("96.75")
    assert all(is_multiple(each, TICK) for each in (signal.entry_price, signal.stop_price, signal.target_price))
    assert {"climax", "dry_up", "spring", "count_columns"} <= {each.name for each in signal.evidence}


def test_a_signal_happens_when_its_bar_ends() -> None:
    (signal,) = signals(analyse(bars_of(DRAWINGS["spring"].bars)))
    (spring,) = (each for each in events(analyse(bars_of(DRAWINGS["spring"].bars))) if each.event == "spring")
    assert signal.occurred_at_ns == signal.quote.time_ns == spring.bar_end_ns == spring.occurred_at_ns


def test_a_patient_desk_waits_for_the_test() -> None:
    told = analyse(bars_of(DRAWINGS["spring"].bars), patient())
    (signal,) = signals(told)
    (test,) = (each for each in events(told) if each.event == "test")
    assert (signal.setup, signal.occurred_at_ns) == ("spring_test", test.bar_end_ns)


def test_schematic_two_needs_no_spring() -> None:
    told = analyse(bars_of(DRAWINGS["no spring"].bars), easily_paid())
    assert names(told) == ["SC", "AR", "ST", "ST", "ST", "SOS", "BU"]
    assert phases(told) == ["A", "B", "D", "E", "completed"]
    assert [each.setup for each in signals(told)] == ["SOS_back_up"]


def test_a_deeper_reaction_that_holds_the_middle_is_a_last_point_of_support() -> None:
    drawing = schematic.caused().leg(9_730, 7, effort=700).leg(9_800, 7)
    drawing.bar(9_798, 9_840, 9_836, 2_200).leg(9_800, 3, spread=14, effort=700).bar(9_770, 9_782, 9_780, 500)
    told = analyse(bars_of(drawing.bars), easily_paid())
    assert names(told)[-2:] == ["SOS", "LPS"]
    assert [each.setup for each in signals(told)] == ["LPS"]


def test_a_reaction_through_the_middle_is_a_failure() -> None:
    drawing = schematic.caused().leg(9_730, 7, effort=700).leg(9_800, 7).bar(9_798, 9_840, 9_836, 2_200).leg(9_740, 4)
    told = analyse(bars_of(drawing.bars))
    assert names(told)[-1] == "failure"
    assert events(told)[-1].rule == "sign_of_strength_did_not_hold"
    assert phases(told)[-1] == "abandoned"


def test_a_spring_whose_low_breaks_is_a_failure_and_ends_the_range() -> None:
    told = analyse(bars_of(DRAWINGS["failed spring"].bars))
    assert names(told)[-1] == "failure"
    assert events(told)[-1].rule == "spring_did_not_hold"
    assert phases(told)[-1] == "abandoned"


def test_a_range_broken_downward_is_a_failure_without_any_signal() -> None:
    told = analyse(bars_of(schematic.caused().leg(9_600, 10).bars))
    assert events(told)[-1].rule == "support_did_not_hold"
    assert phases(told)[-1] == "abandoned"
    assert signals(told) == []


def test_a_thrust_of_great_effort_is_a_shakeout_and_wants_a_test() -> None:
    drawing = schematic.caused().leg(9_705, 7, effort=800).bar(9_675, 9_706, 9_700, 2_600)
    drawing.leg(9_730, 3).leg(9_710, 2, spread=12, effort=700).bar(9_702, 9_714, 9_711, 400)
    told = analyse(bars_of(drawing.bars))
    assert names(told)[-2:] == ["shakeout", "test"]
    assert [each.setup for each in signals(told)] == ["spring_test"]


def test_a_preliminary_stop_belongs_to_the_range_of_its_climax() -> None:
    drawing = Drawing().quiet().leg(9_860, 16).bar(9_820, 9_862, 9_842, 1_250).leg(9_760, 8)
    drawing.bar(9_690, 9_762, 9_725, 4_000)
    told = analyse(bars_of(drawing.bars))
    assert names(told) == ["PS", "SC"]
    assert len({each.range_id for each in events(told)}) == 1


def test_a_return_past_the_origin_of_the_decline_is_a_reversal_not_a_range() -> None:
    told = analyse(bars_of(Drawing().quiet().leg(9_760, 30).bar(9_690, 9_762, 9_725, 4_000).leg(10_020, 20).bars))
    assert names(told) == ["SC"]
    assert phases(told) == ["A", "abandoned"]


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_mirrored_schematic_is_read_as_its_mirror(name: str) -> None:
    rules = easily_paid()
    told, other = analyse(bars_of(DRAWINGS[name].bars), rules), analyse(bars_of(mirrored(DRAWINGS[name].bars)), rules)
    assert [MIRROR_NAMES[each.event] for each in events(told)] == [each.event for each in events(other)]
    assert phases(told) == phases(other)
    top = TICK * MIRROR_TICKS
    for seen, image in zip(events(told), events(other), strict=True):
        assert (seen.bar_end_ns, seen.rule, seen.direction.opposite) == (image.bar_end_ns, image.rule, image.direction)
        assert top - seen.price == image.price
        assert [
            (MIRROR_EVIDENCE.get(each.name, each.name), 1 - each.value if each.name == "close_location" else each.value)
            for each in seen.evidence
            if each.unit != "price"
        ] == [(each.name, each.value) for each in image.evidence if each.unit != "price"]
        assert [MIRROR_EVIDENCE.get(each.name, each.name) for each in seen.evidence] == [
            each.name for each in image.evidence
        ]
    assert signals(told)
    for signal, image_signal in zip(signals(told), signals(other), strict=True):
        assert (MIRROR_SETUPS[signal.setup], signal.confidence) == (image_signal.setup, image_signal.confidence)
        assert top - signal.stop_price == image_signal.stop_price
        assert top - signal.target_price == image_signal.target_price
        assert top - signal.entry_price == image_signal.entry_price


@pytest.mark.parametrize("tick", ["0.00001", "1", "0.25", "0.1"])
def test_a_scaled_schematic_is_read_the_same(tick: str) -> None:
    drawn = DRAWINGS["spring"].bars
    scaled = analyse(bars_of(drawn, tick), of=instrument(tick))
    told = analyse(bars_of(drawn))
    assert [(each.event, each.bar_end_ns) for each in events(told)] == [
        (each.event, each.bar_end_ns) for each in events(scaled)
    ]
    assert [each.confidence for each in signals(told)] == [each.confidence for each in signals(scaled)]
    assert [each.target_price / TICK for each in signals(told)] == [
        each.target_price / Decimal(tick) for each in signals(scaled)
    ]


@pytest.mark.parametrize("ticks", [-9_000, 3, 250_000])
def test_a_shifted_schematic_is_read_the_same(ticks: int) -> None:
    drawn = DRAWINGS["spring"].bars
    moved = [
        Ticks(each.open + ticks, each.high + ticks, each.low + ticks, each.close + ticks, each.effort) for each in drawn
    ]
    told, shifted = analyse(bars_of(drawn)), analyse(bars_of(moved))
    shift = TICK * ticks
    assert [(each.event, each.price + shift) for each in events(told)] == [
        (each.event, each.price) for each in events(shifted)
    ]
    assert [each.confidence for each in signals(told)] == [each.confidence for each in signals(shifted)]


def test_ticks_stand_in_for_volume_and_the_evidence_says_so() -> None:
    drawn = DRAWINGS["spring"].bars
    by_volume, by_count = analyse(bars_of(drawn)), analyse(bars_of(drawn, counted=True))
    assert names(by_volume) == names(by_count)
    units = [
        {each.unit for each in events(told)[0].evidence if each.name == "effort"} for told in (by_volume, by_count)
    ]
    assert units == [{"units"}, {"ticks"}]


def test_constant_effort_says_nothing_and_spread_stands_in() -> None:
    drawn = [each._replace(effort=4) for each in DRAWINGS["spring"].bars]
    told = analyse(bars_of(drawn, counted=True))
    assert names(told)[:3] == ["SC", "AR", "ST"]
    measured = {each.name: each.value for each in events(told)[0].evidence}
    assert measured["effort_ratio"] == measured["spread_ratio"]


NOTHING = {
    "quiet": Drawing().quiet(300),
    "flat": Drawing().leg(10_000, 300, spread=0),
    "steady decline": Drawing(20_000).leg(10_000, 300, spread=40),
    "steady advance": Drawing().leg(20_000, 300, spread=40),
}


@pytest.mark.parametrize("name", NOTHING)
def test_where_nothing_happens_nothing_is_said(name: str) -> None:
    assert analyse(bars_of(NOTHING[name].bars)) == []


def test_an_instrument_that_the_desk_did_not_name_is_not_analysed() -> None:
    assert analyse(bars_of(DRAWINGS["spring"].bars), of=replace(instrument(), symbol="OTHER")) == []


def test_a_timeframe_that_is_not_listed_is_not_analysed() -> None:
    assert analyse(bars_of(DRAWINGS["spring"].bars, timeframe=Timeframe.S15)) == []
