"""Does what the gateway shows agree with the desk itself: its agents, its portfolio, its log?"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.gateway.desk import ACCOUNT, SYMBOL, Gateway, gateway, order
from tmt import messages as m
from tmt.agents.anti_correlation import correlation_matrix
from tmt.domain.money import decode_hook, divide
from tmt.errors import StoreUnavailable
from tmt.gateway.desk_routes import CorrelationsShown
from tmt.projections.desk_view import DeskSnapshot
from tmt.projections.trail import Trail, why
from tmt.projections.why_not import WhyNot, why_not
from tmt.web.parameters import ITEMS_MAX


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A desk at rest: no rows come, so that what is asked twice is the same twice."""
    with gateway(tmp_path_factory.mktemp("routes"), speed=0) as served:
        yield served


@pytest.fixture(scope="module")
def placed(served: Gateway) -> dict[str, Any]:
    answer = served.ask("POST", "/api/v1/orders", "trader", json=order("shown"))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(served: Gateway, path: str, kind: Any, who: str = "trader") -> Any:
    answer = served.ask("GET", path, who)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=kind, dec_hook=decode_hook)


def _agents(served: Gateway) -> tuple[Any, ...]:
    return served.desk.runner.agents


def recorded(served: Gateway, kind: type[m.Message]) -> list[tuple[int, Any]]:
    return [(each.position, m.decode(each.body)) for each in served.log.read(types=(kind.__name__,))]


def test_the_snapshot_is_the_desks_own_fold(served: Gateway, placed: dict[str, Any]) -> None:
    desk = shown(served, "/api/v1/desk", DeskSnapshot)
    portfolio = served.desk.portfolio
    assert desk.time_ns == portfolio.now_ns
    assert [each.account for each in desk.accounts] == [each.account_id for each in portfolio.accounts]
    assert [each.equity for each in desk.accounts] == [portfolio.equity(each.account) for each in desk.accounts]
    assert desk.counts == served.desk.runner.counts
    assert [each.name for each in desk.agents] == [each.name for each in served.desk.runner.agents]


def test_who_writes_reads_what_they_wrote(served: Gateway) -> None:
    for number in range(20):
        answer = served.ask("POST", "/api/v1/orders", "trader", json=order(f"read-{number}", quantity="1")).json()
        found = served.ask("GET", "/api/v1/decisions?limit=1", "trader").json()["items"][0]
        assert found["orders"][0]["order_id"] == answer["order_id"]


def test_many_at_once_all_read_what_they_wrote(served: Gateway) -> None:
    served.headers("trader")

    def write_and_read(number: int) -> bool:
        answer = served.ask("POST", "/api/v1/orders", "trader", json=order(f"many-{number}", quantity="1")).json()
        found = served.ask("GET", f"/api/v1/decisions/{answer['order_id']}", "trader")
        return found.status_code == 200 and found.json()["orders"][0]["order_id"] == answer["order_id"]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write_and_read, range(40)))


def test_a_trail_is_what_the_command_line_says(served: Gateway, placed: dict[str, Any]) -> None:
    trail = shown(served, f"/api/v1/decisions/{placed['order_id']}", Trail)
    assert trail == why(served.log, placed["order_id"])
    assert [gate.gate for gate in trail.orders[0].gates][-1] == "circuit_breaker"
    assert trail.complete


def test_an_id_that_nothing_has_is_not_found_and_one_that_is_too_short_is_refused(served: Gateway) -> None:
    assert served.ask("GET", f"/api/v1/decisions/{'f' * 32}", "trader").status_code == 404
    assert served.ask("GET", "/api/v1/decisions/abc", "trader").status_code == 400
    assert served.ask("GET", "/api/v1/why-not?instrument=NONE&time=2026-01-05T01:00Z", "trader").status_code == 404


@pytest.mark.parametrize(
    "time", ["2026-01-05T01:00Z", "2026-01-05T01:00:30+00:00", "2026-01-05T02:00+01:00", "2026-01-05T01:00"]
)
def test_why_not_is_what_the_command_line_says_in_whatever_zone(served: Gateway, time: str) -> None:
    time = time.replace("+", "%2B")
    answer = shown(served, f"/api/v1/why-not?instrument={SYMBOL}&time={time}", WhyNot)
    assert answer == why_not(served.log, SYMBOL, answer.time_ns)
    assert answer.time_ns // 10**9 in (1767574800, 1767574830)


