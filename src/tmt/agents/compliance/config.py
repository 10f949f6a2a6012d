"""How strictly the rule books are applied; the limits themselves are in the books."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tmt.agents.compliance.surveillance_config import SurveillanceConfig
from tmt.domain.money import Exact, positive


class Mode(StrEnum):
    """STRICT refuses on every rule; LENIENT warns where a soft rule would refuse. Hard rules refuse in both."""

    STRICT = "strict"
    LENIENT = "lenient"


class StrategyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one strategy may do, all accounts together: the four families of RTS 6, Article 8. Limits are inclusive.

    Attributes:
        instruments_max: instruments in which it holds, works or wants something.
        order_notional_max: of one order, in the currency of its account.
        orders_per_day_max: orders that may open or add, by the UTC day.
        positions_max: pairs of account and instrument in which it holds, works or wants something.
        venues_max: venues of those accounts.
    """

    instruments_max: int
    order_notional_max: Exact
    orders_per_day_max: int
    positions_max: int
    venues_max: int

    def __post_init__(self) -> None:
        positive("order_notional_max", self.order_notional_max)
        for name in ("instruments_max", "orders_per_day_max", "positions_max", "venues_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, was {getattr(self, name)}")


class ComplianceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gate needs beside the rule books.

    Attributes:
        approval_seconds: how long its approval may be used.
        strategies: by name; one without limits may not trade.
        reinstate_roles: roles by which a person may take a suspended account back into trading.
    """

    approval_seconds: int
    mode: Mode
    reinstate_roles: tuple[str, ...]
    strategies: dict[str, StrategyLimits]
    surveillance: SurveillanceConfig

    def __post_init__(self) -> None:
        if self.approval_seconds < 1:
            raise ValueError(f"approval_seconds must be at least 1, was {self.approval_seconds}")
