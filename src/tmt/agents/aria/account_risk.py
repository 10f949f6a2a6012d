"""What an account may lose: now, for all to see, and with an order, which keeps a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from tmt.agents.aria.config import ValueAtRiskConfig
from tmt.agents.aria.exposure import Commitment, Unknown, commitments
from tmt.agents.aria.returns import ReturnSeries, common_returns
from tmt.agents.aria.value_at_risk import Risk, ewma, historical, outcomes, weighted
from tmt.domain.money import ZERO
from tmt.market.bar import Bar
from tmt.projections.portfolio import Portfolio


class AccountRisk(NamedTuple):
    """Fields as in `RiskMeasured`."""

    account: str
    equity: Decimal
    currency: str
    returns: int
    by_method: tuple[tuple[str, Risk], ...]


def measure_accounts(
    series: Mapping[str, ReturnSeries], bar: Bar, portfolio: Portfolio, config: ValueAtRiskConfig
) -> Iterator[AccountRisk]:
    """Accounts that hold the bar's instrument, once the bars of all that they hold and that trades are in."""
    if bar.timeframe is not config.timeframe:
        return
    for account in portfolio.accounts:
        held = portfolio.positions(account.account_id)
        symbols = [position.instrument for position in held]
        if bar.instrument not in symbols or not all(_is_in(series, each, bar, portfolio) for each in symbols):
            continue
        stakes, equity = commitments(portfolio, account.account_id), portfolio.equity(account.account_id)
        returns = common_returns(series, symbols)
        count = len(returns[bar.instrument])
        if equity is None or isinstance(stakes, Unknown) or count < config.returns_min:
            continue
        gains = outcomes(worths(stakes), returns)
        by_method = (
            ("historical", historical(gains, config.confidence)),
            ("ewma", ewma(gains, config.confidence, config.ewma_decay)),
        )
        yield AccountRisk(account.account_id, equity, account.currency, count, by_method)


def _is_in(series: Mapping[str, ReturnSeries], symbol: str, bar: Bar, portfolio: Portfolio) -> bool:
    """Whether an instrument has a bar of the same end, or was closed then and will have none."""
    known, instrument = series.get(symbol), portfolio.instrument(symbol)
    if known is not None and known.last_end_ns == bar.end_ns:
        return True
    return instrument is not None and not instrument.session.is_open(bar.end_ns - 1)


def worths(stakes: list[Commitment]) -> dict[str, Decimal]:
    """Signed worth of what is held, by symbol; what works is left out."""
    return {stake.instrument.symbol: stake.value for stake in stakes if not stake.working}


def worst_outcomes(stakes: list[Commitment], returns: Mapping[str, list[int]], decay: Decimal) -> list[list[int]]:
    """The outcomes that an order must keep the limit beside, since what works may fill or be cancelled.

    Positions alone; with the working orders that add to the risk; and both without the positions that orders work
    against, whose own exits may close them first. Each once.
    """
    opposed = {c.instrument.symbol for c in stakes if c.working and _opposes(c, stakes)}
    exposed = [c for c in stakes if c.working or c.instrument.symbol not in opposed]
    found: list[list[int]] = []
    for beside in (stakes, exposed):
        for gains in (outcomes(worths(beside), returns), expected_outcomes(beside, returns, decay)):
            if gains not in found:
                found.append(gains)
    return found


def _opposes(order: Commitment, stakes: list[Commitment]) -> bool:
    held = (c for c in stakes if not c.working and c.instrument.symbol == order.instrument.symbol)
    return any(c.value * order.value < ZERO for c in held)


def expected_outcomes(stakes: list[Commitment], returns: Mapping[str, list[int]], decay: Decimal) -> list[int]:
    """Outcomes of what is held, and of each working order, oldest first, where its fill would add to the risk."""
    gains = outcomes(worths(stakes), returns)
    risk = weighted(gains, gains, decay)
    for stake in stakes:
        if not stake.working:
            continue
        filled = [
            before + more
            for before, more in zip(gains, outcomes({stake.instrument.symbol: stake.value}, returns), strict=True)
        ]
        if (with_order := weighted(filled, filled, decay)) > risk:
            gains, risk = filled, with_order
    return gains
