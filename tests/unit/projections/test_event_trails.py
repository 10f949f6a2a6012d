"""Events that are no order's step explain themselves: what was measured, what they follow from, what followed."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.unit.agents.desk import make_order
from tests.unit.projections.story import QUOTE, OneSignal, make_check
from tmt import messages as m
from tmt.access.roles import Principal, Role
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.cli.why import render_trail
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import ScopeKind, StopLevel, StopScope
from tmt.gateway.visible import visible_trail
from tmt.projections.causation import incomplete_fills
from tmt.projections.trail import LED_TO_MAX, why

ALPHA = StopScope(kind=ScopeKind.ACCOUNT, name="alpha")
MEASURED: dict[str, Any] = {"measured": Decimal("0.0520"), "limit": Decimal("0.05"), "unit": "fraction"}


class Suspending(OneSignal):
    """The stop loss of alpha's order takes its day past the limit: it is suspended and what else it has is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.suspended = self.tell(
            m.AccountSuspended.caused_by(
                self.exit, "compliance", "alpha", account="alpha", rule="daily_loss", flatten=True, **MEASURED
            )
        )
        self.opened = self.breaker(m.BreakerOpened, self.suspended, "account_suspended")
        self.leaving = self.tell(
            m.ExitRaised.caused_by(
                self.exit,
                "compliance",
                "alpha",
                account="alpha",
                instrument="EURUSD",
                order_id="order-a",
                rule="daily_loss",
                side=Side.SELL,
                quantity=Decimal(500),
                stop_price=None,
                quote=QUOTE,
                checks=(make_check("compliance.daily_loss", "0.0520", "0.05", "reduce"),),
                config_hash="config",
            )
        )
        closing = make_order("EURUSD", Side.SELL, "500", QUOTE, order_id="order-f", reduce_only=True)
        self.closing = self.fill(
            self.submit(self.pass_gates(self.leaving, closing), closing), "1.09000", "close", seconds=61
        )
        self.end = self.close(self.closing, "-5.00")

    def breaker(self, kind: type[m.BreakerTransition], cause: m.Message, trigger: str) -> m.BreakerTransition:
        return self.tell(
            kind.caused_by(
                cause,
                "circuit_breaker",
                trigger,
                tier="account",
                scope="alpha",
                trigger=trigger,
                resumes_by="person",
                detail=f"{trigger} of account/alpha",
                **MEASURED,
            )
        )

    def stop(self, positions: int = 1) -> m.StopTrading:
        """A stop of alpha, and what follows: its breaker, a cancel, an order to close each position, and its end."""
        stop = self.tell(
            m.StopTrading.root(
                "rob", 1, "stop", person="rob", role="admin", reason="enough", level=StopLevel.LOCK, scope=ALPHA
            )
        )
        self.breaker(m.BreakerOpened, stop, "manual_lock")
        self.tell(
            m.CancelSubmitted.caused_by(stop, "execution", client_order_id="client-order-a", reason="emergency_stop")
        )
        for number in range(positions):
            self.tell(
                m.OrderProposed.caused_by(
                    stop,
                    "execution",
                    str(number),
                    account="alpha",
                    instrument="EURUSD",
                    side=Side.SELL,
                    quantity=Decimal(1 + number),
                    order_type=OrderType.MARKET,
                    time_in_force=TimeInForce.IOC,
                    person="rob",
                    strategy="operator",
                    reduce_only=True,
                )
            )
        self.tell(
            m.StopCompleted.caused_by(
                stop,
                "execution",
                stop_id=stop.message_id,
                cancelled=1,
                filled=0,
                positions_closed=("alpha/EURUSD",),
                positions_open=(),
            )
        )
        return stop


@pytest.fixture
def story() -> Suspending:
    return Suspending()


@pytest.fixture
def log(story: Suspending, tmp_path: Path) -> SqliteEventLog:
    return story.write(tmp_path)


def printed(log: SqliteEventLog, asked: str) -> str:
    file = io.StringIO()
    render_trail(why(log, asked), Console(file=file, width=200, no_color=True, force_terminal=False))
    return file.getvalue()


def test_a_suspension_tells_its_own_measure_and_not_the_entry(story: Suspending, log: SqliteEventLog) -> None:
    trail = why(log, story.suspended.message_id)
    assert trail.event is not None
    assert trail.event.says == "alpha suspended by daily_loss: 0.052 against 0.05 fraction"
    assert trail.event.facts == {
        "account": "alpha",
        "rule": "daily_loss",
        "measured": "0.052",
        "limit": "0.05",
        "unit": "fraction",
        "flatten": "yes",
    }
    assert (trail.orders, trail.others, trail.signal, trail.complete) == ((), (), None, True)
    assert [each.type for each in trail.causes][:2] == ["BarClosed", "SignalRaised"]
    assert [each.type for each in trail.causes][-2:] == ["OrderFilled", "AccountSuspended"]


def test_a_suspension_led_to_its_breaker_and_to_the_exits_it_asked_for(story: Suspending, log: SqliteEventLog) -> None:
    trail = why(log, story.suspended.message_id)
    assert [each.message_id for each in trail.led_to] == [story.opened.message_id, story.leaving.message_id]
    assert trail.led_to_count == 2


