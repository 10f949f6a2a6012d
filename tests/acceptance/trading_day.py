"""A whole desk at prices and times that a test chooses: quotes as they come, orders in a trader's words, what was said.

Prices have no spread unless said, the venue takes no fee and orders go out whole, so that what a trade makes is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.bootstrap import Desk, open_desk
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.session import moment_ns
from tmt.domain.stop import EVERYTHING, StopLevel, StopScope
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.market.quality import FeedQuality
from tmt.sections import load_config

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DISPLAYED_LOTS = 10**9
FREE = "{maker_fraction: 0, taker_fraction: 0, per_unit_fee: 0, order_fee_min: 0}"
EXACT = (
    "venue.slippage_ticks=0",
    f"venue.fees.fx={FREE}",
    f"venue.fees.index={FREE}",
    f"venue.fees.crypto={FREE}",
    "human_behavior.slicing.volume.lots_per_tick=0",
)
Said = TypeVar("Said", bound=m.Message)


def moment(text: str) -> int:
    """Event time of "YYYY-MM-DD HH:MM ZONE" or "YYYY-MM-DD HH:MM:SS ZONE"."""
    clock, _, zone = text.rpartition(" ")
    return moment_ns(datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone)))


def instrument_of(symbol: str, base: str, quote: str, **changes: str) -> str:
    """A currency pair as configuration, trading as EURUSD does."""
    values = {"tick_size": "0.00001", "price_quantum": "0.00001", "lot_size": "1000", "quantity_min": "1000", **changes}
    told = ", ".join(f"{name}: {value}" for name, value in values.items())
    session = '{time_zone: America/New_York, open: ["sun 17:00 - fri 17:00"], day_starts_at: "17:00", calendar: FX}'
    currencies = f"asset_class: fx, base_currency: {base}, quote_currency: {quote}"
    return f"{{symbol: {symbol}, {currencies}, {told}, point_value: 1, notional_min: 0, session: {session}}}"


PAIRS = ", ".join(
    (
        instrument_of("EURUSD", "EUR", "USD"),
        instrument_of("GBPUSD", "GBP", "USD"),
        instrument_of("AUDUSD", "AUD", "USD"),
        instrument_of("EURGBP", "EUR", "GBP"),
        instrument_of("USDCHF", "USD", "CHF"),
    )
)
MORE_PAIRS = (f"instruments.instruments=[{PAIRS}]",)
"""Five pairs instead of the usual instruments."""


def account_of(account: str, *symbols: str, **changes: str) -> str:
    """An account of 100,000 USD as configuration, whose day begins at 17:00 in New York unless said otherwise."""
    values = {
        "currency": "USD",
        "deposit": "100000",
        "rule_book": "default",
        "time_zone": "America/New_York",
        "day_starts_at": '"17:00"',
        **changes,
    }
    told = ", ".join(f"{name}: {value}" for name, value in values.items())
    return f"{{account_id: {account}, instruments: [{', '.join(symbols)}], {told}}}"


def accounts(*each: str) -> str:
    """The override that makes these the desk's accounts."""
    return f"accounts.accounts=[{', '.join(each)}]"


def news(*events: str) -> str:
    """The override for scheduled events, each "YYYY-MM-DD HH:MM ZONE CURRENCY IMPACT"."""
    told = []
    for event in events:
        at, currency, impact = event.rsplit(" ", 2)
        told.append(f'{{at: "{at}", currency: {currency}, impact: {impact}, title: figures}}')
    return f"news.events=[{', '.join(told)}]"


def rule(book: str, rule_id: str, **changes: str) -> tuple[str, ...]:
    """The overrides that change one rule of a rule book."""
    rules = load_config(None).sections["rule_books"][book].rules
    number = next(index for index, each in enumerate(rules) if each.id == rule_id)
    return tuple(f"rule_books.{book}.rules.{number}.{key}={value}" for key, value in changes.items())


class Row(NamedTuple):
    """One quote."""

    time_ns: int
    symbol: str
    bid: Decimal
    ask: Decimal


