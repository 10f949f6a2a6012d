"""Does the view show the desk as it stands, bounded, and the same after a restart?"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.unit.agents.desk import START_NS, make_instrument
from tests.unit.projections.story import BAR_END_NS, OneSignal, make_bar
from tmt import messages as m
from tmt.domain.order import OrderState
from tmt.domain.stop import StopLevel
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.market.quality import FeedQuality
from tmt.projections.desk_view import EVENTS_MAX, DeskSnapshot, DeskView
from tmt.projections.portfolio import Portfolio


class Compliance:
    name = "compliance"
    consumes = (m.BehaviourApproved, m.OrderFilled)


class Desk:
    """A view and its portfolio, told the same messages."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self.view = DeskView(self.portfolio, (Compliance(),))
        self.counts: dict[str, int] = {}

    def tell(self, *messages: m.Message) -> DeskSnapshot:
        for message in messages:
            self.portfolio.evolve(message)
            assert self.view.handle(message) == []
            self.counts[type(message).__name__] = self.counts.get(type(message).__name__, 0) + 1
        return self.view.snapshot(self.counts, FeedQuality())


@pytest.fixture
def story() -> OneSignal:
    return OneSignal()


def until(story: OneSignal, message: m.Message) -> list[m.Message]:
    return story.told[: story.told.index(message) + 1]


def test_a_desk_that_has_not_begun_shows_nothing() -> None:
    shown = Desk().tell()
    assert (shown.market, shown.accounts, shown.events) == ((), (), ())
    assert not shown.simulated


def test_an_open_position_is_shown_with_its_stop_and_profit(story: OneSignal) -> None:
    shown = Desk().tell(*until(story, story.entry))
    [position] = shown.positions
    assert (position.account, position.quantity, position.stop_price) == ("alpha", Decimal(1000), Decimal("1.09810"))
    assert position.unrealised == Decimal("-0.1")
    assert Desk().tell(*story.told).positions == ()


def test_accounts_show_equity_drawdown_and_daily_loss(story: OneSignal) -> None:
    alpha, beta = Desk().tell(*story.told).accounts
    assert alpha.equity == Decimal("99997.8")
    assert alpha.drawdown_fraction == Decimal("0.000022")
    assert alpha.daily_loss_fraction == Decimal("0.000022")
    assert beta.drawdown_fraction == 0


def test_an_order_is_shown_from_acceptance_to_its_end(story: OneSignal) -> None:
    accepted = next(each for each in story.told if isinstance(each, m.OrderAccepted))
    [line] = Desk().tell(*until(story, accepted)).orders
    assert (line.client_order_id, line.state) == ("client-order-a", OrderState.ACCEPTED)
    assert Desk().tell(*until(story, story.entry)).orders == ()


def venue_event(kind: type[m.VenueEvent], story: OneSignal, **fields: Any) -> m.VenueEvent:
    names = {"client_order_id": "client-order-a", "order_id": "order-a", "account": "alpha", "instrument": "EURUSD"}
    return kind.caused_by(story.submitted, "paper", kind.__name__, **{**names, **fields})


def test_a_triggered_and_replaced_order_is_shown_so(story: OneSignal) -> None:
    accepted = next(each for each in story.told if isinstance(each, m.OrderAccepted))
    desk = Desk()
    desk.tell(*until(story, accepted))
    [line] = desk.tell(venue_event(m.OrderTriggered, story, trigger_price=Decimal("1.1"))).orders
    assert line.state is OrderState.TRIGGERED
    [line] = desk.tell(venue_event(m.OrderReplaced, story, quantity=Decimal(500), limit_price=None)).orders
    assert (line.quantity, line.price) == (Decimal(500), None)
    assert desk.tell(venue_event(m.OrderExpired, story, filled=Decimal(0))).orders == ()


def test_phases_are_shown_until_the_range_is_over(story: OneSignal) -> None:
    desk = Desk()
    assert desk.tell(*story.told).market[0].phases == {"5m buy": "C"}
    over = m.PhaseChanged.caused_by(
        story.bar,
        "wyckoff",
        "over",
        instrument="EURUSD",
        timeframe=story.bar.bar.timeframe,
        direction=story.signal.side,
        range_id="range-1",
        phase_before="C",
        phase="abandoned",
    )
    assert desk.tell(over).market[0].phases == {}


def test_a_stale_feed_is_shown_until_it_recovers(story: OneSignal) -> None:
    desk = Desk()
    stale = m.FeedStale.root("market", BAR_END_NS, "1", instrument="EURUSD", last_ns=BAR_END_NS)
    assert [line.stale for line in desk.tell(*story.told, stale).market] == [True, False]
    recovered = m.FeedRecovered.caused_by(stale, "market", instrument="EURUSD")
    assert [line.stale for line in desk.tell(recovered).market] == [False, False]


def test_a_market_is_open_while_its_session_holds_the_event_time(story: OneSignal) -> None:
    hours = msgspec.structs.replace(story.session.instruments[0].session, time_zone="UTC", open=("tue 09:00 - 10:00",))
    closed = msgspec.structs.replace(story.session.instruments[0], session=hours)
    started = msgspec.structs.replace(story.session, instruments=(closed, story.session.instruments[1]))
    assert [line.open for line in Desk().tell(started).market] == [False, True]