def test_a_suspension_that_leaves_positions_as_they_are_led_to_no_exit(tmp_path: Path) -> None:
    story = Suspending()
    place = story.told.index(story.suspended)
    story.told[place] = m.AccountSuspended.caused_by(
        story.exit, "compliance", "alpha", account="alpha", rule="daily_loss", flatten=False, **MEASURED
    )
    trail = why(story.write(tmp_path), story.suspended.message_id)
    assert [each.type for each in trail.led_to] == ["BreakerOpened"]


@pytest.mark.parametrize("kind", [m.BreakerOpened, m.BreakerReduced, m.BreakerHalfOpened, m.BreakerClosed])
def test_every_turn_of_a_breaker_tells_its_trigger(kind: type[m.BreakerTransition], tmp_path: Path) -> None:
    story = Suspending()
    turn = story.breaker(kind, story.exit, "drawdown")
    log = story.write(tmp_path)
    trail = why(log, turn.message_id)
    assert trail.event is not None
    assert trail.event.facts["trigger"] == "drawdown"
    assert trail.event.facts["detail"] == "drawdown of account/alpha"
    assert (trail.orders, trail.complete) == ((), True)
    text = printed(log, turn.message_id)
    assert "trigger: drawdown" in text
    assert "gate and rule" not in text
    assert "broken" not in text


def test_an_exit_after_another_orders_fill_is_whole(story: Suspending, log: SqliteEventLog) -> None:
    trail = why(log, story.leaving.message_id)
    assert trail.event is not None
    assert [check.rule for check in trail.event.checks] == ["compliance.daily_loss"]
    [order] = trail.orders
    assert (order.order_id, order.complete, trail.complete) == ("order-f", True, True)
    assert incomplete_fills(log) == ()
    text = printed(log, story.leaving.message_id)
    assert "broken" not in text
    assert text.count("compliance.daily_loss 0.052 fraction, at most 0.05") == 1
    assert text.count("alpha EURUSD exit by daily_loss: sell 500") == 1


def test_the_order_of_an_exit_is_its_own_and_not_the_entrys(story: Suspending, log: SqliteEventLog) -> None:
    trail = why(log, "order-f")
    assert [order.order_id for order in trail.orders] == ["order-f"]
    assert (trail.exit, trail.signal, trail.event) == (story.leaving, None, None)
    text = printed(log, "order-f")
    assert "Because of" in text
    assert "(stop_loss)" in text


def test_an_order_closed_by_an_exit_that_followed_from_a_fill_is_not_broken(
    story: Suspending, log: SqliteEventLog
) -> None:
    assert why(log, "order-a").complete
    assert "broken" not in printed(log, "order-a")


def test_a_flag_of_surveillance_tells_its_detail_and_suspends(tmp_path: Path) -> None:
    story = Suspending()
    flag = story.tell(
        m.ConductFlagged.caused_by(
            story.end,
            "compliance",
            "k",
            detector="minimum_hold",
            accounts=("alpha", "beta"),
            instrument="EURUSD",
            measured=Decimal("3.1"),
            limit=Decimal(60),
            unit="seconds",
            evidence=("one",),
            detail="a round trip was ended by choice",
            suspends=True,
        )
    )
    story.tell(
        m.AccountSuspended.caused_by(flag, "compliance", "b", account="beta", rule="surveillance.wash", **MEASURED)
    )
    log = story.write(tmp_path)
    trail = why(log, flag.message_id)
    assert trail.event is not None
    assert trail.event.facts["detail"] == "a round trip was ended by choice"
    assert trail.event.facts["accounts"] == "alpha, beta"
    assert [each.type for each in trail.led_to] == ["AccountSuspended"]
    assert (trail.orders, trail.complete) == ((), True)
    assert trail.causes[-1].account == ""
    assert visible_trail(principal("beta"), trail) is None


def test_a_stop_tells_who_why_how_far_and_what_followed(tmp_path: Path) -> None:
    story = Suspending()
    stop = story.stop()
    log = story.write(tmp_path)
    trail = why(log, stop.message_id)
    assert trail.event is not None
    assert trail.event.facts == {
        "person": "rob",
        "role": "admin",
        "reason": "enough",
        "level": "lock",
        "scope": "account/alpha",
    }
    assert [each.type for each in trail.led_to] == [
        "BreakerOpened",
        "CancelSubmitted",
        "OrderProposed",
        "StopCompleted",
    ]
    assert {each.account for each in trail.led_to} == {"alpha", None}
    text = printed(log, stop.message_id)
    assert "No order follows from it" not in text
    assert "rob wants alpha sell 1 EURUSD" in text
    assert "1 orders cancelled" in text


