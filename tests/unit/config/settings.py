"""Small sections, and folders of files, for the tests of configuration."""

from pathlib import Path
from typing import Literal

import msgspec

from tmt.config import Loaded, load
from tmt.domain.money import Exact, fraction
from tmt.domain.order import Side


class Band(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One band.

    Attributes:
        upper, factor: both in [0, 1].
    """

    upper: Exact
    factor: Exact

    def __post_init__(self) -> None:
        fraction("upper", self.upper)
        fraction("factor", self.factor)


class Risk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may be lost.

    Attributes:
        risk_fraction: of equity at the stop of one order,
            rounding not included.
        bands: ascending.
        names: by symbol.
        mode: what happens beyond.
        side: the only one allowed.
        note: free text, or none.
    """

    risk_fraction: Exact
    orders_max: int
    strict: bool
    bands: tuple[Band, ...]
    names: dict[str, int]
    mode: Literal["stop", "warn"]
    side: Side
    note: str | None = None

    def __post_init__(self) -> None:
        fraction("risk_fraction", self.risk_fraction)
        if self.orders_max < 1:
            raise ValueError(f"orders_max must be at least 1, was {self.orders_max}")


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule book."""

    version: int


TYPES = {"risk": Risk, "bands": tuple[Band, ...], "rule_books": dict[str, Rules]}

RISK = """\
# How much may be lost.
risk_fraction: 0.10   # a tenth
orders_max: 3
strict: true
bands:
  - {upper: 0.5, factor: 1}
  - upper: 1
    factor: 0.25
names: {EURUSD: 7}
mode: stop
side: buy
"""
BANDS = "bands:\n  - {upper: 1, factor: 1}\n"


def packaged(folder: Path, *, risk: str = RISK, bands: str = BANDS) -> Path:
    """A folder of default files."""
    (folder / "rule_books").mkdir(parents=True, exist_ok=True)
    (folder / "risk.yml").write_text(risk)
    (folder / "bands.yml").write_text(bands)
    (folder / "rule_books" / "plain.yml").write_text("version: 1\n")
    return folder


def loaded(
    defaults: Path,
    directory: Path | None = None,
    environment: dict[str, str] | None = None,
    overrides: tuple[str, ...] = (),
) -> Loaded:
    """Everything, loaded."""
    return load(TYPES, directory=directory, environment=environment or {}, overrides=overrides, defaults=defaults)
