"""Execution: one submission a release, cancels when trading stops, every order followed to its end."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tmt.agents.execution import ExecutionAgent, ExecutionConfig, ExecutionState, evolve
from tmt.domain.account import Account
from tmt.domain.identity import derive_id
from tmt.domain.instrument import AssetClass, Instrument
from tmt.domain.money import decode_hook
from tmt.domain.order import Order, OrderState, OrderType, Quote, Side, TimeInForce
from tmt.domain.session import SessionHours
from tmt.domain.stop import StopLevel
from tmt.messages import (
    AccountOpened,
    AccountSuspended,
    BreakerOpened,
    CancelOrder,
    CancelRejected,
    CancelSubmitted,
    InvariantBroken,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReleased,
    OrderReplaced,
    OrderSubmitted,
    OrderTriggered,
    PositionClosed,
    ReplaceOrder,
    ReplaceSubmitted,
    SessionStarted,
    StopTrading,
)
from tmt.projections.portfolio import Portfolio

NOW_NS = 1_800_000_000_000_000_000
LIFE_NS = 30_000_000_000
CONFIG = ExecutionConfig(ended_orders_max=1000, used_releases_max=10_000, messages_per_second=10, messages_burst=1000)
DAY = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")


class Desk:
    """The agent over a portfolio; messages are delivered depth first, as the runner does."""

    def __init__(self, config: ExecutionConfig = CONFIG) -> None:
        self.portfolio = Portfolio()
        self.agent = ExecutionAgent(config, self.portfolio, "hash")
        self.time_ns = NOW_NS
        self.events = 0
        self.deliver(opening())

    def deliver(self, messages: Sequence[Message]) -> list[Message]:
        """All that followed, in order."""
        followed: list[Message] = []
        for message in messages:
            self.portfolio.evolve(message)
            if isinstance(message, self.agent.consumes):
                said = self.agent.handle(message)
                for answer in said:
                    followed += [answer, *self.deliver([answer])]
        return followed

    def release(self, name: str, **fields: Any) -> str:
        """Deliver a release; return the client order id of what was submitted."""
        (submitted,) = self.deliver([released(name, self.time_ns, **fields)])
        assert isinstance(submitted, OrderSubmitted)
        return submitted.client_order_id

    def venue(self, kind: type[Any], client_order_id: str, **fields: Any) -> list[Message]:
        """Deliver one report of the venue."""
        self.events += 1
        return self.deliver([report(kind, client_order_id, str(self.events), **fields)])

    def state_of(self, client_order_id: str) -> OrderState:
        return {**self.agent.state.ended, **self.agent.state.orders}[client_order_id].state


def opening() -> list[Message]:
    listed = Instrument(
        symbol="TEST",
        asset_class=AssetClass.EQUITY,
        base_currency="",
        quote_currency="USD",
        tick_size=Decimal(1),
        price_quantum=Decimal(1),
        lot_size=Decimal(1),
        point_value=Decimal(1),
        quantity_min=Decimal(1),
        notional_min=Decimal(0),
        session=DAY,
    )
    session = SessionStarted.root(
        "cli",
        NOW_NS,
        mode="test",
        software_version="0",
        config_hash="",
        seed=1,
        inputs=(),
        simulated=True,
        instruments=(listed,),
    )
    accounts = [
        Account(
            account_id=name,
            currency="USD",
            deposit=Decimal(100_000),
            instruments=("TEST",),
            rule_book="default",
            time_zone="UTC",
            day_starts_at="00:00",
        )
        for name in ("ACC", "OTHER")
    ]
    return [session, *(AccountOpened.root("cli", NOW_NS, a.account_id, account=a) for a in accounts)]


def released(
    name: str, time_ns: int = NOW_NS, *, life_ns: int = LIFE_NS, key: str = "", **fields: Any
) -> OrderReleased:
    order: dict[str, Any] = {
        "order_id": derive_id("order", name),
        "account": "ACC",
        "instrument": "TEST",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "quote": Quote(bid=Decimal(99), ask=Decimal(100), time_ns=time_ns),
        "strategy": "wyckoff",
        "setup": "spring",
        **fields,
    }
    return OrderReleased.root(
        "circuit_breaker",
        time_ns,
        name,
        key,
        order=Order(**order),
        checks=(),
        expires_at_ns=time_ns + life_ns,
        config_hash="",
    )


def report(kind: type[Any], client_order_id: str, key: str, **fields: Any) -> Message:
    defaults: dict[type[Any], dict[str, Any]] = {
        OrderAccepted: {
            "side": Side.BUY,
            "quantity": Decimal(10),
            "order_type": OrderType.MARKET,
            "price": None,
            "reduce_only": False,
            "role": "entry",
        },
        OrderTriggered: {"trigger_price": Decimal(100)},
        OrderReplaced: {"quantity": Decimal(10), "limit_price": None},
        OrderFilled: {
            "fill_id": f"fill-{key}",
            "side": Side.BUY,
            "quantity": Decimal(10),
            "price": Decimal(100),
            "fee": Decimal(1),
            "fee_currency": "USD",
            "remaining": Decimal(0),
            "role": "entry",
            "liquidity": "taker",
            "slippage": Decimal(0),
            "quote": Quote(bid=Decimal(99), ask=Decimal(100), time_ns=NOW_NS),
            "setup": "spring",
            "strategy": "wyckoff",
        },
        OrderRejected: {"reason": "no_market", "detail": ""},
        OrderCancelled: {"reason": "person", "filled": Decimal(0)},
        OrderExpired: {"filled": Decimal(0)},
        CancelRejected: {"reason": "already_done"},
    }
    named: dict[str, Any] = {"order_id": f"order-{client_order_id}", "account": "ACC", "instrument": "TEST"}
    told = {**named, **defaults[kind], **fields}
    message: Message = kind.root("paper", NOW_NS, client_order_id, key, client_order_id=client_order_id, **told)
    return message


def opened(tier: str, scope: str) -> BreakerOpened:
    return BreakerOpened.root(
        "circuit_breaker",
        NOW_NS,
        tier,
        scope,
        tier=tier,
        scope=scope,
        trigger="daily_loss",
        measured=Decimal(1),
        limit=Decimal(1),
        unit="fraction",
        resumes_by="person",
        detail="",
    )


STOP = StopTrading.root("person", NOW_NS, person="p", reason="r", role="risk", level=StopLevel.CANCEL)
SUSPENDED = AccountSuspended.root(
    "compliance", NOW_NS, account="ACC", rule="r", measured=Decimal(1), limit=Decimal(1), unit="count"
)


# Releases


def test_a_release_is_submitted_with_ids_derived_from_it() -> None:
    release = released("a", stop_loss_price=Decimal(95), take_profit_price=Decimal(110))
    (submitted,) = Desk().deliver([release])
    assert isinstance(submitted, OrderSubmitted)
    assert submitted.order == release.order
    assert submitted.causation_id == release.message_id
    assert submitted.client_order_id == derive_id(release.message_id, "client")
    assert submitted.stop_loss_client_order_id == derive_id(release.message_id, "stop_loss")
    assert submitted.take_profit_client_order_id == derive_id(release.message_id, "take_profit")


def test_an_order_without_a_bracket_has_no_ids_for_one() -> None:
    (submitted,) = Desk().deliver([released("a")])
    assert isinstance(submitted, OrderSubmitted)
    assert submitted.stop_loss_client_order_id is submitted.take_profit_client_order_id is None


def test_a_bracket_of_one_leg_has_one_id() -> None:
    (stopped,) = Desk().deliver([released("a", stop_loss_price=Decimal(95))])
    (taking,) = Desk().deliver([released("a", take_profit_price=Decimal(110))])
    assert isinstance(stopped, OrderSubmitted)
    assert isinstance(taking, OrderSubmitted)
    assert stopped.stop_loss_client_order_id is not None
    assert stopped.take_profit_client_order_id is None
    assert taking.stop_loss_client_order_id is None
    assert taking.take_profit_client_order_id is not None


@pytest.mark.parametrize(("late_ns", "kind"), [(-1, OrderSubmitted), (0, OrderSubmitted), (1, OrderDenied)])
def test_a_release_is_not_used_after_its_expiry(late_ns: int, kind: type[Message]) -> None:
    desk = Desk()
    desk.portfolio.state.now_ns = NOW_NS + LIFE_NS + late_ns
    (answer,) = desk.deliver([released("a")])
    assert type(answer) is kind
    if isinstance(answer, OrderDenied):
        assert (answer.gate, answer.reason) == ("execution", "approval_expired")
        assert answer.measured >= answer.limit == 30


@pytest.mark.parametrize("key", ["", "another message for the same order"])
def test_a_release_is_used_once(key: str) -> None:
    desk = Desk()
    desk.release("a")
    (denied,) = desk.deliver([released("a", key=key)])
    assert isinstance(denied, OrderDenied)
    assert (denied.gate, denied.reason, denied.order_id) == ("execution", "already_submitted", derive_id("order", "a"))


def test_a_release_is_used_once_even_when_its_order_has_ended() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderRejected, name)
    assert isinstance(desk.deliver([released("a")])[0], OrderDenied)


def test_used_releases_are_remembered_within_a_bound() -> None:
    desk = Desk(
        ExecutionConfig(ended_orders_max=10, used_releases_max=512, messages_per_second=10, messages_burst=1000)
    )
    same_bucket = [name for name in map(str, range(3000)) if derive_id("order", name).startswith("aa")]
    for name in same_bucket[:4]:
        desk.release(name)
    answers = [type(desk.deliver([released(name, key="again")])[0]) for name in reversed(same_bucket[:4])]
    assert answers == [OrderDenied, OrderDenied, OrderSubmitted, OrderSubmitted]


# The life of an order


def test_an_order_is_followed_to_its_fill() -> None:
    desk = Desk()
    name = desk.release("a")
    assert desk.state_of(name) is OrderState.SUBMITTED
    assert desk.venue(OrderAccepted, name) == []
    assert desk.state_of(name) is OrderState.ACCEPTED
    assert desk.venue(OrderFilled, name, quantity=Decimal(4), remaining=Decimal(6)) == []
    assert desk.state_of(name) is OrderState.PARTIALLY_FILLED
    assert desk.venue(OrderFilled, name, quantity=Decimal(6)) == []
    assert desk.state_of(name) is OrderState.FILLED
    assert name not in desk.agent.state.orders
    assert desk.agent.state.ended[name].filled == 10


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ([OrderRejected], OrderState.REJECTED),
        ([OrderAccepted, OrderCancelled], OrderState.CANCELLED),
        ([OrderAccepted, OrderExpired], OrderState.EXPIRED),
        ([OrderAccepted, OrderTriggered], OrderState.TRIGGERED),
        ([OrderAccepted, OrderTriggered, OrderFilled], OrderState.FILLED),
        ([OrderAccepted, OrderReplaced], OrderState.ACCEPTED),
    ],
)
def test_legal_moves_are_followed_in_silence(kinds: list[type[Any]], state: OrderState) -> None:
    desk = Desk()
    name = desk.release("a")
    assert [answer for kind in kinds for answer in desk.venue(kind, name)] == []
    assert desk.state_of(name) is state


@pytest.mark.parametrize(
    "kinds",
    [
        [OrderFilled],
        [OrderTriggered],
        [OrderCancelled],
        [OrderAccepted, OrderAccepted],
        [OrderAccepted, OrderRejected],
        [OrderRejected, OrderAccepted],
        [OrderAccepted, OrderFilled, OrderCancelled],
        [OrderAccepted, OrderCancelled, OrderFilled],
        [OrderAccepted, OrderExpired, OrderReplaced],
    ],
)
def test_an_illegal_move_is_an_invariant_broken_and_is_not_made(kinds: list[type[Any]]) -> None:
    desk = Desk()
    name = desk.release("a")
    for kind in kinds[:-1]:
        assert desk.venue(kind, name) == []
    before = desk.state_of(name)
    (broken,) = desk.venue(kinds[-1], name)
    assert isinstance(broken, InvariantBroken)
    assert broken.invariant == "O1"
    assert name in broken.detail
    assert desk.state_of(name) is before


def test_a_report_of_an_order_never_submitted_is_an_invariant_broken() -> None:
    (broken,) = Desk().venue(OrderFilled, "x")
    assert isinstance(broken, InvariantBroken)
    assert "was not submitted" in broken.detail


def test_a_late_fill_counts() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    desk.venue(OrderCancelled, name)
    desk.venue(OrderFilled, name, quantity=Decimal(3), remaining=Decimal(7))
    assert desk.agent.state.ended[name].filled == 3
    assert desk.state_of(name) is OrderState.CANCELLED


@pytest.mark.parametrize(("quantity", "broken"), [(9, 0), (10, 0), (11, 1)])
def test_a_fill_beyond_the_quantity_is_an_invariant_broken(quantity: int, broken: int) -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    answers = desk.venue(OrderFilled, name, quantity=Decimal(quantity))
    assert len(answers) == broken


def test_what_the_venue_accepts_or_replaces_is_the_quantity() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name, quantity=Decimal(6))
    assert desk.agent.state.orders[name].quantity == 6
    desk.venue(OrderReplaced, name, quantity=Decimal(4))
    assert desk.agent.state.orders[name].quantity == 4
    assert len(desk.venue(OrderFilled, name, quantity=Decimal(5))) == 1


def test_ended_orders_are_remembered_within_a_bound() -> None:
    desk = Desk(ExecutionConfig(ended_orders_max=4, used_releases_max=256, messages_per_second=10, messages_burst=1000))
    names = [desk.release(str(number)) for number in range(5)]
    for name in names:
        desk.venue(OrderRejected, name)
    assert list(desk.agent.state.ended) == names[3:]


# Brackets


def bracket(desk: Desk) -> tuple[str, str, str]:
    release = released("a", stop_loss_price=Decimal(95), take_profit_price=Decimal(110))
    desk.deliver([release])
    client, stop, take = (derive_id(release.message_id, part) for part in ("client", "stop_loss", "take_profit"))
    return client, stop, take


EXIT: Any = {"side": Side.SELL, "order_type": OrderType.STOP, "price": Decimal(95), "reduce_only": True}


def test_exits_are_followed_from_their_acceptance() -> None:
    desk = Desk()
    client, stop, take = bracket(desk)
    assert desk.agent.state.exits == dict.fromkeys((stop, take), derive_id("order", "a"))
    desk.venue(OrderAccepted, client)
    desk.venue(OrderFilled, client)
    assert desk.venue(OrderAccepted, stop, **EXIT) == []
    assert desk.venue(OrderAccepted, take, **EXIT) == []
    assert desk.agent.state.exits == {}
    assert desk.state_of(stop) is OrderState.ACCEPTED
    assert desk.agent.state.orders[stop].reduce_only
    assert len(desk.venue(OrderAccepted, stop, **EXIT)) == 1


def test_an_exit_does_not_fill_before_it_is_accepted() -> None:
    desk = Desk()
    _, stop, _ = bracket(desk)
    assert isinstance(desk.venue(OrderTriggered, stop)[0], InvariantBroken)


def test_exits_of_an_entry_that_never_filled_are_forgotten() -> None:
    desk = Desk()
    client, stop, _ = bracket(desk)
    desk.venue(OrderRejected, client)
    assert desk.agent.state.exits == {}
    assert isinstance(desk.venue(OrderAccepted, stop, **EXIT)[0], InvariantBroken)


# Requests of people


def test_a_person_cancels() -> None:
    desk = Desk()
    name = desk.release("a")
    request = CancelOrder.root("person", NOW_NS, client_order_id=name, person="p")
    (cancel,) = desk.deliver([request])
    assert isinstance(cancel, CancelSubmitted)
    assert (cancel.client_order_id, cancel.reason, cancel.causation_id) == (name, "person", request.message_id)


def test_a_cancel_of_an_unknown_order_is_the_venues_to_refuse() -> None:
    (cancel,) = Desk().deliver([CancelOrder.root("person", NOW_NS, client_order_id="x", person="p")])
    assert isinstance(cancel, CancelSubmitted)


@pytest.mark.parametrize(("asked", "sent"), [(9, 9), (10, 10), (11, 10)])
def test_a_replace_never_asks_for_more_than_was_released(asked: int, sent: int) -> None:
    desk = Desk()
    name = desk.release("a", type=OrderType.LIMIT, limit_price=Decimal(98))
    request = ReplaceOrder.root(
        "person", NOW_NS, client_order_id=name, quantity=Decimal(asked), limit_price=Decimal(97), person="p"
    )
    (replace,) = desk.deliver([request])
    assert isinstance(replace, ReplaceSubmitted)
    assert (replace.client_order_id, replace.quantity, replace.limit_price) == (name, Decimal(sent), Decimal(97))


# Trading stops


def desk_with_orders() -> tuple[Desk, str, str]:
    """Entries of two accounts, an entry's exit, and a closing order."""
    desk = Desk()
    client, stop, _ = bracket(desk)
    desk.venue(OrderAccepted, client)
    desk.venue(OrderFilled, client)
    desk.venue(OrderAccepted, stop, **EXIT)
    ours = desk.release("b")
    others = desk.release("c", account="OTHER")
    desk.release("d", reduce_only=True, side=Side.SELL)
    return desk, ours, others


