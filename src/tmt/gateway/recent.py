"""Folds of the gateway's own: the newest bars, and how instruments move together."""

from __future__ import annotations

from collections import deque
from typing import Final

from tmt import messages as m
from tmt.agents.anti_correlation import (
    AntiCorrelationConfig,
    AntiCorrelationState,
    Correlation,
    correlation_matrix,
    evolve,
)
from tmt.market.bar import Bar, Timeframe

BARS_MAX: Final = 500
"""Kept of each instrument and timeframe."""


class RecentBars:
    """The newest bars."""

    def __init__(self) -> None:
        self._bars: dict[tuple[str, Timeframe], deque[Bar]] = {}

    def handle(self, message: m.Message) -> None:
        """Fold one message."""
        if isinstance(message, m.BarClosed):
            key = message.bar.instrument, message.bar.timeframe
            self._bars.setdefault(key, deque(maxlen=BARS_MAX)).append(message.bar)

    def newest(self, instrument: str, timeframe: Timeframe, limit: int) -> tuple[Bar, ...]:
        """At most `limit`, the oldest first."""
        return tuple(self._bars.get((instrument, timeframe), ()))[-limit:]


class Correlations:
    """What the anti-correlation gate measures, folded from the same bars by its own code."""

    def __init__(self, config: AntiCorrelationConfig) -> None:
        self._config = config
        self._state = AntiCorrelationState()

    def handle(self, message: m.Message) -> None:
        """Fold one message."""
        if isinstance(message, m.BarClosed):
            self._state = evolve(self._state, message, self._config)

    def matrix(self) -> tuple[Correlation, ...]:
        """Every pair of instruments once, by name."""
        return tuple(correlation_matrix(self._state.series, self._config))
