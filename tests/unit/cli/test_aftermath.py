"""What a command brought about is read from the log: closing orders by their answer, halts lifted by what halted."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.agents.desk import make_quote
from tests.unit.projections.story import BAR_END_NS, Story
from tmt import messages as m
from tmt.cli.aftermath import Aftermath, aftermath, known_breakers
from tmt.cli.results import BookCommanded, Lifted
from tmt.cli.stop import _lines
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import StopLevel

NAMES: dict[str, Any] = {"client_order_id": "c", "order_id": "o", "account": "alpha", "instrument": "EURUSD"}


class Stopped(Story):
    """A stop that asks to close what is held in `instruments`."""

    def __init__(self, *instruments: str) -> None:
        super().__init__()
        self.stop = self.tell(
            m.StopTrading.root(
                "ann",
                BAR_END_NS,
                "1",
                person="ann",
                reason="drill",
                role="risk",
                level=StopLevel.FLATTEN if instruments else StopLevel.CANCEL,
            )
        )
        self.proposals = [
            self.tell(
                m.OrderProposed.caused_by(
                    self.stop,
                    "desk",
                    instrument,
                    account="alpha",
                    instrument=instrument,
                    side=Side.SELL,
                    quantity=Decimal(1000),
                    order_type=OrderType.MARKET,
                    time_in_force=TimeInForce.GTC,
                    person="ann",
                    strategy="operator",
                    reduce_only=True,
                )
            )
            for instrument in instruments
        ]

    def fill(self, proposal: m.OrderProposed, remaining: str) -> None:  # type: ignore[override]
        self.tell(
            m.OrderFilled.caused_by(
                proposal,
                "paper",
                remaining,
                fill_id=remaining,
                side=Side.SELL,
                quantity=Decimal(500),
                price=Decimal("1.1"),
                fee=Decimal(0),
                fee_currency="USD",
                remaining=Decimal(remaining),
                role="close",
                liquidity="taker",
                slippage=Decimal(0),
                quote=make_quote("1.1", "1.1001", BAR_END_NS),
                setup="",
                strategy="operator",
                **NAMES,
            )
        )

    def brought(self, folder: Path) -> Aftermath:
        self.write(folder).close()
        return aftermath(folder, self.stop)


def counts(found: Aftermath) -> tuple[int, int, int]:
    return found.closing_orders, found.closing_orders_waiting, found.closing_orders_refused


def test_closing_orders_without_an_answer_wait(tmp_path: Path) -> None:
    assert counts(Stopped("EURUSD", "GBPUSD").brought(tmp_path)) == (2, 2, 0)


@pytest.mark.parametrize(("remaining", "waiting"), [("500", 1), ("0", 0)])
def test_a_closing_order_waits_until_it_is_filled_whole(remaining: str, waiting: int, tmp_path: Path) -> None:
    stopped = Stopped("EURUSD")
    stopped.fill(stopped.proposals[0], remaining)
    assert counts(stopped.brought(tmp_path)) == (1, waiting, 0)


def test_a_closing_order_that_the_venue_rejects_is_refused(tmp_path: Path) -> None:
    stopped = Stopped("EURUSD")
    stopped.tell(m.OrderRejected.caused_by(stopped.proposals[0], "paper", reason="closed", detail="", **NAMES))
    assert counts(stopped.brought(tmp_path)) == (1, 0, 1)


def test_a_command_that_is_not_in_the_log_brought_nothing(tmp_path: Path) -> None:
    stopped = Stopped("EURUSD")
    stopped.told.remove(stopped.stop)
    assert stopped.brought(tmp_path) == Aftermath()
    assert aftermath(tmp_path / "empty", stopped.stop) == Aftermath()


def turned(
    story: Story, kind: type[m.BreakerTransition], cause: m.Message, trigger: str, scope: str
) -> m.BreakerTransition:
    return story.tell(
        kind.caused_by(
            cause,
            "circuit_breaker",
            scope,
            tier="account",
            scope=scope,
            trigger=trigger,
            measured=Decimal("0.1"),
            limit=Decimal("0.08"),
            unit="fraction",
            resumes_by="person",
            detail="why",
        )
    )


def resumed(story: Story, key: str = "1") -> m.ResumeTrading:
    return story.tell(m.ResumeTrading.root("ann", BAR_END_NS, key, person="ann", role="risk", reason="checked"))


def lifted(story: Story, resume: m.ResumeTrading, folder: Path) -> tuple[Lifted, ...]:
    story.write(folder).close()
    return aftermath(folder, resume).lifted


def test_a_breaker_is_lifted_by_the_command_that_caused_it_to_turn(tmp_path: Path) -> None:
    story = Story()
    turned(story, m.BreakerOpened, story.session, "drawdown", "alpha")
    turned(story, m.BreakerOpened, story.session, "daily_loss", "beta")
    resume = resumed(story)
    turned(story, m.BreakerHalfOpened, resume, "resumed_by_person", "alpha")
    turned(story, m.BreakerClosed, story.session, "cooled_down", "beta")
    [each] = lifted(story, resume, tmp_path)
    assert each == Lifted(scope="account/alpha", halted_by="drawdown", state="half_open")


def test_a_breaker_that_the_role_may_not_lift_is_refused_and_not_lifted(tmp_path: Path) -> None:
    story = Story()
    turned(story, m.BreakerOpened, story.session, "manual_lock", "alpha")
    turned(story, m.BreakerReduced, story.session, "drawdown", "beta")
    resume = resumed(story)
    turned(story, m.BreakerOpened, resume, "manual_lock", "alpha")
    turned(story, m.BreakerReduced, resume, "drawdown", "beta")
    assert lifted(story, resume, tmp_path) == ()
    assert aftermath(tmp_path, resume).refused == ("why", "why")


def test_a_stop_is_complete_with_what_execution_says_of_that_stop(tmp_path: Path) -> None:
    stopped = Stopped("EURUSD", "GBPUSD")
    counts: dict[str, Any] = {
        "cancelled": 3,
        "filled": 1,
        "positions_closed": ("alpha/EURUSD",),
        "positions_open": ("alpha/GBPUSD",),
    }
    said = m.CancelSubmitted.caused_by
    for number in range(4):
        stopped.tell(said(stopped.stop, "execution", str(number), client_order_id=str(number), reason="stop_trading"))
    stopped.tell(said(stopped.proposals[0], "execution", "x", client_order_id="x", reason="person"))
    other = m.StopCompleted.caused_by(stopped.stop, "execution", "other", stop_id="other", **counts)
    stopped.tell(other)
    stopped.write(tmp_path).close()
    found = aftermath(tmp_path, stopped.stop)
    assert (found.cancels, found.completed, found.cancelled) == (4, False, 0)
    stopped.tell(m.StopCompleted.caused_by(stopped.stop, "execution", stop_id=stopped.stop.message_id, **counts))
    (tmp_path / "second").mkdir()
    stopped.write(tmp_path / "second").close()
    found = aftermath(tmp_path / "second", stopped.stop)
    assert (found.completed, found.cancelled, found.filled) == (True, 3, 1)
    assert (found.positions_closed, found.positions_open) == (("alpha/EURUSD",), ("alpha/GBPUSD",))


def test_the_breakers_of_a_log_are_those_that_spoke(tmp_path: Path) -> None:
    story = Story()
    turned(story, m.BreakerClosed, story.session, "initialised", "alpha")
    log = story.write(tmp_path)
    assert "account/alpha" in known_breakers(log)
    assert "account/beta" not in known_breakers(log)
    log.close()


def entry(**changes: Any) -> BookCommanded:
    nothing: dict[str, Any] = {
        "book": "main",
        "message_id": "1",
        "taken_by": "this command",
        "event": 12,
        "closing_orders": 0,
        "closing_orders_waiting": 0,
        "closing_orders_refused": 0,
        "cancels": 0,
        "completed": False,
        "cancelled": 0,
        "filled": 0,
        "positions_closed": (),
        "positions_open": (),
        "lifted": (),
        "refused": (),
    }
    return BookCommanded(**{**nothing, **changes})


def test_what_waits_and_what_is_lifted_is_told_in_words() -> None:
    halt = Lifted(scope="account/alpha", halted_by="drawdown", state="half_open")
    told = entry(closing_orders=3, closing_orders_waiting=2, closing_orders_refused=1, lifted=(halt,), refused=("no",))
    first, *rest = _lines("StopTrading", told)
    assert first == "StopTrading for book main, taken by this command: event 12, 3 closing orders"
    assert rest == [
        "  2 closing orders wait for the next quote",
        "  REFUSED: 1 closing orders; `tmt status` shows what is still open",
        "  NOT LIFTED: no",
        "  lifted: account/alpha, halted by drawdown, is now half open",
    ]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["  not completed yet; a position of a closed market is closed once it opens"]),
        ({"event": None}, []),
        ({"cancels": 2}, ["  2 cancels asked for, not all answered yet"]),
        ({"cancels": 2, "completed": True, "cancelled": 2}, ["  completed: 2 orders cancelled"]),
        (
            {
                "completed": True,
                "cancelled": 1,
                "filled": 1,
                "positions_closed": ("alpha/EURUSD",),
                "positions_open": ("alpha/GBPUSD",),
            },
            ["  completed: 1 orders cancelled, 1 filled before, 1 positions closed", "  STILL OPEN: alpha/GBPUSD"],
        ),
    ],
)
def test_what_a_stop_came_to_is_told_in_words(changes: dict[str, Any], lines: list[str]) -> None:
    assert _lines("StopTrading", entry(**changes))[1:] == lines
