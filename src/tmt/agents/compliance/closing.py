"""Positions that a rule book wants closed: of suspended accounts, and before a weekly close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from tmt.agents.compliance.conduct_rules import Sessions
from tmt.agents.compliance.rule_book import RuleBook
from tmt.agents.compliance.suspension import Suspensions
from tmt.domain.account import Account
from tmt.domain.money import ONE, ZERO, Exact
from tmt.domain.order import OrderType, Quote, Side
from tmt.domain.position import Position
from tmt.messages import BarClosed, OrderFilled
from tmt.projections.portfolio import Portfolio


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """Close what nothing is closing yet of a position; fields as in `ExitRaised`. `measured` broke `rule`."""

    account: str
    instrument: str
    order_id: str
    rule: str
    side: Side
    quantity: Exact
    quote: Quote
    measured: Exact
    limit: Exact
    unit: str


def closings_due(
    suspensions: Suspensions,
    newly_suspended: frozenset[str],
    message: BarClosed | OrderFilled,
    portfolio: Portfolio,
    books: Mapping[str, RuleBook],
) -> Iterator[Close]:
    """What is to be closed now. A bar's end asks again for what is still open, a fill for newly suspended accounts.

    Nothing is asked for in an instrument that does not trade now, or of which no quote is known.
    """
    for account in portfolio.accounts:
        if isinstance(message, OrderFilled) and account.account_id not in newly_suspended:
            continue
        for position in portfolio.positions(account.account_id):
            cause = _cause(account, position, suspensions, message, portfolio, books)
            if cause is not None:
                yield from _closed(position, portfolio, *cause)


def _cause(
    account: Account,
    position: Position,
    suspensions: Suspensions,
    message: BarClosed | OrderFilled,
    portfolio: Portfolio,
    books: Mapping[str, RuleBook],
) -> tuple[str, Decimal, Decimal, str] | None:
    instrument = portfolio.instrument(position.instrument)
    if instrument is None or not instrument.session.is_open(portfolio.now_ns):
        return None
    suspension = suspensions.get(account.account_id)
    if suspension is not None and suspension.flatten:
        return suspension.rule, suspension.measured, suspension.limit, suspension.unit
    book = books.get(account.rule_book)
    concerned = isinstance(message, BarClosed) and message.bar.instrument == position.instrument
    if book is None or not concerned:
        return None
    for rule in book.rules:
        if isinstance(rule, Sessions) and rule.flatten and rule.near_weekly_close(instrument.session, portfolio.now_ns):
            return rule.id, ONE, ZERO, "count"
    return None


def _closed(
    position: Position, portfolio: Portfolio, rule: str, measured: Decimal, limit: Decimal, unit: str
) -> Iterator[Close]:
    account, symbol = position.account, position.instrument
    side = Side.SELL if position.quantity > ZERO else Side.BUY
    closing = sum(
        (
            each.remaining
            for each in portfolio.working(account)
            if each.order.instrument == symbol
            and each.order.reduce_only
            and each.order.side is side
            and each.order.type is OrderType.MARKET  # what rests at a price may never fill
        ),
        ZERO,
    )
    quantity, quote, trip = abs(position.quantity) - closing, portfolio.mark(symbol), portfolio.trip(account, symbol)
    if quantity > ZERO and quote is not None and trip is not None:
        yield Close(
            account=account,
            instrument=symbol,
            order_id=trip.order_id,
            rule=rule,
            side=side,
            quantity=quantity,
            quote=quote,
            measured=measured,
            limit=limit,
            unit=unit,
        )
