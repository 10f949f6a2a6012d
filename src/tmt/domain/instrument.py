"""What is traded: price and quantity grids, currencies, point value, sessions."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from tmt.domain.money import Exact, is_multiple, not_negative, positive
from tmt.domain.session import SessionHours


class AssetClass(StrEnum):
    """Kind of instrument; decides nothing but how vendors scale their files."""

    FX = "fx"
    EQUITY = "equity"
    CRYPTO = "crypto"
    METAL = "metal"
    INDEX = "index"


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tradable instrument.

    Attributes:
        symbol: our name for it, such as "EURUSD".
        base_currency: what one unit is a claim on; empty for instruments that are not currencies (equities).
        quote_currency: the currency of prices and of profit and loss.
        tick_size: grid of order prices.
        price_quantum: grid of market-data prices; divides `tick_size`.
        lot_size: grid of quantities.
        point_value: profit in quote currency of one unit when the price rises by 1.
        quantity_min: smallest order.
        notional_min: smallest price × quantity × point value, in quote currency.
        simulated: whether its market data are made up; shown wherever it is named.
    """

    symbol: str
    asset_class: AssetClass
    base_currency: str
    quote_currency: str
    tick_size: Exact
    price_quantum: Exact
    lot_size: Exact
    point_value: Exact
    quantity_min: Exact
    notional_min: Exact
    session: SessionHours
    simulated: bool = False

    def __post_init__(self) -> None:
        for name in ("tick_size", "price_quantum", "lot_size", "point_value", "quantity_min"):
            positive(name, getattr(self, name))
        not_negative("notional_min", self.notional_min)
        if not self.symbol:
            raise ValueError("symbol must not be empty")
        if not is_multiple(self.tick_size, self.price_quantum):
            raise ValueError(f"tick_size {self.tick_size} must be a multiple of price_quantum {self.price_quantum}")
        if not is_multiple(self.quantity_min, self.lot_size):
            raise ValueError(f"quantity_min {self.quantity_min} must be a multiple of lot_size {self.lot_size}")

    def price_of(self, quanta: int) -> Decimal:
        """Price of a whole number of price quanta."""
        return self.price_quantum * quanta

    def quanta_of(self, price: Decimal) -> int:
        """Price in whole quanta.

        Raises:
            ValueError: when `price` is off the quantum grid.
        """
        quanta, rest = divmod(price, self.price_quantum)
        if rest:
            raise ValueError(f"price {price} of {self.symbol} is not a multiple of {self.price_quantum}")
        return int(quanta)

    def quantity_of(self, lots: int) -> Decimal:
        """Quantity of a whole number of lots."""
        return self.lot_size * lots

    def lots_of(self, quantity: Decimal) -> int:
        """Quantity in whole lots.

        Raises:
            ValueError: when `quantity` is off the lot grid.
        """
        lots, rest = divmod(quantity, self.lot_size)
        if rest:
            raise ValueError(f"quantity {quantity} of {self.symbol} is not a multiple of {self.lot_size}")
        return int(lots)

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """|quantity| × price × point value, in quote currency, exact."""
        return abs(quantity) * price * self.point_value
