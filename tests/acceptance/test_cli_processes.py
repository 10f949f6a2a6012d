"""Desks in processes of their own: stopped from outside, interrupted, killed, and gone on with."""

import json
import signal
from pathlib import Path

import pytest

from tests.acceptance.desk_runs import Running, quotes_csv
from tmt.cli.main import run

UP = ("up", "--headless", "--history", "1", "--port", "0", "--speed", "60")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def entries(given: dict[str, object]) -> list[dict[str, object]]:
    books = given["books"]
    assert isinstance(books, list)
    return books


def test_a_running_desk_obeys_a_stop_from_another_process(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Running(*UP, state=state) as desk:
        desk.wait_for("time=")
        given = answer(capsys, "stop", "--reason", "drill")
        [entry] = entries(given)
        assert (entry["book"], entry["taken_by"], given["command"]) == ("main", "running desk", "StopTrading")
        assert isinstance(entry["event"], int)
        desk.wait_for("obeyed StopTrading")
        status = answer(capsys, "status")
        assert (status["running"], status["stopped"]) == (True, True)
        assert desk.end(signal.SIGTERM)[0] == 0
    assert answer(capsys, "status")["stopped"] is True
    [entry] = entries(answer(capsys, "resume", "--reason", "drill is over"))
    assert entry["taken_by"] == "this command"
    assert entry["lifted"] == [{"scope": "system/desk", "halted_by": "manual_stop", "state": "closed"}]
    status = answer(capsys, "status")
    assert (status["running"], status["stopped"], status["commands_waiting"]) == (False, False, 0)


def test_a_stop_reaches_every_running_desk_whichever_book_is_in_use(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Running(*UP, "--book", "one", state=state) as one, Running(*UP, "--book", "two", state=state) as two:
        one.wait_for("time=")
        two.wait_for("time=")
        answer(capsys, "book", "new", "empty")
        given = answer(capsys, "stop", "--reason", "drill")
        assert [(each["book"], each["taken_by"]) for each in entries(given)] == [
            ("one", "running desk"),
            ("two", "running desk"),
        ]
        one.wait_for("obeyed StopTrading")
        two.wait_for("obeyed StopTrading")
        given = answer(capsys, "resume", "--reason", "drill is over")
        assert [each["book"] for each in entries(given) if each["lifted"]] == ["one", "two"]
        assert run(["resume", "--reason", "again", "--json"]) == 7
        assert one.end(signal.SIGTERM)[0] == two.end(signal.SIGTERM)[0] == 0


def test_a_stop_that_no_desk_takes_while_another_runs_says_so_and_fails(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["book", "new", "other"]) == 0
    capsys.readouterr()
    with Running(*UP, "--book", "one", state=state) as desk:
        desk.wait_for("time=")
        assert run(["stop", "--book", "other", "--reason", "drill", "--json"]) == 4
        captured = capsys.readouterr()
        given = json.loads(captured.out)
        assert ([each["taken_by"] for each in given["books"]], given["not_reached"]) == (["nobody yet"], ["one"])
        assert "NOT REACHED: a desk runs on book one" in captured.err
        assert answer(capsys, "status", "--book", "one")["stopped"] is False
        assert desk.end(signal.SIGTERM)[0] == 0


def test_a_desk_that_hangs_does_not_keep_the_stop_from_another(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Running(*UP, "--book", "one", state=state) as one, Running(*UP, "--book", "two", state=state) as two:
        one.wait_for("time=")
        two.wait_for("time=")
        one.process.send_signal(signal.SIGSTOP)
        assert run(["stop", "--reason", "drill", "--json"]) == 4
        captured = capsys.readouterr()
        given = json.loads(captured.out)
        assert [each["book"] for each in given["books"]] == ["two"]
        assert "TMT-N002" in given["failures"]["one"]
        assert "NOT OBEYED by book one" in captured.err
        one.process.send_signal(signal.SIGCONT)
        one.wait_for("obeyed StopTrading")


def test_a_resume_of_what_was_never_halted_finds_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, *UP, "--for", "0.1")
    assert run(["resume", "--reason", "checked"]) == 7
    assert "nothing was halted" in capsys.readouterr().out
    answer(capsys, "stop", "--reason", "drill")
    capsys.readouterr()
    assert run(["resume", "--reason", "checked"]) == 0
    assert "lifted: system/desk, halted by manual_stop, is now closed" in capsys.readouterr().out


def test_a_stop_before_the_first_start_is_obeyed_first(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [entry] = entries(answer(capsys, "stop", "--reason", "not today"))
    assert (entry["taken_by"], entry["event"]) == ("nobody yet", None)
    answer(capsys, "up", "--for", "0.2", "--headless", "--history", "1")
    status = answer(capsys, "status")
    assert (status["stopped"], status["commands_waiting"]) == (True, 0)


def test_ctrl_c_keeps_the_result_says_how_to_go_on_and_exits_130(state: Path) -> None:
    with Running(*UP, "--json", state=state) as desk:
        desk.wait_for("time=")
        status, out = desk.end(signal.SIGINT)
        assert status == 130
        assert json.loads(out)["mode"] == "up"
        assert "up --headless --history 1 --port 0 --speed 60 --json" in desk.wait_for("up --headless")


def test_a_desk_goes_on_where_it_stopped(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = answer(capsys, *UP, "--for", "0.3")
    second = answer(capsys, *UP, "--for", "0.3")
    assert (first["resumed"], second["resumed"]) == (False, True)
    assert first["inputs"] == second["inputs"]
    assert int(str(second["last_time_ns"])) > int(str(first["last_time_ns"]))


def test_a_replay_killed_in_the_middle_ends_like_one_left_alone(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quotes_csv(tmp_path / "quotes.csv", rows=900)
    words = ("replay", "quotes.csv", "--instrument", "EURUSD")
    whole = answer(capsys, *words, "--state", "whole")
    with Running(*words, "--state", "killed", "--speed", "300", state=state) as desk:
        desk.wait_for("book main is new")
        desk.wait_for_events(20, tmp_path / "killed" / "books" / "main")
        assert desk.end(signal.SIGKILL)[0] == -signal.SIGKILL
    rest = answer(capsys, *words, "--state", "killed")
    assert rest["resumed"] is True
    for name in ("rows", "bars", "decision_hash", "ledger_hash"):
        assert rest[name] == whole[name]


def test_two_desks_cannot_write_one_book(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Running(*UP, state=state) as desk:
        desk.wait_for("time=")
        assert run([*UP, "--for", "0.1"]) == 4
        assert "TMT-L009" in capsys.readouterr().err
        assert run(["book", "reset"]) == 3
        assert "TMT-S004" in capsys.readouterr().err
        assert desk.end(signal.SIGTERM)[0] == 0


def test_a_book_on_which_nothing_ran_has_no_status(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 7
    assert "TMT-S006" in capsys.readouterr().err


def test_the_status_of_an_empty_book_names_the_newest_that_is_not(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(capsys, *UP, "--for", "0.1", "--book", "older")
    answer(capsys, *UP, "--for", "0.1", "--book", "newer")
    assert run(["status"]) == 7
    assert "`tmt status --book newer`" in capsys.readouterr().err
    assert run(["status", "--book", "newer"]) == 0
    assert "feed: 0 rows" not in capsys.readouterr().out


def test_why_not_of_an_empty_book_finds_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["why-not", "EURUSD", "2026-01-05T10:00Z"]) == 7
    assert "run `tmt up`" in capsys.readouterr().err


@pytest.mark.parametrize(("reason", "status"), [("", 3), ("  ", 3), ("x", 0), ("x" * 500, 0), ("x" * 501, 3)])
def test_a_reason_has_1_to_500_characters(reason: str, status: int, state: Path) -> None:
    assert run(["stop", "--reason", reason]) == status
