"""Whether slicing pays: the two kinds compared, exactly at the margin, and what follows."""

from decimal import Decimal

import pytest

from tests.unit.agents.desk import START_NS
from tests.unit.agents.human_behavior.floor import CONFIG, with_slicing
from tmt.agents.human_behavior.trial import Evidence, goes_whole, pays, remember_end, shortfalls
from tmt.domain.identity import seeded_fraction
from tmt.domain.schedule import Algorithm
from tmt.messages import ScheduleEnded

TRIAL = CONFIG.slicing.trial


def ended(shortfall: str | None = "0.001", reason: str = "completed") -> ScheduleEnded:
    return ScheduleEnded.root(
        "execution",
        START_NS,
        order_id="order",
        account="alpha",
        instrument="EURUSD",
        algorithm=Algorithm.TWAP,
        reason=reason,
        filled=Decimal(1),
        arrival_price=Decimal(1),
        average_price=Decimal(1),
        shortfall_fraction=None if shortfall is None else Decimal(shortfall),
        immediate_fraction=None,
    )


def evidence(sliced: tuple[str, ...], whole: tuple[str, ...], whole_left: int = 0) -> Evidence:
    return Evidence(sliced=tuple(map(Decimal, sliced)), whole=tuple(map(Decimal, whole)), whole_left=whole_left)


@pytest.mark.parametrize(("sliced", "whole"), [(1, 2), (2, 1), (0, 9)])
def test_few_prove_nothing(sliced: int, whole: int) -> None:
    known = evidence(("9",) * sliced, ("0",) * whole)
    assert shortfalls(known, TRIAL) is None
    assert pays(known, TRIAL)


@pytest.mark.parametrize(
    ("whole", "expected"), [("0.0011", True), ("0.00109", False), ("0.0012", True), ("0.001", False)]
)
def test_it_pays_when_its_mean_is_lower_by_the_margin(whole: str, expected: bool) -> None:
    known = evidence(("0", "0.002"), (whole, whole))
    assert shortfalls(known, TRIAL) == (Decimal("0.001"), Decimal(whole))
    assert pays(known, TRIAL) is expected


def test_the_end_of_a_large_order_is_remembered_with_its_kind() -> None:
    known = remember_end(Evidence(), ended("0.1"), 5, TRIAL)
    known = remember_end(known, ended("0.2"), 1, TRIAL)
    assert remember_end(known, ended("0.3"), 2, TRIAL) == evidence(("0.1", "0.3"), ("0.2",))


def test_only_the_newest_are_remembered() -> None:
    known = evidence(("0", "0", "0"), ("1", "1", "1"))
    assert remember_end(known, ended("0.5"), 4, TRIAL).sliced == tuple(map(Decimal, ("0", "0", "0.5")))
    assert remember_end(known, ended("0.5"), 1, TRIAL).whole == tuple(map(Decimal, ("1", "1", "0.5")))


@pytest.mark.parametrize("nothing", [ended(None), ended("9", reason="stopped"), ended("9", reason="breaker")])
def test_what_was_stopped_or_did_not_fill_proves_nothing(nothing: ScheduleEnded) -> None:
    assert remember_end(Evidence(), nothing, 5, TRIAL) == Evidence()
    assert remember_end(Evidence(), nothing, 1, TRIAL) == Evidence()


def test_slicing_that_does_not_pay_is_off_and_starts_from_nothing_when_it_is_tried_again() -> None:
    known = remember_end(evidence(("0.1",), ("0.1", "0.1")), ended("0.1"), 4, TRIAL)
    assert known == evidence((), ("0.1", "0.1"), whole_left=2)
    known = remember_end(known, ended("0.2"), 1, TRIAL)
    assert known == evidence((), ("0.1", "0.1", "0.2"), whole_left=1)
    known = remember_end(known, ended("0.2"), 1, TRIAL)
    assert known.whole_left == 0
    assert not goes_whole(known, "order", TRIAL)


def test_the_orders_that_are_over_count_whatever_became_of_them() -> None:
    assert remember_end(Evidence(whole_left=2), ended(None, "stopped"), 1, TRIAL).whole_left == 1


def test_a_sliced_order_that_ends_while_slicing_is_off_counts_for_nothing_else() -> None:
    known = remember_end(evidence(("0.1",), ("0.1", "0.1"), whole_left=2), ended("0.1"), 4, TRIAL)
    assert (known.whole_left, len(known.sliced)) == (2, 2)


def test_while_it_is_off_every_large_order_goes_whole() -> None:
    assert goes_whole(Evidence(whole_left=1), "order", TRIAL)
    assert not goes_whole(Evidence(), "order", TRIAL)


def test_a_seeded_share_goes_whole() -> None:
    quarter = with_slicing("trial", whole_fraction=Decimal("0.25")).slicing.trial
    drawn = [goes_whole(Evidence(), str(number), quarter) for number in range(4000)]
    assert 900 < sum(drawn) < 1100
    assert drawn == [goes_whole(Evidence(), str(number), quarter) for number in range(4000)]
    all_of_them = with_slicing("trial", whole_fraction=Decimal(1)).slicing.trial
    assert all(goes_whole(Evidence(), str(number), all_of_them) for number in range(100))


def test_the_draw_is_of_trials_alone() -> None:
    half = with_slicing("trial", whole_fraction=Decimal("0.5")).slicing.trial
    ids = [str(number) for number in range(64)]
    assert [goes_whole(Evidence(), each, half) for each in ids] == [
        seeded_fraction("trial", each) < 2**31 for each in ids
    ]
