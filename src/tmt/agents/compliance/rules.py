"""What a rule is, and the rules about money: losses, risk, size, leverage.

Every limit is inclusive: what is measured may equal it. Comparisons are exact; `measured` is rounded.
Fractions and ratios are of equity unless a rule says otherwise.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from tmt.agents.compliance.case import Case, Finding, Unknown
from tmt.domain.money import ZERO, Exact, divide, fraction, positive
from tmt.projections.portfolio import Portfolio


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One rule of a book.

    Attributes:
        id: its name within the book; denials carry it.
        hard: refuses in every mode; a soft rule only warns in the lenient one.
    """

    id: str
    hard: bool

    def check(self, case: Case) -> Finding:
        """Measure the order.

        Raises:
            Unknown: when something needed is not known.
        """
        raise NotImplementedError


class LossRule(Rule, frozen=True, kw_only=True):
    """Bounds how far equity may fall below a reference, as a fraction of that reference; a profit is a loss of 0.

    An order is judged by the equity that is left if it filled and every stop of the account were hit; the account
    itself is watched by its equity as it is.
    """

    loss_fraction_max: Exact

    def __post_init__(self) -> None:
        fraction("loss_fraction_max", self.loss_fraction_max)

    def reference_amount(self, account: str, portfolio: Portfolio) -> Decimal | None:
        """What the loss is measured from, in the account's currency; None when it is not known."""
        raise NotImplementedError

    def check(self, case: Case) -> Finding:
        return self._measure(case.account.account_id, case.portfolio, case.equity_if_stopped)

    def watch(self, account: str, portfolio: Portfolio) -> Finding:
        """Measure the account as it stands.

        Raises:
            Unknown: when its equity is not known.
        """
        equity = portfolio.equity(account)
        if equity is None:
            raise Unknown("no_equity", f"the equity of {account} is not known")
        return self._measure(account, portfolio, equity)

    def _measure(self, account: str, portfolio: Portfolio, equity: Decimal) -> Finding:
        reference = self.reference_amount(account, portfolio)
        if reference is None or reference <= ZERO:
            raise Unknown("no_equity", f"{self.id} of {account} has no equity to be measured from")
        loss = max(ZERO, reference - equity)
        breach = None
        if loss > self.loss_fraction_max * reference:
            breach = f"{account} would be {loss} below {reference}: more than a fraction of {self.loss_fraction_max}"
        return Finding(divide(loss, reference), self.loss_fraction_max, "fraction", breach)


class DailyLoss(LossRule, frozen=True, kw_only=True, tag="daily_loss"):
    """Loss since the account's trading day began, over the equity it began with. Suspends until the day turns."""

    def reference_amount(self, account: str, portfolio: Portfolio) -> Decimal | None:
        return portfolio.day_start_equity(account)


class DrawdownFrom(StrEnum):
    """DEPOSIT keeps the floor where it was on the first day (static); PEAK lets it trail the highest equity."""

    DEPOSIT = "deposit"
    PEAK = "peak"


class Drawdown(LossRule, frozen=True, kw_only=True, tag="drawdown"):
    """Fall from the deposit or from the peak. Suspends until a person resumes trading."""

    measured_from: DrawdownFrom

    def reference_amount(self, account: str, portfolio: Portfolio) -> Decimal | None:
        if self.measured_from is DrawdownFrom.PEAK:
            return portfolio.peak_equity(account)
        known = portfolio.account(account)
        return None if known is None else known.deposit


class RiskPerTrade(Rule, frozen=True, kw_only=True, tag="risk_per_trade"):
    """Loss if the order's own stop is hit; an order without a stop risks its whole notional."""

    equity_fraction_max: Exact

    def __post_init__(self) -> None:
        fraction("equity_fraction_max", self.equity_fraction_max)

    def check(self, case: Case) -> Finding:
        return _share_of_equity(case, case.risk_amount, self.equity_fraction_max, "fraction", "at risk")


class PositionsMax(Rule, frozen=True, kw_only=True, tag="positions_max"):
    """Instruments in which the account holds, works or wants a position."""

    count_max: int

    def __post_init__(self) -> None:
        if self.count_max < 1:
            raise ValueError(f"count_max must be at least 1, was {self.count_max}")

    def check(self, case: Case) -> Finding:
        count = len(case.symbols)
        breach = f"{count} instruments at once: {', '.join(case.symbols)}" if count > self.count_max else None
        return Finding(Decimal(count), Decimal(self.count_max), "count", breach)


class PositionSizeMax(Rule, frozen=True, kw_only=True, tag="position_size_max"):
    """Notional in the order's instrument if all its working orders filled, over equity."""

    equity_ratio_max: Exact

    def __post_init__(self) -> None:
        positive("equity_ratio_max", self.equity_ratio_max)

    def check(self, case: Case) -> Finding:
        exposure = case.exposures[case.order.instrument]
        return _share_of_equity(case, exposure, self.equity_ratio_max, "ratio", f"in {case.order.instrument}")


class Leverage(Rule, frozen=True, kw_only=True, tag="leverage"):
    """Gross exposure, working orders included, over equity."""

    equity_ratio_max: Exact

    def __post_init__(self) -> None:
        positive("equity_ratio_max", self.equity_ratio_max)

    def check(self, case: Case) -> Finding:
        exposure = sum(case.exposures.values(), ZERO)
        return _share_of_equity(case, exposure, self.equity_ratio_max, "ratio", "of gross exposure")


def _share_of_equity(case: Case, amount: Decimal, limit: Decimal, unit: str, what: str) -> Finding:
    breach = None
    if amount > limit * case.equity:
        breach = f"{amount} {case.account.currency} {what} against an equity of {case.equity}"
    return Finding(divide(amount, case.equity), limit, unit, breach)
