"""What ARIA is asked to size: every field of an intent, and of the order it becomes."""

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.desk import Desk, make_quote
from tmt import messages as m
from tmt.agents.aria.intent import Intent, from_exit, from_proposal, from_signal
from tmt.domain.identity import derive_id
from tmt.domain.order import Order, OrderType, Side, TimeInForce
from tmt.market.bar import Timeframe

QUOTE = make_quote("1.1", "1.2")
FIELDS: dict[str, Any] = {
    "stop_price": Decimal("1.3"),
    "limit_price": Decimal("1.31"),
    "stop_loss_price": Decimal("1.01"),
    "take_profit_price": Decimal("1.4"),
    "trail_offset": Decimal("0.1"),
    "expire_at_ns": 99,
    "reduce_only": True,
    "post_only": True,
}


def test_a_signal_asks_for_no_quantity_and_a_bracket_at_the_market() -> None:
    desk = Desk()
    signal = desk.signal("EURUSD", Side.SELL, QUOTE, stop="1.3", target="0.9", setup="lps")
    assert from_signal(signal, "alpha", "ann") == Intent(
        order_id=derive_id(signal.message_id, "alpha"),
        account="alpha",
        instrument="EURUSD",
        side=Side.SELL,
        requested=None,
        timeframe=Timeframe.M5,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        strategy="wyckoff",
        setup="lps",
        quote=QUOTE,
        person="ann",
        stop_loss_price=Decimal("1.3"),
        take_profit_price=Decimal("0.9"),
    )


def test_an_exit_asks_to_close_at_the_market_in_the_name_of_what_opened() -> None:
    desk = Desk()
    raised = desk.make(
        m.ExitRaised,
        account="alpha",
        instrument="EURUSD",
        order_id="opened",
        rule="time",
        side=Side.SELL,
        quantity=Decimal(9),
        stop_price=None,
        quote=QUOTE,
        checks=(),
        config_hash="hash",
    )
    assert from_exit(raised, Decimal(7), "wyckoff", "lps", "ann", Timeframe.H1) == Intent(
        order_id=derive_id(raised.message_id, "alpha"),
        account="alpha",
        instrument="EURUSD",
        side=Side.SELL,
        requested=Decimal(7),
        timeframe=Timeframe.H1,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        strategy="wyckoff",
        setup="lps",
        quote=QUOTE,
        person="ann",
        reduce_only=True,
    )


@pytest.mark.parametrize("quote", [QUOTE, None])
def test_a_proposal_is_kept_to_the_letter(quote: Any) -> None:
    desk = Desk()
    fields = {**FIELDS, "order_type": OrderType.STOP_LIMIT, "time_in_force": TimeInForce.GTD, "person": "bob"}
    proposal = desk.propose("EURUSD", Side.SELL, "7", **{**fields, "strategy": "operator", "account": "beta"})
    assert from_proposal(proposal, quote, Timeframe.H1) == Intent(
        order_id=derive_id(proposal.message_id, "beta"),
        account="beta",
        instrument="EURUSD",
        side=Side.SELL,
        requested=Decimal(7),
        timeframe=Timeframe.H1,
        type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTD,
        strategy="operator",
        setup="manual",
        quote=quote,
        person="bob",
        **FIELDS,
    )


STOP_LIMIT = {**FIELDS, "type": OrderType.STOP_LIMIT, "post_only": False}
LIMIT = {**FIELDS, "type": OrderType.LIMIT, "stop_price": None}


@pytest.mark.parametrize("fields", [STOP_LIMIT, LIMIT])
def test_the_order_of_an_intent_has_its_fields(fields: dict[str, Any]) -> None:
    same: dict[str, Any] = {
        "order_id": "its",
        "account": "beta",
        "instrument": "EURUSD",
        "side": Side.SELL,
        "time_in_force": TimeInForce.GTD,
        "strategy": "operator",
        "setup": "manual",
        "person": "bob",
        **fields,
    }
    intent = Intent(requested=Decimal(7), timeframe=Timeframe.H1, quote=None, **same)
    assert intent.order(Decimal(6), QUOTE) == Order(quantity=Decimal(6), quote=QUOTE, **same)


ENTRIES: list[tuple[Side, dict[str, Any], str]] = [
    (Side.BUY, {"type": OrderType.MARKET}, "1.2"),
    (Side.SELL, {"type": OrderType.MARKET}, "1.1"),
    (Side.BUY, {"type": OrderType.LIMIT, "limit_price": Decimal("1.05")}, "1.05"),
    (Side.SELL, {"type": OrderType.LIMIT, "limit_price": Decimal("1.25")}, "1.25"),
    (Side.BUY, {"type": OrderType.STOP, "stop_price": Decimal("1.25")}, "1.25"),
    (Side.SELL, {"type": OrderType.STOP, "stop_price": Decimal("1.05")}, "1.05"),
]


def aiming(side: Side, target: Decimal, reduce_only: bool, **fields: Any) -> Intent:
    return Intent(
        order_id="its",
        account="alpha",
        instrument="EURUSD",
        side=side,
        requested=None,
        timeframe=Timeframe.H1,
        time_in_force=TimeInForce.GTC,
        strategy="manual",
        setup="manual",
        quote=None,
        person="bob",
        take_profit_price=target,
        reduce_only=reduce_only,
        **fields,
    )


@pytest.mark.parametrize(("side", "fields", "entry"), ENTRIES)
def test_a_target_lies_on_the_winning_side_of_the_entry(side: Side, fields: dict[str, Any], entry: str) -> None:
    tick = Decimal("0.00001") * side.sign
    for target in (Decimal(entry), Decimal(entry) - tick):
        refused = f"take_profit_price of a {side} at {entry} was {target}"
        with pytest.raises(ValueError, match=f"^{re.escape(refused)}$"):
            aiming(side, target, False, **fields).order(Decimal(6), QUOTE)
        assert aiming(side, target, True, **fields).order(Decimal(6), QUOTE).take_profit_price == target
    target = Decimal(entry) + tick
    assert aiming(side, target, False, **fields).order(Decimal(6), QUOTE).take_profit_price == target
