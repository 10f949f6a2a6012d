"""However orders of several accounts interleave, aggregate exposure is kept; risk measures hold for any returns."""

from decimal import Decimal

import msgspec
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.agents.anti_correlation.moves import config_with, independent, make_agent, row
from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.anti_correlation.bets import gross_exposure, open_lines, owned_by
from tmt.agents.anti_correlation.covariance import comove, volatility
from tmt.agents.anti_correlation.order_risk import OrderRisk
from tmt.domain.order import Order, Side

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["size", "judge", "judge", "fill", "cancel"]),
        st.sampled_from(["alpha", "beta", "gamma"]),
        st.sampled_from(["EURUSD", "GBPUSD", "SPY"]),
        st.sampled_from(list(Side)),
        st.integers(1, 250),
    ),
    min_size=5,
    max_size=40,
)
QUOTE = make_quote("1")


class Floor:
    """A desk whose gate hears sized orders late, in any order, while others fill and are cancelled."""

    def __init__(self) -> None:
        another = msgspec.structs.replace(make_account("gamma", deposit="50000"), owner="another")
        self.desk = Desk(make_account("alpha"), make_account("beta"), another)
        for symbol in ("EURUSD", "GBPUSD", "SPY"):
            self.desk.mark(symbol, "1")
        self.agent = make_agent(
            self.desk, unknown_correlation="pass", owner_gross_ratio_max="1", firm_gross_ratio_max="0.9"
        )
        self.waiting: list[m.OrderSized] = []
        self.approved: list[Order] = []

    def act(self, number: int, action: str, account: str, symbol: str, side: Side, size: int) -> None:
        match action:
            case "size":
                order = make_order(
                    symbol, side, str(size * 1000), QUOTE, account=account, order_id=f"o{number}", stop_loss="0.5"
                )
                self.waiting.append(self.desk.approve(m.OrderSized, order))
            case "judge" if self.waiting:
                [said] = self.agent.handle(self.waiting.pop(size % len(self.waiting)))
                self.desk.tell(said)
                if isinstance(said, m.ConcentrationApproved):
                    self.approved.append(said.order)
            case "fill" if self.approved:
                self.desk.fill(self.approved.pop(size % len(self.approved)), "1")
            case "cancel" if self.approved:
                self.end(self.approved.pop(size % len(self.approved)))
            case _:
                pass

    def end(self, order: Order) -> None:
        self.desk.say(
            m.OrderSubmitted,
            client_order_id=order.order_id,
            order=order,
            stop_loss_client_order_id=None,
            take_profit_client_order_id=None,
        )
        self.desk.say(
            m.OrderCancelled,
            client_order_id=order.order_id,
            order_id=order.order_id,
            account=order.account,
            instrument=order.instrument,
            reason="test",
            filled=Decimal(0),
        )

    def gross(self, *owners: str) -> Decimal:
        """Of what the gate let pass; what waits for it is not in the market."""
        portfolio = self.desk.portfolio
        waiting = {sized.order.order_id: portfolio.state.working.pop(sized.order.order_id) for sized in self.waiting}
        accounts = [account for owner in owners for account in owned_by(portfolio, owner)]
        gross = gross_exposure(portfolio, open_lines(portfolio, accounts, ""), "USD")
        portfolio.state.working.update(waiting)
        assert gross is not None
        return gross


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS)
@example(
    [
        ("size", "alpha", "EURUSD", Side.BUY, 215),
        ("judge", "gamma", "SPY", Side.BUY, 1),
        ("size", "gamma", "GBPUSD", Side.BUY, 41),
        ("size", "gamma", "GBPUSD", Side.SELL, 92),
        ("judge", "beta", "SPY", Side.BUY, 200),
    ]
)  # an order waits on the other side and may yet be refused
@example([("size", "alpha", "EURUSD", Side.BUY, 200), ("judge", "alpha", "SPY", Side.BUY, 1),
          ("size", "beta", "EURUSD", Side.BUY, 1), ("judge", "beta", "SPY", Side.BUY, 1)])  # fmt: skip
