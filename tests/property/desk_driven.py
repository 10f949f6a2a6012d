"""A whole desk driven step by step, and its log held against the reference after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, localcontext
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.acceptance.trading_day import SECOND_NS, QuotedFeed, Row, account_of, accounts, instrument_of
from tests.property.desk_limits import breaches
from tests.property.desk_reference import ROUNDING, ZERO, Books
from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.arrangement import Arrangement
from tmt.bootstrap import Desk, desk_over
from tmt.config import Loaded
from tmt.domain.order import Quote, Side
from tmt.market.bar import Bar, Timeframe
from tmt.ports.event_log import EventLog
from tmt.sections import load_config
from tmt.topology import AgentParts, build_agents

START_NS = 1_700_031_600 * SECOND_NS  # Wednesday 2023-11-15 07:00 UTC
DIGITS = 60
MINUTE_NS = 60 * SECOND_NS
WARM_UP_MINUTES = 22
PRICES = {"EURUSD": Decimal("1.10000"), "GBPUSD": Decimal("1.25000"), "BTCUSD": Decimal("40000.00")}
TICKS = {"EURUSD": Decimal("0.00001"), "GBPUSD": Decimal("0.00001"), "BTCUSD": Decimal("0.01")}
_BITCOIN = (
    "{symbol: BTCUSD, asset_class: crypto, base_currency: BTC, quote_currency: USD, tick_size: 0.01, "
    "price_quantum: 0.01, lot_size: 0.01, quantity_min: 0.01, point_value: 1, notional_min: 10, "
    'session: {time_zone: UTC, open: [], day_starts_at: "00:00"}}'
)
_CURRENCIES = ", ".join((instrument_of("EURUSD", "EUR", "USD"), instrument_of("GBPUSD", "GBP", "USD")))
_DAY = {"time_zone": "UTC", "day_starts_at": '"00:00"'}
OVERRIDES = (
    f"instruments.instruments=[{_CURRENCIES}, {_BITCOIN}]",
    accounts(
        account_of("alpha", "EURUSD", "GBPUSD", "BTCUSD", owner="ann", **_DAY),
        account_of("beta", "EURUSD", "BTCUSD", owner="ann", currency="EUR", **_DAY),
        account_of("gamma", "EURUSD", "GBPUSD", owner="cyd", rule_book="trailing-drawdown", **_DAY),
    ),
    "market.timeframes=[1m, 5m]",
    "wyckoff.timeframes=[5m]",
)


@cache
def loaded_config(overrides: tuple[str, ...], flags: tuple[tuple[str, str], ...]) -> Loaded:
    """The configuration; reading it takes longer than a step of the desk."""
    return load_config(None, overrides=(*OVERRIDES, *overrides), environment=dict(flags))


class Strategist:
    """Stands in Wyckoff's place: a minute of two quotes, apart, is a signal to go on the way of the second.

    Its stop is where the first was. It has no state, so that its signals follow from the log alone.
    """

    name = "wyckoff"
    consumes: tuple[type[m.Message], ...] = (m.BarClosed,)
    answers: tuple[type[m.Message], ...] = (m.BarClosed,)
    produces: tuple[type[m.Message], ...] = (m.SignalRaised,)

    def __init__(self) -> None:
        self.state: dict[str, str] = {}

    def handle(self, message: m.BarClosed) -> list[m.Message]:
        bar = message.bar
        if bar.timeframe is not Timeframe.M1 or bar.tick_count != 2 or bar.open == bar.close:
            return []
        side = Side.BUY if bar.close > bar.open else Side.SELL
        return [self._signal(message, bar, side)]

    def _signal(self, cause: m.BarClosed, bar: Bar, side: Side) -> m.SignalRaised:
        entry = bar.ask if side is Side.BUY else bar.bid
        risked = (bar.high - bar.low) * side.sign
        tick = TICKS[bar.instrument]
        return m.SignalRaised.caused_by(
            cause,
            self.name,
            side,
            occurred_at_ns=bar.end_ns,
            instrument=bar.instrument,
            timeframe=bar.timeframe,
            side=side,
            setup="spring_test",
            entry_price=entry,
            stop_price=(entry - risked) // tick * tick,
            target_price=(entry + 2 * risked) // tick * tick,
            confidence=Decimal("0.8"),
            quote=Quote(bid=bar.bid, ask=bar.ask, time_ns=bar.end_ns),
            evidence=(),
            range_id="range",
        )


class Staffed(Arrangement):
    """The desk with the strategist in Wyckoff's place."""

    def agents(self, parts: AgentParts) -> list[Any]:
        return [Strategist(), *build_agents(parts)[1:]]


