"""A desk for the gates' tests: real messages folded into a real portfolio. Prices and quantities are given as text."""

from decimal import Decimal
from importlib import resources
from typing import Any, TypeVar

import msgspec
import yaml

from tmt import messages as m
from tmt.domain.account import Account
from tmt.domain.instrument import AssetClass, Instrument
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.news import NewsCalendar
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.domain.session import NANOSECONDS_PER_SECOND, SessionHours
from tmt.market.bar import Bar, Timeframe
from tmt.projections.portfolio import Portfolio

START_NS = 1_700_000_000 * NANOSECONDS_PER_SECOND  # Tuesday 2023-11-14 22:13:20 UTC
ALWAYS_OPEN = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")
CONFIG_HASH = "config"
NO_NEWS = NewsCalendar(events=())

SomeMessage = TypeVar("SomeMessage", bound=m.Message)
Approval = TypeVar("Approval", bound=m.GateApproval)
Config = TypeVar("Config", bound=msgspec.Struct)


def default_config(kind: type[Config], name: str, **changes: Any) -> Config:
    """The packaged defaults of one agent, with some values changed; numbers are read as the text they are."""
    text = resources.files("tmt").joinpath("defaults", f"{name}.yml").read_text("utf-8")
    values = yaml.load(text, Loader=yaml.BaseLoader)
    return msgspec.convert({**values, **changes}, kind, strict=False, dec_hook=decode_hook)


def make_instrument(
    symbol: str,
    base: str,
    quote: str,
    *,
    asset_class: AssetClass = AssetClass.FX,
    tick_size: str = "0.00001",
    lot_size: str = "1000",
    quantity_min: str | None = None,
    notional_min: str = "0",
    session: SessionHours = ALWAYS_OPEN,
) -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        base_currency=base,
        quote_currency=quote,
        tick_size=Decimal(tick_size),
        price_quantum=Decimal(tick_size),
        lot_size=Decimal(lot_size),
        point_value=Decimal(1),
        quantity_min=Decimal(lot_size if quantity_min is None else quantity_min),
        notional_min=Decimal(notional_min),
        session=session,
    )


EURUSD = make_instrument("EURUSD", "EUR", "USD")
GBPUSD = make_instrument("GBPUSD", "GBP", "USD")
USDJPY = make_instrument("USDJPY", "USD", "JPY", tick_size="0.001")
BTCUSD = make_instrument(
    "BTCUSD", "BTC", "USD", asset_class=AssetClass.CRYPTO, tick_size="0.01", lot_size="0.0001", notional_min="10"
)
SPY = make_instrument("SPY", "", "USD", asset_class=AssetClass.EQUITY, tick_size="0.01", lot_size="1")
INSTRUMENTS = (EURUSD, GBPUSD, USDJPY, BTCUSD, SPY)
SYMBOLS = tuple(instrument.symbol for instrument in INSTRUMENTS)


def make_account(
    account_id: str = "alpha",
    *,
    currency: str = "USD",
    deposit: str = "100000",
    instruments: tuple[str, ...] = SYMBOLS,
    rule_book: str = "default",
) -> Account:
    return Account(
        account_id=account_id,
        currency=currency,
        deposit=Decimal(deposit),
        instruments=instruments,
        rule_book=rule_book,
        time_zone="UTC",
        day_starts_at="00:00",
    )


def make_quote(bid: str, ask: str | None = None, time_ns: int = START_NS) -> Quote:
    return Quote(bid=Decimal(bid), ask=Decimal(bid if ask is None else ask), time_ns=time_ns)


def make_order(
    symbol: str,
    side: Side,
    quantity: str,
    quote: Quote,
    *,
    account: str = "alpha",
    order_id: str = "order",
    stop_loss: str | None = None,
    limit: str | None = None,
    reduce_only: bool = False,
    strategy: str = "wyckoff",
    setup: str = "spring_test",
    person: str = "ann",
) -> Order:
    return Order(
        order_id=order_id,
        account=account,
        instrument=symbol,
        side=side,
        quantity=Decimal(quantity),
        type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce.IOC if limit is None else TimeInForce.GTC,
        quote=quote,
        strategy=strategy,
        setup=setup,
        limit_price=None if limit is None else Decimal(limit),
        stop_loss_price=None if stop_loss is None else Decimal(stop_loss),
        reduce_only=reduce_only,
        person=person,
    )


