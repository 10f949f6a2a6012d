"""Are the reports' files whole, escaped and safe in a spreadsheet, and does the command pick the days asked for?"""

import csv
import io
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.projections.test_daily_report import MEASURES, TO_MIDNIGHT, Days, deny
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.cli import daily_report
from tmt.cli.daily_files import HEADINGS, comma_separated, html, money, percent
from tmt.cli.folders import Chosen
from tmt.cli.terminal import Terminal
from tmt.domain.money import decode_hook
from tmt.domain.order import Side
from tmt.errors import InputError
from tmt.ports.event_log import Entry

EVIL = '<script>alert("x")</script>&'


@pytest.fixture
def days() -> Days:
    """Two days of one account: a position, a round trip, a denial, a suspension."""
    days = Days()
    days.hold("EURUSD", Side.BUY, "10000", "1.1", stop="1.09")
    deny(days, "daily_loss")
    days.pass_seconds(TO_MIDNIGHT)
    days.mark("EURUSD", "1.105")
    days.close_trip(realised="-10", fees=Decimal("1.5"))
    days.say(m.AccountSuspended, account="alpha", rule="drawdown", **MEASURES)
    asked = {"account": "alpha", "person": EVIL, "role": "risk", "reason": EVIL}
    days.say(m.ReinstateAccount, **asked)
    return days


class Cells(HTMLParser):
    """Texts and tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.texts.append(" ".join(data.split()))


def test_the_page_shows_every_figure_and_table(days: Days) -> None:
    cells = Cells(html("main", days.reports.all()))
    for text in (
        "alpha, 2023-11-14",
        "alpha, 2023-11-15 (so far)",
        "100,050.00 USD",
        "-11.50",
        "daily_loss",
    ):
        assert text in cells.texts, text
    assert cells.texts.count("Trades") == cells.texts.count("Surveillance") == 2
    assert any("suspended by drawdown" in text for text in cells.texts)


def test_what_people_wrote_is_text_and_the_page_loads_nothing(days: Days) -> None:
    page = html("main", days.reports.all())
    cells = Cells(page)
    assert "script" not in cells.tags
    assert EVIL in " ".join(cells.texts)
    assert cells.targets == []
    assert not re.search(r"https?:|@import|url\(", page)
    assert "default-src 'none'" in page


def test_the_table_has_a_row_a_figure(days: Days) -> None:
    rows = list(csv.reader(io.StringIO(comma_separated(days.reports.all()))))
    assert tuple(rows[0]) == HEADINGS
    assert ["alpha", "2023-11-15", "day", "", "closing_equity", "100050"] in rows
    assert ["alpha", "2023-11-15", "day", "", "over", "false"] in rows
    assert ["alpha", "2023-11-14", "day", "", "over", "true"] in rows
    assert ["alpha", "2023-11-14", "day", "", "from", "2023-11-14T00:00:00Z"] in rows
    assert ["alpha", "2023-11-14", "day", "", "rule_book_version", ""] in rows
    assert ["alpha", "2023-11-15", "trades", "1", "profit", "-11.5"] in rows
    assert ["alpha", "2023-11-14", "denials", "1", "rule", "daily_loss"] in rows
    assert ["alpha", "2023-11-15", "suspensions", "2", "type", "ReinstateAccount"] in rows
    assert {len(row) for row in rows} == {6}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_spreadsheet_takes_no_text_for_a_formula(days: Days, text: str) -> None:
    report = msgspec.structs.replace(days.report(), owner=text)
    rows = csv.reader(io.StringIO(comma_separated([report])))
    assert ["alpha", "2023-11-15", "day", "", "owner", f"'{text}"] in list(rows)


def test_amounts_that_are_not_known_say_so() -> None:
    assert (money(None), percent(None)) == ("unknown", "unknown")
    assert (money(Decimal("-1234.567")), percent(Decimal("0.12346"))) == ("-1,234.57", "12.35%")


def book(tmp_path: Path, days: Days) -> Chosen:
    folder = tmp_path / "books" / "main"
    folder.mkdir(parents=True)
    log = SqliteEventLog(folder / "events.sqlite")
    told = [(each.message_id, each.correlation_id, type(each).__name__, each.occurred_at_ns) for each in days.told]
    log.append([Entry(*head, m.encode(each)) for head, each in zip(told, days.told, strict=True)], 1)
    log.close()
    return Chosen(state=str(tmp_path), book="main")


def run(chosen: Chosen, capsys: pytest.CaptureFixture[str], **options: Any) -> Any:
    wanted: dict[str, Any] = {"account": None, "day": None, "html_file": None, "csv_file": None, **options}
    daily_report.run(Terminal(json=True, plain=True), chosen, **wanted)
    said = capsys.readouterr().out
    return msgspec.json.decode(said, type=daily_report.DaysReported, dec_hook=decode_hook)


def test_the_command_tells_the_newest_day_or_the_one_asked_for(
    tmp_path: Path, days: Days, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = book(tmp_path, days)
    assert [each.day for each in run(chosen, capsys).reports] == ["2023-11-15"]
    assert [each.day for each in run(chosen, capsys, day="2023-11-14").reports] == ["2023-11-14"]
    assert run(chosen, capsys, account="alpha").reports == (days.report(),)
    for options in ({"account": "nobody"}, {"day": "2020-01-01"}):
        with pytest.raises(InputError, match="tells nothing") as caught:
            run(chosen, capsys, **options)
        assert (caught.value.code, caught.value.exit_code) == ("TMT-T006", 7)
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        run(chosen, capsys, day="yesterday")


def test_files_are_written_and_named(tmp_path: Path, days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = book(tmp_path, days)
    page, sheet = tmp_path / "r.html", tmp_path / "r.csv"
    answer = run(chosen, capsys, html_file=str(page), csv_file=str(sheet))
    assert answer.files == (str(page), str(sheet))
    assert page.read_text("utf-8") == html("main", answer.reports)
    assert sheet.read_text("utf-8") == comma_separated(answer.reports)
    with pytest.raises(InputError, match="cannot write"):
        run(chosen, capsys, html_file=str(tmp_path / "absent" / "r.html"))


def test_people_read_the_same(tmp_path: Path, days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    daily_report.run(Terminal(json=False, plain=True), book(tmp_path, days), None, None, None, None)
    said = capsys.readouterr().out
    for text in (
        "alpha 2023-11-15 so far",
        "100,050.00 USD",
        "suspended by drawdown",
        "-11.50 USD",
        "DEMO",
        "stop 1.09",
    ):
        assert text in said, text
