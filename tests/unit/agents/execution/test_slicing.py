"""Parents worked slice by slice: what goes out, what stops it, when it is over, and what it has cost."""

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest

from tests.unit.agents.desk import CONFIG_HASH, Desk, default_config, make_account, make_instrument, make_order
from tests.unit.agents.desk import make_quote as quote_of
from tests.unit.core.samples import TRANSITION
from tmt import messages as m
from tmt.agents.execution import ExecutionAgent, ExecutionConfig, ExecutionState
from tmt.agents.execution.slicing import COSTS_REMEMBERED, Slicing
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.order import Order, OrderType, Side, TimeInForce
from tmt.domain.schedule import Algorithm, Schedule, Slice
from tmt.domain.stop import ScopeKind, StopLevel, StopScope
from tmt.market.bar import Timeframe

SECOND_NS = 10**9
QUOTE = quote_of("1.0999", "1.1000")
Said = TypeVar("Said", bound=m.Message)


class Works:
    """The agent over a portfolio; what it says is heard, depth first, as on the bus."""

    def __init__(self, desk: Desk | None = None) -> None:
        self.desk = Desk() if desk is None else desk
        self.agent = ExecutionAgent(default_config(ExecutionConfig, "execution"), self.desk.portfolio, CONFIG_HASH)
        self.said: list[m.Message] = []
        self.events = 0

    def hear(self, message: m.Message) -> list[m.Message]:
        """All that follows."""
        self.desk.tell(message)
        followed: list[m.Message] = []
        for answer in self.agent.handle(message):
            followed += [answer, *self.hear(answer)]
        return followed

    def start(self, *quantities: int, **fields: Any) -> Order:
        """Release an order in slices a minute apart; its schedule has started."""
        order = parent(*quantities, start_ns=self.desk.now_ns, **fields)
        [started] = self.hear(self.released(order))
        assert isinstance(started, m.ScheduleStarted)
        assert started.order == order
        return order

    def released(self, order: Order, seconds: int = 30) -> m.OrderReleased:
        return self.desk.make(
            m.OrderReleased,
            order=order,
            checks=(),
            expires_at_ns=self.desk.now_ns + seconds * SECOND_NS,
            config_hash=CONFIG_HASH,
        )

    def due(self, number: int, order_id: str = "order") -> list[m.Message]:
        """A slice is due, a minute after the one before."""
        self.desk.pass_seconds(60 if number else 0)
        return self.hear(self.desk.make(m.SliceDue, order_id=order_id, account="alpha", number=number))

    def slice(self, number: int, order_id: str = "order") -> m.OrderSubmitted:
        """A slice is due and goes out."""
        [submitted] = self.due(number, order_id)
        assert isinstance(submitted, m.OrderSubmitted)
        return submitted

    def venue(self, kind: type[Said], submitted: m.OrderSubmitted, **fields: Any) -> list[m.Message]:
        order = submitted.order
        return self.hear(
            self.desk.make(
                kind,
                client_order_id=submitted.client_order_id,
                order_id=order.order_id,
                account=order.account,
                instrument=order.instrument,
                **fields,
            )
        )

    def accept(self, submitted: m.OrderSubmitted) -> None:
        order = submitted.order
        fields = {"side": order.side, "quantity": order.quantity, "order_type": order.type, "price": None}
        assert self.venue(m.OrderAccepted, submitted, reduce_only=False, role="entry", **fields) == []

    def fill(
        self, submitted: m.OrderSubmitted, price: str, quantity: int | None = None, left: int = 0
    ) -> list[m.Message]:
        order = submitted.order
        self.events += 1
        return self.venue(
            m.OrderFilled,
            submitted,
            fill_id=f"fill-{self.events}",
            side=order.side,
            quantity=order.quantity if quantity is None else Decimal(quantity),
            price=Decimal(price),
            fee=ZERO,
            fee_currency="USD",
            remaining=Decimal(left),
            role="entry",
            liquidity="taker",
            slippage=ZERO,
            quote=order.quote,
            setup=order.setup,
            strategy=order.strategy,
        )

    def done(self, submitted: m.OrderSubmitted, price: str = "1.1") -> list[m.Message]:
        """Accepted and filled whole."""
        self.accept(submitted)
        return self.fill(submitted, price)

    def expire(self, submitted: m.OrderSubmitted) -> list[m.Message]:
        return self.venue(m.OrderExpired, submitted, filled=ZERO)

    def traded(self, volume: int, timeframe: Timeframe = Timeframe.M1, symbol: str = "EURUSD") -> None:
        closed = self.desk.bar(symbol, "1.1", timeframe=timeframe)
        bar = msgspec.structs.replace(closed.bar, volume=Decimal(volume))
        assert self.agent.handle(msgspec.structs.replace(closed, bar=bar)) == []