@pytest.mark.parametrize(
    ("message", "reason", "cancels_others"),
    [
        (STOP, "stop_trading", True),
        (opened("system", "desk"), "system_breaker", True),
        (opened("account", "ACC"), "account_breaker", False),
        (SUSPENDED, "account_suspended", False),
    ],
)
def test_when_trading_stops_entries_are_cancelled_and_exits_stay(
    message: Message, reason: str, cancels_others: bool
) -> None:
    desk, ours, others = desk_with_orders()
    answers = desk.deliver([message])
    assert all(isinstance(answer, CancelSubmitted) and answer.reason == reason for answer in answers)
    cancelled = [answer.client_order_id for answer in answers if isinstance(answer, CancelSubmitted)]
    assert cancelled == ([ours, others] if cancels_others else [ours])


def test_an_agents_breaker_cancels_nothing() -> None:
    desk, _, _ = desk_with_orders()
    assert desk.deliver([opened("agent", "ACC")]) == []


def test_what_is_being_cancelled_is_not_cancelled_again_unless_the_venue_refused() -> None:
    desk, ours, _ = desk_with_orders()
    assert len(desk.deliver([STOP])) == 2
    assert desk.deliver([opened("system", "desk")]) == []
    desk.venue(CancelRejected, ours)
    (again,) = desk.deliver([opened("system", "desk")])
    assert isinstance(again, CancelSubmitted)
    assert again.client_order_id == ours


