"""Through the whole desk: does a suspension close positions by the gates' own road, alike in every run, and end?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.integration.simulated import ACCOUNT, SYMBOL, hashes, killed, make_desk, proposal, take
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.sections import load_config

OPENING_BATCHES = 5
HALF_PAST_MIDNIGHT = ("accounts.accounts.0.time_zone=UTC", 'accounts.accounts.0.day_starts_at="00:30"')
"""The simulator begins at midnight, so the account's first day is half an hour long."""


def beyond(rule: str) -> tuple[str, ...]:
    """The default book with a limit of `rule` that an ordinary position is soon beyond, and that closes positions."""
    rules = load_config(None).sections["rule_books"]["default"].rules
    index = next(number for number, each in enumerate(rules) if each.id == rule)
    where = f"rule_books.default.rules.{index}"
    return (*HALF_PAST_MIDNIGHT, f"{where}.flatten=true", f"{where}.loss_fraction_max=0.00001")


def with_a_position(book: Path) -> None:
    """A book in which an account holds something, under the default limits."""
    desk = make_desk(book, overrides=HALF_PAST_MIDNIGHT)
    desk.start()
    take(desk, OPENING_BATCHES - 1)
    desk.command(proposal(desk, "1"))
    take(desk, 1)
    assert desk.portfolio.positions(ACCOUNT)
    desk.close()


def run_on(book: Path, rule: str, batches: int) -> Desk:
    desk = make_desk(book, overrides=beyond(rule))
    desk.start()
    take(desk, batches)
    return desk


def of(desk: Desk, *kinds: Any) -> list[m.Message]:
    return [m.decode(each.body) for each in desk.log.read(types=tuple(kind.__name__ for kind in kinds))]


def test_a_suspended_account_is_closed_through_every_gate_and_comes_back_when_its_day_turns(tmp_path: Path) -> None:
    with_a_position(tmp_path / "book")
    desk = run_on(tmp_path / "book", "daily_loss", 30)
    suspended = of(desk, m.AccountSuspended)[0]
    exits = [each for each in of(desk, m.ExitRaised) if each.source == "compliance"]
    assert isinstance(suspended, m.AccountSuspended)
    assert suspended.flatten
    assert exits[0].causation_id == suspended.causation_id, "asked for in the same breath"
    trail = [type(m.decode(each.body)).__name__ for each in desk.log.correlated(exits[0].message_id)]
    gates = ["OrderSized", "ConcentrationApproved", "BehaviourApproved", "ComplianceApproved", "OrderReleased"]
    assert [kind for kind in trail if kind in gates] == gates
    assert "OrderFilled" in trail
    assert desk.portfolio.positions(ACCOUNT) == []
    [closed] = of(desk, m.PositionClosed)
    assert isinstance(closed, m.PositionClosed)
    assert (closed.account, closed.instrument, closed.closing_role) == (ACCOUNT, SYMBOL, "close")
    [back] = of(desk, m.AccountReinstated)
    assert isinstance(back, m.AccountReinstated)
    assert (back.person, back.reason) == ("", "the day turned")
    assert not of(desk, m.InvariantBroken)
    desk.close()


def test_a_suspension_is_decided_alike_after_a_kill(tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        with_a_position(tmp_path / name)
    whole = run_on(tmp_path / "whole", "daily_loss", 12)
    first = run_on(tmp_path / "killed", "daily_loss", 6)
    killed(first)
    again = run_on(tmp_path / "killed", "daily_loss", 6)
    assert of(whole, m.AccountSuspended)
    told = [each.message_id for each in of(whole, *m.DECISIONS)]
    assert [each.message_id for each in of(again, *m.DECISIONS)] == told
    assert hashes(again)[1] == hashes(whole)[1]
    whole.close()
    again.close()


def test_a_person_reinstates_what_a_drawdown_suspended_once_it_is_within_its_limit(tmp_path: Path) -> None:
    with_a_position(tmp_path / "book")
    desk = run_on(tmp_path / "book", "drawdown", 15)
    assert of(desk, m.AccountSuspended)

    def ask(key: str) -> m.Message:
        request = m.ReinstateAccount.root(
            "ann", desk.runner.timeline.now_ns, key, account=ACCOUNT, person="ann", role="risk", reason="reviewed"
        )
        assert desk.command(request)
        return m.decode(desk.log.correlated(request.message_id)[1].body)

    refused = ask("1")
    assert isinstance(refused, m.AccountSuspended)
    assert refused.measured > refused.limit == Decimal("0.00001")
    desk.close()
    desk = make_desk(tmp_path / "book", overrides=HALF_PAST_MIDNIGHT)  # the book has been mended
    desk.start()
    back = ask("2")
    assert isinstance(back, m.AccountReinstated)
    assert (back.person, back.role, back.reason) == ("ann", "risk", "reviewed")
    desk.close()
