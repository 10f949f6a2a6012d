"""A real desk manages a person's positions: exits pass the gates, stops come nearer; a killed desk does it again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.simulated import SYMBOL, hashes, killed, make_desk, proposal, take
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.domain.order import Side
from tmt.projections.causation import incomplete_fills
from tmt.projections.trail import why

MANAGED = ("aria.exits.strategies=[manual]", "aria.exits.timeframe=1m")


def trade(desk: Desk) -> None:
    """Enter twelve times, on alternate sides, each with a stop nearby and a target far away."""
    for number in range(12):
        side = Side.BUY if number % 2 else Side.SELL
        mark = desk.portfolio.mark(SYMBOL)
        assert mark is not None
        stop, target = mark.bid - side.sign * Decimal("0.0008"), mark.bid + side.sign * Decimal("0.0100")
        desk.command(
            proposal(
                desk,
                str(number),
                quantity=Decimal(20000),
                side=side,
                stop_loss_price=stop,
                take_profit_price=target,
            )
        )
        take(desk, 40)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exits") / "book"
    desk = make_desk(folder, overrides=MANAGED)
    desk.start()
    take(desk, 3)
    trade(desk)
    killed(desk)
    return folder


def said(desk: Desk, kind: type[m.Message]) -> list[m.Message]:
    return [m.decode(each.body) for each in desk.log.read(types=(kind.__name__,))]


def test_positions_are_left_in_part_and_their_stops_come_nearer(book: Path) -> None:
    desk = make_desk(book, overrides=MANAGED)
    exits = [each for each in said(desk, m.ExitRaised) if isinstance(each, m.ExitRaised)]
    assert {"partial", "break_even", "trail"} <= {each.rule for each in exits}
    moves = [each for each in exits if each.stop_price is not None]
    asked = [each for each in said(desk, m.ReplaceSubmitted) if isinstance(each, m.ReplaceSubmitted)]
    assert {each.causation_id for each in asked} == {each.message_id for each in moves}
    sized = [each for each in said(desk, m.OrderSized) if isinstance(each, m.OrderSized) and each.source == "aria"]
    closing = {each.causation_id for each in sized if each.order.reduce_only}
    assert closing == {each.message_id for each in exits if each.quantity is not None}
    assert all(why(desk.log, each.message_id).complete for each in exits)
    assert incomplete_fills(desk.log) == ()
    assert said(desk, m.InvariantBroken) == said(desk, m.OrderReconciled) == []
    killed(desk)


def test_a_killed_desk_recovers_to_the_same_decisions(book: Path) -> None:
    first = make_desk(book, overrides=MANAGED)
    first.start()
    second = make_desk(book.parent / "again", overrides=MANAGED)
    second.start()
    take(second, 3)
    trade(second)
    assert len(said(second, m.ExitRaised)) == len(said(first, m.ExitRaised)) > 0
    assert hashes(second)[1] == hashes(first)[1]
    killed(first)
    killed(second)
