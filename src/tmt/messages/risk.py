"""Risk: what accounts may lose, and how their bets move together."""

from __future__ import annotations

from tmt.domain.money import Exact
from tmt.market.bar import Timeframe
from tmt.messages.message import Message


class RiskMeasured(Message, frozen=True, kw_only=True):
    """What an account may lose over the next bar of `timeframe`, by `method` ("historical" or "ewma").

    Attributes:
        confidence: in (0, 1); the loss exceeds `value_at_risk` with probability 1 - confidence.
        value_at_risk, expected_shortfall: losses, positive, in `currency`.
        returns: how many it rests on.
    """

    account: str
    method: str
    timeframe: Timeframe
    confidence: Exact
    value_at_risk: Exact
    expected_shortfall: Exact
    equity: Exact
    currency: str
    returns: int


class MarginLevelChanged(Message, frozen=True, kw_only=True):
    """An account's margin level, equity over margin used, crossed a line.

    Attributes:
        level: "normal", "warn", "critical" or "stop_out".
        measured, limit: ratios; the level holds below the limit, "normal" from it on.
    """

    account: str
    level: str
    measured: Exact
    limit: Exact


class CorrelationsMeasured(Message, frozen=True, kw_only=True):
    """How the instruments' returns move together, at a bar's end.

    Attributes:
        symbols: sorted.
        coefficients: shrunk correlations of each pair, row by row of the upper triangle without the diagonal.
        shrinkage_fraction: weight of the target, in [0, 1].
        returns: common returns used.
        effective_bets: how many independent bets the owner's positions are; None when flat.
    """

    timeframe: Timeframe
    symbols: tuple[str, ...]
    coefficients: tuple[Exact, ...]
    shrinkage_fraction: Exact
    returns: int
    effective_bets: Exact | None


class CopyTradingSeen(Message, frozen=True, kw_only=True):
    """Accounts of one owner trade alike without being told to; compliance hears of it.

    Attributes:
        owner: whose accounts.
        accounts: sorted.
        measured: share of their entries that have a like one in the other account.
        evidence: order ids.
    """

    owner: str
    accounts: tuple[str, ...]
    measured: Exact
    limit: Exact
    evidence: tuple[str, ...]
