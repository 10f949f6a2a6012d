"""Is everybody known, kept to their rate, and every change done once and written down?"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Request, get, post
from litestar.params import JSONBody

from tests.unit.access.desk import quick_config
from tests.unit.web.rig import HOME, Served, people, plentiful, serving
from tmt.access import AccessConfig, Operation, Role
from tmt.errors import OutcomeUnknown, StoreUnavailable
from tmt.web.keeper import demand, principal, requires, says
from tmt.web.problem import Refused


class Amount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount: int


class Done(msgspec.Struct, frozen=True):
    amount: int
    times: int


class Till:
    """Counts what was really done."""

    def __init__(self) -> None:
        self.times = 0
        self.fails_with: Exception | None = None
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    def routes(self) -> list[Any]:
        @post("/payments", status_code=200, guards=[requires(Operation.TRADE)])
        async def pay(data: JSONBody[Amount], request: Request[Any, Any, Any]) -> Done:
            await self.goes_on.wait()
            self.times += 1
            if self.fails_with is not None:
                raise self.fails_with
            says(request, f"payment {data.amount}", amount=data.amount)
            return Done(data.amount, self.times)

        @get("/who")
        async def who(request: Request[Any, Any, Any]) -> dict[str, str]:
            return {"name": principal(request).name, "method": principal(request).method}

        @get("/accounts/beta")
        async def beta(request: Request[Any, Any, Any]) -> None:
            await demand(request, Operation.READ, "beta")

        return [pay, who, beta]


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def served(tmp_path: Path, till: Till) -> Iterator[Served]:
    with people(tmp_path) as access, serving(till.routes(), access) as served:
        yield served


def pay(served: Served, key: str | None = None, amount: int = 5, who: str = "trader") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return served.ask("POST", "/payments", who, headers, json={"amount": amount})


def trail(served: Served) -> list[tuple[str, str, str, str]]:
    assert served.access is not None
    found = served.access.audit.newest(limit=500)
    return [(each.person, each.action, each.subject, each.outcome) for each in found if each.action != "log in"]


# Who asks


def test_nobody_is_let_in_without_saying_who_they_are(served: Served) -> None:
    answer = served.ask("GET", "/who")
    assert (answer.status_code, answer.json()["code"]) == (401, "TMT-A001")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_person_a_key_and_a_service_are_known(served: Served) -> None:
    assert served.access is not None
    assert served.ask("GET", "/who", "trader").json() == {"name": "trader", "method": "password"}
    assert served.ask("GET", "/who", "service").json() == {"name": "tester", "method": "service"}
    who = served.access.authenticate(served.headers("trader")["Authorization"], None, HOME)
    key = served.access.keys.create("trader", "bot", Role.TRADER, 1, by=who).secret.text()
    assert served.ask("GET", "/who", None, {"X-API-Key": key}).json() == {"name": "trader", "method": "api_key"}


@pytest.mark.parametrize("twice", ["Authorization", "X-API-Key"])
def test_credentials_that_come_twice_are_none(served: Served, twice: str) -> None:
    value = served.headers("trader")["Authorization"]
    answer = httpx.get(f"{served.server.url}who", headers=[(twice, value), (twice, value)])
    assert answer.status_code == 401


def test_a_store_of_people_that_is_away_lets_nobody_in_and_the_service_lives(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.access is not None
    headers = served.headers("trader")

    def away(*_: object) -> None:
        raise StoreUnavailable("TMT-A016", "the store of people does not answer")

    monkeypatch.setattr(served.access, "authenticate", away)
    assert served.ask("GET", "/who", None, headers).status_code == 503
    assert served.ask("GET", "/health").status_code == 200


def test_a_store_of_people_that_hangs_does_not_keep_the_service_from_saying_that_it_lives(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.access is not None
    goes_on, headers = Event(), served.headers("trader")
    monkeypatch.setattr(served.access, "authenticate", lambda *_: goes_on.wait(10))
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(served.ask, "GET", "/who", None, headers)
        try:
            assert served.ask("GET", "/health").status_code == 200
            assert not hanging.done()
        finally:
            goes_on.set()


# How often


def slow_rates(config: AccessConfig, requests_per_second: int, burst: int) -> AccessConfig:
    rate = msgspec.structs.replace(config.rates[Role.VIEWER], requests_per_second=requests_per_second, burst=burst)
    return msgspec.structs.replace(config, rates={**config.rates, Role.VIEWER: rate})


def test_who_asks_too_often_is_told_when_to_come_back_and_others_are_not_held_up(tmp_path: Path, till: Till) -> None:
    config = slow_rates(plentiful(quick_config()), 1, 3)
    with people(tmp_path, config) as access, serving(till.routes(), access) as served:
        answers = [served.ask("GET", "/who", "viewer") for _ in range(5)]
        assert [each.status_code for each in answers[:3]] == [200, 200, 200]
        refused = answers[-1]
        assert (refused.status_code, refused.json()["code"]) == (429, "TMT-A008")
        assert int(refused.headers["retry-after"]) >= 1
        assert served.ask("GET", "/who", "trader").status_code == 200


# What they may


def test_a_route_that_needs_more_refuses_who_may_not_and_notes_it(served: Served, till: Till) -> None:
    refused = pay(served, who="viewer")
    assert (refused.status_code, refused.json()["code"]) == (403, "TMT-A007")
    assert till.times == 0
    assert ("viewer", "use the desk", "trade", "refused") in trail(served)


def test_an_account_that_is_not_theirs_is_refused(served: Served) -> None:
    assert served.ask("GET", "/accounts/beta", "trader").status_code in (200, 204)
    assert served.ask("GET", "/accounts/beta", "narrow").status_code == 403


# What was done is written down


def test_every_change_is_in_the_trail_with_who_and_what_became_of_it(served: Served, till: Till) -> None:
    assert served.access is not None
    pay(served)
    till.fails_with = Refused(400, "TMT-Z001", "too dear")
    pay(served)
    till.fails_with = KeyError("a bug")
    pay(served)
    served.ask("GET", "/who", "trader")
    assert [each for each in trail(served) if each[1] == "POST /payments"] == [
        ("trader", "POST /payments", "", "failed"),
        ("trader", "POST /payments", "", "refused"),
        ("trader", "POST /payments", "payment 5", "done"),
    ]
    assert served.access.audit.verify()


def test_a_change_is_answered_though_the_trail_cannot_be_written_and_the_log_says_so(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert served.access is not None
    headers = served.headers("trader")

    def away(*_: object) -> None:
        raise StoreUnavailable("TMT-A016", "the disk is full")

    monkeypatch.setattr(served.access.audit, "append", away)
    assert served.ask("POST", "/payments", None, headers, json={"amount": 1}).status_code == 200
    assert "not in the audit trail" in caplog.text


# Once


def test_the_same_key_and_request_are_done_once_and_answered_alike(served: Served, till: Till) -> None:
    first, again = pay(served, "k1"), pay(served, "k1")
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (200, {"amount": 5, "times": 1})
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert pay(served, "k2").json()["times"] == 2
    assert till.times == 2


def test_the_same_key_for_another_request_is_a_conflict(served: Served, till: Till) -> None:
    pay(served, "k1")
    assert pay(served, "k1", amount=6).status_code == 409
    assert till.times == 1


def test_a_key_is_its_senders_own(served: Served, till: Till) -> None:
    pay(served, "k1")
    assert pay(served, "k1", who="narrow").json()["times"] == 2


def test_a_hundred_of_the_same_request_at_once_are_done_once(served: Served, till: Till) -> None:
    served.headers("trader")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: pay(served, "k1"), range(100)))
    assert till.times == 1
    assert {each.status_code for each in answers} <= {200, 409}
    assert {each.json()["times"] for each in answers if each.status_code == 200} == {1}


def test_what_was_refused_for_good_is_answered_alike_and_what_failed_may_be_tried_again(
    served: Served, till: Till
) -> None:
    till.fails_with = Refused(400, "TMT-Z001", "too dear")
    assert pay(served, "k1").status_code == 400
    till.fails_with = KeyError("a bug")
    assert pay(served, "k2").status_code == 500
    till.fails_with = None
    assert pay(served, "k1").status_code == 400
    assert pay(served, "k2").status_code == 200
    assert till.times == 3


def test_what_may_have_been_done_is_not_kept_as_an_answer(served: Served, till: Till) -> None:
    till.fails_with = OutcomeUnknown("TMT-Z004", "it may have been done")
    assert pay(served, "k1").status_code == 504
    till.fails_with = None
    assert pay(served, "k1").status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ä"])
def test_a_key_that_is_none_is_refused(served: Served, till: Till, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    sent = [(name.encode(), value.encode()) for name, value in served.headers("trader").items()]
    answer = httpx.post(f"{served.server.url}payments", headers=[*sent, *headers], json={"amount": 1})
    assert answer.status_code == 400
    assert till.times == 0
