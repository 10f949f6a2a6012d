"""Builds the desk. The only place that knows which clock, feed, venue, bus and store go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tmt import __version__
from tmt import messages as m
from tmt.adapters.bus.in_process import InProcessBus
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.agents.execution import ExecutionAgent
from tmt.arrangement import Arrangement
from tmt.attendance import Attendance
from tmt.config import Loaded
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.position import Position
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.domain.stop import CLOSING_ATTEMPTS_MAX
from tmt.engine.reconciliation import Reconciliation
from tmt.errors import ConfigError, InputError, InvariantBroken
from tmt.market.bar import Timeframe
from tmt.market.bars import Bars
from tmt.market.batch import MarketBatch
from tmt.market.config import MarketConfig
from tmt.ports.clock import Clock
from tmt.ports.event_log import EventLog
from tmt.ports.feed import Feed
from tmt.projections.portfolio import Portfolio
from tmt.projections.reach import is_closing, positions_in
from tmt.runner import Runner
from tmt.timeline import BarTouch, Timeline
from tmt.topology import PATH, AgentParts
from tmt.venue.paper import PaperVenue
from tmt.watch import Watch

COMMITS_PER_SNAPSHOT: Final = 64
GATES: Final = frozenset(place.name for place in PATH if place.denies)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What starting found: whether the book had a past, and how many of its events were run again and compared."""

    resumed: bool
    events_compared: int