def parent(*quantities: int, start_ns: int, participation: str | None = None, **fields: Any) -> Order:
    schedule = Schedule(
        algorithm=Algorithm.TWAP if participation is None else Algorithm.POV,
        slices=tuple(
            Slice(start_ns + number * 60 * SECOND_NS, Decimal(quantity)) for number, quantity in enumerate(quantities)
        ),
        seed="order",
        participation_fraction=None if participation is None else Decimal(participation),
    )
    side = fields.pop("side", Side.BUY)
    order = make_order("EURUSD", side, str(sum(quantities)), QUOTE, stop_loss="1.0900", order_id="order")
    return msgspec.structs.replace(order, **{"schedule": schedule, **fields})


def ended(said: list[m.Message]) -> m.ScheduleEnded:
    [end] = [each for each in said if isinstance(each, m.ScheduleEnded)]
    return end


@pytest.fixture
def works() -> Works:
    return Works()


def test_a_release_with_a_schedule_starts_it_at_the_price_it_would_have_taken(works: Works) -> None:
    for side, arrival in ((Side.BUY, "1.1000"), (Side.SELL, "1.0999")):
        order = parent(1000, 2000, start_ns=works.desk.now_ns, order_id=side, side=side)
        [started] = works.hear(works.released(order))
        assert isinstance(started, m.ScheduleStarted)
        assert started.arrival_price == Decimal(arrival)


def test_a_limit_order_arrives_at_the_quote_and_not_at_its_limit(works: Works) -> None:
    limited: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal("1.2")}
    [started] = works.hear(works.released(parent(1000, 1000, start_ns=works.desk.now_ns, **limited)))
    assert isinstance(started, m.ScheduleStarted)
    assert started.arrival_price == Decimal("1.1")


def test_a_slice_is_an_order_of_its_own_that_names_its_parent(works: Works) -> None:
    order = works.start(1000, 2000)
    first, second = works.slice(0), works.slice(1)
    assert [each.order.quantity for each in (first, second)] == [1000, 2000]
    assert len({order.order_id, first.order.order_id, second.order.order_id}) == 3
    assert len({first.client_order_id, second.client_order_id}) == 2
    expected = msgspec.structs.replace(
        order, order_id=first.order.order_id, parent_id="order", quantity=Decimal(1000), schedule=None
    )
    assert first.order == expected
    assert first.stop_loss_client_order_id is not None
    assert first.take_profit_client_order_id is None


def test_the_release_is_used_once_and_before_it_expires(works: Works) -> None:
    order = works.start(1000, 2000)
    [again] = works.hear(works.released(order))
    assert isinstance(again, m.OrderDenied)
    assert again.reason == "already_submitted"
    late = works.released(msgspec.structs.replace(order, order_id="late"), seconds=-1)
    [denied] = works.hear(late)
    assert isinstance(denied, m.OrderDenied)
    assert denied.reason == "approval_expired"


def test_slices_go_out_after_the_approval_has_expired(works: Works) -> None:
    works.start(1000, 2000)
    works.slice(0)
    works.desk.pass_seconds(3600)
    assert works.slice(1).order.quantity == 2000


