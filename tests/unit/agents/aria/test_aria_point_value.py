"""The risk of one unit, whatever it is quoted in: quantity x distance x point value x rate is the risk intended."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.desk import NO_NEWS, Desk, default_config, make_account, make_instrument, make_quote
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig
from tmt.domain.instrument import AssetClass, Instrument
from tmt.domain.money import divide, round_half_even
from tmt.domain.order import Side

WIDE: dict[str, Any] = {
    "instrument_exposure_ratio_max": "1000",
    "currency_exposure_ratio_max": "1000",
    "gross_exposure_ratio_max": "1000",
    "position_notional_max": "1000000000",
}
CONFIG = default_config(AriaConfig, "aria", **WIDE)


def with_point_value(instrument: Instrument, point_value: str) -> Instrument:
    fields = {name: getattr(instrument, name) for name in instrument.__struct_fields__}
    return Instrument(**{**fields, "point_value": Decimal(point_value)})


METAL, EQUITY = AssetClass.METAL, AssetClass.EQUITY
OUNCES = make_instrument("XAUUSD", "XAU", "USD", asset_class=METAL, tick_size="0.01", lot_size="0.01")
INSTRUMENTS = (
    make_instrument("EURUSD", "EUR", "USD", lot_size="1"),
    make_instrument("USDJPY", "USD", "JPY", lot_size="1", tick_size="0.001"),
    make_instrument("GBPUSD", "GBP", "USD", lot_size="1"),
    make_instrument("EURGBP", "EUR", "GBP", lot_size="1"),
    with_point_value(OUNCES, "100"),
    make_instrument("AAPL", "", "USD", asset_class=EQUITY, tick_size="0.01", lot_size="1"),
)
BY_SYMBOL = {each.symbol: each for each in INSTRUMENTS}
PRICES = {"EURUSD": "1.25", "USDJPY": "128", "GBPUSD": "1.6", "EURGBP": "0.78125", "XAUUSD": "2000", "AAPL": "200"}
DEPOSITS = {"USD": "100000", "EUR": "100000", "JPY": "10000000"}  # 1 % at risk: 1,000, 1,000 and 100,000
RATES = {
    ("USD", "USD"): "1", ("USD", "EUR"): "0.8", ("USD", "JPY"): "128",
    ("JPY", "USD"): "0.0078125", ("JPY", "EUR"): "0.00625", ("JPY", "JPY"): "1",
    ("GBP", "USD"): "1.6", ("GBP", "EUR"): "1.28", ("GBP", "JPY"): "204.8",
}  # fmt: skip
CASES = [
    ("EURUSD", "0.01", "USD", "100000"), ("EURUSD", "0.01", "EUR", "125000"), ("EURUSD", "0.01", "JPY", "78125"),
    ("USDJPY", "1.28", "USD", "100000"), ("USDJPY", "1.28", "EUR", "125000"), ("USDJPY", "1.28", "JPY", "78125"),
    ("EURGBP", "0.01", "USD", "62500"), ("EURGBP", "0.01", "EUR", "78125"), ("EURGBP", "0.01", "JPY", "48828"),
    ("XAUUSD", "10", "USD", "1"), ("XAUUSD", "10", "EUR", "1.25"), ("XAUUSD", "10", "JPY", "0.78"),
    ("AAPL", "5", "USD", "200"), ("AAPL", "5", "EUR", "250"), ("AAPL", "5", "JPY", "156"),
]  # fmt: skip


def size(symbol: str, side: Side, distance: Decimal, currency: str) -> m.OrderSized:
    account = make_account(currency=currency, deposit=DEPOSITS[currency], instruments=tuple(BY_SYMBOL))
    desk = Desk(account, instruments=INSTRUMENTS)
    for name, price in PRICES.items():
        desk.mark(name, price)
    entry, move = Decimal(PRICES[symbol]), side.sign * distance
    stop, target = entry - move, entry + move
    signal = desk.signal(symbol, side, make_quote(PRICES[symbol]), stop=str(stop), target=str(target))
    [said] = AriaAgent(CONFIG, desk.portfolio, "hash", NO_NEWS).handle(signal)
    assert isinstance(said, m.OrderSized), said
    return said


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("symbol", "distance", "currency", "quantity"), CASES)
def test_the_loss_at_the_stop_is_the_risk_intended_to_the_lot(
    symbol: str, distance: str, currency: str, quantity: str, side: Side
) -> None:
    instrument, intended = BY_SYMBOL[symbol], Decimal(DEPOSITS[currency]) / 100
    order = size(symbol, side, Decimal(distance), currency).order
    rate = Decimal(RATES[instrument.quote_currency, currency])
    unit_loss = Decimal(distance) * instrument.point_value * rate
    assert order.quantity == Decimal(quantity)
    assert order.quantity * unit_loss <= intended < (order.quantity + instrument.lot_size) * unit_loss


@pytest.mark.parametrize(("symbol", "distance", "currency", "quantity"), CASES)
def test_the_checks_show_that_risk_and_the_notional_in_the_accounts_currency(
    symbol: str, distance: str, currency: str, quantity: str
) -> None:
    instrument, deposit = BY_SYMBOL[symbol], Decimal(DEPOSITS[currency])
    checks = {check.rule: check for check in size(symbol, Side.BUY, Decimal(distance), currency).checks}
    worth = Decimal(quantity) * instrument.point_value * Decimal(RATES[instrument.quote_currency, currency])
    assert checks["aria.risk_per_trade"].measured == divide(worth * Decimal(distance), deposit, places=6)
    notional = checks["aria.position_notional"]
    assert (notional.measured, notional.unit) == (round_half_even(worth * Decimal(PRICES[symbol]), 6), currency)