class Desk:
    """The whole desk over one book. Use `start`, then `take` batches or `command`s, then `close`.

    Attributes:
        log: the book's event log.
        runner: agents, venue and event-time loop.
        portfolio: money and positions.
        feed: where market data come from.
    """

    def __init__(self, parts: _Parts, runner: Runner) -> None:
        self.log = parts.log
        self.runner = runner
        self.portfolio = runner.portfolio
        self.feed = parts.feed
        self._parts = parts
        self._commits = 0
        self._open = True
        self._attendance = Attendance(runner, parts.arrangement, parts.log)

    def start(self) -> Recovery:
        """Recover from the log, check every invariant, and say that a session begins.

        Raises:
            CorruptLog: when the log is damaged, or gives other decisions than it holds.
            InvariantBroken: when the books do not reconcile.
            InputError: when the book holds another replay than this one.
            ConfigError: when the book was left in the middle under another configuration.
        """
        former = last_session(self.log)
        if former is not None:
            self._refuse_other_book(former)
        compared = self.runner.recover()
        breaches = self.runner.watch.check_everything()
        if breaches:
            first = breaches[0]
            raise InvariantBroken(
                "TMT-I001",
                f"{first.invariant} does not hold: {first.detail}",
                where=f"{len(breaches)} breaches",
                fix="keep the book as it is and report it; start a new one with `tmt book new NAME`",
            )
        self._flatten()
        self._attendance.recall()
        self._begin_session()
        return Recovery(resumed=former is not None, events_compared=compared)

    def _refuse_other_book(self, former: m.SessionStarted) -> None:
        parts = self._parts
        if former.seed != parts.seed or former.mode != parts.mode:
            raise InputError(
                "TMT-R001",
                f"this book holds a {former.mode} with seed {former.seed}, not a {parts.mode} with seed {parts.seed}",
                fix="give the same mode and seed, or another book (`tmt book new NAME` or --state DIR)",
            )
        if former.inputs != parts.feed.sources and parts.mode == "replay":
            raise InputError(
                "TMT-R002",
                f"this book holds a replay of {', '.join(former.inputs)}",
                where=", ".join(parts.feed.sources),
                fix="give the same data in the same order, or another --state DIR",
            )
        if former.config_hash != parts.config_hash and (parts.mode == "replay" or not self._ended_cleanly()):
            raise ConfigError(
                "TMT-R003",
                f"this book was run with configuration {former.config_hash[:12]}, this is {parts.config_hash[:12]}",
                fix="start once with the former configuration, or give another --state DIR",
            )

    def _ended_cleanly(self) -> bool:
        saved = self.log.load_snapshot(self._parts.arrangement.owner())
        return saved is not None and saved[0] == self.log.head()

    def _begin_session(self) -> None:
        parts, runner = self._parts, self.runner
        first_time = runner.timeline.now_ns or self._first_time_ns()
        started = m.SessionStarted.root(
            "desk",
            first_time,
            str(runner.counts.get("SessionStarted", 0)),
            mode=parts.mode,
            software_version=__version__,
            config_hash=parts.config_hash,
            seed=parts.seed,
            inputs=parts.feed.sources,
            simulated=parts.feed.simulated,
            instruments=parts.instruments,
            bar_seconds=parts.feed.bar_seconds,
            traded=parts.feed.traded,
            expected=parts.feed.expected,
        )
        runner.step(started)
        for account in parts.accounts:
            if runner.portfolio.account(account.account_id) is None:
                runner.step(m.AccountOpened.root("desk", first_time, account.account_id, account=account))
        runner.commit()

    def _first_time_ns(self) -> int:
        for batch in self.feed.batches(0):
            return int(batch.time_ns[0])
        raise InputError("TMT-R004", "the feed holds no row", where=", ".join(self.feed.sources))

    def batches(self, until_ns: int | None = None) -> Iterator[MarketBatch]:
        """Rows not yet seen, up to `until_ns` (exclusive)."""
        return self.feed.batches(self.runner.next_sequence, until_ns)

    def take(self, batch: MarketBatch) -> None:
        """Run a batch; its rows and all that follows are durable when it returns."""
        self.runner.step(m.MarketDataReceived.of("feed", batch))
        self._flatten()
        self._commit()

    def command(self, message: m.Message) -> bool:
        """Run a person's command once, durably; False when it is in the log already."""
        if self.runner.knows(message.message_id):
            return False
        self.runner.step(message)
        self._flatten()
        self._commit()
        return True

    def advance(self, time_ns: int) -> None:
        """Event time has reached `time_ns` without market data: close what is due. Logged only if something was."""
        if self.runner.timeline.is_due(time_ns):
            self.runner.pass_time(time_ns)
            self._flatten()
            self._commit()

    def tend(self) -> None:
        """See to the agents elsewhere; then end the stops that waited for one."""
        if self._attendance.tend():
            self._flatten()
            self._commit()

    def _commit(self) -> None:
        self.runner.commit()
        self._commits += 1
        if self._commits % COMMITS_PER_SNAPSHOT == 0:
            self.runner.save()

    def _flatten(self) -> None:
        """Propose to close what a stop that flattens covers and nothing is closing yet, a bounded number of times.

        A position may come after the stop, by an entry that filled before its cancel; and a proposal may be refused.
        Where every message is durable by itself, a crash may have come between a stop and its proposals. Nothing is
        proposed while a gate is lost, which would deny it, or while the market is closed, whose venue would refuse it.
        """
        if self.runner.lost & GATES:
            return
        for stop in [each for each in self.runner.watch.state.stops if each.level.flattens]:
            for position in positions_in(stop.scope, self.portfolio):
                if not is_closing(self.portfolio, position) and self._trades(position.instrument):
                    self._propose_closing(stop, position)

    def _trades(self, symbol: str) -> bool:
        instrument = self.portfolio.instrument(symbol)
        return instrument is not None and instrument.session.is_open(self.runner.timeline.now_ns)

    def _propose_closing(self, stop: m.StopTrading, position: Position) -> None:
        # They pass the gates like any other order.
        for attempt in range(CLOSING_ATTEMPTS_MAX):
            proposal = m.OrderProposed.caused_by(
                stop,
                "desk",
                position.account,
                position.instrument,
                str(attempt),
                occurred_at_ns=self.runner.timeline.now_ns,
                account=position.account,
                instrument=position.instrument,
                side=Side.SELL if position.quantity > ZERO else Side.BUY,
                quantity=abs(position.quantity),
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.GTC,
                person=stop.person,
                strategy="operator",
                reduce_only=True,
            )
            if not self.runner.knows(proposal.message_id):
                self.runner.step(proposal)
                return

    def close(self) -> None:
        """Write what is finished, keep a snapshot, release the book. Closing twice is allowed."""
        if self._open:
            self._open = False
            try:
                self.runner.save()
            finally:
                self.log.close()


@dataclass(frozen=True, slots=True)
class _Parts:
    log: EventLog
    feed: Feed
    instruments: tuple[Instrument, ...]
    accounts: tuple[Account, ...]
    mode: str
    seed: int
    config_hash: str
    arrangement: Arrangement


def last_session(log: EventLog) -> m.SessionStarted | None:
    """The newest session of a book, or None when it is empty."""
    newest = None
    for recorded in log.read(types=("SessionStarted",)):
        newest = recorded
    session = None if newest is None else m.decode(newest.body)
    assert session is None or isinstance(session, m.SessionStarted)
    return session