@pytest.mark.parametrize("time", ["yesterday !", "2026-13-01T00:00", "2026-01-05T25:00Z", "99999-01-01T00:00"])
def test_a_time_that_is_none_is_refused(served: Gateway, time: str) -> None:
    answer = served.ask("GET", f"/api/v1/why-not?instrument={SYMBOL}&time={time}", "trader")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["where"] == "query: time"


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("time=2026-01-05T01:00Z", ["query: instrument"]),
        (f"instrument={SYMBOL}", ["query: time"]),
        (f"instrument={SYMBOL}&time=2026-01-05T01:00Z&when=now&at=x", ["query: at", "query: when"]),
    ],
)
def test_a_parameter_that_is_missing_or_unknown_is_named(served: Gateway, query: str, where: list[str]) -> None:
    answer = served.ask("GET", f"/api/v1/why-not?{query}", "trader")
    assert answer.status_code == 400
    assert [each["where"] for each in answer.json()["errors"]] == where


def test_correlations_are_what_the_gate_measures(served: Gateway) -> None:
    [agent] = [each for each in _agents(served) if each.name == "anti_correlation"]
    expected = msgspec.to_builtins(correlation_matrix(agent.state.series, agent.config))
    assert served.ask("GET", "/api/v1/risk/correlations", "trader").json()["now"] == expected
    assert any(each["common"] > 0 for each in expected)


def test_published_correlations_are_those_of_the_log_the_newest_first(tmp_path: Path) -> None:
    with gateway(tmp_path, speed=0, batches=160) as served:
        said = [message for _, message in recorded(served, m.CorrelationsMeasured)]
        answer = shown(served, "/api/v1/risk/correlations?limit=2", CorrelationsShown)
    assert len(said) > 2
    assert answer.history == tuple(said[:-3:-1])


def test_risk_is_what_the_portfolio_says(served: Gateway) -> None:
    portfolio = served.desk.portfolio
    [risk] = [each for each in served.ask("GET", "/api/v1/risk", "trader").json() if each["account"] == ACCOUNT]
    for name in ("equity", "day_start_equity", "peak_equity", "realised", "unrealised", "fees", "drawdown_fraction"):
        assert Decimal(risk[name]) == getattr(portfolio, name)(ACCOUNT), name


def test_exposure_is_the_worth_of_what_is_held(tmp_path: Path) -> None:
    with gateway(tmp_path, speed=60) as served:
        served.ask("POST", "/api/v1/orders", "trader", json=order("held"))
        served.eventually(lambda: served.ask("GET", "/api/v1/positions", "trader").json()["positions"])
        positions = served.ask("GET", "/api/v1/positions", "trader").json()["positions"]
        [risk] = [each for each in served.ask("GET", "/api/v1/risk", "trader").json() if each["account"] == ACCOUNT]
    assert [each["symbol"] for each in positions] == [SYMBOL]
    worth = abs(Decimal(positions[0]["market_value"]))
    # Between the two answers a bar may close and move the price; never by a tenth.
    assert abs(Decimal(risk["gross_exposure"]) - worth) < worth / 10
    assert Decimal(risk["exposure_ratio"]) == divide(Decimal(risk["gross_exposure"]), Decimal(risk["equity"]), 6)


def test_bars_are_the_newest_of_the_log(served: Gateway) -> None:
    closed = [each.bar for _, each in recorded(served, m.BarClosed) if each.bar.instrument == SYMBOL]
    minutes = [each for each in closed if each.timeframe == "1m"]
    answer = served.ask("GET", f"/api/v1/market/{SYMBOL}/bars?timeframe=1m&limit=5", "trader").json()
    assert answer == msgspec.to_builtins(minutes[-5:])
    assert served.ask("GET", "/api/v1/market/NONE/bars", "trader").status_code == 404
    quotes = {each["instrument"]: each["quote"] for each in served.ask("GET", "/api/v1/market", "trader").json()}
    assert set(quotes) >= set(served.desk.feed.symbols)