class QuotedFeed:
    """Rows that a test gives one by one; see the `Feed` port."""

    simulated = False
    bar_seconds = 0
    traded: tuple[str, ...] = ()

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.instruments = {each.symbol: each for each in instruments}
        self.symbols: tuple[str, ...] = tuple(self.instruments)
        self.sources: tuple[str, ...] = ("quotes of a test",)
        self.expected = tuple(each.session for each in self.instruments.values())
        self.first: MarketBatch | None = None

    def batch(self, sequence: int, rows: Sequence[Row]) -> MarketBatch:
        """These rows, the first of them being number `sequence`."""
        values: dict[str, list[int]] = {name: [0] * len(rows) for name, _ in COLUMNS}
        values["bid_size"] = values["ask_size"] = [DISPLAYED_LOTS] * len(rows)
        values["time_ns"] = [row.time_ns for row in rows]
        values["instrument"] = [self.symbols.index(row.symbol) for row in rows]
        values["bid"] = [int(row.bid / self.instruments[row.symbol].price_quantum) for row in rows]
        values["ask"] = [int(row.ask / self.instruments[row.symbol].price_quantum) for row in rows]
        columns = {name: np.array(each, dtype=np.int64) for name, each in values.items()}
        made = MarketBatch(symbols=self.symbols, first_sequence=sequence, **columns)
        self.first = self.first or made
        return made

    def batches(self, from_sequence: int = 0, until_ns: int | None = None) -> Iterator[MarketBatch]:
        """The first row alone: the test hands the others to the desk itself."""
        del until_ns
        if from_sequence == 0 and self.first is not None:
            yield self.first

    @property
    def quality(self) -> FeedQuality:
        return FeedQuality(instruments={})

    def total_rows(self) -> int | None:
        return None


