"""May people reinstate an account over the gateway, and do they see what surveillance found?"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.gateway.desk import ACCOUNT, SYMBOL, Gateway, gateway
from tmt import messages as m

MEASURES: dict[str, Any] = {"measured": Decimal("0.2"), "limit": Decimal("0.1"), "unit": "fraction"}
REINSTATE = f"/api/v1/accounts/{ACCOUNT}/reinstate"
REVIEWED = {"reason": "reviewed"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("conduct"), speed=0) as served:
        yield served


def suspend(served: Gateway, rule: str) -> None:
    """As if compliance had said it, of an account that is within its limits."""
    [agent] = [each for each in served.desk.runner.agents if each.name == "compliance"]
    said = m.AccountSuspended.root(
        "compliance", served.desk.portfolio.now_ns, rule, account=ACCOUNT, rule=rule, **MEASURES
    )
    agent.handle(said)


@pytest.mark.parametrize("who", ["viewer", "trader"])
def test_whoever_may_not_lift_halts_may_not_reinstate(served: Gateway, who: str) -> None:
    assert served.ask("POST", REINSTATE, who, json=REVIEWED).status_code == 403


def test_an_account_that_is_not_suspended_has_nothing_to_lift(served: Gateway) -> None:
    answer = served.ask("POST", REINSTATE, "risk", json=REVIEWED)
    assert answer.status_code == 409, answer.text
    assert "not suspended" in answer.json()["detail"]


def test_an_unknown_account_and_a_missing_reason_are_refused(served: Gateway) -> None:
    assert served.ask("POST", "/api/v1/accounts/nobody/reinstate", "risk", json=REVIEWED).status_code == 404
    assert served.ask("POST", REINSTATE, "risk", json={"reason": ""}).status_code == 400
    assert served.ask("POST", REINSTATE, "risk", json={}).status_code == 400


def test_a_risk_officer_reinstates_by_name_and_role(served: Gateway) -> None:
    suspend(served, "drawdown")
    answer = served.ask("POST", REINSTATE, "risk", json=REVIEWED)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["account"], answer.json()["rule"]) == (ACCOUNT, "drawdown")
    said = [m.decode(each.body) for each in served.log.correlated(answer.json()["message_id"])]
    assert isinstance(said[0], m.ReinstateAccount)
    assert isinstance(said[1], m.AccountReinstated)
    assert (said[1].role, said[1].reason) == ("risk", "reviewed")
    assert said[1].person == said[0].person != ""


def test_a_loss_of_the_day_lasts_as_long_as_the_day(served: Gateway) -> None:
    suspend(served, "daily_loss")
    answer = served.ask("POST", REINSTATE, "risk", json=REVIEWED)
    assert answer.status_code == 409, answer.text
    assert "daily_loss" in answer.json()["detail"]


def test_findings_are_shown_the_newest_first_to_those_whose_accounts_they_name(served: Gateway) -> None:
    told = {"instrument": SYMBOL, "evidence": ("a", "b"), "detail": "looks odd", "suspends": False}
    for number, accounts in enumerate([(ACCOUNT,), ("paper-usdt",)]):
        finding = m.ConductFlagged.root(
            "compliance", 1, str(number), detector=f"wash{number}", accounts=accounts, **MEASURES, **told
        )
        served.desk.runner.step(msgspec.structs.replace(finding, occurred_at_ns=served.desk.portfolio.now_ns))
    served.desk.runner.commit()
    found = served.ask("GET", "/api/v1/surveillance", "viewer").json()["items"]
    assert [each["finding"]["detector"] for each in found] == ["wash1", "wash0"]
    assert found[1]["finding"]["evidence"] == ["a", "b"]
    assert "wash0" in found[1]["text"]
    first = served.ask("GET", "/api/v1/surveillance?limit=1", "viewer").json()
    assert [each["finding"]["detector"] for each in first["items"]] == ["wash1"]
    rest = served.ask("GET", f"/api/v1/surveillance?before={first['next']}", "viewer").json()
    assert [each["finding"]["detector"] for each in rest["items"]] == ["wash0"]
