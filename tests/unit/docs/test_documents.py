"""The documents tell the truth: generated blocks are fresh, and what a page quotes or names is there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tmt.invariants import REGISTRY
from tools import documents, life_of_an_order
from tools.documents import ARCHITECTURE, DOCS, GOLDEN, LIFE_OF_AN_ORDER, ROOT, blocks_of, renewed

RENEW = "run: make docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
GOLDEN_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} .*$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PATH = re.compile(r"`((?:src|tests|docs|benchmarks|\.ci)/[\w./-]+)`")
TARGET = re.compile(r"\bmake ([a-z]+)\b")
MARKER = re.compile(r"<!-- (?:begin|end) ([a-z-]+) -->")
INVARIANT = re.compile(r"\b[MOABLV][1-9]\b")


@pytest.mark.parametrize(
    ("page", "blocks"), [(ARCHITECTURE, documents.architecture), (LIFE_OF_AN_ORDER, documents.life)]
)
def test_generated_blocks_are_fresh(page: Path, blocks: Callable[[], dict[str, str]]) -> None:
    assert page.read_text() == renewed(page.read_text(), blocks()), RENEW


def test_what_is_quoted_from_the_replay_is_what_the_replay_says(test_data: Path) -> None:
    text = LIFE_OF_AN_ORDER.read_text()
    excerpts = life_of_an_order.replay_blocks(GOLDEN.read_text(), test_data)
    assert text == renewed(text, excerpts), RENEW
    assert set(blocks_of(text)) == {*documents.life(), *excerpts}


def test_every_quoted_line_is_in_the_golden_file() -> None:
    quoted = GOLDEN_LINE.findall(LIFE_OF_AN_ORDER.read_text())
    assert len(quoted) > 10
    assert set(quoted) <= set(GOLDEN.read_text().splitlines()), RENEW


@pytest.mark.parametrize("page", [ARCHITECTURE, LIFE_OF_AN_ORDER])
def test_every_marker_has_its_other_half(page: Path) -> None:
    text = page.read_text()
    assert MARKER.findall(text) == [name for name in blocks_of(text) for _ in ("begin", "end")]


def test_a_block_edited_by_hand_is_stale() -> None:
    text = ARCHITECTURE.read_text()
    edited = text.replace("| M2 |", "| M0 |")
    assert edited != text
    assert renewed(edited, documents.architecture()) == text


def test_a_line_that_the_replay_never_gave_is_noticed() -> None:
    [first, *_] = GOLDEN_LINE.findall(LIFE_OF_AN_ORDER.read_text())
    assert first.replace("SignalRaised", "OrderFilled") not in GOLDEN.read_text().splitlines()


def test_a_block_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no markers for nowhere"):
        renewed(ARCHITECTURE.read_text(), {"nowhere": ""})


def test_an_invariant_is_checked_held_otherwise_or_missing_but_spoken_of() -> None:
    designed = {
        f"{letter}{number}"
        for letter, last in zip("MOABL", (9, 9, 7, 7, 9), strict=True)
        for number in range(1, last + 1)
    }
    text = ARCHITECTURE.read_text()
    assert {*REGISTRY} <= designed
    assert designed <= set(INVARIANT.findall(text))


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    lost = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not lost


@pytest.mark.parametrize("name", NAMES)
def test_the_tests_files_and_make_targets_that_a_page_names_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    for file, test in TEST.findall(text):
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
    assert not [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    in_code = " ".join(re.findall(r"`[^`]*`|```.*?```", text, re.DOTALL))
    assert not set(TARGET.findall(in_code)) - targets


def test_every_promise_of_the_testing_page_names_its_test() -> None:
    table = (DOCS / "testing.md").read_text().partition("## Promises")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    assert all(TEST.search(row) for row in rows)
