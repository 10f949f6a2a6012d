"""Limits of the human behaviour gate."""

from __future__ import annotations

import msgspec

from tmt.domain.money import ONE, Exact, fraction, positive


class CoolDown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pause after a run of losses.

    Attributes:
        losses_in_a_row: how many losses of one account start a pause; each further loss starts a new one.
        pause_seconds: its length, from the last loss; an order exactly at its end passes.
    """

    losses_in_a_row: int
    pause_seconds: int

    def __post_init__(self) -> None:
        _at_least_one("losses_in_a_row", self.losses_in_a_row)
        _at_least_one("pause_seconds", self.pause_seconds)


class EntryRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many entries one account may make, the one under judgement included.

    Attributes:
        per_hour_max: within 3,600 seconds; an entry exactly an hour old no longer counts.
        per_day_max: since the account's trading day began; an entry exactly at its start counts.
    """

    per_hour_max: int
    per_day_max: int

    def __post_init__(self) -> None:
        _at_least_one("per_hour_max", self.per_hour_max)
        _at_least_one("per_day_max", self.per_day_max)
        if self.per_day_max < self.per_hour_max:
            raise ValueError(f"per_day_max must be at least per_hour_max {self.per_hour_max}, was {self.per_day_max}")


class FatFinger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is taken for a slip of the hand.

    Attributes:
        orders_remembered: newest entries of one account in one instrument whose median quantity is the measure.
        orders_min: entries there must have been before quantities are compared.
        quantity_ratio_max: largest quantity as a multiple of that median.
        price_fraction_max: furthest limit or stop price from the quote, as a fraction of the quote.
    """

    orders_remembered: int
    orders_min: int
    quantity_ratio_max: Exact
    price_fraction_max: Exact

    def __post_init__(self) -> None:
        _at_least_one("orders_min", self.orders_min)
        if self.orders_remembered < self.orders_min:
            raise ValueError(
                f"orders_remembered must be at least orders_min {self.orders_min}, was {self.orders_remembered}"
            )
        if self.quantity_ratio_max < ONE:
            raise ValueError(f"quantity_ratio_max must be at least 1, was {self.quantity_ratio_max}")
        fraction("price_fraction_max", self.price_fraction_max)


class HumanBehaviorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the gate decides by.

    Attributes:
        approval_seconds: how long its approval may be used.
        size_after_loss_ratio_max: risk of an order in a run of losses, as a multiple of the risk of the run's first
            losing trade; what is above is cut off.
    """

    approval_seconds: int
    cool_down: CoolDown
    entries: EntryRate
    size_after_loss_ratio_max: Exact
    fat_finger: FatFinger

    def __post_init__(self) -> None:
        _at_least_one("approval_seconds", self.approval_seconds)
        positive("size_after_loss_ratio_max", self.size_after_loss_ratio_max)


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, was {value}")
