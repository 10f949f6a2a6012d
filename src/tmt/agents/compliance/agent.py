"""The compliance gate on its place in the path."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tmt.agents.compliance.barring import entries_barred
from tmt.agents.compliance.closing import closings_due
from tmt.agents.compliance.config import ComplianceConfig
from tmt.agents.compliance.decide import ComplianceState, decide, evolve
from tmt.agents.compliance.rule_book import RuleBook
from tmt.agents.compliance.statements import Outcome, copied, flagged, said, suspended_for
from tmt.agents.compliance.surveillance import HEARD, held_too_briefly, look
from tmt.agents.compliance.suspension import days_turned, reinstatement, suspensions_due
from tmt.agents.verdict import Approve, Deny, approval_fields, denied
from tmt.domain.news import NewsCalendar
from tmt.messages import (
    AccountReinstated,
    AccountSuspended,
    BarClosed,
    BehaviourApproved,
    ComplianceApproved,
    ConductFlagged,
    CopyTradingSeen,
    EntriesBarred,
    ExitRaised,
    Message,
    OrderDenied,
    OrderFilled,
    PositionClosed,
    ReinstateAccount,
)
from tmt.projections.portfolio import Portfolio


class ComplianceAgent:
    """Holds every order and every account to the account's rule book. `books` are by name."""

    name = "compliance"
    consumes = (
        BehaviourApproved,
        BarClosed,
        ReinstateAccount,
        AccountSuspended,
        AccountReinstated,
        ComplianceApproved,
        *HEARD,
    )
    answers = (BehaviourApproved, OrderFilled, BarClosed, ReinstateAccount, CopyTradingSeen, PositionClosed)
    produces = (
        ComplianceApproved,
        OrderDenied,
        AccountSuspended,
        AccountReinstated,
        ConductFlagged,
        ExitRaised,
        EntriesBarred,
    )

    def __init__(
        self,
        config: ComplianceConfig,
        portfolio: Portfolio,
        config_hash: str,
        books: dict[str, RuleBook],
        news: NewsCalendar,
    ) -> None:
        self.state = ComplianceState()
        self._config = config
        self._books = books
        self._news = news
        self._portfolio = portfolio
        self._config_hash = config_hash

    def handle(self, message: Message) -> list[Message]:
        self.state = evolve(self.state, message, self._portfolio, self._books, self._config)
        match message:
            case BehaviourApproved():
                conduct = self._look(message)
                return [*conduct, self._judge(self._folded(self.state, conduct), message)]
            case OrderFilled() | BarClosed():
                conduct = self._look(message)
                return [*conduct, *self._watch(self._folded(self.state, conduct), message)]
            case ReinstateAccount():
                return self._reinstate(message)
            case CopyTradingSeen():
                return [copied(message)]
            case PositionClosed():
                found = held_too_briefly(message, self._portfolio, self._books)
                return [] if found is None else [flagged(message, found)]
            case _:
                return []

    def _reinstate(self, request: ReinstateAccount) -> list[Message]:
        roles = self._config.reinstate_roles
        outcome = reinstatement(self.state.suspensions, request, self._portfolio, self._books, roles)
        return [] if outcome is None else self._said(request, [outcome])

    def _said(self, cause: Message, outcomes: Iterable[Outcome]) -> list[Message]:
        return [said(cause, outcome, self._config_hash) for outcome in outcomes]

    def _folded(self, state: ComplianceState, messages: list[Message]) -> ComplianceState:
        """The state once its own messages have come back from the log."""
        for message in messages:
            state = evolve(state, message, self._portfolio, self._books, self._config)
        return state

    def _look(self, cause: Message) -> list[Message]:
        """Let surveillance look when its interval has passed; the memory is its own, whatever comes of it."""
        now_ns = self._portfolio.now_ns
        memory, found = look(self.state.surveillance, now_ns, self._portfolio, self._config.surveillance)
        self.state = msgspec.structs.replace(self.state, surveillance=memory)
        messages: list[Message] = [flagged(cause, suspicion) for suspicion in found]
        suspended = set(self.state.suspensions)
        for suspicion in found:
            for account in suspicion.accounts if suspicion.suspends else ():
                if account not in suspended:
                    suspended.add(account)
                    messages.append(said(cause, suspended_for(suspicion, account), self._config_hash))
        return messages

    def _judge(self, state: ComplianceState, approval: BehaviourApproved) -> Message:
        match decide(state, approval, self._portfolio, self._books, self._news, self._config):
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
                return self._denied(approval, deny)

    def _denied(self, approval: BehaviourApproved, deny: Deny) -> OrderDenied:
        account = self._portfolio.account(approval.order.account)
        book = None if account is None else self._books.get(account.rule_book)
        name, version = ("", 0) if book is None else (book.name, book.version)
        return denied(approval, self.name, approval.order, deny, self._config_hash, book=name, version=version)

    def _watch(self, state: ComplianceState, message: BarClosed | OrderFilled) -> list[Message]:
        turned = self._said(message, days_turned(state.suspensions, self._portfolio, self._books))
        state = self._folded(state, turned)
        lost = self._said(message, suspensions_due(state.suspensions, message, self._portfolio, self._books))
        after = self._folded(state, lost).suspensions
        newly = frozenset(each.account for each in (*turned, *lost) if isinstance(each, AccountSuspended))
        closings = closings_due(after, newly, message, self._portfolio, self._books)
        barred = entries_barred(message, state.timeframes, self._portfolio, self._books, self._news, self._config.mode)
        return [*turned, *lost, *self._said(message, barred), *self._said(message, closings)]