# Round trips


def test_a_position_that_goes_flat_is_a_round_trip() -> None:
    desk = Desk()
    client, stop, _ = bracket(desk)
    desk.venue(OrderAccepted, client)
    assert desk.venue(OrderFilled, client, order_id=derive_id("order", "a")) == []
    desk.venue(OrderAccepted, stop, **EXIT)
    desk.venue(OrderTriggered, stop)
    exit_fill: Any = {"side": Side.SELL, "price": Decimal(94), "role": "stop_loss"}
    part = desk.venue(OrderFilled, stop, quantity=Decimal(4), remaining=Decimal(6), **exit_fill)
    assert part == []
    (closed,) = desk.venue(OrderFilled, stop, quantity=Decimal(6), **exit_fill)
    assert isinstance(closed, PositionClosed)
    assert (closed.order_id, closed.account, closed.instrument) == (derive_id("order", "a"), "ACC", "TEST")
    assert (closed.side, closed.quantity, closed.realised, closed.fees) == (
        Side.BUY,
        Decimal(10),
        Decimal(-60),
        Decimal(3),
    )
    assert (closed.risk_amount, closed.currency, closed.closing_role) == (Decimal(50), "USD", "stop_loss")


# State


def test_the_state_survives_its_snapshot() -> None:
    desk, _, _ = desk_with_orders()
    state = desk.agent.state
    raw = msgspec.json.encode(state)
    assert msgspec.json.decode(raw, type=ExecutionState, dec_hook=decode_hook) == state


def test_a_message_that_concerns_nobody_leaves_the_state_itself() -> None:
    desk, _, _ = desk_with_orders()
    working = next(iter(desk.agent.state.orders))
    for message in (STOP, SUSPENDED, report(CancelRejected, "x", "0"), report(CancelRejected, working, "0")):
        assert evolve(desk.agent.state, message, CONFIG) is desk.agent.state


def test_two_sources_of_a_broken_invariant_have_different_ids() -> None:
    event = report(OrderFilled, "x", "0")
    (broken,) = Desk().deliver([event])
    watched = InvariantBroken.caused_by(event, "invariants", "O1", invariant="O1", detail="")
    assert broken.message_id != watched.message_id


@pytest.mark.parametrize(
    ("name", "least"), [("ended_orders_max", 1), ("used_releases_max", 256), ("messages_burst", 1)]
)
def test_the_bounds_have_bounds(name: str, least: int) -> None:
    numbers = {"ended_orders_max": 1, "used_releases_max": 256, "messages_per_second": 1, "messages_burst": 1}
    ExecutionConfig(**numbers)
    with pytest.raises(ValueError, match=f"{name} must be at least {least}, was {least - 1}"):
        ExecutionConfig(**{**numbers, name: least - 1})
