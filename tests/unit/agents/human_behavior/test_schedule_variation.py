"""The variation of times and sizes, number by number, and the places where rounding decides."""

from decimal import Decimal

import pytest

from tests.unit.agents.desk import START_NS
from tests.unit.agents.human_behavior.floor import CONFIG
from tests.unit.agents.human_behavior.test_schedule import MINUTE_NS, NO_PROFILE, plan, profile, with_values
from tmt.agents.human_behavior.schedule import slices_wanted
from tmt.agents.human_behavior.volume import Volumes
from tmt.domain.identity import seeded_fraction
from tmt.domain.schedule import Algorithm

VARIATION = {"time_variation_fraction": Decimal("0.25"), "size_variation_fraction": Decimal("0.2")}
LATEST_NS = MINUTE_NS // 4
SHARE = 200_000
"""Of a million parts."""


def later_ns(seed: str, number: int) -> int:
    return seeded_fraction(seed, "time", str(number)) * LATEST_NS // 2**32 if number else 0


def parts(seed: str, number: int) -> int:
    return 1_000_000 - SHARE + seeded_fraction(seed, "size", str(number)) * 2 * SHARE // 2**32


def cut_by(weights: list[int], quantity: int) -> list[int]:
    """What each share takes of `quantity`: up to its part of the whole, in lots of 1,000."""
    upto = [quantity * sum(weights[: number + 1]) // sum(weights) // 1000 * 1000 for number in range(len(weights))]
    return [each - before for each, before in zip(upto, [0, *upto], strict=False)]


@pytest.mark.parametrize("seed", ["a", "b", "c"])
@pytest.mark.parametrize(
    ("algorithm", "volumes", "usual"),
    [(Algorithm.TWAP, NO_PROFILE, [1, 1, 1, 1]), (Algorithm.VWAP, profile("4"), [1, 1, 1, 1])],
    ids=["twap", "vwap"],
)
def test_times_and_sizes_vary_as_the_orders_id_says(
    seed: str, algorithm: Algorithm, volumes: Volumes, usual: list[int]
) -> None:
    made = plan("8000000", 4, with_values(algorithm=algorithm, **VARIATION), volumes=volumes, order_id=seed)
    assert made.algorithm is algorithm
    assert [each.due_ns for each in made.slices] == [
        START_NS + number * MINUTE_NS + later_ns(seed, number) for number in range(4)
    ]
    weights = [each * parts(seed, number) for number, each in enumerate(usual)]
    assert [each.quantity for each in made.slices] == cut_by(weights, 8_000_000)


def test_the_swing_of_a_size_is_of_its_share_of_the_volume() -> None:
    config = with_values(algorithm=Algorithm.VWAP, interval_seconds=1800, size_variation_fraction=Decimal("0.2"))
    made = plan("8000000", 3, config, volumes=profile("1", "4", "2"), order_id="a")
    weights = [each * parts("a", number) for number, each in enumerate((250_000, 1_000_000, 500_000))]
    assert [each.quantity for each in made.slices] == cut_by(weights, 8_000_000)


@pytest.mark.parametrize(("quantity", "expected"), [("19.999999", 2), ("20", 2), ("20.000001", 3), ("40.000001", 4)])
def test_a_hair_more_than_a_slice_takes_is_another_slice(quantity: str, expected: int) -> None:
    assert slices_wanted(Decimal(quantity), Decimal(100), CONFIG.slicing) == expected