def test_a_parent_cut_by_a_gate_loses_its_last_slices(works: Works) -> None:
    works.start(2000, 2000, 2000, quantity=Decimal(3000))
    assert works.slice(0).order.quantity == 2000
    second = works.slice(1)
    assert second.order.quantity == 1000
    works.done(second)
    first = works.agent.state.slicing.parents["order"].working
    assert len(first) == 1


def test_nothing_more_goes_out_once_everything_has(works: Works) -> None:
    works.start(2000, 2000, 2000, quantity=Decimal(4000))
    works.done(works.slice(0))
    end = ended(works.done(works.slice(1)))
    assert (end.reason, end.filled) == ("completed", Decimal(4000))
    assert works.due(2) == []
    assert works.agent.state.slicing.parents == {}


def test_the_portfolio_counts_what_is_left_of_the_parent_and_its_slices(works: Works) -> None:
    works.start(1000, 2000)
    works.slice(0)
    assert [(each.order.order_id == "order", each.remaining) for each in works.desk.portfolio.working("alpha")] == [
        (True, Decimal(2000)),
        (False, Decimal(1000)),
    ]


def test_a_slice_of_an_unknown_order_does_nothing(works: Works) -> None:
    before = works.agent.state
    assert works.due(0) == []
    assert works.agent.state is before


def test_it_is_over_when_the_last_slice_has_ended_and_says_what_it_cost(works: Works) -> None:
    works.start(1000, 3000)
    assert works.done(works.slice(0), "1.1010") == []
    last = works.slice(1)
    works.accept(last)
    assert works.fill(last, "1.1020", 1000, left=2000) == []
    end = ended(works.fill(last, "1.1030", 2000))
    assert (end.order_id, end.account, end.instrument, end.algorithm) == ("order", "alpha", "EURUSD", Algorithm.TWAP)
    assert (end.reason, end.filled, end.arrival_price) == ("completed", Decimal(4000), Decimal("1.1000"))
    assert end.average_price == Decimal("1.10225")
    assert end.shortfall_fraction == Decimal("0.002045454545")  # 0.00225 / 1.1
    assert end.immediate_fraction is None
    assert works.agent.state.slicing == Slicing()
    assert works.desk.portfolio.working("alpha") == []


def test_a_worse_price_of_a_sale_is_a_lower_one(works: Works) -> None:
    works.start(1000, 1000, side=Side.SELL, stop_loss_price=Decimal("1.2"))
    works.done(works.slice(0), "1.0999")
    end = ended(works.done(works.slice(1), "1.0977"))
    assert end.shortfall_fraction == Decimal("0.001000090917")  # 0.0011 / 1.0999


def test_a_better_price_is_a_negative_shortfall(works: Works) -> None:
    works.start(1000)
    assert ended(works.done(works.slice(0), "1.0989")).shortfall_fraction == Decimal("-0.001")


def test_what_did_not_fill_is_not_tried_again_and_has_no_price(works: Works) -> None:
    works.start(1000, 1000)
    first = works.slice(0)
    works.accept(first)
    works.expire(first)
    second = works.slice(1)
    works.accept(second)
    end = ended(works.expire(second))
    assert (end.reason, end.filled) == ("completed", Decimal(0))
    assert (end.average_price, end.shortfall_fraction) == (None, None)


def test_slices_may_still_work_when_the_next_is_due(works: Works) -> None:
    works.start(1000, 1000)
    first, second = works.slice(0), works.slice(1)
    assert works.done(second) == []
    assert ended(works.done(first)).filled == 2000


def test_an_end_is_said_once(works: Works) -> None:
    works.start(1000, 1000)
    works.slice(0)
    second = works.slice(1)
    works.done(second)
    said = works.hear(works.desk.make(m.StopTrading, person="ann", role="owner", reason="r", level=StopLevel.PAUSE))
    assert not [each for each in said if isinstance(each, m.ScheduleEnded)]


