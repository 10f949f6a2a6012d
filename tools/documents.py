"""The generated blocks of the documents: made from the map, the checks, the house itself and a golden replay.

`python -m tools.documents [DATA]` renews them in a checkout; a test fails when they are stale. DATA is the folder of
recorded market data; without it, what is quoted from the replay stays as it is.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tmt import invariants, topics, topology
from tools import life_of_an_order

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
ARCHITECTURE: Final = DOCS / "architecture.md"
LIFE_OF_AN_ORDER: Final = DOCS / "life-of-an-order.md"
GOLDEN: Final = ROOT / "tests" / "replay" / "golden" / f"{life_of_an_order.RECORDING}.txt"
_BLOCK: Final = re.compile(r"<!-- begin (?P<name>[a-z-]+) -->\n(?P<text>.*?)<!-- end (?P=name) -->\n", re.DOTALL)


def blocks_of(page: str) -> dict[str, str]:
    """Name -> text of every block of `page`, between `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    return {match["name"]: match["text"] for match in _BLOCK.finditer(page)}


def renewed(page: str, blocks: Mapping[str, str]) -> str:
    """`page` with the text of each of `blocks` between its markers; other blocks stay.

    Raises:
        ValueError: when `page` has no place for one of them.
    """
    homeless = sorted(set(blocks) - set(blocks_of(page)))
    if homeless:
        raise ValueError(f"the page has no markers for {', '.join(homeless)}")

    def renew(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- begin {name} -->\n{blocks.get(name, match['text'])}<!-- end {name} -->\n"

    return _BLOCK.sub(renew, page)


def architecture() -> dict[str, str]:
    """The blocks of docs/architecture.md."""
    return {
        "diagram": f"```mermaid\n{topology.diagram()}```\n",
        "messages": topology.message_table(),
        "topics": topics.topic_table(),
        "invariants": _table("| id | what must hold | checked |\n|---|---|---|", _invariants()),
        "rooms": _table("| floor | room | what is in it |\n|--:|---|---|", _rooms()),
        "decisions": "\n".join(_decisions()) + "\n",
    }


def life() -> dict[str, str]:
    """The blocks of docs/life-of-an-order.md that need no market data: lines of the golden replay."""
    return life_of_an_order.golden_blocks(GOLDEN.read_text())


def _table(head: str, rows: Iterator[str]) -> str:
    return "\n".join([head, *rows]) + "\n"


def _invariants() -> Iterator[str]:
    checked = {"message": "as it happens", "full": "at every start"}
    for rule in invariants.REGISTRY.values():
        yield f"| {rule.id} | {rule.sentence} | {checked[rule.cost]} |"


def _rooms() -> Iterator[str]:
    """The packages and modules of the house by floor, as the import contract has them, top to bottom."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    [house] = [each for each in contracts if each.get("containers") == ["tmt"] and each.get("exhaustive")]
    floors = [[name for name in re.findall(r"\w+", floor) if _docstring(name)] for floor in house["layers"]]
    floors = [names for names in floors if names]
    for number, names in zip(range(len(floors), 0, -1), floors, strict=True):
        for name in names:
            room = f"{name}/" if (ROOT / "src" / "tmt" / name).is_dir() else f"{name}.py"
            yield f"| {number} | `{room}` | {_docstring(name)} |"


def _docstring(name: str) -> str:
    room = ROOT / "src" / "tmt" / name
    file = room / "__init__.py" if room.is_dir() else room.with_suffix(".py")
    if not file.is_file():
        return ""
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]


def _decisions() -> Iterator[str]:
    for file in sorted((DOCS / "adr").glob("*.md")):
        title = file.read_text().partition("\n")[0].removeprefix("# ").partition(". ")[2]
        yield f"- [{file.name[:4]}](adr/{file.name}) {title}"


def write(data: Path | None = None) -> None:
    """Renew the documents; what is quoted from the replay only where the recorded `data` are."""
    ARCHITECTURE.write_text(renewed(ARCHITECTURE.read_text(), architecture()))
    quoted = life()
    if data is not None and data.is_dir():
        quoted |= life_of_an_order.replay_blocks(GOLDEN.read_text(), data)
    else:
        sys.stderr.write("no folder of recorded market data: what is quoted from the replay stays as it is\n")
    LIFE_OF_AN_ORDER.write_text(renewed(LIFE_OF_AN_ORDER.read_text(), quoted))


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:2]))
