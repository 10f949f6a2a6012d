"""People trade through the desk's own gates, once for each id, on their own accounts, and only as their role may."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL
from tests.unit.engine.running import loop_over, started_desk
from tests.unit.engine.serving import Served, served_engine
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk
from tmt.domain.stop import EVERYTHING
from tmt.projections.desk_reader import DeskReader
from tmt.web.trading import trading_routes


@contextmanager
def trading(folder: Path, *, speed: float = 50) -> Iterator[tuple[Desk, Served]]:
    desk = started_desk(folder / "book", batches=8)
    log = SqliteEventLog(folder / "book" / "events.sqlite", read_only=True)
    reader = DeskReader(log, desk.runner.agents)
    try:
        loop = loop_over(desk, speed=speed)
        with served_engine(
            desk, folder / "state", loop=loop, trading=lambda _, door: trading_routes(door, reader)
        ) as served:
            yield desk, served
    finally:
        log.close()
        desk.close()


@pytest.fixture
def desk_and_engine(tmp_path: Path) -> Iterator[tuple[Desk, Served]]:
    with trading(tmp_path) as both:
        yield both


@pytest.fixture
def desk(desk_and_engine: tuple[Desk, Served]) -> Desk:
    return desk_and_engine[0]


@pytest.fixture
def engine(desk_and_engine: tuple[Desk, Served]) -> Served:
    return desk_and_engine[1]


_NUMBERS = count()
"""No two orders are alike, or the second would be refused."""


def wanted(desk: Desk, client_order_id: str = "one", **changes: Any) -> dict[str, Any]:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    order = {
        "symbol": SYMBOL,
        "side": "buy",
        "type": "market",
        "quantity": "2000",
        "client_order_id": client_order_id,
        "stop_loss_price": str(mark.bid - Decimal("0.05") - next(_NUMBERS) * Decimal("0.00001")),
    }
    return {key: value for key, value in {**order, **changes}.items() if value is not None}


def resting(desk: Desk, client_order_id: str = "rests", **changes: Any) -> dict[str, Any]:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    price = mark.bid - Decimal("0.02")
    fields = {"type": "limit", "price": str(price), "stop_loss_price": str(price - Decimal("0.05")), **changes}
    return wanted(desk, client_order_id, **fields)


def place(engine: Served, order: dict[str, Any], who: str | None = "trader") -> httpx.Response:
    return engine.ask("POST", "/api/v1/orders", who, json=order)


def placed(engine: Served, order: dict[str, Any]) -> dict[str, Any]:
    answer = place(engine, order)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def look(engine: Served, order_id: str, who: str = "trader") -> dict[str, Any]:
    answer = engine.ask("GET", f"/api/v1/orders/{order_id}", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def until(engine: Served, order_id: str, status: str) -> dict[str, Any]:
    """The order, once it has that status; the test's time-out ends the waiting."""
    pause = Event()
    while (found := look(engine, order_id))["status"] != status:
        pause.wait(0.01)
    return found


def test_an_order_is_placed_fills_and_is_shown(desk: Desk, engine: Served) -> None:
    answer = placed(engine, wanted(desk))
    assert (answer["status"], answer["quantity"], answer["client_order_id"]) == ("submitted", "2000", "one")
    assert answer["account"] == ACCOUNT
    shown = until(engine, answer["order_id"], "filled")
    assert (shown["symbol"], shown["filled"], shown["person"], shown["strategy"]) == (
        SYMBOL,
        "2000",
        "trader",
        "manual",
    )
    (position,) = engine.ask("GET", "/api/v1/positions", "viewer").json()["positions"]
    assert (position["account"], position["symbol"], position["quantity"]) == (ACCOUNT, SYMBOL, "2000")
    account = engine.ask("GET", f"/api/v1/accounts/{ACCOUNT}", "viewer").json()
    assert account["deposit"] == "100000"
    assert Decimal(account["fees"]) > 0


def test_gates_may_make_an_order_smaller_and_the_answer_says_so(desk: Desk, engine: Served) -> None:
    answer = placed(engine, wanted(desk, quantity="3000000"))
    assert answer["quantity_wanted"] == "3000000"
    assert 0 < Decimal(answer["quantity"]) < 10**8


def test_a_denied_order_is_answered_with_gate_reason_measured_and_limit(desk: Desk, engine: Served) -> None:
    answer = place(engine, wanted(desk, stop_loss_price=None))
    problem = answer.json()
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["gate"], problem["reason"]) == ("TMT-E010", "compliance", "mandatory_stop")
    assert {"measured", "limit", "unit", "order_id", "client_order_id"} < set(problem)
    assert look(engine, problem["order_id"])["status"] == "denied"


