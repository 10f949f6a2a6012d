"""How long each phase waits, and when a range is given up: limit by limit."""

import pytest
from msgspec.structs import replace

from tests.unit.agents.wyckoff.round_numbers import RANGE, READING, TRACK
from tests.unit.agents.wyckoff.schematic import config
from tmt.agents.wyckoff.phases import Verdict, judge
from tmt.agents.wyckoff.signals import count_target
from tmt.agents.wyckoff.track import Reading
from tmt.agents.wyckoff.trading_range import TradingRange

RULES = config()
TINY = 1e-6
STOPPING = replace(RANGE, phase="A", opened=95)
IDLE = replace(READING, low=1_200.0, close=1_250.0, high=1_260.0)
SPRUNG = replace(RANGE, phase="C", spring_strength=0.8, thrust_low=950.0, phase_number=90, tested=101)
STRONG = replace(RANGE, phase="D", sign_strength=0.8, phase_number=90, peak=1_500.0, tested=101)
MOVING = replace(STRONG, phase="E", line=1_350.0, columns=2)


def judged(held: TradingRange, reading: Reading) -> Verdict | None:
    return judge(TRACK, held, TRACK.window[-1], reading, RULES)


def phase(held: TradingRange, reading: Reading) -> str | None:
    verdict = judged(held, reading)
    return None if verdict is None else verdict.phase


def rule(held: TradingRange, reading: Reading) -> str | None:
    verdict = judged(held, reading)
    return None if verdict is None or verdict.event is None else verdict.event.rule


@pytest.mark.parametrize(("opened", "entered"), [(101 - 240, None), (101 - 241, "abandoned")])
def test_a_range_lives_its_lifetime_and_no_longer(opened: int, entered: str | None) -> None:
    held = replace(RANGE, opened=opened, tested=100)
    assert phase(held, IDLE) == entered


@pytest.mark.parametrize(("opened", "event"), [(86, "spring"), (87, "ST")])
def test_a_spring_wants_a_cause(opened: int, event: str) -> None:
    reading = replace(READING, low=980.0)
    verdict = judged(replace(RANGE, opened=opened), reading)
    assert verdict is not None
    assert verdict.event is not None
    assert verdict.event.name == event


@pytest.mark.parametrize(("high", "entered"), [(1_900.0, None), (1_900.0 + TINY, "abandoned")])
def test_a_rally_that_takes_back_the_trend_is_no_range(high: float, entered: str | None) -> None:
    assert phase(STOPPING, replace(IDLE, high=high)) == entered


@pytest.mark.parametrize(("opened", "entered"), [(76, None), (75, "abandoned")])
def test_an_automatic_rally_does_not_take_forever(opened: int, entered: str | None) -> None:
    slow = replace(STOPPING, opened=opened, edges_known=False, peak=1_100.0)
    assert phase(slow, IDLE) == entered


@pytest.mark.parametrize(("close", "failed"), [(800.0, None), (800.0 - TINY, "climax_did_not_hold")])
def test_a_climax_whose_low_is_broken_far_has_failed(close: float, failed: str | None) -> None:
    assert rule(STOPPING, replace(IDLE, low=700.0, close=close)) == failed


@pytest.mark.parametrize(
    ("changes", "began", "failed"),
    [
        ({"close": 800.0}, 0, None),
        ({"close": 800.0 - TINY}, 0, "support_did_not_hold"),
        ({"low": 750.0}, 0, None),
        ({"low": 750.0 - TINY}, 0, "support_did_not_hold"),
        ({}, 94, None),
        ({}, 93, "support_did_not_hold"),
    ],
)
def test_support_is_broken_far_deep_or_long(changes: dict[str, float], began: int, failed: str | None) -> None:
    below = replace(IDLE, low=790.0, close=950.0)
    assert rule(replace(RANGE, thrust_number=began), replace(below, **changes)) == failed


@pytest.mark.parametrize(("close", "entered"), [(1_600.0, None), (1_600.0 + TINY, "abandoned")])
@pytest.mark.parametrize("held", [RANGE, SPRUNG])
def test_a_range_left_without_a_sign_is_given_up(held: TradingRange, close: float, entered: str | None) -> None:
    assert phase(held, replace(IDLE, high=1_610.0, close=close, location=0.5)) == entered


@pytest.mark.parametrize(("since", "entered"), [(41, None), (40, "abandoned")])
def test_a_spring_is_followed_by_strength_in_time(since: int, entered: str | None) -> None:
    assert phase(replace(SPRUNG, phase_number=since), IDLE) == entered


@pytest.mark.parametrize(("close", "failed"), [(950.0, None), (950.0 - TINY, "spring_did_not_hold")])
def test_a_spring_fails_on_a_close_below_its_low(close: float, failed: str | None) -> None:
    assert rule(SPRUNG, replace(IDLE, low=900.0, close=close)) == failed


@pytest.mark.parametrize(
    ("held", "close", "failed"),
    [
        (STRONG, 1_200.0, None),
        (STRONG, 1_200.0 - TINY, "sign_of_strength_did_not_hold"),
        (MOVING, 1_200.0, None),
        (MOVING, 1_200.0 - TINY, "move_did_not_hold"),
    ],
)
def test_strength_fails_on_a_close_below_the_middle(held: TradingRange, close: float, failed: str | None) -> None:
    assert rule(held, replace(IDLE, close=close)) == failed


@pytest.mark.parametrize(("points", "close", "entered"), [(1, 1_500.0, None), (1, 1_501.0, "E"), (0, 1_501.0, None)])
def test_the_move_begins_past_the_peak_after_a_last_point(points: int, close: float, entered: str | None) -> None:
    assert phase(replace(STRONG, last_points=points), replace(IDLE, close=close)) == entered


@pytest.mark.parametrize(("held", "end"), [(STRONG, "abandoned"), (MOVING, "completed")])
@pytest.mark.parametrize(("since", "over"), [(21, False), (20, True)])
def test_dominance_and_the_move_have_an_end(held: TradingRange, end: str, since: int, over: bool) -> None:
    assert phase(replace(held, phase_number=since), IDLE) == (end if over else None)


def test_the_move_is_completed_at_the_count() -> None:
    target = count_target(MOVING, RULES.signal)
    assert target == 1_350 + 2 * 3 * 0.5 * 100
    assert phase(MOVING, replace(IDLE, high=target - TINY)) is None
    assert phase(MOVING, replace(IDLE, high=target)) == "completed"
