"""The newest correlation matrices that the anti-correlation gate has published."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

from tmt import messages as m

MATRICES_MAX: Final = 500
"""Kept; what is older is in the log."""


class CorrelationHistory:
    """Folds messages, each once."""

    def __init__(self) -> None:
        self._measured: deque[m.CorrelationsMeasured] = deque(maxlen=MATRICES_MAX)

    def handle(self, message: m.Message) -> None:
        """Fold one message."""
        if isinstance(message, m.CorrelationsMeasured):
            self._measured.append(message)

    def newest(self, limit: int) -> tuple[m.CorrelationsMeasured, ...]:
        """At most `limit`, the newest first."""
        return tuple(islice(reversed(self._measured), limit))
