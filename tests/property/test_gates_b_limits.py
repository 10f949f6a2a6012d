"""For any order: behaviour only takes away, and compliance approves nothing that its book's limits would not bear."""

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.agents.compliance.court import Court, book_with
from tests.unit.agents.desk import CONFIG_HASH, Desk, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance.rules import DailyLoss, Drawdown, DrawdownFrom, Leverage, RiskPerTrade
from tmt.agents.human_behavior import HumanBehaviorAgent, HumanBehaviorConfig
from tmt.config import load
from tmt.domain.order import Side

BEHAVIOR: HumanBehaviorConfig = load({"human_behavior": HumanBehaviorConfig}, directory=None, environment={}).sections[
    "human_behavior"
]
BOOK = book_with(
    RiskPerTrade(id="risk", hard=True, equity_fraction_max=Decimal("0.02")),
    Leverage(id="gear", hard=True, equity_ratio_max=Decimal(3)),
    DailyLoss(id="daily", hard=True, loss_fraction_max=Decimal("0.03")),
    Drawdown(id="fall", hard=True, loss_fraction_max=Decimal("0.04"), measured_from=DrawdownFrom.DEPOSIT),
)
LOTS = st.integers(min_value=1, max_value=400)
TICKS = st.integers(min_value=1, max_value=3000)


@settings(max_examples=100)
@given(lots=LOTS, stop_ticks=TICKS, lost_risk=st.integers(min_value=1, max_value=3000))
@example(lots=125, stop_ticks=1000, lost_risk=1000)
@example(lots=126, stop_ticks=1000, lost_risk=1000)
def test_after_a_loss_the_risk_left_is_within_the_ratio_and_a_whole_number_of_lots(
    lots: int, stop_ticks: int, lost_risk: int
) -> None:
    desk = Desk()
    agent = HumanBehaviorAgent(BEHAVIOR, desk.portfolio, CONFIG_HASH)
    desk.mark("EURUSD", "1.1")
    agent.handle(desk.close_trip(realised="-1", risk=str(lost_risk)))
    desk.pass_seconds(BEHAVIOR.cool_down.revenge_seconds)
    distance = Decimal(stop_ticks).scaleb(-5)
    order = make_order(
        "EURUSD", Side.BUY, str(lots * 1000), make_quote("1.1"), stop_loss=str(Decimal("1.1") - distance)
    )
    [answer] = agent.handle(desk.approve(m.ConcentrationApproved, order))
    allowed = BEHAVIOR.chasing.size_after_loss_ratio_max * lost_risk
    if isinstance(answer, m.BehaviourApproved):
        left = answer.order.quantity
        assert left <= order.quantity
        assert left % 1000 == 0
        assert left * distance <= allowed
        assert left == order.quantity or (left + 1000) * distance > allowed
    else:
        assert isinstance(answer, m.OrderDenied)
        assert 1000 * distance > allowed


@settings(max_examples=100)
@given(
    lots=LOTS,
    stop_ticks=TICKS,
    side=st.sampled_from(Side),
    held_shares=st.integers(min_value=0, max_value=400),
    held_stop=st.integers(min_value=400, max_value=499),
    held_mark=st.integers(min_value=480, max_value=520),
)
@example(lots=200, stop_ticks=1000, side=Side.BUY, held_shares=0, held_stop=499, held_mark=500)
@example(lots=100, stop_ticks=1000, side=Side.BUY, held_shares=200, held_stop=490, held_mark=500)
@example(lots=101, stop_ticks=1000, side=Side.BUY, held_shares=200, held_stop=490, held_mark=500)
def test_an_approved_order_breaks_no_limit_even_if_every_stop_is_hit(
    lots: int, stop_ticks: int, side: Side, held_shares: int, held_stop: int, held_mark: int
) -> None:
    court = Court(BOOK)
    court.desk.mark("EURUSD", "1.1")
    if held_shares:
        court.desk.hold("SPY", Side.BUY, str(held_shares), "500", stop=str(held_stop))
    court.desk.mark("SPY", str(held_mark))
    distance = Decimal(stop_ticks).scaleb(-5)
    stop = Decimal("1.1") - distance * side.sign
    quantity = Decimal(lots * 1000)
    answer = court.order("EURUSD", side, str(quantity), quote=make_quote("1.1"), stop_loss=str(stop))
    equity = Decimal(100000) + held_shares * Decimal(held_mark - 500)
    risk = quantity * distance
    left = equity - risk - held_shares * max(0, held_mark - held_stop)
    exposure = quantity * Decimal("1.1") + held_shares * held_mark
    bears = risk <= Decimal("0.02") * equity and exposure <= 3 * equity and left >= 97000 and left >= 96000
    assert isinstance(answer, m.ComplianceApproved) == bears
