"""Configuration of the anti-correlation gate."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tmt.domain.money import ONE, Exact, fraction, positive
from tmt.market.bar import Timeframe


class UnknownCorrelation(StrEnum):
    """What too few common returns mean for two instruments that look like one bet (see `alike` in bets.py)."""

    PASS = "pass"  # noqa: S105
    REDUCE = "reduce"
    REFUSE = "refuse"


_FRACTIONS: Final = (
    "correlation_inform",
    "correlation_reduce",
    "correlation_refuse",
    "unknown_keep_fraction",
    "risk_contribution_max",
    "cluster_correlation_min",
    "copy_share_max",
    "copy_share_clear",
)
_POSITIVE: Final = (
    "cluster_correlation_min",
    "cluster_risk_fraction_max",
    "currency_net_ratio_max",
    "owner_gross_ratio_max",
    "firm_gross_ratio_max",
)
_LEAST: Final = {
    "half_life_bars": 1,
    "returns_min": 3,
    "book_instruments_min": 2,
    "publish_every_bars": 1,
    "copy_window_seconds": 0,
    "copy_entries_min": 1,
    "approval_seconds": 1,
}


class AntiCorrelationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When two positions are one bet. Correlations are signed by the positions' directions; a hedge is negative.

    Every limit is inclusive. Risk is one standard deviation of the worth of a position over one bar of `timeframe`.

    Attributes:
        timeframe: bars whose returns are compared.
        window_bars: returns remembered by instrument.
        half_life_bars: common bars after which a return weighs half.
        returns_min: common returns needed to know a correlation.
        correlation_inform: from here on the check warns.
        correlation_reduce: above it the order is cut, in a straight line down to nothing at `correlation_refuse`.
        correlation_refuse: from here on the order is refused.
        unknown_correlation: what to do while a correlation is unknown.
        unknown_keep_fraction: part of the quantity kept when that is "reduce".
        book_instruments_min: instruments in the owner's book, the order's among them, from which on the next two hold.
        risk_contribution_max: share of the book's variance that the order's instrument may have.
        effective_bets_min: effective number of bets that the order may not bring the book below; at least 1.
        cluster_correlation_min: correlation, of either sign, from which on two instruments are of one cluster.
        cluster_risk_fraction_max: risk of a cluster of two or more instruments over the owner's equity.
        currency_net_ratio_max: net exposure of the owner's accounts to one currency over their equity.
        owner_gross_ratio_max: gross exposure of the owner's accounts, working orders included, over their equity.
        firm_gross_ratio_max: that of all accounts, whoever owns them.
        publish_every_bars: ends of bars from one `CorrelationsMeasured` to the next.
        copy_window_seconds: how far apart two like entries may be to count as one copying the other.
        copy_entries_max: newest entries of each account that are compared.
        copy_entries_min: entries of an account below which nothing is said of it.
        copy_share_max: share of copied entries above which `CopyTradingSeen` is said.
        copy_share_clear: share down to which it must fall before it is said again.
        approval_seconds: life of an approval in event time.
    """

    timeframe: Timeframe
    window_bars: int
    half_life_bars: int
    returns_min: int
    correlation_inform: Exact
    correlation_reduce: Exact
    correlation_refuse: Exact
    unknown_correlation: UnknownCorrelation
    unknown_keep_fraction: Exact
    book_instruments_min: int
    risk_contribution_max: Exact
    effective_bets_min: Exact
    cluster_correlation_min: Exact
    cluster_risk_fraction_max: Exact
    currency_net_ratio_max: Exact
    owner_gross_ratio_max: Exact
    firm_gross_ratio_max: Exact
    publish_every_bars: int
    copy_window_seconds: int
    copy_entries_max: int
    copy_entries_min: int
    copy_share_max: Exact
    copy_share_clear: Exact
    approval_seconds: int

    def __post_init__(self) -> None:
        for name in _FRACTIONS:
            fraction(name, getattr(self, name))
        for name in _POSITIVE:
            positive(name, getattr(self, name))
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, was {getattr(self, name)}")
        if not self.correlation_inform <= self.correlation_reduce < self.correlation_refuse:
            raise ValueError(
                "correlation_inform, correlation_reduce and correlation_refuse must rise, were"
                f" {self.correlation_inform}, {self.correlation_reduce} and {self.correlation_refuse}"
            )
        if self.window_bars < self.returns_min:
            raise ValueError(f"window_bars must be at least returns_min {self.returns_min}, was {self.window_bars}")
        if self.effective_bets_min < ONE:
            raise ValueError(f"effective_bets_min must be at least 1, was {self.effective_bets_min}")
        if self.copy_entries_max < self.copy_entries_min:
            raise ValueError(
                f"copy_entries_max must be at least copy_entries_min {self.copy_entries_min},"
                f" was {self.copy_entries_max}"
            )
        if self.copy_share_clear > self.copy_share_max:
            raise ValueError(
                f"copy_share_clear must be at most copy_share_max {self.copy_share_max}, was {self.copy_share_clear}"
            )
