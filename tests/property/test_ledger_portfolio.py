"""Whatever fills come, the books balance to the last digit, and equity is what a few lines of brute force say it is."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.core import samples
from tmt import messages as m
from tmt.domain.ledger import LedgerSnapshot
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.order import Quote, Side
from tmt.projections.portfolio import Portfolio
from tmt.projections.portfolio_state import PortfolioState
from tmt.watch import Watch

INSTRUMENTS = (samples.EURUSD, samples.USDJPY, samples.EURGBP, samples.BTCUSD, samples.INDEX)
ACCOUNTS = (samples.make_account("alpha"), samples.make_account("beta", currency="EUR", deposit=Decimal("0.01")))
START_NS = samples.START_NS


class Deal(NamedTuple):
    """One fill of a random instrument. `again` names an earlier fill whose id it repeats, or None."""

    account: int
    instrument: int
    side: Side
    lots: int
    quanta: int
    spread: int
    fee: Decimal
    fee_currency: str
    again: int | None = None


class Model:
    """Cash, fees and units as plain fractions; profit by matching each unit sold against the oldest unit bought."""

    def __init__(self) -> None:
        self.money: dict[tuple[str, str], Fraction] = {
            (account.account_id, account.currency): Fraction(account.deposit) for account in ACCOUNTS
        }
        self.units: dict[tuple[str, str], Fraction] = {}
        self.quotes: dict[str, Quote] = {}

    def take(self, fill: m.OrderFilled) -> None:
        instrument = next(i for i in INSTRUMENTS if i.symbol == fill.instrument)
        signed = Fraction(fill.quantity) * (1 if fill.side == "buy" else -1)
        paid = signed * Fraction(fill.price) * Fraction(instrument.point_value)
        for currency, amount in ((instrument.quote_currency, paid), (fill.fee_currency, Fraction(fill.fee))):
            key = (fill.account, currency)
            self.money[key] = self.money.get(key, Fraction(0)) - amount
        held = (fill.account, fill.instrument)
        self.units[held] = self.units.get(held, Fraction(0)) + signed
        self.quotes.setdefault(fill.instrument, fill.quote)

    def totals(self, account: str) -> dict[str, Fraction]:
        """What the account would own in each currency if it closed everything."""
        totals = {currency: amount for (owner, currency), amount in self.money.items() if owner == account}
        for instrument in INSTRUMENTS:
            units = self.units.get((account, instrument.symbol), Fraction(0))
            if units:
                quote = self.quotes[instrument.symbol]
                price = Fraction(quote.bid if units > 0 else quote.ask)
                worth = units * price * Fraction(instrument.point_value)
                totals[instrument.quote_currency] = totals.get(instrument.quote_currency, Fraction(0)) + worth
        return totals


class Books:
    """A real portfolio, a real watch and the model, told the same."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self.watch = Watch(self.portfolio)
        self.model = Model()
        self.count = 0
        self.numbers: list[int] = []
        fields = samples.FIELDS[m.SessionStarted] | {"instruments": INSTRUMENTS}
        self.tell(m.SessionStarted.root("test", START_NS, "session", **fields))
        for account in ACCOUNTS:
            self.tell(m.AccountOpened.root("test", START_NS, account.account_id, account=account))

    def tell(self, message: m.Message) -> None:
        self.portfolio.evolve(m.decode(m.encode(message)))
        self.watch.see(message)

    def fill(self, deal: Deal) -> None:
        self.count += 1
        repeated = deal.again is not None and bool(self.numbers)
        if deal.again is not None and self.numbers:
            number = self.numbers[deal.again % len(self.numbers)]
        else:
            number = self.count
            self.numbers.append(number)
        instrument = INSTRUMENTS[deal.instrument]
        price = instrument.price_of(deal.quanta)
        fill = m.OrderFilled.root(
            "paper",
            START_NS + self.count,
            str(self.count),
            client_order_id=f"client-{number}",
            order_id=f"order-{number}",
            account=ACCOUNTS[deal.account].account_id,
            instrument=instrument.symbol,
            fill_id=f"fill-{number}",
            side=deal.side,
            quantity=instrument.quantity_of(deal.lots),
            price=price,
            fee=deal.fee,
            fee_currency=deal.fee_currency,
            remaining=ZERO,
            role="entry",
            liquidity="taker",
            slippage=ZERO,
            quote=Quote(bid=price, ask=price + instrument.price_of(deal.spread), time_ns=START_NS),
            setup="spring",
            strategy="wyckoff",
        )
        submitted = m.OrderSubmitted.root(
            "execution",
            START_NS + self.count,
            str(self.count),
            client_order_id=f"client-{number}",
            order=samples.make_order(f"order-{number}"),
            stop_loss_client_order_id=None,
            take_profit_client_order_id=None,
        )
        if repeated:
            before = frozen(self.portfolio)
            self.portfolio.evolve(fill)
            after = frozen(self.portfolio)
            assert (after.ledger, after.state.positions, after.state.accounts) == (
                before.ledger,
                before.state.positions,
                before.state.accounts,
            )
        else:
            self.watch.see(submitted)
            self.tell(fill)
            self.model.take(fill)

    def mark_everything(self, quanta: int) -> None:
        for instrument in INSTRUMENTS:
            self.count += 1
            price = instrument.price_of(quanta)
            bar = msgspec.structs.replace(
                samples.BAR,
                instrument=instrument.symbol,
                bid=price,
                ask=price + instrument.price_quantum,
                end_ns=START_NS + self.count,
            )
            self.tell(m.BarClosed.root("market", START_NS + self.count, str(self.count), bar=bar))
            self.model.quotes[instrument.symbol] = Quote(bid=bar.bid, ask=bar.ask, time_ns=bar.end_ns)