def open_desk(
    loaded: Loaded,
    feed: Feed,
    book: Path,
    *,
    mode: str,
    seed: int,
    clock: Clock,
    one_row_at_a_time: bool = False,
) -> Desk:
    """Build the desk, all of it in this process, over the book in folder `book`, which must exist.

    Args:
        loaded: every section of the configuration.
        feed: where market data come from; decides which instruments and accounts take part.
        book: folder of `events.sqlite`.
        mode: "replay" or "up".
        seed: seeds the venue's latency; the feed has its own.
        clock: for what is recorded.
        one_row_at_a_time: the oracle; see `timeline`.
    """
    log = SqliteEventLog(book / "events.sqlite")
    return desk_over(
        log, loaded, feed, mode=mode, seed=seed, clock=clock, arrangement=Arrangement(oracle=one_row_at_a_time)
    )


def desk_over(
    log: EventLog,
    loaded: Loaded,
    feed: Feed,
    *,
    mode: str,
    seed: int,
    clock: Clock,
    arrangement: Arrangement,
) -> Desk:
    """Build the desk over an open log, which it closes in the end, and at once when it cannot be built."""
    sections = loaded.sections
    try:
        instruments = _traded(sections["instruments"].instruments, feed)
        runner = _build_runner(loaded, feed, instruments, log, seed, clock, arrangement)
    except BaseException:
        log.close()
        raise
    parts = _Parts(
        log=log,
        feed=feed,
        instruments=instruments,
        accounts=tuple(a for a in sections["accounts"].accounts if set(a.instruments) & set(feed.symbols)),
        mode=mode,
        seed=seed,
        config_hash=loaded.hash,
        arrangement=arrangement,
    )
    return Desk(parts, runner)


def _traded(known: tuple[Instrument, ...], feed: Feed) -> tuple[Instrument, ...]:
    by_symbol = {instrument.symbol: instrument for instrument in known}
    for symbol in feed.symbols:
        if symbol not in by_symbol:
            raise InputError(
                "TMT-R005",
                f"no instrument {symbol}; there are {', '.join(sorted(by_symbol))}",
                fix="name one of them, or add it to instruments.yml",
            )
    return tuple(by_symbol[symbol] for symbol in feed.symbols)


def _build_runner(
    loaded: Loaded,
    feed: Feed,
    instruments: tuple[Instrument, ...],
    log: EventLog,
    seed: int,
    clock: Clock,
    arrangement: Arrangement,
) -> Runner:
    market: MarketConfig = loaded.sections["market"]
    bars = Bars(instruments, _timeframes(market, feed), frozenset(feed.traded))
    portfolio = Portfolio()
    bus = InProcessBus()
    by_symbol = {instrument.symbol: instrument for instrument in instruments}
    venue = PaperVenue(loaded.sections["venue"], by_symbol, BarTouch(bars), seed)
    runner = Runner(
        agents=arrangement.agents(AgentParts(sections=loaded.sections, portfolio=portfolio, config_hash=loaded.hash)),
        venue=venue,
        portfolio=portfolio,
        watch=Watch(portfolio),
        bus=bus,
        log=log,
        clock=clock,
        config_hash=loaded.hash,
        path=arrangement.path,
        owner=arrangement.owner(),
    )
    tracker = next(agent for agent in runner.agents if agent.name == ExecutionAgent.name)
    reconciliation = Reconciliation(venue, tracker, portfolio, runner.watch)
    bus.subscribe(reconciliation.consumes, reconciliation.handle)
    stale_after_seconds = max(market.stale_after_seconds, 3 * feed.bar_seconds)
    timeline = Timeline(
        bars,
        venue,
        feed.expected,
        stale_after_seconds * NANOSECONDS_PER_SECOND,
        bus.publish,
        one_row_at_a_time=arrangement.oracle,
    )
    bus.subscribe(timeline.consumes, timeline.handle)
    runner.attach(timeline)
    return runner


def _timeframes(market: MarketConfig, feed: Feed) -> tuple[Timeframe, ...]:
    shortest_ns = feed.bar_seconds * NANOSECONDS_PER_SECOND
    possible = tuple(timeframe for timeframe in market.timeframes if timeframe.nanoseconds >= shortest_ns)
    if not possible:
        raise ConfigError(
            "TMT-R006",
            f"the data are bars of {feed.bar_seconds} s, and market.timeframes has none as long",
            where="market.yml: timeframes",
            fix="add a longer timeframe, such as 1d",
        )
    return possible
