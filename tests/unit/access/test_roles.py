"""Who may do what: every role with every operation, and accounts."""

import pytest

from tests.unit.access.desk import Desk
from tmt.access import PERMISSIONS, AccessRefused, Operation, Principal, Role

TABLE = {
    #               read   trade  stop   resume tune   admin  ingest command
    Role.VIEWER: (True, False, False, False, False, False, False, False),
    Role.TRADER: (True, True, True, False, False, False, False, False),
    Role.RISK: (True, False, True, True, True, False, False, False),
    Role.ADMIN: (True, False, True, True, False, True, True, False),
    Role.SERVICE: (True, False, False, False, False, False, True, True),
}
CELLS = [
    (role, operation, allowed) for role, row in TABLE.items() for operation, allowed in zip(Operation, row, strict=True)
]


def principal(role: Role, *accounts: str, must_change: bool = False) -> Principal:
    return Principal(
        name="ann", role=role, accounts=accounts, method="password", session_id="s", must_change_password=must_change
    )


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(Role) == set(PERMISSIONS)
    assert len(CELLS) == len(Role) * len(Operation)


@pytest.mark.parametrize(("role", "operation", "allowed"), CELLS)
def test_a_role_may_do_what_the_table_says(role: Role, operation: Operation, allowed: bool, desk: Desk) -> None:
    assert principal(role).may(operation) is allowed
    assert principal(role).may(operation, "main") is allowed
    assert principal(role, "main").may(operation, "main") is allowed
    assert not principal(role, "main").may(operation, "other")
    assert not principal(role, must_change=True).may(operation)
    if allowed:
        desk.access.demand(principal(role), operation)
        return
    with pytest.raises(AccessRefused) as caught:
        desk.access.demand(principal(role), operation)
    assert (caught.value.code, caught.value.status) == ("TMT-A007", 403)


def test_nobody_both_trades_and_administers_or_lifts_a_stop() -> None:
    for allowed in PERMISSIONS.values():
        assert not {Operation.TRADE, Operation.ADMINISTER} <= allowed
        assert not {Operation.TRADE, Operation.RESUME} <= allowed
        assert Operation.TRADE not in allowed or Operation.STOP in allowed


def test_another_account_is_refused(desk: Desk) -> None:
    desk.access.demand(principal(Role.TRADER, "main", "second"), Operation.TRADE, "second")
    with pytest.raises(AccessRefused, match="not among yours") as caught:
        desk.access.demand(principal(Role.TRADER, "main"), Operation.TRADE, "second")
    assert caught.value.status == 403


def test_refusals_are_in_the_audit_trail_but_for_looking(desk: Desk) -> None:
    for operation in (Operation.READ, Operation.TRADE):
        with pytest.raises(AccessRefused):
            desk.access.demand(principal(Role.TRADER, "main"), operation, "second")
    [entry] = desk.access.audit.read()
    assert (entry.person, entry.subject, entry.outcome) == ("ann", "trade second", "refused")
