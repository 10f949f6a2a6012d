"""Each event's rule, limit by limit: just inside, exactly at, just outside."""

import pytest
from msgspec.structs import replace

from tests.unit.agents.wyckoff.round_numbers import RANGE, READING, TRACK
from tests.unit.agents.wyckoff.schematic import config
from tmt.agents.wyckoff import events
from tmt.agents.wyckoff.track import Figures
from tmt.agents.wyckoff.trading_range import after_event, follow
from tmt.domain.order import Side

RULES = config()
TINY = 1e-6
Changes = dict[str, float]


def test_a_climax_needs_spread_effort_trend_ranks_a_new_low_and_a_close_off_it() -> None:
    rules = replace(
        RULES.climax, spread_ratio_min=1.5, effort_ratio_min=1.3, trend_atr_min=4.0, location_min_share=0.35
    )
    reading = replace(READING, low=700.0, spread=150.0, spread_ratio=1.5, effort_ratio=1.3, location=0.35)
    figures = Figures(850.0, 700.0, 752.5, 13.0)

    def seen(**changes: float) -> bool:
        return events.climax(TRACK, figures, replace(reading, **changes), rules, "SC") is not None

    assert seen()
    assert not seen(spread_ratio=1.5 - TINY)
    assert not seen(effort_ratio=1.3 - TINY)
    assert not seen(location=0.35 - TINY)
    assert not seen(low=700 + TINY)
    assert not seen(low=1_000.0)
    crowded = replace(TRACK, window=(*TRACK.window[:85], *(Figures(1_100.0, 900.0, 1_000.0, 10.0),) * 15))
    fuller = replace(TRACK, window=(*TRACK.window[:84], *(Figures(1_100.0, 900.0, 1_000.0, 10.0),) * 16))
    assert events.climax(crowded, figures, reading, rules, "SC") is not None
    assert events.climax(fuller, figures, reading, rules, "SC") is None


def test_a_climax_must_go_below_every_low_of_the_trend() -> None:
    rules = replace(RULES.climax, trend_atr_min=0.5)
    reading = replace(READING, spread=150.0, spread_ratio=2.0, effort_ratio=2.0, location=0.5)
    figures = Figures(1_150.0, 1_000.0, 1_075.0, 20.0)
    assert events.climax(TRACK, figures, replace(reading, low=1_000.0), rules, "SC") is None
    assert events.climax(TRACK, figures, replace(reading, low=999.0), rules, "SC") is not None


@pytest.mark.parametrize(("peak", "close", "seen"), [
    (1_200.0, 1_125.0, True), (1_200.0, 1_125.0 + TINY, False), (1_200.0 - TINY, 1_000.0, False),
])  # fmt: skip
def test_an_automatic_rally_is_high_enough_and_has_turned(peak: float, close: float, seen: bool) -> None:
    event = events.automatic_rally(replace(RANGE, peak=peak), replace(READING, close=close), RULES.range)
    assert (event is not None) is seen


@pytest.mark.parametrize(("changes", "seen"), [
    ({}, True),
    ({"low": 1_140.0}, True),
    ({"low": 1_140.0 + TINY}, False),
    ({"low": 975.0}, True),
    ({"low": 975.0 - TINY}, False),
    ({"close": 1_000.0}, True),
    ({"close": 1_000.0 - TINY}, False),
    ({"location": 0.4}, True),
    ({"location": 0.4 - TINY}, False),
    ({"spread": 210.0}, True),
    ({"spread": 210.0 + TINY}, False),
    ({"effort_ratio": 3.2}, True),
    ({"effort_ratio": 3.2 + TINY}, False),
])  # fmt: skip
def test_a_secondary_test_revisits_the_climax_on_less(changes: Changes, seen: bool) -> None:
    assert (events.secondary_test(RANGE, replace(READING, **changes), RULES.range) is not None) is seen


@pytest.mark.parametrize(("tested", "seen"), [(0, True), (97, True), (98, False)])
def test_secondary_tests_keep_their_distance(tested: int, seen: bool) -> None:
    assert (events.secondary_test(replace(RANGE, tested=tested), READING, RULES.range) is not None) is seen


@pytest.mark.parametrize(("changes", "name"), [
    ({"low": 990.0}, "spring"),
    ({"low": 990.0 + TINY}, None),
    ({"low": 750.0}, "spring"),
    ({"low": 750.0 - TINY}, None),
    ({"low": 950.0, "close": 1_000.0}, None),
    ({"low": 950.0, "close": 1_000.0 + TINY}, "spring"),
    ({"low": 950.0, "effort_ratio": 1.8 - TINY}, "spring"),
    ({"low": 950.0, "effort_ratio": 1.8}, "shakeout"),
])  # fmt: skip
def test_a_spring_goes_far_enough_not_too_far_and_comes_back(changes: Changes, name: str | None) -> None:
    event = events.spring(RANGE, replace(READING, **changes), RULES.spring)
    assert (None if event is None else event.name) == name


@pytest.mark.parametrize(("began", "seen"), [(94, True), (93, False)])
def test_a_spring_comes_back_in_time(began: int, seen: bool) -> None:
    event = events.spring(replace(RANGE, thrust_number=began), READING, RULES.spring)
    assert (event is not None) is seen


@pytest.mark.parametrize(("changes", "seen"), [
    ({}, True),
    ({"low": 950.0}, False),
    ({"low": 950.0 + TINY}, True),
    ({"low": 1_150.0}, True),
    ({"low": 1_150.0 + TINY}, False),
    ({"spread_ratio": 0.9}, True),
    ({"spread_ratio": 0.9 + TINY}, False),
    ({"effort_ratio": 0.9}, True),
    ({"effort_ratio": 0.9 + TINY}, False),
    ({"location": 0.5}, True),
    ({"location": 0.5 - TINY}, False),
])  # fmt: skip
def test_the_test_of_a_spring_is_a_higher_low_on_little(changes: Changes, seen: bool) -> None:
    assert (events.spring_test(RANGE, replace(READING, **changes), RULES.spring) is not None) is seen


