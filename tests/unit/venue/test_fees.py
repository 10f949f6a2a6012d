"""Fees: rates, amounts for each unit, the order's minimum, rounding up."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.venue.desk import FREE, Desk, config
from tmt.domain.instrument import AssetClass
from tmt.domain.order import OrderType
from tmt.messages import Message, OrderFilled
from tmt.venue import FeeSchedule


def schedule(**changes: str) -> FeeSchedule:
    fields = dict.fromkeys(("maker_fraction", "taker_fraction", "per_unit_fee", "order_fee_min"), "0")
    return FeeSchedule(**{name: Decimal(value) for name, value in {**fields, **changes}.items()})


def desk_with(fees: FeeSchedule, decimals: int = 2) -> Desk:
    by_class = {**dict.fromkeys(AssetClass, FREE), AssetClass.EQUITY: fees}
    return Desk(config(fees=by_class, fee_decimals={"USD": decimals}))


def fees_of(messages: list[Message]) -> list[Decimal]:
    return [message.fee for message in messages if isinstance(message, OrderFilled)]


def test_takers_pay_the_takers_rate_and_makers_the_makers() -> None:
    desk = desk_with(schedule(taker_fraction="0.001", maker_fraction="0.0005"))
    desk.row(99, 100)
    taken = desk.order("a")
    limit: Any = {"type": OrderType.LIMIT, "limit_price": 98}
    desk.order("b", **limit)
    assert fees_of(taken + desk.row(97, 98)) == [Decimal("1.00"), Decimal("0.49")]


def test_the_fee_is_in_the_quote_currency() -> None:
    desk = desk_with(schedule(per_unit_fee="0.005"))
    desk.row(99, 100)
    filled = desk.order("a", quantity=100)[1]
    assert isinstance(filled, OrderFilled)
    assert (filled.fee, filled.fee_currency) == (Decimal("0.50"), "USD")


@pytest.mark.parametrize(
    ("quantity", "expected"), [(4, "0.01"), (10, "0.01"), (11, "0.02"), (20, "0.02"), (21, "0.03")]
)
def test_fees_are_rounded_up(quantity: int, expected: str) -> None:
    desk = desk_with(schedule(per_unit_fee="0.001"))
    desk.row(99, 100)
    assert fees_of(desk.order("a", quantity=quantity)) == [Decimal(expected)]


def test_a_currency_without_decimals() -> None:
    desk = desk_with(schedule(per_unit_fee="0.11"), 0)
    desk.row(99, 100)
    assert fees_of(desk.order("a")) == [Decimal(2)]


@pytest.mark.parametrize(("quantity", "expected"), [(199, "1.00"), (200, "1.00"), (201, "1.01")])
def test_the_minimum_of_an_order(quantity: int, expected: str) -> None:
    desk = desk_with(schedule(per_unit_fee="0.005", order_fee_min="1"))
    desk.row(99, 100)
    assert fees_of(desk.order("a", quantity=quantity)) == [Decimal(expected)]


def test_an_order_in_slices_pays_its_minimum_and_its_rounding_once() -> None:
    desk = desk_with(schedule(per_unit_fee="0.005", order_fee_min="1"))
    desk.row(99, 100, 50, 3)
    said = desk.order("a", quantity=301) + desk.row(99, 100, 50, 197) + desk.row(99, 100, 50, 101)
    assert fees_of(said) == [Decimal("1.00"), Decimal("0.00"), Decimal("0.51")]


@pytest.mark.parametrize("name", ["maker_fraction", "taker_fraction", "per_unit_fee", "order_fee_min"])
def test_a_schedule_refuses_what_is_below_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 0, was -0.01"):
        schedule(**{name: "-0.01"})


@pytest.mark.parametrize("name", ["maker_fraction", "taker_fraction"])
def test_a_rate_is_a_fraction(name: str) -> None:
    schedule(**{name: "1"})
    with pytest.raises(ValueError, match=f"{name} must be at most 1, was 1.01"):
        schedule(**{name: "1.01"})


@pytest.mark.parametrize("name", ["latency_base_ns", "latency_jitter_ns", "slippage_ticks"])
def test_the_venues_numbers_are_not_below_zero(name: str) -> None:
    config(**{name: 0})
    with pytest.raises(ValueError, match=f"{name} must be at least 0, was -1"):
        config(**{name: -1})


def test_the_venue_remembers_at_least_one_ended_order() -> None:
    config(ended_orders_max=1)
    with pytest.raises(ValueError, match="ended_orders_max must be at least 1, was 0"):
        config(ended_orders_max=0)


def test_every_asset_class_has_fees() -> None:
    with pytest.raises(ValueError, match="lacks fx, metal"):
        config(fees={name: FREE for name in AssetClass if name not in (AssetClass.FX, AssetClass.METAL)})


@pytest.mark.parametrize("decimals", [-1, 19])
def test_fee_decimals_are_bounded(decimals: int) -> None:
    config(fee_decimals={"USD": 0, "BTC": 18})
    with pytest.raises(ValueError, match=r"fee_decimals of USD must be in \[0, 18\]"):
        config(fee_decimals={"USD": decimals})
