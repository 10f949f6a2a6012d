"""Limits of the circuit breaker. What is measured may equal a limit; anything beyond it trips."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.domain.money import ONE, ZERO, Exact, fraction, positive
from tmt.domain.stop import MAY_RESUME
from tmt.market.bar import Timeframe


class AccountLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an account's breaker opens.

    Attributes:
        daily_loss_fraction_max: loss since the account's day began, over the equity it began with.
        drawdown_fraction_max: fall from the highest equity, over it.
        reduce_at_fraction: share of either limit beyond which the account may only shrink positions.
        consecutive_losses_max: losses in a row that are still borne.
    """

    daily_loss_fraction_max: Exact
    drawdown_fraction_max: Exact
    reduce_at_fraction: Exact
    consecutive_losses_max: int

    def __post_init__(self) -> None:
        for name in ("daily_loss_fraction_max", "drawdown_fraction_max", "reduce_at_fraction"):
            value = getattr(self, name)
            fraction(name, value)
            if value == ZERO:
                raise ValueError(f"{name} must be above 0, was {value}")
        _at_least_one("consecutive_losses_max", self.consecutive_losses_max)


class AgentLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a strategy's breaker opens: losses in a row, over all accounts, that are still borne."""

    consecutive_losses_max: int

    def __post_init__(self) -> None:
        _at_least_one("consecutive_losses_max", self.consecutive_losses_max)


class CoolDownSeconds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Event time, by tier, from a breaker's opening to its first test order; exactly this long is long enough."""

    agent: int
    account: int
    system: int

    def __post_init__(self) -> None:
        for name in ("agent", "account", "system"):
            _at_least_one(f"cool_down_seconds.{name}", getattr(self, name))


class HalfOpen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a breaker is tried out.

    Attributes:
        test_orders_max: test orders that may be outstanding at once in one scope.
        successes_to_close: positions closed without a loss that close the breaker; one loss opens it.
    """

    test_orders_max: int
    successes_to_close: int

    def __post_init__(self) -> None:
        _at_least_one("test_orders_max", self.test_orders_max)
        _at_least_one("successes_to_close", self.successes_to_close)


class InstrumentLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an instrument's breaker opens for how its price moves.

    Attributes:
        timeframe_min: returns are of the shortest bars that come and are no shorter than this.
        sigmas_max: a bar's return over the deviation of the returns before it.
        decay_fraction: weight of the past in that deviation, in (0, 1).
        returns_min: returns that the deviation must rest on before it judges.
        volatility_confirmations, volatility_samples: it opens when so many of so many bars are beyond `sigmas_max`.
        gap_fraction_max: open of a bar from the close before, over that close; one is enough.
    """

    timeframe_min: Timeframe
    sigmas_max: Exact
    decay_fraction: Exact
    returns_min: int
    volatility_confirmations: int
    volatility_samples: int
    gap_fraction_max: Exact

    def __post_init__(self) -> None:
        positive("sigmas_max", self.sigmas_max)
        positive("decay_fraction", self.decay_fraction)
        if self.decay_fraction >= ONE:
            raise ValueError(f"decay_fraction must be below 1, was {self.decay_fraction}")
        positive("gap_fraction_max", self.gap_fraction_max)
        _at_least_one("returns_min", self.returns_min)
        _confirmable("volatility", self.volatility_confirmations, self.volatility_samples)


class VenueLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a venue's breaker opens.

    Attributes:
        answer_seconds_max: event time from a submission to the venue's first answer.
        answer_confirmations, answer_samples: it opens when so many of so many answers take longer.
        rejection_confirmations, rejection_samples: it opens when so many of so many submissions are rejected.
    """

    answer_seconds_max: Exact
    answer_confirmations: int
    answer_samples: int
    rejection_confirmations: int
    rejection_samples: int

    def __post_init__(self) -> None:
        positive("answer_seconds_max", self.answer_seconds_max)
        _confirmable("answer", self.answer_confirmations, self.answer_samples)
        _confirmable("rejection", self.rejection_confirmations, self.rejection_samples)


class RepeatedExecution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a strategy's breaker opens for entering again and again; only a person lifts that.

    Attributes:
        entries_max: entries of one strategy in one account, instrument and side within the window.
        window_seconds: its length in event time.
    """

    entries_max: int
    window_seconds: int

    def __post_init__(self) -> None:
        _at_least_one("entries_max", self.entries_max)
        _at_least_one("window_seconds", self.window_seconds)


class CircuitBreakerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the breaker decides by.

    Attributes:
        approval_seconds: how long a release may be used.
        strategies: names of the strategies that may trade; the orders of any other are refused.
        mark_age_seconds_max: oldest mark, of the order's instrument and of every held one that trades now, on which
            new risk is taken.
        resume_roles: roles by which a person may lift a halt; after a lock "admin" alone may, if it is one of them.
        loose: whether the soft limits of accounts and agents are multiplied by `loose_factor`; they are daily loss,
            drawdown, losses in a row, `sigmas_max`, `gap_fraction_max` and `answer_seconds_max`.
        loose_factor: at least 1, and such that no fraction of equity rises above 1.
    """

    approval_seconds: int
    strategies: tuple[str, ...]
    account: AccountLimits
    agent: AgentLimits
    instrument: InstrumentLimits
    venue: VenueLimits
    repeated_execution: RepeatedExecution
    cool_down_seconds: CoolDownSeconds
    half_open: HalfOpen
    mark_age_seconds_max: int
    resume_roles: tuple[str, ...]
    loose: bool
    loose_factor: Exact

    def __post_init__(self) -> None:
        _at_least_one("approval_seconds", self.approval_seconds)
        _at_least_one("mark_age_seconds_max", self.mark_age_seconds_max)
        if not self.strategies:
            raise ValueError("strategies must name at least one, was empty")
        if not self.resume_roles:
            raise ValueError("resume_roles must name at least one, was empty")
        if not MAY_RESUME.issuperset(self.resume_roles):
            raise ValueError(f"resume_roles must be of {', '.join(sorted(MAY_RESUME))}, was {self.resume_roles}")
        if self.loose_factor < ONE:
            raise ValueError(f"loose_factor must be at least 1, was {self.loose_factor}")
        for name in ("daily_loss_fraction_max", "drawdown_fraction_max"):
            fraction(f"loose_factor × {name}", getattr(self.account, name) * self.loose_factor)

    @property
    def daily_loss_fraction_max(self) -> Decimal:
        """The account's limit in force."""
        return self.account.daily_loss_fraction_max * self._factor

    @property
    def drawdown_fraction_max(self) -> Decimal:
        """The account's limit in force."""
        return self.account.drawdown_fraction_max * self._factor

    @property
    def sigmas_max(self) -> Decimal:
        """The instruments' limit in force."""
        return self.instrument.sigmas_max * self._factor

    @property
    def gap_fraction_max(self) -> Decimal:
        """The instruments' limit in force."""
        return self.instrument.gap_fraction_max * self._factor

    @property
    def answer_seconds_max(self) -> Decimal:
        """The venues' limit in force."""
        return self.venue.answer_seconds_max * self._factor

    def consecutive_losses_max(self, tier: str) -> int:
        """Limit in force of the tier "account" or "agent", rounded down."""
        limits = self.account if tier == "account" else self.agent
        return int(limits.consecutive_losses_max * self._factor)

    @property
    def _factor(self) -> Decimal:
        return self.loose_factor if self.loose else ONE


def _confirmable(name: str, confirmations: int, samples: int) -> None:
    _at_least_one(f"{name}_confirmations", confirmations)
    if confirmations > samples:
        raise ValueError(f"{name}_confirmations must be at most {name}_samples, {samples}, was {confirmations}")


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, was {value}")
