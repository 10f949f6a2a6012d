"""Access against a model of thirty lines: any order of log-ins, changes, revocations and waits, on two processes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, rule

from tests.unit.access.desk import HOME, SECOND_NS, Desk
from tmt.access import PERMISSIONS, AccessRefused, Operation, Role, Secret
from tmt.access.people import COMMAND_LINE
from tmt.errors import InputError

NAMES = ["ann", "bob"]
PEOPLE_ROLES = [role for role in Role if role is not Role.SERVICE]
ACCOUNTS = ["main", "second"]
some_accounts = st.lists(st.sampled_from(ACCOUNTS), unique=True).map(lambda each: tuple(sorted(each)))


class Person:
    """What the model knows of a person: `era` counts what ended everything they had."""

    def __init__(self, role: Role, accounts: tuple[str, ...]) -> None:
        self.role, self.accounts, self.disabled, self.era = role, accounts, False, 0


class Given:
    """What the model knows of a token or key that somebody holds."""

    def __init__(self, name: str, era: int, expires_ns: int, role: Role | None, accounts: tuple[str, ...]) -> None:
        self.name, self.era, self.expires_ns, self.revoked = name, era, expires_ns, False
        self.role, self.accounts = role, accounts

    def allows(self, people: dict[str, Person], now_ns: int) -> tuple[Role, tuple[str, ...]] | None:
        person = people[self.name]
        if self.revoked or person.disabled or person.era != self.era or now_ns >= self.expires_ns:
            return None
        if self.role is None:
            return person.role, person.accounts
        within = PERMISSIONS[self.role] <= PERMISSIONS[person.role]
        among = not person.accounts or (bool(self.accounts) and set(self.accounts) <= set(person.accounts))
        return (self.role, self.accounts) if within and among else None


class AccessMachine(RuleBasedStateMachine):
    """Two processes on one store; every answer of either is compared with the model's."""

    tokens = Bundle("tokens")
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        first = Desk(Path(self.folder.name))
        self.desks = [first, Desk(Path(self.folder.name), first.clock)]
        self.clock = first.clock
        self.people: dict[str, Person] = {}
        first.add("root", Role.ADMIN)
        for name in NAMES:
            first.add(name, Role.TRADER)
            self.people[name] = Person(Role.TRADER, ())

    def teardown(self) -> None:
        assert self.desks[0].access.audit.verify() == self.desks[1].access.audit.verify()
        for desk in self.desks:
            desk.close()
        self.folder.cleanup()

    def changed(self) -> None:
        self.clock.forward(0.51)  # elsewhere a change counts within half a second; sooner it may or may not

    @rule(target=tokens, name=st.sampled_from(NAMES), which=st.integers(0, 1))
    def log_in(self, name: str, which: int) -> Any:
        person = self.people[name]
        self.clock.forward(86_401)  # past every delay of earlier refusals
        try:
            tokens = self.desks[which].log_in(name)
        except AccessRefused:
            assert person.disabled
            return multiple()
        assert not person.disabled
        return tokens, Given(name, person.era, self.clock.time_ns + 600 * SECOND_NS, None, ())

    @rule(
        target=keys,
        name=st.sampled_from(NAMES),
        role=st.sampled_from(PEOPLE_ROLES),
        accounts=some_accounts,
        days=st.integers(1, 3),
        which=st.integers(0, 1),
    )
    def make_key(self, name: str, role: Role, accounts: tuple[str, ...], days: int, which: int) -> Any:
        person = self.people[name]
        asked = accounts or person.accounts
        given = Given(name, person.era, self.clock.time_ns + days * 86_400 * SECOND_NS, role, asked)
        try:
            made = self.desks[which].access.keys.create(name, "x", role, days, by=COMMAND_LINE, accounts=accounts)
        except InputError:
            assert given.allows(self.people, self.clock.time_ns) is None
            return multiple()
        assert given.allows(self.people, self.clock.time_ns) is not None
        return made, given

    @rule(name=st.sampled_from(NAMES), role=st.sampled_from(PEOPLE_ROLES), accounts=some_accounts)
    def set_role(self, name: str, role: Role, accounts: tuple[str, ...]) -> None:
        self.desks[0].access.people.set_role(name, role, by=COMMAND_LINE, accounts=accounts)
        person = self.people[name]
        person.role, person.accounts, person.era = role, accounts, person.era + 1
        self.changed()

    @rule(name=st.sampled_from(NAMES), disabled=st.booleans())
    def set_disabled(self, name: str, disabled: bool) -> None:
        people, person = self.desks[1].access.people, self.people[name]
        (people.disable if disabled else people.enable)(name, by=COMMAND_LINE)
        person.disabled, person.era = disabled, person.era + disabled
        self.changed()

    @rule(name=st.sampled_from(NAMES))
    def end_all(self, name: str) -> None:
        self.desks[0].access.revoke(by=COMMAND_LINE, user=name)
        self.people[name].era += 1
        self.changed()

    @rule(held=tokens)
    def end_session(self, held: Any) -> None:
        tokens, given = held
        try:
            self.desks[1].access.revoke(by=COMMAND_LINE, session_id=tokens.session_id)
        except InputError:
            assert self.clock.time_ns >= given.expires_ns  # forgotten a day after its end
        given.revoked = True
        self.changed()

    @rule(held=keys)
    def end_key(self, held: Any) -> None:
        made, given = held
        self.desks[0].access.revoke(by=COMMAND_LINE, key=made.record.key_id)
        given.revoked = True
        self.changed()

    @rule(seconds=st.sampled_from([0.1, 1, 299, 300, 600, 86_400]))
    def wait(self, seconds: float) -> None:
        self.clock.forward(seconds)

    @rule(held=tokens, which=st.integers(0, 1))
    def use_token(self, held: Any, which: int) -> None:
        self.compare(held[1], which, f"Bearer {held[0].access_token}", None)

    @rule(held=keys, which=st.integers(0, 1))
    def use_key(self, held: Any, which: int) -> None:
        secret: Secret = held[0].secret
        self.compare(held[1], which, None, secret.text())

    def compare(self, given: Given, which: int, authorization: str | None, key: str | None) -> None:
        expected = given.allows(self.people, self.clock.time_ns)
        try:
            principal = self.desks[which].access.authenticate(authorization, key, HOME)
        except AccessRefused:
            principal = None
        assert expected == (None if principal is None else (principal.role, principal.accounts))
        if principal is None or expected is None:
            return
        for operation in Operation:
            for account in (None, *ACCOUNTS):
                allowed = operation in PERMISSIONS[expected[0]]
                allowed = allowed and (account is None or not expected[1] or account in expected[1])
                assert principal.may(operation, account) is allowed


TestAccess = AccessMachine.TestCase
TestAccess.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
