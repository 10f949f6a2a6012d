"""The commands of a desk of several processes do what their examples say, over real servers."""

import os
import shlex
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from tests.integration.several import environment
from tmt.cli.main import run
from tmt.cli.registry_several import SEVERAL
from tools import reference

pytestmark = pytest.mark.server

EXAMPLES = [(entry.name, each) for entry in SEVERAL if entry.name != "parity" for each in entry.examples]
RESULTS = {entry.name: entry.result for entry in SEVERAL}


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pg_dsn: str, kafka_bootstrap: str, kafka_prefix: str
) -> Path:
    for name, value in environment(tmp_path, pg_dsn, kafka_bootstrap, kafka_prefix).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def prepare(name: str) -> None:
    if name != "database migrate":
        assert run(["database", "migrate"]) == 0
    if name in {"bus dead-letters", "bus replay"}:
        assert run(["bus", "topics"]) == 0
        producer = Producer({"bootstrap.servers": os.environ["TMT__BUS__BOOTSTRAP"]})
        for topic in ("orders", "answers"):
            for number in range(4):
                producer.produce(f"{os.environ['TMT__BUS__PREFIX']}.{topic}.dead-letter", str(number), "a key")
        assert producer.flush(10) == 0


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_works_as_it_stands(
    name: str, example: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(name)
    capsys.readouterr()
    words = shlex.split(example)[1:]
    assert run(words) == 0, capsys.readouterr().err
    captured = capsys.readouterr()
    if "--json" in words:
        kind = reference.result_type(RESULTS[name])
        assert type(msgspec.json.decode(captured.out, type=kind)) is kind
    else:
        assert (captured.out + captured.err).strip()


def test_an_unmigrated_database_is_refused_with_the_command_that_mends_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["agent", "run", "aria", "--for", "1"]) == 4
    assert "tmt database migrate" in capsys.readouterr().err


@pytest.mark.parametrize(("names", "told"), [(["arya"], "no agent 'arya'"), (["aria", "aria"], "named twice")])
def test_an_agent_that_is_not_is_refused(names: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agent", "run", *names]) == 3
    assert told in capsys.readouterr().err


def test_brokers_that_do_not_answer_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["database", "migrate"]) == 0
    monkeypatch.setenv("TMT__BUS__BOOTSTRAP", "127.0.0.1:1")
    assert run(["bus", "topics"]) == 4
    told = capsys.readouterr().err
    assert "127.0.0.1:1" in told
    assert "bus.bootstrap" in told
