"""Does surveillance find what it should, at its limits and no sooner, once, within its memory, and nothing else?"""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import STRICT, Court, book_with, reason
from tests.unit.agents.compliance.flows import BUY, FLOWS, SELL, Flow, changed, priced, scores
from tests.unit.agents.desk import START_NS, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance.detectors import EVIDENCE_MAX, Suspicion
from tmt.agents.compliance.surveillance import Surveillance
from tmt.agents.compliance.surveillance_config import DAY_SECONDS, SurveillanceConfig
from tmt.agents.compliance.timing_rules import MinimumHold
from tmt.domain.money import decode_hook
from tmt.domain.order import OrderType, TimeInForce
from tmt.domain.session import NANOSECONDS_PER_SECOND

STOP, STOP_LIMIT, MARKET = OrderType.STOP, OrderType.STOP_LIMIT, OrderType.MARKET
RUNS = 100


def only(found: list[Suspicion]) -> Suspicion:
    [suspicion] = found
    return suspicion


def told(*values: Any) -> tuple[Any, ...]:
    return values


# Self-crossing


@pytest.mark.parametrize(("buy", "crosses"), [("1.09999", False), ("1.10000", True), ("1.10001", True)])
def test_own_orders_at_or_through_one_another_cross(buy: str, crosses: bool) -> None:
    flow = Flow()
    flow.place(SELL, "1.10000")
    flow.place(BUY, buy, account="beta")
    assert flow.found() == (["self_crossing"] if crosses else [])


def test_a_crossing_names_accounts_orders_and_limit() -> None:
    flow = Flow()
    flow.place(SELL, "1.1")
    flow.after(1).place(BUY, "1.1", account="beta")
    flow.after(9)
    found = only(flow.look())
    assert (found.detector, found.accounts, found.instrument) == ("self_crossing", ("alpha", "beta"), "EURUSD")
    assert told(found.measured, found.limit, found.unit, found.suspends) == (1, 0, "count", False)
    assert found.evidence == tuple(each.message_id for each in flow.memory.orders.values())
    assert found.key == "self_crossing/ann/EURUSD/"


def test_orders_of_different_owners_instruments_or_one_side_do_not_cross() -> None:
    flow = Flow()
    flow.place(SELL, "1.1")
    flow.place(SELL, "1.0")
    flow.place(BUY, "1.2", account="gamma")
    flow.place(BUY, "1.2", symbol="GBPUSD")
    assert flow.found() == []


@pytest.mark.parametrize("gone", ["cancel", "expire", "fill"])
def test_orders_that_never_worked_at_once_do_not_cross(gone: str) -> None:
    flow = Flow()
    first = flow.place(SELL, "1.1")
    flow.after(1)
    if gone == "fill":
        flow.fill(first, "1.1", taker=False)
    else:
        getattr(flow, gone)(first)
    flow.place(BUY, "1.1")
    assert flow.found() == []


def test_an_order_filled_in_part_still_works() -> None:
    flow = Flow()
    first = flow.place(SELL, "1.1")
    flow.fill(first, "1.1", "400", remaining="600", taker=False)
    flow.after(1).place(BUY, "1.1")
    assert flow.found() == ["self_crossing"]


def test_two_orders_that_only_take_cannot_meet_and_one_that_rests_can() -> None:
    flow = Flow()
    flow.place(SELL, "1.1", kind=MARKET)
    flow.place(BUY, "1.1", kind=MARKET)
    flow.place(BUY, "1.1", time_in_force=TimeInForce.FOK)
    flow.place(SELL, "1.1", time_in_force=TimeInForce.IOC)
    assert flow.found() == []
    flow.place(SELL, "1.1")
    assert flow.found() == ["self_crossing"]


