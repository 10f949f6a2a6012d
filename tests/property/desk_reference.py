"""What a desk's log says of its accounts, and which limits an order that may open breaks.

Plain arithmetic over messages, by the words of docs/gates: it shares no code with the gates, the portfolio or the
watch. Amounts are in the account's currency. Accounts' days begin at midnight UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tmt import messages as m
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.market.bar import Bar

ZERO = Decimal(0)
SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
ROUNDING = Decimal("0.000001")
"""Converted amounts are rounded by the desk; a lot is worth more than this."""


@dataclass
class OpenOrder:
    """An order that was released and may still fill, with the units that are left of it."""

    order: Order
    left: Decimal
    released_at_ns: int
    filled: bool = False
    accepted: bool = False


class ProtectiveStop(NamedTuple):
    """A stop of a bracket that works at the venue."""

    account: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass
class Books:
    """What has been said so far.

    Attributes:
        open_orders: by order id; slices apart from what is left of their parents.
        stops: protective stops by client order id.
        breakers: the newest transition by "tier/scope".
        halts: emergency stops that nobody has lifted.
        trials: opening orders released since a breaker went half-open, by its key.
        bucket_full_at_ns: when execution may again send a full burst.
    """

    instruments: dict[str, Instrument] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    cash: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    held: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    marks: dict[str, Quote] = field(default_factory=dict)
    bars: dict[str, list[Bar]] = field(default_factory=dict)
    open_orders: dict[str, OpenOrder] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    stops: dict[str, ProtectiveStop] = field(default_factory=dict)
    breakers: dict[str, m.BreakerTransition] = field(default_factory=dict)
    halts: list[m.StopTrading] = field(default_factory=list)
    suspended: set[str] = field(default_factory=set)
    trials: dict[str, list[str]] = field(default_factory=dict)
    peak: dict[str, Decimal] = field(default_factory=dict)
    day_start: dict[str, Decimal] = field(default_factory=dict)
    closing_peak: dict[str, Decimal] = field(default_factory=dict)
    releases_ns: dict[str, list[int]] = field(default_factory=dict)
    approvals_ns: dict[str, list[int]] = field(default_factory=dict)
    bucket_full_at_ns: int = 0
    now_ns: int = 0

    # Fold

    def fold(self, message: m.Message, interval_ns: int) -> None:
        """Fold one message; `interval_ns` is the time in which execution may send one more."""
        if not isinstance(message, m.MarketDataReceived | m.TimeAdvanced):
            self._pass_to(message.occurred_at_ns)
        match message:
            case m.SessionStarted():
                self.instruments = {each.symbol: each for each in message.instruments}
            case m.AccountOpened(account=account):
                name = account.account_id
                self.accounts[name] = account
                self.cash[name] = {account.currency: account.deposit}
                self.peak[name] = self.day_start[name] = self.closing_peak[name] = account.deposit
            case m.BarClosed(bar=bar):
                self.bars.setdefault(bar.instrument, []).append(bar)
                self.marks[bar.instrument] = Quote(bid=bar.bid, ask=bar.ask, time_ns=bar.end_ns)
                self._raise_peaks()
            case m.OrderFilled():
                self._fill(message)
            case m.VenueEvent():
                self._fold_event(message)
            case m.BreakerTransition():
                self._fold_breaker(message)
            case m.StopTrading() | m.ResumeTrading():
                self._fold_halt(message)
            case m.AccountSuspended():
                self.suspended.add(message.account)
            case m.AccountReinstated():
                self.suspended.discard(message.account)
            case _:
                self._fold_order(message)
        if isinstance(message, m.OrderSubmitted | m.CancelSubmitted | m.ReplaceSubmitted):
            self.bucket_full_at_ns = max(self.bucket_full_at_ns, message.occurred_at_ns) + interval_ns

    def _pass_to(self, time_ns: int) -> None:
        if time_ns // DAY_NS > self.now_ns // DAY_NS and self.accounts and self.now_ns:
            for name in self.accounts:
                self.day_start[name] = self.equity(name)
                self.closing_peak[name] = max(self.closing_peak[name], self.day_start[name])
        self.now_ns = max(self.now_ns, time_ns)

    def _raise_peaks(self) -> None:
        for name in self.accounts:
            if self._valued(name):
                self.peak[name] = max(self.peak[name], self.equity(name))

    def _valued(self, account: str) -> bool:
        needed = {symbol for name, symbol in self.held if name == account}
        if any(currency != self.accounts[account].currency for currency in self.cash[account]):
            needed.add("EURUSD")
        return needed <= set(self.marks)

    def _fill(self, fill: m.OrderFilled) -> None:
        instrument, cash = self.instruments[fill.instrument], self.cash[fill.account]
        paid = fill.quantity * fill.side.sign * fill.price * instrument.point_value
        for currency, amount in ((instrument.quote_currency, paid), (fill.fee_currency, fill.fee)):
            cash[currency] = cash.get(currency, ZERO) - amount
        key = (fill.account, fill.instrument)
        self.held[key] = self.held.get(key, ZERO) + fill.quantity * fill.side.sign
        if self.held[key] == ZERO:
            del self.held[key]
        self.marks.setdefault(fill.instrument, fill.quote)
        stop = self.stops.get(fill.client_order_id)
        if stop is not None:
            self.stops[fill.client_order_id] = stop._replace(quantity=fill.remaining)
        known = self.open_orders.get(self.sent.get(fill.client_order_id, ""))
        if known is not None:
            known.left, known.filled = fill.remaining, True
        if fill.remaining == ZERO:
            self._end(fill.client_order_id)
        self._raise_peaks()

    def _fold_event(self, event: m.VenueEvent) -> None:
        match event:
            case m.OrderAccepted(role="stop_loss", price=Decimal() as price):
                stop = ProtectiveStop(event.account, event.instrument, event.side, event.quantity, price)
                self.stops[event.client_order_id] = stop
            case m.OrderAccepted():
                known = self.open_orders.get(self.sent.get(event.client_order_id, ""))
                if known is not None:
                    known.accepted = True
            case m.OrderReplaced():
                self._replace(event)
            case m.OrderCancelled() | m.OrderExpired() | m.OrderRejected():
                self._end(event.client_order_id)
            case _:
                pass

    def _replace(self, event: m.OrderReplaced) -> None:
        stop, known = (
            self.stops.get(event.client_order_id),
            self.open_orders.get(self.sent.get(event.client_order_id, "")),
        )
        if stop is not None:
            price = stop.price if event.stop_price is None else event.stop_price
            self.stops[event.client_order_id] = stop._replace(quantity=event.quantity, price=price)
        if known is not None:
            known.left -= known.order.quantity - event.quantity
            known.order = replaced(known.order, event)

    def _end(self, client_order_id: str) -> None:
        self.stops.pop(client_order_id, None)
        self.open_orders.pop(self.sent.get(client_order_id, ""), None)

    def _fold_breaker(self, change: m.BreakerTransition) -> None:
        key = f"{change.tier}/{change.scope}"
        self.breakers[key] = change
        self.trials[key] = []

    def _fold_halt(self, message: m.StopTrading | m.ResumeTrading) -> None:
        if isinstance(message, m.StopTrading):
            self.halts.append(message)
            return
        lifts = {"admin": ("pause", "cancel", "flatten", "lock"), "risk": ("pause", "cancel", "flatten")}
        self.halts = [
            halt
            for halt in self.halts
            if not (message.scope.contains(halt.scope) and halt.level in lifts.get(message.role, ()))
        ]

    def _fold_order(self, message: m.Message) -> None:
        match message:
            case m.ComplianceApproved(order=order):
                self.approvals_ns.setdefault(order.account, []).append(message.occurred_at_ns)
            case m.OrderReleased(order=order):
                if self.opens(order):
                    self.releases_ns.setdefault(order.account, []).append(message.occurred_at_ns)
                    for key in breaker_keys(order, self.accounts[order.account].venue):
                        self.trials.setdefault(key, []).append(order.order_id)
                self.open_orders[order.order_id] = OpenOrder(order, order.quantity, message.occurred_at_ns)
            case m.OrderDenied() if message.gate == "execution":
                self.open_orders.pop(message.order_id, None)
            case m.OrderSubmitted(order=order):
                self.sent[message.client_order_id] = order.order_id
                if order.parent_id:
                    self.open_orders[order.order_id] = OpenOrder(order, order.quantity, message.occurred_at_ns)
                    if order.parent_id in self.open_orders:
                        self.open_orders[order.parent_id].left -= order.quantity
            case m.ScheduleEnded():
                self.open_orders.pop(message.order_id, None)
            case _:
                pass

    # Money

    def rate(self, source: str, target: str) -> Decimal:
        """Units of `target` for one of `source`, from mid prices, over US dollars where needed."""
        if source == target:
            return Decimal(1)
        for symbol, mark in self.marks.items():
            pair = self.instruments[symbol]
            mid = (mark.bid + mark.ask) / 2
            if (pair.base_currency, pair.quote_currency) == (source, target):
                return mid
            if (pair.base_currency, pair.quote_currency) == (target, source):
                return 1 / mid
        return self.rate(source, "USD") * self.rate("USD", target)

    def worth(self, account: str, symbol: str, price: Decimal) -> Decimal:
        """Of one unit at `price`, in the account's currency."""
        instrument = self.instruments[symbol]
        return price * instrument.point_value * self.rate(instrument.quote_currency, self.accounts[account].currency)

    def equity(self, account: str) -> Decimal:
        """Cash and positions at the price at which they could be closed."""
        currency = self.accounts[account].currency
        money = sum((amount * self.rate(each, currency) for each, amount in self.cash[account].items()), ZERO)
        return money + sum((units * self._closing(account, symbol) for symbol, units in self.holdings(account)), ZERO)

    def holdings(self, account: str) -> list[tuple[str, Decimal]]:
        """Instruments and signed units of one account."""
        return [(symbol, units) for (name, symbol), units in self.held.items() if name == account]

    def _closing(self, account: str, symbol: str) -> Decimal:
        mark = self.marks[symbol]
        return self.worth(account, symbol, mark.bid if self.held[account, symbol] > ZERO else mark.ask)

    # What is at stake

    def opens(self, order: Order) -> bool:
        """Whether an order is other than one that only shrinks a position."""
        held = self.held.get((order.account, order.instrument), ZERO)
        return not (order.reduce_only and held * order.side.sign < ZERO and order.quantity <= abs(held))

    def others(self, order: Order, *accounts: str) -> list[OpenOrder]:
        """Other open orders that may open, of some accounts."""
        return [
            each
            for each in self.open_orders.values()
            if each.order.account in accounts
            and each.order.order_id not in (order.order_id, order.parent_id)
            and not each.order.reduce_only
        ]

    def line(self, account: str, symbol: str, order: Order) -> tuple[Decimal, Decimal, Decimal]:
        """Signed units held, bought and sold by open orders, without the order."""
        bought = sold = ZERO
        for each in self.others(order, account):
            if each.order.instrument == symbol:
                bought += each.left if each.order.side is Side.BUY else ZERO
                sold += each.left if each.order.side is Side.SELL else ZERO
        return self.held.get((account, symbol), ZERO), bought, sold

    def reaches(self) -> dict[tuple[str, str, int], Decimal]:
        """Units that an account may come to hold of an instrument either way, if all that may open fills."""
        found: dict[tuple[str, str, int], Decimal] = {}
        for (account, symbol), units in self.held.items():
            found[account, symbol, 1 if units > ZERO else -1] = abs(units)
        for each in self.open_orders.values():
            if not each.order.reduce_only:
                key = each.order.account, each.order.instrument, each.order.side.sign
                found[key] = found.get(key, ZERO) + each.left
        return found

    def stakes(self, account: str, symbol: str, order: Order) -> tuple[Decimal, Decimal, Decimal]:
        """Signed worth of what is held, bought and sold, each at its own price."""
        bought = sold = ZERO
        for each in self.others(order, account):
            if each.order.instrument == symbol:
                value = each.left * self.worth(account, symbol, price_of(each.order))
                bought += value if each.order.side is Side.BUY else ZERO
                sold -= value if each.order.side is Side.SELL else ZERO
        units = self.held.get((account, symbol), ZERO)
        return (ZERO if units == ZERO else units * self._closing(account, symbol)), bought, sold

    def at_risk(self, order: Order, quantity: Decimal) -> Decimal:
        """Lost if `quantity` of an order filled and its stop were hit; all of it where no stop protects."""
        price, stop = price_of(order), order.stop_loss_price
        distance = price if stop is None or (price - stop) * order.side.sign <= ZERO else abs(price - stop)
        return quantity * self.worth(order.account, order.instrument, distance)

    def heat(self, account: str, order: Order) -> Decimal:
        """Lost if every other open order filled and every stop were hit; units without a stop count whole."""
        total = sum((self.at_risk(each.order, each.left) for each in self.others(order, account)), ZERO)
        for symbol, units in self.holdings(account):
            total += self._position_risk(account, symbol, units)
        return total

    def _position_risk(self, account: str, symbol: str, units: Decimal) -> Decimal:
        sign = 1 if units > ZERO else -1
        mark = self.marks[symbol]
        price, left, total = (mark.bid if sign > 0 else mark.ask), abs(units), ZERO
        working = [each for each in self.stops.values() if (each.account, each.instrument) == (account, symbol)]
        for stop in sorted(working, key=lambda each: (price - each.price) * sign):
            covered = min(left, stop.quantity) if stop.side.sign == -sign else ZERO
            total += covered * max(ZERO, (price - stop.price) * sign)
            left -= covered
        return self.worth(account, symbol, total + left * price)