def test_two_parents_end_each_by_itself(works: Works) -> None:
    works.start(1000)
    works.start(1000, order_id="other")
    first = works.slice(0)
    other = works.slice(0, "other")
    assert ended(works.done(other)).order_id == "other"
    assert ended(works.done(first)).order_id == "order"


def test_what_whole_parents_cost_is_what_immediate_execution_costs(works: Works) -> None:
    for order_id, price in (("a", "1.1011"), ("b", "1.1033")):
        works.start(1000, order_id=order_id)
        works.done(works.slice(0, order_id), price)
    works.start(1000, 1000)
    works.done(works.slice(0))
    end = ended(works.done(works.slice(1)))
    assert end.immediate_fraction == Decimal("0.002")
    assert works.agent.state.slicing.immediate == {"EURUSD": (Decimal("0.001"), Decimal("0.003"))}


def test_whole_parents_that_did_not_fill_cost_nothing_known(works: Works) -> None:
    works.start(1000)
    submitted = works.slice(0)
    works.accept(submitted)
    assert ended(works.expire(submitted)).shortfall_fraction is None
    assert works.agent.state.slicing.immediate == {}


def test_only_the_newest_costs_are_remembered(works: Works) -> None:
    for number in range(COSTS_REMEMBERED + 2):
        works.start(1000, order_id=str(number))
        works.done(works.slice(0, str(number)), f"1.{1000 + number}")
    costs = works.agent.state.slicing.immediate["EURUSD"]
    assert len(costs) == COSTS_REMEMBERED
    assert costs[0] == Decimal("0.000181818182")


def stop(scope: StopScope, level: StopLevel = StopLevel.PAUSE) -> dict[str, Any]:
    return {"person": "ann", "role": "owner", "reason": "r", "level": level, "scope": scope}


def breaker(tier: str, scope: str) -> dict[str, Any]:
    return {**TRANSITION, "tier": tier, "scope": scope}


SUSPENDED = {"rule": "daily_loss", "measured": ZERO, "limit": ZERO, "unit": "fraction"}
STOPPING: list[tuple[type[m.Message], dict[str, Any], str]] = [
    (m.StopTrading, stop(StopScope()), "stopped"),
    (m.StopTrading, stop(StopScope(kind=ScopeKind.ACCOUNT, name="alpha")), "stopped"),
    (m.StopTrading, stop(StopScope(kind=ScopeKind.STRATEGY, name="wyckoff")), "stopped"),
    (m.StopTrading, stop(StopScope(kind=ScopeKind.INSTRUMENT, name="EURUSD")), "stopped"),
    (m.StopTrading, stop(StopScope(kind=ScopeKind.VENUE, name="paper")), "stopped"),
    (m.BreakerOpened, breaker("system", "desk"), "breaker"),
    (m.BreakerReduced, breaker("system", "desk"), "breaker"),
    (m.BreakerOpened, breaker("account", "alpha"), "breaker"),
    (m.BreakerReduced, breaker("account", "alpha"), "breaker"),
    (m.BreakerOpened, breaker("agent", "wyckoff"), "breaker"),
    (m.BreakerOpened, breaker("agent", "feed:EURUSD"), "breaker"),
    (m.BreakerOpened, breaker("agent", "instrument:EURUSD"), "breaker"),
    (m.BreakerOpened, breaker("agent", "venue:paper"), "breaker"),
    (m.AccountSuspended, {"account": "alpha", **SUSPENDED}, "stopped"),
    (m.CancelOrder, {"client_order_id": "order", "person": "ann"}, "cancelled"),
]
PASSING: list[tuple[type[m.Message], dict[str, Any]]] = [
    (m.StopTrading, stop(StopScope(kind=ScopeKind.ACCOUNT, name="beta"))),
    (m.StopTrading, stop(StopScope(kind=ScopeKind.STRATEGY, name="manual"))),
    (m.StopTrading, stop(StopScope(kind=ScopeKind.INSTRUMENT, name="GBPUSD"))),
    (m.StopTrading, stop(StopScope(kind=ScopeKind.VENUE, name="binance"))),
    (m.BreakerOpened, breaker("account", "beta")),
    (m.BreakerOpened, breaker("agent", "manual")),
    (m.BreakerOpened, breaker("agent", "feed:GBPUSD")),
    (m.BreakerHalfOpened, breaker("account", "alpha")),
    (m.AccountSuspended, {"account": "beta", **SUSPENDED}),
    (m.CancelOrder, {"client_order_id": "another", "person": "ann"}),
]


