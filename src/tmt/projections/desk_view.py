"""The desk at one moment, for a terminal or a page to show."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from heapq import merge
from operator import itemgetter
from typing import Final, Protocol

import msgspec
import numpy as np

from tmt import messages as m
from tmt.domain.money import ZERO, Exact
from tmt.domain.order import OrderState, OrderType, Quote, Side
from tmt.market.bar import Bar, Timeframe
from tmt.market.quality import FeedQuality
from tmt.ports.event_log import EventLog
from tmt.projections.portfolio import Portfolio
from tmt.projections.sentences import sentence

EVENTS_MAX: Final = 50
"""Events kept of what was decided, and as many of what was analysed, which is far more frequent."""
BARS_LOOKED_BACK: Final = 5_000
"""Log entries at the end of a book in which the newest bars are looked for at start."""

_OVER: Final = ("abandoned", "completed")
_BREAKER_STATES: Final[dict[type[m.Message], str]] = {
    m.BreakerOpened: "open",
    m.BreakerReduced: "reducing",
    m.BreakerHalfOpened: "half_open",
    m.BreakerClosed: "closed",
}
_ENDS: Final = (m.OrderRejected, m.OrderCancelled, m.OrderExpired)
_UNTOLD: Final = (m.MarketDataReceived, m.BarClosed, m.TimeAdvanced, m.GateApproval, m.StatisticsUpdated)
"""What is too frequent to be news."""


class AgentPlace(Protocol):
    """What the view asks of an agent."""

    @property
    def name(self) -> str:
        """As in `Message.source`."""

    @property
    def consumes(self) -> Sequence[type[m.Message]]:
        """Types it hears."""


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a sentence."""

    time_ns: int
    type: str
    message_id: str
    text: str