class TradingDay:
    """A desk over its book, at one instant.

    Attributes:
        silent: instruments that get no quotes while minutes pass.

    Args:
        book: folder of the desk's book.
        begins: "YYYY-MM-DD HH:MM ZONE" of the first quotes, or nanoseconds.
        prices: first price of each instrument.
        overrides: of the configuration.
        environment: flags of the configuration.
    """

    def __init__(
        self,
        book: Path,
        begins: str | int,
        prices: Mapping[str, str],
        *overrides: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.book = book
        self.now_ns = moment(begins) if isinstance(begins, str) else begins
        self.prices = {symbol: (Decimal(price), Decimal(price)) for symbol, price in prices.items()}
        self._overrides = (*EXACT, *overrides)
        self._loaded = load_config(None, overrides=self._overrides, environment=environment)
        self._keys = 0
        self.silent: set[str] = set()
        book.mkdir(parents=True)
        self.desk = self._open()
        self.quotes()
        self.minutes(1)

    def _open(self) -> Desk:
        loaded = self._loaded
        known = {each.symbol: each for each in loaded.sections["instruments"].instruments}
        self.feed = QuotedFeed(known[symbol] for symbol in self.prices)
        self.feed.batch(0, self._rows(self.now_ns, self.prices))
        desk = open_desk(loaded, self.feed, self.book, mode="up", seed=1, clock=SystemClock())
        desk.start()
        return desk

    # Time and prices

    def quotes(self, **prices: str) -> None:
        """Quote every instrument now, some at a new price: "1.10" or, bid and ask apart, "1.10/1.11"."""
        for symbol, text in prices.items():
            bid, _, ask = text.partition("/")
            self.prices[symbol] = (Decimal(bid), Decimal(ask or bid))
        self.quotes_only(*self.prices)

    def quotes_only(self, *symbols: str) -> None:
        """Quote these instruments now, and no other."""
        self._take(self._rows(self.now_ns, symbols))

    def _rows(self, time_ns: int, symbols: Iterable[str]) -> list[Row]:
        return [Row(time_ns, symbol, *self.prices[symbol]) for symbol in symbols]

    def _take(self, rows: list[Row]) -> None:
        self.desk.take(self.feed.batch(self.desk.runner.next_sequence, rows))

    def passes_to(self, time_ns: int) -> None:
        """Let time pass without a quote."""
        self.now_ns = time_ns
        self.desk.advance(time_ns)

    def seconds(self, seconds: int) -> None:
        """Let seconds pass without a quote."""
        self.passes_to(self.now_ns + seconds * SECOND_NS)

    def minutes(self, minutes: int, *, step: int = 1) -> None:
        """Let minutes pass, with quotes every `step` minutes while their instruments trade and are not silent."""
        end_ns = self.now_ns + minutes * MINUTE_NS
        times = [*range(self.now_ns + step * MINUTE_NS, end_ns, step * MINUTE_NS), end_ns]
        quoted = [symbol for symbol in self.prices if symbol not in self.silent]
        sessions = {symbol: self.feed.instruments[symbol].session for symbol in quoted}
        rows = [
            row
            for time_ns in times
            for row in self._rows(time_ns, [symbol for symbol, each in sessions.items() if each.is_open(time_ns)])
        ]
        if rows:
            self._take(rows)
        self.passes_to(end_ns)

    def walks(self, **prices: Sequence[str]) -> None:
        """Quote these prices, one a minute from now on, and the other instruments as they are; pass to the end of all.

        All sequences are of one length.
        """
        rows = []
        minutes = len(next(iter(prices.values())))
        for number in range(minutes):
            for symbol, path in prices.items():
                self.prices[symbol] = (Decimal(path[number]), Decimal(path[number]))
            rows += self._rows(self.now_ns + number * MINUTE_NS, self.prices)
        self._take(rows)
        self.passes_to(self.now_ns + (minutes - 1) * MINUTE_NS)
        self.minutes(1)

    def until(self, text: str, *, step: int = 1) -> None:
        """Let time pass to "YYYY-MM-DD HH:MM ZONE"; see `minutes`."""
        left_ns = moment(text) - self.now_ns
        assert left_ns >= 0, f"{text} has passed"
        self.passes_to(self.now_ns + left_ns % MINUTE_NS)
        self.minutes(left_ns // MINUTE_NS, step=step)

    def moves(self, **prices: str) -> None:
        """Quote new prices now, and pass to the end of the minute, so that everybody values by them."""
        self.quotes(**prices)
        self.minutes(1)

    # Orders and commands

    def orders(self, side: Side, quantity: str, symbol: str, *, wait: int = 1, **fields: Any) -> m.OrderProposed:
        """A person proposes an order, at the market unless said otherwise; prices are text. `wait` seconds pass."""
        prices = ("limit_price", "stop_price", "stop_loss_price", "take_profit_price", "trail_offset")
        fields |= {name: Decimal(fields[name]) for name in prices if fields.get(name) is not None}
        wanted: dict[str, Any] = {
            "account": "alpha",
            "order_type": OrderType.MARKET,
            "time_in_force": TimeInForce.GTC,
            "person": "ann",
            "strategy": "manual",
            **fields,
        }
        self._keys += 1
        key = f"{self.now_ns}-{self._keys}"
        proposal = m.OrderProposed.root(
            "person", self.now_ns, key, instrument=symbol, side=side, quantity=Decimal(quantity), **wanted
        )
        assert self.desk.command(proposal)
        self.seconds(wait)
        return proposal

    def buys(self, quantity: str, symbol: str, *, stop: str | None = None, **fields: Any) -> m.OrderProposed:
        """Propose to buy, with a stop-loss at `stop`."""
        return self.orders(Side.BUY, quantity, symbol, stop_loss_price=stop, **fields)

    def sells(self, quantity: str, symbol: str, *, stop: str | None = None, **fields: Any) -> m.OrderProposed:
        """Propose to sell, with a stop-loss at `stop`."""
        return self.orders(Side.SELL, quantity, symbol, stop_loss_price=stop, **fields)

    def closes(self, symbol: str, account: str = "alpha") -> m.OrderProposed:
        """Propose to close all that is held."""
        held = self.desk.portfolio.position(account, symbol).quantity
        side = Side.SELL if held > ZERO else Side.BUY
        return self.orders(side, str(abs(held)), symbol, account=account, reduce_only=True)

    def tells(self, kind: type[m.Message], **fields: Any) -> m.Message:
        """A person or a measurement outside says something."""
        self._keys += 1
        message = kind.root("person", self.now_ns, f"{self.now_ns}-{self._keys}", **fields)
        assert self.desk.command(message)
        return message

    def stops(self, level: StopLevel, scope: StopScope = EVERYTHING, role: str = "risk") -> m.Message:
        """An emergency stop."""
        return self.tells(m.StopTrading, person="rob", role=role, reason="drill", level=level, scope=scope)

    def resumes(self, role: str, reason: str = "all is well", scope: StopScope = EVERYTHING) -> m.Message:
        """A person lifts stops."""
        return self.tells(m.ResumeTrading, person="rob", role=role, reason=reason, scope=scope)

    # What came of it

    def said(self, kind: type[Said]) -> list[Said]:
        """Every message of one type, oldest first."""
        found = (m.decode(each.body) for each in self.desk.log.read(types=(kind.__name__,)))
        return [message for message in found if isinstance(message, kind)]

    def of(self, proposal: m.Message, kind: type[Said]) -> list[Said]:
        """What followed of one type from a proposal."""
        found = (m.decode(each.body) for each in self.desk.log.correlated(proposal.message_id))
        return [message for message in found if isinstance(message, kind)]

    def denial(self, proposal: m.Message) -> m.OrderDenied:
        """The refusal of an order, which must have been refused."""
        [denied] = self.of(proposal, m.OrderDenied)
        assert not self.of(proposal, m.OrderSubmitted)
        return denied

    def released(self, proposal: m.Message) -> m.OrderReleased:
        """The release of an order, which must have been released."""
        denied = [(each.gate, each.reason, each.detail) for each in self.of(proposal, m.OrderDenied)]
        assert denied == [], denied
        [released] = self.of(proposal, m.OrderReleased)
        return released

    def check(self, proposal: m.Message, rule_id: str) -> m.Check:
        """What one rule measured of an order."""
        gates: list[m.GateApproval | m.OrderDenied] = [*self.of(proposal, m.GateApproval)]
        gates += self.of(proposal, m.OrderDenied)
        [found] = [check for gate in gates for check in gate.checks if check.rule == rule_id]
        return found

    def held(self, symbol: str, account: str = "alpha") -> Decimal:
        """Signed position."""
        return self.desk.portfolio.position(account, symbol).quantity

    def equity(self, account: str = "alpha") -> Decimal:
        """Equity of an account, which must be known."""
        equity = self.desk.portfolio.equity(account)
        assert equity is not None
        return equity

    def breaker(self, tier: str, scope: str) -> str:
        """Where a breaker stands: the newest that was said of it."""
        newest = [each for each in self._transitions() if (each.tier, each.scope) == (tier, scope)][-1]
        return type(newest).__name__.removeprefix("Breaker")

    def transitions(self, tier: str, scope: str) -> list[str]:
        """A breaker's life so far: each transition and its trigger."""
        return [
            f"{type(each).__name__.removeprefix('Breaker')} by {each.trigger}"
            for each in self._transitions()
            if (each.tier, each.scope) == (tier, scope)
        ]

    def _transitions(self) -> list[m.BreakerTransition]:
        names = tuple(kind.__name__ for kind in m.BREAKER)
        found = (m.decode(each.body) for each in self.desk.log.read(types=names))
        return [each for each in found if isinstance(each, m.BreakerTransition)]

    # Restart and end

    def restarts(self, *more: str, cleanly: bool) -> None:
        """Stop the desk, as an operator or a power cut would, and start it over its book, with more overrides."""
        if cleanly:
            self.desk.close()
        else:
            self.desk.log.close()
            self.desk._open = False
        if more:
            self._overrides = (*self._overrides, *more)
            self._loaded = load_config(None, overrides=self._overrides)
        self.desk = self._open()

    def ends(self) -> None:
        """Check that nothing is broken, and close the desk."""
        assert self.said(m.InvariantBroken) == []
        assert self.desk.runner.watch.check_everything() == []
        self.desk.close()
