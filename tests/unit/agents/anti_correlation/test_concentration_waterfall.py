"""Every rule of the gate in the order applied, with what it measured, its limit, its unit and what it left."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.anti_correlation.judging import Said, judge_order
from tests.unit.agents.anti_correlation.moves import ALIKE, X, Z, mixed, row
from tests.unit.agents.desk import Desk, default_config, make_account, make_order, make_quote
from tests.unit.agents.waterfalls import shown
from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationAgent, AntiCorrelationConfig, AntiCorrelationState
from tmt.domain.order import Side

STATE = AntiCorrelationState(series={"EURUSD": row(X, 0.01), "GBPUSD": row(mixed(0.6), 0.02), "SPY": row(Z, 0.015)})
QUOTE = make_quote("1.1000", "1.1001")
WORKING_UNPRICED = make_order("USDJPY", Side.BUY, "1000", make_quote("100"), account="beta", order_id="unpriced")
GAMMAS_UNPRICED = make_order("USDJPY", Side.BUY, "1000", make_quote("100"), account="gamma", order_id="unpriced")


def make_desk() -> Desk:
    """200,000 USD of one owner in two accounts, and 100,000 of another's."""
    another = msgspec.structs.replace(make_account("gamma"), owner="another")
    desk = Desk(make_account("alpha"), make_account("beta"), another)
    for symbol, price in (("EURUSD", "1.1"), ("GBPUSD", "1.2"), ("SPY", "400")):
        desk.mark(symbol, price)
    desk.hold("GBPUSD", Side.BUY, "30000", "1.2", account="beta")
    desk.hold("SPY", Side.SELL, "100", "400", account="alpha")
    desk.hold("EURUSD", Side.BUY, "50000", "1.1", account="gamma")
    order = make_order("EURUSD", Side.BUY, "10000", make_quote("1.0"), account="beta", order_id="works")
    desk.approve(m.OrderSized, order)
    return desk


def make_agent(desk: Desk, **changes: Any) -> AntiCorrelationAgent:
    config = default_config(AntiCorrelationConfig, "anti_correlation", **{**ALIKE, **changes})
    agent = AntiCorrelationAgent(config, desk.portfolio, "hash")
    agent.state = STATE
    return agent


def ask(desk: Desk, quantity: str = "40000", side: Side = Side.BUY, state: Any = STATE, **changes: Any) -> Said:
    agent = make_agent(desk, **changes)
    agent.state = state
    return judge_order(desk, agent, make_order("EURUSD", side, quantity, QUOTE, stop_loss="0.5"))


COUNTED = [
    ("approval_expired", "0", "30", "seconds", "pass", "40000", False),
    ("currency_net.EUR", "0.27502", "2.5", "ratio", "pass", "40000", False),  # 44,004 and 11,000 of 200,000
    ("currency_net.USD", "0.45502", "2.5", "ratio", "pass", "40000", False),  # and 36,000 of GBPUSD
    ("gross.owner", "0.65502", "4", "ratio", "pass", "40000", False),  # and 40,000 of SPY
    ("gross.firm", "0.620013", "4", "ratio", "pass", "40000", False),  # and 55,000 of 300,000
]
JUDGED = [
    *COUNTED,
    ("correlation.GBPUSD", "0.6", "0.5", "ratio", "warn", "40000", False),
    ("correlation.SPY", "0", "0.5", "ratio", "pass", "40000", False),
    ("risk_contribution", "0.319062", "0.7", "ratio", "pass", "40000", False),
    ("effective_bets", "2.1976", "1.3", "count", "pass", "40000", True),
    # 0.0036, 0.00055 and 0.0022002 of equity; 0.00085 are room for 15,453 EUR.
    ("cluster.EURUSD+GBPUSD", "0.00635", "0.005", "ratio", "reduce", "15000", False),
]


def test_all_that_an_order_meets() -> None:
    said = ask(make_desk())
    assert shown(said) == JUDGED
    assert isinstance(said, m.ConcentrationApproved)
    assert said.order.quantity == 15000


