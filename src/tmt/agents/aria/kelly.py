"""Fractional Kelly: how much of the equity a setup's realised edge allows to be risked.

Sources: J. L. Kelly, A New Interpretation of Information Rate (1956); E. O. Thorp, The Kelly Criterion in Blackjack,
Sports Betting and the Stock Market (2006), from which the approximation for small bets: the growth rate of a bet of
the fraction f on an outcome R is f E[R] - f^2 E[R^2] / 2, greatest at f = E[R] / E[R^2].
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.aria.config import KellyConfig
from tmt.agents.aria.quantiles import student_quantile
from tmt.domain.money import ROUNDING, ZERO, Exact, divide
from tmt.messages import PositionClosed

R_DECIMALS: Final = 3
FRACTION_DECIMALS: Final = 6


class Edge(msgspec.Struct, frozen=True, array_like=True):
    """Outcomes of one setup in one account, in multiples of the risk taken (R), after fees.

    Attributes:
        trades: round trips that had a stop; the others have no R.
        sum_r, sum_r_squared: each R is rounded to 3 decimals before it is summed.
    """

    trades: int = 0
    sum_r: Exact = ZERO
    sum_r_squared: Exact = ZERO

    def after(self, trip: PositionClosed) -> Edge:
        """The outcomes with one more round trip."""
        if trip.risk_amount <= ZERO:
            return self
        r = divide(trip.realised - trip.fees, trip.risk_amount, places=R_DECIMALS)
        return Edge(self.trades + 1, self.sum_r + r, self.sum_r_squared + r * r)


def edge_key(account: str, strategy: str, setup: str) -> str:
    """Key of a setup's outcomes. By account: accounts that share a signal would count one outcome several times."""
    return f"{account}/{strategy}/{setup}"


def risk_fraction_cap(edge: Edge, config: KellyConfig) -> Decimal:
    """The most of the equity that a setup may risk, given at least two trades; never below the configured floor.

    The mean is taken at its one-sided lower confidence bound, mean - t s / sqrt(n), with Student's t of n - 1 degrees
    and the sample's standard deviation s; the second moment is the sample's.
    """
    count = Decimal(edge.trades)
    spread = count * edge.sum_r_squared - edge.sum_r * edge.sum_r
    error = ROUNDING.sqrt(divide(spread, count * count * (count - 1), places=18))
    margin = ROUNDING.multiply(student_quantile(config.confidence, edge.trades - 1), error)
    mean_low = ROUNDING.subtract(divide(edge.sum_r, count), margin)
    if mean_low <= ZERO:
        return config.kelly_floor_fraction
    full = divide(mean_low, divide(edge.sum_r_squared, count), places=FRACTION_DECIMALS)
    return max(config.kelly_floor_fraction, full * config.kelly_fraction)
