"""Does the order keep every rule of its account's book, and does the account still?"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import Final

import msgspec

from tmt.agents.compliance.case import Case, Finding, Unknown
from tmt.agents.compliance.conduct_rules import MINUTE_NS
from tmt.agents.compliance.config import ComplianceConfig, Mode
from tmt.agents.compliance.rule_book import AnyRule, RuleBook
from tmt.agents.compliance.rules import DailyLoss, LossRule
from tmt.agents.verdict import Approve, Deny, Waterfall, shrinks_position
from tmt.domain.money import ONE, ZERO
from tmt.domain.session import day_bounds_ns
from tmt.messages import (
    AccountSuspended,
    BarClosed,
    BehaviourApproved,
    ComplianceApproved,
    Message,
    OrderFilled,
    ResumeTrading,
)
from tmt.projections.portfolio import Portfolio

APPROVALS_REMEMBERED: Final = 1024


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """An account out of trading: until its day turns, or until a person resumes when `until_day_turns` is False."""

    rule: str
    since_ns: int
    until_day_turns: bool


class ComplianceState(msgspec.Struct, frozen=True, kw_only=True):
    """By account: its newest suspension, and event times of its approvals within a minute, oldest first."""

    suspensions: dict[str, Suspension] = {}
    approvals_ns: dict[str, tuple[int, ...]] = {}


def decide(
    state: ComplianceState,
    approval: BehaviourApproved,
    portfolio: Portfolio,
    books: dict[str, RuleBook],
    config: ComplianceConfig,
) -> Approve | Deny:
    """Judge one order. Orders that only shrink the position pass, from suspended accounts too."""
    order = approval.order
    waterfall = Waterfall("compliance", order.quantity)
    expired = waterfall.denies_expired(approval, portfolio.now_ns)
    if expired is not None:
        return expired
    if shrinks_position(order, portfolio):
        held = abs(portfolio.position(order.account, order.instrument).quantity)
        waterfall.passes("closing", order.quantity, held, "units")
        return waterfall.approves(order)
    try:
        case, book = _open_case(state, approval, portfolio, books)
    except Unknown as unknown:
        return waterfall.denies_missing(unknown.reason, unknown.detail)
    if order.instrument not in case.account.instruments:
        detail = f"{order.account} may not trade {order.instrument}"
        return waterfall.denies("instrument_not_permitted", ZERO, ONE, "count", detail=detail)
    suspension = suspension_in_force(state, order.account, portfolio)
    if suspension is not None:
        detail = f"{order.account} is suspended by {suspension.rule} and may only close"
        return waterfall.denies("account_suspended", ONE, ZERO, "count", detail=detail)
    waterfall.passes("account_suspended", ZERO, ZERO, "count")
    for rule in book.rules:
        denial = _apply(rule, case, waterfall, config.mode)
        if denial is not None:
            return denial
    return waterfall.approves(order)


def suspensions_due(
    state: ComplianceState, message: BarClosed | OrderFilled, portfolio: Portfolio, books: dict[str, RuleBook]
) -> Iterator[tuple[str, LossRule, Finding]]:
    """Accounts whose equity is now beyond a hard loss limit and that are not suspended yet, with the rule broken.

    A fill concerns its account, a bar every account that holds something.
    An account that a person reinstated while it is still beyond its limit is due again at once.
    """
    for account in portfolio.accounts:
        name, book = account.account_id, books.get(account.rule_book)
        moved = name == message.account if isinstance(message, OrderFilled) else bool(portfolio.positions(name))
        if book is None or not moved or suspension_in_force(state, name, portfolio) is not None:
            continue
        for rule in book.loss_rules():
            try:
                finding = rule.watch(name, portfolio)
            except Unknown:
                continue  # Equity that is not known denies every order already.
            if finding.breach is not None:
                yield name, rule, finding
                break


def suspension_in_force(state: ComplianceState, account: str, portfolio: Portfolio) -> Suspension | None:
    """The suspension that binds the account at this moment."""
    suspension = state.suspensions.get(account)
    known = portfolio.account(account)
    if suspension is None or known is None or not suspension.until_day_turns:
        return suspension
    _, day_end_ns = day_bounds_ns(known.day(), suspension.since_ns)
    return suspension if portfolio.now_ns < day_end_ns else None


def evolve(
    state: ComplianceState, message: Message, portfolio: Portfolio, books: dict[str, RuleBook]
) -> ComplianceState:
    """Remember suspensions, reinstatements and approvals."""
    match message:
        case ComplianceApproved():
            account, now_ns = message.order.account, message.occurred_at_ns
            earlier = state.approvals_ns.get(account, ())
            times_ns = list(earlier[bisect_right(earlier, now_ns - MINUTE_NS) :])
            insort(times_ns, now_ns)
            newest = tuple(times_ns[-APPROVALS_REMEMBERED:])
            return msgspec.structs.replace(state, approvals_ns={**state.approvals_ns, account: newest})
        case AccountSuspended():
            suspension = Suspension(
                rule=message.rule,
                since_ns=message.occurred_at_ns,
                until_day_turns=_is_daily(message, portfolio, books),
            )
            suspensions = {**state.suspensions, message.account: suspension}
            return msgspec.structs.replace(state, suspensions=suspensions)
        case ResumeTrading():
            staying = {name: one for name, one in state.suspensions.items() if one.until_day_turns}
            return msgspec.structs.replace(state, suspensions=staying)
        case _:
            return state


def _open_case(
    state: ComplianceState, approval: BehaviourApproved, portfolio: Portfolio, books: dict[str, RuleBook]
) -> tuple[Case, RuleBook]:
    order = approval.order
    account = portfolio.account(order.account)
    if account is None:
        raise Unknown("unknown_account", f"account {order.account!r} was never opened")
    book = books.get(account.rule_book)
    if book is None:
        raise Unknown(
            "no_rule_book", f"{order.account} is bound by the rule book {account.rule_book!r}, which is absent"
        )
    instrument = portfolio.instrument(order.instrument)
    if instrument is None:
        raise Unknown("unknown_instrument", f"{order.instrument!r} is not an instrument of this desk")
    equity = portfolio.equity(order.account)
    if equity is None or equity <= ZERO:
        raise Unknown("no_equity", f"the equity of {order.account} is {equity}")
    approvals_ns = state.approvals_ns.get(order.account, ())
    return Case(order, account, instrument, equity, portfolio, approvals_ns), book


def _apply(rule: AnyRule, case: Case, waterfall: Waterfall, mode: Mode) -> Deny | None:
    try:
        finding = rule.check(case)
    except Unknown as unknown:
        return waterfall.denies_missing(unknown.reason, unknown.detail)
    measured, limit, unit = finding.measured, finding.limit, finding.unit
    if finding.breach is None:
        waterfall.passes(rule.id, measured, limit, unit)
    elif rule.hard or mode is Mode.STRICT:
        return waterfall.denies(rule.id, measured, limit, unit, detail=finding.breach)
    else:
        waterfall.warns(rule.id, measured, limit, unit)
    return None


def _is_daily(suspended: AccountSuspended, portfolio: Portfolio, books: dict[str, RuleBook]) -> bool:
    account = portfolio.account(suspended.account)
    book = None if account is None else books.get(account.rule_book)
    rules = () if book is None else book.rules
    return any(isinstance(rule, DailyLoss) and rule.id == suspended.rule for rule in rules)