@pytest.mark.parametrize(("ask", "found"), [("1.10049", []), ("1.10050", ["self_crossing"])])
def test_a_slice_valued_long_ago_meets_what_rests_where_it_fills(ask: str, found: list[str]) -> None:
    flow = Flow()
    flow.place(SELL, "1.10050", account="beta")
    parents = make_quote("1.1", time_ns=START_NS)
    sliced = flow.after(60).place(BUY, "1.1", kind=MARKET, quote=parents, parent_id="parent")
    flow.fill(sliced, ask, quote=make_quote("1.1", ask))
    assert flow.found() == found


@pytest.mark.parametrize("kind", [STOP, STOP_LIMIT])
def test_a_stop_meets_nobody_until_it_wakes(kind: OrderType) -> None:
    flow = Flow()
    limit: dict[str, Any] = {"limit_price": Decimal("1.1")} if kind is STOP_LIMIT else {}
    sleeping = flow.place(SELL, "1.1", kind=kind, **limit)
    flow.place(BUY, "1.1")
    assert flow.found() == []
    flow.trigger(sleeping, "1.1")
    assert flow.found() == ["self_crossing"]


def test_a_stop_that_woke_after_the_other_order_ended_did_not_meet_it() -> None:
    flow = Flow()
    sleeping = flow.place(SELL, "1.1", kind=STOP)
    resting = flow.place(BUY, "1.1")
    flow.after(1).cancel(resting)
    flow.after(1).trigger(sleeping, "1.1")
    assert flow.found() == []


def test_the_exits_of_a_bracket_take_part() -> None:
    flow = Flow()
    flow.exit(SELL, "1.1")
    flow.exit(SELL, "1.05", role="stop_loss")
    flow.place(BUY, "1.09999")
    assert flow.found() == []
    flow.place(BUY, "1.1", account="beta")
    assert flow.found() == ["self_crossing"]


@pytest.mark.parametrize(("price", "found"), [("1.1", ["self_crossing"]), (None, [])])
def test_a_moved_order_counts_where_it_is_now(price: str | None, found: list[str]) -> None:
    flow = Flow()
    flow.place(SELL, "1.1")
    moving = flow.place(BUY, "1.05")
    flow.replace(moving, price)
    assert flow.found() == found


def test_a_crossing_before_the_last_look_is_over() -> None:
    flow = Flow(changed(self_crossing={"pairs_max": 1}))
    for _ in range(2):
        sell, buy = flow.place(SELL, "1.1"), flow.place(BUY, "1.1", kind=MARKET)
        flow.after(1).cancel(sell)
        flow.expire(buy)
        assert flow.found() == [], "one pair between two looks, twice"


# Wash


@pytest.mark.parametrize(("seconds", "flagged"), [(9.999, True), (10, True), (10.001, False)])
def test_what_is_undone_in_time_is_a_wash(seconds: float, flagged: bool) -> None:
    flow = Flow(changed(wash={"pairs_max": 0}))
    flow.trade(BUY, "1.1")
    flow.after(seconds).trade(SELL, "1.1", account="beta")
    assert flow.found() == (["wash"] if flagged else [])


@pytest.mark.parametrize(
    "second",
    [{"side": BUY}, {"price": "1.10001"}, {"quantity": "1001"}, {"account": "gamma"}, {"symbol": "GBPUSD"}],
)
def test_what_is_not_undone_is_no_wash(second: dict[str, Any]) -> None:
    flow = Flow(changed(wash={"pairs_max": 0}))
    flow.trade(BUY, "1.1")
    flow.after(1).trade(**{"side": SELL, "price": "1.1", **second})
    assert flow.found() == []


def test_pairs_are_counted_against_the_limit_and_a_fill_serves_one_pair() -> None:
    flow = Flow()
    for number in range(2):
        assert flow.found() == [], f"{number} pairs"
        flow.trade(BUY, priced(number))
        flow.trade(SELL, priced(number))
        flow.trade(SELL, priced(number))
    found = only(flow.after(10).look())
    assert told(found.detector, found.measured, found.limit, len(found.evidence)) == ("wash", 2, 1, 4)


