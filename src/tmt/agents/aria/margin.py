"""Margin: what a position ties up, and how far an account is from having to give it up."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from tmt.agents.aria.config import MarginConfig
from tmt.agents.aria.exposure import Unknown, commitments, margin_used
from tmt.domain.money import MAGNITUDE_MAX, ZERO, divide
from tmt.projections.portfolio import Portfolio

NORMAL: Final = "normal"


class MarginLevel(NamedTuple):
    """An account's margin level and its name, as in `MarginLevelChanged`."""

    name: str
    measured: Decimal
    limit: Decimal


def margin_level(portfolio: Portfolio, account: str, config: MarginConfig) -> MarginLevel | None:
    """Where an account stands with what it holds; None when that cannot be valued.

    Orders that work count when the next one is judged, but close nobody's positions.
    """
    stakes, equity = commitments(portfolio, account), portfolio.equity(account)
    if equity is None or isinstance(stakes, Unknown):
        return None
    used = margin_used([stake for stake in stakes if not stake.working], config.initial_margin_fractions)
    return named(level_of(equity, used), config)


def level_of(equity: Decimal, used: Decimal) -> Decimal:
    """Equity over margin used, at most 10**18, which stands for no margin used."""
    if used <= ZERO:
        return MAGNITUDE_MAX
    return max(-MAGNITUDE_MAX, min(MAGNITUDE_MAX, divide(equity, used)))


def named(measured: Decimal, config: MarginConfig) -> MarginLevel:
    """The level's name and the limit that it lies below; "normal" from the least warning level on."""
    for name, limit in (
        ("stop_out", config.stop_out_level_min),
        ("critical", config.critical_level_min),
        ("warn", config.warn_level_min),
    ):
        if measured < limit:
            return MarginLevel(name, measured, limit)
    return MarginLevel(NORMAL, measured, config.warn_level_min)
