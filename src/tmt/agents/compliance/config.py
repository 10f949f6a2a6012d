"""How strictly the rule books are applied; the limits themselves are in the books."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Mode(StrEnum):
    """STRICT refuses on every rule; LENIENT warns where a soft rule would refuse. Hard rules refuse in both."""

    STRICT = "strict"
    LENIENT = "lenient"


class ComplianceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gate needs beside the rule books.

    Attributes:
        approval_seconds: how long its approval may be used.
    """

    approval_seconds: int
    mode: Mode

    def __post_init__(self) -> None:
        if self.approval_seconds < 1:
            raise ValueError(f"approval_seconds must be at least 1, was {self.approval_seconds}")
