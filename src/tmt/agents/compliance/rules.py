"""What a rule is, and the rules about money: losses, risk, size, leverage.

Every limit is inclusive: what is measured may equal it. Comparisons are exact; `measured` is rounded.
Fractions and ratios are of equity unless a rule says otherwise.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from tmt.agents.compliance.case import Case, Finding, Unknown
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact, divide, fraction, positive
from tmt.domain.news import NewsCalendar
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.projections.portfolio import Portfolio

MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND
MINUTES_REMEMBERED: Final = 60
"""How far back the marks are known that a rule may ask for."""


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

    def bars_from_ns(self, instrument: Instrument, news: NewsCalendar, now_ns: int, ahead_ns: int) -> int | None:
        """Since when, or from when at most `ahead_ns` later, the time of day alone refuses every entry; else None."""
        del instrument, news, now_ns, ahead_ns
        return None


class LossRule(Rule, frozen=True, kw_only=True):
    """Bounds how far equity may fall below a reference, as a fraction of that reference; a profit is a loss of 0.

    An order is judged by the equity that is left if it filled and every stop of the account were hit; the account
    itself is watched by its equity as it is.

    Attributes:
        flatten: an account that a hard limit suspends has its positions closed.
    """

    loss_fraction_max: Exact
    flatten: bool = False

    def __post_init__(self) -> None:
        fraction("loss_fraction_max", self.loss_fraction_max)

    def reference_amount(self, account: str, portfolio: Portfolio) -> Decimal | None:
        """What the loss is measured from, in the account's currency; None when it is not known."""
        raise NotImplementedError

    def allowed_amount(self, reference: Decimal, account: str, portfolio: Portfolio) -> Decimal:
        """How far below the reference equity may be, in the account's currency."""
        return self.loss_fraction_max * reference

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
        loss, allowed = max(ZERO, reference - equity), self.allowed_amount(reference, account, portfolio)
        breach = f"{account} would be {loss} below {reference}, {allowed} at most" if loss > allowed else None
        return Finding(divide(loss, reference), divide(allowed, reference), "fraction", breach)


class DailyLoss(LossRule, frozen=True, kw_only=True, tag="daily_loss"):
    """Loss since the account's trading day began, over the equity it began with. Suspends until the day turns."""

    def reference_amount(self, account: str, portfolio: Portfolio) -> Decimal | None:
        return portfolio.day_start_equity(account)


class DrawdownFrom(StrEnum):
    """DEPOSIT keeps the floor where it was on the first day (static); the others let it trail.

    PEAK follows the highest equity at any moment, CLOSING_PEAK the highest with which a trading day has ended.
    """

    DEPOSIT = "deposit"
    PEAK = "peak"
    CLOSING_PEAK = "closing_peak"


class Drawdown(LossRule, frozen=True, kw_only=True, tag="drawdown"):
    """Fall from the deposit or from a peak. Suspends until a person reinstates the account.

    Attributes:
        locks_at_deposit: a floor that trails rises to the deposit and no further.
    """

    measured_from: DrawdownFrom
    locks_at_deposit: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.locks_at_deposit and self.measured_from is DrawdownFrom.DEPOSIT:
            raise ValueError("locks_at_deposit must be false where measured_from is the deposit: its floor never moves")

    def reference_amount(self, account: str, portfolio: Portfolio) -> Decimal | None:
        match self.measured_from:
            case DrawdownFrom.PEAK:
                return portfolio.peak_equity(account)
            case DrawdownFrom.CLOSING_PEAK:
                return portfolio.closing_peak_equity(account)
            case DrawdownFrom.DEPOSIT:
                return _deposit(account, portfolio)

    def allowed_amount(self, reference: Decimal, account: str, portfolio: Portfolio) -> Decimal:
        allowed, deposit = super().allowed_amount(reference, account, portfolio), _deposit(account, portfolio)
        return max(allowed, reference - deposit) if self.locks_at_deposit and deposit is not None else allowed


class RiskPerTrade(Rule, frozen=True, kw_only=True, tag="risk_per_trade"):
    """Loss if the order's own stop is hit; an order without a stop risks its whole notional."""

    equity_fraction_max: Exact

    def __post_init__(self) -> None:
        fraction("equity_fraction_max", self.equity_fraction_max)

    def check(self, case: Case) -> Finding:
        return _share_of_equity(case, case.risk_amount, self.equity_fraction_max, "fraction", "at risk")


class OrderNotionalMax(Rule, frozen=True, kw_only=True, tag="order_notional_max"):
    """Notional of one order, whole before it is cut into slices, in the account's currency."""

    amount_max: Exact

    def __post_init__(self) -> None:
        positive("amount_max", self.amount_max)

    def check(self, case: Case) -> Finding:
        notional, currency = case.notional, case.account.currency
        breach = f"its notional is {notional} {currency}" if notional > self.amount_max else None
        return Finding(notional, self.amount_max, currency, breach)


class OrderQuantityMax(Rule, frozen=True, kw_only=True, tag="order_quantity_max"):
    """Size of one order, whole before it is cut into slices, in lots of its instrument."""

    lots_max: int

    def __post_init__(self) -> None:
        if self.lots_max < 1:
            raise ValueError(f"lots_max must be at least 1, was {self.lots_max}")

    def check(self, case: Case) -> Finding:
        lots = divide(case.order.quantity, case.instrument.lot_size)
        breach = f"{lots} lots of {case.instrument.lot_size} at once" if lots > self.lots_max else None
        return Finding(lots, Decimal(self.lots_max), "lots", breach)


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


def _deposit(account: str, portfolio: Portfolio) -> Decimal | None:
    known = portfolio.account(account)
    return None if known is None else known.deposit


def _share_of_equity(case: Case, amount: Decimal, limit: Decimal, unit: str, what: str) -> Finding:
    breach = None
    if amount > limit * case.equity:
        breach = f"{amount} {case.account.currency} {what} against an equity of {case.equity}"
    return Finding(divide(amount, case.equity), limit, unit, breach)
