"""Requests that are sent again: run once, answered alike."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.access.desk import Desk
from tmt.access import AccessRefused, Principal, Role
from tmt.access.idempotency import BODY_BYTES_MAX, Begun, Conflict, InFlight, Stored
from tmt.ports.access_store import KeptAnswer

ANN = Principal(name="ann", role=Role.TRADER, accounts=(), method="password", session_id="s1")
BOB = Principal(name="bob", role=Role.TRADER, accounts=(), method="password", session_id="s2")
ANSWER = Stored(200, "application/json", b'{"order_id":"1"}')
HOUR_SECONDS = 3600


def finish(desk: Desk, key: str) -> None:
    desk.access.idempotency.finish(ANN, key, ANSWER.status, ANSWER.content_type, ANSWER.body)


def test_the_same_request_again_gets_the_first_answer(desk: Desk, tmp_path: Path) -> None:
    again = Desk(tmp_path, desk.clock)
    assert desk.access.idempotency.begin(ANN, "k", b"digest") == Begun()
    assert again.access.idempotency.begin(ANN, "k", b"digest") == InFlight(60)
    finish(desk, "k")
    assert again.access.idempotency.begin(ANN, "k", b"digest") == ANSWER
    again.close()


def test_what_an_answer_says_is_read_in_no_file(desk: Desk, tmp_path: Path) -> None:
    desk.access.idempotency.begin(ANN, "k-of-ann", b"digest")
    desk.access.idempotency.finish(ANN, "k-of-ann", 201, "application/json", b'{"secret":"canary-4f1d"}')
    assert desk.access.idempotency.begin(ANN, "k-of-ann", b"digest") == Stored(
        201, "application/json", b'{"secret":"canary-4f1d"}'
    )
    desk.store.close()
    for file in tmp_path.iterdir():
        assert b"canary-4f1d" not in file.read_bytes()
        assert b"k-of-ann" not in file.read_bytes()


def test_another_request_with_the_same_key_is_a_conflict(desk: Desk) -> None:
    desk.access.idempotency.begin(ANN, "k", b"digest")
    assert desk.access.idempotency.begin(ANN, "k", b"other") == Conflict()
    finish(desk, "k")
    assert desk.access.idempotency.begin(ANN, "k", b"other") == Conflict()


def test_keys_of_two_people_are_apart_and_one_persons_sessions_are_not(desk: Desk) -> None:
    desk.access.idempotency.begin(ANN, "k", b"digest")
    finish(desk, "k")
    assert desk.access.idempotency.begin(BOB, "k", b"digest") == Begun()
    same = Principal(name="ann", role=Role.TRADER, accounts=(), method="api_key", session_id="k1")
    assert desk.access.idempotency.begin(same, "k", b"digest") == ANSWER


def test_what_was_abandoned_may_be_begun_again_and_what_is_done_is_not_undone(desk: Desk) -> None:
    desk.access.idempotency.begin(ANN, "k", b"digest")
    desk.access.idempotency.abandon(ANN, "k")
    assert desk.access.idempotency.begin(ANN, "k", b"other") == Begun()
    finish(desk, "k")
    desk.access.idempotency.abandon(ANN, "k")
    desk.access.idempotency.finish(ANN, "k", 500, "text/plain", b"late")
    assert desk.access.idempotency.begin(ANN, "k", b"other") == ANSWER


def test_an_answer_is_kept_for_24_hours(desk: Desk) -> None:
    desk.access.idempotency.begin(ANN, "k", b"digest")
    finish(desk, "k")
    desk.clock.forward(24 * HOUR_SECONDS)
    assert desk.access.idempotency.begin(ANN, "k", b"digest") == ANSWER
    desk.clock.forward(0.000_001)
    assert desk.access.idempotency.begin(ANN, "k", b"digest") == Begun()


def test_a_request_whose_process_died_may_be_made_again_after_the_lease(desk: Desk) -> None:
    desk.access.idempotency.begin(ANN, "k", b"digest")
    desk.clock.forward(59.5)
    assert desk.access.idempotency.begin(ANN, "k", b"digest") == InFlight(1)
    desk.clock.forward(0.5)
    assert desk.access.idempotency.begin(ANN, "k", b"digest") == Begun()
    assert desk.access.idempotency.begin(ANN, "k", b"digest") == InFlight(60)


def test_of_a_hundred_at_a_time_one_begins(desk: Desk, tmp_path: Path) -> None:
    again = Desk(tmp_path, desk.clock)
    with ThreadPoolExecutor(16) as threads:
        each = [desk, again] * 50
        results = list(threads.map(lambda one: one.access.idempotency.begin(ANN, "k", b"digest"), each))
    assert results.count(Begun()) == 1
    assert results.count(InFlight(60)) == 99
    again.close()


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "ä", "k" * 201])
def test_a_key_that_has_not_the_form_of_one_is_refused(desk: Desk, key: str) -> None:
    with pytest.raises(AccessRefused) as caught:
        desk.access.idempotency.begin(ANN, key, b"digest")
    assert (caught.value.code, caught.value.status) == ("TMT-A020", 400)


def test_answers_are_bounded_and_forgotten(desk: Desk) -> None:
    with pytest.raises(ValueError, match="must have at most"):
        desk.access.idempotency.finish(ANN, "k", 200, "x", bytes(BODY_BYTES_MAX + 1))
    for number in range(10):
        desk.access.idempotency.begin(ANN, f"k{number}", b"digest")
    desk.clock.forward(25 * HOUR_SECONDS)
    desk.access.idempotency.begin(ANN, "new", b"digest")
    with desk.store.reading() as records:
        assert len(records.select(KeptAnswer)) == 1
