"""The track of an instrument's volatility, bar by bar."""

import pytest

from tests.unit.agents.desk import Desk
from tmt.agents.aria.volatility import VolatilityTrack, advance, percentile
from tmt.market.bar import Bar

PICO = 10**12


def bar(close: str, high: str, low: str) -> Bar:
    return Desk().bar("EURUSD", close, high=high, low=low).bar


@pytest.mark.parametrize(("atr_bars", "ranges"), [(1, (2 * PICO,)), (2, ()), (3, ())])
def test_the_first_bar_has_its_own_range(atr_bars: int, ranges: tuple[int, ...]) -> None:
    track = advance(None, bar("6", "7", "5"), atr_bars, 9, 9)
    assert track == VolatilityTrack(1, 6 * PICO, 2 * PICO, ranges, (6 * PICO,))


@pytest.mark.parametrize(
    ("before", "average", "ranges"),
    [
        # The true range of every bar is 6, from the close before at 10 down to 4.
        (VolatilityTrack(1, 10 * PICO, 3 * PICO, (), (PICO,)), 4_500_000_000_000, ()),
        (VolatilityTrack(2, 10 * PICO, 3 * PICO, (), (PICO,)), 4 * PICO, (4 * PICO,)),
        (VolatilityTrack(3, 10 * PICO, 3 * PICO, (7,), (PICO,)), 4 * PICO, (7, 4 * PICO)),
        (VolatilityTrack(9, 10 * PICO, 3 * PICO, (7, 8), (PICO,)), 4 * PICO, (8, 4 * PICO)),
    ],
)
def test_wilders_average_counts_from_its_number_of_bars_and_the_newest_are_kept(
    before: VolatilityTrack, average: int, ranges: tuple[int, ...]
) -> None:
    track = advance(before, bar("5", "7", "4"), 3, 2, 2)
    assert track == VolatilityTrack(before.bars + 1, 5 * PICO, average, ranges, (PICO, 5 * PICO))


@pytest.mark.parametrize(("close_before", "true_range"), [("2", 5), ("4", 3), ("5", 3), ("7", 3), ("9", 5)])
def test_the_true_range_reaches_to_the_close_before(close_before: str, true_range: int) -> None:
    before = VolatilityTrack(5, int(close_before) * PICO, PICO, (), ())
    assert advance(before, bar("5", "7", "4"), 1, 9, 1).range_pico == true_range * PICO


def test_the_windows_keep_the_newest() -> None:
    before = VolatilityTrack(5, 5 * PICO, 3 * PICO, (1, 2), (1, 2))
    track = advance(before, bar("5", "7", "4"), 1, 1, 1)
    assert (track.ranges_pico, track.closes_pico) == ((3 * PICO,), (5 * PICO,))


@pytest.mark.parametrize(
    ("ranges", "expected"), [((5, 9, 7), "0.500000"), ((9, 8, 7, 7, 6, 5), "0.083333"), ((1, 2, 2), "0.666667")]
)
def test_a_percentile_counts_equals_half_on_a_grid_of_six_decimals(ranges: tuple[int, ...], expected: str) -> None:
    assert str(percentile(VolatilityTrack(9, 1, 1, ranges, ()))) == expected
