"""Entries that rest where a rule is about to refuse every entry: they are barred, and execution cancels them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from tmt.agents.compliance.config import Mode
from tmt.agents.compliance.rule_book import RuleBook
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.news import NewsCalendar
from tmt.market.bar import Timeframe
from tmt.messages import BarClosed, Message, OrderFilled
from tmt.projections.portfolio import Portfolio

Timeframes = Mapping[str, Timeframe]
"""Of each instrument, the shortest whose bars have closed."""


class Barred(msgspec.Struct, frozen=True, kw_only=True):
    """No entry may rest; fields as in `EntriesBarred`."""

    account: str
    instrument: str
    rule: str
    from_ns: int


def shortest_timeframes(timeframes: dict[str, Timeframe], message: Message) -> dict[str, Timeframe]:
    """The shortest timeframes after `message`; the same object when nothing changed."""
    if not isinstance(message, BarClosed):
        return timeframes
    symbol, given = message.bar.instrument, message.bar.timeframe
    known = timeframes.get(symbol)
    if known is not None and known.nanoseconds <= given.nanoseconds:
        return timeframes
    return {**timeframes, symbol: given}


def entries_barred(
    message: BarClosed | OrderFilled,
    timeframes: Timeframes,
    portfolio: Portfolio,
    books: Mapping[str, RuleBook],
    news: NewsCalendar,
    mode: Mode,
) -> Iterator[Barred]:
    """Accounts with entries at work in the bar's instrument, where a rule refuses all entries by the next bar's end.

    Looked at when the shortest of the instrument's bars ends: a longer one would see too far ahead. A bar's end at
    which the rule begins counts as too late, for a cancel takes time. While entries work, each bar's end says it again.
    """
    if not isinstance(message, BarClosed) or timeframes.get(message.bar.instrument) is not message.bar.timeframe:
        return
    instrument = portfolio.instrument(message.bar.instrument)
    if instrument is None:
        return
    now_ns, ahead_ns = portfolio.now_ns, message.bar.timeframe.nanoseconds
    for account in portfolio.accounts:
        book = books.get(account.rule_book)
        if book is None or not _works(account, instrument, portfolio):
            continue
        for rule in book.rules:
            refuses = rule.hard or mode is Mode.STRICT
            from_ns = rule.bars_from_ns(instrument, news, now_ns, ahead_ns) if refuses else None
            if from_ns is not None:
                yield Barred(account=account.account_id, instrument=instrument.symbol, rule=rule.id, from_ns=from_ns)
                break


def _works(account: Account, instrument: Instrument, portfolio: Portfolio) -> bool:
    return any(
        each.order.instrument == instrument.symbol and not each.order.reduce_only
        for each in portfolio.working(account.account_id)
    )