def test_fills_of_one_order_at_one_price_are_one() -> None:
    flow = Flow(changed(wash={"pairs_max": 0}))
    order = flow.place(BUY, "1.1", "3000", kind=MARKET)
    for remaining in ("2000", "1000", "0"):
        flow.fill(order, "1.1", "1000", remaining=remaining)
    flow.trade(SELL, "1.1", "1000")
    assert flow.found() == []
    flow.trade(SELL, "1.1", "3000")
    assert flow.found() == ["wash"]


@pytest.mark.parametrize(("seconds", "flagged"), [(300, True), (301, False)])
def test_washes_are_counted_within_the_window(seconds: int, flagged: bool) -> None:
    flow = Flow(changed(wash={"pairs_max": 0}, layering={"window_seconds": 600}))
    flow.trade(BUY, "1.1")
    flow.trade(SELL, "1.1")
    assert bool(flow.after(seconds).look()) is flagged


# Layering


def layers(flow: Flow, count: int, *, seconds: float = 1.0, taker: Any = SELL, reason_: str = "person") -> None:
    orders = [flow.place(BUY, priced(-20 - number)) for number in range(count)]
    if taker is not None:
        flow.after(seconds).trade(taker, priced(0))
    for order in orders:
        flow.after(0.1).cancel(order, reason_)


@pytest.mark.parametrize(("count", "found"), [(3, []), (4, ["layering"])])
def test_orders_withdrawn_while_the_other_side_fills_are_layers(count: int, found: list[str]) -> None:
    flow = Flow()
    layers(flow, count)
    assert flow.found() == found


def test_a_finding_of_layers_names_them_and_what_was_gained() -> None:
    flow = Flow()
    layers(flow, 4)
    found = only(flow.after(10).look())
    assert told(found.measured, found.limit, len(found.evidence)) == (4, 3, 5)
    assert found.key == "layering/ann/EURUSD/buy"
    assert "4 buy orders" in found.detail


@pytest.mark.parametrize("taker", [BUY, None])
def test_orders_withdrawn_for_nothing_are_no_layers(taker: Any) -> None:
    flow = Flow()
    layers(flow, 6, taker=taker)
    assert flow.found() == []


def test_what_the_desks_own_halts_cancel_are_no_layers() -> None:
    flow = Flow()
    layers(flow, 6, reason_="stop_trading")
    assert flow.found() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_only_a_fill_while_the_layers_stood_counts(when: str) -> None:
    flow = Flow()
    if when == "before":
        flow.trade(SELL, priced(0))
        flow.after(1)
    layers(flow, 4, taker=None)
    if when == "after":
        flow.after(0.1).trade(SELL, priced(0))
    assert flow.found() == []


@pytest.mark.parametrize("when", ["first", "last"])
def test_a_fill_at_the_first_or_the_last_moment_of_the_layers_counts(when: str) -> None:
    flow = Flow()
    if when == "first":
        flow.trade(SELL, priced(0))
    orders = [flow.place(BUY, priced(-20)) for _ in range(4)]
    flow.after(1)
    for order in orders:
        flow.cancel(order)
    if when == "last":
        flow.trade(SELL, priced(0))
    assert flow.found() == ["layering"]


def test_an_order_that_filled_or_could_not_rest_is_no_layer() -> None:
    flow = Flow()
    orders = [flow.place(BUY, priced(-20)) for _ in range(3)]
    touched = flow.place(BUY, priced(-20))
    flow.fill(touched, priced(-20), "100", remaining="900", taker=False)
    taking = flow.place(BUY, priced(-20), time_in_force=TimeInForce.IOC)
    flow.trade(SELL, priced(0))
    for order in (*orders, touched, taking):
        flow.after(0.1).cancel(order)
    assert flow.found() == []


@pytest.mark.parametrize(("seconds", "flagged"), [(60, True), (60.5, False)])
def test_layers_are_counted_within_the_window(seconds: float, flagged: bool) -> None:
    flow = Flow()
    layers(flow, 4)
    passed = (flow.now_ns - START_NS) / 10**9
    assert bool(flow.after(seconds - passed).look()) is flagged