def test_the_same_client_order_id_is_the_same_order_and_answered_alike(desk: Desk, engine: Served) -> None:
    order = wanted(desk)
    first, again = placed(engine, order), placed(engine, order)
    assert (first.pop("repeated"), again.pop("repeated")) == (False, True)
    assert first == again
    assert desk.runner.counts["OrderProposed"] == 1
    denied = wanted(desk, "denied", stop_loss_price=None)
    assert place(engine, denied).json() == place(engine, denied).json()


def test_the_same_client_order_id_for_another_order_is_a_conflict(desk: Desk, engine: Served) -> None:
    order = wanted(desk)
    placed(engine, order)
    answer = place(engine, {**order, "quantity": "3000"})
    assert (answer.status_code, answer.json()["code"]) == (409, "TMT-E005")


def test_numbers_may_be_text_or_numbers_and_lose_no_digit(desk: Desk, engine: Served) -> None:
    order = wanted(desk)
    raw = (
        '{"symbol":"%s","side":"buy","type":"market","quantity":2000,"client_order_id":"n","stop_loss_price":%s}'  # noqa: UP031
        % (SYMBOL, order["stop_loss_price"])
    )
    headers = {"Content-Type": "application/json"}
    answer = engine.ask("POST", "/api/v1/orders", "trader", headers, content=raw)
    assert answer.status_code == 200, answer.text
    (recorded,) = [
        each
        for each in (m.decode(told.body) for told in _log(desk).read(types=("OrderProposed",)))
        if isinstance(each, m.OrderProposed)
    ]
    assert recorded.quantity == Decimal(2000)
    assert recorded.stop_loss_price == Decimal(order["stop_loss_price"])


def _log(desk: Desk) -> SqliteEventLog:
    assert isinstance(desk.log, SqliteEventLog)
    return desk.log


BAD: tuple[dict[str, Any], ...] = (
    {"quantity": "NaN"},
    {"quantity": "Infinity"},
    {"quantity": "1e400"},
    {"quantity": "-1"},
    {"quantity": 0},
    {"quantity": "1_000"},
    {"quantity": True},
    {"quantity": [1]},
    {"side": "hold"},
    {"type": "trailing"},
    {"symbol": ""},
    {"symbol": "NOBODY"},
    {"client_order_id": ""},
    {"client_order_id": "a b"},
    {"client_order_id": "one\n"},
    {"client_order_id": "x" * 65},
    {"person": "somebody else"},
    {"order_id": "00"},
    {"strategy": "wyckoff"},
    {"time_in_force": "forever"},
    {"expire_at_ns": -1},
    {"account": "nobody-has-it"},
    {"price": "1.1"},
)


def test_what_is_no_order_is_refused(desk: Desk, engine: Served) -> None:
    orders = [(change, {**wanted(desk, f"n{number}"), **change}) for number, change in enumerate(BAD)]
    answers = [(change, place(engine, order)) for change, order in orders]
    assert [(change, answer.status_code) for change, answer in answers if answer.status_code != 400] == []
    assert {answer.headers["content-type"] for _, answer in answers} == {"application/problem+json"}
    assert "OrderSubmitted" not in desk.runner.counts


def test_a_working_order_is_cancelled_once(desk: Desk, engine: Served) -> None:
    order_id = placed(engine, resting(desk))["order_id"]
    until(engine, order_id, "accepted")
    path = f"/api/v1/orders/{order_id}"
    first, again = engine.ask("DELETE", path, "trader"), engine.ask("DELETE", path, "trader")
    assert first.status_code == 202
    assert again.status_code in (202, 409)
    assert until(engine, order_id, "cancelled")["reason"] == "person"
    late = engine.ask("DELETE", path, "trader")
    assert (late.status_code, late.json()["code"]) == (409, "TMT-E011")
    assert desk.runner.counts["CancelOrder"] == 1


def test_a_working_order_is_made_smaller_and_moved_away_from_the_market(desk: Desk, engine: Served) -> None:
    order = resting(desk)
    order_id = placed(engine, order)["order_id"]
    until(engine, order_id, "accepted")
    lower = str(Decimal(order["price"]) - Decimal("0.001"))
    answer = engine.ask("PUT", f"/api/v1/orders/{order_id}", "trader", json={"quantity": 1000, "price": lower})
    assert answer.status_code == 202, answer.text
    pause = Event()
    while (shown := look(engine, order_id))["quantity"] != "1000":
        pause.wait(0.01)
    assert Decimal(shown["price"]) == Decimal(lower)


