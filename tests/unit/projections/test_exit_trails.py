"""An exit is a trail of its own: from the bar it was judged at, through every gate, to the fill that closed."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.agents.desk import make_order
from tests.unit.projections.story import QUOTE, OneSignal, make_check
from tmt import messages as m
from tmt.access.roles import Principal, Role
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.cli.why import render_trail
from tmt.domain.order import Side
from tmt.gateway.visible import visible_trail
from tmt.projections.causation import incomplete_fills
from tmt.projections.trail import why
from tmt.projections.why_not import why_not


class Leaving(OneSignal):
    """Alpha's position from the signal is closed in part by an exit, and its stop moved by another, at one bar."""

    def __init__(self) -> None:
        super().__init__()
        self.partial = self.raised("partial", quantity="1000")
        self.closing = make_order("EURUSD", Side.SELL, "1000", QUOTE, order_id="order-e", reduce_only=True)
        self.released = self.pass_gates(self.partial, self.closing)
        self.fill_of_exit = self.fill(self.submit(self.released, self.closing), "1.10200", "close")
        self.move = self.raised("trail", stop="1.10050")
        self.replaced = self.tell(
            m.ReplaceSubmitted.caused_by(
                self.move,
                "execution",
                client_order_id="stop-order-a",
                quantity=Decimal(1000),
                limit_price=None,
                stop_price=Decimal("1.10050"),
            )
        )

    def raised(self, rule: str, *, quantity: str | None = None, stop: str | None = None) -> m.ExitRaised:
        return self.tell(
            m.ExitRaised.caused_by(
                self.bar,
                "aria",
                rule,
                account="alpha",
                instrument="EURUSD",
                order_id="order-a",
                rule=rule,
                side=Side.SELL,
                quantity=None if quantity is None else Decimal(quantity),
                stop_price=None if stop is None else Decimal(stop),
                quote=QUOTE,
                checks=(make_check(f"aria.exit_{rule}", "1.2", "1", unit="R"),),
                config_hash="config",
            )
        )


@pytest.fixture
def story() -> Leaving:
    return Leaving()


@pytest.fixture
def log(story: Leaving, tmp_path: Path) -> SqliteEventLog:
    return story.write(tmp_path)


def test_an_exits_order_is_told_from_the_bar_to_its_fill(story: Leaving, log: SqliteEventLog) -> None:
    for asked in (story.partial.message_id, "order-e", story.fill_of_exit.message_id):
        trail = why(log, asked)
        assert (trail.bar, trail.exit, trail.signal, trail.proposal) == (story.bar, story.partial, None, None)
        [order] = trail.orders
        assert (order.order_id, order.state, order.complete) == ("order-e", "filled", True)
        assert trail.complete
    assert incomplete_fills(log) == ()


def test_a_stop_that_moves_is_a_whole_trail_without_an_order(story: Leaving, log: SqliteEventLog) -> None:
    trail = why(log, story.move.message_id)
    assert (trail.exit, trail.orders, trail.complete) == (story.move, (), True)


def test_what_moves_a_stop_names_its_exit_and_shows_the_order_whose_stop_it_is(
    story: Leaving, log: SqliteEventLog
) -> None:
    trail = why(log, story.replaced.message_id)
    assert [each.message_id for each in trail.causes] == [
        story.bar.message_id,
        story.move.message_id,
        story.replaced.message_id,
    ]
    assert [order.order_id for order in trail.orders] == ["order-a"]
    assert trail.causes[-1].account == "alpha"
    assert trail.complete


def test_an_exit_that_wanted_an_order_and_got_none_is_incomplete(story: Leaving, tmp_path: Path) -> None:
    lost = story.raised("time", quantity="500")
    assert not why(story.write(tmp_path), lost.message_id).complete


def test_the_signals_trail_does_not_hold_the_exits(story: Leaving, log: SqliteEventLog) -> None:
    trail = why(log, story.signal.message_id)
    assert trail.exit is None
    assert [order.order_id for order in trail.orders] == ["order-a", "order-b"]


def test_a_bar_leads_to_its_signal_and_its_exits(story: Leaving, log: SqliteEventLog) -> None:
    trail = why(log, story.bar.message_id)
    assert (trail.signal, trail.exit) == (story.signal, story.partial)
    assert [order.order_id for order in trail.orders] == ["order-a", "order-b", "order-e"]


@pytest.mark.parametrize("missing", ["bar", "partial"])
def test_an_exit_without_its_cause_is_incomplete(story: Leaving, tmp_path: Path, missing: str) -> None:
    log = story.write(tmp_path, leave_out=[getattr(story, missing)])
    assert story.fill_of_exit.message_id in incomplete_fills(log)
    assert not why(log, story.fill_of_exit.message_id).complete


def test_exits_do_not_disturb_why_there_was_no_trade(story: Leaving, log: SqliteEventLog) -> None:
    answer = why_not(log, "EURUSD", story.bar.bar.start_ns)
    assert [each.signal for each in answer.timeframes[0].signals] == [story.signal]


def principal(*accounts: str) -> Principal:
    return Principal(name="ann", role=Role.TRADER, accounts=accounts, method="password", session_id="s")


def test_others_do_not_see_an_accounts_exit(story: Leaving, log: SqliteEventLog) -> None:
    partial, move = why(log, story.partial.message_id), why(log, story.move.message_id)
    assert visible_trail(principal("alpha"), partial) == partial
    assert visible_trail(principal("alpha"), move) == move
    assert visible_trail(principal("beta"), partial) is None
    assert visible_trail(principal("beta"), move) is None
    bar = visible_trail(principal("beta"), why(log, story.bar.message_id))
    assert bar is not None
    assert (bar.exit, [order.account for order in bar.orders]) == (None, ["beta"])


def printed(log: SqliteEventLog, asked: str) -> str:
    file = io.StringIO()
    render_trail(why(log, asked), Console(file=file, width=200, no_color=True, force_terminal=False))
    return file.getvalue()


def test_the_printed_trail_says_what_was_measured(story: Leaving, log: SqliteEventLog) -> None:
    text = printed(log, story.partial.message_id)
    assert "alpha EURUSD exit by partial: sell 1000" in text
    assert "aria.exit_partial 1.2 R, at most 1" in text
    assert "alpha: sell EURUSD, filled" in text
    moved = printed(log, story.move.message_id)
    assert "exit by trail: stop to 1.1005" in moved
    assert "No order follows" not in moved
    assert "broken" not in moved
