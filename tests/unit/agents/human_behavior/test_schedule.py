"""How a large order is cut: every unit goes out once, in lots that the venue takes, within the bounds of variation."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.agents.desk import BTCUSD, EURUSD, START_NS, make_instrument, make_order, make_quote
from tests.unit.agents.human_behavior.floor import CONFIG
from tmt.agents.human_behavior.config import Slicing
from tmt.agents.human_behavior.schedule import may_be_sliced, sliced, slices_wanted, smallest_slice, whole
from tmt.agents.human_behavior.volume import Traded, Volumes
from tmt.domain.instrument import Instrument
from tmt.domain.order import Order, OrderType, Side, TimeInForce
from tmt.domain.schedule import Algorithm, Schedule, Slice
from tmt.market.bar import Timeframe

MINUTE_NS = 60 * 10**9
NO_PROFILE = Volumes(timeframe=Timeframe.M1)


def with_values(**changes: Any) -> Slicing:
    return msgspec.structs.replace(CONFIG.slicing, **changes)


def order(quantity: str = "10000", order_id: str = "order") -> Order:
    return make_order("EURUSD", Side.BUY, quantity, make_quote("1.0999", "1.1000"), order_id=order_id)


def cut(
    quantity: str,
    slices: int,
    config: Slicing = CONFIG.slicing,
    *,
    instrument: Instrument = EURUSD,
    volumes: Volumes = NO_PROFILE,
    order_id: str = "order",
) -> Schedule | None:
    parent = order(quantity, order_id)
    return sliced(parent, parent.quantity, slices, START_NS, instrument, volumes, config)


def plan(*arguments: Any, **more: Any) -> Schedule:
    made = cut(*arguments, **more)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("kind", "time_in_force", "expected"),
    [
        (OrderType.MARKET, TimeInForce.IOC, True),
        (OrderType.MARKET, TimeInForce.GTC, True),
        (OrderType.MARKET, TimeInForce.DAY, True),
        (OrderType.MARKET, TimeInForce.FOK, False),
        (OrderType.LIMIT, TimeInForce.IOC, True),
        (OrderType.LIMIT, TimeInForce.GTC, False),
        (OrderType.LIMIT, TimeInForce.FOK, False),
        (OrderType.STOP, TimeInForce.GTC, False),
        (OrderType.STOP, TimeInForce.IOC, False),
    ],
)
def test_what_takes_at_once_may_be_sliced(kind: OrderType, time_in_force: TimeInForce, expected: bool) -> None:
    changed = msgspec.structs.replace(
        order(),
        type=kind,
        time_in_force=time_in_force,
        limit_price=Decimal("1.1") if kind is OrderType.LIMIT else None,
        stop_price=Decimal("1.2") if kind is OrderType.STOP else None,
    )
    assert may_be_sliced(changed) is expected


@pytest.mark.parametrize(
    ("quantity", "usual", "expected"),
    [("10", "100", 1), ("10.1", "100", 2), ("20", "100", 2), ("20.1", "100", 3), ("41", "100", 4), ("1", "0", 4)],
)
def test_slices_keep_within_the_participation_up_to_a_bound(quantity: str, usual: str, expected: int) -> None:
    assert slices_wanted(Decimal(quantity), Decimal(usual), CONFIG.slicing) == expected


@pytest.mark.parametrize(
    ("notional_min", "point_value", "expected"),
    [("0", 1, "0.0001"), ("10", 1, "0.1"), ("10.001", 1, "0.1001"), ("10", 2, "0.05"), ("0.01", 1, "0.0001")],
)
def test_the_smallest_slice_is_what_the_venue_takes(notional_min: str, point_value: int, expected: str) -> None:
    instrument = msgspec.structs.replace(BTCUSD, notional_min=Decimal(notional_min), point_value=Decimal(point_value))
    assert smallest_slice(instrument, Decimal(100)) == Decimal(expected)


def test_a_whole_order_is_one_slice_at_once() -> None:
    made = whole(order(), Decimal(9000), START_NS)
    assert made == Schedule(algorithm=Algorithm.TWAP, slices=(Slice(START_NS, Decimal(9000)),), seed="order")


def test_twap_is_even_in_time_and_size() -> None:
    made = plan("12000", 4)
    assert made.algorithm is Algorithm.TWAP
    assert [(each.due_ns - START_NS, each.quantity) for each in made.slices] == [
        (number * MINUTE_NS, Decimal(3000)) for number in range(4)
    ]
    assert (made.seed, made.participation_fraction) == ("order", None)


def test_lots_that_do_not_divide_go_where_the_even_line_puts_them() -> None:
    assert [each.quantity for each in plan("10000", 4).slices] == [2000, 3000, 2000, 3000]


def test_what_is_too_small_for_the_venue_waits_for_the_next() -> None:
    big = make_instrument("EURUSD", "EUR", "USD", quantity_min="4000")
    made = plan("10000", 4, instrument=big)
    assert [(each.due_ns - START_NS, each.quantity) for each in made.slices] == [
        (MINUTE_NS, Decimal(5000)),
        (2 * MINUTE_NS, Decimal(5000)),
    ]


def test_a_rest_that_the_venue_would_not_take_goes_with_the_slice_before() -> None:
    big = make_instrument("EURUSD", "EUR", "USD", quantity_min="4000")
    assert [each.quantity for each in plan("9000", 2, instrument=big).slices] == [4000, 5000]
    assert cut("7000", 2, instrument=big) is None


@pytest.mark.parametrize(("quantity", "made"), [("1000", False), ("2000", True)])
def test_one_slice_is_no_schedule(quantity: str, made: bool) -> None:
    assert (cut(quantity, 4) is not None) is made


def profile(*by_half_hour: str | None) -> Volumes:
    first = START_NS // MINUTE_NS % 1440 // 30 * 30
    slots = {
        str((first + 30 * number) % 1440): Traded(Decimal(units), 1)
        for number, units in enumerate(by_half_hour)
        if units is not None
    }
    return Volumes(timeframe=Timeframe.M1, slots=slots)


VWAP = with_values(algorithm=Algorithm.VWAP, interval_seconds=1800)


def test_vwap_follows_the_usual_volume_of_the_time_of_day() -> None:
    made = plan("10000", 4, VWAP, volumes=profile("10", "30", "40", "20"))
    assert made.algorithm is Algorithm.VWAP
    assert [each.quantity for each in made.slices] == [1000, 3000, 4000, 2000]


@pytest.mark.parametrize("missing", [None, "0"])
def test_vwap_without_a_profile_of_every_time_is_twap(missing: str | None) -> None:
    made = plan("12000", 4, VWAP, volumes=profile("10", missing, "40", "20"))
    assert made.algorithm is Algorithm.TWAP
    assert [each.quantity for each in made.slices] == [3000] * 4


def test_twap_does_not_look_at_the_profile() -> None:
    made = plan("12000", 4, with_values(interval_seconds=1800), volumes=profile("10", "30", "40", "20"))
    assert [each.quantity for each in made.slices] == [3000] * 4


def test_a_dead_time_of_day_still_has_a_millionth_of_the_liveliest() -> None:
    made = plan("5000000000", 2, VWAP, volumes=profile("0.0000001", "1000000"))
    assert [each.quantity for each in made.slices] == [4000, 4999996000]


def test_pov_bounds_each_slice_and_gives_a_slow_market_twice_the_time() -> None:
    made = plan("10000", 3, with_values(algorithm=Algorithm.POV))
    assert made.algorithm is Algorithm.POV
    assert (made.participation_fraction, made.seed) == (Decimal("0.1"), "order")
    assert [(each.due_ns - START_NS, each.quantity) for each in made.slices] == [
        (number * MINUTE_NS, Decimal(4000)) for number in range(6)
    ]
    assert made.quantity >= 10000


def test_povs_bound_is_never_below_what_the_venue_takes() -> None:
    big = make_instrument("EURUSD", "EUR", "USD", quantity_min="5000")
    made = plan("8000", 4, with_values(algorithm=Algorithm.POV), instrument=big)
    assert {each.quantity for each in made.slices} == {5000}
    even = plan("8000", 4, with_values(algorithm=Algorithm.POV))
    assert {each.quantity for each in even.slices} == {2000}


VARIED = with_values(time_variation_fraction=Decimal("0.25"), size_variation_fraction=Decimal("0.2"))


def test_the_variation_is_derived_from_the_orders_id() -> None:
    first, again, other = (plan("400000", 4, VARIED, order_id=each) for each in ("a", "a", "b"))
    assert first == again
    assert [each.due_ns for each in first.slices] != [each.due_ns for each in other.slices]
    assert [each.quantity for each in first.slices] != [each.quantity for each in other.slices]


def test_the_first_slice_goes_out_at_once() -> None:
    assert {plan("400000", 4, VARIED, order_id=str(n)).slices[0].due_ns for n in range(20)} == {START_NS}


def test_times_and_sizes_use_the_whole_of_their_bounds_and_no_more() -> None:
    later, sizes = [], []
    for number in range(400):
        made = plan("4000000", 4, VARIED, order_id=str(number))
        later += [(each.due_ns - START_NS) % MINUTE_NS for each in made.slices[1:]]
        sizes += [each.quantity for each in made.slices]
    assert 0 <= min(later) < MINUTE_NS // 200
    assert MINUTE_NS * 49 // 200 < max(later) < MINUTE_NS // 4
    assert 800_000 * Decimal("0.75") < min(sizes) < 850_000
    assert 1_150_000 < max(sizes) < Decimal(1_200_000) / Decimal("0.8")


@settings(max_examples=200)
@given(
    lots=st.integers(2, 100_000),
    slices=st.integers(2, 40),
    smallest=st.integers(1, 5000),
    seed=st.text(min_size=1, max_size=3),
    swing=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("0.99")]),
)
@example(lots=2, slices=40, smallest=1, seed="a", swing=Decimal("0.99"))
@example(lots=9, slices=2, smallest=4, seed="a", swing=Decimal(0))
def test_every_unit_goes_out_once_in_slices_that_the_venue_takes(
    lots: int, slices: int, smallest: int, seed: str, swing: Decimal
) -> None:
    instrument = make_instrument("EURUSD", "EUR", "USD", quantity_min=str(1000 * smallest))
    config = with_values(size_variation_fraction=swing, time_variation_fraction=swing)
    made = cut(str(1000 * lots), slices, config, instrument=instrument, order_id=seed)
    if made is None:
        assert swing > 0 or lots // slices < 2 * smallest
        return
    assert made.quantity == 1000 * lots
    assert 2 <= len(made.slices) <= slices
    for each in made.slices:
        assert each.quantity >= 1000 * smallest
        assert each.quantity % 1000 == 0
