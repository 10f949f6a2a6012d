"""What `tmt stop` and `tmt resume` understand: one scope, one level, and nothing that would stop nothing."""

from pathlib import Path

import click
import pytest

from tmt.books import Books
from tmt.cli.app import build
from tmt.cli.drill import ACCEPT_SECONDS_MAX, drill
from tmt.cli.folders import Chosen
from tmt.cli.results import StopDrill
from tmt.cli.stop import _drill_lines, checked_reason, refuse_unless_known, resume, scope_of, stop
from tmt.cli.terminal import Terminal
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope
from tmt.errors import InputError

KNOWN = {
    "system/desk",
    "account/alpha",
    "account/beta",
    "agent/wyckoff",
    "agent/instrument:EURUSD",
    "agent/venue:paper",
}


def test_no_scope_is_everything() -> None:
    assert scope_of(account=None, strategy=None, instrument=None, venue=None) == EVERYTHING


@pytest.mark.parametrize("kind", ["account", "strategy", "instrument", "venue"])
def test_a_scope_is_named_by_its_option(kind: str) -> None:
    given = dict.fromkeys(("account", "strategy", "instrument", "venue")) | {kind: "x"}
    assert scope_of(**given) == StopScope(kind=ScopeKind(kind), name="x")


def test_two_scopes_do_not_go_together() -> None:
    with pytest.raises(InputError, match="--account and --venue do not go together") as caught:
        scope_of(account="a", venue="v")
    assert caught.value.code == "TMT-X007"


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InputError, match="--account needs a name"):
        scope_of(account="", venue=None)


@pytest.mark.parametrize("key", sorted(KNOWN))
def test_a_known_scope_is_stopped(key: str) -> None:
    refuse_unless_known(StopScope.of_breaker(*key.split("/", 1)), KNOWN)


