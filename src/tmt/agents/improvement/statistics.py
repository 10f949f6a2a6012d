"""Outcomes of one setup on one instrument in multiples of the risk taken (R), summed exactly: order does not matter.

Source of R: Van K. Tharp, Trade Your Way to Financial Freedom (1998). Source of the interval: Student (1908);
critical values from the NIST/SEMATECH e-Handbook of Statistical Methods, table of upper critical values of Student's t.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.domain.money import ROUNDING, ZERO, Exact, divide, round_half_even
from tmt.messages import PositionClosed

R_DECIMALS: Final = 3
STATISTIC_DECIMALS: Final = 4

_T_975: Final = (
    12706, 4303, 3182, 2776, 2571, 2447, 2365, 2306, 2262, 2228, 2201, 2179, 2160, 2145, 2131,
    2120, 2110, 2101, 2093, 2086, 2080, 2074, 2069, 2064, 2060, 2056, 2052, 2048, 2045, 2042,
)  # fmt: skip
"""Thousandths, for 1 to 30 degrees of freedom."""

_T_975_BEYOND: Final = ((100, 1984), (60, 2000), (40, 2021))


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over round trips. Money is after fees, in the instrument's quote currency.

    Attributes:
        trades: trips that had a stop; only these count below.
        unprotected: trips without a stop, which have no R.
        sum_r, sum_r_squared: each R is rounded to 3 decimals before it is summed.
        won_amount, lost_amount: both at least 0.
    """

    trades: int = 0
    wins: int = 0
    unprotected: int = 0
    sum_r: Exact = ZERO
    sum_r_squared: Exact = ZERO
    won_amount: Exact = ZERO
    lost_amount: Exact = ZERO

    def after(self, trip: PositionClosed) -> Outcomes:
        """The sums with one more round trip."""
        if trip.risk_amount <= ZERO:
            return msgspec.structs.replace(self, unprotected=self.unprotected + 1)
        net = trip.realised - trip.fees
        r = divide(net, trip.risk_amount, places=R_DECIMALS)
        return Outcomes(
            trades=self.trades + 1,
            wins=self.wins + (1 if net > ZERO else 0),
            unprotected=self.unprotected,
            sum_r=self.sum_r + r,
            sum_r_squared=self.sum_r_squared + r * r,
            won_amount=self.won_amount + max(ZERO, net),
            lost_amount=self.lost_amount + max(ZERO, -net),
        )

    @property
    def win_rate(self) -> Decimal:
        """Share of trips that made money after fees, in [0, 1]; needs a trade."""
        return divide(Decimal(self.wins), Decimal(self.trades), places=STATISTIC_DECIMALS)

    @property
    def profit_factor(self) -> Decimal | None:
        """Money won over money lost; None while nothing was lost."""
        if self.lost_amount == ZERO:
            return None
        return divide(self.won_amount, self.lost_amount, places=STATISTIC_DECIMALS)

    def expectancy_r(self) -> tuple[Decimal, Decimal, Decimal]:
        """Mean R with its two-sided 95 % interval: (mean, low, high); needs a trade.

        The interval takes trips as independent and is the mean itself for a single trade, which is no evidence.
        """
        count = Decimal(self.trades)
        mean = divide(self.sum_r, count)
        margin = ZERO
        if self.trades > 1:
            spread = count * self.sum_r_squared - self.sum_r * self.sum_r
            error = ROUNDING.sqrt(divide(spread, count * count * (count - 1), places=18))
            margin = ROUNDING.multiply(student_t(self.trades - 1), error)
        low, high = ROUNDING.subtract(mean, margin), ROUNDING.add(mean, margin)
        return (
            round_half_even(mean, STATISTIC_DECIMALS),
            round_half_even(low, STATISTIC_DECIMALS),
            round_half_even(high, STATISTIC_DECIMALS),
        )


def student_t(degrees: int) -> Decimal:
    """97.5th percentile of Student's t; between tabulated degrees of freedom the wider value below is taken."""
    if degrees <= len(_T_975):
        return Decimal(_T_975[degrees - 1]).scaleb(-3)
    return Decimal(next((value for least, value in _T_975_BEYOND if degrees >= least), _T_975[-1])).scaleb(-3)