def test_a_trailing_stop_for_the_day_is_placed_shown_and_brought_nearer(desk: Desk, engine: Served) -> None:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    stop = mark.ask + Decimal("0.03")
    kind = {"type": "trailing_stop", "time_in_force": "day", "stop_price": str(stop), "trail_offset": "0.03"}
    order_id = placed(engine, wanted(desk, "trails", **kind))["order_id"]
    shown = until(engine, order_id, "accepted")
    assert (shown["type"], shown["time_in_force"], shown["trail_offset"]) == ("trailing_stop", "day", "0.03")
    path, nearer = f"/api/v1/orders/{order_id}", str(stop - Decimal("0.02"))
    further = engine.ask("PUT", path, "trader", json={"quantity": "2000", "stop_price": str(stop + Decimal("0.001"))})
    assert (further.status_code, further.json()["errors"][0]["where"]) == (400, "$.stop_price")
    assert engine.ask("PUT", path, "trader", json={"quantity": "2000", "stop_price": nearer}).status_code == 202
    pause = Event()
    while Decimal(look(engine, order_id)["stop_price"]) > Decimal(nearer):
        pause.wait(0.01)


@pytest.mark.parametrize(
    ("quantity", "move", "where"),
    [
        ("3000", "0", "$.quantity"),
        ("0", "0", None),
        ("1000", "0.00001", "$.price"),
        ("2000", "0.001", "$.price"),
    ],
)
def test_a_replacement_that_adds_risk_is_refused(
    desk: Desk, engine: Served, quantity: str, move: str, where: str | None
) -> None:
    order = resting(desk)
    order_id = placed(engine, order)["order_id"]
    until(engine, order_id, "accepted")
    asked = {"quantity": quantity, "price": str(Decimal(order["price"]) + Decimal(move))}
    answer = engine.ask("PUT", f"/api/v1/orders/{order_id}", "trader", json=asked)
    assert answer.status_code == 400
    if where is not None:
        assert answer.json()["errors"][0]["where"] == where
    assert "ReplaceOrder" not in desk.runner.counts


def test_a_sale_moved_up_must_shrink_so_that_it_is_worth_no_more(desk: Desk, engine: Served) -> None:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    price = mark.ask + Decimal("0.02")
    stop = str(price + Decimal("0.05"))
    order_id = placed(engine, wanted(desk, side="sell", type="limit", price=str(price), stop_loss_price=stop))[
        "order_id"
    ]
    until(engine, order_id, "accepted")
    path, higher = f"/api/v1/orders/{order_id}", str(price + Decimal("0.001"))
    dearer = engine.ask("PUT", path, "trader", json={"quantity": "2000", "price": higher})
    assert (dearer.status_code, dearer.json()["errors"][0]["where"]) == (400, "$.price")
    assert engine.ask("PUT", path, "trader", json={"quantity": "1000", "price": higher}).status_code == 202


def test_orders_are_listed_page_by_page_and_by_what_they_are(desk: Desk, engine: Served) -> None:
    ids = [placed(engine, wanted(desk, f"n{number}"))["order_id"] for number in range(3)]
    denied = place(engine, wanted(desk, "d", stop_loss_price=None)).json()["order_id"]

    def listed(query: str) -> tuple[list[str], str | None]:
        page = engine.ask("GET", f"/api/v1/orders{query}", "trader").json()
        return [each["order_id"] for each in page["orders"]], page["next"]

    first, following = listed("?limit=2")
    second, end = listed(f"?limit=2&after={following}")
    assert (first + second, end) == ([denied, *reversed(ids)], None)
    assert listed("?status=denied")[0] == [denied]
    assert listed("?client_order_id=n1")[0] == [ids[1]]
    assert listed("?symbol=NOBODY")[0] == []
    assert engine.ask("GET", "/api/v1/orders?limit=201", "trader").status_code == 400


def test_what_belongs_to_another_account_is_not_there(desk: Desk, engine: Served) -> None:
    order_id = placed(engine, resting(desk))["order_id"]
    until(engine, order_id, "accepted")
    path = f"/api/v1/orders/{order_id}"
    assert engine.ask("GET", path, "narrow").status_code == 404
    assert engine.ask("DELETE", path, "narrow").status_code == 404
    assert engine.ask("PUT", path, "narrow", json={"quantity": 1000}).status_code == 404
    assert engine.ask("GET", "/api/v1/orders", "narrow").json()["orders"] == []
    assert engine.ask("GET", "/api/v1/positions", "narrow").json()["positions"] == []
    assert engine.ask("GET", "/api/v1/accounts", "narrow").json()["accounts"] == []
    assert engine.ask("GET", f"/api/v1/accounts/{ACCOUNT}", "narrow").status_code == 404
    assert place(engine, wanted(desk, "x", account=ACCOUNT), "narrow").status_code == 403
    assert place(engine, wanted(desk, "x"), "narrow").status_code == 400
    assert desk.runner.counts["OrderProposed"] == 1


