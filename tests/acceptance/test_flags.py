"""Each flag of the environment changes what it says in a run of the desk, and nothing else.

The same day is traded twice, without the flag and with it. Everything that the desk says is compared; the first
difference must be the one that the flag is for.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.acceptance.trading_day import TradingDay, account_of, accounts, rule
from tmt import messages as m
from tmt.errors import ConfigError
from tmt.sections import FLAGS, load_config

Script = Callable[[TradingDay], None]
Told = dict[str, Any]
ALPHA = accounts(account_of("alpha", "EURUSD"))
UNTOLD = tuple(kind.__name__ for kind in m.INPUTS)


def traded(book: Path, script: Script, overrides: tuple[str, ...], environment: dict[str, str]) -> list[Told]:
    """Everything that the desk says on a day, but for the hash of its configuration."""
    day = TradingDay(book, "2026-06-03 09:00 UTC", {"EURUSD": "1.00000"}, ALPHA, *overrides, environment=environment)
    script(day)
    messages = [msgspec.json.decode(each.body) for each in day.desk.log.read() if each.type not in UNTOLD]
    day.ends()
    return [{key: value for key, value in message.items() if key != "config_hash"} for message in messages]


class Days:
    """Both days."""

    def __init__(self, folder: Path, script: Script, flag: str, value: str, *overrides: str) -> None:
        assert flag in FLAGS
        self.plain = traded(folder / "plain", script, overrides, {})
        self.flagged = traded(folder / "flagged", script, overrides, {flag: value})

    def first_difference(self) -> tuple[Told, Told]:
        """Where the two days part."""
        return next(pair for pair in zip(self.plain, self.flagged, strict=False) if pair[0] != pair[1])


def differences(first: Any, second: Any, where: str = "") -> Iterator[str]:
    """Dotted names of what differs; a rule's check is named by its rule."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            yield from differences(first.get(key), second.get(key), f"{where}.{key}".lstrip("."))
    elif where.endswith("checks"):
        by_rule = [{check["rule"]: check for check in checks} for checks in (first, second)]
        yield from differences(by_rule[0], by_rule[1], where)
    elif first != second:
        yield where


def enters(day: TradingDay) -> None:
    day.buys("180000", "EURUSD", stop="0.99000")
    day.minutes(5)


def test_without_a_flag_two_days_are_the_same(tmp_path: Path) -> None:
    assert traded(tmp_path / "one", enters, (), {}) == traded(tmp_path / "two", enters, (), {"SOMETHING_ELSE": "1"})


def test_risk_multiplier_scales_what_an_order_risks(tmp_path: Path) -> None:
    days = Days(tmp_path, enters, "RISK_MULTIPLIER", "0.5")
    plain, flagged = days.first_difference()
    assert plain["type"] == flagged["type"] == "OrderSized"
    assert (plain["order"]["quantity"], flagged["order"]["quantity"]) == ("100000", "50000")
    changed = set(differences(plain, flagged))
    assert "checks.aria.risk_multiplier.measured" in changed
    assert {each for each in changed if not each.startswith("checks.")} == {"order.quantity"}


def without_a_stop(day: TradingDay) -> None:
    day.buys("2000", "EURUSD")
    day.minutes(5)


def test_compliance_mode_lenient_lets_soft_rules_warn(tmp_path: Path) -> None:
    days = Days(tmp_path, without_a_stop, "COMPLIANCE_MODE", "lenient")
    plain, flagged = days.first_difference()
    assert (plain["type"], plain["gate"], plain["reason"]) == ("OrderDenied", "compliance", "mandatory_stop")
    assert flagged["type"] == "ComplianceApproved"
    [strict] = [check for check in plain["checks"] if check["rule"] == "compliance.mandatory_stop"]
    [lenient] = [check for check in flagged["checks"] if check["rule"] == "compliance.mandatory_stop"]
    assert lenient == {**strict, "outcome": "warn"}


def too_much(day: TradingDay) -> None:
    day.buys("100000", "EURUSD", stop="0.99000")
    day.minutes(5)


def test_compliance_mode_lenient_leaves_hard_rules_alone(tmp_path: Path) -> None:
    small = rule("default", "order_notional_max", amount_max="50000")
    days = Days(tmp_path, too_much, "COMPLIANCE_MODE", "lenient", *small)
    assert days.plain == days.flagged
    assert any(each["type"] == "OrderDenied" and each["reason"] == "order_notional_max" for each in days.plain)


LOSSES = (
    "circuit_breaker.account.consecutive_losses_max=2",
    "human_behavior.cool_down.losses_in_a_row=100",
)


def loses(day: TradingDay, times: int) -> None:
    for _ in range(times):
        price = day.prices["EURUSD"][0]
        day.released(day.buys("2000", "EURUSD", stop=str(price - Decimal("0.01000"))))
        day.moves(EURUSD=str(price - Decimal("0.00010")))
        day.closes("EURUSD")
        day.minutes(2)


