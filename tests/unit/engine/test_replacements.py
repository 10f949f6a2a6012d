"""A replacement passes no gate, so it adds no risk: no larger, at no worse limit, at no worse trigger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.projections.order_index import OrderRecord
from tmt.web.problem import Refused
from tmt.web.trading import _refuse_more_risk
from tmt.web.trading_forms import Replacement

STOP = OrderRecord(
    order_id="o",
    client_order_id="c",
    trail_id="t",
    account="alpha",
    instrument="EURUSD",
    side=Side.BUY,
    type=OrderType.STOP,
    time_in_force=TimeInForce.DAY,
    quantity=Decimal(1000),
    filled=Decimal(200),
    average_price=None,
    limit_price=None,
    stop_price=Decimal(100),
    stop_loss_price=Decimal(90),
    take_profit_price=None,
    trail_offset=None,
    reduce_only=False,
    post_only=False,
    strategy="manual",
    setup="manual",
    person="ann",
    status="accepted",
    reason="",
    created_at_ns=0,
    updated_at_ns=0,
    position=1,
)
SALE: dict[str, Any] = {"side": Side.SELL, "stop_loss_price": Decimal(110)}
CLOSING: dict[str, Any] = {"side": Side.SELL, "stop_loss_price": None, "reduce_only": True}


def refused(order: OrderRecord, **wanted: str) -> str:
    """Which field is refused, and why; empty when the replacement is fine."""
    asked = Replacement(**{"quantity": Decimal(1000), **{name: Decimal(value) for name, value in wanted.items()}})
    try:
        _refuse_more_risk(order, asked)
    except Refused as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize(
    ("changes", "wanted", "why"),
    [
        ({}, {}, ""),
        ({}, {"stop_price": "100"}, ""),
        ({}, {"stop_price": "99"}, ""),
        ({}, {"stop_price": "101"}, "away from the market"),
        ({}, {"stop_price": "90"}, "beyond the order's own stop"),
        ({}, {"stop_price": "90.1"}, ""),
        ({}, {"price": "99"}, "has no limit to move"),
        ({}, {"quantity": "1001"}, "only become smaller"),
        ({}, {"quantity": "200"}, "has filled already"),
        ({}, {"quantity": "201"}, ""),
        ({"stop_price": None}, {"stop_price": "99"}, "has no trigger to move"),
        (SALE, {"stop_price": "99"}, "away from the market"),
        (SALE, {"stop_price": "101"}, "worth more than the gates approved"),
        (SALE, {"stop_price": "101", "quantity": "990"}, ""),
        (SALE, {"stop_price": "110", "quantity": "500"}, "beyond the order's own stop"),
        (CLOSING, {"stop_price": "101"}, ""),
        (CLOSING, {"stop_price": "99"}, "away from the market"),
        ({**CLOSING, "limit_price": Decimal(98)}, {"price": "97"}, ""),
        ({"limit_price": Decimal(101)}, {"price": "102"}, "towards the market"),
    ],
)
def test_only_what_adds_no_risk_is_let_through(changes: dict[str, Any], wanted: dict[str, str], why: str) -> None:
    detail = refused(msgspec.structs.replace(STOP, **changes), **wanted)
    assert why in detail
    assert (why == "") is (detail == "")


@pytest.mark.parametrize("name", ["quantity", "price", "stop_price"])
def test_numbers_are_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 0"):
        Replacement(**{"quantity": Decimal(1), name: Decimal(0)})
