"""A net position of one account in one instrument, kept as first-in first-out lots so that realised profit is exact."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.order import Side


class OpenLot(msgspec.Struct, frozen=True, array_like=True):
    """Part of a position opened at one price. `quantity` is signed: positive is long."""

    quantity: Exact
    price: Exact


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Net position; `lots` all have the same sign, oldest first, and are empty when flat."""

    account: str
    instrument: str
    lots: tuple[OpenLot, ...] = ()

    @property
    def quantity(self) -> Decimal:
        """Signed quantity: positive is long, 0 is flat."""
        return sum((lot.quantity for lot in self.lots), ZERO)

    @property
    def cost(self) -> Decimal:
        """Signed quantity × entry price over all lots, in price units; exact."""
        return sum((lot.quantity * lot.price for lot in self.lots), ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """Mean entry price rounded to 12 decimals for display; None when flat."""
        quantity = self.quantity
        return None if quantity == ZERO else divide(self.cost, quantity)

    def unrealised(self, mark: Decimal, point_value: Decimal) -> Decimal:
        """Profit in quote currency if the whole position were closed at `mark`."""
        return (self.quantity * mark - self.cost) * point_value


def apply_fill(
    position: Position, side: Side, quantity: Decimal, price: Decimal, point_value: Decimal
) -> tuple[Position, Decimal]:
    """Return the position after a fill and the profit in quote currency that the fill realised.

    A fill against the position closes its oldest lots first; what is left over opens the other way.
    """
    remaining = quantity * side.sign
    lots = list(position.lots)
    realised = ZERO
    while lots and remaining and (lots[0].quantity > ZERO) != (remaining > ZERO):
        oldest = lots[0]
        closing = min(abs(oldest.quantity), abs(remaining))
        direction = 1 if oldest.quantity > ZERO else -1
        realised += (price - oldest.price) * closing * direction * point_value
        left = oldest.quantity - closing * direction
        remaining += closing * direction
        lots[0:1] = [OpenLot(left, oldest.price)] if left else []
    if remaining:
        lots.append(OpenLot(remaining, price))
    return msgspec.structs.replace(position, lots=tuple(lots)), realised
