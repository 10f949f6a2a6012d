"""Latency, the order of arrivals, and the end of an order's time."""

from datetime import datetime
from typing import Any

import pytest

from tests.unit.venue.desk import LATENCY_NS, Desk, config, fills, submitted, told
from tmt.domain.order import OrderType, TimeInForce
from tmt.domain.session import SessionHours
from tmt.messages import ResumeTrading

LIMIT: Any = {"type": OrderType.LIMIT}
GTD: Any = {"time_in_force": TimeInForce.GTD}
JITTER_NS = 1_000_000


def test_an_order_works_when_it_has_arrived() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.send("o")
    due_ns = desk.time_ns + LATENCY_NS
    assert desk.venue.next_due_ns() == due_ns
    assert desk.venue.on_time(due_ns - 1) == []
    said = desk.venue.on_time(due_ns)
    assert told(said) == ["accepted o 10", "filled o 10@100"]
    assert {message.occurred_at_ns for message in said} == {due_ns}
    assert desk.venue.next_due_ns() is None
    assert desk.venue.on_time(due_ns) == []


def test_an_order_meets_the_quote_of_its_arrival() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.send("o")
    desk.tape.quotes["TEST"] = desk.tape.quotes["TEST"]._replace(sequence=2, bid=202, ask=204)
    assert fills(desk.settle()) == [("o", 10, 102.0)]


def test_on_time_does_what_is_due_first_and_only_that() -> None:
    desk = Desk()
    desk.row(99, 100)
    for name, later_ns in (("c", 20), ("a", 0), ("b", 0)):
        desk.venue.handle(submitted(name, desk.time_ns + later_ns))
    assert [name for name, _, _ in fills(desk.venue.on_time(desk.time_ns + 10 * LATENCY_NS))] == ["a", "b"]
    assert [name for name, _, _ in fills(desk.venue.on_time(desk.time_ns + 10 * LATENCY_NS))] == ["c"]


def arrivals(seed: int) -> list[int]:
    desk = Desk(config(latency_jitter_ns=JITTER_NS), seed=seed)
    desk.row(99, 100)
    times = []
    for number in range(50):
        desk.send(f"o{number}")
        due_ns = desk.venue.next_due_ns()
        assert due_ns is not None
        times.append(due_ns - desk.time_ns)
        desk.venue.on_time(due_ns)
    return times


def test_jitter_is_bounded_seeded_and_repeatable() -> None:
    times = arrivals(7)
    assert all(LATENCY_NS <= time < LATENCY_NS + JITTER_NS for time in times)
    assert max(times) - min(times) > JITTER_NS // 2
    assert arrivals(7) == times
    assert arrivals(8) != times


def test_a_gtd_order_ends_at_its_time() -> None:
    desk = Desk()
    desk.row(99, 101)
    end_ns = desk.time_ns + 5_000
    assert told(desk.order("o", limit_price=99, expire_at_ns=end_ns, **LIMIT, **GTD)) == ["accepted o 10"]
    assert desk.venue.next_due_ns() == end_ns
    assert desk.venue.on_time(end_ns - 1) == []
    said = desk.venue.on_time(end_ns)
    assert told(said) == ["expired o"]
    assert said[0].occurred_at_ns == end_ns
    assert desk.venue.bounds("TEST") == (-1, 2**62)


def test_the_end_of_an_order_that_is_done_is_not_due() -> None:
    desk = Desk()
    desk.row(99, 101)
    desk.order("o", limit_price=101, expire_at_ns=desk.time_ns + 5_000, **LIMIT, **GTD)
    assert desk.venue.next_due_ns() is None


def test_exits_outlive_the_time_of_their_entry() -> None:
    desk = Desk()
    desk.row(99, 100, 5, 4)
    end_ns = desk.time_ns + 5_000
    desk.order("o", expire_at_ns=end_ns, stop_loss=95, **GTD)
    assert told(desk.settle(end_ns)) == ["expired o"]
    assert told(desk.row(95, 96)) == ["triggered o-SL", "filled o-SL 4@95"]


def test_a_row_outside_the_bounds_says_nothing() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", stop_loss=95, take_profit=110)
    before = desk.venue.snapshot()
    assert desk.row(95.5, 109.5, 3, 3, 100, 7) == []
    assert desk.venue.snapshot() == before


def test_a_row_without_a_market_changes_nothing() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", stop_loss=95, take_profit=110)
    before = desk.venue.snapshot()
    assert desk.row(0, 100) + desk.row(120, 119) == []
    assert desk.venue.snapshot() == before


def test_only_symbols_with_other_bounds_are_dirty() -> None:
    desk = Desk()
    assert desk.venue.dirty_symbols() == ["TEST"]
    assert desk.venue.dirty_symbols() == []
    desk.row(99, 100)
    desk.order("o")
    assert desk.venue.dirty_symbols() == []
    desk.order("p", limit_price=98, **LIMIT)
    assert desk.venue.dirty_symbols() == ["TEST"]
    desk.order("q", limit_price=97, **LIMIT)
    assert desk.venue.dirty_symbols() == []


def test_the_venue_forgets_the_oldest_half_of_the_ended() -> None:
    desk = Desk(config(ended_orders_max=4))
    desk.row(99, 100)
    for name in "abcde":
        desk.order(name)
    reasons = [told(desk.cancel(name))[0].split()[-1] for name in "abcde"]
    assert reasons == ["unknown_order"] * 3 + ["already_done"] * 2


def test_the_venue_takes_submissions_only() -> None:
    desk = Desk()
    message = ResumeTrading.root("person", desk.time_ns, person="p", role="risk", reason="r")
    with pytest.raises(AssertionError, match="does not take ResumeTrading"):
        desk.venue.handle(message)


@pytest.mark.parametrize(
    ("zone", "starts", "end"),
    [
        ("UTC", "00:00", "2027-01-16T00:00:00+00:00"),
        ("America/New_York", "17:00", "2027-01-15T22:00:00+00:00"),
        ("UTC", "08:00", "2027-01-16T08:00:00+00:00"),
    ],
)
def test_a_day_order_ends_with_the_instruments_trading_day(zone: str, starts: str, end: str) -> None:
    desk = Desk(session=SessionHours(time_zone=zone, open=(), day_starts_at=starts))
    desk.row(99, 101)  # on 2027-01-15 at 08:00 UTC
    assert told(desk.order("o", limit_price=99, time_in_force=TimeInForce.DAY, **LIMIT)) == ["accepted o 10"]
    end_ns = int(datetime.fromisoformat(end).timestamp()) * 1_000_000_000
    assert desk.venue.next_due_ns() == end_ns
    assert desk.venue.on_time(end_ns - 1) == []
    assert told(desk.venue.on_time(end_ns)) == ["expired o"]


def test_a_day_order_is_of_the_day_it_arrives_in() -> None:
    desk = Desk(session=SessionHours(time_zone="UTC", open=(), day_starts_at="08:01"))
    desk.row(99, 101)
    desk.time_ns += 60_000_000_000 - LATENCY_NS - 10
    desk.order("o", limit_price=99, time_in_force=TimeInForce.DAY, **LIMIT)
    assert desk.venue.next_due_ns() == desk.time_ns + 86_400_000_000_000
