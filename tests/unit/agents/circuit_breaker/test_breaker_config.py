"""Limits that make no sense are refused by name, and the packaged ones are those the documentation names."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.circuit_breaker.hall import CONFIG
from tests.unit.agents.desk import default_config
from tmt.agents.circuit_breaker import CircuitBreakerConfig
from tmt.market.bar import Timeframe


def instrument(**changes: Any) -> Any:
    return msgspec.structs.replace(CONFIG.instrument, **changes)


def venue(**changes: Any) -> Any:
    return msgspec.structs.replace(CONFIG.venue, **changes)


@pytest.mark.parametrize("field", ["sigmas_max", "decay_fraction", "gap_fraction_max"])
@pytest.mark.parametrize("value", [Decimal(0), Decimal(-1)])
def test_an_instrument_s_limits_are_above_0(field: str, value: Decimal) -> None:
    with pytest.raises(ValueError, match=field):
        instrument(**{field: value})


def test_a_decay_is_below_1() -> None:
    assert instrument(decay_fraction=Decimal("0.999")).decay_fraction < 1
    with pytest.raises(ValueError, match="decay_fraction"):
        instrument(decay_fraction=Decimal(1))


@pytest.mark.parametrize("field", ["returns_min", "volatility_confirmations"])
def test_an_instrument_s_counts_are_at_least_1(field: str) -> None:
    assert getattr(instrument(**{field: 1}), field) == 1
    with pytest.raises(ValueError, match=field):
        instrument(**{field: 0})


def test_no_more_confirmations_are_asked_for_than_there_are_samples() -> None:
    assert instrument(volatility_confirmations=3).volatility_confirmations == 3
    with pytest.raises(ValueError, match="volatility_confirmations must be at most volatility_samples, 3, was 4"):
        instrument(volatility_confirmations=4)
    for name in ("answer", "rejection"):
        assert venue(**{f"{name}_confirmations": 3})
        with pytest.raises(ValueError, match=f"{name}_confirmations must be at most"):
            venue(**{f"{name}_confirmations": 4})
        with pytest.raises(ValueError, match=f"{name}_confirmations must be at least 1"):
            venue(**{f"{name}_confirmations": 0})


def test_an_answer_may_take_some_time() -> None:
    with pytest.raises(ValueError, match="answer_seconds_max"):
        venue(answer_seconds_max=Decimal(0))


@pytest.mark.parametrize("field", ["entries_max", "window_seconds"])
def test_entries_and_their_window_are_at_least_1(field: str) -> None:
    assert getattr(msgspec.structs.replace(CONFIG.repeated_execution, **{field: 1}), field) == 1
    with pytest.raises(ValueError, match=field):
        msgspec.structs.replace(CONFIG.repeated_execution, **{field: 0})


def test_somebody_may_resume() -> None:
    with pytest.raises(ValueError, match="resume_roles"):
        msgspec.structs.replace(CONFIG, resume_roles=())


def test_the_packaged_limits_are_those_of_the_documentation() -> None:
    config = default_config(CircuitBreakerConfig, "circuit_breaker")
    found = config.instrument
    assert (found.timeframe_min, found.sigmas_max, found.decay_fraction) == (
        Timeframe.M5,
        Decimal(3),
        Decimal("0.94"),
    )
    assert (found.returns_min, found.volatility_confirmations, found.volatility_samples) == (30, 2, 3)
    assert (found.gap_fraction_max, config.drawdown_fraction_max) == (Decimal("0.05"), Decimal("0.08"))
    assert config.daily_loss_fraction_max == Decimal("0.05")
    assert config.venue.answer_seconds_max == Decimal(2)
    assert (config.venue.answer_confirmations, config.venue.answer_samples) == (3, 5)
    assert (config.venue.rejection_confirmations, config.venue.rejection_samples) == (5, 10)
    assert (config.repeated_execution.entries_max, config.repeated_execution.window_seconds) == (5, 600)
    assert config.resume_roles == ("risk", "admin")
    cool_down = config.cool_down_seconds
    assert (cool_down.agent, cool_down.account, cool_down.system) == (30, 60, 300)
    assert config.half_open.successes_to_close == 3
    assert not config.loose


def test_loose_multiplies_no_hard_limit() -> None:
    loose = msgspec.structs.replace(CONFIG, loose=True)
    assert loose.repeated_execution == CONFIG.repeated_execution
    assert loose.venue == CONFIG.venue
    assert loose.cool_down_seconds == CONFIG.cool_down_seconds
    assert (loose.consecutive_losses_max("account"), loose.consecutive_losses_max("agent")) == (4, 7)
