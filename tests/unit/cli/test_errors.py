"""Errors are printed as code, what, where and fix; never as a bare traceback; and as JSON when asked."""

from pathlib import Path

import msgspec
import pytest

from tmt.cli import app, main
from tmt.cli.results import Failure
from tmt.cli.terminal import Terminal
from tmt.errors import CorruptLog, StoreUnavailable


def test_a_mistyped_command_or_option_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["stauts"]) == 2
    assert "did you mean 'status'?" in capsys.readouterr().err
    assert main.run(["book", "lits"]) == 2
    assert "did you mean 'list'?" in capsys.readouterr().err
    assert main.run(["status", "--stat", "x"]) == 2
    assert "--state" in capsys.readouterr().err


def test_a_usage_error_names_the_command_whose_help_tells_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["stop"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error TMT-X002: ")
    assert "`tmt stop --help`" in told


def test_an_error_is_told_as_code_what_where_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "risk.yml").write_text("")
    assert main.run(["config", "check", "--config", str(tmp_path), "--json"]) == 2
    captured = capsys.readouterr()
    failure = msgspec.json.decode(captured.out, type=Failure)
    assert (failure.code, failure.exit_code, failure.where) == ("TMT-C004", 2, str(tmp_path))
    assert "is no file that is known" in failure.problems[0]
    lines = captured.err.splitlines()
    assert any(line.startswith("error TMT-C004: ") for line in lines)
    assert lines[-1] == "  more:  tmt explain TMT-C004"


@pytest.mark.parametrize("code", ["TMT-L002", "TMT-N001"])
def test_an_error_of_a_store_says_what_to_do(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(StoreUnavailable(code, "disk full"), monkeypatch, "--json") == 4
    captured = capsys.readouterr()
    assert "  fix:   free disk space" in captured.err
    assert msgspec.json.decode(captured.out, type=Failure).fix


def test_an_error_keeps_its_exit_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(CorruptLog("TMT-L001", "damaged", where="x"), monkeypatch) == 5
    assert "error TMT-L001: damaged\n  where: x\n" in capsys.readouterr().err


def test_an_unforeseen_error_is_short_and_its_traceback_is_for_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(ZeroDivisionError("oh"), monkeypatch) == 1
    told = capsys.readouterr().err
    assert told.startswith("error TMT-X001: unforeseen: ZeroDivisionError: oh\n")
    assert "Traceback" not in told
    assert raising(ZeroDivisionError("oh"), monkeypatch, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert raising(KeyboardInterrupt(), monkeypatch) == 130


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    def fail(terminal: Terminal, *_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("tmt.cli.book.show", fail)
    return main.run(["book", "list", *words])


def test_no_words_show_the_help_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_the_version_is_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tmt ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_this_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", shell]) == 0
    assert f"_TMT_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_completion_knows_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_TMT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "tmt book re")
    monkeypatch.setenv("COMP_CWORD", "2")
    with pytest.raises(SystemExit):
        app.build().main([], prog_name="tmt", standalone_mode=False)
    assert "reset" in capsys.readouterr().out