def test_loose_thresholds_bear_half_as_many_losses_more(tmp_path: Path) -> None:
    def loses_three_times(day: TradingDay) -> None:
        loses(day, 3)

    days = Days(tmp_path, loses_three_times, "CIRCUIT_BREAKER_THRESHOLDS_LOOSE", "true", *LOSSES)
    plain, flagged = days.first_difference()
    assert plain["type"] == flagged["type"] == "OrderReleased", "which shows the limits"
    assert set(differences(plain, flagged)) == {
        "checks.circuit_breaker.daily_loss.limit",
        "checks.circuit_breaker.drawdown.limit",
    }
    for days_told in (days.plain, days.flagged):
        for each in days_told:
            each.pop("checks", None)
    opened, _ = days.first_difference()
    assert (opened["type"], opened["trigger"], opened["scope"]) == ("BreakerOpened", "consecutive_losses", "alpha")
    assert (opened["measured"], opened["limit"]) == ("3", "2")
    assert not any(each["type"] in ("BreakerOpened", "BreakerHalfOpened") for each in days.flagged)
    others = [each for each in days.plain if each["type"] not in ("BreakerOpened", "BreakerHalfOpened")]
    assert others == days.flagged, "but for the opening and what came of it, the days are the same"


def test_loose_thresholds_open_beyond_the_looser_limit(tmp_path: Path) -> None:
    def loses_four_times(day: TradingDay) -> None:
        loses(day, 4)

    flag = {"CIRCUIT_BREAKER_THRESHOLDS_LOOSE": "true"}
    told = traded(tmp_path / "book", loses_four_times, LOSSES, flag)
    [opened] = [each for each in told if each["type"] == "BreakerOpened"]
    assert (opened["measured"], opened["limit"]) == ("4", "3")


def test_staging_max_position_size_bounds_a_position_in_money(tmp_path: Path) -> None:
    days = Days(tmp_path, enters, "STAGING_MAX_POSITION_SIZE", "50500")
    plain, flagged = days.first_difference()
    assert plain["type"] == flagged["type"] == "OrderSized"
    assert (plain["order"]["quantity"], flagged["order"]["quantity"]) == ("100000", "50000")
    changed = set(differences(plain, flagged))
    assert "checks.aria.position_notional.limit" in changed
    assert {each for each in changed if not each.startswith("checks.")} == {"order.quantity"}
    [check] = [check for check in flagged["checks"] if check["rule"] == "aria.position_notional"]
    assert (check["measured"], check["limit"], check["outcome"]) == ("100000.000000", "50500.000000", "reduce")


@pytest.mark.parametrize(
    ("percent", "multiplier", "quantities", "measured", "limit"),
    [
        ("1.5", "2", ("180000", "150000"), "0.018000", "0.015000"),
        ("0.5", "1", ("100000", "50000"), "0.010000", "0.005000"),
    ],
)
def test_staging_risk_limit_percent_bounds_the_risk_of_an_order(
    tmp_path: Path, percent: str, multiplier: str, quantities: tuple[str, str], measured: str, limit: str
) -> None:
    days = Days(tmp_path, enters, "STAGING_RISK_LIMIT_PERCENT", percent, f"aria.risk_multiplier={multiplier}")
    plain, flagged = days.first_difference()
    assert plain["type"] == flagged["type"] == "OrderSized"
    assert (plain["order"]["quantity"], flagged["order"]["quantity"]) == quantities
    changed = set(differences(plain, flagged))
    assert {each for each in changed if not each.startswith("checks.")} == {"order.quantity"}
    [check] = [check for check in flagged["checks"] if check["rule"] == "aria.risk_per_trade"]
    assert (check["measured"], check["limit"], check["outcome"]) == (measured, limit, "reduce")


def washes(day: TradingDay) -> None:
    """Twice the same bought and sold within seconds, at one price; then a quiet hour."""
    for _ in range(2):
        day.buys("2000", "EURUSD", stop="0.99000")
        day.closes("EURUSD")
        day.seconds(20)
    day.minutes(20)


def test_detection_interval_says_how_often_surveillance_looks(tmp_path: Path) -> None:
    wide = ("compliance.surveillance.wash.window_seconds=3600",)
    days = Days(tmp_path, washes, "DETECTION_INTERVAL", "600", *wide)
    plain, _ = days.first_difference()
    assert (plain["type"], plain["detector"]) == ("ConductFlagged", "wash")
    [early], [late] = (
        [each for each in told if each["type"] == "ConductFlagged"] for told in (days.plain, days.flagged)
    )
    assert early["occurred_at_ns"] < late["occurred_at_ns"] < early["occurred_at_ns"] + 600 * 10**9
    moments = {"occurred_at_ns", "message_id", "correlation_id", "causation_id"}
    assert set(differences(early, late)) <= moments
    quiet = [[each for each in told if each["type"] != "ConductFlagged"] for told in (days.plain, days.flagged)]
    assert quiet[0] == quiet[1], "but for the moment of the finding, the days are the same"


def test_every_flag_is_tried_here() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [flag for flag in FLAGS if f'"{flag}"' not in text] == []


@pytest.mark.parametrize("flag", FLAGS)
def test_no_flag_takes_nonsense(flag: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(None, environment={flag: "nonsense"})
    assert [flag in problem for problem in refused.value.problems] == [True]
