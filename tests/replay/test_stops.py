"""Emergency stops by level and scope through the whole desk, on recorded data: what they end, and what they leave."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.replay.recorded import decisions, named, open_recorded
from tests.replay.test_people import ACCOUNT, SYMBOL, mid, proposal, take
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.domain.order import OrderType, Side
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope

Opening = Callable[[], Desk]
HELD = f"{ACCOUNT}/{SYMBOL}"
INSIDE = (
    EVERYTHING,
    StopScope(kind=ScopeKind.ACCOUNT, name=ACCOUNT),
    StopScope(kind=ScopeKind.STRATEGY, name="manual"),
    StopScope(kind=ScopeKind.INSTRUMENT, name=SYMBOL),
    StopScope(kind=ScopeKind.VENUE, name="paper"),
)
OUTSIDE = (
    StopScope(kind=ScopeKind.ACCOUNT, name="paper-usd"),
    StopScope(kind=ScopeKind.STRATEGY, name="wyckoff"),
    StopScope(kind=ScopeKind.INSTRUMENT, name="EURUSD"),
    StopScope(kind=ScopeKind.VENUE, name="elsewhere"),
)


@pytest.fixture
def opening(test_data: Path, tmp_path: Path) -> Opening:
    def reopened() -> Desk:
        desk = open_recorded(named("btcusdt-tape"), test_data, tmp_path / "book", batch_rows=500)
        desk.start()
        return desk

    return reopened


@pytest.fixture
def desk(opening: Opening) -> Desk:
    """A position and a resting entry, both a person's."""
    desk = opening()
    take(desk, 30)
    price = mid(desk)
    desk.command(proposal(desk, "held", stop_loss_price=price - 2000))
    rests = {"order_type": OrderType.LIMIT, "limit_price": price - 1000, "stop_loss_price": price - 2000}
    desk.command(proposal(desk, "rests", **rests))
    take(desk, 2)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity > 0
    assert [each.order.limit_price for each in desk.portfolio.working(ACCOUNT)] == [price - 1000]
    return desk


def stop(desk: Desk, level: StopLevel, scope: StopScope = EVERYTHING, key: str = "1") -> m.StopTrading:
    fields = {"person": "ann", "role": "risk", "reason": "drill", "level": level, "scope": scope}
    said = m.StopTrading.root("person", desk.runner.timeline.now_ns, key, **fields)
    assert desk.command(said)
    return said


def resume(desk: Desk, scope: StopScope = EVERYTHING, role: str = "risk", key: str = "1") -> None:
    fields = {"person": "ann", "role": role, "reason": "over", "scope": scope}
    desk.command(m.ResumeTrading.root("person", desk.runner.timeline.now_ns, key, **fields))


def sells(desk: Desk, key: str) -> str:
    """Why an entry on the other side is refused, or "released"; each is smaller than the last, so it is another."""
    price = mid(desk)
    seen = sum(isinstance(each, m.OrderDenied) for each in decisions(desk))
    quantity = Decimal("0.009") - Decimal("0.001") * desk.runner.counts["OrderProposed"]
    desk.command(proposal(desk, key, side=Side.SELL, quantity=quantity, stop_loss_price=price + 2000))
    denials = [each for each in decisions(desk) if isinstance(each, m.OrderDenied)][seen:]
    return denials[0].reason if denials else "released"


def completions(desk: Desk) -> list[m.StopCompleted]:
    return [each for each in decisions(desk) if isinstance(each, m.StopCompleted)]


def sound(desk: Desk) -> None:
    assert "InvariantBroken" not in desk.runner.counts
    assert desk.runner.watch.check_everything() == []
    desk.close()


@pytest.mark.parametrize("scope", INSIDE, ids=lambda scope: str(scope.kind))
def test_a_flatten_of_a_scope_ends_what_is_inside_until_that_scope_is_resumed(scope: StopScope, desk: Desk) -> None:
    said = stop(desk, StopLevel.FLATTEN, scope)
    assert sells(desk, "during") == "breaker_open"
    take(desk, 5)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == 0
    assert desk.portfolio.working(ACCOUNT) == []
    [completed] = completions(desk)
    assert (completed.stop_id, completed.cancelled, completed.filled) == (said.message_id, 1, 0)
    assert (completed.positions_closed, completed.positions_open) == ((HELD,), ())
    for number, other in enumerate(OUTSIDE):
        resume(desk, other, key=f"other-{number}")
    assert sells(desk, "still") == "breaker_open"
    resume(desk, scope)
    assert sells(desk, "after") == "released"
    sound(desk)


