"""What the gate tells the desk at the end of a bar: the correlation matrix, and accounts that trade alike."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations
from typing import Any

import msgspec

from tmt.agents.anti_correlation.bets import by_instrument, open_lines, owned_by, total_equity
from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.copying import Likeness, likeness
from tmt.agents.anti_correlation.covariance import comove
from tmt.agents.anti_correlation.order_risk import effective_bets, measure_risks
from tmt.agents.anti_correlation.state import AntiCorrelationState
from tmt.domain.money import ZERO
from tmt.messages import BarClosed, CopyTradingSeen, CorrelationsMeasured, Message
from tmt.projections.portfolio import Portfolio


def publish(
    state: AntiCorrelationState, cause: BarClosed, source: str, portfolio: Portfolio, config: AntiCorrelationConfig
) -> tuple[AntiCorrelationState, list[Message]]:
    """What is to be said of all bars up to the end before that of `cause`, and the state once it is said."""
    said: list[Message] = []
    fields = _correlations(state, portfolio, config) if state.ends_unpublished >= config.publish_every_bars else None
    if fields is not None:
        said.append(CorrelationsMeasured.caused_by(cause, source, **fields))
        state = msgspec.structs.replace(state, ends_unpublished=0)
    found = {
        (first, second): likeness(state.entries.get(first, ()), state.entries.get(second, ()), config)
        for first, second in _pairs(portfolio)
    }
    for pair, alike in found.items():
        if alike.share > config.copy_share_max and "/".join(pair) not in state.copying:
            said.append(_copy_trading(cause, source, pair, alike, portfolio, config))
    still = tuple("/".join(pair) for pair, alike in found.items() if _goes_on(state, pair, alike, config))
    return msgspec.structs.replace(state, copying=still), said


def _goes_on(
    state: AntiCorrelationState, pair: tuple[str, str], alike: Likeness, config: AntiCorrelationConfig
) -> bool:
    limit = config.copy_share_clear if "/".join(pair) in state.copying else config.copy_share_max
    return alike.share > limit


def _copy_trading(
    cause: BarClosed,
    source: str,
    pair: tuple[str, str],
    alike: Likeness,
    portfolio: Portfolio,
    config: AntiCorrelationConfig,
) -> Message:
    account = portfolio.account(pair[0])
    assert account is not None, "pairs are of accounts that were opened"
    return CopyTradingSeen.caused_by(
        cause,
        source,
        *pair,
        owner=account.owner,
        accounts=pair,
        measured=alike.share,
        limit=config.copy_share_max,
        evidence=alike.evidence,
    )


def _pairs(portfolio: Portfolio) -> list[tuple[str, str]]:
    """Every two accounts of one owner, sorted."""
    owners = sorted({account.owner for account in portfolio.accounts})
    names = [sorted(account.account_id for account in owned_by(portfolio, owner)) for owner in owners]
    return [pair for some in names for pair in combinations(some, 2)]


def _correlations(
    state: AntiCorrelationState, portfolio: Portfolio, config: AntiCorrelationConfig
) -> dict[str, Any] | None:
    """Of the instruments whose newest return is of the newest end; None with fewer than two, or too few returns."""
    symbols = tuple(
        symbol
        for symbol in sorted(state.series)
        if len(state.series[symbol].returns) >= config.returns_min and state.series[symbol].end_ns[-1] == state.end_ns
    )
    together = None if len(symbols) < 2 else comove(state.series, symbols, config)
    if together is None:
        return None
    return {"timeframe": config.timeframe, "effective_bets": fewest_bets(state, portfolio, config)} | {
        name: getattr(together, name) for name in ("symbols", "coefficients", "shrinkage_fraction", "returns")
    }


def fewest_bets(state: AntiCorrelationState, portfolio: Portfolio, config: AntiCorrelationConfig) -> Decimal | None:
    """Effective number of bets of the owner who has the fewest; None when all are flat or nothing can be measured."""
    owners = sorted({account.owner for account in portfolio.accounts})
    known = [bets for owner in owners if (bets := _bets_of(state, owner, portfolio, config)) is not None]
    return min(known, default=None)


def _bets_of(
    state: AntiCorrelationState, owner: str, portfolio: Portfolio, config: AntiCorrelationConfig
) -> Decimal | None:
    accounts = owned_by(portfolio, owner)
    currency = accounts[0].currency
    equity = total_equity(portfolio, accounts, currency)
    if equity is None or equity <= ZERO:
        return None
    risks = measure_risks(state, by_instrument(open_lines(portfolio, accounts)), portfolio, config, equity, currency)
    if not risks:
        return None
    together = comove(state.series, tuple(sorted(risks)), config)
    if together is None:
        return None
    variance = sum((risk * risk for risk in risks.values()), ZERO)
    variance += sum((2 * risks[a] * risks[b] * coefficient for a, b, coefficient in together.pairs()), ZERO)
    return effective_bets(sum((abs(risk) for risk in risks.values()), ZERO), max(ZERO, variance), len(risks))
