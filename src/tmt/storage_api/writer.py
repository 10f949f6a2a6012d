"""The series writer: folds the event log into the series, exactly once, in bounded batches.

The mark is stored with the rows that lead to it: whatever is killed whenever, the next start goes on behind the mark.
"""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Final

from tmt import messages as m
from tmt.domain.money import ONE
from tmt.errors import InputError
from tmt.ports.event_log import EventLog, Recorded
from tmt.ports.series import NOTHING, STAGE_DURATION, Mark, Series
from tmt.projections.portfolio import Portfolio
from tmt.storage_api.rows import Rows

MESSAGES_MAX: Final = 2000
ROWS_MAX: Final = 100_000
"""Messages, and rows, of a batch: the first bound that is reached ends it."""

TIMES_KEPT_MAX: Final = 10_000

SIGNAL_EXECUTION: Final = "tmt_signal_execution_duration_seconds"
BREAKER_STATE: Final = "tmt_circuit_breaker_state"

_MOVES_EQUITY: Final = (m.SessionStarted, m.AccountOpened, m.BarClosed, m.OrderFilled)
_STAGES: Final = (m.SignalRaised, *m.GATES, m.OrderSubmitted)
_BREAKER: Final = {m.BreakerClosed: 0, m.BreakerHalfOpened: 1, m.BreakerReduced: 2, m.BreakerOpened: 3}
_READ: Final = tuple(
    kind.__name__
    for kind in (*_MOVES_EQUITY, m.MarketDataReceived, m.OrderProposed, *_STAGES, *_BREAKER, m.StatisticsUpdated)
)


class SeriesWriter:
    """The one writer of a series.

    Args:
        log: what is folded.
        series: prepared; what it holds already decides where this begins.
        retain_ns: how much event time of market data and metrics the series keeps; None for all of it.

    Attributes:
        behind: messages of the log that were not in the series when last looked.

    Raises:
        InputError: TMT-Q002 when the series was made from another log.
    """

    def __init__(self, log: EventLog, series: Series, retain_ns: int | None = None) -> None:
        self.behind = 0
        self._log = log
        self._series = series
        self._retain_ns = retain_ns
        self.begin()

    def begin(self) -> None:
        """Read the mark and fold the log up to it, on starting and after a failure."""
        self._mark = self._series.mark()
        if self._mark != NOTHING and self._mark_at(self._mark.position) != self._mark:
            raise InputError(
                "TMT-Q002",
                f"the series was made from another event log: its position {self._mark.position} is not in this one",
                fix="give each event log a series of its own; one that is removed is made again",
            )
        self._portfolio = Portfolio()
        self._recorded_ns: OrderedDict[str, int] = OrderedDict()
        kinds = tuple(kind.__name__ for kind in _MOVES_EQUITY)
        for recorded in self._log.read(types=kinds, until=self._mark.position):
            self._portfolio.evolve(m.decode(recorded.body))
        self._equity = {each.account_id: self._portfolio.equity(each.account_id) for each in self._portfolio.accounts}

    def _mark_at(self, position: int) -> Mark | None:
        found = self._log.at(position)
        return None if found is None else Mark(position, found.message_id)

    @property
    def mark(self) -> Mark:
        """How far the log is in the series."""
        return self._mark

    def step(self) -> bool:
        """Take in one batch; False when there was nothing new.

        Raises:
            AdapterUnavailable: the batch may or may not be in the series; go on with `begin`.
        """
        head = self._log.head()
        self.behind = max(0, head - self._mark.position)
        if not self.behind:
            return False
        rows, last = self._collect(head)
        mark = self._mark_at(last)
        assert mark is not None, "positions are dense"
        self._series.append(rows.tables(), self._mark, mark)
        self._mark = mark
        self.behind = head - last
        self._retain()
        return True

    def _collect(self, head: int) -> tuple[Rows, int]:
        rows = Rows()
        entries = self._log.read(after=self._mark.position, types=_READ, until=head)
        for read, recorded in enumerate(entries, 1):
            self._take(recorded, rows)
            if read >= MESSAGES_MAX or rows.count >= ROWS_MAX:
                return rows, recorded.position
        return rows, head

    def _take(self, recorded: Recorded, rows: Rows) -> None:
        message = m.decode(recorded.body)
        if isinstance(message, _MOVES_EQUITY):
            self._portfolio.evolve(message)
            self._take_equity(message, recorded.position, rows)
        if isinstance(message, _STAGES):
            self._take_durations(message, recorded, rows)
        self._remember(recorded.message_id, recorded.recorded_at_ns)
        match message:
            case m.MarketDataReceived():
                rows.add_market(message, self._portfolio.state.instruments)
            case m.BarClosed():
                rows.add_bar(message)
            case m.BreakerTransition():
                labels = {"tier": message.tier, "scope": message.scope}
                state = Decimal(_BREAKER[type(message)])
                rows.add_metric(BREAKER_STATE, labels, message.occurred_at_ns, recorded.position, state)
            case m.StatisticsUpdated():
                _take_statistics(message, recorded.position, rows)
            case _:
                pass

    def _take_equity(self, message: m.Message, position: int, rows: Rows) -> None:
        portfolio = self._portfolio
        filled = message.account if isinstance(message, m.OrderFilled) else ""
        for name in portfolio.state.accounts:
            equity = portfolio.equity(name)
            if name != filled and name in self._equity and self._equity[name] == equity:
                continue
            self._equity[name] = equity
            values = (equity, portfolio.realised(name), portfolio.unrealised(name), portfolio.fees(name))
            rows.add_equity(name, message.occurred_at_ns, position, values)

    def _take_durations(self, message: m.Message, recorded: Recorded, rows: Rows) -> None:
        spans = [(STAGE_DURATION, {"stage": message.source}, message.causation_id)]
        if isinstance(message, m.OrderSubmitted):
            spans.append((SIGNAL_EXECUTION, {}, message.correlation_id))
        for name, labels, since in spans:
            began_ns = self._recorded_at(since)
            if began_ns is not None:
                seconds = Decimal(recorded.recorded_at_ns - began_ns).scaleb(-9)
                rows.add_metric(name, labels, message.occurred_at_ns, recorded.position, seconds)

    def _recorded_at(self, message_id: str) -> int | None:
        if message_id in self._recorded_ns:
            return self._recorded_ns[message_id]
        found = self._log.find(message_id, 1) if message_id else []
        return found[0].recorded_at_ns if found and found[0].message_id == message_id else None

    def _remember(self, message_id: str, recorded_at_ns: int) -> None:
        self._recorded_ns[message_id] = recorded_at_ns
        if len(self._recorded_ns) > TIMES_KEPT_MAX:
            self._recorded_ns.popitem(last=False)

    def _retain(self) -> None:
        if self._retain_ns is not None and self._portfolio.now_ns > self._retain_ns:
            self._series.retain(self._portfolio.now_ns - self._retain_ns)


def _take_statistics(message: m.StatisticsUpdated, position: int, rows: Rows) -> None:
    labels = {"setup": message.setup, "instrument": message.instrument}
    measured = {
        "tmt_setup_trades": ONE * message.trades,
        "tmt_setup_win_rate": message.win_rate,
        "tmt_setup_expectancy_r": message.expectancy_r,
        "tmt_setup_profit_factor": message.profit_factor,
    }
    for name, value in measured.items():
        if value is not None:
            rows.add_metric(name, labels, message.occurred_at_ns, position, value)