@pytest.mark.parametrize(("kind", "fields", "reason"), STOPPING)
def test_what_covers_the_order_ends_its_schedule(
    works: Works, kind: type[m.Message], fields: dict[str, Any], reason: str
) -> None:
    works.start(1000, 1000)
    works.done(works.slice(0))
    end = ended(works.hear(works.desk.make(kind, **fields)))
    assert (end.reason, end.filled) == (reason, Decimal(1000))
    assert works.due(1) == []


@pytest.mark.parametrize(("kind", "fields"), PASSING)
def test_what_concerns_others_does_not(works: Works, kind: type[m.Message], fields: dict[str, Any]) -> None:
    works.start(1000, 1000)
    works.done(works.slice(0))
    message = works.desk.make(kind, **fields)
    if isinstance(message, works.agent.consumes):
        works.hear(message)
    assert ended(works.done(works.slice(1))).reason == "completed"


def test_a_stopped_schedule_is_over_when_its_working_slice_has_ended(works: Works) -> None:
    works.start(1000, 1000)
    submitted = works.slice(0)
    works.accept(submitted)
    said = works.hear(works.desk.make(m.StopTrading, **stop(StopScope(), StopLevel.CANCEL)))
    assert [type(each) for each in said] == [m.CancelSubmitted]
    assert works.due(1) == []
    said = works.venue(m.OrderCancelled, submitted, reason="stop_trading", filled=ZERO)
    assert ended(said).reason == "stopped"


def test_the_first_reason_counts(works: Works) -> None:
    works.start(1000, 1000)
    submitted = works.slice(0)
    works.accept(submitted)
    works.hear(works.desk.make(m.BreakerReduced, **breaker("system", "desk")))
    works.hear(works.desk.make(m.StopTrading, **stop(StopScope())))
    assert ended(works.fill(submitted, "1.1")).reason == "breaker"


def test_to_cancel_a_parent_is_to_cancel_its_working_slices(works: Works) -> None:
    works.start(1000, 1000, 1000)
    first, second = works.slice(0), works.slice(1)
    works.accept(first)
    works.accept(second)
    works.fill(first, "1.1")
    [cancel] = works.hear(works.desk.make(m.CancelOrder, client_order_id="order", person="ann"))
    assert isinstance(cancel, m.CancelSubmitted)
    assert cancel.client_order_id == second.client_order_id
    assert ended(works.venue(m.OrderCancelled, second, reason="person", filled=ZERO)).reason == "cancelled"


def test_a_slice_that_the_venue_refuses_ends_the_schedule(works: Works) -> None:
    works.start(1000, 1000)
    said = works.venue(m.OrderRejected, works.slice(0), reason="session_closed", detail="")
    assert ended(said).reason == "stopped"


def test_a_refusal_after_a_stop_does_not_change_the_reason(works: Works) -> None:
    works.start(1000, 1000)
    submitted = works.slice(0)
    works.hear(works.desk.make(m.BreakerReduced, **breaker("system", "desk")))
    said = works.venue(m.OrderRejected, submitted, reason="session_closed", detail="")
    assert ended(said).reason == "breaker"