MAY = {
    ("POST", "/api/v1/orders"): {"trader"},
    ("GET", "/api/v1/orders"): {"viewer", "trader", "risk", "admin", "service"},
    ("GET", "/api/v1/orders/{id}"): {"viewer", "trader", "risk", "admin", "service"},
    ("PUT", "/api/v1/orders/{id}"): {"trader"},
    ("DELETE", "/api/v1/orders/{id}"): {"trader"},
    ("GET", "/api/v1/positions"): {"viewer", "trader", "risk", "admin", "service"},
    ("GET", "/api/v1/accounts"): {"viewer", "trader", "risk", "admin", "service"},
    ("GET", f"/api/v1/accounts/{ACCOUNT}"): {"viewer", "trader", "risk", "admin", "service"},
    ("POST", "/api/v1/emergency-stop"): {"trader", "risk", "admin"},
    ("POST", "/api/v1/resume"): {"risk", "admin"},
    ("POST", f"/api/v1/accounts/{ACCOUNT}/reinstate"): {"risk", "admin"},
    ("POST", "/api/v1/commands"): {"service"},
    ("POST", "/api/v1/market_data"): {"admin", "service"},
}


def test_every_role_may_do_what_it_may_and_nothing_else(desk: Desk, engine: Served) -> None:
    order_id = placed(engine, resting(desk))["order_id"]
    until(engine, order_id, "accepted")
    bodies: dict[str, dict[str, Any]] = {
        "/api/v1/orders": wanted(desk, "role"),
        "/api/v1/orders/{id}": {"quantity": 1000},
        "/api/v1/emergency-stop": {"reason": "drill"},
        "/api/v1/resume": {"reason": "drill over"},
        f"/api/v1/accounts/{ACCOUNT}/reinstate": {"reason": "drill over"},
    }
    described = httpx.get(f"{engine.url}/openapi.json").json()["paths"]
    for who in (None, "viewer", "trader", "risk", "admin", "service"):
        for (method, path), allowed in MAY.items():
            address = path.replace("{id}", order_id)
            more = {} if method in ("GET", "DELETE") else {"json": bodies.get(path, {})}
            status = engine.ask(method, address, who, **more).status_code
            if who is None:
                assert status == 401, (method, path)
            elif who in allowed:
                assert status not in (401, 403) or path.endswith("market_data"), (who, method, path, status)
            else:
                assert status == 403, (who, method, path, status)
    routes = {(method.upper(), path) for path, found in described.items() for method in found}
    tested = {(method, path.replace("{id}", "{order_id}").replace(ACCOUNT, "{account}")) for method, path in MAY}
    assert routes - tested == {("GET", "/health"), ("GET", "/ready"), ("GET", "/metrics")}


def test_an_emergency_stop_denies_what_comes_after_until_somebody_of_risk_resumes(desk: Desk, engine: Served) -> None:
    filled = placed(engine, wanted(desk))["order_id"]
    until(engine, filled, "filled")
    stopped = engine.ask("POST", "/api/v1/emergency-stop", "trader", json={"reason": "drill", "level": "flatten"})
    assert stopped.status_code == 200
    assert "system/desk" in stopped.json()["breakers"]
    assert (stopped.json()["cancelling"], stopped.json()["refused"]) == (0, [])
    denied = place(engine, wanted(desk, "after", **other_side(desk))).json()
    assert denied["gate"] == "circuit_breaker"
    pause = Event()
    while engine.ask("GET", "/api/v1/positions", "viewer").json()["positions"]:
        pause.wait(0.01)
    resumed = engine.ask("POST", "/api/v1/resume", "risk", json={"reason": "drill over"})
    assert "system/desk" in resumed.json()["breakers"]
    stop = next(_log(desk).read(types=("StopTrading",)))
    said = m.decode(stop.body)
    assert isinstance(said, m.StopTrading)
    assert (said.person, said.reason, said.level) == ("trader", "drill", "flatten")


def other_side(desk: Desk) -> dict[str, Any]:
    """A sale, which is not the same as what was bought before it."""
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    return {"side": "sell", "stop_loss_price": str(mark.bid + Decimal("0.05"))}


