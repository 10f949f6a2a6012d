"""The whole waterfall of orders that meet every rule: each check to its last field, and what a rule does not need."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.desk import Desk, make_account, make_order
from tests.unit.agents.human_behavior.floor import QUOTE, Floor, with_limits
from tests.unit.agents.human_behavior.test_large_orders import with_volume
from tmt import messages as m
from tmt.domain.order import Order, Side, TimeInForce

Line = tuple[str, str, str, str, str, str, bool]


def waterfall(answer: m.BehaviourApproved | m.OrderDenied) -> list[Line]:
    """Rule, measured, limit, unit, outcome, quantity after, and whether the limit is a lower bound."""
    return [
        (
            check.rule.removeprefix("human_behavior."),
            f"{check.measured.normalize():f}",
            f"{check.limit.normalize():f}",
            check.unit,
            check.outcome,
            f"{check.quantity_after.normalize():f}",
            check.at_least,
        )
        for check in answer.checks
    ]


def at_once(order: Order) -> Order:
    return msgspec.structs.replace(order, time_in_force=TimeInForce.IOC)


def experienced() -> Floor:
    """A person with a losing position and a run of two losses, in a market that trades 100,000 a minute."""
    entries = with_limits("entries", with_limits("cool_down", losses_in_a_row=9), per_hour_max=9, per_day_max=12)
    floor = with_volume(with_limits("chasing", entries, averaging_down_ratio_max=Decimal("3.1")))
    for quantity in ("10000", "12000", "14000"):
        floor.release(quantity, strategy="manual")
        floor.desk.pass_seconds(100)
    floor.desk.fill(floor.release("30000", stop_loss=None, strategy="manual"), "1.2000")
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    for seconds, realised in ((100, "100"), (140, "100"), (400, "-100"), (401, "-100")):
        opened_at_ns = floor.desk.now_ns - seconds * 10**9
        # All that is staked beside the second order: 36,000 held without a stop, 360 and 132 on their way.
        floor.close(realised, after_seconds=30, opened_at_ns=opened_at_ns, risk="24475", quantity=Decimal(10000))
    floor.desk.pass_seconds(50)
    return floor


def test_a_calm_order_passes_every_rule() -> None:
    assert waterfall(Floor().buy()) == [
        ("approval_expired", "0", "30", "seconds", "pass", "10000", False),
        ("tagged", "2", "2", "count", "pass", "10000", True),
        ("duplicate", "0", "0", "count", "pass", "10000", False),
        ("trading_hours", "1", "1", "count", "pass", "10000", True),
        ("fatigue", "0", "7200", "seconds", "pass", "10000", False),
        ("cool_down", "0", "0", "seconds", "pass", "10000", False),
        ("revenge", "0", "0", "count", "pass", "10000", False),
        ("entries_per_hour", "1", "3", "count", "pass", "10000", False),
        ("entries_per_day", "1", "5", "count", "pass", "10000", False),
        ("fat_finger_price", "0", "0.05", "fraction", "pass", "10000", False),
        ("fat_finger_quantity", "0", "10", "ratio", "pass", "10000", False),
        ("notional_echo", "0.11", "11", "ratio", "pass", "10000", False),
        ("size_after_loss", "0", "1.5", "ratio", "pass", "10000", False),
        ("averaging_down", "0", "1.5", "ratio", "pass", "10000", False),
        ("disposition", "0", "2", "ratio", "pass", "10000", False),
        ("participation", "0", "0.1", "fraction", "pass", "10000", False),
    ]


def test_an_order_after_losses_is_cut_rule_by_rule() -> None:
    floor = experienced()
    wanted = {"strategy": "manual", "limit": "1.0890", "stop_loss": "1.0780"}
    first = floor.judge(at_once(floor.order("24000", **wanted)))
    assert isinstance(first, m.BehaviourApproved)
    floor.desk.pass_seconds(4)
    approval = floor.desk.approve(m.ConcentrationApproved, at_once(floor.order("24000", **wanted)))
    floor.desk.pass_seconds(3)
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    [answer] = floor.agent.handle(approval)
    assert isinstance(answer, m.BehaviourApproved)
    assert waterfall(answer) == [
        ("approval_expired", "3", "30", "seconds", "pass", "24000", False),
        ("tagged", "2", "2", "count", "pass", "24000", True),
        ("duplicate", "7", "5", "seconds", "pass", "24000", True),
        ("trading_hours", "1", "1", "count", "pass", "24000", True),
        ("fatigue", "477", "7200", "seconds", "pass", "24000", False),
        ("cool_down", "0", "0", "seconds", "pass", "24000", False),
        ("revenge", "87", "60", "seconds", "pass", "24000", True),
        ("entries_per_hour", "5", "9", "count", "pass", "24000", False),
        ("entries_per_day", "5", "12", "count", "pass", "24000", False),
        ("fat_finger_price", "0.01", "0.05", "fraction", "pass", "24000", False),
        ("fat_finger_quantity", "1.846154", "10", "ratio", "pass", "24000", False),
        ("notional_echo", "0.269452", "11", "ratio", "pass", "24000", False),
        ("size_after_loss", "1.501777", "1.5", "ratio", "reduce", "20000", False),
        ("averaging_down", "3.4", "3.1", "ratio", "reduce", "15000", False),
        ("disposition", "3.3375", "3", "ratio", "reduce", "12000", False),
        ("participation", "0.12", "0.1", "fraction", "warn", "12000", False),
        ("slicing", "0", "0", "fraction", "pass", "12000", False),
    ]


APPROVAL: Line = ("approval_expired", "0", "30", "seconds", "pass", "1000", False)


@pytest.mark.parametrize(
    ("symbol", "account", "rule", "detail"),
    [
        ("EURUSD", "ghost", "unknown_account", "account 'ghost' was never opened"),
        ("XXXYYY", "alpha", "unknown_instrument", "'XXXYYY' is not an instrument of this desk"),
    ],
)
def test_who_or_what_is_unknown_is_named(symbol: str, account: str, rule: str, detail: str) -> None:
    answer = Floor().judge(make_order(symbol, Side.BUY, "1000", QUOTE, account=account))
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == detail
    assert waterfall(answer) == [APPROVAL, (rule, "0", "1", "count", "deny", "1000", True)]


def test_a_missing_rate_names_both_currencies() -> None:
    answer = Floor(desk=Desk(make_account(currency="JPY"))).buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "no rate from USD to JPY is known"
    assert waterfall(answer)[-1] == ("no_conversion_rate", "0", "1", "count", "deny", "1000", True)


def test_a_closing_order_shows_what_it_closes_and_nothing_else() -> None:
    floor = Floor()
    floor.desk.hold("EURUSD", Side.SELL, "3000", "1.1")
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    answer = floor.judge(make_order("EURUSD", Side.BUY, "1000", QUOTE, reduce_only=True))
    assert waterfall(answer) == [APPROVAL, ("closing", "1000", "3000", "units", "pass", "1000", False)]


@pytest.mark.parametrize(("seconds", "outcome"), [(0, "deny"), (1, "pass"), (2, "pass")])
def test_a_repetition_is_as_old_as_it_is_when_it_is_judged(seconds: int, outcome: str) -> None:
    floor = Floor()
    floor.buy("1000")
    floor.desk.pass_seconds(4)
    approval = floor.desk.approve(m.ConcentrationApproved, floor.order("1000"))
    floor.desk.pass_seconds(seconds)
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    [answer] = floor.agent.handle(approval)
    assert isinstance(answer, m.BehaviourApproved | m.OrderDenied)
    assert waterfall(answer)[2] == ("duplicate", str(4 + seconds), "5", "seconds", outcome, "1000", True)


def test_an_untagged_order_shows_what_it_names() -> None:
    answer = Floor().buy("1000", person="")
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.gate) == ("untagged", "human_behavior")
    assert answer.detail == "the order names strategy 'wyckoff' and person '': it needs both"


def test_unknown_equity_is_named() -> None:
    floor = Floor()
    floor.desk.hold("USDJPY", Side.BUY, "1000", "100")
    floor.desk.portfolio.state.marks.pop("USDJPY")
    floor.desk.portfolio._equity.clear()
    answer = floor.buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "the equity of alpha is not known"
    assert waterfall(answer)[-1] == ("no_equity", "0", "1", "count", "deny", "1000", True)