def test_no_interleaving_takes_the_sum_beyond_its_limit(actions: list[tuple[str, str, str, Side, int]]) -> None:
    floor = Floor()
    for number, action in enumerate(actions):
        floor.act(number, *action)
        assert floor.gross("owner") <= Decimal(200_000)
        assert floor.gross("owner", "another") <= Decimal("0.9") * 250_000


ROWS = st.lists(st.tuples(*[st.integers(-50, 50)] * 3), min_size=30, max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_a_matrix_is_never_indefinite_and_scale_does_not_matter(rows: list[tuple[int, ...]]) -> None:
    columns = [tuple(value / 1000 for value in column) for column in zip(*rows, strict=True)]
    series = {name: row(column) for name, column in zip("ABC", columns, strict=True)}
    config = config_with(half_life_bars="10")
    found = comove(series, ("A", "B", "C"), config)
    scaled = comove({**series, "B": row(columns[1], 1024.0)}, ("A", "B", "C"), config)
    assert found is not None
    assert 0 <= found.shrinkage_fraction <= 1
    assert found == scaled
    ab, ac, bc = (float(each) for each in found.coefficients)
    smallest = np.linalg.eigvalsh(np.array([[1, ab, ac], [ab, 1, bc], [ac, bc, 1]])).min()
    assert smallest > -0.001
    assert all((volatility(each, config) or 0) >= 0 for each in series.values())


@settings(max_examples=100, deadline=None)
@given(
    held=st.tuples(*[st.integers(-150, 150)] * 3),
    side=st.sampled_from(list(Side)),
    lots=st.integers(1, 500),
    share=st.sampled_from(["0.2", "0.5", "0.7"]),
)
@example((0, 60, -80), Side.BUY, 101, "0.5")
def test_an_approved_order_keeps_the_share_or_lowers_the_risk(
    held: tuple[int, int, int], side: Side, lots: int, share: str
) -> None:
    desk = Desk(make_account("alpha"), make_account("beta"))
    symbols = ("EURUSD", "GBPUSD", "SPY")
    for symbol, units in zip(symbols, held, strict=True):
        desk.mark(symbol, "1")
        if units:
            direction = Side.BUY if units > 0 else Side.SELL
            desk.hold(symbol, direction, str(abs(units) * 1000), "1", account="beta")
    agent = make_agent(
        desk, independent(), book_instruments_min="2", risk_contribution_max=share, effective_bets_min="1"
    )
    order = make_order("EURUSD", side, str(lots * 1000), QUOTE, stop_loss="0.5")
    [said] = agent.handle(desk.approve(m.OrderSized, order))
    if not isinstance(said, m.ConcentrationApproved):
        return
    before, others = held[0] * side.sign, held[1] ** 2 + held[2] ** 2
    after = before + int(said.order.quantity / 1000)
    assert others == 0 or after <= 0 or after**2 <= Decimal(share) * (after**2 + others) or abs(after) <= abs(before)
    if said.order.quantity < order.quantity:
        more = after + 1
        assert more**2 > Decimal(share) * (more**2 + others)
        assert abs(more) > abs(before)


@settings(max_examples=100)
@given(start=st.integers(-50, 50), covariance=st.integers(-50, 50), total=st.integers(51, 99), step=st.integers(1, 40))
def test_bets_and_shares_fall_for_good_once_they_fall(start: int, covariance: int, total: int, step: int) -> None:
    risk = OrderRisk(
        start=Decimal(start) / 10_000,
        unit=Decimal(step) / 100_000,
        covariance=Decimal(covariance) / 10_000,
        others_variance=Decimal(total * total) / 10**8,
        others_total=Decimal(total) / 10_000,
        others_count=2,
    )
    least = min(Decimal(2), risk.bets(max(Decimal(0), risk.start)))
    kept = [risk.bets(after) >= least for after in (risk.after(Decimal(lots)) for lots in range(60)) if after >= 0]
    assert kept == sorted(kept, reverse=True)
    shares = [risk.contribution(after) <= Decimal("0.6") for after in map(risk.after, map(Decimal, range(60)))
              if after >= 0]  # fmt: skip
    assert shares == sorted(shares, reverse=True)