def test_what_followed_goes_on_in_the_trails_that_began(tmp_path: Path) -> None:
    story = Suspending()
    learnt = story.tell(
        m.StatisticsUpdated.caused_by(
            story.end,
            "improvement",
            setup="spring_test",
            instrument="EURUSD",
            trades=1,
            win_rate=Decimal(0),
            expectancy_r=Decimal(-1),
            expectancy_r_low=Decimal(-2),
            expectancy_r_high=Decimal(0),
            profit_factor=None,
        )
    )
    trail = why(story.write(tmp_path), story.exit.message_id)
    assert [each.message_id for each in trail.led_to] == [
        story.suspended.message_id,
        story.opened.message_id,
        story.leaving.message_id,
        learnt.message_id,
    ]


def test_an_exit_of_another_agent_at_the_same_moment_is_not_the_suspensions(tmp_path: Path) -> None:
    story = Suspending()
    for source, account in (("aria", "alpha"), ("compliance", "beta")):
        fields = {name: getattr(story.leaving, name) for name in m.ExitRaised.__struct_fields__[6:]}
        fields["account"] = account
        story.tell(m.ExitRaised.caused_by(story.exit, source, f"{source} {account}", **fields))
    trail = why(story.write(tmp_path), story.suspended.message_id)
    assert [each.message_id for each in trail.led_to] == [story.opened.message_id, story.leaving.message_id]


def test_what_followed_is_bounded_and_the_rest_counted(tmp_path: Path) -> None:
    story = Suspending()
    stop = story.stop(positions=LED_TO_MAX)
    log = story.write(tmp_path)
    trail = why(log, stop.message_id)
    assert (len(trail.led_to), trail.led_to_count) == (LED_TO_MAX, LED_TO_MAX + 3)
    assert "and 3 more" in printed(log, stop.message_id)


def test_the_end_of_a_stop_a_resumption_and_a_reinstatement_are_whole(tmp_path: Path) -> None:
    story = Suspending()
    story.stop()
    resume = story.tell(m.ResumeTrading.root("ann", 2, "r", person="ann", role="risk", reason="calm", scope=ALPHA))
    closed = story.breaker(m.BreakerClosed, resume, "manual_lock")
    wish = story.tell(m.ReinstateAccount.root("ann", 3, "i", account="alpha", person="ann", role="risk", reason="ok"))
    back = story.tell(
        m.AccountReinstated.caused_by(
            wish, "compliance", "alpha", account="alpha", rule="daily_loss", person="ann", role="risk", reason="ok"
        )
    )
    log = story.write(tmp_path)
    for cause, effect in ((resume, closed), (wish, back)):
        trail = why(log, cause.message_id)
        assert [each.message_id for each in trail.led_to] == [effect.message_id]
        assert trail.complete
        assert trail.event is not None
        assert trail.event.facts["person"] == "ann"
        assert why(log, effect.message_id).complete
    text = printed(log, resume.message_id)
    assert "scope: account/alpha" in text
    assert "No order follows" not in text


def test_a_cancel_shows_the_order_it_cancels(tmp_path: Path) -> None:
    story = Suspending()
    story.stop()
    [cancel] = [each for each in story.told if isinstance(each, m.CancelSubmitted)]
    trail = why(story.write(tmp_path), cancel.message_id)
    assert [order.order_id for order in trail.orders] == ["order-a"]
    assert trail.bar == story.bar


def test_an_event_whose_cause_is_lost_is_broken(story: Suspending, tmp_path: Path) -> None:
    log = story.write(tmp_path, leave_out=[story.exit])
    assert not why(log, story.suspended.message_id).complete
    assert "broken" in printed(log, story.suspended.message_id)


def test_every_gate_names_its_configuration_and_compliance_its_book(story: Suspending, log: SqliteEventLog) -> None:
    [order] = why(log, "order-f").orders
    assert {gate.config_hash for gate in order.gates} == {story.session.config_hash}
    assert [(gate.gate, gate.rule_book, gate.rule_book_version) for gate in order.gates if gate.rule_book] == [
        ("compliance", "default", 1)
    ]
    text = printed(log, "order-f")
    shown = story.session.config_hash[:12]
    assert f"Configuration {shown}: aria, anti_correlation, human_behavior, compliance, circuit_breaker" in text
    assert "Rule book default, version 1: compliance" in text


def principal(*accounts: str) -> Principal:
    return Principal(name="ann", role=Role.TRADER, accounts=accounts, method="password", session_id="s")


def test_others_do_not_see_an_accounts_events(tmp_path: Path) -> None:
    story = Suspending()
    story.stop()
    desk_wide = story.tell(m.InvariantBroken.caused_by(story.exit, "execution", invariant="O1", detail="twice"))
    log = story.write(tmp_path)
    suspended = why(log, story.suspended.message_id)
    assert visible_trail(principal("alpha"), suspended) == suspended
    assert visible_trail(principal("beta"), suspended) is None
    seen = visible_trail(principal("beta"), why(log, desk_wide.message_id))
    assert seen is not None
    assert [each.type for each in seen.causes] == ["BarClosed", "SignalRaised", "InvariantBroken"]
    bar = visible_trail(principal("beta"), why(log, story.bar.message_id))
    assert bar is not None
    assert "AccountSuspended" not in [each.type for each in bar.led_to]
    assert bar.led_to_count == len(bar.led_to)