def test_all_that_a_hedge_meets() -> None:
    said = ask(make_desk(), side=Side.SELL)
    assert shown(said) == [
        ("approval_expired", "0", "30", "seconds", "pass", "40000", False),
        ("currency_net.EUR", "0.22", "2.5", "ratio", "pass", "40000", False),
        ("currency_net.USD", "0.04", "2.5", "ratio", "pass", "40000", False),
        ("gross.owner", "0.655", "4", "ratio", "pass", "40000", False),
        ("gross.firm", "0.62", "4", "ratio", "pass", "40000", False),
        ("lowers_risk", "0.004304", "0.004931", "ratio", "pass", "40000", False),
        ("correlation.GBPUSD", "-0.6", "0.5", "ratio", "pass", "40000", False),
        ("correlation.SPY", "0", "0.5", "ratio", "pass", "40000", False),
    ]


def test_all_that_an_order_of_unknown_correlation_meets() -> None:
    said = ask(make_desk(), state=AntiCorrelationState())
    assert shown(said) == [
        *COUNTED,
        ("unknown_correlation.GBPUSD", "0", "30", "count", "reduce", "20000", True),
        ("unknown_correlation.SPY", "0", "30", "count", "warn", "20000", True),
        ("risk_unknown", "0", "30", "count", "warn", "20000", True),
    ]


def test_all_that_closing_meets() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1.1")
    order = make_order("EURUSD", Side.SELL, "4000", QUOTE, reduce_only=True)
    said = judge_order(desk, make_agent(desk), order)
    assert shown(said) == [
        ("approval_expired", "0", "30", "seconds", "pass", "4000", False),
        ("shrinks_position", "4000", "5000", "units", "pass", "4000", False),
    ]
    assert isinstance(said, m.ConcentrationApproved)
    assert said.order == order


@pytest.mark.parametrize(
    ("changes", "index", "quantity"),
    [
        # A lot of 1,000 is worth 1,100.1 USD.
        ({"currency_net_ratio_max": "0.4"}, 2, "29000"),  # 80,000 - 47,000 are 29.997 lots
        ({"owner_gross_ratio_max": "0.6"}, 3, "29000"),  # 120,000 - 87,000
        ({"firm_gross_ratio_max": "0.5"}, 4, "7000"),  # 150,000 - 142,000
        ({"risk_contribution_max": "0.2"}, 7, "21000"),
        ({"effective_bets_min": "2.1977"}, 8, "40000"),
    ],
)
def test_a_limit_that_binds_cuts_and_all_after_it_judge_what_is_left(
    changes: dict[str, Any], index: int, quantity: str
) -> None:
    rows = shown(ask(make_desk(), cluster_risk_fraction_max="1", **changes))
    assert [row[0] for row in rows] == [row[0] for row in JUDGED]
    name, measured, _, unit, _, _, at_least = JUDGED[index]
    [limit] = changes.values()
    outcome = "warn" if quantity == "40000" else "reduce"
    assert rows[index] == (name, measured, limit, unit, outcome, quantity, at_least)
    assert {row[5] for row in rows[:index]} == {"40000"}
    assert {row[5] for row in rows[index:]} == {quantity}


@pytest.mark.parametrize(
    ("changes", "row", "reason", "words"),
    [
        (
            {"currency_net_ratio_max": "0.055"}, ("currency_net.EUR", "0.27502", "0.055", "ratio", False),
            "currency_net", "exposed to EUR beyond 0.055 x their equity",
        ),
        (
            {"owner_gross_ratio_max": "0.435"}, ("gross.owner", "0.65502", "0.435", "ratio", False),
            "gross_exposure", "more than 0.435 x the equity",
        ),
        (
            {"firm_gross_ratio_max": "0.4733"}, ("gross.firm", "0.620013", "0.4733", "ratio", False),
            "gross_exposure", "more than 0.4733 x the equity",
        ),
        (
            {"correlation_reduce": "0.55", "correlation_refuse": "0.6"},
            ("correlation.GBPUSD", "0.6", "0.6", "ratio", False), "correlation", "with GBPUSD",
        ),
        (
            {"risk_contribution_max": "0"}, ("risk_contribution", "0.319062", "0", "ratio", False),
            "risk_contribution", "EURUSD would have more than 0 of the risk",
        ),
        (
            {"cluster_risk_fraction_max": "0.0042"}, ("cluster.EURUSD+GBPUSD", "0.00635", "0.0042", "ratio", False),
            "cluster", "what moves with EURUSD",
        ),
    ],
)  # fmt: skip
def test_a_limit_that_leaves_less_than_the_smallest_order_refuses(
    changes: dict[str, Any], row: Any, reason: str, words: str
) -> None:
    said = ask(make_desk(), **changes)
    assert isinstance(said, m.OrderDenied), shown(said)
    rule, measured, limit, unit, at_least = row
    assert shown(said)[-1] == (rule, measured, limit, unit, "deny", "40000", at_least)
    assert (said.reason, said.quantity, said.unit) == (reason, Decimal(40000), unit)
    assert words in said.detail


