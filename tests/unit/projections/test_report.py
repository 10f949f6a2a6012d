"""Does the result count and value a whole book, exactly?"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.projections.story import BAR_START_NS, OneSignal, make_denial
from tmt import messages as m
from tmt.domain.money import decode_hook
from tmt.market.bar import Timeframe
from tmt.market.quality import FeedQuality, InstrumentQuality
from tmt.projections.portfolio import Portfolio
from tmt.projections.report import AccountResult, ReplayResult, Tally, result_of, ruined_of


def result_after(story: OneSignal, folder: Path, **fields: Any) -> ReplayResult:
    portfolio = Portfolio()
    counts: dict[str, int] = {}
    for message in story.told:
        portfolio.evolve(message)
        counts[type(message).__name__] = counts.get(type(message).__name__, 0) + 1
    given: dict[str, Any] = {
        "rows": 12,
        "decision_hash": bytes(32),
        "quality": FeedQuality(instruments={"EURUSD": InstrumentQuality(rows=12, malformed=1)}),
        "invariants_checked": 20,
        "resumed": False,
        "elapsed_seconds": 0.5,
    }
    return result_of(log=story.write(folder), portfolio=portfolio, counts=counts, **{**given, **fields})


def test_what_happened_is_counted(tmp_path: Path) -> None:
    result = result_after(OneSignal(), tmp_path)
    assert (result.bars, result.signals, result.orders, result.fills, result.rejected) == (2, 1, 1, 2, 0)
    assert result.denials == {"compliance": {"daily_loss": 1}}
    assert result.events == len(OneSignal().told)
    assert (result.seed, result.simulated, result.inputs) == (7, False, ("a file",))


def test_the_span_begins_with_the_first_bar(tmp_path: Path) -> None:
    story = OneSignal()
    result = result_after(story, tmp_path)
    assert result.first_time_ns == BAR_START_NS - Timeframe.M5.nanoseconds
    assert result.last_time_ns == story.closed.occurred_at_ns


def test_a_book_without_a_bar_has_no_first_time(tmp_path: Path) -> None:
    story = OneSignal()
    story.told = story.told[:3]
    assert result_after(story, tmp_path).first_time_ns is None


def test_accounts_are_valued_exactly(tmp_path: Path) -> None:
    accounts = result_after(OneSignal(), tmp_path).accounts
    assert accounts["alpha"].realised == Decimal("-2.00000")
    assert accounts["alpha"].fees == Decimal("0.2")
    assert accounts["alpha"].equity == Decimal("99997.8")
    assert accounts["alpha"].positions_open == 0
    assert accounts["beta"].equity == Decimal(100000)


def test_outcomes_are_by_setup_after_fees(tmp_path: Path) -> None:
    story = OneSignal()
    story.close(story.entry, "4.20")
    outcome = result_after(story, tmp_path).outcomes["spring_test"]
    assert outcome.trips == 2
    assert outcome.win_fraction == Decimal("0.5")
    assert outcome.expectancy_r == Decimal("0.45")
    assert outcome.profit == {"USD": Decimal("1.80")}


@pytest.mark.parametrize(("realised", "won"), [("0.20", 0), ("0.21", 1), ("0.19", 0)])
def test_a_trip_is_won_when_more_than_its_fees_is_left(tmp_path: Path, realised: str, won: int) -> None:
    story = OneSignal()
    story.told.remove(story.closed)
    story.close(story.exit, realised)
    assert result_after(story, tmp_path).outcomes["spring_test"].win_fraction == won


def test_trips_without_risk_have_no_expectancy() -> None:
    tally, story = Tally(), OneSignal()
    tally.evolve(msgspec.structs.replace(story.closed, risk_amount=Decimal(0)))
    assert tally.outcomes()["spring_test"].expectancy_r is None


def test_denials_are_counted_by_gate_and_reason() -> None:
    tally = Tally()
    for gate, reason in (("aria", "no_mark"), ("aria", "no_mark"), ("aria", "equity"), ("compliance", "no_mark")):
        tally.evolve(make_denial("1", "0", gate=gate, reason=reason))
    assert tally.denials == {"aria": {"no_mark": 2, "equity": 1}, "compliance": {"no_mark": 1}}


TURNED: dict[str, Any] = {
    "tier": "account",
    "scope": "alpha",
    "trigger": "drawdown",
    "measured": Decimal("0.0641"),
    "limit": Decimal("0.064"),
    "unit": "fraction",
    "resumes_by": "cool_down",
    "detail": "too much lost",
}


@pytest.mark.parametrize(
    ("kind", "trigger", "state", "resumes_by"),
    [
        (m.BreakerOpened, "daily_loss", "open", "cool_down"),
        (m.BreakerOpened, "account_suspended", "open", "person"),
        (m.BreakerReduced, "drawdown", "reducing", "person"),
        (m.BreakerReduced, "daily_loss", "reducing", "cool_down"),
        (m.BreakerHalfOpened, "cooled_down", "half_open", "test_trades"),
    ],
)
def test_a_breaker_that_is_not_closed_at_the_end_is_a_halt(
    kind: type[m.BreakerTransition], trigger: str, state: str, resumes_by: str, tmp_path: Path
) -> None:
    story = OneSignal()
    turned = kind.caused_by(story.bar, "circuit_breaker", **{**TURNED, "trigger": trigger})
    story.tell(turned)
    [halt] = result_after(story, tmp_path).halts
    assert (halt.tier, halt.scope, halt.state, halt.trigger) == ("account", "alpha", state, trigger)
    assert (halt.measured, halt.limit, halt.since_ns) == (Decimal("0.0641"), Decimal("0.064"), turned.occurred_at_ns)
    assert halt.resumes_by == resumes_by


def test_a_breaker_that_closed_again_is_no_halt(tmp_path: Path) -> None:
    story = OneSignal()
    story.tell(m.BreakerOpened.caused_by(story.bar, "circuit_breaker", **TURNED))
    story.tell(m.BreakerClosed.caused_by(story.bar, "circuit_breaker", **TURNED))
    assert result_after(story, tmp_path).halts == ()


@pytest.mark.parametrize(("loss", "ruined"), [("-99999.78", ()), ("-99999.80", ("alpha",)), ("-99999.81", ("alpha",))])
def test_an_account_with_nothing_left_is_ruined(loss: str, ruined: tuple[str, ...], tmp_path: Path) -> None:
    account = AccountResult(
        currency="USD",
        deposit=Decimal(100000),
        equity=Decimal(100000) + Decimal(loss) - Decimal("0.2"),
        realised=Decimal(loss),
        unrealised=Decimal(0),
        fees=Decimal("0.2"),
        drawdown_fraction=None,
        positions_open=0,
    )
    unknown = msgspec.structs.replace(account, equity=None)
    assert ruined_of({"alpha": account, "beta": unknown}) == ruined


def test_breaches_are_named(tmp_path: Path) -> None:
    story = OneSignal()
    story.tell(m.InvariantBroken.caused_by(story.bar, "invariants", "M1", invariant="M1", detail="sums to 1"))
    assert result_after(story, tmp_path).breaches == ("M1: sums to 1",)


def test_a_tally_folded_live_is_the_tally_of_the_log(tmp_path: Path) -> None:
    story, live = OneSignal(), Tally()
    for message in story.told:
        live.evolve(message)
    assert vars(Tally.of(story.write(tmp_path))) == vars(live)


def test_money_travels_as_exact_text(tmp_path: Path) -> None:
    result = result_after(OneSignal(), tmp_path)
    raw = msgspec.json.encode(result)
    assert msgspec.json.decode(raw)["accounts"]["alpha"]["fees"] == "0.20000000"
    assert msgspec.json.decode(raw, type=ReplayResult, dec_hook=decode_hook) == result