def halt(engine: Served, who: str, level: str = "pause", **scope: str) -> httpx.Response:
    covered = {"scope": {"kind": next(iter(scope)), "name": next(iter(scope.values()))}} if scope else {}
    return engine.ask("POST", "/api/v1/emergency-stop", who, json={"reason": "drill", "level": level, **covered})


def resume(engine: Served, who: str, **scope: str) -> httpx.Response:
    covered = {"scope": {"kind": next(iter(scope)), "name": next(iter(scope.values()))}} if scope else {}
    return engine.ask("POST", "/api/v1/resume", who, json={"reason": "over", **covered})


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("account", ACCOUNT, f"account/{ACCOUNT}"),
        ("instrument", SYMBOL, f"agent/instrument:{SYMBOL}"),
        ("strategy", "manual", "agent/manual"),
        ("venue", "paper", "agent/venue:paper"),
    ],
)
def test_a_scope_is_stopped_and_resumed_alone(kind: str, name: str, key: str, desk: Desk, engine: Served) -> None:
    order_id = placed(engine, resting(desk))["order_id"]
    until(engine, order_id, "accepted")
    stopped = halt(engine, "trader", "cancel", **{kind: name}).json()
    assert (stopped["breakers"], stopped["cancelling"]) == ([key], 1)
    until(engine, order_id, "cancelled")
    assert place(engine, wanted(desk, "during")).json()["gate"] == "circuit_breaker"
    assert resume(engine, "risk", **{kind: name}).json()["breakers"] == [key]
    placed(engine, wanted(desk, "after", quantity="1000"))


def test_a_lock_is_not_lifted_by_risk_and_says_so(engine: Served) -> None:
    assert halt(engine, "trader", "lock").status_code == 200
    refused = resume(engine, "risk").json()
    assert refused["refused"] == ["risk may not resume desk after manual_lock by the role risk"]
    assert refused["breakers"] == []
    lifted = resume(engine, "admin").json()
    assert (lifted["breakers"], lifted["refused"]) == (["system/desk"], [])


@pytest.mark.parametrize(
    ("kind", "name"), [("account", "no"), ("instrument", "no"), ("strategy", "no"), ("venue", "no")]
)
def test_a_scope_that_the_desk_does_not_have_is_refused(kind: str, name: str, desk: Desk, engine: Served) -> None:
    for answer in (halt(engine, "trader", **{kind: name}), resume(engine, "risk", **{kind: name})):
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["where"] == "$.scope"
    assert "StopTrading" not in desk.runner.counts


@pytest.mark.parametrize("reason", ["", " ", "   ", "\t\n"])
@pytest.mark.parametrize("what", ["emergency-stop", "resume", f"accounts/{ACCOUNT}/reinstate"])
def test_a_blank_reason_is_none(what: str, reason: str, desk: Desk, engine: Served) -> None:
    answer = engine.ask("POST", f"/api/v1/{what}", "admin", json={"reason": reason})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["where"] == "$.reason"
    assert not {"StopTrading", "ResumeTrading", "ReinstateAccount"} & {*desk.runner.counts}


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"level": "cancel"}, 400), ({"reason": "x", "level": "halt"}, 400), ({"reason": "x"}, 200)],
)
def test_a_stop_must_say_why_and_needs_no_more(body: dict[str, Any], status: int, desk: Desk, engine: Served) -> None:
    assert engine.ask("POST", "/api/v1/emergency-stop", "trader", json=body).status_code == status
    if status == 200:
        [stop] = [m.decode(each.body) for each in _log(desk).read(types=("StopTrading",))]
        assert isinstance(stop, m.StopTrading)
        assert (stop.level, stop.scope, stop.role) == ("cancel", EVERYTHING, "trader")


def test_whoever_is_limited_to_accounts_stops_those_alone(engine: Served) -> None:
    assert halt(engine, "narrow").status_code == 403
    assert halt(engine, "narrow", account=ACCOUNT).status_code == 403
    assert halt(engine, "narrow", instrument=SYMBOL).status_code == 403
    assert halt(engine, "narrow", account="alpha").status_code == 400  # theirs, and this desk has none of that name


def test_what_people_did_is_in_the_audit_trail(desk: Desk, engine: Served) -> None:
    order_id = placed(engine, wanted(desk))["order_id"]
    assert engine.access is not None
    entries = [each for each in engine.access.audit.read(limit=100) if each.action == "POST /api/v1/orders"]
    assert [(each.person, each.subject, each.outcome) for each in entries] == [("trader", order_id, "done")]
