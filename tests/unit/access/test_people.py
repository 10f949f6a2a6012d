"""People: who is made, changed and disabled, and what that ends."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from tests.unit.access.desk import PASSWORD, Desk
from tmt.access import AccessRefused, Operation, Principal, Role, Secret
from tmt.access.opening import FIRST_PASSWORD, open_access
from tmt.access.passwords import generate
from tmt.access.people import COMMAND_LINE
from tmt.errors import ConfigError, InputError, TmtError


def admin(desk: Desk) -> Principal:
    desk.add("root", Role.ADMIN)
    return desk.who(desk.log_in("root").access_token)


def test_the_first_person_may_administer_once_the_password_is_changed(desk: Desk) -> None:
    shown: list[Secret] = []
    assert desk.access.people.first_run(shown.append)
    assert not desk.access.people.first_run(shown.append)
    [password] = shown
    assert len(password.text()) >= 20
    tokens = desk.log_in("admin", password.text())
    assert tokens.must_change_password
    principal = desk.who(tokens.access_token)
    assert not any(principal.may(operation) for operation in Operation)
    with pytest.raises(AccessRefused) as caught:
        desk.access.demand(principal, Operation.READ)
    assert (caught.value.code, caught.value.status) == ("TMT-A009", 403)
    desk.access.people.set_password("admin", PASSWORD, by=principal, current=password.text())
    again = desk.log_in("admin")
    assert not again.must_change_password
    assert desk.who(again.access_token).may(Operation.ADMINISTER)


def test_a_password_that_could_not_be_shown_makes_nobody(desk: Desk) -> None:
    def fail(_: Secret) -> None:
        raise ConfigError("TMT-A017", "disk full")

    with pytest.raises(ConfigError):
        desk.access.people.first_run(fail)
    assert desk.access.people.list() == []
    assert desk.access.audit.read() == []


def test_the_first_password_waits_in_a_private_file_until_it_was_changed(desk: Desk, tmp_path: Path) -> None:
    state = tmp_path / "state"
    passwords = []
    for _ in range(2):
        opened = open_access(state, desk.config, desk.clock)
        assert opened.first_password == state / FIRST_PASSWORD
        assert opened.first_password.stat().st_mode & 0o777 == 0o600
        passwords.append(opened.first_password.read_text().strip())
        opened.access.close()
    assert passwords[0] == passwords[1]
    opened = open_access(state, desk.config, desk.clock)
    tokens = opened.access.log_in("admin", passwords[0], None, "::1")
    principal = opened.access.authenticate(f"Bearer {tokens.access_token}", None, "::1")
    opened.access.people.set_password("admin", PASSWORD, by=principal, current=passwords[0])
    opened.access.close()
    opened = open_access(state, desk.config, desk.clock)
    assert opened.first_password is None
    assert not (state / FIRST_PASSWORD).exists()
    opened.access.close()


def test_passwords_made_by_the_program_differ_and_are_usable(desk: Desk) -> None:
    made = [generate().text() for _ in range(50)]
    assert len(set(made)) == 50
    for number, password in enumerate(made):
        desk.access.people.create(f"person-{number}", Role.VIEWER, password, by=COMMAND_LINE)


@pytest.mark.parametrize(
    "password", ["", "elevenchars", "aaaaabbbbbccccc", "Caroline lives here", "tab\tin the middle", "x1y2z3" * 50]
)
def test_a_password_that_is_not_usable_is_refused(desk: Desk, password: str) -> None:
    with pytest.raises(InputError) as caught:
        desk.access.people.create("caroline", Role.TRADER, password, by=COMMAND_LINE)
    assert caught.value.code == "TMT-A011"
    assert not password or password not in str(caught.value)
    assert desk.access.people.list() == []


@pytest.mark.parametrize("name", ["", "Ann", "a b", "-a", "a" * 65, "ann\n", "añn", "a/b", "٣"])
def test_a_name_that_is_not_usable_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(InputError) as caught:
        desk.access.people.create(name, Role.TRADER, PASSWORD, by=COMMAND_LINE)
    assert caught.value.code == "TMT-A012"


def test_a_name_is_taken_once_and_the_role_of_services_never(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    with pytest.raises(InputError) as caught:
        desk.add("ann", Role.VIEWER)
    assert caught.value.code == "TMT-A014"
    acts: list[Callable[[], object]] = [
        lambda: desk.add("bob", Role.SERVICE),
        lambda: desk.access.people.set_role("ann", Role.SERVICE, by=COMMAND_LINE),
        lambda: desk.add("bob", Role.TRADER, "main account"),
    ]
    for act in acts:
        with pytest.raises(InputError) as caught:
            act()
        assert caught.value.code == "TMT-A012"
    assert [(user.name, user.role) for user in desk.access.people.list()] == [("ann", "trader")]


def test_ones_own_password_needs_the_current_one_and_another_one(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    ann = desk.who(desk.log_in("ann").access_token)
    for new, current, expected in (
        ("another good one", "wrong", "TMT-A005"),
        ("another good one", None, "TMT-A005"),
        (PASSWORD, PASSWORD, "TMT-A011"),
    ):
        with pytest.raises(InputError) as caught:
            desk.access.people.set_password("ann", new, by=ann, current=current)
        assert caught.value.code == expected
    desk.log_in("ann")
    desk.access.people.set_password("ann", "another good one", by=ann, current=PASSWORD)
    assert not desk.log_in("ann", "another good one").must_change_password
    with pytest.raises(AccessRefused):
        desk.log_in("ann")


def test_guessing_the_current_password_with_a_session_in_hand_is_slowed(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    ann = desk.who(desk.log_in("ann").access_token)

    def guess() -> str:
        with pytest.raises(TmtError) as caught:
            desk.access.people.set_password("ann", "another good one", by=ann, current="wrong")
        return caught.value.code

    assert [guess() for _ in range(6)] == ["TMT-A005"] * 4 + ["TMT-A006"] * 2
    assert [entry.outcome for entry in desk.access.audit.newest(limit=4)] == ["failed"] * 4


def test_the_right_current_password_forgives_the_wrong_ones(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    ann = desk.who(desk.log_in("ann").access_token)
    passwords = [PASSWORD, "another good one", "and a third one"]
    for current, new in pairwise(passwords):
        for _ in range(3):
            with pytest.raises(InputError):
                desk.access.people.set_password("ann", new, by=ann, current="wrong")
        desk.access.people.set_password("ann", new, by=ann, current=current)


def test_a_password_that_another_person_set_must_be_changed(desk: Desk) -> None:
    root = admin(desk)
    desk.add("ann", Role.TRADER)
    desk.access.people.set_password("ann", "another good one", by=root)
    assert desk.log_in("ann", "another good one").must_change_password


def test_a_disabled_person_comes_back_without_their_old_sessions(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    token = desk.log_in("ann").access_token
    desk.access.people.disable("ann", by=COMMAND_LINE)
    with pytest.raises(AccessRefused):
        desk.log_in("ann")
    desk.access.people.enable("ann", by=COMMAND_LINE)
    with pytest.raises(AccessRefused):
        desk.who(token)
    desk.clock.forward(60)
    assert desk.who(desk.log_in("ann").access_token).name == "ann"


def test_whoever_is_disabled_is_kept_out_whatever_else_says(desk: Desk) -> None:
    desk.add("ann", Role.TRADER)
    token = desk.log_in("ann").access_token
    with desk.store.changing("people") as records:
        records.put(msgspec.structs.replace(desk.access.people.get("ann"), disabled=True))
    with pytest.raises(AccessRefused):
        desk.who(token)


def test_the_last_person_who_may_administer_stays(desk: Desk) -> None:
    desk.add("root", Role.ADMIN)
    desk.add("ann", Role.TRADER)
    acts: list[Callable[[], object]] = [
        lambda: desk.access.people.disable("root", by=COMMAND_LINE),
        lambda: desk.access.people.set_role("root", Role.RISK, by=COMMAND_LINE),
    ]
    for act in acts:
        with pytest.raises(InputError) as caught:
            act()
        assert caught.value.code == "TMT-A023"
    desk.add("second", Role.ADMIN)
    desk.access.people.disable("root", by=COMMAND_LINE)
    with pytest.raises(InputError):
        desk.access.people.disable("second", by=COMMAND_LINE)


def test_what_is_not_there_is_told(desk: Desk) -> None:
    acts: list[Callable[[], object]] = [
        lambda: desk.access.people.get("nobody"),
        lambda: desk.access.people.disable("nobody", by=COMMAND_LINE),
        lambda: desk.access.people.set_password("nobody", PASSWORD, by=COMMAND_LINE),
    ]
    for act in acts:
        with pytest.raises(InputError) as caught:
            act()
        assert caught.value.code == "TMT-A013"


def test_changes_are_in_the_audit_trail_with_who_made_them(desk: Desk) -> None:
    root = admin(desk)
    before = desk.access.audit.head().position
    desk.access.people.create("ann", Role.TRADER, PASSWORD, by=root, accounts=["main"])
    desk.access.people.set_role("ann", Role.RISK, by=root)
    desk.access.people.set_password("ann", "another good one", by=root)
    desk.access.people.disable("ann", by=root)
    entries = desk.access.audit.read(after=before)
    assert [(entry.person, entry.method, entry.action, entry.subject) for entry in entries] == [
        ("root", "password", action, "ann")
        for action in ("create person", "change role", "change password", "disable person")
    ]
    assert entries[0].detail == '{"accounts":"main","role":"trader"}'


def test_a_change_that_fails_leaves_no_trace(desk: Desk) -> None:
    root = admin(desk)
    before = (desk.access.audit.head(), desk.access.people.list())
    with pytest.raises(InputError):
        desk.access.people.disable("root", by=root)
    assert (desk.access.audit.head(), desk.access.people.list()) == before
    assert desk.log_in("root").session_id