@pytest.mark.parametrize(("high", "low", "close", "effort", "location", "seen"), [
    (1_420.0, 1_300.0, 1_401.0, 13.0, 0.6, True),
    (1_420.0, 1_300.0, 1_400.0, 13.0, 0.6, False),
    (1_420.0, 1_300.0, 1_401.0, 13.0, 0.6 - TINY, False),
    (1_420.0, 1_300.0 + TINY, 1_401.0, 13.0, 0.6, False),
    (1_420.0, 1_300.0, 1_401.0, 13.0 - TINY, 0.6, False),
])  # fmt: skip
def test_a_sign_of_strength_leaves_on_spread_and_effort(
    high: float, low: float, close: float, effort: float, location: float, seen: bool
) -> None:
    figures = Figures(high, low, close, effort)
    reading = replace(READING, high=high, low=low, close=close, location=location)
    assert (events.sign_of_strength(TRACK, figures, RANGE, reading, RULES.sign) is not None) is seen


@pytest.mark.parametrize(("before", "seen"), [(1_251.0, True), (1_251.0 + 1, False)])
def test_a_sign_of_strength_advances_far_enough(before: float, seen: bool) -> None:
    track = replace(TRACK, window=(Figures(1_300.0, 1_200.0, before, 10.0),) * 100)
    figures = Figures(1_420.0, 1_300.0, 1_401.0, 13.0)
    reading = replace(READING, high=1_420.0, low=1_300.0, close=1_401.0, location=0.8)
    assert (events.sign_of_strength(track, figures, RANGE, reading, RULES.sign) is not None) is seen


@pytest.mark.parametrize(("changes", "name"), [
    ({"low": 1_300.0}, "BU"),
    ({"low": 1_300.0 - TINY}, "LPS"),
    ({"low": 1_200.0 + TINY}, "LPS"),
    ({"low": 1_200.0}, None),
    ({"low": 1_325.0}, "BU"),
    ({"low": 1_325.0 + TINY}, None),
    ({"low": 1_300.0, "spread_ratio": 0.95}, "BU"),
    ({"low": 1_300.0, "spread_ratio": 0.95 + TINY}, None),
    ({"low": 1_300.0, "effort_ratio": 0.95}, "BU"),
    ({"low": 1_300.0, "effort_ratio": 0.95 + TINY}, None),
    ({"low": 1_300.0, "location": 0.5}, "BU"),
    ({"low": 1_300.0, "location": 0.5 - TINY}, None),
])  # fmt: skip
def test_a_last_point_fades_above_the_middle(changes: Changes, name: str | None) -> None:
    event = events.last_point(RANGE, replace(READING, **changes), RULES.sign)
    assert (None if event is None else event.name) == name


@pytest.mark.parametrize(("told", "tested", "seen"), [(2, 97, True), (3, 97, False), (2, 98, False)])
def test_last_points_are_few_and_apart(told: int, tested: int, seen: bool) -> None:
    event = events.last_point(
        replace(RANGE, last_points=told, tested=tested), replace(READING, low=1_300.0), RULES.sign
    )
    assert (event is not None) is seen


def test_both_directions_have_names_and_they_come_back() -> None:
    for name in ("PS", "SC", "AR", "ST", "spring", "test", "SOS", "LPS", "BU", "failure"):
        assert events.canonical(events.name_for(Side.BUY, name)) == name
        assert events.canonical(events.name_for(Side.SELL, name)) == name
    assert events.canonical(events.name_for(Side.SELL, "shakeout")) == "spring"


def test_a_column_ends_when_price_comes_back_three_boxes() -> None:
    held = replace(RANGE, columns=1, column_rises=True, column_extreme=1_400.0)
    assert follow(held, 1_390.0, 1_250.0 + TINY, 1_300.0, 102, 50.0).columns == 1
    fallen = follow(held, 1_390.0, 1_250.0, 1_300.0, 102, 50.0)
    assert (fallen.columns, fallen.column_rises, fallen.column_extreme) == (2, False, 1_250.0)


def test_a_thrust_is_timed_from_its_first_bar_and_forgotten_when_it_is_over() -> None:
    below = follow(follow(RANGE, 1_010.0, 990.0, 995.0, 102, 50.0), 1_000.0, 970.0, 980.0, 103, 50.0)
    assert (below.thrust_number, below.thrust_low) == (102, 970.0)
    assert follow(below, 1_050.0, 985.0, 1_000.0, 104, 50.0).thrust_number == 0


def test_the_best_dry_up_counts() -> None:
    once = after_event(RANGE, "ST", 1_010.0, 0.6, 101)
    assert (once.support, once.tested, once.dry_up_strength) == (1_000.0, 101, 0.6)
    twice = after_event(once, "ST", 990.0, 0.5, 110)
    assert (twice.support, twice.tested, twice.dry_up_strength) == (990.0, 110, 0.6)


def test_until_the_rally_is_over_both_edges_move_and_then_only_the_upper_one() -> None:
    young = replace(RANGE, phase="A", edges_known=False)
    assert follow(young, 1_450.0, 980.0, 1_200.0, 102, 50.0).support == 980.0
    older = follow(replace(young, edges_known=True), 1_450.0, 980.0, 1_200.0, 102, 50.0)
    assert (older.support, older.resistance) == (1_000.0, 1_450.0)
    assert follow(RANGE, 1_450.0, 980.0, 1_200.0, 102, 50.0).resistance == 1_400.0
