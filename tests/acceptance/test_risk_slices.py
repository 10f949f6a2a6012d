"""What goes on around a sliced order: its own stop, own orders in its way, and a test order that is never sent."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import MINUTE_NS, TradingDay, account_of, accounts
from tmt import messages as m
from tmt.domain.order import OrderType, TimeInForce

PRICES = {"EURUSD": "1.10000"}
SLICED = (
    "human_behavior.slicing.volume.lots_per_tick=1",
    "human_behavior.slicing.volume.bars_min=3",
    "human_behavior.slicing.participation_fraction_max=0.1",
    "human_behavior.slicing.slices_max=4",
    "human_behavior.slicing.trial.whole_fraction=0",
)


def desk(tmp_path: Path, *overrides: str) -> TradingDay:
    """Two accounts of one owner, and bars enough to slice by."""
    owned = accounts(account_of("alpha", "EURUSD", owner="ann"), account_of("beta", "EURUSD", owner="ann"))
    day = TradingDay(tmp_path / "book", "2026-06-03 09:00 UTC", PRICES, owned, *SLICED, *overrides)
    day.minutes(5)
    return day


@pytest.mark.parametrize("cleanly", [None, True, False])
def test_no_slice_goes_out_after_the_parents_stop_has_been_hit(tmp_path: Path, cleanly: bool | None) -> None:
    day = desk(tmp_path)
    parent = day.buys("12000", "EURUSD", stop="1.09900", wait=20)
    bought = day.held("EURUSD")
    assert bought > 0
    day.quotes(EURUSD="1.09850/1.09860")
    if cleanly is not None:
        day.restarts(cleanly=cleanly)
    day.minutes(5)
    [end] = day.said(m.ScheduleEnded)
    assert (end.reason, end.filled) == ("stop_passed", bought)
    assert len(day.of(parent, m.OrderSubmitted)) == 1
    assert day.held("EURUSD") == 0
    assert day.desk.portfolio.working("alpha") == []
    day.ends()


def test_no_slice_goes_out_beyond_its_own_stop_where_none_before_it_has_filled(tmp_path: Path) -> None:
    day = desk(tmp_path, "human_behavior.slicing.interval_seconds=120")
    fields = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC, "limit_price": "1.09950"}
    parent = day.buys("12000", "EURUSD", stop="1.09900", **fields)
    assert len(day.of(parent, m.OrderSubmitted)) == 1
    day.moves(EURUSD="1.09900")
    day.minutes(5)
    [end] = day.said(m.ScheduleEnded)
    assert (end.reason, end.filled) == ("stop_passed", Decimal(0))
    assert len(day.of(parent, m.OrderSubmitted)) == 1
    day.ends()


def test_nothing_of_the_same_owner_is_laid_in_the_way_of_slices(tmp_path: Path) -> None:
    day = desk(tmp_path)
    parent = day.buys("12000", "EURUSD", stop="1.09000")
    day.quotes(EURUSD="1.10000/1.10050")
    day.seconds(1)
    limit = {"order_type": OrderType.LIMIT, "limit_price": "1.10050", "account": "beta"}
    refused = day.denial(day.sells("3000", "EURUSD", stop="1.11000", **limit))
    assert (refused.gate, refused.reason) == ("compliance", "self_crossing")
    assert refused.measured == Decimal(12000) - day.of(parent, m.OrderSubmitted)[0].order.quantity
    day.minutes(5)
    assert [each.reason for each in day.said(m.ScheduleEnded)] == ["completed"]
    limit["limit_price"] = "1.10060"
    day.released(day.sells("3000", "EURUSD", stop="1.11000", **limit))
    assert day.said(m.ConductFlagged) == []
    day.ends()


def test_surveillance_sees_slices_take_what_the_same_owner_rests(tmp_path: Path) -> None:
    day = desk(tmp_path)
    limit = {"order_type": OrderType.LIMIT, "limit_price": "1.10050", "account": "beta"}
    resting = day.sells("3000", "EURUSD", stop="1.11000", **limit)
    day.released(resting)
    parent = day.buys("12000", "EURUSD", stop="1.09000")
    day.minutes(1)
    assert day.said(m.ConductFlagged) == []
    day.quotes(EURUSD="1.10000/1.10050")
    day.minutes(5)
    flags = day.said(m.ConductFlagged)
    assert {each.detector for each in flags} == {"self_crossing"}
    assert {name for each in flags for name in each.accounts} == {"alpha", "beta"}
    seen = {id_ for each in flags for id_ in each.evidence}
    above = {each.client_order_id for each in day.of(parent, m.OrderFilled) if each.price == Decimal("1.10050")}
    slices = {each.message_id for each in day.of(parent, m.OrderSubmitted) if each.client_order_id in above}
    assert slices
    assert seen == {*slices, day.of(resting, m.OrderSubmitted)[0].message_id}
    day.ends()


LOSSES = (
    "circuit_breaker.account.consecutive_losses_max=2",
    "human_behavior.cool_down.losses_in_a_row=100",
    "human_behavior.cool_down.revenge_seconds=1",
    "human_behavior.chasing.size_after_loss_ratio_max=1000",
    "human_behavior.slicing.volume.lots_per_tick=0",
)


@pytest.mark.parametrize("cleanly", [None, True, False])
def test_a_sliced_test_order_holds_its_place_until_its_schedule_has_ended_and_it_is_flat(
    tmp_path: Path, cleanly: bool | None
) -> None:
    day = desk(tmp_path, *LOSSES[:-1])
    for _ in range(3):
        day.released(day.buys("1000", "EURUSD", stop="1.09000"))
        day.moves(EURUSD=str(day.prices["EURUSD"][0] - Decimal("0.00050")))
        day.released(day.closes("EURUSD"))
        day.minutes(2)
    assert day.breaker("account", "alpha") == "HalfOpened"
    parent = day.buys("12000", "EURUSD", stop="1.08000", take_profit_price="1.09900", wait=20)
    assert len(day.of(parent, m.OrderSubmitted)) == 1
    day.quotes(EURUSD="1.09900")
    assert day.held("EURUSD") == 0
    if cleanly is not None:
        day.restarts(cleanly=cleanly)
    assert day.denial(day.buys("2000", "EURUSD", stop="1.08000")).reason == "breaker_half_open"
    day.moves(EURUSD="1.09850")
    day.minutes(5)
    [end] = [each for each in day.said(m.ScheduleEnded) if each.order_id == day.released(parent).order.order_id]
    assert (end.reason, end.filled) == ("completed", Decimal(12000))
    assert day.held("EURUSD") > 0
    assert day.denial(day.buys("3000", "EURUSD", stop="1.08000")).reason == "breaker_half_open"
    day.moves(EURUSD="1.09900")
    assert day.held("EURUSD") == 0
    assert day.breaker("account", "alpha") == "HalfOpened"
    day.released(day.buys("4000", "EURUSD", stop="1.08000"))
    day.ends()


@pytest.mark.parametrize("cleanly", [None, True, False])
def test_a_test_order_that_is_never_sent_does_not_jam_the_breaker(tmp_path: Path, cleanly: bool | None) -> None:
    day = desk(tmp_path, *LOSSES)
    for _ in range(3):
        day.released(day.buys("2000", "EURUSD", stop="1.09000"))
        day.moves(EURUSD=str(day.prices["EURUSD"][0] - Decimal("0.00050")))
        day.released(day.closes("EURUSD"))
        day.seconds(1)
    assert day.breaker("account", "alpha") == "Opened"
    day.minutes(2)
    for number in range(101):
        day.tells(m.CancelOrder, client_order_id=f"nobody's {number}", person="ann")
    unsent = day.buys("4000", "EURUSD", stop="1.08000", wait=0)
    [denied] = day.of(unsent, m.OrderDenied)
    assert (denied.gate, denied.reason) == ("execution", "message_rate")
    assert len(day.of(unsent, m.OrderReleased)) == 1
    if cleanly is not None:
        day.restarts(cleanly=cleanly)
    day.passes_to(day.now_ns + MINUTE_NS)
    day.released(day.buys("5000", "EURUSD", stop="1.08000"))
    assert day.denial(day.buys("6000", "EURUSD", stop="1.08000")).reason == "breaker_half_open"
    day.ends()


@pytest.mark.parametrize("target", ["1.00000", "1.10000"])
def test_an_order_whose_target_would_take_a_loss_goes_nowhere(tmp_path: Path, target: str) -> None:
    day = desk(tmp_path)
    refused = day.denial(day.buys("2000", "EURUSD", stop="1.09000", take_profit_price=target))
    assert (refused.gate, refused.reason) == ("aria", "invalid_order")
    day.released(day.buys("2000", "EURUSD", stop="1.09000", take_profit_price="1.10001"))
    day.ends()
