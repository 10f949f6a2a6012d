"""Which accounts are out of trading, how they come back, and which positions their books want closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from tmt.agents.compliance.case import Finding, Unknown
from tmt.agents.compliance.rule_book import RuleBook
from tmt.agents.compliance.rules import DailyLoss, LossRule
from tmt.domain.account import Account
from tmt.domain.money import Exact
from tmt.domain.session import day_bounds_ns
from tmt.messages import AccountSuspended, BarClosed, OrderFilled, ReinstateAccount
from tmt.projections.portfolio import Portfolio

DAY_TURNED: Final = "the day turned"
"""Reason of a reinstatement that nobody asked for."""


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """An account out of trading: until its day turns, or until a person reinstates it.

    Attributes:
        rule: which suspended it; `measured` against `limit`, in `unit`.
        flatten: its positions are closed.
    """

    rule: str
    measured: Exact
    limit: Exact
    unit: str
    since_ns: int
    until_day_turns: bool
    flatten: bool

    @classmethod
    def of(cls, message: AccountSuspended, portfolio: Portfolio, books: Mapping[str, RuleBook]) -> Suspension:
        """As a message says it."""
        account = portfolio.account(message.account)
        book = None if account is None else books.get(account.rule_book)
        rules = () if book is None else book.rules
        return cls(
            rule=message.rule,
            measured=message.measured,
            limit=message.limit,
            unit=message.unit,
            since_ns=message.occurred_at_ns,
            until_day_turns=any(isinstance(rule, DailyLoss) and rule.id == message.rule for rule in rules),
            flatten=message.flatten,
        )


class Suspend(msgspec.Struct, frozen=True, kw_only=True):
    """The account may only close from now on; fields as in `AccountSuspended`."""

    account: str
    rule: str
    measured: Exact
    limit: Exact
    unit: str
    flatten: bool


class Reinstate(msgspec.Struct, frozen=True, kw_only=True):
    """The account may trade again; fields as in `AccountReinstated`."""

    account: str
    rule: str
    person: str
    role: str
    reason: str


Suspensions = Mapping[str, Suspension]
"""By account."""


def suspensions_due(
    suspensions: Suspensions, message: BarClosed | OrderFilled, portfolio: Portfolio, books: Mapping[str, RuleBook]
) -> Iterator[Suspend]:
    """Accounts whose equity is now beyond a hard loss limit and that are not suspended yet, or not as gravely.

    A fill concerns its account, a bar every account that holds something.
    """
    for account in portfolio.accounts:
        name = account.account_id
        moved = name == message.account if isinstance(message, OrderFilled) else bool(portfolio.positions(name))
        broken = _broken(account, portfolio, books) if moved else ()
        due = next((suspend for rule, suspend in broken if _is_graver(rule, suspensions.get(name))), None)
        if due is not None:
            yield due


def _is_graver(rule: LossRule, present: Suspension | None) -> bool:
    """Whether the rule's suspension would close positions, or outlast the day, where the present one does not."""
    if present is None:
        return True
    lasts = not isinstance(rule, DailyLoss)
    return lasts and (present.until_day_turns or (rule.flatten and not present.flatten))


def days_turned(
    suspensions: Suspensions, portfolio: Portfolio, books: Mapping[str, RuleBook]
) -> Iterator[Reinstate | Suspend]:
    """Accounts suspended for a day that is over, each reinstated; suspended anew if beyond another limit."""
    for name, suspension in sorted(suspensions.items()):
        account = portfolio.account(name)
        if account is not None and _is_over(suspension, account, portfolio):
            yield _reinstated_by_day(name, suspension)
            due = _beyond_its_limits(account, portfolio, books)
            if due is not None:
                yield due


def _reinstated_by_day(account: str, suspension: Suspension) -> Reinstate:
    return Reinstate(account=account, rule=suspension.rule, person="", role="", reason=DAY_TURNED)


def _is_over(suspension: Suspension, account: Account, portfolio: Portfolio) -> bool:
    _, day_end_ns = day_bounds_ns(account.day(), suspension.since_ns)
    return suspension.until_day_turns and portfolio.now_ns >= day_end_ns


def reinstatement(
    suspensions: Suspensions,
    request: ReinstateAccount,
    portfolio: Portfolio,
    books: Mapping[str, RuleBook],
    roles: tuple[str, ...],
) -> Reinstate | Suspend | None:
    """What a person's request leads to; None when the account is not suspended.

    A named person in one of `roles` who gives a reason reinstates an account that is within its limits and was not
    suspended for the day alone; else the suspension is said again, by the limit that stands against it.
    """
    suspension, account = suspensions.get(request.account), portfolio.account(request.account)
    if suspension is None or account is None:
        return None
    if _is_over(suspension, account, portfolio):
        return _reinstated_by_day(request.account, suspension)
    may = request.role in roles and bool(request.person.strip()) and bool(request.reason.strip())
    beyond = _beyond_its_limits(account, portfolio, books)
    if may and beyond is None and not suspension.until_day_turns:
        return Reinstate(
            account=request.account,
            rule=suspension.rule,
            person=request.person,
            role=request.role,
            reason=request.reason,
        )
    if beyond is not None and not suspension.until_day_turns:
        return beyond
    return Suspend(
        account=request.account,
        rule=suspension.rule,
        measured=suspension.measured,
        limit=suspension.limit,
        unit=suspension.unit,
        flatten=suspension.flatten,
    )


def _beyond_its_limits(account: Account, portfolio: Portfolio, books: Mapping[str, RuleBook]) -> Suspend | None:
    return next((suspend for _, suspend in _broken(account, portfolio, books)), None)


def _broken(
    account: Account, portfolio: Portfolio, books: Mapping[str, RuleBook]
) -> Iterator[tuple[LossRule, Suspend]]:
    """The hard loss rules that the account is beyond, in the book's order."""
    book = books.get(account.rule_book)
    for rule in () if book is None else book.loss_rules():
        finding = _finding(rule, account.account_id, portfolio)
        if finding is not None and finding.breach is not None:
            yield (
                rule,
                Suspend(
                    account=account.account_id,
                    rule=rule.id,
                    measured=finding.measured,
                    limit=finding.limit,
                    unit=finding.unit,
                    flatten=rule.flatten,
                ),
            )


def _finding(rule: LossRule, account: str, portfolio: Portfolio) -> Finding | None:
    try:
        return rule.watch(account, portfolio)
    except Unknown:
        return None  # Equity that is not known denies every order already.
