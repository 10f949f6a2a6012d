"""Configuration of the anti-correlation gate."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tmt.domain.money import Exact, fraction, positive
from tmt.market.bar import Timeframe


class UnknownCorrelation(StrEnum):
    """What too few common returns mean for two instruments that look like one bet (see `alike` in bets.py)."""

    PASS = "pass"  # noqa: S105
    REDUCE = "reduce"


class AntiCorrelationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When two positions are one bet. Correlations are signed by the positions' directions; a hedge is negative.

    Attributes:
        timeframe: bars whose returns are compared.
        window_bars: returns remembered by instrument.
        returns_min: common returns needed to know a correlation.
        correlation_inform: from here on the check warns.
        correlation_reduce: above it the order is cut, in a straight line down to nothing at `correlation_refuse`.
        correlation_refuse: from here on the order is refused.
        unknown_correlation: what to do while a correlation is unknown.
        unknown_keep_fraction: part of the quantity kept when that is "reduce".
        currency_net_ratio_max: net exposure of all accounts to one currency over their equity; inclusive.
        approval_seconds: life of an approval in event time.
    """

    timeframe: Timeframe
    window_bars: int
    returns_min: int
    correlation_inform: Exact
    correlation_reduce: Exact
    correlation_refuse: Exact
    unknown_correlation: UnknownCorrelation
    unknown_keep_fraction: Exact
    currency_net_ratio_max: Exact
    approval_seconds: int

    def __post_init__(self) -> None:
        for name in (
            "correlation_inform",
            "correlation_reduce",
            "correlation_refuse",
            "unknown_keep_fraction",
        ):
            fraction(name, getattr(self, name))
        if not self.correlation_inform <= self.correlation_reduce < self.correlation_refuse:
            raise ValueError(
                "correlation_inform, correlation_reduce and correlation_refuse must rise, were"
                f" {self.correlation_inform}, {self.correlation_reduce} and {self.correlation_refuse}"
            )
        positive("currency_net_ratio_max", self.currency_net_ratio_max)
        if self.returns_min < 3:
            raise ValueError(f"returns_min must be at least 3, was {self.returns_min}")
        if self.window_bars < self.returns_min:
            raise ValueError(f"window_bars must be at least returns_min {self.returns_min}, was {self.window_bars}")
        if self.approval_seconds < 1:
            raise ValueError(f"approval_seconds must be at least 1, was {self.approval_seconds}")