class Frozen(msgspec.Struct):
    state: PortfolioState
    ledger: LedgerSnapshot


def frozen(portfolio: Portfolio) -> Frozen:
    raw = msgspec.json.encode(Frozen(portfolio.state, portfolio.ledger.snapshot()))
    return msgspec.json.decode(raw, type=Frozen, dec_hook=decode_hook)


FEES = st.decimals("-0.01", 20, places=8, allow_nan=False)
DEALS = st.builds(
    Deal,
    account=st.sampled_from([0, 0, 1]),
    instrument=st.integers(0, len(INSTRUMENTS) - 1),
    side=st.sampled_from(Side),
    lots=st.one_of(st.integers(1, 3), st.integers(1, 10**9)),
    quanta=st.one_of(st.integers(1, 3), st.integers(1, 10**7)),
    spread=st.integers(0, 3),
    fee=FEES,
    fee_currency=st.sampled_from(["USD", "EUR", "JPY", "BNB"]),
    again=st.one_of(st.none(), st.none(), st.integers(0, 50)),
)
TAPES = st.lists(DEALS, min_size=1, max_size=10)


def deal(side: Side, lots: int, quanta: int, fee: str = "0", again: int | None = None, currency: str = "USD") -> Deal:
    return Deal(0, 0, side, lots, quanta, 1, Decimal(fee), currency, again)


REVERSAL = [
    deal(Side.BUY, 3, 110_000, "0.07"),
    deal(Side.SELL, 1, 111_000),
    deal(Side.SELL, 5, 112_000, "0.00000001", currency="BNB"),
    deal(Side.BUY, 3, 109_999),
    deal(Side.BUY, 3, 109_999, again=2),
]


@settings(max_examples=60)
@given(TAPES)
@example(REVERSAL)
@example([deal(Side.BUY, 1, 1), deal(Side.SELL, 1, 1)])
def test_after_every_fill_the_books_balance_to_the_last_digit(deals: list[Deal]) -> None:
    books = Books()
    for each in deals:
        books.fill(each)
        assert books.watch.check_everything() == []
        for account in ACCOUNTS:
            for instrument in INSTRUMENTS:
                held = books.portfolio.position(account.account_id, instrument.symbol).quantity
                assert Fraction(held) == books.model.units.get((account.account_id, instrument.symbol), 0)


@settings(max_examples=60)
@given(TAPES)
@example(REVERSAL)
def test_the_ledger_holds_the_money_of_the_brute_force_model(deals: list[Deal]) -> None:
    books = Books()
    for each in deals:
        books.fill(each)
    ledger = books.portfolio.ledger
    for (account, currency), amount in books.model.money.items():
        held = ledger.balance(f"{account}/cash", currency) + ledger.balance(f"{account}/fees", currency)
        assert Fraction(held) == amount


@settings(max_examples=60)
@given(TAPES, st.integers(1, 10**6))
@example(REVERSAL, 110_500)
def test_equity_is_that_of_the_brute_force_model(deals: list[Deal], quanta: int) -> None:
    books = Books()
    for each in deals:
        books.fill(each)
    books.mark_everything(quanta)
    for account in ACCOUNTS:
        expected = Fraction(0)
        unknown = False
        for currency, amount in books.model.totals(account.account_id).items():
            rate = books.portfolio.rate(currency, account.currency)
            unknown |= rate is None and amount != 0
            expected += amount * Fraction(rate or 0)
        equity = books.portfolio.equity(account.account_id)
        if unknown:
            assert equity is None
        else:
            assert equity is not None
            assert abs(Fraction(equity) - expected) <= Fraction(5, 10**8)


@settings(max_examples=60)
@given(TAPES, st.integers(0, 15), st.integers(1, 10**6))
@example(REVERSAL, 2, 110_500)
@example(REVERSAL, 0, 1)
def test_a_restored_portfolio_goes_on_as_if_never_interrupted(deals: list[Deal], cut: int, quanta: int) -> None:
    whole, parts = Books(), Books()
    for index, each in enumerate(deals):
        if index == cut:
            saved = frozen(parts.portfolio)
            assert saved == Frozen(parts.portfolio.state, parts.portfolio.ledger.snapshot())
            parts.portfolio.restore(saved.state, saved.ledger)
        whole.fill(each)
        parts.fill(each)
    whole.mark_everything(quanta)
    parts.mark_everything(quanta)
    assert frozen(parts.portfolio) == frozen(whole.portfolio)
    for account in ACCOUNTS:
        name = account.account_id
        assert parts.portfolio.equity(name) == whole.portfolio.equity(name)
        assert parts.portfolio.drawdown_fraction(name) == whole.portfolio.drawdown_fraction(name)
        assert parts.portfolio.unrealised(name) == whole.portfolio.unrealised(name)


@settings(max_examples=60)
@given(TAPES, st.integers(1, 10**6))
@example(REVERSAL, 110_500)
def test_realised_and_unrealised_less_fees_is_what_equity_gained(deals: list[Deal], quanta: int) -> None:
    books = Books()
    for each in deals:
        books.fill(each)
    books.mark_everything(quanta)
    for account in ACCOUNTS:
        name = account.account_id
        parts = (books.portfolio.realised(name), books.portfolio.unrealised(name), books.portfolio.fees(name))
        equity = books.portfolio.equity(name)
        realised, unrealised, fees = parts
        if realised is not None and unrealised is not None and fees is not None and equity is not None:
            gained = realised + unrealised - fees
            assert abs(gained - (equity - account.deposit)) <= Decimal("0.00000010")
