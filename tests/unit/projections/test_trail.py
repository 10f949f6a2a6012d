"""Does the trail tell the whole life of an order, from any of its ids, and notice what is missing?"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import make_order
from tests.unit.projections.story import BAR_END_NS, GATES, QUOTE, OneSignal, make_bar, make_denial
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.domain.money import decode_hook
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import StopLevel
from tmt.errors import InputError
from tmt.projections.causation import PATH_UP, incomplete_fills
from tmt.projections.order_trail import flip_of
from tmt.projections.trail import Trail, why


@pytest.fixture
def story() -> OneSignal:
    return OneSignal()


@pytest.fixture
def log(story: OneSignal, tmp_path: Path) -> SqliteEventLog:
    return story.write(tmp_path)


def test_a_signal_tells_bar_events_and_the_orders_of_all_accounts(story: OneSignal, log: SqliteEventLog) -> None:
    trail = why(log, story.signal.message_id)
    assert trail.kind == "SignalRaised"
    assert trail.bar == story.bar
    assert trail.signal == story.signal
    assert [event.event for event in trail.events] == ["test"]
    assert [order.account for order in trail.orders] == ["alpha", "beta"]
    assert trail.others == ()
    assert trail.complete


def test_an_order_is_told_from_the_first_gate_to_the_closed_position(story: OneSignal, log: SqliteEventLog) -> None:
    [order] = why(log, "order-a").orders
    assert [gate.gate for gate in order.gates] == [gate for _, gate in GATES]
    assert [check.rule for gate in order.gates for check in gate.checks] == [f"{gate}.some_rule" for _, gate in GATES]
    assert order.submission == story.submitted
    assert [type(report) for report in order.reports] == [m.OrderAccepted, m.OrderFilled, m.OrderFilled]
    assert order.closed == story.closed
    assert order.state == "closed by stop_loss"


def test_r_is_the_profit_after_fees_over_the_risk(log: SqliteEventLog) -> None:
    [order] = why(log, "order-a").orders
    assert order.r_multiple == Decimal("-1.1")


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (lambda story: "order-a", "order"),
        (lambda story: "client-order-a", "client order"),
        (lambda story: "stop-order-a", "client order"),
        (lambda story: "fill-entry", "fill"),
        (lambda story: story.entry.message_id, "OrderFilled"),
        (lambda story: story.entry.message_id[:10], "OrderFilled"),
        (lambda story: story.exit.message_id, "OrderFilled"),
        (lambda story: story.released.message_id, "OrderReleased"),
        (lambda story: story.closed.message_id, "PositionClosed"),
    ],
)
def test_every_id_of_an_order_leads_to_that_order_alone(
    story: OneSignal, log: SqliteEventLog, asked: Callable[[OneSignal], str], kind: str
) -> None:
    trail = why(log, asked(story))
    assert trail.kind == kind
    assert [order.order_id for order in trail.orders] == ["order-a"]
    assert trail.others == ("beta: denied by compliance (daily_loss)",)


def test_a_denial_tells_the_gates_before_it_and_what_would_have_changed_it(
    story: OneSignal, log: SqliteEventLog
) -> None:
    [order] = why(log, story.denial.message_id).orders
    assert [(gate.gate, gate.outcome) for gate in order.gates] == [
        ("aria", "approved"),
        ("anti_correlation", "approved"),
        ("human_behavior", "approved"),
        ("compliance", "denied"),
    ]
    assert order.flip.startswith("compliance.daily_loss would have passed at 0.05 or below: 0.002 less")
    assert order.complete


def test_a_bar_leads_to_the_signal_it_raised(story: OneSignal, log: SqliteEventLog) -> None:
    assert why(log, story.bar.message_id).signal == story.signal


def test_a_bar_without_a_signal_has_no_orders(story: OneSignal, log: SqliteEventLog) -> None:
    trail = why(log, story.earlier_bar.message_id)
    assert trail.bar == story.earlier_bar
    assert trail.orders == ()
    assert not trail.complete


def test_the_causes_run_from_the_bar_to_what_was_asked_for(story: OneSignal, log: SqliteEventLog) -> None:
    kinds = [cause.type for cause in why(log, story.exit.message_id).causes]
    assert kinds == ["BarClosed", "SignalRaised", *PATH_UP[::-1], "OrderFilled"]


def test_an_unknown_id_is_refused(log: SqliteEventLog) -> None:
    with pytest.raises(InputError, match="no-such-id") as caught:
        why(log, "no-such-id")
    assert caught.value.code == "TMT-T001"


def test_an_empty_id_is_refused(log: SqliteEventLog) -> None:
    with pytest.raises(InputError) as caught:
        why(log, "")
    assert caught.value.code == "TMT-T001"


def test_an_ambiguous_prefix_names_the_candidates(log: SqliteEventLog) -> None:
    with pytest.raises(InputError, match=r"order-a \(order\), order-b \(order\)") as caught:
        why(log, "order-")
    assert caught.value.code == "TMT-T002"


def test_an_id_that_begins_another_id_names_itself(tmp_path: Path) -> None:
    story = OneSignal()
    order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id="order-a2", account="beta")
    story.submit(story.pass_gates(story.signal, order), order)
    [found] = why(story.write(tmp_path), "order-a").orders
    assert found.order_id == "order-a"


def test_a_position_closed_by_another_order_is_told_with_that_orders_fill(tmp_path: Path) -> None:
    story = OneSignal()
    story.told = [each for each in story.told if each not in (story.exit, story.closed)]
    proposal = story.tell(propose())
    order = make_order("EURUSD", Side.SELL, "1000", QUOTE, order_id="order-c", reduce_only=True, strategy="operator")
    fill = story.fill(story.submit(story.pass_gates(proposal, order), order), "1.10200", "close")
    closed = story.close(fill, "1.90")
    log = story.write(tmp_path)
    [opened] = why(log, "order-a").orders
    assert opened.closed == closed
    assert opened.reports[-1] == fill
    assert opened.complete
    [order_c] = why(log, "order-c").orders
    assert order_c.state == "filled"
    assert why(log, "order-c").proposal == proposal
    assert [order.order_id for order in why(log, closed.message_id).orders] == ["order-a"]
    assert incomplete_fills(log) == ()


def test_an_emergency_stop_leads_to_the_orders_that_closed_positions(tmp_path: Path) -> None:
    story = OneSignal()
    stop = story.tell(
        m.StopTrading.root("desk", BAR_END_NS, "1", person="ann", reason="drill", role="risk", level=StopLevel.FLATTEN)
    )
    for account in ("alpha", "beta"):
        proposal = story.tell(propose(stop, account))
        order = make_order("EURUSD", Side.SELL, "1000", QUOTE, order_id=f"flat-{account}", account=account)
        story.submit(story.pass_gates(proposal, order), order)
    trail = why(story.write(tmp_path), stop.message_id)
    assert [order.account for order in trail.orders] == ["alpha", "beta"]
    assert trail.complete


def propose(cause: m.Message | None = None, account: str = "alpha") -> m.OrderProposed:
    fields: dict[str, Any] = {
        "account": account,
        "instrument": "EURUSD",
        "side": Side.SELL,
        "quantity": Decimal(1000),
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "person": "ann",
        "strategy": "operator",
        "reduce_only": True,
    }
    if cause is None:
        return m.OrderProposed.root("ann", BAR_END_NS, account, **fields)
    return m.OrderProposed.caused_by(cause, "desk", account, **fields)


def test_the_trail_survives_its_own_json(log: SqliteEventLog) -> None:
    trail = why(log, "order-a")
    assert msgspec.json.decode(msgspec.json.encode(trail), type=Trail, dec_hook=decode_hook) == trail


@pytest.mark.parametrize("missing", ["BarClosed", "SignalRaised", *PATH_UP])
def test_a_fill_with_a_link_missing_is_incomplete(tmp_path: Path, missing: str) -> None:
    story = OneSignal()
    chain = (
        story.bar,
        story.signal,
        story.submitted,
        *(each for each in story.told if is_approval_of(each, "order-a")),
    )
    [lost] = [each for each in chain if type(each).__name__ == missing]
    log = story.write(tmp_path, leave_out=[lost])
    assert incomplete_fills(log) == (story.entry.message_id, story.exit.message_id)


@pytest.mark.parametrize("skipped", range(5))
def test_a_fill_whose_order_went_around_a_gate_is_incomplete(tmp_path: Path, skipped: int) -> None:
    story = OneSignal()
    order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id="order-x")
    said: m.Message = story.signal
    for kind, gate in GATES[:skipped] + GATES[skipped + 1 :]:
        extra: dict[str, Any] = {"rule_book": "default", "rule_book_version": 1} if kind is m.ComplianceApproved else {}
        approval = kind.caused_by(
            said, gate, "order-x", order=order, checks=(), expires_at_ns=BAR_END_NS, config_hash="config", **extra
        )
        said = story.tell(approval)
    fill = story.fill(story.submit(said, order), "1.1001")
    log = story.write(tmp_path)
    assert incomplete_fills(log) == (fill.message_id,)
    assert not why(log, fill.message_id).complete


def test_a_fill_of_an_order_that_was_never_submitted_is_incomplete(tmp_path: Path) -> None:
    story = OneSignal()
    order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id="order-x")
    released = story.pass_gates(story.signal, order)
    fill = story.tell(
        msgspec.structs.replace(
            story.entry, message_id="unsubmitted", causation_id=released.message_id, order_id="order-x"
        )
    )
    log = story.write(tmp_path)
    assert incomplete_fills(log) == (fill.message_id,)
    assert not why(log, fill.message_id).complete


def test_a_denial_after_a_skipped_gate_is_incomplete(tmp_path: Path) -> None:
    story = OneSignal()
    order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id="order-x", account="beta")
    sized = story.pass_gates(story.signal, order, gates=1)
    behaved = story.tell(
        m.BehaviourApproved.caused_by(
            sized, "human_behavior", order=order, checks=(), expires_at_ns=BAR_END_NS, config_hash="config"
        )
    )
    story.tell(
        msgspec.structs.replace(
            story.denial, message_id="denial-x", causation_id=behaved.message_id, order_id="order-x"
        )
    )
    [denied] = why(story.write(tmp_path), "denial-x").orders
    assert denied.state == "denied by compliance (daily_loss)"
    assert not denied.complete


def test_events_after_the_signal_are_not_part_of_its_trail(tmp_path: Path) -> None:
    story = OneSignal()
    later = story.tell(make_bar(BAR_END_NS))
    story.see_signal(later)
    assert len(why(story.write(tmp_path), story.signal.message_id).events) == 1


def is_approval_of(message: m.Message, order_id: str) -> bool:
    return isinstance(message, m.GateApproval) and message.order.order_id == order_id


def test_every_fill_of_an_honest_log_is_complete(log: SqliteEventLog) -> None:
    assert incomplete_fills(log) == ()


@pytest.mark.parametrize(
    ("measured", "limit", "words"),
    [
        ("0.050001", "0.05", "at 0.05 or below: 0.000001 less than the 0.050001 measured"),
        ("0.049999", "0.05", "at 0.05 or above: 0.000001 more than the 0.049999 measured"),
        ("0.05", "0.05", "to the last digit told"),
    ],
)
def test_the_flip_is_the_distance_to_the_limit(measured: str, limit: str, words: str) -> None:
    assert words in flip_of(make_denial(measured, limit))


def test_the_flip_of_something_unknown_is_to_know_it() -> None:
    denial = make_denial("0", "1", unit="count", reason="no_mark", detail="no price known for EURUSD", checks=())
    assert flip_of(denial) == "no_mark would have passed if this were not so: no price known for EURUSD"


def test_the_flip_of_a_price_off_the_grid_is_its_neighbours() -> None:
    denial = make_denial("1.100013", "0.00001", unit="price", reason="price_off_tick", checks=())
    assert flip_of(denial) == "price_off_tick would have passed a price of 1.10001 or 1.10002, not 1.100013"
