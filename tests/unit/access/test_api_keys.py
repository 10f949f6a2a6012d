"""API keys: they permit what they say and no more than their owner may, until they end."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.unit.access.desk import HOME, PASSWORD, Desk
from tmt.access import Access, AccessRefused, Operation, Role, Secret
from tmt.access.keys import NewKey
from tmt.access.people import COMMAND_LINE
from tmt.errors import InputError
from tmt.ports.access_store import ApiKey

DAY_SECONDS = 86_400


@pytest.fixture
def key(desk: Desk) -> NewKey:
    desk.add("ann", Role.TRADER, "main", "second")
    return desk.access.keys.create("ann", "load", Role.TRADER, 30, by=COMMAND_LINE, accounts=["main"])


def code(desk: Desk, presented: str) -> str:
    with pytest.raises(AccessRefused) as caught:
        desk.access.authenticate(None, presented, HOME)
    assert caught.value.status == 401
    return caught.value.code


def test_a_key_permits_what_it_says(desk: Desk, key: NewKey) -> None:
    principal = desk.by_key(key.secret)
    assert (principal.name, principal.role, principal.accounts) == ("ann", Role.TRADER, ("main",))
    assert (principal.method, principal.session_id) == ("api_key", key.record.key_id)
    assert principal.may(Operation.TRADE, "main")
    assert not principal.may(Operation.TRADE, "second")


def test_without_accounts_a_key_has_those_of_its_owner(desk: Desk) -> None:
    desk.add("ann", Role.TRADER, "main", "second")
    made = desk.access.keys.create("ann", "load", Role.VIEWER, 1, by=COMMAND_LINE)
    assert desk.by_key(made.secret).accounts == ("main", "second")


def test_what_makes_a_key_work_is_stored_nowhere(desk: Desk, key: NewKey, tmp_path: Path) -> None:
    tail = key.secret.text().split("_", 2)[2]
    assert len(key.secret.text()) == 60
    for file in tmp_path.iterdir():
        assert tail.encode() not in file.read_bytes()
    assert tail not in repr(key) + repr(key.record) + repr(desk.access.keys.list()) + str(desk.access.audit.read())


FORGERIES: dict[str, Callable[[str], str]] = {
    "other secret": lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
    "other id": lambda key: "tmt_000000000000" + key[16:],
    "cut": lambda key: key[:-1],
    "longer": lambda key: key + "A",
    "line end": lambda key: key + "\n",
    "empty": lambda _: "",
    "long": lambda key: key * 1000,
    "other digits": lambda key: key[:4] + "٣" * 12 + key[16:],
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_another_key_is_refused(forge: Callable[[str], str], desk: Desk, key: NewKey) -> None:
    assert code(desk, forge(key.secret.text())) == "TMT-A002"
    desk.by_key(key.secret)


def test_a_key_ends_to_the_second_and_a_clock_set_back_does_not_revive_it(
    desk: Desk, key: NewKey, tmp_path: Path
) -> None:
    desk.clock.forward(30 * DAY_SECONDS - 0.001)
    desk.by_key(key.secret)
    desk.clock.forward(0.001)
    assert code(desk, key.secret.text()) == "TMT-A003"
    desk.clock.forward(-DAY_SECONDS)
    again = Desk(tmp_path, desk.clock)
    assert code(again, key.secret.text()) == "TMT-A003"
    again.close()


ENDS: dict[str, Callable[[Desk, NewKey], None]] = {
    "revoked": lambda desk, key: desk.access.revoke(by=COMMAND_LINE, key=key.record.key_id),
    "all of the person's": lambda desk, _: desk.access.revoke(by=COMMAND_LINE, user="ann"),
    "owner disabled": lambda desk, _: desk.access.people.disable("ann", by=COMMAND_LINE),
    "owner's role less": lambda desk, _: desk.access.people.set_role("ann", Role.VIEWER, by=COMMAND_LINE),
    "owner's accounts less": lambda desk, _: desk.access.people.set_role(
        "ann", Role.TRADER, by=COMMAND_LINE, accounts=["second"]
    ),
    "owner's password": lambda desk, _: desk.access.people.set_password("ann", "another good one", by=COMMAND_LINE),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_key_ends_with_itself_and_with_what_its_owner_may(
    end: Callable[[Desk, NewKey], None], desk: Desk, key: NewKey, tmp_path: Path
) -> None:
    elsewhere = Desk(tmp_path, desk.clock)
    desk.clock.forward(0.1)
    desk.by_key(key.secret)
    elsewhere.by_key(key.secret)
    end(desk, key)
    assert code(desk, key.secret.text()) == "TMT-A004"
    desk.clock.forward(desk.config.standing_ms_max / 1000 + 0.000_001)
    assert code(elsewhere, key.secret.text()) == "TMT-A004"
    elsewhere.close()


@pytest.mark.parametrize(
    "less", [{"role": "viewer"}, {"accounts": ("second",)}, {"accounts": ("main",)}], ids=["role", "other", "one"]
)
def test_a_key_never_permits_more_than_its_owner_may_now_whatever_else_says(
    desk: Desk, less: dict[str, object]
) -> None:
    desk.add("ann", Role.TRADER)
    made = desk.access.keys.create("ann", "load", Role.TRADER, 1, by=COMMAND_LINE)
    with desk.store.changing("people") as records:
        records.put(msgspec.structs.replace(desk.access.people.get("ann"), **less))
    assert code(desk, made.secret.text()) == "TMT-A004"


@pytest.mark.parametrize(
    ("owner", "role", "days", "label", "accounts", "expected"),
    [
        ("ann", Role.RISK, 1, "x", ["main"], "TMT-A015"),
        ("ann", Role.ADMIN, 1, "x", ["main"], "TMT-A015"),
        ("ann", Role.SERVICE, 1, "x", ["main"], "TMT-A015"),
        ("ann", Role.TRADER, 1, "x", ["third"], "TMT-A015"),
        ("ann", Role.TRADER, 1, "x", ["main", "third"], "TMT-A015"),
        ("ann", Role.TRADER, 0, "x", ["main"], "TMT-A012"),
        ("ann", Role.TRADER, 366, "x", ["main"], "TMT-A012"),
        ("ann", Role.TRADER, 1, "", ["main"], "TMT-A012"),
        ("ann", Role.TRADER, 1, "x" * 65, ["main"], "TMT-A012"),
        ("ann", Role.TRADER, 1, "a\x1b[2J", ["main"], "TMT-A012"),
        ("nobody", Role.TRADER, 1, "x", ["main"], "TMT-A013"),
        ("eve", Role.TRADER, 1, "x", [], "TMT-A013"),
    ],
)
def test_a_key_that_would_permit_more_or_is_not_sound_is_not_made(
    desk: Desk, owner: str, role: Role, days: int, label: str, accounts: list[str], expected: str
) -> None:
    desk.add("ann", Role.TRADER, "main", "second")
    desk.add("eve", Role.TRADER)
    desk.access.people.disable("eve", by=COMMAND_LINE)
    with pytest.raises(InputError) as caught:
        desk.access.keys.create(owner, label, role, days, by=COMMAND_LINE, accounts=accounts)
    assert caught.value.code == expected
    assert desk.access.keys.list() == []


def test_no_key_is_made_for_somebody_who_must_change_their_password_first(desk: Desk) -> None:
    desk.access.people.create("ann", Role.TRADER, PASSWORD, by=COMMAND_LINE)
    with pytest.raises(InputError, match="yet to change the password"):
        desk.access.keys.create("ann", "load", Role.TRADER, 1, by=COMMAND_LINE)
    assert desk.access.keys.list("ann") == []


def test_a_key_of_another_desk_is_not_this_ones(desk: Desk, key: NewKey) -> None:
    other = Access(desk.store, desk.cache, desk.clock, desk.config, Secret("another secret of 32 characters!"))
    with pytest.raises(AccessRefused) as caught:
        other.authenticate(None, key.secret.text(), HOME)
    assert caught.value.code == "TMT-A002"


def test_keys_are_listed_by_owner_and_told_when_they_are_not_there(desk: Desk, key: NewKey) -> None:
    desk.add("bob", Role.VIEWER)
    bobs = desk.access.keys.create("bob", "read", Role.VIEWER, 1, by=COMMAND_LINE).record
    assert desk.access.keys.list("bob") == [bobs]
    assert {each.key_id for each in desk.access.keys.list()} == {bobs.key_id, key.record.key_id}
    assert desk.access.keys.get(bobs.key_id) == bobs
    with pytest.raises(InputError) as caught:
        desk.access.keys.get("0")
    assert caught.value.code == "TMT-A013"


def test_making_and_ending_a_key_is_in_the_audit_trail(desk: Desk, key: NewKey) -> None:
    desk.access.keys.revoke(key.record.key_id, by=COMMAND_LINE)
    desk.access.keys.revoke(key.record.key_id, by=COMMAND_LINE)
    made, *ended = desk.access.audit.read(after=1)
    assert (made.action, made.subject) == ("create key", key.record.key_id)
    assert [entry.action for entry in ended] == ["revoke key"] * 2
    with desk.store.reading() as records:
        assert [each.revoked_at_ns for each in records.select(ApiKey)] == [desk.clock.time_ns]
