"""A compliance gate before a desk, and rule books for it."""

from decimal import Decimal
from typing import Any

import msgspec

from tests.unit.agents.desk import CONFIG_HASH, Desk, default_config, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance import ComplianceAgent, ComplianceConfig, RuleBook
from tmt.agents.compliance.config import Mode
from tmt.agents.compliance.rule_book import REQUIRED, AnyRule
from tmt.agents.compliance.rules import DailyLoss, Drawdown, DrawdownFrom, Leverage, RiskPerTrade
from tmt.domain.news import NewsCalendar
from tmt.domain.order import Order, Quote, Side

STRICT = default_config(ComplianceConfig, "compliance", approval_seconds=30, mode=Mode.STRICT)
LENIENT = default_config(ComplianceConfig, "compliance", approval_seconds=30, mode=Mode.LENIENT)
NO_NEWS = NewsCalendar(events=())
QUOTE = make_quote("1.0999", "1.1000")
WIDE: tuple[AnyRule, ...] = (
    DailyLoss(id="daily_loss", hard=True, loss_fraction_max=Decimal(1)),
    Drawdown(id="drawdown", hard=True, loss_fraction_max=Decimal(1), measured_from=DrawdownFrom.DEPOSIT),
    RiskPerTrade(id="risk_per_trade", hard=True, equity_fraction_max=Decimal(1)),
    Leverage(id="leverage", hard=True, equity_ratio_max=Decimal(100)),
)


def book_with(*rules: AnyRule, name: str = "default") -> RuleBook:
    """The rules given, and what every book must have, too wide to matter, where they do not set it."""
    missing = [
        wide
        for wide, kind in zip(WIDE, REQUIRED, strict=True)
        if not any(isinstance(rule, kind) and rule.hard for rule in rules)
    ]
    return RuleBook(name=name, version=3, rules=(*rules, *missing))


def reason(answer: m.Message) -> str:
    return answer.reason if isinstance(answer, m.OrderDenied) else "approved"


class Court:
    """The gate, a desk with a quote of EURUSD, and orders with ids of their own."""

    def __init__(
        self,
        book: RuleBook,
        *,
        desk: Desk | None = None,
        config: ComplianceConfig = STRICT,
        news: NewsCalendar = NO_NEWS,
    ) -> None:
        self.desk = Desk() if desk is None else desk
        self.agent = ComplianceAgent(config, self.desk.portfolio, CONFIG_HASH, {book.name: book}, news)
        self._count = 0
        self.agent.handle(self.desk.mark("EURUSD", "1.0999", "1.1000"))

    def tell(self, message: m.Message) -> list[m.Message]:
        """Deliver a message and all that follows from it; every answer."""
        answers = self.agent.handle(message)
        for answer in answers:
            self.desk.tell(answer)
            self.agent.handle(answer)
        return answers

    def judge(self, order: Order) -> m.Message:
        [answer] = self.tell(self.desk.approve(m.BehaviourApproved, order))
        ended = {
            "order_id": order.order_id,
            "account": order.account,
            "instrument": order.instrument,
            "side": order.side,
            "quantity": order.quantity,
        }
        if isinstance(answer, m.ComplianceApproved):  # so that it does not work on and count in the next case
            nothing: dict[str, Any] = {"measured": Decimal(0), "limit": Decimal(0), "unit": "count"}
            self.desk.say(
                m.OrderDenied, gate="test", reason="ended", detail="", checks=(), config_hash="c", **ended, **nothing
            )
        return answer

    def order(self, symbol: str, side: Side, quantity: str, quote: Quote = QUOTE, **fields: Any) -> m.Message:
        self._count += 1
        if self.desk.portfolio.mark(symbol) is None:
            self.desk.mark(symbol, str(quote.bid), str(quote.ask))
        return self.judge(make_order(symbol, side, quantity, quote, order_id=f"order-{self._count}", **fields))

    def buy(self, quantity: str, **fields: Any) -> m.Message:
        return self.order("EURUSD", Side.BUY, quantity, **{"stop_loss": "1.0900", **fields})

    def work(self, symbol: str, side: Side, quantity: str, price: str, *, stop: str | None, **fields: Any) -> None:
        """Leave an order working."""
        self._count += 1
        order_id = f"works-{self._count}"
        order = make_order(symbol, side, quantity, make_quote(price), order_id=order_id, stop_loss=stop, **fields)
        if self.desk.portfolio.mark(symbol) is None:
            self.desk.mark(symbol, price)
        self.desk.approve(m.OrderReleased, order)


def without(book: RuleBook, rule_id: str) -> tuple[AnyRule, ...]:
    return tuple(rule for rule in book.rules if rule.id != rule_id)


def soft(rule: AnyRule) -> AnyRule:
    return msgspec.structs.replace(rule, hard=False)