@pytest.mark.parametrize(("expires_seconds", "goes_out"), [(59, False), (60, False), (61, True)])
def test_no_slice_goes_out_when_the_parents_time_is_over(works: Works, expires_seconds: int, goes_out: bool) -> None:
    good_till = works.desk.now_ns + expires_seconds * SECOND_NS
    works.start(1000, 1000, time_in_force=TimeInForce.GTD, expire_at_ns=good_till)
    works.done(works.slice(0))
    said = works.due(1)
    if goes_out:
        assert isinstance(said[0], m.OrderSubmitted)
    else:
        assert ended(said).reason == "expired"


def test_a_slice_too_small_for_the_venue_is_passed_over() -> None:
    fine = make_instrument("EURUSD", "EUR", "USD", quantity_min="2000")
    works = Works(Desk(instruments=(fine,)))
    works.start(1000, 2000, 1000)
    assert works.due(0) == []
    works.done(works.slice(1))
    end = ended(works.due(2))
    assert (end.reason, end.filled) == ("completed", Decimal(2000))


@pytest.mark.parametrize(("notional_min", "goes_out"), [("1100", True), ("1100.0001", False)])
def test_a_slice_worth_too_little_for_the_venue_is_passed_over(notional_min: str, goes_out: bool) -> None:
    listed = make_instrument("EURUSD", "EUR", "USD", notional_min=notional_min)
    works = Works(Desk(instruments=(listed,)))
    works.start(1000, 2000)
    assert bool(works.due(0)) is goes_out


def pov(works: Works, *bounds: int, quantity: int = 3000) -> None:
    works.traded(999_999)
    works.start(*bounds, participation="0.1", quantity=Decimal(quantity))


def test_under_pov_a_slice_takes_its_share_of_what_traded_since_the_last(works: Works) -> None:
    pov(works, 3000, 3000, 3000)
    works.traded(12_000)
    works.traded(7_999)
    assert works.slice(0).order.quantity == 1000
    works.traded(10_000)
    assert works.slice(1).order.quantity == 1000


def test_under_pov_a_slice_takes_no_more_than_its_bound_and_what_is_left(works: Works) -> None:
    pov(works, 2000, 2000)
    works.traded(1_000_000)
    assert works.slice(0).order.quantity == 2000
    works.traded(1_000_000)
    assert works.slice(1).order.quantity == 1000


def test_under_pov_what_traded_counts_until_a_slice_goes_out(works: Works) -> None:
    pov(works, 3000, 3000, 3000)
    works.traded(9_999)
    assert works.due(0) == []
    works.traded(10_001)
    second = works.slice(1)
    assert second.order.quantity == 2000
    assert ended([*works.done(second), *works.due(2)]).filled == 2000


def test_under_pov_only_bars_of_the_shortest_timeframe_of_the_instrument_count(works: Works) -> None:
    pov(works, 3000, 3000)
    works.traded(10_000)
    works.traded(10_000, Timeframe.M5)
    works.traded(10_000, symbol="GBPUSD")
    assert works.slice(0).order.quantity == 1000
    works.traded(20_000, Timeframe.S5)
    works.traded(10_000)
    assert works.slice(1).order.quantity == 2000


def test_bars_move_no_schedule_that_does_not_follow_the_volume(works: Works) -> None:
    works.traded(1)
    works.start(1000, 1000)
    before = works.agent.state
    works.traded(10_000)
    assert works.agent.state is before


def test_state_survives_a_snapshot(works: Works) -> None:
    works.start(1000, order_id="whole")
    works.done(works.slice(0, "whole"))
    pov(works, 2000, 1000)
    works.traded(20_000)
    works.slice(0)
    saved = msgspec.json.encode(works.agent.state)
    assert msgspec.json.decode(saved, type=ExecutionState, dec_hook=decode_hook) == works.agent.state


def test_an_account_of_another_venue_is_stopped_with_its_venue() -> None:
    account = msgspec.structs.replace(make_account(), venue="binance")
    works = Works(Desk(account))
    works.start(1000, 1000)
    works.done(works.slice(0))
    scope = StopScope(kind=ScopeKind.VENUE, name="binance")
    assert ended(works.hear(works.desk.make(m.StopTrading, **stop(scope)))).reason == "stopped"
