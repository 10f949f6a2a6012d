"""Does slicing pay? Some large orders go out whole, and the costs of the two kinds are compared, by instrument.

An estimate of what a sliced order would have cost at once must come from somewhere. A model of impact would be an
assumption, and the desk's small orders cost less than large ones. So chance decides, derived from the order's id, which
large orders go out whole: as in any trial, nothing but the slicing then tells the two kinds apart.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.human_behavior.config import Trial
from tmt.domain.identity import seeded_fraction
from tmt.domain.money import ZERO, Exact, divide
from tmt.messages import ScheduleEnded

COMPLETED = "completed"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Implementation shortfalls of one instrument's large orders, oldest first, as fractions of the arrival price.

    Attributes:
        whole_left: large orders that still go out whole because slicing did not pay; 0 while it is in use.
    """

    sliced: tuple[Exact, ...] = ()
    whole: tuple[Exact, ...] = ()
    whole_left: int = 0


def goes_whole(evidence: Evidence, order_id: str, config: Trial) -> bool:
    """Whether this large order goes out whole: slicing is off, or chance says so."""
    return evidence.whole_left > 0 or seeded_fraction("trial", order_id) < config.whole_fraction * 2**32


def shortfalls(evidence: Evidence, config: Trial) -> tuple[Decimal, Decimal] | None:
    """Mean shortfall of (sliced, whole), at 12 decimals; None before there are enough of each."""
    if min(len(evidence.sliced), len(evidence.whole)) < config.parents_min:
        return None
    return _mean(evidence.sliced), _mean(evidence.whole)


def pays(evidence: Evidence, config: Trial) -> bool:
    """Whether slicing's mean is lower by the margin; so long as it is not known, it does."""
    means = shortfalls(evidence, config)
    return means is None or means[0] + config.saving_fraction_min <= means[1]


def remember_end(evidence: Evidence, ended: ScheduleEnded, slices: int, config: Trial) -> Evidence:
    """The evidence after a large order of `slices` slices has ended. One that was stopped midway proves nothing."""
    left = evidence.whole_left - 1 if slices == 1 and evidence.whole_left else evidence.whole_left
    evidence = msgspec.structs.replace(evidence, whole_left=left)
    if ended.reason != COMPLETED or ended.shortfall_fraction is None:
        return evidence
    kind = "whole" if slices == 1 else "sliced"
    costs = (*getattr(evidence, kind), ended.shortfall_fraction)[-config.parents_remembered :]
    evidence = msgspec.structs.replace(evidence, **{kind: costs})
    if left == 0 and not pays(evidence, config):
        # What was measured of slicing is forgotten: when it is tried again, the market may be another.
        return msgspec.structs.replace(evidence, sliced=(), whole_left=config.retry_after_parents)
    return evidence


def _mean(costs: tuple[Decimal, ...]) -> Decimal:
    return divide(sum(costs, ZERO), Decimal(len(costs)))