# Momentum ignition


def pushed(flow: Flow, count: int = 4, *, every: float = 1.0, rise: int = 1, taker: bool = True) -> None:
    for number in range(count):
        order = flow.place(BUY, priced(number * rise), kind=MARKET)
        flow.fill(order, priced(number * rise), taker=taker)
        flow.after(every)


@pytest.mark.parametrize(("count", "found"), [(3, []), (4, ["momentum_ignition"])])
def test_a_burst_turned_round_at_a_profit_is_ignition(count: int, found: list[str]) -> None:
    flow = Flow()
    pushed(flow, count)
    flow.after(5).trade(SELL, priced(9), "4000")
    assert flow.found() == found


def test_a_finding_of_ignition_names_burst_and_reversal() -> None:
    flow = Flow()
    pushed(flow, 5)
    flow.trade(SELL, priced(9), "5000")
    found = only(flow.after(10).look())
    assert told(found.measured, found.limit, len(found.evidence), found.key) == (
        5, 3, 6, "momentum_ignition/ann/EURUSD/buy",
    )  # fmt: skip


def test_it_is_found_on_the_other_side_too() -> None:
    flow = Flow()
    for number in range(4):
        flow.after(1).trade(SELL, priced(-number))
    flow.after(1).trade(BUY, priced(-9), "4000", account="beta")
    assert flow.found() == ["momentum_ignition"]


@pytest.mark.parametrize(("every", "found"), [(3.333, ["momentum_ignition"]), (3.334, [])])
def test_a_burst_is_short(every: float, found: list[str]) -> None:
    flow = Flow()
    pushed(flow, 4, every=every)
    flow.trade(SELL, priced(9), "4000")
    assert flow.found() == found


@pytest.mark.parametrize(("every", "found"), [(2.5, ["momentum_ignition"]), (2.501, [])])
def test_a_burst_may_last_as_long_as_the_limit(every: float, found: list[str]) -> None:
    flow = Flow(changed(momentum_ignition={"orders_max": 4}))
    pushed(flow, 5, every=every)  # the fifth is 10 seconds after the first
    flow.trade(SELL, priced(9), "5000")
    assert flow.found() == found


def test_what_fills_at_the_bursts_last_moment_turns_nothing_round() -> None:
    flow = Flow()
    pushed(flow, 4, every=0)
    flow.trade(SELL, priced(9), "4000")
    assert flow.found() == []


def test_a_burst_is_found_after_a_fill_that_began_none() -> None:
    flow = Flow()
    flow.trade(BUY, priced(-5))
    flow.after(20)
    pushed(flow, 4)
    flow.trade(SELL, priced(9), "4000")
    assert flow.found() == ["momentum_ignition"]


@pytest.mark.parametrize(("seconds", "found"), [(59, ["momentum_ignition"]), (59.001, [])])
def test_a_reversal_comes_soon(seconds: float, found: list[str]) -> None:
    flow = Flow()
    pushed(flow, 4)  # the last fill is a second ago
    flow.after(seconds).trade(SELL, priced(9), "4000")
    assert flow.found() == found


@pytest.mark.parametrize(("quantity", "found"), [("2000", ["momentum_ignition"]), ("1999", [])])
def test_a_reversal_turns_half_of_the_burst_round(quantity: str, found: list[str]) -> None:
    flow = Flow()
    pushed(flow, 4)
    flow.trade(SELL, priced(9), quantity)
    assert flow.found() == found


@pytest.mark.parametrize(("ticks", "found"), [(2, ["momentum_ignition"]), (1, [])])
def test_a_reversal_gains(ticks: int, found: list[str]) -> None:
    flow = Flow()
    pushed(flow, 4)  # at 1.5 ticks in the mean
    flow.trade(SELL, priced(ticks), "4000")
    assert flow.found() == found


