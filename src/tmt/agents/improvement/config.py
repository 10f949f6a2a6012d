"""Configuration of continuous improvement."""

from __future__ import annotations

import msgspec

from tmt.domain.money import Exact, fraction, positive


class ImprovementConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When outcomes are evidence.

    Attributes:
        evidence_trades_min: round trips of one setup on one instrument below which nothing is proposed.
        confidence_step: by how much a proposal raises the Wyckoff agent's `confidence_min`.
        confidence_ceiling: nothing is proposed above it; in [0, 1].
    """

    evidence_trades_min: int
    confidence_step: Exact
    confidence_ceiling: Exact

    def __post_init__(self) -> None:
        if self.evidence_trades_min < 2:
            raise ValueError(f"evidence_trades_min must be at least 2, was {self.evidence_trades_min}")
        positive("confidence_step", self.confidence_step)
        fraction("confidence_ceiling", self.confidence_ceiling)
