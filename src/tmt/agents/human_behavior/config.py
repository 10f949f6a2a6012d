"""Limits of the human behaviour gate."""

from __future__ import annotations

from typing import Final

import msgspec

from tmt.domain.money import ONE, ZERO, Exact, fraction, not_negative, positive
from tmt.domain.schedule import Algorithm
from tmt.domain.session import SessionHours

DAY_MINUTES: Final = 24 * 60


class CoolDown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pause after a run of losses.

    Attributes:
        losses_in_a_row: how many losses of one account start a pause; each further loss starts a new one.
        pause_seconds: its length, from the last loss; an order exactly at its end passes.
        revenge_seconds: after a loss, how long a new entry in the same instrument must wait if it is on the same side,
            or larger than what lost; an entry exactly that long after passes.
    """

    losses_in_a_row: int
    pause_seconds: int
    revenge_seconds: int

    def __post_init__(self) -> None:
        _at_least_one("losses_in_a_row", self.losses_in_a_row)
        _at_least_one("pause_seconds", self.pause_seconds)
        _at_least_one("revenge_seconds", self.revenge_seconds)


class EntryRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many entries one account may make, the one under judgement included; slices of one order are one entry.

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
        orders_remembered: newest entries of one account in one instrument; the median of what they asked for is the
            measure.
        orders_min: entries there must have been before quantities are compared.
        quantity_ratio_max: largest quantity asked for, as a multiple of that median.
        price_fraction_max: furthest limit or stop price from the quote, as a fraction of the quote.
        notional_ratio_max: largest notional asked for, as a multiple of the account's equity: beyond it, an amount of
            money was probably typed where a quantity belongs.
        duplicate_seconds: for how long an order may not be asked for again under another id with the same account,
            instrument, side, type, quantity and prices; one exactly that long after passes.
    """

    orders_remembered: int
    orders_min: int
    quantity_ratio_max: Exact
    price_fraction_max: Exact
    notional_ratio_max: Exact
    duplicate_seconds: int

    def __post_init__(self) -> None:
        _at_least_one("orders_min", self.orders_min)
        if self.orders_remembered < self.orders_min:
            raise ValueError(
                f"orders_remembered must be at least orders_min {self.orders_min}, was {self.orders_remembered}"
            )
        if self.quantity_ratio_max < ONE:
            raise ValueError(f"quantity_ratio_max must be at least 1, was {self.quantity_ratio_max}")
        fraction("price_fraction_max", self.price_fraction_max)
        positive("notional_ratio_max", self.notional_ratio_max)
        _at_least_one("duplicate_seconds", self.duplicate_seconds)


class Chasing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may be staked to win a loss back. What is above is cut off.

    Attributes:
        size_after_loss_ratio_max: risk of an order in a run of losses, with that of all that the account holds and
            works, as a multiple of the risk of the run's first losing trade.
        averaging_down_ratio_max: size up to which a position may be added to at a worse price than its own mean, as a
            multiple of the order that opened it, with what is on its way.
    """

    size_after_loss_ratio_max: Exact
    averaging_down_ratio_max: Exact

    def __post_init__(self) -> None:
        positive("size_after_loss_ratio_max", self.size_after_loss_ratio_max)
        positive("averaging_down_ratio_max", self.averaging_down_ratio_max)


class Disposition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Riding losers and cutting winners: mean holding time of losing trades over that of winning ones.

    Attributes:
        trades_remembered: newest trades of an account that are measured.
        each_min: losers and winners there must be among them before the ratio is taken.
        ratio_warn: beyond it, the gate warns.
        ratio_reduce: beyond it, orders are cut to `quantity_fraction` of what they ask for.
    """

    trades_remembered: int
    each_min: int
    ratio_warn: Exact
    ratio_reduce: Exact
    quantity_fraction: Exact

    def __post_init__(self) -> None:
        _at_least_one("each_min", self.each_min)
        if self.trades_remembered < 2 * self.each_min:
            raise ValueError(f"trades_remembered must be at least twice each_min, was {self.trades_remembered}")
        positive("ratio_warn", self.ratio_warn)
        if self.ratio_reduce < self.ratio_warn:
            raise ValueError(f"ratio_reduce must be at least ratio_warn {self.ratio_warn}, was {self.ratio_reduce}")
        fraction("quantity_fraction", self.quantity_fraction)


