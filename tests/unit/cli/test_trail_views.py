"""Can a person read the trail, the result and the live view, on 80 columns and without colour?"""

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from tests.unit.projections.story import BAR_START_NS, OneSignal
from tmt import messages as m
from tmt.cli.live import HEIGHT, WIDTH, LiveView, log_line, page
from tmt.cli.report import render_result
from tmt.cli.why import parse_time, render_trail, render_why_not, why, why_not
from tmt.domain.order import Quote
from tmt.errors import InputError
from tmt.market.quality import FeedQuality, Gap, InstrumentQuality
from tmt.projections.desk_view import BreakerLine, DeskSnapshot, DeskView, EventLine
from tmt.projections.portfolio import Portfolio
from tmt.projections.report import Halt, ReplayResult, result_of


class Paper:
    """What a plain console prints."""

    def __init__(self, width: int = WIDTH) -> None:
        self._file = io.StringIO()
        self.console = Console(file=self._file, width=width, no_color=True, force_terminal=False)

    @property
    def text(self) -> str:
        return self._file.getvalue()


def shown(snapshot: DeskSnapshot) -> list[str]:
    paper = Paper(width=3 * WIDTH)
    paper.console.print(page(snapshot))
    return paper.text.splitlines()


def printed_trail(folder: Path, asked: str) -> str:
    paper = Paper()
    render_trail(why(OneSignal().write(folder), asked), paper.console)
    return paper.text


def test_a_printed_trail_tells_the_way_from_bar_to_close(tmp_path: Path) -> None:
    text = printed_trail(tmp_path, "order-a")
    steps = (
        "bar from",
        "test at 1.099",
        "spring_test buy",
        "aria.some_rule",
        "= circuit_breaker",
        "submits",
        "accepts",
    )
    places = [text.index(step) for step in (*steps, "(entry); fee 0.1 USD", "(stop_loss); fee", "-1.1 R")]
    assert places == sorted(places)


def test_a_printed_denial_says_what_would_have_changed_it(tmp_path: Path) -> None:
    text = printed_trail(tmp_path, "order-b")
    assert "Denied: the stop would take the day past its limit" in text
    assert "What would have changed it: compliance.daily_loss would have passed at 0.05 or below" in text
    assert "Also of this signal: alpha: closed by stop_loss" in text


def test_an_id_without_an_order_shows_its_causes(tmp_path: Path) -> None:
    assert "No order follows from it" in printed_trail(tmp_path, OneSignal().earlier_bar.message_id)


def test_names_that_look_like_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    story = OneSignal()
    told = [
        msgspec.structs.replace(each, detail="[bold]not[/] markup [/]") if isinstance(each, m.OrderDenied) else each
        for each in story.told
    ]
    story.told = told
    paper = Paper()
    render_trail(why(story.write(tmp_path), "order-b"), paper.console)
    assert "[bold]not[/] markup [/]" in paper.text


def test_a_printed_why_not_tells_signals_and_their_denials(tmp_path: Path) -> None:
    paper = Paper()
    answer = why_not(OneSignal().write(tmp_path), "EURUSD", BAR_START_NS)
    render_why_not(answer, paper.console, utc_assumed=True)
    assert "(no zone given: UTC assumed)" in paper.text
    assert "beta: denied by compliance (daily_loss)" in paper.text
    assert "test at 1.099 (quiet_return_to_the_spring) <- this bar" in paper.text


@pytest.mark.parametrize(
    ("text", "time_ns", "assumed"),
    [
        ("2023-11-14T22:10:00Z", BAR_START_NS, False),
        ("2023-11-14T23:10:00+01:00", BAR_START_NS, False),
        ("2023-11-14T22:10", BAR_START_NS, True),
        ("2023-11-14 22:10:00.000001", BAR_START_NS + 1000, True),
    ],
)
def test_a_time_is_iso_8601_and_utc_when_it_names_no_zone(text: str, time_ns: int, assumed: bool) -> None:
    assert parse_time(text) == (time_ns, assumed)


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        parse_time("yesterday")
    assert caught.value.code == "TMT-T005"


