"""One-time codes: asked for once confirmed, right for a minute and a half, good once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest

from tests.unit.access.desk import PASSWORD, SECOND_NS, Desk
from tmt.access import Access, AccessRefused, Role, Secret
from tmt.access.people import COMMAND_LINE
from tmt.access.totp import address
from tmt.errors import ConfigError, InputError


@pytest.fixture
def codes(desk: Desk) -> pyotp.TOTP:
    """What ann's authenticator shows; enrolled and confirmed at the desk's present."""
    desk.add("ann", Role.RISK)
    shown = pyotp.TOTP(desk.access.people.enrol_totp("ann", by=COMMAND_LINE).text())
    desk.access.people.confirm_totp("ann", at(shown, desk), by=COMMAND_LINE)
    desk.clock.forward(30)
    return shown


def at(codes: pyotp.TOTP, desk: Desk, later_seconds: int = 0) -> str:
    return codes.at(desk.clock.time_ns // SECOND_NS + later_seconds)


def refusal(desk: Desk, code: str | None) -> str:
    with pytest.raises(AccessRefused) as caught:
        desk.log_in("ann", totp=code)
    return caught.value.code


def test_a_right_code_logs_in_and_is_told_as_the_method(desk: Desk, codes: pyotp.TOTP) -> None:
    tokens = desk.log_in("ann", totp=at(codes, desk))
    assert desk.who(tokens.access_token).method == "password+totp"


def test_a_missing_code_is_asked_for_only_after_the_right_password(desk: Desk, codes: pyotp.TOTP) -> None:
    assert refusal(desk, None) == "TMT-A021"
    with pytest.raises(AccessRefused) as caught:
        desk.log_in("ann", "wrong", at(codes, desk))
    assert caught.value.code == "TMT-A005"
    desk.log_in("ann", totp=at(codes, desk))


@pytest.mark.parametrize(("later_seconds", "right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_one_step_of_tolerance_each_way(desk: Desk, codes: pyotp.TOTP, later_seconds: int, right: bool) -> None:
    desk.clock.forward(120)
    code = at(codes, desk, later_seconds)
    if right:
        desk.log_in("ann", totp=code)
    else:
        assert refusal(desk, code) == "TMT-A005"


def test_a_code_is_good_once_and_makes_older_ones_useless(desk: Desk, codes: pyotp.TOTP, tmp_path: Path) -> None:
    desk.clock.forward(120)
    earlier, now = at(codes, desk, -30), at(codes, desk)
    desk.log_in("ann", totp=now)
    again = Desk(tmp_path, desk.clock)
    assert refusal(again, now) == "TMT-A005"
    assert refusal(desk, earlier) == "TMT-A005"
    desk.log_in("ann", totp=at(codes, desk, 30))
    again.close()


def test_of_many_log_ins_with_one_code_one_succeeds(desk: Desk, codes: pyotp.TOTP) -> None:
    code = at(codes, desk)

    def attempt(_: int) -> bool:
        try:
            desk.log_in("ann", totp=code)
        except AccessRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(attempt, range(4))).count(True) == 1


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12 456"])
def test_what_has_not_the_form_of_a_code_is_none(desk: Desk, codes: pyotp.TOTP, code: str) -> None:
    assert refusal(desk, code) in {"TMT-A005", "TMT-A021"}


def test_guessing_codes_is_slowed_like_guessing_passwords(desk: Desk, codes: pyotp.TOTP) -> None:
    refusals = [refusal(desk, "000000") for _ in range(6)]
    assert refusals == ["TMT-A005"] * 4 + ["TMT-A006"] * 2


def test_no_code_is_asked_for_before_one_is_confirmed(desk: Desk) -> None:
    desk.add("ann", Role.RISK)
    with pytest.raises(InputError) as caught:
        desk.access.people.confirm_totp("ann", "000000", by=COMMAND_LINE)
    assert caught.value.code == "TMT-A019"
    shown = pyotp.TOTP(desk.access.people.enrol_totp("ann", by=COMMAND_LINE).text())
    wrong = f"{(int(at(shown, desk)) + 1) % 1_000_000:06}"
    with pytest.raises(InputError):
        desk.access.people.confirm_totp("ann", wrong, by=COMMAND_LINE)
    desk.log_in("ann")
    desk.access.people.confirm_totp("ann", at(shown, desk), by=COMMAND_LINE)
    assert refusal(desk, None) == "TMT-A021"


def test_a_lost_authenticator_is_given_up(desk: Desk, codes: pyotp.TOTP) -> None:
    desk.access.people.disable_totp("ann", by=COMMAND_LINE)
    desk.log_in("ann")


def test_the_secret_is_encrypted_where_it_is_stored_and_bound_to_its_person(
    desk: Desk, codes: pyotp.TOTP, tmp_path: Path
) -> None:
    desk.store.close()
    for file in tmp_path.iterdir():
        assert codes.secret.encode() not in file.read_bytes()


def test_another_secret_of_the_desk_cannot_read_it(desk: Desk, codes: pyotp.TOTP) -> None:
    other = Access(desk.store, desk.cache, desk.clock, desk.config, Secret("another secret of 32 characters!"))
    with pytest.raises(ConfigError) as caught:
        other.log_in("ann", PASSWORD, at(codes, desk), "::1")
    assert caught.value.code == "TMT-A017"


def test_an_authenticator_reads_the_address(codes: pyotp.TOTP) -> None:
    parsed = pyotp.parse_uri(address("ann", Secret(codes.secret), "tmt"))
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.secret, parsed.name, parsed.issuer) == (codes.secret, "ann", "tmt")
