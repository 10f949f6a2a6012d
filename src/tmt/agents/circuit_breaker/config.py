"""Limits of the circuit breaker. What is measured may equal a limit; anything beyond it trips."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.domain.money import ONE, ZERO, Exact, fraction


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


class CircuitBreakerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the breaker decides by.

    Attributes:
        approval_seconds: how long a release may be used.
        strategies: names of the strategies that may trade; the orders of any other are refused.
        mark_age_seconds_max: oldest mark, of the order's instrument and of every held one that trades now, on which
            new risk is taken.
        loose: whether account and agent limits are multiplied by `loose_factor`; system limits never are.
        loose_factor: at least 1, and such that no fraction rises above 1.
    """

    approval_seconds: int
    strategies: tuple[str, ...]
    account: AccountLimits
    agent: AgentLimits
    cool_down_seconds: CoolDownSeconds
    half_open: HalfOpen
    mark_age_seconds_max: int
    loose: bool
    loose_factor: Exact

    def __post_init__(self) -> None:
        _at_least_one("approval_seconds", self.approval_seconds)
        _at_least_one("mark_age_seconds_max", self.mark_age_seconds_max)
        if not self.strategies:
            raise ValueError("strategies must name at least one, was empty")
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

    def consecutive_losses_max(self, tier: str) -> int:
        """Limit in force of the tier "account" or "agent", rounded down."""
        limits = self.account if tier == "account" else self.agent
        return int(limits.consecutive_losses_max * self._factor)

    @property
    def _factor(self) -> Decimal:
        return self.loose_factor if self.loose else ONE


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, was {value}")
