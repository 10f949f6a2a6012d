"""Why the venue refuses an order on arrival, at, under and over each limit."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.venue.desk import LATENCY_NS, START_NS, Desk, config, told
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.session import SessionHours
from tmt.errors import ConfigError
from tmt.messages import OrderRejected

LIMIT: Any = {"type": OrderType.LIMIT}
GTD: Any = {"time_in_force": TimeInForce.GTD}


def answer(desk: Desk | None = None, **fields: Any) -> str:
    """The reason of a rejection, or "accepted"."""
    if desk is None:
        desk = Desk()
        desk.row(99, 100)
    first = desk.order("o", **fields)[0]
    return first.reason if isinstance(first, OrderRejected) else "accepted"


def test_an_instrument_that_is_not_listed() -> None:
    assert answer(instrument="OTHER") == "unknown_instrument"


def test_no_quote_yet() -> None:
    assert answer(Desk()) == "no_market"


@pytest.mark.parametrize(("bid", "ask"), [(0, 100), (101, 100), (99, 0)])
def test_a_quote_that_is_no_market(bid: int, ask: int) -> None:
    desk = Desk()
    desk.row(bid, ask)
    assert answer(desk) == "no_market"


def test_a_locked_quote_is_a_market() -> None:
    desk = Desk()
    desk.row(100, 100)
    assert answer(desk) == "accepted"


@pytest.mark.parametrize(("price", "expected"), [(99, "accepted"), ("98.5", "off_tick"), (98, "accepted")])
@pytest.mark.parametrize("name", ["limit_price", "stop_price", "stop_loss", "take_profit"])
def test_prices_lie_on_the_tick(name: str, price: Any, expected: str) -> None:
    kind = {"limit_price": OrderType.LIMIT, "stop_price": OrderType.STOP}.get(name, OrderType.MARKET)
    assert answer(type=kind, **{name: price}) == expected


@pytest.mark.parametrize(("quantity", "expected"), [(10, "accepted"), ("10.5", "off_lot"), (11, "accepted")])
def test_quantities_lie_on_the_lot(quantity: Any, expected: str) -> None:
    assert answer(quantity=quantity) == expected


@pytest.mark.parametrize(("quantity", "expected"), [(1, "below_minimum_quantity"), (2, "accepted"), (3, "accepted")])
def test_the_smallest_order(quantity: int, expected: str) -> None:
    assert answer(quantity=quantity) == expected


@pytest.mark.parametrize(("limit", "expected"), [(24, "below_minimum_notional"), (25, "accepted"), (26, "accepted")])
def test_the_smallest_notional_at_the_limit_price(limit: int, expected: str) -> None:
    assert answer(quantity=4, limit_price=limit, **LIMIT) == expected


@pytest.mark.parametrize(("ask", "expected"), [(24, "below_minimum_notional"), (25, "accepted")])
def test_the_smallest_notional_at_the_market(ask: int, expected: str) -> None:
    desk = Desk()
    desk.row(20, ask)
    assert answer(desk, quantity=4) == expected


def test_the_point_value_counts_in_the_notional() -> None:
    desk = Desk(point_value=Decimal("0.1"))
    desk.row(99, 100)
    assert answer(desk, quantity=9) == "below_minimum_notional"
    assert told(desk.order("p", quantity=10))[0] == "accepted p 10"


def test_closing_a_rest_below_the_minimum_is_allowed() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("a", quantity=10)
    desk.order("b", quantity=9, side=Side.SELL)
    assert answer(desk, quantity=1, side=Side.SELL, reduce_only=True) == "accepted"


@pytest.mark.parametrize(
    ("limit", "side", "expected"),
    [
        (99, Side.BUY, "accepted"),
        (100, Side.BUY, "post_only_would_cross"),
        (100, Side.SELL, "accepted"),
        (99, Side.SELL, "post_only_would_cross"),
    ],
)
def test_post_only(limit: int, side: Side, expected: str) -> None:
    assert answer(limit_price=limit, side=side, post_only=True, **LIMIT) == expected


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_reduce_only_without_a_position(side: Side) -> None:
    assert answer(side=side, reduce_only=True) == "reduce_only_would_increase"


def test_reduce_only_in_the_direction_of_the_position() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("a")
    assert answer(desk, reduce_only=True) == "reduce_only_would_increase"
    assert told(desk.order("c", side=Side.SELL, reduce_only=True))[0] == "accepted c 10"


@pytest.mark.parametrize("again", ["a", "a-SL"])
def test_an_id_is_used_once(again: str) -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("a", stop_loss=95)
    assert told(desk.order(again)) == [f"rejected {again} duplicate_client_order_id"]


def test_an_id_that_was_rejected_is_used_too() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("a", quantity=1)
    assert told(desk.order("a")) == ["rejected a duplicate_client_order_id"]
    assert told(desk.cancel("a")) == ["cancelrejected a already_done"]


@pytest.mark.parametrize(
    ("after", "expected"), [(-1, "expired_on_arrival"), (0, "expired_on_arrival"), (1, "accepted")]
)
def test_an_order_whose_time_is_over_when_it_arrives(after: int, expected: str) -> None:
    desk = Desk()
    desk.row(99, 100)
    assert answer(desk, expire_at_ns=desk.time_ns + LATENCY_NS + after, **GTD) == expected


@pytest.mark.parametrize(("opens", "expected"), [("08:00", "accepted"), ("08:01", "session_closed")])
def test_the_session(opens: str, expected: str) -> None:
    # START_NS is a Friday at 08:00:00 UTC.
    session = SessionHours(time_zone="UTC", open=(f"mon-fri {opens} - 16:00",), day_starts_at="00:00")
    desk = Desk(session=session)
    desk.row(99, 100)
    assert answer(desk) == expected


def test_the_session_is_that_of_the_arrival() -> None:
    session = SessionHours(time_zone="UTC", open=("mon-fri 08:00 - 08:01",), day_starts_at="00:00")
    desk = Desk(session=session)
    desk.row(99, 100)
    assert told(desk.order("a"))[0] == "accepted a 10"
    desk.time_ns = START_NS + 60_000_000_000 - LATENCY_NS - 1
    assert told(desk.order("b"))[0] == "accepted b 10"
    desk.time_ns = START_NS + 60_000_000_000 - LATENCY_NS
    assert told(desk.order("c")) == ["rejected c session_closed"]


def test_a_replace_outside_the_session_is_refused_and_a_cancel_is_not() -> None:
    session = SessionHours(time_zone="UTC", open=("mon-fri 08:00 - 08:01",), day_starts_at="00:00")
    desk = Desk(session=session)
    desk.row(99, 101)
    desk.order("o", limit_price=99, **LIMIT)
    desk.time_ns = START_NS + 60_000_000_000
    assert told(desk.replace("o", 5)) == ["cancelrejected o session_closed"]
    assert told(desk.cancel("o")) == ["cancelled o asked"]


def test_a_rejection_names_the_order_and_follows_from_its_submission() -> None:
    desk = Desk()
    message = desk.send("o")
    (refused,) = desk.settle()
    assert isinstance(refused, OrderRejected)
    assert (refused.client_order_id, refused.order_id, refused.account) == ("o", "order-o", "ACC")
    assert refused.causation_id == message.message_id
    assert refused.occurred_at_ns == message.occurred_at_ns + LATENCY_NS


def test_an_instrument_whose_currency_has_no_fee_decimals_is_not_listed() -> None:
    with pytest.raises(ConfigError, match="fees of TEST are in USD"):
        Desk(config(fee_decimals={"EUR": 2}))
