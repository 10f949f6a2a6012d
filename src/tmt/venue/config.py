"""Configuration of the paper venue."""

from __future__ import annotations

import msgspec

from tmt.domain.instrument import AssetClass
from tmt.domain.money import Exact, fraction, not_negative


class FeeSchedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the venue charges, in the instrument's quote currency.

    Attributes:
        maker_fraction, taker_fraction: of the notional, in [0, 1].
        per_unit_fee: for each unit traded.
        order_fee_min: least fee of an order that fills at all.
    """

    maker_fraction: Exact
    taker_fraction: Exact
    per_unit_fee: Exact
    order_fee_min: Exact

    def __post_init__(self) -> None:
        fraction("maker_fraction", self.maker_fraction)
        fraction("taker_fraction", self.taker_fraction)
        not_negative("per_unit_fee", self.per_unit_fee)
        not_negative("order_fee_min", self.order_fee_min)


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the paper venue behaves.

    Attributes:
        latency_base_ns: time every submission travels at least.
        latency_jitter_ns: upper bound (exclusive) of what is added to it, decided by the seed and the order's id.
        slippage_ticks: how much worse than the touch a taker trades beyond the size that was displayed on its arrival.
        fees: one schedule for each asset class.
        fee_decimals: decimals that fees are rounded up to, for each quote currency.
        ended_orders_max: ended orders remembered, to tell "already done" from "unknown"; the oldest half is forgotten
            when there are more.
    """

    latency_base_ns: int
    latency_jitter_ns: int
    slippage_ticks: int
    fees: dict[AssetClass, FeeSchedule]
    fee_decimals: dict[str, int]
    ended_orders_max: int

    def __post_init__(self) -> None:
        for name, lowest in (
            ("latency_base_ns", 0),
            ("latency_jitter_ns", 0),
            ("slippage_ticks", 0),
            ("ended_orders_max", 1),
        ):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be at least {lowest}, was {getattr(self, name)}")
        missing = [asset_class.value for asset_class in AssetClass if asset_class not in self.fees]
        if missing:
            raise ValueError(f"fees must name every asset class, lacks {', '.join(missing)}")
        for currency, decimals in self.fee_decimals.items():
            if not 0 <= decimals <= 18:
                raise ValueError(f"fee_decimals of {currency} must be in [0, 18], was {decimals}")