def make_result(folder: Path) -> ReplayResult:
    story, portfolio = OneSignal(), Portfolio()
    counts: dict[str, int] = {}
    for message in story.told:
        portfolio.evolve(message)
        counts[type(message).__name__] = counts.get(type(message).__name__, 0) + 1
    quality = InstrumentQuality(rows=1234, malformed=5, gaps=1, longest_gap=Gap(0, 3_000_000_000))
    return result_of(
        log=story.write(folder),
        portfolio=portfolio,
        counts=counts,
        rows=1234,
        decision_hash=bytes([1] * 32),
        quality=FeedQuality(instruments={"EURUSD": quality}, notes=("clock skew 2 ms",)),
        invariants_checked=20,
        resumed=True,
        elapsed_seconds=2.0,
    )


def test_a_printed_result_warns_of_ruin_and_of_every_breaker_that_is_not_closed(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    halt = Halt(
        tier="account",
        scope="alpha",
        state="reducing",
        trigger="drawdown",
        measured=Decimal("0.0640"),
        limit=Decimal("0.064"),
        unit="fraction",
        since_ns=1_205_712_000_000_000_000,
        resumes_by="person",
    )
    alpha = msgspec.structs.replace(result.accounts["alpha"], equity=Decimal("-12.5"))
    accounts = {**result.accounts, "alpha": alpha}
    paper = Paper()
    render_result(msgspec.structs.replace(result, accounts=accounts, ruined=("alpha",), halts=(halt,)), paper.console)
    assert "RUINED  alpha: equity -12.50 USD is at or below zero" in paper.text
    told = "BREAKER account/alpha reducing since 2008-03-17 by drawdown 0.064 of 0.064: `tmt resume` after review"
    assert told in paper.text


def test_a_printed_result_of_a_sound_book_warns_of_nothing(tmp_path: Path) -> None:
    paper = Paper()
    render_result(make_result(tmp_path), paper.console)
    assert "RUINED" not in paper.text
    assert "BREAKER" not in paper.text


def test_a_printed_result_has_what_a_person_asks_first(tmp_path: Path) -> None:
    paper = Paper()
    render_result(make_result(tmp_path), paper.console)
    for words in (
        "99,997.80",
        "compliance",
        "daily_loss",
        "spring_test",
        "1,234 rows kept, 5 dropped, 1 gaps, longest gap 3 s",
        "617 rows/s",
        "resumed: totals are of the whole book",
        "20 rules, all held",
        bytes([1] * 32).hex(),
        "clock skew 2 ms",
    ):
        assert words in paper.text
    assert "DEMO" not in paper.text


def test_a_result_on_simulated_data_says_so_first(tmp_path: Path) -> None:
    paper = Paper()
    render_result(msgspec.structs.replace(make_result(tmp_path), simulated=True), paper.console)
    assert paper.text.lstrip().startswith("DEMO")


def test_breaches_are_printed(tmp_path: Path) -> None:
    paper = Paper()
    render_result(msgspec.structs.replace(make_result(tmp_path), breaches=("M1: sums to 1",)), paper.console)
    assert "invariant broken M1: sums to 1" in paper.text
    assert "1 breaches" in paper.text


class Wyckoff:
    name = "wyckoff"
    consumes = (m.BarClosed,)


def make_snapshot(until: type[m.Message] | None = None, **fields: Any) -> DeskSnapshot:
    portfolio = Portfolio()
    view = DeskView(portfolio, (Wyckoff(),) * 8)
    for message in OneSignal().told:
        portfolio.evolve(message)
        view.handle(message)
        if type(message) is until:
            break
    snapshot = view.snapshot({"BarClosed": 12_345, "OrderFilled": 2}, FeedQuality())
    return msgspec.structs.replace(snapshot, **fields)


def test_the_page_shows_market_accounts_positions_and_events() -> None:
    text = "\n".join(shown(make_snapshot(m.OrderFilled)))
    for words in ("1.1 / 1.1001", "5m buy C", "alpha", "99,999.80", "stop 1.0981", "fills alpha buy 1000 EURUSD"):
        assert words in text


def test_the_page_fits_the_smallest_terminal_however_much_there_is() -> None:
    snapshot = make_snapshot(m.OrderFilled)
    breaker = BreakerLine(tier="agent", scope="x" * 90, state="open", trigger="t", since_ns=0, resumes_by="person")
    event = EventLine(time_ns=0, type="OrderDenied", message_id="1", text="e" * 200)
    crowded = msgspec.structs.replace(
        snapshot,
        market=snapshot.market * 20,
        accounts=snapshot.accounts * 20,
        positions=snapshot.positions * 20,
        breakers=(breaker,) * 20,
        events=(event,) * 50,
        simulated=True,
    )
    lines = shown(crowded)
    assert len(lines) == HEIGHT - 1
    assert max(map(len, lines)) <= WIDTH
    assert sum("more" in line for line in lines) == 4


def test_simulated_data_carry_a_badge() -> None:
    assert shown(make_snapshot(simulated=True))[0].lstrip().startswith("DEMO")
    assert "DEMO" not in "\n".join(shown(make_snapshot()))


def test_a_stale_feed_an_open_breaker_and_a_suspension_need_no_colour() -> None:
    snapshot = make_snapshot()
    breaker = BreakerLine(tier="account", scope="alpha", state="open", trigger="loss", since_ns=0, resumes_by="person")
    account = msgspec.structs.replace(snapshot.accounts[0], suspended_by="max_drawdown")
    market = msgspec.structs.replace(snapshot.market[0], stale=True)
    text = "\n".join(
        shown(msgspec.structs.replace(snapshot, breakers=(breaker,), accounts=(account,), market=(market,)))
    )
    for words in ("STALE", "BREAKER account/alpha open: loss", "SUSPENDED max_drawdown"):
        assert words in text


def test_the_desks_breaker_and_what_a_person_stopped_come_before_the_others() -> None:
    line = BreakerLine(tier="account", scope="alpha", state="open", trigger="loss", since_ns=0, resumes_by="person")
    others = [msgspec.structs.replace(line, scope=f"account-{number}") for number in range(3)]
    stopped = msgspec.structs.replace(line, tier="agent", scope="instrument:EURUSD", trigger="manual_stop")
    desk = msgspec.structs.replace(line, tier="system", scope="desk", trigger="invariant")
    snapshot = msgspec.structs.replace(make_snapshot(), breakers=(*others, stopped, desk))
    lines = [each for each in shown(snapshot) if each.startswith("BREAKER")]
    assert lines == ["BREAKER system/desk open: invariant", "BREAKER agent/instrument:EURUSD open: manual_stop +3 more"]


def test_what_is_not_known_is_called_unknown() -> None:
    snapshot = make_snapshot()
    account = msgspec.structs.replace(snapshot.accounts[0], equity=None, drawdown_fraction=None)
    market = msgspec.structs.replace(snapshot.market[0], quote=None, bar=None)
    text = "\n".join(shown(msgspec.structs.replace(snapshot, accounts=(account,), market=(market,))))
    for words in ("unknown", "no quote yet", "no bar yet"):
        assert words in text


def test_a_market_whose_session_is_closed_is_called_closed() -> None:
    snapshot = make_snapshot()
    market = msgspec.structs.replace(snapshot.market[0], open=False)
    closed = msgspec.structs.replace(snapshot, market=(market,))
    assert "closed 1.1 / 1.1001" in "\n".join(shown(closed))
    assert "closed=EURUSD" in log_line(closed)
    assert "closed=" not in log_line(snapshot)
    text = "\n".join(shown(msgspec.structs.replace(closed, market=(msgspec.structs.replace(market, quote=None),))))
    assert "EURUSD   closed" in text
    assert "no quote yet" not in text


def test_feed_totals_are_shown_only_by_whoever_knows_them() -> None:
    snapshot = make_snapshot()
    assert "feed:" not in "\n".join(shown(snapshot))
    quality = FeedQuality(instruments={"EURUSD": InstrumentQuality(rows=12, malformed=1)})
    text = "\n".join(shown(msgspec.structs.replace(snapshot, feed_quality=quality)))
    assert "feed: 12 rows, 1 dropped, 0 gaps" in text


def test_the_log_line_is_one_line_of_keys_and_values() -> None:
    line = log_line(make_snapshot(m.OrderFilled, simulated=True))
    assert line.startswith("time=2023-11-14T22:15:01Z demo=yes bars=12345 ")
    assert "positions=1" in line
    assert all("=" in word for word in line.split())


def test_the_live_view_draws_and_leaves_the_last_page() -> None:
    paper = Paper()
    with LiveView(paper.console) as live:
        live.show(make_snapshot())
    assert "newest events" in paper.text


def test_a_long_price_does_not_break_the_page() -> None:
    snapshot = make_snapshot()
    price = Decimal("123456789.123456789123")
    market = msgspec.structs.replace(snapshot.market[0], quote=Quote(bid=price, ask=price, time_ns=0))
    assert max(map(len, shown(msgspec.structs.replace(snapshot, market=(market,) * 2)))) <= WIDTH