class Reread:
    """A log to be read from its beginning, as if nobody had kept a snapshot."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def load_snapshot(self, owner: str = "desk") -> None:
        return None


class DrivenDesk:
    """A desk over a book, at one instant, and the reference of what it has said."""

    def __init__(self, book: Path, overrides: tuple[str, ...], start_ns: int = START_NS) -> None:
        self.book = book
        self.now_ns = self._start_ns = start_ns
        self.prices = {symbol: (price, price) for symbol, price in PRICES.items()}
        self.books = Books()
        self.counts: Counter[str] = Counter()
        self._overrides = overrides
        self._flags: dict[str, str] = {}
        self._configured = 1
        self.restarts = 0
        self._seen = 0
        self._keys = 0
        self._asked: dict[str, m.OrderProposed] = {}
        self._stages: dict[str, m.GateApproval] = {}
        self._ends: Counter[str] = Counter()
        self._trails: list[str] = []
        self._used: set[str] = set()
        self._reaches: dict[tuple[str, str, int], Decimal] = {}
        self.desk = self._open()
        self._warm_up()

    @property
    def loaded(self) -> Loaded:
        """The configuration in force."""
        return loaded_config(self._overrides, tuple(sorted(self._flags.items())))

    @property
    def halted(self) -> bool:
        """Whether somebody or something has stopped trading somewhere."""
        return bool(self.books.suspended) or any(
            not isinstance(each, m.BreakerClosed) for each in self.books.breakers.values()
        )

    def _build(self, log: EventLog) -> Desk:
        known = {each.symbol: each for each in self.loaded.sections["instruments"].instruments}
        self.feed = QuotedFeed(known[symbol] for symbol in PRICES)
        self.feed.batch(0, [Row(self._start_ns, symbol, *self.prices[symbol]) for symbol in PRICES])
        return desk_over(log, self.loaded, self.feed, mode="up", seed=1, clock=SystemClock(), arrangement=Staffed())

    def _open(self) -> Desk:
        desk = self._build(SqliteEventLog(self.book / "events.sqlite"))
        desk.start()
        return desk

    def _warm_up(self) -> None:
        rows = []
        for minute in range(WARM_UP_MINUTES):
            for symbol, (bid, _) in self.prices.items():
                price = bid + TICKS[symbol] * (minute % 2)
                rows.append(Row(self._start_ns + minute * MINUTE_NS, symbol, price, price))
        self.desk.take(self.feed.batch(self.desk.runner.next_sequence, rows))
        self.passes(WARM_UP_MINUTES * 60)

    # What happens

    def quotes(self, symbols: Iterable[str]) -> None:
        """Quote instruments at their prices, now."""
        rows = [Row(self.now_ns, symbol, *self.prices[symbol]) for symbol in symbols]
        self.desk.take(self.feed.batch(self.desk.runner.next_sequence, rows))
        self.check()

    def moves(self, symbol: str, ticks: int, spread: int = 0) -> None:
        """Another price of an instrument, not yet quoted."""
        bid = max(self.prices[symbol][0] + ticks * TICKS[symbol], PRICES[symbol] / 4)
        self.prices[symbol] = (bid, bid + spread * TICKS[symbol])

    def passes(self, seconds: int) -> None:
        """Let time pass without a quote."""
        self.now_ns += seconds * SECOND_NS
        self.desk.advance(self.now_ns)
        self.check()

    def tells(self, kind: type[m.Message], **fields: Any) -> m.Message:
        """A person or a measurement outside says something."""
        self._keys += 1
        message = kind.root("person", self.now_ns, f"{self.now_ns}-{self._keys}", **fields)
        if isinstance(message, m.OrderProposed):
            self._asked[message.message_id] = message
        assert self.desk.command(message)
        self.check()
        return message

    # Restarts

    def _state(self, desk: Desk) -> bytes:
        return msgspec.json.encode(desk.runner._snapshot(), order="sorted")

    def killed(self) -> None:
        """Die without a last snapshot, recover from the newest one and from none: all the same state; and go on."""
        self.restarts += 1
        before = self._state(self.desk)
        self.desk.log.close()
        self.desk._open = False
        self._recovers_to(before, reread=False)
        if self._configured == 1:
            self._recovers_to(before, reread=True)
        self.desk = self._open()
        self.check()

    def _recovers_to(self, before: bytes, *, reread: bool) -> None:
        log = SqliteEventLog(self.book / "events.sqlite")
        again = self._build(Reread(log) if reread else log)
        again.runner.recover()
        after = self._state(again)
        log.close()
        assert after == before, f"recovered otherwise, from {'the beginning' if reread else 'a snapshot'}"

    def reconfigures(self, flags: Mapping[str, str]) -> None:
        """Close cleanly and start again under other flags."""
        self.restarts += 1
        self.desk.close()
        if {**self._flags, **flags} != self._flags:
            self._configured += 1
        self._flags.update(flags)
        self.desk = self._open()
        self.check()

    def ends(self) -> None:
        """Close; what ran again from the first message on comes to the same."""
        try:
            if self._configured == 1:
                before = self._state(self.desk)
                self._reruns(before)
        finally:
            self.desk.close()

    def _reruns(self, before: bytes) -> None:
        again = self._build(Reread(self.desk.log))
        again.runner.recover()
        assert self._state(again) == before, "run again from the beginning, the log comes to something else"

    # What must hold

    def check(self) -> None:
        """Hold everything new in the log against the reference, whose quotients have digits enough."""
        with localcontext(Context(prec=DIGITS, traps=[DivisionByZero, InvalidOperation])):
            self._read_on()
        assert self.desk.runner.watch.check_everything() == []

    def _read_on(self) -> None:
        execution = self.loaded.sections["execution"]
        interval_ns = SECOND_NS // execution.messages_per_second
        for recorded in self.desk.log.read(after=self._seen):
            self._seen = recorded.position
            message = m.decode(recorded.body)
            self.counts[type(message).__name__] += 1
            self._judge(message, interval_ns * execution.messages_burst, interval_ns)
            self.books.fold(message, interval_ns)
            self._reaches_no_further(message)
        self._ended_once()
        for name in self.books.accounts:
            theirs = self.desk.portfolio.equity(name)
            assert theirs is None or abs(theirs - self.books.equity(name)) <= ROUNDING, f"equity of {name}"

    def _judge(self, message: m.Message, burst_ns: int, interval_ns: int) -> None:
        match message:
            case m.InvariantBroken():
                raise AssertionError(f"{message.invariant}: {message.detail}")
            case m.GateApproval():
                self._follows(message)
                if isinstance(message, m.OrderReleased):
                    self._within(message)
            case m.OrderSubmitted() | m.ScheduleStarted():
                self._sent(message, burst_ns, interval_ns)
            case m.OrderDenied():
                self._ends[message.order_id] += 1
                self._trails.append(message.correlation_id)
                self._may_close(message)
            case m.ReplaceSubmitted():
                self._replaced(message)
            case _:
                pass

    def _follows(self, approval: m.GateApproval) -> None:
        order, before = approval.order, self._stages.get(approval.order.order_id)
        for check in approval.checks:
            _keeps(check)
        stage = m.APPROVALS.index(type(approval))
        assert (before is None) == (stage == 0), f"{order.order_id} is not at stage {stage}"
        if before is not None:
            assert m.APPROVALS.index(type(before)) == stage - 1
            assert approval.causation_id == before.message_id
            assert before.expires_at_ns >= approval.occurred_at_ns
            assert order.quantity <= before.order.quantity, "a gate added"
            fields = ("account", "instrument", "side", "type", "limit_price", "stop_price", "stop_loss_price", "person")
            for name in (*fields, "reduce_only", "strategy", "time_in_force", "trail_offset"):
                assert getattr(order, name) == getattr(before.order, name), f"{name} changed on the way"
        asked = self._asked.get(approval.correlation_id)
        assert asked is None or order.quantity <= asked.quantity, "more than was asked for"
        self._stages[order.order_id] = approval

    def _within(self, release: m.OrderReleased) -> None:
        found = breaches(self.books, release.order, self.loaded.sections)
        assert found == [], f"{release.order} was released, but {'; '.join(found)}"
        self.counts["opened" if self.books.opens(release.order) else "closed"] += 1

    def _sent(self, message: m.OrderSubmitted | m.ScheduleStarted, burst_ns: int, interval_ns: int) -> None:
        order = message.order
        if order.parent_id:
            parent = self.books.open_orders[order.parent_id]
            assert order.quantity <= parent.left, "slices come to more than was released"
            asserted = (order.account, order.instrument, order.side)
            assert asserted == (parent.order.account, parent.order.instrument, parent.order.side)
            self.counts["slices"] += 1
        else:
            release = self._stages[order.order_id]
            assert isinstance(release, m.OrderReleased)
            assert message.causation_id == release.message_id
            assert release.message_id not in self._used, "a release was used twice"
            assert order == release.order
            self._used.add(release.message_id)
            self._ends[order.order_id] += 1
            self._trails.append(message.correlation_id)
            full_ns = max(self.books.bucket_full_at_ns, self.books.now_ns) + interval_ns - self.books.now_ns
            sends = isinstance(message, m.OrderSubmitted) and self.books.opens(order)
            assert not sends or full_ns <= burst_ns, "more messages than the venue may get"
        self._not_halted(order)

    def _reaches_no_further(self, message: m.Message) -> None:
        """What an account may come to hold grows by what is released, and by nothing else: limits judged that."""
        before, self._reaches = self._reaches, self.books.reaches()
        grown = {key: units - before.get(key, ZERO) for key, units in self._reaches.items()}
        if isinstance(message, m.OrderReleased) and not message.order.reduce_only:
            key = message.order.account, message.order.instrument, message.order.side.sign
            grown[key] -= message.order.quantity
        assert all(units <= ZERO for units in grown.values()), f"{message} lets an account hold more: {grown}"

    def _not_halted(self, order: Any) -> None:
        if not self.books.opens(order):
            return
        venue = self.books.accounts[order.account].venue
        for halt in self.books.halts:
            assert not halt.scope.covers(
                account=order.account, strategy=order.strategy, instrument=order.instrument, venue=venue
            ), f"sent after the stop of {halt.scope}: {order}"

    def _may_close(self, denied: m.OrderDenied) -> None:
        """Closing is always possible: what only shrinks a position is refused by nobody."""
        asked = self._asked.get(denied.correlation_id)
        if asked is None or not asked.reduce_only:
            return
        held = self.books.held.get((asked.account, asked.instrument), ZERO)
        lot = self.books.instruments[asked.instrument].lot_size
        assert held * asked.side.sign >= ZERO or asked.quantity < lot, f"a close was refused: {denied}"

    def _replaced(self, asked: m.ReplaceSubmitted) -> None:
        stop = self.books.stops.get(asked.client_order_id)
        if stop is not None and asked.stop_price is not None:
            assert (asked.stop_price - stop.price) * stop.side.sign <= ZERO, "a stop moved away"
        known = self.books.open_orders.get(self.books.sent.get(asked.client_order_id, ""))
        if known is None:
            return
        assert asked.quantity <= known.order.quantity, "a replace added"
        released = self._stages[known.order.order_id].order
        for wanted, judged in (
            (asked.limit_price, released.limit_price),
            (asked.stop_price, released.stop_price),
        ):
            dearer = wanted is not None and judged is not None and (wanted - judged) * released.side.sign > ZERO
            assert released.reduce_only or not dearer, "a replace made an entry dearer than its gates judged"
            own_stop = released.stop_loss_price
            behind = wanted and own_stop and (wanted - own_stop) * released.side.sign <= ZERO
            assert not behind, "a replace put an entry behind its own stop"

    def _ended_once(self) -> None:
        for order_id in self._stages:
            assert self._ends[order_id] == 1, f"order {order_id} ended {self._ends[order_id]} times"
        ended = Counter(self._trails)
        for message_id in self._asked:
            assert ended[message_id] == 1, f"proposal {message_id} ended {ended[message_id]} times"


def _keeps(check: m.Check) -> None:
    """What let an order pass says so with numbers that do."""
    assert check.outcome in {"pass", "warn", "reduce"}, check
    if check.outcome == "pass":
        low, high = (check.limit, check.measured) if check.at_least else (check.measured, check.limit)
        assert low <= high + ROUNDING, check
