"""What `tmt config show` prints can be kept as files, and means the same."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tmt.cli.main import run
from tmt.cli.settings import as_yaml
from tmt.config import source
from tmt.sections import load_config


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["config", "show", *words]) == 0
    return capsys.readouterr().out


def test_every_section_shown_and_kept_as_a_file_loads_with_the_same_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_config(None)
    for name, section in loaded.sections.items():
        stems = [f"{name}/{stem}" for stem in section] if isinstance(section, dict) else [name]
        for stem in stems:
            file = tmp_path / f"{stem}.yml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(shown(capsys, stem))
    again = load_config(tmp_path)
    assert again.hash == loaded.hash
    layers = {place.layer for key, place in again.origins.items() if "." in key}
    assert layers == {"directory"}


def test_the_whole_configuration_is_one_text_by_section(capsys: pytest.CaptureFixture[str]) -> None:
    tree = source.parse(shown(capsys), "default", "shown")
    assert isinstance(tree, source.Entries)
    assert list(tree.nodes) == list(load_config(None).sections)


def test_an_unknown_section_is_refused_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "rule_books/defualt"]) == 2
    assert "did you mean 'rule_books/default'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.10"), "0.10"),
        (Decimal(100000), "100000"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("-0.5"), "-0.5"),
        (1e-05, "0.00001"),
        (True, "true"),
        (None, "null"),
        ("0.10", "'0.10'"),
        ("true", "'true'"),
        ("sun 17:00 - fri 17:00", "sun 17:00 - fri 17:00"),
    ],
)
def test_numbers_are_plain_and_texts_that_look_like_others_are_quoted(value: Any, text: str) -> None:
    assert as_yaml({"key": value}) == f"key: {text}\n"
    tree = source.parse(as_yaml({"key": value}), "default", "shown")
    assert isinstance(tree, source.Entries)
    node = tree.nodes["key"]
    assert isinstance(node, source.Scalar)
    assert node.plain == (not text.startswith("'"))
