"""A venue with one or two instruments, driven by hand: quotes and submissions in, reports out."""

from decimal import Decimal
from typing import Any

from tmt.domain.identity import derive_id
from tmt.domain.instrument import AssetClass, Instrument
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.domain.session import SessionHours
from tmt.messages import CancelSubmitted, Message, OrderFilled, OrderSubmitted, ReplaceSubmitted
from tmt.ports.venue import TouchQuote
from tmt.venue import FeeSchedule, PaperVenue, VenueConfig

START_NS = 1_800_000_000_000_000_000
LATENCY_NS = 1_000

FREE = FeeSchedule(
    maker_fraction=Decimal(0), taker_fraction=Decimal(0), per_unit_fee=Decimal(0), order_fee_min=Decimal(0)
)


def instrument(symbol: str = "TEST", **changes: Any) -> Instrument:
    fields: dict[str, Any] = {
        "symbol": symbol,
        "asset_class": AssetClass.EQUITY,
        "base_currency": "",
        "quote_currency": "USD",
        "tick_size": Decimal(1),
        "price_quantum": Decimal("0.5"),
        "lot_size": Decimal(1),
        "point_value": Decimal(1),
        "quantity_min": Decimal(2),
        "notional_min": Decimal(100),
        "session": SessionHours(time_zone="UTC", open=(), day_starts_at="00:00"),
    }
    return Instrument(**{**fields, **changes})


def config(**changes: Any) -> VenueConfig:
    fields: dict[str, Any] = {
        "latency_base_ns": LATENCY_NS,
        "latency_jitter_ns": 0,
        "slippage_ticks": 0,
        "fees": dict.fromkeys(AssetClass, FREE),
        "fee_decimals": {"USD": 2},
        "ended_orders_max": 1000,
    }
    return VenueConfig(**{**fields, **changes})


class Tape:
    """The last quote of each instrument."""

    def __init__(self) -> None:
        self.quotes: dict[str, TouchQuote] = {}

    def quote(self, symbol: str) -> TouchQuote | None:
        return self.quotes.get(symbol)


class Desk:
    """Prices are whole or half units; every row and every submission comes 10 ns after the one before."""

    def __init__(self, venue_config: VenueConfig | None = None, *, seed: int = 7, **instrument_changes: Any) -> None:
        self.tape = Tape()
        self.instruments = {"TEST": instrument(**instrument_changes)}
        self.venue = PaperVenue(venue_config or config(), self.instruments, self.tape, seed)
        self.time_ns = START_NS
        self.rows = 0

    def row(
        self,
        bid: float,
        ask: float,
        bid_size: int = 0,
        ask_size: int = 0,
        price: float = 0,
        size: int = 0,
        aggressor: int = 0,
    ) -> list[Message]:
        """One row of market data, which is due after everything that travels."""
        said = self.settle()
        self.time_ns += 10
        self.rows += 1
        quote = TouchQuote(self.rows, self.time_ns, round(bid * 2), round(ask * 2), bid_size, ask_size)
        self.tape.quotes["TEST"] = quote
        return said + self.venue.on_row("TEST", *quote, round(price * 2), size, aggressor)

    def settle(self, until_ns: int | None = None) -> list[Message]:
        """Let everything that travels arrive, or all that is due until `until_ns`."""
        said: list[Message] = []
        limit_ns = self.time_ns + LATENCY_NS if until_ns is None else until_ns
        while (due_ns := self.venue.next_due_ns()) is not None and due_ns <= limit_ns:
            said += self.venue.on_time(due_ns)
            self.time_ns = max(self.time_ns, due_ns)
        return said

    def send(self, name: str, **fields: Any) -> OrderSubmitted:
        """Submit an order and leave it travelling."""
        message = submitted(name, self.time_ns, **fields)
        assert self.venue.handle(message) == []
        return message

    def order(self, name: str, **fields: Any) -> list[Message]:
        """Submit an order and let it arrive."""
        self.send(name, **fields)
        return self.settle()

    def cancel(self, name: str, reason: str = "asked") -> list[Message]:
        assert self.venue.handle(cancel(name, self.time_ns, reason)) == []
        return self.settle()

    def replace(
        self,
        name: str,
        quantity: int | str,
        limit_price: int | str | None = None,
        *,
        stop_price: int | str | None = None,
    ) -> list[Message]:
        message = ReplaceSubmitted.root(
            "execution",
            self.time_ns,
            name,
            str(self.time_ns),
            client_order_id=name,
            quantity=Decimal(quantity),
            limit_price=None if limit_price is None else Decimal(limit_price),
            stop_price=None if stop_price is None else Decimal(stop_price),
        )
        assert self.venue.handle(message) == []
        return self.settle()


def submitted(name: str, time_ns: int, **fields: Any) -> OrderSubmitted:
    """`stop_loss` and `take_profit` make a bracket with ids NAME-SL and NAME-TP."""
    prices = {
        key: None if fields.get(key) is None else Decimal(str(fields.pop(key))) for key in ("limit_price", "stop_price")
    }
    fields = {key: value for key, value in fields.items() if key not in prices}
    stop_loss, take_profit = fields.pop("stop_loss", None), fields.pop("take_profit", None)
    order: dict[str, Any] = {
        "order_id": f"order-{name}",
        "account": "ACC",
        "instrument": "TEST",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "quote": Quote(bid=Decimal(99), ask=Decimal(100), time_ns=time_ns),
        "strategy": "wyckoff",
        "setup": "spring",
        "stop_loss_price": None if stop_loss is None else Decimal(str(stop_loss)),
        "take_profit_price": None if take_profit is None else Decimal(str(take_profit)),
        **prices,
        **fields,
        "quantity": Decimal(str(fields.get("quantity", 10))),
    }
    return OrderSubmitted(
        message_id=derive_id("submit", name),
        correlation_id=f"signal-{name}",
        causation_id="release",
        occurred_at_ns=time_ns,
        source="execution",
        client_order_id=name,
        order=Order(**order),
        stop_loss_client_order_id=None if stop_loss is None else f"{name}-SL",
        take_profit_client_order_id=None if take_profit is None else f"{name}-TP",
    )


def cancel(name: str, time_ns: int, reason: str = "asked") -> CancelSubmitted:
    return CancelSubmitted.root("execution", time_ns, name, str(time_ns), client_order_id=name, reason=reason)


def told(messages: list[Message]) -> list[str]:
    """One short text a report: what, to which order, and the number that matters."""
    return [_short(message) for message in messages]


def fills(messages: list[Message]) -> list[tuple[str, int, float]]:
    """(order, quantity, price) of every fill."""
    return [
        (message.client_order_id, int(message.quantity), float(message.price))
        for message in messages
        if isinstance(message, OrderFilled)
    ]


def _short(message: Any) -> str:
    kind = type(message).__name__.removeprefix("Order").lower()
    detail = {
        "accepted": lambda: f" {message.quantity}",
        "replaced": lambda: f" {message.quantity}",
        "filled": lambda: f" {message.quantity}@{message.price.normalize():f}",
        "rejected": lambda: f" {message.reason}",
        "cancelled": lambda: f" {message.reason}",
        "cancelrejected": lambda: f" {message.reason}",
    }.get(kind, lambda: "")()
    return f"{kind} {message.client_order_id}{detail}"