class Desk:
    """A portfolio fed by the messages that `tell` is given, at an event time that the test moves by hand."""

    def __init__(self, *accounts: Account, instruments: tuple[Instrument, ...] = INSTRUMENTS) -> None:
        self.portfolio = Portfolio()
        self.now_ns = START_NS
        self._count = 0
        self.started = self.say(
            m.SessionStarted,
            mode="test",
            software_version="0",
            config_hash=CONFIG_HASH,
            seed=0,
            inputs=(),
            simulated=True,
            instruments=instruments,
        )
        self.opened = [self.say(m.AccountOpened, account=account) for account in accounts or (make_account(),)]

    def pass_seconds(self, seconds: int) -> None:
        """Move event time on."""
        self.now_ns += seconds * NANOSECONDS_PER_SECOND

    def tell(self, message: SomeMessage) -> SomeMessage:
        """Fold a message that somebody else made."""
        self.portfolio.evolve(message)
        return message

    def make(self, kind: type[SomeMessage], **fields: Any) -> SomeMessage:
        """A root message of `kind` at the present, with an id of its own; not folded."""
        self._count += 1
        return kind.root("test", self.now_ns, str(self._count), **fields)

    def say(self, kind: type[SomeMessage], **fields: Any) -> SomeMessage:
        """Make a message and fold it."""
        return self.tell(self.make(kind, **fields))

    def bar(
        self,
        symbol: str,
        close: str,
        *,
        bid: str | None = None,
        ask: str | None = None,
        high: str | None = None,
        low: str | None = None,
        timeframe: Timeframe = Timeframe.M1,
    ) -> m.BarClosed:
        """A bar that ends at the present and opens at its close; it marks the instrument at bid and ask."""
        price = Decimal(close)
        return self.say(
            m.BarClosed,
            bar=Bar(
                instrument=symbol,
                timeframe=timeframe,
                start_ns=self.now_ns - timeframe.nanoseconds,
                end_ns=self.now_ns,
                open=price,
                high=price if high is None else Decimal(high),
                low=price if low is None else Decimal(low),
                close=price,
                volume=ZERO,
                tick_count=1,
                bid=price if bid is None else Decimal(bid),
                ask=price if ask is None else Decimal(ask),
            ),
        )

    def mark(self, symbol: str, bid: str, ask: str | None = None) -> m.BarClosed:
        """Make `bid` and `ask` (equal unless given) the mark of an instrument."""
        return self.bar(symbol, bid, ask=ask)

    def signal(
        self, symbol: str, side: Side, quote: Quote, *, stop: str, target: str, setup: str = "spring_test"
    ) -> m.SignalRaised:
        """A signal at the present, entering at the side of the quote it would take."""
        return self.say(
            m.SignalRaised,
            instrument=symbol,
            timeframe=Timeframe.M5,
            side=side,
            setup=setup,
            entry_price=quote.ask if side is Side.BUY else quote.bid,
            stop_price=Decimal(stop),
            target_price=Decimal(target),
            confidence=Decimal("0.8"),
            quote=quote,
            evidence=(),
            range_id="range",
        )

    def propose(self, symbol: str, side: Side, quantity: str, **fields: Any) -> m.OrderProposed:
        """A person proposes a market order."""
        proposal: dict[str, Any] = {
            "account": "alpha",
            "order_type": OrderType.MARKET,
            "time_in_force": TimeInForce.IOC,
            "person": "ann",
            "strategy": "manual",
        }
        return self.say(
            m.OrderProposed,
            instrument=symbol,
            side=side,
            quantity=Decimal(quantity),
            **{**proposal, **fields},
        )

    def approve(self, kind: type[Approval], order: Order, *, seconds: int = 30, **fields: Any) -> Approval:
        """An approval of `order` at the present, folded: the order works from now on."""
        return self.say(
            kind,
            order=order,
            checks=(),
            expires_at_ns=self.now_ns + seconds * NANOSECONDS_PER_SECOND,
            config_hash=CONFIG_HASH,
            **fields,
        )

    def fill(self, order: Order, price: str, *, fee: str = "0", role: str = "entry") -> m.OrderFilled:
        """Submit `order` and fill it whole at `price`."""
        client_order_id = f"{order.order_id}-client"
        self.say(
            m.OrderSubmitted,
            client_order_id=client_order_id,
            order=order,
            stop_loss_client_order_id=None,
            take_profit_client_order_id=None,
        )
        return self.say(
            m.OrderFilled,
            client_order_id=client_order_id,
            order_id=order.order_id,
            account=order.account,
            instrument=order.instrument,
            fill_id=f"{order.order_id}-fill",
            side=order.side,
            quantity=order.quantity,
            price=Decimal(price),
            fee=Decimal(fee),
            fee_currency="USD",
            remaining=ZERO,
            role=role,
            liquidity="taker",
            slippage=ZERO,
            quote=order.quote,
            setup=order.setup,
            strategy=order.strategy,
        )

    def hold(
        self, symbol: str, side: Side, quantity: str, price: str, *, stop: str | None = None, account: str = "alpha"
    ) -> m.OrderFilled:
        """Open or change a position at `price`, protected at `stop`; the first fill also marks the instrument."""
        self._count += 1
        quote = make_quote(price, time_ns=self.now_ns)
        order_id = f"held-{self._count}"
        return self.fill(
            make_order(symbol, side, quantity, quote, account=account, order_id=order_id, stop_loss=stop), price
        )

    def close_trip(
        self, *, account: str = "alpha", symbol: str = "EURUSD", realised: str, risk: str = "100", **fields: Any
    ) -> m.PositionClosed:
        """A round trip ended with `realised` in USD, having risked `risk`; positions are untouched."""
        trip: dict[str, Any] = {
            "setup": "spring_test",
            "strategy": "wyckoff",
            "side": Side.BUY,
            "quantity": Decimal(1000),
            "opened_at_ns": self.now_ns - NANOSECONDS_PER_SECOND,
            "fees": ZERO,
            "currency": "USD",
            "closing_role": "take_profit",
        }
        return self.say(
            m.PositionClosed,
            order_id=f"trip-{self._count}",
            account=account,
            instrument=symbol,
            realised=Decimal(realised),
            risk_amount=Decimal(risk),
            **{**trip, **fields},
        )
