"""Who among the agents elsewhere attends: those that come back, and how swiftly all of them answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tmt import messages as m
from tmt.absence import ENGINE
from tmt.arrangement import Arrangement
from tmt.ports.event_log import EventLog
from tmt.runner import Runner

BUS_LAG: Final = "bus_lag"


class Attendance:
    """Says, as inputs, what the engine notices of the agents in other processes. `recall` comes before `tend`."""

    def __init__(self, runner: Runner, arrangement: Arrangement, log: EventLog) -> None:
        self._runner = runner
        self._arrangement = arrangement
        self._log = log
        self._holds = True

    def recall(self) -> None:
        """Take up how the bus stood when the log ended."""
        told = [m.decode(recorded.body) for recorded in self._log.read(types=(m.ConditionReported.__name__,))]
        lags = [each for each in told if isinstance(each, m.ConditionReported) and each.condition == BUS_LAG]
        self._holds = not lags or lags[-1].holds

    def tend(self) -> bool:
        """Ask those again that were lost and are near the log's head; report when the bus begins or ends to lag.

        Returns:
            whether anything was said, which is not committed yet.
        """
        if not self._arrangement.elsewhere:
            return False
        back = sorted(self._runner.lost & self._arrangement.come_up(self._log.head()))
        for name in back:
            self._runner.step(m.AgentReturned.root(ENGINE, *self._when(m.AgentReturned, name), agent=name))
        return self._reports_lag() or bool(back)

    def _reports_lag(self) -> bool:
        measured, limit = self._arrangement.lag(), Decimal(self._arrangement.lag_seconds_max)
        holds = measured <= limit
        if holds == self._holds:
            return False
        self._holds = holds
        self._runner.step(
            m.ConditionReported.root(
                ENGINE,
                *self._when(m.ConditionReported, BUS_LAG),
                condition=BUS_LAG,
                scope="desk",
                measured=measured,
                limit=limit,
                unit="seconds",
                holds=holds,
            )
        )
        return True

    def _when(self, kind: type[m.Message], name: str) -> tuple[int, str, str]:
        return self._runner.timeline.now_ns, name, str(self._runner.counts.get(kind.__name__, 0))
