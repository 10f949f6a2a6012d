"""Positions by first in, first out; a ledger that only takes what sums to zero, once."""

from decimal import Decimal

import pytest

from tests.unit.core.samples import EURUSD, INDEX
from tmt.domain.ledger import Ledger, Posting, Transaction, deposit, settle_fill
from tmt.domain.order import LEGAL_TRANSITIONS, TERMINAL_STATES, OrderState, Side
from tmt.domain.position import OpenLot, Position, apply_fill

FLAT = Position(account="alpha", instrument="EURUSD")


def after(*fills: tuple[Side, int, str]) -> tuple[Position, Decimal]:
    position, total = FLAT, Decimal(0)
    for side, quantity, price in fills:
        position, realised = apply_fill(position, side, Decimal(quantity), Decimal(price), Decimal(2))
        total += realised
    return position, total


def test_the_oldest_lot_is_closed_first() -> None:
    position, realised = after((Side.BUY, 3, "10"), (Side.BUY, 2, "20"), (Side.SELL, 4, "30"))
    assert position.lots == (OpenLot(Decimal(1), Decimal(20)),)
    assert realised == (3 * 20 + 1 * 10) * 2


@pytest.mark.parametrize(
    ("sold", "quantity", "realised"), [(4, 1, 8), (5, 0, 10), (6, -1, 10)], ids=["part", "flat", "reversal"]
)
def test_a_fill_closes_to_flat_exactly_and_beyond_it_opens_the_other_way(
    sold: int, quantity: int, realised: int
) -> None:
    position, profit = after((Side.BUY, 5, "10"), (Side.SELL, sold, "11"))
    assert position.quantity == quantity
    assert profit == realised
    assert (position.lots == ()) == (quantity == 0)
    assert position.average_price == {1: 10, 0: None, -1: 11}[quantity]


def test_a_short_gains_when_the_price_falls() -> None:
    position, realised = after((Side.SELL, 5, "10"), (Side.BUY, 2, "9"))
    assert position.quantity == -3
    assert realised == 4
    assert position.unrealised(Decimal("9.5"), Decimal(2)) == 3


@pytest.mark.parametrize("off", ["0.00000001", "-0.00000001"])
def test_a_transaction_that_does_not_sum_to_zero_is_refused(off: str) -> None:
    legs = (Posting("a", "USD", Decimal(1)), Posting("b", "USD", Decimal(-1) + Decimal(off)))
    with pytest.raises(ValueError, match="must sum to 0"):
        Transaction(transaction_id="t", postings=legs)


def test_units_do_not_make_up_for_one_another() -> None:
    with pytest.raises(ValueError, match="must sum to 0"):
        Transaction(transaction_id="t", postings=(Posting("a", "USD", Decimal(1)), Posting("b", "EUR", Decimal(-1))))


def test_a_transaction_posts_once() -> None:
    ledger = Ledger()
    assert ledger.post(deposit("alpha", "USD", Decimal(5), "d")) is True
    saved = ledger.snapshot()
    assert ledger.post(deposit("alpha", "USD", Decimal(7), "d")) is False
    assert ledger.snapshot() == saved
    assert ledger.balance("alpha/cash", "USD") == 5


def test_the_hash_tells_every_history_apart() -> None:
    hashes = set()
    for amounts in ((5,), (5, 7), (7, 5), (12,)):
        ledger = Ledger()
        for number, amount in enumerate(amounts):
            ledger.post(deposit("alpha", "USD", Decimal(amount), f"d{number}"))
        hashes.add(ledger.hash)
    assert len(hashes) == 4


def test_a_fill_moves_units_one_way_and_money_with_its_point_value_the_other() -> None:
    ledger = Ledger()
    fill = settle_fill(
        account="alpha",
        instrument=INDEX,
        side=Side.SELL,
        quantity=Decimal(2),
        price=Decimal("100.5"),
        fee=Decimal("1.25"),
        fee_currency="USD",
        fill_id="f",
    )
    ledger.post(fill)
    assert ledger.balance("alpha/units", "DAX") == -2
    assert ledger.balance("alpha/cash", "EUR") == Decimal(5025)
    assert ledger.balance("alpha/fees", "USD") == Decimal("-1.25")
    assert ledger.balance("venue/fees", "USD") == Decimal("1.25")


def test_prices_and_quantities_lie_on_their_grids_or_are_refused() -> None:
    assert EURUSD.quanta_of(Decimal("1.10002")) == 110_002
    assert EURUSD.price_of(110_002) == Decimal("1.10002")
    with pytest.raises(ValueError, match="not a multiple"):
        EURUSD.quanta_of(Decimal("1.100025"))
    with pytest.raises(ValueError, match="not a multiple"):
        EURUSD.lots_of(Decimal("0.5"))
    assert INDEX.notional(Decimal(-2), Decimal("100.5")) == Decimal(5025)


def test_every_state_has_its_followers_and_ends_are_ends() -> None:
    assert {*LEGAL_TRANSITIONS} == {*OrderState}
    ends = {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
    assert ends == TERMINAL_STATES
    reachable = {OrderState.RELEASED}
    while more := {after for state in reachable for after in LEGAL_TRANSITIONS[state]} - reachable:
        reachable |= more
    assert reachable == {*OrderState}