class Sessions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When orders that open or add may be asked for.

    Attributes:
        people_open: a person's trading hours, as weekly intervals such as "mon-fri 08:00 - 18:00" in the account's time
            zone; empty is always.
        strategies_open: the same for strategies.
        active_seconds_max: how long a person may go on entering without a rest; exactly that long passes.
        rest_seconds: time without an entry that is a rest.
    """

    people_open: tuple[str, ...]
    strategies_open: tuple[str, ...]
    active_seconds_max: int
    rest_seconds: int

    def __post_init__(self) -> None:
        for intervals in (self.people_open, self.strategies_open):
            SessionHours(time_zone="UTC", open=intervals, day_starts_at="00:00")
        _at_least_one("active_seconds_max", self.active_seconds_max)
        _at_least_one("rest_seconds", self.rest_seconds)


class UsualVolume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the usual volume of an instrument is known, from the bars of its shortest timeframe.

    Attributes:
        bars_remembered: newest bars whose mean is the usual volume.
        bars_min: bars there must have been before an order is compared with it.
        lots_per_tick: lots that a row of a feed without volumes stands for; 0 is unknown, and then nothing is sliced.
        profile_minutes: length of the times of day whose volumes are kept apart, for VWAP; divides a day.
    """

    bars_remembered: int
    bars_min: int
    lots_per_tick: Exact
    profile_minutes: int

    def __post_init__(self) -> None:
        _at_least_one("bars_min", self.bars_min)
        if self.bars_remembered < self.bars_min:
            raise ValueError(f"bars_remembered must be at least bars_min {self.bars_min}, was {self.bars_remembered}")
        not_negative("lots_per_tick", self.lots_per_tick)
        _at_least_one("profile_minutes", self.profile_minutes)
        if DAY_MINUTES % self.profile_minutes:
            raise ValueError(f"profile_minutes must divide {DAY_MINUTES}, was {self.profile_minutes}")


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether slicing pays: a seeded share of large orders goes out whole, and the two kinds are compared.

    Attributes:
        whole_fraction: share of large orders that go out whole, to compare with.
        parents_remembered: newest of each kind, of one instrument, whose mean shortfalls are compared.
        parents_min: of each kind there must be before they are.
        saving_fraction_min: how much lower slicing's mean shortfall must be, as a fraction of price.
        retry_after_parents: large orders that go out whole once slicing does not pay, before it is tried again.
    """

    whole_fraction: Exact
    parents_remembered: int
    parents_min: int
    saving_fraction_min: Exact
    retry_after_parents: int

    def __post_init__(self) -> None:
        fraction("whole_fraction", self.whole_fraction)
        _at_least_one("parents_min", self.parents_min)
        if self.parents_remembered < self.parents_min:
            raise ValueError(
                f"parents_remembered must be at least parents_min {self.parents_min}, was {self.parents_remembered}"
            )
        not_negative("saving_fraction_min", self.saving_fraction_min)
        _at_least_one("retry_after_parents", self.retry_after_parents)


class Slicing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large orders are cut into slices.

    Attributes:
        algorithm: "twap", "vwap" or "pov"; VWAP is TWAP while the time of day's volume is not known yet.
        interval_seconds: time from one slice to the next.
        participation_fraction_max: largest order, as a fraction of the usual volume of one interval, that goes out
            whole; slices are no larger, unless `slices_max` would not do. Under POV also the share of what trades.
        slices_max: most slices of one order; under POV twice as many, since the market may be slow.
        time_variation_fraction: how much later a slice after the first may be due, as a fraction of the interval.
        size_variation_fraction: how much larger or smaller a slice may be, as a fraction of its size.
    """

    algorithm: Algorithm
    interval_seconds: int
    participation_fraction_max: Exact
    slices_max: int
    time_variation_fraction: Exact
    size_variation_fraction: Exact
    volume: UsualVolume
    trial: Trial

    def __post_init__(self) -> None:
        _at_least_one("interval_seconds", self.interval_seconds)
        fraction("participation_fraction_max", self.participation_fraction_max)
        positive("participation_fraction_max", self.participation_fraction_max)
        if self.slices_max < 2:
            raise ValueError(f"slices_max must be at least 2, was {self.slices_max}")
        for name in ("time_variation_fraction", "size_variation_fraction"):
            value = getattr(self, name)
            if not ZERO <= value < ONE:
                raise ValueError(f"{name} must be at least 0 and below 1, was {value}")


class HumanBehaviorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the gate decides by; `approval_seconds` is how long its approval may be used."""

    approval_seconds: int
    cool_down: CoolDown
    entries: EntryRate
    chasing: Chasing
    disposition: Disposition
    fat_finger: FatFinger
    sessions: Sessions
    slicing: Slicing

    def __post_init__(self) -> None:
        _at_least_one("approval_seconds", self.approval_seconds)


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, was {value}")
