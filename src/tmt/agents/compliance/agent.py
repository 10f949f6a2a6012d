"""The compliance gate on its place in the path."""

from __future__ import annotations

from tmt.agents.compliance.config import ComplianceConfig
from tmt.agents.compliance.decide import ComplianceState, decide, evolve, suspensions_due
from tmt.agents.compliance.rule_book import RuleBook
from tmt.agents.verdict import Approve, Deny, approval_fields, denied
from tmt.messages import (
    AccountSuspended,
    BarClosed,
    BehaviourApproved,
    ComplianceApproved,
    Message,
    OrderDenied,
    OrderFilled,
    ResumeTrading,
)
from tmt.projections.portfolio import Portfolio


class ComplianceAgent:
    """Holds every order and every account to the account's rule book. `books` are by name."""

    name = "compliance"
    consumes = (
        BehaviourApproved,
        OrderFilled,
        BarClosed,
        AccountSuspended,
        ResumeTrading,
        ComplianceApproved,
    )
    answers = (BehaviourApproved, OrderFilled, BarClosed)
    produces = (ComplianceApproved, OrderDenied, AccountSuspended)

    def __init__(
        self, config: ComplianceConfig, portfolio: Portfolio, config_hash: str, books: dict[str, RuleBook]
    ) -> None:
        self.state = ComplianceState()
        self._config = config
        self._books = books
        self._portfolio = portfolio
        self._config_hash = config_hash

    def handle(self, message: Message) -> list[Message]:
        self.state = evolve(self.state, message, self._portfolio, self._books)
        match message:
            case BehaviourApproved():
                return [self._judge(message)]
            case OrderFilled() | BarClosed():
                return self._watch(message)
            case _:
                return []

    def _judge(self, approval: BehaviourApproved) -> Message:
        match decide(self.state, approval, self._portfolio, self._books, self._config):
            case Approve() as approve:
                account = self._portfolio.account(approve.order.account)
                book = None if account is None else self._books.get(account.rule_book)
                fields = approval_fields(
                    approve, approval.occurred_at_ns, self._config.approval_seconds, self._config_hash
                )
                # A closing order passes without a book, and then says so: version 0 of none.
                return ComplianceApproved.caused_by(
                    approval,
                    self.name,
                    approve.order.order_id,
                    rule_book="none" if book is None else book.name,
                    rule_book_version=0 if book is None else book.version,
                    **fields,
                )
            case Deny() as deny:
                return denied(approval, self.name, approval.order, deny)

    def _watch(self, message: BarClosed | OrderFilled) -> list[Message]:
        return [
            AccountSuspended.caused_by(
                message,
                self.name,
                account,
                account=account,
                rule=rule.id,
                measured=finding.measured,
                limit=finding.limit,
                unit=finding.unit,
            )
            for account, rule, finding in suspensions_due(self.state, message, self._portfolio, self._books)
        ]
