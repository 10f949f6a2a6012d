"""Improvement counts outcomes exactly and proposes only on evidence, once a crossing."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import Desk, default_config
from tmt import messages as m
from tmt.agents.improvement import ImprovementAgent, ImprovementConfig, ImprovementState
from tmt.agents.improvement.statistics import Outcomes, student_t
from tmt.domain.money import decode_hook


def make_agent(confidence_min: str = "0.75", **changes: Any) -> ImprovementAgent:
    config = default_config(ImprovementConfig, "improvement", **changes)
    return ImprovementAgent(config, Decimal(confidence_min))


def close(agent: ImprovementAgent, *results: str, **fields: Any) -> list[m.Message]:
    """Close trips that risked 100 each; the answers to all of them."""
    desk = Desk()
    said: list[m.Message] = []
    for result in results:
        said += agent.handle(desk.close_trip(realised=result, **fields))
    return said


def last_statistics(said: list[m.Message]) -> m.StatisticsUpdated:
    return [message for message in said if isinstance(message, m.StatisticsUpdated)][-1]


def proposals(said: list[m.Message]) -> list[m.ParameterProposed]:
    return [message for message in said if isinstance(message, m.ParameterProposed)]


def test_results_are_counted_in_multiples_of_the_risk_after_fees() -> None:
    said = last_statistics(close(make_agent(), "210", "-90", "310", "-190", fees=Decimal(10)))
    assert (said.trades, said.win_rate, said.expectancy_r) == (4, Decimal("0.5"), Decimal("0.5"))
    # R: 2, -1, 3, -2; standard deviation sqrt(17 / 3); t of 3 degrees 3.182.
    assert (said.expectancy_r_low, said.expectancy_r_high) == (Decimal("-3.2873"), Decimal("4.2873"))
    assert said.profit_factor == Decimal("1.6667")
    assert m.decode(m.encode(said)) == said


def test_without_a_loss_there_is_no_profit_factor() -> None:
    said = last_statistics(close(make_agent(), "100"))
    assert said.profit_factor is None
    assert said.expectancy_r_low == said.expectancy_r_high == said.expectancy_r == Decimal(1)


def test_a_trip_that_only_breaks_even_is_no_win() -> None:
    assert last_statistics(close(make_agent(), "0")).win_rate == 0


def test_trips_without_a_stop_are_counted_apart() -> None:
    agent = make_agent()
    assert close(agent, "50", risk="0") == []
    assert agent.state.outcomes["spring_test/EURUSD"] == Outcomes(unprotected=1)


def test_setups_and_instruments_are_kept_apart() -> None:
    agent = make_agent()
    close(agent, "100")
    close(agent, "100", symbol="GBPUSD")
    close(agent, "100", setup="lps")
    assert sorted(agent.state.outcomes) == ["lps/EURUSD", "spring_test/EURUSD", "spring_test/GBPUSD"]


@pytest.mark.parametrize(("losses", "expected"), [(29, 0), (30, 1), (31, 1)])
def test_below_the_evidence_minimum_nothing_is_proposed_and_then_once(losses: int, expected: int) -> None:
    assert len(proposals(close(make_agent(), *["-100"] * losses))) == expected


def test_the_proposal_makes_the_signals_choosier_and_carries_its_evidence() -> None:
    [proposal] = proposals(close(make_agent(), *["-100"] * 30))
    assert (proposal.agent, proposal.parameter) == ("wyckoff", "signal.confidence_min")
    assert (proposal.value_before, proposal.value) == (Decimal("0.75"), Decimal("0.80"))
    assert proposal.trades == 30
    assert "spring_test on EURUSD" in proposal.evidence[0].name
    assert m.decode(m.encode(proposal)) == proposal


def test_losing_without_certainty_proposes_nothing() -> None:
    results = ["-100", "-100", "150"] * 11
    said = close(make_agent(), *results)
    assert last_statistics(said).expectancy_r < 0 < last_statistics(said).expectancy_r_high
    assert proposals(said) == []


def test_evidence_in_favour_raises_no_risk() -> None:
    said = close(make_agent(), *["100", "200"] * 20)
    assert last_statistics(said).expectancy_r_low > 0
    assert proposals(said) == []


def test_a_second_crossing_proposes_again() -> None:
    agent = make_agent()
    assert len(proposals(close(agent, *["-100"] * 30))) == 1
    recovered = close(agent, "4000")
    assert last_statistics(recovered).expectancy_r_high > 0
    assert proposals(recovered) == []
    assert len(proposals(close(agent, *["-100"] * 120))) == 1


@pytest.mark.parametrize(("confidence_min", "expected"), [("0.89", 1), ("0.90", 1), ("0.91", 0)])
def test_nothing_is_proposed_above_the_ceiling(confidence_min: str, expected: int) -> None:
    assert len(proposals(close(make_agent(confidence_min), *["-100"] * 30))) == expected


def test_the_state_survives_a_snapshot() -> None:
    agent = make_agent()
    close(agent, "33.3333", "-66.6667", "0.0000001")
    again = msgspec.json.decode(msgspec.json.encode(agent.state), type=ImprovementState, dec_hook=decode_hook)
    assert again == agent.state


def test_between_tabulated_degrees_the_wider_interval_is_taken() -> None:
    degrees = (1, 30, 31, 40, 59, 60, 100, 100000)
    expected = ("12.706", "2.042", "2.042", "2.021", "2.021", "2.000", "1.984", "1.984")
    assert [student_t(d) for d in degrees] == [Decimal(text) for text in expected]


def test_the_same_trip_gives_the_same_messages() -> None:
    trip = Desk().close_trip(realised="50")
    assert make_agent().handle(trip) == make_agent().handle(trip)


@pytest.mark.parametrize(
    ("name", "value"), [("evidence_trades_min", "1"), ("confidence_step", "0"), ("confidence_ceiling", "1.1")]
)
def test_a_configuration_out_of_range_names_its_field(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        default_config(ImprovementConfig, "improvement", **{name: value})
