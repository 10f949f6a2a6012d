"""Margin stop-out: which positions an account gives up, the largest user of margin first, and no more than it must."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tmt.agents.aria.config import MarginConfig
from tmt.agents.aria.exit_config import ExitRule
from tmt.agents.aria.exits import GATE, Exit, closing_quantity
from tmt.agents.aria.exposure import Unknown, commitments, margin_used
from tmt.agents.aria.margin import level_of
from tmt.agents.verdict import Waterfall
from tmt.domain.money import ROUNDING, ZERO
from tmt.domain.position import Position
from tmt.projections.portfolio import Portfolio

STOP_OUT: Final = "stop_out"


def given_up(portfolio: Portfolio, account: str, config: MarginConfig) -> Iterator[tuple[Position, Exit]]:
    """Positions to close whole, until equity is `stop_out_level_min` of the margin that the others use.

    What is being closed already counts as closed. Nothing while the account cannot be valued.
    """
    stakes, equity = commitments(portfolio, account), portfolio.equity(account)
    if equity is None or isinstance(stakes, Unknown):
        return
    margins = {
        stake.instrument.symbol: margin_used([stake], config.initial_margin_fractions)
        for stake in stakes
        if not stake.working
    }
    used = sum(margins.values(), ZERO)
    level, limit = level_of(equity, used), config.stop_out_level_min
    by_margin = sorted(portfolio.positions(account), key=lambda held: (-margins[held.instrument], held.instrument))
    closing = [held for held in by_margin if closing_quantity(portfolio, held) > ZERO]
    used -= sum((margins[held.instrument] for held in closing), ZERO)
    for position in by_margin:
        if _suffices(equity, used, limit):
            return
        if position not in closing:
            used -= margins[position.instrument]
            told = Waterfall(GATE, abs(position.quantity))
            told.warns("exit_margin", level, limit, "ratio", at_least=True)
            yield position, Exit(rule=ExitRule.MARGIN, quantity=abs(position.quantity), checks=told.checks)


def _suffices(equity: Decimal, used: Decimal, limit: Decimal) -> bool:
    return equity >= ROUNDING.multiply(used, limit)
