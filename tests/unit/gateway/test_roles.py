"""May every role do what it may, and nothing else: at every address, for its own accounts and for others'?"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.access.desk import PASSWORD
from tests.unit.gateway.desk import ACCOUNT, Gateway, gateway, order
from tmt.access import Operation, Role
from tmt.access.people import COMMAND_LINE
from tmt.access.roles import PERMISSIONS

NOBODY = "nobody"
ASKERS = (NOBODY, *(role.value for role in Role))

ANYBODY, SOMEBODY = "anybody", "somebody"
NEEDS: dict[tuple[str, str], str | Operation] = {
    ("GET", "/health"): ANYBODY,
    ("GET", "/ready"): ANYBODY,
    ("GET", "/metrics"): ANYBODY,
    ("POST", "/api/v1/sessions"): ANYBODY,
    ("POST", "/api/v1/sessions/refresh"): ANYBODY,
    ("DELETE", "/api/v1/sessions/current"): SOMEBODY,
    ("DELETE", "/api/v1/sessions/{session_id}"): Operation.READ,
    ("GET", "/api/v1/me"): SOMEBODY,
    ("PUT", "/api/v1/me/password"): SOMEBODY,
    ("POST", "/api/v1/me/totp"): Operation.READ,
    ("POST", "/api/v1/me/totp/confirmation"): Operation.READ,
    ("DELETE", "/api/v1/me/totp"): Operation.READ,
    ("GET", "/api/v1/users"): Operation.ADMINISTER,
    ("POST", "/api/v1/users"): Operation.ADMINISTER,
    ("GET", "/api/v1/users/{name}"): Operation.ADMINISTER,
    ("DELETE", "/api/v1/users/{name}"): Operation.ADMINISTER,
    ("PUT", "/api/v1/users/{name}/role"): Operation.ADMINISTER,
    ("POST", "/api/v1/users/{name}/password"): Operation.ADMINISTER,
    ("PUT", "/api/v1/users/{name}/enabled"): Operation.ADMINISTER,
    ("DELETE", "/api/v1/users/{name}/sessions"): Operation.ADMINISTER,
    ("DELETE", "/api/v1/users/{name}/totp"): Operation.ADMINISTER,
    ("GET", "/api/v1/keys"): Operation.READ,
    ("POST", "/api/v1/keys"): Operation.READ,
    ("DELETE", "/api/v1/keys/{key_id}"): Operation.READ,
    ("GET", "/api/v1/audit"): Operation.ADMINISTER,
    ("GET", "/api/v1/audit/verify"): Operation.ADMINISTER,
    ("GET", "/api/v1/desk"): Operation.READ,
    ("GET", "/api/v1/risk"): Operation.READ,
    ("GET", "/api/v1/risk/correlations"): Operation.READ,
    ("GET", "/api/v1/breakers"): Operation.READ,
    ("GET", "/api/v1/breakers/history"): Operation.READ,
    ("GET", "/api/v1/agents"): Operation.READ,
    ("GET", "/api/v1/parameters"): Operation.READ,
    ("GET", "/api/v1/parameters/proposals"): Operation.READ,
    ("GET", "/api/v1/statistics"): Operation.READ,
    ("GET", "/api/v1/market"): Operation.READ,
    ("GET", "/api/v1/market/{instrument}/bars"): Operation.READ,
    ("GET", "/api/v1/signals"): Operation.READ,
    ("GET", "/api/v1/decisions"): Operation.READ,
    ("GET", "/api/v1/decisions/{named}"): Operation.READ,
    ("GET", "/api/v1/why-not"): Operation.READ,
    ("GET", "/api/v1/verdicts"): Operation.READ,
    ("GET", "/api/v1/orders"): Operation.READ,
    ("POST", "/api/v1/orders"): Operation.TRADE,
    ("GET", "/api/v1/orders/{order_id}"): Operation.READ,
    ("PUT", "/api/v1/orders/{order_id}"): Operation.TRADE,
    ("DELETE", "/api/v1/orders/{order_id}"): Operation.TRADE,
    ("GET", "/api/v1/positions"): Operation.READ,
    ("GET", "/api/v1/accounts"): Operation.READ,
    ("GET", "/api/v1/accounts/{account}"): Operation.READ,
    ("POST", "/api/v1/emergency-stop"): Operation.STOP,
    ("POST", "/api/v1/resume"): Operation.RESUME,
    ("POST", "/api/v1/accounts/{account}/reinstate"): Operation.RESUME,
    ("GET", "/api/v1/surveillance"): Operation.READ,
}
"""What each address needs, written down apart from the code; whoever adds an address adds a line."""

BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/sessions": {"name": "nobody", "password": "wrong"},
    "/api/v1/sessions/refresh": {"refresh_token": "wrong"},
    "/api/v1/me/password": {"current": "wrong", "new": "wrong"},
    "/api/v1/me/totp/confirmation": {"code": "000000"},
    "/api/v1/users": {"name": "viewer", "role": "viewer"},
    "/api/v1/users/{name}/role": {"role": "viewer"},
    "/api/v1/keys": {"label": "x", "role": "admin", "days": 1},
    "/api/v1/orders": order("of-the-matrix", symbol="NONE"),
    "/api/v1/orders/{order_id}": {"quantity": "1"},
    "/api/v1/emergency-stop": {"reason": "a test"},
    "/api/v1/resume": {"reason": "a test"},
    "/api/v1/accounts/{account}/reinstate": {"reason": "a test"},
}
NAMED = {
    "name": "nobody.here",
    "session_id": "0" * 32,
    "key_id": "0" * 12,
    "named": "0" * 32,
    "order_id": "0" * 32,
    "account": ACCOUNT,
    "instrument": "NONE",
}
QUERIES = {"/api/v1/why-not": "?instrument=NONE&time=2026-01-01T00:00Z"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("roles")) as served:
        assert served.access is not None
        served.access.people.create(
            "mine", Role.TRADER, PASSWORD, by=COMMAND_LINE, accounts=(ACCOUNT,), must_change=False
        )
        yield served


def ask(served: Gateway, method: str, path: str, who: str) -> int:
    filled = re.sub(r"\{(\w+)\}", lambda found: NAMED[found[1]], path) + QUERIES.get(path, "")
    body = BODIES.get(path) if method in ("POST", "PUT") else None
    headers = {"Content-Type": "application/json"} if body is not None else {}
    more = {} if body is None else {"json": body}
    return served.ask(method, filled, None if who == NOBODY else who, headers, **more).status_code


def expected(need: str | Operation, who: str) -> str:
    if need == ANYBODY:
        return "let in"
    if who == NOBODY:
        return "unknown"
    if need == SOMEBODY:
        return "let in"
    assert isinstance(need, Operation)
    return "let in" if need in PERMISSIONS[Role(who)] else "forbidden"


def outcome(status: int, need: str | Operation) -> str:
    if status == 401 and need != ANYBODY:
        return "unknown"
    # An operation that is permitted may still be refused for what it asks; these ask for what nobody has.
    return "forbidden" if status == 403 else "let in" if status < 500 else f"status {status}"


SELF_SERVICE = ("/api/v1/me", "/api/v1/keys", "/api/v1/sessions/current")


@pytest.mark.parametrize(("method", "path"), NEEDS, ids=lambda each: each)
def test_each_address_lets_in_whom_it_may_and_nobody_else(served: Gateway, method: str, path: str) -> None:
    need = NEEDS[method, path]
    for who in ASKERS:
        if path == "/api/v1/sessions/current" and who not in (NOBODY, Role.SERVICE.value):
            continue  # it works, and would end the session that the other cells use; another test asks it
        found = outcome(ask(served, method, path, who), need)
        if found == "forbidden" and path.startswith(SELF_SERVICE) and expected(need, who) == "let in":
            # Of oneself: refused because a service has no password, or the one given is wrong.
            assert method != "GET", f"{who} {method} {path}"
            continue
        assert found == expected(need, who), f"{who} {method} {path}"


def test_the_matrix_has_a_line_for_every_address_and_every_address_is_described(served: Gateway) -> None:
    described = served.ask("GET", "/openapi.json").json()["paths"]
    assert {(method.upper(), path) for path, methods in described.items() for method in methods} == set(NEEDS)


def test_one_logs_out_and_is_unknown_from_then_on(served: Gateway) -> None:
    headers = served.headers("risk")
    assert served.ask("DELETE", "/api/v1/sessions/current", None, headers).status_code == 204
    assert served.ask("GET", "/api/v1/me", None, headers).status_code == 401
    served._tokens.pop("risk")


# Whose it is


@pytest.fixture(scope="module")
def theirs(served: Gateway) -> dict[str, Any]:
    placed = served.ask("POST", "/api/v1/orders", "trader", json=order("of-another"))
    assert placed.status_code == 200, placed.text
    found: dict[str, Any] = placed.json()
    order_id = found["order_id"]
    served.eventually(lambda: served.ask("GET", f"/api/v1/orders/{order_id}", "trader").json()["status"] == "filled")
    return found


def test_whoever_has_other_accounts_sees_nothing_of_this_one(served: Gateway, theirs: dict[str, Any]) -> None:
    order_id = theirs["order_id"]
    for path in (f"/api/v1/orders/{order_id}", f"/api/v1/decisions/{order_id}", f"/api/v1/accounts/{ACCOUNT}"):
        assert served.ask("GET", path, "narrow").status_code == 404, path
        assert served.ask("GET", path, "mine").status_code == 200, path
    paths = ("orders", "positions", "accounts", "risk", "decisions", "verdicts", "breakers", "desk", "agents")
    for path in (*paths, "breakers/history"):
        of_others = served.ask("GET", f"/api/v1/{path}", "narrow")
        assert of_others.status_code == 200
        assert ACCOUNT not in of_others.text, path
        assert order_id not in of_others.text, path
        if path != "agents":
            assert ACCOUNT in served.ask("GET", f"/api/v1/{path}", "mine").text, path


@pytest.mark.parametrize(("method", "body"), [("DELETE", None), ("PUT", {"quantity": "1000"})])
def test_nobody_changes_an_order_of_an_account_that_is_not_theirs(
    served: Gateway, theirs: dict[str, Any], method: str, body: dict[str, Any] | None
) -> None:
    more = {} if body is None else {"json": body}
    assert served.ask(method, f"/api/v1/orders/{theirs['order_id']}", "narrow", **more).status_code == 404


def test_nobody_trades_for_an_account_that_is_not_theirs(served: Gateway) -> None:
    refused = served.ask("POST", "/api/v1/orders", "narrow", json=order("not-mine"))
    assert refused.status_code == 403
    assert served.ask("GET", "/api/v1/orders?client_order_id=not-mine", "trader").json()["orders"] == []


def test_nobody_ends_or_sees_anothers_session_or_key(served: Gateway) -> None:
    made = served.ask("POST", "/api/v1/keys", "trader", json={"label": "bot", "role": "viewer", "days": 1}).json()
    key_id = made["key"]["key_id"]
    assert served.ask("DELETE", f"/api/v1/keys/{key_id}", "viewer").status_code == 404
    assert key_id not in served.ask("GET", "/api/v1/keys", "viewer").text
    session_id = served.ask("GET", "/api/v1/me", "trader").json()["session_id"]
    assert served.ask("DELETE", f"/api/v1/sessions/{session_id}", "viewer").status_code == 404
    assert served.ask("GET", "/api/v1/me", None, {"X-API-Key": made["secret"]}).json()["role"] == "viewer"
    assert served.ask("DELETE", f"/api/v1/keys/{key_id}", "admin").status_code == 204
    assert served.ask("GET", "/api/v1/me", None, {"X-API-Key": made["secret"]}).status_code == 401


def test_a_first_password_permits_nothing_but_its_change(served: Gateway) -> None:
    made = served.ask("POST", "/api/v1/users", "admin", json={"name": "new", "role": "trader"}).json()
    log_in = served.ask("POST", "/api/v1/sessions", json={"name": "new", "password": made["password"]}).json()
    assert log_in["must_change_password"]
    headers = {"Authorization": f"Bearer {log_in['access_token']}"}
    for (method, path), need in NEEDS.items():
        if isinstance(need, Operation):
            filled = re.sub(r"\{(\w+)\}", lambda found: NAMED[found[1]], path) + QUERIES.get(path, "")
            more = {"json": BODIES[path]} if path in BODIES and method in ("POST", "PUT") else {}
            assert served.ask(method, filled, None, headers, **more).status_code == 403, path
    change = {"current": made["password"], "new": "another long password"}
    assert served.ask("PUT", "/api/v1/me/password", None, headers, json=change).status_code == 204
    assert served.ask("GET", "/api/v1/me", None, headers).status_code == 401
    again = served.ask("POST", "/api/v1/sessions", json={"name": "new", "password": "another long password"}).json()
    fresh = {"Authorization": f"Bearer {again['access_token']}"}
    assert served.ask("GET", "/api/v1/desk", None, fresh).status_code == 200
