"""What an account gives up is its own alone, and nothing while it cannot be valued."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.desk import Desk, default_config, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.aria import AriaConfig
from tmt.agents.aria.stop_out import given_up
from tmt.domain.order import Side

CONFIG = default_config(AriaConfig, "aria").margin
MARGIN = msgspec.structs.replace(
    CONFIG,
    initial_margin_fractions=msgspec.structs.replace(CONFIG.initial_margin_fractions, fx=Decimal("0.1")),
    stop_out_level_min=Decimal(1),
)


def gone(desk: Desk, account: str) -> list[tuple[str, str, str]]:
    return [
        (held.account, held.instrument, str(leave.quantity))
        for held, leave in given_up(desk.portfolio, account, MARGIN)
    ]


def two_accounts() -> Desk:
    """Each holds EURUSD and GBPUSD; 10,000 and 20,000 of margin for alpha, 5,000 and 1,000 for beta."""
    desk = Desk(make_account("alpha", deposit="29999"), make_account("beta", deposit="5999"))
    for account, euros, pounds in (("alpha", "100000", "200000"), ("beta", "50000", "10000")):
        desk.hold("EURUSD", Side.BUY, euros, "1.00000", account=account)
        desk.hold("GBPUSD", Side.SELL, pounds, "1.00000", account=account)
    return desk


def test_each_account_gives_up_its_own() -> None:
    desk = two_accounts()
    assert gone(desk, "alpha") == [("alpha", "GBPUSD", "200000")]
    assert gone(desk, "beta") == [("beta", "EURUSD", "50000")]


def test_the_check_shows_the_level_that_was_too_low() -> None:
    [(_, leave)] = given_up(two_accounts().portfolio, "beta", MARGIN)
    assert leave.rule == "margin"
    assert leave.stop_price is None
    assert leave.checks == (
        m.Check(
            rule="aria.exit_margin",
            measured=Decimal("0.999833"),
            limit=Decimal("1.000000"),
            unit="ratio",
            outcome="warn",
            quantity_after=Decimal(50000),
            at_least=True,
        ),
    )


@pytest.mark.parametrize("valued", [True, False])
def test_an_order_that_cannot_be_valued_gives_up_nothing(valued: bool) -> None:
    desk = two_accounts()
    if valued:
        desk.mark("USDJPY", "100")
    order = make_order("USDJPY", Side.BUY, "1000", make_quote("100"), stop_loss="90")
    desk.approve(m.OrderSized, order)
    assert bool(gone(desk, "alpha")) is valued