def test_verdicts_come_by_gate_outcome_and_page(served: Gateway) -> None:
    served.ask("POST", "/api/v1/orders", "trader", json=order("denied", quantity="1"))
    denials = [message for _, message in recorded(served, m.OrderDenied)]
    found = served.ask("GET", f"/api/v1/verdicts?outcome=denied&limit={ITEMS_MAX}", "trader").json()["items"]
    assert [each["reason"] for each in found] == [each.reason for each in reversed(denials)]
    passed = [position for position, _ in recorded(served, m.ComplianceApproved)]
    by_gate = served.ask("GET", "/api/v1/verdicts?gate=compliance&outcome=approved", "trader").json()["items"]
    assert [each["position"] for each in by_gate] == passed[::-1]
    pages, before = [], ""
    while True:
        page = served.ask("GET", f"/api/v1/verdicts?limit=7{before}", "trader").json()
        pages += page["items"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert len(pages) == sum(len(recorded(served, kind)) for kind in m.GATES)
    assert [each["position"] for each in pages] == sorted((each["position"] for each in pages), reverse=True)


def test_a_stop_shows_on_the_breakers_and_in_their_history(served: Gateway) -> None:
    served.ask("POST", "/api/v1/emergency-stop", "risk", json={"reason": "to see it"})
    found = served.ask("GET", "/api/v1/breakers", "viewer").json()
    assert {each["state"] for each in found["breakers"] if each["tier"] == "system"} == {"open"}
    assert "StopTrading" in [each["type"] for each in found["history"]]
    told = served.ask("GET", "/api/v1/breakers/history?limit=1", "viewer").json()
    [turn] = told["turns"]
    assert (turn["tier"], turn["state"], turn["before"], turn["trigger"]) == ("system", "open", "closed", "manual_stop")
    assert "to see it" in turn["cause"]
    assert {each["activations"] for each in told["breakers"] if each["tier"] == "system"} == {1}
    assert told["patterns"] == []
    served.ask("POST", "/api/v1/resume", "risk", json={"reason": "seen"})
    states = served.ask("GET", "/api/v1/breakers", "viewer").json()["breakers"]
    assert {each["state"] for each in states if each["tier"] == "system"} == {"closed"}


def test_parameters_are_those_in_force(served: Gateway) -> None:
    shown_parameters = served.ask("GET", "/api/v1/parameters", "viewer").json()
    with_config = [agent for agent in _agents(served) if hasattr(agent, "config")]
    assert len(with_config) > 3
    for agent in with_config:
        assert shown_parameters[agent.name] == msgspec.json.decode(msgspec.json.encode(agent.config))


def test_the_audit_trail_comes_in_pages_and_says_when_it_is_not_what_was_written(
    served: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.access is not None
    first = served.ask("GET", "/api/v1/audit?limit=3", "admin").json()
    rest = served.ask("GET", f"/api/v1/audit?limit=500&before={first['next']}", "admin").json()["items"]
    positions = [each["position"] for each in (*first["items"], *rest)]
    assert positions == list(range(positions[0], positions[0] - len(positions), -1))
    assert served.ask("GET", "/api/v1/audit/verify", "admin").json()["sound"]
    genuine = served.access.audit._link
    monkeypatch.setattr(served.access.audit, "_link", lambda chain, entry: genuine(chain, entry)[::-1])
    broken = served.ask("GET", "/api/v1/audit/verify", "admin").json()
    assert not broken["sound"]
    assert "not what was written" in broken["detail"]


def test_metrics_count_what_the_log_holds(served: Gateway, placed: dict[str, Any]) -> None:
    served.ask("POST", "/api/v1/orders", "trader", json=order("counted", quantity="1"))
    served.ask("GET", "/api/v1/decisions", "trader")
    lines = dict(
        line.rsplit(" ", 1) for line in served.ask("GET", "/metrics").text.splitlines() if not line.startswith("#")
    )
    counts = served.desk.runner.counts
    assert float(lines['tmt_orders_total{outcome="submitted"}']) == counts["OrderSubmitted"]
    assert float(lines['tmt_orders_total{outcome="denied"}']) == counts["OrderDenied"]
    denied = sum(float(value) for name, value in lines.items() if name.startswith("tmt_denials_total"))
    assert denied == counts["OrderDenied"]
    assert float(lines["tmt_fills_total"]) == counts.get("OrderFilled", 0)
    assert float(lines[f'tmt_drawdown_ratio{{account="{ACCOUNT}"}}']) == float(
        served.desk.portfolio.drawdown_fraction(ACCOUNT) or 0
    )
    assert float(lines['tmt_circuit_breaker_state{scope="desk",tier="system"}']) == 0


# When the log is away


def test_a_log_that_is_away_is_said_by_readiness_and_reads_are_refused_until_it_is_back(
    served: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise StoreUnavailable("TMT-L002", "the disk has gone", where="/secret/path")

    with monkeypatch.context() as patched:
        patched.setattr(served.log, "head", away)
        refused = served.ask("GET", "/api/v1/desk", "trader")
        assert (refused.status_code, refused.json()["code"]) == (503, "TMT-L002")
        assert "secret" not in refused.text
        served.eventually(lambda: served.ask("GET", "/ready").status_code == 503)
        assert served.ask("GET", "/health").status_code == 200
    served.until_ready()
    assert served.ask("GET", "/api/v1/desk", "trader").status_code == 200
