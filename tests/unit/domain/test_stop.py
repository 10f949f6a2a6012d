"""What a stop's level does, what its scope covers, and which breaker halts it."""

import pytest

from tmt.domain.stop import CLOSING_ATTEMPTS_MAX, EVERYTHING, ScopeKind, StopLevel, StopScope

NAMES = {"account": "alpha", "strategy": "wyckoff", "instrument": "EURUSD", "venue": "paper"}
KEYS = {
    "account": "account/alpha",
    "strategy": "agent/wyckoff",
    "instrument": "agent/instrument:EURUSD",
    "venue": "agent/venue:paper",
}


def scope(kind: str, name: str | None = None) -> StopScope:
    return StopScope(kind=ScopeKind(kind), name=NAMES[kind] if name is None else name)


@pytest.mark.parametrize(
    ("level", "cancels", "flattens"),
    [
        (StopLevel.PAUSE, False, False),
        (StopLevel.CANCEL, True, False),
        (StopLevel.FLATTEN, True, True),
        (StopLevel.LOCK, True, True),
    ],
)
def test_each_level_does_what_those_before_it_do(level: StopLevel, cancels: bool, flattens: bool) -> None:
    assert (level.cancels, level.flattens) == (cancels, flattens)


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_a_scope_covers_its_own_name_and_no_other(kind: str) -> None:
    assert scope(kind).covers(**NAMES)
    assert not scope(kind, "other").covers(**NAMES)
    assert EVERYTHING.covers(**NAMES)


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_a_scope_and_its_breaker_name_each_other(kind: str) -> None:
    assert scope(kind).breaker == KEYS[kind]
    assert StopScope.of_breaker(*KEYS[kind].split("/", 1)) == scope(kind)


def test_everything_is_the_breaker_of_the_desk() -> None:
    assert EVERYTHING.breaker == "system/desk"
    assert StopScope.of_breaker("system", "desk") == EVERYTHING


def test_an_unknown_tier_has_no_scope() -> None:
    with pytest.raises(ValueError, match="tribe/x"):
        StopScope.of_breaker("tribe", "x")


def test_everything_contains_every_scope_and_a_scope_only_itself() -> None:
    assert EVERYTHING.contains(EVERYTHING)
    assert EVERYTHING.contains(scope("account"))
    assert scope("account").contains(scope("account"))
    assert not scope("account").contains(EVERYTHING)
    assert not scope("account").contains(scope("account", "beta"))
    assert not scope("account", "x").contains(scope("venue", "x"))


@pytest.mark.parametrize(("kind", "name"), [("all", "x"), ("account", ""), ("venue", "")])
def test_a_scope_without_its_name_is_refused(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match="was given the name"):
        StopScope(kind=ScopeKind(kind), name=name)


def test_a_position_is_tried_to_be_closed_three_times() -> None:
    assert CLOSING_ATTEMPTS_MAX == 3