@pytest.mark.parametrize(
    ("scope", "named"),
    [
        (StopScope(kind=ScopeKind.ACCOUNT, name="gamma"), "no account 'gamma'; there are: alpha, beta"),
        (StopScope(kind=ScopeKind.STRATEGY, name="hunch"), "no strategy 'hunch'; there are: wyckoff"),
        (StopScope(kind=ScopeKind.INSTRUMENT, name="eurusd"), "no instrument 'eurusd'; there are: EURUSD"),
        (StopScope(kind=ScopeKind.VENUE, name="binance"), "no venue 'binance'; there are: paper"),
    ],
)
def test_an_unknown_scope_is_refused_with_those_there_are(scope: StopScope, named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        refuse_unless_known(scope, KNOWN)
    assert caught.value.code == "TMT-X011"


def test_where_no_kind_is_known_none_is_named() -> None:
    scope = StopScope(kind=ScopeKind.VENUE, name="x")
    for known in ({"system/desk"}, set[str]()):
        with pytest.raises(InputError, match="there are: none"):
            refuse_unless_known(scope, known)


def commanded(tmp_path: Path, way: str, book: str | None = None, **scope: str) -> int:
    """The exit status of `tmt stop` or `tmt resume` in a state folder where nothing has run."""
    scopes = {**dict.fromkeys(("account", "strategy", "instrument", "venue")), **scope}
    chosen, terminal = Chosen(state=str(tmp_path), book=book), Terminal(json=True, plain=True)
    if way == "resume":
        return resume(terminal, chosen, **scopes, reason="x", shared=False)
    return stop(terminal, chosen, level=None, flatten=False, **scopes, drill=False, reason="x", shared=False)


@pytest.mark.parametrize("way", ["stop", "resume"])
@pytest.mark.parametrize(
    ("kind", "has", "all_there_are"),
    [
        ("account", "paper-usd", "there are: paper-usd, paper-usdt$"),
        ("strategy", "manual", "there are: manual, operator, wyckoff$"),
        ("instrument", "EURUSD", "there are: AAPL, .*EURUSD"),
        ("venue", "paper", "there are: paper$"),
    ],
)
def test_before_a_book_has_run_the_configuration_says_what_there_is(
    tmp_path: Path, way: str, kind: str, has: str, all_there_are: str
) -> None:
    with pytest.raises(InputError, match=all_there_are) as caught:
        commanded(tmp_path, way, **{kind: "typo"})
    assert caught.value.code == "TMT-X011"
    assert list(tmp_path.iterdir()) == []
    assert commanded(tmp_path, way, **{kind: has}) == 0
    assert (tmp_path / "books" / "main" / "inbox.sqlite").is_file()


@pytest.mark.parametrize("way", ["stop", "resume"])
def test_a_book_that_does_not_exist_is_refused_with_those_there_are(tmp_path: Path, way: str) -> None:
    Books(tmp_path).ensure("main")
    with pytest.raises(InputError, match="there is no book mian; there are: main") as caught:
        commanded(tmp_path, way, book="mian")
    assert caught.value.code == "TMT-S003"
    assert Books(tmp_path).names() == ["main"]


def test_the_book_in_use_takes_a_stop_though_it_is_not_made_yet(tmp_path: Path) -> None:
    assert commanded(tmp_path, "stop", book="main") == 0
    assert Books(tmp_path).names() == ["main"]


@pytest.mark.parametrize(
    ("reason", "good"), [("x", True), (" x ", True), ("", False), ("  ", False), ("x" * 501, False)]
)
def test_a_reason_has_one_to_five_hundred_characters(reason: str, good: bool) -> None:
    if good:
        assert checked_reason(reason) == "x"
        return
    with pytest.raises(InputError):
        checked_reason(reason)


def measured(**changes: object) -> StopDrill:
    values: dict[str, object] = {
        "passed": True,
        "accept_seconds": 0.0123,
        "accept_seconds_max": 0.1,
        "completed_seconds": 0.05,
        "orders_working": 4,
        "positions_held": 2,
        "cancelled": 4,
        "filled": 0,
        "positions_closed": ("a/X", "a/Y"),
        "positions_open": (),
    }
    return StopDrill(**{**values, **changes})  # type: ignore[arg-type]


def test_a_drill_is_told_in_words() -> None:
    assert _drill_lines(measured()) == [
        "drill passed, on a desk of its own: no book was touched",
        "  accepted and in force after 12.3 ms (must be below 100 ms)",
        "  last cancel and closing order answered after 50.0 ms",
        "  of 4 working orders 4 were cancelled, 0 filled",
        "  of 2 positions 2 were closed",
    ]
    failed = _drill_lines(measured(passed=False, completed_seconds=None, positions_open=("a/Z",)))
    assert failed[0].startswith("drill FAILED")
    assert failed[2].endswith("after not answered")
    assert failed[-1] == "  STILL OPEN: a/Z"


def test_a_drill_stops_a_desk_of_its_own_and_leaves_no_book(tmp_path: Path) -> None:
    found = drill(Chosen(state=str(tmp_path)), StopLevel.FLATTEN, EVERYTHING)
    assert found.orders_working > 0
    assert found.cancelled + found.filled == found.orders_working
    assert found.positions_held > 0
    assert len(found.positions_closed) == found.positions_held
    assert found.positions_open == ()
    assert found.completed_seconds is not None
    assert found.passed is (found.accept_seconds < ACCEPT_SECONDS_MAX)
    assert list(tmp_path.iterdir()) == []


def test_a_drill_of_one_account_counts_that_account_alone(tmp_path: Path) -> None:
    chosen = Chosen(state=str(tmp_path))
    whole = drill(chosen, StopLevel.FLATTEN, EVERYTHING)
    found = drill(chosen, StopLevel.FLATTEN, StopScope(kind=ScopeKind.ACCOUNT, name="paper-usd"))
    assert 0 < found.orders_working <= whole.orders_working
    assert found.cancelled + found.filled == found.orders_working
    assert found.positions_held == len(found.positions_closed)
    assert all(each.startswith("paper-usd/") for each in found.positions_closed)
    assert found.completed_seconds is not None


def test_a_drill_of_what_the_desk_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no account 'x'; there are: paper-usd") as caught:
        drill(Chosen(state=str(tmp_path)), StopLevel.CANCEL, StopScope(kind=ScopeKind.ACCOUNT, name="x"))
    assert caught.value.code == "TMT-X011"


@pytest.mark.parametrize(("level", "good"), [("pause", True), ("lock", True), ("halt", False)])
def test_a_level_is_one_of_four(level: str, good: bool) -> None:
    command = build().commands["stop"]
    if good:
        assert command.make_context("stop", ["--level", level, "--reason", "x"]).params["level"] == level
        return
    with pytest.raises(click.BadParameter, match="halt"):
        command.make_context("stop", ["--level", level, "--reason", "x"])


def test_flatten_is_short_for_a_level_and_goes_with_no_other(tmp_path: Path) -> None:
    scopes: dict[str, str | None] = dict.fromkeys(("account", "strategy", "instrument", "venue"))
    chosen, terminal = Chosen(state=str(tmp_path)), Terminal(json=True, plain=True)
    more: dict[str, bool | str] = {"drill": False, "reason": "x", "shared": False}
    with pytest.raises(InputError, match="--flatten and --level pause do not go together"):
        stop(terminal, chosen, level="pause", flatten=True, **scopes, **more)  # type: ignore[arg-type]
