"""Fees: a share of the notional, an amount for each unit, a minimum for the order."""

from __future__ import annotations

from decimal import Decimal

from tmt.domain.money import round_up
from tmt.venue.config import FeeSchedule


def fee_before_rounding(schedule: FeeSchedule, notional: Decimal, quantity: Decimal, maker: bool) -> Decimal:
    """Exact fee of one fill, before the order's minimum and rounding, in quote currency."""
    rate = schedule.maker_fraction if maker else schedule.taker_fraction
    return notional * rate + quantity * schedule.per_unit_fee


def fee_due(schedule: FeeSchedule, incurred: Decimal, charged: Decimal, decimals: int) -> Decimal:
    """What an order still owes: its fees are rounded up once, over all fills, so that slices never cost more.

    Args:
        schedule: of the instrument's asset class.
        incurred: sum of `fee_before_rounding` over the order's fills.
        charged: what earlier fills of the order were charged.
        decimals: of the quote currency's fees.
    """
    return round_up(max(incurred, schedule.order_fee_min), decimals) - charged