def test_a_reversal_at_the_bursts_own_price_gains_nothing() -> None:
    flow = Flow()
    pushed(flow, 5)  # at 2 ticks in the mean
    flow.trade(SELL, priced(2), "5000")
    assert flow.found() == []


@pytest.mark.parametrize("burst", [{"rise": 0}, {"rise": -1}, {"taker": False}])
def test_a_burst_takes_and_moves_the_price(burst: dict[str, Any]) -> None:
    flow = Flow()
    pushed(flow, 6, **burst)
    flow.trade(SELL, priced(9), "6000")
    assert flow.found() == []


# Runaway


def run_on(flow: Flow, count: int, **fields: Any) -> None:
    for number in range(count):
        flow.place(BUY, priced(-20), account=("alpha", "beta")[number % 2], **fields)


@pytest.mark.parametrize(("count", "found"), [(100, []), (101, ["order_rate"])])
def test_a_strategy_that_submits_without_end_is_a_runaway(count: int, found: list[str]) -> None:
    flow = Flow()
    run_on(flow, count)
    assert flow.found() == found


def test_a_runaway_suspends_the_accounts_it_trades_on() -> None:
    flow = Flow()
    run_on(flow, 101)
    found = only(flow.after(10).look())
    assert (found.suspends, found.accounts, found.instrument) == (True, ("alpha", "beta"), "EURUSD")
    assert told(found.measured, found.limit, found.key) == (101, 100, "order_rate/ann/wyckoff")
    assert len(found.evidence) == EVIDENCE_MAX == 20
    assert found.evidence[-1] == list(flow.memory.orders.values())[-1].message_id, "the newest"


def test_a_runaway_over_several_instruments_names_none() -> None:
    flow = Flow()
    run_on(flow, 60)
    run_on(flow, 60, symbol="GBPUSD")
    assert only(flow.after(10).look()).instrument == ""


def test_strategies_and_owners_are_counted_apart_and_closing_orders_not_at_all() -> None:
    flow = Flow()
    run_on(flow, 60)
    run_on(flow, 60, strategy="other")
    run_on(flow, 60, reduce_only=True)
    for _ in range(60):
        flow.place(BUY, "1.0", account="gamma")
    assert flow.found() == []


@pytest.mark.parametrize(("seconds", "flagged"), [(59.999, True), (60, False)])
def test_an_order_as_old_as_the_window_no_longer_counts(seconds: float, flagged: bool) -> None:
    flow = Flow()
    run_on(flow, 101)
    assert bool(flow.after(seconds).look()) is flagged


def crossed_flow() -> Flow:
    flow = Flow()
    flow.place(SELL, "1.1")
    flow.after(1).place(BUY, "1.1", account="beta")
    return flow


def washed() -> Flow:
    flow = Flow()
    for number in range(2):
        flow.trade(BUY, priced(number))
        flow.trade(SELL, priced(number))
    return flow


def layered() -> Flow:
    flow = Flow()
    layers(flow, 4)
    return flow


def ignited() -> Flow:
    flow = Flow()
    pushed(flow)
    flow.trade(SELL, priced(9), "4000")
    return flow


def ran_away() -> Flow:
    flow = Flow()
    run_on(flow, 101)
    return flow


@pytest.mark.parametrize(
    ("flow", "detector", "detail"),
    [
        (crossed_flow, "self_crossing", "own orders could have met one another"),
        (washed, "wash", "bought and sold alike, with nothing gained but volume"),
        (layered, "layering", "4 buy orders were withdrawn unfilled while the other side filled"),
        (
            ignited,
            "momentum_ignition",
            "4 orders took on the buy side, and what followed was turned round at a profit",
        ),
        (ran_away, "order_rate", "wyckoff submitted 101 orders within 60 seconds"),
    ],
)
def test_a_finding_says_in_a_sentence_what_was_seen(flow: Callable[[], Flow], detector: str, detail: str) -> None:
    found = only(flow().after(10).look())
    assert (found.detector, found.unit, found.detail) == (detector, "count", detail)
    assert found.suspends is (detector == "order_rate")