def side_filled(held: Decimal, bought: Decimal, sold: Decimal, sign: int) -> Decimal:
    """The most that can be held in the direction of `sign`: an exit may close a position before an order fills."""
    return max(ZERO, held * sign) + (bought if sign > 0 else sold)


def price_of(order: Order) -> Decimal:
    """The price that an order is valued at."""
    if order.limit_price is not None:
        return order.limit_price
    if order.stop_price is not None:
        return order.stop_price
    return order.quote.ask if order.side is Side.BUY else order.quote.bid


def replaced(order: Order, event: Any) -> Order:
    """The order as a replace leaves it."""
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    fields["quantity"] = event.quantity
    for name in ("limit_price", "stop_price"):
        if getattr(event, name) is not None:
            fields[name] = getattr(event, name)
    return Order(**fields)


def breaker_keys(order: Order, venue: str) -> tuple[str, ...]:
    """The breakers that an order must pass."""
    return (
        "system/desk",
        f"account/{order.account}",
        f"agent/{order.strategy}",
        f"agent/instrument:{order.instrument}",
        f"agent/venue:{venue}",
    )


def takes_at_once(order: Order) -> bool:
    """Whether an order rests nowhere."""
    return order.type is OrderType.MARKET or order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)


def crossing(order: Order, books: Books) -> Iterator[str]:
    """Resting orders of the same owner that the order could trade with."""
    owner = books.accounts[order.account].owner
    mine = [name for name, account in books.accounts.items() if account.owner == owner]
    mark = books.marks[order.instrument]
    if order.type in (OrderType.STOP, OrderType.TRAILING_STOP, OrderType.STOP_LIMIT):
        return
    price = order.limit_price or (mark.ask if order.side is Side.BUY else mark.bid)
    for each in books.others(order, *mine):
        other = each.order
        rests = other.type is OrderType.LIMIT and not takes_at_once(other)
        if not rests or other.instrument != order.instrument or other.side is order.side:
            continue
        assert other.limit_price is not None
        if (price - other.limit_price) * order.side.sign >= ZERO:
            yield other.order_id
