"""All accounts together keep the limits of exposure, working orders included: net by currency, and gross."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.anti_correlation.judging import QUOTE, check, judge, judge_order, quantity, reason, rules
from tests.unit.agents.anti_correlation.moves import make_agent, make_desk
from tests.unit.agents.desk import INSTRUMENTS, Desk, make_account, make_instrument, make_order, make_quote
from tmt import messages as m
from tmt.agents.anti_correlation.bets import Bet
from tmt.domain.money import divide
from tmt.domain.order import Side


@pytest.mark.parametrize(("asked", "expected"), [("99000", 99000), ("100000", 100000), ("101000", 100000)])
def test_all_accounts_together_keep_the_currency_limit(asked: str, expected: int) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "100000", "1", account="beta")
    assert quantity(judge(desk, make_agent(desk, currency_net_ratio_max="1"), quantity=asked)) == Decimal(expected)


def test_no_room_in_a_currency_is_a_denial() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "200000", "1", account="beta")
    assert reason(judge(desk, make_agent(desk, currency_net_ratio_max="1"))) == "currency_net"


def test_an_order_that_lowers_the_net_passes_beyond_the_limit() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "400000", "1", account="beta")
    said = judge(desk, make_agent(desk, currency_net_ratio_max="1"), Side.SELL)
    assert quantity(said) == Decimal(100000)


def test_shares_of_all_accounts_net_as_a_unit_of_their_own() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "150000", "1", account="beta")
    order = make_order("SPY", Side.BUY, "100000", QUOTE, stop_loss="0.5")
    assert quantity(judge_order(desk, make_agent(desk, currency_net_ratio_max="1"), order)) == Decimal(50000)


def test_a_missing_rate_is_refused() -> None:
    desk = make_desk()
    del desk.portfolio.state.marks["USDJPY"]
    order = make_order("USDJPY", Side.BUY, "1000", make_quote("100.000"), stop_loss="99")
    assert reason(judge_order(desk, make_agent(desk), order)) == "no_conversion_rate"


def test_an_unpriced_position_anywhere_is_refused() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "10", "1", account="beta")
    del desk.portfolio.state.marks["SPY"]
    desk.portfolio._equity.clear()
    assert reason(judge(desk, make_agent(desk))) == "no_equity"


def test_working_orders_count_in_a_currency_where_they_add_and_never_make_room() -> None:
    desk = make_desk()
    agent = make_agent(desk, currency_net_ratio_max="1")
    for side, order_id in ((Side.BUY, "a"), (Side.SELL, "b")):
        order = make_order("EURUSD", side, "150000", QUOTE, account="beta", order_id=order_id, stop_loss="0.5")
        desk.approve(m.OrderSized, order)
    assert quantity(judge(desk, agent)) == Decimal(50000)
    desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "50000", QUOTE, account="beta", order_id="c"))
    assert reason(judge(desk, agent)) == "currency_net"


def work(desk: Desk, side: Side, units: str, *, account: str = "beta", symbol: str = "EURUSD", name: str = "w") -> None:
    order = make_order(symbol, side, units, QUOTE, account=account, order_id=name, stop_loss="0.5")
    desk.approve(m.OrderSized, order)


def of_two_owners() -> Desk:
    desk = Desk(make_account("alpha"), msgspec.structs.replace(make_account("beta"), owner="another"))
    for symbol in ("EURUSD", "GBPUSD"):
        desk.mark(symbol, "1.0000")
    return desk


@pytest.mark.parametrize(("asked", "expected"), [("99000", 99000), ("100000", 100000), ("101000", 100000)])
def test_currency_is_netted_over_the_owners_accounts_alone(asked: str, expected: int) -> None:
    desk = of_two_owners()
    desk.hold("EURUSD", Side.BUY, "90000", "1", account="beta")
    assert quantity(judge(desk, make_agent(desk, currency_net_ratio_max="1"), quantity=asked)) == Decimal(expected)


@pytest.mark.parametrize("held", ["GBPUSD", "EURUSD"])
@pytest.mark.parametrize("scope", ["owner", "firm"])
@pytest.mark.parametrize(
    ("asked", "expected", "outcome", "measured"),
    [("99000", 99000, "pass", "0.995"), ("100000", 100000, "pass", "1"), ("101000", 100000, "reduce", "1.005")],
)
def test_all_accounts_together_keep_the_gross_limit(
    asked: str, expected: int, outcome: str, measured: str, scope: str, held: str
) -> None:
    desk = make_desk()
    desk.hold(held, Side.SELL, "60000", "1", account="beta")
    desk.hold("SPY", Side.BUY, "40000", "1", account="alpha")
    said = judge(desk, make_agent(desk, None, **{f"{scope}_gross_ratio_max": "1"}), quantity=asked)
    assert quantity(said) == Decimal(expected)
    found = check(said, f"gross.{scope}")
    assert (found.outcome, found.measured, found.limit) == (outcome, Decimal(measured), Decimal(1))
    assert (found.unit, found.at_least) == ("ratio", False)


@pytest.mark.parametrize("scope", ["owner", "firm"])
def test_no_room_in_gross_exposure_is_a_denial(scope: str) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "200000", "1", account="beta")
    assert reason(judge(desk, make_agent(desk, None, **{f"{scope}_gross_ratio_max": "1"}))) == "gross_exposure"


def test_the_firm_is_every_owner_and_an_owner_only_their_accounts() -> None:
    desk = of_two_owners()
    desk.hold("GBPUSD", Side.BUY, "150000", "1", account="beta")
    assert quantity(judge(desk, make_agent(desk, firm_gross_ratio_max="1"))) == Decimal(50000)
    assert quantity(judge(desk, make_agent(desk, owner_gross_ratio_max="1"))) == Decimal(100000)
    assert quantity(judge(desk, make_agent(desk, owner_gross_ratio_max="0.6"))) == Decimal(60000)


def test_gross_exposure_counts_the_working_orders_of_one_side_at_most() -> None:
    desk = make_desk()
    work(desk, Side.BUY, "80000", name="a")
    work(desk, Side.SELL, "90000", name="b")
    work(desk, Side.SELL, "20000", account="alpha", symbol="GBPUSD", name="c")
    said = judge(desk, make_agent(desk, owner_gross_ratio_max="1"))
    assert quantity(said) == Decimal(90000)


@pytest.mark.parametrize(("asked", "expected"), [("100000", 100000), ("150000", 150000), ("151000", 150000)])
def test_an_order_against_what_its_account_works_adds_only_what_goes_beyond(asked: str, expected: int) -> None:
    desk = make_desk()
    work(desk, Side.SELL, "150000", account="alpha", name="a")
    work(desk, Side.SELL, "50000", account="beta", name="b")
    said = judge(desk, make_agent(desk, owner_gross_ratio_max="1"), quantity=asked)
    assert quantity(said) == Decimal(expected)
    assert check(said, "gross.owner").measured == (Decimal("1.005") if asked == "151000" else Decimal(1))


@pytest.mark.parametrize(
    ("asked", "expected", "outcome", "measured"),
    [
        ("99000", 99000, "warn", "1.25"),
        ("100000", 100000, "warn", "1.25"),
        ("101000", 100000, "reduce", "1.25"),
        ("151000", 100000, "reduce", "1.255"),
    ],
)
def test_the_short_that_is_held_is_shown_and_makes_no_room(
    asked: str, expected: int, outcome: str, measured: str
) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.SELL, "150000", "1")
    desk.hold("GBPUSD", Side.BUY, "100000", "1", account="beta")
    agent = make_agent(desk, owner_gross_ratio_max="1", unknown_correlation="pass")
    said = judge(desk, agent, quantity=asked)
    assert quantity(said) == Decimal(expected)
    found = check(said, "gross.owner")
    assert (found.outcome, found.measured) == (outcome, Decimal(measured))


def test_beyond_the_gross_limit_nothing_opens_not_even_against_a_position() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.SELL, "15000", "1")
    desk.hold("GBPUSD", Side.BUY, "300000", "1", account="beta")
    said = judge(desk, make_agent(desk, owner_gross_ratio_max="1", unknown_correlation="pass"), quantity="5000")
    assert isinstance(said, m.OrderDenied)
    assert said.reason == "gross_exposure"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"currency_net_ratio_max": "1"}, "currency_net.EUR"),
        ({"owner_gross_ratio_max": "1"}, "gross.owner"),
        ({"firm_gross_ratio_max": "1"}, "gross.firm"),
    ],
)
@pytest.mark.parametrize(("asked", "expected"), [("199000", 199000), ("200000", 200000), ("400000", 200000)])
def test_a_short_keeps_every_limit_though_the_long_may_be_closed_before_it_fills(
    asked: str, expected: int, changes: dict[str, str], rule: str
) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "100000", "1")
    said = judge(desk, make_agent(desk, None, **changes), Side.SELL, asked)
    assert quantity(said) == Decimal(expected)
    assert check(said, rule).outcome == ("pass" if expected == int(asked) else "reduce")


def test_working_orders_against_a_position_count_whole() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "100000", "1", account="beta")
    work(desk, Side.SELL, "150000", symbol="GBPUSD")
    # Once the long is closed, 150,000 pounds may be sold for dollars.
    for changes in ({"currency_net_ratio_max": "1"}, {"owner_gross_ratio_max": "1"}):
        agent = make_agent(desk, None, unknown_correlation="pass", **changes)
        assert quantity(judge(desk, agent, Side.SELL, "60000")) == Decimal(50000)
        desk.portfolio.state.working.pop("order")


def test_gross_exposure_that_cannot_be_valued_is_refused() -> None:
    desk = make_desk()
    work(desk, Side.BUY, "10", symbol="SPY")
    del desk.portfolio.state.marks["SPY"]
    assert reason(judge(desk, make_agent(desk))) == "no_mark"
    assert reason(judge_order(desk, make_agent(desk), make_order("GBPUSD", Side.BUY, "1000", QUOTE))) == "no_mark"


def test_net_exposure_that_cannot_be_valued_is_refused() -> None:
    desk = make_desk()
    work(desk, Side.BUY, "1000", symbol="GBPUSD")
    del desk.portfolio.state.marks["GBPUSD"]
    said = judge(desk, make_agent(desk))
    assert reason(said) == "no_mark"
    assert rules(said)[-2:] == ["currency_net", "no_mark"]
    agent = make_agent(desk)
    del desk.portfolio.state.instruments["GBPUSD"]
    assert reason(judge(desk, agent)) == "no_mark"


def test_exposure_of_another_owner_that_cannot_be_valued_is_refused() -> None:
    desk = of_two_owners()
    work(desk, Side.BUY, "10", symbol="SPY")
    said = judge(desk, make_agent(desk))
    assert reason(said) == "no_mark"
    assert rules(said)[-2:] == ["gross", "no_mark"]


def test_equity_of_another_owner_that_cannot_be_valued_is_refused() -> None:
    desk = of_two_owners()
    desk.hold("SPY", Side.BUY, "10", "1", account="beta")
    del desk.portfolio.state.marks["SPY"]
    desk.portfolio._equity.clear()
    said = judge(desk, make_agent(desk))
    assert reason(said) == "no_equity"
    assert rules(said)[-2:] == ["gross", "no_equity"]


@pytest.mark.parametrize(("deposit", "denied"), [("100", True), ("101", False)])
def test_no_equity_together_is_refused(deposit: str, denied: bool) -> None:
    desk = Desk(make_account("alpha", deposit=deposit))
    desk.mark("EURUSD", "1")
    desk.hold("EURUSD", Side.SELL, "1000", "1")
    desk.mark("EURUSD", "1.1")
    agent = make_agent(desk)
    said = judge(desk, agent, Side.BUY, "2000")
    assert isinstance(said, m.OrderDenied) is denied
    if denied:
        assert (reason(said), said.checks[-1].measured, said.checks[-1].at_least) == ("no_equity", Decimal(0), True)


def test_no_equity_of_the_desk_is_refused() -> None:
    beta = msgspec.structs.replace(make_account("beta", deposit="100"), owner="another")
    desk = Desk(make_account("alpha"), beta)
    desk.mark("EURUSD", "1")
    desk.hold("GBPUSD", Side.SELL, "1001000", "1", account="beta")
    desk.mark("GBPUSD", "1.1")
    said = judge(desk, make_agent(desk))
    assert reason(said) == "no_equity"
    assert (said.checks[-1].measured, said.checks[-1].limit, said.checks[-1].at_least) == (Decimal(0), Decimal(0), True)


def test_money_in_other_currencies_is_converted() -> None:
    desk = Desk(make_account("alpha"), make_account("beta", currency="JPY", deposit="10000000"))
    desk.mark("EURUSD", "1")
    desk.mark("USDJPY", "100.000")
    desk.hold("USDJPY", Side.BUY, "50000", "100", account="beta")
    agent = make_agent(desk, owner_gross_ratio_max="1")
    assert quantity(judge(desk, agent, quantity="160000")) == Decimal(150000)
    order = make_order("USDJPY", Side.SELL, "210000", make_quote("100"), account="beta", order_id="jpy")
    # The other account's order of 150,000 is no longer there; the 50,000 that are held may be closed before.
    desk.portfolio.state.working.clear()
    assert quantity(judge_order(desk, agent, order)) == Decimal(200000)


def test_a_bet_is_gross_on_its_larger_side_and_along_what_adds() -> None:
    bet = Bet(held=Decimal(5), buying=Decimal(3), selling=Decimal(-20))
    assert (bet.net, bet.gross, bet.along(1), bet.along(-1)) == (Decimal(-20), Decimal(20), Decimal(8), Decimal(20))
    assert bet.plus(bet) == Bet(held=Decimal(10), buying=Decimal(6), selling=Decimal(-40))
    assert Bet(held=Decimal(-5), buying=Decimal(30), selling=Decimal(-3)).net == Decimal(30)
    assert Bet(held=Decimal(5), buying=Decimal(3), selling=Decimal(-8)).net == Decimal(8)
    assert Bet(held=Decimal(-5), buying=Decimal(8), selling=Decimal(-3)).net == Decimal(-8)
    assert Bet(buying=Decimal(3), selling=Decimal(-4)).net == Decimal(-4)
    assert Bet(buying=Decimal(4), selling=Decimal(-3)).net == Decimal(4)
    assert Bet().net == Decimal(0)
    assert Bet(held=Decimal(-5), buying=Decimal(3)).gross == Decimal(5)
    assert Bet(held=Decimal(5), buying=Decimal(3)).gross == Decimal(8)


@pytest.mark.parametrize(
    ("held", "buying", "selling", "long", "short", "gross"),
    [
        (-5, 3, 0, 3, 5, 5),
        (-5, 6, 0, 6, 5, 6),
        (-5, 0, -2, -5, 7, 7),
        (5, 0, -3, 5, 3, 5),
        (5, 0, -6, 5, 6, 6),
        (5, 2, 0, 7, -5, 7),
        (5, 0, 0, 5, -5, 5),
        (-5, 0, 0, -5, 5, 5),
        (0, 2, -3, 2, 3, 3),
    ],
)
def test_a_position_hedges_where_no_order_works_against_it(
    held: int, buying: int, selling: int, long: int, short: int, gross: int
) -> None:
    bet = Bet(held=Decimal(held), buying=Decimal(buying), selling=Decimal(selling))
    assert (bet.along(1), bet.along(-1), bet.gross) == (Decimal(long), Decimal(short), Decimal(gross))


@pytest.mark.parametrize(("asked", "expected"), [("24000", 24000), ("25000", 25000), ("26000", 25000)])
def test_gross_exposure_is_of_worth_and_adds_to_what_is_held(asked: str, expected: int) -> None:
    desk = make_desk()
    desk.mark("EURUSD", "2")
    desk.hold("EURUSD", Side.BUY, "50000", "2")
    desk.hold("GBPUSD", Side.BUY, "50000", "1", account="beta")
    agent = make_agent(desk, unknown_correlation="pass", owner_gross_ratio_max="1")
    order = make_order("EURUSD", Side.BUY, asked, make_quote("2"), stop_loss="0.5")
    said = judge_order(desk, agent, order)
    assert quantity(said) == Decimal(expected)
    assert check(said, "gross.owner").measured == (Decimal(150_000) + 2 * Decimal(asked)) / 200_000


@pytest.mark.parametrize(("asked", "expected"), [("39000", 39000), ("40000", 40000), ("41000", 40000)])
def test_net_exposure_is_of_worth(asked: str, expected: int) -> None:
    desk = make_desk()
    desk.mark("GBPUSD", "2")
    desk.hold("GBPUSD", Side.BUY, "20000", "2", account="beta")
    agent = make_agent(desk, unknown_correlation="pass", currency_net_ratio_max="0.6")
    said = judge_order(desk, agent, make_order("EURUSD", Side.BUY, asked, make_quote("2"), stop_loss="0.5"))
    assert quantity(said) == Decimal(expected)
    found = check(said, "currency_net.USD")
    assert (found.measured, found.limit, found.unit) == (
        (Decimal(40_000) + 2 * Decimal(asked)) / 200_000, Decimal("0.6"), "ratio"
    )  # fmt: skip


def test_currencies_are_netted_by_name() -> None:
    desk = make_desk()
    said = judge_order(desk, make_agent(desk), make_order("USDJPY", Side.BUY, "1000", make_quote("100")))
    assert [each.rule.split(".")[2] for each in said.checks if ".currency_net." in each.rule] == ["JPY", "USD"]


def test_a_waiting_order_on_the_other_side_makes_no_room() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "180000", "1", account="beta")
    work(desk, Side.SELL, "90000", account="alpha", name="a")
    agent = make_agent(desk, unknown_correlation="pass", owner_gross_ratio_max="1")
    assert quantity(judge(desk, agent, quantity="40000")) == Decimal(20000)


def test_worth_is_of_points_and_in_the_accounts_currency() -> None:
    index = msgspec.structs.replace(
        make_instrument("NIKKEI", "", "JPY", tick_size="1", lot_size="1"), point_value=Decimal(50)
    )
    desk = Desk(make_account("alpha", instruments=("NIKKEI",)), make_account("beta"), instruments=(*INSTRUMENTS, index))
    desk.mark("USDJPY", "100")
    desk.hold("NIKKEI", Side.BUY, "3", "20000", account="beta")
    desk.mark("NIKKEI", "19990", "20010")
    order = make_order("NIKKEI", Side.BUY, "4", make_quote("20000", "20020"), stop_loss="19000")
    said = judge_order(desk, make_agent(desk), order)
    # 3 x 10,000 USD, less 15 of unrealised loss in equity, and 4 x 10,010 at the price that the order takes.
    equity = Decimal(200_000) - 15
    for rule in ("currency_net.NIKKEI", "gross.owner", "gross.firm"):
        assert check(said, rule).measured == divide(Decimal(70_040), equity, 6)
