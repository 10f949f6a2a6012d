"""Is this what a trader on tilt would do: too soon, too often, too large after a loss, or by a slip of the hand?

And if not: is the order so large for its market that it should go out in slices?
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.human_behavior import hours, schedule, slips, tilt, trial
from tmt.agents.human_behavior.case import Case
from tmt.agents.human_behavior.config import HumanBehaviorConfig
from tmt.agents.human_behavior.habits import HumanBehaviorState
from tmt.agents.human_behavior.trial import Evidence
from tmt.agents.human_behavior.volume import usual_volume
from tmt.agents.verdict import Approve, Deny, Waterfall, shrinks_position
from tmt.domain.money import ZERO, divide
from tmt.domain.schedule import Schedule
from tmt.messages import ConcentrationApproved
from tmt.projections.portfolio import Portfolio

RULES: Final = (
    slips.tagged,
    slips.duplicate,
    hours.trading_hours,
    hours.fatigue,
    tilt.cool_down,
    tilt.revenge,
    hours.entry_rate,
    slips.price,
    slips.quantity,
    slips.notional,
    tilt.size_after_loss,
    tilt.averaging_down,
    tilt.disposition,
)
"""In the order applied: refusals first, then what cuts the quantity."""


def decide(
    state: HumanBehaviorState, approval: ConcentrationApproved, portfolio: Portfolio, config: HumanBehaviorConfig
) -> Approve | Deny:
    """Judge one order. Orders that only shrink the position pass, and go out whole."""
    order = approval.order
    waterfall = Waterfall("human_behavior", order.quantity)
    expired = waterfall.denies_expired(approval, portfolio.now_ns)
    if expired is not None:
        return expired
    if shrinks_position(order, portfolio):
        held = abs(portfolio.position(order.account, order.instrument).quantity)
        waterfall.passes("closing", order.quantity, held, "units")
        return waterfall.approves(order)
    account = portfolio.account(order.account)
    if account is None:
        return waterfall.denies_missing("unknown_account", f"account {order.account!r} was never opened")
    instrument = portfolio.instrument(order.instrument)
    if instrument is None:
        return waterfall.denies_missing("unknown_instrument", f"{order.instrument!r} is not an instrument of this desk")
    case = Case(order, account, instrument, state, portfolio, config, waterfall)
    for rule in RULES:
        denial = rule(case)
        if denial is not None:
            return denial
    too_small = waterfall.denies_too_small(instrument, order.entry_price)
    return _approve(case) if too_small is None else too_small


def _approve(case: Case) -> Approve:
    plan = _schedule(case)
    approve = case.waterfall.approves(case.order)
    if plan is None:
        return approve
    return msgspec.structs.replace(approve, order=msgspec.structs.replace(approve.order, schedule=plan))


def _schedule(case: Case) -> Schedule | None:
    order, config, quantity = case.order, case.config.slicing, case.waterfall.quantity
    volumes = case.state.volumes.get(order.instrument)
    usual = usual_volume(volumes, case.instrument, config.interval_seconds, config.volume)
    limit = config.participation_fraction_max
    if volumes is None or usual is None or not schedule.may_be_sliced(order):
        case.waterfall.passes("participation", ZERO, limit, "fraction")
        return None
    slices = schedule.slices_wanted(quantity, usual, config)
    measured = divide(quantity, usual)
    if slices == 1:
        case.waterfall.passes("participation", measured, limit, "fraction")
        return None
    plan = schedule.sliced(order, quantity, slices, case.now_ns, case.instrument, volumes, config)
    case.waterfall.warns("participation", measured, limit, "fraction")
    if plan is None:
        return None
    evidence = case.state.evidence.get(order.instrument, Evidence())
    _tell_whether_it_pays(case, evidence)
    if trial.goes_whole(evidence, order.order_id, config.trial):
        return schedule.whole(order, quantity, case.now_ns)
    return plan


def _tell_whether_it_pays(case: Case, evidence: Evidence) -> None:
    config = case.config.slicing.trial
    means = trial.shortfalls(evidence, config)
    if evidence.whole_left > 0:
        case.waterfall.warns("slicing", Decimal(evidence.whole_left), ZERO, "count")
    elif means is None:
        case.waterfall.passes("slicing", ZERO, ZERO, "fraction")
    else:
        case.waterfall.passes("slicing", means[0], means[1] - config.saving_fraction_min, "fraction")
