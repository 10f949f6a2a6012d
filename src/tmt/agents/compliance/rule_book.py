"""Rule books: versioned sets of rules that bind accounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from tmt.agents.compliance.conduct_rules import (
    MandatoryStop,
    NoHedging,
    OrderRate,
    PermittedPersons,
    PriceCollar,
    PriceDrift,
    RestrictedInstruments,
    SelfCrossing,
    Sessions,
)
from tmt.agents.compliance.rules import (
    DailyLoss,
    Drawdown,
    Leverage,
    LossRule,
    OrderNotionalMax,
    OrderQuantityMax,
    PositionSizeMax,
    PositionsMax,
    RiskPerTrade,
    Rule,
)
from tmt.agents.compliance.timing_rules import MinimumHold, NewsBlackout

AnyRule = (
    DailyLoss
    | Drawdown
    | RiskPerTrade
    | PositionsMax
    | PositionSizeMax
    | MandatoryStop
    | Leverage
    | Sessions
    | RestrictedInstruments
    | PriceCollar
    | OrderRate
    | NoHedging
    | OrderNotionalMax
    | OrderQuantityMax
    | PriceDrift
    | SelfCrossing
    | PermittedPersons
    | NewsBlackout
    | MinimumHold
)

REQUIRED: Final[tuple[type[Rule], ...]] = (DailyLoss, Drawdown, RiskPerTrade, Leverage)
"""Kinds of rule that no book may lack, each as a hard rule."""


class RuleBook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules that bind an account, applied in this order.

    Attributes:
        version: raised with every change; each verdict carries it.

    Raises:
        ValueError: when a required limit is missing, or two rules share an id.
    """

    name: str
    version: int
    rules: tuple[AnyRule, ...]

    def __post_init__(self) -> None:
        if self.version < 1:
            raise ValueError(f"version of rule book {self.name} must be at least 1, was {self.version}")
        for kind in REQUIRED:
            if not any(isinstance(rule, kind) and rule.hard for rule in self.rules):
                name = kind.__struct_config__.tag
                raise ValueError(f"rule book {self.name} must set the hard limit {name!r}, which has no default")
        ids = [rule.id for rule in self.rules]
        for rule_id in ids:
            if ids.count(rule_id) > 1:
                raise ValueError(f"rule book {self.name} uses the id {rule_id!r} more than once")

    def loss_rules(self) -> Iterator[LossRule]:
        """The hard rules about losses, by which accounts are suspended."""
        return (rule for rule in self.rules if isinstance(rule, LossRule) and rule.hard)
