"""A trading range: what its past bars and events have fixed. All levels are as its own direction sees them.

For distribution prices are negated: its "support" is the upper edge of the market's range and its "rally" a fall.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

REVERSAL_BOXES = 3


class TradingRange(msgspec.Struct, frozen=True, kw_only=True):
    """One range, from its climax until it is completed or abandoned.

    Attributes:
        opened: number of the climax bar.
        atr: average true range at the climax; the count's box is made of it.
        origin: where the trend into the climax began.
        support: lowest of climax and tests; the lower edge.
        resistance: peak of the automatic rally; the upper edge once `edges_known`.
        peak: highest high since the climax, or since the sign of strength.
        thrust_number: number of the bar that went below support; 0 when none is under way.
        thrust_low: how far it went, or the spring's low.
        tested: number of the latest test or last point.
        phase_number: number of the bar that began the phase.
        line: level that the count is added to, the spring's or the last point's.
        last_points, signals: told so far.
        climax_spread, climax_effort_ratio: what tests are measured against.
        climax_strength, dry_up_strength, spring_strength, sign_strength: evidence in [0, 1]; None when not seen.
        columns: point-and-figure columns so far; `column_rises` and `column_extreme` tell the one being drawn.
    """

    range_id: str
    phase: str
    opened: int
    atr: float
    origin: float
    support: float
    resistance: float
    peak: float
    climax_spread: float
    climax_effort_ratio: float
    climax_strength: float
    edges_known: bool = False
    thrust_number: int = 0
    thrust_low: float = 0.0
    tested: int = 0
    phase_number: int = 0
    line: float = 0.0
    last_points: int = 0
    signals: int = 0
    dry_up_strength: float | None = None
    spring_strength: float | None = None
    sign_strength: float | None = None
    columns: int = 1
    column_rises: bool = True
    column_extreme: float = 0.0

    @property
    def height(self) -> float:
        """From edge to edge."""
        return self.resistance - self.support

    @property
    def middle(self) -> float:
        """Half-way between the edges."""
        return self.support + self.height / 2

    @property
    def extreme(self) -> float:
        """Lowest of support and spring."""
        return self.support if self.spring_strength is None else min(self.support, self.thrust_low)


def follow(held: TradingRange, high: float, low: float, close: float, number: int, box: float) -> TradingRange:
    """The range one bar later, as far as it does not depend on an event. `box` is the point-and-figure box."""
    support, resistance, peak = held.support, held.resistance, max(held.peak, high)
    thrust_number, thrust_low = held.thrust_number, held.thrust_low
    if held.phase == "A":
        resistance = max(resistance, high)
        if not held.edges_known:
            support = min(support, low)
    elif held.phase == "B":
        if low < support:
            thrust_low = min(thrust_low, low) if thrust_number else low
            thrust_number = thrust_number or number
        if close >= support:
            thrust_number = 0
    columns, rises, extreme = held.columns, held.column_rises, held.column_extreme
    onward, back = (high, low) if rises else (low, high)
    if (onward > extreme) if rises else (onward < extreme):
        extreme = onward
    elif abs(extreme - back) >= REVERSAL_BOXES * box:
        columns, rises, extreme = columns + 1, not rises, back
    return TradingRange(
        range_id=held.range_id,
        phase=held.phase,
        opened=held.opened,
        atr=held.atr,
        origin=held.origin,
        support=support,
        resistance=resistance,
        peak=peak,
        climax_spread=held.climax_spread,
        climax_effort_ratio=held.climax_effort_ratio,
        climax_strength=held.climax_strength,
        edges_known=held.edges_known,
        thrust_number=thrust_number,
        thrust_low=thrust_low,
        tested=held.tested,
        phase_number=held.phase_number,
        line=held.line,
        last_points=held.last_points,
        signals=held.signals,
        dry_up_strength=held.dry_up_strength,
        spring_strength=held.spring_strength,
        sign_strength=held.sign_strength,
        columns=columns,
        column_rises=rises,
        column_extreme=extreme,
    )


def after_event(held: TradingRange, event: str, level: float, strength: float | None, number: int) -> TradingRange:
    """The range once `event` (accumulation's name) at `level` is known; the climax itself makes a new one."""
    match event:
        case "AR":
            return replace(held, edges_known=True, resistance=level)
        case "ST":
            support = min(held.support, level)
            return replace(held, support=support, tested=number, dry_up_strength=_best(held, strength))
        case "spring" | "shakeout":
            return replace(held, thrust_number=0, thrust_low=level, line=level, spring_strength=strength, tested=0)
        case "test":
            return replace(held, tested=number, dry_up_strength=_best(held, strength))
        case "SOS":
            return replace(held, peak=level, sign_strength=strength, tested=0)
        case "LPS" | "BU":
            return replace(
                held,
                tested=number,
                line=level,
                last_points=held.last_points + 1,
                dry_up_strength=_best(held, strength),
            )
        case _:
            return held


def _best(held: TradingRange, strength: float | None) -> float | None:
    if held.dry_up_strength is None or strength is None:
        return strength
    return max(held.dry_up_strength, strength)
