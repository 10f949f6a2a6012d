"""Orders put before the gate, and what it says of them."""

from decimal import Decimal
from typing import Any

from tests.unit.agents.desk import Desk, make_order, make_quote
from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationAgent
from tmt.domain.order import Order, Side

QUOTE = make_quote("1.0000")

Said = m.ConcentrationApproved | m.OrderDenied


def judge(
    desk: Desk, agent: AntiCorrelationAgent, side: Side = Side.BUY, quantity: str = "100000", **fields: Any
) -> Said:
    """What the gate says of an order in EURUSD, or in another `symbol`."""
    symbol = fields.pop("symbol", "EURUSD")
    return judge_order(desk, agent, make_order(symbol, side, quantity, QUOTE, stop_loss="0.5", **fields))


def judge_order(desk: Desk, agent: AntiCorrelationAgent, order: Order) -> Said:
    sized = desk.approve(m.OrderSized, order)
    [said] = agent.handle(sized)
    assert isinstance(said, m.ConcentrationApproved | m.OrderDenied)
    assert said.causation_id == sized.message_id
    assert m.decode(m.encode(said)) == said
    return said


def quantity(said: Said) -> Decimal:
    assert isinstance(said, m.ConcentrationApproved), said
    return said.order.quantity


def reason(said: Said) -> str:
    assert isinstance(said, m.OrderDenied), said
    return said.reason


def check(said: Said, rule: str) -> m.Check:
    [found] = [each for each in said.checks if each.rule == f"anti_correlation.{rule}"]
    return found


def rules(said: Said) -> list[str]:
    """Names of the rules applied, without what they were applied to."""
    return [each.rule.split(".")[1] for each in said.checks]