# Minimum hold

HELD = MinimumHold(id="hold", hard=False, seconds=5)


def closed_after(seconds: float, *rules: Any, **fields: Any) -> list[m.Message]:
    court = Court(book_with(*rules))
    opened_at_ns = court.desk.now_ns - int(seconds * NANOSECONDS_PER_SECOND)
    return court.tell(court.desk.close_trip(realised="10", opened_at_ns=opened_at_ns, **fields))


@pytest.mark.parametrize(("seconds", "flagged"), [(4.999, True), (5, False), (5.001, False)])
@pytest.mark.parametrize("role", ["take_profit", "close", "entry"])
def test_a_round_trip_ended_by_choice_too_soon_is_flagged(seconds: float, flagged: bool, role: str) -> None:
    assert bool(closed_after(seconds, HELD, closing_role=role)) is flagged


def test_a_short_trip_is_named_and_measured() -> None:
    [flag] = closed_after(1.5, HELD)
    assert isinstance(flag, m.ConductFlagged)
    assert told(flag.detector, flag.measured, flag.limit, flag.unit) == ("minimum_hold", Decimal("1.5"), 5, "seconds")
    assert (flag.accounts, flag.instrument, flag.evidence) == (("alpha",), "EURUSD", (flag.causation_id,))
    assert (flag.detail, flag.suspends) == ("a round trip was ended by choice after 1.500000000 seconds", False)


def test_a_stop_loss_is_no_choice_and_a_book_without_the_rule_looks_for_nothing() -> None:
    assert closed_after(1, HELD, closing_role="stop_loss") == []
    assert closed_after(1) == []
    assert closed_after(1, HELD, account="nobody") == []


def test_the_longest_of_several_holds_binds() -> None:
    longer = MinimumHold(id="longer", hard=False, seconds=9)
    assert len(closed_after(8, HELD, longer)) == len(closed_after(8, longer, HELD)) == 1
    assert closed_after(9, HELD, longer) == []


# Interval, memory, repetition


def test_a_look_comes_when_the_interval_has_passed() -> None:
    flow = Flow()
    flow.place(SELL, "1.1")
    flow.place(BUY, "1.1")
    assert flow.after(9.999).look() == []
    assert flow.memory.looked_ns == START_NS
    assert len(flow.after(0.001).look()) == 1
    assert flow.memory.looked_ns == flow.now_ns


def test_a_finding_is_said_once_while_it_lasts_and_again_when_it_returns() -> None:
    flow = Flow()
    sell = flow.place(SELL, "1.1")
    buy = flow.place(BUY, "1.1")
    assert [flow.found() for _ in range(3)] == [["self_crossing"], [], []]
    flow.cancel(sell)
    flow.found()
    assert flow.found() == []
    assert flow.memory.lasting == ()
    flow.place(SELL, "1.1")
    assert flow.found() == ["self_crossing"]
    assert buy in flow.memory.orders


def test_what_is_too_old_is_forgotten_and_what_works_is_not() -> None:
    flow = Flow()
    ended, working = flow.place(BUY, "1.0"), flow.place(BUY, "1.0")
    flow.cancel(ended)
    flow.trade(BUY, "1.0")
    flow.after(flow.config.memory_seconds - 0.001).look()
    assert (ended in flow.memory.orders, len(flow.memory.fills)) == (True, 1)
    flow.found()
    assert (ended in flow.memory.orders, len(flow.memory.fills)) == (False, 0)
    assert working in flow.memory.orders


def test_memory_is_as_long_as_the_longest_window_and_an_interval() -> None:
    seconds = {"layering": 60, "order_rate": 60, "wash": 300, "momentum": 70}
    assert changed().memory_seconds == 10 + max(seconds.values())
    assert changed(layering={"window_seconds": 500}).memory_seconds == 510
    assert changed(order_rate={"window_seconds": 501}).memory_seconds == 511
    assert changed(momentum_ignition={"burst_seconds": 250, "reversal_seconds": 252}).memory_seconds == 512


