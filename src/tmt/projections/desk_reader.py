"""Reads the desk from its event log: the same folds as the desk's own, in whatever process, of whatever is asked."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from threading import RLock
from typing import Final, NamedTuple, Protocol

import msgspec

from tmt import messages as m
from tmt.domain.money import Exact
from tmt.domain.order import Side
from tmt.market.quality import FeedQuality
from tmt.ports.event_log import EventLog, Recorded
from tmt.projections.audience import TOPIC_OF, UNKNOWN, account_of
from tmt.projections.breaker_history import BreakerHistory
from tmt.projections.desk_view import AgentPlace, DeskSnapshot, DeskView
from tmt.projections.order_index import OrderIndex, OrderRecord
from tmt.projections.portfolio import Portfolio
from tmt.projections.tallies import Tallies

BATCH: Final = 500
"""Log entries folded while others wait for the lock."""

SCAN_MAX: Final = 20_000
"""Log entries looked at for one page of the past."""

ORIGINS_MAX: Final = 4_000
VERDICTS_MAX: Final = 2_000
"""Kept of each gate."""

TRANSITIONS_MAX: Final = 1_000
FINDINGS_MAX: Final = 500
PROPOSALS_MAX: Final = 500
OWNERS_MAX: Final = 5_000
"""Newest messages of which it is remembered whose they are."""

_TOO_MANY: Final = (m.MarketDataReceived, m.BarClosed, m.TimeAdvanced)


class Told(NamedTuple):
    """A message and where it is in the log."""

    position: int
    message: m.Message
    account: str | None
    raw: bytes


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate said of one order; fields as in `messages.OrderDenied` and `messages.GateApproval`.

    Attributes:
        position: log position.
        outcome: "approved" or "denied".
        reason: of a denial; else empty.
    """

    position: int
    time_ns: int
    gate: str
    outcome: str
    order_id: str
    trail_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    reason: str
    detail: str
    checks: tuple[m.Check, ...]


class Follower(Protocol):
    """A fold beside the reader's own. It hears everything but, perhaps, rows of market data."""

    def handle(self, message: m.Message) -> object:
        """Fold one message; what is answered is ignored."""


