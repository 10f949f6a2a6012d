"""A replacement never lets an order that opens trade at a worse price than its gates judged, nor behind its stop."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tmt.agents.execution.stops import is_behind_stop, is_dearer
from tmt.agents.execution.tracking import TrackedOrder
from tmt.domain.order import Side
from tmt.messages import ReplaceSubmitted


def order(
    side: Side,
    *,
    reduce_only: bool = False,
    limit: str | None = None,
    stop: str | None = None,
    stop_loss: str | None = None,
) -> TrackedOrder:
    return TrackedOrder(
        order_id="order",
        account="alpha",
        instrument="EURUSD",
        side=side,
        quantity=Decimal(1000),
        reduce_only=reduce_only,
        exit_ids=(),
        limit_price=None if limit is None else Decimal(limit),
        stop_price=None if stop is None else Decimal(stop),
        stop_loss_price=None if stop_loss is None else Decimal(stop_loss),
    )


def asked(limit: str | None = None, stop: str | None = None) -> ReplaceSubmitted:
    return ReplaceSubmitted.root(
        "execution",
        1,
        client_order_id="client",
        quantity=Decimal(1000),
        limit_price=None if limit is None else Decimal(limit),
        stop_price=None if stop is None else Decimal(stop),
    )


@pytest.mark.parametrize(
    ("side", "price", "dearer"),
    [
        (Side.BUY, "1.1001", True),
        (Side.BUY, "1.1000", False),
        (Side.BUY, "1.0999", False),
        (Side.SELL, "1.0999", True),
        (Side.SELL, "1.1000", False),
        (Side.SELL, "1.1001", False),
    ],
)
def test_a_price_may_equal_or_better_the_released_one(side: Side, price: str, dearer: bool) -> None:
    assert is_dearer(asked(limit=price), order(side, limit="1.1")) is dearer
    assert is_dearer(asked(stop=price), order(side, stop="1.1")) is dearer


def test_what_asks_for_no_price_is_not_dearer() -> None:
    assert not is_dearer(asked(), order(Side.BUY, limit="1.1", stop="1.1"))


def test_a_price_that_the_order_has_not_is_the_venues_to_refuse() -> None:
    assert not is_dearer(asked(limit="9"), order(Side.BUY))


def test_one_of_two_prices_is_enough() -> None:
    assert is_dearer(asked(limit="1.1", stop="1.2"), order(Side.BUY, limit="1.1", stop="1.1"))


def test_an_order_that_only_reduces_may_take_any_price() -> None:
    assert not is_dearer(asked(limit="9"), order(Side.BUY, reduce_only=True, limit="1.1"))


def test_an_order_that_is_not_known_is_the_venues_to_judge() -> None:
    assert not is_dearer(asked(limit="9"), None)


@pytest.mark.parametrize(
    ("side", "price", "behind"),
    [
        (Side.BUY, "1.0901", False),
        (Side.BUY, "1.0900", True),
        (Side.BUY, "1.0899", True),
        (Side.SELL, "1.0899", False),
        (Side.SELL, "1.0900", True),
        (Side.SELL, "1.0901", True),
    ],
)
def test_an_entry_stays_before_its_stop(side: Side, price: str, behind: bool) -> None:
    known = order(side, limit="1.1", stop="1.1", stop_loss="1.0900")
    assert is_behind_stop(asked(limit=price), known) is behind
    assert is_behind_stop(asked(stop=price), known) is behind
    assert not is_behind_stop(asked(limit=price), order(side, limit="1.1"))
    assert not is_behind_stop(asked(limit=price), None)
    assert not is_behind_stop(asked(limit=price), order(side, reduce_only=True, limit="1.1", stop_loss="1.0900"))
    assert not is_behind_stop(asked(), known)
