"""Every command's two examples do what they say, and what `--json` prints fits the schema that ships."""

import json
import os
import re
import shlex
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.desk_runs import quotes_csv
from tmt.access import Role
from tmt.access.opening import open_access
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.cli.main import run
from tmt.cli.registry import COMMANDS
from tmt.cli.registry_several import SEVERAL
from tmt.domain.money import decode_hook
from tmt.sections import load_config
from tools import reference

SERVED = {entry.name for entry in SEVERAL} - {"parity"}
"""Commands that need servers: see test_cli_several.py."""
EXAMPLES = [(entry.name, each) for entry in COMMANDS if entry.name not in SERVED for each in entry.examples]
RESULTS = {entry.name: entry.result for entry in COMMANDS}
FINDS_NOTHING = {"why": 7, "breakers": 7, "admin key revoke": 3}
"""The id of these examples is in nothing that a test makes."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    quotes_csv(tmp_path / "quotes.csv", rows=600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def prepare(name: str) -> None:
    """What an example takes for granted."""
    if name in {"why", "why-not", "status", "parity", "report daily"}:
        assert run(["replay", "quotes.csv", "--instrument", "EURUSD", "--book", "main"]) == 0
    if name.startswith("book"):
        assert run(["book", "new", "main"]) == 0
    if name in {"admin user disable", "admin user password"}:
        assert run(["admin", "user", "add", "ann", "--role", "trader"]) == 0
    if name == "admin key create":
        add_somebody_with_a_password_of_their_own("ann")


def add_somebody_with_a_password_of_their_own(name: str) -> None:
    opened = open_access(Path(os.environ["TMT_STATE"]), load_config(None).sections["access"], SystemClock())
    with closing(opened.access) as access:
        access.people.create(name, Role.TRADER, "a password of one's own", by=COMMAND_LINE, must_change=False)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_works_as_it_stands(
    name: str, example: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(name)
    capsys.readouterr()
    words = shlex.split(example)[1:]
    assert run(words) == FINDS_NOTHING.get(name, 0), capsys.readouterr().err
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    if "--json" in words:
        [line] = captured.out.splitlines()
        struct = reference.FAILURE if name in FINDS_NOTHING else RESULTS[name]
        kind = reference.result_type(struct)
        assert type(msgspec.json.decode(line, type=kind, dec_hook=decode_hook)) is kind
    elif name not in FINDS_NOTHING:
        assert captured.out.strip()


def test_why_finds_a_decision_in_whichever_book_holds_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "quotes.csv", "--instrument", "EURUSD", "--decisions", "decisions.jsonl"]) == 0
    first = json.loads((folder / "decisions.jsonl").read_text().splitlines()[0])
    capsys.readouterr()
    assert run(["why", first["message_id"], "--json"]) == 0
    trail = json.loads(capsys.readouterr().out)
    assert (trail["id"], trail["kind"]) == (first["message_id"], first["type"])


def test_why_not_answers_for_a_time_that_was_replayed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "quotes.csv", "--instrument", "EURUSD"]) == 0
    capsys.readouterr()
    assert run(["why-not", "EURUSD", "2026-01-05T10:02", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["instrument"] == "EURUSD"


def test_an_interval_is_replayed_in_two_parts_as_in_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def replayed(state: str, *words: str) -> dict[str, object]:
        line = ["replay", "quotes.csv", "--instrument", "EURUSD", "--state", state, "--json", *words]
        assert run(line) == 0
        result: dict[str, object] = json.loads(capsys.readouterr().out)
        return result

    whole = replayed("whole")
    middle = (datetime(2026, 1, 5, 10, tzinfo=UTC) + timedelta(seconds=301)).isoformat()
    half = replayed("parts", "--until", middle)
    both = replayed("parts")
    assert 0 < int(str(half["rows"])) < int(str(whole["rows"]))
    assert (both["resumed"], whole["resumed"]) == (True, False)
    for name in ("rows", "bars", "decision_hash", "ledger_hash", "fills"):
        assert both[name] == whole[name]


def test_a_paced_replay_decides_like_a_fast_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hashes = []
    for state, speed in (("fast", ()), ("paced", ("--speed", "1200"))):
        line = ["replay", "quotes.csv", "--instrument", "EURUSD", "--state", state, "--json", *speed]
        assert run(line) == 0
        result = json.loads(capsys.readouterr().out)
        hashes.append((result["decision_hash"], result["ledger_hash"], result["rows"]))
    assert hashes[0] == hashes[1]


def test_data_alone_are_on_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "inspect", "quotes.csv", "--instrument", "EURUSD", "--json"]) == 0
    inspected = json.loads(capsys.readouterr().out)
    assert (inspected["rows"], inspected["dropped"]) == (600, 0)
    assert inspected["first_time"] == "2026-01-05T10:00:00.000Z"
    assert re.fullmatch(r"2026-01-05T10:\d\d:\d\d\.\d{3}Z", inspected["last_time"])


@pytest.mark.parametrize("speed", ["0", "-1", "1000001", "nan"])
def test_a_speed_out_of_range_is_refused(speed: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "quotes.csv", "--instrument", "EURUSD", "--speed", speed]) == 3
    assert "TMT-X005" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", str(2**63)])
@pytest.mark.parametrize("words", [["replay", "quotes.csv", "--instrument", "EURUSD"], ["up", "--for", "0.1"]])
def test_a_seed_out_of_range_is_refused(
    words: list[str], seed: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--seed", seed]) == 3
    assert "--seed must be a whole number, 0 or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("until", "told"), [("2026-01-05T10:00:00Z", True), ("2026-01-05T10:00:00.001Z", False), ("2025-01-01", True)]
)
def test_a_replay_until_before_its_first_row_says_that_nothing_was_to_do(
    until: str, told: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", "quotes.csv", "--instrument", "EURUSD", "--until", until]) == 0
    assert ("nothing was to do" in capsys.readouterr().err) is told


def test_a_replay_that_was_done_says_that_nothing_was_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for told in (False, True):
        assert run(["replay", "quotes.csv", "--instrument", "EURUSD"]) == 0
        assert ("nothing was to do" in capsys.readouterr().err) is told


def test_a_book_takes_one_feed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "--for", "0.1", "--headless", "--history", "1"]) == 0
    assert run(["up", "--feed", "quotes.csv", "--instrument", "EURUSD", "--for", "0.1"]) == 3
    assert "TMT-R007" in capsys.readouterr().err
