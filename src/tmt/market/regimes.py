"""Regimes of the simulator: what a made-up market sets out to do next, as schematics of phases.

A schematic is drawn on a scale where support is 0 and resistance is 1; reversed, it is the same upside down, so that
accumulation becomes distribution. The shapes are Wyckoff's schematics (R. D. Wyckoff, course of 1931, as the
Wyckoff/SMI school teaches them), with failed ones among them so that none can be foretold.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Final, NamedTuple

Draw = Callable[[int, int], int]
"""Gives a whole number from the first up to, not including, the second."""


class Phase(NamedTuple):
    """One leg of a schematic.

    Attributes:
        minutes: its length at pace 1.
        level: where it ends; 0 is support, 1 resistance.
        volatility: factor on the size of moves.
        volume: factor on traded size.
    """

    name: str
    minutes: int
    level: float
    volatility: float
    volume: float


class Schematic(NamedTuple):
    """Phases one after the other, from the level `start`."""

    name: str
    start: float
    phases: tuple[Phase, ...]


_STOPPING: Final = (
    Phase("markdown", 90, 0.45, 1.1, 1.2),
    Phase("selling climax", 10, -0.05, 2.5, 4.0),
    Phase("automatic rally", 30, 1.0, 1.4, 1.8),
    Phase("secondary test", 45, 0.08, 0.9, 0.8),
)
_CAUSE: Final = (
    Phase("range", 60, 0.92, 0.8, 0.9),
    Phase("range", 70, 0.12, 0.7, 0.8),
    Phase("range", 60, 0.85, 0.7, 0.7),
    Phase("range", 70, 0.15, 0.6, 0.6),
)
_SPRING: Final = (
    Phase("range", 40, 0.6, 0.6, 0.6),
    Phase("spring", 15, -0.18, 1.2, 1.3),
    Phase("recovery", 15, 0.3, 1.0, 1.1),
    Phase("test", 25, 0.06, 0.5, 0.35),
)
_MARKUP: Final = (
    Phase("sign of strength", 45, 1.3, 1.3, 2.2),
    Phase("last point of support", 40, 1.02, 0.6, 0.5),
    Phase("markup", 120, 2.4, 1.1, 1.5),
    Phase("reaction", 40, 2.1, 0.7, 0.7),
    Phase("markup", 90, 3.0, 1.1, 1.4),
)
_FAILURE: Final = (
    Phase("weak rally", 40, 0.55, 0.7, 0.6),
    Phase("breakdown", 60, -0.6, 1.5, 2.2),
    Phase("markdown", 60, -1.1, 1.2, 1.4),
)

SCHEMATICS: Final = (
    Schematic("accumulation with spring", 1.9, (*_STOPPING, *_CAUSE, *_SPRING, *_MARKUP)),
    Schematic("accumulation without spring", 1.9, (*_STOPPING, *_CAUSE, *_MARKUP)),
    Schematic("failed accumulation", 1.9, (*_STOPPING, *_CAUSE, *_SPRING, *_FAILURE)),
    Schematic("re-accumulation", 0.0, (Phase("automatic rally", 40, 1.0, 1.1, 1.3), *_CAUSE, *_SPRING, *_MARKUP)),
    Schematic(
        "trend",
        0.0,
        (
            Phase("advance", 100, 0.9, 1.0, 1.3),
            Phase("reaction", 50, 0.55, 0.7, 0.7),
            Phase("advance", 110, 1.6, 1.0, 1.3),
            Phase("reaction", 50, 1.25, 0.7, 0.7),
            Phase("advance", 90, 2.2, 1.0, 1.2),
        ),
    ),
    Schematic("range", 0.5, (*_CAUSE, *_CAUSE, Phase("range", 40, 0.5, 0.7, 0.7))),
)

_PACES: Final = (0.125, 0.25, 0.5, 1.0)
"""Factors on the length of phases: schematics from under an hour to most of a day."""


class Course:
    """Where one market is heading: the schematic under way, stretched between prices.

    Attributes:
        phase: the leg under way.
        minutes_left: of it.
        target: level of price at its end.
    """

    def __init__(self, start_level: float, day_move: float) -> None:
        """`start_level` is the first price level, `day_move` a usual move of a day as a fraction of it."""
        self._home = start_level
        self._day_move = day_move
        self._levels: list[tuple[Phase, int, float]] = []
        self.phase = SCHEMATICS[-1].phases[0]
        self.minutes_left = 0
        self.target = start_level

    def advance(self, level: float, draw: Draw) -> None:
        """Go on to the next phase, or to a new schematic from `level` on, once the phase has used its minutes."""
        if self.minutes_left > 0:
            return
        if not self._levels:
            self._levels = self._schematic(level, draw)
        self.phase, self.minutes_left, self.target = self._levels.pop(0)

    def _schematic(self, level: float, draw: Draw) -> list[tuple[Phase, int, float]]:
        schematic, pace = SCHEMATICS[draw(0, len(SCHEMATICS))], _PACES[draw(0, len(_PACES))]
        height = level * self._day_move * draw(50, 101) / 100 * sqrt(pace)
        # Far from where it began, the market rather turns back.
        down_percent = 50 + max(-45, min(45, round((level / self._home - 1) / self._day_move * 5)))
        direction = -1 if draw(0, 100) < down_percent else 1
        return [
            (
                phase,
                max(2, round(phase.minutes * pace * draw(70, 141) / 100)),
                level + direction * (phase.level - schematic.start) * height,
            )
            for phase in schematic.phases
        ]