class MarketLine(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: newest quote, newest bar (any timeframe), phases by "timeframe direction", staleness.

    `open`: its session hours, holidays included, hold the snapshot's event time.
    """

    instrument: str
    simulated: bool
    open: bool
    quote: Quote | None
    bar: Bar | None
    phases: dict[str, str]
    stale: bool


class PositionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One open position; `unrealised` in the instrument's quote currency, None without a mark."""

    account: str
    instrument: str
    quantity: Exact
    average_price: Exact | None
    stop_price: Exact | None
    unrealised: Exact | None
    currency: str


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One order at the venue, exits included; `price` is None for a market order."""

    client_order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    type: OrderType
    price: Exact | None
    state: OrderState


class AccountLine(msgspec.Struct, frozen=True, kw_only=True):
    """One account, in its currency; None where a price or rate is missing.

    `suspended_by` is the rule of the suspension in force; empty when there is none.
    """

    account: str
    currency: str
    equity: Exact | None
    unrealised: Exact | None
    drawdown_fraction: Exact | None
    daily_loss_fraction: Exact | None
    suspended_by: str


class AgentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One agent: messages handled since the book began, and its newest decision."""

    name: str
    handled: int
    last: EventLine | None


class BreakerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker; fields as in `BreakerTransition`."""

    tier: str
    scope: str
    state: str
    trigger: str
    since_ns: int
    resumes_by: str


class DeskSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at event time `time_ns`; `events` newest first."""

    time_ns: int
    mode: str
    simulated: bool
    market: tuple[MarketLine, ...]
    positions: tuple[PositionLine, ...]
    orders: tuple[OrderLine, ...]
    accounts: tuple[AccountLine, ...]
    agents: tuple[AgentLine, ...]
    breakers: tuple[BreakerLine, ...]
    events: tuple[EventLine, ...]
    counts: dict[str, int]
    feed_quality: FeedQuality


class DeskView:
    """Folds messages, each once, after the portfolio has; keeps no more than it shows.

    Args:
        portfolio: the desk's own; read, never changed.
        agents: in path order.
    """

    consumes: Final = m.ALL

    def __init__(self, portfolio: Portfolio, agents: Sequence[AgentPlace]) -> None:
        self._portfolio = portfolio
        self._agents = tuple(agents)
        self._session: m.SessionStarted | None = None
        self._batch: m.MarketDataReceived | None = None
        self._quotes: dict[str, Quote] = {}
        self._bars: dict[str, Bar] = {}
        self._phases: dict[str, dict[str, str]] = {}
        self._stale: dict[str, bool] = {}
        self._orders: dict[str, OrderLine] = {}
        self._suspended: dict[str, str] = {}
        self._breakers: dict[str, BreakerLine] = {}
        self._decisions: dict[str, EventLine] = {}
        self._events: deque[tuple[int, EventLine]] = deque(maxlen=EVENTS_MAX)
        self._analysis: deque[tuple[int, EventLine]] = deque(maxlen=EVENTS_MAX)
        self._noted = 0

    def catch_up(self, log: EventLog) -> None:
        """Fold a book's past, for a desk that has just recovered: what is rare, and the newest bars."""
        bulky = (m.MarketDataReceived, m.BarClosed, m.TimeAdvanced)
        for recorded in log.read(types=tuple(kind.__name__ for kind in m.ALL if kind not in bulky)):
            self.handle(m.decode(recorded.body))
        for recorded in log.read(after=max(0, log.head() - BARS_LOOKED_BACK), types=("BarClosed",)):
            self.handle(m.decode(recorded.body))

    def handle(self, message: m.Message) -> list[m.Message]:
        """Fold one message; never answers."""
        match message:
            case m.MarketDataReceived():
                self._batch = message
            case m.BarClosed():
                self._bars[message.bar.instrument] = message.bar
            case m.SessionStarted():
                self._session = message
            case m.PhaseChanged():
                self._change_phase(message)
            case m.FeedStale():
                self._stale[message.instrument] = True
            case m.FeedRecovered():
                self._stale.pop(message.instrument, None)
            case m.BreakerTransition():
                self._turn(message)
            case m.AccountSuspended():
                self._suspended[message.account] = message.rule
            case m.AccountReinstated():
                self._suspended.pop(message.account, None)
            case m.VenueEvent():
                self._follow_order(message)
            case _:
                pass
        if not isinstance(message, m.MarketDataReceived | m.BarClosed | m.TimeAdvanced):
            self._note(message)
        return []

    def has_breaker(self, key: str) -> bool:
        """Whether a breaker of that key, "tier/scope", ever spoke."""
        return key in self._breakers

    def _change_phase(self, changed: m.PhaseChanged) -> None:
        phases = self._phases.setdefault(changed.instrument, {})
        key = f"{changed.timeframe} {changed.direction}"
        if changed.phase in _OVER:
            phases.pop(key, None)
        else:
            phases[key] = changed.phase

    def _turn(self, turned: m.BreakerTransition) -> None:
        self._breakers[f"{turned.tier}/{turned.scope}"] = BreakerLine(
            tier=turned.tier,
            scope=turned.scope,
            state=_BREAKER_STATES[type(turned)],
            trigger=turned.trigger,
            since_ns=turned.occurred_at_ns,
            resumes_by=turned.resumes_by,
        )

    def _follow_order(self, event: m.VenueEvent) -> None:
        client_order_id = event.client_order_id
        known = self._orders.get(client_order_id)
        if isinstance(event, m.OrderAccepted):
            self._orders[client_order_id] = OrderLine(
                client_order_id=client_order_id,
                account=event.account,
                instrument=event.instrument,
                side=event.side,
                quantity=event.quantity,
                type=event.order_type,
                price=event.price,
                state=OrderState.ACCEPTED,
            )
        elif isinstance(event, _ENDS) or (isinstance(event, m.OrderFilled) and event.remaining == ZERO):
            self._orders.pop(client_order_id, None)
        elif known is not None:
            self._orders[client_order_id] = _progressed(known, event)

    def _note(self, message: m.Message) -> None:
        line = EventLine(
            time_ns=message.occurred_at_ns,
            type=type(message).__name__,
            message_id=message.message_id,
            text=sentence(message),
        )
        self._decisions[message.source] = line
        if not isinstance(message, _UNTOLD):
            self._noted += 1
            kept = self._analysis if isinstance(message, m.WyckoffEventSeen | m.PhaseChanged) else self._events
            kept.appendleft((self._noted, line))

    def snapshot(self, counts: Mapping[str, int], quality: FeedQuality) -> DeskSnapshot:
        """What to show now.

        Args:
            counts: messages delivered by type, since the book began.
            quality: of the feed, so far.
        """
        session = self._session
        symbols = () if session is None else session.instruments
        self._look_at_quotes()
        return DeskSnapshot(
            time_ns=self._portfolio.now_ns,
            mode="" if session is None else session.mode,
            simulated=session is not None and session.simulated,
            market=tuple(
                MarketLine(
                    instrument=each.symbol,
                    simulated=each.simulated,
                    open=each.session.is_open(self._portfolio.now_ns),
                    quote=self._newest_quote(each.symbol),
                    bar=self._bars.get(each.symbol),
                    phases=dict(sorted(self._phases.get(each.symbol, {}).items(), key=_by_length)),
                    stale=self._stale.get(each.symbol, False),
                )
                for each in symbols
            ),
            positions=self._positions(),
            orders=tuple(self._orders.values()),
            accounts=self._accounts(),
            agents=tuple(
                AgentLine(
                    name=agent.name,
                    handled=sum(counts.get(kind.__name__, 0) for kind in agent.consumes),
                    last=self._decisions.get(agent.name),
                )
                for agent in self._agents
            ),
            breakers=tuple(line for _, line in sorted(self._breakers.items())),
            events=tuple(line for _, line in merge(self._events, self._analysis, key=itemgetter(0), reverse=True)),
            counts=dict(sorted(counts.items())),
            feed_quality=quality,
        )

    def _look_at_quotes(self) -> None:
        message, session = self._batch, self._session
        if message is None or session is None:
            return
        batch = message.batch
        quanta = {each.symbol: each.price_quantum for each in session.instruments}
        for index, symbol in enumerate(batch.symbols):
            rows = np.flatnonzero((batch.instrument == index) & (batch.bid > 0) & (batch.ask >= batch.bid))
            if len(rows) and symbol in quanta:
                row = int(rows[-1])
                bid, ask = (quanta[symbol] * int(side[row]) for side in (batch.bid, batch.ask))
                self._quotes[symbol] = Quote(bid=bid, ask=ask, time_ns=int(batch.time_ns[row]))
        self._batch = None

    def _newest_quote(self, symbol: str) -> Quote | None:
        known = [each for each in (self._portfolio.mark(symbol), self._quotes.get(symbol)) if each is not None]
        return max(known, key=lambda quote: quote.time_ns, default=None)

    def _positions(self) -> tuple[PositionLine, ...]:
        lines = []
        for account in self._portfolio.accounts:
            for position in self._portfolio.positions(account.account_id):
                instrument = self._portfolio.instrument(position.instrument)
                assert instrument is not None
                worth = self._portfolio.market_value(position)
                lines.append(
                    PositionLine(
                        account=position.account,
                        instrument=position.instrument,
                        quantity=position.quantity,
                        average_price=position.average_price,
                        stop_price=self._portfolio.protective_stop(position.account, position.instrument),
                        unrealised=None if worth is None else worth - position.cost * instrument.point_value,
                        currency=instrument.quote_currency,
                    )
                )
        return tuple(lines)

    def _accounts(self) -> tuple[AccountLine, ...]:
        portfolio = self._portfolio
        return tuple(
            AccountLine(
                account=each.account_id,
                currency=each.currency,
                equity=portfolio.equity(each.account_id),
                unrealised=portfolio.unrealised(each.account_id),
                drawdown_fraction=portfolio.drawdown_fraction(each.account_id),
                daily_loss_fraction=portfolio.daily_loss_fraction(each.account_id),
                suspended_by=self._suspended.get(each.account_id, ""),
            )
            for each in portfolio.accounts
        )


def _by_length(phase: tuple[str, str]) -> tuple[int, str]:
    return Timeframe(phase[0].split()[0]).nanoseconds, phase[0]


def _progressed(known: OrderLine, event: m.VenueEvent) -> OrderLine:
    match event:
        case m.OrderFilled():
            return msgspec.structs.replace(known, quantity=event.remaining, state=OrderState.PARTIALLY_FILLED)
        case m.OrderTriggered():
            return msgspec.structs.replace(known, state=OrderState.TRIGGERED)
        case m.OrderReplaced():
            price = event.stop_price if event.limit_price is None else event.limit_price
            price = known.price if price is None else price
            return msgspec.structs.replace(known, quantity=event.quantity, price=price)
        case _:
            return known