def test_memory_is_bounded() -> None:
    flow = Flow(changed(remembered_max=101))
    first = flow.place(BUY, "1.0")
    for _ in range(101):
        flow.trade(BUY, "1.0")
    assert (len(flow.memory.orders), len(flow.memory.fills)) == (101, 101)
    assert first not in flow.memory.orders


def test_memory_survives_a_snapshot() -> None:
    flow = Flow()
    flow.trade(BUY, "1.1")
    flow.place(SELL, "1.1")
    saved = msgspec.json.decode(msgspec.json.encode(flow.memory), type=Surveillance, dec_hook=decode_hook)
    assert saved == flow.memory


@pytest.mark.parametrize("name", FLOWS)
def test_labelled_flows_are_told_apart_as_well_as_is_published(name: str) -> None:
    recall, precision = scores(name, RUNS, 1)
    assert recall >= Decimal("0.85"), recall
    assert precision == 1, precision
    page = Path(__file__).parents[4].joinpath("docs/gates/surveillance.md").read_text("utf-8")
    row = re.search(rf"^\| `{name}` \|.*\| (\d\.\d\d) \| (\d\.\d\d) \|$", page, re.MULTILINE)
    assert row is not None, f"docs/gates/surveillance.md has no row of {name}: | {recall:.2f} | {precision:.2f} |"
    assert (row[1], row[2]) == (f"{recall:.2f}", f"{precision:.2f}")


# The agent


def watched(**changes: Any) -> Court:
    config = msgspec.structs.replace(STRICT, surveillance=changed(**changes))
    return Court(book_with(), config=config)


def submit(court: Court, number: int, side: Any = BUY, price: str = "1.05", account: str = "alpha") -> None:
    order = make_order(
        "EURUSD", side, "1000", make_quote(price), order_id=f"s{number}", limit=price, account=account, stop_loss="1.0"
    )
    ids = {"client_order_id": f"c{number}", "stop_loss_client_order_id": None, "take_profit_client_order_id": None}
    court.tell(court.desk.say(m.OrderSubmitted, order=order, **ids))
    ended = {"client_order_id": f"c{number}", "order_id": order.order_id, "account": account, "instrument": "EURUSD"}
    court.desk.say(m.OrderExpired, filled=Decimal(0), **ended)  # of the portfolio alone: it shall not count here


def look_again(court: Court) -> list[m.Message]:
    """The end of a bar, when the interval has passed since the last look."""
    court.desk.pass_seconds(10)
    return court.tell(court.desk.mark("EURUSD", "1.1"))


def test_a_runaway_is_flagged_suspended_and_refused_in_one_breath() -> None:
    court = watched(order_rate={"orders_max": 2})
    for number in range(3):
        submit(court, number)
    court.desk.pass_seconds(10)
    flag, suspended, denied = court.tell(
        court.desk.approve(m.BehaviourApproved, make_order("EURUSD", BUY, "1000", make_quote("1.1"), stop_loss="1.09"))
    )
    assert isinstance(flag, m.ConductFlagged)
    assert (flag.detector, flag.accounts, flag.suspends, flag.source) == ("order_rate", ("alpha",), True, "compliance")
    assert len(flag.evidence) == 3
    assert isinstance(suspended, m.AccountSuspended)
    assert (suspended.account, suspended.rule) == ("alpha", "surveillance.order_rate")
    assert told(suspended.measured, suspended.limit, suspended.unit, suspended.flatten) == (3, 2, "count", False)
    assert reason(denied) == "account_suspended"


