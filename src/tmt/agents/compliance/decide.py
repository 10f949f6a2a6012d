"""Does the order keep every rule of its account's book?"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Final

import msgspec

from tmt.agents.compliance.barring import shortest_timeframes
from tmt.agents.compliance.case import Case, Finding, Unknown
from tmt.agents.compliance.config import ComplianceConfig, Mode, StrategyLimits
from tmt.agents.compliance.history import History
from tmt.agents.compliance.rule_book import RuleBook
from tmt.agents.compliance.rules import MINUTE_NS
from tmt.agents.compliance.strategy_limits import strategy_findings
from tmt.agents.compliance.surveillance import Surveillance, remember
from tmt.agents.compliance.suspension import Suspension
from tmt.agents.verdict import Approve, Deny, Waterfall, shrinks_position
from tmt.domain.money import ONE, ZERO
from tmt.domain.news import NewsCalendar
from tmt.market.bar import Timeframe
from tmt.messages import AccountReinstated, AccountSuspended, BehaviourApproved, ComplianceApproved, Message
from tmt.projections.portfolio import Portfolio

APPROVALS_REMEMBERED: Final = 1024


class ComplianceState(msgspec.Struct, frozen=True, kw_only=True):
    """What compliance knows.

    Attributes:
        suspensions: by account.
        approvals_ns: by account, event times of its approvals within a minute, oldest first.
        history, surveillance: what the rules and the detectors need of the past.
        timeframes: of each instrument, the shortest whose bars have closed.
    """

    suspensions: dict[str, Suspension] = {}
    approvals_ns: dict[str, tuple[int, ...]] = {}
    history: History = History()
    surveillance: Surveillance = Surveillance()
    timeframes: dict[str, Timeframe] = {}


def decide(
    state: ComplianceState,
    approval: BehaviourApproved,
    portfolio: Portfolio,
    books: dict[str, RuleBook],
    news: NewsCalendar,
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
        case, book, limits = _open_case(state, approval, portfolio, books, news, config)
        return _judged(case, book, limits, state, waterfall, config.mode)
    except Unknown as unknown:
        return waterfall.denies_missing(unknown.reason, unknown.detail)


def _judged(
    case: Case, book: RuleBook, limits: StrategyLimits, state: ComplianceState, waterfall: Waterfall, mode: Mode
) -> Approve | Deny:
    order = case.order
    if order.instrument not in case.account.instruments:
        detail = f"{order.account} may not trade {order.instrument}"
        return waterfall.denies("instrument_not_permitted", ZERO, ONE, "count", detail=detail, at_least=True)
    suspension = state.suspensions.get(order.account)
    if suspension is not None:
        detail = f"{order.account} is suspended by {suspension.rule} and may only close"
        return waterfall.denies("account_suspended", ONE, ZERO, "count", detail=detail)
    waterfall.passes("account_suspended", ZERO, ZERO, "count")
    for rule_id, finding in strategy_findings(limits, case):
        denial = _apply(rule_id, finding, waterfall, refuses=True)
        if denial is not None:
            return denial
    for rule in book.rules:
        denial = _apply(rule.id, rule.check(case), waterfall, refuses=rule.hard or mode is Mode.STRICT)
        if denial is not None:
            return denial
    return waterfall.approves(order)


def evolve(
    state: ComplianceState,
    message: Message,
    portfolio: Portfolio,
    books: dict[str, RuleBook],
    config: ComplianceConfig,
) -> ComplianceState:
    """Remember suspensions, reinstatements, approvals, and what rules and surveillance need of the past."""
    history = state.history.after(message, portfolio)
    if history is not state.history:
        state = msgspec.structs.replace(state, history=history)
    timeframes = shortest_timeframes(state.timeframes, message)
    if timeframes is not state.timeframes:
        state = msgspec.structs.replace(state, timeframes=timeframes)
    match message:
        case ComplianceApproved():
            account, now_ns = message.order.account, message.occurred_at_ns
            earlier = state.approvals_ns.get(account, ())
            times_ns = list(earlier[bisect_right(earlier, now_ns - MINUTE_NS) :])
            insort(times_ns, now_ns)
            newest = tuple(times_ns[-APPROVALS_REMEMBERED:])
            return msgspec.structs.replace(state, approvals_ns={**state.approvals_ns, account: newest})
        case AccountSuspended():
            suspensions = {**state.suspensions, message.account: Suspension.of(message, portfolio, books)}
            return msgspec.structs.replace(state, suspensions=suspensions)
        case AccountReinstated():
            staying = {name: one for name, one in state.suspensions.items() if name != message.account}
            return msgspec.structs.replace(state, suspensions=staying)
        case _:
            remembered = remember(state.surveillance, message, config.surveillance)
            if remembered is state.surveillance:
                return state
            return msgspec.structs.replace(state, surveillance=remembered)


def _open_case(
    state: ComplianceState,
    approval: BehaviourApproved,
    portfolio: Portfolio,
    books: dict[str, RuleBook],
    news: NewsCalendar,
    config: ComplianceConfig,
) -> tuple[Case, RuleBook, StrategyLimits]:
    order = approval.order
    account = portfolio.account(order.account)
    if account is None:
        raise Unknown("unknown_account", f"account {order.account!r} was never opened")
    book = books.get(account.rule_book)
    if book is None:
        raise Unknown(
            "no_rule_book", f"{order.account} is bound by the rule book {account.rule_book!r}, which is absent"
        )
    limits = config.strategies.get(order.strategy)
    if limits is None:
        raise Unknown("no_strategy_limits", f"the strategy {order.strategy!r} has no limits")
    instrument = portfolio.instrument(order.instrument)
    if instrument is None:
        raise Unknown("unknown_instrument", f"{order.instrument!r} is not an instrument of this desk")
    equity = portfolio.equity(order.account)
    if equity is None or equity <= ZERO:
        raise Unknown("no_equity", f"the equity of {order.account} is {equity}")
    case = Case(
        order=order,
        account=account,
        instrument=instrument,
        equity=equity,
        portfolio=portfolio,
        approvals_ns=state.approvals_ns.get(order.account, ()),
        past_marks=state.history.marks.get(order.instrument, ()),
        strategy_orders_today=state.history.orders_on(order.strategy, portfolio.now_ns),
        news=news,
    )
    return case, book, limits


def _apply(rule_id: str, finding: Finding, waterfall: Waterfall, *, refuses: bool) -> Deny | None:
    measured, limit, unit, at_least = finding.measured, finding.limit, finding.unit, finding.at_least
    if finding.breach is None:
        waterfall.passes(rule_id, measured, limit, unit, at_least=at_least)
    elif refuses:
        return waterfall.denies(rule_id, measured, limit, unit, detail=finding.breach, at_least=at_least)
    else:
        waterfall.warns(rule_id, measured, limit, unit, at_least=at_least)
    return None
