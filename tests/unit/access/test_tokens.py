"""Tokens and sessions: only what this desk signed, for what it was signed, while it stands."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from tests.unit.access.desk import HOME, SECOND_NS, SECRET, Desk
from tmt.access import AccessRefused, Operation, Role
from tmt.access.people import COMMAND_LINE
from tmt.errors import InputError, StoreUnavailable
from tmt.ports.access_store import ApiKey, Session

SIGNING_KEY = SECRET.derive("token tmt tmt")
Claims = dict[str, object]


@pytest.fixture
def ann(desk: Desk) -> str:
    desk.add("ann", Role.TRADER)
    return desk.log_in("ann").access_token


def claims_of(token: str) -> Claims:
    claims: Claims = jwt.decode(token, options={"verify_signature": False})
    return claims


def code(desk: Desk, token: str) -> str:
    with pytest.raises(AccessRefused) as caught:
        desk.who(token)
    assert caught.value.status == 401
    assert token[:20] not in str(caught.value) or len(token) < 20
    return caught.value.code


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(token: str) -> str:
    return f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(claims_of(token))}."


def risen(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{segment({**claims_of(token), 'role': 'admin'})}.{signature}"


def unsigned_with_signature(token: str) -> str:
    return unsigned(token) + token.split(".")[2]


FORGERIES: dict[str, Callable[[str], str]] = {
    "alg none": unsigned,
    "alg None": lambda token: unsigned(token).replace(segment({"alg": "none", "typ": "JWT"}), segment({"alg": "None"})),
    "alg none, signature kept": unsigned_with_signature,
    "another algorithm, right key": lambda token: jwt.encode(claims_of(token), SIGNING_KEY * 2, "HS512"),
    "HS384, right key": lambda token: jwt.encode(claims_of(token), SIGNING_KEY + bytes(16), "HS384"),
    "wrong key": lambda token: jwt.encode(claims_of(token), bytes(32), "HS256"),
    "the secret itself": lambda token: jwt.encode(claims_of(token), SECRET.reveal(), "HS256"),
    "the refresh key": lambda token: jwt.encode(claims_of(token), SECRET.derive("token tmt-refresh tmt"), "HS256"),
    "role changed": risen,
    "signature cut": lambda token: token[:-4],
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "bit flipped": lambda token: token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:],
    "other audience": lambda token: jwt.encode({**claims_of(token), "aud": "tmt-service"}, SIGNING_KEY, "HS256"),
    "two audiences": lambda token: jwt.encode({**claims_of(token), "aud": ["tmt", "x"]}, SIGNING_KEY, "HS256"),
    "other issuer": lambda token: jwt.encode({**claims_of(token), "iss": "desk-2"}, SIGNING_KEY, "HS256"),
    "no expiry": lambda token: jwt.encode({**claims_of(token), "exp": None}, SIGNING_KEY, "HS256"),
    "expiry left out": lambda token: jwt.encode(
        {key: value for key, value in claims_of(token).items() if key != "exp"}, SIGNING_KEY, "HS256"
    ),
    "expiry as text": lambda token: jwt.encode({**claims_of(token), "exp": "9999999999"}, SIGNING_KEY, "HS256"),
    "expiry not a number": lambda token: jwt.encode({**claims_of(token), "exp": float("nan")}, SIGNING_KEY, "HS256"),
    "unknown role": lambda token: jwt.encode({**claims_of(token), "role": "root"}, SIGNING_KEY, "HS256"),
    "a claim too many": lambda token: jwt.encode({**claims_of(token), "may": "all"}, SIGNING_KEY, "HS256"),
    "from the future": lambda token: jwt.encode(
        {**claims_of(token), "iat": 2_000_000_000, "exp": 2_000_000_600}, SIGNING_KEY, "HS256"
    ),
    "too long, signed": lambda token: jwt.encode({**claims_of(token), "jti": "a" * 3000}, SIGNING_KEY, "HS256"),
    "too long": lambda token: token + "A" * 3000,
    "no token": lambda _: "x",
    "not ASCII": lambda _: "ä.ö.ü",
    "dots": lambda _: "..",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused(forge: Callable[[str], str], desk: Desk, ann: str) -> None:
    assert code(desk, forge(ann)) == "TMT-A002"
    assert desk.who(ann).name == "ann"


def test_the_forgeries_differ_from_a_good_token_in_what_they_forge_alone(desk: Desk, ann: str) -> None:
    assert desk.who(jwt.encode(claims_of(ann), SIGNING_KEY, "HS256")).name == "ann"


def test_the_role_in_the_token_is_not_what_counts(desk: Desk, ann: str) -> None:
    signed = jwt.encode({**claims_of(ann), "role": "admin"}, SIGNING_KEY, "HS256")
    assert desk.who(signed).role is Role.TRADER


def test_a_session_that_never_was_is_refused(desk: Desk, ann: str) -> None:
    assert code(desk, jwt.encode({**claims_of(ann), "sid": "0" * 32}, SIGNING_KEY, "HS256")) == "TMT-A004"


def test_a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    tokens = desk.log_in("ann")
    assert code(desk, tokens.refresh_token) == "TMT-A002"
    with pytest.raises(AccessRefused) as caught:
        desk.access.refresh(tokens.access_token)
    assert caught.value.code == "TMT-A002"


def test_an_access_token_lives_ten_minutes_to_the_second(desk: Desk, ann: str) -> None:
    desk.clock.forward(599.999)
    desk.who(ann)
    desk.clock.forward(0.001)
    assert code(desk, ann) == "TMT-A003"


@pytest.mark.parametrize(
    ("authorization", "key"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic YW5uOng=", None),
        ("Bearer x", "tmt_000000000000_x"),
    ],
)
def test_a_request_that_says_not_plainly_who_asks_is_refused(
    desk: Desk, authorization: str | None, key: str | None
) -> None:
    with pytest.raises(AccessRefused) as caught:
        desk.access.authenticate(authorization, key, HOME)
    assert (caught.value.code, caught.value.status) == ("TMT-A001", 401)


def test_a_clock_set_back_revives_nothing(desk: Desk, tmp_path: Path, ann: str) -> None:
    desk.clock.forward(600)
    assert code(desk, ann) == "TMT-A003"
    desk.clock.forward(-300)
    assert code(desk, ann) == "TMT-A003"
    again = Desk(tmp_path, desk.clock)
    assert code(again, ann) == "TMT-A003"
    again.close()


def test_a_session_seen_late_makes_its_earlier_tokens_old_for_ever(desk: Desk, tmp_path: Path) -> None:
    desk.add("ann", Role.TRADER)
    first = desk.log_in("ann")
    desk.clock.forward(700)
    second = desk.access.refresh(first.refresh_token)
    desk.who(second.access_token)
    desk.clock.forward(-650)
    again = Desk(tmp_path, desk.clock)
    assert code(again, first.access_token) == "TMT-A003"
    assert again.who(second.access_token).name == "ann"
    again.close()


def test_a_session_used_late_makes_its_earlier_tokens_old_for_ever(desk: Desk, tmp_path: Path) -> None:
    desk.add("ann", Role.TRADER)
    first = desk.log_in("ann")
    desk.clock.forward(100)
    second = desk.access.refresh(first.refresh_token)
    desk.clock.forward(550)
    desk.who(second.access_token)
    desk.clock.forward(-600)
    again = Desk(tmp_path, desk.clock)
    assert code(again, first.access_token) == "TMT-A003"
    again.close()


def test_refreshing_goes_on_until_the_session_ends_and_no_longer(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    tokens = desk.log_in("ann")
    for _ in range(11):
        desk.clock.forward(3600)
        tokens = desk.access.refresh(tokens.refresh_token)
    desk.clock.forward(3599)
    last = desk.access.refresh(tokens.refresh_token)
    assert last.expires_at_ns == desk.clock.time_ns + SECOND_NS
    desk.clock.forward(1)
    assert code(desk, last.access_token) == "TMT-A003"
    with pytest.raises(AccessRefused) as caught:
        desk.access.refresh(last.refresh_token)
    assert caught.value.code == "TMT-A003"


def test_a_refresh_token_used_twice_ends_the_session(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    stolen = desk.log_in("ann")
    fresh = desk.access.refresh(stolen.refresh_token)
    with pytest.raises(AccessRefused) as caught:
        desk.access.refresh(stolen.refresh_token)
    assert (caught.value.code, caught.value.status) == ("TMT-A010", 401)
    assert code(desk, fresh.access_token) == "TMT-A004"
    with pytest.raises(AccessRefused) as caught:
        desk.access.refresh(fresh.refresh_token)
    assert caught.value.code == "TMT-A004"
    assert desk.access.audit.newest(limit=1)[0].outcome == "refused"


def test_of_many_refreshes_with_one_token_at_a_time_one_is_taken(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    token = desk.log_in("ann").refresh_token

    def attempt(_: int) -> str:
        try:
            return desk.access.refresh(token).session_id
        except AccessRefused as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(attempt, range(24)))
    assert results.count("TMT-A010") == 1
    assert results.count("TMT-A004") == 22


REVOCATIONS: dict[str, Callable[[Desk, str], None]] = {
    "log out": lambda desk, token: desk.access.log_out(desk.who(token)),
    "session": lambda desk, token: desk.access.revoke(by=COMMAND_LINE, session_id=desk.who(token).session_id),
    "person": lambda desk, _: desk.access.revoke(by=COMMAND_LINE, user="ann"),
    "disabled": lambda desk, _: desk.access.people.disable("ann", by=COMMAND_LINE),
    "role": lambda desk, _: desk.access.people.set_role("ann", Role.VIEWER, by=COMMAND_LINE),
    "password": lambda desk, _: desk.access.people.set_password("ann", "another good password", by=COMMAND_LINE),
}


@pytest.mark.parametrize("revoke", REVOCATIONS.values(), ids=REVOCATIONS)
def test_a_revocation_counts_here_at_once_and_elsewhere_within_a_second(
    revoke: Callable[[Desk, str], None], desk: Desk, tmp_path: Path, ann: str
) -> None:
    elsewhere = Desk(tmp_path, desk.clock)
    desk.clock.forward(0.1)
    assert desk.who(ann).name == elsewhere.who(ann).name == "ann"
    revoke(desk, ann)
    assert code(desk, ann) == "TMT-A004"
    desk.clock.forward(desk.config.standing_ms_max / 1000 + 0.000_001)
    assert desk.config.standing_ms_max < 1000
    assert code(elsewhere, ann) == "TMT-A004"
    elsewhere.close()


def test_another_session_of_the_same_person_goes_on(desk: Desk, ann: str) -> None:
    other = desk.log_in("ann").access_token
    desk.access.log_out(desk.who(ann))
    assert code(desk, ann) == "TMT-A004"
    assert desk.who(other).name == "ann"


def test_revoking_what_is_not_there_is_told(desk: Desk) -> None:
    for what in ({"session_id": "x"}, {"user": "x"}, {"key": "x"}):
        with pytest.raises(InputError) as caught:
            desk.access.revoke(by=COMMAND_LINE, **what)
        assert caught.value.code == "TMT-A013"


def test_a_store_that_is_gone_lets_nobody_in(desk: Desk, ann: str) -> None:
    desk.clock.forward(0.1)
    desk.who(ann)
    desk.store.close()
    desk.clock.forward(desk.config.standing_ms_max / 1000 + 0.000_001)
    with pytest.raises(StoreUnavailable):
        desk.who(ann)
    with pytest.raises(StoreUnavailable):
        desk.log_in("ann")


@pytest.mark.parametrize(
    ("age_ms", "signed", "believed"),
    [
        (-1, True, False),
        (0, True, True),
        (500, True, True),
        (501, True, False),
        (10**9, True, False),
        (0, False, False),
    ],
)
def test_what_a_cache_says_is_believed_for_half_a_second_and_only_if_the_desk_signed_it(
    desk: Desk, ann: str, age_ms: int, signed: bool, believed: bool
) -> None:
    principal = desk.who(ann)
    desk.access.log_out(principal)
    desk.clock.forward(1)
    desk.lie(principal, desk.clock.time_ns - age_ms * 1_000_000, signed=signed)
    if believed:
        assert desk.who(ann) == principal
    else:
        assert code(desk, ann) == "TMT-A004"


@pytest.mark.parametrize("kept", [b"", b"x", bytes(16), bytes(200), b"\xc1" * 40])
def test_what_a_cache_says_without_sense_is_not_believed(desk: Desk, ann: str, kept: bytes) -> None:
    principal = desk.who(ann)
    desk.access.log_out(principal)
    desk.clock.forward(1)
    desk.cache.set(f"session {principal.session_id}", kept, 10**6)
    assert code(desk, ann) == "TMT-A004"


def test_the_store_is_asked_once_in_half_a_second(desk: Desk, ann: str) -> None:
    desk.clock.forward(0.1)
    desk.who(ann)
    desk.store.close()
    for _ in range(9):
        desk.clock.forward(0.05)
        assert desk.who(ann).name == "ann"


def test_services_know_one_another_by_tokens_that_live_five_minutes(desk: Desk, tmp_path: Path) -> None:
    token = desk.access.service_token("gateway")
    elsewhere = Desk(tmp_path, desk.clock)
    principal = elsewhere.who(token)
    assert (principal.name, principal.role, principal.method) == ("gateway", Role.SERVICE, "service")
    assert principal.may(Operation.COMMAND)
    assert not principal.may(Operation.TRADE)
    elsewhere.access.log_out(principal)
    desk.clock.forward(300)
    assert code(elsewhere, token) == "TMT-A003"
    elsewhere.close()


def test_many_bad_credentials_from_one_place_are_told_to_wait_and_good_ones_are_not(desk: Desk, ann: str) -> None:
    statuses = []
    for _ in range(60):
        with pytest.raises(AccessRefused) as caught:
            desk.who("x")
        statuses.append(caught.value.status)
    assert statuses == [401] * 50 + [429] * 10
    assert desk.who(ann).name == "ann"
    with pytest.raises(AccessRefused, match="not one of this desk's"):
        desk.access.authenticate("Bearer x", None, "198.51.100.1")


def test_sessions_that_ended_are_forgotten_after_a_day(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    desk.log_in("ann")
    desk.clock.forward(37 * 3600)
    desk.log_in("ann")
    with desk.store.reading() as records:
        assert len(records.select(Session)) == 1
        assert records.select(ApiKey) == []