def test_only_a_person_ends_a_runaways_suspension_and_it_is_not_found_again_at_once() -> None:
    court = watched(order_rate={"orders_max": 2})
    for number in range(3):
        submit(court, number)
    assert len(look_again(court)) == 2
    court.desk.pass_seconds(3 * 86_400)
    assert court.tell(court.desk.mark("EURUSD", "1.1")) == []
    assert reason(court.buy("1000")) == "account_suspended"
    request = {"account": "alpha", "person": "ann", "role": "risk", "reason": "mended"}
    [back] = court.tell(court.desk.say(m.ReinstateAccount, **request))
    assert isinstance(back, m.AccountReinstated)
    assert reason(court.buy("1000")) == "approved"


def test_an_account_that_is_suspended_already_is_flagged_and_not_suspended_again() -> None:
    court = watched(order_rate={"orders_max": 2})
    court.tell(
        court.desk.say(
            m.AccountSuspended, account="alpha", rule="r", measured=Decimal(1), limit=Decimal(0), unit="count"
        )
    )
    for number in range(3):
        submit(court, number)
    [flag] = look_again(court)
    assert isinstance(flag, m.ConductFlagged)


def test_a_fill_brings_a_look_as_well() -> None:
    court = watched()
    submit(court, 1, BUY, "1.05")
    submit(court, 2, SELL, "1.05")
    court.desk.pass_seconds(10)
    [flag] = court.tell(court.desk.hold("GBPUSD", BUY, "1000", "1.25", stop="1.2"))
    assert isinstance(flag, m.ConductFlagged)
    assert (flag.detector, flag.suspends) == ("self_crossing", False)


def test_copy_trading_that_anti_correlation_saw_is_a_finding() -> None:
    court = watched()
    told = {"owner": "ann", "accounts": ("alpha", "beta"), "evidence": ("a", "b")}
    [flag] = court.tell(court.desk.say(m.CopyTradingSeen, measured=Decimal("0.8"), limit=Decimal("0.5"), **told))
    assert isinstance(flag, m.ConductFlagged)
    assert (flag.detector, flag.accounts, flag.evidence) == ("copy_trading", ("alpha", "beta"), ("a", "b"))
    assert (flag.measured, flag.limit, flag.unit, flag.suspends) == (Decimal("0.8"), Decimal("0.5"), "fraction", False)
    assert flag.instrument == ""
    assert "ann" in flag.detail


# Configuration

BOUNDS = [
    ("self_crossing", "pairs_max", 0, None),
    ("wash", "within_seconds", 1, 300),
    ("wash", "window_seconds", 10, DAY_SECONDS),
    ("wash", "pairs_max", 0, None),
    ("layering", "window_seconds", 1, DAY_SECONDS),
    ("layering", "cancelled_max", 1, None),
    ("momentum_ignition", "burst_seconds", 1, DAY_SECONDS),
    ("momentum_ignition", "orders_max", 1, None),
    ("momentum_ignition", "reversal_seconds", 1, DAY_SECONDS),
    ("order_rate", "window_seconds", 1, DAY_SECONDS),
    ("order_rate", "orders_max", 1, None),
]


@pytest.mark.parametrize(("detector", "key", "least", "most"), BOUNDS)
def test_numbers_of_detectors_are_bounded(detector: str, key: str, least: int, most: int | None) -> None:
    for value in (least, least if most is None else most):
        changed(**{detector: {key: value}})
    for value in (least - 1, *(() if most is None else (most + 1,))):
        with pytest.raises(
            ValueError, match=f"{detector}.{'within_seconds' if (key, value) == ('window_seconds', 9) else key}"
        ):
            changed(**{detector: {key: value}})


@pytest.mark.parametrize(
    ("key", "value"), [("interval_seconds", 0), ("interval_seconds", 86_401), ("remembered_max", 100)]
)
def test_interval_and_memory_are_bounded(key: str, value: int) -> None:
    with pytest.raises(ValueError, match=key):
        changed(**{key: value})


def test_the_smallest_memory_and_the_longest_interval_are_allowed() -> None:
    assert isinstance(changed(remembered_max=101, interval_seconds=1), SurveillanceConfig)
    assert changed(interval_seconds=86_400).interval_seconds == DAY_SECONDS
