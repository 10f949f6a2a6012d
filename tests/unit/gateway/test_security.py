"""Does the gateway keep out who guesses, forges, replays, floods or reaches for more than their own?"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pyotp
import pytest

from tests.unit.access.desk import PASSWORD, SECRET, quick_config
from tests.unit.gateway.desk import ACCOUNT, Gateway, gateway, order
from tests.unit.web.rig import plentiful
from tmt.access import AccessConfig, Role
from tmt.access.people import COMMAND_LINE

LOG_IN = "/api/v1/sessions"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("security")) as served:
        yield served


def log_in(served: Gateway, name: str, password: str = PASSWORD, **more: Any) -> Any:
    return served.ask("POST", LOG_IN, json={"name": name, "password": password, **more})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def add(served: Gateway, name: str, role: Role = Role.TRADER, *accounts: str) -> dict[str, Any]:
    assert served.access is not None
    served.access.people.create(name, role, PASSWORD, by=COMMAND_LINE, accounts=accounts, must_change=False)
    found: dict[str, Any] = log_in(served, name).json()
    return found


# Guessing


def test_guesses_are_slowed_and_the_right_password_is_not_told_from_a_wrong_one_meanwhile(served: Gateway) -> None:
    add(served, "guessed")
    answers = [log_in(served, "guessed", f"guess number {number}") for number in range(6)]
    assert {each.status_code for each in answers} == {401, 429}
    refused = log_in(served, "guessed")
    assert (refused.status_code, refused.json()["code"]) == (429, "TMT-A006")
    assert int(refused.headers["retry-after"]) >= 1


def test_a_name_that_nobody_has_is_refused_in_the_same_words(served: Gateway) -> None:
    add(served, "known")
    unknown, wrong = log_in(served, "stranger-1", "wrong"), log_in(served, "known", "wrong")
    assert (unknown.status_code, unknown.json()) == (wrong.status_code, wrong.json())


def test_a_password_is_told_to_nobody(served: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary password 4711"
    log_in(served, "known-2", canary)
    log_in(served, canary, "x")
    audit = served.ask("GET", "/api/v1/audit?limit=500", "admin").text
    metrics = served.ask("GET", "/metrics").text
    for sink in (audit, metrics, caplog.text):
        assert "4711" not in sink


# Forging


def _token(served: Gateway) -> str:
    return served.headers("trader")["Authorization"].removeprefix("Bearer ")


def forged(served: Gateway) -> dict[str, str]:
    head, body, signature = _token(served).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    admin = {**claims, "role": "admin", "sub": "admin"}

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return {
        "no algorithm": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(admin)}.",
        "no algorithm, other case": f"{part({'alg': 'nOnE', 'typ': 'JWT'})}.{part(admin)}.",
        "other claims": f"{head}.{part(admin)}.{signature}",
        "another key": jwt.encode(admin, "x" * 64, algorithm="HS256"),
        "the secret itself as key": jwt.encode(admin, SECRET.reveal(), algorithm="HS256"),
        "another algorithm": jwt.encode(admin, "x" * 64, algorithm="HS512"),
        "no signature": f"{head}.{body}.",
        "a byte changed": f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "not a token": "x.y.z",
        "empty": "",
    }


@pytest.mark.parametrize(
    "kind",
    [
        "no algorithm",
        "no algorithm, other case",
        "other claims",
        "another key",
        "the secret itself as key",
        "another algorithm",
        "no signature",
        "a byte changed",
        "not a token",
        "empty",
    ],
)
def test_a_forged_token_lets_nobody_in(served: Gateway, kind: str) -> None:
    token = forged(served)[kind]
    # An empty token is not a header that clients send; a blank one is.
    answer = served.ask("GET", "/api/v1/users", None, bearer(token or "-"))
    assert answer.status_code == 401
    assert answer.json()["code"] in ("TMT-A001", "TMT-A002")


@pytest.mark.parametrize("key", ["tmt_000000000000_" + "x" * 43, "x", "tmt_../../etc_x"])
def test_a_forged_key_lets_nobody_in(served: Gateway, key: str) -> None:
    assert served.ask("GET", "/api/v1/me", None, {"X-API-Key": key}).status_code == 401


def test_a_refresh_token_opens_nothing_and_is_good_once(served: Gateway) -> None:
    tokens = add(served, "refresher")
    assert served.ask("GET", "/api/v1/me", None, bearer(tokens["refresh_token"])).status_code == 401
    fresh = served.ask("POST", f"{LOG_IN}/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert fresh.status_code == 201
    assert served.ask("GET", "/api/v1/me", None, bearer(fresh.json()["access_token"])).status_code == 200
    reused = served.ask("POST", f"{LOG_IN}/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert (reused.status_code, reused.json()["code"]) == (401, "TMT-A010")
    assert served.ask("GET", "/api/v1/me", None, bearer(fresh.json()["access_token"])).status_code == 401


# What has ended


def short_lived() -> AccessConfig:
    return msgspec.structs.replace(plentiful(quick_config()), access_token_seconds=1)


def test_a_token_whose_time_is_over_opens_nothing(tmp_path: Path) -> None:
    with gateway(tmp_path, access_config=short_lived()) as served:
        headers = bearer(log_in(served, "trader").json()["access_token"])
        served.eventually(lambda: served.ask("GET", "/api/v1/me", None, headers).status_code == 401)
        assert served.ask("GET", "/api/v1/me", None, headers).json()["code"] == "TMT-A003"


def test_whoever_is_disabled_or_given_another_role_is_out_at_once(served: Gateway) -> None:
    tokens = add(served, "changing")
    headers = bearer(tokens["access_token"])
    assert served.ask("GET", "/api/v1/me", None, headers).status_code == 200
    changed = served.ask("PUT", "/api/v1/users/changing/role", "admin", json={"role": "viewer"})
    assert changed.json()["role"] == "viewer"
    assert served.ask("GET", "/api/v1/me", None, headers).status_code == 401
    again = bearer(log_in(served, "changing").json()["access_token"])
    assert served.ask("DELETE", "/api/v1/users/changing", "admin").status_code == 204
    assert served.ask("GET", "/api/v1/me", None, again).status_code == 401
    assert log_in(served, "changing").status_code == 401


def test_an_administrator_ends_anybodys_session(served: Gateway) -> None:
    tokens = add(served, "ended")
    assert served.ask("DELETE", f"{LOG_IN}/{tokens['session_id']}", "admin").status_code == 204
    assert served.ask("GET", "/api/v1/me", None, bearer(tokens["access_token"])).status_code == 401


# Reaching for more


@pytest.mark.parametrize(
    ("method", "path", "who", "body"),
    [
        ("POST", LOG_IN, None, {"name": "trader", "password": PASSWORD, "role": "admin"}),
        ("POST", "/api/v1/users", "admin", {"name": "x", "role": "admin", "generation": 7}),
        ("POST", "/api/v1/users", "admin", {"name": "x", "role": "service"}),
        ("POST", "/api/v1/keys", "trader", {"label": "x", "role": "viewer", "days": 1, "owner": "admin"}),
        ("POST", "/api/v1/orders", "trader", order("mass-1", person="somebody else")),
        ("POST", "/api/v1/orders", "trader", order("mass-2", strategy="wyckoff")),
        ("POST", "/api/v1/orders", "trader", order("mass-3", order_id="0" * 32)),
        ("POST", "/api/v1/orders", "trader", order("mass-4", occurred_at_ns=0)),
    ],
)
def test_a_field_that_is_not_the_clients_to_set_is_refused(
    served: Gateway, method: str, path: str, who: str | None, body: dict[str, Any]
) -> None:
    assert served.ask(method, path, who, json=body).status_code == 400


def test_a_key_permits_no_more_than_its_owner_may(served: Gateway) -> None:
    for role in ("admin", "risk", "service"):
        refused = served.ask("POST", "/api/v1/keys", "trader", json={"label": "x", "role": role, "days": 1})
        assert refused.status_code == 400, role
    for accounts in ([], ["alpha"]):
        chosen = {"label": "x", "role": "trader", "days": 1, "accounts": accounts}
        key = {"X-API-Key": served.ask("POST", "/api/v1/keys", "narrow", json=chosen).json()["secret"]}
        assert served.ask("GET", "/api/v1/me", None, key).json()["accounts"] == ["alpha"]
        assert served.ask("GET", "/api/v1/risk", None, key).json() == []
    reaching = {"label": "x", "role": "trader", "days": 1, "accounts": ["alpha", ACCOUNT]}
    assert served.ask("POST", "/api/v1/keys", "narrow", json=reaching).status_code == 400


def test_a_key_makes_no_further_key_and_changes_no_password(served: Gateway) -> None:
    made = served.ask("POST", "/api/v1/keys", "trader", json={"label": "x", "role": "trader", "days": 1}).json()
    headers = {"X-API-Key": made["secret"]}
    more = {"label": "y", "role": "trader", "days": 1}
    assert served.ask("POST", "/api/v1/keys", None, headers, json=more).status_code == 403
    change = {"current": PASSWORD, "new": "another long password"}
    assert served.ask("PUT", "/api/v1/me/password", None, headers, json=change).status_code == 403


def test_what_somebody_orders_is_theirs_whatever_they_say(served: Gateway) -> None:
    placed = served.ask("POST", "/api/v1/orders", "trader", json=order("whose"))
    assert placed.status_code == 200, placed.text
    found = served.ask("GET", f"/api/v1/orders/{placed.json()['order_id']}", "trader").json()
    assert (found["person"], found["strategy"], found["account"]) == ("trader", "manual", ACCOUNT)
    audit = served.ask("GET", "/api/v1/audit?limit=500", "admin").json()["items"]
    assert any(each["subject"] == placed.json()["order_id"] and each["person"] == "trader" for each in audit)


def test_a_secret_is_shown_once(served: Gateway) -> None:
    made = served.ask("POST", "/api/v1/keys", "trader", json={"label": "once", "role": "viewer", "days": 1}).json()
    tail = made["secret"].rpartition("_")[2]
    for path in ("/api/v1/keys", "/api/v1/audit?limit=500"):
        assert tail not in served.ask("GET", path, "admin").text


# One-time codes


def test_one_time_codes_once_set_up_are_asked_for_and_not_undone_without_one(served: Gateway) -> None:
    headers = bearer(add(served, "careful")["access_token"])
    secret = served.ask("POST", "/api/v1/me/totp", None, headers).json()["secret"]
    codes = pyotp.TOTP(secret)
    assert served.ask("POST", "/api/v1/me/totp/confirmation", None, headers, json={"code": "000000"}).status_code == 400
    confirmed = served.ask("POST", "/api/v1/me/totp/confirmation", None, headers, json={"code": codes.now()})
    assert confirmed.status_code == 204
    assert log_in(served, "careful").json()["code"] == "TMT-A021"
    assert served.ask("DELETE", "/api/v1/me/totp", None, headers).status_code == 403
    assert served.ask("POST", "/api/v1/me/totp", None, headers).status_code == 403
