"""Every error code in the source can be explained, and every explanation is of a code in the source."""

import re
from pathlib import Path

import pytest

import tmt
from tmt.cli.explanations import explanations
from tmt.cli.main import run

SOURCE = Path(tmt.__file__).parent
CODE = re.compile(r"TMT-[A-Z]\d+")


def codes_in_source() -> set[str]:
    files = (file for file in SOURCE.rglob("*.py") if file.name != "explanations.py")
    return {code for file in files for code in CODE.findall(file.read_text())}


def test_every_code_is_explained() -> None:
    assert sorted(codes_in_source() - set(explanations())) == []


def test_every_explanation_is_of_a_code_that_is_used() -> None:
    assert sorted(set(explanations()) - codes_in_source()) == []


def test_no_code_means_two_things() -> None:
    used: dict[str, set[str]] = {}
    for file in SOURCE.rglob("*.py"):
        if "cli" not in file.relative_to(SOURCE).parts:
            for code in CODE.findall(file.read_text()):
                used.setdefault(code, set()).add(str(file.relative_to(SOURCE).parent))
    area = {code: sorted(places) for code, places in used.items() if len(places) > 1}
    assert {code: places for code, places in area.items() if code.startswith(("TMT-B", "TMT-S", "TMT-N"))} == {}


@pytest.mark.parametrize("given", ["TMT-L009", "tmt-l009", "L009", "l9", " TMT-L9 "])
def test_a_code_may_be_written_in_short(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", given]) == 0
    assert capsys.readouterr().out.startswith("TMT-L009  Another desk is writing this book.")


def test_a_code_that_is_none_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "TMT-L099"]) == 7
    assert "did you mean 'TMT-L00" in capsys.readouterr().err
