"""The registry of commands: everything in it leads somewhere, and what is generated from it is fresh."""

import importlib
import inspect
import json
import shlex
import subprocess
import sys

import click
import pytest

from tmt.cli.app import build
from tmt.cli.entries import Argument, Command, Option
from tmt.cli.exit_codes import MEANINGS, ExitCode
from tmt.cli.registry import COMMANDS, GROUPS
from tmt.errors import TmtError
from tools import reference

BY_NAME = {entry.name: entry for entry in COMMANDS}
CHOSEN = {"state", "book", "config", "overrides", "json"}


def keywords(entry: Command) -> set[str]:
    return {each.name if isinstance(each, Argument) else each.keyword for each in entry.parameters}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_command_runs_a_function_that_takes_its_parameters(name: str) -> None:
    entry = BY_NAME[name]
    module, _, function = entry.run.partition(":")
    taken = set(inspect.signature(getattr(importlib.import_module(module), function)).parameters)
    assert taken == {"terminal", "chosen", *(keywords(entry) - CHOSEN)}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_command_has_two_examples_of_itself_that_parse(name: str) -> None:
    for example in BY_NAME[name].examples:
        words = shlex.split(example)
        assert words[: len(BY_NAME[name].words) + 1] == ["tmt", *BY_NAME[name].words]
        command: click.Command = build()
        rest = words[1:]
        while isinstance(command, click.Group):
            command = command.commands[rest.pop(0)]
        command.make_context("tmt", list(rest))


@pytest.mark.parametrize("name", BY_NAME)
def test_help_holds_summary_parameters_examples_and_exit_statuses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = BY_NAME[name]
    build().main([*entry.words, "--help"], prog_name="tmt", standalone_mode=False)
    text = " ".join(capsys.readouterr().out.split())
    for wanted in (entry.summary, *entry.examples, "Exit status", "--plain", "--debug"):
        assert " ".join(wanted.split()) in text
    for each in entry.parameters:
        assert (each.flags[0] if isinstance(each, Option) else each.name.upper().rstrip("S")) in text


def test_commands_are_at_most_three_levels_deep_and_their_groups_are_described() -> None:
    assert all(len(entry.words) <= 3 for entry in COMMANDS)
    groups = {" ".join(entry.words[:depth]) for entry in COMMANDS for depth in range(1, len(entry.words))}
    assert groups == set(GROUPS)
    assert len(BY_NAME) == len(COMMANDS)


def test_every_command_that_takes_json_has_a_schema() -> None:
    for entry in COMMANDS:
        assert ("json" in keywords(entry)) == bool(entry.result), entry.name


def test_the_schemas_that_ship_are_fresh() -> None:
    shipped = {file.name: file.read_text() for file in reference.SCHEMAS.glob("*.json")}
    assert shipped == reference.schemas(), "run: python -m tools.reference"
    assert all(json.loads(text)["$schema"].endswith("2020-12/schema") for text in shipped.values())


def test_the_reference_page_is_fresh() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run: python -m tools.reference"


def test_exit_statuses_are_in_one_table_which_the_errors_follow() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert len(ExitCode) <= 12
    kinds = [TmtError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.exit_code for kind in kinds} <= set(map(int, ExitCode))
    assert {code for entry in COMMANDS for code in entry.exits} <= set(map(int, ExitCode))


def test_help_imports_nothing_heavy() -> None:
    heavy = {"msgspec", "numpy", "numba", "polars", "yaml", "rich", "apsw", "tmt.messages"}
    program = "import sys; from tmt.cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "tmt.cli.app" in done.stderr.split()
    assert not heavy & set(done.stderr.split())
