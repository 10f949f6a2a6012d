"""Nothing is laid in the way of an own parent whose slices are still to come."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import reason
from tests.unit.agents.compliance.test_order_rules import check, two_accounts
from tests.unit.agents.desk import make_order, make_quote
from tmt import messages as m
from tmt.domain.order import Order, Side, TimeInForce
from tmt.domain.schedule import Algorithm, Schedule, Slice

BUY, SELL = Side.BUY, Side.SELL


def sliced(side: Side, quantity: str, **fields: Any) -> Order:
    """A parent of alpha's in two slices, valued when the market was elsewhere."""
    slices = tuple(Slice(number, Decimal(quantity)) for number in (1, 2))
    schedule = Schedule(algorithm=Algorithm.TWAP, slices=slices, seed="parent")
    parent = make_order("EURUSD", side, quantity, make_quote("1.0500"), order_id="parent", **fields)
    return msgspec.structs.replace(parent, schedule=schedule, time_in_force=TimeInForce.IOC)


@pytest.mark.parametrize("account", ["alpha", "beta"])
@pytest.mark.parametrize(("side", "resting"), [(BUY, "1.1005"), (BUY, "1.2000"), (SELL, "1.0994"), (SELL, "1.0000")])
def test_nothing_is_laid_in_the_way_of_slices_at_the_market(side: Side, resting: str, account: str) -> None:
    court = two_accounts()
    court.desk.approve(m.OrderReleased, sliced(side, "5000"))
    answer = court.order("EURUSD", side.opposite, "1000", limit=resting, account=account)
    assert (reason(answer), check(answer, "cross").measured) == ("cross", Decimal(5000))
    assert reason(court.order("EURUSD", side, "1000", limit=resting, account=account)) == "approved"


def test_what_only_takes_cannot_trade_with_slices() -> None:
    court = two_accounts()
    court.desk.approve(m.OrderReleased, sliced(BUY, "5000"))
    assert reason(court.order("EURUSD", SELL, "1000", account="beta")) == "approved"


@pytest.mark.parametrize(("resting", "expected"), [("1.1010", "cross"), ("1.1011", "approved")])
def test_slices_with_a_limit_count_at_it(resting: str, expected: str) -> None:
    court = two_accounts()
    court.desk.approve(m.OrderReleased, sliced(BUY, "5000", limit="1.1010"))
    assert reason(court.order("EURUSD", SELL, "1000", limit=resting, account="beta")) == expected


def test_a_parent_counts_for_what_is_left_to_send() -> None:
    court = two_accounts()
    parent = sliced(BUY, "5000")
    court.desk.approve(m.OrderReleased, parent)
    for number, (quantity, left) in enumerate((("2000", 3000), ("3000", 0))):
        child = msgspec.structs.replace(
            parent, order_id=f"slice-{number}", parent_id="parent", quantity=Decimal(quantity), schedule=None
        )
        court.desk.say(
            m.OrderSubmitted, client_order_id=f"client-{number}", order=child,
            stop_loss_client_order_id=None, take_profit_client_order_id=None,
        )  # fmt: skip
        answer = court.order("EURUSD", SELL, "1000", limit="1.1001", account="beta")
        assert check(answer, "cross").measured == left
    beneath = court.order("EURUSD", SELL, "1000", limit="1.1000", account="beta")
    assert check(beneath, "cross").measured == 5000, "slices at the venue count at the quote that they take"


@pytest.mark.parametrize(("resting", "expected"), [("1.1000", "cross"), ("1.1001", "approved")])
def test_a_parent_is_judged_at_the_quote_of_now_against_what_rests_already(resting: str, expected: str) -> None:
    court = two_accounts()
    court.work("EURUSD", SELL, "1000", "1.1", stop="1.12", limit=resting)
    assert reason(court.judge(sliced(BUY, "5000"))) == expected
