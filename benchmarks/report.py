"""What a benchmark leaves: its method, the machine, tables; printed, and kept in `results/` as JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks import environment

RESULTS: Final = Path(__file__).parent / "results"
Line = Mapping[str, Any]


def table(lines: Sequence[Line]) -> str:
    """Lines as a Markdown table, a column a key of the first line; numbers to three digits, None as a dash."""
    names = list(lines[0])
    numbers = [any(isinstance(line[name], int | float) for line in lines) for name in names]
    rows = [f"| {' | '.join(names)} |", "|" + "|".join("--:" if number else "---" for number in numbers) + "|"]
    rows += [f"| {' | '.join(shown(line[name]) for name in names)} |" for line in lines]
    return "\n".join(rows)


def shown(value: object) -> str:
    match value:
        case None:
            return "–"
        case float() if abs(value) >= 1000:
            return f"{float(f'{value:.3g}'):,.0f}"
        case float():
            return f"{value:.3g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


class Report:
    """One run of one benchmark.

    Args:
        name: of its files in `results/`.
        packages: whose versions are told.
    """

    def __init__(self, name: str, title: str, method: str, packages: Sequence[str]) -> None:
        self._name = name
        self._title = title
        self._method = method
        self._about: dict[str, str | int] = {**environment.describe(), **{each: version(each) for each in packages}}
        self._tables: dict[str, list[Line]] = {}
        self._notes: list[str] = []

    def about(self, **more: str | int) -> None:
        """Say more of where it ran."""
        self._about.update(more)

    def add(self, heading: str, lines: Sequence[Line]) -> None:
        """A table; printed at once."""
        self._tables[heading] = list(lines)
        print(f"\n## {heading}\n\n{table(lines)}", flush=True)

    def note(self, text: str) -> None:
        """A sentence under the tables."""
        self._notes.append(text)
        print(f"\n{text}", flush=True)

    def text(self) -> str:
        machine = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in self._about.items())
        parts = [f"# {self._title}", self._method, f"{machine}."]
        parts += [f"## {heading}\n\n{table(lines)}" for heading, lines in self._tables.items()]
        return "\n\n".join([*parts, *self._notes]) + "\n"

    def write(self) -> None:
        """Keep it in `results/`."""
        RESULTS.mkdir(exist_ok=True)
        told = {"method": self._method, "environment": self._about, "tables": self._tables, "notes": self._notes}
        (RESULTS / f"{self._name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        (RESULTS / f"{self._name}.md").write_text(self.text(), encoding="utf-8")
