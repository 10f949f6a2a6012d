"""Every rule of ARIA in the order applied, with what it measured, its limit, its unit and what it left."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.desk import (
    NO_NEWS,
    START_NS,
    Desk,
    default_config,
    make_account,
    make_instrument,
    make_order,
    make_quote,
)
from tests.unit.agents.waterfalls import plain, shown
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState
from tmt.agents.aria.kelly import Edge
from tmt.agents.aria.returns import ReturnSeries
from tmt.agents.aria.volatility import VolatilityTrack
from tmt.domain.order import OrderType, Side, TimeInForce

EURUSD = make_instrument("EURUSD", "EUR", "USD", lot_size="1000", quantity_min="2000")
GBPUSD = make_instrument("GBPUSD", "GBP", "USD")
USDJPY = make_instrument("USDJPY", "USD", "JPY", tick_size="0.001")
SPY = make_instrument("SPY", "", "USD", tick_size="0.01", lot_size="1")
QUOTE = make_quote("1.10000", "1.10010")
PERCENT = (10_000_000, -10_000_000) * 10
ENDS = tuple(range(1, 21))
STATE = AriaState(
    volatility={"EURUSD/5m": VolatilityTrack(60, 1, 1, (*range(60, 0, -1), 45), (106, 107, 103, 104, 100))},
    returns={
        "EURUSD": ReturnSeries(START_NS, 10**12, ENDS, PERCENT),
        "GBPUSD": ReturnSeries(START_NS, 10**12, ENDS, tuple(-each // 2 for each in PERCENT)),
        "SPY": ReturnSeries(START_NS, 10**12, ENDS, (3_000_000,) * 20),
    },
    edges={"alpha/wyckoff/spring_test": Edge(10, Decimal(0), Decimal(10))},
)
SETTINGS: dict[str, Any] = {
    "risk_multiplier": "2",
    "positions_per_instrument_max": "3",
    "regime": {
        "efficiency_bars": "4", "trending_efficiency_min": "0.5", "turbulent_percentile_min": "0.95",
        "trending_factor": "1", "countertrend_factor": "0.5", "ranging_factor": "1", "turbulent_factor": "0.7",
        "unknown_factor": "1",
    },
    "kelly": {"trades_min": "10", "confidence": "0.95", "kelly_fraction": "0.25", "kelly_floor_fraction": "0.005"},
    "value_at_risk": {
        "timeframe": "1h", "returns_max": "100", "returns_min": "20", "gap_hours_max": "48", "confidence": "0.95",
        "ewma_decay": "0.94", "value_at_risk_fraction_max": "0.05",
    },
}  # fmt: skip


def make_desk() -> Desk:
    """Alpha has lost 3 % with GBPUSD and works two orders; beta, in yen, is another matter."""
    instruments = (EURUSD, GBPUSD, USDJPY, SPY)
    symbols = ("EURUSD", "GBPUSD", "USDJPY")
    desk = Desk(
        make_account("beta", deposit="900000", currency="JPY", instruments=symbols),
        make_account("alpha", instruments=symbols),
        instruments=instruments,
    )
    desk.hold("EURUSD", Side.SELL, "40000", "1.1", account="beta")
    desk.hold("GBPUSD", Side.BUY, "20000", "1.25", stop="1.09")
    desk.mark("GBPUSD", "1.1", "1.1002")
    desk.mark("EURUSD", "1.1", "1.1001")
    theirs = make_order("EURUSD", Side.SELL, "7000", QUOTE, stop_loss="1.2", account="beta", order_id="theirs")
    desk.approve(m.OrderSized, theirs)
    for symbol, side, quantity, price, stop in (
        ("SPY", Side.BUY, "10", "400", "390"), ("EURUSD", Side.BUY, "3000", "1", "0.99"),
    ):  # fmt: skip
        order = make_order(symbol, side, quantity, make_quote(price), stop_loss=stop, order_id=symbol)
        desk.approve(m.OrderSized, order)
    return desk


def make_agent(desk: Desk, **changes: Any) -> AriaAgent:
    agent = AriaAgent(default_config(AriaConfig, "aria", **{**SETTINGS, **changes}), desk.portfolio, "hash", NO_NEWS)
    agent.state = STATE
    return agent


SIGNAL = [
    ("equity", "97000", "0", "USD", "pass", "0", True),
    ("drawdown_halt", "0.03", "0.15", "fraction", "pass", "0", False),
    ("position_open", "2", "3", "count", "pass", "0", False),
    ("risk_fraction", "0.01", "0.02", "fraction", "pass", "97000", False),
    ("volatility", "0.737705", "0.8", "fraction", "reduce", "82000", False),  # x 0.85
    ("drawdown", "0.03", "0.04", "fraction", "reduce", "74000", False),  # x 0.9
    ("regime_countertrend", "0.6", "0.5", "ratio", "reduce", "37000", True),  # x 0.5
    ("risk_multiplier", "2", "1", "ratio", "warn", "74000", False),
    ("kelly", "0.00765", "0.005", "fraction", "reduce", "48000", False),
    ("risk_per_trade", "0.004948", "0.02", "fraction", "pass", "48000", False),  # 480 of 97,000
    ("portfolio_heat", "0.008351", "0.1", "fraction", "pass", "48000", False),  # and 200, 100 and 30 at other stops
    ("position_notional", "55804.8", "5000000", "USD", "pass", "48000", False),  # 3,000 work at 1
    ("instrument_exposure", "0.575307", "2", "ratio", "pass", "48000", False),
    ("base_currency_exposure", "0.575307", "3", "ratio", "pass", "48000", False),
    ("quote_currency_exposure", "0.802111", "3", "ratio", "pass", "48000", False),  # and 22,000 of GBPUSD
    ("gross_exposure", "0.843348", "5", "ratio", "pass", "48000", False),  # and 4,000 of SPY
    ("margin_level", "23.71499", "1.2", "ratio", "pass", "48000", True),  # a twentieth of that gross
    ("value_at_risk", "0.007089", "0.05", "fraction", "pass", "48000", False),
]
PROPOSAL = [
    ("equity", "97000", "0", "USD", "pass", "30500", True),
    ("drawdown_halt", "0.03", "0.15", "fraction", "pass", "30500", False),
    ("risk_fraction", "0.01", "0.02", "fraction", "pass", "48000", False),
    ("volatility_bars", "0", "60", "count", "warn", "48000", True),
    ("drawdown", "0.03", "0.04", "fraction", "reduce", "43000", False),
    ("regime_unknown", "0", "60", "count", "warn", "43000", True),
    ("risk_multiplier", "2", "1", "ratio", "warn", "87000", False),
    ("kelly_trades", "0", "10", "count", "pass", "87000", False),
    ("requested", "87000", "30500", "units", "reduce", "30500", False),
    ("risk_per_trade", "0.006289", "0.02", "fraction", "pass", "30500", False),
    ("portfolio_heat", "0.009691", "0.1", "fraction", "pass", "30500", False),
    ("position_notional", "33550", "5000000", "USD", "pass", "30500", False),
    ("instrument_exposure", "0.345876", "2", "ratio", "pass", "30500", False),
    ("base_currency_exposure", "0.345876", "3", "ratio", "pass", "30500", False),
    ("quote_currency_exposure", "0.119072", "3", "ratio", "pass", "30500", False),  # less 22,000 of GBPUSD
    ("gross_exposure", "0.613918", "5", "ratio", "pass", "30500", False),
    ("margin_level", "32.577666", "1.2", "ratio", "pass", "30500", True),
    ("value_at_risk", "0.007468", "0.05", "fraction", "pass", "30500", False),
]


def test_all_that_a_signal_meets() -> None:
    desk = make_desk()
    other, said = make_agent(desk).handle(desk.signal("EURUSD", Side.BUY, QUOTE, stop="1.0901", target="1.2"))
    assert shown(said) == SIGNAL
    assert isinstance(said, m.OrderSized)
    assert said.order.quantity == 48000
    assert shown(other) == [("no_conversion_rate", "0", "1", "count", "deny", "0", True)]


def test_all_that_a_persons_order_meets() -> None:
    desk = make_desk()
    [said] = make_agent(desk).handle(desk.propose("EURUSD", Side.SELL, "30500", stop_loss_price=Decimal("1.12")))
    assert shown(said) == PROPOSAL
    assert isinstance(said, m.OrderSized)
    assert said.order.quantity == 30000


def test_an_order_without_a_stop_has_no_risk_at_it() -> None:
    desk = make_desk()
    [said] = make_agent(desk).handle(desk.propose("EURUSD", Side.SELL, "30500"))
    assert shown(said) == PROPOSAL[:2] + PROPOSAL[11:]


@pytest.mark.parametrize(
    ("changes", "index", "quantity"),
    [
        # In lots of 1,000 EUR, each worth 1,100.1 USD and risking 10; 3,000 USD of EURUSD work already.
        ({"heat_fraction_max": "0.0063"}, 10, "28000"),  # 611.1 - 330
        ({"position_notional_max": "36003"}, 11, "30000"),
        ({"position_notional_max": "36002.9"}, 11, "29000"),
        ({"instrument_exposure_ratio_max": "0.4"}, 12, "32000"),  # 38,800
        ({"currency_exposure_ratio_max": "0.6"}, 14, "30000"),  # 58,200 - 25,000
        ({"gross_exposure_ratio_max": "0.5"}, 15, "17000"),  # 48,500 - 29,000
    ],
)
def test_a_limit_that_binds_cuts_and_all_after_it_judge_what_is_left(
    changes: dict[str, str], index: int, quantity: str
) -> None:
    desk = make_desk()
    _, said = make_agent(desk, **changes).handle(desk.signal("EURUSD", Side.BUY, QUOTE, stop="1.0901", target="1.2"))
    rows = shown(said)
    assert [row[0] for row in rows] == [row[0] for row in SIGNAL]
    name, measured, _, unit, _, _, at_least = SIGNAL[index]
    limit = plain(Decimal(next(iter(changes.values()))))
    assert rows[index] == (name, measured, limit, unit, "reduce", quantity, at_least)
    assert {row[5] for row in rows[index:]} == {quantity}
    assert [row[5] for row in rows[:index]] == [row[5] for row in SIGNAL[:index]]


def refuse(desk: Desk, **fields: Any) -> m.OrderDenied:
    """A refusal of a proposal that would pass but for `fields`."""
    proposal = {"symbol": "EURUSD", "side": Side.BUY, "quantity": "2500", **fields}
    [said] = make_agent(desk).handle(desk.propose(**proposal))
    assert isinstance(said, m.OrderDenied), said
    assert said.gate == "aria"
    assert said.quantity == Decimal(proposal["quantity"])
    assert said.detail
    return said


def missing(name: str) -> tuple[str, str, str, str, str, str, bool]:
    return (name, "0", "1", "count", "deny", "2500", True)


def off_tick(price: str) -> tuple[str, str, str, str, str, str, bool]:
    return ("price_off_tick", price, "0.00001", "price", "deny", "2500", False)


LIMIT = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
STOP = {"order_type": OrderType.STOP, "time_in_force": TimeInForce.GTC}
TRAIL = {"order_type": OrderType.TRAILING_STOP, "time_in_force": TimeInForce.GTC}


@pytest.mark.parametrize(
    ("fields", "row", "words"),
    [
        ({"account": "nobody"}, missing("unknown_account"), "nobody"),
        ({"symbol": "NONE"}, missing("unknown_instrument"), "NONE"),
        ({"symbol": "USDJPY"}, missing("no_mark"), "USDJPY"),
        (LIMIT, missing("invalid_order"), "limit"),
        ({**LIMIT, "limit_price": Decimal("1.000005")}, off_tick("1.000005"), "EURUSD go in steps of 0.00001"),
        ({**STOP, "stop_price": Decimal("1.200005")}, off_tick("1.200005"), "EURUSD"),
        ({"stop_loss_price": Decimal("1.000007")}, off_tick("1.000007"), "EURUSD"),
        ({"take_profit_price": Decimal("1.300003")}, off_tick("1.300003"), "EURUSD"),
        ({**TRAIL, "stop_price": Decimal("1.2"), "trail_offset": Decimal("0.010001")}, off_tick("0.010001"), "EURUSD"),
        ({"symbol": "GBPUSD", "account": "gamma"}, missing("instrument_not_allowed"), "gamma may not trade GBPUSD"),
        ({"account": "beta"}, missing("no_conversion_rate"), "USD to JPY"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_or_is_not_known_is_refused_at_once(
    fields: dict[str, Any], row: tuple[str, str, str, str, str, str, bool], words: str
) -> None:
    desk = make_desk()
    desk.say(m.AccountOpened, account=make_account("gamma", instruments=("EURUSD",)))
    said = refuse(desk, **fields)
    assert shown(said) == [row]
    assert said.reason == row[0]
    assert words in said.detail


def test_an_account_that_cannot_be_valued_is_refused() -> None:
    desk = make_desk()
    del desk.portfolio.state.marks["GBPUSD"]
    desk.portfolio._equity.clear()
    said = refuse(desk)
    assert shown(said) == [missing("no_equity")]
    assert "alpha" in said.detail


@pytest.mark.parametrize(
    ("price", "rule", "measured", "limit", "unit"),
    [
        ("0.24999", "equity", "-1", "0", "USD"),
        ("0.25", "equity", "0", "0", "USD"),
        ("0.25001", "drawdown_halt", "0.99999", "0.15", "fraction"),
    ],
)
def test_nothing_left_is_refused(price: str, rule: str, measured: str, limit: str, unit: str) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "80000", "1.25")
    desk.mark("GBPUSD", price)
    said = refuse(desk)
    is_equity = rule == "equity"
    assert shown(said)[-1] == (rule, measured, limit, unit, "deny", "2500", is_equity)
    assert len(said.checks) == (1 if is_equity else 2)
    assert (said.reason, "alpha" in said.detail) == ("no_equity" if is_equity else rule, True)


@pytest.mark.parametrize(
    ("side", "stop", "measured"),
    [(Side.BUY, "1.1001", "0"), (Side.BUY, "1.10011", "-0.00001"), (Side.SELL, "1.1", "0"), (Side.SELL, "1", "-0.1")],
)
def test_a_stop_that_does_not_protect_is_refused(side: Side, stop: str, measured: str) -> None:
    said = refuse(make_desk(), side=side, stop_loss_price=Decimal(stop))
    assert shown(said)[2:] == [("stop_not_protective", measured, "0", "USD", "deny", "2500", True)]
    assert stop in said.detail


def test_a_stop_a_tick_away_protects() -> None:
    desk = make_desk()
    [said] = make_agent(desk).handle(desk.propose("EURUSD", Side.BUY, "2000", stop_loss_price=Decimal("1.10009")))
    assert isinstance(said, m.OrderSized)


@pytest.mark.parametrize(
    ("held", "works_reducing", "entries", "refused"),
    [(False, False, 2, False), (True, False, 3, False), (True, True, 3, False)],
)
@pytest.mark.parametrize("most", [1, 2, 3])
def test_entries_in_an_instrument_are_counted(
    held: bool, works_reducing: bool, entries: int, refused: bool, most: int
) -> None:
    desk = make_desk()
    if held:
        desk.hold("EURUSD", Side.BUY, "1000", "1.1")
    if works_reducing:
        order = make_order("EURUSD", Side.SELL, "1000", QUOTE, order_id="out", reduce_only=True)
        desk.approve(m.OrderSized, order)
    agent = make_agent(desk, positions_per_instrument_max=str(most))
    _, said = agent.handle(desk.signal("EURUSD", Side.BUY, QUOTE, stop="1.0901", target="1.2"))
    [row] = [row for row in shown(said) if row[0] == "position_open"]
    outcome = "deny" if entries > most else "pass"
    assert row == ("position_open", str(entries), str(most), "count", outcome, "0", False)
    if outcome == "deny":
        assert isinstance(said, m.OrderDenied)
        assert (said.reason, said.quantity) == ("position_open", Decimal(0))
        assert f"alpha already holds or works {entries - 1} in EURUSD" in said.detail


def test_an_edge_that_is_none_is_refused_where_there_is_no_floor() -> None:
    desk = make_desk()
    agent = make_agent(desk, kelly={**SETTINGS["kelly"], "kelly_floor_fraction": "0"})
    _, said = agent.handle(desk.signal("EURUSD", Side.BUY, QUOTE, stop="1.0901", target="1.2"))
    assert shown(said) == [*SIGNAL[:8], ("kelly", "0.00765", "0", "fraction", "deny", "74000", False)]
    assert isinstance(said, m.OrderDenied)
    assert "10 round trips of spring_test in alpha" in said.detail


def test_the_risk_is_the_smaller_of_the_factors_and_the_edges() -> None:
    desk = make_desk()
    agent = make_agent(desk, kelly={**SETTINGS["kelly"], "kelly_floor_fraction": "0.01"})
    _, said = agent.handle(desk.signal("EURUSD", Side.BUY, QUOTE, stop="1.0901", target="1.2"))
    assert shown(said)[8] == ("kelly", "0.00765", "0.01", "fraction", "pass", "74000", False)


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ("1999", [("reduce_only", "1999", "5000", "units", "reduce", "1000", False)]),
        ("5000", [("reduce_only", "5000", "5000", "units", "pass", "5000", False)]),
        ("6000", [("reduce_only", "6000", "5000", "units", "reduce", "5000", False)]),
        ("1000", [("reduce_only", "1000", "5000", "units", "pass", "1000", False)]),
        (
            "999",
            [
                ("reduce_only", "999", "5000", "units", "reduce", "0", False),
                ("below_minimum_quantity", "999", "1000", "units", "deny", "0", True),
            ],
        ),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_closing_meets_one_rule(asked: str, rows: list[tuple[str, str, str, str, str, str, bool]], side: Side) -> None:
    desk = make_desk()
    desk.hold("EURUSD", side.opposite, "5000", "1.1")
    [said] = make_agent(desk).handle(desk.propose("EURUSD", side, asked, reduce_only=True))
    assert shown(said) == rows
    if asked == "999":
        assert isinstance(said, m.OrderDenied)
        assert "less than one lot of EURUSD" in said.detail
    else:
        assert isinstance(said, m.OrderSized)
        assert (said.order.quantity, said.order.side) == (Decimal(rows[0][5]), side)


@pytest.mark.parametrize("held", [None, Side.BUY])
def test_nothing_to_close_is_refused(held: Side | None) -> None:
    desk = make_desk()
    if held is not None:
        desk.hold("EURUSD", held, "5000", "1.1")
    said = refuse(desk, reduce_only=True)
    assert shown(said) == [("nothing_to_reduce", "2500", "0", "units", "deny", "2500", False)]
    assert said.reason == "nothing_to_reduce"
    assert "alpha holds nothing in EURUSD that a buy would close" in said.detail


@pytest.mark.parametrize(("asked", "passes"), [("1999", False), ("2000", True)])
def test_less_than_the_smallest_order_is_refused(asked: str, passes: bool) -> None:
    desk = make_desk()
    [said] = make_agent(desk).handle(desk.propose("EURUSD", Side.SELL, asked))
    if passes:
        assert isinstance(said, m.OrderSized)
        return
    assert isinstance(said, m.OrderDenied)
    assert shown(said)[-1] == ("below_minimum_quantity", "1000", "2000", "units", "deny", "1000", True)


def test_no_room_for_the_smallest_order_names_the_limit() -> None:
    desk = make_desk()
    agent = make_agent(desk, gross_exposure_ratio_max="0.32")  # 31,040 - 29,000 are 1,854 EUR of 2,000
    _, said = agent.handle(desk.signal("EURUSD", Side.BUY, QUOTE, stop="1.0901", target="1.2"))
    assert isinstance(said, m.OrderDenied)
    assert shown(said)[-1] == ("gross_exposure", "0.843348", "0.32", "ratio", "deny", "48000", False)
    assert (said.reason, said.quantity) == ("gross_exposure", Decimal(48000))
    assert "gross_exposure leaves 1000 of EURUSD" in said.detail


@pytest.mark.parametrize(
    ("take", "reason", "words"),
    [
        (lambda desk: desk.portfolio.state.instruments.pop("SPY"), "unknown_instrument", "an order works in SPY"),
        (
            lambda desk: desk.approve(m.OrderSized, make_order("USDJPY", Side.BUY, "1000", make_quote("100"))),
            "no_conversion_rate",
            "no rate from JPY for alpha",
        ),
    ],
)
def test_a_working_order_that_cannot_be_valued_refuses_the_next(
    take: Callable[[Desk], object], reason: str, words: str
) -> None:
    desk = make_desk()
    take(desk)
    said = refuse(desk)
    assert shown(said)[-1] == missing(reason)
    assert said.reason == reason
    assert words in said.detail
