"""Do an account's losses trip, reduce and recover exactly at their limits, and only where they are known?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.circuit_breaker.hall import CONFIG, Hall, reason
from tests.unit.agents.desk import Desk, make_account
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Breaker, Status
from tmt.agents.circuit_breaker.equity_limits import equity_recovered, equity_tripped
from tmt.agents.circuit_breaker.transition import outranks
from tmt.domain.order import Side

ALPHA = "account/alpha"


def breaker(status: Status, trigger: str = "daily_loss", accepted: str = "0") -> Breaker:
    return Breaker(
        status=status,
        tier="account",
        scope="alpha",
        trigger=trigger,
        measured=Decimal(0),
        limit=Decimal(0),
        unit="fraction",
        resumes_by="cool_down",
        since_ns=0,
        accepted_drawdown_fraction=Decimal(accepted),
    )


def drawn_down(amount: int, before: int = 0) -> Hall:
    """Down by `amount` of 100,000 from the peak, of which `before` was lost the day before; no breaker heard of it."""
    hall = Hall(begin=False)
    hall.desk.hold("SPY", Side.BUY, "1000", "500")
    hall.desk.mark("SPY", str(500 - Decimal(before) / 1000))
    hall.until_next_day()
    hall.desk.mark("SPY", str(500 - Decimal(before) / 1000))
    hall.desk.mark("SPY", str(500 - Decimal(amount) / 1000))
    return hall


@pytest.mark.parametrize(
    ("status", "amount", "before", "said"),
    [
        (Status.CLOSED, 4000, 0, None),
        (Status.CLOSED, 4001, 0, (Status.REDUCING, "daily_loss", "0.04001", "0.04", "cool_down")),
        (Status.CLOSED, 6400, 6000, None),
        (Status.CLOSED, 6401, 6000, (Status.REDUCING, "drawdown", "0.06401", "0.064", "cool_down")),
        (Status.HALF_OPEN, 6401, 6000, None),
        (Status.REDUCING, 6401, 6000, None),
        (Status.CLOSED, 5000, 0, (Status.REDUCING, "daily_loss", "0.05", "0.04", "cool_down")),
        (Status.HALF_OPEN, 5000, 0, None),
        (Status.HALF_OPEN, 5001, 0, (Status.OPEN, "daily_loss", "0.05001", "0.05", "cool_down")),
        (Status.HALF_OPEN, 8000, 6000, None),
        (Status.HALF_OPEN, 8001, 6000, (Status.OPEN, "drawdown", "0.08001", "0.08", "person")),
    ],
)
def test_what_is_beyond_a_limit_trips(status: Status, amount: int, before: int, said: Any) -> None:
    tripped = equity_tripped(breaker(status), drawn_down(amount, before).desk.portfolio, CONFIG)
    if said is None:
        assert tripped is None
    else:
        assert tripped is not None
        assert (tripped.status, tripped.trigger, tripped.measured, tripped.limit, tripped.resumes_by) == (
            said[0], said[1], Decimal(said[2]), Decimal(said[3]), said[4],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "accepted", "amount", "before", "trigger", "measured", "limit"),
    [
        (Status.REDUCING, "0", 4000, 0, "recovered", "0.04", "0.064"),
        (Status.REDUCING, "0", 4001, 0, "", "", ""),
        (Status.REDUCING, "0", 6400, 6000, "recovered", "0.064", "0.064"),
        (Status.REDUCING, "0", 6401, 6000, "", "", ""),
        (Status.REDUCING, "0.07", 7000, 6000, "recovered", "0.07", "0.07"),
        (Status.CLOSED, "0.0641", 6400, 6000, "drawdown_recovered", "0.064", "0.064"),
        (Status.CLOSED, "0.0641", 6401, 6000, "", "", ""),
        (Status.CLOSED, "0.064", 6400, 6000, "", "", ""),
        (Status.CLOSED, "0", 0, 0, "", "", ""),
        (Status.HALF_OPEN, "0.0641", 6400, 6000, "", "", ""),
    ],
)
def test_what_is_at_its_limit_has_recovered(
    status: Status, accepted: str, amount: int, before: int, trigger: str, measured: str, limit: str
) -> None:
    recovered = equity_recovered(breaker(status, accepted=accepted), drawn_down(amount, before).desk.portfolio, CONFIG)
    if not trigger:
        assert recovered is None
    else:
        assert recovered is not None
        assert (recovered.status, recovered.trigger) == (Status.CLOSED, trigger)
        assert (recovered.measured, recovered.limit) == (Decimal(measured), Decimal(limit))
        assert recovered.detail == f"the losses of alpha are back within {recovered.limit}"


@pytest.mark.parametrize(
    ("trigger", "status", "open_by", "expected"),
    [
        ("daily_loss", Status.OPEN, "consecutive_losses", True),
        ("daily_loss", Status.OPEN, "repeated_execution", False),
        ("daily_loss", Status.OPEN, "daily_loss", False),
        ("daily_loss", Status.OPEN, "account_suspended", False),
        ("drawdown", Status.OPEN, "account_suspended", True),
        ("drawdown", Status.OPEN, "drawdown", False),
        ("drawdown", Status.OPEN, "manual_stop", False),
        ("daily_loss", Status.REDUCING, "drawdown", True),
        ("daily_loss", Status.HALF_OPEN, "manual_lock", True),
        ("drawdown", Status.CLOSED, "manual_lock", True),
    ],
)
def test_only_a_graver_trigger_changes_what_an_open_breaker_says(
    trigger: str, status: Status, open_by: str, expected: bool
) -> None:
    assert outranks(trigger, breaker(status, open_by)) is expected


# Equity that is not known, or gone


def test_a_day_that_began_with_nothing_left_measures_no_loss_and_takes_no_new_risk() -> None:
    hall = Hall()
    hall.lose(101_000)
    assert hall.breaker(ALPHA).trigger == "drawdown"
    hall.until_next_day()
    assert hall.lose(101_000) == []
    hall.resume()
    assert hall.status(ALPHA) is Status.HALF_OPEN
    hall.lose(50_000)
    answer = hall.order()
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.detail) == ("no_equity", "the equity of alpha is 50000.00000000")


@pytest.mark.parametrize(("amount", "expected"), [(99_999, "released"), (100_000, "no_equity")])
def test_an_account_with_nothing_left_takes_no_new_risk_whatever_the_limits(amount: int, expected: str) -> None:
    whole = {
        "daily_loss_fraction_max": Decimal(1),
        "drawdown_fraction_max": Decimal(1),
        "reduce_at_fraction": Decimal(1),
    }
    account = msgspec.structs.replace(CONFIG.account, **whole)
    hall = Hall(msgspec.structs.replace(CONFIG, account=account, loose_factor=Decimal(1)))
    hall.lose(amount)
    assert hall.status(ALPHA) is Status.CLOSED
    assert reason(hall.order()) == expected


# The day's turn


@pytest.mark.parametrize(("amount", "status"), [(10_700, Status.HALF_OPEN), (10_701, Status.OPEN)])
def test_a_new_day_ends_no_daily_loss_while_the_new_one_is_beyond_the_limit(amount: int, status: Status) -> None:
    account = msgspec.structs.replace(CONFIG.account, drawdown_fraction_max=Decimal("0.5"))
    hall = Hall(msgspec.structs.replace(CONFIG, account=account))
    hall.lose(6000)
    hall.until_next_day()
    hall.desk.mark("SPY", "494")  # the day begins with 94,000, of which 4,700 may be lost
    hall.lose(amount)
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (
        status,
        "daily_loss" if status is Status.OPEN else "cooled_down",
    )


def test_an_account_whose_equity_is_unknown_is_not_tried_out() -> None:
    hall = Hall(desk=Desk(make_account(currency="CHF")))
    hall.hold(Side.BUY, "1000", "1.1")
    for _ in range(4):
        hall.trade("-10")
    hall.wait(60)
    assert hall.mark("EURUSD", "1.2") == []
    assert hall.status(ALPHA) is Status.OPEN
