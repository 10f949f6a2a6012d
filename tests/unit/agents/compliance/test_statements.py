"""Is everything that compliance says of accounts and conduct whole, and told apart from its siblings by its id?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import CONFIG_HASH, Desk, make_quote
from tmt import messages as m
from tmt.agents.compliance.closing import Close
from tmt.agents.compliance.detectors import Suspicion
from tmt.agents.compliance.statements import copied, flagged, said, suspended_for
from tmt.agents.compliance.suspension import Reinstate, Suspend
from tmt.domain.order import Side

CAUSE = Desk().mark("EURUSD", "1.1")
QUOTE = make_quote("489", "490")
MEASURED: dict[str, Any] = {"measured": Decimal("0.11"), "limit": Decimal("0.10"), "unit": "fraction"}
CLOSE = Close(account="alpha", instrument="SPY", order_id="trip", rule="fall", side=Side.SELL, quantity=Decimal(600),
              quote=QUOTE, **MEASURED)  # fmt: skip
SUSPEND = Suspend(account="alpha", rule="fall", flatten=True, **MEASURED)
REINSTATE = Reinstate(account="alpha", rule="fall", person="ann", role="risk", reason="reviewed")
SUSPICION = Suspicion(key="wash/ann", detector="wash", accounts=("alpha", "beta"), instrument="SPY", evidence=("a",),
                      detail="bought and sold", suspends=True, **MEASURED)  # fmt: skip


def test_a_suspension_is_said_as_it_was_decided() -> None:
    expected = m.AccountSuspended.caused_by(
        CAUSE, "compliance", "alpha", account="alpha", rule="fall", flatten=True, **MEASURED
    )
    assert said(CAUSE, SUSPEND, CONFIG_HASH) == expected


def test_a_reinstatement_is_said_as_it_was_decided() -> None:
    expected = m.AccountReinstated.caused_by(
        CAUSE, "compliance", "alpha", account="alpha", rule="fall", person="ann", role="risk", reason="reviewed"
    )
    assert said(CAUSE, REINSTATE, CONFIG_HASH) == expected


def test_a_closing_is_an_exit_whose_only_check_leaves_nothing() -> None:
    check = m.Check(rule="compliance.fall", outcome="reduce", quantity_after=Decimal(0), at_least=False, **MEASURED)
    expected = m.ExitRaised.caused_by(
        CAUSE,
        "compliance",
        "alpha",
        "SPY",
        account="alpha",
        instrument="SPY",
        order_id="trip",
        rule="fall",
        side=Side.SELL,
        quantity=Decimal(600),
        stop_price=None,
        quote=QUOTE,
        checks=(check,),
        config_hash=CONFIG_HASH,
    )
    assert said(CAUSE, CLOSE, CONFIG_HASH) == expected


def test_a_finding_is_said_whole() -> None:
    expected = m.ConductFlagged.caused_by(
        CAUSE, "compliance", "wash/ann", detector="wash", accounts=("alpha", "beta"), instrument="SPY", evidence=("a",),
        detail="bought and sold", suspends=True, **MEASURED,
    )  # fmt: skip
    assert flagged(CAUSE, SUSPICION) == expected


def test_a_finding_suspends_by_its_own_measure_and_closes_nothing() -> None:
    expected = Suspend(account="beta", rule="surveillance.wash", flatten=False, **MEASURED)
    assert suspended_for(SUSPICION, "beta") == expected


def test_copy_trading_is_said_whole() -> None:
    told: dict[str, Any] = {"measured": Decimal("0.8"), "limit": Decimal("0.5"), "evidence": ("a", "b")}
    seen = Desk().make(m.CopyTradingSeen, owner="ann", accounts=("alpha", "beta"), **told)
    expected = m.ConductFlagged.caused_by(
        seen, "compliance", "ann", detector="copy_trading", accounts=("alpha", "beta"), instrument="", unit="fraction",
        detail="accounts of ann trade alike without being told to", suspends=False, **told,
    )  # fmt: skip
    assert copied(seen) == expected


@pytest.mark.parametrize(
    "outcomes",
    [
        [msgspec.structs.replace(SUSPEND, account=name) for name in ("alpha", "beta")],
        [msgspec.structs.replace(REINSTATE, account=name) for name in ("alpha", "beta")],
        [
            msgspec.structs.replace(CLOSE, account=name, instrument=symbol)
            for name in ("alpha", "beta")
            for symbol in ("EURUSD", "SPY")
        ],
    ],
)
def test_what_follows_from_one_message_has_ids_of_its_own(outcomes: list[Suspend | Reinstate | Close]) -> None:
    messages = [said(CAUSE, outcome, CONFIG_HASH) for outcome in outcomes]
    assert len({message.message_id for message in messages}) == len(outcomes)
