"""Logging in: the right password only, guesses slowed for good, and nothing told about who exists."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.unit.access.desk import HOME, PASSWORD, SECOND_NS, Desk, quick_config
from tmt.access import AccessConfig, AccessRefused, Role
from tmt.access.attempts import delay_ns, network
from tmt.access.config import AttemptLimit
from tmt.access.people import COMMAND_LINE
from tmt.ports.access_store import Attempts, Session
from tmt.sections import load_config

HOUR_SECONDS = 3600


def refusal(desk: Desk, name: str, password: str = "wrong", address: str = HOME) -> AccessRefused:
    with pytest.raises(AccessRefused) as caught:
        desk.log_in(name, password, address=address)
    return caught.value


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Desk]:
    """A desk on which a thousand log-ins may fail."""
    config = quick_config()
    free = AttemptLimit(free=1000, delay_seconds_max=1, forgotten_after_hours=1)
    cost = msgspec.structs.replace(config.password_cost, memory_kib=4096, passes=2)
    desk = Desk(
        tmp_path,
        config=msgspec.structs.replace(config, password_cost=cost, attempts_per_name=free, attempts_per_address=free),
    )
    yield desk
    desk.close()


def test_the_right_password_gives_tokens_for_the_person(desk: Desk) -> None:
    desk.add("ann", Role.TRADER, "main")
    tokens = desk.log_in("ann")
    principal = desk.who(tokens.access_token)
    assert (principal.name, principal.role, principal.accounts) == ("ann", Role.TRADER, ("main",))
    assert (principal.method, principal.session_id) == ("password", tokens.session_id)
    assert tokens.expires_at_ns == desk.clock.time_ns + 600 * SECOND_NS
    assert not tokens.must_change_password


def test_wrong_unknown_and_disabled_are_refused_in_the_same_words(patient: Desk) -> None:
    desk = patient
    desk.add("ann", Role.TRADER)
    desk.add("bob", Role.TRADER)
    desk.access.people.disable("bob", by=COMMAND_LINE)
    refusals = [
        refusal(desk, "ann"),
        refusal(desk, "nobody"),
        refusal(desk, "bob", PASSWORD),
        refusal(desk, "ANN", PASSWORD),
        refusal(desk, "ann" + "\0" * 100, PASSWORD),
        refusal(desk, "ann", PASSWORD + " "),
        refusal(desk, "ann", "x" * 100_000),
        refusal(desk, "ann", ""),
    ]
    assert {(each.code, each.status, each.what, each.fix) for each in refusals} == {
        ("TMT-A005", 401, "name, password or one-time code is wrong", "")
    }


def test_an_unknown_person_costs_as_much_as_a_wrong_password(patient: Desk) -> None:
    desk = patient
    desk.add("ann", Role.TRADER)

    def cost_ns(name: str) -> int:
        before_ns = time.thread_time_ns()
        refusal(desk, name)
        return time.thread_time_ns() - before_ns

    pairs = [(cost_ns("ann"), cost_ns("nobody")) for _ in range(25)]
    ratio = statistics.median(unknown for _, unknown in pairs) / statistics.median(known for known, _ in pairs)
    assert 0.8 < ratio < 1.25


def guess_for(desk: Desk, hours: int, names: list[str]) -> list[int]:
    """How many guesses are judged in each hour, of somebody who waits exactly as long as told."""
    judged = [0] * hours
    start_ns, number = desk.clock.time_ns, 0
    while (hour := (desk.clock.time_ns - start_ns) // (HOUR_SECONDS * SECOND_NS)) < hours:
        refused = refusal(desk, names[number % len(names)])
        number += 1
        if refused.code == "TMT-A005":
            judged[hour] += 1
        else:
            assert refused.retry_after_seconds is not None
            desk.clock.forward(refused.retry_after_seconds)
    return judged


def test_guessing_one_persons_password_admits_16_guesses_in_the_first_hour_and_4_in_each_later(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    first, *later = guess_for(desk, 12, ["ann"])
    assert first == 16
    assert max(later) == 4


def test_guessing_many_peoples_passwords_from_one_place_admits_33_guesses_and_then_4_an_hour(desk: Desk) -> None:
    first, *later = guess_for(desk, 6, [f"person-{number}" for number in range(1000)])
    assert first == 33
    assert max(later) == 4


def test_the_delay_doubles_up_to_its_bound() -> None:
    limit = AttemptLimit(free=2, delay_seconds_max=10, forgotten_after_hours=1)
    assert [delay_ns(failures, limit) // SECOND_NS for failures in range(8)] == [0, 0, 0, 1, 2, 4, 8, 10]
    assert delay_ns(10**9, limit) == 10 * SECOND_NS


def test_guesses_at_the_same_moment_do_not_all_go_free(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    with ThreadPoolExecutor(16) as threads:
        codes = list(threads.map(lambda _: refusal(desk, "ann").code, range(60)))
    assert codes.count("TMT-A005") == desk.config.attempts_per_name.free + 1
    assert codes.count("TMT-A006") == 60 - codes.count("TMT-A005")


def test_the_right_password_is_refused_too_while_one_must_wait(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    for _ in range(5):
        refusal(desk, "ann")
        desk.clock.forward(1)
    early = refusal(desk, "ann", PASSWORD)
    assert (early.code, early.status) == ("TMT-A006", 429)
    assert early.retry_after_seconds is not None
    desk.clock.forward(early.retry_after_seconds)
    desk.log_in("ann")
    for _ in range(desk.config.attempts_per_name.free):
        assert refusal(desk, "ann").code == "TMT-A005"


def locked(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    while refusal(desk, "ann").code == "TMT-A005":
        pass


def test_neither_a_restart_nor_a_lost_cache_nor_a_clock_set_back_forgives(desk: Desk, tmp_path: Path) -> None:
    locked(desk)
    desk.cache.close()
    assert refusal(desk, "ann").code == "TMT-A006"
    again = Desk(tmp_path, desk.clock)
    assert refusal(again, "ann").code == "TMT-A006"
    desk.clock.forward(-HOUR_SECONDS)
    assert refusal(again, "ann", PASSWORD).code == "TMT-A006"
    again.close()


def test_ones_own_log_in_forgives_no_guesses_at_others(desk: Desk) -> None:
    desk.add("mallory", Role.VIEWER)
    judged = 0
    for number in range(200):
        refused = refusal(desk, f"person-{number}")
        if refused.code == "TMT-A006":
            break
        judged += 1
        if judged % 5 == 0 and judged <= 20:
            desk.log_in("mallory")
    assert judged == desk.config.attempts_per_address.free + 1


def test_a_day_without_attempts_forgives(desk: Desk) -> None:
    locked(desk)
    desk.clock.forward(24 * HOUR_SECONDS + 1)
    for _ in range(desk.config.attempts_per_name.free):
        assert refusal(desk, "ann").code == "TMT-A005"


def test_another_person_and_another_place_are_not_kept_waiting(desk: Desk) -> None:
    desk.add("bob", Role.TRADER)
    locked(desk)
    desk.log_in("bob")
    assert refusal(desk, "ann", PASSWORD, address="198.51.100.1").code == "TMT-A006"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("no address", "no address"),
    ],
)
def test_a_place_is_an_address_or_what_a_subscriber_has_of_ipv6(address: str, place: str) -> None:
    assert network(address) == place


def test_what_is_known_of_attempts_is_bounded_and_names_nobody(desk: Desk) -> None:
    refusal(desk, "my-password-typed-in-the-wrong-field")
    with desk.store.reading() as records:
        assert len(records.select(Attempts)) == 2
        assert "my-password" not in str(records.select(Attempts))
    assert "my-password" not in str(desk.access.audit.read())
    desk.clock.forward(25 * HOUR_SECONDS)
    refusal(desk, "somebody-else")
    with desk.store.reading() as records:
        assert len(records.select(Attempts)) == 2


def test_log_ins_are_in_the_audit_trail(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    refusal(desk, "ann")
    refusal(desk, "nobody")
    desk.log_in("ann")
    entries = desk.access.audit.read(after=1)
    assert [(entry.person, entry.action, entry.outcome) for entry in entries] == [
        ("ann", "log in", "failed"),
        ("nobody known", "log in", "failed"),
        ("ann", "log in", "done"),
    ]
    assert all(HOME in entry.detail for entry in entries)


def test_a_hash_made_at_a_lower_cost_is_made_anew(desk: Desk, tmp_path: Path) -> None:
    desk.add("ann", Role.TRADER)
    before = desk.access.people.get("ann").password_hash
    cost = msgspec.structs.replace(desk.config.password_cost, passes=2)
    dearer = Desk(tmp_path, desk.clock, msgspec.structs.replace(desk.config, password_cost=cost))
    dearer.log_in("ann")
    after = dearer.access.people.get("ann").password_hash
    assert "t=1" in before
    assert "t=2" in after
    dearer.log_in("ann")
    assert dearer.access.people.get("ann").password_hash == after
    dearer.close()


@pytest.mark.parametrize("change", ["disable", "end_sessions"])
def test_somebody_who_is_changed_while_their_password_is_checked_gets_no_session(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    desk.add("ann", Role.TRADER)
    matches = desk.access._passwords.matches

    def meanwhile(password_hash: str | None, password: str) -> bool:
        getattr(desk.access.people, change)("ann", by=COMMAND_LINE)
        return matches(password_hash, password)

    monkeypatch.setattr(desk.access._passwords, "matches", meanwhile)
    assert refusal(desk, "ann", PASSWORD).code == "TMT-A005"
    with desk.store.reading() as records:
        assert records.select(Session) == []


def test_checks_at_a_time_are_bounded(desk: Desk, tmp_path: Path) -> None:
    cost = msgspec.structs.replace(desk.config.password_cost, checks_max=1, wait_seconds_max=1)
    narrow = Desk(tmp_path, desk.clock, msgspec.structs.replace(desk.config, password_cost=cost))
    narrow.add("ann", Role.TRADER)
    with narrow.access._passwords.turn():
        busy = refusal(narrow, "ann", PASSWORD)
    assert (busy.code, busy.status, busy.retry_after_seconds) == ("TMT-A022", 429, 1)
    narrow.log_in("ann")
    narrow.close()


def test_a_flood_of_log_ins_has_threads_of_its_own(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    floods = [desk.access.slow.submit(desk.log_in, f"person-{number}", "wrong") for number in range(20)]
    assert desk.access.slow.submit(desk.log_in, "ann").result(10).session_id
    assert {type(flood.exception(10)) for flood in floods} == {AccessRefused}
    assert desk.access.slow._max_workers == desk.config.password_cost.checks_max


def test_the_packaged_cost_is_what_rfc_9106_asks_for() -> None:
    config = load_config(None).sections["access"]
    assert isinstance(config, AccessConfig)
    cost = config.password_cost
    assert (cost.memory_kib, cost.passes, cost.lanes) == (64 * 1024, 3, 4)