@pytest.mark.parametrize(
    ("take", "reason", "words"),
    [
        (lambda desk: desk.portfolio.state.accounts.pop("alpha"), "unknown_account", "alpha"),
        (lambda desk: desk.portfolio.state.instruments.pop("EURUSD"), "unknown_instrument", "EURUSD"),
        (lambda desk: desk.approve(m.OrderSized, WORKING_UNPRICED), "no_mark", "exposure to USD cannot be valued"),
        (lambda desk: desk.approve(m.OrderSized, GAMMAS_UNPRICED), "no_mark", "gross exposure"),
    ],
)
def test_what_is_missing_refuses(take: Any, reason: str, words: str) -> None:
    desk = make_desk()
    order = make_order("EURUSD", Side.BUY, "40000", QUOTE, stop_loss="0.5")
    sized = desk.approve(m.OrderSized, order)
    take(desk)
    [said] = make_agent(desk).handle(sized)
    assert isinstance(said, m.OrderDenied)
    assert shown(said)[-1] == (reason, "0", "1", "count", "deny", "40000", True)
    assert said.reason == reason
    assert words in said.detail


def test_too_few_bets_refuse() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "60000", "1.1", account="beta")
    said = ask(desk, effective_bets_min="3", cluster_risk_fraction_max="1")
    assert isinstance(said, m.OrderDenied)
    name, _, limit, unit, outcome, quantity, at_least = shown(said)[-1]
    assert (name, limit, unit, outcome, quantity, at_least) == ("effective_bets", "3", "count", "deny", "40000", True)
    assert said.measured < 3
    assert "fewer than 3 independent bets" in said.detail


def test_an_unknown_correlation_may_refuse() -> None:
    said = ask(make_desk(), state=AntiCorrelationState(), unknown_correlation="refuse")
    assert isinstance(said, m.OrderDenied)
    assert shown(said)[-1] == ("unknown_correlation.GBPUSD", "0", "30", "count", "deny", "40000", True)
    assert (said.reason, "moves with GBPUSD" in said.detail) == ("unknown_correlation", True)


@pytest.mark.parametrize(("asked", "passes"), [("1000", True), ("999", False)])
def test_less_than_the_smallest_order_is_refused(asked: str, passes: bool) -> None:
    said = ask(make_desk(), asked, book_instruments_min="9")
    assert isinstance(said, m.ConcentrationApproved) is passes
    if not passes:
        assert shown(said)[-1] == ("below_minimum_quantity", "999", "1000", "units", "deny", "999", True)


@pytest.mark.parametrize(("price", "measured"), [("1.1001", "-20"), ("1.1", "0")])
def test_no_equity_refuses(price: str, measured: str) -> None:
    desk = Desk(make_account("alpha", deposit="20000"))
    desk.mark("EURUSD", "1")
    desk.hold("EURUSD", Side.SELL, "200000", "1")
    desk.mark("EURUSD", price)
    order = make_order("GBPUSD", Side.BUY, "1000", make_quote("1.2"), stop_loss="0.5")
    desk.mark("GBPUSD", "1.2")
    said = judge_order(desk, make_agent(desk), order)
    assert isinstance(said, m.OrderDenied)
    assert shown(said)[-1] == ("no_equity", measured, "0", "USD", "deny", "1000", True)
    assert (said.reason, said.detail) == ("no_equity", "the accounts have no equity together")