@pytest.mark.parametrize("scope", OUTSIDE, ids=lambda scope: str(scope.kind))
def test_a_flatten_of_another_scope_leaves_everything(scope: StopScope, desk: Desk) -> None:
    stop(desk, StopLevel.FLATTEN, scope)
    take(desk, 5)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity > 0
    assert len(desk.portfolio.working(ACCOUNT)) == 1
    [completed] = completions(desk)
    assert (completed.cancelled, completed.positions_closed, completed.positions_open) == (0, (), ())
    sound(desk)


def test_a_pause_leaves_orders_and_positions_and_a_cancel_leaves_positions(desk: Desk) -> None:
    stop(desk, StopLevel.PAUSE)
    take(desk, 2)
    assert len(desk.portfolio.working(ACCOUNT)) == 1
    assert sells(desk, "paused") == "breaker_open"
    stop(desk, StopLevel.CANCEL, key="2")
    take(desk, 2)
    assert desk.portfolio.working(ACCOUNT) == []
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity > 0
    assert [each.cancelled for each in completions(desk)] == [0, 1]
    sound(desk)


def test_a_wider_and_graver_stop_goes_over_a_narrower_one(desk: Desk) -> None:
    stop(desk, StopLevel.PAUSE, StopScope(kind=ScopeKind.INSTRUMENT, name=SYMBOL))
    stop(desk, StopLevel.FLATTEN, key="2")
    take(desk, 5)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == 0
    resume(desk, StopScope(kind=ScopeKind.INSTRUMENT, name=SYMBOL))
    assert sells(desk, "narrower") == "breaker_open"
    sound(desk)


def test_a_lock_yields_to_an_admin_alone_even_after_a_restart(desk: Desk, opening: Opening) -> None:
    stop(desk, StopLevel.LOCK)
    take(desk, 5)
    desk.close()
    again = opening()
    resume(again, role="risk")
    assert sells(again, "risk") == "breaker_open"
    refusal = [each for each in decisions(again) if isinstance(each, m.BreakerOpened)][-1]
    assert "may not resume desk after manual_lock" in refusal.detail
    resume(again, role="admin", key="2")
    assert sells(again, "admin") == "released"
    sound(again)


def test_a_flatten_goes_on_after_a_restart(desk: Desk, opening: Opening) -> None:
    desk.runner.step(
        m.StopTrading.root(
            "person",
            desk.runner.timeline.now_ns,
            "1",
            person="ann",
            role="risk",
            reason="drill",
            level=StopLevel.FLATTEN,
        )
    )
    desk.runner.commit()
    desk.close()
    again = opening()
    take(again, 5)
    assert again.portfolio.position(ACCOUNT, SYMBOL).quantity == 0
    assert [each.positions_closed for each in completions(again)] == [(HELD,)]
    sound(again)


def test_an_entry_that_fills_before_its_cancel_is_closed_too(opening: Opening) -> None:
    desk = opening()
    take(desk, 30)
    desk.command(proposal(desk, "racing", stop_loss_price=mid(desk) - 2000))
    stop(desk, StopLevel.FLATTEN)
    take(desk, 5)
    [completed] = completions(desk)
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == 0
    assert completed.positions_open == ()
    assert completed.cancelled + completed.filled == 1
    if completed.filled:
        assert completed.positions_closed == (HELD,)
    sound(desk)


def test_a_position_is_closed_by_at_most_three_orders_for_one_stop(desk: Desk) -> None:
    said = stop(desk, StopLevel.FLATTEN)
    for _ in range(6):
        for working in desk.portfolio.working(ACCOUNT):
            if working.order.reduce_only:
                cancel = {"client_order_id": working.client_order_id, "person": "ann"}
                desk.command(m.CancelOrder.root("p", desk.runner.timeline.now_ns, working.client_order_id, **cancel))
        desk.advance(desk.runner.timeline.now_ns + 20_000_000)
    proposed = [
        each
        for each in (m.decode(recorded.body) for recorded in desk.log.read(types=("OrderProposed",)))
        if each.causation_id == said.message_id
    ]
    assert 1 <= len(proposed) <= 3
    sound(desk)
