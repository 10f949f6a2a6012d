"""Is every strategy held to its four families of limits, and refused without them?"""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.unit.agents.compliance.court import STRICT, Court, book_with, reason
from tests.unit.agents.desk import START_NS, Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance import ComplianceConfig
from tmt.agents.compliance.config import Mode, StrategyLimits
from tmt.domain.order import Side
from tmt.domain.session import DAY_NS, NANOSECONDS_PER_SECOND
from tmt.errors import ConfigError
from tmt.sections import load_config

WIDE = StrategyLimits(
    instruments_max=9,
    order_notional_max=Decimal(10**9),
    orders_per_day_max=99,
    positions_max=9,
    venues_max=9,
)


def limited(mode: Mode = Mode.STRICT, **changes: object) -> ComplianceConfig:
    limits = msgspec.structs.replace(WIDE, **changes)
    return msgspec.structs.replace(STRICT, mode=mode, strategies={"wyckoff": limits, "manual": WIDE})


def court_of(config: ComplianceConfig) -> Court:
    other = msgspec.structs.replace(make_account("beta"), venue="elsewhere")
    return Court(book_with(), desk=Desk(make_account("alpha"), other), config=config)


@pytest.mark.parametrize(("limit", "expected"), [("1100", "approved"), ("1099.99", "strategy_order_notional")])
@pytest.mark.parametrize("mode", list(Mode))
def test_the_value_of_an_order_is_bounded(limit: str, expected: str, mode: Mode) -> None:
    answer = court_of(limited(mode, order_notional_max=Decimal(limit))).buy("1000")
    assert reason(answer) == expected
    assert isinstance(answer, m.OrderDenied | m.ComplianceApproved)
    [found] = [check for check in answer.checks if check.rule == "compliance.strategy_order_notional"]
    assert (found.measured, found.limit, found.unit) == (Decimal(1100), Decimal(limit), "USD")


def test_the_number_of_orders_a_day_is_bounded_over_all_accounts() -> None:
    court = court_of(limited(orders_per_day_max=2))
    assert reason(court.buy("1000")) == "approved"
    assert reason(court.buy("1000", account="beta")) == "approved"
    answer = court.buy("1000")
    assert reason(answer) == "strategy_orders"
    assert isinstance(answer, m.OrderDenied)
    assert (int(answer.measured), int(answer.limit), answer.unit) == (3, 2, "count")
    assert answer.detail == "the strategy would have 3 orders today"
    assert reason(court.buy("1000", strategy="manual")) == "approved"


def test_orders_count_anew_when_the_utc_day_begins() -> None:
    court = court_of(limited(orders_per_day_max=1))
    assert reason(court.buy("1000")) == "approved"
    seconds_left = (DAY_NS - START_NS % DAY_NS) // NANOSECONDS_PER_SECOND
    court.desk.pass_seconds(seconds_left - 1)
    assert reason(court.buy("1000")) == "strategy_orders"
    court.desk.pass_seconds(1)
    assert reason(court.buy("1000")) == "approved"
    assert reason(court.buy("1000")) == "strategy_orders"


def test_orders_that_are_refused_or_only_close_do_not_count_against_opening() -> None:
    court = court_of(limited(orders_per_day_max=1, order_notional_max=Decimal(1100)))
    assert reason(court.buy("2000")) == "strategy_order_notional"
    assert reason(court.buy("1000")) == "approved"


def test_closing_orders_pass_beyond_every_limit() -> None:
    court = court_of(limited(orders_per_day_max=1, order_notional_max=Decimal(1)))
    court.desk.hold("EURUSD", Side.BUY, "1000", "1.1")
    for _ in range(2):
        assert reason(court.order("EURUSD", Side.SELL, "1000", reduce_only=True)) == "approved"


@pytest.mark.parametrize(("count", "expected"), [(3, "approved"), (2, "strategy_instruments")])
def test_instruments_held_worked_and_wanted_are_counted_once(count: int, expected: str) -> None:
    court = court_of(limited(instruments_max=count))
    court.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24", account="beta")
    court.work("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24")
    court.work("SPY", Side.BUY, "1", "450", stop="449")
    court.work("BTCUSD", Side.BUY, "1", "450", stop="449", strategy="manual")
    assert reason(court.buy("1000")) == expected


@pytest.mark.parametrize(("count", "expected"), [(4, "approved"), (3, "strategy_positions")])
def test_positions_are_counted_by_account(count: int, expected: str) -> None:
    court = court_of(limited(positions_max=count))
    court.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24", account="beta")
    court.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24")
    court.work("EURUSD", Side.BUY, "1000", "1.1", stop="1.09")
    court.work("SPY", Side.BUY, "1", "450", stop="449")
    assert reason(court.buy("1000")) == expected


def test_what_other_strategies_hold_does_not_count() -> None:
    court = court_of(limited(positions_max=1))
    quote = make_quote("1.25")
    held = make_order("GBPUSD", Side.BUY, "1000", quote, order_id="theirs", stop_loss="1.24", strategy="manual")
    court.desk.fill(held, "1.25")
    assert reason(court.buy("1000")) == "approved"


@pytest.mark.parametrize(("count", "expected"), [(2, "approved"), (1, "strategy_venues")])
def test_venues_are_those_of_the_accounts_it_trades(count: int, expected: str) -> None:
    court = court_of(limited(venues_max=count))
    court.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24", account="beta")
    assert reason(court.buy("1000")) == expected


def test_one_venue_is_one_however_many_accounts_it_has() -> None:
    court = Court(book_with(), desk=Desk(make_account("alpha"), make_account("beta")), config=limited(venues_max=1))
    court.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24", account="beta")
    assert reason(court.buy("1000")) == "approved"


@pytest.mark.parametrize("mode", list(Mode))
def test_a_strategy_without_limits_is_refused(mode: Mode) -> None:
    court = court_of(limited(mode))
    assert reason(court.buy("1000", strategy="hunch")) == "no_strategy_limits"
    court.desk.hold("EURUSD", Side.BUY, "1000", "1.1")
    assert reason(court.order("EURUSD", Side.SELL, "1000", reduce_only=True, strategy="hunch")) == "approved"


@pytest.mark.parametrize("name", StrategyLimits.__struct_fields__)
def test_limits_are_positive_and_none_may_be_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=name):
        msgspec.structs.replace(WIDE, **{name: Decimal(0) if name == "order_notional_max" else 0})
    least = msgspec.structs.replace(WIDE, **{name: Decimal(1) if name == "order_notional_max" else 1})
    assert getattr(least, name) == 1
    text = Path(load_config(None).origins["compliance.mode"].source)
    shipped = Path(__file__).parents[4] / "src" / "tmt" / text
    lines = shipped.read_text("utf-8").splitlines()
    index = next(index for index, line in enumerate(lines) if line.strip().startswith(f"{name}:"))
    (tmp_path / "compliance.yml").write_text("\n".join(lines[:index] + lines[index + 1 :]))
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert any(f"'{name}' of compliance.strategies.wyckoff is missing" in text for text in caught.value.problems)