class DeskReader:
    """Follows an event log that another thread or process writes. Any thread may ask; one lock orders them.

    Memory is bounded: of what grows, the newest are kept. What is older is in the log.

    Args:
        log: the desk's, read only.
        agents: in path order, for the view.
        followers: folds of the caller's own, read under `reading`.
        quality: of the feed, where it is known.

    Attributes:
        log: for what is too old to be kept; safe for any thread.
        lock: hold it to read several things of one moment, or `portfolio` and `followers`.
        portfolio: money and positions, as of `position`.
        orders: by id.
        tallies: what happened how often.
        breakers: what they did.
        position: log position of the newest message folded.
        recorded_at_ns: when that was written down; 0 before the first.
    """

    def __init__(
        self,
        log: EventLog,
        agents: Sequence[AgentPlace],
        followers: Sequence[Follower] = (),
        quality: Callable[[], FeedQuality] = FeedQuality,
    ) -> None:
        self.log = log
        self.lock = RLock()
        self.portfolio = Portfolio()
        self.orders = OrderIndex()
        self.tallies = Tallies()
        self.breakers = BreakerHistory()
        self.position = 0
        self.recorded_at_ns = 0
        self._quality = quality
        self._followers = tuple(followers)
        self._view = DeskView(self.portfolio, agents)
        self._counts: dict[str, int] = {}
        self._market_data: Recorded | None = None
        self._origins: deque[Told] = deque(maxlen=ORIGINS_MAX)
        self._verdicts: dict[str, deque[Verdict]] = {}
        self._transitions: deque[Told] = deque(maxlen=TRANSITIONS_MAX)
        self._findings: deque[Told] = deque(maxlen=FINDINGS_MAX)
        self._proposals: deque[Told] = deque(maxlen=PROPOSALS_MAX)
        self._statistics: OrderedDict[tuple[str, str], m.StatisticsUpdated] = OrderedDict()
        self._owners: OrderedDict[str, str | None] = OrderedDict()
        self._listeners: list[Callable[[Told], None]] = []

    # Following

    def catch_up(self) -> int:
        """Fold what is new up to the log's present end; log position reached."""
        head = self.log.head()
        while self.position < head:
            self.fold_some(head)
        return self.position

    def fold_some(self, head: int) -> None:
        """Fold at most `BATCH` entries up to position `head`."""
        with self.lock:
            for recorded in self.log.read(after=self.position, until=min(head, self.position + BATCH)):
                self._fold(recorded)

    def listen(self, listener: Callable[[Told], None]) -> int:
        """Tell `listener` of every message after the position returned, in order, on whatever thread folds it."""
        with self.lock:
            self._listeners.append(listener)
            return self.position

    def unlisten(self, listener: Callable[[Told], None]) -> None:
        """Tell it no more."""
        with self.lock:
            self._listeners.remove(listener)

    def told_since(self, after: int, until: int, topics: Iterable[str], limit: int) -> tuple[list[Told], int]:
        """From the log: messages of `topics` with `after` < position ≤ `until`, and how far this page reaches.

        A page holds at most `limit` messages and looks at `SCAN_MAX` entries at most; ask again from where it ends.
        """
        wanted = set(topics)
        kinds = tuple(sorted(kind for kind, topic in TOPIC_OF.items() if topic in wanted))
        reached = min(until, after + SCAN_MAX)
        found = list(islice(self.log.read(after=after, types=kinds, until=reached), limit))
        messages = [m.decode(each.body) for each in found]
        with self.lock:
            page = [self._told(*each) for each in zip(found, messages, strict=True)]
        return page, page[-1].position if len(page) == limit else reached

    def _told(self, recorded: Recorded, message: m.Message) -> Told:
        return Told(recorded.position, message, account_of(message, self.orders.account_of), recorded.body)

    def _fold(self, recorded: Recorded) -> None:
        kind = recorded.type
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if kind == m.MarketDataReceived.__name__ and not self._listeners:
            # Rows are many and only the newest are shown: they are decoded when somebody looks.
            self._market_data = recorded
        else:
            self._fold_message(recorded, m.decode(recorded.body))
        self.position = recorded.position
        self.recorded_at_ns = recorded.recorded_at_ns

    def _fold_message(self, recorded: Recorded, message: m.Message) -> None:
        self.portfolio.evolve(message)
        self.orders.handle(message, recorded.position)
        self.tallies.handle(message)
        if isinstance(message, m.BreakerTransition):
            self.breakers.handle(message, recorded.position)
        self._view.handle(message)
        for follower in self._followers:
            follower.handle(message)
        told = self._told(recorded, message)
        self._index(told)
        for listener in self._listeners:
            listener(told)

    def owner_of(self, message_id: str) -> str | None:
        """The account that a recent message is about; None when it is everybody's, `UNKNOWN` when it is too old."""
        with self.lock:
            return self._owners.get(message_id, UNKNOWN)

    def _index(self, told: Told) -> None:
        if not isinstance(told.message, _TOO_MANY):
            self._owners[told.message.message_id] = told.account
            if len(self._owners) > OWNERS_MAX:
                self._owners.popitem(last=False)
        match told.message:
            case m.SignalRaised() | m.OrderProposed() | m.ExitRaised():
                self._origins.append(told)
            case m.GateApproval() | m.OrderDenied():
                verdict = _verdict(told)
                self._verdicts.setdefault(verdict.gate, deque(maxlen=VERDICTS_MAX)).append(verdict)
            case m.BreakerTransition() | m.AccountSuspended() | m.AccountReinstated() | m.InvariantBroken():
                self._transitions.append(told)
            case m.StopTrading() | m.ResumeTrading() | m.ReinstateAccount() | m.StopCompleted() | m.ConductFlagged():
                self._transitions.append(told)
                if isinstance(told.message, m.ConductFlagged):
                    self._findings.append(told)
            case m.ParameterProposed():
                self._proposals.append(told)
            case m.StatisticsUpdated() as updated:
                self._statistics[updated.setup, updated.instrument] = updated
            case _:
                pass

    # Reading: of what has been folded; call `catch_up` first to read what one has written.

    def snapshot(self) -> DeskSnapshot:
        """The desk at one moment."""
        with self.lock:
            if self._market_data is not None:
                self._view.handle(m.decode(self._market_data.body))
                self._market_data = None
            return self._view.snapshot(self._counts, self._quality())

    def has_breaker(self, key: str) -> bool:
        """Whether there is a breaker of that key, "tier/scope"."""
        with self.lock:
            return self._view.has_breaker(key)

    def order(self, named: str) -> OrderRecord | None:
        """By its id, or its id at the venue."""
        with self.lock:
            return self.orders.get(named)

    def orders_of_trail(self, trail_id: str) -> tuple[OrderRecord, ...]:
        """What became of a signal or proposal, an order an account."""
        with self.lock:
            return self.orders.of_trail(trail_id)

    def select_orders(self, wanted: Callable[[OrderRecord], bool], limit: int, after: str = "") -> list[OrderRecord]:
        """At most `limit` orders, the newest first; those behind the order `after` when it is given."""
        found: list[OrderRecord] = []
        with self.lock:
            passed = not after
            for order in self.orders.newest_first():
                if passed and wanted(order):
                    found.append(order)
                    if len(found) == limit:
                        break
                passed = passed or order.order_id == after
        return found

    def origins(self, limit: int, before: int | None = None, *, signals_only: bool = False) -> list[Told]:
        """Signals and people's proposals below log position `before`, the newest first."""
        with self.lock:
            wanted = (each for each in reversed(self._origins) if before is None or each.position < before)
            chosen = (each for each in wanted if not signals_only or isinstance(each.message, m.SignalRaised))
            return list(islice(chosen, limit))

    def transitions(self, limit: int, before: int | None = None) -> list[Told]:
        """What opened, closed, stopped, resumed or suspended, the newest first."""
        with self.lock:
            return _newest(self._transitions, limit, before)

    def findings(self, limit: int, before: int | None = None) -> list[Told]:
        """What surveillance found, the newest first."""
        with self.lock:
            return _newest(self._findings, limit, before)

    def proposals(self, limit: int, before: int | None = None) -> list[Told]:
        """Parameters proposed, the newest first."""
        with self.lock:
            return _newest(self._proposals, limit, before)

    def statistics(self) -> list[m.StatisticsUpdated]:
        """The newest of every setup on every instrument."""
        with self.lock:
            return list(self._statistics.values())

    def verdicts(
        self, wanted: Callable[[Verdict], bool], limit: int, gate: str | None = None, before: int | None = None
    ) -> list[Verdict]:
        """Of one gate or all, the newest first."""
        with self.lock:
            kept = [each for name, some in self._verdicts.items() if gate in (None, name) for each in some]
        kept.sort(key=lambda each: -each.position)
        chosen = (each for each in kept if (before is None or each.position < before) and wanted(each))
        return list(islice(chosen, limit))


def _newest(kept: deque[Told], limit: int, before: int | None) -> list[Told]:
    return list(islice((each for each in reversed(kept) if before is None or each.position < before), limit))


def _verdict(told: Told) -> Verdict:
    message = told.message
    assert isinstance(message, m.GateApproval | m.OrderDenied)
    denied = message if isinstance(message, m.OrderDenied) else None
    subject = message if isinstance(message, m.OrderDenied) else message.order
    return Verdict(
        position=told.position,
        time_ns=message.occurred_at_ns,
        gate=message.source if denied is None else denied.gate,
        outcome="approved" if denied is None else "denied",
        order_id=subject.order_id,
        trail_id=message.correlation_id,
        account=subject.account,
        instrument=subject.instrument,
        side=subject.side,
        quantity=subject.quantity,
        reason="" if denied is None else denied.reason,
        detail="" if denied is None else denied.detail,
        checks=message.checks,
    )
