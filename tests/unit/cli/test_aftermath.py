"""What a command brought about is read from the log: closing orders by their answer, halts lifted by what halted."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.agents.desk import make_quote
from tests.unit.projections.story import BAR_END_NS, Story
from tmt import messages as m
from tmt.cli.aftermath import Aftermath, aftermath
from tmt.cli.results import BookCommanded, Lifted
from tmt.cli.stop import _lines
from tmt.domain.order import OrderType, Side, TimeInForce

NAMES: dict[str, Any] = {"client_order_id": "c", "order_id": "o", "account": "alpha", "instrument": "EURUSD"}


class Stopped(Story):
    """A stop that asks to close what is held in `instruments`."""

    def __init__(self, *instruments: str) -> None:
        super().__init__()
        self.stop = self.tell(
            m.StopTrading.root("ann", BAR_END_NS, "1", person="ann", reason="drill", flatten=bool(instruments))
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
            detail="",
        )
    )


def resumed(story: Story, key: str = "1") -> m.ResumeTrading:
    return story.tell(m.ResumeTrading.root("ann", BAR_END_NS, key, person="ann", reason="checked"))


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


def test_a_suspension_is_lifted_once(tmp_path: Path) -> None:
    story = Story()
    story.tell(
        m.AccountSuspended.caused_by(
            story.session,
            "compliance",
            account="alpha",
            rule="max_drawdown",
            measured=Decimal("0.2"),
            limit=Decimal("0.1"),
            unit="fraction",
        )
    )
    first, second = resumed(story), resumed(story, "2")
    [each] = lifted(story, first, tmp_path)
    assert each == Lifted(scope="account/alpha", halted_by="max_drawdown", state="reinstated")
    assert aftermath(tmp_path, second).lifted == ()


def test_what_waits_and_what_is_lifted_is_told_in_words() -> None:
    entry = BookCommanded(
        book="main",
        message_id="1",
        taken_by="this command",
        event=12,
        closing_orders=3,
        closing_orders_waiting=2,
        closing_orders_refused=1,
        lifted=(Lifted(scope="account/alpha", halted_by="drawdown", state="half_open"),),
    )
    first, *rest = _lines("StopTrading", entry)
    assert first == "StopTrading for book main, taken by this command: event 12, 3 closing orders"
    assert rest == [
        "  2 closing orders wait for the next quote",
        "  REFUSED: 1 closing orders; `tmt status` shows what is still open",
        "  lifted: account/alpha, halted by drawdown, is now half open",
    ]
