"""What an order does to the owner's book: hedges pass, contributions, bets and clusters are kept, to the lot."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.anti_correlation.judging import Said, check, judge, quantity, reason, rules
from tests.unit.agents.anti_correlation.moves import (
    X,
    Y,
    Z,
    config_with,
    correlated,
    independent,
    make_agent,
    make_desk,
    mixed,
    row,
)
from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationState
from tmt.agents.anti_correlation.bets import Bet
from tmt.agents.anti_correlation.case import Case, open_case
from tmt.agents.anti_correlation.clusters import cluster_of
from tmt.agents.anti_correlation.correlation_rules import judge_correlations
from tmt.agents.anti_correlation.covariance import comove
from tmt.agents.anti_correlation.order_risk import OrderRisk, effective_bets, largest, measure_order, measure_risks
from tmt.agents.anti_correlation.risk_rules import judge_cluster
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.money import divide
from tmt.domain.order import Side

BOOK = {"book_instruments_min": "3", "risk_contribution_max": "1", "effective_bets_min": "1"}


def book(gbp: str = "60000", spy: str = "80000", **changes: Any) -> tuple[Desk, Any]:
    """Independent risks of 0.003 and 0.004 of equity, together 0.005; 1,000 EURUSD are a risk of 0.00005."""
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, gbp, "1", account="beta")
    desk.hold("SPY", Side.SELL, spy, "1")
    return desk, make_agent(desk, independent(), **{**BOOK, **changes})


def told(said: Said, rule: str) -> tuple[str, Decimal, Decimal]:
    found = check(said, rule)
    return found.outcome, found.measured, found.limit


@pytest.mark.parametrize(
    ("limit", "asked", "expected", "outcome"),
    [
        ("0.5", "99000", 99000, "pass"), ("0.5", "100000", 100000, "pass"), ("0.5", "101000", 100000, "reduce"),
        ("0.8", "200000", 200000, "pass"), ("0.8", "400000", 200000, "reduce"),
    ],
)  # fmt: skip
def test_an_instrument_has_its_share_of_the_risk_at_most(limit: str, asked: str, expected: int, outcome: str) -> None:
    desk, agent = book(risk_contribution_max=limit)
    said = judge(desk, agent, quantity=asked)
    assert quantity(said) == Decimal(expected)
    risk = Decimal(asked) / 20_000_000
    share = divide(risk * risk, risk * risk + Decimal("0.000025"), 6)
    assert told(said, "risk_contribution") == (outcome, share, Decimal(limit))


def test_no_room_for_more_of_the_risk_is_a_denial() -> None:
    desk, agent = book(risk_contribution_max="0.3")
    desk.hold("EURUSD", Side.BUY, "100000", "1", account="beta")
    assert reason(judge(desk, agent, quantity="1000")) == "risk_contribution"
    # Against what is held it lowers the risk.
    assert rules(judge(desk, agent, Side.SELL, "100000"))[-1] != "risk_contribution"


@pytest.mark.parametrize(("instruments", "judged"), [("3", True), ("4", False)])
def test_a_small_book_has_no_shares_and_no_bets(instruments: str, judged: bool) -> None:
    desk, agent = book(book_instruments_min=instruments)
    found = rules(judge(desk, agent))
    assert ("risk_contribution" in found, "effective_bets" in found) == (judged, judged)


@pytest.mark.parametrize(
    ("asked", "expected", "outcome"),
    [("479000", 479000, "pass"), ("480000", 480000, "pass"), ("481000", 480000, "reduce")],
)
def test_the_book_keeps_its_number_of_bets(asked: str, expected: int, outcome: str) -> None:
    desk, agent = book(effective_bets_min="1.599")
    said = judge(desk, agent, quantity=asked)
    assert quantity(said) == Decimal(expected)
    found = check(said, "effective_bets")
    assert (found.outcome, found.limit, found.at_least) == (outcome, Decimal("1.599"), True)
    if asked == "480000":
        assert found.measured == Decimal("1.599")


def test_an_order_that_adds_bets_passes_below_the_floor_with_a_word() -> None:
    desk, agent = book(effective_bets_min="3")
    said = judge(desk, agent, quantity="100000")
    assert quantity(said) == Decimal(100000)
    assert told(said, "effective_bets") == ("warn", Decimal("2.88"), Decimal(3))


@pytest.mark.parametrize(
    ("asked", "expected", "outcome"),
    [("319000", 319000, "warn"), ("320000", 320000, "warn"), ("321000", 320000, "reduce")],
)
def test_below_the_floor_the_number_of_bets_before_is_the_limit(asked: str, expected: int, outcome: str) -> None:
    desk, agent = book("80000", "80000", effective_bets_min="2.5")
    said = judge(desk, agent, quantity=asked)
    assert quantity(said) == Decimal(expected)
    found = check(said, "effective_bets")
    assert (found.outcome, found.limit, found.at_least) == (outcome, Decimal("2.5"), True)
    assert (found.measured == 2) is (asked == "320000")


def test_an_order_that_takes_bets_below_the_floor_is_refused() -> None:
    desk, agent = book(effective_bets_min="3")
    desk.hold("EURUSD", Side.BUY, "240000", "1", account="beta")
    assert reason(judge(desk, agent, quantity="1000")) == "effective_bets"


def test_three_equal_and_independent_bets_are_three() -> None:
    desk, agent = book("80000", "80000", effective_bets_min="3")
    said = judge(desk, agent, quantity="80000")
    assert told(said, "effective_bets") == ("pass", Decimal(3), Decimal(3))


def test_what_lowers_the_risk_of_the_book_is_said_and_not_cut() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "100000", "1", account="beta")
    agent = make_agent(
        desk, correlated("1", 0.01), **{**BOOK, "book_instruments_min": "2"}, cluster_risk_fraction_max="0.0001"
    )
    said = judge(desk, agent, quantity="40000")
    assert quantity(said) == Decimal(40000)
    assert told(said, "lowers_risk") == ("pass", Decimal("0.003"), Decimal("0.005"))
    assert told(said, "correlation.GBPUSD") == ("pass", Decimal(-1), Decimal("0.5"))
    assert not {"risk_contribution", "effective_bets", "cluster"} & set(rules(said))


@pytest.mark.parametrize(("asked", "hedges"), [("199000", True), ("200000", True), ("201000", False)])
def test_a_hedge_is_one_up_to_the_risk_there_was(asked: str, hedges: bool) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "100000", "1", account="beta")
    agent = make_agent(desk, correlated("1", 0.01))
    assert ("lowers_risk" in rules(judge(desk, agent, quantity=asked))) is hedges


@pytest.mark.parametrize(("held", "hedges"), [("0", False), ("10000", False), ("25000", True)])
def test_what_only_works_is_hedged_by_nothing(held: str, hedges: bool) -> None:
    desk = make_desk()
    if held != "0":
        desk.hold("GBPUSD", Side.SELL, held, "1", account="beta")
    order = make_order("GBPUSD", Side.SELL, "100000", make_quote("1"), account="beta", order_id="w", stop_loss="1.5")
    desk.approve(m.OrderSized, order)
    agent = make_agent(desk, correlated("1", 0.01))
    # An order of 50,000 leaves no more risk than there was where at least 25,000 of its opposite are held.
    assert ("lowers_risk" in rules(judge(desk, agent, quantity="50000"))) is hedges


@pytest.mark.parametrize("worked", list(Side))
def test_a_position_is_doubled_whatever_works_against_it(worked: Side) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "50000", "1", account="beta")
    order = make_order("GBPUSD", worked, "50000", make_quote("1"), account="beta", order_id="w", stop_loss="0.5")
    desk.approve(m.OrderSized, order)
    assert reason(judge(desk, make_agent(desk, correlated("1", 0.01)), quantity="1000")) == "correlation"


def test_a_hedge_of_the_book_that_doubles_a_part_of_it_is_told_and_kept() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.SELL, "150000", "1", account="beta")
    desk.hold("GBPUSD", Side.BUY, "5000", "1", account="beta")
    rows = {"EURUSD": row(X, 0.01), "GBPUSD": row(X, 0.01), "SPY": row(X, 0.01)}
    said = judge(desk, make_agent(desk, AntiCorrelationState(series=rows)), quantity="50000")
    assert quantity(said) == Decimal(50000)
    assert told(said, "correlation.GBPUSD") == ("warn", Decimal(1), Decimal("0.5"))


def test_a_hedge_is_bound_by_what_is_counted() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "100000", "1", account="beta")
    said = judge(desk, make_agent(desk, correlated("1", 0.01), owner_gross_ratio_max="0.7"), quantity="50000")
    assert quantity(said) == Decimal(40000)
    assert "lowers_risk" in rules(said)


def test_beyond_what_hedges_the_share_decides() -> None:
    desk, agent = book(risk_contribution_max="0.5")
    desk.hold("EURUSD", Side.SELL, "60000", "1", account="beta")
    # 60,000 offset the short in the other account; then 100,000 are half of the risk.
    assert quantity(judge(desk, agent, quantity="500000")) == Decimal(160000)


@pytest.mark.parametrize("limit", [{"risk_contribution_max": "0.8"}, {"effective_bets_min": "2.312"}])
@pytest.mark.parametrize(("asked", "expected"), [("99000", 99000), ("100000", 100000), ("101000", 100000)])
def test_a_position_of_its_account_against_an_order_makes_no_room_in_any_share(
    asked: str, expected: int, limit: dict[str, str]
) -> None:
    desk, agent = book(**limit)
    desk.hold("EURUSD", Side.BUY, "100000", "1", account="beta")
    desk.hold("EURUSD", Side.SELL, "60000", "1")
    # The risk of 0.005 in the other account may become 0.01: 0.0001 of 0.000125, and 0.017^2 / 0.000125 bets.
    assert quantity(judge(desk, agent, quantity=asked)) == Decimal(expected)


@pytest.mark.parametrize("limit", [{"risk_contribution_max": "0"}, {"effective_bets_min": "3"}])
def test_an_order_against_a_position_of_its_account_is_refused_where_no_room_is(limit: dict[str, str]) -> None:
    desk, agent = book(**limit)
    desk.hold("EURUSD", Side.BUY, "200000", "1", account="beta")
    desk.hold("EURUSD", Side.SELL, "60000", "1")
    assert reason(judge(desk, agent, quantity="60000")) == next(iter(limit)).rpartition("_")[0]


@pytest.mark.parametrize(("asked", "expected"), [("39000", 39000), ("40000", 40000), ("41000", 40000)])
def test_a_position_of_its_account_against_an_order_makes_no_room_in_a_cluster(asked: str, expected: int) -> None:
    desk, agent = clustered("40000", Side.BUY, "0.65")
    desk.hold("EURUSD", Side.SELL, "20000", "1")
    desk.hold("EURUSD", Side.BUY, "20000", "1", account="beta")
    # 0.002 and 0.001 of 0.005 are used.
    assert quantity(judge(desk, agent, quantity=asked)) == Decimal(expected)


@pytest.mark.parametrize(("account", "hedges"), [("alpha", False), ("beta", True)])
def test_an_order_hedges_a_position_of_another_account_and_never_of_its_own(account: str, hedges: bool) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.SELL, "100000", "1")
    said = judge(desk, make_agent(desk, correlated("1", 0.01)), quantity="50000", account=account)
    assert ("lowers_risk" in rules(said)) is hedges
    if hedges:
        assert told(said, "lowers_risk") == ("pass", Decimal("0.0025"), Decimal("0.005"))


def test_up_to_flat_nothing_is_a_share() -> None:
    desk, agent = book(risk_contribution_max="0", effective_bets_min="3")
    desk.hold("EURUSD", Side.SELL, "60000", "1", account="beta")
    # 60,000 make the owner flat, as many again are the risk there was.
    assert quantity(judge(desk, agent, quantity="200000")) == Decimal(120000)


def test_risk_that_is_not_known_is_told_where_something_is_held() -> None:
    desk = make_desk()
    assert "risk_unknown" not in rules(judge(desk, make_agent(desk)))
    desk.hold("SPY", Side.BUY, "1000", "1", account="beta")
    known = make_agent(desk, AntiCorrelationState(series={"EURUSD": row(X[:29])}))
    found = check(judge(desk, known, order_id="second"), "risk_unknown")
    assert (found.outcome, found.measured, found.limit, found.at_least) == ("warn", Decimal(29), Decimal(30), True)
    assert check(judge(desk, make_agent(desk), order_id="third"), "risk_unknown").measured == 0


@pytest.mark.parametrize(("followed", "measured"), [("EURUSD", 40), ("SPY", 0)])
def test_risk_is_not_known_while_one_instrument_is_not(followed: str, measured: int) -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "1000", "1", account="beta")
    agent = make_agent(desk, AntiCorrelationState(series={followed: row(X)}))
    assert check(judge(desk, agent), "risk_unknown").measured == measured


def test_risk_without_common_bars_is_not_known() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "1000", "1")
    later = msgspec.structs.replace(row(Z), end_ns=tuple(range(50, 90)))
    agent = make_agent(desk, AntiCorrelationState(series={"EURUSD": row(X), "SPY": later}))
    assert check(judge(desk, agent), "risk_unknown").measured == 40


def clustered(held: str, side: Side, coefficient: str, *, limit: str = "0.005", **changes: Any) -> tuple[Desk, Any]:
    desk = make_desk()
    desk.hold("GBPUSD", side, held, "1", account="beta")
    return desk, make_agent(desk, correlated(coefficient, 0.01), cluster_risk_fraction_max=limit, **changes)


@pytest.mark.parametrize(
    ("side", "coefficient", "room"),
    [(Side.BUY, "0.65", 60), (Side.BUY, "0.6", 60), (Side.SELL, "0.65", 140), (Side.SELL, "-0.65", 60)],
)
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_cluster_keeps_its_risk(side: Side, coefficient: str, room: int, step: int) -> None:
    desk, agent = clustered("40000", side, coefficient)
    said = judge(desk, agent, quantity=str((room + step) * 1000))
    assert quantity(said) == Decimal(min(room, room + step) * 1000)
    measured = Decimal("0.005") + step * Decimal("0.00005")
    assert told(said, "cluster.EURUSD+GBPUSD") == ("reduce" if step > 0 else "pass", measured, Decimal("0.005"))


def test_what_moves_too_little_together_is_no_cluster() -> None:
    desk, agent = clustered("40000", Side.BUY, "0.5999")
    assert "cluster" not in rules(judge(desk, agent, quantity="400000"))


def test_one_instrument_alone_is_no_cluster() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "40000", "1", account="beta")
    agent = make_agent(desk, correlated("1"), cluster_risk_fraction_max="0.0001")
    assert "cluster" not in rules(judge(desk, agent))


def test_no_room_in_a_cluster_is_a_denial() -> None:
    desk, agent = clustered("100000", Side.BUY, "0.65")
    assert reason(judge(desk, agent, quantity="1000")) == "cluster"


def test_in_a_cluster_working_orders_count_where_they_add_and_never_make_room() -> None:
    desk, agent = clustered("40000", Side.BUY, "0.65")
    for side, units, name in ((Side.BUY, "20000", "a"), (Side.SELL, "90000", "b")):
        order = make_order("GBPUSD", side, units, make_quote("1"), account="beta", order_id=name, stop_loss="0.5")
        desk.approve(m.OrderSized, order)
    assert quantity(judge(desk, agent, quantity="60000")) == Decimal(40000)


def test_a_cluster_is_what_is_connected_and_each_member_goes_its_way() -> None:
    middle = tuple((x - y) / 2**0.5 for x, y in zip(X, Y, strict=True))
    series = {"A": row(X), "B": row(middle), "C": row(Y), "D": row(Z), "E": row(tuple(-x for x in X))}
    config = config_with(cluster_correlation_min="0.6")
    assert cluster_of(series, "A", ("B", "C", "D", "E"), config) == {"A": 1, "B": 1, "C": -1, "E": -1}
    assert cluster_of(series, "C", ("A", "B", "C", "D", "E"), config) == {"C": 1, "B": -1, "A": -1, "E": 1}
    assert cluster_of(series, "A", ("C", "D"), config) == {"A": 1}
    assert cluster_of(series, "D", ("A", "B", "C", "E"), config) == {"D": 1}
    assert cluster_of({}, "D", ("A",), config) == {"D": 1}


def opened(desk: Desk, symbol: str = "EURUSD", side: Side = Side.BUY, price: str = "1") -> tuple[Waterfall, Case]:
    order = make_order(symbol, side, "1000", make_quote(price))
    waterfall = Waterfall("anti_correlation", order.quantity)
    case = open_case(waterfall, order, desk.portfolio.accounts[0], desk.portfolio)
    assert isinstance(case, Case)
    return waterfall, case


def refusal(reason: str, detail: str) -> Deny:
    """What a gate says of an order of 1,000 while something is not known."""
    return Waterfall("anti_correlation", Decimal(1000)).denies_missing(reason, detail)


def test_a_member_of_a_cluster_that_cannot_be_valued_is_refused() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="beta")
    waterfall, case = opened(desk)
    del desk.portfolio.state.marks["GBPUSD"]
    deny = judge_cluster(correlated("0.65"), waterfall, case, desk.portfolio, config_with())
    assert deny == refusal("no_mark", "the risk of GBPUSD cannot be valued")


@pytest.mark.parametrize("coefficient", ["0.65", None])
def test_what_is_held_and_unknown_is_refused(coefficient: str | None) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="beta")
    waterfall, case = opened(desk)
    del desk.portfolio.state.instruments["GBPUSD"]
    state = AntiCorrelationState() if coefficient is None else correlated(coefficient)
    deny = judge_correlations(state, waterfall, case, desk.portfolio, config_with(), hedges=False)
    assert deny == refusal("unknown_instrument", "GBPUSD is held and unknown")


def test_a_rate_too_small_to_be_told_from_nothing_is_none() -> None:
    desk = make_desk()
    desk.mark("USDJPY", "10000000000000")
    assert desk.portfolio.rate("JPY", "USD") == 0
    assert reason(judge(desk, make_agent(desk), symbol="USDJPY", quantity="1000")) == "no_conversion_rate"


def test_what_never_moved_adds_no_risk() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "1000", "1", account="beta")
    rows = {"EURUSD": row((0.0,) * 40), "SPY": row(Z)}
    said = judge(desk, make_agent(desk, AntiCorrelationState(series=rows), **{**BOOK, "book_instruments_min": "2"}))
    assert told(said, "lowers_risk")[1:] == (Decimal("0.005"), Decimal("0.005"))


@pytest.mark.parametrize("side", Side)
def test_an_order_is_measured_against_all_that_is_held(side: Side) -> None:
    desk = Desk(make_account("alpha", deposit="105000"), make_account("beta", deposit="105000"))
    for symbol, held, units in (
        ("EURUSD", Side.BUY, "63000"),
        ("GBPUSD", Side.BUY, "21000"),
        ("SPY", Side.SELL, "84000"),
    ):
        desk.mark(symbol, "1")
        desk.hold(symbol, held, units, "1", account="beta")
    series = {"EURUSD": row(X, 0.01), "GBPUSD": row(mixed(0.6), 0.01), "SPY": row(mixed(-0.4), 0.01)}
    _, case = opened(desk, "GBPUSD", side, "1.3")
    together = comove(series, ("EURUSD", "GBPUSD", "SPY"), config_with())
    assert together is not None
    with_pound, others, with_shares = together.coefficients
    assert len({with_pound, others, with_shares, Decimal(0)}) == 4
    euro, shares = Decimal("0.003"), Decimal("-0.004")
    found = measure_order(AntiCorrelationState(series=series), case, desk.portfolio, config_with())
    assert found == OrderRisk(
        start=side.sign * Decimal("0.001"),
        unit=Decimal("0.000000061904761905"),  # 1.3 x 0.01 of 210,000
        covariance=side.sign * (euro * with_pound + shares * with_shares),
        others_variance=euro * euro + shares * shares + 2 * euro * shares * others,
        others_total=Decimal("0.007"),
        others_count=2,
    )


def test_each_open_net_has_its_risk() -> None:
    desk = make_desk()
    flat, long = Bet(), Bet(held=Decimal(30000), buying=Decimal(10000), selling=Decimal(-30000))
    bets = {"EURUSD": flat, "GBPUSD": long, "SPY": Bet(selling=Decimal(-2000))}

    def risks(state: AntiCorrelationState) -> dict[str, Decimal] | None:
        return measure_risks(state, bets, desk.portfolio, config_with(), Decimal(200_000), "USD")

    assert risks(independent()) == {"GBPUSD": Decimal("0.002"), "SPY": Decimal("-0.0001")}
    for symbol in ("GBPUSD", "SPY"):
        assert risks(AntiCorrelationState(series={symbol: row(X)})) is None


RISK = OrderRisk(
    start=Decimal("-0.001"),
    unit=Decimal("0.00000005"),
    covariance=Decimal("-0.003"),
    others_variance=Decimal("0.000025"),
    others_total=Decimal("0.007"),
    others_count=2,
)


def test_the_book_as_a_function_of_the_order() -> None:
    assert RISK.after(Decimal(60000)) == Decimal("0.002")
    assert RISK.variance(Decimal("0.002")) == Decimal("0.000017")
    assert RISK.variance(Decimal("-0.001")) == Decimal("0.000032")
    assert RISK.deviation(Decimal("0.006")) == Decimal("0.005")
    assert RISK.contribution(Decimal("0.002")) == Decimal("-0.117647058824")
    assert RISK.contribution(Decimal(0)) == 0
    assert RISK.bets(Decimal("0.01")) == 3
    assert RISK.bets(Decimal(0)) == Decimal("1.96")
    assert RISK.bets(Decimal("-0.01")) == Decimal("1.5622")


def test_a_variance_is_never_negative_and_without_one_every_position_is_a_bet() -> None:
    hedged = risk_with(covariance=Decimal("-0.1"))
    assert hedged.variance(Decimal("0.1")) == 0
    assert hedged.contribution(Decimal("0.1")) == 0
    assert hedged.bets(Decimal("0.1")) == 3
    assert effective_bets(Decimal(1), Decimal(0), 4) == 4


def risk_with(**changes: Decimal) -> OrderRisk:
    fields = {name: getattr(RISK, name) for name in OrderRisk.__dataclass_fields__}
    return OrderRisk(**{**fields, **changes})


@pytest.mark.parametrize(
    ("lots", "holds", "expected"), [(9, 5, 5), (9, 9, 9), (9, 20, 9), (9, 0, 0), (0, 5, 0), (1, 1, 1)]
)
def test_the_largest_number_of_lots_is_found(lots: int, holds: int, expected: int) -> None:
    asked: list[int] = []

    def so(count: int) -> bool:
        asked.append(count)
        return count <= holds

    assert largest(lots, so) == expected
    assert all(1 <= count <= lots for count in asked)


def test_risk_is_of_the_order_owner_alone() -> None:
    another = msgspec.structs.replace(make_account("beta"), owner="another")
    desk = Desk(make_account("alpha"), another)
    for symbol in ("EURUSD", "GBPUSD", "SPY"):
        desk.mark(symbol, "1")
    desk.hold("GBPUSD", Side.BUY, "60000", "1", account="beta")
    desk.hold("SPY", Side.BUY, "60000", "1", account="beta")
    agent = make_agent(desk, independent(), **{**BOOK, "risk_contribution_max": "0.1"})
    assert quantity(judge(desk, agent)) == Decimal(100000)
    assert quantity(judge(desk, agent, account="beta", order_id="b")) < Decimal(100000)