BREAKER: dict[str, Any] = {
    "tier": "account",
    "scope": "alpha",
    "trigger": "daily_loss",
    "measured": Decimal("0.06"),
    "limit": Decimal("0.05"),
    "unit": "fraction",
    "resumes_by": "cool_down",
    "detail": "too much lost today",
}


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (m.BreakerOpened, "open"),
        (m.BreakerReduced, "reducing"),
        (m.BreakerHalfOpened, "half_open"),
        (m.BreakerClosed, "closed"),
    ],
)
def test_a_breaker_is_shown_in_its_state(story: OneSignal, kind: type[m.BreakerTransition], state: str) -> None:
    [line] = Desk().tell(*story.told, kind.caused_by(story.bar, "circuit_breaker", **BREAKER)).breakers
    assert (line.tier, line.scope, line.state, line.trigger) == ("account", "alpha", state, "daily_loss")


def suspend(story: OneSignal) -> m.AccountSuspended:
    return m.AccountSuspended.caused_by(
        story.bar,
        "compliance",
        account="alpha",
        rule="max_drawdown",
        measured=Decimal("0.2"),
        limit=Decimal("0.1"),
        unit="fraction",
    )


def test_a_suspension_is_shown_until_the_account_is_reinstated(story: OneSignal) -> None:
    desk = Desk()
    assert desk.tell(*story.told, suspend(story)).accounts[0].suspended_by == "max_drawdown"
    resume = m.ResumeTrading.root("ann", BAR_END_NS, "1", person="ann", role="risk", reason="checked")
    assert desk.tell(resume).accounts[0].suspended_by == "max_drawdown"
    told: dict[str, Any] = {"rule": "max_drawdown", "person": "ann", "role": "risk", "reason": "checked"}
    other = m.AccountReinstated.caused_by(resume, "compliance", "beta", account="beta", **told)
    assert desk.tell(other).accounts[0].suspended_by == "max_drawdown"
    back = m.AccountReinstated.caused_by(resume, "compliance", "alpha", account="alpha", **told)
    assert desk.tell(back).accounts[0].suspended_by == ""


def test_an_agent_shows_what_it_heard_and_last_decided(story: OneSignal) -> None:
    [agent] = Desk().tell(*story.told).agents
    assert agent.handled == 4
    assert agent.last is not None
    assert agent.last.text == "compliance denies beta buy EURUSD: daily_loss 0.052 against 0.05 fraction"


def test_events_are_the_newest_first_and_bounded(story: OneSignal) -> None:
    desk = Desk()
    desk.tell(*story.told)
    for number in range(EVENTS_MAX + 1):
        stop = m.StopTrading.root(
            "ann", START_NS + number, str(number), person="ann", reason=str(number), role="risk", level=StopLevel.CANCEL
        )
        desk.tell(stop)
    events = desk.tell().events
    decided = [event for event in events if event.type == "StopTrading"]
    assert len(decided) == EVENTS_MAX
    assert any(event.type == "WyckoffEventSeen" for event in events)
    assert events[0].text == f"ann stops everything (cancel): {EVENTS_MAX}"
    assert decided[-1].text == "ann stops everything (cancel): 1"


def market_data(first_sequence: int, *rows: tuple[int, int, int, int]) -> m.MarketDataReceived:
    """Rows of (time, instrument, bid, ask)."""
    columns = {name: np.zeros(len(rows), dtype=np.int64) for name, _ in COLUMNS}
    for name, values in zip(("time_ns", "instrument", "bid", "ask"), zip(*rows, strict=True), strict=True):
        columns[name] = np.array(values, dtype=np.int64)
    return m.MarketDataReceived.of(
        "feed", MarketBatch(symbols=("EURUSD", "GBPUSD"), first_sequence=first_sequence, **columns)
    )


def test_the_newest_quote_of_each_instrument_is_shown(story: OneSignal) -> None:
    later = BAR_END_NS + 1
    first = market_data(0, (later, 0, 110_000, 110_002), (later, 1, 130_000, 130_003), (later + 1, 0, 110_001, 110_004))
    desk = Desk()
    eurusd, gbpusd = (line.quote for line in desk.tell(story.session, first).market)
    assert eurusd is not None
    assert (eurusd.bid, eurusd.ask) == (Decimal("1.10001"), Decimal("1.10004"))
    assert gbpusd is not None
    assert gbpusd.bid == Decimal("1.3")
    shown = desk.tell(market_data(3, (later + 2, 0, 110_005, 110_006)))
    assert shown.market[1].quote == gbpusd
    assert shown.market[0].quote is not None
    assert shown.market[0].quote.bid == Decimal("1.10005")


def test_a_bar_newer_than_the_last_batch_marks_the_quote(story: OneSignal) -> None:
    old = market_data(0, (START_NS, 0, 90_000, 90_002))
    [eurusd, _] = Desk().tell(story.session, old, make_bar(BAR_END_NS)).market
    assert eurusd.quote is not None
    assert eurusd.quote.bid == Decimal("1.10000")


def test_simulated_data_are_shown_as_such() -> None:
    instrument = make_instrument("EURUSD.SIM", "EUR", "USD")
    session = OneSignal().session
    started = m.SessionStarted.root(
        "desk",
        START_NS,
        mode="up",
        software_version="0",
        config_hash="c",
        seed=1,
        inputs=(),
        simulated=True,
        instruments=(instrument,),
    )
    assert Desk().tell(started).simulated
    assert not Desk().tell(session).simulated


def test_a_view_that_catches_up_shows_what_the_live_one_shows(story: OneSignal, tmp_path: Path) -> None:
    live = Desk()
    shown = live.tell(*story.told)
    again = DeskView(live.portfolio, (Compliance(),))
    again.catch_up(story.write(tmp_path))
    assert again.snapshot(live.counts, FeedQuality()) == shown
