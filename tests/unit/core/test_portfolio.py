"""The portfolio's figures at their edges: the day's turn, the peak, drawdown, working orders, rates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.core import samples
from tests.unit.core.desk import Desk
from tmt import messages as m
from tmt.domain.money import ZERO
from tmt.domain.order import Side

DAY_NS = 86_400 * 1_000_000_000
MIDNIGHT_NS = (samples.START_NS // DAY_NS + 1) * DAY_NS


class Book(Desk):
    """Holds 100,000 euros from 1.10 exactly, so that a mark 0.01 lower loses 1,000 of 100,000 dollars."""

    def __init__(self) -> None:
        super().__init__()
        self.working(100_000)
        self.fill(100_000, 0, price=Decimal("1.1"), fee=ZERO)

    def mark(self, bid: str, at_ns: int, symbol: str = "EURUSD") -> None:
        bar = msgspec.structs.replace(
            samples.BAR, instrument=symbol, bid=Decimal(bid), ask=Decimal(bid) + Decimal("0.001"), end_ns=at_ns
        )
        self.now_ns = at_ns
        self.say(m.BarClosed, bar=bar)

    def figures(self) -> tuple[Any, ...]:
        read = self.portfolio
        return read.equity("alpha"), read.day_start_equity("alpha"), read.peak_equity("alpha")


def test_an_account_starts_with_its_deposit() -> None:
    desk = Desk()
    read = desk.portfolio
    assert read.equity("alpha") == read.day_start_equity("alpha") == read.peak_equity("alpha") == 100_000
    assert read.daily_loss_fraction("alpha") == read.drawdown_fraction("alpha") == ZERO


def test_what_is_unknown_is_none() -> None:
    read = Desk().portfolio
    for figure in (read.equity, read.day_start_equity, read.peak_equity, read.daily_loss_fraction, read.fees):
        assert figure("nobody") is None
    assert read.drawdown_fraction("nobody") is None
    assert read.account("nobody") is None
    assert read.instrument("ZZZ") is None
    assert read.mark("EURUSD") is None
    assert read.rate("EUR", "USD") is None
    assert read.convert(Decimal(1), "EUR", "alpha") is None


def test_an_account_whose_opening_is_told_again_keeps_what_it_has() -> None:
    desk = Desk()
    opened = desk.say(m.AccountOpened, account=samples.make_account("beta"))
    desk.working(1000, account="beta")
    desk.fill(1000, 0, account="beta")
    before = msgspec.json.encode((desk.portfolio.state, desk.portfolio.ledger.snapshot()))
    desk.tell(opened)
    assert msgspec.json.encode((desk.portfolio.state, desk.portfolio.ledger.snapshot())) == before


@pytest.mark.parametrize(
    ("bid", "loss", "drawdown"),
    [
        ("1.10", "0", "0"),
        ("1.11", "0", "0"),
        ("1.09999", "0.00001", "0.00001"),
        ("1.09", "0.01", "0.01"),
        ("1.05", "0.05", "0.05"),
        ("0.10", "1", "1"),
    ],
)
def test_a_loss_is_a_fraction_of_the_days_start_and_a_profit_is_no_loss(bid: str, loss: str, drawdown: str) -> None:
    book = Book()
    book.mark(bid, book.now_ns + 1)
    assert book.portfolio.daily_loss_fraction("alpha") == Decimal(loss)
    assert book.portfolio.drawdown_fraction("alpha") == Decimal(drawdown)
    assert book.portfolio.daily_loss_fraction("alpha") is not None


def test_a_loss_beyond_everything_is_more_than_one() -> None:
    book = Book()
    book.portfolio.state.accounts["alpha"].day_start_equity = Decimal(500)
    book.mark("0.10", book.now_ns + 1)
    assert book.portfolio.equity("alpha") == ZERO
    assert book.portfolio.daily_loss_fraction("alpha") == 1


def test_a_profit_given_back_is_a_drawdown_but_no_loss_of_the_day() -> None:
    book = Book()
    book.mark("1.20", book.now_ns + 1)
    book.mark("1.10", book.now_ns + 1)
    assert book.figures() == (100_000, 100_000, 110_000)
    assert book.portfolio.daily_loss_fraction("alpha") == ZERO
    assert book.portfolio.drawdown_fraction("alpha") == Decimal("0.090909090909")


@pytest.mark.parametrize(("offset_ns", "day_start"), [(-1, 100_000), (0, 99_000), (1, 99_000)])
def test_the_day_turns_exactly_at_its_start(offset_ns: int, day_start: int) -> None:
    book = Book()
    book.mark("1.09", book.now_ns + 1)
    book.now_ns = MIDNIGHT_NS + offset_ns
    book.say(m.FeedRecovered, instrument="EURUSD")
    assert book.figures() == (99_000, day_start, 100_000)
    assert book.portfolio.daily_loss_fraction("alpha") == Decimal(100_000 - 99_000) / 100_000 * (day_start == 100_000)


def test_each_day_starts_with_what_the_last_one_left() -> None:
    book = Book()
    for day, bid in enumerate(("1.12", "1.08", "1.09")):
        book.mark(bid, MIDNIGHT_NS + day * DAY_NS + 5)
        book.now_ns = MIDNIGHT_NS + (day + 1) * DAY_NS
        book.say(m.FeedRecovered, instrument="EURUSD")
        assert book.portfolio.day_start_equity("alpha") == book.portfolio.equity("alpha")
        assert book.portfolio.daily_loss_fraction("alpha") == ZERO
    assert book.figures() == (99_000, 99_000, 102_000)


def test_a_day_that_starts_with_nothing_knows_no_loss_fraction() -> None:
    book = Book()
    book.mark("0.10", book.now_ns + 1)
    book.now_ns = MIDNIGHT_NS
    book.say(m.FeedRecovered, instrument="EURUSD")
    assert book.figures() == (ZERO, ZERO, 100_000)
    assert book.portfolio.daily_loss_fraction("alpha") is None


def test_accounts_turn_each_at_its_own_hour() -> None:
    book = Book()
    eastern = samples.make_account("beta", time_zone="Asia/Kolkata")
    book.say(m.AccountOpened, account=eastern)
    ends = {name: state.day_end_ns for name, state in book.portfolio.state.accounts.items()}
    assert ends["alpha"] == MIDNIGHT_NS
    assert ends["beta"] % DAY_NS == (18 * 60 + 30) * 60 * 1_000_000_000
    assert book.portfolio.state.next_turnover_ns == min(ends.values())


def test_a_partly_filled_order_that_is_replaced_counts_what_has_filled() -> None:
    desk = Desk()
    desk.working(1000)
    desk.fill(400, 600)
    desk.event(m.OrderReplaced, quantity=Decimal(700), limit_price=None)
    (working,) = desk.portfolio.working("alpha")
    assert working.order.quantity == 700
    assert working.remaining == 300
    desk.event(m.OrderReplaced, quantity=Decimal(500), limit_price=None)
    assert [order.remaining for order in desk.portfolio.working("alpha")] == [100]
    desk.fill(100, 0)
    assert desk.portfolio.working("alpha") == []
    assert desk.broken() == set()


def test_an_order_replaced_down_to_what_has_filled_has_nothing_left() -> None:
    desk = Desk()
    desk.working(1000)
    desk.fill(400, 600)
    desk.event(m.OrderReplaced, quantity=Decimal(400), limit_price=None)
    assert [order.remaining for order in desk.portfolio.working("alpha")] == [ZERO]


@pytest.mark.parametrize("kind", [m.OrderCancelled, m.OrderExpired, m.OrderRejected])
def test_an_order_that_ended_works_no_longer(kind: type[m.Message]) -> None:
    desk = Desk()
    desk.working(1000)
    desk.event(kind)
    assert desk.portfolio.working("alpha") == []


def test_a_denied_order_works_no_longer_and_a_sized_one_does() -> None:
    desk = Desk()
    sized = desk.approve(samples.make_order(), (m.OrderSized,))
    assert [order.remaining for order in desk.portfolio.working("alpha")] == [1000]
    desk.say(m.OrderDenied, sized, **samples.DENIED)
    assert desk.portfolio.working("alpha") == []


def test_a_stop_protects_until_the_position_is_flat() -> None:
    desk = Desk()
    desk.working(1000)
    desk.fill(400, 600)
    desk.fill(600, 0)
    assert desk.portfolio.protective_stop("alpha", "EURUSD") == Decimal("1.09")
    desk.working(1000, "order-2", "another", side=Side.SELL, stop_loss_price=None)
    desk.fill(1000, 0, "another", side=Side.SELL, role="close")
    assert desk.portfolio.protective_stop("alpha", "EURUSD") is None
    trip = desk.portfolio.closed_trip("alpha", "EURUSD")
    assert trip is not None
    assert trip.quantity == 1000
    assert trip.risk_amount == Decimal("10.02")


def test_rates_are_direct_inverted_or_by_one_step() -> None:
    desk = Desk()
    names = (samples.EURUSD, samples.USDJPY, samples.EURGBP)
    fields = {**samples.FIELDS[m.SessionStarted], "instruments": names}
    desk.say(m.SessionStarted, **fields)
    for instrument, bid, ask in zip(names, ("1.09", "99", "0.7"), ("1.11", "101", "0.9"), strict=True):
        bar = msgspec.structs.replace(samples.BAR, instrument=instrument.symbol, bid=Decimal(bid), ask=Decimal(ask))
        desk.say(m.BarClosed, bar=bar)
    rate = desk.portfolio.rate
    assert rate("USD", "USD") == 1
    assert rate("EUR", "USD") == Decimal("1.1")
    assert rate("JPY", "USD") == Decimal("0.01")
    assert rate("EUR", "JPY") == 110
    assert rate("USD", "EUR") == Decimal("0.909090909091")
    assert rate("GBP", "EUR") == Decimal("1.25")
    assert rate("USD", "CHF") is None
    assert desk.portfolio.convert(Decimal(-250), "JPY", "alpha") == Decimal("-2.5")
